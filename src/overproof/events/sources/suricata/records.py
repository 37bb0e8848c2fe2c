"""Turn Suricata's events into ours: texts by template for the common types, `suricata TYPE key=value …` for others."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from overproof.events import templates
from overproof.events.sources.host_aggregates import Connection, HostAggregator
from overproof.events.sources.stream import decoded
from overproof.events.sources.structured import StructuredEvent
from overproof.events.sources.suricata.payload import unsaid
from overproof.events.sources.values import entry, integer, items, joined, moment, number, string, utc

Record = Mapping[Any, Any]

_FIN, _SYN, _RST = 0x01, 0x02, 0x04
_FAILED = {"S0", "REJ"}
_ENDED = {(True, True): "SF", (True, False): "S2", (False, True): "S3", (False, False): "S1"}  # by who ended it
# what stands beside an event and is no content of a protocol, or has a part of its own
_OF_NO_PROTOCOL = frozenset("flow tcp ether stream packet_info metadata traffic tunnel verdict anomaly email".split())
# what a server says, or what is written already
_NOT_SENT = re.compile(
    r"(?:^|(?<!\.client)\.)(?:(?:issuerdn|subject|chain|certificate|server|response\w*|grouped|answers|authorities|additionals)"
    r"(?=\.|$)|http_(?:response_body\w*|content_type|method)|http_request_body$|redirect|location)"
)
_HOLDS_MORE = (dict, list)  # once, and not `dict | list` for each value, which makes the type anew
_DEEPEST = 3  # levels of an unknown event's keys that are written out
_PROTOCOLS = set("http dns tls ssh smb ftp smtp rdp quic krb5 snmp sip mqtt nfs dhcp ike tftp rfb modbus dnp3".split())

_PSEUDO = {":method": "http_method", ":path": "url", ":authority": "hostname"}

# of a request what has a part of its own, and what its answer or Suricata says
_APART = frozenset(
    "hostname url http_user_agent cookie http_refer http_method http_request_body http_request_body_printable "
    "http_response_body http_response_body_printable http_content_type request_headers response_headers redirect "
    "accept_range age allow connection content_encoding content_language content_length content_location content_md5 "
    "content_range content_type date etags expires last_modified link location proxy_authenticate refresh retry_after "
    "server set_cookie trailer transfer_encoding upgrade vary warning www_authenticate status length http_port".split()
)
_VERSIONS = frozenset(("protocol", f"HTTP/{version}") for version in ("0.9", "1.0", "1.1", "2", "2.0", "3"))


def is_eve(record: Record) -> bool:
    """Return whether an object is an event of an EVE log: flows have addresses, and each type an object of its name."""
    if not {"timestamp", "event_type"} <= record.keys():
        return False
    return bool(record.keys() & {"flow_id", "src_ip", "stats"}) or isinstance(_of_type(record), dict)


def _of_type(record: Record) -> object:
    kind = record["event_type"]
    return record.get(kind) if isinstance(kind, str) else None


def to_event(kind: str, record: Record) -> StructuredEvent:
    """Build the event of a record."""
    flow_id = string(record.get("flow_id")) or string(record.get("community_id"))
    http, service = _request_in(record), _service(record)
    text = _TEXTS.get(kind, _other)(kind, record)
    if kind in _ABOUT_OTHERS or kind not in _TEXTS:
        text = templates.record(text, _further(record, text))
    return StructuredEvent(
        text=text,
        time=utc(string(record.get("timestamp")) or ""),
        group=flow_id,
        columns={
            "kind": f"suricata-{kind}",
            "src_ip": string(record.get("src_ip")),
            "src_port": integer(record.get("src_port")),
            "dst_ip": string(record.get("dest_ip")),
            "dst_port": integer(record.get("dest_port")),
            "transport": _transport(record),
            "protocol": service or (kind if kind in _PROTOCOLS else None),
            "host": string(http.get("hostname")) or string(entry(record, "tls").get("sni")),
            "url": string(http.get("url")),
            "method": string(http.get("http_method")),
            "user_agent": string(http.get("http_user_agent")),
            "status": integer(http.get("status")),
            "query": _question(entry(record, "dns"))[0] if "dns" in record else None,
            "flow_id": flow_id,
        },
        overflow=kind == "dns" and len(items(entry(record, "dns").get("queries"))) > 1,  # of which the first is told
    )


def add_connection(aggregator: HostAggregator, record: Record) -> list[templates.HostAggregate]:
    """Count a flow that states when and between whom it was; return the aggregates of the minutes that are over."""
    now = moment(string(record.get("timestamp")) or "")
    time = moment(string(entry(record, "flow").get("start")) or "") or now
    src, dst = string(record.get("src_ip")), string(record.get("dest_ip"))
    if now is None or time is None or src is None or dst is None:
        return []
    port, failed = integer(record.get("dest_port")), _state(record) in _FAILED
    return aggregator.add(Connection(time.timestamp(), src, dst, port, failed, now.timestamp()))


def _flow(kind: str, record: Record) -> str:
    flow = entry(record, "flow")
    return templates.FlowRecord(
        sensor=string(record.get("host")),
        proto=_transport(record),
        service=_service(record),
        state=_state(record),
        duration=number(flow.get("age")),
        orig_host=string(record.get("src_ip")),
        orig_bytes=number(flow.get("bytes_toserver")),
        resp_host=string(record.get("dest_ip")),
        resp_bytes=number(flow.get("bytes_toclient")),
    ).text


def _state(record: Record) -> str:
    """Derive how a flow went, in Zeek's words, from who answered and the TCP flags of both sides."""
    if not number(entry(record, "flow").get("pkts_toclient")):
        return "S0"
    if _transport(record) != "tcp":
        return "SF"
    tcp = entry(record, "tcp")
    sent, answered = _flags(tcp.get("tcp_flags_ts")), _flags(tcp.get("tcp_flags_tc"))
    if not answered & _SYN:
        return "REJ" if answered & _RST else "OTH"
    if sent & _RST:
        return "RSTO"
    if answered & _RST:
        return "RSTR"
    return _ENDED[bool(sent & _FIN), bool(answered & _FIN)]


def _flags(value: object) -> int:
    try:
        return int(string(value) or "", 16)
    except ValueError:
        return 0


def _http(kind: str, record: Record) -> str:
    http = _request_in(record)
    headers = _headers(http["request_headers"]) if "request_headers" in http else []
    others = []
    if not _APART.issuperset(http):
        others = [(key.replace("_", "-"), value) for key, value in http.items() if _is_further(key, value)]
    return templates.HttpRequest(
        string(http.get("http_method")) or "-",
        string(http.get("url")) or "-",
        host=string(http.get("hostname")) or _named(headers, "host"),
        agent=string(http.get("http_user_agent")) or _named(headers, "user-agent"),
        cookie=string(http.get("cookie")) or _named(headers, "cookie"),
        referer=string(http.get("http_refer")) or _named(headers, "referer"),
        headers=headers + others,
        body=_content(http, "http_request_body"),
    ).text


def _named(headers: Sequence[tuple[str, str]], name: str) -> str | None:
    return ", ".join(value for header, value in headers if header == name) or None if headers else None


def _is_further(key: str, value: object) -> bool:
    """Tell whether a key of a request is a header that was logged under its name."""
    return key not in _APART and isinstance(value, str) and (key, value) not in _VERSIONS


def _request_in(record: Record) -> Record:
    """Return the request of a record; of HTTP/2 its line may stand among the headers alone (RFC 9113, 8.3.1)."""
    http = entry(record, "http")
    if "url" in http or "request_headers" not in http:
        return http
    named = dict(_pairs(http["request_headers"]))
    found = {key: named[name] for name, key in _PSEUDO.items() if name in named}
    return {**found, **http} if found else http


def _content(record: Record, key: str) -> str | None:
    """Return content that is logged printable, in base64, or both."""
    printable = string(record.get(f"{key}_printable"))
    encoded = string(record.get(key))
    if printable or not encoded:
        return printable
    try:
        return decoded(base64.b64decode(encoded)) or None
    except ValueError:
        return encoded


def _headers(found: object) -> list[tuple[str, str]]:
    """Read the headers of `dump-all-headers`, less what HTTP/2 writes there of the request's line."""
    return [(name, value) for name, value in _pairs(found) if name not in _PSEUDO]


def _pairs(found: object) -> list[tuple[str, str]]:
    """Read a list of objects with `name` and `value`."""
    pairs = [(string(one.get("name")), string(one.get("value"))) for one in items(found) if isinstance(one, dict)]
    return [(name.lower(), value) for name, value in pairs if name and value]


def _dns(kind: str, record: Record) -> str:
    """Write a query, or its answer: one event for each answer (version 1), or for all together (2 and 3)."""
    dns = entry(record, "dns")
    name, wanted = _question(dns)
    listed: list[Record] = [answer for answer in items(dns.get("answers")) if isinstance(answer, dict)]
    answers = listed or [dns]
    ttls = [ttl for ttl in (number(answer.get("ttl")) for answer in answers) if ttl is not None]
    data = joined([answer["rdata"] for answer in answers if answer.get("rdata")])
    answered = dns.get("type") in ("answer", "response")
    client = "dest_ip" if integer(record.get("src_port")) == 53 != integer(record.get("dest_port")) else "src_ip"
    return templates.DnsLookup(
        string(record.get(client)),
        name,
        type=wanted,
        rcode=string(dns.get("rcode")) if answered else None,
        answer=data or ("-" if answered else None),
        ttl=min(ttls, default=None),
    ).text


def _question(dns: Record) -> tuple[str | None, str | None]:
    """Return name and type that are asked for; version 3 has them in a list, of which the first counts."""
    asked = next((each for each in items(dns.get("queries")) if isinstance(each, dict)), dns)
    return string(asked.get("rrname")), string(asked.get("rrtype"))


def _tls(kind: str, record: Record) -> str:
    """Write a session; the handshake is JA4's, else JA3's, else the version, whichever the log has."""
    tls = entry(record, "tls")
    first, last = (moment(f"{string(tls.get(key))}Z") for key in ("notbefore", "notafter"))
    version = (string(tls.get("version")) or "").replace(" ", "")
    return templates.TlsSession(
        string(record.get("src_ip")) or "-",
        sni=string(tls.get("sni")) or "-",
        hello=string(tls.get("ja4")) or string(entry(tls, "ja3").get("hash")) or version or None,
        issuer=templates.signer(string(tls.get("issuerdn")), string(tls.get("subject"))),
        valid=None if first is None or last is None else max(0.0, (last - first).total_seconds()) / 86400,
    ).text


def _ssh(kind: str, record: Record) -> str:
    return templates.SshSession(
        string(record.get("src_ip")),
        string(record.get("dest_ip")),
        port=integer(record.get("dest_port")),
        client=string(entry(entry(record, "ssh"), "client").get("software_version")),
    ).text


def _fileinfo(kind: str, record: Record) -> str:
    about = entry(record, "fileinfo")
    return templates.FileTransfer(
        source=_service(record),
        mime=string(about.get("mimetype")) or string(about.get("magic")),
        name=string(about.get("filename")),
        bytes=number(about.get("size")),
        sender=string(record.get("src_ip")),
        receiver=string(record.get("dest_ip")),
    ).text


def _alert(kind: str, record: Record) -> str:
    """Write Suricata's alert, then the request that it is about, or the payload."""
    alert = entry(record, "alert")
    parts = {key: string(alert.get(key)) for key in ("signature", "category", "severity", "action")}
    text = templates.record("suricata alert", parts | _flow_parts(record) | _email(record))
    payload = _content(record, "payload")
    if entry(record, "http"):
        text = f"{text} {_http(kind, record)}"
        payload = payload and unsaid(payload, text)
    return f"{text} payload={payload}" if payload else text


def _other(kind: str, record: Record) -> str:
    about = dict(_flat(entry(record, kind), "", _DEEPEST)) if kind != "email" else {}
    if kind not in record:  # but in objects of other names, as HTTP/2 in `http`
        for name, value in record.items():
            if isinstance(value, dict) and name not in _OF_NO_PROTOCOL:
                about.update(_flat(value, f"{name}.", _DEEPEST))
    return templates.record(f"suricata {kind}", _flow_parts(record) | about | _email(record))


def _email(record: Record) -> dict[str, str | None]:
    """Write the message that an event of SMTP or an alert carries: who, to whom, subject, attachments, URLs."""
    found = _flat(entry(record, "email"), "email.", _DEEPEST)
    return {key: value for key, value in found if key != "email.status" and not key.endswith("_md5")}


def _further(record: Record, text: str) -> dict[str, templates.Part]:
    """Return what a client sent that the text of an alert, a file or a session lacks, and that is unusual."""
    found: dict[str, templates.Part] = {}
    for name, value in record.items():
        if not isinstance(value, _HOLDS_MORE) or name in _OF_NO_PROTOCOL:
            continue
        for key, said in _unusual(value, f"{name}."):
            if _NOT_SENT.search(key) is None and _is_missing(said, text):
                found[key] = templates.percent_decoded(said) if key.endswith("url") else said
    return found


def _unusual(value: object, before: str, levels: int = 5) -> Iterator[tuple[str, str]]:
    """Yield every unusual text in objects and lists, under the names of the objects that it is in."""
    pairs = value.items() if isinstance(value, dict) else [("", each) for each in items(value)]
    for key, inside in pairs:
        if isinstance(inside, str):
            if templates.is_unusual(inside):
                yield f"{before}{key}".rstrip("."), inside
        elif isinstance(inside, _HOLDS_MORE) and levels:
            yield from _unusual(inside, f"{before}{key}." if key else before, levels - 1)


def _is_missing(said: str, text: str) -> bool:
    return said not in text and templates.percent_decoded(said) not in text


def _flow_parts(record: Record) -> dict[str, templates.Part]:
    return {
        "proto": _transport(record),
        "service": _service(record),
        "src": string(record.get("src_ip")),
        "dst": string(record.get("dest_ip")),
        "port": integer(record.get("dest_port")),
    }


def _flat(record: Record, before: str, levels: int) -> Iterator[tuple[str, str | None]]:
    """Yield keys and values, those of objects inside under `outer.inner`."""
    for key, value in record.items():
        if isinstance(value, dict) and levels > 1:
            yield from _flat(value, f"{before}{key}.", levels - 1)
        else:
            yield f"{before}{key}", joined(value) if isinstance(value, list) else string(value)


def _transport(record: Record) -> str | None:
    return (string(record.get("proto")) or "").lower() or None


def _service(record: Record) -> str | None:
    """Return the protocol that Suricata saw; `failed` is its word for none."""
    found = string(record.get("app_proto"))
    return None if found == "failed" else found


_TEXTS: dict[str, Callable[[str, Record], str]] = {
    "http": _http,
    "dns": _dns,
    "tls": _tls,
    "ssh": _ssh,
    "flow": _flow,
    "fileinfo": _fileinfo,
    "alert": _alert,
}
_ABOUT_OTHERS = frozenset({"alert", "fileinfo", "drop", "tls", "ssh"})  # which carry objects of other protocols
