//! Names that stand for protected ones, names that change what others mean, and odd commands.

use git_quorum::id::Oid;

use crate::lab::*;
use crate::server::*;

/// Refused alone and beside others, atomic or not; and to be deleted, which Git sends only if it sees the ref.
fn refused_everywhere(site: &mut Site, name: &str, to: Oid, code: &str) {
    let (alone, beside) = (format!("{to}:{name}"), format!("{to}:refs/heads/beside"));
    site.refused(&[&alone], &[code]);
    site.refused_with(&["--force", "--atomic"], &[&alone], &[code]);
    site.refused_late(&["--force", "--atomic"], &[&alone, &beside], &[code]);
    let pushed = site.push_with(&["--force"], &[&alone, &beside], &[]);
    assert!(!pushed.ok && pushed.text.contains(code), "{}", pushed.text);
    assert_eq!(
        (site.at("refs/heads/beside"), site.at(name)),
        (Some(to), None)
    );
    site.accepted(&[":refs/heads/beside"]);
    let said = site.raw_push(&[(Some(to), None, name.as_bytes())], "");
    assert!(said.contains(code) && !said.contains("ok refs/"), "{said}");
}

#[test]
fn names_that_fold_to_a_guarded_name_are_refused() {
    let (mut site, first) = Site::with(
        protecting(&[MAIN, "refs/heads/release/*", "refs/heads/é", "refs/tags/v*"]),
        &[],
    );
    for name in [
        "refs/heads/Main",
        "refs/heads/MAIN",
        "refs/Heads/main",
        "refs/heads/ｍａｉｎ",
        "refs/heads/ma\u{200c}in",
        "refs/heads/main\u{feff}",
        "refs/heads./main",
        "refs/heads/MAIN/x",
        "refs/HEADS/main/x",
        "refs/heads/Release/1",
        "refs/heads/ＲＥＬＥＡＳＥ/1",
        "refs/tags/V1",
        "refs/heads/e\u{301}",
        "refs/heads/É",
        "refs/Quorum/x/y",
        "refs/quorum\u{200b}/x/y",
        "refs/ｑuorum/x/y",
        "refs/Replace/x",
        "refs/NameSpaces/x/y",
    ] {
        refused_everywhere(&mut site, name, first, "FOLDED_NAME");
    }
    for ordinary in [
        "refs/heads/mains",
        "refs/heads/m-ain",
        "refs/heads/è",
        "refs/heads/releases",
        "refs/tags/w1",
    ] {
        site.accepted(&[&format!("{first}:{ordinary}")]);
    }
    // What a pattern covers as it stands is protected, not alike.
    site.refused(
        &[&format!("{first}:refs/heads/release/A")],
        &["NO_PROPOSAL"],
    );
}

#[test]
fn a_name_that_is_not_utf_8_folds_without_the_bytes_that_are_not() {
    let (mut site, first) = Site::new();
    for name in [
        &b"refs/heads/ma\xffin"[..],
        b"refs/heads/\xfeMAIN",
        b"refs/quorum\xff/x/y",
    ] {
        let said = site.raw_push(&[(None, Some(first), name)], "");
        assert!(
            said.contains("FOLDED_NAME") && !said.contains("ok refs/"),
            "{said}"
        );
    }
    let said = site.raw_push(
        &[
            (None, Some(first), b"refs/heads/\xff"),
            (None, Some(first), b"refs/heads/\xfe"),
        ],
        "",
    );
    assert_eq!(said.matches("ok refs/").count(), 2, "{said}");
}

#[test]
fn replace_refs_and_refs_of_namespaces_are_refused() {
    let (mut site, first) = Site::new();
    let second = site.commit(&[first], "second");
    let replace = format!("refs/replace/{first}");
    for name in [&replace, "refs/replace/x"] {
        site.refused(&[&format!("{second}:{name}")], &["REPLACE_REF"]);
        site.refused_with(
            &["--force", "--atomic"],
            &[&format!("{second}:{name}")],
            &["REPLACE_REF"],
        );
    }
    // What whoever runs the server made may go.
    site.accepted(&[&format!("{second}:refs/heads/x")]);
    site.git(
        &site.server(),
        &["update-ref", &replace, &second.to_string()],
        b"",
    );
    site.refused(&[&format!("{first}:{replace}")], &["REPLACE_REF"]);
    site.accepted(&[&format!(":{replace}")]);
    refused_everywhere(
        &mut site,
        "refs/namespaces/n/refs/heads/main",
        first,
        "NAMESPACE",
    );
    refused_everywhere(&mut site, "refs/namespaces/n", first, "NAMESPACE");
    for vars in [[("GIT_NAMESPACE", "n")], [("GIT_NAMESPACE", "refs/heads")]] {
        let objects = site.objects();
        let pushed = site.push_with(&["--force"], &[&format!("{second}:{MAIN}")], &vars);
        assert!(
            !pushed.ok && pushed.text.contains("GATE_UNAVAILABLE"),
            "{}",
            pushed.text
        );
        assert_eq!(site.objects(), objects);
    }
}

#[test]
fn a_tag_with_the_short_name_of_a_protected_branch_is_refused() {
    let (mut site, first) = Site::with(protecting(&[MAIN, "refs/heads/release/*"]), &[]);
    let second = site.commit(&[first], "second");
    site.refused(
        &[&format!("{second}:refs/tags/main")],
        &["SHADOWS_PROTECTED", MAIN],
    );
    site.refused(
        &[&format!("{second}:refs/tags/origin/main")],
        &["SHADOWS_PROTECTED", MAIN],
    );
    site.accepted(&[
        &format!("{second}:refs/tags/origin/other"),
        &format!("{second}:refs/tags/other/main"),
    ]);
    site.refused_with(
        &["--force", "--atomic"],
        &[&format!("{second}:refs/tags/main")],
        &["SHADOWS_PROTECTED"],
    );
    // Where a pattern protects, only what is there: else it would keep all names for itself.
    site.accepted(&[&format!("{second}:refs/tags/release/1")]);
    site.git(
        &site.server(),
        &["update-ref", "refs/heads/release/1", &first.to_string()],
        b"",
    );
    site.refused(
        &[&format!("{first}:refs/tags/release/1")],
        &["SHADOWS_PROTECTED"],
    );
    site.accepted(&[
        ":refs/tags/release/1",
        &format!("{second}:refs/tags/release/2"),
        &format!("{second}:refs/tags/v1"),
    ]);
}

#[test]
fn a_ref_that_a_push_names_twice_is_refused() {
    let (mut site, first) = Site::new();
    let (second, third) = (
        site.commit(&[first], "second"),
        site.commit(&[first], "third"),
    );
    let lane = site.refs.lane(&name("a"));
    let a1 = site.lab.say("a", vec![]);
    let good = site.oid(a1);
    for features in ["", "atomic"] {
        for (name, one, two) in [
            (
                MAIN,
                (Some(first), Some(second)),
                (Some(first), Some(third)),
            ),
            (MAIN, (Some(first), None), (None, Some(second))),
            (&*lane, (None, Some(second)), (None, Some(good))),
            (&*lane, (None, Some(good)), (None, Some(second))),
            ("refs/heads/x", (None, Some(second)), (None, Some(third))),
        ] {
            let refs = site.server_refs();
            let said = site.raw_push(
                &[
                    (one.0, one.1, name.as_bytes()),
                    (two.0, two.1, name.as_bytes()),
                ],
                features,
            );
            assert!(
                said.contains("NAMED_TWICE") && !said.contains("ok refs/"),
                "{said}"
            );
            assert_eq!(site.server_refs(), refs);
        }
    }
}

#[test]
fn odd_commands_move_nothing() {
    let (mut site, first) = Site::new();
    let second = site.commit(&[first], "second");
    for name in [
        &b"refs/heads/main.lock"[..],
        b"refs/heads/main\n0000000000000000000000000000000000000000 0000000000000000000000000000000000000000 refs/x",
        b"refs/heads/../heads/main",
        b"refs/heads//main",
        b"refs/heads/./main",
        b"refs/heads/main/",
        b"refs/heads/main ",
        b"refs/heads/main^{}",
        b"HEAD",
        b"main",
        b"refs/main",
        b"refs",
        b"/refs/heads/main",
        b"../config",
    ] {
        for (features, old) in [("", None), ("atomic", None), ("", Some(first)), ("atomic", Some(first))] {
            let refs = site.server_refs();
            let said = site.raw_push(&[(old, Some(second), name)], features);
            assert!(!said.contains("ok refs/") && !said.contains("ok HEAD"), "{said}");
            assert_eq!(site.server_refs(), refs, "{said}");
            assert_eq!(site.git(&site.server(), &["symbolic-ref", "HEAD"], b""), MAIN);
        }
    }
    // From nothing to nothing is nothing.
    let said = site.raw_push(&[(None, None, MAIN.as_bytes())], "");
    assert!(site.at(MAIN) == Some(first), "{said}");
    let said = site.raw_push(&[(None, None, b"refs/heads/none")], "");
    assert!(site.at(MAIN) == Some(first), "{said}");
}
