from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.events.sources.pcap.tls import client_hello

from .pcaps import client_says, event_texts, from_server, handshake, pcap, read, timed


def vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size, "big") + data


def extension(kind: int, data: bytes) -> bytes:
    return struct.pack("!H", kind) + vector(2, data)


def numbers(*values: int) -> bytes:
    return struct.pack(f"!{len(values)}H", *values)


NAME = extension(0, vector(2, b"\0" + vector(2, b"www.a.test")))
ALPN = extension(16, vector(2, vector(1, b"h2") + vector(1, b"http/1.1")))
VERSIONS = extension(43, vector(1, numbers(0x7A7A, 0x0304, 0x0303)))
GREASE = extension(0x2A2A, b"")


def hello(extensions: bytes, ciphers: bytes = numbers(0x0A0A, 0x1301, 0x1302, 0xC02B), record: int = 1 << 14) -> bytes:
    body = struct.pack("!H", 0x0303) + bytes(32) + vector(1, b"") + vector(2, ciphers) + vector(1, b"\0")
    message = b"\x01" + vector(3, body + vector(2, extensions))
    pieces = [message[at : at + record] for at in range(0, len(message), record)]
    return b"".join(b"\x16\x03\x01" + vector(2, piece) for piece in pieces)


@pytest.mark.parametrize("step", [1, 10, 1000])
@pytest.mark.parametrize("record", [20, 1 << 14])
def test_a_hello_is_read_from_segments_and_records(step: int, record: int) -> None:
    raw = hello(NAME + ALPN + VERSIONS + GREASE, record=record) + b"\x17\x03\x03\x00\x02xx"
    rows, _ = read(pcap(timed(client_says(raw, port=443, step=step))))
    row = next(row for row in rows if row["kind"] == "tls")
    assert row["text"] == f"TLS 10.0.0.1 sni=www.a.test hello=t13d0303h2 bytes=2^{len(raw).bit_length() - 1}"
    assert (row["host"], row["protocol"], row["dst_port"]) == ("www.a.test", "tls", 443)
    assert next(row for row in rows if row["kind"] == "flow")["text"].startswith("flow proto=tcp service=ssl ")


def test_the_shape_is_that_of_ja4() -> None:
    many = numbers(*range(0x2000, 0x2000 + 120))
    assert client_hello(hello(b"", many)).ja4_a == "t12i990000"
    assert client_hello(hello(extension(16, vector(2, vector(1, b"\xab\xcd"))))).ja4_a == "t12i030100"
    assert client_hello(hello(extension(16, vector(2, vector(1, b"x"))))).ja4_a == "t12i0301xx"


def test_a_hello_cut_short_is_still_a_session() -> None:
    assert event_texts(client_says(hello(NAME)[:30], port=443))[0] == "TLS 10.0.0.1 sni=- bytes=2^4"


@given(st.binary(max_size=60), st.integers(0, 120))
def test_any_bytes_give_no_error(data: bytes, at: int) -> None:
    client_hello(data)
    raw = hello(NAME + ALPN + VERSIONS)
    client_hello(raw[:at] + data + raw[at + len(data) :])


def test_ssh_tells_its_client_and_is_no_payload() -> None:
    packets = [
        *handshake(22),
        from_server(16, 900, b"SSH-2.0-OpenSSH_9.6 Debian\r\n", port=22),
        *client_says(b"SSH-2.0-libssh_0.10 x\r\n\x00\x00binary", port=22, step=5)[3:],
    ]
    assert event_texts(packets)[0] == "SSH src=10.0.0.1 dst=10.0.0.2 port=22 client=libssh_0.10 bytes=2^5"
    assert event_texts(packets, "payload") == []
