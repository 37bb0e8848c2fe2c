"""Read what PPP frames carry (RFC 1661), in the tunnels of L2TP (RFC 2661) and PPTP (RFC 2637)."""

from __future__ import annotations

import struct

from overproof.events.sources.pcap.ip import NoPacket

_PPTP = 0x880B  # the ethertype of PPP in GRE of version 1
_IP = (0x0021, 0x0057)  # of versions 4 and 6
_ENCRYPTED = (0x00FD, 0x00FB, 0x0053)  # compressed (MPPE among them: RFC 3078), or encrypted (RFC 1968)


def pptp(data: bytes) -> bytes:
    """Return the IP packet that GRE of version 1 carries.

    Raises
    ------
    NoPacket
        It carries none: an acknowledgement, or a frame of PPP's own.
    """
    flags, kind, length = struct.unpack_from("!HHH", data)
    if kind != _PPTP:
        raise NoPacket("GRE: of version 1, and not PPTP's")
    if not flags & 0x1000:
        raise NoPacket("PPTP: an acknowledgement")
    at = 12 + 4 * bool(flags & 0x0080)
    return _ip("PPTP", data[at : at + length])


def l2tp(data: bytes) -> bytes | None:
    """Return the IP packet that L2TP of version 2 carries; None for its control messages, and what is no L2TP.

    Raises
    ------
    NoPacket
        It carries a frame of PPP's own, or one that is encrypted.
    """
    flags = int.from_bytes(data[:2], "big")
    if len(data) < 6 or flags & 0x000F != 2 or flags & 0x8000:
        return None
    at = 6 + 2 * bool(flags & 0x4000) + 4 * bool(flags & 0x0800)
    if flags & 0x0200:  # padding, with its length before it
        at += 2 + int.from_bytes(data[at : at + 2], "big")
    return _ip("L2TP", data[at:])


def _ip(tunnel: str, frame: bytes) -> bytes:
    frame = frame.removeprefix(b"\xff\x03")  # address and control, unless both sides agreed to leave them out
    if not frame:
        raise NoPacket(f"{tunnel}: a packet cut before what it carries")
    size = 1 if frame[0] & 1 else 2  # as for the first byte of the protocol, which is even
    protocol = int.from_bytes(frame[:size], "big")
    if protocol in _ENCRYPTED:
        raise NoPacket(f"{tunnel}: PPP compressed or encrypted")
    if protocol not in _IP:
        raise NoPacket(f"{tunnel}: a frame of PPP that is no IP")
    return frame[size:]
