"""Write an HTTP request as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from overproof.events.templates.line import line

_SEPARATE_PARTS = frozenset({"host", "user-agent", "cookie", "referer"})  # by parts of their own
_UNUSUAL = re.compile(r"""[<>{}'`|\\^$\x00-\x08\x0a-\x1f\x7f]|%[0-9A-Fa-f]{2}""")
_USUAL_NAME = re.compile(r":?[\w.-]+")  # of a header; `:path` and the like are of HTTP/2 (RFC 9113, 8.3)


class HttpRequest(NamedTuple):  # made for every line of a log: a frozen dataclass takes three times as long
    """A request, from any source.

    Attributes
    ----------
    method, target, host, agent, cookie, referer, body
        As they were sent. The target is percent-decoded in the text, once, and must come undecoded: what was
        encoded twice stays encoded once, as the server would see it.
    headers
        Name and value of any others. The text has only those that hold what headers rarely do: a look-up in
        X-Api-Version is there, the languages of a browser are not, and a model sees requests as it was taught them.
    others
        What else was sent, under names that are not known; it stands among the headers as it is.
    """

    method: str
    target: str
    host: str | None = None
    agent: str | None = None
    cookie: str | None = None
    referer: str | None = None
    headers: Sequence[tuple[str, str]] = ()
    body: str | None = None
    others: Sequence[str] = ()

    @property
    def text(self) -> str:
        """The request as the model reads it."""
        further = [*self._unusual(), *self.others] if self.headers or self.others else None
        return line(
            f"HTTP {self.method} {percent_decoded(self.target)}",
            host=self.host,
            ua=None if self.agent is None else f'"{self.agent}"',
            cookie=self.cookie,
            referer=self.referer,
            headers=", ".join(further) or None if further else None,
            body=self.body,
        )

    def _unusual(self) -> list[str]:
        """Return the headers that hold what headers rarely do."""
        return [
            f"{name}: {value}"
            for name, value in self.headers
            if name not in _SEPARATE_PARTS and (is_unusual(value) or not _USUAL_NAME.fullmatch(name))
        ]


def is_unusual(value: str) -> bool:
    """Tell whether a value holds what headers, names and the like rarely do, and attacks often."""
    return _UNUSUAL.search(value) is not None


def percent_decoded(target: str) -> str:
    r"""Undo the percent-encoding of a request's target once; bytes that are no UTF-8 are written `\xff`."""
    if "%" not in target:
        return target
    return unquote_to_bytes(target.encode("utf-8", "backslashreplace")).decode("utf-8", "backslashreplace")
