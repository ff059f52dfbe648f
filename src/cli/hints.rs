//! The next step as a hint for people, and as a command line for people and programs.

use crate::charter::MemberName;
use crate::client::{Code, Error, NextStep};

/// What to do next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hint {
    /// In words. Each line stands for itself.
    pub text: String,
    /// The exact command, where one command is the next step.
    pub command: Option<String>,
}

impl Hint {
    fn command(command: impl Into<String>) -> Self {
        let command = command.into();
        Self {
            text: command.clone(),
            command: Some(command),
        }
    }

    /// Advice without a single command.
    pub fn words(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            command: None,
        }
    }

    fn both(text: impl Into<String>, command: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            command: Some(command.into()),
        }
    }
}

/// What to do after an error.
pub fn after(error: &Error) -> Hint {
    if let Some(next) = &error.next {
        return step(next);
    }
    let usual = usual(error.code);
    match &error.remedy {
        // Only after the remedy can the command run again.
        Some(remedy) if error.code == Code::Locked => Hint {
            text: format!("{remedy}\n{}", usual.text),
            ..usual
        },
        Some(remedy) => Hint::words(remedy),
        None => usual,
    }
}

/// A next step in words and as a command.
pub fn step(next: &NextStep) -> Hint {
    match next {
        NextStep::Sync => Hint::command("git quorum sync"),
        NextStep::SyncWithAnother => Hint::both(
            "fetch from the remote or clone that has the entry: git quorum sync --remote NAME",
            "git quorum sync --remote NAME",
        ),
        NextStep::SyncAndFetch => {
            Hint::both("git quorum sync; git fetch", "git quorum sync; git fetch")
        }
        NextStep::Fetch => Hint::command("git fetch"),
        NextStep::Unshallow => Hint::both(
            "git fetch --unshallow, or clone again without --depth and --filter",
            "git fetch --unshallow",
        ),
        NextStep::Fsck => Hint::both(
            "git fsck shows what else is missing; clone again, or fetch it from where it still is",
            "git fsck",
        ),
        NextStep::FetchAndVerify => Hint::both(
            "the decision may have come since: git fetch, git quorum sync, then git quorum verify",
            "git fetch; git quorum sync; git quorum verify",
        ),
        NextStep::Status(id) => Hint::command(format!("git quorum status {}", id.short())),
        NextStep::Overview => Hint::command("git quorum status"),
        NextStep::Show(id) => Hint::command(format!("git quorum show {}", id.short())),
        NextStep::Review(id) => Hint::both(
            format!(
                "other members run: git quorum review {} --approve -m TEXT",
                id.short()
            ),
            format!("git quorum review {} --approve -m TEXT", id.short()),
        ),
        NextStep::RejectFalse { proposal, field } => Hint::command(format!(
            "git quorum review {} --reject -m \"{field} is false\"",
            proposal.short()
        )),
        NextStep::OthersSync => Hint::both(
            "the members that are missing run: git quorum sync",
            "git quorum sync",
        ),
        NextStep::Land(Some(id)) => Hint::command(format!("git quorum land {}", id.short())),
        NextStep::Land(None) => Hint::command("git quorum land"),
        NextStep::ProposeAgain => Hint::both(
            "propose again: the new proposal names the value that the ref has now",
            "git quorum propose -m TITLE",
        ),
        NextStep::NameRef => Hint::words("name one: --onto refs/heads/main"),
        NextStep::MergeOrRebase => Hint::words(
            "--merge builds the merge; or rebase; or --rewrite if history is to be replaced",
        ),
        NextStep::ResolveConflict => Hint::words("merge or rebase by hand, then propose again"),
        NextStep::FastForward(Some(to)) => {
            Hint::command(format!("git merge --ff-only {}", to.short()))
        }
        NextStep::FastForward(None) => Hint::words("check out another branch first"),
        NextStep::ShowCharter => Hint::command("git quorum charter show"),
        NextStep::Verify => Hint::both(
            "git quorum verify names the members that broke agreement",
            "git quorum verify",
        ),
        NextStep::VerifyGenesis(ledger) => Hint::both(
            format!("ask its founder for the id, then: git quorum verify --genesis {ledger}"),
            format!("git quorum verify --genesis {ledger}"),
        ),
        NextStep::FindWhoMovedIt => Hint::words("find out who moved the ref past the gate"),
        NextStep::Convicted(members) => Hint::both(
            format!("convicted by their own votes: {}", joined(members)),
            "git quorum faults",
        ),
        NextStep::JoinGenesis(Some(ledger)) => {
            Hint::command(format!("git quorum join --genesis {ledger}"))
        }
        NextStep::JoinGenesis(None) => Hint::command("git quorum join --genesis ID"),
        NextStep::Join => Hint::command("git quorum join --as NAME --key FILE"),
        NextStep::JoinAs(member) => Hint::both(
            format!("git quorum join --as {member} --key FILE, or --agent"),
            format!("git quorum join --as {member} --key FILE"),
        ),
        NextStep::JoinOrInit => Hint::both(
            "`git quorum join --as NAME --key FILE` takes part in the remote's ledger; `git quorum init` founds one",
            "git quorum join --as NAME --key FILE",
        ),
        NextStep::TellMembers(ledger) => Hint::both(
            format!(
                "give the ledger id to the other members; each runs\n  git quorum join --as NAME --key FILE --genesis {ledger}"
            ),
            format!("git quorum join --as NAME --key FILE --genesis {ledger}"),
        ),
        NextStep::AskFounder => {
            Hint::words("ask the ledger's founder for its id, and whether this is the right remote")
        }
        NextStep::Unpin => Hint::both(
            "git config --unset quorum.ledger, if that is really meant",
            "git config --unset quorum.ledger",
        ),
        NextStep::GiveUpOwnLedger { genesis } => {
            let commands = format!(
                "git update-ref -d {genesis}; git config --unset quorum.ledger; git quorum join"
            );
            Hint::both(format!("to take part in it: {commands}"), commands)
        }
        NextStep::NameRemote => Hint::words("git remote add, or git config quorum.remote NAME"),
        NextStep::AddMember => Hint::words("add it with --member"),
        NextStep::ChooseLedger => Hint::words(
            "in a clone: git quorum join --genesis ID; on a server: git quorum install --server --genesis ID",
        ),
        NextStep::InstallServer => Hint::words(
            "in a repository that people push to: git quorum install --server; otherwise run it in a working tree",
        ),
        NextStep::ConfirmUninstallServer => Hint::words(
            "to remove the gate of a server: git quorum uninstall --server --yes; the hooks of a clone are removed in its working tree",
        ),
        NextStep::KeepOneHook { hook, original } => {
            let (hook, original) = (hook.display(), original.display());
            Hint::words(format!(
                "remove the one that is not needed, and run it again: rm '{original}' or mv '{original}' '{hook}'"
            ))
        }
        NextStep::MoveHook { from, to } => {
            let command = format!("mv '{}' '{}'", from.display(), to.display());
            Hint::both(
                format!("move it where it belongs, and run it again: {command}"),
                command,
            )
        }
        NextStep::ListRemotes => {
            Hint::both("git remote -v lists those that exist", "git remote -v")
        }
        NextStep::MoreDigits => Hint::words("give more digits"),
        NextStep::SetPatience => Hint::both(
            "git config quorum.patience 60     (seconds, or 500ms)",
            "git config quorum.patience 60",
        ),
        NextStep::SpreadDomains => {
            Hint::words("spread the votes over domains, or say --allow-concentrated-domains")
        }
        NextStep::UseExistingKey => Hint::words(
            "`--key FILE` uses the key that exists; `ssh-keygen -y -f FILE > FILE.pub` makes a public key that is missing",
        ),
        NextStep::ListFaults => Hint::command("git quorum faults"),
        NextStep::Prove(id) => Hint::both(
            format!(
                "git quorum faults --prove {} -o FILE makes a proof for others",
                id.short()
            ),
            format!("git quorum faults --prove {} -o FILE", id.short()),
        ),
        NextStep::CheckProof {
            file,
            ledger: Some(ledger),
        } => Hint::command(format!(
            "git quorum check-proof {} --ledger {ledger}",
            file.display()
        )),
        NextStep::CheckProof { file, ledger: None } => Hint::both(
            "ask a founder or a clone for the id, then: git quorum check-proof FILE --ledger ID",
            format!("git quorum check-proof {} --ledger ID", file.display()),
        ),
        NextStep::AllowMoreMemory { file } => Hint::both(
            format!(
                "few ledgers have forks like that; to check it all the same: \
                 git quorum check-proof {} --memory BYTES",
                file.display()
            ),
            format!("git quorum check-proof {} --memory BYTES", file.display()),
        ),
        NextStep::AskForProof => Hint::words(
            "ask for the file again, as `git quorum faults --prove ID -o FILE` writes it",
        ),
        NextStep::DistrustFile => Hint::words("believe nothing that was said about this file"),
        NextStep::DistrustLedger => {
            Hint::words("it says nothing about members of your ledger, whatever their names are")
        }
        NextStep::AskOperator => {
            Hint::words("ask whoever runs the remote; this clone keeps what it saw before")
        }
        NextStep::Do(text) => Hint::words(text),
    }
}

fn joined(members: &[MemberName]) -> String {
    let names: Vec<_> = members.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// What to do next where the place that fails knows nothing better.
pub fn usual(code: Code) -> Hint {
    match code {
        Code::BadCharter => Hint::both(
            "`git quorum charter show --toml` shows the form; `git quorum init -h` lists the rules",
            "git quorum charter show --toml",
        ),
        Code::BadInput => {
            Hint::words("`git quorum propose -h` and `git quorum review -h` list the limits")
        }
        Code::BadName => Hint::words(
            "a name is such as alice or ci-bot-2; `git quorum charter show` lists the members",
        ),
        Code::BadPath => {
            Hint::words("put the program, the key and the repository where the path is plain text")
        }
        Code::BadRef => Hint::words(
            "name a branch, as main, or a full ref, as refs/heads/main or refs/heads/release/*",
        ),
        Code::BadLedger => Hint::both(
            "repair the ledger first: git quorum verify",
            "git quorum verify",
        ),
        Code::BadMember => Hint::words("--member alice=alice.pub,role=security,domain=team-a"),
        Code::Busy | Code::Refused => Hint::both(
            "what was signed is kept here; `git quorum sync` pushes it again",
            "git quorum sync",
        ),
        Code::CannotWrite => Hint::words(
            "make room there or correct the permissions, and run the command again; what was signed is kept and published then",
        ),
        Code::ForeignHook => Hint::words(
            "there can be one proc-receive hook: move it away if it is not needed, or keep this ledger on another server",
        ),
        Code::HooksNotRun => Hint::words(
            "nothing was changed; `git config --show-origin --get-all core.hooksPath` and `git config --show-origin --get-regexp '^hook[.]'` show what is in the way",
        ),
        Code::HooksPath => Hint::words(
            "unset it for this repository, or set it to this repository's own hooks folder",
        ),
        Code::LinkedHooks => Hint::words(
            "replace the link by a folder of this repository, with links to the hooks that are needed",
        ),
        Code::NotBare => Hint::words("run it in the bare repository that people push to"),
        Code::NotExecutable => Hint::words("the file system must keep executable bits"),
        Code::WriteFailed => Hint::words("run it as the user that owns the repository"),
        Code::Git => Hint::words(
            "read what git says, and run the command again; `git fsck` tells whether the repository is whole",
        ),
        Code::Internal => Hint::words(
            "this is a bug of git-quorum: please report it with the command that was run",
        ),
        Code::Io => Hint::words(
            "check that the file can be read and that its folder can be written, then run the command again",
        ),
        Code::Key => Hint::words(
            "--key FILE names another key, --agent signs with an ssh-agent; `git quorum keygen NAME` makes a key",
        ),
        Code::Locked => {
            Hint::words("run the command again; what was signed is kept and published then")
        }
        Code::NothingToLand => Hint::both(
            "`git quorum charter show` shows it",
            "git quorum charter show",
        ),
        Code::NothingToPropose => Hint::words(
            "commit a change first, or name another commit; `git quorum status` shows what is decided",
        ),
        Code::NoFolder => Hint::words("check the path after -C"),
        Code::NotFound => Hint::words("check the spelling of the name, or run `git fetch` first"),
        Code::NotProtected => Hint::both(
            "`git quorum charter show` lists what is protected",
            "git quorum charter show",
        ),
        Code::NoRepository => Hint::words("run it inside a clone, or with -C DIR"),
        Code::ObjectFormat => Hint::both(
            "work in a SHA-1 repository: git init --object-format=sha1",
            "git init --object-format=sha1",
        ),
        Code::OtherLedger => {
            Hint::words("ask its founder which id is right; `git quorum status` shows the one here")
        }
        Code::RefMoved => Hint::words("something else moved the ref: run the command again"),
        Code::RefRefused => Hint::words(
            "a hook in this clone refused it: do what it asks for, then run the command again",
        ),
        Code::BadGenesis => Hint::words(
            "the refs under refs/quorum/ were tampered with, or another ledger is pinned in quorum.ledger",
        ),
        Code::SignState => {
            Hint::words("nothing was signed; GIT_QUORUM_STATE names the folder of the sign state")
        }
        Code::Stale => Hint::words(
            "`git quorum verify` lists the decisions on the chain; propose again if it is still wanted",
        ),
        Code::Transport => Hint::both(
            "do what git or the hook asks for; what was signed is kept here, and `git quorum sync` pushes it",
            "git quorum sync",
        ),
        Code::Unreachable => Hint::both(
            "try again when the remote can be reached, or work with --local and run `git quorum sync` later",
            "git quorum sync",
        ),
        Code::UpgradeNeeded => Hint::words("install a newer git-quorum"),
        Code::UnknownHook => Hint::words("this command is for hooks only"),
        Code::Usage => Hint::words("git quorum -h"),
        Code::WouldNotCount => {
            Hint::words("`git quorum show ID` tells who proposed it and how far it is")
        }
        Code::WrongKey => Hint::words("give the right one with --key FILE"),
        _ => Hint::words(
            "`git quorum help` lists the commands, `git quorum status` tells what is known here",
        ),
    }
}
