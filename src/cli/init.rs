//! `git quorum init`: founds a ledger with its first charter.

use std::path::{Path, PathBuf};

use super::help::Examples;
use super::reply::{never, reply};
use super::style::Text;
use super::{Answer, Failure, shell};
use crate::charter::{Charter, Member};
use crate::client::actions::init::{Founded, Init, init};
use crate::client::charter_file::{CharterFile, RulesInput, assemble, parse_pattern};
use crate::client::{Code, Result, parse_name, public_key};

/// Create a ledger in this repository and push it.
///
/// With n voting members, f = floor((n-1)/3) may be faulty, and q = floor((n+f)/2)+1 make a quorum.
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
    /// A ref to protect: refs/heads/main, or a prefix that ends in a star, as refs/heads/release/*.
    /// Repeat for each.
    #[arg(
        long,
        value_name = "REF",
        required_unless_present = "charter",
        conflicts_with = "charter"
    )]
    protect: Vec<String>,
    /// A quorum that is larger than the smallest safe one.
    #[arg(long, value_name = "Q", conflicts_with = "charter")]
    quorum: Option<usize>,
    /// Do not count a proposer's approval of its own proposal.
    #[arg(long, conflicts_with = "charter")]
    no_own_approval: bool,
    /// Allow one fault domain more votes than may fail together.
    #[arg(long, conflicts_with = "charter")]
    allow_concentrated_domains: bool,
    /// Read the first charter from a TOML file, instead of the options above.
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

/// Examples for the help, by command.
pub const EXAMPLES: Examples = &[(
    "init",
    &[
        (
            "git quorum init --as alice --key alice --protect main \\\n    --member alice=alice.pub --member bob=bob.pub \\\n    --member carol=carol.pub --member dave=dave.pub",
            "Four members, of which one may be faulty, protect main.",
        ),
        (
            "git quorum init --as alice --key alice --charter first.toml",
            "The same from a file; `git quorum charter show --toml` shows the form.",
        ),
        (
            "git quorum init ... --member ci=ci.pub,vote=no --member eve=eve.pub,role=security,domain=team-b",
            "A member that does not vote, and one with a role and a fault domain.",
        ),
    ],
)];

pub fn run(args: InitArgs) -> Answer {
    let repo = shell::open_repo()?;
    let request = Init {
        charter: first_charter(&args)?,
        founder: parse_name(&args.founder)?,
        key: shell::absolute(&args.key)?,
        agent: args.agent,
        remote: args.remote,
        local: args.local,
    };
    reply(init(&repo, &shell::context(), &request)?, text, never)
}

fn first_charter(args: &InitArgs) -> std::result::Result<Charter, Failure> {
    if let Some(path) = &args.charter {
        let folder = path.parent().unwrap_or(Path::new("."));
        return Ok(CharterFile::read(path)?.charter(folder, |_| Vec::new())?);
    }
    let members: std::result::Result<Vec<_>, Failure> =
        args.members.iter().map(|text| parse_member(text)).collect();
    let protect: Result<Vec<_>> = args.protect.iter().map(|p| parse_pattern(p)).collect();
    let rules = RulesInput {
        quorum: args.quorum,
        own_approval_counts: !args.no_own_approval,
        allow_concentrated_domains: args.allow_concentrated_domains,
    };
    Ok(assemble(members?, protect?, Vec::new(), rules)?)
}

/// Parses `NAME=KEY.pub[,vote=no][,role=R]...[,domain=D]`.
fn parse_member(text: &str) -> std::result::Result<Member, Failure> {
    let bad = |why: &str| Failure::of_code(Code::BadMember, format!("--member {text:?}: {why}."));
    let Some((name, rest)) = text.split_once('=') else {
        return Err(bad("it must begin with NAME=KEY.pub"));
    };
    let name = parse_name(name)?;
    let mut parts = rest.split(',');
    let key = public_key(Path::new(parts.next().unwrap_or_default()))?;
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
                let why = format!("{part:?} is none of vote=no, role=R and domain=D");
                return Err(bad(&why));
            }
        }
    }
    Ok(member)
}

fn text(founded: &Founded) -> Text {
    let protect: Vec<_> = founded.protect.iter().map(|p| p.as_str()).collect();
    let pushed = match &founded.pushed_to {
        Some(remote) => format!("pushed to {remote}"),
        None => "not pushed".to_owned(),
    };
    Text::from(format!(
        "ledger {}\n{} voting members: up to {} may be faulty, {} make a quorum\nprotects {}\n{pushed}",
        founded.ledger,
        founded.n,
        founded.f,
        founded.q,
        protect.join(", "),
    ))
}
