//! n, f and q: how many faulty members are tolerated, and how many make a quorum.

use crate::mutation;

/// The numbers of a charter's voting members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// Voting members.
    pub n: usize,
    /// Faulty ones that are tolerated: floor((n - 1) / 3).
    pub f: usize,
    /// Members that make a quorum: floor((n + f) / 2) + 1, or more if the charter asks for more.
    pub q: usize,
}

impl Threshold {
    /// The threshold of `n` voting members: the least q by which two quorums share an honest member
    /// (2q - n > f). "2f + 1" is the same only where n = 3f + 1.
    pub fn of(n: usize) -> Self {
        let f = n.saturating_sub(1) / 3;
        Self {
            n,
            f,
            q: mutation::quorum((n + f) / 2 + 1, f),
        }
    }

    /// The same with a larger quorum, as a charter may ask for. `None` when `q` is below the least
    /// safe one, or above n.
    pub fn with_quorum(self, q: usize) -> Option<Self> {
        (self.q..=self.n).contains(&q).then_some(Self { q, ..self })
    }

    /// How many members are convicted, at least, when a slot has two decisions.
    pub fn culprits(&self) -> usize {
        (2 * self.q).saturating_sub(self.n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_spec() {
        let table = [
            (1, 0, 1),
            (2, 0, 2),
            (3, 0, 2),
            (4, 1, 3),
            (5, 1, 4),
            (6, 1, 4),
            (7, 2, 5),
            (10, 3, 7),
            (100, 33, 67),
        ];
        for (n, f, q) in table {
            assert_eq!(Threshold::of(n), Threshold { n, f, q });
        }
    }

    #[test]
    fn quorums_intersect_in_an_honest_member_and_honest_members_are_a_quorum() {
        for n in 1..=200 {
            let t = Threshold::of(n);
            assert!(t.culprits() > t.f, "n = {n}");
            assert!(n - t.f >= t.q, "n = {n}");
            assert!(2 * (t.q - 1) <= n + t.f, "q is the least one, n = {n}");
        }
    }

    #[test]
    fn a_charter_asks_for_more_never_for_less() {
        let four = Threshold::of(4);
        assert_eq!(four.with_quorum(2), None);
        assert_eq!(four.with_quorum(4).map(|t| t.q), Some(4));
        assert_eq!(four.with_quorum(5), None);
    }
}
