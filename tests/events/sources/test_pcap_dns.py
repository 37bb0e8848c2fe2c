from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.events.sources.pcap.message import kind_name, read_message

from .pcaps import CLIENT, SERVER, client_says, event_texts, from_server, pcap, read, timed, udp

dns = pytest.importorskip("scapy.layers.dns")


def question(name: str, kind: str = "A", number: int = 7) -> bytes:
    return bytes(dns.DNS(id=number, qr=0, qd=dns.DNSQR(qname=name, qtype=kind)))


def answer(name: str, kind: str = "A", number: int = 7, rcode: int = 0, records: list | None = None) -> bytes:
    return bytes(dns.DNS(id=number, qr=1, rcode=rcode, qd=dns.DNSQR(qname=name, qtype=kind), an=records or []))


def ask(data: bytes) -> bytes:
    return udp(CLIENT, 5000, SERVER, 53, data)


def tell(data: bytes) -> bytes:
    return udp(SERVER, 53, CLIENT, 5000, data)


RECORDS = {
    "A": (dns.DNSRR(rrname="a.test.", type="A", rdata="192.0.2.1", ttl=300), "192.0.2.1"),
    "AAAA": (dns.DNSRR(rrname="a.test.", type="AAAA", rdata="2001:db8::1", ttl=300), "2001:db8::1"),
    "CNAME": (dns.DNSRR(rrname="a.test.", type="CNAME", rdata="b.test.", ttl=300), "b.test"),
    "PTR": (dns.DNSRR(rrname="a.test.", type="PTR", rdata="b.test.", ttl=300), "b.test"),
    "TXT": (dns.DNSRR(rrname="a.test.", type="TXT", rdata=[b"v=1 ", b"\xff"], ttl=300), "v=1 \\xff"),
    "MX": (dns.DNSRRMX(rrname="a.test.", exchange="m.test.", ttl=300), "m.test"),
    "SRV": (dns.DNSRRSRV(rrname="a.test.", target="s.test.", ttl=300), "s.test"),
    "SOA": (dns.DNSRRSOA(rrname="a.test.", mname="n.test.", rname="r.test.", ttl=300), "n.test"),
    "NULL": (dns.DNSRR(rrname="a.test.", type="NULL", rdata=b"\x01abc", ttl=300), "\x01abc"),
}


@pytest.mark.parametrize("kind", RECORDS)
def test_an_answer_as_scapy_builds_it(kind: str) -> None:
    record, value = RECORDS[kind]
    message = read_message(answer("a.test", kind, records=[record]))
    assert message is not None
    assert (message.questions, message.rcode, message.answer, message.ttl) == (
        (("a.test", kind),),
        "NOERROR",
        value,
        300,
    )


def test_a_lookup_is_one_event_with_its_answer() -> None:
    record = RECORDS["A"][0]
    packets = [ask(question("www.a.test")), tell(answer("www.a.test", records=[RECORDS["CNAME"][0], record]))]
    rows, rejects = read(pcap(timed(packets)))
    row, *_ = rows
    assert row["text"] == f"dns client={CLIENT} query=www.a.test type=A rcode=NOERROR answer=b.test,192.0.2.1 ttl=2^8"
    assert (row["kind"], row["query"], row["protocol"]) == ("dns-query", "www.a.test", "dns")
    assert (row["src_ip"], row["src_port"], row["dst_ip"], row["dst_port"]) == (CLIENT, 5000, SERVER, 53)
    assert (row["origin"], rejects.total) == ("a.pcap:packet 2", 0)


def test_a_question_that_nobody_answers_and_an_answer_to_no_question() -> None:
    assert event_texts([ask(question("a.test", "TXT"))], "dns-query") == [f"dns client={CLIENT} query=a.test type=TXT"]
    refused = tell(answer("b.test", rcode=5))
    assert event_texts([refused], "dns-query") == [f"dns client={CLIENT} query=b.test type=A rcode=REFUSED answer=-"]


def test_answers_are_matched_by_number_name_and_type() -> None:
    packets = [
        ask(question("a.test", number=1)),
        ask(question("b.test", number=2)),
        tell(answer("b.test", number=2, rcode=3)),
        ask(question("b.test", number=2)),  # asked again
        tell(answer("a.test", number=9, rcode=3)),  # of another number: an answer of its own
    ]
    client = f"dns client={CLIENT} query"
    assert event_texts(packets, "dns-query") == [
        f"{client}=b.test type=A rcode=NXDOMAIN answer=-",
        f"{client}=a.test type=A rcode=NXDOMAIN answer=-",
        f"{client}=a.test type=A",
        f"{client}=b.test type=A",
    ]


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_dns_over_tcp(step: int) -> None:
    both = question("a.test", number=1), question("b.test", "AXFR", number=2)
    stream = b"".join(struct.pack("!H", len(one)) + one for one in both)
    reply = answer("a.test", number=1, records=[RECORDS["A"][0]])
    packets = client_says(stream, port=53, step=step)
    packets.append(from_server(16, 900, struct.pack("!H", len(reply)) + reply, port=53))
    assert event_texts(packets, "dns-query") == [
        f"dns client={CLIENT} query=a.test type=A rcode=NOERROR answer=192.0.2.1 ttl=2^8",
        f"dns client={CLIENT} query=b.test type=AXFR",
    ]


def test_what_is_no_dns_on_its_port_is_a_payload() -> None:
    assert event_texts([ask(b"tunnel"), tell(b"back")], "payload") == ["tunnel", "back"]
    assert event_texts(client_says(b"\x00\x03tunnel", port=53), "payload") == ["\x00\x03tunnel"]


def test_a_name_that_points_in_circles_ends() -> None:
    head = struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0)
    assert read_message(head + b"\xc0\x0c\x00\x01\x00\x01") is None
    assert read_message(head + b"\x01a\xc0\x0c\x00\x01\x00\x01") is None


@given(st.binary(max_size=60), st.integers(0, 3), st.integers(0, 3), st.booleans())
def test_any_bytes_give_no_error(data: bytes, asked: int, answered: int, qr: bool) -> None:
    read_message(data)
    read_message(struct.pack("!6H", 1, 0x8000 * qr, asked, answered, 0, 0) + data)


LABEL = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=20)


@given(st.lists(LABEL, min_size=1, max_size=4), st.sampled_from(sorted(RECORDS)), st.integers(0, 65535))
def test_questions_are_read_as_scapy_reads_them(labels: list[str], kind: str, number: int) -> None:
    raw = question(".".join(labels), kind, number)
    message = read_message(raw)
    theirs = dns.DNS(raw)
    assert message is not None
    assert message.number == theirs.id
    assert [name for name, _ in message.questions] == [theirs.qd[0].qname.decode().removesuffix(".")]
    assert [kind for _, kind in message.questions] == [kind_name(theirs.qd[0].qtype)] == [kind]


def test_a_message_cut_short_tells_what_is_there() -> None:
    raw = answer("www.a.test", records=[RECORDS["A"][0]])
    found = [read_message(raw[:size]) for size in range(len(raw) + 1)]
    questions = [one.questions for one in found if one is not None]
    assert set(questions) == {(("www.a.test", "A"),)}
    assert [one.answer for one in found if one is not None and one.answer] == ["192.0.2.1"]


EDNS = dns.DNSRROPT(rclass=4096)


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("behind", [b"", b"id=1' or 1=1"])
def test_bytes_behind_a_question_are_marked(behind: bytes, answered: bool) -> None:
    asked = bytes(dns.DNS(id=7, qd=dns.DNSQR(qname="a.test"), ar=EDNS)) + behind
    again = [ask(question("a.test")), ask(asked)]  # and not hidden by the first of two
    rows, rejects = read(pcap(timed([*again, tell(answer("a.test"))] if answered else again)))
    assert [row["overflow"] for row in rows if row["kind"] == "dns-query"] == [bool(behind)]
    assert rejects.total == 0
