"""Decide who may ask: nobody else's web page, and beyond this machine only who has the token."""

from __future__ import annotations

import hmac
import ipaddress
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from overproof.errors import InputError

TOKEN = "OVERPROOF_TOKEN"
LEAST_TOKEN = 16
# They tell nothing of events or of the model.
OPEN = frozenset({"/", "/page.css", "/page.js", "/page_parts.js", "/page_verdict.js", "/docs", "/healthz", "/readyz"})
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


@dataclass(frozen=True)
class Endpoint:
    """Where a service answers, and whom.

    Attributes
    ----------
    host
        Address to answer at; one that other machines reach needs a token.
    port
        0 takes a free one, which is shown.
    token
        Expected of every request, as `read_token` found it; None expects none.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    token: str | None = field(default=None, repr=False)


def read_token(path: Path | None) -> str | None:
    """Read the bearer token in a file, else in the environment's OVERPROOF_TOKEN; None if there is neither.

    Raises
    ------
    InputError
        A file that cannot be read, or a token that is too short or cannot stand in a header.
    """
    try:
        token = os.environ.get(TOKEN) if path is None else path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--token-file {path}: {getattr(error, 'strerror', None) or 'not ASCII'}") from None
    if token is None:
        return None
    if len(token) < LEAST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        where = TOKEN if path is None else f"--token-file {path}"
        raise InputError(f"{where}: expected a token of {LEAST_TOKEN} or more printable ASCII characters, no spaces")
    return token


def listening(endpoint: Endpoint) -> socket.socket:
    """Bind a socket.

    Raises
    ------
    InputError
        An address that cannot be bound, or one beyond this machine and no token.
    """
    host, port = endpoint.host, endpoint.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise InputError(f"--host {host}: {error.strerror}") from None
    if endpoint.token is None and not is_loopback(str(address[0])):
        raise InputError(
            f"--host {host}: can be reached from other machines, expected a token in {TOKEN} or in a --token-file"
        )
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise InputError(f"--host {host} --port {port}: {error.strerror}") from None
    return bound


def is_loopback(host: str) -> bool:
    """Return whether a host, as in a Host header without its port, is this machine by name or address."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class AccessPolicy:
    """Says why a request is refused.

    Without a token the service is on loopback, and any page that a browser shows could reach it: by a name of its own
    that leads to 127.0.0.1 (DNS rebinding), or by sending a form there. The Host header and the Origin header tell.

    Parameters
    ----------
    token
        Expected of every request but those for `OPEN`; None where the service is on loopback.
    """

    def __init__(self, token: str | None) -> None:
        self._expected = None if token is None else f"bearer {token}".encode()

    def trusts(self, headers: Mapping[bytes, bytes]) -> bool:
        """Return whether the token is given, or none is needed."""
        if self._expected is None:
            return True
        kind, _, token = headers.get(b"authorization", b"").partition(b" ")
        return hmac.compare_digest(self._expected, kind.lower() + b" " + token.strip())

    def refusal(self, path: str, headers: Mapping[bytes, bytes], version: str = "1.1") -> tuple[int, str] | None:
        """Return status and reason of a refusal, or None.

        Parameters
        ----------
        headers
            By lower-case name.
        version
            Of HTTP: probes of 1.0, which load balancers send, have no Host; a browser always sends it.
        """
        host = headers.get(b"host", b"").decode("latin-1")
        named = b"host" in headers or version != "1.0"
        if self._expected is None and named and not is_loopback(_without_port(host)):
            return 421, "the Host header names another machine; without a token only this one is answered"
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").partition("://")[2] != host:
            return 403, "a page of another origin may not ask"
        if path not in OPEN and not self.trusts(headers):
            return 401, "expected the header Authorization: Bearer TOKEN"
        return None


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() and not name.endswith(":") else host
