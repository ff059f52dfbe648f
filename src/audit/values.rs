//! Lists the known values of protected refs: those of this repository, those that remotes showed,
//! and those that Git fetched. Reads refs; judges nothing.

use std::collections::BTreeSet;

use super::backing::Place;
use crate::charter::RefName;
use crate::id::Oid;
use crate::repo::RepoError;
use crate::store::{LaneProblem, Loaded};

/// The prefix of Git's remote-tracking refs.
const TRACKING: &str = "refs/remotes/";

/// A value of a protected ref, and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectedValue {
    /// The ref.
    pub name: RefName,
    /// Where the value was found.
    pub place: Place,
    /// The value. `None` if the ref is absent there.
    pub value: Option<Oid>,
}

/// Returns every known value of a protected ref: here, as remotes showed it last, and as Git fetched it
/// since. `remote` is the remote that this clone exchanges with.
///
/// A ref that has decisions and is absent counts as a value too, because its deletion needs a decision.
pub fn known_values(
    loaded: &Loaded,
    remote: Option<&str>,
) -> Result<Vec<ProtectedValue>, RepoError> {
    let mut found = current_values(loaded)?;
    let fetched = fetched_since(loaded, &found)?;
    found.extend(fetched);
    let place = match remote {
        Some(remote) => shown_remote(loaded, remote)?.unwrap_or(Place::Here),
        None => Place::Here,
    };
    let absent = absent_values(loaded, &place, &found);
    found.extend(absent);
    Ok(found)
}

/// Returns the known values of one ref. If there is none, returns that the ref is absent here.
pub fn values_of(known: &[ProtectedValue], name: &RefName) -> Vec<ProtectedValue> {
    let values: Vec<_> = known.iter().filter(|v| v.name == *name).cloned().collect();
    if !values.is_empty() {
        return values;
    }
    vec![ProtectedValue {
        name: name.clone(),
        place: Place::Here,
        value: None,
    }]
}

/// Returns the first lane whose entry is missing from the object database.
///
/// Git stores a ref only together with all objects that it leads to, so a missing entry was lost here.
/// Without the entry, a decision could look as if it had never been made.
pub fn missing_entry(loaded: &Loaded) -> Result<Option<&LaneProblem>, RepoError> {
    for problem in &loaded.problems {
        if !loaded.objects().contains(problem.culprit)? {
            return Ok(Some(problem));
        }
    }
    Ok(None)
}

/// Returns the values of refs here and those fetched from remotes together with the lanes.
fn current_values(loaded: &Loaded) -> Result<Vec<ProtectedValue>, RepoError> {
    let tally = &loaded.tally;
    let Some(in_force) = tally.dag().charter(tally.charter_in_force()) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for (full_name, oid) in loaded.objects().repo().list(&["refs/"])? {
        let (place, name) = match loaded.refs.read_incoming(&full_name) {
            Some((remote, name)) => (Place::Remote(remote), name),
            None => (Place::Here, full_name),
        };
        let Ok(name) = name.parse::<RefName>() else {
            continue;
        };
        if in_force.charter.protects(&name) {
            found.push(ProtectedValue {
                name,
                place,
                value: Some(oid),
            });
        }
    }
    Ok(found)
}

/// Returns branches of remotes that Git fetched after the lanes. These values are no work of this
/// clone. An ancestor of the value that the remote showed was fetched earlier, and is left out.
fn fetched_since(
    loaded: &Loaded,
    known: &[ProtectedValue],
) -> Result<Vec<ProtectedValue>, RepoError> {
    let objects = loaded.objects();
    let mut found = Vec::new();
    for shown in known {
        let Place::Remote(remote) = &shown.place else {
            continue;
        };
        let Some(branch) = shown.name.as_str().strip_prefix("refs/heads/") else {
            continue;
        };
        let tracking = format!("{TRACKING}{remote}/{branch}");
        let Some(value) = objects.repo().read(&tracking)? else {
            continue;
        };
        let is_old = |shown| objects.is_ancestor(value, shown).unwrap_or(false);
        if !shown.value.is_some_and(is_old) {
            found.push(ProtectedValue {
                name: shown.name.clone(),
                place: Place::Tracking(tracking),
                value: Some(value),
            });
        }
    }
    Ok(found)
}

/// Returns refs that have decisions and are absent from the remote at `place`. For [`Place::Here`],
/// returns those that are absent everywhere.
fn absent_values(loaded: &Loaded, place: &Place, known: &[ProtectedValue]) -> Vec<ProtectedValue> {
    let is_there = |name: &RefName| {
        let mut of_ref = known.iter().filter(|value| value.name == *name);
        of_ref.any(|value| *place == Place::Here || value.place == *place)
    };
    let tally = &loaded.tally;
    let decided = tally.proposals().filter(|p| tally.is_decided(p.id));
    let names: BTreeSet<_> = decided.filter_map(|p| p.slot.subject.ref_name()).collect();
    let absent = names.into_iter().filter(|name| !is_there(name));
    absent
        .map(|name| ProtectedValue {
            name: name.clone(),
            place: place.clone(),
            value: None,
        })
        .collect()
}

/// Returns the remote as a place. Returns `None` if the remote has shown nothing.
fn shown_remote(loaded: &Loaded, remote: &str) -> Result<Option<Place>, RepoError> {
    let prefix = loaded.refs.incoming_prefix(remote);
    if loaded.objects().repo().list(&[&prefix])?.is_empty() {
        return Ok(None);
    }
    // Use the name as it appears in ref names, where an address has another form.
    let name = prefix.trim_end_matches('/').rsplit('/').next();
    Ok(name.map(|name| Place::Remote(name.to_owned())))
}
