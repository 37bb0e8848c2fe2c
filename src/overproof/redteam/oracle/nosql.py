"""Prove that NoSQL injections are the same: JSON and bracket parameters as parsed, JavaScript as a tree."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_plus

from overproof.redteam.base import Proof
from overproof.redteam.oracle import javascript
from overproof.redteam.oracle.javascript_tree import Tree, canonical

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

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
ACTS = frozenset("call_expression new_expression while_statement return || && == === != !==".split())
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
    return _same_piece(original, edited, parser)


def _same_piece(original: str, edited: str, parser: Parser) -> Proof:
    """Compare what breaks out of a string and leaves another open: a piece, whatever the application has behind it."""
    for read in (str, unquote):
        for before, _ in CONTEXTS:
            if not before.endswith(("'", '"')) or before[-1] not in read(original):
                continue
            wanted = _tree(before, read(original), "", parser, piece=True)
            if wanted is None:
                continue
            if _tree(before, read(edited), "", parser, piece=True) != wanted:
                return Proof("unproved", f"JavaScript: another piece of code after {before.strip()!r}")
            return Proof("proved", "JavaScript: parsed as the same piece of code, whatever follows it")
    return Proof("unproved", "JavaScript: no code that breaks out of a value")


def _fits(before: str, text: str) -> bool:
    """Say whether a value can stand there: not where it makes one word of two, nor as a key that has no colon."""
    if before.endswith(", "):
        return re.match(r"""\s*['"]?[\w$]+['"]?\s*:""", text) is not None
    return not before[-1:].isalnum() or not re.match(r"[\w$]", text)


def _tree(before: str, text: str, behind: str, parser: Parser, *, piece: bool = False) -> Tree | None:
    """Parse a value in its place; None where that is no JavaScript (or no piece), or the value is but a value."""
    if "\0" in text.replace("%00", ""):
        return None
    # surrogatepass: a lone surrogate is a letter to JavaScript.
    code = (before + text + behind).encode("utf-8", "surrogatepass")
    tree = parser.parse(code)
    if tree.root_node.has_error and not piece:
        return None
    start, end = len(before.encode()), len(code) - len(behind.encode())
    inside = tree.root_node.descendant_for_byte_range(start, max(start, end - 1))
    while inside is not None and inside.type in ("string_fragment", "escape_sequence"):
        inside = inside.parent
    if inside is None or (inside.type in BENIGN and inside.start_byte <= start and inside.end_byte >= end):
        return None
    if not _acts(tree.root_node, start, end):
        return None
    return canonical(tree.root_node)


def _acts(node: Node, start: int, end: int) -> bool:
    """Say whether what lies between two bytes calls, compares or returns something, or holds a query's operator."""
    if node.end_byte <= start or node.start_byte >= end:
        return False
    if node.start_byte >= start and node.end_byte <= end:
        if node.type in ACTS:
            return True
        if node.type in ("property_identifier", "string_fragment") and (node.text or b"").startswith(b"$"):
            return True
    return any(_acts(child, start, end) for child in node.children)
