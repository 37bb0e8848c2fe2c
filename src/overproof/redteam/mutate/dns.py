"""Edit DNS lookups: only the name that is asked for, of which its sender writes all but the registered domain.

A name tunnels where its labels carry much that is no word. Its receiver joins the data and leaves out the words that
were agreed on, so that the data may be cut elsewhere, written in another encoding, and words put between. Any other
name, a generated one too, stays as it is; it only gets labels in front. Lookups that ask for a zone, not a host, and
names of services (`_acme-challenge.…`) or of addresses (`….in-addr.arpa`) get no labels.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from overproof.redteam.base import Mutator
from overproof.redteam.mutate.words import WORDS

_LOOKUP = re.compile(r"(dns (?:client=\S* )?query=)(\S+)((?: type=(\S*))?(?: .*)?)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){1,126}")
_SHORTEST_DATA = 12
_DATA = re.compile(rf"[0-9A-Za-z]{{{_SHORTEST_DATA},63}}")
_HOST_KINDS = frozenset({"A", "AAAA", "CNAME", "HTTPS", "MX", "NULL", "SRV", "TXT"})
_REGISTERED = 2  # labels at the end that are somebody's by contract
_TUNNELS_FROM = 30  # characters of data: no word, and no generated domain, has as many
_HEX = re.compile(r"(?=.*[0189])[0-9a-f]+", re.IGNORECASE)
_BASE32 = re.compile(r"(?=.*[g-z])[a-z2-7]+|(?=.*[G-Z])[A-Z2-7]+")
_SERVICES = ("_dmarc", "_domainkey", "api", "assets", "cdn", "edge", "img", "mail", "static", "updates", "www")
_LONGEST_NAME, _LONGEST_LABEL = 253, 63


@dataclass(frozen=True)
class _Lookup:
    """A lookup, its name as labels; `first` and `last` are where a tunnel's data begins and ends (`last` excluded)."""

    start: str
    labels: list[str]
    end: str
    kind: str | None
    first: int
    last: int

    def named(self, labels: list[str]) -> str | None:
        name = ".".join(labels)
        fits = len(name) <= _LONGEST_NAME and all(0 < len(label) <= _LONGEST_LABEL for label in labels)
        return f"{self.start}{name}{self.end}" if fits else None

    @property
    def takes_labels(self) -> bool:
        """Tell whether a longer name is still the sender's to ask for."""
        service = self.first == self.last and any(label.startswith("_") for label in self.labels)
        plain = not service and self.labels[-1].lower() != "arpa"
        return plain and (self.kind is None or self.kind.upper() in _HOST_KINDS)


def _lookup(text: str) -> _Lookup | None:
    found = _LOOKUP.fullmatch(text)
    if found is None or not _NAME.fullmatch(found[2]):
        return None
    labels = found[2].split(".")
    places = [place for place, label in enumerate(labels[:-_REGISTERED]) if _DATA.fullmatch(label)]
    tunnels = sum(len(labels[place]) for place in places) >= _TUNNELS_FROM
    first, last = (places[0], places[-1] + 1) if tunnels else (0, 0)
    return _Lookup(found[1], labels, found[3], found[4], first, last)


def _other_case(text: str, random: Random) -> str | None:
    """Write letters in the other case (0x20); not in a name of mixed case, whose data may be base64."""
    lookup = _lookup(text)
    if lookup is None:
        return None
    name, share = ".".join(lookup.labels), random.choice((0.2, 0.5, 1.0))
    if not (name.islower() or name.isupper()):
        return None
    return lookup.named(["".join(_swapped(letter, share, random) for letter in label) for label in lookup.labels])


def _swapped(letter: str, share: float, random: Random) -> str:
    return letter.swapcase() if random.random() < share else letter


def _tunnel(text: str) -> _Lookup | None:
    lookup = _lookup(text)
    return lookup if lookup is not None and lookup.first < lookup.last and lookup.takes_labels else None


def _run(lookup: _Lookup, random: Random) -> tuple[int, int]:
    """Draw labels of a tunnel's data that stand side by side, as many as do: where they begin and end."""
    data = [bool(_DATA.fullmatch(label)) for label in lookup.labels[: lookup.last]]
    start = random.choice([place for place in range(lookup.first, lookup.last) if data[place]])
    end = start + 1
    while start > lookup.first and data[start - 1]:
        start -= 1
    while end < lookup.last and data[end]:
        end += 1
    return start, end


def _cut(data: str, random: Random) -> list[str]:
    """Cut data into up to four labels, none so short that it would no longer be known for data."""
    least, left = -(-len(data) // _LONGEST_LABEL), len(data)
    count = random.randint(least, max(least, min(4, left // _SHORTEST_DATA)))
    pieces = []
    for others in range(count - 1, -1, -1):
        shortest = max(min(_SHORTEST_DATA, left // (others + 1)), left - others * _LONGEST_LABEL)
        size = random.randint(shortest, max(shortest, min(_LONGEST_LABEL, left - others * _SHORTEST_DATA)))
        pieces.append(data[len(data) - left : len(data) - left + size])
        left -= size
    return pieces


def _cut_elsewhere(text: str, random: Random) -> str | None:
    """Join labels of data and cut them elsewhere."""
    lookup = _tunnel(text)
    if lookup is None:
        return None
    start, end = _run(lookup, random)
    pieces = _cut("".join(lookup.labels[start:end]), random)
    return lookup.named([*lookup.labels[:start], *pieces, *lookup.labels[end:]])


def _other_encoding(text: str, random: Random) -> str | None:
    """Write the bytes of all data in base32 where they are in hex, and the other way round; whole bytes only."""
    lookup = _tunnel(text)
    if lookup is None:
        return None
    labels = lookup.labels[lookup.first : lookup.last]
    if not all(_DATA.fullmatch(label) for label in labels) or any("-" in label for label in lookup.labels):
        return None  # words between the data, or data behind a hyphen
    recoded = _recoded("".join(labels))
    if recoded is None:
        return None
    return lookup.named([*lookup.labels[: lookup.first], *_cut(recoded, random), *lookup.labels[lookup.last :]])


def _recoded(data: str) -> str | None:
    if _HEX.fullmatch(data):
        if len(data) % 2:
            return None
        return base64.b32encode(bytes.fromhex(data)).decode().rstrip("=").lower()
    if not _BASE32.fullmatch(data):
        return None
    try:
        content = base64.b32decode(data.upper() + "=" * (-len(data) % 8))
    except binascii.Error:
        return None
    again = base64.b32encode(content).decode().rstrip("=")
    return content.hex() if again == data.upper() else None  # no bits left over that hex would lose


def _word_in_front(text: str, random: Random) -> str | None:
    """Put a word in front of the name."""
    lookup = _lookup(text)
    if lookup is None or not lookup.takes_labels:
        return None
    return lookup.named([random.choice(WORDS), *lookup.labels])


def _words_among(text: str, random: Random) -> str | None:
    """Put a word between labels of a tunnel's data, or behind them."""
    return _among(text, random.choice(WORDS), random)


def _service_among(text: str, random: Random) -> str | None:
    """Put the label of a well-known service between labels of a tunnel's data, or behind them."""
    return _among(text, random.choice(_SERVICES), random)


def _among(text: str, label: str, random: Random) -> str | None:
    lookup = _tunnel(text)
    if lookup is None:
        return None
    place = random.randint(lookup.first + 1, lookup.last)
    return lookup.named([*lookup.labels[:place], label, *lookup.labels[place:]])


def _word_within(text: str, random: Random) -> str | None:
    """Put a word and a hyphen in front of the data in its label."""
    lookup = _tunnel(text)
    if lookup is None:
        return None
    labels, (place, _) = list(lookup.labels), _run(lookup, random)
    labels[place] = f"{random.choice(WORDS)}-{labels[place]}"
    return lookup.named(labels)


MUTATORS: Mapping[str, Mutator] = {
    "name in another case": _other_case,
    "data cut elsewhere": _cut_elsewhere,
    "data in another encoding": _other_encoding,
    "word in front of the name": _word_in_front,
    "word among the data": _words_among,
    "service among the data": _service_among,
    "word in the data's label": _word_within,
}
