"""How structured records become text: one template per kind of record, the same from any source.

They are the templates of the built-in traffic (`overproof.events.simulate`), so that a model which was trained on
it can read captures and logs: numbers stand in logarithmic buckets, and a part that is None is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote_to_bytes

from overproof.events.sources.stream import decoded

Part = str | int | None

_SEPARATE_PARTS = frozenset({"host", "user-agent", "cookie", "referer"})  # by parts of their own
_UNUSUAL = re.compile(r"""[<>{}'`|\\^$\x00-\x08\x0a-\x1f\x7f]|%[0-9A-Fa-f]{2}""")

_COMMON_NAME = re.compile(r"(?:^|[,/])\s*CN\s*=\s*((?:[^,\\]|\\.)+)")


def bucket(number: float) -> str:
    """A number in its logarithmic bucket: `2^10` is 1024 to 2047, `2^0` all that is under 2, except 0, which stays."""
    return f"2^{int(number).bit_length() - 1}" if number >= 1 else "2^0" if number > 0 else "0"


def http_request(
    method: str,
    target: str,
    *,
    host: str | None = None,
    agent: str | None = None,
    cookie: str | None = None,
    referer: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: str | None = None,
) -> str:
    """A request, from any source.

    Parameters
    ----------
    method, target, host, agent, cookie, referer, body
        As they were sent. The target is percent-decoded here, once, and must come undecoded: what was
        encoded twice stays encoded once, as the server would see it.
    headers
        Name and value of any others. Only those that hold what headers rarely do are told: a look-up in X-Api-Version
        is, the languages of a browser are not, and a model sees requests as it was taught them.
    """
    quoted = None if agent is None else f'"{agent}"'
    unusual = [f"{name}: {value}" for name, value in headers if name not in _SEPARATE_PARTS and _UNUSUAL.search(value)]
    listed = ", ".join(unusual) or None
    parts = {"host": host, "ua": quoted, "cookie": cookie, "referer": referer, "headers": listed, "body": body}
    return _line(f"HTTP {method} {percent_decoded(target)}", **parts)


def dns_lookup(
    client: str | None,
    query: str | None,
    *,
    type: str | None,
    rcode: str | None = None,
    answer: str | None = None,
    ttl: float | None = None,
) -> str:
    """A DNS lookup; `answer` is `-` where the response had none, and None where no response was seen.

    Parameters
    ----------
    client
        Who asked: a name or an address.
    query, type, rcode
        As in `www.example.com`, `A`, `NOERROR`.
    ttl
        Seconds.
    """
    return _line("dns", client=client, query=query, type=type, rcode=rcode, answer=answer, ttl=_bucket(ttl))


def flow(
    *,
    proto: str | None,
    orig_host: str | None,
    resp_host: str | None,
    sensor: str | None = None,
    service: str | None = None,
    state: str | None = None,
    duration: float | None = None,
    orig_bytes: float | None = None,
    resp_bytes: float | None = None,
) -> str:
    """A flow: who opened it (`orig_host`), who answered (`resp_host`), and how much each sent.

    Parameters
    ----------
    state
        In Zeek's words: SF, S0, REJ, RSTO, ….
    duration
        Seconds.
    """
    return _line(
        "flow",
        sensor=sensor,
        proto=proto,
        service=service,
        state=state,
        duration=_bucket(duration, "s"),
        orig_host=orig_host,
        orig_bytes=_bucket(orig_bytes),
        resp_host=resp_host,
        resp_bytes=_bucket(resp_bytes),
    )


def flows(
    *,
    src: str,
    dst: str,
    conns: int,
    ports: int,
    peers: int,
    failed: float,
    gap: float | None,
    jitter: float | None,
    host: str | None = None,
) -> str:
    """The sum of one host's flows over a minute.

    Parameters
    ----------
    failed
        Share of the connections that failed, 0 to 1.
    gap
        Mean time between two connections, in seconds; None where there was only one.
    jitter
        Standard deviation of those times, as a share of their mean.
    """
    percent = None if jitter is None else 100 * jitter
    return _line(
        "flows",
        host=host,
        src=src,
        dst=dst,
        conns=bucket(conns),
        ports=bucket(ports),
        peers=bucket(peers),
        failed=f"{10 * round(10 * failed)}%",
        gap=_bucket(gap, "s"),
        jitter=_bucket(percent, "%"),
    )


def tls(
    client: str,
    *,
    sni: str | None,
    app: str | None = None,
    hello: str | None = None,
    issuer: str | None = None,
    valid: float | None = None,
    bytes: float | None = None,
) -> str:
    """A TLS session.

    Parameters
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
    valid_days = _bucket(valid, "d")
    return _line(f"TLS {client}", sni=sni, app=app, hello=hello, issuer=issuer, valid=valid_days, bytes=_bucket(bytes))


def ssh(
    src: str | None,
    dst: str | None,
    *,
    port: int | None,
    known: str | None = None,
    client: str | None = None,
    auth: str | None = None,
    tries: float | None = None,
    bytes: float | None = None,
    user: str | None = None,
) -> str:
    """An SSH session; `client` is the client's software, `known` whether the server's key was (yes or no)."""
    parts = {"known": known, "client": client, "auth": auth, "tries": _bucket(tries), "bytes": _bucket(bytes)}
    return _line("SSH", src=src, dst=dst, port=port, **parts, user=user)


def transfer(
    *,
    source: str | None,
    mime: str | None,
    name: str | None,
    bytes: float | None,
    sender: str | None,
    receiver: str | None,
) -> str:
    """A file that was seen on the wire; the built-in traffic has none. `source` is the protocol it came over."""
    return _line(
        "file",
        source=source,
        mime=mime,
        name=None if name is None else f'"{name}"',
        bytes=_bucket(bytes),
        tx_host=sender,
        rx_host=receiver,
    )


def signer(issuer: str | None, subject: str | None) -> str | None:
    """Who signed a certificate, in one word: `self`, else its common name (`DigiCert CA` becomes `digicert-ca`)."""
    if issuer is None:
        return None
    if issuer == subject:
        return "self"
    common = _COMMON_NAME.search(issuer)
    return "-".join(re.findall(r"\w+", (common[1] if common else issuer).lower())) or None


def record(name: str, parts: Mapping[str, Part]) -> str:
    """Any other record: its name and `key=value …`; a value with blanks in it is quoted."""
    quoted = {key: f'"{part}"' if isinstance(part, str) and " " in part else part for key, part in parts.items()}
    return _line(name, **quoted)


def percent_decoded(target: str) -> str:
    r"""A request's target with its percent-encoding undone once; bytes that are no UTF-8 are written `\xff`."""
    if "%" not in target:
        return target
    return decoded(unquote_to_bytes(target.encode("utf-8", "backslashreplace")))


def _bucket(number: float | None, unit: str = "") -> str | None:
    return None if number is None else bucket(number) + unit


def _line(start: str, /, **parts: Part) -> str:
    return " ".join([start, *(f"{key}={part}" for key, part in parts.items() if part is not None)])
