"""Edit whole requests, as their text shows them: the server is asked for the same page with the same parameters.

A text shows a target decoded once, header names in lower case, and neither chunks nor the content type: no edit of
those would reach a model. A parameter that is sent twice is the first to one server, the last or both to another: that
is no edit either. What is done inside a parameter's value is for the domain of the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from random import Random

from overproof.redteam.base import Mutator, Mutators
from overproof.redteam.mutate import http_body
from overproof.redteam.mutate.http_parts import RequestParts, in_other_order, request_parts, with_parameter
from overproof.redteam.mutate.words import WORDS

_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
    "Mobile/15E148 Safari/604.1",
)
_PRODUCT = r"[A-Za-z][\w.-]*/[\w.]+"
_AGENT = re.compile(rf'"{_PRODUCT}(?: (?:\([\w ./;:,+-]*\)|{_PRODUCT}|[a-z-]+))*"', re.A)
_REFERER = re.compile(r"(https?://[\w.:-]+)(?:/[\w./-]*)?", re.A)
_DETOURS = re.compile(r"^/(?:\./|[a-z]+/\.\./|(?:[a-z]+/){2}(?:\.\./){2}|(?:[a-z]+/){3}(?:\.\./){3})+")
_CLIMB = re.compile(r"(?:\.|%2e){2}", re.I)
_COOKIE = re.compile(r"[\w.-]+=", re.A)

_Edit = Callable[[RequestParts, Random], RequestParts | None]


def _on_parts(edit: _Edit) -> Mutator:
    """Make an edit of a request's parts one of its text."""

    def mutator(text: str, random: Random) -> str | None:
        parts = request_parts(text)
        edited = None if parts is None else edit(parts, random)
        return None if edited is None else edited.text

    return mutator


def ordinary_parameter(parts: RequestParts, random: Random) -> RequestParts | None:
    """`/a?b=1` -> `/a?b=1&garden=summer`."""
    if not parts.target.startswith("/"):
        return None
    path, _, query = parts.target.partition("?")
    edited = with_parameter(query, random) if query else f"{random.choice(WORDS)}={random.choice(WORDS)}"
    return None if edited is None else replace(parts, target=f"{path}?{edited}")


def parameter_order(parts: RequestParts, random: Random) -> RequestParts | None:
    """`/a?b=1&c=2` -> `/a?c=2&b=1`."""
    path, _, query = parts.target.partition("?")
    edited = in_other_order(query, random)
    return None if edited is None else replace(parts, target=f"{path}?{edited}")


def detour(parts: RequestParts, random: Random) -> RequestParts | None:
    """Make `/garden/../a` of `/a`: servers shorten a target by its text."""
    words = random.choices(WORDS, k=random.randint(1, 3))
    return _behind_first_slash(parts, "/".join([*words, *[".."] * len(words), ""]))


def dot_segment(parts: RequestParts, random: Random) -> RequestParts | None:
    """Make `/./a` of `/a`."""
    return _behind_first_slash(parts, "./" * random.randint(1, 3))


def _behind_first_slash(parts: RequestParts, inserted: str) -> RequestParts | None:
    """Leave a path alone that climbs, but by detours like ours: what it reaches may depend on who shortens it."""
    path = parts.target.partition("?")[0]
    if not re.match(r"/(?![/\\])", path) or _CLIMB.search(_DETOURS.sub("", path, count=1)):
        return None
    return replace(parts, target=f"/{inserted}{parts.target[1:]}")


def browser(parts: RequestParts, random: Random) -> RequestParts | None:
    """Name another browser; not where the name itself may carry something."""
    agent = parts.field("ua")
    if agent is not None and not _AGENT.fullmatch(agent):
        return None
    return parts.with_field("ua", f'"{random.choice(_AGENTS)}"')


def cookie(parts: RequestParts, random: Random) -> RequestParts | None:
    """Send one more cookie."""
    added, found = f"{random.choice(WORDS)}={random.choice(WORDS)}", parts.field("cookie")
    if found is None:
        return parts.with_field("cookie", added)
    if not _COOKIE.match(found) or added.partition("=")[0] in found:
        return None
    return parts.with_field("cookie", "; ".join(random.sample([found, added], 2)))


def referer(parts: RequestParts, random: Random) -> RequestParts | None:
    """Come from another page of the same site."""
    found = _REFERER.fullmatch(parts.field("referer") or f"https://{parts.field('host') or 'www.example.com'}")
    if found is None:
        return None
    return parts.with_field("referer", "/".join([found[1], *random.choices(WORDS, k=random.randint(1, 3))]))


def header(parts: RequestParts, random: Random) -> RequestParts | None:
    """Send one more header; a text shows only those with a character that is rare in headers."""
    added, found = f"x-{random.choice(WORDS)}: {random.choice(WORDS)}'s {random.choice(WORDS)}", parts.field("headers")
    return parts.with_field("headers", added if found is None else ", ".join(random.sample([found, added], 2)))


MUTATORS: Mutators = {
    **{
        name: _on_parts(edit)
        for name, edit in {
            "ordinary parameter in the target": ordinary_parameter,
            "parameters of the target in another order": parameter_order,
            "detour by ordinary words in the path": detour,
            "dot segment in the path": dot_segment,
            "another browser": browser,
            "ordinary cookie": cookie,
            "another page of the site as referer": referer,
            "ordinary header": header,
        }.items()
    },
    **{name: _on_parts(http_body.on_body(edit)) for name, edit in http_body.EDITS.items()},
}
