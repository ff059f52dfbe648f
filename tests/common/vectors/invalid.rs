//! Bytes that are not an entry, with at least one case for each reason. Each case has exactly one
//! fault: it is built from a valid entry, and signed again if a member could sign it.

use git_quorum::ledger::{Payload, RejectReason};
use serde_json::{Value, json};

use super::valid::Valid;
use super::{invalid_form, invalid_payload, invalid_place, invalid_signature};
use crate::lab::sign;

/// Whether `git verify-commit` rejects the bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stock {
    Accepts,
    Refuses,
}

/// An invalid vector.
pub struct Case {
    pub name: String,
    pub code: &'static str,
    pub why: String,
    pub stock: Stock,
    pub context: Vec<String>,
    /// `entry`, or `genesis` for bytes that should found a ledger.
    pub role: &'static str,
    /// The kind of object that the bytes are.
    pub object: &'static str,
    pub raw: Vec<u8>,
}

/// Returns all invalid vectors.
pub fn all(valid: &Valid) -> Vec<Case> {
    let mut cases = Cases {
        valid,
        list: vec![],
    };
    invalid_form::add(&mut cases);
    invalid_form::add_armour(&mut cases);
    invalid_payload::add_json(&mut cases);
    invalid_payload::add_charters(&mut cases);
    invalid_payload::add_statements(&mut cases);
    invalid_place::add(&mut cases);
    invalid_signature::add(&mut cases);
    cases.list
}

impl Case {
    /// Returns the description of the bytes.
    pub fn describe(&self) -> Value {
        let stock = if self.stock == Stock::Accepts {
            "accepts"
        } else {
            "refuses"
        };
        json!({
            "code": self.code,
            "context": self.context,
            "object": self.object,
            "role": self.role,
            "stock_git": stock,
            "why": self.why,
        })
    }
}

/// The cases so far.
pub struct Cases<'a> {
    pub valid: &'a Valid,
    list: Vec<Case>,
}

impl Cases<'_> {
    /// Adds an entry in the place of `abstain`.
    pub fn add(&mut self, name: &str, stock: Stock, why: &str, raw: Vec<u8>) {
        self.add_after(&["genesis", "propose"], name, stock, why, raw);
    }

    /// Adds an entry that needs these entries in the ledger, and what they build on.
    pub fn add_after(
        &mut self,
        parents: &[&str],
        name: &str,
        stock: Stock,
        why: &str,
        raw: Vec<u8>,
    ) {
        let context = self.valid.context(parents);
        self.push(name, stock, why, context, "entry", "commit", raw);
    }

    /// Adds bytes that should found a ledger.
    pub fn add_genesis(&mut self, name: &str, stock: Stock, why: &str, raw: Vec<u8>) {
        self.push(name, stock, why, vec![], "genesis", "commit", raw);
    }

    /// Adds bytes that the repository stores as another kind of object.
    pub fn add_object(&mut self, object: &'static str, name: &str, why: &str, raw: Vec<u8>) {
        let context = self.valid.context(&["genesis", "propose"]);
        self.push(name, Stock::Refuses, why, context, "entry", object, raw);
    }

    /// Adds an entry with a well-formed payload, signed by its member.
    pub fn add_payload(&mut self, parents: &[&str], name: &str, why: &str, payload: &Payload) {
        let raw = sign(
            &self.valid.unsigned(payload, parents),
            payload.member.as_str(),
        );
        self.add_after(parents, name, Stock::Accepts, why, raw);
    }

    #[allow(clippy::too_many_arguments, reason = "the columns of one table")]
    fn push(
        &mut self,
        name: &str,
        stock: Stock,
        why: &str,
        context: Vec<String>,
        role: &'static str,
        object: &'static str,
        raw: Vec<u8>,
    ) {
        let code = name.split('-').next().unwrap();
        let code = RejectReason::ALL
            .iter()
            .map(|r| r.code())
            .find(|c| *c == code)
            .expect(name);
        let (name, why) = (name.to_owned(), why.to_owned());
        self.list.push(Case {
            name,
            code,
            why,
            stock,
            context,
            role,
            object,
            raw,
        });
    }
}
