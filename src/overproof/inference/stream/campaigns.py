"""Put alerts of one source and family into one finding: a scan is one thing that happened, and not 85."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from overproof.errors import InputError
from overproof.inference.sinks import severity
from overproof.inference.sinks.fields import milliseconds, shared
from overproof.inference.sinks.verdict_batch import Verdict
from overproof.inference.sinks.wording import family_of

MOST_OPEN = 1024  # campaigns whose window is open
MOST_HELD = 32 << 20  # bytes of their findings and targets
MOST_TARGETS = 1000  # different ones that are counted of a campaign
MOST_EXAMPLES = 3  # alerts that a campaign quotes
LONGEST = 200  # characters of a name of a source or a target by which it is told from others
LONGEST_WINDOW = 30 * 86_400  # seconds
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_window(text: str) -> int:
    """Read `90s`, `10m`, `2h` or `1d` as seconds.

    Raises
    ------
    InputError
        If it is none of these, nothing, or more than 30 days.
    """
    found = re.fullmatch(r"(\d{1,9})([smhd])", text.strip(), re.ASCII)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= LONGEST_WINDOW:
        raise InputError(f"--group-campaigns {text}: expected a time such as 90s, 10m, 2h or 1d, of 30 days at most")
    return seconds


@dataclass
class _Campaign:
    """Alerts of one source and family; its JSON is kept in the journal.

    Attributes
    ----------
    first, last
        Times of its earliest and latest alert in milliseconds; None while none has one.
    started, ended
        The same as the events tell them.
    opened
        When its first alert was judged, in seconds.
    finding
        The gravest alert, of equals one that is explained, then the likeliest, then the first.
    bytes
        Of the finding, the targets and the examples.
    """

    source: str
    family: str
    opened: float
    finding: Verdict
    rank: tuple[int, bool, float]
    first: int | None = None
    last: int | None = None
    started: str | None = None
    ended: str | None = None
    count: int = 0
    targets: dict[str, None] = field(default_factory=dict)
    more_targets: bool = False
    examples: list[dict[str, Any]] = field(default_factory=list)
    status: Counter[str] = field(default_factory=Counter)
    bytes: int = 0

    @property
    def key(self) -> tuple[str, str]:
        return self.source, self.family

    def add(self, verdict: Verdict, when: int | None, rank: tuple[int, bool, float]) -> None:
        self.count += 1
        self.status[verdict["status"]] += 1
        if rank > self.rank or self.count == 1:
            self.bytes += _size(verdict) - (0 if self.count == 1 else _size(self.finding))
            self.finding, self.rank = verdict, rank
        if when is not None and (self.first is None or when < self.first):
            self.first, self.started = when, verdict["time"]
        if when is not None and (self.last is None or when >= self.last):
            self.last, self.ended = when, verdict["time"]
        target = _target(verdict)
        if target is not None:
            self._count(target)
        if len(self.examples) < MOST_EXAMPLES:
            example = {"origin": verdict["origin"], "time": verdict["time"], "attack": verdict["attack"]}
            example |= {"target": target} if target is not None else {}
            example |= {"excerpt": verdict["excerpt"][:LONGEST]} if "excerpt" in verdict else {}
            self.examples.append(example)
            self.bytes += _size(example)

    def _count(self, target: str) -> None:
        if len(self.targets) >= MOST_TARGETS and target not in self.targets:
            self.more_targets = True
        elif target not in self.targets:
            self.targets[target] = None
            self.bytes += len(target)

    def takes(self, when: int | None, window: int) -> bool:
        """Return whether an alert of that time lies in the window, wherever in it."""
        if when is None or self.first is None or self.last is None:
            return True
        return max(self.last, when) - min(self.first, when) <= 1000 * window

    def written(self) -> Verdict:
        """Return the gravest alert, with what is known of all of them."""
        campaign = {
            "count": self.count,
            "first": self.started,
            "last": self.ended,
            "source": self.source,
            "family": self.family,
            "targets": len(self.targets),
            "more_targets": self.more_targets,
            "status": dict(self.status),
            "examples": self.examples,
        }
        return {**self.finding, "campaign": campaign}


class Campaigns:
    """Collects alerts into campaigns, in bounded memory: at its bounds the campaign that was opened first is closed.

    A window begins with a campaign's earliest alert, by the time of the event; an alert without a time lies in whatever
    is open. Windows close as the events' times go on, and of files that are followed also as time itself does.

    Parameters
    ----------
    window
        Seconds.
    benign
        Labels that are benign.
    """

    def __init__(self, window: int, benign: Collection[str]) -> None:
        self._window, self._benign = window, benign
        self._open: dict[tuple[str, str], _Campaign] = {}
        self._bytes = 0

    def add(self, alerts: Iterable[Verdict]) -> list[Verdict]:
        """Take alerts in their order; returns what is to be written by now.

        That are the campaigns whose window is over, and alerts that name no source, as they are.
        """
        found: list[Verdict] = []
        latest: int | None = None
        for verdict in alerts:
            source = _source(verdict)
            if source is None:
                found.append(verdict)
                continue
            key, when = (source, family_of(verdict).lower()), milliseconds(verdict["time"])
            if when is not None:
                latest = when if latest is None else max(latest, when)
            if key in self._open and not self._open[key].takes(when, self._window):
                found += self._closed([self._open[key]])
            found += self._add(key, verdict, when)
        if latest is not None:
            begins = latest - 1000 * self._window
            found += self._closed(
                each for each in self._open.values() if each.first is not None and each.first < begins
            )
        return found

    def expire(self) -> list[Verdict]:
        """Return the campaigns that were opened longer ago than a window, by the clock."""
        begins = time.time() - self._window
        return self._closed(each for each in self._open.values() if each.opened < begins)

    def close(self) -> list[Verdict]:
        """Return the campaigns that are still open."""
        return self._closed(self._open.values())

    def to_json(self) -> list[dict[str, Any]]:
        """Return the open campaigns as plain JSON, to go on from."""
        return [
            {**vars(each), "targets": list(each.targets), "status": dict(each.status)} for each in self._open.values()
        ]

    def go_on(self, stored: Iterable[Mapping[str, Any]]) -> None:
        """Open again what `to_json` gave."""
        for one in stored:
            targets, status = dict.fromkeys(one["targets"]), Counter(one["status"])
            each = _Campaign(**{**one, "rank": tuple(one["rank"]), "targets": targets, "status": status})
            self._open[each.key] = each
            self._bytes += each.bytes

    def _add(self, key: tuple[str, str], verdict: Verdict, when: int | None) -> list[Verdict]:
        attack = 1.0 if verdict["attack"] is None else verdict["attack"]
        rank = (severity.of(verdict, self._benign), bool(verdict.get("spans")), attack)
        each = self._open.get(key)
        if each is None:
            each = self._open[key] = _Campaign(*key, time.time(), verdict, rank)
        before = each.bytes
        each.add(verdict, when, rank)
        self._bytes += each.bytes - before
        found: list[Verdict] = []
        while len(self._open) > MOST_OPEN or (self._bytes > MOST_HELD and self._open):
            found += self._closed([next(iter(self._open.values()))])
        return found

    def _closed(self, campaigns: Iterable[_Campaign]) -> list[Verdict]:
        closed = list(campaigns)
        for each in closed:
            del self._open[each.key]
            self._bytes -= each.bytes
        return [each.written() for each in closed]


def _source(verdict: Verdict) -> str | None:
    """Name who an alert is of: the address that it came from, else the host or the user that it is of."""
    known, _ = shared(verdict)
    found = known.get("src_ip") or known.get("host") or known.get("user")
    return None if found is None else str(found)[:LONGEST]


def _target(verdict: Verdict) -> str | None:
    known, _ = shared(verdict)
    found = known.get("dst_ip") or (known.get("host") if "src_ip" in known else None)
    return None if found is None else str(found)[:LONGEST]


def _size(value: Any) -> int:
    return len(orjson.dumps(value, default=str, option=orjson.OPT_SERIALIZE_NUMPY))
