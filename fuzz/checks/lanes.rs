//! Ledgers of arbitrary entries. Honest members do only what their program would do, and liars do
//! anything.
//!
//! Nothing is signed. The tally accepts all signatures, so that an input costs only what the tally
//! costs. An input is a setting of four bytes and then nine bytes for each entry. The layout is
//! fixed, so that a changed byte changes one thing. See [`Setting`] and [`Op`].

use std::cell::RefCell;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash as _, Hasher as _};
use std::time::Duration;

use git_quorum::charter::{
    Charter, CharterRules, FORMAT_VERSION, Member, MemberName, ProposedCharter, PublicKey,
    RefPattern, Removal, Threshold,
};
use git_quorum::consensus::{
    Chain, Decision, Draft, DueVote, Evidence, Patience, ProposalReport, Slot, Subject, Tally,
    Timer,
};
use git_quorum::id::{Digest, EntryId, Oid};
use git_quorum::ledger::{
    CharterProposal, Dag, EntryIndex, GenesisPayload, ParsedEntry, Payload, Precommit, Prevote,
    RefProposal, Review, Statement, Verdict, Withdraw, armour, encode, parse, parse_again,
};
use serde_json::json;

use super::known::signing_key;

/// The most entries that an input makes.
pub const ENTRIES: usize = 20;
/// The bytes of the setting, and of each entry.
pub const SETTING: usize = 4;
pub const OP: usize = 9;

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
const REFS: [&str; 4] = [
    "refs/heads/main",
    "refs/heads/next",
    "refs/heads/later",
    "refs/heads/free",
];
const ROUNDS: [u32; 8] = [0, 1, 2, 3, 4, 5, u32::MAX - 1, u32::MAX];

/// For any entries in any order of arrival, the verdicts, decisions and evidence are the same.
/// Decisions stay. The tally can be written to bytes and read again. An honest member is never
/// convicted, and its statements always count. Agreement holds while at most f members lie, and
/// when it breaks, enough members are convicted.
pub fn check(input: &[u8]) {
    if let Some(world) = World::of(input) {
        world.check(Shares::All);
    }
}

/// Does the same, but runs the expensive checks for a part of the inputs only. So a search covers
/// more ledgers. `tests/fuzz_corpus.rs` runs all checks on what a search keeps.
pub fn check_in_shares(input: &[u8]) {
    if let Some(world) = World::of(input) {
        world.check(Shares::of(input));
    }
}

/// The inputs that get a check: all, or a part chosen by a hash of their bytes. So an input always
/// gets the same checks.
#[derive(Clone, Copy)]
enum Shares {
    All,
    ByHash(u64),
}

/// The checks that only some inputs get. The position selects the bits of the hash.
#[derive(Clone, Copy)]
enum Dear {
    Arrival,
    Ancestors,
    Bytes,
}

impl Dear {
    /// Chooses one input in this number, which is a power of two.
    fn one_in(self) -> u64 {
        match self {
            Dear::Arrival => 4,
            Dear::Ancestors => 8,
            Dear::Bytes => 16,
        }
    }
}

impl Shares {
    fn of(input: &[u8]) -> Shares {
        let mut hasher = DefaultHasher::new();
        input.hash(&mut hasher);
        Shares::ByHash(hasher.finish())
    }

    fn get(self, check: Dear) -> bool {
        match self {
            Shares::All => true,
            Shares::ByHash(hash) => (hash >> (8 * check as u32)).is_multiple_of(check.one_in()),
        }
    }
}

/// How far an input gets. A test uses it to see that the checks have something to check.
#[derive(Debug, Default)]
pub struct Reached {
    /// Entries of honest members.
    pub honest: usize,
    /// Decisions, and decisions under another charter than the first one.
    pub decided: usize,
    pub later: usize,
    /// Pairs of votes that convict, and slots with two decisions.
    pub convicting: usize,
    pub broken: usize,
    /// The reasons why statements do not count.
    pub refused: BTreeSet<&'static str>,
}

/// Returns how far an input gets.
pub fn reached(input: &[u8]) -> Reached {
    let Some(world) = World::of(input) else {
        return Reached::default();
    };
    let (tally, first) = (&world.tally, world.tally.dag().ledger());
    let decisions: Vec<_> = world
        .decided
        .iter()
        .filter_map(|p| tally.decision(*p))
        .collect();
    Reached {
        honest: world
            .made
            .iter()
            .filter(|m| !world.setting.lies(m.member))
            .count(),
        decided: decisions.len(),
        later: decisions.iter().filter(|d| d.charter != first).count(),
        convicting: tally.evidence().len(),
        broken: tally.broken_slots().count(),
        refused: tally
            .discounted()
            .iter()
            .map(|d| d.discount.reason.code())
            .collect(),
    }
}

/// The setting of an input. Byte 0: number of members (bits 0 to 2), whether own approvals count
/// (3), whether the quorum is larger (4). Byte 1: the liars, one bit each. Byte 2: the order of the
/// second arrival. Byte 3: where the written bytes of the tally are damaged.
#[derive(Clone, Copy)]
struct Setting([u8; SETTING]);

impl Setting {
    fn members(self) -> usize {
        1 + usize::from(self.0[0] & 7) % 7
    }

    fn lies(self, member: usize) -> bool {
        self.0[1] >> member & 1 == 1
    }

    fn rules(self, voters: usize) -> CharterRules {
        let most = Threshold::of(voters).q + usize::from(self.0[0] >> 4 & 1);
        CharterRules {
            allow_concentrated_domains: true,
            own_approval_counts: self.0[0] >> 3 & 1 == 0,
            quorum: most.min(voters),
        }
    }
}

/// An operation. Byte 0: the member (bits 0 to 2), its own parent (3, 4), its charter (5 to 7).
/// Byte 1: the members whose last entries it cites, one bit each, or everything if all bits are
/// set. Byte 2: an irregularity (see [`World::odd`]), or that time passes. Then three statements of
/// two bytes: the kind (bits 0 to 2) and the proposal, counted backwards (3 to 7), and an argument.
#[derive(Clone, Copy)]
struct Op<'a>(&'a [u8]);

impl Op<'_> {
    fn byte(self, place: usize) -> u8 {
        self.0.get(place).copied().unwrap_or(0)
    }

    fn member(self) -> usize {
        usize::from(self.byte(0) & 7)
    }

    fn said(self) -> impl Iterator<Item = (u8, usize, u8)> {
        (0..3)
            .map(move |n| (self.byte(3 + 2 * n), self.byte(4 + 2 * n)))
            .map(|(what, arg)| (what & 7, usize::from(what >> 3), arg))
    }
}

/// An entry that the ledger accepted.
struct Made {
    parsed: ParsedEntry,
    id: EntryId,
    member: usize,
    /// The places of its parents in the order of creation, without the genesis.
    parents: Vec<usize>,
    /// The places of its ancestors, as bits.
    ancestors: u64,
}

/// What an honest member knows.
struct Seat {
    tally: Tally,
    has: u64,
    timers: BTreeMap<Timer, Duration>,
}

struct World {
    setting: Setting,
    /// All entries, in the order of creation.
    tally: Tally,
    made: Vec<Made>,
    seats: BTreeMap<usize, Seat>,
    /// All proposals, valid or not.
    proposals: Vec<EntryId>,
    decided: BTreeSet<EntryId>,
}

// ---------------------------------------------------------------- parts that are cached

fn name(member: usize) -> MemberName {
    NAMES[member].parse().expect("a name")
}

fn voter(member: usize) -> Member {
    thread_local! {
        static KEYS: [PublicKey; 8] = NAMES.map(|n| {
            PublicKey::admit(signing_key(n).verifying_key().to_bytes()).expect("a good key")
        });
    }
    let name = name(member);
    Member {
        domain: name.clone(),
        key: KEYS.with(|keys| keys[member]),
        name,
        roles: vec![],
        vote: true,
    }
}

fn patterns(refs: &[&str]) -> Vec<RefPattern> {
    refs.iter()
        .map(|name| name.parse().expect("a pattern"))
        .collect()
}

fn oid_of(id: EntryId) -> Oid {
    let (first, _) = id.bytes().split_first_chunk().expect("it is longer");
    Oid::new(*first)
}

/// Returns the ledger of a setting.
fn founded(setting: Setting) -> Tally {
    thread_local! {
        static KNOWN: RefCell<HashMap<u8, Tally>> = RefCell::default();
    }
    let make = || {
        let members: Vec<_> = (0..setting.members()).map(voter).collect();
        let rules = setting.rules(members.len());
        let charter =
            Charter::new(members, patterns(&REFS[..2]), vec![], rules).expect("a good charter");
        let genesis = GenesisPayload {
            charter,
            member: name(0),
            v: FORMAT_VERSION,
        };
        let unsigned = git_quorum::ledger::encode_genesis(&genesis, 1).expect("a good genesis");
        let key = signing_key(NAMES[0]);
        let signed = git_quorum::ledger::signed_data(&unsigned.signed_bytes);
        let signature = ed25519_dalek::Signer::sign(&key, &signed).to_bytes();
        let parsed = parse(
            &unsigned
                .with_signature(&voter(0).key, &signature)
                .expect("bytes"),
        )
        .expect("an entry");
        let oid = oid_of(parsed.id);
        Tally::found(parsed, oid).expect("a ledger")
    };
    KNOWN.with_borrow_mut(|known| {
        known
            .entry(setting.0[0] & 0x1f)
            .or_insert_with(make)
            .clone()
    })
}

/// Returns the entry of a payload. The result is cached, because making an entry costs more than
/// judging it.
fn entry(payload: &Payload, parents: &[Oid], member: usize) -> ParsedEntry {
    thread_local! {
        static KNOWN: RefCell<HashMap<u64, ParsedEntry>> = RefCell::default();
    }
    const MOST: usize = 20_000;
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= MOST {
            known.clear();
        }
        let make = || {
            let unsigned = encode(payload, parents, 2).expect("an entry that can be made");
            let raw = with_no_signature(&unsigned.signed_bytes, member);
            // The encoding need not be compared with the bytes. The target `entry` does that.
            parse_again(&raw).expect("an entry")
        };
        known
            .entry(fingerprint(payload, member))
            .or_insert_with(make)
            .clone()
    })
}

/// Returns the bytes of an entry with a signature of zeros. The armour of each member is cached.
fn with_no_signature(signed: &[u8], member: usize) -> Vec<u8> {
    thread_local! {
        static HEADERS: [String; 8] = std::array::from_fn(|member| {
            let armour = armour(&voter(member).key, &[0; 64]).expect("an armour");
            format!("gpgsig {}\n", armour.trim_end().replace('\n', "\n "))
        });
    }
    let end = signed
        .windows(2)
        .position(|two| two == b"\n\n")
        .expect("a header");
    let (header, message) = signed.split_at(end + 1);
    HEADERS.with(|headers| [header, headers[member].as_bytes(), message].concat())
}

fn fingerprint(payload: &Payload, signer: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    (
        signer,
        &payload.member,
        payload.seq,
        payload.charter,
        &payload.parents,
    )
        .hash(&mut hasher);
    for statement in &payload.statements {
        match statement {
            Statement::Propose(p) => (0, p.base, &p.name, p.change, p.from).hash(&mut hasher),
            // The title names the variation.
            Statement::ProposeCharter(p) => (1, p.base, &p.title).hash(&mut hasher),
            Statement::Review(r) => (2, r.proposal, r.verdict as u8).hash(&mut hasher),
            Statement::Withdraw(w) => (3, w.proposal).hash(&mut hasher),
            Statement::Prevote(v) => (4, v.proposal, v.round).hash(&mut hasher),
            Statement::Precommit(v) => (5, v.proposal, v.round).hash(&mut hasher),
        }
    }
    hasher.finish()
}

// ---------------------------------------------------------------- acting

impl World {
    fn of(input: &[u8]) -> Option<World> {
        let (setting, ops) = input.split_first_chunk()?;
        let mut world = World::new(Setting(*setting));
        ops.chunks_exact(OP)
            .take(ENTRIES)
            .for_each(|op| world.act(Op(op)));
        Some(world)
    }

    fn new(setting: Setting) -> World {
        World {
            setting,
            tally: founded(setting),
            made: vec![],
            seats: BTreeMap::new(),
            proposals: vec![],
            decided: BTreeSet::new(),
        }
    }

    fn act(&mut self, op: Op<'_>) {
        match self.setting.lies(op.member()) {
            true => self.lie(op),
            false => self.be_honest(op),
        }
        let now = self.proposals.iter().filter(|p| self.tally.is_decided(**p));
        self.decided.extend(now);
    }

    /// Returns the places of the last entries of the members that an entry cites.
    fn cited(&self, op: Op<'_>) -> Vec<usize> {
        let tips = (0..NAMES.len())
            .filter(|m| op.byte(1) >> m & 1 == 1)
            .filter_map(|m| self.last(m));
        tips.collect()
    }

    fn last(&self, member: usize) -> Option<usize> {
        self.made.iter().rposition(|m| m.member == member)
    }

    /// Makes any statements with any parents and full knowledge.
    fn lie(&mut self, op: Op<'_>) {
        let member = op.member();
        let own = match op.byte(0) >> 3 & 3 {
            0 | 1 => self.last(member),
            2 => self
                .last(member)
                .and_then(|last| self.made[..last].iter().rposition(|m| m.member == member)),
            _ => None,
        };
        let mut parents: Vec<usize> = own.into_iter().collect();
        parents.extend(
            self.cited(op)
                .into_iter()
                .filter(|p| self.made[*p].member != member),
        );
        let charter = self.charter(op);
        let said = self.statements(op, charter, &self.tally);
        self.odd(op, member, charter, parents, said);
    }

    /// Adds the entry with at most one irregularity. A refused entry changes nothing.
    fn odd(
        &mut self,
        op: Op<'_>,
        member: usize,
        charter: EntryId,
        mut parents: Vec<usize>,
        said: Vec<Statement>,
    ) {
        let (what, which) = (op.byte(2) >> 5, usize::from(op.byte(2) & 31));
        let any = (!self.made.is_empty()).then(|| which % self.made.len().max(1));
        match (what, any) {
            (1, Some(any)) => parents.push(any),
            (2, Some(any)) => parents.insert(0, any),
            (3, _) => parents.reverse(),
            (4, Some(any)) => self.again(any),
            _ => {}
        }
        let mut payload = self.payload(member, charter, &parents, said);
        match what {
            5 => payload.seq += which as u64,
            6 => payload.parents.reverse(),
            7 => payload.member = name(which % NAMES.len()),
            _ => {}
        }
        self.take(payload, parents, member);
    }

    /// Adds a known entry again, as a commit with another signature.
    fn again(&mut self, place: usize) {
        let made = &self.made[place];
        let mut other = *oid_of(made.id).bytes();
        other.reverse();
        let before = self.tally.dag().find(made.id);
        assert_eq!(
            self.tally
                .insert_checked(made.parsed.clone(), Oid::new(other))
                .ok(),
            before
        );
    }

    /// Makes the statements that the operation asks for and the votes that are due, with the full
    /// knowledge of the member.
    fn be_honest(&mut self, op: Op<'_>) {
        let member = op.member();
        let mut wanted = self.cited(op);
        wanted.extend(self.last(member));
        let first = &self.tally;
        self.seats.entry(member).or_insert_with(|| {
            let tally = if self.made.is_empty() {
                first.clone()
            } else {
                founded(self.setting)
            };
            Seat {
                tally,
                has: 0,
                timers: BTreeMap::new(),
            }
        });
        wanted
            .into_iter()
            .for_each(|place| self.deliver(member, place));
        let Some((charter, said)) = self.due(op, member) else {
            return;
        };
        let seat = &self.seats[&member].tally;
        let above: Vec<_> = above_all(seat.dag(), &name(member))
            .into_iter()
            .map(|p| seat.dag().entry(p).id)
            .collect();
        let parents = above
            .iter()
            .filter_map(|id| self.made.iter().position(|m| m.id == *id))
            .collect::<Vec<_>>();
        let payload = self.payload(member, charter, &parents, said);
        let place = self
            .take(payload, parents, member)
            .expect("what a tool makes is in its place");
        let index = self
            .tally
            .dag()
            .find(self.made[place].id)
            .expect("it was taken in");
        let refused = self
            .tally
            .discounted()
            .iter()
            .find(|d| d.place.entry == index);
        assert!(
            refused.is_none(),
            "a tool says what does not count: {refused:?}"
        );
        self.deliver(member, place);
    }

    /// Adds an entry with everything that it builds on, as a fetch does.
    fn deliver(&mut self, member: usize, place: usize) {
        let seat = self.seats.get_mut(&member).expect("it sits there");
        let missing = (self.made[place].ancestors | 1 << place) & !seat.has;
        for (n, made) in self
            .made
            .iter()
            .enumerate()
            .filter(|(n, _)| missing >> n & 1 == 1)
        {
            seat.tally
                .insert_checked(made.parsed.clone(), oid_of(made.id))
                .expect("it was taken in before");
            seat.has |= 1 << n;
        }
    }

    /// Returns the next statement of an honest member, and its charter. `None` if there is nothing
    /// to say.
    fn due(&mut self, op: Op<'_>, member: usize) -> Option<(EntryId, Vec<Statement>)> {
        let seat = self.seats.get(&member)?;
        let (tally, who) = (&seat.tally, name(member));
        let charter = tally.charter_in_force();
        tally.dag().charter(charter)?.charter.member(&who)?;
        if tally.upgrade_needed().is_some() {
            return None;
        }
        let mut draft = Draft::new(tally, &who, charter, &above_all(tally.dag(), &who));
        let judgements = self
            .statements(op, charter, tally)
            .into_iter()
            .filter(|s| !is_vote(s));
        let mut said = Vec::new();
        for judgement in judgements {
            draft.add(judgement.clone()).ok()?;
            said.push(judgement);
        }
        let seat = self.seats.get_mut(&member)?;
        let waited = if op.byte(2) & 1 == 1 {
            Duration::MAX
        } else {
            Duration::ZERO
        };
        let tell = loop {
            seat.timers
                .values_mut()
                .for_each(|elapsed| *elapsed = (*elapsed).max(waited));
            let due = draft.due(&Patience {
                unit: Duration::from_millis(1),
                elapsed: seat.timers.clone(),
            });
            let started = due.start.len();
            seat.timers
                .extend(due.start.into_iter().map(|timer| (timer, Duration::ZERO)));
            match due.vote {
                Some(DueVote::Prevote(proposal, round)) => {
                    let vote = Statement::Prevote(Prevote { proposal, round });
                    draft.add(vote.clone()).expect("a vote that is due counts");
                    said.push(vote);
                }
                // Nothing is signed here, so the draft cannot contain it. The ledger shows whether
                // it counts.
                Some(DueVote::Precommit(proposal, round)) => {
                    said.push(Statement::Precommit(Precommit {
                        proposal,
                        round,
                        signature: [0; 64],
                    }));
                    break due.tell;
                }
                None if started > 0 && !waited.is_zero() => {}
                None => break due.tell,
            }
        };
        (!said.is_empty() || tell).then_some((charter, said))
    }

    fn payload(
        &self,
        member: usize,
        charter: EntryId,
        parents: &[usize],
        statements: Vec<Statement>,
    ) -> Payload {
        let ledger = self.tally.dag().ledger();
        let starts = parents
            .first()
            .is_none_or(|p| self.made[*p].member != member);
        let own = parents.iter().filter(|p| self.made[**p].member == member);
        let seq = |p: &usize| {
            self.tally
                .dag()
                .find(self.made[*p].id)
                .map_or(0, |e| self.tally.dag().entry(e).seq)
        };
        let seq = 1 + own.map(seq).max().unwrap_or(0);
        let genesis = starts.then_some(ledger);
        let parents = genesis
            .into_iter()
            .chain(parents.iter().map(|p| self.made[*p].id))
            .collect();
        Payload {
            charter,
            ledger,
            member: name(member),
            parents,
            seq,
            statements,
            v: FORMAT_VERSION,
        }
    }

    fn take(&mut self, payload: Payload, parents: Vec<usize>, member: usize) -> Option<usize> {
        let author = NAMES
            .iter()
            .position(|n| *n == payload.member.as_str())
            .expect("one of these");
        let oids: Vec<_> = payload.parents.iter().map(|id| oid_of(*id)).collect();
        let proposes = payload.statements.first().is_some_and(Statement::proposes);
        let parsed = entry(&payload, &oids, member);
        let (id, before) = (parsed.id, self.tally.dag().entries().len());
        let was_in = self.tally.dag().find(id).is_some();
        let taken = self
            .tally
            .insert_checked(parsed.clone(), oid_of(id))
            .is_ok();
        let grown = self.tally.dag().entries().len() - before;
        assert_eq!(
            grown,
            usize::from(taken && !was_in),
            "what is refused, or known, changes nothing"
        );
        if grown == 0 {
            return None;
        }
        let ancestors = parents
            .iter()
            .fold(0, |all, p| all | self.made[*p].ancestors | 1 << p);
        self.made.push(Made {
            parsed,
            id,
            member: author,
            parents,
            ancestors,
        });
        if proposes {
            self.proposals.push(id);
        }
        Some(self.made.len() - 1)
    }
}

fn is_vote(statement: &Statement) -> bool {
    matches!(statement, Statement::Prevote(_) | Statement::Precommit(_))
}

fn above_all(dag: &Dag, who: &MemberName) -> Vec<EntryIndex> {
    let genesis = dag.find(dag.ledger());
    let own = dag.tips(who).last().copied().or(genesis);
    own.into_iter()
        .chain(
            dag.childless()
                .filter(|t| Some(*t) != own && Some(*t) != genesis),
        )
        .collect()
}

// ---------------------------------------------------------------- statements

impl World {
    /// Returns the charter in force, the first charter, or a proposed one.
    fn charter(&self, op: Op<'_>) -> EntryId {
        match op.byte(0) >> 5 {
            0..4 => self.tally.charter_in_force(),
            4 => self.tally.dag().ledger(),
            back => self.target(usize::from(back - 5)),
        }
    }

    /// Returns a proposal, counted backwards from the last one, or an id that is no proposal if
    /// there is none.
    fn target(&self, back: usize) -> EntryId {
        let place = self
            .proposals
            .len()
            .checked_sub(1 + back % self.proposals.len().max(1));
        place
            .and_then(|place| self.proposals.get(place))
            .copied()
            .unwrap_or(EntryId::new([0xee; 32]))
    }

    /// Returns the statement of an operation. A proposal is allowed only in some places.
    fn statements(&self, op: Op<'_>, charter: EntryId, tally: &Tally) -> Vec<Statement> {
        let mut said: Vec<Statement> = Vec::new();
        for (kind, back, arg) in op.said() {
            let proposal = self.target(back);
            let round = ROUNDS[usize::from(arg & 7)];
            let next = match kind {
                1 if said.is_empty() => {
                    Some(Statement::Propose(self.propose(tally, proposal, arg)))
                }
                2 if said.is_empty() => propose_charter(self.setting, tally, charter, arg),
                3 => Some(review(proposal, Verdict::Approve)),
                4 => Some(match arg % 3 {
                    0 => review(proposal, Verdict::Reject),
                    1 => review(proposal, Verdict::Abstain),
                    _ => Statement::Withdraw(Withdraw { proposal }),
                }),
                5 => Some(Statement::Prevote(Prevote { proposal, round })),
                6 => Some(Statement::Precommit(Precommit {
                    proposal,
                    round,
                    signature: [0; 64],
                })),
                _ => None,
            };
            said.extend(next);
        }
        said
    }

    /// Returns a proposal. Its argument has the ref (bits 0, 1), the base (2, 3), and one of
    /// several moves (4 to 7).
    fn propose(&self, tally: &Tally, proposal: EntryId, arg: u8) -> RefProposal {
        let name: git_quorum::charter::RefName =
            REFS[usize::from(arg & 3)].parse().expect("a name");
        let next = tally
            .chain(&Subject::Ref(name.clone()))
            .map(|chain| chain.next.base);
        let base = match arg >> 2 & 3 {
            0 | 1 => next.unwrap_or(tally.dag().ledger()),
            2 => tally.dag().ledger(),
            _ => proposal,
        };
        let n = 1 + (arg >> 4);
        RefProposal {
            base,
            change: Digest::new([n; 32]),
            from: Some(Oid::new([0xaa; 20])),
            name,
            rewrite: false,
            state: Digest::new([n; 32]),
            text: String::new(),
            title: "t".to_owned(),
            to: Some(Oid::new([n; 20])),
        }
    }
}

fn review(proposal: EntryId, verdict: Verdict) -> Statement {
    Statement::Review(Review {
        evidence: vec![],
        proposal,
        text: String::new(),
        verdict,
    })
}

/// Returns a variation of the charter that an entry is made under.
fn propose_charter(setting: Setting, tally: &Tally, base: EntryId, arg: u8) -> Option<Statement> {
    let before = &tally.dag().charter(base)?.charter;
    let (mut members, mut protect) = (before.members().to_vec(), before.protected().to_vec());
    let mut removed = before.removed().to_vec();
    let variation = arg & 7;
    match variation {
        0 => {
            let is_free = |m: &usize| {
                before.member(&name(*m)).is_none() && removed.iter().all(|r| r.name != name(*m))
            };
            members.push(voter((0..NAMES.len()).find(is_free)?));
            members.sort_by(|a, b| a.name.cmp(&b.name));
        }
        1 | 2 => {
            let gone = members.pop()?;
            if variation == 1 {
                removed.push(Removal {
                    key: gone.key,
                    last: None,
                    name: gone.name,
                });
                removed.sort_by(|a, b| a.name.cmp(&b.name));
            }
        }
        3 => protect = patterns(&["refs/heads/later", "refs/heads/main", "refs/heads/next"]),
        4 => protect = patterns(&["refs/heads/main"]),
        5 => members.last_mut()?.vote = false,
        6 => protect = patterns(&["refs/heads/next"]),
        _ => {}
    }
    let rules = setting.rules(members.iter().filter(|m| m.vote).count());
    let charter = match variation {
        7 => ProposedCharter::Newer {
            version: 2,
            value: json!({"v": 2}),
        },
        _ => ProposedCharter::Known(Box::new(
            Charter::new(members, protect, removed, rules).ok()?,
        )),
    };
    Some(Statement::ProposeCharter(CharterProposal {
        base,
        charter,
        text: String::new(),
        title: format!("{}", arg),
    }))
}

// ---------------------------------------------------------------- checking

/// Returns everything that a tally reports, independent of the order of arrival.
#[derive(Debug, PartialEq)]
struct Told {
    refused: BTreeSet<(EntryId, usize, &'static str)>,
    evidence: Vec<Evidence>,
    broken: Vec<Slot>,
    proposals: Vec<(Option<Decision>, Option<ProposalReport>)>,
    chains: Vec<Option<Chain>>,
    upgrade: Option<u64>,
    history: Vec<EntryId>,
}

impl Told {
    fn by(tally: &Tally) -> Told {
        let dag = tally.dag();
        let refused = tally.discounted().iter();
        let refused = refused.map(|d| {
            (
                dag.entry(d.place.entry).id,
                d.place.statement,
                d.discount.reason.code(),
            )
        });
        let subjects = tally.subjects().chain([&Subject::Charter]);
        Told {
            refused: refused.collect(),
            evidence: tally.evidence(),
            broken: tally.broken_slots().cloned().collect(),
            proposals: tally
                .proposals()
                .map(|p| (tally.decision(p.id), tally.report(p.id)))
                .collect(),
            chains: subjects.map(|subject| tally.chain(subject)).collect(),
            upgrade: tally.upgrade_needed(),
            history: dag.history().into_iter().map(|e| dag.entry(e).id).collect(),
        }
    }
}

impl World {
    fn check(&self, shares: Shares) {
        if shares.get(Dear::Ancestors) {
            self.check_ancestors();
        }
        if shares.get(Dear::Arrival) {
            assert_eq!(
                Told::by(&self.arrived_otherwise()),
                Told::by(&self.tally),
                "the order of arrival shows"
            );
        }
        if shares.get(Dear::Bytes) {
            self.check_bytes();
        }
        let evidence = self.tally.evidence();
        self.check_honest(&evidence);
        self.check_agreement(&evidence);
        assert!(
            self.decided.iter().all(|p| self.tally.is_decided(*p)),
            "a decision is gone"
        );
        for seat in self.seats.values() {
            let decided = seat
                .tally
                .proposals()
                .filter(|p| seat.tally.is_decided(p.id));
            assert!(
                decided.into_iter().all(|p| self.tally.is_decided(p.id)),
                "what a part decides, the whole does"
            );
        }
    }

    /// Checks the answers of the dag against plain sets.
    fn check_ancestors(&self) {
        let dag = self.tally.dag();
        let index = |made: &Made| dag.find(made.id).expect("it was taken in");
        let indices: Vec<_> = self.made.iter().map(index).collect();
        for (n, made) in self.made.iter().enumerate() {
            for (other, at) in indices.iter().enumerate() {
                assert_eq!(
                    dag.reaches(*at, indices[n]),
                    other == n || made.ancestors >> other & 1 == 1
                );
            }
        }
    }

    /// Returns the same entries in another order, parents first.
    fn arrived_otherwise(&self) -> Tally {
        let mut tally = founded(self.setting);
        let mut left: Vec<usize> = (0..self.made.len()).rev().collect();
        let (mut state, mut has) = (u32::from(self.setting.0[2]), 0_u64);
        while !left.is_empty() {
            state = state.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
            let from = (state >> 16) as usize % left.len();
            let is_ready =
                |place: &usize| self.made[*place].parents.iter().all(|p| has >> p & 1 == 1);
            let turn = (0..left.len())
                .map(|n| (from + n) % left.len())
                .find(|n| is_ready(&left[*n]))
                .expect("some is ready");
            let place = left.remove(turn);
            let Made { parsed, id, .. } = &self.made[place];
            tally
                .insert_checked(parsed.clone(), oid_of(*id))
                .expect("it was taken in before");
            has |= 1 << place;
        }
        tally
    }

    fn check_bytes(&self) {
        let mut bytes = self.tally.to_bytes();
        let again = Tally::from_bytes(bytes.clone()).expect("what was written is read");
        assert!(
            again.to_bytes() == bytes,
            "what was read is written the same"
        );
        let damaged = usize::from(self.setting.0[3]) * bytes.len() / 256;
        bytes[damaged] ^= 1 + (self.setting.0[3] & 0x7f);
        assert!(
            Tally::from_bytes(bytes).is_none(),
            "damage at {damaged} goes unnoticed"
        );
    }

    fn check_honest(&self, evidence: &[Evidence]) {
        for convicted in evidence {
            let member = NAMES
                .iter()
                .position(|n| *n == convicted.member.as_str())
                .expect("one of these");
            assert!(
                self.setting.lies(member),
                "{} is convicted and did nothing wrong",
                NAMES[member]
            );
        }
    }

    fn check_agreement(&self, evidence: &[Evidence]) {
        let dag = self.tally.dag();
        let charters = self
            .proposals
            .iter()
            .copied()
            .chain([dag.ledger()])
            .filter_map(|id| dag.charter(id));
        let lies = |m: &Member| {
            NAMES
                .iter()
                .position(|n| *n == m.name.as_str())
                .is_some_and(|m| self.setting.lies(m))
        };
        let bears = |charter: &Charter| {
            charter.voters().filter(|m| lies(m)).count() <= charter.threshold().f
        };
        let holds = charters.into_iter().all(|node| bears(&node.charter));
        for slot in self.tally.broken_slots() {
            assert!(!holds, "agreement breaks with no more liars than are borne");
            let charters: Vec<_> = self
                .tally
                .decided_in(slot)
                .iter()
                .filter_map(|p| self.tally.decision(*p))
                .map(|d| d.charter)
                .collect();
            let twice = charters
                .iter()
                .find(|c| charters.iter().filter(|other| other == c).count() > 1);
            let Some(charter) = twice else { continue };
            let named = evidence
                .iter()
                .filter(|e| e.charter == *charter && e.slot == slot.id());
            let named: BTreeSet<_> = named.map(|e| &e.member).collect();
            let culprits = dag
                .charter(*charter)
                .expect("it decided")
                .charter
                .threshold()
                .culprits();
            assert!(
                named.len() >= culprits,
                "{} of {culprits} culprits are named",
                named.len()
            );
        }
    }
}
