"""Prove by parsing alone that an edited script injection holds the scripts of the original, in the same order.

What a browser's parser would build is compared: scripts, handlers, `javascript:` URLs and what is loaded from
elsewhere. That says nothing of two scripts that are spelled differently: those are unproved, never changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from urllib.parse import unquote

from overproof.redteam.base import Proof
from overproof.redteam.oracle.html_contexts import CONTEXTS, SCRIPT, page
from overproof.redteam.oracle.javascript import Script, read

SINKS = frozenset({"href", "src", "xlink:href", "action", "formaction"})
LOADS = frozenset({"script", "iframe", "frame", "embed", "object", "link", "meta", "base"})
DECISIVE = ("src", "href", "data", "srcset", "srcdoc", "type", "rel", "http-equiv", "content")
TRIGGERS = ("autofocus", "open", "begin", "contenteditable")
NOTHING_ACTS = "parsed as a browser would: the original holds no script that acts"
NEEDS = ("selectolax", "tree_sitter", "tree_sitter_javascript")

Part = tuple[str, Script | tuple[str, ...]]
"""Where something acts, and its script, or what it loads."""


def parse_oracle(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Compare, in every context in which the original holds something that acts, what a browser's parser reads."""
    missing = missing_parser()
    if missing:
        return [Proof("unproved", f"{missing} is not installed (pip install 'overproof[attack]')")] * len(pairs)
    originals = {original: _contexts(original) for original in {original for original, _ in pairs}}
    return [_proof(originals[original], edited) for original, edited in pairs]


def missing_parser() -> str | None:
    """Return a parser that is not installed; None where all are."""
    return next((name for name in NEEDS if find_spec(name) is None), None)


def _contexts(text: str) -> dict[str, tuple[Part, ...]]:
    """Where a value acts, and how; a piece of script alone only where it acts nowhere else."""
    for contexts in (list(CONTEXTS), [SCRIPT]):
        read_in = {context: _parts(page(text, context)) for context in contexts}
        acting = {context: parts for context, parts in read_in.items() if any(_acts(part) for part in parts)}
        if acting:
            return acting
    return {}


def _proof(original: Mapping[str, tuple[Part, ...]], edited: str) -> Proof:
    if not original:
        return Proof("unproved", NOTHING_ACTS)
    for context, parts in original.items():
        if _parts(page(edited, context)) != parts:
            return Proof("unproved", f"parsed as a browser would: scripts that are spelled otherwise in {context}")
    return Proof("proved", f"parsed as a browser would: the same elements and scripts in {', in '.join(original)}")


def _acts(part: Part) -> bool:
    return part[1].acts if isinstance(part[1], Script) else True


def elements(markup: str) -> Iterator[tuple[str, dict[str, str], str]]:
    """Yield name, attributes and text of what a browser's parser makes of a page, in its order."""
    from selectolax.lexbor import LexborHTMLParser

    # lexbor takes UTF-8: a lone surrogate is read as the mark for no character, as an encoder would send it
    root = LexborHTMLParser(markup.encode("utf-16", "surrogatepass").decode("utf-16", "replace")).root
    for node in root.traverse() if root is not None else ():
        yield node.tag or "", {name: value or "" for name, value in node.attributes.items()}, node.text(deep=True)


def _parts(markup: str) -> tuple[Part, ...]:
    found: list[Part] = []
    for tag, attributes, text in elements(markup):
        found += _element(tag, attributes, text if tag == "script" else "")
    return tuple(found)


def _element(tag: str, attributes: Mapping[str, str], text: str) -> Iterator[Part]:
    """Tell what of an element acts."""
    if text.strip():
        yield "script", read(text)
    if tag in LOADS:
        loads = tuple(f"{name}={_address(attributes[name])}" for name in DECISIVE if name in attributes)
        if loads:
            yield tag, loads
    for name, value in sorted(attributes.items()):
        if re.fullmatch("on[a-z]+", name):
            yield " ".join([tag, name, *_around(name, attributes)]), read(value)
        elif name in SINKS and (code := _script(value)) is not None:
            yield f"{tag} {name}", read(code)


def _around(name: str, attributes: Mapping[str, str]) -> list[str]:
    """Tell what must hold besides for a browser to fire the event of its own accord."""
    if name in {"onload", "onerror"}:
        return [f"{other}={_address(attributes[other])}" for other in DECISIVE if other in attributes]
    return [other for other in TRIGGERS if other in attributes]


def without_breaks(address: str) -> str:
    """Leave out of an address what browsers do: control characters around it, tabs and line breaks in it."""
    return re.sub("[\t\n\r]", "", address.strip("".join(map(chr, range(33)))))


def _script(value: str) -> str | None:
    """Read the script of a javascript: URL; None for any other."""
    plain = without_breaks(value)
    return unquote(plain[11:]) if plain[:11].lower() == "javascript:" else None


def _address(value: str) -> str:
    return value if _script(value) is None else "javascript:"
