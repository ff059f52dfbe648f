//! What kind of file stands in the place of a hook. Only looks.

use std::fs;
use std::path::Path;

use super::script;

/// What stands in the place of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HookKind {
    /// There is no file.
    Nothing,
    /// A script of ours.
    Ours,
    /// Somebody else's shell script, with the words that start its interpreter. It can run from
    /// another file and still see its own name in `$0`.
    Shell(Vec<String>),
    /// Something else: a link, a program, or a script in another language.
    Other,
}

/// Looks at the place of a hook.
pub(super) fn look(path: &Path) -> HookKind {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => HookKind::Nothing,
        Ok(meta) if meta.is_file() && script::is_ours(path) => HookKind::Ours,
        Ok(meta) if meta.is_file() => {
            shell(&script::start_of(path)).map_or(HookKind::Other, HookKind::Shell)
        }
        _ => HookKind::Other,
    }
}

/// Returns the words that start the interpreter, if this is the start of a shell script that can be
/// sourced with the same `$0`.
fn shell(start: &[u8]) -> Option<Vec<String>> {
    if start.contains(&0) {
        return None;
    }
    let Some(rest) = start.strip_prefix(b"#!") else {
        // The system cannot run such a file, and Git runs it with `sh`.
        return Some(vec!["/bin/sh".to_owned()]);
    };
    let line = rest.split(|b| *b == b'\n').next()?;
    let words: Vec<_> = std::str::from_utf8(line)
        .ok()?
        .split_ascii_whitespace()
        .collect();
    let (named, options) = match words.as_slice() {
        [env, shell] if env.ends_with("/env") => (*shell, &[][..]),
        // The system passes all that follows as one word.
        [shell] => (*shell, &[][..]),
        [shell, option] if option.starts_with('-') => (*shell, std::slice::from_ref(option)),
        _ => return None,
    };
    let name = named.rsplit('/').next()?;
    let known = ["sh", "bash", "dash", "ash", "ksh"].contains(&name)
        && options.iter().all(|o| !o.contains('s'));
    known.then(|| words.iter().map(|word| (*word).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_shell_scripts_from_programs() {
        let words = |start: &str| shell(start.as_bytes()).map(|words| words.join(" "));
        assert_eq!(words("#!/bin/sh\nexit 1\n").as_deref(), Some("/bin/sh"));
        assert_eq!(
            words("#! /bin/bash -eu\n").as_deref(),
            Some("/bin/bash -eu")
        );
        assert_eq!(
            words("#!/usr/bin/env bash\n").as_deref(),
            Some("/usr/bin/env bash")
        );
        assert_eq!(words("echo no first line\n").as_deref(), Some("/bin/sh"));
        assert_eq!(words("").as_deref(), Some("/bin/sh"));
        for other in [
            "#!/usr/bin/python3\n",
            "#!/usr/bin/env node\n",
            "#!/usr/bin/env -S bash -e\n",
            "#!/bin/zsh\n",
            "#!/bin/bash -s\n",
            "#!/bin/bash -e -u\n",
            "\x7fELF\0",
            "#!\n",
        ] {
            assert_eq!(words(other), None, "{other:?}");
        }
    }
}
