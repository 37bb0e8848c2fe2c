"""Read a script as a parser does: its tokens, and whether it does anything."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tree_sitter

ACTS = frozenset({"call_expression", "assignment_expression", "new_expression", "update_expression"})


@dataclass(frozen=True)
class Script:
    """The tokens of a script without comments and white space.

    Attributes
    ----------
    tokens
        In their order.
    calls
        Whether something in it would be called or assigned, although it may not parse as a whole.
    acts
        Whether it parses too.
    """

    tokens: tuple[str, ...]
    calls: bool
    acts: bool


def read(code: str) -> Script:
    """Parse a script."""
    data = code.encode("utf-8", "surrogatepass")
    tree = parser().parse(data)
    tokens, calls, todo = [], False, [tree.root_node]
    while todo:
        node = todo.pop()
        calls = calls or node.type in ACTS
        if node.type in {"string", "template_string", "regex"} or not node.children:
            if node.type not in {"comment", "html_comment"}:
                tokens.append(data[node.start_byte : node.end_byte].decode("utf-8", "replace"))
        else:
            todo += reversed(node.children)
    return Script(tuple(filter(None, tokens)), calls, calls and not tree.root_node.has_error)


@cache
def parser() -> tree_sitter.Parser:
    """Return the parser of JavaScript."""
    import tree_sitter
    import tree_sitter_javascript

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_javascript.language()))
