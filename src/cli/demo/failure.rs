//! How the demonstration fails.

use crate::cli::Failure;
use crate::client::Code;

/// A failure of the demonstration.
pub fn failed(what: impl Into<String>) -> Failure {
    Failure::of_code(Code::DemoFailed, what)
        .hint("run it again with --keep to look into its folder")
}
