"""Prove that two fragments of XPath select the same nodes: evaluated by elementpath in fixed documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from overproof.redteam.base import Proof

DOCUMENTS = (
    "<users><user id='1'><name>bob</name><pass>x</pass><role>admin</role></user>"
    "<user id='2'><name>alice</name><username>al</username><pass>y</pass></user>"
    "<user id='3'><name>x</name><pass>x</pass></user></users>",
    "<staff><!-- 1 --><user id='1'><name>bob</name><pass>z</pass></user><group><user><name>admin</name></user>"
    "<user id='7'><name>1</name><pass>secret</pass><user id='8'><name>bob</name></user></user></group></staff>",
    "<users><user id='1'><name/><pass/></user><user id='5'><name>bob</name><pass>x</pass><mail>m</mail></user></users>",
)
CONTEXTS = (
    "//user[name/text()='{}' and pass='x']",
    "//user[name/text()='bob{}' and pass='x']",
    "//user[name='{}']",
    "//user[name='bob{}']",
    '//user[name="{}" and pass="x"]',
    '//user[name="bob{}"]',
    "//user[@id={}]",
    "//user[@id=1{}]",
    "//user[contains(name,'{}')]",
    "//user[pass='x' and name='{}']/role/text()",
    "//user[pass='x' and name='bob{}']",
)
BENIGN = "7"  # a name and a number at once
LONGEST = 6000  # characters that are read
DEAREST = 2  # predicates within predicates that are evaluated: every one asks each node for all others


def judge(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Compare what each pair selects where an application puts it into an expression."""
    try:
        import elementpath
    except ImportError:
        missing = Proof("unproved", "elementpath is not installed (pip install 'overproof[attack]')")
        return [missing for _ in pairs]
    roots = [ElementTree.fromstring(document) for document in DOCUMENTS]
    return [_judge(original, edited, roots, elementpath) for original, edited in pairs]


def _judge(original: str, edited: str, roots: list[ElementTree.Element], elementpath: Any) -> Proof:
    if max(_cost(original), _cost(edited)) > DEAREST or max(len(original), len(edited)) > LONGEST:
        return Proof("unproved", "XPath: too long, or too many predicates within predicates")
    try:
        return _compared(original, edited, roots, elementpath)
    except RecursionError:
        return Proof("unproved", "XPath: too deep")


def _compared(original: str, edited: str, roots: list[ElementTree.Element], elementpath: Any) -> Proof:
    proved = False
    for read in (str, unquote):
        if read is unquote and read(original) == original:
            continue
        for context in CONTEXTS:
            if not _fits(context, read(original)):
                continue
            wanted = _selected(context, read(original), roots, elementpath)
            if wanted is None:
                continue
            if _selected(context, read(edited), roots, elementpath) != wanted:
                return Proof("changed", f"XPath: other nodes by {context}")
            proved = proved or wanted != _selected(context, BENIGN, roots, elementpath)
    if proved:
        return Proof("proved", "XPath: the same nodes")
    return Proof("unproved", "XPath: selects nothing that a benign value does not")


def _cost(value: str) -> int:
    """Count how deep predicates lie within predicates."""
    depth = deepest = 0
    for letter in value:
        depth += (letter == "[") - (letter == "]")
        deepest = max(deepest, depth)
    return deepest


def _fits(context: str, value: str) -> bool:
    """Say whether a value can do something there: where it does not end the string it stands in, it is but a string."""
    before = context[: context.index("{")]
    for quote in "'\"":
        if before.count(quote) % 2:
            return quote in value
    return value.lstrip()[:1] not in ("'", '"') and not (before[-1:].isalnum() and value[:1].isalnum())


def _selected(context: str, value: str, roots: list[ElementTree.Element], elementpath: Any) -> list[object] | None:
    """Return what an expression selects in every document; None where it is none."""
    expression = context.replace("{}", value)
    try:
        # The parser is made anew: it keeps what it read last.
        token = elementpath.XPath1Parser().parse(expression)
        return [_plain(token.get_results(elementpath.XPathContext(ElementTree.ElementTree(root)))) for root in roots]
    except (elementpath.ElementPathError, ValueError, TypeError, ArithmeticError, KeyError):
        return None


def _plain(found: object) -> object:
    """Name nodes by what they are: an element is itself only."""
    if isinstance(found, list):
        return [_plain(one) for one in found]
    return id(found) if isinstance(found, ElementTree.Element) else repr(found)
