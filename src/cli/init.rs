//! `git quorum init`: founds a ledger with its first charter.

use std::path::PathBuf;

use serde_json::json;

use super::charter_file::{CharterFile, RulesInput, assemble, parse_pattern};
use super::identity::{parse_name, public_key};
use super::join::remember;
use super::session::{choose_remote, open_repo};
use super::{Answer, Exit, Failure, Reply, environment};
use crate::charter::{Charter, FORMAT_VERSION, Member, MemberName, PublicKey};
use crate::id::EntryId;
use crate::ledger::{GenesisPayload, LedgerRefs, encode_genesis};
use crate::repo::{Expect, RefEdit, Repo};
use crate::signer::Signer;
use crate::store::{PushOutcome, Trust, find_ledgers, load, push};

/// Found a ledger in this clone, with its first charter, and push it.
///
/// With n voting members, f = floor((n-1)/3) faulty ones are tolerated, and
/// q = floor((n+f)/2)+1 make a quorum.
#[derive(Debug, clap::Args)]
pub struct InitArgs {
    /// A member: NAME=KEY.pub[,vote=no][,role=ROLE]...[,domain=DOMAIN]. Repeat for each. Names match
    /// [a-z0-9][a-z0-9-]{0,31}.
    #[arg(
        long = "member",
        value_name = "NAME=KEY.pub[,...]",
        required_unless_present = "charter",
        conflicts_with = "charter"
    )]
    members: Vec<String>,
    /// A ref to protect: refs/heads/main, or a prefix and a star, refs/heads/release/*. Repeat for each.
    #[arg(
        long,
        value_name = "REF",
        required_unless_present = "charter",
        conflicts_with = "charter"
    )]
    protect: Vec<String>,
    /// A quorum larger than the least one.
    #[arg(long, value_name = "Q", conflicts_with = "charter")]
    quorum: Option<usize>,
    /// Do not count a proposer's approval of its own proposal.
    #[arg(long, conflicts_with = "charter")]
    no_own_approval: bool,
    /// Let one fault domain hold more votes than may fail together.
    #[arg(long, conflicts_with = "charter")]
    allow_concentrated_domains: bool,
    /// The first charter, in TOML, instead of the flags above.
    #[arg(long, value_name = "FILE.toml")]
    charter: Option<PathBuf>,
    /// The member that founds the ledger.
    #[arg(long = "as", value_name = "NAME", env = "GIT_QUORUM_MEMBER")]
    founder: String,
    /// Its private key file, or with --agent its public key file.
    #[arg(long, value_name = "FILE", env = "GIT_QUORUM_KEY")]
    key: PathBuf,
    /// Sign with the ssh-agent at SSH_AUTH_SOCK.
    #[arg(long)]
    agent: bool,
    /// The remote to push the genesis entry to [default: quorum.remote, or origin, or the only one].
    #[arg(long, value_name = "NAME", conflicts_with = "local")]
    remote: Option<String>,
    /// Do not push.
    #[arg(long)]
    local: bool,
}

pub fn run(args: InitArgs) -> Answer {
    let repo = open_repo()?;
    let charter = first_charter(&args)?;
    let founder = parse_name(&args.founder)?;
    let (key, signer) = founding_key(&args, &founder, &charter)?;
    let here = find_ledgers(&repo)?;
    let ledger = match here.as_slice() {
        [] => found(&repo, &founder, &charter, &key, &signer)?,
        // A run that was cut off is gone on with, and signs no second genesis.
        [one] if is_founded_so(&repo, *one, &founder, &charter)? => *one,
        [ledger, ..] => {
            return Err(Failure::new(
                "LEDGER_EXISTS",
                format!("there is a ledger here already: {ledger}"),
            )
            .exit(Exit::Conflict)
            .hint("git quorum join --as NAME --key FILE takes part in it"));
        }
    };
    remember(&repo, ledger, Some((&founder, &args.key, args.agent)))?;
    let pushed = publish(&repo, ledger, &args).map_err(|failure| {
        failure.with_prefix(&format!(
            "ledger {ledger} is founded here but was not pushed: "
        ))
    })?;
    report(&charter, (ledger, !here.is_empty()), &key, pushed)
}

fn first_charter(args: &InitArgs) -> Result<Charter, Failure> {
    if let Some(path) = &args.charter {
        let folder = path.parent().unwrap_or(std::path::Path::new("."));
        return CharterFile::read(path)?.charter(folder, |_| Vec::new());
    }
    let members = args
        .members
        .iter()
        .map(|text| parse_member(text))
        .collect::<Result<_, _>>()?;
    let protect = args
        .protect
        .iter()
        .map(|p| parse_pattern(p))
        .collect::<Result<_, _>>()?;
    let rules = RulesInput {
        quorum: args.quorum,
        own_approval_counts: !args.no_own_approval,
        allow_concentrated_domains: args.allow_concentrated_domains,
    };
    assemble(members, protect, Vec::new(), rules)
}

/// `NAME=KEY.pub[,vote=no][,role=R]...[,domain=D]`.
fn parse_member(text: &str) -> Result<Member, Failure> {
    let bad = |why: &str| {
        Failure::new("BAD_MEMBER", format!("--member {text:?}: {why}"))
            .exit(Exit::Usage)
            .hint("--member alice=alice.pub,role=security,domain=team-a")
    };
    let (name, rest) = text
        .split_once('=')
        .ok_or_else(|| bad("NAME=KEY.pub is expected"))?;
    let name = parse_name(name)?;
    let mut parts = rest.split(',');
    let key = public_key(std::path::Path::new(parts.next().unwrap_or_default()))?;
    let mut member = Member {
        domain: name.clone(),
        key,
        name,
        roles: Vec::new(),
        vote: true,
    };
    for part in parts {
        match part.split_once('=') {
            Some(("vote", "no")) => member.vote = false,
            Some(("vote", "yes")) => member.vote = true,
            Some(("role", role)) => member.roles.push(parse_name(role)?),
            Some(("domain", domain)) => member.domain = parse_name(domain)?,
            _ => {
                return Err(bad(&format!(
                    "{part:?} is none of vote=no, role=R, domain=D"
                )));
            }
        }
    }
    Ok(member)
}

/// The founder's key in the charter, and what signs with it.
fn founding_key(
    args: &InitArgs,
    founder: &MemberName,
    charter: &Charter,
) -> Result<(PublicKey, Signer), Failure> {
    let Some(member) = charter.member(founder) else {
        let message = format!("{founder} founds the ledger but is no member of its charter");
        return Err(Failure::new("NOT_A_MEMBER", message)
            .exit(Exit::Usage)
            .hint("add it with --member"));
    };
    let signer = match args.agent {
        true => environment::agent_signer(*member.key.bytes())?,
        false => Signer::from_file(&args.key, &environment::passphrases())?,
    };
    if signer.public() != *member.key.bytes() {
        let message = format!(
            "{} is not the key that the charter names for {founder}",
            args.key.display()
        );
        return Err(Failure::new("WRONG_KEY", message).exit(Exit::Usage));
    }
    Ok((member.key, signer))
}

/// Whether the ledger here is the one that this command founds.
fn is_founded_so(
    repo: &Repo,
    ledger: EntryId,
    founder: &MemberName,
    charter: &Charter,
) -> Result<bool, Failure> {
    let loaded = load(repo, ledger, Trust::Cache)?;
    let dag = loaded.tally.dag();
    let same_founder = dag
        .find(ledger)
        .is_some_and(|genesis| dag.entry(genesis).member == *founder);
    Ok(same_founder
        && dag
            .charter(ledger)
            .is_some_and(|node| node.charter == *charter))
}

/// Signs the genesis entry and puts it in its place.
fn found(
    repo: &Repo,
    founder: &MemberName,
    charter: &Charter,
    key: &PublicKey,
    signer: &Signer,
) -> Result<EntryId, Failure> {
    let payload = GenesisPayload {
        charter: charter.clone(),
        member: founder.clone(),
        v: FORMAT_VERSION,
    };
    let broken =
        |e: crate::ledger::Reject| Failure::new("BAD_CHARTER", e.to_string()).exit(Exit::Usage);
    let unsigned = encode_genesis(&payload, crate::store::now()).map_err(broken)?;
    let signature = signer.sign_entry(&unsigned.signed_bytes)?;
    let raw = unsigned.with_signature(key, &signature).map_err(broken)?;
    // What is written must be readable: a charter over the limits of an entry is found here.
    crate::ledger::parse(&raw).map_err(broken)?;
    let genesis = repo.objects()?.write_commit(&raw)?;
    let name = LedgerRefs::of(unsigned.id).genesis();
    repo.transaction(&[RefEdit {
        name,
        old: Expect::Absent,
        new: Some(genesis),
    }])?;
    Ok(unsigned.id)
}

/// Pushes the genesis entry; the remote's name if there was one to push to.
fn publish(repo: &Repo, ledger: EntryId, args: &InitArgs) -> Result<Option<String>, Failure> {
    if args.local {
        return Ok(None);
    }
    let Some(remote) = choose_remote(repo, args.remote.as_deref())? else {
        return Ok(None);
    };
    let mut loaded = load(repo, ledger, Trust::Cache)?;
    let mut remote_refs = repo.ls_remote(&remote, &["refs/quorum/*"])?;
    let ours = LedgerRefs::of(ledger).genesis();
    let others = remote_refs
        .keys()
        .find(|name| name.ends_with("/genesis") && **name != ours)
        .cloned();
    if let Some(other) = others {
        return Err(Failure::new("LEDGER_EXISTS", format!("{remote} has a ledger already ({other})"))
            .exit(Exit::Conflict)
            .hint(format!(
                "to take part in it: git update-ref -d {}; git config --unset quorum.ledger; git quorum join",
                ours
            )));
    }
    match push(repo, &mut loaded, &remote, &mut remote_refs, (None, &[]))? {
        PushOutcome::Done => Ok(Some(remote)),
        PushOutcome::Behind { reasons, lines } => {
            Err(super::session::busy(&remote, &reasons, &lines))
        }
        PushOutcome::Refused { reasons, lines } => {
            Err(super::session::refused(&remote, &reasons, &lines))
        }
    }
}

fn report(
    charter: &Charter,
    (ledger, existing): (EntryId, bool),
    key: &PublicKey,
    pushed: Option<String>,
) -> Answer {
    let t = charter.threshold();
    let warnings = warnings(charter);
    let protect: Vec<_> = charter.protected().iter().map(|p| p.as_str()).collect();
    let text = format!(
        "ledger {ledger}\n{} voting members: up to {} may be faulty, {} make a quorum\nprotects {}\n{}\nnext: give the ledger id to the other members; each runs\n  git quorum join --as NAME --key FILE --genesis {ledger}",
        t.n,
        t.f,
        t.q,
        protect.join(", "),
        pushed
            .as_ref()
            .map_or("not pushed".to_owned(), |r| format!("pushed to {r}")),
    );
    let data = json!({
        "ledger": ledger, "existing": existing, "n": t.n, "f": t.f, "q": t.q, "protect": protect,
        "key": key, "pushed_to": pushed, "warnings": warnings,
    });
    Ok(Reply::new(data, text)?.with_notes(warnings))
}

/// What everyone should know about the electorate, in plain words.
pub fn warnings(charter: &Charter) -> Vec<String> {
    let t = charter.threshold();
    let mut warnings = Vec::new();
    if t.f == 0 {
        warnings.push(format!(
            "with {} voting member{} not one lying or failing member is tolerated; four are the least that tolerate one",
            t.n,
            if t.n == 1 { "" } else { "s" }
        ));
    }
    if t.n - t.f < t.q && t.f > 0 {
        warnings.push(format!(
            "a quorum of {} needs {} of the {} members that may be faulty: they can stop every decision",
            t.q,
            t.q + t.f - t.n,
            t.f
        ));
    }
    if let Some(load) = charter.concentrated_domain().filter(|_| t.n > 1) {
        warnings.push(format!(
            "fault domain {} holds {} of {} votes, more than the {} that may fail together: one failure there can break every guarantee",
            load.domain, load.votes, t.n, t.f.max(1)
        ));
    }
    warnings
}
