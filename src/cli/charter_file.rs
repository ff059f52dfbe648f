//! Charters as people write them: TOML, with defaults and key files, made into the strict form.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::identity::{parse_name, public_key};
use super::{Exit, Failure};
use crate::charter::{
    Charter, CharterRules, Member, MemberName, PublicKey, RefPattern, Removal, Threshold,
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

/// Rules as flags or a file give them; what is left out has a default.
#[derive(Debug, Default, Clone)]
pub struct RulesInput {
    /// The quorum, if it is to be larger than the least one.
    pub quorum: Option<usize>,
    /// Whether a proposer's own approval counts.
    pub own_approval_counts: bool,
    /// Whether one fault domain may hold too many votes.
    pub allow_concentrated_domains: bool,
}

/// Puts a charter together: sorts, and fills in the least quorum.
pub fn assemble(
    mut members: Vec<Member>,
    mut protect: Vec<RefPattern>,
    mut removed: Vec<Removal>,
    rules: RulesInput,
) -> Result<Charter, Failure> {
    for member in &mut members {
        member.roles.sort();
        member.roles.dedup();
    }
    members.sort_by(|a, b| a.name.cmp(&b.name));
    protect.sort();
    protect.dedup();
    removed.sort_by(|a, b| a.name.cmp(&b.name));
    let n = members.iter().filter(|m| m.vote).count();
    let rules = CharterRules {
        allow_concentrated_domains: rules.allow_concentrated_domains,
        own_approval_counts: rules.own_approval_counts,
        quorum: rules.quorum.unwrap_or(Threshold::of(n).q),
    };
    Charter::new(members, protect, removed, rules).map_err(|e| {
        let hint = match &e {
            crate::charter::CharterError::Concentrated { .. } => {
                "spread the votes over domains, or say --allow-concentrated-domains"
            }
            _ => "`git quorum init --help` and `git quorum charter show` tell the rules and the numbers",
        };
        Failure::new("BAD_CHARTER", format!("the charter is refused: {e}")).exit(Exit::Usage).hint(hint)
    })
}

/// A pattern of protected refs from a command line or file; `main` stands for `refs/heads/main`.
pub fn parse_pattern(text: &str) -> Result<RefPattern, Failure> {
    let full = if text.starts_with("refs/") {
        text.to_owned()
    } else {
        format!("refs/heads/{text}")
    };
    full.parse().map_err(|e: crate::charter::RefNameError| {
        Failure::new("BAD_REF", e.to_string()).exit(Exit::Usage)
    })
}

/// A public key as it stands in a `.pub` file; a comment is allowed.
fn parse_key(text: &str) -> Result<PublicKey, Failure> {
    let mut words = text.split_whitespace();
    let key = [words.next(), words.next()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ");
    key.parse().map_err(|e: crate::charter::KeyError| {
        Failure::new("KEY", format!("{text:?}: {e}")).exit(Exit::Usage)
    })
}

impl MemberTable {
    fn member(&self, folder: &Path) -> Result<Member, Failure> {
        let name = parse_name(&self.name)?;
        let key = match (&self.key, &self.key_file) {
            (Some(key), None) => parse_key(key)?,
            (None, Some(file)) => public_key(&folder.join(file))?,
            _ => {
                let message = format!("member {name} needs either key or key_file");
                return Err(Failure::new("BAD_CHARTER", message).exit(Exit::Usage));
            }
        };
        let roles = self
            .roles
            .iter()
            .map(|r| parse_name(r))
            .collect::<Result<_, _>>()?;
        let domain = self
            .domain
            .as_deref()
            .map_or_else(|| Ok(name.clone()), parse_name)?;
        Ok(Member {
            domain,
            key,
            name,
            roles,
            vote: self.vote,
        })
    }
}

impl CharterFile {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let bad = |what: String| {
            Failure::new("BAD_CHARTER", format!("{}: {what}", path.display()))
                .exit(Exit::Usage)
                .hint("`git quorum charter show --toml` prints the charter in force in this form")
        };
        let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
        toml::from_str(&text).map_err(|e| bad(e.to_string()))
    }

    /// The charter that the file describes; `removed` lists members that are left out of it.
    pub fn charter(
        &self,
        folder: &Path,
        removed: impl FnOnce(&[Member]) -> Vec<Removal>,
    ) -> Result<Charter, Failure> {
        let members: Vec<_> = self
            .members
            .iter()
            .map(|m| m.member(folder))
            .collect::<Result<_, _>>()?;
        let protect = self
            .protect
            .iter()
            .map(|p| parse_pattern(p))
            .collect::<Result<_, _>>()?;
        let rules = RulesInput {
            quorum: self.rules.quorum,
            own_approval_counts: self.rules.own_approval_counts.unwrap_or(true),
            allow_concentrated_domains: self.rules.allow_concentrated_domains.unwrap_or(false),
        };
        let removed = removed(&members);
        assemble(members, protect, removed, rules)
    }
}

/// The charter in the form that [`CharterFile`] reads.
pub fn to_toml(charter: &Charter) -> String {
    let quoted = |names: &[MemberName]| {
        names
            .iter()
            .map(|n| format!("{:?}", n.as_str()))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let protect: Vec<_> = charter
        .protected()
        .iter()
        .map(|p| format!("{:?}", p.as_str()))
        .collect();
    let rules = charter.rules();
    let mut text = format!(
        "protect = [{}]\n\n[rules]\nquorum = {}\nown_approval_counts = {}\nallow_concentrated_domains = {}\n",
        protect.join(", "),
        rules.quorum,
        rules.own_approval_counts,
        rules.allow_concentrated_domains
    );
    for Member {
        domain,
        key,
        name,
        roles,
        vote,
    } in charter.members()
    {
        text.push_str(&format!(
            "\n[[members]]\nname = \"{name}\"\nkey = \"{key}\"\nvote = {vote}\nroles = [{}]\ndomain = \"{domain}\"\n",
            quoted(roles)
        ));
    }
    text
}
