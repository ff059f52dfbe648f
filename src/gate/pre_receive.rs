//! The early judgement, while what was pushed is still in quarantine: what would be refused anyway leaves no object behind. It holds
//! nothing back that `proc-receive` would let through, and opens nothing by being absent.

use super::commands::Push;
use super::push::{explain, foresee, refusals};
use super::rules::Verdict;
use crate::repo::Repo;

/// Whether to let the push come to `proc-receive`; if not, what to tell people.
pub fn judge_early(repo: &Repo, push: &Push) -> Result<(), Vec<String>> {
    if push.refs.is_empty() {
        return Ok(());
    }
    let verdicts = foresee(repo, push).map_err(|refusal| vec![explain(None, &refusal)])?;
    // Whether the push is atomic is not told here, so one ref that could move lets the others come along.
    match verdicts.iter().all(|verdict| matches!(verdict, Verdict::Refuse(_))) {
        true => Err(refusals(push, &verdicts)),
        false => Ok(()),
    }
}
