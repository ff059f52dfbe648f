//! The early judgement, while what was pushed is still in quarantine: what would be refused anyway leaves no object behind. It holds
//! nothing back that `proc-receive` would let through, and opens nothing by being absent.

use std::path::Path;

use super::commands::Push;
use super::push::foresee;
use super::rules::Verdict;
use super::says;

/// Whether to let the push into the repository there come to `proc-receive`; if not, what to tell people.
pub fn judge_early(git_dir: &Path, push: &Push) -> Result<(), Vec<String>> {
    if push.refs.is_empty() {
        return Ok(());
    }
    let verdicts = foresee(git_dir, push).map_err(|refusal| vec![says::whole(&refusal)])?;
    // Whether the push is atomic is not told here, so one ref that could move lets the others come along.
    match verdicts
        .iter()
        .all(|verdict| matches!(verdict, Verdict::Refuse(_)))
    {
        true => Err(says::refusals(push, &verdicts)),
        false => Ok(()),
    }
}
