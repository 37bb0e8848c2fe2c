"""Draw the names, addresses and numbers that simulated events are made of.

Every address is from a documentation range (RFC 5737) or private (RFC 1918), every domain ends in
`example.com`, `.test` or `.invalid` (RFC 2606): nothing here points at a real machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from urllib.parse import quote, quote_plus

_ONSETS = "b br c d dr f fl g gr h j k l m n p pl r s sk st t tr v w z".split()
_VOWELS = "a e i o u a e i o ea".split()
_CODAS = ("", "", "l", "n", "r", "s", "x", "nd", "rk")

NOUNS = (
    "shoes lamp table garden winter ticket report invoice holiday recipe guitar window camera phone bread coffee "
    "bicycle museum ticket savings weather football paper train battery kitchen island teacher history market"
).split()
ADJECTIVES = "red blue small large cheap new used quiet local old bright simple fast warm round early".split()
PEOPLE = "anna ben carla david emma farid grace hugo ines jonas karin leo mira nils olga paul rosa sven tara".split()
SECTIONS = "shop blog news docs account help media catalog events forum static images support library about".split()
PROSE = (
    "why is this blocked",
    "please explain this line",
    "our lesson covers this example",
    "the filter stopped my post",
    "found it in chapter two",
    "students ask what it means",
    "thanks for the quick answer",
    "does this still work",
    "great article as always",
    "can you fix the layout",
)
ROLES = "files deploy mirror build assets static wiki packages".split()
ADJUNCTS = ("today", "again", "for now", "on monday", "at last", "in our team", "as you said", "in the course")


@dataclass(frozen=True)
class Actor:
    """The host and user that a group of events is about; no other group shares them.

    Attributes
    ----------
    host, user
        Made-up names such as `kolvair` and `mira.troux`.
    site, inner
        A domain outside (`*.example.com`, `*.test`) and one inside (`*.corp.test`).
    lan, wan
        A private address and one from a documentation range.
    """

    host: str
    user: str
    site: str
    inner: str
    lan: str
    wan: str


def name(rng: Random, syllables: int = 2) -> str:
    """Draw a pronounceable made-up word."""
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(syllables)) + rng.choice(_CODAS)


def lan(rng: Random) -> str:
    """Draw a private address (RFC 1918)."""
    network = rng.choice((f"10.{rng.randrange(256)}", "192.168", f"172.{rng.randrange(16, 32)}"))
    return f"{network}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def wan(rng: Random) -> str:
    """Draw an address from a documentation range (RFC 5737): here it stands for the internet."""
    return rng.choice(("192.0.2.", "198.51.100.", "203.0.113.")) + str(rng.randrange(1, 255))


def outside(rng: Random) -> str:
    """Draw a host on the internet, by name or address."""
    return wan(rng) if rng.random() < 0.3 else f"{rng.choice(ROLES)}.{rng.choice(('example.com', 'hosting.test'))}"


def inside(rng: Random) -> str:
    """Draw a host of the own network, by name or address."""
    return lan(rng) if rng.random() < 0.3 else f"{rng.choice(ROLES)}.corp.test"


def actor(rng: Random) -> Actor:
    """Draw a new actor: a host, its user and their addresses."""
    return Actor(
        host=name(rng, 3),
        user=f"{rng.choice(PEOPLE)}.{name(rng)}",
        site=name(rng, 3) + rng.choice((".example.com", ".test")),
        inner=name(rng, 3) + ".corp.test",
        lan=lan(rng),
        wan=wan(rng),
    )


def thing(rng: Random) -> str:
    """Draw two benign words, such as `red bicycle`."""
    return f"{rng.choice(ADJECTIVES)} {rng.choice(NOUNS)}"


def letters(rng: Random, alphabet: str, low: int, high: int) -> str:
    """Draw `low` to `high` characters of an alphabet."""
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(low, high)))


def bucket(rng: Random, low: int, high: int) -> str:
    """Draw a count as its logarithmic bucket: `2^10` stands for 1024 to 2047."""
    return f"2^{rng.randint(low, high)}"


def encoded(rng: Random, value: str) -> str:
    """Write a URL value as it stands in traffic: raw, form-encoded, or percent-encoded."""
    roll = rng.random()
    if roll < 0.5:
        return value
    return quote_plus(value, safe="/'()=,:;*") if roll < 0.8 else quote(value, safe="")
