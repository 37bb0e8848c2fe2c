"""Find in the payload of an alert what the request that was logged with it does not say.

Suricata logs neither bodies nor headers with an alert, unless it is told to (`http-body`, `dump-all-headers`); the
payload has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from overproof.events import templates

_HEAD = re.compile(r"(?:[!#-'*+.0-9A-Z^-z|~-]{1,32} [^\r\n]* )?HTTP/[0-9.]+[^\r\n]*\r?\n")
_BODY = re.compile(r"\r?\n\r?\n")


def unsaid(payload: str, text: str) -> str | None:
    """Return the body, and the headers that hold what is unusual, of which the text has none; None if it has all.

    A payload that begins with no head is content.
    """
    match = _HEAD.match(payload)
    if match is None:
        return None if payload in text else payload
    head, *bodies = _BODY.split(payload[match.end() - 1 :], maxsplit=1)
    found = [*_unusual(head, text), *(body for body in bodies if body and body not in text)]
    return "\n".join(found) or None


def _unusual(head: str, text: str) -> Iterator[str]:
    for line in head.splitlines():
        value = line.partition(":")[2].strip()
        if templates.is_unusual(line) and value not in text:
            yield line.strip()
