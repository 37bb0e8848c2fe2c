"""Captures that were once read wrongly, each with its right value (tests/cases)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Rejects, load_events, read_events
from overproof.events.sources.pcap.tcp_stream import LACKING

from .pcaps import ACK, CLIENT, SERVER, Row, client_says, from_server, pcap, read, timed, udp


@pytest.fixture(scope="session")
def cases(root: Path) -> Path:
    return root / "tests/cases"


def content(path: Path) -> list[tuple[str, bool]]:
    """Texts of the events that hold content, and whether it was cut."""
    return [(row["text"], row["overflow"]) for row in read(path)[0] if row["kind"] not in ("flow", "flows")]


@pytest.mark.parametrize(("name", "cut"), [("longtoken20000", True), ("benign8k", True), ("pad7000", False)])
def test_a_body_is_judged_whole_or_marked(cases: Path, name: str, cut: bool) -> None:
    ((text, overflow),) = content(cases / f"30-http-body-padding/{name}.pcap")
    assert overflow is cut
    assert ("UNION" in text) is (name == "pad7000")


def test_packets_cut_by_a_snap_length_are_marked(cases: Path) -> None:
    folder = cases / "18-pcap-snaplen"
    assert [overflow for _, overflow in content(folder / "snap96.pcap")] == [True]
    found = content(folder / "snap128-two-requests.pcap")
    assert len(found) == 2
    assert all(overflow for _, overflow in found)


def test_packets_cut_before_their_content_are_counted(cases: Path) -> None:
    rows, rejects = read(cases / "18-pcap-snaplen/snap54.pcap")
    assert [row["kind"] for row in rows if row["kind"] != "flow"] == []
    assert rejects.summary() == {LACKING: 1}


def test_times_count_from_the_offset_of_their_interface(cases: Path) -> None:
    rows, rejects = read(cases / "20-pcap-tcp/two-interfaces-tsoffset.pcapng")
    assert {row["time"][:10] for row in rows} == {"2026-01-05"}
    assert rejects.total == 0


def test_a_modified_pcap_is_read(cases: Path) -> None:
    table = load_events(cases / "17-binary-as-lines/modified.pcap", rejects=Rejects())
    assert "http-request" in table["kind"].to_pylist()


def test_a_snoop_capture_is_refused_by_name(cases: Path) -> None:
    with pytest.raises(InputError, match="a capture of snoop"):
        list(read_events(cases / "17-binary-as-lines/solaris.snoop", format="pcap", on_skip=pytest.fail))


def test_datagrams_after_the_first_two_kilobytes_are_marked(cases: Path) -> None:
    rows: list[Row] = read(cases / "32-udp-later-datagrams/sip.pcap")[0]
    assert [row["overflow"] for row in rows if row["kind"] == "payload"] == [True]


def test_what_only_begins_like_tls_is_marked() -> None:
    rows, _ = read(pcap(timed(client_says(b"\x16\x03\x01GET /?id=1' or 1=1 HTTP/1.1\r\n\r\n"))))
    assert [row["overflow"] for row in rows if row["kind"] == "tls"] == [True]


@pytest.mark.parametrize(
    ("line", "client"),
    [(b"OpenSSH_9.6 Debian-1", "OpenSSH_9.6"), (b"x ${jndi:ldap://a.test/b}", "x ${jndi:ldap://a.test/b}")],
)
def test_an_unusual_comment_of_an_ssh_client_is_shown(line: bytes, client: str) -> None:
    rows, _ = read(pcap(timed(client_says(b"SSH-2.0-" + line + b"\r\n", port=22))))
    (text,) = (row["text"] for row in rows if row["kind"] == "ssh")
    assert f" client={client} " in text


def test_a_packet_whose_length_the_card_left_out_is_seen_to_be_cut() -> None:
    packets = client_says(b"GET /?a=" + b"x" * 200 + b" HTTP/1.1\r\n\r\n")
    packets[3] = packets[3][:16] + bytes(2) + packets[3][18:]
    for snap, overflow in ((1600, False), (100, True)):
        rows, _ = read(pcap(timed(packets), cut=snap))
        assert [row["overflow"] for row in rows if row["kind"] == "http-request"] == [overflow]


def test_an_answer_to_several_questions_is_marked() -> None:
    question = b"\1a\0\0\1\0\1"
    for count in (1, 2):
        data = b"\0\7\x81\x80" + bytes([0, count]) + bytes(6) + question * count
        rows, _ = read(pcap(timed([udp(SERVER, 53, CLIENT, 4000, data)])))
        assert [row["overflow"] for row in rows if row["kind"] == "dns-query"] == [count > 1]


# nothing vanishes: what was sent is in a text, or an event says overflow, or a reason is counted

MARK = "MARK"


@given(
    st.lists(st.integers(0, 3000), min_size=2, max_size=4),
    st.integers(30, 1500),
    st.integers(54, 1600),
    st.sets(st.integers(3, 40), max_size=4),
    st.integers(0, 3),
)
def test_a_mark_in_a_request_is_judged_or_its_absence_is_said(
    pads: list[int], step: int, snap: int, lost: set[int], place: int
) -> None:
    bodies = [b"x" * pad + (MARK.encode() if i == place % len(pads) else b"") + b"y" * 9 for i, pad in enumerate(pads)]
    said = b"".join(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body for body in bodies)
    packets = [packet for i, packet in enumerate(client_says(said, step=step)) if i not in lost]
    packets.append(from_server(ACK, 900, ack=100 + len(said)))
    rows, rejects = read(pcap(timed(packets), cut=snap))
    assert any(MARK in row["text"] for row in rows) or any(row["overflow"] for row in rows) or rejects.total


@given(st.lists(st.tuples(st.integers(0, 1200), st.booleans()), min_size=1, max_size=6), st.integers(42, 1600))
@example([(0, True)], 1600)
def test_a_mark_in_a_datagram_is_judged_or_its_absence_is_said(sizes: list[tuple[int, bool]], snap: int) -> None:
    packets = []
    for i, (size, marked) in enumerate(sizes):
        data = b"x" * size + (MARK.encode() if marked else b"")
        packets.append(udp(CLIENT, 5060 if i % 2 else 123, SERVER, 40_000, data))
    rows, rejects = read(pcap(timed(packets), cut=snap))
    wanted = sum(marked for _, marked in sizes)
    found = sum(row["text"].count(MARK) for row in rows)
    assert found == wanted or any(row["overflow"] for row in rows) or rejects.total
