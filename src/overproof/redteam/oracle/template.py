"""Prove that two template injections are the same: Jinja's tree, else the tokens of every expression; none is run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, TemplateError, nodes

from overproof.redteam.base import Proof
from overproof.redteam.oracle import template_mako

LONGEST = 20_000  # characters that are read
Tree = tuple[Any, ...]

QUOTED = r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\""""
LEXER = re.compile(rf"({QUOTED})|(\s+)|(\w+)|(.)", re.DOTALL)
# What engines other than Jinja (Mako, FreeMarker, Thymeleaf, Razor, Smarty, ERB) evaluate, and what ends it.
PARENTHESES = {
    "{{": "}}",
    "${": "}",
    "#{": "}",
    "*{": "}",
    "<%": "%>",
    "<#": ">",
    "@(": ")",
    "{$": "}",
    "{php}": "{/php}",
}


def judge(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Compare each pair as the engine reads it that the original is written for."""
    return [_judge(original, edited) for original, edited in pairs]


def _judge(original: str, edited: str) -> Proof:
    if max(len(original), len(edited)) > LONGEST:
        return Proof("unproved", "template: too long")
    try:
        wanted, found = _jinja(original), _jinja(edited)
    except RecursionError:
        return Proof("unproved", "template: too deep")
    if wanted:
        if found == wanted and _others(original) != _others(edited):
            return Proof("unproved", "Jinja: the same tree, but other expressions of another engine")
        if found == wanted:
            return Proof("proved", "Jinja: the same tree")
        return Proof("changed", "Jinja: another tree" if found is not None else "Jinja: no longer a template")
    tokens = _expressions(original)
    if not tokens:
        return Proof("unproved", "template: no expression")
    if _expressions(edited) == tokens:
        return Proof("proved", "template: the same tokens in every expression")
    mako = _mako(tokens)
    if mako is not None:
        if _mako(_expressions(edited) or []) == mako:
            return Proof("proved", "Mako: the same Python in every expression")
        return Proof("changed", "Mako: other Python in an expression")
    return Proof("unproved", "template: an expression of other tokens, for an engine that is not here")


def _mako(expressions: Sequence[tuple[str, tuple[str, ...]]]) -> list[str] | None:
    if any(opening != "${" for opening, _ in expressions):
        return None
    return template_mako.trees(["".join(tokens) for _, tokens in expressions])


def _jinja(text: str) -> list[Tree] | None:
    """Parse by Jinja, and keep what is evaluated; None where it is no template."""
    if "{{" not in text and "{%" not in text:
        return None
    try:
        parsed = Environment(autoescape=True).parse(text)
        return _effects(parsed.body, {name.name for name in parsed.find_all(nodes.Name) if name.ctx == "load"})
    except (TemplateError, ValueError, UnicodeError):
        return None


def _effects(body: Sequence[nodes.Node], read: set[str]) -> list[Tree]:
    """Keep statements and expressions, in order: not text, not constants, not what never runs or is never read."""
    kept: list[Tree] = []
    for node in body:
        if isinstance(node, nodes.Output):
            values = [_expression(one) for one in node.nodes if not isinstance(one, nodes.TemplateData)]
            # A printed string is text; a sum that is printed is what probes an engine.
            kept += [value for value in values if not _only_text(value)]
        elif isinstance(node, nodes.If) and _expression(node.test) == ("Const", "False") and not node.elif_:
            kept += _effects(node.else_, read)
        elif isinstance(node, nodes.Assign) and isinstance(node.node, nodes.Const) and _unread(node.target, read):
            continue
        else:
            kept.append(_statement(node, read))
    return kept


def _unread(target: nodes.Node, read: set[str]) -> bool:
    """Say whether a name is one that nothing in the template reads."""
    return isinstance(target, nodes.Name) and target.name not in read


def _only_text(tree: Tree) -> bool:
    return tree[0] == "Const" and str(tree[1])[:1] in ("'", '"')


def _statement(node: nodes.Node, read: set[str] | None = None) -> Tree:
    parts: list[object] = []
    for name, value in node.iter_fields():
        if isinstance(value, list) and value and isinstance(value[0], nodes.Stmt):
            parts.append((name, *_effects(value, read or set())))
        else:
            parts.append((name, _value(value)))
    return (type(node).__name__, *parts)


def _value(value: object) -> object:
    if isinstance(value, nodes.Node):
        return _expression(value) if isinstance(value, nodes.Expr) else _statement(value)
    if isinstance(value, list | tuple):
        return tuple(_value(one) for one in value)
    return repr(value)


def _expression(node: nodes.Node) -> Tree:
    """Write an expression in one way: constant attributes alike, sums of constants added, a chosen item alone."""
    if isinstance(node, nodes.Getattr):
        return ("attribute", _expression(node.node), node.attr)
    if isinstance(node, nodes.Getitem):
        return _item(node)
    if isinstance(node, nodes.Filter) and node.name == "attr" and len(node.args) == 1 and node.node is not None:
        name = _expression(node.args[0])
        if name[0] == "Const" and re.fullmatch(r"'__\w+__'", str(name[1])):
            # Special names are attributes and never items, so that the filter finds what a dot finds.
            return ("attribute", _expression(node.node), str(name[1])[1:-1])
    if isinstance(node, nodes.Filter) and node.name == "length" and isinstance(node.node, nodes.Const):
        return ("Const", repr(len(node.node.value))) if isinstance(node.node.value, str) else _statement(node)
    if isinstance(node, nodes.Add | nodes.Sub):
        left, right = _whole(_expression(node.left)), _whole(_expression(node.right))
        if left is not None and right is not None:
            return ("Const", repr(left + right if isinstance(node, nodes.Add) else left - right))
    if isinstance(node, nodes.Const):
        return ("Const", repr(node.value))
    return _statement(node)


def _whole(tree: Tree) -> int | None:
    return int(tree[1]) if tree[0] == "Const" and re.fullmatch(r"-?\d{1,9}", str(tree[1])) else None


def _item(node: nodes.Getitem) -> Tree:
    key = _expression(node.arg)
    if isinstance(node.node, nodes.List) and (place := _whole(key)) is not None:
        items = node.node.items
        others = [one for number, one in enumerate(items) if number != place]
        if 0 <= place < len(items) and others and all(_only_text(_expression(one)) for one in others):
            return _expression(items[place])
    if key[0] == "Const" and re.fullmatch(r"'[A-Za-z_]\w*'", str(key[1])):
        return ("attribute", _expression(node.node), str(key[1])[1:-1])
    return ("item", _expression(node.node), key)


def _others(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return the expressions that Jinja takes for text."""
    return [one for one in _expressions(text) or [] if one[0] != "{{"]


def _expressions(text: str) -> list[tuple[str, tuple[str, ...]]] | None:
    """Split what is evaluated into tokens, white space aside; None where something does not end."""
    text = re.sub(r"<#--.*?-->|<%#.*?%>|<%--.*?--%>|<%doc>.*?</%doc>|\{#.*?#\}", "", text, flags=re.DOTALL)
    found = []
    place = 0
    pattern = re.compile("|".join(re.escape(opening) for opening in PARENTHESES))
    while opened := pattern.search(text, place):
        closing = PARENTHESES[opened[0]]
        place, tokens, depth = opened.end(), [], 0
        while not (text.startswith(closing, place) and depth <= 0):
            token = LEXER.match(text, place)
            if token is None:
                return None
            # Between two words white space counts, be it one or many.
            tokens.append(" " if token[2] else token[0])
            depth += (token[0] in ("(", "[", "{")) - (token[0] in (")", "]", "}"))
            place = token.end()
        place += len(closing)
        found.append((opened[0], tuple(_tight(tokens))))
    return found


def _tight(tokens: Sequence[str]) -> list[str]:
    """Drop white space at the edges, and beside brackets and commas."""
    kept: list[str] = []
    for number, token in enumerate(tokens):
        before = kept[-1] if kept else ""
        after = tokens[number + 1] if number + 1 < len(tokens) else ""
        if token != " " or not (before in ("", "(", "[", ",") or after in ("", ")", "]", ",")):
            kept.append(token)
    return kept
