"""Tunnels: what is inside is read as if it had been captured plainly."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.events.sources.pcap.tunnels import DEEPEST, TOO_DEEP

from .pcaps import CLIENT, SERVER, Row, client_says, ethernet, ip, pcap, read, timed, udp

TSHARK = shutil.which("tshark")
PLAIN = client_says(b"GET /?id=1'+UNION+SELECT+1 HTTP/1.1\r\nHost: h\r\n\r\n", step=30)
A, B = "192.0.2.1", "192.0.2.2"
Wrap = Callable[[bytes], bytes]  # of an Ethernet frame


def over_udp(port: int, head: bytes, skip: int = 0) -> Wrap:
    return lambda frame: udp(A, 50_000, B, port, head + frame[skip:])


def over_gre(flags: int, kind: int, more: bytes = b"", skip: int = 0) -> Wrap:
    head = struct.pack("!HH", flags, kind) + more
    return lambda frame: ethernet(ip(A, B, 47, head + frame[skip:]))


def over_ip6(frame: bytes) -> bytes:
    """VXLAN over IPv6."""
    data = struct.pack("!HHHH", 50_000, 4789, 16 + len(frame), 0) + bytes.fromhex("0800000000000100") + frame
    head = b"\x60\0\0\0" + len(data).to_bytes(2, "big") + b"\x11\x40" + bytes(15) + b"\1" + bytes(15) + b"\2"
    return ethernet(head + data, 0x86DD)


IP = 14  # where it begins in a frame
ERSPAN2 = bytes.fromhex("1000000000000000")
ERSPAN3 = bytes.fromhex("200000000000000000000000")
TUNNELS: dict[str, Wrap] = {
    "vxlan": over_udp(4789, bytes.fromhex("0800000000007b00")),
    "vxlan with a group policy": over_udp(4789, bytes.fromhex("8800000100007b00")),
    "vxlan of linux": over_udp(8472, bytes.fromhex("0800000000007b00")),
    "vxlan over ipv6": over_ip6,
    "vxlan-gpe of ethernet": over_udp(4790, bytes.fromhex("0c00000300007b00")),
    "vxlan-gpe of ip": over_udp(4790, bytes.fromhex("0c00000100007b00"), IP),
    "geneve of ethernet": over_udp(6081, bytes.fromhex("0000655800007b00")),
    "geneve of ip with options": over_udp(6081, bytes.fromhex("0240080000007b00" "0102800101020304"), IP),
    "gre": over_gre(0, 0x0800, skip=IP),
    "gre with checksum, key and number": over_gre(0xB000, 0x0800, bytes(12), IP),
    "gre of ethernet (nvgre)": over_gre(0x2000, 0x6558, bytes(4)),
    "gre of mpls": over_gre(0, 0x8847, bytes.fromhex("0001f140"), IP),
    "erspan 1": over_gre(0, 0x88BE),
    "erspan 2": over_gre(0x1000, 0x88BE, bytes(4) + ERSPAN2),
    "erspan 3": over_gre(0x1000, 0x22EB, bytes(4) + ERSPAN3),
    "erspan 3 with a subheader": over_gre(0x1000, 0x22EB, bytes(4) + ERSPAN3[:-1] + b"\1" + bytes(8)),
    "erspan 3 of ip": over_gre(0x1000, 0x22EB, bytes(4) + ERSPAN3[:-2] + b"\x08\0", IP),
    "gtp-u": over_udp(2152, bytes.fromhex("30ff00ff00000001"), IP),
    "gtp-u with a number and an extension": over_udp(2152, bytes.fromhex("36ff00ff00000001" "00010085" "01000900"), IP),
    "l2tp": over_udp(1701, bytes.fromhex("000200010001" "ff030021"), IP),
    "l2tp with a length and numbers": lambda frame: over_udp(
        1701, struct.pack("!HHQB", 0x4802, len(frame) - IP + 13, 0x0001_0001_0000_0000, 0x21), IP
    )(frame),
    "l2tp with an offset": over_udp(1701, bytes.fromhex("020200010001" "0002" "0000" "ff030021"), IP),
    "pptp": lambda frame: over_gre(
        0x3001, 0x880B, struct.pack("!HHI", len(frame) - IP + 4, 7, 1) + bytes.fromhex("ff030021"), IP
    )(frame),
    "pptp with an acknowledgement": lambda frame: over_gre(
        0x3081, 0x880B, struct.pack("!HHII", len(frame) - IP + 1, 7, 1, 1) + b"\x21", IP
    )(frame),
    "tzsp": over_udp(37_008, bytes.fromhex("0100000101")),
    "tzsp with tags": over_udp(37_008, bytes.fromhex("01000001" "0a01d3" "00" "01")),
    "ip in ip": lambda frame: ethernet(ip(A, B, 4, frame[IP:])),
    "vxlan on a port of one's own": over_udp(48_879, bytes.fromhex("0800000000007b00")),
    "vxlan on a port of one's own, padded": lambda frame: over_udp(48_879, bytes.fromhex("0800000000007b00"))(
        frame + bytes(max(0, 60 - len(frame)))
    ),
    "mpls in udp": over_udp(6635, bytes.fromhex("0001f140"), IP),
    "etherip": lambda frame: ethernet(ip(A, B, 97, b"\x30\0" + frame)),
    "l2tpv3": lambda frame: ethernet(ip(A, B, 115, bytes.fromhex("00000007") + frame)),
    "l2tpv3 with a cookie": lambda frame: ethernet(ip(A, B, 115, bytes.fromhex("00000007" "0102030405060708") + frame)),
}  # fmt: skip


def told(rows: list[Row]) -> list[tuple[str, ...]]:
    return [tuple(str(row[name]) for name in ("kind", "text", "src_ip", "dst_port", "time", "origin")) for row in rows]


TOLD = told(read(pcap(timed(PLAIN)))[0])


@pytest.mark.parametrize("name", TUNNELS)
def test_what_is_inside_is_read_as_if_captured_plainly(name: str) -> None:
    rows, rejects = read(pcap(timed([TUNNELS[name](frame) for frame in PLAIN])))
    assert told(rows) == TOLD
    assert rejects.total == 0
    assert rows[0]["text"].startswith("HTTP GET /?id=1'+UNION+SELECT+1")


def teredo(frame: bytes, before: bytes = b"", *, answer: bool = False) -> bytes:
    """The TCP of a frame over IPv6, in Teredo; from its server where it is an answer."""
    head = b"\x60\0\0\0" + (len(frame) - IP - 20).to_bytes(2, "big") + b"\x06\x40"
    ends = [bytes.fromhex("20010000") + address.rjust(12, b"\0") for address in (frame[26:30], frame[30:34])]
    ports = (3544, 50_000) if answer else (50_000, 3544)
    return udp(A, ports[0], B, ports[1], before + head + b"".join(ends) + frame[IP + 20 :])


@pytest.mark.parametrize("before", ["", "00000b0000000000", "00010000" + "00" * 9])
@pytest.mark.parametrize("answer", [False, True])
def test_teredo_carries_ipv6(before: str, answer: bool, tmp_path: Path) -> None:
    packets = [teredo(frame, bytes.fromhex(before), answer=answer) for frame in PLAIN]
    (tmp_path / "a.pcap").write_bytes(pcap(timed(packets)))
    rows, rejects = read(tmp_path / "a.pcap")
    assert [row["url"] for row in rows if row["kind"] == "http-request"] == ["/?id=1'+UNION+SELECT+1"]
    assert {row["src_ip"] for row in rows} == {"2001::a00:1"} and rejects.total == 0


@pytest.mark.parametrize("name", ["vxlan", "geneve", "gre", "erspan", "gtpu", "llc-snap"])
def test_the_cases_are_read_as_plain(root: Path, name: str) -> None:
    folder = root / "tests/cases/16-pcap-tunnels"
    rows, rejects = read(folder / f"{name}.pcap")
    plain = read(folder / "plain.pcap")[0]
    assert [row["text"] for row in rows] == [row["text"] for row in plain]
    assert [row["kind"] for row in rows] == ["http-request", "flow"]
    assert rejects.total == 0


@given(st.lists(st.sampled_from(sorted(TUNNELS)), min_size=1, max_size=DEEPEST))
def test_tunnels_in_one_another(names: list[str]) -> None:
    frames = PLAIN
    for name in names:
        frames = [TUNNELS[name](frame) for frame in frames]
    rows, rejects = read(pcap(timed(frames)))
    assert told(rows) == TOLD
    assert rejects.total == 0


def test_tunnels_that_are_too_deep_are_counted() -> None:
    frame = PLAIN[3]
    for _ in range(DEEPEST + 1):
        frame = TUNNELS["gre"](frame)
    rows, rejects = read(pcap(timed([frame])))
    assert rows == []
    assert rejects.summary() == {TOO_DEEP: 1}


def test_the_outer_packet_may_be_in_fragments() -> None:
    whole = TUNNELS["vxlan"](PLAIN[3])[IP + 20 :]
    pieces = [
        ethernet(ip(A, B, 17, whole[:64], number=9, fragment=0x2000)),
        ethernet(ip(A, B, 17, whole[64:], number=9, fragment=8)),
    ]
    rows, rejects = read(pcap(timed(pieces)))
    assert [row["text"] for row in rows if row["kind"] == "http-request"] == ["HTTP GET /?id=1'+UNION+SELECT+1 HTT"]
    assert rejects.total == 0


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (TUNNELS["vxlan"](ethernet(bytes(28), 0x0806)), "VXLAN: not IP: ARP"),
        (TUNNELS["vxlan"](b""), "VXLAN: a packet cut before what it carries"),
        (over_udp(4790, bytes.fromhex("0c00000400000000"))(b"nsh"), "VXLAN: neither Ethernet nor IP"),
        (TUNNELS["geneve of ethernet"](ethernet(bytes(28), 0x88CC)), "Geneve: not IP: another ethertype"),
        (over_gre(0x2081, 0x880B, bytes(8))(b""), "PPTP: an acknowledgement"),
        (over_gre(0x3001, 0x880B, b"\0\4\0\7\0\0\0\1")(b"\x00\xfd\x90\1"), "PPTP: PPP compressed or encrypted"),
        (over_gre(0x3001, 0x880B, b"\0\4\0\7\0\0\0\1")(b"\xc0\x21\1\1"), "PPTP: a frame of PPP that is no IP"),
        (over_udp(37_008, bytes.fromhex("0100001201"))(b"wifi"), "TZSP: no Ethernet"),
        (over_gre(3, 0x0800)(b"x"), "GRE: of an unknown version"),
        (over_gre(0x4000, 0x0800)(b"x"), "GRE: with source routes"),
        (over_gre(0, 0)(b""), "GRE: not IP: LLC"),
        (over_gre(0, 0x22EB, ERSPAN3[:-2] + b"\x04\0")(b"x"), "ERSPAN: a frame that is neither Ethernet nor IP"),
        (over_gre(0, 0x22EB)(b"x"), "a tunnel's packet cut in its header"),
        (over_udp(2152, b"\x34\xff" + bytes(9) + b"\x85\0")(b""), "GTP-U: an extension header without a length"),
        (over_udp(2152, bytes.fromhex("30ff00ff00000001"))(b"\x70" + bytes(40)), "GTP-U: IP of version 7"),
        (ethernet(ip(A, B, 41, b"\x60" + bytes(10))), "IP in IP: an IP packet cut before its header"),
        (ethernet(ip(A, B, 115, b"\0\0\0\7" + bytes(40))), "L2TPv3: no Ethernet with IP in it"),
    ],
)  # fmt: skip
def test_what_cannot_be_unwrapped_is_counted_by_name(frame: bytes, reason: str) -> None:
    rows, rejects = read(pcap(timed([frame])))
    assert rows == []
    assert rejects.summary() == {reason: 1}


@pytest.mark.parametrize(
    ("port", "data"),
    [
        (4789, b"' or 1=1 --"),
        (6081, b"\xff' or 1=1"),
        (2152, b"' or 1=1 --"),
        (2152, b"\x32\x01\0\4\0\0\0\0\0\1\0\0"),
        (1701, b"\xc8\2\0\x0c' or 1=1"),
        (3544, b"' or 1=1 --"),
    ],
)
def test_what_is_no_tunnel_on_its_port_is_a_payload(port: int, data: bytes) -> None:
    rows, rejects = read(pcap(timed([udp(CLIENT, 4000, SERVER, port, data)])))
    assert [row["kind"] for row in rows] == ["payload", "flow"]
    assert rejects.total == 0


@given(st.sampled_from([4789, 4790, 8472, 6081, 2152, 1701, 3544, 37_008, 0]), st.binary(max_size=40), st.booleans())
def test_any_tunnel_gives_no_error_and_is_accounted_for(port: int, data: bytes, wrapped: bool) -> None:
    start = TUNNELS["vxlan"](PLAIN[3]) if wrapped else PLAIN[0]
    packet = udp(A, 1, B, port, data + start) if port else ethernet(ip(A, B, 47, data))
    rows, rejects = read(pcap(timed([packet])))
    assert len(rows) + rejects.total > 0


# which tshark shows as data
SHOWN = sorted({*TUNNELS} - {"erspan 3 of ip", "l2tpv3", "l2tpv3 with a cookie"})


@pytest.mark.parametrize("name", SHOWN)
def test_the_requests_inside_are_those_of_tshark(name: str, tmp_path: Path) -> None:
    if TSHARK is None:
        pytest.skip("no tshark on this machine (Debian: apt-get install tshark)")
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(timed([TUNNELS[name](frame) for frame in PLAIN])))
    command = [
        TSHARK,
        "-n",
        "-d",
        "udp.port==8472,vxlan",
        "-d",
        "udp.port==48879,vxlan",
        "-r",
        path,
        "-T",
        "fields",
        "-e",
        "http.request.uri",
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    uris = [line for line in result.stdout.splitlines() if line]
    assert [row["url"] for row in read(path)[0] if row["url"]] == uris
