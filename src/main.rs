//! The command line; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    git_quorum::cli::main(std::env::args_os())
}
