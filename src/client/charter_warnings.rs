//! Warnings about the members and rules of a charter. Reads a charter and nothing else.

use super::note::CharterWarning;
use crate::charter::Charter;

/// Returns what everyone should know about the members and rules of a charter.
pub fn charter_warnings(charter: &Charter) -> Vec<CharterWarning> {
    let threshold = charter.threshold();
    let (n, f, q) = (threshold.n, threshold.f, threshold.q);
    let mut warnings = Vec::new();
    if f == 0 {
        warnings.push(CharterWarning::ToleratesNone { n });
    }
    if f > 0 && n - f < q {
        warnings.push(CharterWarning::QuorumNeedsFaulty { n, f, q });
    }
    // The only voter holds every vote, and the first warning says so already.
    let concentrated = charter.concentrated_domain().filter(|_| n > 1);
    warnings.extend(concentrated.map(|load| CharterWarning::ConcentratedDomain {
        domain: load.domain,
        votes: load.votes,
        n,
        f,
    }));
    warnings
}
