"""Write a flow, and what one host did in a minute, as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from overproof.events.templates.line import bucket, bucketed, line


class FlowRecord(NamedTuple):  # made for every flow: a frozen dataclass takes several times as long
    """A flow: who opened it (`orig_host`), who answered (`resp_host`), and how much each sent.

    Attributes
    ----------
    state
        In Zeek's words: SF, S0, REJ, RSTO, ….
    duration
        Seconds.
    """

    proto: str | None
    orig_host: str | None
    resp_host: str | None
    sensor: str | None = None
    service: str | None = None
    state: str | None = None
    duration: float | None = None
    orig_bytes: float | None = None
    resp_bytes: float | None = None

    @property
    def text(self) -> str:
        """The flow as the model reads it."""
        return line(
            "flow",
            sensor=self.sensor,
            proto=self.proto,
            service=self.service,
            state=self.state,
            duration=bucketed(self.duration, "s"),
            orig_host=self.orig_host,
            orig_bytes=bucketed(self.orig_bytes),
            resp_host=self.resp_host,
            resp_bytes=bucketed(self.resp_bytes),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAggregate:
    """The connections of one host in one minute, aggregated.

    Attributes
    ----------
    start
        Second at which the minute began; not in the text.
    src, dst
        The host, and whom it called: the peer's address where there was only one, else the network (/24,
        IPv6: /64) that most of its peers are in.
    conns, ports, peers
        Connections, and how many different ports and hosts they went to.
    failed
        Share of the connections that failed, 0 to 1.
    gap, jitter
        Mean time between two connections in seconds, and its standard deviation as a share of that mean;
        None where there were too few connections to tell: one, or for the jitter two.
    host
        The sensor's name for the host, where it has one.
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
    host: str | None = None

    @property
    def text(self) -> str:
        """The minute as the model reads it."""
        percent = None if self.jitter is None else 100 * self.jitter
        return line(
            "flows",
            host=self.host,
            src=self.src,
            dst=self.dst,
            conns=bucket(self.conns),
            ports=bucket(self.ports),
            peers=bucket(self.peers),
            failed=f"{10 * round(10 * self.failed)}%",
            gap=bucketed(self.gap, "s"),
            jitter=bucketed(percent, "%"),
        )
