//! `git quorum demo`: the whole story in a temporary folder, with real pushes: four agents, a gate, rivals, a split
//! vote, a silent agent, a liar, one decision. Every step says what it shows and checks that it is so.

mod cue;
mod liar;
mod play;
mod stage;
mod story;

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use super::{Answer, Exit, Failure, Global, Outcome};
use play::Play;
use stage::Stage;
use story::Ending;

/// Show it all in a temporary folder: four agents, rivals, a silent one, a liar, one decision.
///
/// Runs the real git and this program, with keys and settings of its own; touches nothing else, needs no
/// network, and leaves nothing behind.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Keep the folder, and say how to explore it.
    #[arg(long)]
    keep: bool,
}

pub fn run(args: DemoArgs, global: &Global) -> Answer {
    let start = Instant::now();
    let cannot = |e: std::io::Error| failed(format!("no temporary folder: {e}"));
    let mut folder = tempfile::Builder::new().prefix("git-quorum-demo-").tempdir().map_err(cannot)?;
    folder.disable_cleanup(args.keep);
    // Git and the program show paths without symbolic links in them.
    let mut play = Play::new(Stage::set(folder.path().canonicalize().map_err(cannot)?)?, global.json);
    let played = perform(&mut play);
    let explore = if args.keep { explore(&play.stage) } else { Vec::new() };
    let mut data = json!({
        "members": story::MEMBERS, "faulty": [story::FAULTY], "steps": play.steps, "explore": explore,
        "folder": args.keep.then(|| play.stage.folder()),
    });
    if !args.keep {
        folder.close().map_err(|e| failed(format!("the demonstration's folder could not be removed: {e}")))?;
    }
    let ending = played.map_err(|failure| Failure { data: Some(data.clone()), ..failure })?;
    add_ending(&mut data, &ending, start);
    Outcome::new(&data, closing(&ending, play.steps.len(), start, &explore))
}

fn perform(play: &mut Play) -> Result<Ending, Failure> {
    for text in story::INTRODUCTION {
        play.tell("", "", text)?;
    }
    story::play(play)
}

/// A failure of the demonstration.
fn failed(what: impl Into<String>) -> Failure {
    Failure::new("DEMO_FAILED", what).exit(Exit::Failed).hint("run it again with --keep to look into its folder")
}

fn add_ending(data: &mut Value, ending: &Ending, start: Instant) {
    let Value::Object(fields) = data else { return };
    fields.insert("ledger".to_owned(), json!(ending.ledger));
    fields.insert("decided".to_owned(), json!(ending.decided));
    fields.insert("rival".to_owned(), json!(ending.rival));
    fields.insert("round".to_owned(), json!(ending.round));
    fields.insert("milliseconds".to_owned(), json!(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)));
}

fn closing(ending: &Ending, steps: usize, start: Instant, explore: &[Vec<String>]) -> String {
    let mut text = format!(
        "One decision ({}), in round {}; one liar, convicted; {steps} steps as expected, in {:.1} s.",
        ending.decided.short(),
        ending.round,
        start.elapsed().as_secs_f64()
    );
    match explore {
        [] => text.push_str(" Nothing is left behind; --keep keeps it."),
        commands => {
            text.push_str("\nKept, to be explored:");
            text.extend(commands.iter().map(|words| format!("\n  {}", words.join(" "))));
        }
    }
    text
}

/// Commands that show what is in the folder, for a shell without the demonstration's environment.
fn explore(stage: &Stage) -> Vec<Vec<String>> {
    let text = |path: &Path| path.display().to_string();
    let (program, reader) = (text(stage.program()), text(&stage.folder().join("reader")));
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    vec![
        words(&[&program, "-C", &reader, "log"]),
        words(&[&program, "-C", &reader, "status"]),
        words(&[&program, "-C", &reader, "verify"]),
        words(&["git", "-C", &reader, "log", "--oneline", "--graph", "--glob=refs/quorum"]),
    ]
}
