//! Names of a ledger's refs (spec, "Entries", section 1).

use crate::charter::MemberName;
use crate::id::EntryId;

/// What a ref below `refs/quorum/<ledger>/` is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LaneRef {
    /// The genesis entry.
    Genesis,
    /// A member's lane.
    Lane(MemberName),
    /// A proposed commit.
    Proposal(EntryId),
    /// A lane as it was taken in from a remote; in clones only.
    Remote(String, MemberName),
    /// A tip that no other ref keeps; in clones only.
    Fork(MemberName, EntryId),
}

/// The folder of refs that are not the ledger's below what was fetched from a remote.
const OTHERS: &str = "ref/";

/// The refs of one ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRefs {
    prefix: String,
}

impl LedgerRefs {
    /// The refs of the ledger with this id.
    pub fn of(ledger: EntryId) -> Self {
        let mut name = ledger.to_string();
        name.truncate(16);
        Self {
            prefix: format!("refs/quorum/{name}/"),
        }
    }

    /// What all of them begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The genesis ref.
    pub fn genesis(&self) -> String {
        format!("{}genesis", self.prefix)
    }

    /// A member's lane.
    pub fn lane(&self, member: &MemberName) -> String {
        format!("{}lane/{member}", self.prefix)
    }

    /// A proposed commit.
    pub fn proposal(&self, id: EntryId) -> String {
        format!("{}proposal/{id}", self.prefix)
    }

    /// A lane as it was taken in from a remote.
    pub fn remote(&self, remote: &str, member: &MemberName) -> String {
        format!("{}remote/{}/{member}", self.prefix, remote_part(remote))
    }

    /// A tip that no other ref keeps.
    pub fn fork(&self, member: &MemberName, id: EntryId) -> String {
        format!("{}fork/{member}/{id}", self.prefix)
    }

    /// Where a fetch puts what a remote has under `name`, before anything is checked. Refs that are not
    /// the ledger's stand apart, so that none can pass for one of its own.
    pub fn incoming(&self, remote: &str, name: &str) -> String {
        let folder = self.incoming_prefix(remote);
        match name.strip_prefix(&self.prefix) {
            Some(own) => format!("{folder}{own}"),
            None => format!(
                "{folder}{OTHERS}{}",
                name.strip_prefix("refs/").unwrap_or(name)
            ),
        }
    }

    /// The remote and the name there of a ref that is not the ledger's and was put here by a fetch.
    pub fn read_incoming(&self, name: &str) -> Option<(String, String)> {
        let rest = name.strip_prefix(&self.prefix)?.strip_prefix("incoming/")?;
        let (remote, rest) = rest.split_once('/')?;
        Some((
            remote.to_owned(),
            format!("refs/{}", rest.strip_prefix(OTHERS)?),
        ))
    }

    /// Whose lane a ref holds that was put here by a fetch and is not checked yet.
    pub fn read_incoming_lane(&self, name: &str) -> Option<MemberName> {
        let rest = name.strip_prefix(&self.prefix)?.strip_prefix("incoming/")?;
        match rest.split('/').collect::<Vec<_>>().as_slice() {
            [_, "lane", member] => member.parse().ok(),
            _ => None,
        }
    }

    /// Where everything that a remote has is put.
    pub fn incoming_prefix(&self, remote: &str) -> String {
        format!("{}incoming/{}/", self.prefix, remote_part(remote))
    }

    /// The owner of the lane that a ref of the ledger keeps, if it keeps one.
    pub fn owner(&self, name: &str) -> Option<MemberName> {
        match self.read(name)? {
            LaneRef::Lane(member) | LaneRef::Remote(_, member) | LaneRef::Fork(member, _) => {
                Some(member)
            }
            LaneRef::Genesis | LaneRef::Proposal(_) => None,
        }
    }

    /// What a ref of the ledger is for; none for names that the format does not know.
    pub fn read(&self, name: &str) -> Option<LaneRef> {
        let rest = name.strip_prefix(&self.prefix)?;
        let parts: Vec<_> = rest.split('/').collect();
        match parts.as_slice() {
            ["genesis"] => Some(LaneRef::Genesis),
            ["lane", member] => Some(LaneRef::Lane(member.parse().ok()?)),
            ["proposal", id] => Some(LaneRef::Proposal(id.parse().ok()?)),
            ["remote", remote, member] => {
                Some(LaneRef::Remote((*remote).to_owned(), member.parse().ok()?))
            }
            ["fork", member, id] => Some(LaneRef::Fork(member.parse().ok()?, id.parse().ok()?)),
            _ => None,
        }
    }
}

/// A remote's name, or the address of one that has no name, as one part of a ref name.
fn remote_part(remote: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if remote.len() <= 64 && !remote.is_empty() && remote.bytes().all(plain) {
        return remote.to_owned();
    }
    format!(
        "address-{}",
        crate::id::Digest::of(remote.as_bytes()).short()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let id = EntryId::new([7; 32]);
        let refs = LedgerRefs::of(id);
        let alice: MemberName = "alice".parse().unwrap();
        assert_eq!(refs.prefix(), "refs/quorum/0707070707070707/");
        let known = [
            (refs.genesis(), LaneRef::Genesis),
            (refs.lane(&alice), LaneRef::Lane(alice.clone())),
            (refs.proposal(id), LaneRef::Proposal(id)),
            (
                refs.remote("origin", &alice),
                LaneRef::Remote("origin".to_owned(), alice.clone()),
            ),
            (refs.fork(&alice, id), LaneRef::Fork(alice.clone(), id)),
        ];
        for (name, meaning) in known {
            assert_eq!(refs.read(&name), Some(meaning), "{name}");
        }
        for stray in [
            "lane/Alice",
            "lane/a/b",
            "lane",
            "proposal/07",
            "x",
            "incoming/origin/lane/a",
        ] {
            assert_eq!(
                refs.read(&format!("{}{stray}", refs.prefix())),
                None,
                "{stray}"
            );
        }
        assert!(
            refs.remote("https://example.org/x.git", &alice)
                .contains("/remote/address-")
        );
        let main = refs.incoming("o", "refs/heads/main");
        assert_eq!(
            main,
            "refs/quorum/0707070707070707/incoming/o/ref/heads/main"
        );
        assert_eq!(
            refs.read_incoming(&main),
            Some(("o".to_owned(), "refs/heads/main".to_owned()))
        );
        assert_ne!(
            refs.incoming("o", "refs/lane/alice"),
            refs.incoming("o", &refs.lane(&alice))
        );
        let lane = refs.incoming("o", &refs.lane(&alice));
        assert_eq!(
            (refs.read_incoming(&lane), refs.read_incoming_lane(&lane)),
            (None, Some(alice.clone()))
        );
        for other in [
            &main,
            &refs.lane(&alice),
            &refs.remote("o", &alice),
            &refs.incoming("o", "refs/lane/alice"),
        ] {
            assert_eq!(refs.read_incoming_lane(other), None, "{other}");
        }
    }
}
