//! `git quorum demo`: the whole story in a temporary folder, with real pushes: four agents, a gate, rivals, a split
//! vote, a silent agent, a liar, one decision. Every step says what it shows and checks that it is so.

mod cue;
mod failure;
mod janitor;
mod liar;
mod play;
mod stage;
mod story;

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};

use super::help::Examples;
use super::{Answer, Failure, Reply, shell};
use failure::failed;
use janitor::Janitor;
use play::Play;
use stage::Stage;
use story::Ending;

/// Show the whole story in a temporary folder.
///
/// Four agents, rivals, a silent one, a liar, one decision. Runs the real git and this program, with keys and settings of its own; touches nothing else, needs no
/// network, and leaves nothing behind.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Keep the folder, and say how to explore it.
    #[arg(long)]
    keep: bool,
    /// Remove this folder of a demonstration when standard input ends.
    #[arg(long, value_name = "DIR", hide = true)]
    sweep: Option<PathBuf>,
}

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[(
    "demo",
    &[
        ("git quorum demo", "Play it, in some seconds."),
        (
            "git quorum demo --keep",
            "Leave the folder there, and say how to look around in it.",
        ),
    ],
)];

pub fn run(args: DemoArgs) -> Answer {
    if let Some(folder) = &args.sweep {
        janitor::sweep(folder)
            .map_err(|e| failed(format!("{} could not be removed: {e}", folder.display())))?;
        return Reply::new((), "");
    }
    let start = Instant::now();
    let cannot = |e: std::io::Error| failed(format!("no temporary folder: {e}"));
    let mut folder = tempfile::Builder::new()
        .prefix(janitor::PREFIX)
        .tempdir()
        .map_err(cannot)?;
    folder.disable_cleanup(args.keep);
    // Git and the program show paths without symbolic links in them.
    let mut play = Play::new(
        Stage::set(folder.path().canonicalize().map_err(cannot)?)?,
        shell::printer(),
    );
    let janitor = (!args.keep).then(|| Janitor::start(play.stage.program(), play.stage.folder()));
    let janitor = janitor.transpose().map_err(cannot)?;
    let played = perform(&mut play);
    if let Some(janitor) = janitor {
        folder
            .close()
            .and_then(|()| janitor.finish())
            .map_err(|e| failed(format!("the folder stays behind: {e}")))?;
    }
    let explore = if args.keep {
        explore(&play.stage)
    } else {
        Vec::new()
    };
    let kept = args.keep.then(|| play.stage.folder());
    let mut data = json!({
        "members": story::MEMBERS, "faulty": [story::FAULTY], "steps": play.steps, "explore": explore, "folder": kept,
    });
    let ending = played.map_err(|failure| match kept {
        Some(folder) => failure
            .hint(format!("look into {}", folder.display()))
            .data(&data),
        None => failure.data(&data),
    })?;
    add_ending(&mut data, &ending, start);
    Reply::new(&data, closing(&ending, play.steps.len(), start, &explore))
}

fn perform(play: &mut Play) -> Result<Ending, Failure> {
    for text in story::INTRODUCTION {
        play.tell("", "", text)?;
    }
    play.tell("", "", "")?;
    story::play(play)
}

fn add_ending(data: &mut Value, ending: &Ending, start: Instant) {
    let Value::Object(fields) = data else { return };
    fields.insert("ledger".to_owned(), json!(ending.ledger));
    fields.insert("decided".to_owned(), json!(ending.decided));
    fields.insert("rival".to_owned(), json!(ending.rival));
    fields.insert("round".to_owned(), json!(ending.round));
    fields.insert(
        "milliseconds".to_owned(),
        json!(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)),
    );
}

fn closing(ending: &Ending, steps: usize, start: Instant, explore: &[Vec<String>]) -> String {
    let mut text = format!(
        "\nOne decision, in round {}; one liar, convicted; {steps} steps as they must be, in {:.1} s",
        ending.round,
        start.elapsed().as_secs_f64()
    );
    match explore {
        [] => text.push_str("; nothing is left."),
        commands => {
            text.push_str(".\nThe folder is kept. To explore it:");
            text.extend(commands.iter().map(|words| {
                format!(
                    "\n  {}",
                    words
                        .iter()
                        .map(|w| quoted(w))
                        .collect::<Vec<_>>()
                        .join(" ")
                )
            }));
        }
    }
    text
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@".contains(c);
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
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
        words(&[
            "git",
            "-C",
            &reader,
            "log",
            "--oneline",
            "--graph",
            "--glob=refs/quorum",
        ]),
    ]
}
