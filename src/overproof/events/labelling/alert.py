"""Define an alert: what was found, when, and between whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

Key = tuple[object, ...]  # what an alert and the events that it is about have in common
_COMMUNITY_ID = "1:"
_ANY, _UNSAID = "any transport", "no transport"  # of an alert that says none, of an event that says none


@dataclass(frozen=True)
class Party:
    """Who talked to whom, how: of an alert or of an event; None where that is not said."""

    source: str | None
    source_port: int | None
    target: str | None
    target_port: int | None
    transport: str | None

    def ways(self) -> Iterator[Key]:
        """Yield what it is known by: the flow, from either side, then the two hosts, then the one it comes from."""
        if self.source is None:
            return
        source = address(self.source)
        if self.target is not None:
            target = address(self.target)
            if self.source_port is not None and self.target_port is not None:
                yield ("flow", *sorted([(source, self.source_port), (target, self.target_port)]))
            yield ("hosts", *sorted([source, target]))
        yield ("from", source)

    def known_by(self) -> Iterator[Key]:
        """Yield what an event is known by, of alerts of its transport and of those that say none."""
        for way in self.ways():
            yield (*way, _plain(self.transport) or _UNSAID)
            yield (*way, _ANY)


@dataclass(frozen=True)
class Alert:
    """One alert.

    Attributes
    ----------
    name
        Of the signature or the notice.
    by
        Who raised it.
    severity
        1 is the gravest; the gravest of several gives the family.
    ids
        Identifiers of its flow: Zeek's uid, Suricata's flow_id, a Community ID.
    party
        Between whom.
    start, end
        Seconds since 1970 that it is about; None where it does not say.
    """

    name: str
    by: str
    severity: int
    ids: tuple[str, ...]
    party: Party
    start: float | None
    end: float | None

    def known_by(self) -> Iterator[Key]:
        """Yield what its events are known by: its flow's identifiers, and the narrowest that it says of its party."""
        yield from (("id", one) for one in self.ids)
        narrowest, transport = next(self.party.ways(), None), _plain(self.party.transport)
        if narrowest is not None:
            yield from ((*narrowest, one) for one in ((_ANY,) if transport is None else (transport, _UNSAID)))


def is_unique(key: Key) -> bool:
    """Say whether a key is of one flow: ports, and so Community IDs, come again."""
    return key[0] == "id" and not str(key[1]).startswith(_COMMUNITY_ID)


@lru_cache(1 << 16)
def address(text: str) -> str:
    """Spell an address as all do; Suricata writes the zeros of IPv6."""
    try:
        return str(ip_address(text))
    except ValueError:
        return text


def _plain(transport: str | None) -> str | None:
    name = (transport or "").lower()
    return "icmp" if "icmp" in name else name or None
