#!/usr/bin/env python3
"""A second verifier of git-quorum ledgers, written from the pages beside this file and from nothing else.

    verify.py CLONE [--ledger ID] [--json] [--stock]   what the ledger in a clone has decided
    verify.py --vectors FOLDER                         does this file agree with the vectors?
    verify.py --judge < LEDGERS                        whole ledgers in the form of vectors/ledgers/, one a line

It shares no line with the program. It needs Python 3.11, stock git, and PyNaCl (`pip install pynacl==1.6.2`); `--stock`
has ssh-keygen check the signature of every entry as well. It reads entries only: not what protected refs hold, and not
whether a proposal says what its objects say (change.md). Comments name the page and section that a rule is from.

Exit status: 0 verified; 1 it failed; 2 called wrongly; 3 no ledger here; 7 agreement is broken, the clone is shallow or
partial, the ledger asks for a newer verifier (UPGRADE_NEEDED), or nobody said which ledger is the right one (UNPINNED).

Why PyNaCl: entry.md, section 3, asks that S be below the group order, that neither R nor the key be of small order, and
that [S]B = R + [k]A hold without the cofactor. libsodium refuses all of that; OpenSSL, and so `cryptography`, takes an R or
a key of small order. Whether it multiplies by the cofactor depends on how libsodium was built, so R is checked to lie in the
prime-order subgroup. Every key here lies there (charter.md, section 2), where the two equations say the same.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from nacl.bindings import crypto_core_ed25519_is_valid_point as in_prime_order_subgroup
from nacl.bindings import crypto_sign_open
from nacl.exceptions import CryptoError

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
LARGEST = 2**53 - 1


class Refused(Exception):
    """Why bytes are no entry: a code of reasons.md, and what was found."""

    def __init__(self, code: str, why: str = "") -> None:
        super().__init__(f"{code}: {why}" if why else code)
        self.code = code


class Stop(Exception):
    """Why there is no verdict at all."""

    def __init__(self, status: int, code: str, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.status, self.code = status, code


def need(holds: bool, code: str, why: str = "") -> None:
    if not holds:
        raise Refused(code, why)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def canonical(value: Any) -> bytes:
    """RFC 8785, for values whose keys are ASCII and whose numbers are integers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


# ---- entry.md, section 3: signatures


def verifies(key: bytes, signature: bytes, message: bytes) -> bool:
    if not in_prime_order_subgroup(signature[:32]):
        return False
    try:
        crypto_sign_open(signature + message, key)
    except CryptoError:
        return False
    return True


def ssh_string(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def key_text(key: bytes) -> str:
    return "ssh-ed25519 " + base64.b64encode(ssh_string(b"ssh-ed25519", key)).decode()


def key_bytes(text: str) -> bytes:
    """The 32 bytes of a key that is written as charter.md, section 2, has it; b"" for any other text."""
    if not re.fullmatch(r"ssh-ed25519 [A-Za-z0-9+/]{68}", text):
        return b""
    key = base64.b64decode(text.split(" ")[1])[-32:]
    return key if key_text(key) == text and in_prime_order_subgroup(key) else b""


def armour(key: bytes, signature: bytes) -> list[str]:
    fields = ssh_string(ssh_string(b"ssh-ed25519", key), b"git", b"", b"sha512", ssh_string(b"ssh-ed25519", signature))
    text = base64.b64encode(b"SSHSIG" + (1).to_bytes(4, "big") + fields).decode()
    lines = [text[at : at + 70] for at in range(0, len(text), 70)]
    return ["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----"]


def read_armour(lines: list[str]) -> tuple[bytes, bytes]:
    try:
        blob = base64.b64decode("".join(lines[1:-1]), validate=True)
    except ValueError:
        raise Refused("BAD_ARMOUR", "not base64") from None
    key, signature = blob[33:65], blob[-64:]  # the magic, the version and three lengths with "ssh-ed25519" come first
    need(len(key) == 32 and armour(key, signature) == lines, "BAD_ARMOUR")
    need(in_prime_order_subgroup(key), "BAD_ARMOUR", "no charter admits this key")
    return key, signature


def signed_data(signed: bytes) -> bytes:
    return b"SSHSIG" + ssh_string(b"git", b"", b"sha512", hashlib.sha512(signed).digest())


# ---- the shapes of charter.md, section 1, and deciding.md, section 1: whatever differs is BAD_JSON

Check = Callable[[Any], bool]


def text(value: Any) -> bool:
    return isinstance(value, str)


def flag(value: Any) -> bool:
    return isinstance(value, bool)


def integer(low: int, high: int) -> Check:
    return lambda value: type(value) is int and low <= value <= high


def digits(count: int) -> Check:
    return lambda value: text(value) and re.fullmatch(f"[0-9a-f]{{{count}}}", value) is not None


def or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


def items(check: Check, most: int = sys.maxsize) -> Check:
    return lambda value: isinstance(value, list) and len(value) <= most and all(check(item) for item in value)


def record(**fields: Check) -> Check:
    """An object with exactly these fields. (`from` is a word of Python's, and so written `from_`.)"""
    checks = {name.rstrip("_"): check for name, check in fields.items()}
    return lambda v: isinstance(v, dict) and v.keys() == checks.keys() and all(c(v[k]) for k, c in checks.items())


def rising(values: list) -> bool:
    return all(a < b for a, b in zip(values, values[1:], strict=False))


def name(value: Any) -> bool:
    reserved = r"con|prn|aux|nul|com[0-9]|lpt[0-9]"
    return text(value) and bool(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", value)) and not re.fullmatch(reserved, value)


def ref_name(value: Any) -> bool:
    if not text(value) or len(value.encode()) > 255 or not re.fullmatch(r"refs/[^/]+/.+", value, re.DOTALL):
        return False
    if re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|\.$", value):
        return False
    if any(not part or part.startswith(".") or part.endswith(".lock") for part in value.split("/")):
        return False
    return not re.match(r"refs/(quorum|replace|namespaces)/", value, re.IGNORECASE | re.ASCII)


def pattern(value: Any) -> bool:
    """A ref's name, or `P*`. If any character after P makes a name, then so does an x."""
    if not text(value) or len(value.encode()) > 255 or not value.endswith("*"):
        return ref_name(value)
    return value.count("/") >= 2 and ref_name(value[:-1] + "x")


def key(value: Any) -> bool:
    return text(value) and key_bytes(value) != b""


CHARTER = record(
    members=items(record(domain=name, key=key, name=name, roles=items(name, 16), vote=flag), 128),
    protect=items(pattern, 64),
    removed=items(record(key=key, last=or_null(digits(64)), name=name), 512),
    rules=record(allow_concentrated_domains=flag, own_approval_counts=flag, quorum=integer(0, LARGEST)),
    v=integer(1, 1),
)


def charter(value: Any) -> bool:
    """charter.md, sections 1 to 3."""
    if not CHARTER(value):
        return False
    members, everyone = value["members"], value["members"] + value["removed"]
    order = [[m["name"] for m in members], [m["name"] for m in value["removed"]], [p.encode() for p in value["protect"]]]
    distinct = len({m["name"] for m in everyone}) == len({m["key"] for m in everyone}) == len(everyone)
    if not (distinct and all(map(rising, order + [m["roles"] for m in members]))):
        return False
    domains = Counter(m["domain"] for m in members if m["vote"])
    n = domains.total()
    f = (n - 1) // 3
    least = (n + f) // 2 + 1
    spread = value["rules"]["allow_concentrated_domains"] or all(votes <= max(f, 1) for votes in domains.values())
    return n > 0 and len(value["protect"]) > 0 and least <= value["rules"]["quorum"] <= n and spread


def proposed_charter(value: Any) -> bool:
    """One of a newer version is not looked into (deciding.md, section 2)."""
    return charter(value) or isinstance(value, dict) and integer(2, LARGEST)(value.get("v"))


def may_follow(new: dict, old: dict) -> bool:
    """charter.md, section 4."""
    members = {m["name"]: m["key"] for m in new["members"]}
    removed = {m["name"]: m for m in new["removed"]}
    gone = [m for m in old["members"] if members.get(m["name"]) != m["key"]]
    if any(m["name"] not in removed or removed[m["name"]]["key"] != m["key"] for m in gone):
        return False
    kept = all(removed.get(m["name"]) == m for m in old["removed"])
    return kept and removed.keys() == {m["name"] for m in gone + old["removed"]}


PROPOSAL = {"base": digits(64), "kind": text, "text": text, "title": text}
MOVE = {"change": digits(64), "from_": or_null(digits(40)), "ref": ref_name, "rewrite": flag, "state": digits(64)}
VOTE = {"kind": text, "proposal": digits(64), "round": integer(0, 2**32 - 1)}
KINDS: dict[str, Check] = {
    "propose": record(**PROPOSAL, **MOVE, to=or_null(digits(40))),
    "propose-charter": record(**PROPOSAL, charter=proposed_charter),
    "review": record(
        kind=text, evidence=items(text), proposal=digits(64), text=text, verdict=["approve", "reject", "abstain"].__contains__
    ),
    "withdraw": record(kind=text, proposal=digits(64)),
    "prevote": record(**VOTE),
    "precommit": record(**VOTE, signature=digits(128)),
}


def statement(value: Any) -> bool:
    kind = value.get("kind") if isinstance(value, dict) else None
    return text(kind) and kind in KINDS and KINDS[kind](value)


ENTRY = record(
    charter=digits(64), ledger=digits(64), member=name, parents=items(digits(64)), seq=integer(0, LARGEST),
    statements=items(statement), type=text, v=integer(1, 1),
)  # fmt: skip
GENESIS = record(charter=charter, member=name, type=text, v=integer(1, 1))


# ---- entry.md, sections 2 to 4: bytes become an entry. The steps, and their order, are those of reasons.md


@dataclass(eq=False)
class Entry:
    payload: dict
    parents: list[str]  # Git's ids, as in the header
    time: int
    key: bytes
    signature: bytes
    armour: list[str]
    signed: bytes
    id: str
    # What its place adds (Ledger.add): a number, and the numbers of its ancestors as the bits of an integer.
    index: int = 0
    ancestors: int = 0
    verdicts: list[str | None] = field(default_factory=list)

    @property
    def member(self) -> str:
        return self.payload["member"]

    @property
    def is_genesis(self) -> bool:
        return self.payload["type"] == "genesis"

    @property
    def charter(self) -> str:
        return self.id if self.is_genesis else self.payload["charter"]

    @property
    def seq(self) -> int:
        return self.payload.get("seq", 0)

    @property
    def statements(self) -> list[dict]:
        return self.payload.get("statements", [])

    @property
    def proposal(self) -> dict | None:
        """What it proposes: only the first statement can (entry.md, section 4)."""
        said = self.statements
        return said[0] if said and said[0]["kind"].startswith("propose") else None


def parse_number(token: str) -> int | float:
    value = float(token)
    need(abs(value) != float("inf"), "BAD_JSON", "a number beyond binary64")
    plain = token != "-0" and re.fullmatch("-?[0-9]+", token)  # neither 1e0 nor -0 is a plain integer
    return int(token) if plain else value


def refuse_constant(token: str) -> None:
    raise ValueError(token)  # NaN and Infinity, which Python's json would take


def check_values(value: Any, depth: int = 1) -> None:
    """Of everything in the payload: how deep it is, and its numbers and keys (step 5)."""
    if isinstance(value, (dict, list)):
        need(depth <= 127, "BAD_JSON", "too deep")
        for item in value.values() if isinstance(value, dict) else value:
            check_values(item, depth + 1)


def is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(k.isascii() and is_plain(v) for k, v in value.items())
    if isinstance(value, list):
        return all(map(is_plain, value))
    return not isinstance(value, (int, float)) or isinstance(value, bool) or integer(0, LARGEST)(value)


def parse_payload(line: str) -> dict:
    """Step 5."""
    numbers = {"parse_int": parse_number, "parse_float": parse_number, "parse_constant": refuse_constant}
    try:
        payload = json.loads(line, **numbers)
        check_values(payload)
        json.dumps(payload, ensure_ascii=False).encode()  # fails for half a surrogate pair, which is no character
    except (ValueError, RecursionError):
        raise Refused("BAD_JSON", "no JSON") from None
    need(isinstance(payload, dict) and integer(0, 2**64 - 1)(payload.get("v")), "BAD_JSON", "no version")
    need(payload["v"] == 1, "UNKNOWN_VERSION", str(payload["v"]))
    need(is_plain(payload) and canonical(payload) == line.encode(), "NOT_CANONICAL")
    return payload


CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def check_text(value: str, least: int, most: int, allowed: str = "") -> None:
    need(least <= len(value.encode()) <= most, "BAD_TEXT", "length")
    need(set(CONTROL.findall(value)) <= set(allowed), "BAD_TEXT", "control characters")


def check_statement(said: dict) -> None:
    """Step 7, of one statement; the limits are entry.md's, section 6."""
    evidence = said.get("evidence", [])
    need(len(evidence) <= 16, "LIMIT_EXCEEDED", "evidence")
    for item in evidence:
        check_text(item, 1, 1024)
    if "title" in said:
        check_text(said["title"], 1, 200)
    if "text" in said:
        check_text(said["text"], 0, 16384, "\n\t")
    if said["kind"] == "propose":
        ends = (said["from"], said["to"])
        need(ends[0] != ends[1] and "0" * 40 not in ends, "BAD_STATEMENT", "from and to")
        need(None not in ends or not said["rewrite"], "BAD_STATEMENT", "a creation or deletion is no rewrite")


def check_payload(payload: dict, parents: list[str], time: int) -> None:
    """Steps 6 and 7."""
    kind = payload.get("type")
    need(GENESIS(payload) if kind == "genesis" else kind == "entry" and ENTRY(payload), "BAD_JSON", "shape")
    need(time <= 253370764799, "LIMIT_EXCEEDED", "time")
    if kind == "genesis":
        names = [m["name"] for m in payload["charter"]["members"]]
        need(not parents and not payload["charter"]["removed"] and payload["member"] in names, "BAD_GENESIS")
        return
    need(1 <= len(parents) == len(payload["parents"]), "LIMIT_EXCEEDED", "parents")
    need(len(payload["statements"]) <= 64, "LIMIT_EXCEEDED", "statements")
    need(payload["seq"] >= 1, "LIMIT_EXCEEDED", "seq")
    for said in payload["statements"]:
        check_statement(said)
    for place, said in enumerate(payload["statements"]):
        need(place == 0 or not said["kind"].startswith("propose"), "BAD_STATEMENT", "a proposal is not first")
        own = said["kind"] != "propose-charter" or said["base"] == payload["charter"]
        need(own, "BAD_STATEMENT", "a charter's base is not the entry's charter")


def subject_line(payload: dict) -> str:
    if payload["type"] == "genesis":
        return f"quorum genesis by {payload['member']}"
    words = []
    for said in payload["statements"]:
        if said["kind"].startswith("propose"):
            words.append(said["kind"].replace("-", " "))
        else:
            vote = f" round {said['round']}" if "round" in said else ""
            words.append(f"{said.get('verdict', said['kind'])} {said['proposal'][:12]}{vote}")
    return f"quorum {payload['member']} {payload['seq']}: {', '.join(words) or 'join'}"


def build(payload: dict, parents: list[str], time: int, signature: list[str]) -> bytes:
    """The bytes of an entry; without an armour its signed bytes."""
    who = f"{payload['member']} <{payload['member']}@git-quorum.invalid> {time} +0000"
    header = [f"tree {EMPTY_TREE}", *(f"parent {oid}" for oid in parents), f"author {who}", f"committer {who}"]
    header += ["gpgsig " + "\n ".join(signature)] if signature else []
    return "\n".join([*header, "", subject_line(payload), "", ""]).encode() + canonical(payload) + b"\n"


def read_header(header: str) -> tuple[list[str], int, list[str]]:
    """Steps 2 and 3: the parents, the time, and the lines of the armour."""
    parents: list[str] = []
    signature: list[str] = []
    author = ""
    for line in header.split("\n"):
        if line.startswith((" ", "gpgsig ")):
            need(line.startswith(" ") == bool(signature), "BAD_TEMPLATE", "gpgsig")
            signature.append(line.removeprefix("gpgsig ") if not signature else line[1:])
        elif line.startswith("parent "):
            parents.append(line.removeprefix("parent "))
            need(digits(40)(parents[-1]), "BAD_TEMPLATE", "parent")
            need(len(parents) <= 256, "LIMIT_EXCEEDED", "parents")
        elif line.startswith("author "):
            author = line
    time = re.search(r" \+?0*([0-9]{1,20}) \+0000\Z", author)
    need(time is not None and int(time[1]) < 2**64, "BAD_TEMPLATE", "author")
    need(bool(signature), "NO_SIGNATURE")
    return parents, int(time[1]), signature


def parse(raw: bytes, kind: str = "commit") -> Entry:
    """Steps 1 to 8."""
    need(kind == "commit", "NOT_A_COMMIT", kind)
    need(len(raw) <= 262144, "TOO_LARGE")
    try:
        header, lf, message = raw.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise Refused("BAD_TEMPLATE", "not UTF-8") from None
    need(lf != "", "BAD_TEMPLATE", "no message")
    parents, time, lines = read_header(header)
    public, signature = read_armour(lines)
    subject, lf, line = message.partition("\n\n")
    need(lf != "" and line.endswith("\n"), "BAD_TEMPLATE", "no payload")
    payload = parse_payload(line[:-1])
    check_payload(payload, parents, time)
    need(subject == subject_line(payload), "BAD_SUBJECT_LINE")
    need(build(payload, parents, time, lines) == raw, "BAD_TEMPLATE", "other bytes")
    signed = build(payload, parents, time, [])
    return Entry(payload, parents, time, public, signature, lines, signed, sha256(signed))


# ---- entry.md, section 5: the places of entries; deciding.md: what their statements are worth


class Slot(NamedTuple):
    """deciding.md, section 2: a subject (a ref, or "charter") with a base."""

    subject: str
    base: str

    @property
    def id(self) -> str:
        return sha256(f"git-quorum slot v1\n{self.subject}\n{self.base}\n".encode())


class View(NamedTuple):
    """A statement's place, from which it knows what it knows."""

    entry: Entry
    index: int

    def knows(self, other: View) -> bool:
        """entry.md, section 5: among the ancestors, or earlier in the same entry."""
        if other.entry is self.entry:
            return other.index < self.index
        return bool(self.entry.ancestors >> other.entry.index & 1)


@dataclass(eq=False)
class Charter:
    id: str
    base: str | None
    body: dict

    def __post_init__(self) -> None:
        self.keys = {m["name"]: m["key"] for m in self.body["members"]}
        self.voters = {m["name"] for m in self.body["members"] if m["vote"]}
        self.q = self.body["rules"]["quorum"]

    def protects(self, ref: str) -> bool:
        """charter.md, section 1."""
        return any(
            ref.startswith(p[:-1]) and ref != p[:-1] if p.endswith("*") else ref == p for p in self.body["protect"]
        )


@dataclass(eq=False)
class Vote:
    at: View
    proposal: str
    round: int
    phase: str
    counts: bool

    @property
    def member(self) -> str:
        return self.at.entry.member


class Ledger:
    """Entries in an order in which parents come first. Which such order does not matter."""

    def __init__(self, genesis: Entry, oid: str) -> None:
        need(genesis.is_genesis, "BAD_GENESIS", "no genesis")
        body = genesis.payload["charter"]
        self.id = genesis.id
        self.founder_key = next(m["key"] for m in body["members"] if m["name"] == genesis.member)
        self.check_genesis(genesis)
        self.entries = {genesis.id: genesis}
        self.commits = {oid: genesis.id}
        # Those that could follow one another down to the first, and that some entry proposes.
        self.charters = {genesis.id: Charter(genesis.id, None, body)}
        self.proposals: dict[str, Entry] = {}
        # By charter and slot: votes for proposals that are valid and known to them (deciding.md, rule 7), counting or not.
        self.votes: dict[tuple[str, Slot], list[Vote]] = defaultdict(list)
        # By charter and proposal: the approvals that count.
        self.approvals: dict[tuple[str, str], list[View]] = defaultdict(list)

    def check_genesis(self, entry: Entry) -> None:
        need(entry.id == self.id, "WRONG_LEDGER", entry.id)
        need(key_text(entry.key) == self.founder_key, "BAD_GENESIS", "another key")
        need(verifies(entry.key, entry.signature, signed_data(entry.signed)), "BAD_SIGNATURE")

    def add(self, entry: Entry, oid: str) -> None:
        """entry.md, section 5, in the order of reasons.md, step 9."""
        if entry.is_genesis:
            self.check_genesis(entry)
            self.commits[oid] = entry.id
            return
        need(entry.payload["ledger"] == self.id, "WRONG_LEDGER")
        parents = self.parents_of(entry)
        own = [parent for parent in parents if parent.member == entry.member and not parent.is_genesis]
        need(parents[0] in own if own else parents[0].is_genesis, "BAD_LANE")
        need(entry.seq == 1 + max((parent.seq for parent in own), default=0), "BAD_SEQUENCE")
        ancestors = 0
        for parent in parents:
            ancestors |= parent.ancestors | 1 << parent.index
        known = entry.charter in self.charters and ancestors >> self.entries[entry.charter].index & 1
        need(bool(known), "UNKNOWN_CHARTER")
        lineage = [c.id for c in self.lineage(entry.charter)]
        need(all(parent.charter in lineage for parent in own), "CHARTER_WENT_BACK")
        keys = self.charters[entry.charter].keys
        need(entry.member in keys, "NOT_A_MEMBER")
        good = verifies(entry.key, entry.signature, signed_data(entry.signed))
        need(keys[entry.member] == key_text(entry.key) and good, "BAD_SIGNATURE")
        self.commits[oid] = entry.id
        if entry.id not in self.entries:  # two commits with the same signed bytes are one entry
            entry.index, entry.ancestors = len(self.entries), ancestors
            self.entries[entry.id] = entry
            self.judge_all(entry)

    def parents_of(self, entry: Entry) -> list[Entry]:
        parents: list[Entry] = []
        for oid, named in zip(entry.parents, entry.payload["parents"], strict=True):
            need(oid in self.commits, "BAD_PARENT", f"{oid} is missing or no entry")
            need(self.commits[oid] == named, "PARENT_MISMATCH", oid)
            need(self.entries[named] not in parents, "BAD_PARENT", f"{oid} is there twice")
            parents.append(self.entries[named])
        return parents

    # -- deciding.md, section 2. A view of None is that of somebody who has the whole ledger.

    def lineage(self, charter_id: str) -> Iterator[Charter]:
        """A charter, its base, and so on to the first."""
        at: str | None = charter_id
        while at is not None:
            yield self.charters[at]
            at = self.charters[at].base

    def root(self, ref: str, charter_id: str) -> str | None:
        root = None
        for earlier in self.lineage(charter_id):
            if not earlier.protects(ref):
                break
            root = earlier.id
        return root

    def slot(self, proposal: str) -> Slot:
        said = self.proposals[proposal].statements[0]
        return Slot(said.get("ref", "charter"), said["base"])

    def root_of(self, proposal: str) -> str | None:
        """The root of the chain that a proposal for a ref is of."""
        return self.root(self.slot(proposal).subject, self.proposals[proposal].charter)

    def is_valid(self, proposal: str, view: View) -> bool:
        """Is it a valid proposal that the view knows?"""
        entry = self.proposals.get(proposal)
        return entry is not None and view.knows(View(entry, 0)) and entry.verdicts[0] is None

    def counting(self, view: View | None, charter_id: str, slot: Slot) -> list[Vote]:
        votes = self.votes.get((charter_id, slot), [])
        return [vote for vote in votes if vote.counts and (view is None or view.knows(vote.at))]

    def quorums(self, view: View | None, charter_id: str, slot: Slot, phase: str) -> list[tuple[int, str]]:
        """(round, proposal) that q members voted for: never across rounds or charters (rule 3). In order."""
        voters: dict[tuple[int, str], set[str]] = defaultdict(set)
        for vote in self.counting(view, charter_id, slot):
            if vote.phase == phase:
                voters[vote.round, vote.proposal].add(vote.member)
        return sorted(key for key, who in voters.items() if len(who) >= self.charters[charter_id].q)

    def is_decided(self, proposal: str, view: View | None) -> bool:
        """Rule 3, under whatever charter."""
        slot = self.slot(proposal)
        return any(
            proposal == decided for c in self.charters for _, decided in self.quorums(view, c, slot, "precommit")
        )

    # -- deciding.md, section 3: does a statement count? None, or the code; the order is that of reasons.md

    def judge_all(self, entry: Entry) -> None:
        said = entry.proposal
        if said is not None:
            self.proposals[entry.id] = entry
            body = said.get("charter")
            if body is not None and body["v"] == 1 and may_follow(body, self.charters[entry.charter].body):
                self.charters[entry.id] = Charter(entry.id, entry.charter, body)
        for index, statement in enumerate(entry.statements):
            view = View(entry, index)
            code = self.judge(view, statement)
            entry.verdicts.append(code)
            if "round" in statement and self.is_valid(statement["proposal"], view):
                vote = Vote(view, statement["proposal"], statement["round"], statement["kind"], code is None)
                self.votes[entry.charter, self.slot(vote.proposal)].append(vote)
            if statement.get("verdict") == "approve" and code is None:
                self.approvals[entry.charter, statement["proposal"]].append(view)

    def judge(self, view: View, said: dict) -> str | None:
        charter, member = self.charters[view.entry.charter], view.entry.member
        if charter.base is not None and not self.is_decided(charter.id, view):
            return "CHARTER_NOT_DECIDED"
        if said["kind"] == "propose":
            return self.judge_move(view, charter, said)
        if said["kind"] == "propose-charter":
            return None if said["charter"]["v"] > 1 or may_follow(said["charter"], charter.body) else "NOT_A_SUCCESSOR"
        if not self.is_valid(said["proposal"], view):
            return "UNKNOWN_PROPOSAL"
        proposer = self.proposals[said["proposal"]].member
        if said["kind"] == "withdraw":
            return None if member == proposer else "NOT_THE_PROPOSER"
        if said["kind"] != "review":
            return self.judge_vote(view, charter, said)
        if said["verdict"] != "approve":
            return None
        if member not in charter.voters:
            return "NOT_A_VOTER"
        return "OWN_APPROVAL" if member == proposer and not charter.body["rules"]["own_approval_counts"] else None

    def judge_move(self, view: View, charter: Charter, said: dict) -> str | None:
        root, base = self.root(said["ref"], charter.id), said["base"]
        if root is None:
            return "NOT_PROTECTED"
        if base == root:
            return None
        if not self.is_valid(base, view) or self.slot(base).subject != said["ref"] or self.root_of(base) != root:
            return "WRONG_BASE"
        return None if self.is_decided(base, view) else "BASE_NOT_DECIDED"

    def judge_vote(self, view: View, charter: Charter, said: dict) -> str | None:
        member, proposal, r = view.entry.member, said["proposal"], said["round"]
        slot = self.slot(proposal)
        if slot.subject == "charter":
            if slot.base != charter.id:
                return "WRONG_BASE"
        else:
            root = self.root(slot.subject, charter.id)
            if root is None or root != self.root_of(proposal):
                return "NOT_PROTECTED"
            if slot.base != root and not self.is_decided(slot.base, view):
                return "BASE_NOT_DECIDED"
        if member not in charter.voters:
            return "NOT_A_VOTER"
        if self.is_frozen(view, charter, slot):
            return "FROZEN"
        decided, handed_down = self.handed_over(view, charter, slot)
        if decided not in (None, proposal):
            return "SLOT_DECIDED"
        votes = self.counting(view, charter.id, slot)
        own = [vote for vote in votes if vote.member == member]
        if any(vote.round > r for vote in own):  # rule 4
            return "ROUND_WENT_BACK"
        if any(vote.round == r and vote.phase == said["kind"] and vote.proposal != proposal for vote in own):
            return "SECOND_VOTE"
        if r > 0 and len({vote.member for vote in votes if vote.round == r - 1}) < charter.q:  # rule 5a
            return "ROUND_NOT_ENTERED"
        if said["kind"] == "precommit":
            return self.judge_precommit(view, charter, slot, said)
        return self.judge_prevote(view, charter, slot, said, own, decided, handed_down)

    def is_frozen(self, view: View, charter: Charter, slot: Slot) -> bool:
        """Rule 6, freeze. Whether or not the precommit counts."""
        change = Slot("charter", charter.id)
        return slot != change and any(
            vote.member == view.entry.member and vote.phase == "precommit" and view.knows(vote.at)
            for vote in self.votes.get((charter.id, change), [])
        )

    def handed_over(self, view: View, charter: Charter, slot: Slot) -> tuple[str | None, str | None]:
        """Rule 6, hand-over: what an earlier charter decided, or else what it hands down."""
        earlier = list(self.lineage(charter.id))[1:]
        for c in earlier:
            for _, proposal in self.quorums(view, c.id, slot, "precommit"):
                return proposal, None  # the lowest round, and in it the lowest id
        for c in earlier:
            quorums = self.quorums(view, c.id, slot, "prevote")
            if quorums:
                highest = max(r for r, _ in quorums)
                return None, min(proposal for r, proposal in quorums if r == highest)
        return None, None

    def judge_prevote(
        self, view: View, charter: Charter, slot: Slot, said: dict, own: list[Vote], decided: str | None, down: str | None
    ) -> str | None:
        proposal, r = said["proposal"], said["round"]
        precommits = [vote for vote in own if vote.phase == "precommit"]
        lock_round = max((vote.round for vote in precommits), default=-1)
        locks = {vote.proposal for vote in precommits if vote.round == lock_round}  # rule 4
        approvers = {a.entry.member for a in self.approvals.get((charter.id, proposal), []) if view.knows(a)}
        approved = len(approvers) >= charter.q or r == 0 and view.entry.member in approvers  # rule 1
        if not approved and proposal not in locks | {decided, down}:
            return "NOT_APPROVED"
        rounds = [s for s, other in self.quorums(view, charter.id, slot, "prevote") if other == proposal]
        if locks - {proposal} and not any(lock_round < s < r for s in rounds):  # rule 4
            return "LOCKED"
        if down not in (None, proposal) and not any(s < r for s in rounds):  # rule 6
            return "HANDED_DOWN"
        return None

    def judge_precommit(self, view: View, charter: Charter, slot: Slot, said: dict) -> str | None:
        """Rule 2."""
        proposal, r = said["proposal"], said["round"]
        if (r, proposal) not in self.quorums(view, charter.id, slot, "prevote"):
            return "NO_PREVOTE_QUORUM"
        message = self.agreement(proposal, charter, r)
        good = verifies(key_bytes(charter.keys[view.entry.member]), bytes.fromhex(said["signature"]), message)
        return None if good else "BAD_AGREEMENT_SIGNATURE"

    def agreement(self, proposal: str, charter: Charter, r: int) -> bytes:
        """deciding.md, section 6."""
        said, slot = self.proposals[proposal].statements[0], self.slot(proposal)
        predicate = {"base": slot.base, "charter": charter.id, "charterDigest": sha256(canonical(charter.body))}
        predicate |= {"ledger": self.id, "proposal": proposal, "round": r, "slot": slot.id}
        subject = [{"digest": {"sha256": proposal}, "name": f"proposal/{proposal}"}]
        if slot.subject == "charter":
            predicate["nextCharterDigest"] = sha256(canonical(said["charter"]))
        else:
            predicate |= {word: said[word] for word in ("change", "from", "ref", "state", "to")}
            if said["to"] is not None:
                subject.append({"digest": {"gitCommit": said["to"]}, "name": said["ref"]})
        statement = {"_type": "https://in-toto.io/Statement/v1", "predicate": predicate, "subject": subject}
        body = canonical(statement | {"predicateType": "urn:git-quorum:agreement:v1"})
        return b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(body), body)
