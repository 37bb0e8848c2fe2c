"""Prove by parsing that an edited script injection is the same markup, where running the original shows nothing.

Such rows are made for browsers of old (`expression()`, `vbscript:`), are cut off, or wait for what no page here holds.
A browser's parser reads both: elements, their attributes, and what their scripts and styles hold must be equal in
every place where the original breaks out of what it is put into. What is spelled otherwise is unproved, never changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from overproof.redteam.base import Proof
from overproof.redteam.oracle import javascript
from overproof.redteam.oracle.html_contexts import BENIGN, CONTEXTS, SCRIPT, page
from overproof.redteam.oracle.html_parse import elements, without_breaks
from overproof.redteam.oracle.javascript_tree import script_tree

URLS = frozenset({"href", "src", "xlink:href", "action", "formaction", "background", "dynsrc", "lowsrc", "data"})
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
ORDINARY = frozenset({"http", "https", "mailto", "ftp", "tel"})
PLAIN = frozenset({"b", "i", "em", "small", "span", "u"})  # do nothing but show what they hold
IDLE = re.compile("value|title|class|lang|slot|data-[a-z]+|aria-[a-z]+")
NEWER = re.compile(r"`|\\u\{|\?\.")  # no script to the browsers of old that such a row may be made for
LINKS, UNQUOTED = ("a link", "an escaped link"), "an unquoted attribute"
IMPLIED = frozenset({"html", "head", "body"})

Part = tuple[object, ...]


@dataclass(frozen=True)
class Markup:
    """What a parser reads of a page that matters, in its order, and how much of it there is."""

    parts: tuple[Part, ...]
    size: int


def same_markup(original: str, edited: str) -> Proof | None:
    """Prove that both are read as the same markup; None where they are not, or the original breaks out of nothing."""
    if len(NEWER.findall(edited)) > len(NEWER.findall(original)):
        return None
    try:
        places = _places(original)
        if places and all(_read(edited, original, place) == markup for place, markup in places):
            where = ", in ".join(place for place, _ in places)
            return Proof("proved", f"parsed as a browser would: the same elements, attributes and scripts in {where}")
    except RecursionError:
        return None
    return None


@lru_cache(maxsize=4096)
def _places(text: str) -> tuple[tuple[str, Markup], ...]:
    """Find where a value breaks out of its place; a script alone is one only where the text is no markup."""
    found = []
    for context in CONTEXTS:
        if _meant_for(context, text):
            markup = _read(text, text, context)
            if markup.size > _read(BENIGN, text, context).size:
                found.append((context, markup))
    if not found and "<" not in text and javascript.read(text).calls:
        found.append((SCRIPT, _read(text, text, SCRIPT)))
    return tuple(found)


def _meant_for(context: str, text: str) -> bool:
    """Say whether a value is made for a place: what ends the place stands first in it, and not somewhere by chance."""
    before, behind = CONTEXTS[context]
    if context in LINKS:
        return _odd(("href", *_address(text)))
    if context == UNQUOTED:
        return re.fullmatch("[^<>\"']*\\son[a-z]+=[^<>\"']*", text, re.IGNORECASE) is not None
    tag = re.search("</?[a-z]+|-->", text, re.IGNORECASE)
    if before == "<div>" or (tag is not None and tag[0].lower() in behind):
        return True
    quote = before[-1]
    ends = quote in "\"'" and re.match(rf"[\w\s.%-]*{quote}", text) is not None
    return ends and (tag is None or not before.startswith("<script"))


def _read(text: str, original: str, context: str) -> Markup:
    """Read a value in its place; what the original speaks of is not left out of either."""
    parts: list[Part] = []
    for tag, given, inside in elements(page(text, context)):
        attributes = {name: value for name, value in given.items() if not _idle(name, original)}
        plain = tag in IMPLIED or (tag in PLAIN and not re.search(rf"<{tag}\b", original, re.IGNORECASE))
        if not tag.startswith("-") and (attributes or not plain):  # `-comment`, `-text`
            parts += _element(tag, attributes, inside if tag in ("script", "style") else "")
    return Markup(tuple(parts), sum(_size(part) for part in parts))


def _idle(name: str, original: str) -> bool:
    return IDLE.fullmatch(name) is not None and name.partition("-")[0] not in original.lower()


def _element(tag: str, attributes: Mapping[str, str], text: str) -> Iterator[Part]:
    yield ("element", tag)
    for name, value in sorted(attributes.items()):
        if re.fullmatch("on[a-z]+", name):
            yield (name, script_tree(value))
        elif name in URLS:
            yield (name, *_address(value))
        else:
            yield (name, value)
    if text.strip():
        yield (f"{tag} text", script_tree(text) if tag == "script" else text)


def _address(value: str) -> tuple[object, ...]:
    """Take an address apart as browsers do; the script of one is compared as a script."""
    plain = without_breaks(value)
    read = SCHEME.fullmatch(plain)
    if read is None:
        return (plain,)
    scheme = read[1].lower()
    if scheme == "javascript":
        return (scheme, script_tree(unquote(read[2])))
    return (scheme, read[2])


def _size(part: object) -> int:
    """Count elements, attributes and what scripts are made of, not how long their values are."""
    if isinstance(part, tuple):
        return 1 + sum(_size(one) for one in part if isinstance(one, tuple)) + _odd(part)
    return 0


def _odd(part: Sequence[object]) -> bool:
    """Say whether an address has a scheme that does more than lead elsewhere."""
    return part[0] in URLS and len(part) == 3 and part[1] not in ORDINARY
