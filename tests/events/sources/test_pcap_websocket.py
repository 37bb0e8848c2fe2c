from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.events.sources.pcap.event_draft import Endpoints, EventDraft, PacketRef
from overproof.events.sources.pcap.payload import FIRST
from overproof.events.sources.pcap.websocket import MOST_INFLATED, WebSocketReader

from .pcaps import client_says, event_texts, pcap, read, timed

ENDPOINTS = Endpoints("10.0.0.1", 4000, "10.0.0.2", 80, "tcp", "1:x")
REQUEST = (
    b"GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
ATTACK = b'{"q": "1\' union select password from users--"}'


def frame(said: bytes, *, first: int = 0x81, mask: bytes = b"\x37\xfa\x21\x3d") -> bytes:
    """A frame as a client sends it: `first` holds FIN, RSV1 to RSV3 and the opcode."""
    size = len(said)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2) if size < 1 << 16 else b""
    length = length or b"\xff" + size.to_bytes(8)
    return bytes([first]) + length + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(said))


def drafts_of(sent: bytes, step: int = 1460) -> list[EventDraft]:
    reader, drafts = WebSocketReader(ENDPOINTS), list[EventDraft]()
    for number, at in enumerate(range(0, len(sent), step), 1):
        if reader.rest is None:
            drafts += reader.feed(sent[at : at + step], PacketRef(number, 0.0))
    return drafts + reader.finish(0)


def said_in(sent: bytes, step: int = 1460) -> list[tuple[str, bool]]:
    return [(draft.text, draft.overflow) for draft in drafts_of(sent, step)]


def test_the_examples_of_the_rfc() -> None:
    """RFC 6455, 5.7, and RFC 7692, 7.2.3: masked, fragmented, a ping between, compressed."""
    masked = bytes.fromhex("818537fa213d7f9f4d5158")
    assert said_in(masked) == [("Hello", False)]
    fragments = (
        bytes.fromhex("010348656c") + bytes.fromhex("89054865 6c6c6f".replace(" ", "")) + bytes.fromhex("80026c6f")
    )
    assert said_in(fragments) == [("Hello", False), ("Hello", False)]
    compressed = bytes.fromhex("c107f248cdc9c90700")
    again = bytes.fromhex("c105f200110000")  # by what the first one said
    assert said_in(compressed + again) == [("Hello", False), ("Hello", False)]
    parts = bytes.fromhex("4103f248cd") + bytes.fromhex("8004c9c90700")
    assert said_in(parts) == [("Hello", False)]


@given(
    st.lists(st.tuples(st.binary(min_size=1, max_size=300), st.integers(1, 3)), max_size=6),
    st.integers(1, 400),
    st.booleans(),
)
def test_messages_are_read_however_they_are_cut(said: list[tuple[bytes, int]], step: int, compressed: bool) -> None:
    machine, sent = zlib.compressobj(wbits=-15), b""
    for text, parts in said:
        content = (
            (machine.compress(text) + machine.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\x00\x00\xff\xff")
            if compressed
            else text
        )
        size = -(-len(content) // parts) or 1
        pieces = [content[at : at + size] for at in range(0, len(content), size)] or [b""]
        for number, piece in enumerate(pieces):
            final, first = 0x80 * (number == len(pieces) - 1), (0x42 if compressed else 0x02) if number == 0 else 0
            sent += frame(piece, first=final | first, mask=bytes([number, 7, 0, 255]))
    found = drafts_of(sent, step)
    assert [draft.text for draft in found] == [draft.text for text, _ in said for draft in drafts_of(frame(text))]
    assert not any(draft.overflow for draft in found)


def test_a_long_message_is_cut_and_says_so() -> None:
    long = bytes(random.Random(0).choices(b"abcdef", k=70_000))
    assert said_in(frame(long) + frame(b"next")) == [(long[:FIRST].decode(), True), ("next", False)]
    assert said_in(frame(long)[:5_000]) == [(long[:FIRST].decode(), True)]
    assert said_in(frame(b"whole") + frame(b"not yet")[:-3]) == [("whole", False), ("not ", True)]


def test_a_bomb_is_not_inflated() -> None:
    machine = zlib.compressobj(9, wbits=-15)
    bomb = machine.compress(b"a" * (64 * MOST_INFLATED)) + machine.flush(zlib.Z_SYNC_FLUSH)
    found = said_in(frame(bomb, first=0xC1) + frame(b"\xf2\x00\x11\x00\x00", first=0xC1) + frame(b"plain"))
    assert found[0] == ("a" * FIRST, True)
    assert found[1][1]  # what it refers to is not known any more
    assert found[2] == ("plain", False)


@pytest.mark.parametrize("sent", [b"\x83\x80abcd", b"\xf1\x80abcd", b"\x80\x81abcdx", b"hello there"])
def test_what_is_no_frame_is_left_for_others(sent: bytes) -> None:
    reader = WebSocketReader(ENDPOINTS)
    assert reader.feed(sent, PacketRef(1, 0.0)) == []
    assert reader.rest == sent


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_end(sent: bytes, step: int) -> None:
    drafts_of(sent, step)


def test_what_a_client_says_after_the_upgrade_is_judged_as_it_was_said() -> None:
    sent = REQUEST + frame(ATTACK) + frame(b"ping", first=0x89) + frame(ATTACK[::-1])
    rows, rejects = read(pcap(timed(client_says(sent, step=50))))
    assert [row["text"] for row in rows if row["kind"] != "flow"] == [
        "HTTP GET /chat host=h",
        ATTACK.decode(),
        "ping",
        ATTACK[::-1].decode(),
    ]
    payload = next(row for row in rows if row["text"] == ATTACK.decode())
    assert (payload["kind"], payload["protocol"], payload["overflow"]) == ("payload", "websocket", False)
    assert rejects.summary() == {}


def test_an_upgrade_that_was_refused_changes_nothing() -> None:
    sent = client_says(REQUEST + b"GET /next HTTP/1.1\r\n\r\n")
    assert event_texts(sent)[:-1] == ["HTTP GET /chat host=h", "HTTP GET /next"]


def test_what_follows_and_is_no_frame_is_a_payload() -> None:
    sent = client_says(REQUEST + frame(b"one") + b"\xff\xff\xff' or 1=1--")
    assert event_texts(sent)[:-1] == ["HTTP GET /chat host=h", "one", "\\xff\\xff\\xff' or 1=1--"]
