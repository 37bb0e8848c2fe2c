"""Edit log lines: only what the sender of a request, or who tries to log in, has written into them.

Of a request, in an access log or as JSON, that is the target, referer and user agent: what they held stays, and
ordinary words come beside it. Of failed logins it is the name of a user that does not exist, the port they come from,
and how many they are. Times, addresses and what the server answered are not theirs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from overproof.redteam.base import Mutator
from overproof.redteam.mutate.words import WORDS

_ACCESS = re.compile(
    r'((?:[^"\[{]{0,120}\[\d{1,7}\]: )?(?:\S+ )?\S+ \S+ \S+ \[[^\]"]*\] '
    r'"(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|PROPFIND) )'
    r'(/[^\s"?#]*)(\?[^\s"#]*)?( HTTP/[\d.]{1,3}" .*)',
    re.DOTALL,
)
_FIELD = r'"(?:uri|RequestPath|http_path|x-envoy-origin-path)":"'
_OBJECT = re.compile(rf'([^"{{]{{0,200}}\{{(?:(?!{_FIELD}).)*{_FIELD})(/[^\s"?#\\]*)(\?[^\s"#\\]*)?(".*\}})', re.DOTALL)
_OBJECT_AGENT = re.compile(r'"(?:[Uu]ser-[Aa]gent|user_agent|userAgent|request_User-Agent)":\[?"([^"\\]*)"')
_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_CLIENT = re.compile(rf'( HTTP/[\d.]{{1,3}}" \d{{3}} \S+ ){_QUOTED}( ){_QUOTED}(.*)', re.DOTALL)
_LETTER = re.compile(r"(?<![%])(?<!%[0-9A-Fa-f])[a-z]")
_REFERER = re.compile(r"https?://[^\s\"#\\]+")
_PROGRAM = re.compile(r"[\w.-]+(?:\[\d{1,7}\]: | \d{1,7} - )")
_USER = re.compile(r"(?<=\binvalid user )[\w.-]{1,32}(?= )|(?<=\bInvalid user )[\w.-]{1,32}(?= )")
_UNKNOWN = re.compile(r"\bno such user\b|\bnot found\b|\bdoes not exist\b|\bunknown user\b", re.IGNORECASE)
_QUOTED_USER = re.compile(r"""(?<=\b[Uu]ser ['"`])[\w.@-]{1,40}(?=['"`])""")
_PORT = re.compile(r"(?<= port )\d{1,5}(?= |$)")
_COUNT = re.compile(
    r"(?<= )\d{1,5}(?= (?:times|failures|failed attempts|incorrect password|more authentication failures"
    r"|different users|accounts failed|users;))"
)
_CREATED = re.compile(r"(?<=new user: name=)[\w-]{1,32}(?=,)|(?<=tee -a /etc/sudoers\.d/)[\w-]{1,32}(?=$)")
_MANY = 5  # tries: fewer may be a slip, and what slips is no attack


@dataclass(frozen=True)
class _Request:
    """A line about a request: up to the target, the target's path and query (with `?`, or empty), and the rest."""

    start: str
    path: str
    query: str
    end: str

    def written(self, path: str | None = None, query: str | None = None, end: str | None = None) -> str:
        parts = (self.path if path is None else path, self.query if query is None else query)
        return f"{self.start}{parts[0]}{parts[1]}{self.end if end is None else end}"


def _request(text: str) -> _Request | None:
    found = _ACCESS.fullmatch(text) or _OBJECT.fullmatch(text)
    return None if found is None else _Request(found[1], found[2], found[3] or "", found[4])


def _new_parameter(query: str, random: Random) -> str | None:
    name, value = random.sample(WORDS, 2)
    return None if re.search(rf"[?&;]{name}\b", query) else f"{name}={value}"


def _parameter_behind(text: str, random: Random) -> str | None:
    """Append a parameter to the query, or begin one."""
    request = _request(text)
    if request is None or (request.query and "=" not in request.query):
        return None
    more = _new_parameter(request.query, random)
    return request.written(query=f"{request.query}{'&' if request.query else '?'}{more}") if more else None


def _parameter_in_front(text: str, random: Random) -> str | None:
    """Put a parameter in front of the query's."""
    request = _request(text)
    if request is None or "=" not in request.query:
        return None
    more = _new_parameter(request.query, random)
    return request.written(query=f"?{more}&{request.query[1:]}") if more else None


def _encoded_letter(part: str, random: Random) -> str | None:
    """Percent-encode a letter that is no part of an escape."""
    places = [found.start() for found in _LETTER.finditer(part)]
    if not places:
        return None
    place = random.choice(places)
    return f"{part[:place]}%{ord(part[place]):02x}{part[place + 1 :]}"


def _encoded_in_path(text: str, random: Random) -> str | None:
    request = _request(text)
    path = _encoded_letter(request.path, random) if request else None
    return request.written(path=path) if request and path else None


def _encoded_in_query(text: str, random: Random) -> str | None:
    request = _request(text)
    query = _encoded_letter(request.query, random) if request else None
    return request.written(query=query) if request and query else None


def _is_plain(path: str) -> bool:
    """Tell a path that every server reads alike from one that may be an attack by its very spelling."""
    return "//" not in path and not re.search(r"[%;\\]", path)


def _stay(text: str, random: Random) -> str | None:
    """Put a step to where one is (`/./`) into the path."""
    request = _request(text)
    return _stepped(request, ".", random) if request and _is_plain(request.path) else None


def _detour(text: str, random: Random) -> str | None:
    """Go into a folder and out again; not in a path that climbs itself."""
    request = _request(text)
    if request is None or not _is_plain(request.path) or ".." in request.path:
        return None
    return _stepped(request, f"{random.choice(WORDS)}/..", random)


def _stepped(request: _Request, steps: str, random: Random) -> str:
    place = random.choice([place for place, letter in enumerate(request.path) if letter == "/"])
    return request.written(path=f"{request.path[:place]}/{steps}{request.path[place:]}")


def _agent(text: str, random: Random) -> str | None:
    """Let the user agent say more; all it said stays."""
    request = _request(text)
    if request is None:
        return None
    client = _CLIENT.fullmatch(request.end)
    if client is not None:
        return request.written(end=f'{client[1]}"{client[2]}"{client[3]}"{_named(client[4], random)}"{client[5]}')
    found = _OBJECT_AGENT.search(text) if request.end.endswith("}") else None
    return f"{text[: found.start(1)]}{_named(found[1], random)}{text[found.end(1) :]}" if found else None


def _named(agent: str, random: Random) -> str:
    word, other = random.sample(WORDS, 2)
    product = f"{word}/{random.randint(1, 9)}.{random.randint(0, 9)}"
    more = random.choice((product, f"({word}; {other})", f"{product} ({other})"))
    return random.choice((f"{agent} {more}", f"{more} {agent}")) if agent not in ("", "-") else f"Mozilla/5.0 {more}"


def _referer(text: str, random: Random) -> str | None:
    """Name a page that the request came from, or let the one that is named have a parameter more."""
    request = _request(text)
    client = _CLIENT.fullmatch(request.end) if request else None
    if request is None or client is None:
        return None
    word, other = random.sample(WORDS, 2)
    if client[2] in ("", "-"):
        referer = f"https://www.example.com/{word}/{other}"
    elif _REFERER.fullmatch(client[2]):
        referer = f"{client[2]}{'&' if '?' in client[2] else '?'}{word}={other}"
    else:
        return None
    return request.written(end=f'{client[1]}"{referer}"{client[3]}"{client[4]}"{client[5]}')


def _replaced(text: str, place: re.Pattern[str], word: str) -> str | None:
    """Write another word at the one place that a pattern finds."""
    found = list(place.finditer(text))
    return f"{text[: found[0].start()]}{word}{text[found[0].end() :]}" if len(found) == 1 else None


def _other_user(text: str, random: Random) -> str | None:
    """Try another name that no user has."""
    name, other = random.sample(WORDS, 2)
    name = random.choice((name, f"{name}{random.randrange(100)}", f"{name}.{other}"))
    if _PROGRAM.search(text) and _USER.search(text):
        return _replaced(text, _USER, name)
    found = _QUOTED_USER.search(text) if _UNKNOWN.search(text) and "{" not in text else None
    return _replaced(text, _QUOTED_USER, name) if found and text.count(found[0]) == 1 else None


def _other_port(text: str, random: Random) -> str | None:
    """Come from another port."""
    return _replaced(text, _PORT, str(random.randrange(1025, 65000))) if _PROGRAM.search(text) else None


def _more_tries(text: str, random: Random) -> str | None:
    """Fail more often before the same end."""
    found = _COUNT.search(text)
    if found is None or int(found[0]) < _MANY or not _PROGRAM.search(text):
        return None
    return _replaced(text, _COUNT, str(int(found[0]) + random.randint(1, int(found[0]) // 2)))


def _other_creation(text: str, random: Random) -> str | None:
    """Give what is created another name: a user, or a file of sudo's rights."""
    return _replaced(text, _CREATED, random.choice(WORDS)) if _PROGRAM.search(text) else None


MUTATORS: Mapping[str, Mutator] = {
    "parameter behind": _parameter_behind,
    "parameter in front": _parameter_in_front,
    "letter of the path percent-encoded": _encoded_in_path,
    "letter of the query percent-encoded": _encoded_in_query,
    "step on the spot": _stay,
    "detour through a folder": _detour,
    "user agent says more": _agent,
    "referer": _referer,
    "another invalid user": _other_user,
    "another source port": _other_port,
    "more failed tries": _more_tries,
    "another name for what is created": _other_creation,
}
