"""TLS connections in the logs of AWS's load balancers; the examples are those of its documentation, edited."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Rejects

NLB = (
    "tls 2.0 2018-12-20T02:59:40 net/my-lb/c6e77e28c25b2234 g3d4b5e8bb8464cd 192.0.2.7:51341 172.100.100.185:443 "
    "5 2 98 246 - arn:aws:acm:us-east-2:671290407336:certificate/2a108f19-aded-46b0-8493-c63eb1ef4a99 - "
    "ECDHE-RSA-AES128-SHA TLSv12 - my-lb.elb.us-east-2.amazonaws.com - - -"
)
ALPN = NLB.removesuffix("- - -") + 'h2 h2 "h2","http/1.1" 2018-12-20T02:59:30'
FAILED = NLB.replace("5 2 98 246 - arn:", "- - - - 48 arn:").replace("TLSv12", "-").replace("my-lb.elb", "-").replace(
    "-.us-east-2.amazonaws.com", "-"
)  # fmt: skip
SUBJECT = '"CN=amazondomains.com,O=endEntity,L=Seattle,ST=Washington,C=US"'
VALID = "NotBefore=2023-09-21T22:43:21Z;NotAfter=2026-06-17T22:43:21Z"
ALB = (
    "2023-10-04T17:05:15.514108Z 192.0.2.7 36280 443 TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 4.036 "
    f"{SUBJECT} {VALID} FEF2 Success"
)
UNTRUSTED = ALB.replace("TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 4.036", "- - -").replace(
    "Success", "Failed:ClientCertUntrusted TID_3180a73013c8ca4bac2f731159d4b0fe"
)
PLAIN = "2023-10-04T17:05:15.514108Z 192.0.2.7 36280 80 - - - - - - - TID_1"
LINES = [NLB, ALPN, FAILED, ALB, UNTRUSTED, PLAIN]


def one(read, line: str) -> dict[str, object]:
    table, rejects = read("a.txt", line.encode() + b"\n")
    assert rejects.total == 0
    (event,) = table.to_pylist()
    assert (event["src_ip"], event["group"], event["transport"]) == ("192.0.2.7", "192.0.2.7", "tcp")
    return event


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (NLB, "TLS 192.0.2.7 sni=my-lb.elb.us-east-2.amazonaws.com hello=TLSv12 bytes=2^6"),
        (ALPN, 'TLS 192.0.2.7 sni=my-lb.elb.us-east-2.amazonaws.com hello=TLSv12 bytes=2^6 alpn="h2","http/1.1"'),
        (FAILED, "TLS 192.0.2.7 sni=- alert=48"),
        (NLB.replace("my-lb.elb", "%3Cscript%3E"),
         "TLS 192.0.2.7 sni=<script>.us-east-2.amazonaws.com hello=TLSv12 bytes=2^6"),
        (ALPN + " 1 <x>", 'TLS 192.0.2.7 sni=my-lb.elb.us-east-2.amazonaws.com hello=TLSv12 bytes=2^6 '
         'alpn="h2","http/1.1" log="2018-12-20T02:59:30 1 <x>"'),
        (ALB, f"TLS 192.0.2.7 hello=TLSv1.2 subject={SUBJECT[1:-1]} verify=Success"),
        (UNTRUSTED, f"TLS 192.0.2.7 subject={SUBJECT[1:-1]} verify=Failed:ClientCertUntrusted"),
        (ALB.replace("Seattle", 'a" - - b'), "TLS 192.0.2.7 hello=TLSv1.2 subject=\""
         + SUBJECT[1:-1].replace("Seattle", 'a" - - b') + "\" verify=Success"),
        (PLAIN, "flow proto=tcp orig_host=192.0.2.7"),
    ],
)  # fmt: skip
def test_each_is_a_session_with_what_the_client_sent(read, line: str, text: str) -> None:
    assert one(read, line)["text"] == text


def test_their_columns(read) -> None:
    nlb, alb, plain = one(read, ALPN), one(read, ALB), one(read, PLAIN)
    wanted = {"kind": "tls", "time": "2018-12-20T02:59:40Z", "src_port": 51341, "dst_ip": "172.100.100.185",
              "dst_port": 443, "protocol": "tls", "host": "my-lb.elb.us-east-2.amazonaws.com"}  # fmt: skip
    assert nlb.items() >= wanted.items()
    assert (alb["kind"], alb["time"], alb["dst_port"]) == ("tls", "2023-10-04T17:05:15.514108Z", 443)
    assert (plain["kind"], plain["protocol"], plain["dst_port"]) == ("flow", None, 80)


def test_as_many_as_begin_like_one(read) -> None:
    data = "\n".join(LINES * 50 + ["tls 2.0 cut"]).encode()
    table, rejects = read("a.log", data)
    assert table.num_rows == len(re.findall(rb"^(?:tls 2\.0 \d|\d{4}-\d\d-\d\dT)", data, re.MULTILINE))
    assert rejects.summary() == {"not a line of an access log": 1}


@pytest.mark.parametrize("line", LINES)
def test_a_line_cut_short_is_rejected_and_never_read_in_part(read, line: str) -> None:
    """But at the ends of fields that AWS once wrote no others behind."""
    whole = {len(each) for each in LINES} | {
        line.rfind(" - - -"),
        line.find(" TID_"),
        line.find(" h2 h2"),
        len(ALPN) - 20,
    }
    cuts = [end for end in range(1, len(line)) if end not in whole and line[end - 1] == " "]
    rejects = Rejects()
    table, _ = read("a.log", "\n".join([line, *(line[:end] for end in cuts)]).encode(), rejects, format="accesslog")
    assert (table.num_rows, rejects.total) == (1, len(cuts))


@given(st.sampled_from(LINES), st.integers(0, 400), st.binary(max_size=9))
def test_a_line_with_anything_anywhere_is_an_event_or_skipped(read, line: str, place: int, more: bytes) -> None:
    raw = line.encode()[:place] + more.replace(b"\n", b"") + line.encode()[place:]
    rejects = Rejects()
    try:
        count = read("a.log", raw, rejects, format="accesslog")[0].num_rows
    except InputError:
        count = 0
    assert count + rejects.total == 1


@pytest.mark.parametrize("start", [NLB[:200], ALPN, ALB[:140], UNTRUSTED])
def test_hostile_lines_take_no_longer_than_their_length(read, start: str) -> None:
    lines = [
        start + piece * 2**18 for piece in (" -", ' "', '" - - - ', " a:1", ":1", " 1", ' " NotBefore=;NotAfter= ')
    ]
    _, rejects = read("a.log", "\n".join([*lines, NLB]).encode(), format="accesslog")
    assert rejects.total <= len(lines)
