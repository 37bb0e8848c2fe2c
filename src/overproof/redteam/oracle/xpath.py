"""Prove that two fragments of XPath select the same nodes: evaluated by elementpath.

The documents are fixed ones, and some that hold the original's own names and values, so that its conditions come true
in one of them, and do not in another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from overproof.redteam.base import Proof

DOCUMENTS = (
    "<users><user id='1'><name>bob</name><pass>x</pass><role>admin</role></user>"
    "<user id='2'><name>alice</name><username>al</username><pass>y</pass></user>"
    "<user id='3'><name>x</name><pass>x</pass></user></users><!-- 1 -->",
    "<staff><!-- 1 --><user id='1'><name>bob</name><pass>z</pass></user><group><user><name>admin</name></user>"
    "<user id='7'><name>1</name><pass>secret</pass><user id='8'><name>bob</name></user></user></group></staff>",
    "<users><user id='1'><name/><pass/></user><user id='5'><name>bob</name><pass>x</pass><mail>m</mail></user></users>",
)
# A name that is neither a function nor an axis, or a number.
WORD = re.compile(r"[A-Za-z_][\w.-]*+(?!\s*(?:\(|::))|\d+(?:\.\d+)?", re.ASCII)
OPERATORS = frozenset({"and", "or", "div", "mod"})
OWN = 4  # words of an original of which documents are made
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
ERRORS = (ValueError, TypeError, ArithmeticError, KeyError)  # what elementpath lets through
LONGEST = 6000  # characters that are read
DEAREST = 2  # predicates within predicates that are evaluated: every one asks each node for all others


def judge(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Compare what each pair selects where an application puts it into an expression."""
    try:
        import elementpath
    except ImportError:
        missing = Proof("unproved", "elementpath is not installed (pip install 'overproof[attack]')")
        return [missing for _ in pairs]
    fixed = [_document(document, elementpath) for document in DOCUMENTS]
    return [_judge(original, edited, fixed, elementpath) for original, edited in pairs]


def _judge(original: str, edited: str, fixed: list[Any], elementpath: Any) -> Proof:
    if max(_cost(original), _cost(edited)) > DEAREST or max(len(original), len(edited)) > LONGEST:
        return Proof("unproved", "XPath: too long, or too many predicates within predicates")
    try:
        own = [_document(document, elementpath) for document in _own_documents(original)]
        return _compared(original, edited, [*fixed, *own], elementpath)
    except RecursionError:
        return Proof("unproved", "XPath: too deep")


def _compared(original: str, edited: str, roots: list[Any], elementpath: Any) -> Proof:
    proved = False
    for read in (str, unquote):
        if read is unquote and read(original) == original:
            continue
        for context in CONTEXTS:
            if not _fits(context, read(original)):
                continue
            wanted = _selected(context, read(original), roots, elementpath)
            shown = [place for place, nodes in enumerate(wanted) if nodes is not None]
            if not shown:
                continue
            found = _selected(context, read(edited), roots, elementpath)
            if any(found[place] != wanted[place] for place in shown):
                return Proof("changed", f"XPath: other nodes by {context}")
            benign = [] if proved else _selected(context, BENIGN, roots, elementpath)
            proved = proved or any(benign[place] != wanted[place] for place in shown)
    if proved:
        return Proof("proved", "XPath: the same nodes")
    return Proof("unproved", "XPath: selects nothing that a benign value does not")


def _document(text: str, elementpath: Any) -> Any:
    """Read a document with its comments, also the one behind its root, which ElementTree drops."""
    builder = ElementTree.TreeBuilder(insert_comments=True, insert_pis=True)
    root = ElementTree.fromstring(text, ElementTree.XMLParser(target=builder))
    tree = elementpath.get_node_tree(ElementTree.ElementTree(root))
    comment = re.search("<!--([^>]*)-->$", text)
    if comment is not None:
        elementpath.CommentNode(comment[1], tree, 1 + max(node.position for node in tree.iter()))
    return tree


def _own_documents(original: str) -> list[str]:
    """Make users whose fields are named by an original's own words and hold them: side by side, and within each other.

    A third document holds its numbers alone, and those beside them: a text cannot be compared with a number. A bare
    word is no condition, and predicates within predicates would take too long.
    """
    if not re.search(r"[^\w\s.-]", original) or _cost(original) >= DEAREST:
        return []
    words = [word for word in dict.fromkeys(WORD.findall(unquote(original))) if word not in OPERATORS][:OWN]
    names = [word for word in words if not word[0].isdigit() and not word.lower().startswith("xml")]
    numbers = [str(int(word) + step) for word in words if word.isdigit() and len(word) < 10 for step in (-1, 0, 1)]
    root = names[0] if names else "all"
    beside = "".join(_user(value, names, "".join(f"<{name}>{value}</{name}>" for name in names)) for value in words)
    starts, ends = "".join(f"<{name}>" for name in names), "".join(f"</{name}>" for name in names[::-1])
    within = "".join(_user(value, names, f"{starts}{value}{ends}") for value in words)
    counted = "".join(_user(value, names, f"{starts}{value}{ends}") for value in numbers)
    return [f"<users>{beside}</users><!-- 1 -->", f"<{root}>{within}</{root}>", f"<users>{counted}</users>"]


def _user(value: str, names: list[str], fields: str) -> str:
    attributes = "".join(f" {name}='{value}'" for name in names if name != "id")
    return f"<user id='{value}'{attributes}><name>{value}</name><pass>x</pass>{fields}</user>"


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


def _selected(context: str, value: str, roots: list[Any], elementpath: Any) -> list[object | None]:
    """Return what an expression selects in each document; None where it is none, or cannot be evaluated there."""
    try:
        # The parser is made anew: it keeps what it read last.
        token = elementpath.XPath1Parser().parse(context.replace("{}", value))
    except (elementpath.ElementPathError, *ERRORS):
        return [None for _ in roots]
    return [_nodes(token, root, elementpath) for root in roots]


def _nodes(token: Any, root: Any, elementpath: Any) -> object | None:
    try:
        return _plain(token.get_results(elementpath.XPathContext(root)))
    except (elementpath.ElementPathError, *ERRORS):  # such as a text compared as a number
        return None


def _plain(found: object) -> object:
    """Name nodes by what they are: an element is itself only."""
    if isinstance(found, list):
        return [_plain(one) for one in found]
    return id(found) if isinstance(found, ElementTree.Element) else repr(found)
