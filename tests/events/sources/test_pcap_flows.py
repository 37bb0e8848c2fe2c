from __future__ import annotations

import pytest

from overproof.events.sources.pcap import flows as table
from overproof.events.sources.pcap.community import community_id
from overproof.events.sources.pcap.flow import ACTIVE, ATTEMPT, DATAGRAMS, IDLE, OVER
from overproof.events.sources.pcap.packets import SYN

from .pcaps import (
    ACK,
    CLIENT,
    FIN,
    RST,
    SERVER,
    Timed,
    client_says,
    ethernet,
    event_texts,
    from_client,
    from_server,
    handshake,
    ip,
    packed,
    pcap,
    read,
    timed,
    udp,
)

SHAKE = handshake()
C, S = from_client, from_server

STATES = {
    "S0": [C(SYN, 1)],
    "REJ": [C(SYN, 1), S(RST | ACK, 0)],
    "S1": SHAKE,
    "SF": [*SHAKE, C(FIN | ACK, 100), S(FIN | ACK, 900)],
    "S2": [*SHAKE, C(FIN | ACK, 100)],
    "S3": [*SHAKE, S(FIN | ACK, 900)],
    "RSTO": [*SHAKE, C(RST, 100)],
    "RSTR": [*SHAKE, S(RST, 900)],
    "RSTOS0": [C(SYN, 1), C(RST, 2)],
    "SH": [C(SYN, 1), C(FIN, 2)],
    "SHR": [S(SYN | ACK, 1), S(FIN | ACK, 2)],
    "RSTRH": [S(SYN | ACK, 1), S(RST, 2)],
    "OTH": [C(ACK, 5, b"x"), S(ACK, 6, b"y")],
}


def word(text: str, name: str) -> str | None:
    return next((part.split("=", 1)[1] for part in text.split() if part.startswith(f"{name}=")), None)


@pytest.mark.parametrize("state", STATES)
def test_how_a_connection_went_in_the_words_of_zeek(state: str) -> None:
    (text,) = event_texts(STATES[state], "flow")
    assert word(text, "state") == state
    assert (word(text, "orig_host"), word(text, "resp_host")) == (CLIENT, SERVER)


def test_a_flow_counts_payload_each_way() -> None:
    packets = [*client_says(b"G" * 1500, port=9999), from_server(ACK, 900, b"x" * 40, port=9999)]
    (text,) = event_texts(packets, "flow")
    assert text == (
        f"flow proto=tcp state=S1 duration=2^0s orig_host={CLIENT} orig_bytes=2^10 resp_host={SERVER} resp_bytes=2^5"
    )


@pytest.mark.parametrize(
    ("packets", "service"),
    [
        ([*handshake(9999), from_server(ACK, 900, b"220 ProFTPD\r\n", port=9999)], "ftp"),
        ([*handshake(9999), from_server(ACK, 900, b"SSH-2.0-x\r\n", port=9999)], "ssh"),
        ([*handshake(9999), from_server(ACK, 900, b"J\0\0\0\x0a8.0.1-log\0rest", port=9999)], "mysql"),
        (client_says(b"\0\0\0\x85\xffSMBr", port=9999), "smb"),
        (client_says(b"GET / HTTP/1.1\r\n\r\n", port=443), "http"),
        (client_says(b"\x03\0\0\x13\x0e\xe0\0\0\0\0", port=9999), "rdp"),
        (client_says(b"PRI * HTTP/2.0\r\n\r\nSM", port=80), "http2"),
        (handshake(22), "ssh"),
        (handshake(9999), None),
        ([udp(CLIENT, 9, SERVER, 443, b"\xc0\0\0\0\x01" + bytes(30))], "quic"),
    ],
)
def test_the_service_is_recognized_by_content_first_and_port_second(packets: list[bytes], service: str | None) -> None:
    rows = [row for row in read(pcap(timed(packets)))[0] if row["kind"] == "flow"]
    assert [row["protocol"] for row in rows] == [service]
    assert word(rows[0]["text"], "service") == service


def test_plain_text_in_a_conversation_that_began_like_quic_is_judged() -> None:
    first = udp(CLIENT, 9, SERVER, 443, b"\xc0\0\0\0\x01" + bytes(30))
    encrypted = udp(CLIENT, 9, SERVER, 443, b"\x43" + bytes(range(100, 160)))
    packets = [first, encrypted, udp(CLIENT, 9, SERVER, 443, b"id=1' or 1=1")]
    assert event_texts(packets, "payload") == ["id=1' or 1=1"]
    assert event_texts(packets[:2], "payload") == []


def ended(packets: list[Timed]) -> int:
    """How many flows packets are."""
    return [row["kind"] for row in read(pcap(packets))[0]].count("flow")


@pytest.mark.parametrize(
    ("first", "later", "patience"),
    [
        (SHAKE, C(ACK, 100), IDLE),
        ([C(SYN, 99)], C(SYN, 99), ATTEMPT),
        (STATES["SF"], S(ACK, 901), OVER),
        ([udp(CLIENT, 7, SERVER, 8, b"x")], udp(SERVER, 8, CLIENT, 7, b"x"), DATAGRAMS),
    ],
)
def test_silence_ends_a_flow(first: list[bytes], later: bytes, patience: float) -> None:
    packets = timed(first)
    last = packets[-1][0]
    assert ended([*packets, (last + patience - 0.1, later)]) == 1
    assert ended([*packets, (last + patience + 0.1, later)]) == 2
    # also while other packets come
    others = [(last + second, udp("10.9.9.9", second + 1, SERVER, 8, b"")) for second in range(1, int(patience) + 2)]
    assert ended([*packets, *others, (last + patience + 2, later)]) == 2 + len(others)


def test_a_flow_that_goes_on_is_an_event_now_and_then() -> None:
    packets = [*timed(SHAKE, 0), *timed([C(ACK, 100 + second, b"x") for second in range(100)], 1, 60)]
    rows = [row for row in read(pcap(packets))[0] if row["kind"] == "flow"]
    assert len(rows) == 2
    assert [word(row["text"], "duration") for row in rows] == ["2^11s", "2^11s"]
    assert [word(row["text"], "orig_bytes") for row in rows] == ["2^5", "2^5"]
    assert ACTIVE == 3600


def test_a_new_connection_between_the_same_ports_is_a_flow_of_its_own() -> None:
    again = [C(SYN, 5000), S(SYN | ACK, 70), C(ACK, 5001, b"GET /2 HTTP/1.1\r\n\r\n", ack=71)]
    for first in (STATES["SF"], STATES["REJ"], STATES["S1"], STATES["S0"]):
        assert len(event_texts([*first, *again], "flow")) == 2
        assert event_texts([*first, *again], "http-request") == ["HTTP GET /2"]
    assert len(event_texts([*STATES["S0"], *STATES["S0"]], "flow")) == 1  # sent again


def test_open_flows_and_what_they_hold_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [C(SYN, 1, sport=1000 + number) for number in range(50)]
    seen = []
    add = table.Flows.add

    def watched(self, packet):
        drafts = add(self, packet)
        seen.append((len(self._flows), self._buffered))
        assert len(self._flows) == sum(map(len, self._by_timeout.values()))
        assert self._buffered == sum(flow.conversation.buffered for flow in self._flows.values())
        return drafts

    monkeypatch.setattr(table.Flows, "add", watched)
    monkeypatch.setattr(table, "MAX_FLOWS", 10)
    assert len(event_texts(many, "flow")) == 50
    assert max(flows for flows, _ in seen) == 10
    monkeypatch.setattr(table, "MAX_BUFFERED", 5000)
    talk = [packet for number in range(20) for packet in client_says(b"GET /" + b"a" * 900, sport=1000 + number)]
    seen.clear()
    assert len(event_texts(talk, "http-request")) == 20
    assert max(buffered for _, buffered in seen) <= 5000


def test_a_clock_that_jumps_does_not_cut_flows_to_pieces() -> None:
    packets = timed([*handshake(), *client_says(b"x" * 3000)[3:]])
    assert ended([*packets[:3], (4e9, udp("10.9.9.9", 1, SERVER, 8, b"")), *packets[3:]]) == 3


def test_a_scan_is_visible_in_the_minute_of_its_host() -> None:
    scan = []
    for port in range(1, 65):
        scan += [
            (port * 0.1, C(SYN, 1, port=port, sport=5000)),
            (port * 0.1 + 0.01, S(RST | ACK, port=port, sport=5000)),
        ]
    rows = [row for row in read(pcap(scan))[0] if row["kind"] == "flows"]
    assert [row["text"] for row in rows] == [
        f"flows src={CLIENT} dst={SERVER} conns=2^6 ports=2^6 peers=2^0 failed=100% gap=2^0s jitter=2^0%"
    ]
    assert (rows[0]["src_ip"], rows[0]["dst_ip"], rows[0]["origin"]) == (CLIENT, SERVER, "a.pcap:packet 1")
    assert rows[0]["time"] == "1970-01-01T00:00:00Z"


def test_echoes_are_summed_and_errors_are_not() -> None:
    def icmp(source: str, target: str, kind: int) -> bytes:
        return ethernet(ip(source, target, 1, bytes((kind, 0)) + bytes(14)))

    pings = [icmp(CLIENT, f"10.0.1.{host}", 8) for host in range(1, 5)]
    answers = [icmp("10.0.1.1", CLIENT, 0), icmp("10.0.1.9", CLIENT, 3)]
    rows = read(pcap(timed([*pings, *answers])))[0]
    (minute,) = (row["text"] for row in rows if row["kind"] == "flows")
    assert minute.startswith(f"flows src={CLIENT} dst=10.0.1.0/24 conns=2^2 ports=0 peers=2^2 failed=80%")
    texts = [row["text"] for row in rows if row["kind"] == "flow"]
    assert texts[0] == (
        f"flow proto=icmp state=SF duration=2^0s orig_host={CLIENT} orig_bytes=2^3 resp_host=10.0.1.1 resp_bytes=2^3"
    )
    assert (rows[0]["transport"], rows[0]["src_port"]) == ("icmp", None)


@pytest.mark.parametrize(
    ("protocol", "endpoints", "expected"),
    [  # the values of the specification's baseline
        (6, ("128.232.110.120", "66.35.250.204", 34855, 80), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (6, ("66.35.250.204", "128.232.110.120", 80, 34855), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (17, ("192.168.1.52", "8.8.8.8", 54585, 53), "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
        (1, ("192.168.0.89", "192.168.0.1", 8, 0), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
        (1, ("192.168.0.1", "192.168.0.89", 0, 0), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
    ],
)
def test_flows_have_their_community_id(protocol: int, endpoints: tuple[str, str, int, int], expected: str) -> None:
    source, target, sport, dport = endpoints
    assert community_id(protocol, packed(source), packed(target), sport, dport) == expected
