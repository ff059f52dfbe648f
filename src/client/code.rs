//! Every answer code, with its exit status, whether a retry can help, and its meaning.
//!
//! The codes are stable: programs match on them. `docs/json.md` prints this list, and a test keeps
//! the two equal. Refusals of the gate and of a clone's hooks have codes of their own
//! ([`RefusalCode`](crate::gate::RefusalCode)).

/// The exit status of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// The command did what it was asked to do.
    Done = 0,
    /// The command failed.
    Failed = 1,
    /// The command was called with wrong or missing arguments.
    Usage = 2,
    /// Something that the caller named does not exist.
    NotFound = 3,
    /// Something else changed at the same time.
    Conflict = 4,
    /// The answer is no: refused, or no quorum.
    No = 6,
    /// Verification failed, faults were found, or the ledger id is not pinned.
    Unverified = 7,
}

impl Exit {
    /// Every exit status, in numerical order.
    pub const ALL: [Exit; 7] = [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::NotFound,
        Exit::Conflict,
        Exit::No,
        Exit::Unverified,
    ];

    /// The number that the process returns.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// What the status means, in a few words.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "success",
            Exit::Failed => "the command failed",
            Exit::Usage => "wrong or missing arguments",
            Exit::NotFound => "not found",
            Exit::Conflict => "conflict: something else changed, try again",
            Exit::No => "the answer is no: refused, or no quorum",
            Exit::Unverified => {
                "verification failed, faults were found, or the ledger id is UNPINNED"
            }
        }
    }
}

/// Whether the same request can succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Retry {
    /// The same request gives the same answer until somebody changes something.
    Never,
    /// The same request can succeed at once: it lost a race.
    Now,
    /// The same request can succeed later: it waits for other members or for the network.
    Later,
}

impl Retry {
    /// The name of the class in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Retry::Never => "never",
            Retry::Now => "now",
            Retry::Later => "later",
        }
    }
}

macro_rules! codes {
    ($($variant:ident $name:literal $exit:ident $retry:ident $meaning:literal;)*) => {
        /// Why an answer is not a plain success.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)*
        }

        impl Code {
            /// Every code, in alphabetical order of its name.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// The stable name, in UPPER_SNAKE case.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// The exit status of a command that answers with this code.
            pub fn exit(self) -> Exit {
                match self { $(Code::$variant => Exit::$exit,)* }
            }

            /// Whether the same request can succeed later.
            pub fn retry(self) -> Retry {
                match self { $(Code::$variant => Retry::$retry,)* }
            }

            /// What the code means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Code::$variant => $meaning,)* }
            }
        }
    };
}

codes! {
    AgreementBroken "AGREEMENT_BROKEN" Unverified Never "Two proposals were decided for one slot, so more than f members are faulty.";
    Ambiguous "AMBIGUOUS" Usage Never "Several ids begin with the given digits.";
    BadCharter "BAD_CHARTER" Usage Never "The charter breaks a rule, or its file cannot be read.";
    BadConfig "BAD_CONFIG" Failed Never "A setting of git-quorum has a value that it cannot have.";
    BadGenesis "BAD_GENESIS" Unverified Never "The genesis ref does not hold the genesis of the pinned ledger.";
    BadId "BAD_ID" Usage Never "The text is not an id, nor the beginning of one.";
    BadInput "BAD_INPUT" Usage Never "A text or list is longer than an entry may hold.";
    BadLedger "BAD_LEDGER" Unverified Never "The ledger of this repository cannot be read.";
    BadMember "BAD_MEMBER" Usage Never "A --member option has the wrong form.";
    BadName "BAD_NAME" Usage Never "The text is not a valid name.";
    BadPath "BAD_PATH" Usage Never "A path is not UTF-8, or cannot stand in a setting.";
    BadProof "BAD_PROOF" Unverified Never "The file is not a proof, or a check in it failed.";
    BadRef "BAD_REF" Usage Never "The text is not a ref name or a pattern of ref names.";
    Busy "BUSY" Conflict Now "The remote could not take the push, although it was tried several times.";
    CannotLand "CANNOT_LAND" No Never "The ref does not have the value at which the decision starts.";
    CannotWrite "CANNOT_WRITE" Failed Never "The disk is full, or the permissions do not allow the write.";
    CheckedOut "CHECKED_OUT" No Never "The ref is the checked-out branch of this clone.";
    DemoFailed "DEMO_FAILED" Failed Never "A step of the demonstration gave another answer than it should.";
    FalseProposal "FALSE_PROPOSAL" Unverified Never "A proposal says something else about its commits than they show.";
    Faults "FAULTS" Unverified Never "Members broke the rules, or a remote or a lane is not as it should be.";
    FileExists "FILE_EXISTS" Conflict Never "The output file exists already, and nothing is overwritten.";
    ForeignHook "FOREIGN_HOOK" Conflict Never "A hook of somebody else stands where a hook of git-quorum must stand.";
    GateUnavailable "GATE_UNAVAILABLE" Failed Now "The gate could not read what git told it, so it refused the push.";
    Git "GIT" Failed Never "A git command failed.";
    HooksNotRun "HOOKS_NOT_RUN" Conflict Never "Git would not run the hooks that were to be installed.";
    HooksPath "HOOKS_PATH" Conflict Never "core.hooksPath points outside this repository.";
    Incomplete "INCOMPLETE" Conflict Later "Commits that the command needs are not in this repository.";
    IncompleteClone "INCOMPLETE_CLONE" Unverified Never "The clone is shallow or partial, or entries are missing from it.";
    Internal "INTERNAL" Failed Never "git-quorum has a bug.";
    Io "IO" Failed Never "A file could not be read or written.";
    Key "KEY" Failed Never "The key could not be read, or could not sign.";
    KeyExists "KEY_EXISTS" Conflict Never "A key file of this name exists already, and nothing is overwritten.";
    LedgerExists "LEDGER_EXISTS" Conflict Never "There is a ledger already, here or on the remote.";
    LinkedHooks "LINKED_HOOKS" Conflict Never "The hooks folder is a link to a folder outside this repository.";
    Locked "LOCKED" Conflict Now "Another process holds a lock, or died while it held one.";
    MergeConflict "MERGE_CONFLICT" Conflict Never "The two commits cannot be merged without a conflict.";
    NotAMember "NOT_A_MEMBER" No Never "The charter in force does not list the member.";
    NotBare "NOT_BARE" Usage Never "The repository has a working tree, so it is not a server.";
    NotConfirmed "NOT_CONFIRMED" Usage Never "The command needs an explicit confirmation.";
    NotDecided "NOT_DECIDED" No Later "The proposal is not decided, or will not be.";
    NotDescendant "NOT_DESCENDANT" Conflict Never "The proposed commit does not contain the value that the ref will have.";
    NotExecutable "NOT_EXECUTABLE" Failed Never "The file system does not keep the executable bit of a hook.";
    NotFetched "NOT_FETCHED" Conflict Later "The value of the ref is not in this repository yet.";
    NotFound "NOT_FOUND" NotFound Never "Nothing here has the given id or name.";
    NothingProved "NOTHING_PROVED" Unverified Never "The file is well formed, but it proves no fault.";
    NothingToLand "NOTHING_TO_LAND" No Never "A decision about the charter moves no ref.";
    NothingToPropose "NOTHING_TO_PROPOSE" No Never "The proposal would change nothing.";
    NotProtected "NOT_PROTECTED" NotFound Never "The charter in force does not protect the ref.";
    NotSound "NOT_SOUND" Unverified Never "The doctor found that a needed protection is missing.";
    NoFolder "NO_FOLDER" NotFound Never "The folder given with -C does not exist.";
    NoKey "NO_KEY" Usage Never "No key is named for the member.";
    NoLedger "NO_LEDGER" NotFound Never "There is no ledger in this repository.";
    NoMember "NO_MEMBER" Usage Never "Neither an option nor a setting names the member that writes.";
    NoProgram "NO_PROGRAM" Failed Never "The path of this program is not known.";
    NoRemote "NO_REMOTE" NotFound Never "The named remote does not exist.";
    NoRepository "NO_REPOSITORY" NotFound Never "The folder is not in a Git repository.";
    NoSuchMember "NO_SUCH_MEMBER" NotFound Never "No charter of this ledger lists the member.";
    NoWorkTree "NO_WORK_TREE" Usage Never "The repository is bare, so it is not a clone to work in.";
    ObjectFormat "OBJECT_FORMAT" Failed Never "The repository uses an object format that git-quorum cannot read.";
    OtherLedger "OTHER_LEDGER" Unverified Never "The ledger here, or in the file, is not the one that was asked for.";
    Refused "REFUSED" No Never "The remote refused the push.";
    RefMoved "REF_MOVED" Conflict Now "Something else moved a ref while the command ran.";
    RefRefused "REF_REFUSED" No Never "A hook of this repository refused to move a ref.";
    SeveralLedgers "SEVERAL_LEDGERS" Unverified Never "There are several ledgers here, and none is pinned.";
    SignState "SIGN_STATE" Failed Never "The sign state could not be read or written, so nothing was signed.";
    SignStateAhead "SIGN_STATE_AHEAD" Conflict Later "The key has signed an entry that this clone does not have.";
    Stale "STALE" No Never "The decision is no longer on the chain of its ref.";
    Superseded "SUPERSEDED" No Never "Another proposal was decided for the same slot.";
    Timeout "TIMEOUT" No Later "The time given with --timeout passed before the proposal was settled.";
    Transport "TRANSPORT" Failed Later "Git could not exchange refs with the remote.";
    TwoHooks "TWO_HOOKS" Conflict Never "A hook and a saved earlier hook of the same name both exist.";
    UnknownForm "UNKNOWN_FORM" Failed Never "Git called a hook in a form that this program does not know.";
    UnknownHook "UNKNOWN_HOOK" Failed Never "git-quorum has no hook of this name.";
    Unpinned "UNPINNED" Unverified Never "Everything is consistent, but nothing says that this is the right ledger.";
    Unreachable "UNREACHABLE" Conflict Later "The remote could not be reached.";
    UpgradeNeeded "UPGRADE_NEEDED" Unverified Never "The ledger uses a newer format version than this program knows.";
    Usage "USAGE" Usage Never "The command line is wrong.";
    VerificationFailed "VERIFICATION_FAILED" Unverified Never "A protected ref holds a value that no decision backs, or a decision does not hold.";
    WhichRef "WHICH_REF" Usage Never "The charter protects several refs, and the command names none of them.";
    WouldNotCount "WOULD_NOT_COUNT" No Never "The statement would not count, so it was not signed.";
    WriteFailed "WRITE_FAILED" Failed Never "A hook or a setting could not be written.";
    WrongKey "WRONG_KEY" Usage Never "The key is not the one that the charter lists for the member.";
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_name_in_upper_snake_case() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let plain = |name: &&str| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        assert!(names.iter().all(plain), "{names:?}");
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn no_code_means_success() {
        assert!(Code::ALL.iter().all(|code| code.exit() != Exit::Done));
    }
}
