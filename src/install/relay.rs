//! Makes scripts that run the hook that was there before ours. They carry our mark, so that they can
//! be recognised as ours.

use std::path::Path;

use super::error::InstallError;
use super::hook_kind::HookKind;
use super::layout::InstallLayout;
use super::script::{MARK, quoted, quoted_text};

/// The hooks that Git runs, except those whose mere presence changes what Git does.
pub(super) const EVENTS: [&str; 25] = [
    "applypatch-msg",
    "commit-msg",
    "p4-changelist",
    "p4-post-changelist",
    "p4-pre-submit",
    "p4-prepare-changelist",
    "post-applypatch",
    "post-checkout",
    "post-commit",
    "post-index-change",
    "post-merge",
    "post-receive",
    "post-rewrite",
    "post-update",
    "pre-applypatch",
    "pre-auto-gc",
    "pre-commit",
    "pre-merge-commit",
    "pre-push",
    "pre-rebase",
    "pre-receive",
    "prepare-commit-msg",
    "reference-transaction",
    "sendemail-validate",
    "update",
];

/// The hooks whose presence changes what Git does. They are passed on only where one exists.
pub(super) const SENSITIVE_EVENTS: [&str; 2] = ["proc-receive", "push-to-checkout"];

/// Returns a script that runs the hook that was moved from `hook` to `original`. The hook sees its
/// old name if possible.
pub(super) fn to_original(
    hook: &Path,
    original: &Path,
    found: &HookKind,
) -> Result<String, InstallError> {
    let (hook, original) = (quoted(hook)?, quoted(original)?);
    let run = match found {
        HookKind::Shell(words) => {
            let words: Vec<_> = words.iter().map(|word| quoted_text(word)).collect();
            format!(
                "exec {} -c '. \"$0.{}\"' \"$hook\" \"$@\"",
                words.join(" "),
                super::layout::ORIGINAL_SUFFIX
            )
        }
        _ => "exec \"$original\" \"$@\"".to_owned(),
    };
    Ok(format!(
        r#"#!/bin/sh
{MARK}: runs the hook that was here before. Written by `git quorum install`.
# `git quorum uninstall` moves that hook back.
hook={hook}
original={original}
test -x "$original" || exit 0
if ! grep -q '^{MARK}' "$hook" 2>/dev/null; then
	# A hook manager was installed after git-quorum, and runs this script as the hook before it. If
	# the original hook is the same manager, that has run already or is about to run.
	! cmp -s "$hook" "$original" || exit 0
	test -z "$GIT_QUORUM_CHAINED" || exit 0
	GIT_QUORUM_CHAINED=1
	export GIT_QUORUM_CHAINED
fi
{run}
"#
    ))
}

/// Returns a script that runs the hook of this name in the folder that Git would use without us.
///
/// A hook manager can change that folder at any time. So the script looks it up again when the
/// settings are younger than the stamp.
pub(super) fn to_earlier(
    layout: &InstallLayout,
    event: &str,
    earlier: &Path,
) -> Result<String, InstallError> {
    // A relative path stays relative: Git resolves it in the folder in which it runs the hook.
    let text = earlier
        .to_str()
        .filter(|text| !text.contains(char::is_control));
    let earlier = quoted_text(text.ok_or_else(|| InstallError::Path(earlier.to_owned()))?);
    Ok(format!(
        r#"#!/bin/sh
{MARK}: runs the hook of this name in the folder that core.hooksPath names without
# git-quorum. Written by `git quorum install`, removed by `git quorum uninstall`.
earlier={earlier}
ours={ours}
stamp={stamp}
for settings in {config} "$HOME/.gitconfig" "${{XDG_CONFIG_HOME:-$HOME/.config}}/git/config"; do
	if test "$settings" -nt "$stamp"; then
		# The new stamp is made before the settings are read, so later changes are noticed.
		: >"$stamp.$$"
		now=$(git config --path --get-all core.hooksPath | grep -vxF -e "$ours" | tail -n 1)
		test -n "$now" || now={own}
		if test "$now" = "$earlier"; then mv -f "$stamp.$$" "$stamp"; else rm -f "$stamp.$$"; fi
		earlier=$now
		break
	fi
done
hook=$earlier/{event}
test -f "$hook" && test -x "$hook" || exit 0
exec "$hook" "$@"
"#,
        ours = quoted(&layout.hooks())?,
        stamp = quoted(&layout.stamp())?,
        config = quoted(&layout.config())?,
        own = quoted(&layout.own_hooks())?,
    ))
}
