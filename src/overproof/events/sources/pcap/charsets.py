"""Decode the body of a request by its charset, where that is none that agrees with ASCII.

UTF-16, UTF-32, UTF-7 and EBCDIC are what servers decode and firewalls often do not. The charset is that of the header
(RFC 9110, 8.3.2), else what a byte order mark or an XML declaration says (XML 1.0, appendix F). Bodies in all other
charsets are read as UTF-8: what attacks are made of reads the same in them. Not every server heeds a charset, so what
reads as plain text without it stands there too.
"""

from __future__ import annotations

import codecs
import re

from overproof.events.sources.stream import decoded

_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
_DECLARED = re.compile(rb"""<\?xml[^>]{0,100}?encoding\s*=\s*["']([\w.:-]{1,40})""", re.IGNORECASE)
_UNLIKE_ASCII = re.compile(
    r"utf[_-]?(?:16|32|7).*|(?:ibm|cp)?(?:037|273|424|500|875|1026|1047|1140)|ebcdic.*", re.IGNORECASE
)
_PLAIN = re.compile(rb"[\x20-\x7e]{6}")  # in a row, of which text in these charsets has hardly any
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    b"<\0?\0": "utf-16-le",
    b"\0<\0?": "utf-16-be",
    b"\x4c\x6f\xa7\x94": "cp037",  # `<?xm`
}


def in_charset(body: bytes, content_type: str) -> str:
    """Return a body as text, by its bytes and the value of its Content-Type."""
    name = _named(body, content_type)
    plain = decoded(body)
    try:
        text = body.decode(name, "backslashreplace") if name else plain
    except (LookupError, ValueError):
        return plain
    return f"{plain} {text}" if text != plain and _PLAIN.search(body) else text.removeprefix("\ufeff")


def _named(body: bytes, content_type: str) -> str | None:
    stated = _CHARSET.search(content_type)
    declared = None if stated else _DECLARED.match(body)
    named = stated[1] if stated else declared[1].decode("latin-1") if declared else ""
    if _UNLIKE_ASCII.fullmatch(named):
        return named if named[:1].isalpha() else f"cp{named}"
    return next((name for mark, name in _MARKS.items() if body.startswith(mark)), None)
