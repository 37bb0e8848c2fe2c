"""Recognize the protocol of a conversation by its first bytes, else by its port."""

from __future__ import annotations

import re

PORTS = {
    20: "ftp-data", 21: "ftp", 22: "ssh", 23: "telnet", 25: "smtp", 53: "dns", 67: "dhcp", 68: "dhcp", 69: "tftp",
    80: "http", 88: "kerberos", 110: "pop3", 111: "rpc", 123: "ntp", 135: "dce_rpc", 137: "netbios", 138: "netbios",
    139: "smb", 143: "imap", 161: "snmp", 162: "snmp", 179: "bgp", 389: "ldap", 443: "tls", 445: "smb", 465: "tls",
    500: "ike", 514: "syslog", 587: "smtp", 636: "tls", 853: "tls", 993: "tls", 995: "tls", 1080: "socks",
    1433: "mssql", 1521: "oracle", 1883: "mqtt", 1900: "ssdp", 3128: "http", 3306: "mysql", 3389: "rdp",
    5060: "sip", 5353: "dns", 5355: "dns", 5432: "postgres", 5900: "vnc", 5985: "winrm", 6379: "redis",
    6667: "irc", 8000: "http", 8080: "http", 8443: "tls", 8888: "http", 9200: "http",
    11211: "memcached", 27017: "mongodb",
}  # fmt: skip

_CLIENT = {
    "tls": rb"\x16\x03[\x00-\x04]",
    "ssh": rb"SSH-\d",
    "http2": rb"PRI \* HTTP/2",
    "smb": rb"\x00.{3}[\xff\xfe]SMB",
    "rdp": rb"\x03\x00..[\x02-\xff]\xe0",
    "telnet": rb"\xff[\xfb-\xfe]",
    "ftp": rb"(?i:USER|AUTH) [^\r\n]*\r?\n",
    "smtp": rb"(?i:EHLO|HELO) ",
    "imap": rb"(?i)\w{1,8} (?:LOGIN|CAPABILITY)\b",
    "sip": rb"[A-Z]{3,9} sips?:",
    "rtsp": rb"[A-Z_]{4,13} \S+ RTSP/",
    "postgres": rb"\x00\x00..(?:\x00\x03\x00\x00|\x04\xd2\x16\x2f)",
    "redis": rb"\*\d+\r\n\$\d+\r\n",
    "socks": rb"\x05[\x01-\x09][\x00-\x09]+\Z",
    "ldap": rb"\x30.{1,6}\x02\x01.\x60",
    "mqtt": rb"\x10.{1,4}\x00[\x04\x06]MQ",
}
_SERVER = {
    "http": rb"HTTP/\d",
    "tls": rb"\x16\x03[\x00-\x04]",
    "ssh": rb"SSH-\d",
    "mysql": rb".{3}\x00\x0a\d+\.[^\x00]+\x00",
    "smb": rb"\x00.{3}[\xff\xfe]SMB",
    "rdp": rb"\x03\x00..[\x02-\xff]\xd0",
    "telnet": rb"\xff[\xfb-\xfe]",
    "ftp": rb"220[- ](?i:[^\r\n]*ftp)",
    "smtp": rb"220[- ](?i:[^\r\n]*(?:smtp|mail))",
    "pop3": rb"\+OK",
    "imap": rb"\* (?:OK|PREAUTH)",
    "vnc": rb"RFB \d",
}
_QUIC = re.compile(rb"[\xc0-\xff](?:\x00\x00\x00\x01|\x6b\x33\x43\xcf|\xff\x00\x00.|Q0..)", re.DOTALL)

_PLAIN_TEXT = re.compile(rb"[\t\r\n\x20-\x7e]+")


def _compiled(patterns: dict[str, bytes]) -> dict[str, re.Pattern[bytes]]:
    return {name: re.compile(pattern, re.DOTALL) for name, pattern in patterns.items()}


_CLIENT_PATTERNS, _SERVER_PATTERNS = _compiled(_CLIENT), _compiled(_SERVER)


def client_protocol(data: bytes) -> str | None:
    """Recognize the protocol of a client's first bytes; HTTP is recognized by `request.begins_http`."""
    return next((name for name, pattern in _CLIENT_PATTERNS.items() if pattern.match(data)), None)


def server_protocol(data: bytes) -> str | None:
    """Recognize the protocol of a server's first bytes."""
    return next((name for name, pattern in _SERVER_PATTERNS.items() if pattern.match(data)), None)


def is_quic(data: bytes) -> bool:
    """Tell whether a datagram begins like QUIC of version 1, 2, a draft or Google's (RFC 9000, 17.2; RFC 9369)."""
    return len(data) >= 20 and bool(_QUIC.match(data))


def is_plain_text(data: bytes) -> bool:
    """Tell whether a datagram is printable ASCII, which no encrypted packet of QUIC's is."""
    return _PLAIN_TEXT.fullmatch(data) is not None


def by_port(port: int | None) -> str | None:
    """Return the service usual on a port."""
    return None if port is None else PORTS.get(port)
