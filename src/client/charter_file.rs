//! Charters as people write them: TOML with defaults and key files, made into the strict form.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Code;
use super::error::{Error, Result};
use super::identity::{parse_name, public_key};
use super::next::NextStep;
use crate::charter::{
    Charter, CharterError, CharterRules, KeyError, Member, PublicKey, RefNameError, RefPattern,
    Removal, Threshold,
};

/// The file: `protect`, `[rules]` and `[[members]]`.
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

/// The rules of a charter, with defaults for what is left out.
#[derive(Debug, Default, Clone)]
pub struct RulesInput {
    /// The quorum, if it is larger than the smallest safe one.
    pub quorum: Option<usize>,
    /// Whether a proposer's own approval counts.
    pub own_approval_counts: bool,
    /// Whether one fault domain may hold more votes than may fail together.
    pub allow_concentrated_domains: bool,
}

/// Builds a charter: sorts its lists, and fills in the smallest safe quorum.
pub fn build_charter(
    mut members: Vec<Member>,
    mut protect: Vec<RefPattern>,
    mut removed: Vec<Removal>,
    rules: &RulesInput,
) -> Result<Charter> {
    for member in &mut members {
        member.roles.sort();
        member.roles.dedup();
    }
    members.sort_by(|a, b| a.name.cmp(&b.name));
    protect.sort();
    protect.dedup();
    removed.sort_by(|a, b| a.name.cmp(&b.name));
    let voters = members.iter().filter(|m| m.vote).count();
    let rules = CharterRules {
        allow_concentrated_domains: rules.allow_concentrated_domains,
        own_approval_counts: rules.own_approval_counts,
        quorum: rules.quorum.unwrap_or(Threshold::of(voters).q),
    };
    Charter::new(members, protect, removed, rules).map_err(|error| {
        let failure = Error::new(
            Code::BadCharter,
            format!("The charter is refused: {error}."),
        );
        if matches!(error, CharterError::Concentrated { .. }) {
            failure.next(NextStep::SpreadDomains)
        } else {
            failure
        }
    })
}

/// Parses a pattern of protected refs. `main` stands for `refs/heads/main`.
pub fn parse_pattern(text: &str) -> Result<RefPattern> {
    let full = if text.starts_with("refs/") {
        text.to_owned()
    } else {
        format!("refs/heads/{text}")
    };
    full.parse()
        .map_err(|e: RefNameError| Error::new(Code::BadRef, format!("{e}.")))
}

/// Parses a public key as a `.pub` file holds it. A comment after the key is allowed.
fn parse_key(text: &str) -> Result<PublicKey> {
    let words: Vec<_> = text.split_whitespace().take(2).collect();
    words
        .join(" ")
        .parse()
        .map_err(|e: KeyError| Error::new(Code::Key, format!("{text:?}: {e}.")))
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
        let roles: Result<_> = self.roles.iter().map(|role| parse_name(role)).collect();
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
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self> {
        let bad = |why: String| {
            let message = format!("{}: {why}", path.display());
            Error::new(Code::BadCharter, message)
        };
        let text = std::fs::read_to_string(path).map_err(|e| bad(format!("{e}.")))?;
        toml::from_str(&text).map_err(|e| bad(e.to_string()))
    }

    /// The charter that the file describes. Key files are relative to `folder`. `removed` returns
    /// the removals that the charter must list, from the members that it keeps.
    pub fn charter(
        &self,
        folder: &Path,
        removed: impl FnOnce(&[Member]) -> Vec<Removal>,
    ) -> Result<Charter> {
        let members: Vec<_> = self
            .members
            .iter()
            .map(|member| member.member(folder))
            .collect::<Result<_>>()?;
        let protect = self
            .protect
            .iter()
            .map(|pattern| parse_pattern(pattern))
            .collect::<Result<_>>()?;
        let rules = RulesInput {
            quorum: self.rules.quorum,
            own_approval_counts: self.rules.own_approval_counts.unwrap_or(true),
            allow_concentrated_domains: self.rules.allow_concentrated_domains.unwrap_or(false),
        };
        let removed = removed(&members);
        build_charter(members, protect, removed, &rules)
    }
}

/// The charter in the form that [`CharterFile`] reads.
pub fn charter_to_toml(charter: &Charter) -> String {
    let patterns: Vec<_> = charter.protected().iter().map(RefPattern::as_str).collect();
    let rules = charter.rules();
    let mut text = format!(
        "protect = {patterns:?}\n\n[rules]\nquorum = {}\nown_approval_counts = {}\n\
         allow_concentrated_domains = {}\n",
        rules.quorum, rules.own_approval_counts, rules.allow_concentrated_domains
    );
    for member in charter.members() {
        let roles: Vec<_> = member.roles.iter().map(|role| role.as_str()).collect();
        text.push_str(&format!(
            "\n[[members]]\nname = \"{}\"\nkey = \"{}\"\nvote = {}\nroles = {roles:?}\n\
             domain = \"{}\"\n",
            member.name, member.key, member.vote, member.domain
        ));
    }
    text
}
