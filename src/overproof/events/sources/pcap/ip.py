"""Find the IP packet in a record, whatever link it was captured on.

The headers of Ethernet and IP are read here, in a few microseconds (scapy takes 100 to 200 for a packet);
scapy unwraps the rarer links. The tests hold both to the same answers.
"""

from __future__ import annotations

import struct
from socket import AF_INET, AF_INET6, inet_ntop
from typing import NamedTuple

from overproof.events.sources.pcap.rare_links import without_header
from overproof.events.sources.pcap.records import Record
from overproof.events.sources.pcap.scapy import scapy

ETHERNET, RAW = 1, 101  # link types
_RAW = (12, 14, RAW, 228, 229)  # links without a header
_LOOPBACK = (0, 108)  # 4 bytes of an address family, in either order, whose number hangs on the system
_HEADERS = {ETHERNET: (14, 12), 113: (16, 14), 276: (20, 0)}  # Ethernet, Linux's two: length, and where the type stands
_IPV4, _IPV6, _VLANS = 0x0800, 0x86DD, (0x8100, 0x88A8, 0x9100, 0x9200)
_LONGEST_802_3 = 0x0600  # a smaller ethertype is the length of an IEEE 802.3 frame
_SNAP = b"\xaa\xaa\x03\0\0\0"  # before an ethertype in one (RFC 1042)
_OPTIONS = (0, 43, 60, 135, 139, 140)  # IPv6 headers that say how long they are: hop-by-hop, routing, …
_FRAGMENT, _AUTHENTICATION = 44, 51
EXTENSIONS = {*_OPTIONS, _FRAGMENT, _AUTHENTICATION}
_NO_PORTS = "a packet cut before its ports"


class NoPacket(Exception):
    """Signal why a record holds no packet that belongs to a flow."""


class Fragment(NamedTuple):
    """A piece of an IP packet: `key` is shared by its pieces; of `length` bytes on the wire `data` were captured."""

    key: tuple[bytes, bytes, int, int]
    offset: int
    more: bool
    data: bytes
    length: int


class Network(NamedTuple):
    """The content of an IP packet: `length` bytes on the wire, of which `data` were captured."""

    source: bytes
    target: bytes
    protocol: int
    data: bytes
    length: int
    fragment: Fragment | None = None


def address(packed: bytes) -> str:
    """Write an address as text."""
    return inet_ntop(AF_INET if len(packed) == 4 else AF_INET6, packed)


def network(record: Record) -> Network:
    """Find the IP packet in a record; of a tunnel the outer one.

    Raises
    ------
    NoPacket
        If there is none.
    """
    return packet_in(record.link, record.data, max(0, record.size - len(record.data)))


def packet_in(link: int, data: bytes, missing: int = 0) -> Network:
    """Find the IP packet in a frame of which the last bytes are missing; raises as `network` does."""
    data = _unlinked(link, data)
    if not data:
        raise NoPacket("an IP packet cut before its header")
    return _ip(data, missing)


def _unlinked(link: int, data: bytes) -> bytes:
    """Return what follows the link's header, if that is IP."""
    if link in _RAW:
        return data
    if link in _LOOPBACK:
        return data[4:]
    if link not in _HEADERS:
        return _unwrapped(link, data)
    at, place = _HEADERS[link]
    kind = int.from_bytes(data[place : place + 2], "big")
    while kind in _VLANS:
        at, kind = at + 4, int.from_bytes(data[at + 2 : at + 4], "big")
    if kind < _LONGEST_802_3 and data[at : at + 6] == _SNAP:
        at, kind = at + 8, int.from_bytes(data[at + 6 : at + 8], "big")
    if kind in (_IPV4, _IPV6):
        return data[at:]
    if kind in (0x8847, 0x8848, 0x8863, 0x8864, 0x88E7):  # MPLS, PPPoE, provider bridges
        return _unwrapped(link, data)
    raise NoPacket("not IP: " + ("ARP" if kind == 0x0806 else "LLC" if kind < _LONGEST_802_3 else "another ethertype"))


def _unwrapped(link: int, data: bytes) -> bytes:
    """Return the IP packet under a rarer link's header, which scapy finds if we do not."""
    found = without_header(link, data)
    if isinstance(found, str):
        raise NoPacket(found)
    if found is not None:
        return _unlinked(*found)
    tools = scapy()
    layer = tools.config.conf.l2types.num2layer.get(link)
    if layer is None:
        raise NoPacket(f"a link type that is not known: {link}")
    try:
        packet = layer(data)
    except Exception as error:  # scapy's dissectors raise whatever a malformed packet makes them
        raise NoPacket(f"a link header that does not parse ({type(error).__name__})") from None
    inside = packet.getlayer(tools.inet.IP) or packet.getlayer(tools.inet6.IPv6)
    if inside is None:
        raise NoPacket(f"not IP: {packet.lastlayer().name if packet.payload else packet.name}")
    return bytes(inside.original)


def _ip(data: bytes, missing: int) -> Network:
    version = data[0] >> 4
    if version == 4 and len(data) >= 20:
        return _ip4(data, missing)
    if version == 6 and len(data) >= 40:
        return _ip6(data, missing)
    raise NoPacket("an IP packet cut before its header" if version in (4, 6) else f"IP of version {version}")


def _ip4(data: bytes, missing: int) -> Network:
    head = max(data[0] & 15, 5) * 4
    # a card that splits packets itself (TSO) leaves 0 here
    total = int.from_bytes(data[2:4], "big") or len(data) + missing
    source, target, protocol = data[12:16], data[16:20], data[9]
    content = data[head:total]  # what follows is padding of the link
    place = int.from_bytes(data[6:8], "big")
    fragment = None
    if place & 0x3FFF:
        key = (source, target, protocol, int.from_bytes(data[4:6], "big"))
        fragment = Fragment(key, (place & 0x1FFF) * 8, bool(place & 0x2000), content, max(0, total - head))
    return Network(source, target, protocol, content, max(0, total - head), fragment)


def _ip6(data: bytes, missing: int) -> Network:
    size = int.from_bytes(data[4:6], "big") or len(data) + missing - 40
    source, target, protocol = data[8:24], data[24:40], data[6]
    end, fragment = 40 + size, None
    protocol, at = _past_options(protocol, data, 40, end)
    while protocol == _FRAGMENT and at + 8 <= min(len(data), end):
        protocol, place, name = struct.unpack_from("!BxHI", data, at)
        at += 8
        if place & 0xFFF9:
            key = (source, target, protocol, name)
            fragment = Fragment(key, place & 0xFFF8, bool(place & 1), data[at:end], max(0, end - at))
            break
        protocol, at = _past_options(protocol, data, at, end)
    if fragment is None and protocol in EXTENSIONS:
        raise NoPacket(_NO_PORTS)
    return Network(source, target, protocol, data[at:end], max(0, end - at), fragment)


def _past_options(protocol: int, data: bytes, at: int, end: int) -> tuple[int, int]:
    """Return the protocol and the place of what stands behind options and authentication headers (RFC 8200, 4302)."""
    while at + 8 <= min(len(data), end):
        if protocol in _OPTIONS:
            protocol, at = data[at], at + (data[at + 1] + 1) * 8
        elif protocol == _AUTHENTICATION:
            protocol, at = data[at], at + (data[at + 1] + 2) * 4
        else:
            break
    return protocol, at


def without_extensions(ip: Network) -> Network:
    """Return what stands behind the headers that content begins with: in IPv4, and where fragments were joined.

    Raises
    ------
    NoPacket
        If it was cut before that.
    """
    protocol, at = _past_options(ip.protocol, ip.data, 0, ip.length)
    if protocol in EXTENSIONS:
        raise NoPacket(_NO_PORTS)
    return ip._replace(protocol=protocol, data=ip.data[at:], length=max(0, ip.length - at))
