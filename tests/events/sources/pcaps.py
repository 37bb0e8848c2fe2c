"""Captures that tests make: packets byte by byte, files around them, and what read_pcap says of them."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from overproof.events.sources import Rejects
from overproof.events.sources.interface import Input, ReadOptions
from overproof.events.sources.pcap import read_pcap
from overproof.events.sources.stream import KEPT, open_input

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
CLIENT, SERVER = "10.0.0.1", "10.0.0.2"
Row = dict[str, Any]
Timed = tuple[float, bytes]


def packed(address: str) -> bytes:
    return bytes(map(int, address.split(".")))


def ip(source: str, target: str, protocol: int, data: bytes, *, number: int = 0, fragment: int = 0) -> bytes:
    """An IPv4 packet; nobody here looks at its checksum."""
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), number, fragment, 64, protocol, 0)
    return head + packed(source) + packed(target) + data


def ethernet(data: bytes, kind: int = 0x0800) -> bytes:
    return bytes(12) + kind.to_bytes(2, "big") + data


def udp(source: str, sport: int, target: str, dport: int, data: bytes) -> bytes:
    return ethernet(ip(source, target, 17, struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data))


def tcp(
    source: str, sport: int, target: str, dport: int, flags: int, seq: int = 0, ack: int = 0, data: bytes = b""
) -> bytes:
    head = struct.pack("!HHIIBBHHH", sport, dport, seq % 2**32, ack % 2**32, 0x50, flags, 1024, 0, 0)
    return ethernet(ip(source, target, 6, head + data))


def from_client(
    flags: int, seq: int = 0, data: bytes = b"", *, port: int = 80, sport: int = 4000, ack: int = 0
) -> bytes:
    return tcp(CLIENT, sport, SERVER, port, flags, seq, ack, data)


def from_server(
    flags: int, seq: int = 0, data: bytes = b"", *, port: int = 80, sport: int = 4000, ack: int = 0
) -> bytes:
    return tcp(SERVER, port, CLIENT, sport, flags, seq, ack, data)


def handshake(port: int = 80, sport: int = 4000) -> list[bytes]:
    """The client's numbers begin at 100, the server's at 900."""
    return [
        from_client(SYN, 99, port=port, sport=sport),
        from_server(SYN | ACK, 899, ack=100, port=port, sport=sport),
        from_client(ACK, 100, ack=900, port=port, sport=sport),
    ]


def client_says(data: bytes, *, port: int = 80, sport: int = 4000, step: int = 1000) -> list[bytes]:
    """A connection in which the client says something, in segments of `step` bytes."""
    segments = [
        from_client(PSH | ACK, 100 + at, data[at : at + step], ack=900, port=port, sport=sport)
        for at in range(0, len(data), step)
    ]
    return [*handshake(port, sport), *segments]


def timed(packets: Iterable[bytes], start: float = 1_600_000_000.0, step: float = 0.001) -> list[Timed]:
    return [(start + step * place, packet) for place, packet in enumerate(packets)]


def pcap(packets: Sequence[Timed], *, link: int = 1, order: str = "<", nano: bool = False, cut: int = 1 << 16) -> bytes:
    """A pcap file."""
    ticks = 10**9 if nano else 10**6
    file = struct.pack(order + "IHHIIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, cut, link)
    for time, data in packets:
        kept = data[:cut]
        file += struct.pack(order + "IIII", int(time), round(time % 1 * ticks) % ticks, len(kept), len(data)) + kept
    return file


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(
    link: int = 1, *, order: str = "<", resolution: int | None = None, limit: int = 0, offset: int | None = None
) -> bytes:
    options = b"" if offset is None else struct.pack(order + "HHq", 14, 8, offset)
    options += b"" if resolution is None else struct.pack(order + "HHB3xHH", 9, 1, resolution, 0, 0)
    return block(1, struct.pack(order + "HHI", link, 0, limit) + options, order)


def enhanced(number: int, time: float, data: bytes, *, order: str = "<", ticks: int = 10**6) -> bytes:
    high, low = divmod(round(time * ticks), 2**32)
    return block(6, struct.pack(order + "IIIII", number, high, low, len(data), len(data)) + data, order)


def blocks_of(data: bytes, size: int = 1 << 16) -> Iterator[bytes]:
    file = io.BytesIO(data)
    return iter(lambda: file.read(size), b"")


def read(capture: bytes | Path, *, extra: bool = True, batch_rows: int = 1000) -> tuple[list[Row], Rejects]:
    """The events of a capture, and what was skipped."""
    rejects, rows = Rejects(), []

    def batches(source: Input) -> None:
        for batch in read_pcap(source, ReadOptions(on_skip=rejects, batch_rows=batch_rows, extra=extra)):
            batch.validate(full=True)
            assert 0 < batch.num_rows <= batch_rows
            rows.extend(batch.to_pylist())

    if isinstance(capture, bytes):
        batches(Input("a.pcap", None, capture[:KEPT], blocks_of(capture)))
    else:
        with open_input(capture) as source:
            batches(source)
    return rows, rejects


def texts(capture: bytes | Path, kind: str | None = None) -> list[str]:
    return [row["text"] for row in read(capture)[0] if kind in (None, row["kind"])]


def event_texts(packets: Sequence[bytes], kind: str | None = None) -> list[str]:
    """Texts of the events of packets a millisecond apart."""
    return texts(pcap(timed(packets)), kind)
