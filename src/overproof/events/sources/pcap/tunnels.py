"""Unwrap tunnels: the packet inside stands for the one that carries it, as if it had been captured plainly.

IP in IP (RFC 2003, 2473), GRE (RFC 2784, 2890, of NVGRE too: RFC 7637), ERSPAN of types I to III
(draft-foschiano-erspan-03), VXLAN (RFC 7348, with the extensions of draft-smith-vxlan-group-policy and
draft-ietf-nvo3-vxlan-gpe; on a port of one's own too), Geneve (RFC 8926), GTP-U (3GPP TS 29.281, 5.1), Teredo
(RFC 4380, 5.1.1), MPLS in UDP (RFC 7510), EtherIP (RFC 3378), Ethernet in L2TPv3 (RFC 3931), TZSP
(https://en.wikipedia.org/wiki/TZSP), and PPP in L2TP and PPTP (`point_to_point`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from overproof.events.sources.pcap.ip import ETHERNET, RAW, Network, NoPacket, packet_in
from overproof.events.sources.pcap.point_to_point import l2tp, pptp

DEEPEST = 8  # tunnels in one another
TOO_DEEP = "tunnels in one another, more than are unwrapped"

_TCP, _UDP, _GRE, _ETHERIP, _L2TP3 = 6, 17, 47, 97, 115
_IP_IN_IP = (4, 41)
_UDP_HEAD = 8
_MPLS = 0x8847
_PADDED = 46  # bytes to which Ethernet fills up what is shorter
_ETHERTYPES = {0x0800: RAW, 0x86DD: RAW, 0x6558: ETHERNET}
_ERSPAN, _ERSPAN3 = 0x88BE, 0x22EB
_VXLAN = b"\x08\0\0\0"  # how its header begins
_NO_NEXT_HEADER = 59  # of a Teredo bubble, which carries nothing
_G_PDU = 0xFF  # the GTP-U message that carries a packet


class Tunnelled(NamedTuple):
    """What a tunnel carries: a frame, and the link type that says how it begins."""

    tunnel: str
    link: int
    data: bytes


def inner(ip: Network) -> Network | None:
    """Return the packet that a packet carries; None where it is no tunnel's.

    Raises
    ------
    NoPacket
        If it is a tunnel's, and what it carries cannot be read.
    """
    if ip.protocol == _TCP:
        return None
    try:
        carried = _carried(ip)
    except (IndexError, struct.error):
        raise NoPacket("a tunnel's packet cut in its header") from None
    if carried is None:
        return None
    if not carried.data:
        raise NoPacket(f"{carried.tunnel}: a packet cut before what it carries")
    try:
        return packet_in(carried.link, carried.data)
    except NoPacket as error:
        raise NoPacket(f"{carried.tunnel}: {error}") from None


def _carried(ip: Network) -> Tunnelled | None:
    if ip.protocol == _UDP:
        sport, dport = struct.unpack_from("!HH", ip.data)
        read = _BY_PORT.get(dport) or _ANSWERING.get(sport)
        if read is None and ip.data.startswith(_VXLAN, _UDP_HEAD) and _is_whole_frame(ip.data[_UDP_HEAD + 8 :]):
            read = _vxlan
        return None if read is None else read(ip.data[_UDP_HEAD:])
    if ip.protocol == _GRE:
        return _gre(ip.data)
    if ip.protocol == _ETHERIP:
        return Tunnelled("EtherIP", ETHERNET, ip.data[2:])
    if ip.protocol == _L2TP3:
        return _l2tp3(ip.data)
    return Tunnelled("IP in IP", RAW, ip.data) if ip.protocol in _IP_IN_IP else None


def _typed(tunnel: str, ethertype: int, data: bytes) -> Tunnelled:
    """Return what an ethertype says that the data are."""
    link = _ETHERTYPES.get(ethertype)
    if link is None:  # a VLAN, MPLS, or what is no IP: as behind the addresses of an Ethernet frame
        return Tunnelled(tunnel, ETHERNET, bytes(12) + ethertype.to_bytes(2, "big") + data)
    return Tunnelled(tunnel, link, data)


def _gre(data: bytes) -> Tunnelled:
    flags, kind = struct.unpack_from("!HH", data)
    if flags & 7 == 1:
        return Tunnelled("PPTP", RAW, pptp(data))
    if flags & 7:
        raise NoPacket("GRE: of an unknown version")
    if flags & 0x4000:
        raise NoPacket("GRE: with source routes")
    numbered = bool(flags & 0x1000)
    at = 4 + 4 * (bool(flags & 0x8000) + bool(flags & 0x2000) + numbered)
    if kind == _ERSPAN:  # type I has no header of its own, and no sequence number
        return Tunnelled("ERSPAN", ETHERNET, data[at + 8 if numbered else at :])
    if kind == _ERSPAN3:
        (about,) = struct.unpack_from("!H", data, at + 10)
        frame = about >> 10 & 31
        if frame not in (0, 2):
            raise NoPacket("ERSPAN: a frame that is neither Ethernet nor IP")
        return Tunnelled("ERSPAN", RAW if frame else ETHERNET, data[at + (20 if about & 1 else 12) :])
    return _typed("GRE", kind, data[at:])


def _vxlan(data: bytes) -> Tunnelled | None:
    """Read VXLAN; what has other bits set in its first byte is something else on its port."""
    flags = data[0] if len(data) >= 8 else 0
    if not flags & 0x08 or flags & 0x70:
        return None
    if flags & 0x04:  # GPE: the header says what follows
        link = {1: RAW, 2: RAW, 3: ETHERNET}.get(data[3])
        if link is None:
            raise NoPacket("VXLAN: neither Ethernet nor IP")
        return Tunnelled("VXLAN", link, data[8:])
    return Tunnelled("VXLAN", ETHERNET, data[8:])


def _geneve(data: bytes) -> Tunnelled | None:
    """Read Geneve; what is of another version is something else on its port."""
    if len(data) < 8 or data[0] & 0xC0 or data[1] & 0x3F or data[7]:
        return None
    return _typed("Geneve", int.from_bytes(data[2:4], "big"), data[8 + 4 * (data[0] & 63) :])


def _gtp_u(data: bytes) -> Tunnelled | None:
    """Read GTP-U; its messages that carry no packet are what they are: payloads."""
    if len(data) < 8 or data[0] & 0xF0 != 0x30 or data[1] != _G_PDU:
        return None
    at, following = 8, 0
    if data[0] & 7:
        at, following = 12, data[11] if data[0] & 4 else 0
    while following:  # extension headers, each with its length in words before it and the next one's type at its end
        size = 4 * data[at]
        if not size:
            raise NoPacket("GTP-U: an extension header without a length")
        at += size
        following = data[at - 1]
    return Tunnelled("GTP-U", RAW, data[at:])


def _l2tp(data: bytes) -> Tunnelled | None:
    packet = l2tp(data)
    return None if packet is None else Tunnelled("L2TP", RAW, packet)


def _l2tp3(data: bytes) -> Tunnelled | None:
    """Read a session of L2TPv3, which agrees outside of it on a cookie and a sublayer; session 0 controls others."""
    if not int.from_bytes(data[:4], "big"):
        return None
    at = next((at for at in (4, 8, 12, 16) if _is_whole_frame(data[at:])), None)
    if at is None:
        raise NoPacket("L2TPv3: no Ethernet with IP in it")
    return Tunnelled("L2TPv3", ETHERNET, data[at:])


def _is_whole_frame(data: bytes) -> bool:
    """Tell whether data are an Ethernet frame with one IP packet, perhaps padded."""
    kind, size = data[12:14], len(data) - 14
    if kind == b"\x08\0" and size >= 20 and data[14] >> 4 == 4:
        length = int.from_bytes(data[16:18], "big")
    elif kind == b"\x86\xdd" and size >= 40 and data[14] >> 4 == 6:
        length = int.from_bytes(data[18:20], "big") + 40
    else:
        return False
    return length == size or (length < size <= _PADDED)


def _mpls(data: bytes) -> Tunnelled:
    return _typed("MPLS in UDP", _MPLS, data)


def _teredo(data: bytes) -> Tunnelled | None:
    """Read Teredo: IPv6, perhaps behind an authentication and the origin that a relay saw."""
    if data[:2] == b"\0\1" and len(data) >= 4:
        data = data[13 + data[2] + data[3] :]
    if data[:2] == b"\0\0":
        data = data[8:]
    whole = len(data) >= 40 and data[0] >> 4 == 6 and int.from_bytes(data[4:6], "big") + 40 == len(data)
    return Tunnelled("Teredo", RAW, data) if whole and data[6] != _NO_NEXT_HEADER else None


def _tzsp(data: bytes) -> Tunnelled | None:
    """Read TZSP of version 1: a received packet, behind tags; what is no packet keeps a tunnel alive."""
    if len(data) < 5 or data[0] != 1 or data[1] > 1:
        return None
    if data[2:4] != b"\0\1":
        raise NoPacket("TZSP: no Ethernet")
    at = 4
    while data[at] != 1:  # the end of the tags; 0 is padding, others have a length
        at += 1 if data[at] == 0 else 2 + data[at + 1]
    return Tunnelled("TZSP", ETHERNET, data[at + 1 :])


_BY_PORT: dict[int, Callable[[bytes], Tunnelled | None]] = {
    4789: _vxlan,
    4790: _vxlan,  # GPE
    8472: _vxlan,  # Linux, before there was a number
    6081: _geneve,
    2152: _gtp_u,
    1701: _l2tp,
    3544: _teredo,
    6635: _mpls,
    37008: _tzsp,
}
_ANSWERING = {port: _BY_PORT[port] for port in (1701, 3544)}  # of those in which both sides carry packets
