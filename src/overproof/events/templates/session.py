"""Write TLS sessions, SSH sessions and file transfers as text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from overproof.events.templates.line import bucketed, line

_COMMON_NAME = re.compile(r"(?:^|[,/])\s*CN\s*=\s*((?:[^,\\]|\\.)+)")


@dataclass(frozen=True, slots=True)
class TlsSession:
    """A TLS session.

    Attributes
    ----------
    client
        Who opened it: a name or an address.
    sni
        The server's name; `-` where the client sent none.
    app, hello
        The program, and its handshake in the manner of JA4.
    issuer
        Who signed the certificate; `self` where it was its own subject.
    valid
        Days.
    """

    client: str
    sni: str | None
    app: str | None = None
    hello: str | None = None
    issuer: str | None = None
    valid: float | None = None
    bytes: float | None = None

    @property
    def text(self) -> str:
        """The session as the model reads it."""
        return line(
            f"TLS {self.client}",
            sni=self.sni,
            app=self.app,
            hello=self.hello,
            issuer=self.issuer,
            valid=bucketed(self.valid, "d"),
            bytes=bucketed(self.bytes),
        )


@dataclass(frozen=True, slots=True)
class SshSession:
    """An SSH session.

    Attributes
    ----------
    known
        Whether the client knew the server's key: `yes` or `no`.
    client
        The client's software.
    """

    src: str | None
    dst: str | None
    port: int | None
    known: str | None = None
    client: str | None = None
    auth: str | None = None
    tries: float | None = None
    bytes: float | None = None
    user: str | None = None

    @property
    def text(self) -> str:
        """The session as the model reads it."""
        return line(
            "SSH",
            src=self.src,
            dst=self.dst,
            port=self.port,
            known=self.known,
            client=self.client,
            auth=self.auth,
            tries=bucketed(self.tries),
            bytes=bucketed(self.bytes),
            user=self.user,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTransfer:
    """A file that was seen on the wire; the built-in traffic has none.

    Attributes
    ----------
    source
        The protocol it came over.
    """

    source: str | None
    mime: str | None
    name: str | None
    bytes: float | None
    sender: str | None
    receiver: str | None

    @property
    def text(self) -> str:
        """The transfer as the model reads it."""
        return line(
            "file",
            source=self.source,
            mime=self.mime,
            name=None if self.name is None else f'"{self.name}"',
            bytes=bucketed(self.bytes),
            tx_host=self.sender,
            rx_host=self.receiver,
        )


def signer(issuer: str | None, subject: str | None) -> str | None:
    """Name who signed a certificate in one word: `self`, else its common name (`DigiCert CA` becomes `digicert-ca`)."""
    if issuer is None:
        return None
    if issuer == subject:
        return "self"
    common = _COMMON_NAME.search(issuer)
    return "-".join(re.findall(r"\w+", (common[1] if common else issuer).lower())) or None
