//! The outcome for one pushed ref. Knows nothing of how a ruling is reached.

use super::commands::PushedRef;
use super::refusal::Refusal;

/// What happens to one pushed ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// The gate moves the ref.
    Allow,
    /// The gate has no say in the ref. Git decides about it.
    FallThrough,
    /// The ref must not move.
    Refuse(Refusal),
}

impl Ruling {
    /// Whether the ref must not move.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refuse(_))
    }
}

/// Refuses every ref that is not refused yet, if any ref is refused.
pub(super) fn refuse_all_if_any(pushed: &[PushedRef], rulings: &mut [Ruling]) {
    let refused = rulings.iter().position(Ruling::is_refusal);
    let Some(first) = refused.and_then(|place| pushed.get(place)) else {
        return;
    };
    for ruling in rulings.iter_mut().filter(|ruling| !ruling.is_refusal()) {
        *ruling = Ruling::Refuse(Refusal::together_with(&first.name));
    }
}

/// Refuses every ref that the gate would move.
pub(super) fn refuse_allowed(rulings: &mut [Ruling], refusal: &Refusal) {
    let allowed = rulings
        .iter_mut()
        .filter(|ruling| **ruling == Ruling::Allow);
    for ruling in allowed {
        *ruling = Ruling::Refuse(refusal.clone());
    }
}
