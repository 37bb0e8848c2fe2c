"""Compute the Community ID of a flow, as Zeek and Suricata do (github.com/corelight/community-id-spec)."""

from __future__ import annotations

import base64
import hashlib
import struct

from overproof.events.sources.pcap.packets import ICMP, ICMP6, TCP, UDP

_SCTP = 132
_PAIRS4 = ((8, 0), (13, 14), (15, 16), (17, 18), (10, 9))
_PAIRS6 = ((128, 129), (133, 134), (135, 136), (130, 131), (144, 145), (139, 140))


def answers(pairs: tuple[tuple[int, int], ...]) -> dict[int, int]:
    """Map each type of message to the type that answers it, both ways."""
    return {**dict(pairs), **{b: a for a, b in pairs}}


ANSWERS = {ICMP: answers(_PAIRS4), ICMP6: answers(_PAIRS6)}
REQUESTS = {ICMP: {a for a, _ in _PAIRS4}, ICMP6: {a for a, _ in _PAIRS6}}


def community_id(protocol: int, source: bytes, target: bytes, sport: int, dport: int) -> str:
    """Compute the ID, the same from both sides; for ICMP the ports are type and code."""
    one_way = False
    if protocol in ANSWERS:
        answer = ANSWERS[protocol].get(sport)
        one_way = answer is None
        dport = dport if answer is None else answer
    if not one_way and (source, sport) > (target, dport):
        source, target, sport, dport = target, source, dport, sport
    data = b"\0\0" + source + target + bytes((protocol, 0))
    if protocol in (TCP, UDP, ICMP, ICMP6, _SCTP):
        data += struct.pack("!HH", sport, dport)
    return "1:" + base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()
