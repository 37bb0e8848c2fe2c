"""Tunnels whose headers scapy has written, and Teredo as tshark reads it: no code of ours made either."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .independent import said
from .pcaps import pcap, read, timed
from .test_pcap_tunnels import IP, PLAIN, TOLD, teredo, told

pytest.importorskip("scapy.layers.inet", reason="the extra pcap is not installed")

from scapy.contrib.erspan import ERSPAN_II, ERSPAN_III, ERSPAN_PlatformSpecific
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header, GTPPDUSessionContainer
from scapy.contrib.mpls import MPLS
from scapy.contrib.tzsp import TZSP, TZSPTagEnd, TZSPTagRawRSSIByte
from scapy.layers.inet import IP as IPv4
from scapy.layers.inet import UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, GRE_PPTP, Dot1AD, Dot1Q, Ether
from scapy.layers.l2tp import L2TP
from scapy.layers.ppp import HDLC, PPP, PPPoE
from scapy.layers.vxlan import VXLAN

OUTER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
FOUR = OUTER / IPv4(src="192.0.2.1", dst="192.0.2.2")
SIX = OUTER / IPv6(src="2001:db8::1", dst="2001:db8::2")
NUMBERED = {"seqnum_present": 1, "sequence_number": 4}
GTP = FOUR / UDP(sport=2152, dport=2152)
PPTP = FOUR / GRE_PPTP(call_id=3, **NUMBERED)
IPV4, BRIDGED = 0x0800, 0x6558


def over_udp(port: int) -> Any:
    return FOUR / UDP(sport=50_000, dport=port)


OF_ETHERNET: dict[str, Any] = {
    "vxlan": over_udp(4789) / VXLAN(vni=7, flags="Instance"),
    "vxlan over ipv6": SIX / UDP(sport=50_000, dport=4789) / VXLAN(vni=7),
    "geneve": over_udp(6081) / GENEVE(proto=BRIDGED, vni=9),
    "gre with all that it may have": FOUR / GRE(proto=BRIDGED, chksum_present=1, key_present=1, key=3, **NUMBERED),
    "erspan 2": FOUR / GRE(proto=0x88BE, **NUMBERED) / ERSPAN_II(session_id=1),
    "erspan 3": FOUR / GRE(proto=0x22EB, **NUMBERED) / ERSPAN_III(session_id=1),
    "erspan 3 with more": FOUR / GRE(proto=0x22EB, **NUMBERED) / ERSPAN_III(o=1) / ERSPAN_PlatformSpecific(),
    "tzsp": over_udp(37_008) / TZSP(encapsulated_protocol=1) / TZSPTagRawRSSIByte(raw_rssi=200) / TZSPTagEnd(),
}
OF_IP: dict[str, Any] = {
    "vxlan-gpe": over_udp(4790) / VXLAN(flags="Instance+NextProtocol", NextProtocol=1),
    "geneve": over_udp(6081) / GENEVE(proto=IPV4, vni=9),
    "gre": FOUR / GRE(proto=IPV4),
    "gre over ipv6": SIX / GRE(proto=IPV4),
    "gtp-u": GTP / GTP_U_Header(gtp_type=255, teid=1),
    "gtp-u of a session": GTP / GTP_U_Header(gtp_type=255, E=1, next_ex=0x85) / GTPPDUSessionContainer(type=1, QFI=9),
    "l2tp": over_udp(1701) / L2TP(tunnel_id=1, session_id=2) / HDLC() / PPP(proto=0x21),
    "pptp": PPTP / HDLC() / PPP(proto=0x21),
    "pptp with an acknowledgement": FOUR / GRE_PPTP(acknum_present=1, ack_number=2, **NUMBERED) / PPP(proto=0x21),
    "ip in ip": OUTER / IPv4(src="192.0.2.1", dst="192.0.2.2", proto=4),
    "mpls": OUTER / MPLS(label=16, s=0) / MPLS(label=17, s=1),
    "pppoe": OUTER / PPPoE(sessionid=1) / PPP(proto=0x21),
    "vlans": OUTER / Dot1AD(vlan=5) / Dot1Q(vlan=6, type=IPV4),
}
HEADS = [(f"{name} of {what}", head, skip) for what, heads, skip in (("ethernet", OF_ETHERNET, 0), ("ip", OF_IP, IP))
         for name, head in heads.items()]  # fmt: skip


@pytest.mark.parametrize(("head", "skip"), [pytest.param(head, skip, id=name) for name, head, skip in HEADS])
def test_what_scapy_has_wrapped_is_read_as_if_captured_plainly(head: Any, skip: int) -> None:
    rows, rejects = read(pcap(timed([bytes(head / frame[skip:]) for frame in PLAIN])))
    assert rejects.summary() == {}
    assert told(rows) == TOLD


@pytest.mark.parametrize("before", ["", "00000b0000000000", "00010000" + "00" * 9])
def test_requests_inside_teredo_are_those_of_tshark(before: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(timed([teredo(frame, bytes.fromhex(before)) for frame in PLAIN])))
    fields = ("-e", "ipv6.src", "-e", "http.request.uri")
    lines = said("tshark", "-n", "-r", path, "-Y", "http.request", "-T", "fields", *fields).decode().splitlines()
    rows, rejects = read(path)
    assert [f"{row['src_ip']}\t{row['url']}" for row in rows if row["kind"] == "http-request"] == lines != []
    packets = said("tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.number").count(b"\n")
    assert packets == len(PLAIN) and rejects.total == 0
