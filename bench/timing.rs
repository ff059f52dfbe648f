//! Medians of interleaved repetitions, and where they were taken.
#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::process::Command;
use std::time::{Duration, Instant};

/// How much is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Enough to see that everything runs.
    Quick,
    /// What is reported.
    Full,
}

impl Form {
    /// As `GIT_QUORUM_BENCH` says.
    pub fn of_process() -> Form {
        if std::env::var_os("GIT_QUORUM_BENCH").is_some_and(|form| form == "quick") {
            Form::Quick
        } else {
            Form::Full
        }
    }

    /// One of two numbers.
    pub fn pick(self, quick: usize, full: usize) -> usize {
        match self {
            Form::Quick => quick,
            Form::Full => full,
        }
    }
}

/// Something to measure: what it is called, and how to do it for the nth time.
pub struct Task<'a> {
    name: String,
    run: Box<dyn FnMut(usize) + 'a>,
    before: Box<dyn FnMut() + 'a>,
    seldom: bool,
}

impl<'a> Task<'a> {
    /// A task.
    pub fn new(name: impl Into<String>, run: impl FnMut(usize) + 'a) -> Self {
        Self {
            name: name.into(),
            run: Box::new(run),
            before: Box::new(|| ()),
            seldom: false,
        }
    }

    /// The same after something that is done each time and is not measured.
    pub fn after(self, before: impl FnMut() + 'a) -> Self {
        Self {
            before: Box::new(before),
            ..self
        }
    }

    /// The same, to be done three times at most: it takes long.
    pub fn seldom(self) -> Self {
        Self {
            seldom: true,
            ..self
        }
    }
}

/// Runs the tasks in turn, so often each, once before to warm up; prints and returns the medians.
pub fn compare(repetitions: usize, mut tasks: Vec<Task<'_>>) -> Vec<Duration> {
    let mut times = vec![Vec::new(); tasks.len()];
    for n in 0..=repetitions {
        for (task, times) in tasks
            .iter_mut()
            .zip(&mut times)
            .filter(|(task, _)| n <= 3 || !task.seldom)
        {
            (task.before)();
            let start = Instant::now();
            (task.run)(n);
            if n > 0 {
                times.push(start.elapsed());
            }
        }
    }
    let medians: Vec<_> = times.into_iter().map(median).collect();
    for (task, median) in tasks.iter().zip(&medians) {
        println!("  {:<62} {:>10.3} ms", task.name, milliseconds(*median));
    }
    medians
}

/// The one in the middle.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// A duration in milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Prints a ratio.
pub fn ratio(what: &str, over: Duration, under: Duration) {
    println!(
        "  {what:<62} {:>10.2} x",
        over.as_secs_f64() / under.as_secs_f64()
    );
}

/// Prints what was measured with.
pub fn describe_machine(form: Form) {
    let git = Command::new("git")
        .arg("--version")
        .output()
        .map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or("unknown")
        .trim_matches([':', ' ', '\t']);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let form = if form == Form::Quick {
        "quick: to see that it runs, no measurement"
    } else {
        "full"
    };
    println!(
        "git-quorum {} benchmarks, {form}",
        env!("CARGO_PKG_VERSION")
    );
    println!(
        "{}, {cpu}, {cores} cores, {}",
        git.unwrap_or_default().trim(),
        std::env::consts::OS
    );
}
