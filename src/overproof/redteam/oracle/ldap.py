"""Prove that two fragments of LDAP filters select the same entries: a reader of RFC 4515, and a small directory.

The directory holds the original's own values besides. Where that shows nothing, both are read as filters in every
context, also as OpenLDAP's library does, which takes brackets in a value where they are balanced: what is the same
filter, comparison by comparison, selects the same entries of any directory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from overproof.redteam.base import Proof

Entry = dict[str, tuple[str, ...]]
Filter = Callable[[Entry], "bool | None"]  # None: undefined (RFC 4511, 4.5.1.7)
Tree = tuple[object, ...]  # a sign and its trees, or an attribute, a sign and the pieces of a value


@dataclass(frozen=True)
class Directory:
    """Entries, and the attributes that its schema knows: a comparison of any other is undefined."""

    entries: tuple[Entry, ...]
    known: frozenset[str]


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


FIXED = Directory(tuple(_entries()), frozenset(NAMES.values()))
COMPARED = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)[~<>]?=(?P<value>[^()]*)")
OWN = 6  # values of an original that get entries of their own
SPECIAL = re.compile(r"[()*\\]")


def judge(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Compare which entries each pair selects where an application puts it into a filter."""
    return [_judge(original, edited) for original, edited in pairs]


def _judge(original: str, edited: str) -> Proof:
    # Some servers decode once more what was decoded; the readings of a text are judged alike.
    if max(len(original), len(edited)) > LONGEST or max(_depth(original), _depth(edited)) > DEEPEST:
        return Proof("unproved", "LDAP: too long or too deep")
    proved = False
    for read in (str, unquote):
        if read is unquote and read(original) == original:
            continue
        directories = (FIXED, _own_directory(read(original)))
        for context in CONTEXTS:
            wanted = _selected(context.replace("{}", read(original)), directories)
            if wanted is None:
                continue
            if _selected(context.replace("{}", read(edited)), directories) != wanted:
                return Proof("changed", f"LDAP: other entries in {context}")
            proved = proved or wanted != _selected(context.replace("{}", BENIGN), directories)
    if proved:
        return Proof("proved", "LDAP: the same entries")
    if SPECIAL.search(unquote(original)) and _are_parsed_alike(original, edited):
        return Proof("proved", "LDAP: selects nothing here; parsed: the same filter in every context")
    return Proof("unproved", "LDAP: selects nothing that a benign value does not")


def _are_parsed_alike(original: str, edited: str) -> bool:
    """Say whether both are the same filter in every context and reading, and are a filter in one of them."""
    is_filter = False
    for read in (str, unquote):
        for balanced in (False, True):
            for context in CONTEXTS:
                wanted = _parsed(context.replace("{}", read(original)), balanced)
                if _parsed(context.replace("{}", read(edited)), balanced) != wanted:
                    return False
                is_filter = is_filter or wanted is not None
    return is_filter


def _own_directory(original: str) -> Directory:
    """Make a directory that knows an original's attributes, and has its values: each in all of them, and in one."""
    compared = list(COMPARED.finditer(original))
    names = list(dict.fromkeys(_name(found["name"]) for found in compared))[:OWN]
    values = list(dict.fromkeys(_plain(found["value"].replace("*", "")) for found in compared if found["value"]))[:OWN]
    known = FIXED.known | {*names}
    made: list[Entry] = [dict.fromkeys(known, (value,)) for value in values]
    made += [{name: (value,)} for value in values for name in names]
    return Directory((*FIXED.entries, *made), known)


def _depth(text: str) -> int:
    depth = deepest = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        deepest = max(deepest, depth)
    return deepest


def _selected(text: str, directories: Sequence[Directory]) -> list[list[int]] | None:
    """Return what the first complete filter selects (lenient servers ignore what follows it); None where none is."""
    parsed = _parsed(text, balanced=False)
    if parsed is None:
        return None
    matchers = [(_matcher(parsed[0], directory.known), directory.entries) for directory in directories]
    return [[number for number, entry in enumerate(entries) if matches(entry)] for matches, entries in matchers]


# ── reading ──────────────────────────────────────────────────────────────────


def _parsed(text: str, balanced: bool) -> tuple[Tree, str] | None:
    """Read the first complete filter, and return it with what follows it; None where none is.

    `balanced`: a value goes on behind brackets that are balanced in it, as for OpenLDAP's library.
    """
    try:
        end, tree = _filter(text, 0, balanced)
    except ValueError:
        return None
    rest = text[end:]
    return tree, rest.lstrip() if rest.lstrip()[:1] in ("(", ")") else rest


def _filter(text: str, place: int, balanced: bool) -> tuple[int, Tree]:
    if text[place : place + 1] != "(":
        raise ValueError("no filter")
    place = _skip(text, place + 1)
    sign = text[place : place + 1]
    if sign in ("&", "|", "!"):
        place, parts = _skip(text, place + 1), []
        while text[place : place + 1] == "(":
            place, part = _filter(text, place, balanced)
            parts.append(part)
            place = _skip(text, place)
        if text[place : place + 1] != ")" or (sign == "!" and len(parts) != 1):
            raise ValueError("a list of filters does not end")
        return place + 1, (sign, *parts)
    end = _end_of_value(text, place) if balanced else text.find(")", place)
    if end < 0:
        raise ValueError("a filter does not end")
    return end + 1, _simple(text[place:end], balanced)


def _end_of_value(text: str, place: int) -> int:
    depth = 0
    for end in range(place, len(text)):
        if text[end] == ")" and not depth:
            return end
        depth += (text[end] == "(") - (text[end] == ")")
    return -1


def _skip(text: str, place: int) -> int:
    while text[place : place + 1] in (" ", "\t", "\n", "\r"):
        place += 1
    return place


def _simple(text: str, balanced: bool) -> Tree:
    """Read `attribute=value`, where a star is a wildcard and `\\2a` is one letter."""
    read = re.fullmatch(r"([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)([~<>]?=)(.*)", text, re.DOTALL)
    is_odd = read is None or re.search(r"\\(?![0-9a-fA-F]{2})|\0", read[3]) or ("(" in read[3] and not balanced)
    if read is None or is_odd:
        raise ValueError("no comparison")
    pieces = [_plain(piece) for piece in re.sub(r"\*+", "*", read[3]).split("*")]
    if read[2] != "=" and len(pieces) > 1:
        raise ValueError("a wildcard in an order")
    return (_name(read[1]), read[2], *pieces)


def _name(written: str) -> str:
    return NAMES.get(written.lower(), written.lower())


def _plain(value: str) -> str:
    return re.sub(r"\\([0-9a-fA-F]{2})", lambda code: chr(int(code[1], 16)), value)


# ── selecting ────────────────────────────────────────────────────────────────


def _matcher(tree: Tree, known: frozenset[str]) -> Filter:
    sign, *parts = tree
    if sign in ("&", "|", "!"):
        return _joined(str(sign), [_matcher(part, known) for part in parts if isinstance(part, tuple)])
    comparison, *pieces = map(str, parts)
    if sign not in known:
        return lambda entry: None
    return _compared(str(sign), comparison, [_folded(piece) for piece in pieces])


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


def _compared(name: str, sign: str, pieces: Sequence[str]) -> Filter:
    wanted = re.compile(".*".join(re.escape(piece) for piece in pieces), re.DOTALL)

    def matches(entry: Entry) -> bool | None:
        values = [_folded(value) for value in entry.get(name, ())]
        if sign == ">=":
            return any(value >= pieces[0] for value in values)
        if sign == "<=":
            return any(value <= pieces[0] for value in values)
        return any(wanted.fullmatch(value) for value in values)

    return matches


def _folded(value: str) -> str:
    return value.lower()
