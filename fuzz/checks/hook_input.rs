//! The input that Git writes to the other hooks: `pre-receive` of a server, `reference-transaction`
//! and `pre-push` of a clone. Every hook gets the same bytes, and a push that parses is also
//! judged.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use git_quorum::charter::{Charter, RefPattern};
use git_quorum::consensus::{Admission, Tally};
use git_quorum::gate::clone::{NewValue, Update, pushes, updates};
use git_quorum::gate::commands::Push;
use git_quorum::gate::links::Links;
use git_quorum::gate::{CheckedProposals, PushedRef, Ruling, Scene, is_ledger_name, judge};
use git_quorum::id::Oid;
use git_quorum::ledger::LedgerRefs;

use super::known;

/// Either every line is parsed exactly, or none is accepted. Only a decision moves a protected ref.
pub fn check(input: &[u8]) {
    if let Ok(push) = Push::read(input) {
        assert_eq!(written(&push), input, "the lines are read as they stand");
        GATE.with(|gate| gate.get_or_init(Gate::new).judge(&push));
    }
    let text = String::from_utf8_lossy(input);
    if let Ok(updates) = updates(input) {
        assert_eq!(updates.len(), text.lines().count());
        updates
            .iter()
            .zip(text.lines())
            .for_each(|(update, line)| check_update(update, line));
    }
    if let Ok(pushes) = pushes(input) {
        assert_eq!(pushes.len(), text.lines().count());
        pushes
            .iter()
            .zip(text.lines())
            .for_each(|(pushed, line)| check_pushed(pushed, line));
    }
}

fn shown(value: Option<Oid>) -> String {
    value.unwrap_or(Oid::new([0; 20])).to_string()
}

fn written(push: &Push) -> Vec<u8> {
    let line = |(pushed, name): (&PushedRef, &[u8])| {
        [
            format!("{} {} ", shown(pushed.old), shown(pushed.new)).as_bytes(),
            name,
            b"\n",
        ]
        .concat()
    };
    push.refs
        .iter()
        .zip(push.raw_names())
        .flat_map(line)
        .collect()
}

/// Zeros of any length mean no value. Every other field is parsed unchanged.
fn check_update(update: &Update, line: &str) {
    let parts: Vec<_> = line.splitn(3, ' ').collect();
    let [old, new, name] = parts[..] else {
        panic!("{line:?} is no update")
    };
    assert_eq!(update.name, name);
    assert_eq!(update.old, value(old));
    let expected = match (new.starts_with("ref:"), value(new)) {
        (true, _) => NewValue::Symbolic,
        (false, Some(oid)) => NewValue::Object(oid),
        (false, None) => NewValue::Nothing,
    };
    assert_eq!(update.new, expected);
}

fn check_pushed(pushed: &PushedRef, line: &str) {
    let (rest, old) = line.rsplit_once(' ').expect("a value");
    let (rest, name) = rest.rsplit_once(' ').expect("a name");
    let (_, new) = rest.rsplit_once(' ').expect("a value");
    assert_eq!(
        (pushed.name.as_str(), pushed.old, pushed.new),
        (name, value(old), value(new))
    );
}

fn value(text: &str) -> Option<Oid> {
    text.parse().ok().filter(|oid| *oid != Oid::new([0; 20]))
}

thread_local! {
    static GATE: OnceCell<Gate> = const { OnceCell::new() };
}

/// Creates a server with the ledger of the vectors, a decision on `main`, and a symbolic ref.
struct Gate {
    tally: Tally,
    refs: LedgerRefs,
    links: Links,
    values: BTreeMap<String, Oid>,
}

impl Gate {
    fn new() -> Gate {
        let tally = known::ledger(known::ENTRIES.len());
        let refs = LedgerRefs::of(tally.dag().ledger());
        let links = BTreeMap::from([(
            "refs/heads/alias".to_owned(),
            Some("refs/heads/main".to_owned()),
        )]);
        let main = ("refs/heads/main".to_owned(), Oid::new([0xaa; 20]));
        let values = BTreeMap::from([main, (refs.genesis(), known::oid_of(known::ENTRIES[0]))]);
        let links = Links::new(links);
        Gate {
            tally,
            refs,
            links,
            values,
        }
    }

    fn charter(&self) -> &Charter {
        &self
            .tally
            .dag()
            .charter(self.tally.charter_in_force())
            .expect("there is one in force")
            .charter
    }

    fn judge(&self, push: &Push) {
        let twice = push.named_twice();
        let scene = Scene {
            charter_before: Some(self.charter()),
            broken_before: &BTreeSet::new(),
            tally: &self.tally,
            admission: Admission::of(&self.tally),
            refs: &self.refs,
            values: &self.values,
            pushed: &push.refs,
            links: &self.links,
            named_twice: &twice,
            lane_tips: &BTreeMap::new(),
            checked: &CheckedProposals::default(),
        };
        let rulings = judge(&scene).rulings;
        assert_eq!(rulings.len(), push.refs.len());
        for (place, (pushed, ruling)) in push.refs.iter().zip(&rulings).enumerate() {
            self.check_ruling(pushed, ruling, twice.contains(&place));
        }
    }

    fn check_ruling(&self, pushed: &PushedRef, ruling: &Ruling, twice: bool) {
        let protects = |pattern: &str, name: &str| match pattern.strip_suffix('*') {
            Some(prefix) => name.len() > prefix.len() && name.starts_with(prefix),
            None => name == pattern,
        };
        let patterns = || self.charter().protected().iter().map(RefPattern::as_str);
        let protected = patterns().any(|pattern| protects(pattern, &pushed.name));
        // A ref whose name differs only in case may be deleted, so that people can get rid of it.
        let lower = pushed.name.to_ascii_lowercase();
        let folds = pushed.new.is_some()
            && patterns().any(|pattern| protects(&pattern.to_ascii_lowercase(), &lower));
        match ruling {
            Ruling::Refuse(_) => {}
            Ruling::FallThrough => {
                assert!(
                    !protected && !folds && !is_ledger_name(&pushed.name),
                    "{pushed:?} goes past the gate"
                );
                assert!(
                    pushed.name != "refs/heads/alias" && !twice,
                    "{pushed:?} goes past the gate"
                );
            }
            Ruling::Allow => assert!(self.may_move(pushed) && !twice, "{pushed:?} is let through"),
        }
    }

    /// Checks that nothing changes except for the one decision on a protected ref.
    fn may_move(&self, pushed: &PushedRef) -> bool {
        let current = self.values.get(&pushed.name).copied();
        let decided = pushed.name == "refs/heads/main" && pushed.new == Some(Oid::new([1; 20]));
        pushed.new == current || (decided && pushed.old == current)
    }
}
