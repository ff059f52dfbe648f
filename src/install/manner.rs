//! The three manners of leading Git to our hooks. Knows no repository.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::error::InstallError;
use super::script;

/// The setting that records how the hooks of a clone were installed.
pub(super) const MANNER_KEY: &str = "quorum.hooks";

/// How Git finds our hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Manner {
    /// The settings name our hooks, beside all others (`hook.<name>.command`, Git 2.54).
    Config,
    /// Our hooks lie in the repository's own hooks folder.
    Files,
    /// `core.hooksPath` leads to a folder of ours, which passes on to the folder before.
    Folder,
}

impl Manner {
    const ALL: [Self; 3] = [Self::Config, Self::Files, Self::Folder];

    /// Returns the name that stands in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Files => "files",
            Self::Folder => "folder",
        }
    }

    /// Parses a name. Returns `None` if it is unknown.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|manner| manner.name() == name)
    }
}

/// Returns the name under which the settings hold our hook for this event.
pub(super) fn hook_name(event: &str) -> String {
    format!("git-quorum-{event}")
}

/// Returns the command of a hook that the settings name.
///
/// Git starts a shell for a command in which a shell would have something to do. That costs time, so
/// a plain path stays unquoted.
pub(super) fn command(script: &Path) -> Result<String, InstallError> {
    let quoted = script::quoted(script)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-_.+,:@".contains(c);
    let plain = script.to_str().filter(|text| text.chars().all(is_plain));
    Ok(plain.map_or(quoted, str::to_owned))
}
