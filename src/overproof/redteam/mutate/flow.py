"""Edit flows: only what the attacker's side sends, and when; the answers stay what they are.

Numbers stand in logarithmic buckets (`2^10`), and every edit makes one of them the next higher: more bytes than the
attack needs, a longer flow, more connections, longer and less regular pauses. Nothing is ever lowered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from random import Random

from overproof.redteam.base import Mutator

_PART = re.compile(r"(?<!\S)(\w+)=(?:2\^(\d{1,3})|1)(s|%)?(?!\S)")
_AGGREGATE = re.compile(r"flows ")
_FLOW = re.compile(r"flow |(?:\w+=\S+ )?proto(?:col)?=")


def _raised(text: str, names: tuple[str, ...], *, highest: int) -> str | None:
    """Put the parts of these names into the next higher bucket, all of them together; None past the highest."""
    found = [part for part in _PART.finditer(text) if part[1] in names]
    if not found or any(_exponent(part) >= highest for part in found):
        return None
    for part in reversed(found):
        text = f"{text[: part.start()]}{part[1]}=2^{_exponent(part) + 1}{part[3] or ''}{text[part.end() :]}"
    return text


def _exponent(part: re.Match[str]) -> int:
    return int(part[2] or 0)  # rows of other tools write 1 for 2^0


def _one_of_a_flow(text: str, random: Random, *, names: tuple[str, ...], highest: int) -> str | None:
    return _raised(text, names, highest=highest) if _FLOW.match(text) else None


def _one_of_an_aggregate(text: str, random: Random, *, names: tuple[str, ...], highest: int) -> str | None:
    return _raised(text, names, highest=highest) if _AGGREGATE.match(text) else None


def _more_ports(text: str, random: Random) -> str | None:
    return _wider(text, "ports")


def _more_peers(text: str, random: Random) -> str | None:
    """Call further hosts; not where all calls went to one, whose address is in the text."""
    return _wider(text, "peers")


def _wider(text: str, name: str) -> str | None:
    """Touch more ports or peers, which takes at least as many connections."""
    if not _AGGREGATE.match(text):
        return None
    values = {part[1]: _exponent(part) for part in _PART.finditer(text)}
    if name not in values or values[name] >= values.get("conns", 0) or (name == "peers" and values[name] < 1):
        return None
    return _raised(text, (name,), highest=16)


def _more_tries(text: str, random: Random) -> str | None:
    """Connect more often: to the same host and to the same service alike, so that their ratio stays."""
    return _raised(text, ("count", "srv_count"), highest=8) if _FLOW.match(text) else None


MUTATORS: Mapping[str, Mutator] = {
    "more bytes sent": partial(_one_of_a_flow, names=("orig_bytes", "src_bytes"), highest=40),
    "a longer flow": partial(_one_of_a_flow, names=("duration",), highest=16),
    "more connections to the host": _more_tries,
    "more connections": partial(_one_of_an_aggregate, names=("conns",), highest=24),
    "longer pauses": partial(_one_of_an_aggregate, names=("gap",), highest=11),
    "less regular pauses": partial(_one_of_an_aggregate, names=("jitter",), highest=7),
    "more ports": _more_ports,
    "more peers": _more_peers,
}
