//! The story: what the agents, the liar and a reader do, step by step, and the expected result of
//! each step.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::cue::Cue;
use super::failed;
use super::liar::{Liar, Seen, approval, prevote};
use super::play::Play;
use crate::cli::Failure;
use crate::id::EntryId;

/// The members. Each is an agent with a clone and a key.
pub const MEMBERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// The members that follow the rules.
const HONEST: [&str; 3] = ["alice", "bob", "carol"];

/// The member that breaks the rules: its agent is silent, and a liar has its key.
pub const FAULTY: &str = "dave";

/// The name of the liar.
pub const LIAR: &str = "liar";

/// The reader, who verifies at the end.
const READER: &str = "reader";

/// Patience for round 0.
const PATIENCE: &str = "100ms";

/// The protected ref.
const MAIN: &str = "refs/heads/main";

/// The titles of the two rivals.
const ALICES: &str = "Retry three times";
const BOBS: &str = "Retry with growing pauses";

/// The introduction, printed before the first step.
pub const INTRODUCTION: [&str; 2] = [
    "Four agents share a bare repository: n = 4 members, f = 1 may fail in any way, and q = 3 decide.",
    "dave is the faulty one: its agent is silent throughout, and a liar holds its key; one member, one vote a round. \
     The other three follow the rules: a quorum, neither to be misled nor stopped.",
];

/// The result of the story.
pub struct Ending {
    /// The ledger.
    pub ledger: EntryId,
    /// The proposal that was decided.
    pub decided: EntryId,
    /// Its rival.
    pub rival: EntryId,
    /// The round in which it was decided.
    pub round: u64,
}

/// The rivals, and the liar among them.
struct Cast {
    liar: Liar,
    ledger: EntryId,
    alices: EntryId,
    bobs: EntryId,
}

/// Plays the whole story.
pub fn play(play: &mut Play) -> Result<Ending, Failure> {
    backstage(play)?;
    let ledger = found(play)?;
    push_directly(play)?;
    let (alices, bobs) = propose_rivals(play)?;
    let liar = Liar::with_key(play, &format!("keys/{FAULTY}"), ledger)?;
    let cast = Cast {
        liar,
        ledger,
        alices,
        bobs,
    };
    split(play, &cast)?;
    wait_for_the_silent(play, &cast)?;
    forge(play, &cast)?;
    replay(play, &cast)?;
    vote_both_ways(play, &cast)?;
    let round = decide(play, &cast)?;
    convict(play)?;
    land(play, &cast)?;
    push_rival(play, &cast)?;
    verify(play, &cast)?;
    Ok(Ending {
        ledger,
        decided: bobs,
        rival: alices,
        round,
    })
}

/// The server with one commit, the clones and the keys.
fn backstage(play: &Play) -> Result<(), Failure> {
    play.run(&Cue::git(
        "",
        &["init", "--quiet", "--bare", super::stage::SERVER],
    ))?;
    for agent in MEMBERS.iter().chain([&LIAR]) {
        clone(play, agent)?;
    }
    for member in MEMBERS {
        play.run(&Cue::quorum("", &["keygen", member, "--dir", "keys"]))?;
    }
    let member =
        |name: &str| format!("[[members]]\nname = \"{name}\"\nkey_file = \"keys/{name}.pub\"\n");
    let charter = format!("protect = [\"main\"]\n{}", MEMBERS.map(member).concat());
    write(&play.stage.folder().join("charter.toml"), &charter)?;
    commit(play, "alice", "fetch.txt", "retries = 0\n", "Fetch")?;
    play.run(&Cue::git(
        "alice",
        &["push", "--quiet", "origin", "HEAD:main"],
    ))?;
    for agent in MEMBERS.iter().chain([&LIAR]).skip(1) {
        play.run(&Cue::git(agent, &["pull", "--quiet", "origin", "main"]))?;
    }
    Ok(())
}

fn clone(play: &Play, who: &'static str) -> Result<(), Failure> {
    let settings = [
        format!("user.name={who}"),
        format!("user.email={who}@example.org"),
        format!("quorum.patience={PATIENCE}"),
        "commit.gpgsign=false".to_owned(),
    ];
    let server = play.server_path();
    let mut args = vec!["clone", "--quiet"];
    args.extend(settings.iter().flat_map(|setting| ["-c", setting.as_str()]));
    args.extend([server.as_str(), who]);
    play.run(&Cue::git("", &args)).map(drop)
}

fn commit(
    play: &Play,
    who: &'static str,
    file: &str,
    text: &str,
    title: &str,
) -> Result<(), Failure> {
    write(&play.stage.folder().join(who).join(file), text)?;
    play.run(&Cue::git(who, &["add", file]))?;
    play.run(&Cue::git(who, &["commit", "--quiet", "-m", title]))
        .map(drop)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|e| failed(format!("cannot write {}: {e}", path.display())))
}

fn found(play: &mut Play) -> Result<EntryId, Failure> {
    play.step(
        "gate",
        "The ledger and the gate: from now on main moves by decisions of the members only.",
    )?;
    let args = [
        "init",
        "--charter",
        "../charter.toml",
        "--as",
        "alice",
        "--key",
        "../keys/alice",
    ];
    play.show(
        &Cue::quorum("alice", &args)
            .prints(&["4 voting members: up to 1 may be faulty, 3 make a quorum"]),
    )?;
    play.show(&Cue::quorum("server", &["install", "--server"]).prints(&["The gate is in place"]))?;
    let status = play.ask("alice", &["status"], "")?;
    let ledger = id(play, status.get("ledger"))?;
    let text = ledger.to_string();
    for member in MEMBERS.iter().skip(1) {
        let key = format!("../keys/{member}");
        play.run(&Cue::quorum(
            member,
            &["join", "--as", member, "--key", &key, "--genesis", &text],
        ))?;
    }
    let numbers = json!([status.get("n"), status.get("f"), status.get("q")]);
    play.fact("n_f_q", numbers.clone(), numbers == json!([4, 1, 3]))?;
    Ok(ledger)
}

fn push_directly(play: &mut Play) -> Result<(), Failure> {
    play.run(&Cue::git("alice", &["switch", "--quiet", "-c", "retry"]))?;
    commit(play, "alice", "fetch.txt", "retries = 3\n", ALICES)?;
    play.step(
        "direct-push",
        "A direct push to main is refused: no decision is behind it.",
    )?;
    let cue = Cue::git("alice", &["push", "origin", "HEAD:main"]).fails(1);
    play.show_refused(&cue.prints(&["remote: refs/heads/main:…[NO_PROPOSAL]"]))
}

fn propose_rivals(play: &mut Play) -> Result<(EntryId, EntryId), Failure> {
    play.run(&Cue::git("bob", &["switch", "--quiet", "-c", "retry"]))?;
    commit(play, "bob", "fetch.txt", "retries = growing\n", BOBS)?;
    play.step(
        "rivals",
        "Two rivals for one slot: bob and alice propose at once, neither having seen the other.",
    )?;
    play.show(
        &Cue::quorum("bob", &["propose", "-m", BOBS, "--local"])
            .prints(&[&format!("…{MAIN}…{BOBS}")]),
    )?;
    play.show(
        &Cue::quorum("alice", &["propose", "-m", ALICES]).prints(&[&format!("…{MAIN}…{ALICES}")]),
    )?;
    play.run(&Cue::quorum("bob", &["sync"]))?;
    play.run(&Cue::quorum("alice", &["sync"]))?;
    let status = play.ask("alice", &["status"], "")?;
    let (alices, bobs) = (titled(play, &status, ALICES)?, titled(play, &status, BOBS)?);
    let rivals = play.ask(
        "alice",
        &["status", &alices.to_string()],
        "/proposal/rivals/shown",
    )?;
    play.fact("rivals", rivals.clone(), rivals == json!([bobs]))?;
    Ok((alices, bobs))
}

fn split(play: &mut Play, cast: &Cast) -> Result<(), Failure> {
    play.step(
        "split",
        "Votes split. Each proposer prevoted its own at once. alice and carol approve bob's: one may approve rivals, but prevotes once a round. So it is 2 to 1, and 3 are needed.",
    )?;
    let bobs = cast.bobs.short();
    let review = |text| ["review", &bobs, "--approve", "-m", text];
    play.show(&Cue::quorum("alice", &review("Better than mine")))?;
    play.show(&Cue::quorum("carol", &review("Tests pass")))?;
    play.show(&Cue::quorum("carol", &["status", &bobs]).prints(&["round 0: prevotes"]))?;
    let round = play.ask("carol", &["status", &bobs], "/rounds/shown/0")?;
    let expected =
        json!({cast.alices.to_string(): ["alice"], cast.bobs.to_string(): ["bob", "carol"]});
    let prevotes = member(&round, "prevotes");
    play.fact("prevotes", prevotes.clone(), prevotes == expected)?;
    let precommits = member(&round, "precommits");
    play.fact("precommits", precommits.clone(), precommits == json!({}))
}

/// Nobody can tell a silent member from a slow one, so the patience must run out.
fn wait_for_the_silent(play: &mut Play, cast: &Cast) -> Result<(), Failure> {
    play.step(
        "silence",
        "dave's prevote could still make it 3, and none can tell silent from slow: they wait, but only as long as their patience (100 ms here) lasts. Then they go on to round 1.",
    )?;
    std::thread::sleep(std::time::Duration::from_millis(100));
    play.show(&Cue::quorum("carol", &["sync"]).prints(&["waits up to…round 1"]))?;
    for member in HONEST {
        play.until("every honest member has left round 0", |play| {
            has_left_round_0(play, member, cast)
        })?;
    }
    play.fact("left_round_0", json!(HONEST), true)?;
    let missing = play.ask(
        "carol",
        &["status", &cast.bobs.to_string()],
        "/proposal/missing",
    )?;
    let names_it = missing
        .as_array()
        .is_some_and(|names| names.contains(&json!(FAULTY)));
    play.fact("missing", missing, names_it)
}

fn has_left_round_0(play: &Play, agent: &'static str, cast: &Cast) -> Result<bool, Failure> {
    let later = |found: &&Value| number(found, "round") > 0;
    let waiting = play.ask(agent, &["sync"], "/waiting")?;
    let rounds = play.ask(agent, &["status", &cast.bobs.to_string()], "/rounds/shown")?;
    let mut votes = items(&rounds)
        .filter(later)
        .flat_map(|r| [member(r, "prevotes"), member(r, "precommits")]);
    Ok(items(&waiting).any(|w| later(&w)) || votes.any(|v| voters(&v).contains(agent)))
}

/// All members in a map from proposals to members.
fn voters(votes: &Value) -> BTreeSet<String> {
    let lists = votes.as_object().into_iter().flat_map(|map| map.values());
    lists
        .flat_map(items)
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn forge(play: &mut Play, cast: &Cast) -> Result<(), Failure> {
    play.step(
        "forgery",
        "The liar forges carol's approval of alice's proposal; but it has dave's key, not hers.",
    )?;
    let hers = cast.liar.look_at_lane(play, "carol")?;
    let forged = cast
        .liar
        .sign(play, "carol", &[&hers], vec![approval(cast.alices)])?;
    push_lie(
        play,
        cast,
        &forged,
        "carol",
        &["remote: …lane/carol:…[BAD_ENTRY]", "remote:…BAD_SIGNATURE"],
    )
}

fn replay(play: &mut Play, cast: &Cast) -> Result<(), Failure> {
    play.step(
        "replay",
        "It replays what others did sign: bob's last entry as dave's, and alice's as her next one. Signed bytes name ledger, member, number and parents; they fit nowhere else.",
    )?;
    let bobs = cast.liar.look_at_lane(play, "bob")?;
    push_lie(
        play,
        cast,
        &bobs,
        FAULTY,
        &["remote: …lane/dave:…[BAD_ENTRY]", "remote:…BAD_LANE"],
    )?;
    let alices = cast.liar.look_at_lane(play, "alice")?;
    let again = cast.liar.transplant(play, &alices, alices.oid)?;
    push_lie(
        play,
        cast,
        &again,
        "alice",
        &[
            "remote: …lane/alice:…[BAD_ENTRY]",
            "remote:…PARENT_MISMATCH",
        ],
    )
}

fn push_lie(
    play: &mut Play,
    cast: &Cast,
    lie: &Seen,
    lane: &str,
    lines: &[&str],
) -> Result<(), Failure> {
    let name = cast.liar.refs.lane(&crate::client::parse_name(lane)?);
    play.show_refused(
        &Cue::git(LIAR, &["push", "origin", &format!("{}:{name}", lie.oid)])
            .fails(1)
            .prints(lines),
    )
}

fn vote_both_ways(play: &mut Play, cast: &Cast) -> Result<(), Failure> {
    play.step(
        "both-ways",
        "With dave's key it can lie: prevotes for both rivals, on two branches of dave's lane. The gate takes them and both count, but never for two quorums: honest members prevote once a round.",
    )?;
    let genesis = cast.liar.look(play, &cast.liar.refs.genesis())?;
    let [a, b, c] =
        [("alice"), ("bob"), ("carol")].map(|member| cast.liar.look_at_lane(play, member));
    let (a, b, c) = (a?, b?, c?);
    let says = |proposal| vec![approval(proposal), prevote(proposal)];
    let known = [&genesis, &a, &b, &c];
    let one = cast.liar.sign(play, FAULTY, &known, says(cast.alices))?;
    let other = cast.liar.sign(play, FAULTY, &known, says(cast.bobs))?;
    let both = cast.liar.sign(play, FAULTY, &[&one, &other], Vec::new())?;
    let name = cast.liar.refs.lane(&crate::client::parse_name(FAULTY)?);
    play.show(&Cue::git(
        LIAR,
        &["push", "origin", &format!("{}:{name}", both.oid)],
    ))?;
    play.run(&Cue::quorum("bob", &["sync"]))?;
    play.show(&Cue::quorum("bob", &["status", &cast.bobs.short()]).prints(&["round 0: prevotes"]))?;
    let prevotes = play.ask(
        "bob",
        &["status", &cast.bobs.to_string()],
        "/rounds/shown/0/prevotes",
    )?;
    let expected = json!({cast.alices.to_string(): ["alice", FAULTY], cast.bobs.to_string(): ["bob", "carol", FAULTY]});
    play.fact("prevotes", prevotes.clone(), prevotes == expected)?;
    play.fact("entries", json!([one.id, other.id, both.id]), true)
}

fn decide(play: &mut Play, cast: &Cast) -> Result<u64, Failure> {
    play.step(
        "decision",
        "The three vote on, each with `git quorum sync`. None precommits in a round that it has left, so round 0 decides nothing. In round 1 all prevote what a quorum approves: decided.",
    )?;
    let bobs = cast.bobs.to_string();
    play.until("a decision", |play| {
        for member in HONEST {
            play.run(&Cue::quorum(member, &["sync"]))?;
        }
        Ok(play.ask("alice", &["status", &bobs], "/state")? == "decided")
    })?;
    let found = play.ask("alice", &["show", &bobs], "/decision")?;
    let round = number(&found, "round");
    let (title, votes) = (format!("…decided…{BOBS}"), format!("round {round}: pre"));
    play.show(&Cue::quorum("alice", &["status", &cast.bobs.short()]).prints(&[&title, &votes]))?;
    play.fact("decided", json!(cast.bobs), true)?;
    play.fact("round", json!(round), round > 0)?;
    let by: BTreeSet<_> = member(&found, "precommits")
        .as_object()
        .into_iter()
        .flat_map(|map| map.keys().cloned())
        .collect();
    play.fact(
        "precommits",
        json!(by),
        by.iter().all(|m| HONEST.contains(&m.as_str())) && by.len() == 3,
    )?;
    let rival = play.ask("alice", &["status", &cast.alices.to_string()], "/state")?;
    play.fact("rival", rival.clone(), rival == "superseded")
        .map(|()| round)
}

fn convict(play: &mut Play) -> Result<(), Failure> {
    play.step(
        "evidence",
        "The two votes convict their author: the signed pair stays in the ledger for all to check.",
    )?;
    play.run(&Cue::quorum("carol", &["sync"]))?;
    play.show(&Cue::quorum("carol", &["status"]).prints(&["equivocation (rule 7 (i))"]))?;
    let evidence = play.ask("carol", &["status"], "/evidence/shown")?;
    play.fact(
        "convicted",
        json!(convicted(&evidence)),
        convicted(&evidence) == BTreeSet::from([FAULTY.to_owned()]),
    )?;
    let rules: BTreeSet<_> = items(&evidence)
        .map(|e| member(e, "rule"))
        .filter_map(|rule| rule.as_str().map(str::to_owned))
        .collect();
    play.fact(
        "rules",
        json!(rules),
        rules == BTreeSet::from(["equivocation".to_owned()]),
    )?;
    let signed = fs::read_dir(play.stage.state(FAULTY)).map_or(0, Iterator::count);
    play.fact(
        "ledgers_in_which_daves_own_agent_signed",
        json!(signed),
        signed == 0,
    )
}

fn convicted(evidence: &Value) -> BTreeSet<String> {
    items(evidence)
        .map(|e| member(e, "member"))
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}

fn land(play: &mut Play, cast: &Cast) -> Result<(), Failure> {
    play.step(
        "landing",
        "The decision lands: whoever pushes it, the gate lets it through.",
    )?;
    play.show(&Cue::quorum("alice", &["land"]).prints(&["refs/heads/main is now"]))?;
    let to = play.ask("alice", &["show", &cast.bobs.to_string()], "/proposal/to")?;
    let main = play.server_refs()?.get(MAIN).cloned().unwrap_or_default();
    play.fact("main", json!(main), to == json!(main))
}

fn push_rival(play: &mut Play, cast: &Cast) -> Result<(), Failure> {
    play.step(
        "rival-refused",
        "The rival is refused from now on, even with force.",
    )?;
    let cue = Cue::git("alice", &["push", "--force", "origin", "retry:main"]).fails(1);
    let rivals = format!("remote:…{}…{}", cast.alices.short(), cast.bobs.short());
    play.show_refused(&cue.prints(&["remote: refs/heads/main:…[SUPERSEDED]", &rivals]))
}

fn verify(play: &mut Play, cast: &Cast) -> Result<(), Failure> {
    play.step(
        "verify",
        "Anyone checks all of it, offline, from a fresh clone and the ledger id.",
    )?;
    let (server, ledger) = (play.server_path(), cast.ledger.to_string());
    play.show(&Cue::git("", &["clone", "--quiet", &server, READER]))?;
    play.show(&Cue::quorum(READER, &["join", "--genesis", &ledger]))?;
    let lines = ["every signature checked", "refs/heads/main (origin)…backed"];
    play.show(&Cue::quorum(READER, &["verify"]).prints(&lines))?;
    let found = play.ask(READER, &["verify"], "")?;
    let (pinned, violations) = (
        member(&found, "pinned"),
        member(&found["violations"], "shown"),
    );
    play.fact("pinned", pinned.clone(), pinned == true)?;
    play.fact("violations", violations.clone(), violations == json!([]))?;
    let backed = items(&member(&found["refs"], "shown")).all(|r| member(r, "backing") == "backed");
    play.fact("backed", json!(backed), backed)?;
    let members = convicted(&member(&found["evidence"], "shown"));
    play.fact(
        "convicted",
        json!(members),
        members == BTreeSet::from([FAULTY.to_owned()]),
    )
}

/// The value of a field of an object. Null if there is none.
fn member(object: &Value, name: &str) -> Value {
    object.get(name).cloned().unwrap_or_default()
}

/// The items of a list. Empty for any other value.
fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn number(object: &Value, name: &str) -> u64 {
    object.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn id(play: &Play, value: Option<&Value>) -> Result<EntryId, Failure> {
    let text = value.and_then(Value::as_str).unwrap_or_default();
    text.parse()
        .map_err(|e: crate::id::IdError| play.wrong(&e.to_string()))
}

fn titled(play: &Play, status: &Value, title: &str) -> Result<EntryId, Failure> {
    let proposals = member(&status["proposals"], "shown");
    let found = items(&proposals).find(|p| member(p, "title") == title);
    id(play, found.and_then(|p| p.get("id")))
}
