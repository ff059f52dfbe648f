//! `git quorum man`: prints or installs the man pages, which come from the same definitions as
//! `--help`. Git turns `git quorum --help` into `man git-quorum`.

use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use clap::Command;
use clap_mangen::Man;
use roff::{Roff, bold, roman};
use serde_json::json;

use super::help::{self, Examples, FindExamples, Row};
use super::{Answer, Failure, Reply};
use crate::client::Code;

/// The section of commands that users run.
const SECTION: &str = "1";

/// Print a man page, or install all of them.
///
/// Git turns `git quorum --help` into `man git-quorum`, which works only when the pages are
/// installed. `git quorum -h` works without them.
///
/// Without --dir the pages go to share/man/man1 beside the folder of this program. `man` looks
/// there if that folder is on the PATH.
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// The command whose page to print, such as propose or charter show [default: git-quorum itself].
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
    /// Install all pages.
    #[arg(long, conflicts_with = "command")]
    install: bool,
    /// The folder to install them in. `man` finds only folders called man1.
    #[arg(long, value_name = "DIR", requires = "install")]
    dir: Option<PathBuf>,
}

/// A page, as text in roff.
struct Page {
    name: String,
    roff: String,
}

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[(
    "man",
    &[
        (
            "git quorum man --install",
            "So that `git quorum --help` works.",
        ),
        (
            "git quorum man propose | man -l -",
            "Read one page that is not installed.",
        ),
    ],
)];

/// Prints or installs pages. `command` is the whole command line.
pub fn run(args: ManArgs, command: Command, examples: FindExamples) -> Answer {
    let pages =
        pages(command, examples).map_err(|e| Failure::of_code(Code::Internal, e.to_string()))?;
    if args.install {
        let dir = args.dir.map_or_else(default_folder, Ok)?;
        return install(&pages, &dir);
    }
    let asked = args.command.join("-");
    let name = if asked.is_empty() || asked.starts_with("git-quorum") {
        asked
    } else {
        format!("git-quorum-{asked}")
    };
    let name = if name.is_empty() { "git-quorum" } else { &name };
    let page = pages
        .into_iter()
        .find(|page| page.name == name)
        .ok_or_else(|| {
            Failure::of_code(Code::NotFound, format!("there is no page {name}"))
                .hint("git quorum help lists the commands")
        })?;
    Reply::new(json!({"page": page.name, "roff": page.roff}), page.roff)
}

/// The man folder that belongs to the folder of this program.
fn default_folder() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe().map_err(|e| {
        Failure::of_code(Code::NoProgram, e.to_string()).hint("name a folder: --dir DIR")
    })?;
    let bin = program.parent().and_then(Path::parent);
    Ok(bin
        .unwrap_or(Path::new("/"))
        .join("share")
        .join("man")
        .join("man1"))
}

fn install(pages: &[Page], dir: &Path) -> Answer {
    let dir = super::shell::absolute(dir)?;
    let failed = |path: &Path, e: std::io::Error| {
        Failure::of_code(Code::WriteFailed, format!("{}: {e}", path.display()))
            .hint("name a folder that you may write: git quorum man --install --dir ~/.local/share/man/man1")
    };
    std::fs::create_dir_all(&dir).map_err(|e| failed(&dir, e))?;
    for page in pages {
        let path = dir.join(format!("{}.{SECTION}", page.name));
        std::fs::write(&path, &page.roff).map_err(|e| failed(&path, e))?;
    }
    let found = found_in();
    let is_found = found
        .as_ref()
        .is_some_and(|path| path.parent().is_some_and(|at| is_same(at, &dir)));
    let names: Vec<_> = pages
        .iter()
        .map(|page| format!("{}.{SECTION}", page.name))
        .collect();
    let note = match (is_found, &found) {
        (true, _) => None,
        (false, Some(other)) => Some(format!(
            "`man git-quorum` shows another page: {}; remove it, or put the folder first: {}",
            other.display(),
            manpath(&dir)
        )),
        (false, None) => Some(format!(
            "`man` does not look there, or is not installed: {}",
            manpath(&dir)
        )),
    };
    let text = format!("{} man pages are in {}", pages.len(), dir.display());
    let text = if is_found {
        format!("{text}\nread them: git quorum --help, man git-quorum-propose")
    } else {
        text
    };
    Ok(Reply::new(json!({"dir": dir, "pages": names, "found": is_found}), text)?.with_notes(note))
}

/// The path where `man` finds the page. `None` if it does not find it.
fn found_in() -> Option<PathBuf> {
    let mut man = Process::new("man");
    let asked = man
        .args(["-w", SECTION, "git-quorum"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let path = String::from_utf8(asked.stdout)
        .ok()
        .filter(|_| asked.status.success())?;
    path.lines().next().map(PathBuf::from)
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// The command that makes `man` look there too.
fn manpath(dir: &Path) -> String {
    let root = dir.parent().unwrap_or(dir);
    format!("export MANPATH=\"{}:$MANPATH\"", root.display())
}

/// All pages: one for the program, and one for each command.
fn pages(mut root: Command, examples: FindExamples) -> std::io::Result<Vec<Page>> {
    root.build();
    let mut pages = Vec::new();
    add_pages(&root, examples, &mut Vec::new(), &mut pages)?;
    Ok(pages)
}

fn add_pages(
    command: &Command,
    examples: FindExamples,
    path: &mut Vec<String>,
    pages: &mut Vec<Page>,
) -> std::io::Result<()> {
    let name = std::iter::once("git-quorum")
        .chain(path.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join("-");
    pages.push(Page {
        roff: page(command, examples, &name, &path.join(" "))?,
        name,
    });
    for sub in subcommands(command) {
        path.push(sub.get_name().to_owned());
        add_pages(sub, examples, path, pages)?;
        path.pop();
    }
    Ok(())
}

fn page(
    command: &Command,
    examples: FindExamples,
    name: &str,
    path: &str,
) -> std::io::Result<String> {
    let man = Man::new(command.clone());
    let title = name.to_uppercase();
    // There is no date, so that the same program gives the same pages.
    let mut out = format!(
        ".TH \"{title}\" \"{SECTION}\" \"\" \"git-quorum {}\" \"Git Quorum Manual\"\n",
        env!("CARGO_PKG_VERSION")
    )
    .into_bytes();
    man.render_name_section(&mut out)?;
    synopsis(command).to_writer(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    sections(command, examples, name, path).to_writer(&mut out)?;
    Ok(tidy(&String::from_utf8_lossy(&out)))
}

fn synopsis(command: &Command) -> Roff {
    let usage = command.clone().render_usage().to_string();
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    for (number, line) in usage
        .trim_start_matches("Usage:")
        .trim()
        .lines()
        .enumerate()
    {
        if number > 0 {
            roff.control("br", []);
        }
        roff.text([roman(line.trim())]);
    }
    roff
}

/// The sections below the options.
fn sections(command: &Command, examples: FindExamples, name: &str, path: &str) -> Roff {
    let mut roff = Roff::new();
    let commands = subcommands(command).map(|sub| {
        let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
        (format!("{name}-{}({SECTION})", sub.get_name()), about)
    });
    list(&mut roff, "COMMANDS", commands);
    example_section(&mut roff, examples(path));
    list(&mut roff, "EXIT STATUS", help::statuses());
    if path.is_empty() {
        list(&mut roff, "ENVIRONMENT", help::ENVIRONMENT.iter().copied());
        list(&mut roff, "CONFIGURATION", help::SETTINGS.iter().copied());
        list(&mut roff, "FILES", help::FILES.iter().copied());
    }
    roff.control("SH", ["SEE ALSO"]);
    let other = if path.is_empty() { "git" } else { "git-quorum" };
    roff.text([bold(other), roman("(1)")]);
    roff
}

/// Subcommands that have pages.
fn subcommands(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
}

fn example_section(roff: &mut Roff, rows: &[Row]) {
    for (number, (line, what)) in rows.iter().enumerate() {
        let heading = if number == 0 {
            ("SH", "EXAMPLES")
        } else {
            ("PP", "")
        };
        roff.control(heading.0, (number == 0).then_some(heading.1));
        roff.text([roman(*what)]);
        roff.control("RS", ["4"]).control("nf", []);
        for line in line.lines() {
            roff.text([bold(line)]);
        }
        roff.control("fi", []).control("RE", []);
    }
}

fn list<N: Into<String>, M: Into<String>>(
    roff: &mut Roff,
    title: &str,
    rows: impl IntoIterator<Item = (N, M)>,
) {
    for (number, (name, meaning)) in rows.into_iter().enumerate() {
        if number == 0 {
            roff.control("SH", [title]);
        }
        roff.control("TP", []);
        roff.text([bold(name)]);
        roff.text([roman(meaning)]);
    }
}

/// Every section starts with the same macro definitions. Keeps the first copy, and removes spaces
/// at line ends.
fn tidy(roff: &str) -> String {
    let mut seen = std::collections::BTreeSet::new();
    let is_definition = |line: &str| line.starts_with(".ie ") || line.starts_with(".el ");
    let kept = roff
        .lines()
        .map(str::trim_end)
        .filter(|line| !is_definition(line) || seen.insert(line.to_string()));
    kept.flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_that_says_how_to_use_it() {
        let pages = pages(crate::cli::command(), crate::cli::examples::find).unwrap();
        let names: Vec<_> = pages.iter().map(|page| page.name.as_str()).collect();
        assert!(
            [
                "git-quorum",
                "git-quorum-propose",
                "git-quorum-charter-show"
            ]
            .iter()
            .all(|name| names.contains(name))
        );
        assert!(
            !names
                .iter()
                .any(|name| name.contains("hook") || name.contains("help")),
            "{names:?}"
        );
        for page in pages {
            for section in [
                "NAME",
                "SYNOPSIS",
                "DESCRIPTION",
                "OPTIONS",
                "EXAMPLES",
                "\"EXIT STATUS\"",
                "\"SEE ALSO\"",
            ] {
                assert!(
                    page.roff.contains(&format!("\n.SH {section}\n")),
                    "{}: {section}\n{}",
                    page.name,
                    page.roff
                );
            }
            assert_eq!(page.roff.matches(".ie ").count(), 1, "{}", page.name);
        }
    }
}
