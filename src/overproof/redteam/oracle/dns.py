"""Read lookups as their receiver would: the same domain, the same data once agreed words are left out."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from overproof.redteam.base import Proof

_HOSTS = {"a", "aaaa", "cname", "https", "mx", "null", "srv", "txt", ""}
_CARRIER = re.compile(r"[A-Za-z0-9]{12,}")
_MUCH = 30
_WORD = re.compile(r"_?[a-z]{2,15}")
_WORDS_AND_DATA = re.compile(r"((?:[a-z]{2,15}-)*)([A-Za-z0-9]+)")


@dataclass(frozen=True)
class _Asked:
    """What a lookup asks: the labels of the name but the registered domain, that domain, and all other parts."""

    labels: tuple[str, ...]
    domain: tuple[str, ...]
    rest: tuple[tuple[str, str], ...]

    @property
    def kind(self) -> str:
        return dict(self.rest).get("type", "").lower()


def judge(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Say of each pair of lookups whether both ask the same domain for the same, and carry the same data."""
    return [_judged(*pair) for pair in pairs]


def _judged(original: str, edited: str) -> Proof:
    before, after = _asked(original), _asked(edited)
    if before is None:
        return Proof("unproved", "the original is no lookup of a name")
    if after is None or before.rest != after.rest:
        return Proof("changed", "another part than the name is another")
    if [label.lower() for label in before.domain] != [label.lower() for label in after.domain]:
        return Proof("changed", "the registered domain is another")
    if before.labels == after.labels:
        return Proof("proved", "parsed: the same name")
    # In a name of mixed case the letters' case may be data (base64); in any other it says nothing.
    labels, found = (before.labels, after.labels) if _is_mixed(before) else (_low(before.labels), _low(after.labels))
    if labels == found:
        return Proof("proved", "parsed: the same name but for its case")
    if _low(labels) == _low(found):
        return Proof("unproved", "the case of the data, which may be base64, is another")
    if before.kind not in _HOSTS:
        return Proof("changed", "another zone is asked for")
    return _judged_by_data(labels, found)


def _judged_by_data(labels: tuple[str, ...], found: tuple[str, ...]) -> Proof:
    carriers = [place for place, label in enumerate(labels) if _CARRIER.fullmatch(label)]
    if sum(len(labels[place]) for place in carriers) < _MUCH:
        more = len(found) - len(labels)
        if more > 0 and found[more:] == labels and _all_words(found[:more]):
            return Proof("proved", "parsed: the same name with words in front")
        return Proof("changed", "another name")
    first, last = carriers[0], carriers[-1] + 1
    after = labels[last:]
    if (found[len(found) - len(after) :] if after else ()) != after:
        return Proof("changed", "another host of the domain is asked")
    carrying = found[: len(found) - len(after)]
    data = "".join(labels[first:last])
    lead = labels[:first]
    for count in range(len(carrying) - len(lead) + 1):
        if carrying[count : count + len(lead)] == lead and _all_words(carrying[:count]):
            how = _carried(data, carrying[count + len(lead) :])
            if how is not None:
                return Proof("proved", how)
    return Proof("changed", "the data is another")


def _carried(data: str, labels: tuple[str, ...]) -> str | None:
    """Say how the labels carry the data; None where they do not."""
    if _holds(data, labels):
        return "parsed: the same data under the same domain"
    content = _decoded(data)
    for other in {_base32(content), content.hex()} if content else ():
        if other != data.lower() and _holds(other, _low(labels)):
            return "decoded: the same bytes under the same domain"
    return None


def _holds(data: str, labels: tuple[str, ...]) -> bool:
    """Tell whether labels are the data in its order, where some labels, or starts of labels, are words."""

    @cache
    def rest(place: int, position: int) -> bool:
        if place == len(labels):
            return position == len(data)
        label = labels[place]
        if data.startswith(label, position) and rest(place + 1, position + len(label)):
            return True
        if _WORD.fullmatch(label) and rest(place + 1, position):
            return True
        parted = _WORDS_AND_DATA.fullmatch(label)
        if parted is None or not parted[1] or not data.startswith(parted[2], position):
            return False
        return rest(place + 1, position + len(parted[2]))

    return rest(0, 0)


def _decoded(data: str) -> bytes | None:
    """Decode hex or base32 of whole bytes; None for anything else, and where it might be either."""
    is_hex = re.fullmatch(r"[0-9a-fA-F]+", data) is not None
    is_base32 = re.fullmatch(r"[a-z2-7]+|[A-Z2-7]+", data) is not None
    if is_hex == is_base32:
        return None
    try:
        if is_hex:
            return binascii.unhexlify(data)
        content = base64.b32decode(data.upper() + "=" * (-len(data) % 8))
    except (binascii.Error, ValueError):
        return None
    return content if _base32(content) == data.lower() else None


def _base32(content: bytes) -> str:
    return base64.b32encode(content).decode().rstrip("=").lower()


def _asked(text: str) -> _Asked | None:
    """Read a lookup; None where it is none, or asks for no name under a registered domain."""
    words = text.split(" ")
    if words[0] != "dns":
        return None
    parts = [tuple(word.partition("=")[::2]) for word in words[1:]]
    names = [value for name, value in parts if name == "query"]
    if len(names) != 1:
        return None
    labels = tuple(names[0].removesuffix(".").split("."))
    if len(labels) < 2 or len(names[0]) > 254 or not all(0 < len(label) < 64 for label in labels):
        return None
    rest = tuple((name, value) for name, value in parts if name != "query")
    return _Asked(labels[:-2], labels[-2:], rest)


def _is_mixed(asked: _Asked) -> bool:
    name = "".join((*asked.labels, *asked.domain))
    return name != name.lower() and name != name.upper()


def _low(labels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(label.lower() for label in labels)


def _all_words(labels: tuple[str, ...]) -> bool:
    return all(_WORD.fullmatch(label.lower()) for label in labels)
