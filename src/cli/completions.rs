//! `git quorum completions`: scripts that complete command lines, for `git-quorum` and for `git quorum`.

use clap::Command;
use clap_complete::Shell;
use serde_json::json;

use super::{Answer, Reply};

/// What the completion of Git itself calls for `git quorum` in bash. It has cut the line into `words`, of which
/// `git` may have options of its own before `quorum`.
const BASH_GLUE: &str = r#"
_git_quorum() {
    local -i start=${__git_cmd_idx:-1}
    local -a COMP_WORDS=(git-quorum "${words[@]:start+1}")
    local -i COMP_CWORD=$((cword - start))
    _git__quorum git-quorum "$cur" "$prev"
}
"#;

/// Completes `git quorum` in a fish whose completion of Git does not ask for that of `git-quorum` (3.6.0), if the
/// script is read at the start of the shell.
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

/// What the completion of Git shows in zsh beside the command.
const ZSH_HEAD: &str =
    "#compdef git-quorum\n#description agree on what goes into a protected ref\n";

/// Print a script that completes command lines in a shell.
///
/// It works for `git-quorum` and, together with the completion that Git has for the shell, for `git quorum`. The fish
/// of Debian 12 needs the script to be read in config.fish for the latter.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell: bash, zsh or fish.
    #[arg(value_enum, hide_possible_values = true)]
    shell: ShellName,
}

/// Shells that there are scripts for.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ShellName {
    Bash,
    Zsh,
    Fish,
}

pub fn run(args: CompletionsArgs) -> Answer {
    let (name, script) = match args.shell {
        ShellName::Bash => ("bash", generate(Shell::Bash) + BASH_GLUE),
        // Zsh calls `_git-quorum` for `git quorum` by itself.
        ShellName::Zsh => (
            "zsh",
            generate(Shell::Zsh).replacen("#compdef git-quorum\n", ZSH_HEAD, 1),
        ),
        ShellName::Fish => ("fish", generate(Shell::Fish) + FISH_GLUE),
    };
    Reply::new(json!({"shell": name, "script": script}), script)
}

fn generate(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut visible(), "git-quorum", &mut script);
    // In bash, commands below a program with a hyphen in its name go by two names (clap-rs/clap#6421).
    String::from_utf8_lossy(&script).replace("git__subcmd__quorum", "git__quorum")
}

/// The command line without what is not for people, which would be completed too.
fn visible() -> Command {
    let all = super::command();
    let commands = all
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    Command::new("git-quorum")
        .version(env!("CARGO_PKG_VERSION"))
        .args(all.get_arguments())
        .subcommands(commands)
}
