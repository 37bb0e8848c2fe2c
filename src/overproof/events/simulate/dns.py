"""Write DNS lookups, one line each: `dns client=… query=… type=… rcode=… answer=… ttl=…`."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from overproof.events.simulate import words
from overproof.events.simulate.words import Actor

_HEX = "0123456789abcdef"
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class _Answered:
    """A query with its answer; `ttl` is the range of buckets that its time to live is drawn from."""

    query: str
    kind: str
    code: str
    answer: str
    ttl: tuple[int, int]


def _line(rng: Random, who: Actor, found: _Answered) -> str:
    client = f"ws-{who.host}" if rng.random() < 0.6 else who.lan
    ttl = words.bucket(rng, *found.ttl)
    return (
        f"dns client={client} query={found.query} type={found.kind} rcode={found.code} answer={found.answer} ttl={ttl}"
    )


def lookup(rng: Random, who: Actor) -> str:
    """Write a lookup of a site, a mail server, an inside host; now and then a typing error."""
    if rng.random() < 0.12:
        return _line(rng, who, _Answered(f"{words.name(rng, 3)}.{who.site}", "A", "NXDOMAIN", "-", (6, 9)))
    if rng.random() < 0.4:
        return _line(rng, who, _Answered(f"{words.name(rng)}.{who.inner}", "A", "NOERROR", words.lan(rng), (5, 9)))
    label = rng.choice(("www", "mail", "api", "cdn", "img", "shop", words.name(rng)))
    kind = rng.choice(("A", "A", "A", "AAAA", "MX", "CNAME"))
    answer = words.wan(rng) if kind == "A" else f"{words.name(rng)}.{who.site}"
    return _line(rng, who, _Answered(f"{label}.{who.site}", kind, "NOERROR", answer, (5, 13)))


def hash_named(rng: Random, who: Actor) -> str:
    """Write a lookup of a name that only looks random: content network, mail key, antivirus (hard benign)."""
    blob = words.letters(rng, _HEX, 12, 32)
    query, kind = rng.choice(
        (
            (f"{blob[:14]}.cdn.{who.site}", "A"),
            (f"{blob}.reputation.{who.inner}", "A"),
            (f"{blob[:10]}._domainkey.{who.site}", "TXT"),
            (f"_acme-challenge.{blob[:12]}.{who.site}", "TXT"),
        )
    )
    answer = (
        words.lan(rng) if who.inner in query else words.wan(rng) if kind == "A" else words.letters(rng, _HEX, 8, 24)
    )
    return _line(rng, who, _Answered(query, kind, "NOERROR", answer, (5, 12)))


def generated_domain(rng: Random, who: Actor) -> str:
    """Write a lookup of a generated name (DGA): random letters, mostly not registered."""
    shape = rng.random()
    if shape < 0.5:
        label = words.letters(rng, _LETTERS, 13, 22)
    elif shape < 0.8:
        label = words.letters(rng, _HEX + "ghijk", 12, 18)
    else:
        label = words.letters(rng, "bcdfghjkmpqtvwxz", 8, 12) + words.letters(rng, _LETTERS, 2, 4)
    found = rng.random() < 0.3
    answer = words.wan(rng) if found else "-"
    code = "NOERROR" if found else "NXDOMAIN"
    return _line(
        rng, who, _Answered(label + rng.choice((".test", ".invalid", ".example.com")), "A", code, answer, (4, 9))
    )


def tunnel(rng: Random, who: Actor) -> str:
    """Write a query that carries data in its labels, answered by TXT or NULL records."""
    alphabet = rng.choice((_HEX, _BASE32))
    labels = [words.letters(rng, alphabet, 16, 32) for _ in range(rng.randint(2, 3))]
    kind = rng.choice(("TXT", "TXT", "NULL", "CNAME", "A"))
    answer = words.wan(rng) if kind == "A" else words.letters(rng, alphabet, 16, 40)
    return _line(
        rng, who, _Answered(".".join([*labels, words.name(rng, 1), who.site]), kind, "NOERROR", answer, (0, 4))
    )


def young_domain(rng: Random, who: Actor) -> str:
    """Write a lookup of a fast-changing name with a tiny time to live, or a refused zone transfer."""
    if rng.random() < 0.3:
        return _line(rng, who, _Answered(who.inner, rng.choice(("AXFR", "ANY")), "REFUSED", "-", (0, 2)))
    bait = rng.choice(("login", "verify", "secure", "update", "parcel", "account"))
    query = f"{bait}-{words.name(rng)}-{rng.randrange(99)}.{rng.choice(('test', 'invalid', 'example.com'))}"
    return _line(rng, who, _Answered(query, "A", "NOERROR", words.wan(rng), (0, 4)))


def rebinding(rng: Random, who: Actor) -> str:
    """Write a lookup of an outside name that suddenly answers with an inside address (novel)."""
    bait = rng.choice(("login-", "update-", "", "")) + words.name(rng)
    return _line(rng, who, _Answered(f"{bait}.{who.site}", "A", "NOERROR", words.lan(rng), (0, 1)))
