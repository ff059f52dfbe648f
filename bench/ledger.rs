//! Measures appending, verifying and loading, compared with stock Git in the same run. See
//! README.md.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

#[path = "../tests/common/lab.rs"]
mod lab;
mod timing;
mod world;

use git_quorum::charter::PublicKey;
use git_quorum::consensus::parents_for;
use git_quorum::ledger::{Review, Statement, Verdict};
use git_quorum::signer::{PassphraseSource, Signer};
use git_quorum::store::{Author, Loaded, Trust, load};
use timing::{Form, Task, compare, describe_machine, milliseconds, ratio};
use world::{Storage, World, text};

fn main() {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("--load") => return print_memory(&args.next().unwrap()),
        // Cargo itself passes this argument.
        Some("--bench") | None => {}
        Some(only) => return run(only),
    }
    run("");
}

/// The parts that can be measured separately: `cargo bench -- NAME`.
type Part = (&'static str, fn(Form));

fn run(only: &str) {
    let form = Form::of_process();
    describe_machine(form);
    let parts: [Part; 4] = [
        ("append", append),
        ("verify", verify),
        ("status", status),
        ("scale", scale),
    ];
    for (name, part) in parts {
        if only.is_empty() || only == name {
            println!();
            part(form);
        }
    }
}

/// The numbers of entries in a small and in a large ledger.
fn sizes(form: Form) -> [usize; 2] {
    [form.pick(30, 100), form.pick(300, 10_000)]
}

/// Measures one entry: the time in the library, the time of the whole command, and the time of
/// stock Git for a signed commit and a ref update.
fn append(form: Form) {
    let repetitions = form.pick(2, 31);
    let mut flat = Vec::new();
    for entries in sizes(form) {
        println!("append one entry to {entries}, 4 members, packed");
        let world = World::new(4, entries, Storage::Packed);
        flat.push(append_in(&world, repetitions));
    }
    println!("from the small ledger to the large one");
    for (what, n) in [
        ("stock Git", 0),
        ("the library", 1),
        ("the whole command", 2),
    ] {
        ratio(what, flat[1][n], flat[0][n]);
    }
}

fn append_in(world: &World, repetitions: usize) -> Vec<std::time::Duration> {
    let repo = world.repo();
    let mut loaded = load(&repo, world.ledger, Trust::Cache).unwrap();
    let mut writer = Some(author(world));
    let tree = text(&world.git(&["rev-parse", "refs/heads/main^{tree}"]));
    let library = Task::new("the library's append, ledger loaded", |n| {
        append_once(writer.as_mut().unwrap(), &repo, &mut loaded, n);
    });
    let stock = stock_append(world, &tree);
    let mut medians = compare(repetitions, vec![stock, library]);
    // The command needs the lock on the sign state.
    drop(writer.take());
    let open = world.open.to_string();
    let whole = Task::new("git-quorum review --local, the whole command", |n| {
        world.quorum(&[
            "review",
            &open,
            "--abstain",
            "-m",
            &format!("review {n}"),
            "--local",
        ]);
    });
    let again = compare(repetitions, vec![stock_append(world, &tree), whole]);
    let processes = world.git_processes(&["review", &open, "--abstain", "-m", "last", "--local"]);
    println!(
        "  {:<62} {processes:>10}",
        "git processes that the command starts"
    );
    ratio("stock Git over the library", medians[0], medians[1]);
    ratio("the whole command over stock Git", again[1], again[0]);
    medians.push(again[1]);
    medians
}

fn stock_append<'a>(world: &'a World, tree: &'a str) -> Task<'a> {
    Task::new("git commit-tree -S and git update-ref", move |n| {
        let message = format!("stock {n}");
        let commit = world.git(&[
            "commit-tree",
            "-S",
            "-p",
            "refs/heads/work",
            "-m",
            &message,
            tree,
        ]);
        world.git(&["update-ref", "refs/heads/stock", &text(&commit)]);
    })
}

fn author(world: &World) -> Author {
    let signer = Signer::from_file(&world.key(), &PassphraseSource::none()).unwrap();
    let key = PublicKey::admit(signer.public()).unwrap();
    Author {
        member: world.author.parse().unwrap(),
        key,
        signer,
        state: world.state(),
    }
}

fn append_once(author: &mut Author, repo: &git_quorum::repo::Repo, loaded: &mut Loaded, n: usize) {
    let parents = parents_for(&loaded.tally, &author.member);
    let (charter, proposal) = (
        loaded.tally.charter_in_force(),
        loaded.tally.proposals().next().unwrap().id,
    );
    let review = Review {
        evidence: vec![],
        proposal,
        text: format!("review {n}"),
        verdict: Verdict::Abstain,
    };
    author
        .append(
            repo,
            loaded,
            (charter, &parents),
            vec![Statement::Review(review)],
            git_quorum::client::Clock::entry_time(&git_quorum::client::SystemClock::default()),
            |_| vec![],
        )
        .unwrap();
}

/// Measures checking every signature and every rule from scratch, compared with `git
/// verify-commit`.
fn verify(form: Form) {
    let [_, entries] = sizes(form);
    for members in [4, 16] {
        println!("verify {entries} entries from scratch, {members} members, packed");
        let world = World::new(members, entries, Storage::Packed);
        let repo = world.repo();
        let sample = form.pick(2, 20);
        let step = (entries / sample).max(1);
        let mine: Vec<_> = world
            .entries
            .iter()
            .step_by(step)
            .map(ToString::to_string)
            .collect();
        let stock = Task::new(
            format!("git verify-commit, {} of the same entries", mine.len()),
            |_| {
                for commit in &mine {
                    world.git(&["verify-commit", commit]);
                }
            },
        );
        let library = Task::new("read, check and judge all entries (no cache)", |_| {
            assert!(
                load(&repo, world.ledger, Trust::Nothing)
                    .unwrap()
                    .problems
                    .is_empty()
            );
        });
        let medians = compare(form.pick(1, 7), vec![stock, library]);
        let each = |time: std::time::Duration, count: usize| time / count as u32;
        ratio(
            "stock Git over ours, per entry",
            each(medians[0], mine.len()),
            each(medians[1], entries),
        );
    }
}

/// Measures the whole command `git-quorum status`: without a cache, with a cache, and after one
/// more entry.
fn status(form: Form) {
    let [small, large] = sizes(form);
    let packed = [(4, small), (4, large), (16, large)]
        .map(|(n, entries)| (n, entries, Storage::Packed, "packed"));
    for (members, entries, storage, how) in
        packed
            .into_iter()
            .chain([(4, large, Storage::Loose, "loose")])
    {
        println!("git-quorum status, {entries} entries, {members} members, {how}");
        let world = World::new(members, entries, storage);
        let open = world.open.to_string();
        let repetitions = form.pick(1, 9);
        let cold = Task::new("cold: nothing remembered", |_| {
            world.forget();
            world.quorum(&["status"]);
        });
        let warm = Task::new("warm", |_| drop(world.quorum(&["status"])));
        let medians = compare(repetitions, vec![cold, warm]);
        let mut more = Vec::new();
        for n in 0..repetitions {
            world.quorum(&[
                "review",
                &open,
                "--abstain",
                "-m",
                &format!("review {n}"),
                "--local",
            ]);
            let start = std::time::Instant::now();
            world.quorum(&["status"]);
            more.push(start.elapsed());
        }
        more.sort();
        let more = more[more.len() / 2];
        println!(
            "  {:<62} {:>10.3} ms",
            "after one more entry",
            milliseconds(more)
        );
        ratio("cold over warm", medians[0], medians[1]);
        ratio("after one more entry over warm", more, medians[1]);
        println!(
            "  {:<62} {:>10}",
            "git processes that the command starts",
            world.git_processes(&["status"])
        );
    }
}

/// Measures how loading grows: the time from scratch and with a cache, and the peak memory of the
/// process.
fn scale(form: Form) {
    let all = [
        (4, 1_000),
        (4, 10_000),
        (4, 50_000),
        (16, 10_000),
        (100, 1_000),
        (100, 10_000),
        (100, 50_000),
    ];
    let some = [(4, 100), (4, 300), (100, 500)];
    for (members, entries) in if form == Form::Quick {
        &some[..]
    } else {
        &all[..]
    } {
        println!("load {entries} entries, {members} members, packed");
        let world = World::new(*members, *entries, Storage::Packed);
        let repo = world.repo();
        load(&repo, world.ledger, Trust::Cache).unwrap();
        let scratch = Task::new("from scratch", |_| {
            drop(load(&repo, world.ledger, Trust::Nothing).unwrap())
        });
        let warm = Task::new("warm", |_| {
            drop(load(&repo, world.ledger, Trust::Cache).unwrap())
        });
        compare(form.pick(1, 3), vec![scratch, warm]);
        let own = std::env::current_exe().unwrap();
        let child = std::process::Command::new(own)
            .args(["--load".into(), world.git_dir()])
            .output()
            .unwrap();
        println!(
            "  {:<62} {:>10} kB",
            "peak memory of a process that loads it",
            text(&child)
        );
        drop(world);
    }
}

/// Loads a ledger in a separate process, and prints the peak memory.
fn print_memory(git_dir: &str) {
    let repo = git_quorum::repo::Repo::open(git_dir.as_ref()).unwrap();
    let ledger = git_quorum::store::find_ledgers(&repo).unwrap()[0];
    let loaded = load(&repo, ledger, Trust::Cache).unwrap();
    assert!(loaded.problems.is_empty());
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap_or("unknown");
    println!("{}", peak.trim().trim_end_matches(" kB"));
}
