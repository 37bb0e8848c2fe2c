"""docs/guide/limits.md: it names every limit with its value, and each one that cuts says so when it is reached."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from overproof.bundle.tokenizer import TOKEN_CHARACTERS, Windowing, cut, train_bpe
from overproof.events import sources
from overproof.events.sources import Rejects, load_events
from overproof.events.sources.pcap import flows
from overproof.events.sources.pcap.event_draft import Endpoints, EventDraft, PacketRef, Reader
from overproof.events.sources.pcap.http import HttpReader
from overproof.events.sources.pcap.payload import PayloadReader
from overproof.events.sources.pcap.ssh import SshReader
from overproof.events.sources.pcap.tls import TlsReader
from overproof.events.sources.pcap.websocket import WebSocketReader
from overproof.inference.service.limits import Limits as ServiceLimits

from .events.sources.pcaps import (
    ACK,
    CLIENT,
    PSH,
    SERVER,
    client_says,
    ethernet,
    from_client,
    handshake,
    ip,
    pcap,
    read,
    timed,
    udp,
)

ROW = re.compile(
    r"\| (?P<name>[^|]+) \| (?P<value>[^|]+) \| `(?P<file>[\w/]+\.py)` `(?P<constant>[\w.]+)`[^|]* \| (?P<said>.+) \|"
)
NO_LIMITS = set("DICTIONARY_PAGE DELTA_BYTE_ARRAY ETHERNET RAW TCP UDP ICMP ICMP6 FIN SYN RST ACK POLL MINUTE".split())


class Limit(NamedTuple):
    name: str
    value: str
    module: str
    constant: str
    said: str

    @property
    def key(self) -> str:
        return f"{self.module.rpartition('.')[2]}.{self.constant}"


@pytest.fixture(scope="module")
def tables(root: Path) -> tuple[list[Limit], list[Limit]]:
    """The limits that cut, and the bounds that do not."""
    cutting, others = (root / "docs/guide/limits.md").read_text().split("## What splits")
    return parsed(cutting), parsed(others)


def transaction(body: bytes = b"") -> bytes:
    about = b"[14/Nov/2023:10:15:32 +0000] a 192.0.2.7 1 10.0.0.1 80"
    return b"--aaaa-A--\n%b\n--aaaa-B--\nGET / HTTP/1.1\n\n--aaaa-C--\n%b\n--aaaa-Z--\n" % (about, body)


def parsed(text: str) -> list[Limit]:
    rows = [line for line in text.splitlines() if line.startswith("| ") and "`" in line and "where (" not in line]
    found = [ROW.fullmatch(line) for line in rows]
    assert all(found), [line for line, match in zip(rows, found, strict=True) if match is None]
    return [
        Limit(m["name"], m["value"], "overproof." + m["file"][:-3].replace("/", "."), m["constant"], m["said"])
        for m in found
        if m is not None
    ]


def value_of(limit: Limit) -> Any:
    found: Any = import_module(limit.module)
    for part in limit.constant.split("."):
        found = getattr(found, part)
    return found


def test_the_document_has_the_values_of_the_code(tables: tuple[list[Limit], list[Limit]]) -> None:
    for limit in (limit for table in tables for limit in table):
        if limit.value == "the capture's":
            continue
        assert f"{value_of(limit):,.0f}" == limit.value.split(" ")[0], limit.key


def test_the_document_has_every_limit_of_the_sources(tables: tuple[list[Limit], list[Limit]]) -> None:
    listed = {(limit.module, limit.constant) for table in tables for limit in table}
    found = set()
    for about in walk_packages(sources.__path__, "overproof.events.sources."):
        module = import_module(about.name)
        written = Path(str(module.__file__)).read_text()
        for name in re.findall(r"^([A-Z][A-Z_, ]*) = ", written, re.MULTILINE):
            for each in name.split(", "):
                if isinstance(getattr(module, each), int | float) and each not in NO_LIMITS:
                    found.add((about.name, each))
    assert found - listed == set()


def test_the_document_has_every_limit_of_the_service(tables: tuple[list[Limit], list[Limit]]) -> None:
    listed = {limit.constant for limit in tables[1] if limit.module == "overproof.inference.service.limits"}
    ours = {f"Limits.{field.name}" for field in fields(ServiceLimits)} - {"Limits.scorers"}  # the machine's
    assert ours == listed


# ── each limit that cuts, reached ─────────────────────────────────────────────

ENDPOINTS = Endpoints(CLIENT, 4000, SERVER, 80, "tcp", "1:x")
START = PacketRef(1, 0.0)
POST = b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n"
Said = tuple[bool, dict[str, int]]  # whether an event says overflow, and what was counted


def compressed(said: bytes) -> bytes:
    """A message of a WebSocket, compressed and in one frame."""
    machine = zlib.compressobj(wbits=-15)
    content = machine.compress(said) + machine.flush(zlib.Z_SYNC_FLUSH)
    return b"\xc1\x7e" + len(content).to_bytes(2) + content


def of_reader(reader: Reader, *pieces: bytes) -> Said:
    drafts: list[EventDraft] = []
    for piece in pieces:
        drafts += [] if reader.done or reader.rest is not None else reader.feed(piece, START)
    drafts += reader.finish(0)
    return any(draft.overflow for draft in drafts), {}


def of_packets(*packets: bytes, cut: int = 1 << 16) -> Said:
    rows, rejects = read(pcap(timed(packets), cut=cut))
    return any(row["overflow"] for row in rows), rejects.summary()


def of_file(name: str, data: bytes, folder: Path) -> Said:
    rejects = Rejects()
    (folder / name).write_bytes(data)
    table = load_events(folder / name, rejects=rejects)
    return any(table["overflow"].to_pylist()), rejects.summary()


def of_windows(text: str) -> Said:
    tokenizer = train_bpe(["a b c"] * 4, vocabulary=300)
    return bool(cut(tokenizer, [text], Windowing(size=8, overlap=2, limit=2)).overflow[0]), {}


def question(count: int, data: bytes = b"\1a\0\0\1\0\1", answers: int = 0, more: bytes = b"") -> bytes:
    head = bytes([0, 7, 0x81 if answers else 1, 0, *count.to_bytes(2, "big"), *answers.to_bytes(2, "big"), 0, 0, 0, 0])
    return head + data * count + more


def fragment(number: int, offset: int, data: bytes) -> bytes:
    return ethernet(ip(CLIENT, SERVER, 17, data, number=number, fragment=0x2000 | offset // 8))


def nested(depth: int) -> bytes:
    data = client_says(b"a")[3][14:]
    for _ in range(depth):
        data = ip(CLIENT, SERVER, 4, data)
    return ethernet(data)


def encoded(coding: bytes, body: bytes) -> tuple[bytes, bytes]:
    return b"POST / HTTP/1.1\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding, len(body)), body


def long_name(size: int) -> bytes:
    """What gzip makes of a little, with a file's name before it."""
    packed = gzip.compress(b"a=1")
    return packed[:3] + b"\x08" + packed[4:10] + b"x" * size + b"\0" + packed[10:]


def behind_a_hole(size: int, pieces: int) -> Iterator[bytes]:
    """A request, a hole, and pieces of `size` bytes with holes between them."""
    yield from handshake()
    yield from_client(PSH | ACK, 100, POST, ack=900)
    for i in range(pieces):
        yield from_client(PSH | ACK, 1000 + 2 * i * size, b"x" * size, ack=900)
    yield from_client(PSH | ACK, 1000 + 2 * pieces * size, b"GET /last HTTP/1.1\r\n\r\n", ack=900)


def contradictions() -> Iterator[bytes]:
    yield from client_says(POST + b"123456789")
    for i in range(10):
        yield from_client(PSH | ACK, 100, bytes([65 + i]) * 20, ack=900)


def many_flows() -> Iterator[bytes]:
    for port in range(1, 12):
        yield from client_says(POST + b"12345", sport=port)


def lowered(name: str, to: int) -> Said:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flows, name, to)
        return of_packets(*many_flows())


def late_fragments() -> Said:
    packets = [(1e9, fragment(1, 0, b"x" * 8)), (1e9 + 31, fragment(2, 0, b"x" * 8))]
    rows, rejects = read(pcap(packets))
    return any(row["overflow"] for row in rows), rejects.summary()


def large_page() -> bytes:
    out = io.BytesIO()
    texts = pa.table({"text": [f"{i}{'x' * (1 << 20)}" for i in range(129)]})
    with pq.ParquetWriter(out, texts.schema, compression="zstd", use_dictionary=False) as writer:
        writer.write_table(texts)
        writer.write_table(pa.table({"text": ["a"]}))
    return out.getvalue()


REACHED: dict[str, Callable[[Path], Said]] = {
    "stream.LONGEST": lambda folder: of_file("a.txt", b"a\n" + b"x" * ((16 << 20) + 1), folder),
    "parquet_pages.PAGE": lambda folder: of_file("a.parquet", large_page(), folder),
    "csv.MOST_LINES": lambda folder: of_file("a.csv", b'text\na\n"b\n' + b"c\n" * 1001, folder),
    "serial.MOST_LINES": lambda folder: of_file("a.log", transaction() + transaction(b"\n" * (1 << 18)), folder),
    "export.MOST_FIELDS": lambda folder: of_file(
        "a.export",
        b"__CURSOR=1\n__X=1\nMESSAGE=a\n\n__CURSOR=2\n" + b"".join(b"F%d=\n" % i for i in range(4096)) + b"\n",
        folder,
    ),
    "tokenizer.Windowing.limit": lambda _: of_windows("a b c " * 20),
    "tokenizer.TOKEN_CHARACTERS": lambda _: of_windows("x" * (TOKEN_CHARACTERS * 12 + 1)),
    "tcp_stream.LACKING": lambda _: of_packets(*client_says(POST + b"123456789"), cut=95),
    "tunnels.DEEPEST": lambda _: of_packets(nested(9)),
    "request.LONGEST_HEAD": lambda _: of_reader(HttpReader(ENDPOINTS), b"GET / HTTP/1.1\r\nA: ", b"x" * 65_536),
    "request.LONGEST_BODY": lambda _: of_reader(
        HttpReader(ENDPOINTS), b"POST / HTTP/1.1\r\nContent-Length: 8193\r\n\r\n", b"x" * 8_193
    ),
    "codings.LONGEST_CODED": lambda _: of_reader(HttpReader(ENDPOINTS), *encoded(b"gzip", long_name(66_000))),
    "codings.MOST_CODINGS": lambda _: of_reader(HttpReader(ENDPOINTS), *encoded(b"gzip," * 5, gzip.compress(b"a"))),
    "payload.FIRST": lambda _: of_reader(PayloadReader(ENDPOINTS, START, None), b"x" * 2_048, b"x"),
    "websocket.MOST_INFLATED": lambda _: of_reader(WebSocketReader(ENDPOINTS), compressed(b"x" * (1 << 20) + b"y")),
    "tls.LONGEST": lambda _: of_reader(TlsReader(ENDPOINTS, START), b"\x16\3\1\x40\0\1\0\xff\xff", b"x" * 16_384),
    "ssh.LONGEST": lambda _: of_reader(SshReader(ENDPOINTS, START), b"SSH-2.0-" + b"x" * 300),
    "message.MOST": lambda _: of_packets(udp(CLIENT, 4000, SERVER, 53, question(65))),
    "message.LONGEST_DATA": lambda _: of_packets(
        udp(SERVER, 53, CLIENT, 4000, question(1, answers=1, more=b"\1a\0\3\xe7\0\1\0\0\0\0\1\0" + b"x" * 256))
    ),
    "reassembly.WAITING": lambda _: of_packets(*behind_a_hole(1000, 300)),
    "reassembly.PIECES": lambda _: of_packets(*behind_a_hole(1, 1100)),
    "reassembly.FAR": lambda _: of_packets(*client_says(b"hello"), from_client(ACK, 1 << 30, b"x", ack=900)),
    "tcp_stream.APART": lambda _: of_packets(*contradictions()),
    "tcp_stream.LINE": lambda _: of_packets(
        *handshake(),
        from_client(PSH | ACK, 100, POST, ack=900),
        from_client(PSH | ACK, 1000, b"x" * 5000 + b" HTTP/1.1\r\n\r\n", ack=900),
    ),
    "flows.MAX_FLOWS": lambda _: lowered("MAX_FLOWS", 10),
    "flows.MAX_BUFFERED": lambda _: lowered("MAX_BUFFERED", 200),
    "fragments.MOST": lambda _: of_packets(
        *(fragment(number, 0, b"x" * 8) for number in range(513)), *client_says(b"a")
    ),
    "fragments.PATIENCE": lambda _: late_fragments(),
    "fragments.LARGEST": lambda _: of_packets(fragment(1, 65_528, b"x" * 16), *client_says(b"a")),
}


def test_every_limit_that_cuts_has_a_test(tables: tuple[list[Limit], list[Limit]]) -> None:
    assert [limit.key for limit in tables[0]] == list(REACHED)


@pytest.mark.parametrize("key", REACHED)
def test_a_limit_that_is_reached_says_so(key: str, tables: tuple[list[Limit], list[Limit]], tmp_path: Path) -> None:
    limit = next(limit for limit in tables[0] if limit.key == key)
    overflow, counted = REACHED[key](tmp_path)
    reasons = re.findall(r'"([^"]+)"', limit.said)
    assert limit.said.startswith("`overflow`") or reasons
    assert overflow or not limit.said.startswith("`overflow`")
    assert limit.said.startswith("`overflow`") or reasons[0] in counted
