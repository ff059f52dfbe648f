//! Commits without the exact form of an entry: header, message, armour.

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};

use super::craft::{Blob, Craft, lines, replaced, string, wrap};
use super::invalid::Cases;
use super::invalid::Stock::{Accepts, Refuses};
use crate::lab::public_key;

/// NOT_A_COMMIT, TOO_LARGE, BAD_TEMPLATE, NO_SIGNATURE, BAD_SUBJECT_LINE.
pub fn add(cases: &mut Cases<'_>) {
    add_objects(cases);
    add_headers(cases);
    add_authors(cases);
    add_messages(cases);
    add_unsigned(cases);
    add_subjects(cases);
}

fn add_objects(cases: &mut Cases<'_>) {
    let raw = cases.valid.get("abstain").raw.clone();
    cases.add_object(
        "blob",
        "NOT_A_COMMIT",
        "the bytes of an entry, kept as a blob",
        raw,
    );
    let tag = format!(
        "object {}\ntype commit\ntag entry\ntagger dave <dave@git-quorum.invalid> 1700000300 +0000\n\nabstain\n",
        cases.valid.get("abstain").oid
    );
    cases.add_object(
        "tag",
        "NOT_A_COMMIT-tag",
        "an annotated tag of an entry is no entry",
        tag.into_bytes(),
    );
    let large = cases
        .valid
        .craft("limit-bytes")
        .say("bbb\"", "bbbb\"")
        .sign("alice");
    cases.add_after(
        &["limit-nesting"],
        "TOO_LARGE",
        Accepts,
        "one byte more than an entry may have",
        large,
    );
}

fn add_headers(cases: &mut Cases<'_>) {
    let base = cases.valid.craft("abstain");
    let mut add = |name: &str, stock, why: &str, raw| {
        cases.add(&format!("BAD_TEMPLATE-{name}"), stock, why, raw)
    };
    let signed = |craft: Craft| craft.sign("dave");

    add(
        "added-header",
        Accepts,
        "a header that entries do not have",
        signed(base.clone().with("x-note hidden")),
    );
    add(
        "encoding-header",
        Accepts,
        "another encoding than UTF-8",
        signed(base.clone().with("encoding ISO-8859-1")),
    );
    add(
        "mergetag",
        Accepts,
        "a header with continued lines",
        signed(base.clone().with("mergetag object 00\n hidden")),
    );
    let raw = base.raw();
    let end = b" -----END SSH SIGNATURE-----\n";
    let after = replaced(&raw, end, &[end.as_slice(), b"x-note hidden\n"].concat());
    add(
        "header-after-signature",
        Refuses,
        "a header after the signature, which nobody signed",
        after,
    );
    let sha256 = replaced(
        &raw,
        end,
        &[end.as_slice(), b"gpgsig-sha256 anything\n"].concat(),
    );
    add(
        "gpgsig-sha256-added",
        Accepts,
        "stock Git leaves this header out of the signed bytes: anything could hide in it",
        sha256,
    );
    let at = raw.windows(7).position(|w| w == b"gpgsig ").unwrap();
    let signature = &raw[at..raw.windows(end.len()).position(|w| w == end).unwrap() + end.len()];
    let twice = replaced(&raw, signature, &[signature, signature].concat());
    add(
        "second-gpgsig",
        Accepts,
        "the signature header twice",
        twice,
    );
    let other = replaced(&raw, end, &[end.as_slice(), b"gpgsig anything\n"].concat());
    add(
        "second-gpgsig-text",
        Accepts,
        "a second signature header that is no signature",
        other,
    );
    let first = [signature, &replaced(&raw, signature, b"")[..]].concat();
    add(
        "signature-first",
        Refuses,
        "the signature header before the tree",
        first,
    );
    let tree = base.clone().header(
        "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        "4b825dc642cb6eb9a060e54bf8d69288fbee4905",
    );
    add(
        "other-tree",
        Accepts,
        "a tree that is not the empty one",
        signed(tree),
    );
    let mut swapped = base.clone();
    swapped.headers.swap(0, 1);
    add(
        "parent-before-tree",
        Refuses,
        "headers in another order",
        signed(swapped),
    );
    let mut swapped = base.clone();
    swapped.headers.swap(3, 4);
    add(
        "committer-before-author",
        Accepts,
        "headers in another order",
        signed(swapped),
    );
    let parent = base.headers[1].clone();
    let upper = format!("parent {}", parent["parent ".len()..].to_uppercase());
    add(
        "parent-in-capitals",
        Accepts,
        "Git reads it as the same parent",
        signed(base.clone().header(&parent, &upper)),
    );
    add(
        "parent-short",
        Refuses,
        "a parent that is no object id",
        signed(base.clone().header(&parent, "parent 4b82")),
    );
    let crlf = String::from_utf8(raw.clone())
        .unwrap()
        .replace('\n', "\r\n")
        .into_bytes();
    add("crlf", Refuses, "lines that end in CR LF", crlf);
    add("empty", Refuses, "no bytes at all", vec![]);
    add(
        "header-only",
        Refuses,
        "no message",
        base.headers.join("\n").into_bytes(),
    );
}

fn add_authors(cases: &mut Cases<'_>) {
    let base = cases.valid.craft("abstain");
    let time = base.headers[3].split(' ').nth(3).unwrap().to_owned();
    let author = base.headers[3].clone();
    let mut add = |name: &str, stock, why: &str, craft: Craft| {
        cases.add(
            &format!("BAD_TEMPLATE-{name}"),
            stock,
            why,
            craft.sign("dave"),
        );
    };
    let both = |from: &str, to: &str| {
        let mut craft = base.clone();
        craft
            .headers
            .iter_mut()
            .skip(3)
            .for_each(|line| *line = line.replace(from, to));
        craft
    };
    let line = |with: &str| base.clone().header(&author, with);
    add(
        "author-is-not-committer",
        Accepts,
        "another author",
        line(&author.replace("dave", "carol")),
    );
    add(
        "author-name",
        Accepts,
        "another name with the same address",
        line(&author.replacen("dave", "alice", 1)),
    );
    add(
        "not-the-member",
        Accepts,
        "author and committer agree, the payload names another member",
        both("dave", "carol"),
    );
    add(
        "committer-time",
        Accepts,
        "author and committer at different times",
        base.clone().header(
            &base.headers[4].clone(),
            &base.headers[4].replace(&time, "1700000000"),
        ),
    );
    add(
        "other-domain",
        Accepts,
        "another address",
        both("git-quorum.invalid", "example.org"),
    );
    add(
        "time-zone",
        Accepts,
        "a time zone that is not UTC",
        both("+0000", "+0100"),
    );
    add(
        "minus-zero-zone",
        Accepts,
        "-0000 is not +0000",
        both("+0000", "-0000"),
    );
    add(
        "leading-zero-in-time",
        Accepts,
        "the same number, otherwise spelt",
        both(&time, &format!("0{time}")),
    );
    add(
        "plus-in-time",
        Accepts,
        "a sign before the time",
        both(&time, &format!("+{time}")),
    );
    add(
        "negative-time",
        Accepts,
        "a time before 1970",
        both(&time, "-1"),
    );
    add(
        "huge-time",
        Refuses,
        "a time that no 64-bit number holds",
        both(&time, "18446744073709551616"),
    );
    add(
        "two-spaces",
        Accepts,
        "two spaces before the time",
        both(&time, &format!(" {time}")),
    );
    add(
        "no-time",
        Accepts,
        "no time",
        both(&format!(" {time} +0000"), ""),
    );
    let twice = format!("{author}\n{author}");
    add(
        "two-authors",
        Accepts,
        "the author line twice",
        line(&twice),
    );
    add(
        "space-at-line-end",
        Accepts,
        "a space after the time zone",
        both("+0000", "+0000 "),
    );
    add(
        "nul-in-author",
        Refuses,
        "a NUL byte",
        line(&author.replace("dave <", "da\0ve <")),
    );
}

fn add_messages(cases: &mut Cases<'_>) {
    let base = cases.valid.craft("abstain");
    let mut add = |name: &str, why: &str, message: Vec<u8>| {
        let raw = Craft {
            message,
            ..base.clone()
        }
        .sign("dave");
        cases.add(&format!("BAD_TEMPLATE-{name}"), Accepts, why, raw);
    };
    let text = String::from_utf8(base.message.clone()).unwrap();
    let subject = text.lines().next().unwrap();
    add(
        "no-final-line-feed",
        "the last line is not ended",
        text.trim_end().into(),
    );
    add(
        "no-payload",
        "a subject line alone",
        format!("{subject}\n").into_bytes(),
    );
    add(
        "subject-and-payload-joined",
        "no empty line between them",
        text.replacen("\n\n", "\n", 1).into_bytes(),
    );
    add("empty-message", "nothing after the header", vec![]);
    let byte = replaced(text.as_bytes(), b"\"text\":\"\"", b"\"text\":\"\xff\"");
    add("not-utf-8", "a byte that is no UTF-8", byte);
    let surrogate = replaced(
        text.as_bytes(),
        b"\"text\":\"\"",
        b"\"text\":\"\xed\xa0\x80\"",
    );
    add(
        "surrogate-in-utf-8",
        "an encoded surrogate is no UTF-8",
        surrogate,
    );
    let overlong = replaced(text.as_bytes(), b"\"text\":\"\"", b"\"text\":\"\xc0\xaf\"");
    add(
        "overlong-utf-8",
        "an overlong encoding is no UTF-8",
        overlong,
    );
}

fn add_unsigned(cases: &mut Cases<'_>) {
    let base = cases.valid.craft("abstain");
    cases.add(
        "NO_SIGNATURE",
        Refuses,
        "the signed bytes alone",
        base.signed_bytes(),
    );
    let encoding = base.clone().with("encoding UTF-8").signed_bytes();
    cases.add(
        "NO_SIGNATURE-other-header",
        Refuses,
        "no signature, and a header that entries do not have",
        encoding,
    );
    let other = replaced(&base.raw(), b"gpgsig ", b"gpgsig-sha256 ");
    let why = "the signature in the header of SHA-256 repositories: a continued header that is no signature";
    cases.add("BAD_TEMPLATE-sha256-header", Refuses, why, other);
}

fn add_subjects(cases: &mut Cases<'_>) {
    let base = cases.valid.craft("abstain");
    let subject = std::str::from_utf8(&base.message)
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned();
    let mut add = |variant: &str, why: &str, subject: String| {
        let raw = base.clone().subject(&subject).sign("dave");
        cases.add(&format!("BAD_SUBJECT_LINE{variant}"), Accepts, why, raw);
    };
    add(
        "",
        "the subject says approve, the payload abstain",
        subject.replace("abstain", "approve"),
    );
    add(
        "-proposal",
        "the subject names another proposal",
        subject.replace("abstain ", "abstain 0"),
    );
    add(
        "-seq",
        "the subject counts otherwise",
        subject.replace(" 1:", " 2:"),
    );
    add("-space-at-end", "a space at the end", format!("{subject} "));
    add(
        "-member",
        "the subject names another member",
        subject.replace("dave", "carol"),
    );
    add(
        "-more-text",
        "text after what was said",
        format!("{subject}, prevote 000000000000 round 0"),
    );
    add(
        "-blank-before",
        "an empty line before the subject",
        format!("\n{subject}"),
    );
    let genesis = cases
        .valid
        .craft("genesis")
        .subject("quorum genesis by bob")
        .sign("alice");
    cases.add_genesis(
        "BAD_SUBJECT_LINE-genesis",
        Accepts,
        "another founder in the subject",
        genesis,
    );
}

/// BAD_ARMOUR.
pub fn add_armour(cases: &mut Cases<'_>) {
    add_layouts(cases);
    add_blobs(cases);
    add_keys(cases);
}

fn add_layouts(cases: &mut Cases<'_>) {
    let base = cases.valid.craft("abstain");
    let mut add = |name: &str, stock, why: &str, armour: String| {
        cases.add(
            &format!("BAD_ARMOUR-{name}"),
            stock,
            why,
            base.clone().armoured(&armour),
        );
    };
    let (good, blob) = (base.armour.clone(), base.blob());
    add(
        "wrapped-at-76",
        Accepts,
        "lines of 76 characters",
        wrap(&blob, 76),
    );
    add(
        "wrapped-at-64",
        Accepts,
        "lines of 64 characters",
        wrap(&blob, 64),
    );
    add(
        "one-line",
        Accepts,
        "the base64 in one line",
        wrap(&blob, 1000),
    );
    add(
        "blank-inside",
        Accepts,
        "a blank in the base64",
        good.replacen("U1NI", "U1 NI", 1),
    );
    add(
        "blank-line-inside",
        Accepts,
        "an empty line in the base64",
        good.replacen("-----\n", "-----\n\n", 1),
    );
    add(
        "blank-at-line-end",
        Refuses,
        "a blank at a line's end",
        good.replacen("-----\n", "----- \n", 1),
    );
    add(
        "text-after-the-end",
        Accepts,
        "a line after the end marker",
        format!("{good}hidden\n"),
    );
    add(
        "text-before",
        Refuses,
        "a line before the begin marker",
        format!("hidden\n{good}"),
    );
    add(
        "header-in-armour",
        Refuses,
        "an armour header",
        good.replacen("-----\n", "-----\nComment: hidden\n\n", 1),
    );
    add(
        "cr-lf",
        Refuses,
        "armour lines that end in CR LF",
        good.replace('\n', "\r\n"),
    );
    add(
        "no-end",
        Refuses,
        "no end marker",
        good.replace("-----END SSH SIGNATURE-----\n", ""),
    );
    add(
        "empty",
        Refuses,
        "nothing between the markers",
        wrap(b"", 70),
    );
    add(
        "pgp",
        Refuses,
        "an OpenPGP signature",
        good.replace("SSH SIGNATURE", "PGP SIGNATURE"),
    );
    add(
        "not-base64",
        Refuses,
        "a character that is not base64",
        good.replacen("U1NI", "U1N*", 1),
    );
    let body: String = good.lines().filter(|l| !l.starts_with('-')).collect();
    let unpadded = body.trim_end_matches('=');
    add(
        "no-padding",
        Refuses,
        "the padding left out",
        lines(unpadded, 70),
    );
    let last = unpadded.chars().next_back().unwrap();
    let bits = char::from(last as u8 + 1);
    let loose = format!("{}{bits}=", &unpadded[..unpadded.len() - 1]);
    add(
        "loose-bits",
        Refuses,
        "unused bits of the last base64 digit set",
        lines(&loose, 70),
    );
    add(
        "bytes-after-the-blob",
        Refuses,
        "a byte after the signature blob",
        wrap(&[blob.as_slice(), b"\0"].concat(), 70),
    );
    add(
        "cut-short",
        Refuses,
        "the last byte missing",
        wrap(&blob[..blob.len() - 1], 70),
    );
}

fn add_blobs(cases: &mut Cases<'_>) {
    let base = cases.valid.craft("abstain");
    let signed = base.signed_bytes();
    let blob = Blob::of("dave");
    let mut add = |name: &str, stock, why: &str, blob: Blob| {
        let armour = blob.sign("dave", &signed).armour();
        cases.add(
            &format!("BAD_ARMOUR-{name}"),
            stock,
            why,
            base.clone().armoured(&armour),
        );
    };
    add(
        "reserved-signed",
        Refuses,
        "a reserved field that is not empty, and signed so",
        Blob {
            reserved: b"hidden",
            ..blob.clone()
        },
    );
    add(
        "sha256",
        Accepts,
        "SHA-256 inside, signed so",
        Blob {
            hash: b"sha256",
            ..blob.clone()
        },
    );
    add(
        "other-namespace",
        Refuses,
        "a signature for files",
        Blob {
            namespace: b"file",
            ..blob.clone()
        },
    );
    add(
        "no-namespace",
        Refuses,
        "an empty namespace",
        Blob {
            namespace: b"",
            ..blob.clone()
        },
    );
    add(
        "version-2",
        Refuses,
        "another version of the format",
        Blob {
            version: 2,
            ..blob.clone()
        },
    );
    add(
        "magic",
        Refuses,
        "another magic",
        Blob {
            magic: b"SSHSIX",
            ..blob.clone()
        },
    );
    let reserved = Blob {
        reserved: b"hidden",
        ..blob.clone().sign("dave", &signed)
    }
    .armour();
    let why =
        "a reserved field that is not empty beside a true signature: stock Git does not look at it";
    cases.add(
        "BAD_ARMOUR-reserved-set",
        Accepts,
        why,
        base.clone().armoured(&reserved),
    );
    let mut add = |name: &str, why: &str, signature: Vec<u8>| {
        let armour = Blob {
            signature,
            ..blob.clone()
        }
        .armour();
        cases.add(
            &format!("BAD_ARMOUR-{name}"),
            Refuses,
            why,
            base.clone().armoured(&armour),
        );
    };
    let good = base.signature();
    add(
        "algorithm",
        "an ed25519 signature under the name of another algorithm",
        [string(b"rsa-sha2-512"), string(&good)].concat(),
    );
    add(
        "short-signature",
        "63 bytes of signature",
        [string(b"ssh-ed25519"), string(&good[..63])].concat(),
    );
    add(
        "long-signature",
        "65 bytes of signature",
        [
            string(b"ssh-ed25519"),
            string(&[good.as_slice(), b"\0"].concat()),
        ]
        .concat(),
    );
    let inner = [string(b"ssh-ed25519"), string(&good), vec![0]].concat();
    add(
        "bytes-after-the-signature",
        "a byte after the signature, inside the blob",
        inner,
    );
}

fn add_keys(cases: &mut Cases<'_>) {
    let base = cases.valid.craft("abstain");
    let signature = [string(b"ssh-ed25519"), string(&base.signature())].concat();
    let mut add = |name: &str, why: &str, key: Vec<u8>, signature: Vec<u8>| {
        let armour = Blob {
            key,
            signature,
            ..Blob::of("dave")
        }
        .armour();
        cases.add(
            &format!("BAD_ARMOUR-{name}"),
            Refuses,
            why,
            base.clone().armoured(&armour),
        );
    };
    let ed25519 = |bytes: &[u8]| [string(b"ssh-ed25519"), string(bytes)].concat();
    let rsa = [
        string(b"ssh-rsa"),
        string(&[1, 0, 1]),
        string(&[&[0, 0xc5], [0x77; 255].as_slice()].concat()),
    ]
    .concat();
    add(
        "rsa",
        "an RSA key (what the signature holds no longer matters)",
        rsa,
        [string(b"rsa-sha2-512"), string(&[0x42; 256])].concat(),
    );
    let security_key = [
        string(b"sk-ssh-ed25519@openssh.com"),
        string(public_key("dave").bytes()),
        string(b"ssh:"),
    ]
    .concat();
    let touched = [
        string(b"sk-ssh-ed25519@openssh.com"),
        string(&base.signature()),
        vec![1, 0, 0, 0, 9],
    ]
    .concat();
    add(
        "security-key",
        "a key on a security token, which signs other bytes",
        security_key,
        touched,
    );
    add(
        "small-order-key",
        "the identity as the key: some checks accept any message under it",
        ed25519(EIGHT_TORSION[0].compress().as_bytes()),
        signature.clone(),
    );
    let mixed = (ED25519_BASEPOINT_POINT + EIGHT_TORSION[1]).compress();
    add(
        "key-with-torsion",
        "a key outside the prime-order subgroup",
        ed25519(mixed.as_bytes()),
        signature.clone(),
    );
    let mut again = [0xff; 32];
    (again[0], again[31]) = (0xee, 0x7f);
    add(
        "key-not-canonical",
        "a key in an encoding that is not the canonical one",
        ed25519(&again),
        signature.clone(),
    );
    add(
        "short-key",
        "a key of 31 bytes",
        ed25519(&public_key("dave").bytes()[..31]),
        signature,
    );
}
