//! Charters as people write them: TOML with defaults and key files, turned into the strict form.
//!
//! Knows no command line. Reads files only by paths that the caller gives.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::code::Code;
use super::error::{Error, Result};
use super::identity::{parse_name, public_key};
use super::next::NextStep;
use crate::charter::{
    Charter, CharterError, CharterRules, KeyError, Member, MemberName, PublicKey, RefNameError,
    RefPattern, Removal, Threshold,
};

/// A charter file: `protect`, `[rules]` and `[[members]]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CharterFile {
    protect: Vec<String>,
    #[serde(default)]
    rules: RulesTable,
    members: Vec<MemberTable>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesTable {
    quorum: Option<usize>,
    own_approval_counts: Option<bool>,
    allow_concentrated_domains: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberTable {
    name: String,
    key: Option<String>,
    key_file: Option<String>,
    #[serde(default = "yes")]
    vote: bool,
    #[serde(default)]
    roles: Vec<String>,
    domain: Option<String>,
}

fn yes() -> bool {
    true
}

/// The rules of a charter, before defaults are filled in.
#[derive(Debug, Clone, Copy)]
pub struct RulesInput {
    /// The quorum. `None` means the smallest one.
    pub quorum: Option<usize>,
    /// Whether a proposer's own approval counts.
    pub own_approval_counts: bool,
    /// Whether one fault domain may hold more votes than may fail together.
    pub allow_concentrated_domains: bool,
}

impl Default for RulesInput {
    fn default() -> Self {
        Self {
            quorum: None,
            own_approval_counts: true,
            allow_concentrated_domains: false,
        }
    }
}

/// Builds a charter: sorts its lists, and fills in the smallest quorum.
pub fn assemble(
    mut members: Vec<Member>,
    mut protect: Vec<RefPattern>,
    mut removed: Vec<Removal>,
    rules: RulesInput,
) -> Result<Charter> {
    for member in &mut members {
        member.roles.sort();
        member.roles.dedup();
    }
    members.sort_by(|a, b| a.name.cmp(&b.name));
    protect.sort();
    protect.dedup();
    removed.sort_by(|a, b| a.name.cmp(&b.name));
    let n = members.iter().filter(|member| member.vote).count();
    let rules = CharterRules {
        allow_concentrated_domains: rules.allow_concentrated_domains,
        own_approval_counts: rules.own_approval_counts,
        quorum: rules.quorum.unwrap_or(Threshold::of(n).q),
    };
    Charter::new(members, protect, removed, rules).map_err(|error| {
        let message = format!("The charter breaks a rule: {error}.");
        let failure = Error::new(Code::BadCharter, message);
        if matches!(error, CharterError::Concentrated { .. }) {
            failure.next(NextStep::SpreadDomains)
        } else {
            failure
        }
    })
}

/// Parses a pattern of protected refs. `main` means `refs/heads/main`.
pub fn parse_pattern(text: &str) -> Result<RefPattern> {
    let full = if text.starts_with("refs/") {
        text.to_owned()
    } else {
        format!("refs/heads/{text}")
    };
    full.parse()
        .map_err(|error: RefNameError| Error::new(Code::BadRef, error.to_string()))
}

/// Parses a public key as a `.pub` file holds it. A comment is allowed.
fn parse_key(text: &str) -> Result<PublicKey> {
    let words: Vec<_> = text.split_whitespace().take(2).collect();
    words
        .join(" ")
        .parse()
        .map_err(|error: KeyError| Error::new(Code::Key, format!("{text:?}: {error}.")))
}

impl MemberTable {
    fn member(&self, folder: &Path) -> Result<Member> {
        let name = parse_name(&self.name)?;
        let key = match (&self.key, &self.key_file) {
            (Some(key), None) => parse_key(key)?,
            (None, Some(file)) => public_key(&folder.join(file))?,
            _ => {
                let message = format!("Member {name} needs either key or key_file.");
                return Err(Error::new(Code::BadCharter, message));
            }
        };
        let roles: Result<Vec<_>> = self.roles.iter().map(|role| parse_name(role)).collect();
        let domain = match &self.domain {
            Some(domain) => parse_name(domain)?,
            None => name.clone(),
        };
        Ok(Member {
            domain,
            key,
            name,
            roles: roles?,
            vote: self.vote,
        })
    }
}

impl CharterFile {
    /// Parses the text of a charter file.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| Error::new(Code::BadCharter, error.to_string()))
    }

    /// Reads a charter file.
    pub fn read(path: &Path) -> Result<Self> {
        let named = |what: String| {
            let message = format!("{}: {what}", path.display());
            Error::new(Code::BadCharter, message)
        };
        let text = std::fs::read_to_string(path).map_err(|error| named(format!("{error}.")))?;
        Self::parse(&text).map_err(|error| named(error.message))
    }

    /// Builds the charter that the file describes. Key files are looked up from `folder`.
    /// `removed` lists former members, given the members of the file.
    pub fn charter(
        &self,
        folder: &Path,
        removed: impl FnOnce(&[Member]) -> Vec<Removal>,
    ) -> Result<Charter> {
        let members: Result<Vec<_>> = self.members.iter().map(|m| m.member(folder)).collect();
        let members = members?;
        let protect: Result<Vec<_>> = self.protect.iter().map(|p| parse_pattern(p)).collect();
        let rules = RulesInput {
            quorum: self.rules.quorum,
            own_approval_counts: self.rules.own_approval_counts.unwrap_or(true),
            allow_concentrated_domains: self.rules.allow_concentrated_domains.unwrap_or(false),
        };
        let removed = removed(&members);
        assemble(members, protect?, removed, rules)
    }
}

/// Writes a charter in the form that [`CharterFile`] reads.
pub fn to_toml(charter: &Charter) -> String {
    let quoted = |names: &[MemberName]| {
        let names: Vec<_> = names.iter().map(|n| format!("{:?}", n.as_str())).collect();
        names.join(", ")
    };
    let protected = charter.protected().iter();
    let protect: Vec<_> = protected.map(|p| format!("{:?}", p.as_str())).collect();
    let rules = charter.rules();
    let mut text = format!(
        "protect = [{}]\n\n[rules]\nquorum = {}\nown_approval_counts = {}\n\
         allow_concentrated_domains = {}\n",
        protect.join(", "),
        rules.quorum,
        rules.own_approval_counts,
        rules.allow_concentrated_domains
    );
    for member in charter.members() {
        text.push_str(&format!(
            "\n[[members]]\nname = \"{}\"\nkey = \"{}\"\nvote = {}\nroles = [{}]\ndomain = \"{}\"\n",
            member.name,
            member.key,
            member.vote,
            quoted(&member.roles),
            member.domain
        ));
    }
    text
}
