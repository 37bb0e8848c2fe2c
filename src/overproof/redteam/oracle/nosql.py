"""Prove that NoSQL injections are the same: JSON and bracket parameters as parsed, JavaScript as a tree."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_plus

from overproof.redteam.base import Proof
from overproof.redteam.oracle import javascript

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

    Tree = tuple[Any, ...]

# Where applications put a value into JavaScript: code before it, code behind it.
CONTEXTS = (
    ("function f() { return this.name == '", "'\n}"),
    ('function f() { return this.name == "', '"\n}'),
    ("function f() { return this.number == 7", "\n}"),
    ("function f() { return this.number == ", "\n}"),
    ("function f() { return this.number == 7 ", "\n}"),
    ("find({name: ", "\n})"),
    ("find({name: 1", "\n})"),
    ("find({name: 1, ", "\n})"),
    ("find({name: '", "', secret: ''\n})"),
    ("find({name: '", "', secret: '' } ]\n})"),
    ("", "\n"),
    ("function f() { ", ")\n}});}"),
)
DEEPEST = 200  # nodes within nodes that are compared
BENIGN = {"string", "number", "identifier", "true", "false", "null", "undefined"}


def judge(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Compare each pair as the first reader that the original is written for reads it."""
    return [_judge(original, edited) for original, edited in pairs]


def _judge(original: str, edited: str) -> Proof:
    for reader, read in (("JSON", _json), ("bracket parameters", _brackets)):
        wanted = read(original)
        if wanted is not None:
            same = read(edited) == wanted
            return Proof("proved" if same else "changed", f"{reader}: {'the same' if same else 'other'} operators")
    try:
        parser = javascript.parser()
    except ImportError:
        return Proof("unproved", "tree-sitter-javascript is not installed (pip install 'overproof[attack]')")
    try:
        return _same_code(original, edited, parser)
    except RecursionError:
        return Proof("unproved", "JavaScript: too deep")


def _json(text: str) -> str | None:
    """Read JSON as JavaScript does (the last of equal keys counts), written in one way; None without an operator."""
    try:
        read = json.loads(text)
        written = json.dumps(read, sort_keys=True)
    except (ValueError, RecursionError):
        return None
    if not isinstance(read, dict | list) or '"$' not in written:
        return None
    # JavaScript knows one kind of number: 1 and 1.0 are the same.
    return re.sub(r"(?<=[ \[])(-?\d+)\.0(?=[,\]}])", r"\1", written)


def _brackets(text: str) -> list[tuple[tuple[str, ...], str]] | None:
    """Read `[$ne]=1` as a parameter's rest, as `qs` does; None where the text is none."""
    read = None
    for part in ("name" + text).split("&"):
        name, _, value = re.sub("%5b", "[", re.sub("%5d", "]", part, flags=re.I), flags=re.I).partition("=")
        keys = re.fullmatch(r"name((?:\[[^\[\]]*\])+)", unquote_plus(name))
        if keys:
            read = [*(read or ()), (tuple(re.findall(r"\[([^\[\]]*)\]", keys[1])), unquote_plus(value))]
        elif unquote_plus(name).startswith("name"):
            return None
    return read if read and any(key.startswith("$") for keys, _ in read for key in keys) else None


def _same_code(original: str, edited: str, parser: Parser) -> Proof:
    proved = False
    for read in (str, unquote):
        if read is unquote and read(original) == original:
            continue
        for before, behind in CONTEXTS:
            if not _fits(before, read(original)):
                continue
            wanted = _tree(before, read(original), behind, parser)
            if wanted is None:
                continue
            if _tree(before, read(edited), behind, parser) != wanted:
                return Proof("changed", f"JavaScript: other code after {before.strip()!r}")
            proved = True
    if proved:
        return Proof("proved", "JavaScript: the same tree")
    return Proof("unproved", "JavaScript: no code that breaks out of a value")


def _fits(before: str, text: str) -> bool:
    """Say whether a value can stand there: not where it makes one word of two, nor as a key that has no colon."""
    if before.endswith(", "):
        return re.match(r"""\s*['"]?[\w$]+['"]?\s*:""", text) is not None
    return not before[-1:].isalnum() or not re.match(r"[\w$]", text)


def _tree(before: str, text: str, behind: str, parser: Parser) -> Tree | None:
    """Parse a value in its place; None where that is no JavaScript, or the value is nothing but a value."""
    if "\0" in text.replace("%00", ""):
        return None
    # surrogatepass: a lone surrogate is a letter to JavaScript.
    code = (before + text + behind).encode("utf-8", "surrogatepass")
    tree = parser.parse(code)
    if tree.root_node.has_error:
        return None
    start, end = len(before.encode()), len(code) - len(behind.encode())
    inside = tree.root_node.descendant_for_byte_range(start, max(start, end - 1))
    while inside is not None and inside.type in ("string_fragment", "escape_sequence"):
        inside = inside.parent
    if inside is None or (inside.type in BENIGN and inside.start_byte <= start and inside.end_byte >= end):
        return None
    if not _acts(tree.root_node, start, end):
        return None
    return _canonical(tree.root_node, 0)


def _acts(node: Node, start: int, end: int) -> bool:
    """Say whether what lies between two bytes calls, compares or returns something, or holds a query's operator."""
    if node.end_byte <= start or node.start_byte >= end:
        return False
    if node.start_byte >= start and node.end_byte <= end:
        if node.type in ("call_expression", "return", "||", "&&", "==", "===", "!=", "!=="):
            return True
        if node.type in ("property_identifier", "string_fragment") and (node.text or b"").startswith(b"$"):
            return True
    return any(_acts(child, start, end) for child in node.children)


def _canonical(node: Node, depth: int) -> Tree:
    """Write a tree in one way: values instead of spellings, nothing that does nothing."""
    if depth > DEEPEST:
        raise RecursionError
    text = (node.text or b"").decode("utf-8", "surrogatepass")
    children = [child for child in node.children if child.type != "comment"]
    if node.type == "string":
        return ("string", _string(text[1:-1]))
    if node.type == "number":
        return ("number", _number(text))
    if node.type in ("true", "false"):
        return ("truth", str(node.type == "true"))
    if node.type in ("identifier", "property_identifier", "shorthand_property_identifier"):
        return ("name", _string(text))
    if node.type == "unary_expression" and len(children) == 2:
        inner = _canonical(children[1], depth + 1)
        truth = {"0.0": False, "1.0": True, "False": False, "True": True}.get(inner[1]) if len(inner) == 2 else None
        truth = truth if inner[0] in ("number", "truth") else None
        if children[0].type == "!" and truth is not None:
            return ("truth", str(not truth))
        return (node.type, children[0].type, inner)  # what is within is read once, however deep it lies
    if not children:
        return (node.type, text)
    if node.type == "subscript_expression" and children[2].type == "string":
        return ("member", _canonical(children[0], depth + 1), _string(_inside(children[2])))
    if node.type == "member_expression":
        return ("member", _canonical(children[0], depth + 1), _string((children[-1].text or b"").decode()))
    if node.type == "pair" and _string(_inside(children[0])).strip("'\"") == "$where" and children[2].type == "string":
        code = javascript.parser().parse(_string(_inside(children[2])).encode("utf-8", "surrogatepass")).root_node
        if not code.has_error:
            return ("where", _canonical(code, depth + 1))
    kept = [child for child in children if not _idle(child) and child.type not in (";", ",")]
    return (node.type, *(_canonical(child, depth + 1) for child in kept))


def _inside(node: Node) -> str:
    text = (node.text or b"").decode("utf-8", "surrogatepass")
    return text[1:-1] if node.type == "string" else text


def _idle(node: Node) -> bool:
    """Say whether a statement is nothing, or nothing but a string."""
    kinds = [child.type for child in node.children if child.type not in (";", "comment")]
    return node.type == "empty_statement" or (node.type == "expression_statement" and kinds == ["string"])


def _string(text: str) -> str:
    """Resolve the escapes of JavaScript."""

    def letter(found: re.Match[str]) -> str:
        code = found[1] or found[2] or found[3]
        if code:
            return chr(int(code, 16)) if int(code, 16) <= 0x10FFFF else found[0]
        return {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "\n": ""}.get(found[4], found[4])

    return re.sub(r"\\(?:u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]+)\}|x([0-9a-fA-F]{2})|(.))", letter, text, flags=re.DOTALL)


def _number(text: str) -> str:
    try:
        return str(float(int(text, 0)))
    except (ValueError, OverflowError):
        pass
    try:
        return str(float(text))
    except ValueError:
        return text
