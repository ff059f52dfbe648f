//! `git quorum completions`: scripts that complete command lines, for `git-quorum` and for `git
//! quorum`.

use clap::Command;
use clap_complete::Shell;
use serde_json::json;

use super::help::Examples;
use super::{Answer, Reply};

/// The function that Git's own bash completion calls for `git quorum`. Git has split the line into
/// `words`, where `git` may have options of its own before `quorum`.
const BASH_GLUE: &str = r#"
_git_quorum() {
    local -i start=${__git_cmd_idx:-1}
    local -a COMP_WORDS=(git-quorum "${words[@]:start+1}")
    local -i COMP_CWORD=$((cword - start))
    _git__quorum git-quorum "$cur" "$prev"
}
"#;

/// Completes `git quorum` in fish 3.6.0, whose Git completion does not ask for that of
/// `git-quorum`. Works if the script is read at the start of the shell.
const FISH_GLUE: &str = r#"
function __fish_git_quorum_is_meant
    test (count (commandline -opc)) -gt 1
    and test (commandline -opc)[2] = quorum
end

function __fish_git_quorum_complete
    complete -C "git-quorum "(string join ' ' -- (string escape -- (commandline -opc)[3..]) (commandline -ct))
end

complete -c git -f -n __fish_git_quorum_is_meant -a '(__fish_git_quorum_complete)'
"#;

/// The description that Git's zsh completion shows beside the command.
const ZSH_HEAD: &str =
    "#compdef git-quorum\n#description agree on what goes into a protected ref\n";

/// Print a script that completes command lines in a shell.
///
/// It works for `git-quorum`. Together with Git's own completion for the shell, it also works for
/// `git quorum`. The fish of Debian 12 needs the script in config.fish for the latter.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell: bash, zsh or fish.
    #[arg(value_enum, hide_possible_values = true)]
    shell: ShellName,
}

/// Shells that have a script.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ShellName {
    Bash,
    Zsh,
    Fish,
}

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[(
    "completions",
    &[
        (
            "git quorum completions bash > ~/.local/share/bash-completion/completions/git-quorum",
            "For bash, where bash-completion finds it.",
        ),
        (
            "git quorum completions zsh > ~/.zfunc/_git-quorum",
            "For zsh, in a folder of $fpath (in ~/.zshrc, before compinit: fpath+=~/.zfunc).",
        ),
        (
            "git quorum completions fish > ~/.config/fish/completions/git-quorum.fish",
            "For fish.",
        ),
        (
            "git quorum completions fish | source",
            "The same in ~/.config/fish/config.fish, for fish 3.6.0.",
        ),
    ],
)];

/// Prints a script. `command` is the whole command line.
pub fn run(args: CompletionsArgs, command: &Command) -> Answer {
    let (name, script) = match args.shell {
        ShellName::Bash => ("bash", generate(command, Shell::Bash) + BASH_GLUE),
        // Zsh calls `_git-quorum` for `git quorum` without further help.
        ShellName::Zsh => (
            "zsh",
            generate(command, Shell::Zsh).replacen("#compdef git-quorum\n", ZSH_HEAD, 1),
        ),
        ShellName::Fish => ("fish", generate(command, Shell::Fish) + FISH_GLUE),
    };
    Reply::new(json!({"shell": name, "script": script}), script)
}

fn generate(command: &Command, shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut visible(command), "git-quorum", &mut script);
    // In bash, subcommands of a program with a hyphen in its name have two names
    // (clap-rs/clap#6421).
    String::from_utf8_lossy(&script).replace("git__subcmd__quorum", "git__quorum")
}

/// The command line without hidden commands, which would be completed too.
fn visible(all: &Command) -> Command {
    let commands = all
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    Command::new("git-quorum")
        .version(env!("CARGO_PKG_VERSION"))
        .args(all.get_arguments())
        .subcommands(commands)
}
