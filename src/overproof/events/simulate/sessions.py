"""Write SSH and TLS sessions, one line each; numbers in logarithmic buckets."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from overproof.events.simulate import words
from overproof.events.simulate.words import Actor

_SSH_CLIENTS = ("OpenSSH_9.6", "OpenSSH_8.9", "PuTTY_0.81", "libssh_0.10", "paramiko_3.4", "Go")
# Handshakes in the manner of JA4: what known programs send, and what none of them does.
_HANDSHAKES = {
    "chrome": "t13d1516h2",
    "firefox": "t13d1715h1",
    "outlook": "t12d1909h1",
    "updater": "t12d1008h2",
}
_ODD_HANDSHAKES = ("t10d0503h0", "t11d2200h0", "t12d0300h0", "t10d1901h1")


def _ssh(rng: Random, who: Actor, target: str, details: str) -> str:
    source = f"ws-{who.host}" if rng.random() < 0.6 else who.lan
    return f"SSH src={source} dst={target} port={rng.choice(('22', '22', '22', '2222'))} {details}"


def ssh_admin(rng: Random, who: Actor) -> str:
    """Write an SSH session of work on a known host."""
    target = rng.choice((who.inner, words.inside(rng), words.outside(rng)))
    details = (
        f"known=yes client={rng.choice(_SSH_CLIENTS)} auth={rng.choice(('publickey', 'publickey', 'password'))} "
        f"tries={words.bucket(rng, 0, 1)} bytes={words.bucket(rng, 10, 26)} user={who.user}"
    )
    return _ssh(rng, who, target, details)


def _ssh_unknown_host(rng: Random, who: Actor, *, is_inside: bool) -> str:
    near, far = words.inside(rng), words.outside(rng)
    details = (
        f"known=no client={rng.choice(_SSH_CLIENTS)} auth={rng.choice(('publickey', 'password', 'password'))} "
        f"tries={words.bucket(rng, 0, 2)} bytes={words.bucket(rng, 8, 22)} user={who.user}"
    )
    return _ssh(rng, who, near if is_inside else far, details)


def ssh_unknown(rng: Random, who: Actor) -> str:
    """Write an SSH session with an unknown address outside: its host key is new, and accepted."""
    return _ssh_unknown_host(rng, who, is_inside=False)


def ssh_new_host(rng: Random, who: Actor) -> str:
    """Write the first SSH session with a new machine inside: unknown as well, and fine (hard benign)."""
    return _ssh_unknown_host(rng, who, is_inside=True)


def ssh_brute_force(rng: Random, who: Actor) -> str:
    """Write an SSH session of many tries with many names against one host."""
    names = ",".join(rng.sample(("root", "admin", "test", "oracle", "guest", "git", "pi", words.name(rng)), 3))
    details = (
        f"known=no client={rng.choice(_SSH_CLIENTS)} auth=password "
        f"tries={words.bucket(rng, 4, 11)} bytes={words.bucket(rng, 9, 16)} user={names}"
    )
    return f"SSH src={words.wan(rng)} dst={who.inner} port=22 {details}"


def ssh_forward(rng: Random, who: Actor) -> str:
    """Write an SSH session that tunnels back from inside: reverse forwarding to an unknown host (rare)."""
    details = f"known=no auth=publickey forward=remote:{rng.randrange(1025, 60000)} bytes={words.bucket(rng, 14, 28)}"
    return _ssh(rng, who, words.outside(rng), details)


@dataclass(frozen=True)
class _Session:
    """A TLS session: the server's name, the client's program and its handshake, and who signed the certificate."""

    sni: str
    program: str
    handshake: str
    issuer: str


def _tls(rng: Random, who: Actor, session: _Session) -> str:
    return (
        f"TLS ws-{who.host} sni={session.sni} app={session.program} hello={session.handshake} issuer={session.issuer} "
        f"valid={words.bucket(rng, 6, 9)}d bytes={words.bucket(rng, 10, 24)}"
    )


def tls(rng: Random, who: Actor) -> str:
    """Write a TLS session whose handshake fits its program."""
    program = rng.choice(tuple(_HANDSHAKES))
    sni = rng.choice((f"www.{who.site}", f"api.{who.site}", f"{words.name(rng)}.{who.inner}"))
    issuer = "corp-ca" if who.inner in sni else rng.choice(("public-ca-1", "public-ca-2"))
    return _tls(rng, who, _Session(sni, program, _HANDSHAKES[program], issuer))


def tls_odd(rng: Random, who: Actor) -> str:
    """Write a TLS session of a program that claims to be a browser and greets like none."""
    sni = rng.choice((f"www.{who.site}", f"api.{who.site}", f"{words.name(rng)}.{who.inner}"))
    issuer = "corp-ca" if who.inner in sni else rng.choice(("public-ca-1", "public-ca-2"))
    return _tls(rng, who, _Session(sni, rng.choice(tuple(_HANDSHAKES)), rng.choice(_ODD_HANDSHAKES), issuer))


def tls_self_signed(rng: Random, who: Actor) -> str:
    """Write a TLS session with a self-signed certificate outside, or with none that fits an address."""
    program = rng.choice(tuple(_HANDSHAKES))
    sni = rng.choice((f"{words.name(rng)}.{who.site}", words.wan(rng), "-"))
    return _tls(rng, who, _Session(sni, program, _HANDSHAKES[program], "self"))


def tls_appliance(rng: Random, who: Actor) -> str:
    """Write a TLS session with a printer or a switch inside: self-signed, and known for it (hard benign)."""
    sni = f"{rng.choice(('printer', 'switch', 'camera', 'nas'))}-{words.name(rng)}.{who.inner}"
    program = rng.choice(tuple(_HANDSHAKES))
    return _tls(rng, who, _Session(sni, program, _HANDSHAKES[program], "self"))
