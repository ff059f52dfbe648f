//! Servers with the gate and without, and pushes to both. The cost of the gate is the difference to
//! a hook that does nothing. Knows nothing of what is pushed.
#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::timing::{self, milliseconds, ratio};
use super::world::{PROGRAM, World, text};

/// Two servers with the same ledger: one with the gate, and one with a hook that does nothing.
pub struct Servers {
    /// The server with the gate.
    pub gated: PathBuf,
    /// The server with a hook that does nothing.
    pub empty: PathBuf,
}

impl Servers {
    /// Creates copies of the world's repository, and installs the gate with these options.
    pub fn of(world: &World, options: &[&str]) -> Servers {
        let servers = Servers {
            gated: world.path("gated"),
            empty: world.path("empty"),
        };
        for server in [&servers.gated, &servers.empty] {
            let path = server.display().to_string();
            world.git(&["clone", "--quiet", "--mirror", ".", &path]);
            world.run("git", server, &["update-ref", "-d", "refs/heads/work"]);
            world.run("git", server, &["config", "gc.auto", "0"]);
            world.run("git", server, &["config", "receive.autogc", "false"]);
        }
        let genesis = world.ledger.to_string();
        let install = [&["install", "--server", "--genesis", &genesis], options].concat();
        world.run(PROGRAM, &servers.gated, &install);
        world.run(
            "git",
            &servers.empty,
            &["config", "receive.procReceiveRefs", "refs"],
        );
        let (source, hook) = (
            concat!(env!("CARGO_MANIFEST_DIR"), "/bench/empty_hook.c"),
            "hooks/proc-receive",
        );
        world.run("cc", &servers.empty, &["-O2", "-o", hook, source]);
        servers
    }

    /// Returns both servers, the one with the empty hook first.
    pub fn both(&self) -> [&Path; 2] {
        [&self.empty, &self.gated]
    }
}

/// Makes one push, which must succeed.
pub fn push_to(world: &World, server: &Path, refspecs: &[String]) {
    let server = server.display().to_string();
    let refspecs: Vec<_> = refspecs.iter().map(String::as_str).collect();
    world.git(&[&["push", "--quiet", &server], refspecs.as_slice()].concat());
}

/// Makes the same pushes to both servers. `prepare` returns what to push each time. Returns the
/// medians with the empty hook and with the gate.
pub fn side_by_side(
    repetitions: usize,
    world: &mut World,
    servers: &Servers,
    mut prepare: impl FnMut(&mut World) -> [Vec<String>; 2],
) -> [Duration; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for n in 0..=repetitions {
        let [before, timed] = prepare(world);
        for (server, times) in servers.both().into_iter().zip(&mut times) {
            if !before.is_empty() {
                push_to(world, server, &before);
            }
            let start = Instant::now();
            push_to(world, server, &timed);
            if n > 0 {
                times.push(start.elapsed());
            }
        }
    }
    times.map(timing::median)
}

/// Prints both medians and their ratio.
pub fn tell([empty, gated]: [Duration; 2]) {
    println!(
        "  {:<62} {:>10.3} ms",
        "through an empty proc-receive",
        milliseconds(empty)
    );
    println!(
        "  {:<62} {:>10.3} ms",
        "through the gate",
        milliseconds(gated)
    );
    ratio("the gate over the empty hook", gated, empty);
}

/// Pushes all of these at the same time, each separately, and retries the refused ones until all
/// are accepted: through the empty hook, then through the gate. Prints what was lost and what was
/// retried.
pub fn push_until_taken(world: &World, servers: &Servers, refspecs: &[String]) {
    let mut took = Vec::new();
    for (what, server) in [
        ("an empty proc-receive", &servers.empty),
        ("the gate", &servers.gated),
    ] {
        let (start, mut waiting, mut rounds, mut retried) =
            (Instant::now(), refspecs.to_vec(), 0, 0);
        while !waiting.is_empty() {
            assert!(rounds < 20, "{} are still refused", waiting.len());
            retried += if rounds > 0 { waiting.len() } else { 0 };
            waiting = push_at_once(world, server, waiting);
            rounds += 1;
        }
        took.push(start.elapsed());
        let held = text(&world.run(
            "git",
            server,
            &["for-each-ref", "--format=%(objectname):%(refname)"],
        ));
        let lost = refspecs
            .iter()
            .filter(|refspec| !held.contains(*refspec))
            .count();
        println!(
            "  {what}: {lost} lost, {retried} retried, {:.1} s",
            start.elapsed().as_secs_f64()
        );
        assert_eq!(lost, 0);
    }
    ratio("the gate over the empty hook", took[1], took[0]);
}

/// Pushes all of these at the same time. Returns those that failed.
fn push_at_once(world: &World, server: &Path, refspecs: Vec<String>) -> Vec<String> {
    let server = server.display().to_string();
    let start = |refspec: String| {
        let mut command = world.command(
            "git",
            &world.git_dir(),
            &["push", "--quiet", &server, &refspec],
        );
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        (refspec, command.spawn().unwrap())
    };
    let running: Vec<_> = refspecs.into_iter().map(start).collect();
    let failed = running
        .into_iter()
        .filter_map(|(refspec, mut child)| (!child.wait().unwrap().success()).then_some(refspec));
    failed.collect()
}
