"""Flows summed per host and minute, in bounded memory: what scans, floods and beacons show in and one flow does not."""

from __future__ import annotations

import heapq
import ipaddress
import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean, pstdev

from overproof.events.sources import templates

MINUTE = 60
GRACE = 120  # seconds after a minute in which flows may still come late: records are written when a flow ends
MOST_HOSTS = 1 << 14
MOST_ENTRIES = 1 << 19  # times, peers and ports of all open hosts together, about 50 MB


@dataclass(frozen=True)
class HostAggregate:
    """What one host did in one minute.

    Attributes
    ----------
    start
        Second at which the minute began.
    src, dst
        The host, and whom it called: the peer's address where there was only one, else the network (/24,
        IPv6: /64) that most of its peers are in.
    conns, ports, peers
        Connections, and how many different ports and hosts they went to.
    failed
        Share of connections that failed.
    gap, jitter
        Mean time between two connections in seconds, and its standard deviation as a share of that mean;
        None where there were too few connections to tell: one, or for the jitter two.
    """

    start: int
    src: str
    dst: str
    conns: int
    ports: int
    peers: int
    failed: float
    gap: float | None
    jitter: float | None

    @property
    def text(self) -> str:
        """The sum as the model reads it."""
        return templates.flows(
            src=self.src,
            dst=self.dst,
            conns=self.conns,
            ports=self.ports,
            peers=self.peers,
            failed=self.failed,
            gap=self.gap,
            jitter=self.jitter,
        )


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

    def add(self, time: float, dst: str, dst_port: int | None, failed: bool) -> None:
        self.failed += failed
        self.times.append(time)
        self.peers.add(dst)
        if dst_port is not None:
            self.ports.add(dst_port)

    def finish(self, start: int, src: str) -> HostAggregate:
        conns = len(self.times)
        gap, jitter = _rhythm(sorted(self.times))
        share = self.failed / conns
        return HostAggregate(
            start, src, _target(self.peers), conns, len(self.ports), len(self.peers), share, gap, jitter
        )


def _rhythm(times: list[float]) -> tuple[float | None, float | None]:
    """Mean of the gaps between times, and their standard deviation as a share of it."""
    gaps = [after - before for before, after in pairwise(times)]
    if not gaps:
        return None, None
    mean = fmean(gaps)
    if len(gaps) == 1:
        return mean, None
    return mean, pstdev(gaps, mean) / mean if mean else 0.0


class HostAggregator:
    """Adds flows up. Where its bounds are reached the oldest minute is told early, and may be told again."""

    def __init__(self) -> None:
        self._minutes: dict[int, dict[str, _OpenAggregate]] = {}
        self._order: list[int] = []  # a heap of the open minutes
        self._hosts = self._entries = 0

    def add(
        self, time: float, src: str, dst: str, dst_port: int | None, failed: bool, *, now: float | None = None
    ) -> list[HostAggregate]:
        """Count one flow.

        Parameters
        ----------
        time
            Seconds at which it began; flows need not come in order.
        dst_port
            None where the protocol has no ports.
        failed
            Whether nobody answered, or the answer was a refusal.
        now
            Seconds at which it was recorded, where that is known: a long flow is told of long after it began.

        Returns
        -------
        list of Sum
            The minutes that are over by now.
        """
        now = time if now is None else now
        minute = math.floor(time / MINUTE)
        if minute not in self._minutes:
            self._minutes[minute] = {}
            heapq.heappush(self._order, minute)
        hosts = self._minutes[minute]
        if src not in hosts:
            hosts[src] = _OpenAggregate()
            self._hosts += 1
        before = hosts[src].entries
        hosts[src].add(time, dst, dst_port, failed)
        self._entries += hosts[src].entries - before
        finished: list[HostAggregate] = []
        while self._order and (
            (self._order[0] + 1) * MINUTE + GRACE <= now or self._hosts > MOST_HOSTS or self._entries > MOST_ENTRIES
        ):
            finished += self._pop()
        return finished

    def close(self) -> list[HostAggregate]:
        """The minutes still open, in order of time."""
        finished: list[HostAggregate] = []
        while self._order:
            finished += self._pop()
        return finished

    def _pop(self) -> list[HostAggregate]:
        """The earliest minute, of every host."""
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
    """`192.0.2.7` is in `192.0.2.0/24`; what is no address is its own network."""
    try:
        version = ipaddress.ip_address(address).version
        return str(ipaddress.ip_network(f"{address}/{24 if version == 4 else 64}", strict=False))
    except ValueError:
        return address
