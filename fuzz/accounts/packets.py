"""Count the packets of a capture, which is walked here once more: each is of a flow, or rejected.

What is plain to see is asked for: of a packet that is no IP that it is rejected; of TCP and UDP in whole packets of IP
that a flow's event begins with it or before; and of a capture of nothing else that the flows' bytes are those of its
packets. Fragments, tunnels, and what was cut are left to the tests.
"""

from __future__ import annotations

import re
import struct
from codecs import BOM_UTF8
from collections import Counter, defaultdict
from ipaddress import ip_address
from typing import Any, NamedTuple

from fuzz.accounts.told import Told
from fuzz.target import require

ETHERNET, RAW = 1, 101
UNWRAPPED = {0x0800, 0x86DD, 0x8100, 0x88A8, 0x9100, 0x8847, 0x8848, 0x8863, 0x8864, 0x88E7}  # ethertypes
VXLAN = b"\x08\0\0\0"  # how its header begins
TUNNELS = {4789, 4790, 8472, 6081, 2152, 1701, 3544, 6635, 37008}  # ports
VERSION = 1  # of a pcapng section; another one's blocks may mean anything
LONGEST = 16 << 20  # bytes of a packet (docs/guide/limits.md)
LEAST = {1: 8, 2: 20, 3: 4, 6: 20}  # bytes of a pcapng block of an interface, and of those of packets
BREAKS_OFF = "the capture breaks off"
BYTES = re.compile(r"orig_bytes=(\S+) .*resp_bytes=(\S+)")


class _Captured(NamedTuple):
    """A packet: the link's type, and what was captured of how many bytes."""

    link: int
    data: bytes
    size: int


class _Plain(NamedTuple):
    """A TCP or UDP packet: where it comes from and goes to, and the bytes of its payload."""

    transport: str
    source: tuple[bytes, int]
    target: tuple[bytes, int]
    payload: int

    @property
    def flow(self) -> tuple[Any, ...]:
        return (self.transport, *sorted((self.source, self.target)))


def require_counted(content: bytes, told: Told) -> None:
    """Require that every packet is of a flow that an event begins, or rejected."""
    content = content.removeprefix(BOM_UTF8)  # which is no part of any input
    packets, whole = _pcapng(content) if content[:4] == b"\x0a\x0d\x0d\x0a" else _pcap(content)
    rejected = {place for place, reason in told.rejected if not reason.startswith(BREAKS_OFF)}
    breaks = [place for place, reason in told.rejected if reason.startswith(BREAKS_OFF)]
    require(breaks == ([] if whole else [len(packets) + 1]), f"pcap: breaks off at {breaks}: {len(packets)} packets")
    beyond = [place for place in {*told.places, *rejected} if not 1 <= place <= len(packets)]
    require(not beyond, f"pcap: a packet that is not there: {beyond[:3]} of {len(packets)}")
    flows = _flows(told)
    seen = [None if packet is None else _plain(packet) for packet in packets]
    for number, (packet, found) in enumerate(zip(packets, seen, strict=True), 1):
        if number in rejected:
            continue
        require(packet is not None and not _is_not_ip(packet), f"pcap: not IP, and not rejected: packet {number}")
        first = min((first for first, _ in flows[found.flow]), default=len(packets) + 1) if found else 0
        require(first <= number, f"pcap: of no flow, and not rejected: packet {number}")
    if all(seen) and not rejected:
        _require_bytes(flows, [found for found in seen if found])


def _flows(told: Told) -> dict[tuple[Any, ...], list[tuple[int, str]]]:
    """First packet and text of the events of each flow."""
    names = ("kind", "transport", "src_ip", "src_port", "dst_ip", "dst_port", "text")
    flows = defaultdict(list)
    for number, (kind, transport, source, sport, target, dport, text) in zip(
        told.places, zip(*(told.column(name) for name in names), strict=True), strict=True
    ):
        if kind == "flow" and sport is not None:
            ends = sorted((ip_address(host).packed, port) for host, port in ((source, sport), (target, dport)))
            flows[transport, *ends].append((number, text))
    return flows


def _require_bytes(flows: dict[tuple[Any, ...], list[tuple[int, str]]], packets: list[_Plain]) -> None:
    """Require that a flow of one event says how much each side sent; by powers of two, as texts do."""
    sent: dict[tuple[Any, ...], Counter[tuple[bytes, int]]] = defaultdict(Counter)
    for packet in packets:
        sent[packet.flow][packet.source] += packet.payload
    for flow, sides in sent.items():
        _, one, other = flow
        if len(flows[flow]) == 1 and one != other:
            said = BYTES.search(flows[flow][0][1])
            wanted = sorted(_bucket(sides[end]) for end in (one, other))
            require(
                said and sorted(said.groups()) == wanted, f"pcap: other bytes than were sent: {wanted}, {flows[flow]}"
            )


def _bucket(count: int) -> str:
    return f"2^{count.bit_length() - 1}" if count else "0"


def _is_not_ip(packet: _Captured) -> bool:
    if packet.link != ETHERNET or len(packet.data) < 14:
        return False
    kind = int.from_bytes(packet.data[12:14], "big")
    return kind >= 0x0600 and kind not in UNWRAPPED


def _plain(packet: _Captured) -> _Plain | None:
    """Read a packet that is whole, and neither a fragment nor a tunnel's; else None."""
    kind, data = b"", packet.data
    if packet.link == ETHERNET:
        kind, data = data[12:14], data[14:]
    if packet.link not in (ETHERNET, RAW) or len(packet.data) != packet.size or len(data) < 28:
        return None
    if data[0] >> 4 == 4 and kind in (b"", b"\x08\x00"):
        head, total, protocol = (data[0] & 15) * 4, int.from_bytes(data[2:4], "big"), data[9]
        ends, broken = (data[12:16], data[16:20]), head < 20 or int.from_bytes(data[6:8], "big") & 0x3FFF
    elif data[0] >> 4 == 6 and kind in (b"", b"\x86\xdd"):
        head, total, protocol = 40, int.from_bytes(data[4:6], "big") + 40, data[6]
        ends, broken = (data[8:24], data[24:40]), total == 40
    else:
        return None
    content = data[head:total]
    least = {6: 20, 17: 8}.get(protocol, 1 << 16)
    if broken or total > len(data) or len(content) < least:
        return None
    ports = struct.unpack_from("!HH", content)
    above = max(content[12] >> 4, 5) * 4 if protocol == 6 else 8
    carries = TUNNELS.intersection(ports) or content.startswith(VXLAN, 8)  # which has any port
    if above > len(content) or (protocol == 17 and carries):
        return None
    source, target = zip(ends, ports, strict=True)
    return _Plain("tcp" if protocol == 6 else "udp", source, target, len(content) - above)


def _pcap(content: bytes) -> tuple[list[_Captured | None], bool]:
    """Return the packets of a pcap file, the last as far as it goes, and whether it ends behind one."""
    packets: list[_Captured | None] = []
    big = content[:2] == b"\xa1\xb2"
    order = ">" if big else "<"
    head = 24 if content[:4] in (b"\xa1\xb2\xcd\x34", b"\x34\xcd\xb2\xa1") else 16
    link = struct.unpack_from(order + "I", content, 20)[0] & 0xFFFF
    at = 24
    while at + head <= len(content):
        kept, size = struct.unpack_from(order + "II", content, at + 8)
        if kept > LONGEST:
            break
        packets.append(_Captured(link, content[at + head : at + head + kept], size))
        at += head + kept
    return packets, at == len(content)


def _pcapng(content: bytes) -> tuple[list[_Captured | None], bool]:
    """Return the packets of a pcapng file, None where no interface is described; and whether all blocks are sound."""
    packets: list[_Captured | None] = []
    links: list[tuple[int, int]] = []
    at, order = 0, "<"
    while at + 12 <= len(content):
        if content[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order, links = ("<" if content[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"), []
            if int.from_bytes(content[at + 12 : at + 14], "little" if order == "<" else "big") != VERSION:
                break
        kind, size = struct.unpack_from(order + "II", content, at)
        if size < 12 or at + size > len(content) or struct.unpack_from(order + "I", content, at + size - 4)[0] != size:
            break
        body = content[at + 8 : at + size - 4]
        if len(body) < LEAST.get(kind, 0):
            break
        at += size
        if kind == 1:
            link, _, limit = struct.unpack_from(order + "HHI", body)
            links.append((link, limit))
        elif kind in (2, 3, 6):
            packets.append(_in_block(kind, body, order, links))
    return packets, at == len(content)


def _in_block(kind: int, body: bytes, order: str, links: list[tuple[int, int]]) -> _Captured | None:
    """Read a packet's block: enhanced, simple, or the obsolete one."""
    if kind == 3:
        (size,), number, begin = struct.unpack_from(order + "I", body), 0, 4
        kept = min(size, len(body) - 4)
    else:
        number = struct.unpack_from(order + ("I" if kind == 6 else "H"), body)[0]
        kept, size = struct.unpack_from(order + "II", body, 12)
        begin = 20
    if number >= len(links):
        return None
    link, limit = links[number]
    kept = min(kept, limit or kept) if kind == 3 else kept
    return _Captured(link, body[begin : begin + kept], size)
