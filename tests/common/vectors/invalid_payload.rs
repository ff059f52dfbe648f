//! Payloads that are invalid in any place: JSON, canonical form, limits, texts, statements,
//! charters.

use curve25519_dalek::constants::EIGHT_TORSION;
use git_quorum::ledger::{limits, to_canonical};
use serde_json::{Value, json};

use super::craft::Craft;
use super::invalid::Cases;
use super::invalid::Stock::Accepts;
use super::valid::nested;
use crate::lab::public_key;

/// BAD_JSON, UNKNOWN_VERSION and NOT_CANONICAL because of the text alone.
pub fn add_json(cases: &mut Cases<'_>) {
    add_broken(cases);
    add_spellings(cases);
    add_shapes(cases);
}

/// Text that is not JSON.
fn add_broken(cases: &mut Cases<'_>) {
    let base = cases.valid.craft("abstain");
    let json = base.json();
    let mut add = |name: &str, why: &str, payload: &str| {
        cases.add(
            &format!("BAD_JSON{name}"),
            Accepts,
            why,
            base.clone().payload(payload).sign("dave"),
        );
    };
    add("", "no JSON", "no payload");
    add("-empty", "nothing", "");
    add(
        "-cut-short",
        "the last brace missing",
        &json[..json.len() - 1],
    );
    add(
        "-text-after-the-end",
        "a second line after the payload",
        &format!("{json}\nhidden"),
    );
    add(
        "-comma-at-the-end",
        "a comma before the last brace",
        &json.replace("\"v\":1}", "\"v\":1,}"),
    );
    add("-comment", "a comment", &format!("/* */{json}"));
    add(
        "-byte-order-mark",
        "U+FEFF before the payload",
        &format!("\u{feff}{json}"),
    );
    add(
        "-lone-surrogate",
        "half a surrogate pair, escaped",
        &json.replace("\"text\":\"\"", "\"text\":\"\\ud800\""),
    );
    add(
        "-raw-tab",
        "a control character that is not escaped",
        &json.replace("\"text\":\"\"", "\"text\":\"\t\""),
    );
    add(
        "-nan",
        "not a number",
        &json.replace("\"seq\":1", "\"seq\":NaN"),
    );
    add(
        "-leading-zero",
        "a number that JSON does not know",
        &json.replace("\"seq\":1", "\"seq\":01"),
    );
    add(
        "-array",
        "an array of the right values",
        &format!("[{json}]"),
    );
    add("-null", "null", "null");
    add("-nested-deeply", "100000 brackets", &"[".repeat(100_000));
    add(
        "-version-is-text",
        "a version that is no integer",
        &json.replace("\"v\":1}", "\"v\":\"1\"}"),
    );
    add(
        "-version-is-1.0",
        "a version that is no integer",
        &json.replace("\"v\":1}", "\"v\":1.0}"),
    );
    add(
        "-version-is-minus-0",
        "a version that is not written as an integer is",
        &json.replace("\"v\":1}", "\"v\":-0}"),
    );
    add("-no-version", "no version", &json.replace(",\"v\":1}", "}"));
    let mut version = |name: &str, why: &str, with: &str| {
        let raw = base
            .clone()
            .payload(&json.replace("\"v\":1}", with))
            .sign("dave");
        cases.add(&format!("UNKNOWN_VERSION{name}"), Accepts, why, raw);
    };
    version("", "version 2", "\"v\":2}");
    version("-0", "version 0", "\"v\":0}");
    version(
        "-unknown-field",
        "version 2, of which nothing else is known",
        "\"v\":2,\"x\":1.5}",
    );
    let genesis = cases.valid.craft("genesis");
    let payload = genesis.json();
    let at = payload.rfind("\"v\":1}").unwrap();
    let raw = genesis
        .payload(&format!("{}\"v\":2}}", &payload[..at]))
        .sign("alice");
    cases.add_genesis(
        "UNKNOWN_VERSION-genesis",
        Accepts,
        "a genesis of version 2",
        raw,
    );
}

/// The correct values in another spelling.
fn add_spellings(cases: &mut Cases<'_>) {
    let base = cases.valid.craft("abstain");
    let json = base.json();
    let mut add = |name: &str, why: &str, payload: &str| {
        assert_ne!(payload, json, "{name}");
        let raw = base.clone().payload(payload).sign("dave");
        cases.add(&format!("NOT_CANONICAL{name}"), Accepts, why, raw);
    };
    let value: Value = serde_json::from_str(&json).unwrap();
    add(
        "",
        "keys in another order",
        &format!("{{\"v\":1,{}}}", &json[1..json.len() - ",\"v\":1}".len()]),
    );
    add(
        "-spaces",
        "a space after a colon",
        &json.replace("\"v\":1}", "\"v\": 1}"),
    );
    add(
        "-lines",
        "in several lines",
        &serde_json::to_string_pretty(&value).unwrap(),
    );
    add(
        "-line-feed-at-the-end",
        "one line feed more at the end",
        &format!("{json}\n"),
    );
    add(
        "-space-before",
        "a space before the payload",
        &format!(" {json}"),
    );
    add(
        "-key-twice",
        "a key twice, with the same value",
        &json.replace("\"seq\":1", "\"seq\":1,\"seq\":1"),
    );
    add(
        "-key-twice-differing",
        "a key twice: readers disagree on which one holds",
        &json.replace("\"seq\":1", "\"seq\":9,\"seq\":1"),
    );
    add(
        "-type-twice",
        "the key that tells an entry from a genesis, twice",
        &json.replace(
            "\"type\":\"entry\"",
            "\"type\":\"genesis\",\"type\":\"entry\"",
        ),
    );
    add(
        "-kind-twice",
        "the key that names a statement, twice",
        &json.replace(
            "\"kind\":\"review\"",
            "\"kind\":\"withdraw\",\"kind\":\"review\"",
        ),
    );
    add(
        "-escaped-letter",
        "a letter that needs no escape",
        &json.replace("\"seq\"", "\"s\\u0065q\""),
    );
    add(
        "-escaped-slash",
        "a slash that needs no escape",
        &json.replace("\"text\":\"\"", "\"text\":\"\\/\""),
    );
    add(
        "-escaped-line-feed",
        "a long escape where a short one exists",
        &json.replace("\"text\":\"\"", "\"text\":\"\\u000a\""),
    );
    add(
        "-escaped-delete",
        "U+007F needs no escape",
        &json.replace("\"text\":\"\"", "\"text\":\"\\u007f\""),
    );
    add(
        "-escaped-pair",
        "a surrogate pair, escaped",
        &json.replace("\"text\":\"\"", "\"text\":\"\\ud83d\\ude00\""),
    );
    add(
        "-1.0",
        "a fraction",
        &json.replace("\"seq\":1", "\"seq\":1.0"),
    );
    add(
        "-1e0",
        "an exponent",
        &json.replace("\"seq\":1", "\"seq\":1e0"),
    );
    add(
        "-minus-zero",
        "minus zero",
        &json.replace("\"seq\":1", "\"seq\":-0"),
    );
    add(
        "-negative",
        "a negative number",
        &json.replace("\"seq\":1", "\"seq\":-1"),
    );
    add(
        "-above-2-53",
        "2^53: some readers cannot tell it from its neighbour",
        &json.replace("\"seq\":1", "\"seq\":9007199254740992"),
    );
    add(
        "-huge-number",
        "300 digits",
        &json.replace("\"seq\":1", &format!("\"seq\":{}", "9".repeat(300))),
    );
    let newer = cases.valid.craft("propose-charter-newer");
    let json = newer.json();
    for (name, why, with) in [
        (
            "fraction",
            "a fraction in a charter of a later version",
            "[1.5,",
        ),
        ("negative", "a negative number there", "[-1,"),
        (
            "key-not-ascii",
            "a key there that is not ASCII: sorting by UTF-16 and by bytes differ",
            "[{\"\u{e9}\":1},",
        ),
        ("key-twice", "a key there twice", "[{\"a\":1,\"a\":2},"),
    ] {
        let raw = newer
            .clone()
            .payload(&json.replace("[null,", with))
            .sign("dave");
        let name = format!("NOT_CANONICAL-newer-charter-{name}");
        cases.add_after(&["propose-charter"], &name, Accepts, why, raw);
    }
}

/// Returns an entry with a changed payload, in canonical form, signed by its member.
fn edited(base: &Craft, member: &str, edit: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value: Value = serde_json::from_str(&base.json()).unwrap();
    edit(&mut value);
    base.clone()
        .payload(&to_canonical(&value).unwrap())
        .sign(member)
}

/// Canonical JSON with another structure.
fn add_shapes(cases: &mut Cases<'_>) {
    let base = cases.valid.craft("abstain");
    let mut add = |name: &str, why: &str, edit: &dyn Fn(&mut Value)| {
        cases.add(
            &format!("BAD_JSON-{name}"),
            Accepts,
            why,
            edited(&base, "dave", edit),
        );
    };
    let remove = |value: &mut Value, key: &str| value.as_object_mut().unwrap().remove(key).unwrap();
    add("unknown-field", "a field that entries do not have", &|v| {
        v["note"] = json!("hidden")
    });
    add(
        "unknown-field-in-statement",
        "a field that the statement does not have",
        &|v| v["statements"][0]["round"] = json!(0),
    );
    add("missing-field", "no `seq`", &|v| drop(remove(v, "seq")));
    add("missing-list", "no `evidence`", &|v| {
        drop(remove(&mut v["statements"][0], "evidence"))
    });
    add("number-as-text", "`seq` as text", &|v| {
        v["seq"] = json!("1")
    });
    add("list-as-null", "`statements` is null", &|v| {
        v["statements"] = Value::Null
    });
    add("unknown-type", "another type", &|v| {
        v["type"] = json!("note")
    });
    add("type-capital", "another spelling of the type", &|v| {
        v["type"] = json!("Entry")
    });
    add("unknown-kind", "a statement of another kind", &|v| {
        v["statements"][0]["kind"] = json!("veto")
    });
    add("no-kind", "a statement without a kind", &|v| {
        drop(remove(&mut v["statements"][0], "kind"))
    });
    add("kind-is-number", "a kind by number", &|v| {
        v["statements"][0]["kind"] = json!(2)
    });
    add("unknown-verdict", "another verdict", &|v| {
        v["statements"][0]["verdict"] = json!("maybe")
    });
    add("verdict-as-object", "the verdict as an object", &|v| {
        v["statements"][0]["verdict"] = json!({"abstain": null})
    });
    add(
        "statement-as-array",
        "a statement's values without their names",
        &|v| {
            let review = v["statements"][0].clone();
            let values =
                ["kind", "evidence", "proposal", "text", "verdict"].map(|k| review[k].clone());
            v["statements"][0] = Value::Array(values.into());
        },
    );
    add("id-in-capitals", "an id in capital letters", &|v| {
        let id = v["statements"][0]["proposal"]
            .as_str()
            .unwrap()
            .to_uppercase();
        v["statements"][0]["proposal"] = json!(id);
    });
    add("id-short", "the first digits of an id", &|v| {
        v["statements"][0]["proposal"] = json!("0123456789ab")
    });
    add("member-reserved", "a name that Windows reserves", &|v| {
        v["member"] = json!("con")
    });
    add("member-path", "a name that leads out of its ref", &|v| {
        v["member"] = json!("../main")
    });
    add("member-capital", "a capital letter in a name", &|v| {
        v["member"] = json!("Dave")
    });
    add("member-too-long", "a name of 33 bytes", &|v| {
        v["member"] = json!("d".repeat(33))
    });
    add_vote_shapes(cases);
}

fn add_vote_shapes(cases: &mut Cases<'_>) {
    let base = cases.valid.craft("precommit");
    let mut add = |name: &str, why: &str, edit: &dyn Fn(&mut Value)| {
        let raw = edited(&base, "alice", |v| edit(&mut v["statements"][0]));
        let parents = ["approve-and-prevote", "cites-other-lanes"];
        cases.add_after(&parents, &format!("BAD_JSON-{name}"), Accepts, why, raw);
    };
    add("round-2-32", "a round above 2^32 - 1", &|v| {
        v["round"] = json!(1u64 << 32)
    });
    add(
        "signature-in-capitals",
        "a signature in capital letters",
        &|v| {
            v["signature"] = json!(v["signature"].as_str().unwrap().to_uppercase());
        },
    );
    add("signature-short", "a signature of 126 digits", &|v| {
        v["signature"] = json!(&v["signature"].as_str().unwrap()[2..])
    });
    let base = cases.valid.craft("propose");
    let mut add = |name: &str, why: &str, edit: &dyn Fn(&mut Value)| {
        let raw = edited(&base, "alice", |v| edit(&mut v["statements"][0]));
        cases.add_after(&["genesis"], &format!("BAD_JSON-{name}"), Accepts, why, raw);
    };
    add(
        "missing-null",
        "`from` left out where null is meant",
        &|v| drop(v.as_object_mut().unwrap().remove("from")),
    );
    for (name, why, with) in [
        ("ref-short", "no full ref name", "main"),
        ("ref-two-parts", "a ref name of two parts", "refs/stash"),
        ("ref-dots", "a ref name that Git refuses", "refs/heads/a..b"),
        (
            "ref-lock",
            "a ref name that Git refuses",
            "refs/heads/a.lock/b",
        ),
        ("ref-star", "a pattern", "refs/heads/*"),
        (
            "ref-control",
            "a control character in a ref name",
            "refs/heads/a\u{7f}",
        ),
        (
            "ref-reserved",
            "a ref of the ledger itself",
            "refs/quorum/0123456789abcdef/genesis",
        ),
        (
            "ref-replace",
            "a replacement ref",
            "refs/replace/4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        ),
        (
            "ref-namespaces",
            "a ref in another namespace of Git's",
            "refs/namespaces/x/refs/heads/main",
        ),
        (
            "ref-reserved-in-another-case",
            "a ref that some file systems take for one of a ledger",
            "refs/Quorum/x",
        ),
    ] {
        add(name, why, &|v| v["ref"] = json!(with));
    }
    add("ref-too-long", "a ref name of 256 bytes", &|v| {
        v["ref"] = json!(format!("refs/heads/{}", "r".repeat(245)))
    });
}

/// BAD_JSON because of the charter in the payload.
pub fn add_charters(cases: &mut Cases<'_>) {
    let base = cases.valid.craft("propose-charter");
    let mut add = |name: &str, why: &str, edit: &dyn Fn(&mut Value)| {
        let raw = edited(&base, "dave", |v| edit(&mut v["statements"][0]["charter"]));
        cases.add_after(
            &["prevote-later-round"],
            &format!("BAD_JSON-charter-{name}"),
            Accepts,
            why,
            raw,
        );
    };
    let list = |v: &Value, key: &str| v[key].as_array().unwrap().clone();
    add("unsorted", "members not sorted by name", &|v| {
        v["members"] = list(v, "members").into_iter().rev().collect()
    });
    add("member-twice", "a member twice", &|v| {
        v["members"][1] = v["members"][0].clone()
    });
    add("shared-key", "one key for two members", &|v| {
        v["members"][1]["key"] = v["members"][0]["key"].clone()
    });
    add("key-of-removed", "a removed member's key again", &|v| {
        v["members"][1]["key"] = v["removed"][0]["key"].clone()
    });
    add(
        "member-and-removed",
        "a member that is also removed",
        &|v| {
            v["removed"][0]["name"] = json!("bob");
        },
    );
    add("key-with-comment", "a key with a comment", &|v| {
        v["members"][0]["key"] = json!(format!("{} a@b", public_key("alice")))
    });
    add("key-rsa", "no ed25519 key", &|v| {
        v["members"][0]["key"] = json!("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==")
    });
    let weak = openssh_text(EIGHT_TORSION[2].compress().0);
    add("weak-key", "a key of small order", &|v| {
        v["members"][0]["key"] = json!(weak)
    });
    add("quorum-low", "q below the least quorum", &|v| {
        v["rules"]["quorum"] = json!(2)
    });
    add("quorum-high", "q above n", &|v| {
        v["rules"]["quorum"] = json!(5)
    });
    add("quorum-huge", "q as large as numbers get", &|v| {
        v["rules"]["quorum"] = json!(limits::INTEGER)
    });
    add("no-voter", "nobody votes", &|v| {
        (0..4).for_each(|n| v["members"][n]["vote"] = json!(false))
    });
    add("no-members", "no members", &|v| v["members"] = json!([]));
    add("nothing-protected", "no protected refs", &|v| {
        v["protect"] = json!([])
    });
    add("protect-twice", "a protected ref twice", &|v| {
        v["protect"] = json!(["refs/heads/main", "refs/heads/main"])
    });
    add(
        "protect-reserved",
        "a pattern that reaches the ledger's refs",
        &|v| v["protect"] = json!(["refs/*"]),
    );
    add(
        "protect-star-inside",
        "a star that is not at the end",
        &|v| v["protect"] = json!(["refs/*/main"]),
    );
    add(
        "concentrated",
        "one fault domain with two of four votes",
        &|v| v["members"][1]["domain"] = json!("alice"),
    );
    add("role-twice", "a role twice", &|v| {
        v["members"][0]["roles"] = json!(["ci", "ci"])
    });
    add("too-many-roles", "17 roles", &|v| {
        v["members"][0]["roles"] = (10..27).map(|n| json!(format!("r{n}"))).collect()
    });
    add("too-many-refs", "65 protected refs", &|v| {
        v["protect"] = (10..75)
            .map(|n| json!(format!("refs/heads/r{n}")))
            .collect()
    });
    add("too-many-members", "129 members", &|v| {
        v["members"] = crowd(129)
    });
    add("too-many-removed", "513 removed members", &|v| {
        v["removed"] = gone(513)
    });
    add("unknown-field", "a field that charters do not have", &|v| {
        v["note"] = json!(1)
    });
    add(
        "last-missing",
        "`last` left out where null is meant",
        &|v| drop(v["removed"][0].as_object_mut().unwrap().remove("last")),
    );
    add("version-0", "a charter of version 0", &|v| {
        v["v"] = json!(0)
    });
    add("no-version", "a charter without a version", &|v| {
        drop(v.as_object_mut().unwrap().remove("v"))
    });
    let nested = serde_json::to_value(nested(cases.valid.id("genesis"), 128)).unwrap();
    let raw = edited(&base, "dave", |v| v["statements"][0] = nested);
    cases.add_after(
        &["prevote-later-round"],
        "BAD_JSON-nested-128",
        Accepts,
        "128 levels of arrays and objects",
        raw,
    );
}

/// Returns the text of a key that the program would not write.
fn openssh_text(bytes: [u8; 32]) -> String {
    let key = ssh_key::public::KeyData::Ed25519(ssh_key::public::Ed25519PublicKey(bytes));
    ssh_key::PublicKey::new(key, "").to_openssh().unwrap()
}

fn crowd(count: usize) -> Value {
    let member = |n: usize| {
        let name = format!("m{n:0>3}");
        json!({"domain": name, "key": public_key(&name), "name": name, "roles": [], "vote": n < 4})
    };
    (0..count).map(member).collect()
}

fn gone(count: usize) -> Value {
    let removal = |n: usize| {
        let name = format!("r{n:0>3}");
        json!({"key": public_key(&name), "last": null, "name": name})
    };
    (0..count).map(removal).collect()
}

/// LIMIT_EXCEEDED, BAD_TEXT, BAD_STATEMENT, BAD_GENESIS.
pub fn add_statements(cases: &mut Cases<'_>) {
    add_limits(cases);
    add_texts(cases);
    add_contradictions(cases);
    add_geneses(cases);
}

fn add_limits(cases: &mut Cases<'_>) {
    let base = cases.valid.craft("abstain");
    let mut add = |name: &str, why: &str, raw: Vec<u8>| {
        cases.add(&format!("LIMIT_EXCEEDED{name}"), Accepts, why, raw);
    };
    add(
        "",
        "65 statements",
        edited(&base, "dave", |v| {
            v["statements"] = vec![v["statements"][0].clone(); 65].into()
        }),
    );
    add(
        "-evidence",
        "17 items of evidence",
        edited(&base, "dave", |v| {
            v["statements"][0]["evidence"] = vec![json!("e"); 17].into()
        }),
    );
    add(
        "-seq-0",
        "`seq` is 0",
        edited(&base, "dave", |v| v["seq"] = json!(0)),
    );
    add(
        "-parent-unnamed",
        "fewer parents in the payload than in the commit",
        edited(&base, "dave", |v| {
            drop(v["parents"].as_array_mut().unwrap().pop())
        }),
    );
    add(
        "-parent-too-many",
        "more parents in the payload than in the commit",
        edited(&base, "dave", |v| {
            let first = v["parents"][0].clone();
            v["parents"].as_array_mut().unwrap().push(first);
        }),
    );
    let mut none = base.clone();
    none.headers.retain(|line| !line.starts_with("parent "));
    add(
        "-no-parents",
        "an entry, not a genesis, without parents",
        edited(&none, "dave", |v| v["parents"] = json!([])),
    );
    let mut many = base.clone();
    let parent = many.headers[1].clone();
    many.headers.splice(1..1, vec![parent; 255]);
    add(
        "-parents",
        "257 parents",
        edited(&many, "dave", |v| {
            let first = v["parents"][0].clone();
            v["parents"]
                .as_array_mut()
                .unwrap()
                .splice(0..0, vec![first; 255]);
        }),
    );
    let mut late = base.clone();
    let time = late.headers[3].split(' ').nth(3).unwrap().to_owned();
    late.headers
        .iter_mut()
        .skip(3)
        .for_each(|line| *line = line.replace(&time, "253370764800"));
    let late = late.sign("dave");
    cases.add("LIMIT_EXCEEDED-time", Accepts, "after the year 9998", late);
}

fn add_texts(cases: &mut Cases<'_>) {
    let base = cases.valid.craft("abstain");
    let mut add = |name: &str, why: &str, key: &str, value: Value| {
        let raw = edited(&base, "dave", |v| v["statements"][0][key] = value);
        cases.add(&format!("BAD_TEXT-{name}"), Accepts, why, raw);
    };
    add(
        "too-long",
        "16385 bytes of text",
        "text",
        json!("t".repeat(limits::TEXT_BYTES + 1)),
    );
    add(
        "too-long-in-bytes",
        "16385 bytes in fewer characters",
        "text",
        json!("é".repeat(limits::TEXT_BYTES / 2) + "x"),
    );
    add(
        "escape-character",
        "ESC, which terminals obey",
        "text",
        json!("\u{1b}[2J"),
    );
    add("carriage-return", "CR", "text", json!("a\r\nb"));
    add("delete", "U+007F", "text", json!("\u{7f}"));
    add(
        "c1-control",
        "U+009B, which some terminals obey",
        "text",
        json!("\u{9b}2J"),
    );
    add("nul", "U+0000", "text", json!("\0"));
    add(
        "evidence-empty",
        "an empty item of evidence",
        "evidence",
        json!([""]),
    );
    add(
        "evidence-too-long",
        "1025 bytes of evidence",
        "evidence",
        json!(["e".repeat(limits::EVIDENCE_BYTES + 1)]),
    );
    add(
        "evidence-in-lines",
        "evidence in two lines",
        "evidence",
        json!(["a\nb"]),
    );
    add(
        "evidence-tab",
        "TAB in evidence",
        "evidence",
        json!(["a\tb"]),
    );
    let base = cases.valid.craft("propose");
    let mut add = |name: &str, why: &str, title: String| {
        let raw = edited(&base, "alice", |v| {
            v["statements"][0]["title"] = json!(title)
        });
        cases.add_after(&["genesis"], &format!("BAD_TEXT{name}"), Accepts, why, raw);
    };
    add("", "an empty title", String::new());
    add(
        "-title-too-long",
        "a title of 201 bytes",
        "t".repeat(limits::TITLE_BYTES + 1),
    );
    add("-title-in-lines", "a title in two lines", "a\nb".to_owned());
    add(
        "-title-next-line",
        "U+0085, a line break to some",
        "a\u{85}b".to_owned(),
    );
}

fn add_contradictions(cases: &mut Cases<'_>) {
    let base = cases.valid.craft("propose");
    let mut add = |name: &str, why: &str, edit: &dyn Fn(&mut Value)| {
        let raw = edited(&base, "alice", |v| edit(&mut v["statements"]));
        cases.add_after(
            &["genesis"],
            &format!("BAD_STATEMENT{name}"),
            Accepts,
            why,
            raw,
        );
    };
    add("", "two proposals in one entry", &|v| {
        *v = json!([v[0].clone(), v[0].clone()])
    });
    add("-from-is-to", "from and to are the same", &|v| {
        v[0]["to"] = v[0]["from"].clone()
    });
    add("-both-null", "from absent to absent", &|v| {
        (v[0]["to"], v[0]["from"]) = (Value::Null, Value::Null)
    });
    add("-zeros", "forty zeros for an absent value", &|v| {
        v[0]["from"] = json!("0".repeat(40))
    });
    add("-creation-rewrites", "a creation that rewrites", &|v| {
        (v[0]["from"], v[0]["rewrite"]) = (Value::Null, json!(true))
    });
    add("-deletion-rewrites", "a deletion that rewrites", &|v| {
        (v[0]["to"], v[0]["rewrite"]) = (Value::Null, json!(true))
    });
    let base = cases.valid.craft("approve-and-prevote");
    let proposal: Value = serde_json::from_str(&cases.valid.craft("propose").json()).unwrap();
    let raw = edited(&base, "alice", |v| {
        v["statements"][1] = proposal["statements"][0].clone()
    });
    cases.add_after(
        &["propose"],
        "BAD_STATEMENT-proposal-second",
        Accepts,
        "a proposal that is not the first statement",
        raw,
    );
    let other = cases.valid.id("propose");
    let raw = edited(&cases.valid.craft("propose-charter"), "dave", |v| {
        v["statements"][0]["base"] = json!(other)
    });
    cases.add_after(
        &["prevote-later-round"],
        "BAD_STATEMENT-charter-base",
        Accepts,
        "a charter that is to follow another one than the entry's own",
        raw,
    );
}

fn add_geneses(cases: &mut Cases<'_>) {
    let base = cases.valid.craft("genesis");
    let mut add = |name: &str, why: &str, raw: Vec<u8>| {
        cases.add_genesis(&format!("BAD_GENESIS{name}"), Accepts, why, raw);
    };
    let founder = base.clone().subject("quorum genesis by mallory");
    let foreign = |line: &mut String| *line = line.replace("alice", "mallory");
    let mut by_mallory = founder.clone();
    by_mallory.headers.iter_mut().for_each(foreign);
    add(
        "",
        "its author is no member",
        edited(&by_mallory, "mallory", |v| v["member"] = json!("mallory")),
    );
    add(
        "-by-another-key",
        "signed by another member's key",
        base.clone().sign("bob"),
    );
    add(
        "-removed",
        "a first charter with a removed member",
        edited(&base, "alice", |v| {
            v["charter"]["removed"] =
                json!([{"key": public_key("mallory"), "last": null, "name": "mallory"}]);
        }),
    );
    let mut with_parent = base.clone();
    with_parent.headers.insert(
        1,
        "parent 00000000000000000000000000000000000000ff".to_owned(),
    );
    add(
        "-with-parent",
        "a genesis with a parent",
        with_parent.sign("alice"),
    );
    let ordinary = cases.valid.get("propose").raw.clone();
    cases.add_genesis(
        "BAD_GENESIS-ordinary-entry",
        Accepts,
        "an entry that is no genesis founds no ledger",
        ordinary,
    );
}
