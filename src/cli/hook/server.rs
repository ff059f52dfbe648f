//! The hooks of a server: reads what Git sends, and answers in the form that Git expects.

use std::io::{BufReader, BufWriter};
use std::path::PathBuf;

use crate::cli::{Answer, Failure, Reply, clean};
use crate::client::Code;
use crate::gate::commands::Push;
use crate::gate::pkt_line::PacketError;
use crate::gate::pre_receive::judge_early;
use crate::gate::proc_receive::converse;
use crate::gate::push::{ServerRepository, receive};

/// Answers by the exit status. People read standard error.
pub fn pre_receive() -> Answer {
    let push = Push::read(std::io::stdin().lock()).map_err(unavailable)?;
    match judge_early(&server(), &push) {
        Ok(()) => Reply::new((), ""),
        Err(messages) => {
            print(&messages);
            Err(Failure::silent())
        }
    }
}

/// Holds the conversation with receive-pack on standard output. People read standard error.
pub fn proc_receive() -> Answer {
    let server = server();
    let mut input = BufReader::new(std::io::stdin().lock());
    let mut output = BufWriter::new(std::io::stdout().lock());
    let messages = converse(&mut input, &mut output, |push| receive(&server, push));
    print(&messages.map_err(unavailable)?);
    Reply::new((), "")
}

/// The repository that Git starts the hook in. Git names it relative to that folder.
fn server() -> ServerRepository {
    let git_dir = std::env::var_os("GIT_DIR");
    let namespace = std::env::var_os("GIT_NAMESPACE");
    ServerRepository {
        git_dir: git_dir.map_or_else(|| PathBuf::from("."), PathBuf::from),
        namespace: namespace.map(|name| name.to_string_lossy().into_owned()),
    }
}

fn unavailable(error: PacketError) -> Failure {
    Failure::of_code(Code::GateUnavailable, error.to_string())
        .hint("the gate took nothing; the server's operator must look into it")
}

fn print(messages: &[String]) {
    messages
        .iter()
        .for_each(|text| eprintln!("{}", clean(text)));
}
