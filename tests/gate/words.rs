//! What the pusher reads, whole.

use git_quorum::id::Oid;

use crate::lab::*;
use crate::server::*;

/// What `git push` prints, without the blanks that Git puts after what a server says.
fn read(site: &mut Site, options: &[&str], specs: &[&str]) -> String {
    site.write_entries();
    let server = site.server();
    let args = [
        &["push", "--force"],
        options,
        &[server.to_str().unwrap()],
        specs,
    ]
    .concat();
    let output = site.try_git(&site.desk(), &args, b"", &[]);
    assert!(!output.status.success());
    let said = text(&output).replace(server.to_str().unwrap(), "SERVER");
    said.lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

fn check(said: &str, expected: &[&str]) {
    assert_eq!(said.lines().collect::<Vec<_>>(), expected, "\n{said}");
    for line in said.lines() {
        assert!(
            line.len() <= 80 || line.starts_with(" ! ") || line.contains("/proposal/"),
            "{line}"
        );
    }
}

#[test]
fn no_proposal() {
    let (mut site, first) = Site::new();
    let second = site.commit(&[first], "second");
    let said = read(&mut site, &[], &[&format!("{second}:{MAIN}")]);
    check(
        &said,
        &[
            "remote: refs/heads/main: refused [NO_PROPOSAL]",
            &format!(
                "remote:   the ref is protected, and no proposal moves it to {}",
                second.short()
            ),
            "remote:   if you have proposed this, push the proposal first: git quorum sync",
            "remote:   next: git quorum propose",
            "To SERVER",
            &format!(" ! [remote rejected] {second} -> main (pre-receive hook declined)"),
            "error: failed to push some refs to 'SERVER'",
        ],
    );
}

#[test]
fn undecided() {
    let (mut site, first) = Site::new();
    let second = site.commit(&[first], "second");
    let p = site.propose(site.lab.ledger, first, second);
    site.lab.say("b", vec![approve(p)]);
    let lanes = [site.lane("a"), site.lane("b"), site.proposal_ref(p)];
    site.accepted(&parts(&lanes));
    let remote = [
        "remote: refs/heads/main: refused [NOT_DECIDED]".to_owned(),
        format!(
            "remote:   proposal {} \"move refs/heads/main\" is not decided",
            p.short()
        ),
        "remote:   it has 1 of 3 approvals (b)".to_owned(),
        "remote:   it needs approvals, possible from a, c, d".to_owned(),
        format!("remote:   next: git quorum status {}", p.short()),
    ];
    let tail = "error: failed to push some refs to 'SERVER'";
    let said = read(&mut site, &[], &[&format!("{second}:{MAIN}")]);
    let beside = format!(" ! [remote rejected] {second} -> main (pre-receive hook declined)");
    check(
        &said,
        &[&parts(&remote)[..], &["To SERVER", &beside, tail]].concat(),
    );

    // Where something else comes along, Git can tell the code of each.
    let said = read(
        &mut site,
        &[],
        &[
            &format!("{second}:{MAIN}"),
            &format!("{second}:refs/heads/x"),
        ],
    );
    let (moved, beside) = (
        format!(" * [new branch]      {second} -> x"),
        format!(" ! [remote rejected] {second} -> main (gate: NOT_DECIDED)"),
    );
    check(
        &said,
        &[&parts(&remote)[..], &["To SERVER", &moved, &beside, tail]].concat(),
    );
}

#[test]
fn went_back() {
    let (mut site, one) = Site::new();
    let two = site.commit(&[one], "two");
    let three = site.commit(&[two], "three");
    let d1 = site.propose(site.lab.ledger, one, two);
    site.decide(d1);
    let d2 = site.propose(d1, two, three);
    site.decide(d2);
    let mut all = site.lanes();
    all.extend([
        site.proposal_ref(d1),
        site.proposal_ref(d2),
        format!("{three}:{MAIN}"),
    ]);
    site.accepted(&parts(&all));
    let said = read(&mut site, &["--atomic"], &[&format!("{two}:{MAIN}")]);
    check(
        &said,
        &[
            "remote: refs/heads/main: refused [WENT_BACK]",
            &format!(
                "remote:   the ref only moves forward, and is already past decision {}",
                d1.short()
            ),
            &format!(
                "remote:   to return to {}, propose that value again",
                two.short()
            ),
            "remote:   next: git quorum propose",
            "To SERVER",
            &format!(" ! [remote rejected] {two} -> main (pre-receive hook declined)"),
            "error: failed to push some refs to 'SERVER'",
        ],
    );
}

#[test]
fn a_thousand_refused_refs_are_explained_in_a_few_messages() {
    let (mut site, first) = Site::with(protecting(&["refs/heads/*"]), &[]);
    let commits: Vec<Oid> = (0..8)
        .map(|n| site.commit(&[first], &n.to_string()))
        .collect();
    let specs: Vec<_> = (0..400)
        .map(|n| format!("{}:refs/heads/b{n}", commits[n % 8]))
        .collect();
    let said = read(&mut site, &[], &parts(&specs));
    let remote: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("remote: "))
        .collect();
    assert!(remote.len() <= 5 * 4 + 1, "{remote:?}");
    assert!(
        remote[0].ends_with("refs/heads/b0 and 49 more: refused [NO_PROPOSAL]"),
        "{remote:?}"
    );
    assert!(
        remote
            .last()
            .unwrap()
            .ends_with("150 more refs: refused [NO_PROPOSAL]"),
        "{remote:?}"
    );
}
