//! The hooks of a server.

use std::io::{BufReader, BufWriter};
use std::path::PathBuf;

use crate::cli::{Answer, Failure, Reply, clean};
use crate::gate::commands::Push;
use crate::gate::pkt_line::PacketError;
use crate::gate::pre_receive::judge_early;
use crate::gate::proc_receive::converse;
use crate::gate::push::rule;

/// The exit status is the answer; people read standard error.
pub fn pre_receive() -> Answer {
    let push = Push::read(std::io::stdin().lock()).map_err(unavailable)?;
    match judge_early(&git_dir(), &push) {
        Ok(()) => Reply::new((), ""),
        Err(says) => {
            tell(&says);
            Err(Failure::silent())
        }
    }
}

/// Standard output is the conversation with receive-pack; people read standard error.
pub fn proc_receive() -> Answer {
    let git_dir = git_dir();
    let mut input = BufReader::new(std::io::stdin().lock());
    let mut output = BufWriter::new(std::io::stdout().lock());
    let says =
        converse(&mut input, &mut output, |push| rule(&git_dir, push)).map_err(unavailable)?;
    tell(&says);
    Reply::new((), "")
}

/// Git starts a hook in the repository and names it relative to there.
fn git_dir() -> PathBuf {
    std::env::var_os("GIT_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from)
}

fn unavailable(error: PacketError) -> Failure {
    Failure::new("GATE_UNAVAILABLE", error.to_string())
        .hint("nothing was taken; whoever runs the server must look into it")
}

fn tell(says: &[String]) {
    says.iter().for_each(|text| eprintln!("{}", clean(text)));
}
