"""Aggregate flows per host and minute, in bounded memory: scans, floods and beacons show there, not in one flow."""

from __future__ import annotations

import heapq
import ipaddress
import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean, pstdev
from typing import NamedTuple

from overproof.events.templates import HostAggregate

MINUTE = 60
GRACE = 120  # seconds after a minute in which flows may still come late: records are written when a flow ends
MOST_HOSTS = 1 << 14
MOST_ENTRIES = 1 << 19  # times, peers and ports of all open hosts together, about 50 MB


class Connection(NamedTuple):  # made for every flow: a frozen dataclass takes several times as long
    """One connection of a host, as it is counted.

    Attributes
    ----------
    time
        Seconds at which it began.
    src, dst
        Who opened it, and whom it called.
    dst_port
        None where the protocol has no ports.
    failed
        Whether nobody answered, or the answer was a refusal.
    recorded
        Seconds at which it was recorded, where that is known: a long flow is recorded long after it began.
    """

    time: float
    src: str
    dst: str
    dst_port: int | None
    failed: bool
    recorded: float | None = None


@dataclass
class _OpenAggregate:
    """A host's minute that is not over yet."""

    failed: int = 0
    times: list[float] = field(default_factory=list)
    ports: set[int] = field(default_factory=set)
    peers: set[str] = field(default_factory=set)

    @property
    def entries(self) -> int:
        return len(self.times) + len(self.ports) + len(self.peers)

    def add(self, connection: Connection) -> int:
        """Count a connection; return how many entries more there are."""
        before = len(self.ports) + len(self.peers)
        self.failed += connection.failed
        self.times.append(connection.time)
        self.peers.add(connection.dst)
        if connection.dst_port is not None:
            self.ports.add(connection.dst_port)
        return 1 + len(self.ports) + len(self.peers) - before

    def finish(self, start: int, src: str) -> HostAggregate:
        gap, jitter = _rhythm(sorted(self.times))
        return HostAggregate(
            start=start,
            src=src,
            dst=_target(self.peers),
            conns=len(self.times),
            ports=len(self.ports),
            peers=len(self.peers),
            failed=self.failed / len(self.times),
            gap=gap,
            jitter=jitter,
        )


def _rhythm(times: list[float]) -> tuple[float | None, float | None]:
    """Compute the mean of the gaps between times, and their standard deviation as a share of it."""
    gaps = [after - before for before, after in pairwise(times)]
    if not gaps:
        return None, None
    mean = fmean(gaps)
    if len(gaps) == 1:
        return mean, None
    return mean, pstdev(gaps, mean) / mean if mean else 0.0


class HostAggregator:
    """Aggregate connections by host and minute. At its bounds the oldest minute is given early, and may come again."""

    def __init__(self) -> None:
        self._minutes: dict[int, dict[str, _OpenAggregate]] = {}
        self._order: list[int] = []  # a heap of the open minutes
        self._hosts = self._entries = 0

    def add(self, connection: Connection) -> list[HostAggregate]:
        """Count one connection, and return the minutes that are over by now.

        Connections need not come in order.
        """
        time, src = connection.time, connection.src
        now = time if connection.recorded is None else connection.recorded
        minute = math.floor(time / MINUTE)
        if minute not in self._minutes:
            self._minutes[minute] = {}
            heapq.heappush(self._order, minute)
        hosts = self._minutes[minute]
        if src not in hosts:
            hosts[src] = _OpenAggregate()
            self._hosts += 1
        self._entries += hosts[src].add(connection)
        finished: list[HostAggregate] = []
        while self._order and (
            (self._order[0] + 1) * MINUTE + GRACE <= now or self._hosts > MOST_HOSTS or self._entries > MOST_ENTRIES
        ):
            finished += self._pop()
        return finished

    def close(self) -> list[HostAggregate]:
        """Return the minutes still open, in order of time."""
        finished: list[HostAggregate] = []
        while self._order:
            finished += self._pop()
        return finished

    def _pop(self) -> list[HostAggregate]:
        """Remove the earliest minute, of every host."""
        minute = heapq.heappop(self._order)
        hosts = self._minutes.pop(minute)
        self._hosts -= len(hosts)
        self._entries -= sum(host.entries for host in hosts.values())
        return [host.finish(minute * MINUTE, src) for src, host in hosts.items()]


def _target(peers: set[str]) -> str:
    if len(peers) == 1:
        return next(iter(peers))
    networks = Counter(_network(peer) for peer in peers)
    return min(networks, key=lambda network: (-networks[network], network))


def _network(address: str) -> str:
    """Return an address's network, `192.0.2.0/24` for `192.0.2.7`; what is no address is its own network."""
    try:
        version = ipaddress.ip_address(address).version
        return str(ipaddress.ip_network(f"{address}/{24 if version == 4 else 64}", strict=False))
    except ValueError:
        return address
