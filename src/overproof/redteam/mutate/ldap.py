"""Edit fragments of LDAP filters (RFC 4515) that break out of a filter's value."""

from __future__ import annotations

import re
from random import Random

from overproof.redteam.base import Mutators
from overproof.redteam.mutate.places import LONGEST, at_one, gap, phrase

# Other spellings of an attribute (RFC 4519): its object identifier, and its other names.
SPELLINGS: tuple[tuple[str, ...], ...] = (
    ("cn", "2.5.4.3", "commonName"),
    ("sn", "2.5.4.4", "surname"),
    ("uid", "0.9.2342.19200300.100.1.1", "userid"),
    ("mail", "0.9.2342.19200300.100.1.3", "rfc822Mailbox"),
    ("ou", "2.5.4.11", "organizationalUnitName"),
    ("userPassword", "2.5.4.35"),
    ("objectClass", "2.5.4.0"),
    ("givenName", "2.5.4.42"),
    ("description", "2.5.4.13"),
    ("telephoneNumber", "2.5.4.20"),
)
SPELLED = {name.lower(): names for names in SPELLINGS for name in names}
ATTRIBUTE = r"(?<=\()(?P<at>[a-zA-Z][a-zA-Z0-9-]*|\d+(?:\.\d+)+)(?=[~<>]?=)"
SIMPLE = r"\([a-zA-Z0-9.-]+[~<>]?=[^()\\]*\)"
IGNORED = ("description", "street", "title", "postalAddress")


def _breaks_out(text: str) -> bool:
    return ("(" in text or ")" in text) and len(text) <= LONGEST


def _mixed(found: re.Match[str], random: Random) -> str:
    return "".join(random.choice([letter.lower(), letter.upper()]) for letter in found[0])


def _respelled(found: re.Match[str], random: Random) -> str | None:
    others = [name for name in SPELLED.get(found[0].lower(), ()) if name.lower() != found[0].lower()]
    return random.choice(others) if others else None


def _escaped(found: re.Match[str], random: Random) -> str:
    code = f"\\{ord(found[0]):02x}"
    return random.choice([code, code.upper()])


def _absorbing(found: re.Match[str], random: Random) -> str:
    """Put a filter A into `(|A(&AB))` or `(&A(|AB))`: both are A, whatever B is."""
    inert = f"({random.choice(IGNORED)}={phrase(random)})"
    outer, inner = random.choice([("|", "&"), ("&", "|")])
    rest = [found[0], inert] if random.random() < 0.5 else [inert, found[0]]
    return f"({outer}{found[0]}({inner}{''.join(rest)}))"


def _twice(found: re.Match[str], random: Random) -> str:
    return f"({random.choice('|&')}{found[0]}{found[0]})"


def _neutral(found: re.Match[str], random: Random) -> str:
    """Begin a list of filters by one that never holds (where any must hold), or always does (where all must)."""
    filter_ = f"({random.choice(IGNORED)}={phrase(random)})"
    inner = "&" if found["at"] == "|" else "|"
    return f"{found[0]}({inner}{filter_}(!{filter_}))"


MUTATORS: Mutators = {
    "filter of words": at_one(r"\((?P<at>[&|])(?=\()", _neutral, _breaks_out),
    "white space between filters": at_one(
        r"\)(?=[()])|\([&|!](?=\()|\)$", lambda found, r: found[0] + gap(r), _breaks_out
    ),
    "attribute in another case": at_one(ATTRIBUTE, _mixed, _breaks_out),
    "attribute by another name": at_one(ATTRIBUTE, _respelled, _breaks_out),
    # Letters of a value: behind a comparison, or before the first bracket (there the fragment is still in a value).
    "escaped letter": at_one(
        r"\\[0-9a-fA-F]{2}|\([a-zA-Z0-9.;:-]*[~<>]?=?|(?P<at>[a-zA-Z0-9])",
        _escaped,
        lambda text: _breaks_out(text) and "%" not in text,
    ),
    "words that are absorbed": at_one(SIMPLE, _absorbing, _breaks_out),
    "filter written twice": at_one(SIMPLE, _twice, _breaks_out),
    "filter denied twice": at_one(SIMPLE, lambda found, random: f"(!(!{found[0]}))", _breaks_out),
}
