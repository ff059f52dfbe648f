//! `git quorum schema`: the JSON Schema of what commands print with `--json`.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::help::Examples;
use super::{Answer, Failure, Reply};
use crate::client::actions::ProposalAnswer;
use crate::client::actions::init::Founded;
use crate::client::actions::install::Installed;
use crate::client::actions::join::Joined;
use crate::client::actions::keygen::NewKey;
use crate::client::actions::land::LandAnswer;
use crate::client::actions::propose::Proposed;
use crate::client::actions::sync::{Synced, Waited};
use crate::client::views::charter::{AllowedSigners, CharterView};
use crate::client::views::faults::FaultsView;
use crate::client::views::log::LogView;
use crate::client::views::proof::{CheckedProof, Proved};
use crate::client::views::show::Shown;
use crate::client::views::status::{Overview, ProposalStatus};
use crate::client::views::verify::Verified;
use crate::client::{Code, Retry};
use crate::doctor::Diagnosis;
use crate::install::Uninstalled;

/// Print the JSON Schema of what commands print with --json.
///
/// Every command prints one envelope on one line of standard output. Without COMMAND this prints the
/// schema of the envelope; with COMMAND, the envelope with the `data` of that command.
#[derive(Debug, clap::Args)]
pub struct SchemaArgs {
    /// The command, such as `status` or `charter show`.
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

/// Makes the schema of the data of one command.
type Data = fn(&mut SchemaGenerator) -> Schema;

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The schema of a command that answers in one of two ways.
fn either<A: JsonSchema, B: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let (first, second) = (of::<A>(generator), of::<B>(generator));
    schemars::json_schema!({"anyOf": [first, second]})
}

/// The data of each command.
const DATA: &[(&str, Data)] = &[
    ("allowed-signers", of::<AllowedSigners>),
    ("approve", of::<ProposalAnswer>),
    ("charter propose", of::<Proposed>),
    ("charter show", of::<CharterView>),
    ("check-proof", of::<CheckedProof>),
    ("demo", of::<Map<String, Value>>),
    ("doctor", of::<Diagnosis>),
    ("faults", either::<FaultsView, Proved>),
    ("init", of::<Founded>),
    ("install", of::<Installed>),
    ("join", of::<Joined>),
    ("keygen", of::<NewKey>),
    ("land", of::<LandAnswer>),
    ("log", of::<LogView>),
    ("propose", of::<Proposed>),
    ("reject", of::<ProposalAnswer>),
    ("review", of::<ProposalAnswer>),
    ("schema", of::<Map<String, Value>>),
    ("show", of::<Shown>),
    ("status", either::<Overview, ProposalStatus>),
    ("sync", of::<Synced>),
    ("uninstall", of::<Uninstalled>),
    ("verify", of::<Verified>),
    ("wait", of::<Waited>),
    ("withdraw", of::<ProposalAnswer>),
];

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[(
    "schema",
    &[
        (
            "git quorum schema",
            "The envelope that every command prints with --json.",
        ),
        (
            "git quorum schema status",
            "The same with the data of `git quorum status`.",
        ),
    ],
)];

pub fn run(args: SchemaArgs) -> Answer {
    let schema = schema_of(&args.command.join(" "))?;
    let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    Reply::new(schema, text)
}

/// The schema of the envelope, with the data of a command if one is named.
fn schema_of(command: &str) -> Result<Value, Failure> {
    let mut generator = SchemaGenerator::default();
    let data = match (command, DATA.iter().find(|(name, _)| *name == command)) {
        ("", _) => json!(true),
        (_, Some((_, data))) => data(&mut generator).to_value(),
        (_, None) => {
            let known: Vec<_> = DATA.iter().map(|(name, _)| *name).collect();
            let message = format!("{command:?} is not a command that has a schema.");
            return Err(Failure::of_code(Code::NotFound, message)
                .hint(format!("these have one: {}", known.join(", "))));
        }
    };
    let mut schema = envelope(data);
    let definitions = generator.take_definitions(true);
    if let Value::Object(fields) = &mut schema {
        fields.insert("$defs".to_owned(), Value::Object(definitions));
    }
    Ok(schema)
}

fn envelope(data: Value) -> Value {
    let retries = [Retry::Never, Retry::Now, Retry::Later].map(Retry::as_str);
    let notes = json!({
        "type": "array", "items": {"type": "string"},
        "description": "What to know beside the answer. The same is printed to standard error.",
    });
    let next = json!({"type": "string", "description": "The exact next command, if one is due."});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What a command of git-quorum prints with --json",
        "oneOf": [
            {
                "type": "object",
                "description": "The command succeeded.",
                "properties": {
                    "ok": {"const": true},
                    "command": {"type": "string"},
                    "data": data,
                    "notes": notes,
                    "next": next,
                },
                "required": ["ok", "command", "data", "notes"],
                "additionalProperties": false,
            },
            {
                "type": "object",
                "description": "The command failed, or the answer is no. A negative answer has the \
                    same data as a positive one; a failure may have details of any form.",
                "properties": {
                    "ok": {"const": false},
                    "command": {"type": "string"},
                    "code": {"type": "string", "description": "See docs/json.md."},
                    "retry": {
                        "enum": retries,
                        "description": "Whether the same request can succeed later.",
                    },
                    "message": {"type": "string", "description": "What happened, and why."},
                    "hint": {"type": "string", "description": "What to do next, in words."},
                    "data": {},
                    "notes": notes,
                    "next": next,
                },
                "required": ["ok", "command", "code", "retry", "message", "hint", "notes"],
                "additionalProperties": false,
            },
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commands that print no envelope of their own kind: Git's hooks, and texts for shells.
    const WITHOUT: &[&str] = &["completions", "help", "hook", "man"];

    fn paths(command: &clap::Command, above: &str, into: &mut Vec<String>) {
        for sub in command.get_subcommands() {
            let path = format!("{above} {}", sub.get_name())
                .trim_start()
                .to_owned();
            if sub.has_subcommands() {
                paths(sub, &path, into);
            } else if !WITHOUT.contains(&path.as_str()) {
                into.push(path);
            }
        }
    }

    #[test]
    fn every_command_has_a_schema_and_every_schema_a_command() {
        let mut commands = Vec::new();
        paths(&crate::cli::command(), "", &mut commands);
        commands.sort();
        let mut known: Vec<_> = DATA.iter().map(|(name, _)| (*name).to_owned()).collect();
        known.sort();
        assert_eq!(known, commands);
    }

    #[test]
    fn an_unknown_command_is_refused() {
        assert!(schema_of("frobnicate").is_err());
    }
}
