"""Write the tree of a script in one way, so that two that are spelled otherwise and do the same are equal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from overproof.redteam.oracle import javascript

if TYPE_CHECKING:
    from tree_sitter import Node

Tree = tuple[Any, ...]

DEEPEST = 200  # nodes within nodes that are compared
NAMES = frozenset({"identifier", "property_identifier", "shorthand_property_identifier"})
STRINGS = frozenset({"string", "template_string"})
_TRUTHS = {"0.0": False, "1.0": True, "False": False, "True": True}


def script_tree(code: str) -> Tree:
    """Parse a script, or a piece of one: what does not parse is compared token by token.

    Raises
    ------
    RecursionError
        It nests too deep.
    """
    return canonical(javascript.parser().parse(code.encode("utf-8", "surrogatepass")).root_node)


def canonical(node: Node, depth: int = 0) -> Tree:
    """Write a tree in one way: values instead of spellings, nothing that does nothing.

    Raises
    ------
    RecursionError
        It nests too deep.
    """
    if depth > DEEPEST:
        raise RecursionError
    children = [child for child in node.children if child.type != "comment"]
    literal = _literal(node, children)
    if literal is not None:
        return literal
    if not children:
        return (node.type, node_text(node))
    if node.type in _RULES:
        found = _RULES[node.type](children, depth + 1)
        if found is not None:
            return found
    # What does not parse is kept sign by sign: there nothing else tells one list from two statements.
    broken = node.type == "ERROR"
    kept = [child for child in children if not _idle(child) and (broken or child.type not in (";", ","))]
    return (node.type, *(canonical(child, depth + 1) for child in kept))


def _literal(node: Node, children: Sequence[Node]) -> Tree | None:
    text = node_text(node)
    if node.type == "string" or (node.type == "template_string" and _plain_template(children)):
        return ("string", unescaped(text[1:-1]))
    if node.type == "number":
        return ("number", _number(text))
    if node.type in ("true", "false"):
        return ("truth", str(node.type == "true"))
    return ("name", unescaped(text)) if node.type in NAMES else None


def _unary(children: Sequence[Node], depth: int) -> Tree | None:
    if len(children) != 2:
        return None
    inner = canonical(children[1], depth)
    truth = _TRUTHS.get(inner[1]) if len(inner) == 2 and inner[0] in ("number", "truth") else None
    if children[0].type == "!" and truth is not None:
        return ("truth", str(not truth))
    return ("unary_expression", children[0].type, inner)  # what is within is read once, however deep it lies


def _binary(children: Sequence[Node], depth: int) -> Tree | None:
    """Put strings together that are added."""
    if len(children) != 3 or children[1].type != "+":
        return None
    left, right = canonical(children[0], depth), canonical(children[2], depth)
    if left[0] == right[0] == "string":
        return ("string", left[1] + right[1])
    return ("binary_expression", left, ("+", "+"), right)


def _parenthesized(children: Sequence[Node], depth: int) -> Tree | None:
    """Leave out parentheses: the tree says what belongs together."""
    return canonical(children[1], depth) if [child.type for child in children[::2]] == ["(", ")"] else None


def _subscript(children: Sequence[Node], depth: int) -> Tree | None:
    if len(children) < 3 or children[1].type != "[":
        return None
    name = canonical(children[2], depth)
    return ("member", canonical(children[0], depth), name[1]) if name[0] == "string" else None


def _member(children: Sequence[Node], depth: int) -> Tree | None:
    if len(children) != 3 or children[1].type != ".":
        return None
    return ("member", canonical(children[0], depth), unescaped(node_text(children[2])))


def _pair(children: Sequence[Node], depth: int) -> Tree | None:
    """Read the code that MongoDB runs."""
    if len(children) != 3 or children[2].type != "string" or _inside(children[0]).strip("'\"") != "$where":
        return None
    code = javascript.parser().parse(_inside(children[2]).encode("utf-8", "surrogatepass")).root_node
    return None if code.has_error else ("where", canonical(code, depth))


_RULES = {
    "unary_expression": _unary,
    "binary_expression": _binary,
    "parenthesized_expression": _parenthesized,
    "subscript_expression": _subscript,
    "member_expression": _member,
    "pair": _pair,
}


def _idle(node: Node) -> bool:
    """Say whether a statement is nothing, or nothing but a value that nobody asked for."""
    if node.type == "empty_statement":
        return True
    if node.type == "if_statement":
        parts = [child for child in node.children if child.type != "comment"]
        return len(parts) == 3 and node_text(parts[1]) == "(0)"
    solid = [child for child in node.children if child.type not in (";", "comment")]
    if node.type != "expression_statement" or len(solid) != 1 or node_text(solid[0])[1:-1] == "use strict":
        return False
    return _constant(solid[0])


def _constant(node: Node) -> bool:
    """Say whether an expression is a value, and calls, reads and sets nothing on its way to it."""
    solid = [child for child in node.children if child.type != "comment"]
    if node.type == "template_string":
        return _plain_template(solid)
    if node.type == "unary_expression":
        return solid[0].type in ("void", "!") and _constant(solid[1])
    if node.type == "array":
        return all(child.type in ("[", "]", ",") or _constant(child) for child in solid)
    if node.type == "binary_expression":
        return solid[1].type == "&&" and node_text(solid[0]) == "0"
    return node.type in ("string", "regex")


def _plain_template(children: Sequence[Node]) -> bool:
    return all(child.type != "template_substitution" for child in children)


def _inside(node: Node) -> str:
    text = node_text(node)
    return unescaped(text[1:-1] if node.type == "string" else text)


def node_text(node: Node) -> str:
    """Return the part of a script that a node was read from."""
    return (node.text or b"").decode("utf-8", "surrogatepass")


def unescaped(text: str) -> str:
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
