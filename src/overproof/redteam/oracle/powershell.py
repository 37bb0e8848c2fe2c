"""Prove that an edited PowerShell text says what the original does: both are parsed, and compared in a normal form.

Nothing is run: no PowerShell is asked for. What PowerShell does not see (case, backquotes, comments, aliases, the
spelling of powershell.exe's own parameters, encoding) is taken out of both; equal forms are equal commands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from overproof.redteam.base import Proof
from overproof.redteam.oracle.powershell_form import Form, command_names, does_something, form_of, without_inert
from overproof.redteam.oracle.powershell_host import PROMPT

if TYPE_CHECKING:
    from tree_sitter import Parser

GLUED = re.compile(rb"((?:^|[;|{(=\n])[ \t]*(?:[A-Za-z][\w`-]*|&[ \t]*'[\w-]+'|&[ \t]*\"[\w-]+\"))\(")


@cache
def parser() -> Parser | None:
    """Make the parser; None where it is not installed."""
    try:
        import tree_sitter
        import tree_sitter_powershell
    except ImportError:
        return None
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))


def judge(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Judge pairs of an original and an edited PowerShell text."""
    if parser() is None:
        why = "tree-sitter-powershell is not installed (pip install 'overproof[attack]')"
        return [Proof("unproved", why) for _ in pairs]
    return [_judge(original, edited) for original, edited in pairs]


def _judge(original: str, edited: str) -> Proof:
    """Judge one pair."""
    first, second = parsed(original), parsed(edited)
    if first is None:
        return Proof("unproved", "the original does not parse as PowerShell")
    if not does_something(first):
        return Proof("unproved", "the original runs no command")
    if second is None:
        return Proof("unproved", "the edited text does not parse as PowerShell")
    first, second = without_inert(first), without_inert(second)
    if first == second:
        return Proof("proved", "parsed: the same PowerShell")
    names = command_names(first), command_names(second)
    if None not in names and names[0] != names[1]:
        return Proof("changed", "parsed: other commands")
    return Proof("unproved", "parsed: another form, which may or may not do the same")


def parsed(text: str) -> Form | None:
    """Parse a text to its normal form; None where it does not parse."""
    made = parser()
    if made is None:
        return None
    prompt = PROMPT.match(text)
    shown = prompt[0] if prompt else ""
    raw = text[len(shown) :].encode("utf-8", "replace")
    root = made.parse(raw).root_node
    if root.has_error:
        # The parser does not know a command whose first word is in parentheses at once: `iex(...)`.
        raw = GLUED.sub(rb"\1 (", raw)
        root = made.parse(raw).root_node
    if root.has_error:
        return None
    return ("text", shown, form_of(root, raw, parsed) or ())
