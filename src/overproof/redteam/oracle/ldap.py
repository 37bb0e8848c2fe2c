"""Prove that two fragments of LDAP filters select the same entries: a reader of RFC 4515, and a small directory."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import unquote

from overproof.redteam.base import Proof

Entry = dict[str, tuple[str, ...]]
Filter = Callable[[Entry], "bool | None"]  # None: undefined (RFC 4511, 4.5.1.7)

CONTEXTS = (
    "(&(uid={})(objectClass=person))",
    "(uid={})",
    "(|(cn={})(sn=x))",
    "(&(objectClass=person)(uid={})(userPassword=secret))",
)
BENIGN = "nobody-at-all"
LONGEST = 20_000  # characters that are read
DEEPEST = 150  # filters within filters
NAMES = {
    **dict.fromkeys(("cn", "commonname", "2.5.4.3"), "cn"),
    **dict.fromkeys(("sn", "surname", "2.5.4.4"), "sn"),
    **dict.fromkeys(("uid", "userid", "0.9.2342.19200300.100.1.1"), "uid"),
    **dict.fromkeys(("mail", "rfc822mailbox", "0.9.2342.19200300.100.1.3"), "mail"),
    **dict.fromkeys(("ou", "organizationalunitname", "2.5.4.11"), "ou"),
    **dict.fromkeys(("userpassword", "2.5.4.35"), "userpassword"),
    **dict.fromkeys(("objectclass", "2.5.4.0"), "objectclass"),
    **dict.fromkeys(("givenname", "2.5.4.42"), "givenname"),
    **dict.fromkeys(("description", "2.5.4.13"), "description"),
    **dict.fromkeys(("telephonenumber", "2.5.4.20"), "telephonenumber"),
    **{name: name for name in ("street", "title", "postaladdress", "c", "o", "dc")},
}


def _entries() -> list[Entry]:
    """Make a directory in which every attribute tells some entries from others."""
    made: list[Entry] = []
    attributes = ("cn", "sn", "mail", "userpassword", "description", "givenname", "telephonenumber", "title")
    users = ("admin", "administrator", "alice", "bob", "carol", "x", "root", "1", "test", "user", "guest", "dave")
    for number, user in enumerate(users):
        entry: Entry = {"uid": (user,)} if number % 7 else {"cn": (user,)}
        for place, attribute in enumerate(attributes):
            if (number * 5 + place * 3 + number * place) % 4:
                entry[attribute] = ("secret",) if number % 2 and attribute == "userpassword" else (f"{user}{place}",)
        entry["objectclass"] = ("top", "person") if number % 3 else ("top", "device")
        made.append(entry)
    return made


ENTRIES = _entries()


def judge(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Compare which entries each pair selects where an application puts it into a filter."""
    return [_judge(original, edited) for original, edited in pairs]


def _judge(original: str, edited: str) -> Proof:
    proved = False
    # Some servers decode once more what was decoded; the readings of a text are judged alike.
    for read in (str, unquote):
        if read is unquote and read(original) == original:
            continue
        if max(len(original), len(edited)) > LONGEST or max(_depth(original), _depth(edited)) > DEEPEST:
            return Proof("unproved", "LDAP: too long or too deep")
        for context in CONTEXTS:
            wanted = _selected(context.replace("{}", read(original)))
            if wanted is None:
                continue
            if _selected(context.replace("{}", read(edited))) != wanted:
                return Proof("changed", f"LDAP: other entries in {context}")
            proved = proved or wanted != _selected(context.replace("{}", BENIGN))
    if proved:
        return Proof("proved", "LDAP: the same entries")
    return Proof("unproved", "LDAP: selects nothing that a benign value does not")


def _depth(text: str) -> int:
    depth = deepest = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        deepest = max(deepest, depth)
    return deepest


def _selected(text: str) -> tuple[int, ...] | None:
    """Return what the first complete filter selects (lenient servers ignore what follows it); None where none is."""
    try:
        _, matches = _filter(text, 0)
    except ValueError:
        return None
    return tuple(number for number, entry in enumerate(ENTRIES) if matches(entry))


def _filter(text: str, place: int) -> tuple[int, Filter]:
    if text[place : place + 1] != "(":
        raise ValueError("no filter")
    place = _skip(text, place + 1)
    sign = text[place : place + 1]
    if sign in ("&", "|", "!"):
        place, parts = _skip(text, place + 1), []
        while text[place : place + 1] == "(":
            place, part = _filter(text, place)
            parts.append(part)
            place = _skip(text, place)
        if text[place : place + 1] != ")" or (sign == "!" and len(parts) != 1):
            raise ValueError("a list of filters does not end")
        return place + 1, _joined(sign, parts)
    end = text.find(")", place)
    if end < 0:
        raise ValueError("a filter does not end")
    return end + 1, _simple(text[place:end])


def _skip(text: str, place: int) -> int:
    while text[place : place + 1] in (" ", "\t", "\n", "\r"):
        place += 1
    return place


def _joined(sign: str, parts: Sequence[Filter]) -> Filter:
    def matches(entry: Entry) -> bool | None:
        found = [part(entry) for part in parts]
        if sign == "!":
            return None if found[0] is None else not found[0]
        decisive = sign == "|"
        if decisive in found:
            return decisive
        return None if None in found else not decisive

    return matches


def _simple(text: str) -> Filter:
    """Read `attribute=value`, where a star is a wildcard and `\\2a` is one letter."""
    read = re.fullmatch(r"([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)([~<>]?=)(.*)", text, re.DOTALL)
    if read is None or "(" in read[3] or re.search(r"\\(?![0-9a-fA-F]{2})", read[3]) or "\0" in read[3]:
        raise ValueError("no comparison")
    name, sign = NAMES.get(read[1].lower()), read[2]
    pieces = [_plain(piece) for piece in re.sub(r"\*+", "*", read[3]).split("*")]
    if sign != "=" and len(pieces) > 1:
        raise ValueError("a wildcard in an order")
    wanted = re.compile(".*".join(re.escape(piece) for piece in pieces), re.DOTALL)

    def matches(entry: Entry) -> bool | None:
        if name is None:
            return None
        values = [_folded(value) for value in entry.get(name, ())]
        if sign == ">=":
            return any(value >= pieces[0] for value in values)
        if sign == "<=":
            return any(value <= pieces[0] for value in values)
        return any(wanted.fullmatch(value) for value in values)

    return matches


def _plain(value: str) -> str:
    return _folded(re.sub(r"\\([0-9a-fA-F]{2})", lambda code: chr(int(code[1], 16)), value))


def _folded(value: str) -> str:
    return value.lower()
