//! Tests the gate of a server, with real pushes from the repository to itself.

use super::attempt::{Alias, Attempt, AttemptOutcome, RECEIVE_PACK, TestPush};
use super::findings::{Diagnosis, Findings, RepositoryKind, Status, Weight, Wording};
use super::settings::{examine_permissions, examine_receiving, examine_repository};
use super::targets::{targets, throw_away};
use crate::audit::{Backing, Place, audit_ref};
use crate::charter::{Charter, RefName};
use crate::gate::settings::LEDGER_KEY;
use crate::gate::{is_ledger_name, is_protected};
use crate::id::{EntryId, Oid};
use crate::ledger::LaneRef;
use crate::repo::{Repo, RepoError, is_executable};
use crate::store::{Loaded, Trust, load};

const INSTALL: &str = "git quorum install --server";

/// What the attempts on a server need.
struct ServerTests<'a> {
    repo: &'a Repo,
    loaded: &'a Loaded,
    charter: &'a Charter,
    refs: std::collections::BTreeMap<String, Oid>,
    /// A commit that exists and that no decision names: the genesis.
    stray: Oid,
}

/// Examines a bare repository that people push to.
pub fn examine_server(repo: &Repo) -> Result<Diagnosis, RepoError> {
    let mut findings = Findings::default();
    examine_repository(repo, Weight::Needed, &mut findings)?;
    examine_hook(repo, &mut findings)?;
    let pinned = repo
        .config(LEDGER_KEY)?
        .and_then(|text| text.parse::<EntryId>().ok());
    let wording = Wording {
        holds: "a ledger is pinned",
        missing: "no ledger is pinned, so the gate refuses everything or is not installed",
    };
    findings.judge("pinned", Weight::Needed, pinned.is_some(), wording, INSTALL);
    if let Some(ledger) = pinned {
        examine_ledger(repo, ledger, &mut findings)?;
    }
    examine_receiving(repo, &mut findings)?;
    let hooks = repo.git_dir().join("hooks");
    let config = repo.git_dir().join("config");
    examine_permissions(
        &[repo.git_dir(), &config, &hooks, &hooks.join("proc-receive")],
        &mut findings,
    );
    Ok(Diagnosis {
        kind: RepositoryKind::Server,
        repository: repo.git_dir().to_owned(),
        ledger: pinned,
        findings: findings.0,
    })
}

/// Examines what Git looks at before it runs the hook. The attempts prove more, and this says why
/// they fail.
fn examine_hook(repo: &Repo, findings: &mut Findings) -> Result<(), RepoError> {
    let hook = repo.git_dir().join("hooks").join("proc-receive");
    let wording = Wording {
        holds: "proc-receive exists and is executable",
        missing: "proc-receive is missing or not executable",
    };
    findings.judge(
        "proc-receive",
        Weight::Needed,
        is_executable(&hook),
        wording,
        INSTALL,
    );
    let early = repo.git_dir().join("hooks").join("pre-receive");
    let wording = Wording {
        holds: "pre-receive exists and refuses early",
        missing: "pre-receive is missing or not executable, so refused pushes leave their objects",
    };
    findings.judge(
        "pre-receive",
        Weight::Advised,
        is_executable(&early),
        wording,
        INSTALL,
    );
    let asks = repo
        .config_all("receive.procReceiveRefs")?
        .iter()
        .any(|value| value == "refs");
    let wording = Wording {
        holds: "Git asks the gate about every ref",
        missing: "receive.procReceiveRefs does not name refs, so Git does not ask the gate about every ref",
    };
    findings.judge(
        "receive.procReceiveRefs",
        Weight::Needed,
        asks,
        wording,
        INSTALL,
    );
    let elsewhere = match repo.config("core.hooksPath")? {
        Some(path) => {
            repo.git_dir().join(path).canonicalize().ok()
                != repo.git_dir().join("hooks").canonicalize().ok()
        }
        None => false,
    };
    let wording = Wording {
        holds: "Git looks for hooks where the gate is installed",
        missing: "core.hooksPath leads elsewhere, so Git does not run the gate",
    };
    findings.judge(
        "core.hooksPath",
        Weight::Needed,
        !elsewhere,
        wording,
        "git config --unset core.hooksPath",
    );
    Ok(())
}

fn examine_ledger(repo: &Repo, ledger: EntryId, findings: &mut Findings) -> Result<(), RepoError> {
    let loaded = match load(repo, ledger, Trust::Cache) {
        Ok(loaded) => loaded,
        Err(error) => {
            let mend = "push the genesis from the founder's clone: git quorum sync";
            findings.add(
                "ledger",
                Weight::Needed,
                Status::Missing,
                error.to_string(),
                mend,
            );
            return Ok(());
        }
    };
    let damaged: Vec<_> = loaded
        .problems
        .iter()
        .map(|p| format!("{}: {}", p.name, p.reject))
        .collect();
    let found = format!(
        "lanes are damaged, so the gate refuses everything: {}",
        damaged.join("; ")
    );
    let mend = "push the lanes again from a clone that has them: git quorum sync";
    findings.judge(
        "ledger",
        Weight::Needed,
        damaged.is_empty(),
        Wording {
            holds: "the ledger is whole",
            missing: &found,
        },
        mend,
    );
    let Some(node) = loaded.tally.dag().charter(loaded.tally.charter_in_force()) else {
        return Ok(());
    };
    let refs = repo.list(&[])?;
    let stray = loaded
        .tally
        .dag()
        .find(ledger)
        .map(|genesis| loaded.tally.dag().entry(genesis).oid);
    let Some(stray) = stray else { return Ok(()) };
    let tests = ServerTests {
        repo,
        loaded: &loaded,
        charter: &node.charter,
        refs,
        stray,
    };
    tests.try_protected(findings);
    tests.try_lanes(findings);
    tests.try_ways_round(findings)?;
    tests.try_ordinary(findings);
    tests.try_each_hook_alone(findings)?;
    tests.examine_values(findings);
    Ok(())
}

impl ServerTests<'_> {
    fn push(&self, name: &str, new: Option<Oid>) -> AttemptOutcome {
        TestPush {
            repo: self.repo,
            receive_pack: RECEIVE_PACK,
        }
        .push(name, new)
    }

    fn try_protected(&self, findings: &mut Findings) {
        for name in targets(self.charter, &self.refs) {
            let what = format!("to move {name} without a decision");
            let attempt = Attempt {
                check: "protected-move",
                what: &what,
                mend: INSTALL,
            };
            findings.should_be_refused(&attempt, &self.push(&name, Some(self.stray)));
            if self.refs.contains_key(&name) {
                let what = format!("to delete {name} without a decision");
                let attempt = Attempt {
                    check: "protected-delete",
                    what: &what,
                    mend: INSTALL,
                };
                findings.should_be_refused(&attempt, &self.push(&name, None));
            }
        }
    }

    fn try_lanes(&self, findings: &mut Findings) {
        let refs = &self.loaded.refs;
        let lane = self
            .refs
            .keys()
            .find(|name| matches!(refs.read(name), Some(LaneRef::Lane(_))));
        if let Some(lane) = lane {
            let attempt = Attempt {
                check: "lane-rewind",
                what: "to rewind a lane",
                mend: INSTALL,
            };
            findings.should_be_refused(&attempt, &self.push(lane, Some(self.stray)));
            let attempt = Attempt {
                check: "lane-delete",
                what: "to delete a lane",
                mend: INSTALL,
            };
            findings.should_be_refused(&attempt, &self.push(lane, None));
        }
        let attempt = Attempt {
            check: "genesis-delete",
            what: "to delete the genesis",
            mend: INSTALL,
        };
        findings.should_be_refused(&attempt, &self.push(&refs.genesis(), None));
        let stray = format!("{}{}", refs.prefix(), throw_away());
        let attempt = Attempt {
            check: "stray-name",
            what: "to create another name under refs/quorum/",
            mend: INSTALL,
        };
        findings.should_be_refused(&attempt, &self.push(&stray, Some(self.stray)));
    }

    fn try_ways_round(&self, findings: &mut Findings) -> Result<(), RepoError> {
        let replace = format!("refs/replace/{}", self.stray);
        let attempt = Attempt {
            check: "replace-ref",
            what: "to create a replace ref",
            mend: INSTALL,
        };
        findings.should_be_refused(&attempt, &self.push(&replace, Some(self.stray)));
        let hidden = format!("refs/namespaces/x/refs/heads/{}", throw_away());
        let attempt = Attempt {
            check: "namespace",
            what: "to create a ref of a namespace",
            mend: INSTALL,
        };
        findings.should_be_refused(&attempt, &self.push(&hidden, Some(self.stray)));
        self.examine_aliases(findings)?;
        for target in targets(self.charter, &self.refs) {
            self.try_folded(&target, findings);
            self.try_alias(&target, findings)?;
        }
        Ok(())
    }

    /// Examines symbolic refs at guarded names. Nothing lands there, and among the ledger's refs
    /// they stop the gate.
    fn examine_aliases(&self, findings: &mut Findings) -> Result<(), RepoError> {
        let guarded = |name: &str| is_protected(self.charter, name) || is_ledger_name(name);
        let values = self.repo.list_values(&[])?;
        let odd: Vec<_> = values
            .iter()
            .filter(|(name, value)| value.symbolic.is_some() && guarded(name))
            .collect();
        let names: Vec<_> = odd.iter().map(|(name, _)| name.as_str()).collect();
        let no = format!("symbolic refs are at guarded names: {}", names.join(", "));
        let wording = Wording {
            holds: "protected refs and lanes are ordinary refs",
            missing: no.as_str(),
        };
        let mend = format!("git symbolic-ref --delete {}", names.first().unwrap_or(&""));
        findings.judge("own-refs", Weight::Needed, names.is_empty(), wording, &mend);
        Ok(())
    }

    /// Tries a name that differs from a protected name in case only.
    fn try_folded(&self, target: &str, findings: &mut Findings) {
        let Some((folder, last)) = target.rsplit_once('/') else {
            return;
        };
        let folded = format!("{folder}/{}", last.to_uppercase());
        if folded == target || is_protected(self.charter, &folded) {
            return;
        }
        let what = format!("to create {folded}, which some file systems take for {target},");
        let attempt = Attempt {
            check: "folding-name",
            what: &what,
            mend: INSTALL,
        };
        findings.should_be_refused(&attempt, &self.push(&folded, Some(self.stray)));
    }

    /// Tries a symbolic ref that leads to a protected ref, and removes it again.
    fn try_alias(&self, target: &str, findings: &mut Findings) -> Result<(), RepoError> {
        let alias = Alias::create(self.repo, format!("refs/{}/alias", throw_away()), target)?;
        let trial = TestPush {
            repo: self.repo,
            receive_pack: RECEIVE_PACK,
        };
        let outcome = trial.push_locking(alias.name(), target, Some(self.stray));
        alias.remove()?;
        let what = format!("to move {target} through a symbolic ref");
        findings.should_be_refused(
            &Attempt {
                check: "symbolic-ref",
                what: &what,
                mend: INSTALL,
            },
            &outcome,
        );
        Ok(())
    }

    fn try_ordinary(&self, findings: &mut Findings) {
        let name = format!("refs/heads/{}", throw_away());
        if is_protected(self.charter, &name) {
            return;
        }
        let attempt = Attempt {
            check: "ordinary-branch",
            what: "to create an ordinary branch",
            mend: INSTALL,
        };
        findings.should_pass(&attempt, &self.push(&name, Some(self.stray)));
    }

    /// Tests `proc-receive` without any other hook. It must hold by itself, because of all server
    /// hooks only this one fails closed.
    fn try_each_hook_alone(&self, findings: &mut Findings) -> Result<(), RepoError> {
        let Some(target) = targets(self.charter, &self.refs).into_iter().next() else {
            return Ok(());
        };
        let check = "proc-receive-alone";
        let failed = |source| RepoError::Io {
            path: std::env::temp_dir(),
            source,
        };
        let folder = tempfile::tempdir().map_err(failed)?;
        let hook = self.repo.git_dir().join("hooks").join("proc-receive");
        let copied = std::fs::copy(&hook, folder.path().join("proc-receive"));
        let path = folder.path().to_str().filter(|path| !path.contains('\''));
        let (Ok(_), Some(path)) = (copied, path) else {
            findings.not_tested(
                check,
                "proc-receive could not be copied, so it was not tested alone",
            );
            return Ok(());
        };
        let receive_pack = format!("git -c core.hooksPath='{path}' receive-pack");
        let trial = TestPush {
            repo: self.repo,
            receive_pack: &receive_pack,
        };
        let what = format!("to move {target} with no other hook in place");
        let attempt = Attempt {
            check,
            what: &what,
            mend: INSTALL,
        };
        findings.should_be_refused(&attempt, &trial.push(&target, Some(self.stray)));
        Ok(())
    }

    /// Examines whether protected refs hold decided values. A ref may have moved before the gate was
    /// installed, or by a way around it.
    fn examine_values(&self, findings: &mut Findings) {
        let tally = &self.loaded.tally;
        let names: Vec<RefName> = self
            .refs
            .keys()
            .filter_map(|name| name.parse().ok())
            .collect();
        let audits = names
            .iter()
            .filter(|name| self.charter.protects(name))
            .filter_map(|name| {
                audit_ref(
                    tally,
                    name,
                    Place::Here,
                    self.refs.get(name.as_str()).copied(),
                )
            });
        let unbacked = audits
            .filter(|audit| matches!(audit.backing, Backing::NotBacked | Backing::AgreementBroken));
        let names: Vec<_> = unbacked.map(|audit| audit.name.to_string()).collect();
        let no = format!(
            "protected refs hold values that no decision leads to: {}",
            names.join(", ")
        );
        let wording = Wording {
            holds: "protected refs hold decided values",
            missing: no.as_str(),
        };
        let mend = "git quorum verify shows more; move the refs back to a decided value with git update-ref";
        findings.judge("values", Weight::Needed, names.is_empty(), wording, mend);
    }
}
