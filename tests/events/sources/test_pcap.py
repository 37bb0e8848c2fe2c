from __future__ import annotations

import gzip
import io
import struct
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError, MissingExtra
from overproof.events.schema import SCHEMA
from overproof.events.sources import Columns
from overproof.events.sources.interface import Input, ReadOptions
from overproof.events.sources.pcap import http, read_pcap, scapy

from .pcaps import (
    ACK,
    CLIENT,
    SERVER,
    block,
    blocks_of,
    client_says,
    enhanced,
    ethernet,
    from_client,
    from_server,
    handshake,
    interface,
    ip,
    pcap,
    read,
    section,
    texts,
    timed,
    udp,
)

GET = b"GET /?q=1 HTTP/1.1\r\nHost: h\r\n\r\n"
TALK = timed(client_says(GET))
TOLD = texts(pcap(TALK))


def of(rows: list[dict[str, object]], kind: str) -> list[str]:
    return [str(row["text"]) for row in rows if row["kind"] == kind]


# formats


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("nano", [False, True])
def test_pcap_in_both_byte_orders_and_resolutions(order: str, nano: bool) -> None:
    rows, rejects = read(pcap(TALK, order=order, nano=nano))
    assert ([row["text"] for row in rows], rejects.total) == (TOLD, 0)
    assert rows[0]["time"] == "2020-09-13T12:26:40.003000Z"


@pytest.mark.parametrize("order", "<>")
def test_pcapng_with_several_interfaces_sections_and_resolutions(order: str) -> None:
    file = section(order) + interface(1, order=order) + block(5, bytes(12), order)
    file += interface(101, order=order, resolution=9)
    for time, data in TALK[:2]:
        file += enhanced(0, time, data, order=order)
        file += enhanced(1, time + 60, udp(CLIENT, 1, SERVER, 2, b"other")[14:], order=order, ticks=10**9)
    # the interfaces of a new section count from 0 again
    file += section(order) + interface(101, order=order, resolution=0x80 | 20) + block(10, b"TLSK" + bytes(8), order)
    for time, data in TALK[2:]:
        file += enhanced(0, time, data[14:], order=order, ticks=2**20)
    rows, rejects = read(file)
    assert of(rows, "http-request") == ["HTTP GET /?q=1 host=h"]
    assert of(rows, "payload") == ["otherother"]
    assert [row["origin"] for row in rows if row["kind"] == "payload"] == ["a.pcap:packet 2"]
    assert rejects.total == 0
    time = next(row["time"] for row in rows if row["kind"] == "payload")
    assert time == "2020-09-13T12:27:40Z"


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("offset", [1_600_000_000, -50])
def test_pcapng_times_count_from_the_offset_of_their_interface(order: str, offset: int) -> None:
    start = 1_600_000_000.25 - offset
    file = section(order) + interface(order=order, offset=offset, resolution=9) + interface(order=order)
    file += enhanced(0, start, udp(CLIENT, 1, SERVER, 2, b"a"), order=order, ticks=10**9)
    file += enhanced(1, 1_600_000_001, udp(CLIENT, 3, SERVER, 4, b"b"), order=order)
    rows, _ = read(file)
    times = {row["text"]: row["time"] for row in rows}
    assert times["a"].startswith("2020-09-13T12:26:40.25")
    assert times["b"] == "2020-09-13T12:26:41Z"


@pytest.mark.parametrize("order", "<>")
def test_modified_pcap(order: str) -> None:
    plain = pcap(TALK, order=order)
    file = struct.pack(order + "I", 0xA1B2CD34) + plain[4:24]
    for time, data in TALK:
        head = struct.pack(order + "IIIIIHBx", int(time), round(time % 1 * 10**6), len(data), len(data), 3, 0x800, 4)
        file += head + data
    rows, rejects = read(file)
    assert ([row["text"] for row in rows], rejects.total) == (TOLD, 0)
    assert rows[0]["time"] == "2020-09-13T12:26:40.003000Z"


def test_simple_packets_have_no_time_and_no_interface_is_reported() -> None:
    packets = b"".join(block(3, len(data).to_bytes(4, "little") + data) for _, data in TALK)
    rows, rejects = read(section() + interface() + packets + enhanced(7, 0, TALK[0][1]))
    assert of(rows, "http-request") == ["HTTP GET /?q=1 host=h"]
    assert rejects.summary() == {"a packet of an interface that the capture does not describe": 1}
    assert rejects.first[0].origin == "a.pcap:packet 5"


LINKS = {
    0: lambda data: b"\x02\0\0\0" + data,
    108: lambda data: b"\0\0\0\x02" + data,
    12: lambda data: data,
    101: lambda data: data,
    113: lambda data: bytes(14) + b"\x08\0" + data,
    276: lambda data: b"\x08\0" + bytes(18) + data,
    9: lambda data: b"\xff\x03\0\x21" + data,
    1: lambda data: bytes(12) + bytes.fromhex("88a80001 8100 0002 0800") + data,
}


@pytest.mark.parametrize("link", LINKS)
def test_links(link: int) -> None:
    packets = [(time, LINKS[link](data[14:])) for time, data in TALK]
    assert texts(pcap(packets, link=link)) == TOLD


def ip6(protocol: int, data: bytes) -> bytes:
    """An IPv6 packet from ::1 to ::2."""
    head = b"\x60\0\0\0" + len(data).to_bytes(2, "big") + bytes((protocol, 64))
    return head + bytes(15) + b"\1" + bytes(15) + b"\2" + data


@pytest.mark.parametrize("link", [0, 108])
@pytest.mark.parametrize("family", [10, 24, 28, 30])
@pytest.mark.parametrize("order", ["little", "big"])
def test_ipv6_on_the_loopback_of_any_system(link: int, family: int, order: Literal["little", "big"]) -> None:
    packets = [(time, family.to_bytes(4, order) + ip6(6, data[34:])) for time, data in TALK]
    rows, rejects = read(pcap(packets, link=link))
    assert of(rows, "http-request") == ["HTTP GET /?q=1 host=h"]
    assert rejects.total == 0


AUTHENTICATION = bytes((6, 4)) + bytes(22)  # before TCP, with a check value of 12 bytes (RFC 4302)


def test_authenticated_packets_are_read() -> None:
    request = ethernet(ip(CLIENT, SERVER, 51, AUTHENTICATION + from_client(ACK, 5, GET)[34:]))
    rows, rejects = read(pcap(timed([request])))
    assert of(rows, "http-request") == ["HTTP GET /?q=1 host=h"]
    assert rejects.total == 0
    cut = ethernet(ip(CLIENT, SERVER, 51, AUTHENTICATION[:12]))
    assert read(pcap(timed([cut])))[1].summary() == {"a packet cut before its ports": 1}


def test_headers_before_the_ports_of_joined_fragments_are_read() -> None:
    options = bytes((51, 0)) + bytes(6)  # destination options, then an authentication header
    content = options + AUTHENTICATION + from_client(ACK, 5, GET)[34:]
    pieces = [(start, content[start : start + 24]) for start in range(0, len(content), 24)]
    packets = [
        ethernet(ip6(44, struct.pack("!BxHI", 60, start | (start + 24 < len(content)), 7) + piece), 0x86DD)
        for start, piece in reversed(pieces)
    ]
    rows, rejects = read(pcap(timed(packets)))
    assert of(rows, "http-request") == ["HTTP GET /?q=1 host=h"]
    assert rejects.total == 0


def test_fragments_that_contradict_each_other_are_counted() -> None:
    datagram = udp(CLIENT, 1, SERVER, 2, bytes(8) + b"one way" * 8)[34:]
    other = udp(CLIENT, 1, SERVER, 2, bytes(8) + b"another" * 8)[34:]
    for second in (8, 16):  # at the place of the first copy, and inside of it
        pieces = (datagram[8:40], other[second:40], datagram[40:])
        packets = [
            ethernet(ip(CLIENT, SERVER, 17, data, number=1, fragment=place // 8 | more))
            for data, place, more in zip(
                (datagram[:8], *pieces), (0, 8, second, 40), (0x2000, 0x2000, 0x2000, 0), strict=True
            )
        ]
        rows, rejects = read(pcap(timed(packets)))
        assert of(rows, "payload") == [(bytes(8) + b"one way" * 8).decode()]
        assert rejects.summary() == {"IP fragments that contradict each other": 1}


WRAPPED = {
    "MPLS": (0x8847, bytes.fromhex("00010140")),
    "PPPoE": (0x8864, bytes.fromhex("1100 0001 0100 0021")),
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_wrapped_in_ethernet(kind: str) -> None:
    number, head = WRAPPED[kind]
    packets = [(time, ethernet(head + data[14:], number)) for time, data in TALK]
    assert texts(pcap(packets)) == TOLD


def test_ip_in_ip_and_ipv6_with_extension_headers() -> None:
    inside = [(time, ethernet(ip("192.0.2.1", "192.0.2.2", 4, data[14:]))) for time, data in TALK]
    assert texts(pcap(inside)) == TOLD
    ends = bytes(15) + b"\1" + bytes(15) + b"\2"
    segment = from_client(ACK, 5, GET)[34:]
    options = bytes((6, 0)) + bytes(6)
    head = b"\x60\0\0\0" + (len(options) + len(segment)).to_bytes(2, "big") + b"\0\x40"
    rows, _ = read(pcap(timed([ethernet(head + ends + options + segment, 0x86DD)])))
    assert rows[0]["text"] == "HTTP GET /?q=1 host=h"
    assert (rows[0]["src_ip"], rows[0]["dst_ip"]) == ("::1", "::2")


def fragments(data: bytes, *cuts: int, number: int = 1) -> list[bytes]:
    pieces = [(start, end) for start, end in zip((0, *cuts), (*cuts, len(data)), strict=True)]
    return [
        ethernet(
            ip(
                CLIENT,
                SERVER,
                17,
                data[start:end],
                number=number,
                fragment=start // 8 | (0x2000 if end < len(data) else 0),
            )
        )
        for start, end in pieces
    ]


def test_fragments_are_put_together_in_any_order() -> None:
    datagram = udp(CLIENT, 1, SERVER, 2, b"a payload in three fragments")[34:]
    first, second, third = fragments(datagram, 8, 24)
    for packets in ([first, second, third], [third, first, second, second]):
        rows, rejects = read(pcap(timed(packets)))
        assert of(rows, "payload") == ["a payload in three fragments"]
    assert rejects.summary() == {"an IP packet of which fragments are missing": 1}  # the second once more
    rows, rejects = read(pcap(timed([first, *fragments(datagram, 8, 24, number=2)])))
    assert of(rows, "payload") == ["a payload in three fragments"]
    assert [skipped.origin for skipped in rejects.first] == ["a.pcap:packet 1"]


def test_packets_that_belong_to_no_flow_are_counted() -> None:
    packets = [
        *(data for _, data in TALK),
        ethernet(bytes(28), 0x0806),
        ethernet(b"\x42\x42\x03", 38),
        ethernet(bytes(28), 0x88CC),
        ethernet(b"\x45"),
        ethernet(b"\x75" + bytes(40)),
        ethernet(ip(CLIENT, SERVER, 6, b"\0\1")),
    ]
    rows, rejects = read(pcap(timed(packets)))
    assert [row["text"] for row in rows] == TOLD
    assert rejects.summary() == {
        "not IP: ARP": 1,
        "not IP: LLC": 1,
        "not IP: another ethertype": 1,
        "an IP packet cut before its header": 1,
        "IP of version 7": 1,
        "a packet cut before its ports": 1,
    }
    assert rejects.first[0].origin == "a.pcap:packet 5"


def test_packets_cut_by_the_capture_are_judged_as_far_as_they_go() -> None:
    rows, rejects = read(pcap(timed(client_says(GET * 3, step=200)), cut=54 + 40))
    assert of(rows, "http-request") == ["HTTP GET /?q=1 host=h", "HTTP GET /?q=1"]
    assert of(rows, "flow")[0].split()[-3] == "orig_bytes=2^6"  # of what was sent, not of what was kept
    assert rejects.total == 0


# the contract


def test_the_schema_is_that_of_events_followed_by_the_further_columns() -> None:
    capture = pcap(TALK)
    for extra in (True, False):
        source = Input("a.pcap", None, capture, blocks_of(capture, 7))
        batches = list(read_pcap(source, ReadOptions(on_skip=pytest.fail, batch_rows=1, extra=extra)))
        assert [batch.num_rows for batch in batches] == [1, 1]
        names = batches[0].schema.names
        assert pa.schema(list(batches[0].schema)[: len(SCHEMA)]) == SCHEMA
        assert len(names) == len(SCHEMA) + 21 * extra
    assert len(read(capture)[0]) == 2


def test_a_capture_has_no_columns_to_name() -> None:
    with pytest.raises(InputError, match="no column 'x'"):
        list(read_pcap(Input("a", None, b"", iter(())), ReadOptions(on_skip=pytest.fail, columns=Columns(text="x"))))


@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1\n", b"\xd4\xc3", pcap([])[:10], section()[:-8], section()[:20]])
def test_what_is_no_capture_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"^a\.pcap: .*; expected a capture, as pcap or pcapng$"):
        read(data)


@pytest.mark.parametrize(
    ("start", "name"),
    [(b"snoop\0\0\0\0\0\0\2", "a capture of snoop"), (b"GMBU\0\2", "a capture of Microsoft Network Monitor")],
)
def test_other_captures_are_refused_by_name(start: bytes, name: str) -> None:
    with pytest.raises(InputError, match=rf"^a\.pcap: {name} \(editcap -F pcap converts it\); expected a capture"):
        read(start + bytes(40))


def test_an_empty_capture_has_no_events() -> None:
    assert read(pcap([]))[0] == read(section() + interface())[0] == []


def test_gzip_and_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.pcap.gz"
    path.write_bytes(gzip.compress(pcap(TALK)))
    rows, _ = read(path)
    assert [row["text"] for row in rows] == TOLD
    assert rows[0]["origin"] == f"{path}:packet 4"
    packed = path.read_bytes()
    path.write_bytes(packed[: len(packed) // 2])
    _, rejects = read(path)
    assert list(rejects.summary())[-1].startswith("the capture breaks off: Compressed file ended")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(pcap(TALK))))
    assert texts(Path("-")) == TOLD


@pytest.mark.parametrize("module", ["scapy", "httptools"])
def test_without_the_extra_the_message_says_which(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scapy.scapy.cache_clear()
    http.httptools.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf"{module}: pip install 'overproof\[pcap\]'"):
        read(section() + interface() + b"".join(enhanced(0, time, data) for time, data in TALK))
    monkeypatch.undo()
    scapy.scapy.cache_clear()
    http.httptools.cache_clear()


def test_scapy_is_imported_late_quietly_and_without_a_look_at_the_routes(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap([*TALK, (9.0, b"x"), (9.1, ethernet(b"\1\2\3", 0x8847))])[:-1])
    script = f"""
import sys, warnings
warnings.simplefilter("error")
from overproof.events.sources.pcap import read_pcap
assert not {{"scapy", "httptools"}} & set(sys.modules)
from overproof.events.sources.interface import ReadOptions
from overproof.events.sources.stream import open_input
with open_input({str(tmp_path / "a.pcap")!r}) as source:
    skipped = []
    list(read_pcap(source, ReadOptions(on_skip=skipped.append, batch_rows=9)))
assert len(skipped) == 3, skipped
from scapy.config import conf
assert conf.route.routes == conf.route6.routes == []
assert not {{"scapy.layers.tls.all", "scapy.layers.dns", "scapy.all"}} & set(sys.modules)
"""
    home = {"HOME": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=home, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert not list(tmp_path.rglob("*.pickle"))


# anything at all


def test_a_capture_cut_at_any_byte_tells_what_is_there() -> None:
    dns = udp(CLIENT, 9, SERVER, 53, bytes.fromhex("0007 0100 0001 0000 0000 0000 0161 00 0001 0001"))
    packets = timed([*client_says(GET * 2, step=20), dns, *client_says(b"USER a\r\nPASS b\r\n", port=21, sport=9)])
    start = section() + interface()
    files = {24: pcap(packets), len(start): start + b"".join(enhanced(0, time, data) for time, data in packets)}
    for header, whole in files.items():
        before = 0
        ends = {len(whole)}
        for size in range(header, len(whole) + 1):
            rows, rejects = read(whole[:size])
            assert len(rows) >= before
            before = len(rows)
            assert rejects.total <= 3
            if rejects.total == 0:
                ends.add(size)
        assert len(ends) == len(packets) + 1  # between two packets nothing is reported missing
    assert of(read(whole)[0], "http-request") == ["HTTP GET /?q=1 host=h"] * 2


@given(st.binary(max_size=120), st.sampled_from([0, 1, 9, 101, 105, 113, 127, 276, 147]))
def test_any_packet_gives_no_error(data: bytes, link: int) -> None:
    read(pcap([(1.0, data), (2.0, data)], link=link))


@given(st.binary(max_size=80), st.sampled_from([0x0800, 0x86DD, 0x8100, 0x8847, 0x8864]), st.integers(0, 255))
def test_any_network_packet_gives_no_error(data: bytes, kind: int, protocol: int) -> None:
    read(pcap(timed([ethernet(data, kind), ethernet(ip(CLIENT, SERVER, protocol, data))])))
    head = b"\x60\0\0\0" + len(data).to_bytes(2, "big") + bytes((protocol, 64)) + bytes(32)
    read(pcap(timed([ethernet(head + data, 0x86DD)])))


@given(st.binary(max_size=200))
def test_any_file_gives_no_error_but_input_error(data: bytes) -> None:
    for start in (b"", pcap([]), section(), section() + interface()):
        try:
            read(start + data)
        except InputError:
            assert start in (b"", section()) or not data


@given(st.data())
def test_any_damage_gives_no_error_but_input_error(data) -> None:
    for whole in (pcap(TALK), section() + interface() + b"".join(enhanced(0, *packet) for packet in TALK)):
        damaged = bytearray(whole)
        for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=8)):
            damaged[place] = data.draw(st.integers(0, 255))
        try:
            read(bytes(damaged))
        except InputError as error:
            assert "expected a capture" in str(error)


@given(
    st.lists(st.tuples(st.integers(0, 63), st.binary(max_size=12), st.booleans(), st.integers(95, 130)), max_size=12)
)
def test_any_segments_give_no_error(segments: list[tuple[int, bytes, bool, int]]) -> None:
    packets = [
        (from_server if back else from_client)(flags, seq, data, port=port, ack=seq)
        for port in (80, 53, 443)
        for flags, data, back, seq in segments
    ]
    rows, _ = read(pcap(timed([*handshake(), *packets])))
    assert of(rows, "flow")


def test_a_block_of_impossible_size_ends_the_capture() -> None:
    bomb = (6).to_bytes(4, "little") + (0xFFFFFFF0).to_bytes(4, "little") + bytes(100)
    rows, rejects = read(section() + interface() + enhanced(0, *TALK[0]) + bomb)
    assert len(rows) == 1
    assert list(rejects.summary()) == ["the capture breaks off: a block of 4,294,967,268 bytes"]


# real captures


def test_nmap(shared_data: Path) -> None:
    rows, rejects = read(shared_data / "captures/pcap/nmap-vsn.pcap")
    assert of(rows, "flows") == [
        "flows src=192.168.1.71 dst=192.168.1.0/24 conns=2^4 ports=2^1 peers=2^2 failed=80% gap=2^0s jitter=2^7%"
    ]
    states = [text.split("state=")[1].split()[0] for text in of(rows, "flow") if "proto=tcp" in text]
    assert {state: states.count(state) for state in set(states)} == {"REJ": 6, "S0": 8, "RSTO": 3}
    assert rejects.summary() == {"not IP: ARP": 503}


def test_guessed_passwords(shared_data: Path) -> None:
    rows, _ = read(shared_data / "captures/pcap/sshguess.pcap")
    assert of(rows, "ssh") == ["SSH src=192.168.56.1 dst=192.168.56.103 port=22 client=OpenSSH_6.2 bytes=2^12"] * 11
    assert "conns=2^3 ports=2^0 peers=2^0" in of(rows, "flows")[1]
    rows, _ = read(shared_data / "captures/pcap/bruteforce.pcap")
    guesses = of(rows, "payload")
    assert len(guesses) == 30
    assert {guess.split("\r\n")[0] for guess in guesses} == {"USER bro"}
    assert len({guess.split("\r\n")[1] for guess in guesses}) == 30
    assert "conns=2^4 ports=2^0 peers=2^0 failed=0% gap=2^0s" in of(rows, "flows")[0]


def test_web_attacks(shared_data: Path) -> None:
    injections = of(read(shared_data / "captures/pcap/WebattackSQLinj.pcap")[0], "http-request")
    assert len(injections) == 9
    assert injections[0].startswith("HTTP GET /dv/vulnerabilities/sqli/?id=1'&Submit=Submit host=205.174.165.68 ua=")
    assert sum("union+select" in text.split(" host=")[0] for text in injections) == 5
    requests = of(read(shared_data / "captures/pcap/WebattackRCE.pcap")[0], "http-request")
    assert len(requests) == 797
    assert sum("Nikto" in text for text in requests) == 735


def test_telnet_mysql_and_ssh_where_it_is_not_expected(shared_data: Path) -> None:
    folder = shared_data / "captures/pcap"
    assert protocols_in(folder / "ssh-on-port-80.pcap") == ["ssh"]
    assert protocols_in(folder / "telnet.pcap") == ["telnet"]
    assert protocols_in(folder / "mysql.pcapng") == ["mysql", "mysql"]
    assert protocols_in(folder / "smbv1.pcap") == ["smb"]
    assert protocols_in(folder / "rdp.pcap") == ["rdp"]
    assert protocols_in(folder / "quic-v2.pcapng") == ["quic"]
    assert protocols_in(folder / "http2.pcapng") == ["http2"]
    assert texts(folder / "ftp_failed.pcap", "payload") == ["USER hello\r\nSYST\r\nQUIT\r\n"]
    assert "H4sICN03*2QAA3Rlc3QudHh0AAvJyCxWAKJEheLU5KLUEoW0zJxULgAge" in texts(folder / "dns-exf.pcap", "dns-query")[0]


def protocols_in(path: Path) -> list[str]:
    return [row["protocol"] for row in read(path)[0] if row["kind"] == "flow"]


def test_every_real_capture_has_events(shared_data: Path) -> None:
    for path in sorted((shared_data / "captures/pcap").iterdir()):
        rows, _ = read(path)
        assert rows, path.name
        assert all(row["kind"] and row["time"] and row["text"] for row in rows)
