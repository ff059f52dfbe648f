//! Measures medians of interleaved repetitions, and describes the machine.
#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::process::Command;
use std::time::{Duration, Instant};

/// How much to measure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Enough to see that everything runs.
    Quick,
    /// Enough for a report.
    Full,
}

impl Form {
    /// Returns the form that `GIT_QUORUM_BENCH` names.
    pub fn of_process() -> Form {
        if std::env::var_os("GIT_QUORUM_BENCH").is_some_and(|form| form == "quick") {
            Form::Quick
        } else {
            Form::Full
        }
    }

    /// Returns one of two numbers.
    pub fn pick(self, quick: usize, full: usize) -> usize {
        match self {
            Form::Quick => quick,
            Form::Full => full,
        }
    }
}

/// Something to measure: its name, and how to do it for the nth time.
pub struct Task<'a> {
    name: String,
    run: Box<dyn FnMut(usize) + 'a>,
    before: Box<dyn FnMut() + 'a>,
    seldom: bool,
}

impl<'a> Task<'a> {
    /// Returns a task.
    pub fn new(name: impl Into<String>, run: impl FnMut(usize) + 'a) -> Self {
        Self {
            name: name.into(),
            run: Box::new(run),
            before: Box::new(|| ()),
            seldom: false,
        }
    }

    /// Returns a task with a preparation before each repetition that is not measured.
    pub fn after(self, before: impl FnMut() + 'a) -> Self {
        Self {
            before: Box::new(before),
            ..self
        }
    }

    /// Returns a slow task, which is repeated at most three times.
    pub fn seldom(self) -> Self {
        Self {
            seldom: true,
            ..self
        }
    }
}

/// Runs the tasks in turn, with this number of repetitions and one to warm up. Prints and returns
/// the medians.
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

/// Returns the median.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Returns a duration in milliseconds.
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

/// Prints the versions of the programs and the machine.
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
