#!/usr/bin/env python3
"""A second verifier of git-quorum ledgers, written from the pages beside this file and from nothing else.

    verify.py CLONE [--ledger ID] [--json] [--stock]   what the ledger in a clone has decided
    verify.py --vectors FOLDER...                      does this file agree with vectors/, or with a folder of ledgers?

It shares no line with the program. It needs Python 3.11, stock git, and PyNaCl (pip install pynacl==1.6.2); --stock has
ssh-keygen check every entry's signature as well. It reads entries only: not what protected refs hold, and not whether
a proposal says what its objects say (change.md). Comments name the page and section that a rule is from. It is made to
be read: its time grows with the square of the votes in a slot, its memory with the square of the entries.

Exit status: 0 verified; 1 it failed; 2 called wrongly; 3 no ledger here; 7 agreement is broken, the clone is shallow or
partial, it is another ledger, one that asks for a newer verifier (UPGRADE_NEEDED), or nobody said which is the right
one (UNPINNED).

Why PyNaCl: entry.md, section 3, wants S below the group order, neither R nor the key of small order, and
[S]B = R + [k]A without the cofactor. libsodium refuses all else; OpenSSL, and so `cryptography`, takes R and keys of
small order. So that nothing hangs on whether a build of libsodium multiplies by the cofactor, R must lie in the
prime-order subgroup here: every key does (charter.md, section 2), and there the two equations say the same.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_sign_open
from nacl.exceptions import CryptoError

LARGEST = 2**53 - 1


class Refused(Exception):
    """Why bytes are no entry, or why a statement does not count: a code of reasons.md, and what was found."""

    def __init__(self, code: str, why: str = "") -> None:
        super().__init__(f"{code}: {why}" if why else code)
        self.code = code


class Stop(Exception):
    """Why there is no verdict at all: exit status, code, and what to know."""


def need(holds: bool, code: str, why: str = "") -> None:
    if not holds:
        raise Refused(code, why)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def commit_id(raw: bytes) -> str:
    return hashlib.sha1(b"commit %d\0" % len(raw) + raw).hexdigest()


def canonical(value: Any) -> bytes:
    """RFC 8785, for values whose keys are ASCII and whose numbers are integers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


# ---- Signatures: entry.md, section 3


in_prime_order_subgroup = lru_cache(crypto_core_ed25519_is_valid_point)  # and canonical, and not of small order


def verifies(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        return in_prime_order_subgroup(signature[:32]) and crypto_sign_open(signature + message, key) == message
    except CryptoError:
        return False


def ssh_strings(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def key_text(key: bytes) -> str:
    return "ssh-ed25519 " + base64.b64encode(ssh_strings(b"ssh-ed25519", key)).decode()


def key_bytes(text: str) -> bytes | None:
    """The 32 bytes of a key that is written as charter.md, section 2, has it."""
    if not re.fullmatch(r"ssh-ed25519 [A-Za-z0-9+/]{68}", text):
        return None
    key = base64.b64decode(text.split(" ")[1])[-32:]
    return key if key_text(key) == text and in_prime_order_subgroup(key) else None


def armour(key: bytes, signature: bytes) -> list[str]:
    public, signed = ssh_strings(b"ssh-ed25519", key), ssh_strings(b"ssh-ed25519", signature)
    blob = b"SSHSIG" + (1).to_bytes(4, "big") + ssh_strings(public, b"git", b"", b"sha512", signed)
    lines = re.findall(".{1,70}", base64.b64encode(blob).decode())
    return ["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----"]


def read_armour(lines: list[str]) -> tuple[bytes, bytes]:
    try:
        blob = base64.b64decode("".join(lines[1:-1]), validate=True)
    except ValueError:
        raise Refused("BAD_ARMOUR", "not base64") from None
    key, signature = blob[33:65], blob[-64:]
    need(len(key) == 32 and armour(key, signature) == lines, "BAD_ARMOUR")
    need(in_prime_order_subgroup(key), "BAD_ARMOUR", "no charter admits this key")
    return key, signature


def signed_data(signed: bytes) -> bytes:
    return b"SSHSIG" + ssh_strings(b"git", b"", b"sha512", hashlib.sha512(signed).digest())


# ---- Shapes: charter.md, deciding.md, section 1, and entry.md, section 4. What differs is BAD_JSON

Check = Callable[[Any], bool]


def is_a(kind: type) -> Check:
    return lambda value: isinstance(value, kind)


def integer(low: int, high: int) -> Check:
    return lambda value: type(value) is int and low <= value <= high


def spelled(form: str) -> Check:
    return lambda value: isinstance(value, str) and re.fullmatch(form, value) is not None


def digits(count: int) -> Check:
    return spelled(f"[0-9a-f]{{{count}}}")


def or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


def items(check: Check, most: int = sys.maxsize) -> Check:
    return lambda value: isinstance(value, list) and len(value) <= most and all(check(item) for item in value)


def record(**checks: Check) -> Check:
    """An object with exactly these fields."""
    return lambda v: isinstance(v, dict) and v.keys() == checks.keys() and all(c(v[k]) for k, c in checks.items())


text, flag, ID, OID, ROUND = is_a(str), is_a(bool), digits(64), digits(40), integer(0, 2**32 - 1)
name = spelled(r"(?!(con|prn|aux|nul|com[0-9]|lpt[0-9])\Z)[a-z0-9][a-z0-9-]{0,31}")


def key(value: Any) -> bool:
    return text(value) and key_bytes(value) is not None


def ref_name(value: Any) -> bool:
    """charter.md, section 1, "Protected refs"."""
    if not text(value) or len(value.encode()) > 255 or not value.startswith("refs/") or value.count("/") < 2:
        return False
    parts = value.split("/")
    if re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|\.$", value) or not all(parts):
        return False
    if any(part.startswith(".") or part.endswith(".lock") for part in parts):
        return False
    return not re.match(r"refs/(quorum|replace|namespaces)/", value, re.IGNORECASE | re.ASCII)


def pattern(value: Any) -> bool:
    """A name, or `P*`. If P and some character are a name, so are P and an x."""
    if not text(value) or len(value.encode()) > 255 or not value.endswith("*"):
        return ref_name(value)
    return value.count("/") >= 2 and ref_name(value[:-1] + "x")


def rising(values: list) -> bool:
    return all(a < b for a, b in pairwise(values))


CHARTER = record(
    members=items(record(domain=name, key=key, name=name, roles=items(name, 16), vote=flag), 128),
    protect=items(pattern, 64),
    removed=items(record(key=key, last=or_null(ID), name=name), 512),
    rules=record(allow_concentrated_domains=flag, own_approval_counts=flag, quorum=integer(0, LARGEST)),
    v=integer(1, 1),
)


def charter(value: Any) -> bool:
    """charter.md, sections 1 to 3."""
    if not CHARTER(value):
        return False
    members, removed, rules = value["members"], value["removed"], value["rules"]
    names, keys = ([m[word] for m in members + removed] for word in ("name", "key"))
    if not len(names) == len(set(names)) == len(set(keys)):
        return False
    lists = [names[: len(members)], names[len(members) :], value["protect"], *(m["roles"] for m in members)]
    if not all(map(rising, lists)):  # Python compares texts as their UTF-8 bytes compare
        return False
    votes = Counter(m["domain"] for m in members if m["vote"])
    n = votes.total()
    f = (n - 1) // 3
    if n == 0 or not value["protect"] or not (n + f) // 2 + 1 <= rules["quorum"] <= n:
        return False
    return rules["allow_concentrated_domains"] or max(votes.values()) <= max(f, 1)


def proposed_charter(value: Any) -> bool:
    """One of a newer version is not looked into (deciding.md, section 2)."""
    return charter(value) or (isinstance(value, dict) and integer(2, LARGEST)(value.get("v")))


def may_follow(new: dict, old: dict) -> bool:
    """charter.md, section 4."""
    members = {m["name"]: m["key"] for m in new["members"]}
    removed = {m["name"]: m for m in new["removed"]}
    gone = [m for m in old["members"] if members.get(m["name"]) != m["key"]]
    listed = all(m["name"] in removed and removed[m["name"]]["key"] == m["key"] for m in gone)
    unchanged = all(removed.get(m["name"]) == m for m in old["removed"])
    return listed and unchanged and len(removed) == len(gone) + len(old["removed"])


VERDICT = spelled("approve|reject|abstain")
MOVE: dict[str, Check] = {"from": or_null(OID), "to": or_null(OID), "change": ID, "state": ID, "rewrite": flag}
KINDS: dict[str, Check] = {
    "propose": record(kind=text, base=ID, ref=ref_name, title=text, text=text, **MOVE),
    "propose-charter": record(kind=text, base=ID, charter=proposed_charter, title=text, text=text),
    "review": record(kind=text, proposal=ID, verdict=VERDICT, text=text, evidence=items(text)),
    "withdraw": record(kind=text, proposal=ID),
    "prevote": record(kind=text, proposal=ID, round=ROUND),
    "precommit": record(kind=text, proposal=ID, round=ROUND, signature=digits(128)),
}


def statement(value: Any) -> bool:
    kind = value.get("kind") if isinstance(value, dict) else None
    return text(kind) and kind in KINDS and KINDS[kind](value)


FIELDS: dict[str, Check] = {"parents": items(ID), "seq": integer(0, LARGEST), "statements": items(statement)}
PAYLOADS: dict[Any, Check] = {
    "genesis": record(charter=charter, member=name, type=text, v=integer(1, 1)),
    "entry": record(charter=ID, ledger=ID, member=name, type=text, v=integer(1, 1), **FIELDS),
}


# ---- Bytes become an entry: entry.md, sections 2 to 4. The steps and their order are those of reasons.md


@dataclass(eq=False)
class Entry:
    payload: dict
    parents: list[str]  # Git's ids, from the header
    time: int
    key: bytes
    signature: bytes
    signed: bytes

    def __post_init__(self) -> None:
        self.id = sha256(self.signed)
        self.is_genesis: bool = self.payload["type"] == "genesis"
        self.member: str = self.payload["member"]
        self.charter: str = self.id if self.is_genesis else self.payload["charter"]
        self.seq: int = self.payload.get("seq", 0)
        self.statements: list[dict] = self.payload.get("statements", [])
        # What Ledger.add finds: a number, the numbers of its ancestors as bits, and a code or None for each statement.
        self.index, self.ancestors = 0, 0
        self.verdicts: list[str | None] = []


def number(token: str) -> int | float:
    need(math.isfinite(float(token)), "BAD_JSON", "beyond binary64, or NaN or Infinity, which Python would take")
    return int(token) if token != "-0" and re.fullmatch("-?[0-9]+", token) else float(token)


def is_plain(value: Any, depth: int = 1) -> bool:
    """Are all keys ASCII, and all numbers integers from 0 to 2^53 - 1? The depth comes first, so all is looked at."""
    if isinstance(value, (dict, list)):
        need(depth <= 127, "BAD_JSON", "more than 127 levels")
        inner = [is_plain(item, depth + 1) for item in (value.values() if isinstance(value, dict) else value)]
        return all(inner) and all(word.isascii() for word in value if isinstance(value, dict))
    return type(value) not in (int, float) or integer(0, LARGEST)(value)


def parse_payload(line: str) -> dict:
    """Step 5."""
    try:
        payload = json.loads(line, parse_int=number, parse_float=number, parse_constant=number)
        plain = is_plain(payload)
        written = canonical(payload)  # fails for half a surrogate pair, which is no character
    except (ValueError, RecursionError):
        raise Refused("BAD_JSON", "no JSON") from None
    need(isinstance(payload, dict) and integer(0, 2**64 - 1)(payload.get("v")), "BAD_JSON", "no version")
    need(payload["v"] == 1, "UNKNOWN_VERSION", str(payload["v"]))
    need(plain and written == line.encode(), "NOT_CANONICAL")
    return payload


def check_text(value: str, least: int, most: int, allowed: str = "") -> None:
    controls = set(re.findall(r"[\x00-\x1f\x7f-\x9f]", value))
    need(least <= len(value.encode()) <= most and controls <= set(allowed), "BAD_TEXT", ascii(value[:40]))


def check_payload(payload: dict, parents: list[str], time: int) -> None:
    """Steps 6 and 7; the limits are those of entry.md, section 6."""
    check = PAYLOADS.get(payload.get("type") if text(payload.get("type")) else None)
    need(check is not None and check(payload), "BAD_JSON", "shape")
    need(time <= 253370764799, "LIMIT_EXCEEDED", "time")
    if payload["type"] == "genesis":
        founder = any(m["name"] == payload["member"] for m in payload["charter"]["members"])
        need(founder and not parents and not payload["charter"]["removed"], "BAD_GENESIS")
        return
    need(1 <= len(parents) == len(payload["parents"]), "LIMIT_EXCEEDED", "parents")
    need(len(payload["statements"]) <= 64, "LIMIT_EXCEEDED", "statements")
    need(payload["seq"] >= 1, "LIMIT_EXCEEDED", "seq")
    for said in payload["statements"]:
        need(len(said.get("evidence", [])) <= 16, "LIMIT_EXCEEDED", "evidence")
        for item in said.get("evidence", []):
            check_text(item, 1, 1024)
        check_text(said.get("title", "none"), 1, 200)
        check_text(said.get("text", ""), 0, 16384, "\n\t")
        if said["kind"] == "propose":
            ends = (said["from"], said["to"])
            need(ends[0] != ends[1] and "0" * 40 not in ends, "BAD_STATEMENT", "from and to")
            need(None not in ends or not said["rewrite"], "BAD_STATEMENT", "a creation or deletion is no rewrite")
    for place, said in enumerate(payload["statements"]):
        need(place == 0 or not said["kind"].startswith("propose"), "BAD_STATEMENT", "a proposal is not first")
        own_base = said["kind"] != "propose-charter" or said["base"] == payload["charter"]
        need(own_base, "BAD_STATEMENT", "a charter's base is not the entry's charter")


def subject_line(payload: dict) -> str:
    if payload["type"] == "genesis":
        return f"quorum genesis by {payload['member']}"
    words = []
    for said in payload["statements"]:
        target = f" {said['proposal'][:12]}" if "proposal" in said else ""
        vote = f" round {said['round']}" if "round" in said else ""
        words.append(said.get("verdict", said["kind"].replace("-", " ")) + target + vote)
    return f"quorum {payload['member']} {payload['seq']}: {', '.join(words) or 'join'}"


def build(payload: dict, parents: list[str], time: int, signature: list[str]) -> bytes:
    """The bytes of an entry (entry.md, section 2); without an armour its signed bytes."""
    who = f"{payload['member']} <{payload['member']}@git-quorum.invalid> {time} +0000"
    header = ["tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904", *(f"parent {oid}" for oid in parents)]
    header += [f"author {who}", f"committer {who}", *(["gpgsig " + "\n ".join(signature)] if signature else [])]
    return "\n".join([*header, "", subject_line(payload), "", ""]).encode() + canonical(payload) + b"\n"


def read_header(header: str) -> tuple[list[str], int, list[str]]:
    """Steps 2 and 3: the parents, the time, and the lines of the armour."""
    parents: list[str] = []
    signature: list[str] = []
    author = ""
    for line in header.split("\n"):
        if line.startswith((" ", "gpgsig ")):
            need(line.startswith(" ") == bool(signature), "BAD_TEMPLATE", "gpgsig")
            signature.append(line[1:] if signature else line.removeprefix("gpgsig "))
        elif line.startswith("parent "):
            parents.append(line.removeprefix("parent "))
            need(OID(parents[-1]), "BAD_TEMPLATE", "parent")
            need(len(parents) <= 256, "LIMIT_EXCEEDED", "parents")
        elif line.startswith("author "):
            author = line
    time = re.search(r" \+?0*([0-9]{1,20}) \+0000\Z", author)
    seconds = int(time[1]) if time else 2**64
    need(seconds < 2**64, "BAD_TEMPLATE", "author")
    need(bool(signature), "NO_SIGNATURE")
    return parents, seconds, signature


def parse(raw: bytes, kind: str = "commit") -> Entry:
    """Steps 1 to 8."""
    need(kind == "commit", "NOT_A_COMMIT", kind)
    need(len(raw) <= 262144, "TOO_LARGE")
    try:
        header, end, message = raw.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise Refused("BAD_TEMPLATE", "not UTF-8") from None
    need(end != "", "BAD_TEMPLATE", "no message")
    parents, time, lines = read_header(header)
    public, signature = read_armour(lines)
    subject, end, line = message.partition("\n\n")
    need(end != "" and line.endswith("\n"), "BAD_TEMPLATE", "no payload")
    payload = parse_payload(line[:-1])
    check_payload(payload, parents, time)
    need(subject == subject_line(payload), "BAD_SUBJECT_LINE")
    need(build(payload, parents, time, lines) == raw, "BAD_TEMPLATE", "other bytes")
    return Entry(payload, parents, time, public, signature, build(payload, parents, time, []))


# ---- The places of entries, and what their statements are worth: entry.md, section 5, and deciding.md


class Slot(NamedTuple):
    """deciding.md, section 2: a subject (a ref, or "charter") with a base."""

    subject: str
    base: str

    @property
    def id(self) -> str:
        return sha256(f"git-quorum slot v1\n{self.subject}\n{self.base}\n".encode())


class View(NamedTuple):
    """The place of a statement, and what is known there."""

    entry: Entry
    place: int

    def knows(self, other: View) -> bool:
        """entry.md, section 5: what is among the ancestors, or earlier in the same entry."""
        if other.entry is self.entry:
            return other.place < self.place
        return bool(self.entry.ancestors >> other.entry.index & 1)


class Vote(NamedTuple):
    at: View
    member: str
    phase: str
    round: int
    proposal: str
    counts: bool
    decided: bool  # is its charter, by votes known to it


class Charter:
    def __init__(self, charter_id: str, base: str | None, body: dict) -> None:
        self.id, self.base, self.body = charter_id, base, body
        self.keys: dict[str, str] = {m["name"]: m["key"] for m in body["members"]}
        self.voters = {m["name"] for m in body["members"] if m["vote"]}
        self.q: int = body["rules"]["quorum"]

    def protects(self, ref: str) -> bool:
        prefixes = [p[:-1] for p in self.body["protect"] if p.endswith("*")]
        return ref in self.body["protect"] or any(ref.startswith(p) and ref != p for p in prefixes)


class Ledger:
    """Entries, parents first. In which such order they come does not matter."""

    def __init__(self, genesis: Entry, oid: str) -> None:
        need(genesis.is_genesis, "BAD_GENESIS", "no genesis")
        body = genesis.payload["charter"]
        self.id = genesis.id
        self.founder_key = next(m["key"] for m in body["members"] if m["name"] == genesis.member)
        self.check_genesis(genesis)
        self.entries = {genesis.id: genesis}
        self.commits = {oid: genesis.id}
        self.proposals: dict[str, Entry] = {}
        # The first charter, and those that are proposed and could follow one another down to it.
        self.charters = {genesis.id: Charter(genesis.id, None, body)}
        # By charter and slot: votes for proposals that are valid and known to them, whether or not they count.
        self.votes: dict[tuple[str, Slot], list[Vote]] = defaultdict(list)
        # By charter and proposal: approvals that count.
        self.approvals: dict[tuple[str, str], list[View]] = defaultdict(list)

    # -- entry.md, section 5, in the order of reasons.md, step 9

    def check_genesis(self, entry: Entry) -> None:
        need(entry.id == self.id, "WRONG_LEDGER", entry.id)
        need(key_text(entry.key) == self.founder_key, "BAD_GENESIS", "another key")
        need(verifies(entry.key, entry.signature, signed_data(entry.signed)), "BAD_SIGNATURE")

    def add(self, entry: Entry, oid: str) -> None:
        if entry.is_genesis:
            self.check_genesis(entry)
        else:
            self.check_place(entry)
        self.commits[oid] = entry.id
        if entry.id not in self.entries:  # two commits with the same signed bytes are one entry
            entry.index = len(self.entries)
            self.entries[entry.id] = entry
            self.judge_all(entry)

    def check_place(self, entry: Entry) -> None:
        need(entry.payload["ledger"] == self.id, "WRONG_LEDGER")
        parents: list[Entry] = []
        for oid, named in zip(entry.parents, entry.payload["parents"], strict=True):
            need(oid in self.commits, "BAD_PARENT", f"{oid} is missing or no entry")
            need(self.commits[oid] == named, "PARENT_MISMATCH", oid)
            need(self.entries[named] not in parents, "BAD_PARENT", f"{oid} is there twice")
            parents.append(self.entries[named])
            entry.ancestors |= parents[-1].ancestors | 1 << parents[-1].index
        own = [parent for parent in parents if parent.member == entry.member and not parent.is_genesis]
        need(parents[0] in own if own else parents[0].is_genesis, "BAD_LANE")
        need(entry.seq == 1 + max((parent.seq for parent in own), default=0), "BAD_SEQUENCE")
        known = entry.charter in self.charters and entry.ancestors >> self.entries[entry.charter].index & 1
        need(bool(known) or entry.charter == self.id, "UNKNOWN_CHARTER")
        lineage = [earlier.id for earlier in self.lineage(entry.charter)]
        need(all(parent.charter in lineage for parent in own), "CHARTER_WENT_BACK")
        keys = self.charters[entry.charter].keys
        need(entry.member in keys, "NOT_A_MEMBER")
        need(keys[entry.member] == key_text(entry.key), "BAD_SIGNATURE", "another key")
        need(verifies(entry.key, entry.signature, signed_data(entry.signed)), "BAD_SIGNATURE")

    # -- deciding.md, section 2. A view of None is that of somebody who knows the whole ledger

    def lineage(self, charter_id: str | None) -> Iterator[Charter]:
        """A charter, its base, and so on to the first."""
        while charter_id is not None:
            yield self.charters[charter_id]
            charter_id = self.charters[charter_id].base

    def root(self, ref: str, charter_id: str) -> str | None:
        root = None
        for earlier in self.lineage(charter_id):
            if not earlier.protects(ref):
                break
            root = earlier.id
        return root

    def root_of(self, proposal: str) -> str | None:
        return self.root(self.slot(proposal).subject, self.proposals[proposal].charter)

    def slot(self, proposal: str) -> Slot:
        said = self.proposals[proposal].statements[0]
        return Slot(said.get("ref", "charter"), said["base"])

    def is_valid(self, proposal: str, view: View) -> bool:
        """Valid, and known to the view."""
        entry = self.proposals.get(proposal)
        return entry is not None and view.knows(View(entry, 0)) and entry.verdicts[0] is None

    def counting(self, view: View | None, charter_id: str, slot: Slot) -> list[Vote]:
        votes = self.votes[charter_id, slot]
        return [vote for vote in votes if vote.counts and (view is None or view.knows(vote.at))]

    def quorums(self, view: View | None, charter_id: str, slot: Slot, phase: str) -> list[tuple[int, str]]:
        """The (round, proposal) that q members voted for under this charter, in order."""
        voters: dict[tuple[int, str], set[str]] = defaultdict(set)
        for vote in self.counting(view, charter_id, slot):
            if vote.phase == phase:
                voters[vote.round, vote.proposal].add(vote.member)
        return sorted(choice for choice, who in voters.items() if len(who) >= self.charters[charter_id].q)

    def is_decided(self, proposal: str, view: View | None) -> bool:
        """Rule 3, under whatever charter."""
        quorums = (self.quorums(view, by, self.slot(proposal), "precommit") for by in self.charters)
        return any(proposal == decided for found in quorums for _, decided in found)

    # -- deciding.md, section 3: the code of what does not count, or None; the order is that of reasons.md

    def judge_all(self, entry: Entry) -> None:
        charter = self.charters[entry.charter]
        for index, said in enumerate(entry.statements):
            view, code = View(entry, index), None
            if said["kind"].startswith("propose"):
                self.proposals[entry.id] = entry
            if said.get("charter", {}).get("v") == 1 and may_follow(said["charter"], charter.body):
                self.charters[entry.id] = Charter(entry.id, charter.id, said["charter"])
            try:
                self.judge(view, charter, said)
            except Refused as why:
                code = why.code
            entry.verdicts.append(code)
            if "round" in said and self.is_valid(said["proposal"], view):
                decided = code != "CHARTER_NOT_DECIDED"
                vote = Vote(view, entry.member, said["kind"], said["round"], said["proposal"], code is None, decided)
                self.votes[charter.id, self.slot(vote.proposal)].append(vote)
            if said.get("verdict") == "approve" and code is None:
                self.approvals[charter.id, said["proposal"]].append(view)

    def judge(self, view: View, charter: Charter, said: dict) -> None:
        member, rules = view.entry.member, charter.body["rules"]
        need(charter.id == self.id or self.is_decided(charter.id, view), "CHARTER_NOT_DECIDED")
        if said["kind"] == "propose":
            return self.judge_move(view, charter, said)
        if said["kind"] == "propose-charter":
            return need(said["charter"]["v"] > 1 or may_follow(said["charter"], charter.body), "NOT_A_SUCCESSOR")
        need(self.is_valid(said["proposal"], view), "UNKNOWN_PROPOSAL")
        own = member == self.proposals[said["proposal"]].member
        if said["kind"] in ("prevote", "precommit"):
            return self.judge_vote(view, charter, said)
        need(said["kind"] != "withdraw" or own, "NOT_THE_PROPOSER")
        if said.get("verdict") == "approve":
            need(member in charter.voters, "NOT_A_VOTER")
            need(not own or rules["own_approval_counts"], "OWN_APPROVAL")

    def judge_move(self, view: View, charter: Charter, said: dict) -> None:
        ref, base, root = said["ref"], said["base"], self.root(said["ref"], charter.id)
        need(root is not None, "NOT_PROTECTED")
        if base != root:
            same_ref = self.is_valid(base, view) and self.slot(base).subject == ref
            need(same_ref and self.root_of(base) == root, "WRONG_BASE")
            need(self.is_decided(base, view), "BASE_NOT_DECIDED")

    def judge_vote(self, view: View, charter: Charter, said: dict) -> None:
        member, proposal, phase, r = view.entry.member, said["proposal"], said["kind"], said["round"]
        slot = self.slot(proposal)
        if slot.subject == "charter":
            need(slot.base == charter.id, "WRONG_BASE")
        else:
            root = self.root(slot.subject, charter.id)
            need(root is not None and root == self.root_of(proposal), "NOT_PROTECTED")
            need(slot.base == root or self.is_decided(slot.base, view), "BASE_NOT_DECIDED")
        need(member in charter.voters, "NOT_A_VOTER")
        need(not self.is_frozen(view, charter, slot), "FROZEN")
        decided, handed_down = self.handed_over(view, charter, slot)
        need(decided in (None, proposal), "SLOT_DECIDED")
        votes = self.counting(view, charter.id, slot)
        own = [vote for vote in votes if vote.member == member]
        need(not any(vote.round > r for vote in own), "ROUND_WENT_BACK")  # rule 4
        twice = any((vote.round, vote.phase) == (r, phase) and vote.proposal != proposal for vote in own)
        need(not twice, "SECOND_VOTE")  # rule 4
        before = {vote.member for vote in votes if vote.round == r - 1}
        need(r == 0 or len(before) >= charter.q, "ROUND_NOT_ENTERED")  # rule 5a
        quorums = self.quorums(view, charter.id, slot, "prevote")
        if phase == "precommit":  # rule 2
            need((r, proposal) in quorums, "NO_PREVOTE_QUORUM")
            key, message = key_bytes(charter.keys[member]) or b"", self.agreement(proposal, charter, r)
            need(verifies(key, bytes.fromhex(said["signature"]), message), "BAD_AGREEMENT_SIGNATURE")
            return
        # Rule 4, lock: what the member precommitted in its highest round; on separate branches it may be several.
        lock_round = max((vote.round for vote in own if vote.phase == "precommit"), default=-1)
        locks = {vote.proposal for vote in own if vote.phase == "precommit" and vote.round == lock_round}
        approvers = {at.entry.member for at in self.approvals[charter.id, proposal] if view.knows(at)}
        approved = len(approvers) >= charter.q or (r == 0 and member in approvers)
        need(approved or proposal in locks | {decided, handed_down}, "NOT_APPROVED")  # rule 1
        rounds = [s for s, other in quorums if other == proposal]
        need(locks <= {proposal} or any(lock_round < s < r for s in rounds), "LOCKED")  # rule 4
        need(handed_down in (None, proposal) or any(s < r for s in rounds), "HANDED_DOWN")  # rule 6

    def is_frozen(self, view: View, charter: Charter, slot: Slot) -> bool:
        """Rule 6, freeze: by any precommit of the member for a change of the charter, whether or not it counts."""
        change = Slot("charter", charter.id)
        own = [vote for vote in self.votes[charter.id, change] if vote.member == view.entry.member]
        return slot != change and any(vote.phase == "precommit" and view.knows(vote.at) for vote in own)

    def handed_over(self, view: View, charter: Charter, slot: Slot) -> tuple[str | None, str | None]:
        """Rule 6, hand-over: what an earlier charter decided, or else what it hands down."""
        earlier = [c.id for c in self.lineage(charter.base)]
        for by in earlier:
            for _, proposal in self.quorums(view, by, slot, "precommit"):
                return proposal, None  # the first: the lowest round, and in it the lowest id
        for by in earlier:
            quorums = self.quorums(view, by, slot, "prevote")
            if quorums:
                return None, min(proposal for r, proposal in quorums if r == quorums[-1][0])
        return None, None

    def agreement(self, proposal: str, charter: Charter, r: int) -> bytes:
        """deciding.md, section 6."""
        said, slot = self.proposals[proposal].statements[0], self.slot(proposal)
        predicate: dict[str, Any] = {"base": slot.base, "charter": charter.id}
        predicate |= {"charterDigest": sha256(canonical(charter.body)), "ledger": self.id}
        predicate |= {"proposal": proposal, "round": r, "slot": slot.id}
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

    # -- deciding.md, section 4, and rule 7: what is reported, in the form of vectors/README.md

    def decisions(self) -> list[dict]:
        """Of several (charter, round) that decide a proposal the earliest charter and its lowest round."""
        found: dict[str, tuple[int, str, int]] = {}
        for by, slot in list(self.votes):
            for r, proposal in self.quorums(None, by, slot, "precommit"):
                first = (len(list(self.lineage(by))), by, r)
                found[proposal] = min(found.get(proposal, first), first)
        return [
            {"charter": by, "proposal": p, "round": r, "slot": self.slot(p).id, "subject": self.slot(p).subject}
            for p, (_, by, r) in sorted(found.items())
        ]

    def chain(self, subject: str, root: str | None) -> list[str]:
        """From the root, the one decided proposal of each slot in turn."""
        decided = defaultdict(list)
        for decision in self.decisions():
            decided[decision["slot"]].append(decision["proposal"])
        chain: list[str] = []
        while root is not None and len(next_ones := decided[Slot(subject, (chain or [root])[-1]).id]) == 1:
            chain += next_ones
        return chain

    def evidence(self) -> Iterator[tuple[str, str, str, str, Vote, Vote]]:
        """Every pair of rule 7: member, rule, charter, slot, one vote, the other."""
        for charter_id, slot in list(self.votes):
            votes = [vote for vote in self.votes[charter_id, slot] if vote.decided]
            change = Slot("charter", charter_id)
            changes = [vote for vote in self.votes[charter_id, change] if vote.decided and slot != change]
            for a, b in ((a, b) for b in votes for a in votes if a.member == b.member and a.proposal != b.proposal):
                if (a.round, a.phase) == (b.round, b.phase):
                    yield a.member, "equivocation", charter_id, slot.id, a, b
                if a.phase == "precommit" and b.phase == "prevote" and a.round < b.round:
                    quorums = self.quorums(b.at, charter_id, slot, "prevote")
                    if not any(p == b.proposal and a.round < r < b.round for r, p in quorums):
                        yield a.member, "lock-violation", charter_id, slot.id, a, b
            for a, b in ((a, b) for b in votes for a in changes if a.member == b.member):
                if a.phase == "precommit" and not a.at.knows(b.at):
                    yield a.member, "freeze-violation", charter_id, slot.id, a, b

    def report(self) -> dict:
        decisions = self.decisions()
        newer = [d["proposal"] for d in decisions if d["subject"] == "charter" and d["proposal"] not in self.charters]
        if newer:  # README.md, "Versions"
            return {"upgrade": newer[0]}
        slots = Counter(d["slot"] for d in decisions)
        verdicts = [(e.id, at, code) for e in self.entries.values() for at, code in enumerate(e.verdicts) if code]
        pairs = {found[:4]: [vote.at.entry.id for vote in found[4:]] for found in self.evidence()}
        return {
            "broken": sorted(slot for slot, several in slots.items() if several > 1),
            "charter": [self.id, *self.chain("charter", self.id)][-1],
            "decisions": decisions,
            "discounted": [{"entry": e, "reason": code, "statement": at} for e, at, code in sorted(verdicts)],
            "evidence": [
                {"charter": by, "entries": pair, "member": member, "rule": rule, "slot": slot}
                for (member, rule, by, slot), pair in sorted(pairs.items())
            ],
        }


# ---- A clone, read by stock git: entry.md, section 1

KEPT = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")
ENVIRONMENT = {word: value for word, value in os.environ.items() if not word.startswith("GIT_") or word in KEPT}
# No replace refs, and nothing fetched on the way. Objects are read raw, so grafts and commit-graphs do not matter.
ENVIRONMENT |= {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}


def git(clone: str, *args: str) -> str:
    done = subprocess.run(["git", "-C", clone, *args], env=ENVIRONMENT, capture_output=True, check=False)
    if done.returncode not in (0, 1):  # 1: `git config` found nothing
        raise Stop(3, "NO_REPOSITORY", done.stderr.decode(errors="replace").strip())
    return done.stdout.decode(errors="surrogateescape")


class Objects:
    """The objects of a repository; what is no commit, or too large, is not read."""

    def __init__(self, clone: str) -> None:
        self.clone = clone
        self.about, self.content = self.start("--batch-check"), self.start("--batch")

    def start(self, mode: str) -> Any:
        command = ["git", "-C", self.clone, "cat-file", mode]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT)

    def ask(self, process: Any, oid: str) -> list[str]:
        process.stdin.write(f"{oid}\n".encode())
        process.stdin.flush()
        answer = process.stdout.readline().decode(errors="replace").split()
        if len(answer) < 2:
            raise Stop(1, "DAMAGED", f"git cat-file says nothing about {oid}")
        return answer

    def parse(self, oid: str) -> Entry:
        answer = self.ask(self.about, oid)
        if answer[1] == "missing":  # deciding.md, section 4
            raise Stop(7, "INCOMPLETE_CLONE", f"{oid} is missing: nothing is certified from here")
        need(answer[1] == "commit", "NOT_A_COMMIT", f"{oid}: {' '.join(answer[1:])}")
        need(int(answer[2]) <= 262144, "TOO_LARGE", oid)
        self.ask(self.content, oid)
        raw = self.content.stdout.read(int(answer[2]) + 1)[:-1]
        if commit_id(raw) != oid:  # git cat-file does not look; without this a commit could be its own ancestor
            raise Stop(1, "DAMAGED", f"the bytes of {oid} are not those of its name")
        return parse(raw)


def take(ledger: Ledger, objects: Objects, tip: str, refused: dict[str, Refused]) -> None:
    """Takes in a tip and what it builds on, parents first. Bytes that are no entry in any place lead no further."""
    stack, waiting = [tip], {}
    while stack:
        oid = stack[-1]
        if oid in ledger.commits or oid in refused:
            stack.pop()
            continue
        try:
            if oid not in waiting:
                waiting[oid] = objects.parse(oid)
            ahead = [p for p in waiting[oid].parents if p not in ledger.commits and p not in refused]
            stack += ahead
            if not ahead:
                ledger.add(waiting.pop(oid), oid)
        except Refused as why:
            refused[oid] = why


def read_clone(clone: str, wanted: str | None) -> tuple[Ledger, bool, dict[str, Refused]]:
    """The ledger, whether it was named, and the commits from which on refs lead to no entries."""
    partial = git(clone, "config", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$")
    if git(clone, "rev-parse", "--is-shallow-repository").strip() != "false" or partial:
        raise Stop(7, "INCOMPLETE_CLONE", "this clone is shallow or partial: nothing is certified from it")
    lines = git(clone, "for-each-ref", "--format=%(objectname) %(refname)", "refs/quorum/").splitlines()
    refs = {ref: oid for oid, _, ref in (line.partition(" ") for line in lines)}
    objects, ledgers = Objects(clone), []
    wanted = wanted or git(clone, "config", "quorum.ledger").strip() or None
    for ref in filter(re.compile("refs/quorum/[0-9a-f]{16}/genesis").fullmatch, refs):
        try:
            ledger = Ledger(objects.parse(refs[ref]), refs[ref])
        except Refused:
            continue
        if ref == f"refs/quorum/{ledger.id[:16]}/genesis":
            ledgers.append(ledger)
    here = ", ".join(each.id for each in ledgers)
    if not ledgers:
        raise Stop(3, "NO_LEDGER", "no ledger here")
    if len(ledgers) > 1 and not wanted:
        raise Stop(7, "SEVERAL_LEDGERS", f"name one with --ledger: {here}")
    ledgers = [each for each in ledgers if wanted in (None, each.id)]
    if not ledgers:
        raise Stop(7, "OTHER_LEDGER", f"here is {here}")
    refused: dict[str, Refused] = {}
    for ref in sorted(refs):
        parts = ref.removeprefix(f"refs/quorum/{ledgers[0].id[:16]}/").split("/")
        lane = len(parts) == 2 and parts[0] == "lane" and name(parts[1])
        remote = len(parts) == 3 and parts[0] == "remote" and name(parts[2])
        fork = len(parts) == 3 and parts[0] == "fork" and name(parts[1]) and ID(parts[2])
        if lane or remote or fork:
            take(ledgers[0], objects, refs[ref], refused)
    return ledgers[0], wanted is not None, refused


def ask_ssh_keygen(ledger: Ledger) -> None:
    """entry.md, section 3: stock tools accept every signature that is accepted here."""
    with tempfile.TemporaryDirectory() as folder:
        signers, signature = Path(folder, "signers"), Path(folder, "signature")
        for entry in ledger.entries.values():
            who = f"{entry.member}@git-quorum.invalid"
            signers.write_text(f"{who} {ledger.charters[entry.charter].keys[entry.member]}\n")
            signature.write_text("\n".join([*armour(entry.key, entry.signature), ""]))
            command = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", who, "-n", "git", "-s", str(signature)]
            if subprocess.run(command, input=entry.signed, capture_output=True, check=False).returncode != 0:
                raise Stop(7, "STOCK_DISAGREES", f"ssh-keygen refuses the signature of {entry.id}")


def tell(ledger: Ledger, report: dict, refused: dict[str, Refused]) -> None:
    """For people. Nothing that somebody made up is printed unescaped."""
    print(f"ledger {ledger.id}: {len(ledger.entries)} entries, charter in force {report['charter']}")
    decisions = {d["proposal"]: d for d in report["decisions"]}
    for subject in sorted({d["subject"] for d in report["decisions"]}):
        root = ledger.id if subject == "charter" else ledger.root(subject, report["charter"])
        chain = ledger.chain(subject, root)
        for proposal in chain + [p for p, d in decisions.items() if d["subject"] == subject and p not in chain]:
            d, said = decisions[proposal], ledger.proposals[proposal].statements[0]
            place = chain.index(proposal) + 1 if proposal in chain else "beside the chain in force"
            move = f", from {said['from']} to {said['to']}" if "to" in said else ""
            print(f"{subject!a} {place}: {proposal} by charter {d['charter']} in round {d['round']}{move}")
    for d in report["discounted"]:
        print(f"does not count: {d['entry']} statement {d['statement']}: {d['reason']}")
    for oid, why in refused.items():
        print(f"no entry: commit {oid}: {str(why)!a}")
    for e in report["evidence"]:
        by = " and ".join(e["entries"])
        print(f"convicted: {e['member']}: {e['rule']} under {e['charter']} in slot {e['slot']} by {by}")
    for slot in report["broken"]:
        print(f"AGREEMENT_BROKEN: slot {slot} has more than one decision")


def judge_clone(clone: str, wanted: str | None, as_json: bool, stock: bool) -> int:
    ledger, pinned, refused = read_clone(clone, wanted)
    report = ledger.report()
    if "upgrade" in report:
        raise Stop(7, "UPGRADE_NEEDED", f"charter {report['upgrade']} is decided, and of a newer version")
    if stock:
        ask_ssh_keygen(ledger)
    if as_json:
        report |= {"ledger": ledger.id, "pinned": pinned, "entries": len(ledger.entries)}
        report |= {"no_entries": {oid: why.code for oid, why in refused.items()}}
        print(json.dumps(report, sort_keys=True))
    else:
        tell(ledger, report, refused)
        if not pinned:
            print("UNPINNED: nobody said that this is the right ledger (--ledger, or quorum.ledger in the clone)")
    return 0 if pinned and not report["broken"] else 7


# ---- Vectors: vectors/README.md. Each check returns what differs


def ledger_of(raws: list[bytes]) -> Ledger:
    ledger = Ledger(parse(raws[0]), commit_id(raws[0]))
    for raw in raws[1:]:
        ledger.add(parse(raw), commit_id(raw))
    return ledger


def check_valid(vector: dict, context: list[bytes], raw: bytes) -> Any:
    ledger, parsed = ledger_of([*context, raw]), parse(raw)
    entry = ledger.entries[parsed.id]
    votes = [said for said in entry.statements if said["kind"] == "precommit"]
    messages = [ledger.agreement(s["proposal"], ledger.charters[entry.charter], s["round"]) for s in votes]
    found = {"id": entry.id, "oid": commit_id(raw), "member": entry.member, "seq": entry.seq, "time": parsed.time}
    found |= {"key": key_text(parsed.key), "signature": parsed.signature.hex(), "verdicts": entry.verdicts}
    found |= {"signed_data": signed_data(parsed.signed).hex(), "agreements": [m.hex() for m in messages]}
    agreements = [a["pre_authentication_encoding"] for a in vector.get("agreements", [])]
    return [word for word, value in found.items() if value != (vector | {"agreements": agreements})[word]]


def check_invalid(vector: dict, context: list[bytes], raw: bytes) -> Any:
    try:
        entry = parse(raw, vector["object"])
        ledger_of([raw]) if vector["role"] == "genesis" else ledger_of(context).add(entry, commit_id(raw))
    except Refused as why:
        return None if why.code == vector["code"] else str(why)
    return "accepted"


def check_ledger(vector: dict) -> Any:
    """Of the pairs that convict, a verifier may name others; but each that is named must convict here too."""
    ledger, expected = ledger_of([raw.encode() for raw in vector["entries"]]), vector["expected"]
    report = ledger.report()
    named = {(e["member"], e["rule"], e["charter"], e["slot"], *e["entries"]) for e in expected.get("evidence", [])}
    pairs = {(*found[:4], *(vote.at.entry.id for vote in found[4:])) for found in ledger.evidence()}
    differ = [word for word in report | expected if word != "evidence" and report.get(word) != expected.get(word)]
    same_members = "upgrade" in report or {e[:4] for e in named} == {e[:4] for e in pairs}
    return differ + ([] if same_members and named <= pairs else ["evidence"])


def check_vectors(folders: list[str]) -> int:
    checked: Counter[str] = Counter()
    differ = 0
    for path in sorted(path for folder in folders for path in Path(folder).rglob("*.json")):
        vector, kind = json.loads(path.read_bytes()), path.parent.name
        try:
            if kind in ("valid", "invalid"):
                context = [(path.parent.parent / f"valid/{c}.entry").read_bytes() for c in vector["context"]]
                check = check_valid if kind == "valid" else check_invalid
                difference = check(vector, context, path.with_suffix(".entry").read_bytes())
            elif "entries" in vector:
                kind, difference = "ledgers", check_ledger(vector)
            else:
                continue
        except Refused as why:
            difference = str(why)
        checked[kind] += 1
        if difference:
            differ += 1
            print(f"{path}: {difference}")
    print(", ".join(f"{count} {kind}" for kind, count in sorted(checked.items())) + f": {differ} differ")
    return 1 if differ or not checked else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clone", nargs="?", help="any repository with refs/quorum/")
    parser.add_argument("--ledger", metavar="ID", help="the ledger id that you were told")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--stock", action="store_true", help="ssh-keygen checks every entry too; one process each")
    parser.add_argument("--vectors", metavar="FOLDER", nargs="+", help="check the vectors below these folders instead")
    args = parser.parse_args()
    if (args.clone is None) == (args.vectors is None) or not (args.ledger is None or ID(args.ledger)):
        parser.error("either a clone or --vectors; a ledger id is 64 hexadecimal digits")
    try:
        if args.vectors:
            return check_vectors(args.vectors)
        return judge_clone(args.clone, args.ledger, args.json, args.stock)
    except Stop as why:
        status, code, message = why.args
    except OSError as why:
        status, code, message = 1, "FAILED", str(why)
    print(json.dumps({"code": code, "message": message}) if args.json else f"{code}: {message!a}")
    return status


if __name__ == "__main__":
    sys.exit(main())
