//! What to do next, as data. A front end turns it into its own words: a command line, a tool call,
//! a button.

use std::path::PathBuf;

use crate::charter::MemberName;
use crate::id::{Digest, EntryId, Oid};

/// The next step after an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextStep {
    /// Exchange entries with the remote, and cast the votes that are due.
    Sync,
    /// Exchange entries with a remote or clone that has the missing entry.
    SyncWithAnother,
    /// Exchange entries, then fetch the commits with git.
    SyncAndFetch,
    /// Fetch with git.
    Fetch,
    /// Fetch the history that a shallow or partial clone lacks.
    Unshallow,
    /// Look for damage in the repository.
    Fsck,
    /// Fetch with git, exchange entries, and verify again.
    FetchAndVerify,
    /// Show the state of one proposal.
    Status(EntryId),
    /// Show the state of all open proposals.
    Overview,
    /// Show one proposal with everything that is known about it.
    Show(EntryId),
    /// Other members judge the proposal.
    Review(EntryId),
    /// Reject a proposal that says something false about its commits.
    RejectFalse {
        /// The proposal.
        proposal: EntryId,
        /// The field that is false.
        field: &'static str,
    },
    /// Other members have to exchange entries, so that their votes arrive.
    OthersSync,
    /// RefUpdate protected refs to their decisions.
    Land(Option<EntryId>),
    /// Propose again, above the present value of the ref.
    ProposeAgain,
    /// Name one of the protected refs.
    NameRef,
    /// Merge, rebase or replace history.
    MergeOrRebase,
    /// Resolve the conflict by hand.
    ResolveConflict,
    /// RefUpdate the checked-out branch with git.
    FastForward(Option<Oid>),
    /// Show the charter in force.
    ShowCharter,
    /// Verify the ledger; the report names the members that broke agreement.
    Verify,
    /// Compare the ledger id with the founder's, and verify with it.
    VerifyGenesis(EntryId),
    /// Find out who moved the ref past the gate.
    FindWhoMovedIt,
    /// These members are convicted by their own votes.
    Convicted(Vec<MemberName>),
    /// Pin the ledger by its id.
    JoinGenesis(Option<EntryId>),
    /// Take part in the ledger that is here.
    Join,
    /// Take part as this member, with a key.
    JoinAs(MemberName),
    /// Join or found a ledger.
    JoinOrInit,
    /// The founder tells the other members the ledger id, and each joins.
    TellMembers(EntryId),
    /// Ask the founder for the id, and whether the remote is right.
    AskFounder,
    /// Remove the pin of the ledger.
    Unpin,
    /// Give up the ledger that was founded here, and take part in the remote's.
    GiveUpOwnLedger {
        /// The genesis ref of the ledger founded here.
        genesis: String,
    },
    /// Configure a remote.
    NameRemote,
    /// List the founder among the members of the first charter.
    AddMember,
    /// Choose a ledger: join one in a clone, or name one on a server.
    ChooseLedger,
    /// Install the server gate, in a repository that people push to.
    InstallServer,
    /// Confirm that the gate of a server is to be removed.
    ConfirmUninstallServer,
    /// Remove one of two hooks of which only one can run.
    KeepOneHook {
        /// The hook that is in place.
        hook: PathBuf,
        /// The hook that was there before.
        original: PathBuf,
    },
    /// Move a hook to where it belongs.
    MoveHook {
        /// Where it is.
        from: PathBuf,
        /// Where it belongs.
        to: PathBuf,
    },
    /// List the remotes.
    ListRemotes,
    /// Type more digits of the id.
    MoreDigits,
    /// Set the patience to a number of seconds.
    SetPatience,
    /// Allow one fault domain to hold many votes, or spread the votes.
    SpreadDomains,
    /// Use the key that exists.
    UseExistingKey,
    /// List faults with the entries that prove them.
    ListFaults,
    /// Write a proof of this fault.
    Prove(Digest),
    /// Check a proof against the ledger id.
    CheckProof {
        /// The file.
        file: PathBuf,
        /// The ledger.
        ledger: Option<EntryId>,
    },
    /// Check a proof with more memory.
    AllowMoreMemory {
        /// The file.
        file: PathBuf,
    },
    /// Ask for the proof again: the file is not one.
    AskForProof,
    /// Believe nothing that was said about the file.
    DistrustFile,
    /// The ledger is not the one that the caller knows. Its members may have the same names.
    DistrustLedger,
    /// Ask whoever runs the remote.
    AskOperator,
    /// What the doctor, the installer or a hook says must be done.
    Do(String),
}
