"""Take off the headers of rarer links, of which scapy knows none (https://www.tcpdump.org/linktypes.html).

Cisco's HDLC, PPP as pppd captures it, MPLS without Ethernet, ATM's LLC (RFC 2684), frame relay (RFC 2427), what
firewalls log of packets (NFLOG of Linux, pflog and enc of BSD), and the per-packet information of PPI.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

_ETHERNET, _PPP, _RAW, _PPP_OR_HDLC, _HDLC = 1, 9, 101, 50, 104
_SNAP = b"\xaa\xaa\x03\0\0\0"
_MPLS = 0x8847
_PACKET = 9  # among the parts of an NFLOG record
_WITHOUT = {  # that carry no IP
    **dict.fromkeys((186, 189, 220, 249, 266), "USB"),
    **dict.fromkeys((187, 201, 251, 254, 255, 256), "Bluetooth"),
    **dict.fromkeys((190, 227), "a CAN bus"),
    **dict.fromkeys((195, 215, 230, 283), "IEEE 802.15.4"),
    252: "what Wireshark exported of other packets",
    253: "netlink",
}

Frame = tuple[int, bytes]  # a link type, and a frame of it


def without_header(link: int, data: bytes) -> Frame | str | None:
    """Return what a link's header stands before, or why there is nothing; None where the link is none of these."""
    if link in _WITHOUT:
        return f"a link that carries no IP: {_WITHOUT[link]}"
    read = _LINKS.get(link)
    try:
        return None if read is None else read(data)
    except (IndexError, struct.error):
        return "a link header that is cut short"


def _typed(ethertype: int, data: bytes) -> Frame:
    """Return data of an ethertype, as behind the addresses of an Ethernet frame."""
    return _ETHERNET, bytes(12) + ethertype.to_bytes(2, "big") + data


def _hdlc(data: bytes) -> Frame:
    (ethertype,) = struct.unpack_from("!H", data, 2)
    return _typed(ethertype, data[4:])


def _ppp_or_hdlc(data: bytes) -> Frame:
    return _hdlc(data) if data[0] in (0x0F, 0x8F) else (_PPP, data)


def _pppd(data: bytes) -> Frame:
    """Read PPP of which the first byte says in which direction it went."""
    return _PPP, b"\xff" + data[1:]


def _llc(data: bytes) -> Frame | str:
    if not data.startswith(_SNAP):
        return "not IP: LLC"
    return _typed(int.from_bytes(data[6:8], "big"), data[8:])


def _frame_relay(data: bytes) -> Frame | str:
    at = next((place for place, byte in enumerate(data[:4], 1) if byte & 1), 4)  # where its address ends
    if data[at] != 3:
        return "not IP: frame relay"
    at += 1 + (data[at + 1] == 0)  # one of padding
    if data[at] in (0xCC, 0x8E):
        return _RAW, data[at + 1 :]
    if data[at : at + 4] == b"\x80\0\0\0":
        return _typed(int.from_bytes(data[at + 4 : at + 6], "big"), data[at + 6 :])
    return "not IP: frame relay"


def _nflog(data: bytes) -> Frame | str:
    """Read a packet as Linux' firewall logs it: parts of a length and a kind, in the byte order of the host."""
    at, order = 4, "<" if len(data) > 5 and 4 <= int.from_bytes(data[4:6], "little") <= len(data) - 4 else ">"
    while at + 4 <= len(data):
        size, kind = struct.unpack_from(f"{order}HH", data, at)
        if kind & 0x7FFF == _PACKET:
            return _RAW, data[at + 4 : at + size]
        at += max(4, size + 3 & ~3)
    return "a record of NFLOG without a packet"


def _pflog(data: bytes) -> Frame:
    """Read a packet as pf logs it: behind its length, rounded up to words."""
    return _RAW, data[data[0] + 3 & ~3 :]


def _ppi(data: bytes) -> Frame | str:
    size, link = struct.unpack_from("<2xHI", data)
    return "PPI in PPI" if link == 192 else (link, data[size:])


_LINKS: dict[int, Callable[[bytes], Frame | str]] = {
    _PPP_OR_HDLC: _ppp_or_hdlc,
    100: _llc,
    _HDLC: _hdlc,
    107: _frame_relay,
    109: lambda data: (_RAW, data[12:]),  # enc: family, association and flags
    117: _pflog,
    166: _pppd,
    192: _ppi,
    205: lambda data: _hdlc(data[1:]),  # which a direction stands before
    219: lambda data: _typed(_MPLS, data),
    239: _nflog,
}
