"""Write structured records as text: one template a kind of record, the same from any source.

They are the templates of the built-in traffic (`overproof.events.simulate`), so that a model which was trained on
it can read captures and logs: numbers stand in logarithmic buckets, and a part that is None is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from overproof.events.sources.stream import decoded

Part = str | int | None

_SEPARATE_PARTS = frozenset({"host", "user-agent", "cookie", "referer"})  # by parts of their own
_UNUSUAL = re.compile(r"""[<>{}'`|\\^$\x00-\x08\x0a-\x1f\x7f]|%[0-9A-Fa-f]{2}""")

_COMMON_NAME = re.compile(r"(?:^|[,/])\s*CN\s*=\s*((?:[^,\\]|\\.)+)")


def bucket(number: float) -> str:
    """Write a number as its logarithmic bucket: `2^10` is 1024 to 2047, `2^0` all under 2, except 0, which stays."""
    return f"2^{int(number).bit_length() - 1}" if number >= 1 else "2^0" if number > 0 else "0"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request, from any source.

    Attributes
    ----------
    method, target, host, agent, cookie, referer, body
        As they were sent. The target is percent-decoded in the text, once, and must come undecoded: what was
        encoded twice stays encoded once, as the server would see it.
    headers
        Name and value of any others. The text has only those that hold what headers rarely do: a look-up in
        X-Api-Version is there, the languages of a browser are not, and a model sees requests as it was taught them.
    """

    method: str
    target: str
    host: str | None = None
    agent: str | None = None
    cookie: str | None = None
    referer: str | None = None
    headers: Sequence[tuple[str, str]] = ()
    body: str | None = None

    @property
    def text(self) -> str:
        """The request as the model reads it."""
        unusual = [
            f"{name}: {value}" for name, value in self.headers if name not in _SEPARATE_PARTS and _UNUSUAL.search(value)
        ]
        return _line(
            f"HTTP {self.method} {percent_decoded(self.target)}",
            host=self.host,
            ua=None if self.agent is None else f'"{self.agent}"',
            cookie=self.cookie,
            referer=self.referer,
            headers=", ".join(unusual) or None,
            body=self.body,
        )


@dataclass(frozen=True, slots=True)
class DnsLookup:
    """A DNS lookup.

    Attributes
    ----------
    client
        Who asked: a name or an address.
    query, type, rcode
        As in `www.example.com`, `A`, `NOERROR`.
    answer
        `-` where the response had none, None where no response was seen.
    ttl
        Seconds.
    """

    client: str | None
    query: str | None
    type: str | None
    rcode: str | None = None
    answer: str | None = None
    ttl: float | None = None

    @property
    def text(self) -> str:
        """The lookup as the model reads it."""
        return _line(
            "dns",
            client=self.client,
            query=self.query,
            type=self.type,
            rcode=self.rcode,
            answer=self.answer,
            ttl=_bucket(self.ttl),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowRecord:
    """A flow: who opened it (`orig_host`), who answered (`resp_host`), and how much each sent.

    Attributes
    ----------
    state
        In Zeek's words: SF, S0, REJ, RSTO, ….
    duration
        Seconds.
    """

    proto: str | None
    orig_host: str | None
    resp_host: str | None
    sensor: str | None = None
    service: str | None = None
    state: str | None = None
    duration: float | None = None
    orig_bytes: float | None = None
    resp_bytes: float | None = None

    @property
    def text(self) -> str:
        """The flow as the model reads it."""
        return _line(
            "flow",
            sensor=self.sensor,
            proto=self.proto,
            service=self.service,
            state=self.state,
            duration=_bucket(self.duration, "s"),
            orig_host=self.orig_host,
            orig_bytes=_bucket(self.orig_bytes),
            resp_host=self.resp_host,
            resp_bytes=_bucket(self.resp_bytes),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAggregate:
    """What one host did in one minute.

    Attributes
    ----------
    start
        Second at which the minute began; not in the text.
    src, dst
        The host, and whom it called: the peer's address where there was only one, else the network (/24,
        IPv6: /64) that most of its peers are in.
    conns, ports, peers
        Connections, and how many different ports and hosts they went to.
    failed
        Share of the connections that failed, 0 to 1.
    gap, jitter
        Mean time between two connections in seconds, and its standard deviation as a share of that mean;
        None where there were too few connections to tell: one, or for the jitter two.
    host
        The sensor's name for the host, where it has one.
    """

    start: int
    src: str
    dst: str
    conns: int
    ports: int
    peers: int
    failed: float
    gap: float | None
    jitter: float | None
    host: str | None = None

    @property
    def text(self) -> str:
        """The minute as the model reads it."""
        percent = None if self.jitter is None else 100 * self.jitter
        return _line(
            "flows",
            host=self.host,
            src=self.src,
            dst=self.dst,
            conns=bucket(self.conns),
            ports=bucket(self.ports),
            peers=bucket(self.peers),
            failed=f"{10 * round(10 * self.failed)}%",
            gap=_bucket(self.gap, "s"),
            jitter=_bucket(percent, "%"),
        )


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
        return _line(
            f"TLS {self.client}",
            sni=self.sni,
            app=self.app,
            hello=self.hello,
            issuer=self.issuer,
            valid=_bucket(self.valid, "d"),
            bytes=_bucket(self.bytes),
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
        return _line(
            "SSH",
            src=self.src,
            dst=self.dst,
            port=self.port,
            known=self.known,
            client=self.client,
            auth=self.auth,
            tries=_bucket(self.tries),
            bytes=_bucket(self.bytes),
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
        return _line(
            "file",
            source=self.source,
            mime=self.mime,
            name=None if self.name is None else f'"{self.name}"',
            bytes=_bucket(self.bytes),
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


def record(name: str, parts: Mapping[str, Part]) -> str:
    """Write any other record: its name and `key=value …`; a value with blanks in it is quoted."""
    quoted = {key: f'"{part}"' if isinstance(part, str) and " " in part else part for key, part in parts.items()}
    return _line(name, **quoted)


def percent_decoded(target: str) -> str:
    r"""Undo the percent-encoding of a request's target once; bytes that are no UTF-8 are written `\xff`."""
    if "%" not in target:
        return target
    return decoded(unquote_to_bytes(target.encode("utf-8", "backslashreplace")))


def _bucket(number: float | None, unit: str = "") -> str | None:
    return None if number is None else bucket(number) + unit


def _line(start: str, /, **parts: Part) -> str:
    return " ".join([start, *(f"{key}={part}" for key, part in parts.items() if part is not None)])
