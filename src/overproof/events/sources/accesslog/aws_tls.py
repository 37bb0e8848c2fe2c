"""Read what AWS's load balancers log of TLS connections: NLB's access logs, and ALB's connection logs.

The fields are those of the AWS documentation ("Access log entries" of Network Load Balancers, "Connection log entries"
of Application Load Balancers), to whose end others may be added. The text is a TLS session's of any source; behind it
stand what else a client sent and how it failed: the protocols it asks for, an alert, whom its certificate names, what
the load balancer said of that, and such added fields as a client may have written.
"""

from __future__ import annotations

import re

from overproof.events import templates
from overproof.events.sources.accesslog.escapes import unescaped
from overproof.events.sources.accesslog.tail import is_plain
from overproof.events.sources.structured import StructuredEvent
from overproof.events.sources.values import number, utc
from overproof.events.templates.http import percent_decoded

_TIME = rb"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?)"
_NETWORK = re.compile(
    rb"""
    tls[ ][0-9.]{1,9}[ ]%b[ ]\S+[ ]\S+[ ](?P<client>\S+):(?P<port>[0-9]{1,5})
    [ ](?:-|(?P<server>\S+):(?P<server_port>[0-9]{1,5}))
    (?:[ ](?:-|[0-9]+)){2}[ ](?P<bytes>-|[0-9]+)[ ](?:-|[0-9]+)
    [ ](?P<alert>\S+)[ ]\S+[ ]\S+[ ]\S+[ ](?P<version>\S+)[ ]\S+[ ](?P<name>\S+)
    (?:[ ]\S+[ ]\S+[ ](?P<wanted>\S+)(?P<added>(?:[ ]\S+)*))?
    """
    % _TIME,
    re.VERBOSE,
)
_APPLICATION = re.compile(
    rb"""
    %bZ[ ](?P<client>[0-9A-Fa-f.:]{3,45})[ ](?P<port>[0-9]{1,5})[ ](?P<server_port>[0-9]{1,5})
    [ ](?P<version>-|TLSv[0-9.]+)[ ][\w-]+[ ](?:-|[0-9.]+)
    [ ](?:-|"(?P<subject>.*)")[ ](?:-|NotBefore=[^\s;"]*;NotAfter=[^\s;"]*)[ ][\w-]+[ ](?P<verify>-|Success|Failed:\S+)
    (?P<added>(?:[ ][^\s"]++)*+)
    """
    % _TIME,
    re.DOTALL | re.VERBOSE,
)


def read_connection(line: bytes) -> StructuredEvent | None:
    """Read a line of either log; None where it is of none."""
    if line.startswith(b"tls "):
        match = _NETWORK.fullmatch(line)
        return None if match is None else _of_network(match)
    match = _APPLICATION.fullmatch(line) if line[:1].isdigit() else None
    return None if match is None else _of_application(match)


def _of_network(match: re.Match[bytes]) -> StructuredEvent:
    client, name, port = _client(match), unescaped(match["name"], escapes=False), match["server_port"]
    sni = name and percent_decoded(name)
    session = templates.TlsSession(
        client, sni or "-", hello=unescaped(match["version"]), bytes=number(match["bytes"].decode())
    )
    sent = {"alpn": unescaped(match["wanted"], escapes=False), "alert": unescaped(match["alert"])}
    columns = {
        "dst_ip": unescaped(match["server"]),
        "dst_port": None if port is None else int(port),
        "protocol": "tls",
        "host": sni,
    }
    return _event(match, session.text, sent, columns)


def _of_application(match: re.Match[bytes]) -> StructuredEvent:
    """Make the event of a connection; one to a listener without TLS is a flow."""
    client, subject = _client(match), unescaped(match["subject"], escapes=False)
    sent = {"subject": subject, "verify": unescaped(match["verify"])}
    version = unescaped(match["version"])
    tls = version or any(sent.values())
    session = templates.TlsSession(client, None, hello=version)
    flow = templates.FlowRecord(proto="tcp", orig_host=client, resp_host=None)
    columns = {"dst_port": int(match["server_port"]), "protocol": "tls" if tls else None}
    return _event(match, session.text if tls else flow.text, sent, columns)


def _client(match: re.Match[bytes]) -> str:
    return match["client"].strip(b"[]").decode("utf-8", "backslashreplace")


def _event(
    match: re.Match[bytes],
    text: str,
    sent: dict[str, str | None],
    columns: dict[str, str | int | None],
) -> StructuredEvent:
    """Make the event of a connection, of whose time the zone need not be written: it is UTC."""
    client, added = _client(match), match["added"] or b""
    further = sent | {"log": None if is_plain(added) else unescaped(added.strip(), escapes=False)}
    return StructuredEvent(
        text=templates.record(text, further),
        time=utc(f"{match['time'].decode()}Z"),
        group=client,
        columns={
            "kind": columns["protocol"] or "flow",
            "src_ip": client,
            "src_port": int(match["port"]),
            "transport": "tcp",
            **columns,
        },
    )
