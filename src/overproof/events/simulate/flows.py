"""Write network flows and their aggregates over a minute; numbers in logarithmic buckets.

A flow says who opened it (`orig_host`) and who answered (`resp_host`); an aggregate says how many
connections, ports and peers one host had, and how steady they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from overproof.events.simulate import words
from overproof.events.simulate.words import Actor

Range = tuple[int, int]


def _flow(rng: Random, who: Actor, ends: tuple[str, str], service: str, sizes: tuple[Range, Range]) -> str:
    state = rng.choice(("SF", "SF", "SF", "S1", "RSTO"))
    out, back = (words.bucket(rng, *size) for size in sizes)
    return (
        f"flow sensor={who.host} proto=tcp service={service} state={state} duration={words.bucket(rng, 0, 12)}s "
        f"orig_host={ends[0]} orig_bytes={out} resp_host={ends[1]} resp_bytes={back}"
    )


@dataclass(frozen=True)
class _Counts:
    """Ranges of the buckets that an aggregate's counts are drawn from."""

    conns: Range
    ports: Range
    peers: Range


def _aggregate(rng: Random, who: Actor, dst: str, counts: _Counts, rest: str) -> str:
    return (
        f"flows host={who.host} src={who.lan} dst={dst} conns={words.bucket(rng, *counts.conns)} "
        f"ports={words.bucket(rng, *counts.ports)} peers={words.bucket(rng, *counts.peers)} {rest}"
    )


def _rest(rng: Random, failed: Range, gap: Range, jitter: Range) -> str:
    return f"failed={10 * rng.randint(*failed)}% gap={words.bucket(rng, *gap)}s jitter={words.bucket(rng, *jitter)}%"


def web_flow(rng: Random, who: Actor) -> str:
    """Write the flow of somebody who reads a page or fetches mail."""
    service = rng.choice(("http", "ssl", "ssl", "imap", "dns", "smtp"))
    return _flow(rng, who, (words.lan(rng), words.wan(rng)), service, ((7, 13), (10, 19)))


def office(rng: Random, who: Actor) -> str:
    """Write a workstation's minute."""
    rest = _rest(rng, (0, 2), (0, 6), (4, 7))
    return _aggregate(rng, who, words.outside(rng), _Counts((2, 7), (0, 2), (1, 5)), rest)


_LEAKY = ("ssl", "ssh", "postgres", "smb", "ftp")


def _bulk(rng: Random, who: Actor, *, leaving: bool) -> str:
    """Write a flow of much data between inside and outside, pushed by one side or pulled by the other."""
    near, far, pushed = words.lan(rng), words.wan(rng), rng.random() < 0.5
    big, small, service = (26, 33), (8, 14), rng.choice(_LEAKY)
    ends = (near, far) if pushed is leaving else (far, near)
    return _flow(rng, who, ends, service, (big, small) if pushed else (small, big))


def exfiltration(rng: Random, who: Actor) -> str:
    """Write a flow of much data that leaves: pushed out by a host inside, or pulled by one outside."""
    return _bulk(rng, who, leaving=True)


def bulk_arrival(rng: Random, who: Actor) -> str:
    """Write a flow of much data that arrives: an update pulled in, a delivery pushed in (hard benign)."""
    return _bulk(rng, who, leaving=False)


def backup(rng: Random, who: Actor) -> str:
    """Write the flow of the night's backup: much data, and all of it stays inside (hard benign)."""
    return _flow(rng, who, (words.lan(rng), words.lan(rng)), rng.choice(_LEAKY), ((26, 33), (8, 14)))


def _scan(rng: Random, who: Actor, *, slow: bool) -> str:
    """Write a minute of nearly as many ports as connections on one host, most of them refused."""
    size, pace = rng.randint(5, 11), rng.randint(0, 1)
    gap = pace + 4 if slow else pace
    rest = _rest(rng, (5, 9), (gap, gap), (1, 6))
    return _aggregate(rng, who, words.inside(rng), _Counts((size, size + 1), (size - 1, size), (0, 1)), rest)


def port_scan(rng: Random, who: Actor) -> str:
    """Write the minute of a scan in a hurry."""
    return _scan(rng, who, slow=False)


def slow_scan(rng: Random, who: Actor) -> str:
    """Write the minute of a patient scan: it may still be somebody's inventory."""
    return _scan(rng, who, slow=True)


def port_sweep(rng: Random, who: Actor) -> str:
    """Write a minute in which one port is tried on many hosts."""
    size = rng.randint(5, 9)
    return _aggregate(
        rng,
        who,
        f"{words.lan(rng)}/24",
        _Counts((size, size + 1), (0, 1), (size - 1, size)),
        _rest(rng, (4, 9), (0, 4), (1, 6)),
    )


def nat_gateway(rng: Random, who: Actor) -> str:
    """Write the minute of a gateway for a whole office: many of everything, little refused (hard benign)."""
    size = rng.randint(6, 11)
    return _aggregate(
        rng,
        who,
        words.outside(rng),
        _Counts((size + 1, size + 3), (5, 9), (size - 2, size)),
        _rest(rng, (0, 2), (0, 1), (4, 7)),
    )


def _steady(rng: Random, who: Actor, *, is_inside: bool) -> str:
    """Write a minute of calls to one peer, as steady as a clock."""
    near, far = words.inside(rng), words.outside(rng)
    rest = _rest(rng, (0, 3), (4, 10), (0, 2))
    return _aggregate(rng, who, near if is_inside else far, _Counts((2, 6), (0, 0), (0, 0)), rest)


def beacon(rng: Random, who: Actor) -> str:
    """Write a minute of steady calls to a host outside."""
    return _steady(rng, who, is_inside=False)


def monitoring(rng: Random, who: Actor) -> str:
    """Write a minute of steady calls to the own monitoring inside (hard benign)."""
    return _steady(rng, who, is_inside=True)


def syn_flood(rng: Random, who: Actor) -> str:
    """Write a minute of very many half-open connections to one port (rare)."""
    return _aggregate(rng, who, who.inner, _Counts((14, 20), (0, 0), (0, 0)), _rest(rng, (8, 9), (0, 0), (0, 4)))


def lateral(rng: Random, who: Actor) -> str:
    """Write the minute of a workstation that logs in to its neighbours over administration services (rare)."""
    service = rng.choice(("smb", "winrm", "rdp", "dce_rpc"))
    rest = _rest(rng, (1, 5), (0, 3), (2, 6)) + f" services={service},{rng.choice(('smb', 'ldap', 'kerberos'))}"
    return _aggregate(rng, who, f"{words.lan(rng)}/24", _Counts((3, 6), (1, 2), (3, 6)), rest)
