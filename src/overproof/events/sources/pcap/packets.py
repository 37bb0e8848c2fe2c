"""Read one packet of a flow: its addresses, ports and payload."""

from __future__ import annotations

import struct
from typing import NamedTuple

from overproof.events.sources.pcap.ip import Network, NoPacket
from overproof.events.sources.pcap.records import Record

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
FIN, SYN, RST, ACK = 1, 2, 4, 16

_PORTS = struct.Struct("!HH")
_TCP = struct.Struct("!HHIIBB")


class Packet(NamedTuple):
    """The parts of one packet that the layers above need.

    Attributes
    ----------
    number, time, size
        As in its record.
    protocol
        The number of the transport protocol: `TCP`, `UDP`, ….
    source, target
        Packed addresses.
    sport, dport
        Ports; for ICMP its type and code, else 0.
    flags, seq, ack
        Of TCP.
    payload
        What was captured of the transport's payload.
    length
        Bytes of it on the wire.
    """

    number: int
    time: float
    size: int
    protocol: int
    source: bytes
    target: bytes
    sport: int
    dport: int
    flags: int
    seq: int
    ack: int
    payload: bytes
    length: int


def transport(record: Record, time: float, ip: Network) -> Packet:
    """Read a packet's ports and payload.

    Raises
    ------
    NoPacket
        If it was cut before them.
    """
    data, sport, dport, flags, seq, ack, head = ip.data, 0, 0, 0, 0, 0, 0
    try:
        if ip.protocol == TCP:
            sport, dport, seq, ack, words, flags = _TCP.unpack_from(data)
            head = max(words >> 4, 5) * 4
        elif ip.protocol == UDP:
            sport, dport = _PORTS.unpack_from(data)
            head = 8
        elif ip.protocol in (ICMP, ICMP6):
            sport, dport = data[0], data[1]
            head = 8
    except (struct.error, IndexError):
        raise NoPacket("a packet cut before its ports") from None
    addresses = (ip.source, ip.target, sport, dport)
    rest = max(0, ip.length - head)
    return Packet(record.number, time, record.size, ip.protocol, *addresses, flags, seq, ack, data[head:], rest)
