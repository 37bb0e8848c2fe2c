"""Find the alert that an event belongs to: by its flow's identifier, else by who talked to whom at that time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import pyarrow as pa

from overproof.events.labelling.alert import Alert, Key, Party, is_unique
from overproof.events.sources.values import integer, seconds

WINDOW = 300.0  # seconds before and after an alert in which its flow's events lie
OF_A_DETECTOR = ("suricata-alert", "zeek-notice")  # events whose text is the answer itself


class Named(NamedTuple):
    """An alert by what it gives to an event: the gravest, then the first, stands first."""

    severity: int
    number: int
    name: str
    by: str


@dataclass(frozen=True)
class _Times:
    """Times in which some alerts of one name lie, apart from each other and ascending."""

    starts: Sequence[float]
    ends: Sequence[float]

    def hold(self, time: float) -> bool:
        place = bisect_right(self.starts, time) - 1
        return place >= 0 and time <= self.ends[place]


class Alerts:
    """Alerts by what their events are known by.

    Parameters
    ----------
    alerts
        In their order.
    window
        Seconds before and after an alert in which events of its flow, or its host, are its events.

    Attributes
    ----------
    met
        Names of the alerts that some event belonged to, so far.
    names
        Of all alerts.
    """

    def __init__(self, alerts: Iterable[Alert], window: float = WINDOW) -> None:
        spans: dict[Key, dict[Named, list[tuple[float, float]]]] = {}
        first: dict[tuple[str, str], Named] = {}
        for number, alert in enumerate(alerts):
            name = Named(alert.severity, number, alert.name, alert.by)
            known = first.setdefault((alert.name, alert.by), name)
            for key in alert.known_by():
                if (span := _span(alert, key, window)) is not None:
                    spans.setdefault(key, {}).setdefault(known, []).append(span)
        self._known = {key: {name: _joined(each) for name, each in sorted(of.items())} for key, of in spans.items()}
        self.names = frozenset(name for name, _ in first)
        self.met: set[str] = set()

    def of(self, batch: pa.RecordBatch) -> list[Named | None]:
        """Return the alert that each event of a batch belongs to; None of what belongs to none, or is itself one."""
        rows = zip(_flow_ids(batch), _parties(batch), _column(batch, "time"), is_alert(batch), strict=True)
        return [None if itself else self._one(flow, party, time) for flow, party, time, itself in rows]

    def _one(self, flow_id: str | None, party: Party, time: str | None) -> Named | None:
        at = None
        for key in ([("id", flow_id)] if flow_id else []) + [*party.known_by()]:
            known = self._known.get(key)
            if known is None:
                continue
            at = seconds(time) if at is None else at
            when = inf if is_unique(key) else at  # which is in the times of every alert of that flow
            found = next((name for name, times in known.items() if when is not None and times.hold(when)), None)
            if found is not None:
                self.met.add(found.name)
                return found
        return None


def is_alert(batch: pa.RecordBatch) -> list[bool]:
    """Say of each event whether it is itself an alert or a notice."""
    return [source in OF_A_DETECTOR for source in _column(batch, "source")]


def _span(alert: Alert, key: Key, window: float) -> tuple[float, float] | None:
    """Return the times in which an alert's events lie; None where it has none, and its key needs one."""
    if is_unique(key):
        return -inf, inf
    if alert.start is None or alert.end is None:
        return None
    return min(alert.start, alert.end) - window, max(alert.start, alert.end) + window


def _joined(spans: list[tuple[float, float]]) -> _Times:
    """Join spans that overlap: of a scan's thousand alerts one is left."""
    starts: list[float] = []
    ends: list[float] = []
    for start, end in sorted(spans):
        if ends and start <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    return _Times(starts, ends)


def _column(batch: pa.RecordBatch, name: str) -> list[str | None]:
    found: list[str | None] = batch.column(name).to_pylist()
    return found


def _flow_ids(batch: pa.RecordBatch) -> list[str | None]:
    pairs = zip(_column(batch, "flow_id"), _column(batch, "group"), strict=True)
    return [group if one is None else one for one, group in pairs]


def _parties(batch: pa.RecordBatch) -> Iterator[Party]:
    ports = ([integer(port) for port in _column(batch, name)] for name in ("src_port", "dst_port"))
    sources, targets, transports = (_column(batch, name) for name in ("src_ip", "dst_ip", "transport"))
    source_ports, target_ports = ports
    yield from map(Party, sources, source_ports, targets, target_ports, transports)
