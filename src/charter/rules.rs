//! The charter itself: a value that cannot exist without having passed its checks, and the check
//! that one charter may follow another.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{FORMAT_VERSION, MemberName, PublicKey, RefName, RefPattern, Threshold, limits};
use crate::id::EntryId;

/// A member, as the charter lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Members of one domain fail together (one model family, one operator, one host).
    pub domain: MemberName,
    /// The key that signs its entries, for ever.
    pub key: PublicKey,
    /// Its name, for ever.
    pub name: MemberName,
    /// What it stands for; sorted.
    pub roles: Vec<MemberName>,
    /// Whether its approvals and votes count.
    pub vote: bool,
}

/// A former member: neither its name nor its key comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Removal {
    /// Its key.
    pub key: PublicKey,
    /// The last entry of its lane that gates and tools still take in; none if it wrote nothing.
    pub last: Option<EntryId>,
    /// Its name.
    pub name: MemberName,
}

/// How decisions are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CharterRules {
    /// Says in so many words that one fault domain may hold more than max(f, 1) votes.
    pub allow_concentrated_domains: bool,
    /// Whether a proposer's own approval counts.
    pub own_approval_counts: bool,
    /// Members that make a quorum: at least the least safe number, at most all.
    pub quorum: usize,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCharter {
    members: Vec<Member>,
    protect: Vec<RefPattern>,
    removed: Vec<Removal>,
    rules: CharterRules,
    v: u64,
}

/// Members, protected refs and rules, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawCharter", into = "RawCharter")]
pub struct Charter {
    members: Vec<Member>,
    protect: Vec<RefPattern>,
    removed: Vec<Removal>,
    rules: CharterRules,
    threshold: Threshold,
}

/// A charter in a proposal: one that this program understands, or one of a later format version,
/// of which it knows no more than that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProposedCharter {
    /// Of this format version.
    Known(Box<Charter>),
    /// Of a later one, kept as it is.
    Newer {
        /// Its format version.
        version: u64,
        /// What it says.
        value: Value,
    },
}

/// Votes of one fault domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainLoad {
    /// The domain.
    pub domain: MemberName,
    /// Voting members in it.
    pub votes: usize,
}

/// Why a charter is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CharterError {
    /// The format version is not this one.
    #[error("format version {0}: this git-quorum knows version {FORMAT_VERSION}")]
    Version(u64),
    /// Too many of something.
    #[error("too many {what}: {count}, the limit is {limit}")]
    Limit {
        /// What there are too many of.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A list is not sorted, or lists something twice.
    #[error("{0} must be sorted and without repetition")]
    Order(&'static str),
    /// A key belongs to two members.
    #[error("{0} and {1} have the same key: a key belongs to one member")]
    SharedKey(MemberName, MemberName),
    /// Nobody votes.
    #[error("no voting member: decisions need at least one")]
    NoVoter,
    /// Nothing is protected.
    #[error("no protected ref: name at least one")]
    NothingProtected,
    /// The quorum is unsafe or cannot be reached.
    #[error("quorum {asked} with {n} voting members: it must lie between {least} and {n}")]
    Quorum {
        /// What the charter asks for.
        asked: usize,
        /// The least safe one.
        least: usize,
        /// Voting members.
        n: usize,
    },
    /// One fault domain holds too many votes.
    #[error(
        "fault domain {domain} holds {votes} votes, more than the {allowed} that may fail together: \
         spread the votes, or allow it with `allow_concentrated_domains = true`"
    )]
    Concentrated {
        /// The domain.
        domain: MemberName,
        /// Its votes.
        votes: usize,
        /// max(f, 1).
        allowed: usize,
    },
    /// A genesis charter that lists removed members.
    #[error("the first charter has no removed members")]
    RemovedAtGenesis,
    /// It does not follow from the charter before it.
    #[error("it cannot follow the charter in force: {0}")]
    Succession(String),
}

impl TryFrom<RawCharter> for Charter {
    type Error = CharterError;

    fn try_from(raw: RawCharter) -> Result<Self, CharterError> {
        if raw.v != FORMAT_VERSION {
            return Err(CharterError::Version(raw.v));
        }
        Self::new(raw.members, raw.protect, raw.removed, raw.rules)
    }
}

impl From<Charter> for RawCharter {
    fn from(charter: Charter) -> Self {
        let Charter {
            members,
            protect,
            removed,
            rules,
            ..
        } = charter;
        Self {
            members,
            protect,
            removed,
            rules,
            v: FORMAT_VERSION,
        }
    }
}

impl Charter {
    /// Checks the parts (spec, "Charter") and puts them together.
    pub fn new(
        members: Vec<Member>,
        protect: Vec<RefPattern>,
        removed: Vec<Removal>,
        rules: CharterRules,
    ) -> Result<Self, CharterError> {
        check_sizes(&members, &protect, &removed)?;
        check_order(&members, &protect, &removed)?;
        check_keys(&members, &removed)?;
        let least = Threshold::of(members.iter().filter(|m| m.vote).count());
        if least.n == 0 {
            return Err(CharterError::NoVoter);
        }
        if protect.is_empty() {
            return Err(CharterError::NothingProtected);
        }
        let threshold = least
            .with_quorum(rules.quorum)
            .ok_or(CharterError::Quorum {
                asked: rules.quorum,
                least: least.q,
                n: least.n,
            })?;
        let charter = Self {
            members,
            protect,
            removed,
            rules,
            threshold,
        };
        charter.check_domains()?;
        Ok(charter)
    }

    fn check_domains(&self) -> Result<(), CharterError> {
        match self.concentrated_domain() {
            Some(load) if !self.rules.allow_concentrated_domains => {
                Err(CharterError::Concentrated {
                    domain: load.domain,
                    votes: load.votes,
                    allowed: self.threshold.f.max(1),
                })
            }
            _ => Ok(()),
        }
    }

    /// All members, by name.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The voting members, by name. Their places in this order are what a guide is counted by.
    pub fn voters(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|m| m.vote)
    }

    /// The member of this name.
    pub fn member(&self, name: &MemberName) -> Option<&Member> {
        self.members.iter().find(|m| m.name == *name)
    }

    /// Whether a member of this name votes.
    pub fn votes(&self, name: &MemberName) -> bool {
        self.member(name).is_some_and(|m| m.vote)
    }

    /// Former members, by name.
    pub fn removed(&self) -> &[Removal] {
        &self.removed
    }

    /// Patterns of protected refs.
    pub fn protected(&self) -> &[RefPattern] {
        &self.protect
    }

    /// Whether a ref is protected.
    pub fn protects(&self, name: &RefName) -> bool {
        self.protect.iter().any(|p| p.matches(name.as_str()))
    }

    /// The rules.
    pub fn rules(&self) -> &CharterRules {
        &self.rules
    }

    /// n, f and the quorum in force.
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// Votes of each fault domain, most first.
    pub fn domains(&self) -> Vec<DomainLoad> {
        let mut votes: BTreeMap<&MemberName, usize> = BTreeMap::new();
        for member in self.voters() {
            *votes.entry(&member.domain).or_default() += 1;
        }
        let load = |(domain, votes): (&MemberName, usize)| DomainLoad {
            domain: domain.clone(),
            votes,
        };
        let mut loads: Vec<_> = votes.into_iter().map(load).collect();
        loads.sort_by(|a, b| b.votes.cmp(&a.votes).then_with(|| a.domain.cmp(&b.domain)));
        loads
    }

    /// The domain that holds more than max(f, 1) votes, if one does.
    pub fn concentrated_domain(&self) -> Option<DomainLoad> {
        let allowed = self.threshold.f.max(1);
        self.domains().into_iter().find(|load| load.votes > allowed)
    }

    /// Checks that this is a first charter.
    pub fn check_first(&self) -> Result<(), CharterError> {
        if self.removed.is_empty() {
            Ok(())
        } else {
            Err(CharterError::RemovedAtGenesis)
        }
    }

    /// Checks that this charter may follow `before`: names and keys are for ever, whoever leaves is
    /// listed as removed, and who is removed stays so.
    pub fn check_follows(&self, before: &Charter) -> Result<(), CharterError> {
        let refuse = |why: String| Err(CharterError::Succession(why));
        for removal in &before.removed {
            if !self.removed.contains(removal) {
                return refuse(format!(
                    "removed member {} must stay listed as it is",
                    removal.name
                ));
            }
        }
        for old in &before.members {
            match self.member(&old.name) {
                Some(new) if new.key != old.key => {
                    return refuse(format!(
                        "the key of {} changes: remove it and add a new name",
                        old.name
                    ));
                }
                None if !self
                    .removed
                    .iter()
                    .any(|r| r.name == old.name && r.key == old.key) =>
                {
                    return refuse(format!(
                        "{} is neither a member nor listed as removed",
                        old.name
                    ));
                }
                _ => {}
            }
        }
        let was_known = |r: &Removal| {
            before.removed.contains(r) || before.member(&r.name).is_some_and(|m| m.key == r.key)
        };
        match self.removed.iter().find(|r| !was_known(r)) {
            Some(removal) => refuse(format!(
                "{} is listed as removed but was no member",
                removal.name
            )),
            None => Ok(()),
        }
    }
}

fn check_sizes(
    members: &[Member],
    protect: &[RefPattern],
    removed: &[Removal],
) -> Result<(), CharterError> {
    let most_roles = members.iter().map(|m| m.roles.len()).max().unwrap_or(0);
    let counts = [
        ("members", members.len(), limits::MEMBERS),
        ("protected refs", protect.len(), limits::PROTECT),
        ("removed members", removed.len(), limits::REMOVED),
        ("roles of a member", most_roles, limits::ROLES),
    ];
    match counts.into_iter().find(|(_, count, limit)| count > limit) {
        Some((what, count, limit)) => Err(CharterError::Limit { what, count, limit }),
        None => Ok(()),
    }
}

fn check_order(
    members: &[Member],
    protect: &[RefPattern],
    removed: &[Removal],
) -> Result<(), CharterError> {
    if !members.is_sorted_by(|a, b| a.name < b.name) {
        return Err(CharterError::Order("members"));
    }
    if !members.iter().all(|m| m.roles.is_sorted_by(|a, b| a < b)) {
        return Err(CharterError::Order("roles"));
    }
    if !protect.is_sorted_by(|a, b| a < b) {
        return Err(CharterError::Order("protected refs"));
    }
    if !removed.is_sorted_by(|a, b| a.name < b.name) {
        return Err(CharterError::Order("removed members"));
    }
    let names: BTreeSet<_> = members.iter().map(|m| &m.name).collect();
    match removed.iter().any(|r| names.contains(&r.name)) {
        true => Err(CharterError::Order("members and removed members together")),
        false => Ok(()),
    }
}

fn check_keys(members: &[Member], removed: &[Removal]) -> Result<(), CharterError> {
    let owners = members
        .iter()
        .map(|m| (&m.name, &m.key))
        .chain(removed.iter().map(|r| (&r.name, &r.key)));
    let mut seen: BTreeMap<&[u8; 32], &MemberName> = BTreeMap::new();
    for (name, key) in owners {
        if let Some(other) = seen.insert(key.bytes(), name) {
            return Err(CharterError::SharedKey(other.clone(), name.clone()));
        }
    }
    Ok(())
}

impl Serialize for ProposedCharter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            // What a later version says has a shape in JSON only.
            return serializer
                .serialize_str(&serde_json::to_string(self).map_err(serde::ser::Error::custom)?);
        }
        match self {
            Self::Known(charter) => charter.serialize(serializer),
            Self::Newer { value, .. } => value.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ProposedCharter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return serde_json::from_str(<&str>::deserialize(deserializer)?)
                .map_err(serde::de::Error::custom);
        }
        let value = Value::deserialize(deserializer)?;
        match value.get("v").and_then(Value::as_u64) {
            Some(version) if version > FORMAT_VERSION => Ok(Self::Newer { version, value }),
            _ => Charter::deserialize(value)
                .map(Box::new)
                .map(Self::Known)
                .map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> MemberName {
        text.parse().unwrap()
    }

    fn key(seed: u8) -> PublicKey {
        PublicKey::admit(
            ed25519_dalek::SigningKey::from_bytes(&[seed; 32])
                .verifying_key()
                .to_bytes(),
        )
        .unwrap()
    }

    fn member(text: &str, seed: u8, domain: &str) -> Member {
        Member {
            domain: name(domain),
            key: key(seed),
            name: name(text),
            roles: vec![],
            vote: true,
        }
    }

    fn charter_of(
        members: Vec<Member>,
        removed: Vec<Removal>,
        quorum: usize,
    ) -> Result<Charter, CharterError> {
        let rules = CharterRules {
            allow_concentrated_domains: false,
            own_approval_counts: true,
            quorum,
        };
        Charter::new(
            members,
            vec!["refs/heads/main".parse().unwrap()],
            removed,
            rules,
        )
    }

    fn four() -> Vec<Member> {
        ["a", "b", "c", "d"]
            .iter()
            .zip(1..)
            .map(|(n, seed)| member(n, seed, n))
            .collect()
    }

    #[test]
    fn a_good_charter_round_trips_and_bad_ones_are_refused() {
        let charter = charter_of(four(), vec![], 3).unwrap();
        let text = serde_json::to_string(&charter).unwrap();
        assert_eq!(serde_json::from_str::<Charter>(&text).unwrap(), charter);

        assert!(matches!(
            charter_of(four(), vec![], 2),
            Err(CharterError::Quorum { least: 3, n: 4, .. })
        ));
        assert!(matches!(
            charter_of(four(), vec![], 5),
            Err(CharterError::Quorum { .. })
        ));
        assert_eq!(charter_of(vec![], vec![], 1), Err(CharterError::NoVoter));
        let mut unsorted = four();
        unsorted.reverse();
        assert_eq!(
            charter_of(unsorted, vec![], 3),
            Err(CharterError::Order("members"))
        );
        let mut shared = four();
        shared[3].key = key(1);
        assert_eq!(
            charter_of(shared, vec![], 3),
            Err(CharterError::SharedKey(name("a"), name("d")))
        );
        let newer = text.replace("\"v\":1", "\"v\":2");
        assert!(serde_json::from_str::<Charter>(&newer).is_err());
        assert!(matches!(
            serde_json::from_str(&newer).unwrap(),
            ProposedCharter::Newer { version: 2, .. }
        ));
    }

    #[test]
    fn copies_of_one_judge_are_not_independent_votes() {
        let mut members = four();
        members[1].domain = name("a");
        assert!(matches!(
            charter_of(members.clone(), vec![], 3),
            Err(CharterError::Concentrated {
                votes: 2,
                allowed: 1,
                ..
            })
        ));
        members[1].vote = false;
        assert!(charter_of(members, vec![], 2).is_ok());
    }

    #[test]
    fn names_and_keys_are_for_ever() {
        let before = charter_of(four(), vec![], 3).unwrap();
        let gone = Removal {
            key: key(4),
            last: None,
            name: name("d"),
        };
        let three = || four()[..3].to_vec();
        let after = charter_of(three(), vec![gone.clone()], 2).unwrap();
        assert_eq!(after.check_follows(&before), Ok(()));
        assert!(
            charter_of(three(), vec![], 2)
                .unwrap()
                .check_follows(&before)
                .is_err(),
            "d vanished"
        );
        let mut rekeyed = four();
        rekeyed[3].key = key(9);
        assert!(
            charter_of(rekeyed, vec![], 3)
                .unwrap()
                .check_follows(&before)
                .is_err(),
            "d has another key"
        );
        assert!(before.check_follows(&after).is_err(), "d came back");
        let mut same_key = three();
        same_key.push(member("e", 4, "e"));
        assert!(
            charter_of(same_key, vec![gone], 3).is_err(),
            "d's key came back as e"
        );
        assert!(before.check_first().is_ok() && after.check_first().is_err());
    }
}
