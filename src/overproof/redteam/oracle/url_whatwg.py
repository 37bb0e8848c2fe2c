"""Read addresses as browsers do: the parts of the WHATWG URL standard that concern http and https.

What the standard refuses, and what needs more of Unicode than the standard library knows, is no address here.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import unquote, unquote_to_bytes

_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65535
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f#/:<>?@\[\\\]^|%]")
_UNRESERVED = re.compile("%(?:2d|2e|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])", re.I)


@dataclass(frozen=True)
class Address:
    """Where an address leads; the path is shortened, and unreserved characters are decoded in it."""

    scheme: str
    user: str
    host: str
    port: int | None
    path: tuple[str, ...]
    query: str
    fragment: str


def read_address(text: str, page_scheme: str) -> Address | None:
    """Read an address that stands on a page; None where it leads to the page's own host, or is none."""
    text = re.sub("[\t\n\r]", "", text.strip("".join(map(chr, range(0x21)))))
    found = re.match("([A-Za-z][A-Za-z0-9+.-]*):", text)
    scheme = found[1].lower() if found else page_scheme
    rest = text[found.end() :] if found else text
    if scheme not in _DEFAULT_PORTS or (scheme == page_scheme and not re.match(r"[/\\]{2}", rest)):
        return None
    rest = rest.lstrip("/\\")
    authority = re.match(r"[^/\\?#]*", rest)
    end = authority.end() if authority else 0
    user, _, place = rest[:end].rpartition("@")
    split = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::([0-9]*))?", place)
    host = _host(split[1]) if split else None
    port = int(split[2]) if split and split[2] and len(split[2]) < 9 else None
    if split is None or host is None or (split[2] and (port is None or port > _MAX_PORT)):
        return None
    before, _, fragment = rest[end:].partition("#")
    path, _, query = before.partition("?")
    return Address(scheme, user, host, None if port == _DEFAULT_PORTS[scheme] else port, _path(path), query, fragment)


def _host(text: str) -> str | None:
    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1]))
        except AddressValueError:
            return None
    try:
        name = unicodedata.normalize("NFKC", unquote_to_bytes(text).decode("utf-8")).lower().replace("\u3002", ".")
        name = name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    if not name or _FORBIDDEN.search(name):
        return None
    last = name.removesuffix(".").rpartition(".")[2]
    return _numbers(name.removesuffix(".")) if re.fullmatch("[0-9]+|0x[0-9a-f]*", last) else name


def _numbers(name: str) -> str | None:
    """Read a host that ends in a number: one to four numbers, decimal, octal or hexadecimal."""
    value = 0
    parts = name.split(".")
    if len(parts) > 4:
        return None
    for place, part in enumerate(parts):
        digits, base = (part[2:], 16) if part.startswith("0x") else (part, 8 if part[:1] == "0" else 10)
        if not re.fullmatch({16: "[0-9a-f]*", 8: "[0-7]+", 10: "[0-9]+"}[base], digits) or len(digits) > 20:
            return None
        number = int(digits or "0", base)
        is_last = place == len(parts) - 1
        if number >= (256 ** (5 - len(parts)) if is_last else 256):
            return None
        value += number if is_last else number << (24 - 8 * place)
    return f"{value:#010x}"


def _path(path: str) -> tuple[str, ...]:
    """Remove dot segments as the standard does; an empty path is the root."""
    names: list[str] = []
    segments = re.split(r"[/\\]", path)[1:] or [""]
    for place, segment in enumerate(segments):
        name = re.sub("%2e", ".", segment, flags=re.I)
        is_last = place == len(segments) - 1
        if name == "..":
            del names[-1:]
        if name in {".", ".."}:
            names += [""] if is_last else []
        else:
            names.append(_UNRESERVED.sub(lambda found: unquote(found[0]), segment))
    return tuple(names)
