"""Turn Zeek's records into events: texts by template for the common logs, `zeek PATH key=value …` for others."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from overproof.events import templates
from overproof.events.sources.host_aggregates import Connection, HostAggregator
from overproof.events.sources.structured import StructuredEvent
from overproof.events.sources.values import integer, items, joined, number, seconds, string, when
from overproof.events.sources.zeek.keys import Record

_FAILED = {"S0", "REJ", "RSTOS0", "RSTRH", "SH", "SHR"}
_IDENTIFIERS = {"ts", "uid", "fuid", "uids", "conn_uids", "cert_chain_fuids", "orig_fuids", "resp_fuids"}
_PROTOCOLS = {"ssl": "tls", "smb_files": "smb", "smb_mapping": "smb"} | {
    name: name for name in "dhcp dnp3 dns ftp http irc kerberos ldap modbus mysql ntlm ntp quic radius rdp sip".split()
} | {name: name for name in "smtp snmp socks ssh syslog".split()}  # fmt: skip
# what a client sent that has no part of its own in a request's text
_SENT = (
    "username",
    "password",
    "origin",
    "version",
    "client_header_names",
    "cookie_vars",
    "uri_vars",
    "orig_filenames",
)
_OVER_TCP = {"http", "ssl", "ssh", "smtp", "ftp"}


def to_event(path: str, record: Record) -> StructuredEvent:
    """Build the event of a record."""
    flow_id, time = string(record.get("uid")), seconds(record.get("ts"))
    transport = string(record.get("proto"))
    service = string(record.get("service")) if path == "conn" else None
    return StructuredEvent(
        text=_TEXTS.get(path, _other)(path, record),
        time=None if time is None else when(time),
        group=flow_id or string(record.get("fuid")),
        columns={
            "kind": f"zeek-{path}",
            "src_ip": string(record.get("id.orig_h")) or _first(record.get("tx_hosts")),
            "src_port": integer(record.get("id.orig_p")),
            "dst_ip": string(record.get("id.resp_h")) or _first(record.get("rx_hosts")),
            "dst_port": integer(record.get("id.resp_p")),
            "transport": transport or ("tcp" if path in _OVER_TCP else None),
            "protocol": service or _PROTOCOLS.get(path),
            "host": string(record.get("server_name" if path == "ssl" else "host")),
            "url": string(record.get("uri")),
            "method": string(record.get("method")),
            "user_agent": string(record.get("user_agent")),
            "status": integer(record.get("status_code")),
            "user": string(record.get("username")) or string(record.get("user")),
            "query": string(record.get("query")),
            "flow_id": flow_id or _first(record.get("conn_uids")),
        },
    )


def add_connection(aggregator: HostAggregator, record: Record) -> list[templates.HostAggregate]:
    """Count a connection that states when and between whom it was; return the aggregates of minutes that are over."""
    time, src, dst = seconds(record.get("ts")), string(record.get("id.orig_h")), string(record.get("id.resp_h"))
    if time is None or src is None or dst is None:
        return []
    port = None if record.get("proto") == "icmp" else integer(record.get("id.resp_p"))  # Zeek writes ICMP's code there
    failed = string(record.get("conn_state")) in _FAILED
    recorded = time + (number(record.get("duration")) or 0.0)
    return aggregator.add(Connection(time, src, dst, port, failed, recorded))


def _conn(path: str, record: Record) -> str:
    return templates.FlowRecord(
        proto=string(record.get("proto")),
        service=string(record.get("service")),
        state=string(record.get("conn_state")),
        duration=number(record.get("duration")),
        orig_host=string(record.get("id.orig_h")),
        orig_bytes=number(record.get("orig_bytes")),
        resp_host=string(record.get("id.resp_h")),
        resp_bytes=number(record.get("resp_bytes")),
    ).text


def _http(path: str, record: Record) -> str:
    return templates.HttpRequest(
        string(record.get("method")) or "-",
        string(record.get("uri")) or "-",
        host=string(record.get("host")),
        agent=string(record.get("user_agent")),
        cookie=string(record.get("cookie")),
        referer=string(record.get("referrer")),
        body=string(record.get("post_body")),
        headers=() if record.keys().isdisjoint(_SENT) and "proxied" not in record else _headers(record),
    ).text


def _headers(record: Record) -> list[tuple[str, str]]:
    sent = [(key, value) for key in _SENT for value in map(string, items(record.get(key))) if value is not None]
    return sent + [_proxied(value) for value in map(string, items(record.get("proxied"))) if value]


def _proxied(value: str) -> tuple[str, str]:
    """Split what Zeek writes of a header that a proxy set: `VIA -> 1.1 cache`."""
    name, divided, rest = value.partition(" -> ")
    return (name.lower(), rest) if divided else ("proxied", value)


def _dns(path: str, record: Record) -> str:
    code = string(record.get("rcode_name"))
    ttls = [ttl for ttl in map(number, items(record.get("TTLs"))) if ttl is not None]
    return templates.DnsLookup(
        string(record.get("id.orig_h")),
        string(record.get("query")),
        type=string(record.get("qtype_name")) or string(record.get("qtype")),
        rcode=code,
        answer=joined(record.get("answers")) or (None if code is None else "-"),
        ttl=min(ttls, default=None),
    ).text


def _ssl(path: str, record: Record) -> str:
    """Write a session; the handshake is JA4's, else JA3's, else the version, whichever the log has."""
    issuer = string(record.get("issuer")) or string(record.get("issuer_subject"))
    first, last = number(record.get("not_valid_before")), number(record.get("not_valid_after"))
    return templates.TlsSession(
        string(record.get("id.orig_h")) or "-",
        sni=string(record.get("server_name")) or "-",
        hello=next(filter(None, (string(record.get(key)) for key in ("ja4", "ja3", "version"))), None),
        issuer=templates.signer(issuer, string(record.get("subject"))),
        valid=None if first is None or last is None else max(0.0, last - first) / 86400,
    ).text


def _ssh(path: str, record: Record) -> str:
    client = string(record.get("client"))
    return templates.SshSession(
        string(record.get("id.orig_h")),
        string(record.get("id.resp_h")),
        port=integer(record.get("id.resp_p")),
        client=None if client is None else re.sub(r"^SSH-[0-9.]+-", "", client),
        tries=number(record.get("auth_attempts")),
    ).text


def _files(path: str, record: Record) -> str:
    return templates.FileTransfer(
        source=string(record.get("source")),
        mime=string(record.get("mime_type")),
        name=string(record.get("filename")),
        bytes=number(record.get("seen_bytes")),
        sender=joined(record.get("tx_hosts")) or string(record.get("id.orig_h")),
        receiver=joined(record.get("rx_hosts")) or string(record.get("id.resp_h")),
    ).text


def _other(path: str, record: Record) -> str:
    """Write every field that is set, but no identifiers and times; durations and shares in their buckets."""
    parts = {str(key): _shown(value) for key, value in record.items() if not str(key).startswith("_")}
    return templates.record(f"zeek {path}", {key: part for key, part in parts.items() if key not in _IDENTIFIERS})


_TEXTS: dict[str, Callable[[str, Record], str]] = {
    "conn": _conn,
    "http": _http,
    "dns": _dns,
    "ssl": _ssl,
    "ssh": _ssh,
    "files": _files,
}


def _shown(value: Any) -> str | None:
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, float) and 0 <= value < math.inf:
        return templates.bucket(value)
    return joined(value) if isinstance(value, list) else string(value)


def _first(value: object) -> str | None:
    return string(next(iter(items(value)), None))
