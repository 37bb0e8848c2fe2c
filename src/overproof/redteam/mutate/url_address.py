r"""Edit addresses of other sites, `//user@example.com/`: a browser goes to the same host, port and path.

Browsers take `\` for `/`, drop tabs, ignore the case of scheme and host, and read numbers of any base in an address.
An address may stand behind a slash, `/https://example.com`, for redirectors that take it from their own path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from random import Random
from urllib.parse import unquote

from overproof.redteam.base import Mutators
from overproof.redteam.mutate.words import WORDS

_ADDRESS = re.compile(r"(/?https?:|)([/\\]*)([^/\\?#]*)(.*)", re.I | re.S)
_PLAIN = re.compile(r"([^@:\s<>%\\]*(?::[^@:\s<>%\\]*)?@)?([A-Za-z0-9.-]+)(:[0-9]+)?")
_NUMBER = re.compile("0x[0-9a-f]+|[0-9]+", re.I)
_SCRIPT = re.compile("script|alert|[\\x00-\\x20]", re.I)


@dataclass(frozen=True)
class _Address:
    scheme: str
    slashes: str
    userinfo: str
    host: str
    port: str
    rest: str

    @property
    def text(self) -> str:
        return self.scheme + self.slashes + self.userinfo + self.host + self.port + self.rest


def scheme_case(text: str, random: Random) -> str | None:
    """`http:` -> `hTTp:`."""
    found = re.match("/?https?:", text, re.I)
    return None if found is None else _some_swapped(found[0], random) + text[found.end() :]


def host_case(text: str, random: Random) -> str | None:
    """`example.com` -> `Example.COM`."""
    read = _address(text)
    if read is None or not any(c.isalpha() for c in read.host):
        return None
    return replace(read, host=_some_swapped(read.host, random)).text


def _some_swapped(text: str, random: Random) -> str:
    places = [i for i, c in enumerate(text) if c.isalpha()]
    chosen = set(random.sample(places, random.randint(1, len(places))))
    return "".join(c.swapcase() if i in chosen else c for i, c in enumerate(text))


def encode_host(text: str, random: Random) -> str | None:
    """`example.com` -> `%65xample.com`."""
    read = _address(text)
    if read is None:
        return None
    place = random.randrange(len(read.host))
    return replace(read, host=f"{read.host[:place]}%{ord(read.host[place]):02x}{read.host[place + 1 :]}").text


def other_base(text: str, random: Random) -> str | None:
    """`192.0.2.1` -> `0300.0.0x201`: an address of four numbers is one number, in any base."""
    read = _address(text)
    number = None if read is None else _number(read.host)
    if read is None or number is None:
        return None
    count = random.randint(1, 4)
    parts = [number >> 24, number >> 16 & 255, number >> 8 & 255, number & 255]
    parts[count - 1 :] = [number & (1 << 8 * (5 - count)) - 1]
    written = ".".join(random.choice(("{}", "0x{:x}", "0{:o}", "0x0{:X}")).format(part) for part in parts)
    return replace(read, host=written).text


def _number(host: str) -> int | None:
    """Read a host of one to four numbers; None where it is a name."""
    parts = host.split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    try:
        numbers = [int(part, 16 if part[1:2] in "xX" and part[1:] else 8 if part[0] == "0" else 10) for part in parts]
    except ValueError:  # an 8 or a 9 behind a 0
        return None
    *first, last = numbers
    if any(number > 255 for number in first) or last >= 256 ** (5 - len(parts)):
        return None
    return last + sum(number << 24 - 8 * place for place, number in enumerate(first))


def default_port(text: str, random: Random) -> str | None:
    """`http://example.com/` -> `http://example.com:80/`."""
    read = _address(text)
    if read is None or read.port or not read.scheme:
        return None
    return replace(read, port=":443" if "s" in read.scheme.lower() else ":80").text


def words_in_userinfo(text: str, random: Random) -> str | None:
    """`user@` -> `user:garden@`, where a user is named already."""
    read = _address(text)
    if read is None or not read.userinfo:
        return None
    colon = "" if ":" in read.userinfo else ":"
    return replace(read, userinfo=f"{read.userinfo[:-1]}{colon}{random.choice(WORDS)}@").text


def more_slashes(text: str, random: Random) -> str | None:
    """`//example.com` -> `////example.com`: browsers ignore them."""
    read = _address(text)
    if read is None or len(read.slashes) < 2:
        return None
    return replace(read, slashes=read.slashes + "/" * random.randint(1, 3)).text


def backslash(text: str, random: Random) -> str | None:
    r"""`//example.com` -> `/\example.com`."""
    read = _address(text)
    places = [] if read is None or len(read.slashes) < 2 else [i for i, c in enumerate(read.slashes) if c == "/"]
    if read is None or not places:
        return None
    place = random.choice(places)
    return replace(read, slashes=f"{read.slashes[:place]}\\{read.slashes[place + 1 :]}").text


def tab(text: str, random: Random) -> str | None:
    """`example.com` -> `exam<tab>ple.com`: browsers take tabs and line feeds out of an address."""
    read = _address(text)
    if read is None:
        return None
    place = random.randint(0, len(read.host))
    return replace(read, host=f"{read.host[:place]}{random.choice(chr(9) + chr(10))}{read.host[place:]}").text


def detour(text: str, random: Random) -> str | None:
    """`//example.com/x` -> `//example.com/garden/../x`."""
    read = _address(text)
    if read is None:
        return None
    words = random.choices(WORDS, k=random.randint(1, 3))
    return replace(read, rest="/" + "/".join([*words, *[".."] * len(words)]) + read.rest).text


def ordinary_parameter(text: str, random: Random) -> str | None:
    """`//example.com` -> `//example.com?garden=summer`: the other site may be told what it does not ask."""
    before, hash_, fragment = text.partition("#")
    word = random.choice(WORDS)
    if not _is_elsewhere(text) or word in unquote(text):
        return None
    return f"{before}{'&' if '?' in before else '?'}{word}={random.choice(WORDS)}{hash_}{fragment}"


def words_as_fragment(text: str, random: Random) -> str | None:
    """`//example.com` -> `//example.com#garden-summer`."""
    if not _is_elsewhere(text) or "#" in text:
        return None
    return f"{text}#{'-'.join(random.choices(WORDS, k=random.randint(1, 4)))}"


def _is_elsewhere(text: str) -> bool:
    """Tell whether a text begins like an address of another site, and not like a target or a script."""
    return not _SCRIPT.search(text) and re.match(r"https?:|[/\\]{2}|/%|/https?:", text, re.I) is not None


def _address(text: str) -> _Address | None:
    """Read an address with a plain host; None where the host is written for parsers that err."""
    found = _ADDRESS.fullmatch(text)
    if found is None or _SCRIPT.search(text) or not (found[1] or len(found[2]) > 1):
        return None
    plain = _PLAIN.fullmatch(found[3])
    if plain is None or plain[2].lower() in {"http", "https"}:
        return None
    return _Address(found[1], found[2], plain[1] or "", plain[2], plain[3] or "", found[4])


MUTATORS: Mutators = {
    "scheme in another case": scheme_case,
    "host in another case": host_case,
    "percent-encode in a host": encode_host,
    "numbers of a host in another base": other_base,
    "default port of an address": default_port,
    "ordinary word as a password": words_in_userinfo,
    "more slashes before a host": more_slashes,
    "backslash before a host": backslash,
    "tab or line feed in a host": tab,
    "detour by ordinary words in an address": detour,
    "ordinary parameter of an address": ordinary_parameter,
    "ordinary words as a fragment": words_as_fragment,
}
