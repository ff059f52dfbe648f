#!/usr/bin/env python3
"""A second verifier of git-quorum ledgers, written from the pages beside this file alone.

    verify.py CLONE [--ledger ID] [--stock]   prints what the ledger in a clone has decided, as one
                                              JSON object
    verify.py --vectors FOLDER...             checks the vectors/ folder, or a folder of ledgers

This file shares no line with the program. It needs Python 3.11, stock git, and PyNaCl (pip install
pynacl==1.6.2). With --stock, git and ssh-keygen check every entry's signature as well.

The verifier reads entries only. It does not check what protected refs hold, or whether a proposal
matches its objects (change.md). Comments name the page and section that a rule is from. The file
is made to be read: its time grows with the square of the votes in a slot, its memory with the
square of the statements.

The printed object has the fields of vectors/README.md, and these:

    ledger      the ledger id
    pinned      whether somebody named this ledger as the right one
    entries     the number of entries
    no_entries  the commits that refs lead to and that are not entries, with the reasons

Each decision about a ref also has the values `from` and `to`. If there is no verdict, the object
has a `code` and a `message` instead.

Exit status:

    0  verified
    1  the verifier failed
    2  wrong usage
    3  there is no ledger here
    7  agreement is broken, the clone is shallow or partial, it holds another ledger, the ledger
       asks for a newer verifier (UPGRADE_NEEDED), or nobody named the right ledger

Why PyNaCl: entry.md, section 3, asks for S below the group order, for R and a key that are not of
small order, and for [S]B = R + [k]A without the cofactor. libsodium refuses everything else.
OpenSSL, and so `cryptography`, accepts R and keys of small order. A build of libsodium could
multiply by the cofactor. So R must lie in the prime-order subgroup here: every key does
(charter.md, section 2), and then both equations mean the same.
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
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from graphlib import TopologicalSorter
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_sign_open
from nacl.exceptions import CryptoError

INTEGER, MANY = range(2**53), 2**53

class Refused(Exception):
    """Bytes are not an entry, or a statement does not count: a code of reasons.md and a detail."""

class Stop(Exception):
    """There is no verdict at all: a code and a message."""

def need(holds: bool, code: str, why: str = "", otherwise: type[Exception] = Refused) -> None:
    if not holds:
        raise otherwise(code, why)

def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

def commit_id(raw: bytes) -> str:
    return hashlib.sha1(b"commit %d\0" % len(raw) + raw).hexdigest()

def canonical(value: Any) -> bytes:
    """Encodes a value as RFC 8785. Its keys must be ASCII and its numbers integers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


# ---- Signatures: entry.md, section 3

in_prime_order_subgroup = lru_cache(crypto_core_ed25519_is_valid_point)  # also canonical, and not of small order

def verifies(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        return in_prime_order_subgroup(signature[:32]) and crypto_sign_open(signature + message, key) == message
    except CryptoError:
        return False

def ssh_strings(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)

def key_text(key: bytes) -> str:
    return "ssh-ed25519 " + base64.b64encode(ssh_strings(b"ssh-ed25519", key)).decode()

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


# ---- Shapes: charter.md; deciding.md, section 1; entry.md, section 4. Another shape is BAD_JSON

def fits(value: Any, form: Any) -> bool:
    """Checks a value against a form.

    A form is one of these:

    - None, or a type
    - a range of integers
    - a regular expression for a text
    - a tuple of forms, of which one must fit
    - a list [form of the items, greatest number of items]
    - a dict of the forms of exactly these fields
    - a function that returns a bool
    """
    match form:
        case None: return value is None
        case type(): return isinstance(value, form)
        case range(): return type(value) is int and value in form
        case str(): return isinstance(value, str) and re.fullmatch(form, value) is not None
        case tuple(): return any(fits(value, one) for one in form)
        case [item, most]: return isinstance(value, list) and len(value) <= most and all(fits(v, item) for v in value)
        case dict():
            same_fields = isinstance(value, dict) and value.keys() == form.keys()
            return same_fields and all(fits(value[field], form[field]) for field in form)
    return form(value)

def key(value: Any) -> bool:
    """Checks a key: charter.md, section 2."""
    point = base64.b64decode(value[-68:])[-32:] if fits(value, "ssh-ed25519 [A-Za-z0-9+/]{68}") else b""
    return key_text(point) == value and in_prime_order_subgroup(point)

def ref_name(value: Any) -> bool:
    """Checks a ref name: charter.md, section 1, "Protected refs"."""
    if not fits(value, r"refs(/(?!\.)[^/\x00-\x20\x7f~^:?*\[\\]+(?<!\.lock)){2,}") or len(value.encode()) > 255:
        return False
    return not re.search(r"\.\.|@\{|\.\Z", value) and not re.match("(?ai)refs/(quorum|replace|namespaces)/", value)

def ref_pattern(value: Any) -> bool:
    """Checks a name or a pattern `P*`. If P and some character are a name, so are P and an x."""
    if fits(value, r"(?s).*/.*/.*\*"):
        value = value[:-1] + "x"
    return ref_name(value)

ID, OID, ROUND = "[0-9a-f]{64}", "[0-9a-f]{40}", range(2**32)
NAME = r"(?!(con|prn|aux|nul|com[0-9]|lpt[0-9])(/|\Z))[a-z0-9][a-z0-9-]{0,31}"
CHARTER = {
    "members": [{"domain": NAME, "key": key, "name": NAME, "roles": [NAME, 16], "vote": bool}, 128],
    "protect": [ref_pattern, 64],
    "removed": [{"key": key, "last": (None, ID), "name": NAME}, 512],
    "rules": {"allow_concentrated_domains": bool, "own_approval_counts": bool, "quorum": INTEGER},
    "v": range(1, 2),
}

def charter(value: Any) -> bool:
    """Checks a charter: charter.md, sections 1 to 3."""
    if not fits(value, CHARTER):
        return False
    members, removed, rules = value["members"], value["removed"], value["rules"]
    names, keys = ([m[word] for m in members + removed] for word in ("name", "key"))
    lists = [names[: len(members)], names[len(members) :], value["protect"], *(m["roles"] for m in members)]
    votes = Counter(m["domain"] for m in members if m["vote"])
    n = votes.total()
    f = (n - 1) // 3
    return (
        len(names) == len(set(names)) == len(set(keys))
        and all(each == sorted(set(each)) for each in lists)  # Python compares texts as their UTF-8 bytes compare
        and value["protect"] != []
        and max(1, (n + f) // 2 + 1) <= rules["quorum"] <= n
        and (rules["allow_concentrated_domains"] or max(votes.values()) <= max(f, 1))
    )

def newer_charter(value: Any) -> bool:
    """Recognises a charter of a newer version: deciding.md, section 2."""
    return isinstance(value, dict) and fits(value.get("v"), range(2, 2**53))

def may_follow(new: dict, old: dict) -> bool:
    """Checks whether a charter may follow another: charter.md, section 4."""
    members = {m["name"]: m["key"] for m in new["members"]}
    removed = {m["name"]: m for m in new["removed"]}
    gone = [m for m in old["members"] if members.get(m["name"]) != m["key"]]
    listed = all(m["name"] in removed and removed[m["name"]]["key"] == m["key"] for m in gone)
    unchanged = all(removed.get(m["name"]) == m for m in old["removed"])
    return listed and unchanged and len(removed) == len(gone) + len(old["removed"])

MOVE = {"from": (None, OID), "to": (None, OID), "change": ID, "state": ID, "rewrite": bool}
STATEMENT = (
    {"kind": "propose", "base": ID, "ref": ref_name, "title": str, "text": str} | MOVE,
    {"kind": "propose-charter", "base": ID, "charter": (charter, newer_charter), "title": str, "text": str},
    {"kind": "review", "proposal": ID, "verdict": "approve|reject|abstain", "text": str, "evidence": [str, MANY]},
    {"kind": "withdraw", "proposal": ID},
    {"kind": "prevote", "proposal": ID, "round": ROUND},
    {"kind": "precommit", "proposal": ID, "round": ROUND, "signature": "[0-9a-f]{128}"},
)
PLACE = {"charter": ID, "ledger": ID, "parents": [ID, MANY], "seq": INTEGER}
PAYLOAD = (
    {"type": "genesis", "charter": charter, "member": NAME, "v": range(1, 2)},
    {"type": "entry", "statements": [STATEMENT, MANY], "member": NAME, "v": range(1, 2)} | PLACE,
)


# ---- From bytes to an entry: entry.md, sections 2 to 4. Steps and their order: reasons.md

@dataclass(eq=False)
class Entry:
    oid: str
    payload: dict
    parents: list[str]  # Git's ids, from the header
    time: int
    key: bytes
    signature: bytes
    signed: bytes

    def __post_init__(self) -> None:
        self.id, self.member, self.seq = sha256(self.signed), self.payload["member"], self.payload.get("seq", 0)
        self.is_genesis = self.payload["type"] == "genesis"
        self.charter: str = self.id if self.is_genesis else self.payload["charter"]
        # Ledger.add fills these: the statements, and the set of known statements. The set has a
        # bit for each statement up to the entry's last one, and for the genesis.
        self.statements: list[Statement] = []
        self.known = int(self.is_genesis)

def number(token: str) -> int | float:
    need(math.isfinite(float(token)), "BAD_JSON", "beyond binary64, or NaN or Infinity, which Python would take")
    return int(token) if token != "-0" and re.fullmatch("-?[0-9]+", token) else float(token)

def is_plain(value: Any, depth: int = 1) -> bool:
    """Checks that all keys are ASCII, and all numbers integers from 0 to 2^53 - 1.

    Raises BAD_JSON at too great a depth. That check comes first, so it must reach every value.
    """
    if isinstance(value, (dict, list)):
        need(depth <= 127, "BAD_JSON", "more than 127 levels")
        inner = [is_plain(item, depth + 1) for item in (value.values() if isinstance(value, dict) else value)]
        return all(inner) and all(word.isascii() for word in value if isinstance(value, dict))
    return type(value) not in (int, float) or fits(value, INTEGER)

def parse_payload(line: str) -> dict:
    """Parses the payload: step 5."""
    try:
        payload = json.loads(line, parse_int=number, parse_float=number, parse_constant=number)
        plain = is_plain(payload)
        written = canonical(payload)  # fails for half a surrogate pair
    except (ValueError, RecursionError):
        raise Refused("BAD_JSON", "no JSON") from None
    need(isinstance(payload, dict) and fits(payload.get("v"), range(2**64)), "BAD_JSON", "no version")
    need(payload["v"] == 1, "UNKNOWN_VERSION", str(payload["v"]))
    need(plain and written == line.encode(), "NOT_CANONICAL")
    return payload

def check_text(value: str, least: int, most: int, allowed: str = "") -> None:
    controls = set(re.findall(r"[\x00-\x1f\x7f-\x9f]", value))
    need(least <= len(value.encode()) <= most and controls <= set(allowed), "BAD_TEXT", ascii(value[:40]))

def check_payload(payload: dict, parents: list[str], time: int) -> None:
    """Checks shape and content: steps 6 and 7, with the limits of entry.md, section 6."""
    need(fits(payload, PAYLOAD), "BAD_JSON", "shape")
    need(time <= 253370764799, "LIMIT_EXCEEDED", "time")
    if payload["type"] == "genesis":
        founder = any(m["name"] == payload["member"] for m in payload["charter"]["members"])
        need(founder and not parents and not payload["charter"]["removed"], "BAD_GENESIS")
        return
    statements = payload["statements"]
    need(1 <= len(parents) == len(payload["parents"]), "LIMIT_EXCEEDED", "parents")
    need(len(statements) <= 64 and payload["seq"] >= 1, "LIMIT_EXCEEDED", "statements or seq")
    for said in statements:
        need(len(said.get("evidence", [])) <= 16, "LIMIT_EXCEEDED", "evidence")
        for item in said.get("evidence", []):
            check_text(item, 1, 1024)
        check_text(said.get("title", "none"), 1, 200)
        check_text(said.get("text", ""), 0, 16384, "\n\t")
        if said["kind"] == "propose":
            ends = (said["from"], said["to"])
            need(ends[0] != ends[1] and "0" * 40 not in ends, "BAD_STATEMENT", "from and to")
            need(None not in ends or not said["rewrite"], "BAD_STATEMENT", "a creation or deletion is no rewrite")
    need(not any("base" in said for said in statements[1:]), "BAD_STATEMENT", "a proposal is not first")
    bases = [said["base"] for said in statements if said["kind"] == "propose-charter"]
    need(set(bases) <= {payload["charter"]}, "BAD_STATEMENT", "a charter's base is not the entry's charter")

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
    """Builds an entry (entry.md, section 2). Without an armour, builds its signed bytes."""
    who = f"{payload['member']} <{payload['member']}@git-quorum.invalid> {time} +0000"
    header = ["tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904", *(f"parent {oid}" for oid in parents)]
    header += [f"author {who}", f"committer {who}", *(["gpgsig " + "\n ".join(signature)] if signature else [])]
    return "\n".join([*header, "", subject_line(payload), "", ""]).encode() + canonical(payload) + b"\n"

def read_header(header: str) -> tuple[list[str], int, list[str]]:
    """Reads the header: steps 2 and 3. Returns parents, time, and the lines of the armour."""
    parents: list[str] = []
    signature: list[str] = []
    author = ""
    for line in header.split("\n"):
        if line.startswith((" ", "gpgsig ")):
            need(line.startswith(" ") == bool(signature), "BAD_TEMPLATE", "gpgsig")
            signature.append(line.partition(" ")[2])
        elif line.startswith("parent "):
            parents.append(line.removeprefix("parent "))
            need(fits(parents[-1], OID), "BAD_TEMPLATE", "parent")
            need(len(parents) <= 256, "LIMIT_EXCEEDED", "parents")
        elif line.startswith("author "):
            author = line
    time = re.search(r" \+?0*([0-9]{1,20}) \+0000\Z", author)
    seconds = int(time[1]) if time else 2**64
    need(seconds < 2**64, "BAD_TEMPLATE", "author")
    need(signature != [], "NO_SIGNATURE")
    return parents, seconds, signature

def parse(raw: bytes, kind: str = "commit") -> Entry:
    """Parses an entry: steps 1 to 8."""
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
    return Entry(commit_id(raw), payload, parents, time, public, signature, build(payload, parents, time, []))


# ---- The places of entries, and which statements count: entry.md, section 5, and deciding.md

class Charter:
    def __init__(self, charter_id: str, bit: int, base: Charter | None, body: dict) -> None:
        self.id, self.bit, self.body, self.q = charter_id, bit, body, body["rules"]["quorum"]
        self.lineage: list[Charter] = [self, *(base.lineage if base else [])]
        self.keys = {m["name"]: m["key"] for m in body["members"]}
        self.voters = {m["name"] for m in body["members"] if m["vote"]}
        self.protects = re.compile("|".join(re.escape(ref).replace(r"\*", ".+") for ref in body["protect"])).fullmatch

    def root(self, ref: str) -> str | None:
        """Returns the root of a ref, or None: deciding.md, section 2."""
        protecting = list(takewhile(lambda earlier: earlier.protects(ref), self.lineage))
        return protecting[-1].id if protecting else None

class Slot(NamedTuple):
    """A subject (a ref, or "charter") with a base: deciding.md, section 2."""

    subject: str
    base: str

    @property
    def id(self) -> str:
        return sha256(f"git-quorum slot v1\n{self.subject}\n{self.base}\n".encode())

class Statement:
    """A statement in its place (deciding.md, section 1; entry.md, section 5)."""

    def __init__(self, entry: Entry, charter: Charter, said: dict, bit: int) -> None:
        self.entry, self.charter, self.said, self.member = entry, charter, said, entry.member
        self.kind, self.proposal, self.round = said["kind"], said.get("proposal"), said.get("round")
        self.bit, self.known = bit, entry.known  # its own bit, and the bits of the statements that it knows
        self.code: str | None = None  # why it does not count
        if "base" in said:
            self.slot = Slot(said.get("ref", "charter"), said["base"])
            self.root = charter.root(self.slot.subject)

    def knows(self, other: Statement) -> bool:
        return self.known & other.bit != 0

class Ledger:
    """A ledger. Parents must be added first; any such order gives the same result."""

    def __init__(self, genesis: Entry) -> None:
        need(genesis.is_genesis, "BAD_GENESIS")
        self.id = genesis.id
        self.entries, self.commits = {genesis.id: genesis}, {genesis.oid: genesis.id}
        self.next_bit = 2  # the genesis has 1, and every entry knows it
        self.proposals: dict[str, Statement] = {}
        # The first charter, and all proposed charters that follow one another down to it.
        self.charters = {genesis.id: Charter(genesis.id, genesis.known, None, genesis.payload["charter"])}
        # Votes for proposals that are valid and known to them, whether or not they count.
        self.votes: dict[Slot, list[Statement]] = defaultdict(list)
        self.approvals: dict[str, list[Statement]] = defaultdict(list)  # those that count, by proposal
        self.check_place(genesis)

    # -- entry.md, section 5, in the order of reasons.md, step 9

    def add(self, entry: Entry) -> None:
        self.check_place(entry)
        self.commits[entry.oid] = entry.id
        if entry.id not in self.entries:  # two commits with the same signed bytes are one entry
            self.entries[entry.id] = entry
            self.judge_all(entry)

    def check_place(self, entry: Entry) -> None:
        if entry.is_genesis:
            need(entry.id == self.id, "WRONG_LEDGER")
        else:
            self.check_parents(entry)
        keys = self.charters[entry.charter].keys
        need(entry.member in keys, "NOT_A_MEMBER")
        need(keys[entry.member] == key_text(entry.key), "BAD_GENESIS" if entry.is_genesis else "BAD_SIGNATURE")
        need(verifies(entry.key, entry.signature, signed_data(entry.signed)), "BAD_SIGNATURE")

    def check_parents(self, entry: Entry) -> None:
        need(entry.payload["ledger"] == self.id, "WRONG_LEDGER")
        parents: list[Entry] = []
        for oid, named in zip(entry.parents, entry.payload["parents"], strict=True):
            need(oid in self.commits, "BAD_PARENT")
            need(self.commits[oid] == named, "PARENT_MISMATCH")
            need(self.entries[named] not in parents, "BAD_PARENT")
            parents.append(self.entries[named])
            entry.known |= parents[-1].known
        own = [parent for parent in parents if parent.member == entry.member and not parent.is_genesis]
        need(parents[0] in own if own else parents[0].is_genesis, "BAD_LANE")
        need(entry.seq == 1 + max((parent.seq for parent in own), default=0), "BAD_SEQUENCE")
        known = entry.charter in self.charters and entry.known & self.charters[entry.charter].bit != 0
        need(known, "UNKNOWN_CHARTER")
        lineage = [earlier.id for earlier in self.charters[entry.charter].lineage]
        need(all(parent.charter in lineage for parent in own), "CHARTER_WENT_BACK")

    # -- deciding.md, section 2. If `at` is None, the whole ledger is known

    def is_valid(self, proposal: str, at: Statement) -> bool:
        """Checks that a proposal is valid and known to a statement."""
        found = self.proposals.get(proposal)
        return found is not None and at.knows(found) and found.code is None

    def alike(self, slot: Slot, at: Statement) -> list[Statement]:
        """Returns the same member's votes in a slot under the same charter."""
        return [vote for vote in self.votes[slot] if vote.charter is at.charter and vote.member == at.member]

    def quorums(self, slot: Slot, phase: str, at: Statement | None) -> list[tuple[int, str, int, str]]:
        """Returns each (depth of a charter, its id, round, proposal) that has a quorum, sorted."""
        voters: dict[tuple[int, str, int, str], set[str]] = defaultdict(set)
        for vote in self.votes[slot]:
            if vote.kind == phase and vote.code is None and (at is None or at.knows(vote)):
                by = vote.charter
                voters[len(by.lineage), by.id, vote.round, vote.proposal].add(vote.member)
        return sorted(choice for choice, who in voters.items() if len(who) >= self.charters[choice[1]].q)

    def rounds(self, slot: Slot, at: Statement) -> list[int]:
        """Returns the rounds of the known prevote quorums for a vote's proposal."""
        return [r for _, by, r, p in self.quorums(slot, "prevote", at) if by == at.charter.id and p == at.proposal]

    def is_decided(self, proposal: str, at: Statement) -> bool:
        """Checks rule 3, under whatever charter."""
        return any(proposal == p for *_, p in self.quorums(self.proposals[proposal].slot, "precommit", at))

    # -- deciding.md, section 3; the order is that of reasons.md

    def judge_all(self, entry: Entry) -> None:
        charter = self.charters[entry.charter]
        for said in entry.payload["statements"]:
            at = Statement(entry, charter, said, self.next_bit)
            if "base" in said:
                self.proposals[entry.id] = at
            if said.get("charter", {}).get("v") == 1 and may_follow(said["charter"], charter.body):
                self.charters[entry.id] = Charter(entry.id, at.bit, charter, said["charter"])
            try:
                self.judge(at)
            except Refused as why:
                at.code = why.args[0]
            if at.round is not None and self.is_valid(at.proposal, at):
                self.votes[self.proposals[at.proposal].slot].append(at)
            if at.said.get("verdict") == "approve" and at.code is None:
                self.approvals[at.proposal].append(at)
            entry.statements.append(at)
            entry.known |= at.bit
            self.next_bit <<= 1

    def judge(self, at: Statement) -> None:
        charter, member = at.charter, at.member
        need(charter.id == self.id or self.is_decided(charter.id, at), "CHARTER_NOT_DECIDED")
        if at.kind == "propose-charter":
            need(newer_charter(at.said["charter"]) or at.entry.id in self.charters, "NOT_A_SUCCESSOR")
        elif at.kind == "propose":
            need(at.root is not None, "NOT_PROTECTED")
            if at.slot.base != at.root:
                base = self.proposals.get(at.slot.base)
                same_chain = base and (base.slot.subject, base.root) == (at.slot.subject, at.root)
                need(same_chain and self.is_valid(at.slot.base, at), "WRONG_BASE")
                need(self.is_decided(at.slot.base, at), "BASE_NOT_DECIDED")
        else:
            need(self.is_valid(at.proposal, at), "UNKNOWN_PROPOSAL")
            if at.round is not None:
                self.judge_vote(at, self.proposals[at.proposal])
            own = member == self.proposals[at.proposal].member
            need(at.kind != "withdraw" or own, "NOT_THE_PROPOSER")
            if at.said.get("verdict") == "approve":
                need(member in charter.voters, "NOT_A_VOTER")
                need(not own or charter.body["rules"]["own_approval_counts"], "OWN_APPROVAL")

    def judge_vote(self, at: Statement, proposal: Statement) -> None:
        charter, slot, r, change = at.charter, proposal.slot, at.round, Slot("charter", at.charter.id)
        if slot.subject == "charter":
            need(slot == change, "WRONG_BASE")
        else:
            root = charter.root(slot.subject)
            need(root is not None and root == proposal.root, "NOT_PROTECTED")
            need(slot.base == root or self.is_decided(slot.base, at), "BASE_NOT_DECIDED")
        need(at.member in charter.voters, "NOT_A_VOTER")
        # Rule 6, freeze: any precommit of a charter change by the member, whether or not it counts.
        froze = any(vote.kind == "precommit" and at.knows(vote) for vote in self.alike(change, at))
        need(slot == change or not froze, "FROZEN")
        decided, handed_down = self.handed_over(slot, at)
        need(decided in (None, at.proposal), "SLOT_DECIDED")
        votes = [v for v in self.votes[slot] if v.charter is charter and v.code is None and at.knows(v)]
        own = [vote for vote in votes if vote.member == at.member]
        need(not any(vote.round > r for vote in own), "ROUND_WENT_BACK")  # rule 4
        twice = any((vote.round, vote.kind) == (r, at.kind) and vote.proposal != at.proposal for vote in own)
        need(not twice, "SECOND_VOTE")  # rule 4
        before = {vote.member for vote in votes if vote.round == r - 1}
        need(r == 0 or len(before) >= charter.q, "ROUND_NOT_ENTERED")  # rule 5a
        quorums = self.rounds(slot, at)
        if at.kind == "precommit":  # rule 2
            need(r in quorums, "NO_PREVOTE_QUORUM")
            signature = bytes.fromhex(at.said["signature"])
            need(verifies(at.entry.key, signature, self.agreement(at)), "BAD_AGREEMENT_SIGNATURE")
            return
        # Rule 4, lock: the precommit of the highest round, or several on separate branches.
        lock_round = max((vote.round for vote in own if vote.kind == "precommit"), default=-1)
        locks = {vote.proposal for vote in own if vote.kind == "precommit" and vote.round == lock_round}
        approvals = [said for said in self.approvals[at.proposal] if said.charter is charter and at.knows(said)]
        approvers = {said.member for said in approvals}
        approved = len(approvers) >= charter.q or (r == 0 and at.member in approvers)
        approved = approved or at.proposal in locks | {decided, handed_down} or any(s < r for s in quorums)
        need(approved, "NOT_APPROVED")  # rule 1
        need(locks <= {at.proposal} or any(lock_round < s < r for s in quorums), "LOCKED")  # rule 4
        need(handed_down in (None, at.proposal) or any(s < r for s in quorums), "HANDED_DOWN")  # rule 6

    def handed_over(self, slot: Slot, at: Statement) -> tuple[str | None, str | None]:
        """Rule 6, hand-over. Returns the decision that stands, or else what is handed down."""
        earlier = [charter.id for charter in at.charter.lineage[1:]]
        decided = [(-depth, r, p) for depth, by, r, p in self.quorums(slot, "precommit", at) if by in earlier]
        if decided:
            return min(decided)[2], None
        prevoted = [(-depth, -r, p) for depth, by, r, p in self.quorums(slot, "prevote", at) if by in earlier]
        return None, min(prevoted)[2] if prevoted else None

    def agreement(self, vote: Statement) -> bytes:
        """Builds the bytes that a precommit signs: deciding.md, section 6."""
        proposed, charter = self.proposals[vote.proposal], vote.charter
        said, slot = proposed.said, proposed.slot
        predicate = {"base": slot.base, "charter": charter.id, "charterDigest": sha256(canonical(charter.body))}
        predicate |= {"ledger": self.id, "proposal": vote.proposal, "round": vote.round, "slot": slot.id}
        subject = [{"digest": {"sha256": vote.proposal}, "name": f"proposal/{vote.proposal}"}]
        if slot.subject == "charter":
            predicate["nextCharterDigest"] = sha256(canonical(said["charter"]))
        else:
            predicate |= {word: said[word] for word in ("change", "from", "ref", "state", "to")}
            if said["to"] is not None:
                subject.append({"digest": {"gitCommit": said["to"]}, "name": said["ref"]})
        statement = {"_type": "https://in-toto.io/Statement/v1", "predicate": predicate, "subject": subject}
        body = canonical(statement | {"predicateType": "urn:git-quorum:agreement:v1"})
        return b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(body), body)

    # -- deciding.md, section 4, and rule 7: the report, in the form of vectors/README.md

    def evidence(self) -> Iterator[tuple[str, str, str, str, str, str]]:
        """Yields every pair of rule 7: member, rule, charter, slot, and both votes' entries."""
        for slot, b in [(slot, vote) for slot in list(self.votes) for vote in self.votes[slot]]:
            change, quorums = Slot("charter", b.charter.id), self.rounds(slot, b)
            rivals = [a for a in self.alike(slot, b) if a.proposal != b.proposal]
            pairs = [("equivocation", a) for a in rivals if (a.round, a.kind) == (b.round, b.kind)]
            for a in rivals if b.kind == "prevote" else []:
                if a.kind == "precommit" and a.round < b.round and not any(a.round < s < b.round for s in quorums):
                    pairs.append(("lock-violation", a))
            for a in self.alike(change, b) if slot != change else []:
                if a.kind == "precommit" and not a.knows(b):
                    pairs.append(("freeze-violation", a))
            for rule, a in pairs:
                if "CHARTER_NOT_DECIDED" not in (a.code, b.code):
                    yield b.member, rule, b.charter.id, slot.id, a.entry.id, b.entry.id

    def report(self) -> dict:
        decided: dict[str, tuple[str, int]] = {}
        for slot in self.votes:
            for _, by, r, proposal in self.quorums(slot, "precommit", None):
                decided.setdefault(proposal, (by, r))
        newer = [p for p in sorted(decided) if "charter" in self.proposals[p].said and p not in self.charters]
        if newer:  # README.md, "Versions"
            return {"upgrade": newer[0]}
        slots = {p: self.proposals[p].slot for p in sorted(decided)}
        in_force = self.id
        while len(successors := [p for p, slot in slots.items() if slot == Slot("charter", in_force)]) == 1:
            in_force = successors[0]
        return {
            "broken": sorted(slot.id for slot, count in Counter(slots.values()).items() if count > 1),
            "charter": in_force,
            "decisions": [
                {"charter": by, "proposal": p, "round": r, "slot": slots[p].id, "subject": slots[p].subject}
                for p, (by, r) in sorted(decided.items())
            ],
            "discounted": [
                {"entry": entry, "reason": said.code, "statement": place} for entry in sorted(self.entries)
                for place, said in enumerate(self.entries[entry].statements) if said.code
            ],
            "evidence": [
                {"charter": charter, "entries": list(pair), "member": member, "rule": rule, "slot": slot}
                for (member, rule, charter, slot), pair in sorted({e[:4]: e[4:] for e in self.evidence()}.items())
            ],
        }


# ---- A clone, read by stock git: entry.md, section 1

KEPT = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")
ENVIRONMENT = {word: value for word, value in os.environ.items() if not word.startswith("GIT_") or word in KEPT}
# No replace refs, no lazy fetch. Objects are read raw, so grafts and commit-graphs do not matter.
ENVIRONMENT |= {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}

class Clone:
    """A repository that is not trusted: every object is read raw, and judged by its own bytes."""

    def __init__(self, path: str) -> None:
        self.git = ["git", "-C", path]
        partial = self.run("config", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$")
        whole = self.run("rev-parse", "--is-shallow-repository") == "false" and not partial
        need(whole, "INCOMPLETE_CLONE", "this clone is shallow or partial: nothing is certified from it", Stop)
        lines = self.run("for-each-ref", "--format=%(refname) %(objectname)", "refs/quorum/").split("\n")
        self.refs = dict(line.split(" ") for line in lines if line)
        command = [*self.git, "cat-file", "--batch-command"]
        self.objects = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT)

    def run(self, *args: str, fine: tuple[int, ...] = (0, 1), otherwise: str = "NO_REPOSITORY") -> str:
        """Runs git and returns its output. `git config` exits with 1 where nothing is set."""
        done = subprocess.run([*self.git, *args], env=ENVIRONMENT, capture_output=True, check=False)
        need(done.returncode in fine, otherwise, done.stderr.decode(errors="replace").strip(), Stop)
        return done.stdout.decode(errors="surrogateescape").strip("\n")

    def ask(self, command: str, oid: str) -> list[str]:
        self.objects.stdin.write(f"{command} {oid}\n".encode())
        self.objects.stdin.flush()
        answer = self.objects.stdout.readline().decode(errors="replace").split()
        need(len(answer) > 1, "DAMAGED", f"git cat-file says nothing about {oid}", Stop)
        return answer

    def parse(self, oid: str) -> Entry:
        """Parses a commit. Does not read objects that are not commits, or are too large."""
        _, kind, *size = self.ask("info", oid)
        missing = f"{oid} is missing: nothing is certified from here"  # deciding.md, section 4
        need(kind != "missing", "INCOMPLETE_CLONE", missing, Stop)
        need(kind == "commit", "NOT_A_COMMIT", f"{oid}: {kind}")
        need(int(size[0]) <= 262144, "TOO_LARGE", oid)
        self.ask("contents", oid)
        raw = self.objects.stdout.read(int(size[0]) + 1)[:-1]
        # git cat-file does not check this; without it a commit could be its own ancestor
        need(commit_id(raw) == oid, "DAMAGED", f"the bytes of {oid} are not those of its name", Stop)
        return parse(raw)

    def find(self, wanted: str | None) -> Ledger:
        ledgers = {}
        for ref, oid in self.refs.items():
            with suppress(Refused):
                if re.fullmatch("refs/quorum/[0-9a-f]{16}/genesis", ref):
                    ledger = Ledger(self.parse(oid))
                    need(ledger.id.startswith(ref.split("/")[2]), "WRONG_LEDGER")
                    ledgers[ledger.id] = ledger
        here = ", ".join(ledgers)
        need(len(ledgers) > 0, "NO_LEDGER", "no ledger here", Stop)
        need(len(ledgers) == 1 or bool(wanted), "SEVERAL_LEDGERS", f"name one with --ledger: {here}", Stop)
        need(not wanted or wanted in ledgers, "OTHER_LEDGER", f"here is {here}", Stop)
        return ledgers[wanted or next(iter(ledgers))]

    def read(self, ledger: Ledger) -> dict[str, str]:
        """Adds all entries to the ledger. Returns the commits that are not entries, with reasons.

        Does not go on to the parents of bytes that fail steps 1 to 8.
        """
        form = f"refs/quorum/{ledger.id[:16]}/(lane/{NAME}|remote/[^/]+/{NAME}|fork/{NAME}/{ID})"
        ahead = [oid for ref, oid in self.refs.items() if re.fullmatch(form, ref)]
        entries: dict[str, Entry] = {}
        refused: dict[str, str] = {}
        while ahead:
            oid = ahead.pop()
            try:
                if oid not in entries and oid not in refused:
                    entries[oid] = self.parse(oid)
                    ahead += entries[oid].parents
            except Refused as why:
                refused[oid] = why.args[0]
        for oid in TopologicalSorter({oid: entry.parents for oid, entry in entries.items()}).static_order():
            try:
                if oid in entries:
                    ledger.add(entries[oid])
            except Refused as why:
                refused[oid] = why.args[0]
        return refused

def judge_clone(path: str, told: str | None, stock: bool) -> int:
    clone = Clone(path)
    wanted = told or clone.run("config", "quorum.ledger") or None
    ledger = clone.find(wanted)
    refused, report = clone.read(ledger), ledger.report()
    newer = f"charter {report.get('upgrade')} is decided, and of a newer version"
    need("upgrade" not in report, "UPGRADE_NEEDED", newer, Stop)
    if stock:  # entry.md, section 3: stock tools accept every signature that this file accepts
        with tempfile.NamedTemporaryFile("w") as signers:
            keys = [each for charter in ledger.charters.values() for each in charter.keys.items()]
            signers.writelines(f"{member}@git-quorum.invalid {key}\n" for member, key in keys)
            signers.flush()
            settings = ["-c", "gpg.ssh.program=ssh-keygen", "-c", f"gpg.ssh.allowedSignersFile={signers.name}"]
            clone.run(*settings, "verify-commit", *ledger.commits, fine=(0,), otherwise="STOCK_DISAGREES")
    for decision in report["decisions"]:
        said = ledger.proposals[decision["proposal"]].said
        decision |= {word: said[word] for word in ("from", "to") if word in said}
    report |= {"ledger": ledger.id, "pinned": wanted is not None, "entries": len(ledger.entries)}
    print(json.dumps(report | {"no_entries": refused}, sort_keys=True, indent=1))
    return 0 if wanted and not report["broken"] else 7


# ---- Vectors: vectors/README.md. Each check returns the differences

def ledger_of(raws: list[bytes]) -> Ledger:
    ledger = Ledger(parse(raws[0]))
    for raw in raws[1:]:
        ledger.add(parse(raw))
    return ledger

def check_entry(vector: dict, context: list[bytes], raw: bytes) -> Any:
    try:
        entry = parse(raw, vector.get("object", "commit"))
        ledger = ledger_of([*context, raw])
    except Refused as why:
        return None if why.args[0] == vector.get("code") else why
    statements = ledger.entries[entry.id].statements
    agreements = [ledger.agreement(said).hex() for said in statements if said.kind == "precommit"]
    found = {"id": entry.id, "oid": entry.oid, "member": entry.member, "seq": entry.seq, "time": entry.time}
    found |= {"key": key_text(entry.key), "signature": entry.signature.hex(), "agreements": agreements}
    found |= {"signed_data": signed_data(entry.signed).hex(), "verdicts": [said.code for said in statements]}
    vector["agreements"] = [a["pre_authentication_encoding"] for a in vector.get("agreements", [])]
    return [word for word, value in found.items() if value != vector.get(word, "nothing")]

def check_ledger(vector: dict) -> Any:
    """Checks a ledger. A verifier may name other pairs; each named pair must convict here too."""
    try:
        ledger = ledger_of([raw.encode() for raw in vector["entries"]])
    except Refused as why:
        return why
    expected, report, pairs = vector["expected"], ledger.report(), set(ledger.evidence())
    named = {(e["member"], e["rule"], e["charter"], e["slot"], *e["entries"]) for e in expected.get("evidence", [])}
    differ = [word for word in report | expected if word != "evidence" and report.get(word) != expected.get(word)]
    same_members = "upgrade" in report or {e[:4] for e in named} == {e[:4] for e in pairs}
    return differ + ([] if same_members and named <= pairs else ["evidence"])

def check_vectors(folders: list[str]) -> int:
    checked, differ = Counter(), 0
    for path in sorted(path for folder in folders for path in Path(folder).rglob("*.json")):
        vector, kind = json.loads(path.read_bytes()), path.parent.name
        if "entries" in vector:
            kind, difference = "ledgers", check_ledger(vector)
        elif "context" in vector:
            context = [(path.parent.parent / f"valid/{name}.entry").read_bytes() for name in vector["context"]]
            difference = check_entry(vector, context, path.with_suffix(".entry").read_bytes())
        else:
            continue
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
    parser.add_argument("--stock", action="store_true", help="git and ssh-keygen check every entry too")
    parser.add_argument("--vectors", metavar="FOLDER", nargs="+", help="check the vectors below these folders instead")
    args = parser.parse_args()
    if (args.clone is None) == (args.vectors is None) or not fits(args.ledger, (None, ID)):
        parser.error("either a clone or --vectors; a ledger id is 64 hexadecimal digits")
    try:
        return check_vectors(args.vectors) if args.vectors else judge_clone(args.clone, args.ledger, args.stock)
    except Stop as why:
        code, message = why.args
    except OSError as why:
        code, message = "FAILED", str(why)
    print(json.dumps({"code": code, "message": message}))
    return {"NO_REPOSITORY": 3, "NO_LEDGER": 3, "DAMAGED": 1, "FAILED": 1}.get(code, 7)

if __name__ == "__main__":
    sys.exit(main())
