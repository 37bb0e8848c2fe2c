"""The same captures as Wireshark reads them."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from overproof.events.sources.pcap.flow import Flow
from overproof.events.sources.pcap.ip import NoPacket, network
from overproof.events.sources.pcap.packets import TCP, UDP, transport
from overproof.events.sources.pcap.records import read_records
from overproof.events.sources.pcap.scapy import scapy
from overproof.events.sources.stream import open_input

from .pcaps import client_says, pcap, read, timed

TSHARK, CAPINFOS = shutil.which("tshark"), shutil.which("capinfos")
NAMES = (
    "WebattackRCE.pcap WebattackSQLinj.pcap bruteforce.pcap dns-edns-ecs.pcap dns-exf.pcap dns.pcap ftp_failed.pcap "
    "http-proxy.pcapng http.pcapng http2.pcapng mysql.pcapng nmap-vsn.pcap quic-v2.pcapng rdp.pcap single-conn.pcap "
    "smbv1.pcap ssh-on-port-80.pcap ssh.pcap sshguess.pcap telnet.pcap tls_unidirectional.pcap"
).split()


@pytest.fixture(params=NAMES)
def capture(request: pytest.FixtureRequest, shared_data: Path) -> Path:
    path = shared_data / "captures/pcap" / request.param
    assert path.exists()
    return path


FIELDS = (
    "frame.number frame.len frame.protocols tcp.stream communityid http.request.method http.request.uri http.host "
    "http.user_agent dns.id dns.flags.response dns.qry.name dns.qry.type dns.flags.rcode "
    "tls.handshake.extensions_server_name"
).split()


@cache
def tshark(path: Path) -> list[dict[str, str]]:
    """What tshark says of each packet."""
    if TSHARK is None:
        pytest.skip("no tshark on this machine (Debian: apt-get install tshark)")
    options = ["--enable-protocol", "communityid", "-o", "tcp.reassemble_out_of_order:TRUE"]
    wanted = [part for field in FIELDS for part in ("-e", field)]
    command = [TSHARK, "-n", "-2", "-r", path, *options, "-T", "fields", *wanted]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return [dict(zip(FIELDS, line.split("\t"), strict=True)) for line in result.stdout.splitlines()]


def spoken(frame: dict[str, str], *protocols: str) -> bool:
    """Whether a packet is of one of these protocols, and no error about one."""
    names = frame["frame.protocols"].split(":")
    return "icmp" not in names and bool({*protocols}.intersection(names))


def test_every_capture_is_here(shared_data: Path) -> None:
    assert sorted(path.name for path in (shared_data / "captures/pcap").iterdir()) == sorted(NAMES)


def test_records_are_those_that_capinfos_counts(capture: Path) -> None:
    if CAPINFOS is None:
        pytest.skip("no capinfos on this machine (Debian: apt-get install wireshark-common)")
    result = subprocess.run([CAPINFOS, "-TmcdE", "-r", capture], capture_output=True, text=True, check=True)
    _, _, packets, size = result.stdout.strip().split(",")[:4]
    with open_input(capture) as source:
        records = list(read_records(source, pytest.fail))
    assert (len(records), sum(record.size for record in records)) == (int(packets), int(size))


@pytest.mark.parametrize("name", ["17-binary-as-lines/modified.pcap", "20-pcap-tcp/two-interfaces-tsoffset.pcapng"])
def test_times_are_those_of_tshark(name: str, root: Path) -> None:
    if TSHARK is None:
        pytest.skip("no tshark on this machine (Debian: apt-get install tshark)")
    path = root / "tests/cases" / name
    command = [TSHARK, "-n", "-r", path, "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    theirs = [tuple(map(float, line.split("\t"))) for line in result.stdout.splitlines()]
    with open_input(path) as source:
        ours = [(record.time, record.size) for record in read_records(source, pytest.fail)]
    assert ours == [pytest.approx(pair, abs=1e-6) for pair in theirs]


def test_packets_are_those_that_scapy_dissects(capture: Path) -> None:
    tools = scapy()
    links = tools.config.conf.l2types.num2layer
    with open_input(capture) as source:
        for record in read_records(source, pytest.fail):
            theirs = links[record.link](record.data)
            outer = theirs.getlayer(tools.inet.IP) or theirs.getlayer(tools.inet6.IPv6)
            if outer is None:
                with pytest.raises(NoPacket):
                    network(record)
                continue
            if network(record).fragment:
                continue
            packet = transport(record, 0.0, network(record))
            assert packet.source == outer.fields_desc[-3 if outer.name == "IP" else -2].i2m(outer, outer.src)
            inner = outer.getlayer(tools.inet.TCP) if packet.protocol == TCP else outer.getlayer(tools.inet.UDP)
            if packet.protocol not in (TCP, UDP):
                assert inner is None
                continue
            assert (packet.sport, packet.dport) == (inner.sport, inner.dport)
            padding = inner.getlayer(tools.config.conf.padding_layer)
            payload = bytes(inner.payload)
            assert packet.payload == (payload[: -len(padding)] if padding else payload)
            if packet.protocol == TCP:
                assert (packet.flags, packet.seq, packet.ack) == (int(inner.flags), inner.seq, inner.ack)


def test_conversations_have_the_frames_and_bytes_of_tshark(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flows: list[Flow] = []
    draft = Flow.draft
    monkeypatch.setattr(Flow, "draft", lambda flow: flows.append(flow) or draft(flow))
    read(capture)
    conversations: dict[str, list[int]] = {}
    frames = tshark(capture)
    for frame in frames:
        if spoken(frame, "tcp"):
            counts = conversations.setdefault(frame["tcp.stream"], [0, 0])
            counts[0] += 1
            counts[1] += int(frame["frame.len"])
    ours = [(sum(flow.packets), sum(flow.frames)) for flow in flows if flow.protocol == TCP]
    assert sorted(ours) == sorted(map(tuple, conversations.values()))
    # tshark ends no UDP conversation by its silence, so those of the same ports are put together
    expected: Counter[str] = Counter()
    for frame in frames:
        if spoken(frame, "udp"):
            expected[frame["communityid"]] += int(frame["frame.len"])
    found: Counter[str] = Counter()
    for flow in flows:
        if flow.protocol == UDP:
            found[flow.endpoints.flow_id] += sum(flow.frames)
    assert found == expected


def test_flows_have_the_community_id_of_tshark(capture: Path) -> None:
    expected = {frame["communityid"] for frame in tshark(capture) if spoken(frame, "tcp", "udp")}
    assert {row["flow_id"] for row in read(capture)[0] if row["kind"] == "flow"} == expected


def test_requests_are_those_of_tshark(capture: Path) -> None:
    fields = ("frame.number", "http.request.method", "http.request.uri", "http.host", "http.user_agent")
    expected = [[frame[name] for name in fields] for frame in tshark(capture) if frame["http.request.method"]]
    found = []
    for row in read(capture)[0]:
        if row["kind"] == "http-request":
            url = row["url"].split(" ")[0]  # tshark ends a target at its first blank, and would hide ` /etc/passwd`
            found.append([row["origin"].split()[-1], row["method"], url, row["host"] or "", row["user_agent"] or ""])
    assert sorted(found) == sorted(expected)


def test_lookups_are_those_of_tshark(capture: Path) -> None:
    answers, questions = [], Counter()
    for frame in tshark(capture):
        key = (frame["dns.id"], frame["dns.qry.name"], frame["dns.qry.type"])
        if frame["dns.flags.response"] == "1":
            answers.append((frame["frame.number"], frame["dns.qry.name"], int(frame["dns.flags.rcode"])))
            questions[key] = 0
        elif frame["dns.flags.response"]:
            questions[key] = 1
    codes = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")
    rows = [row for row in read(capture)[0] if row["kind"] == "dns-query"]
    found = [row for row in rows if " rcode=" in row["text"]]
    theirs = sorted((frame, name, codes[code]) for frame, name, code in answers)
    ours = [(row["origin"].split()[-1], row["query"], row["text"].split("rcode=")[1].split()[0]) for row in found]
    assert sorted(ours) == theirs
    assert len(rows) - len(found) == questions.total()


def test_tls_names_are_those_of_tshark(tmp_path: Path) -> None:
    from .test_pcap_tls_ssh import ALPN, NAME, VERSIONS, hello

    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(timed(client_says(hello(NAME + ALPN + VERSIONS), port=443, step=50))))
    names = [frame["tls.handshake.extensions_server_name"] for frame in tshark(path)]
    assert [event["host"] for event in read(path)[0] if event["kind"] == "tls"] == [name for name in names if name]


def test_requests_out_of_order_are_those_of_tshark(tmp_path: Path) -> None:
    raw = b"POST /a?b=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbodyGET /2 HTTP/1.1\r\n\r\n"
    segments = client_says(raw, step=9)
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(timed([*segments[:3], segments[4], segments[3], segments[4], *segments[5:]])))
    found = [(row["method"], row["url"]) for row in read(path)[0] if row["kind"] == "http-request"]
    frames = [frame for frame in tshark(path) if frame["http.request.method"]]
    assert found == [(frame["http.request.method"], frame["http.request.uri"]) for frame in frames]
    assert len(found) == 2
