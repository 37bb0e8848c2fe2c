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
    """The tokens of a script without comments and white space, and whether it parses and calls or assigns anything."""

    tokens: tuple[str, ...]
    acts: bool


def read(code: str) -> Script:
    """Parse a script."""
    data = code.encode("utf-8", "surrogatepass")
    tree = parser().parse(data)
    tokens, acts, todo = [], False, [tree.root_node]
    while todo:
        node = todo.pop()
        acts = acts or node.type in ACTS
        if node.type in {"string", "template_string", "regex"} or not node.children:
            if node.type not in {"comment", "html_comment"}:
                tokens.append(data[node.start_byte : node.end_byte].decode("utf-8", "replace"))
        else:
            todo += reversed(node.children)
    return Script(tuple(filter(None, tokens)), acts and not tree.root_node.has_error)


@cache
def parser() -> tree_sitter.Parser:
    """Return the parser of JavaScript."""
    import tree_sitter
    import tree_sitter_javascript

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_javascript.language()))
