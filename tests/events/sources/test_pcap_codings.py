"""Encoded bodies of requests: decoded as the server would, in bounded work, and marked where that does not do."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from overproof.events.sources.pcap.codings import LONGEST_CODED, MOST_CODINGS, codings, undone
from overproof.events.sources.pcap.request import LONGEST_BODY

from .pcaps import client_says, pcap, read, timed

TSHARK = shutil.which("tshark")
ATTACK = b"id=1' UNION SELECT password FROM users--"


def bare(data: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-15)
    return machine.compress(data) + machine.flush()


def by_arrow(codec: str) -> Callable[[bytes], bytes]:
    def pack(data: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as stream:
            stream.write(data)
        packed: bytes = sink.getvalue().to_pybytes()
        return packed

    return pack


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": lambda data: gzip.compress(data[:5]) + gzip.compress(data[5:]),  # members one after the other
    "deflate": zlib.compress,
    "Deflate": bare,
    "br": by_arrow("brotli"),
    "zstd": by_arrow("zstd"),
}


def post(body: bytes, *headers: str, chunk: int = 0) -> bytes:
    if chunk:
        pieces = [body[at : at + chunk] for at in range(0, len(body), chunk)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    length = "Transfer-Encoding: chunked" if chunk else f"Content-Length: {len(body)}"
    return "\r\n".join(["POST /login HTTP/1.1", "Host: h", *headers, length, "", ""]).encode() + body


def event(request: bytes) -> tuple[str, bool]:
    rows = read(pcap(timed(client_says(request + b"GET /next HTTP/1.1\r\n\r\n"))))[0]
    first, second = (row for row in rows if row["kind"] == "http-request")
    assert second["text"] == "HTTP GET /next"
    return first["text"], first["overflow"]


@pytest.mark.parametrize("chunk", [0, 7])
@pytest.mark.parametrize("name", PACK)
def test_an_encoded_body_is_judged_decoded(name: str, chunk: int) -> None:
    request = post(PACK[name](ATTACK), f"Content-Encoding: {name}", chunk=chunk)
    assert event(request) == ("HTTP POST /login host=h body=" + ATTACK.decode(), False)


@given(st.binary(max_size=300), st.lists(st.sampled_from(sorted(PACK)), min_size=1, max_size=MOST_CODINGS))
def test_what_was_encoded_is_decoded(data: bytes, names: list[str]) -> None:
    packed = data
    for name in names:
        packed = PACK[name](packed)
    found = codings([", ".join(names).encode()])
    assert undone(packed, found, 300) == (data, True)
    assert undone(packed, found, max(len(data) - 1, 0)) == (data[:-1], not data)


@given(st.sampled_from(sorted(PACK)), st.data())
def test_of_a_damaged_body_nothing_is_made_up(name: str, draw: st.DataObject) -> None:
    data = ATTACK * 40
    packed = bytearray(PACK[name](data))
    at = draw.draw(st.integers(1, len(packed) - 1))
    assume(not packed[at:].startswith(b"\x1f\x8b"))  # cut between two members it is whole: nobody could tell
    found = undone(bytes(packed[:at]), codings([name.encode()]), LONGEST_BODY)
    assert not found.whole
    assert data.startswith(found.data) or found.data == packed[:at]
    packed[at] ^= draw.draw(st.integers(1, 255))
    undone(bytes(packed), codings([name.encode()]), LONGEST_BODY)  # no error


@pytest.mark.parametrize("name", PACK)
def test_a_bomb_costs_no_more_than_is_kept(name: str) -> None:
    bomb = PACK[name](bytes(20_000_000))[: LONGEST_CODED + 1]
    tracemalloc.start()
    found = undone(bomb, codings([name.encode()]), LONGEST_BODY)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == (bytes(LONGEST_BODY), False)
    assert peak < 1 << 20


def test_bombs_in_one_another() -> None:
    bomb = bytes(20_000_000)
    for _ in range(3):
        bomb = gzip.compress(bomb)
    found = undone(bomb, ["gzip"] * 3, LONGEST_BODY)
    assert set(found.data) == {0}
    assert not found.whole


@pytest.mark.parametrize(
    "body",
    [
        post(ATTACK, "Content-Encoding: gzip"),  # it is not
        post(ATTACK, "Content-Encoding: compress"),  # nothing reads it
        post(ATTACK, "Content-Encoding: " + "gzip, " * 5),
    ],
)
def test_what_cannot_be_decoded_is_judged_as_it_is_and_marked(body: bytes) -> None:
    assert event(body) == ("HTTP POST /login host=h body=" + ATTACK.decode(), True)


def test_what_follows_the_encoded_bytes_is_marked() -> None:
    found = event(post(gzip.compress(b"a=1") + ATTACK, "Content-Encoding: gzip"))
    assert found == ("HTTP POST /login host=h body=a=1", True)


def test_codings_are_undone_in_the_reverse_of_their_order() -> None:
    body = zlib.compress(gzip.compress(ATTACK))
    for headers in (["Content-Encoding: gzip, deflate"], ["content-encoding: GZIP", "Content-Encoding:deflate"]):
        assert event(post(body, *headers)) == ("HTTP POST /login host=h body=" + ATTACK.decode(), False)
    over = post(body, "Transfer-Encoding: deflate", "Content-Encoding: gzip", chunk=9)
    assert event(over)[0].endswith(ATTACK.decode())
    plain = post(ATTACK, "Content-Encoding: identity")
    assert event(plain) == ("HTTP POST /login host=h body=" + ATTACK.decode(), False)


def test_an_encoded_body_longer_than_is_kept_is_marked() -> None:
    padded = gzip.compress(b"x" * LONGEST_BODY + ATTACK)
    assert event(post(padded, "Content-Encoding: gzip")) == ("HTTP POST /login host=h body=" + "x" * LONGEST_BODY, True)


def test_the_case(root: Path) -> None:
    folder = root / "tests/cases/31-http-gzip-body"
    found = {}
    for name in ("attack-gzip", "benign-gzip", "benign-plain"):
        rows, rejects = read(folder / f"{name}.pcap")
        assert rejects.total == 0
        (found[name],) = ((row["text"], row["overflow"]) for row in rows if row["kind"] == "http-request")
    assert "UNION" in found["attack-gzip"][0].upper()
    assert not any(overflow for _, overflow in found.values())
    body = found["benign-gzip"][0].partition(" body=")[2]
    assert body == found["benign-plain"][0].partition(" body=")[2] != ""


@pytest.mark.parametrize("chunk", [0, 7])
@pytest.mark.parametrize("name", ["gzip", "deflate", "Deflate", "br"])
def test_bodies_are_those_of_tshark(name: str, chunk: int, tmp_path: Path) -> None:
    if TSHARK is None:
        pytest.skip("no tshark on this machine (Debian: apt-get install tshark)")
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(timed(client_says(post(PACK[name](ATTACK), f"Content-Encoding: {name}", chunk=chunk)))))
    command = [TSHARK, "-n", "-r", path, "-T", "fields", "-e", "http.file_data"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    (theirs,) = (line for line in result.stdout.splitlines() if line)
    (ours,) = (row["text"] for row in read(path)[0] if row["kind"] == "http-request")
    assert ours.endswith(f" body={theirs}")
