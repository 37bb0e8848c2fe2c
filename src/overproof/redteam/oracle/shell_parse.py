"""Compare two command lines without a shell: the same words where nothing is expanded."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from overproof.redteam.base import Proof
from overproof.redteam.oracle.shell_reading import KNOWN

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

EXPANDED = re.compile(r"expansion|substitution|heredoc|ansi_c|brace|subscript|test|arithmetic|assignment")
QUOTED = re.compile(r"'([^']*)'|\"((?:[^\"\\$`]|\\.)*)\"|\\\n|\\(.)|([^'\"\\])", re.DOTALL)
ESCAPED = re.compile(r"\\([\\\"$`])")
WORDS = frozenset({"word", "string", "raw_string", "concatenation", "number", "command_name"})
SPECIAL = re.compile(r"[*?\[\]{}~$`]")


@cache
def parser() -> Parser | None:
    """Make the parser of bash; None where it is not installed."""
    try:
        import tree_sitter
        import tree_sitter_bash
    except ImportError:
        return None
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


def same_words(original: str, edited: str, why: str) -> Proof:
    """Prove by parsing that two command lines hold the same words; `why` says why they were not run."""
    if parser() is None:
        return Proof("unproved", f"{why}; tree-sitter-bash is not installed (pip install 'overproof[attack]')")
    first, second = leaves(original), leaves(edited)
    words = [word for kind, word in first or () if kind == "word"]
    if first is None or second is None or not (len(words) > 1 or set(words) & KNOWN):
        return Proof("unproved", f"{why}; its words cannot be told without a shell")
    if first == second:
        return Proof("proved", "parsed: the same words")
    return Proof("unproved", f"{why}; parsed: other words")


def literal_names(text: str) -> set[str] | None:
    """Return the names of all commands that a text spells out, without folders; None where that cannot be told."""
    made = parser()
    if made is None:
        return None
    raw = text.encode("utf-8", "replace")
    todo, names = [made.parse(raw).root_node], set()
    while todo:
        node = todo.pop()
        todo += node.children
        if node.type == "command_name":
            name = unquoted(raw[node.start_byte : node.end_byte].decode("utf-8", "replace"))
            names |= set() if name is None else {name.rpartition("/")[2]}
    return names


def leaves(text: str) -> list[tuple[str, str]] | None:
    """Return words without their quotes, and operators; None where something is expanded or does not parse."""
    made = parser()
    if made is None:
        return None
    raw = text.encode("utf-8", "replace")
    found: list[tuple[str, str]] = []
    return found if collect(made.parse(raw).root_node, raw, found) else None


def collect(node: Node, raw: bytes, found: list[tuple[str, str]]) -> bool:
    """Add the words and operators below a node; False where one of them is expanded or broken."""
    if node.type in ("ERROR", "comment") or node.is_missing:
        return node.type == "comment"
    if EXPANDED.search(node.type):
        return False
    if node.type in WORDS and (node.type != "command_name" or node.child_count == 0):
        word = unquoted(raw[node.start_byte : node.end_byte].decode("utf-8", "replace"))
        if word is not None:
            found.append(("word", word))
        return word is not None
    if node.child_count == 0:
        kind = ";" if node.type == "\n" else node.type
        found.append(("operator", kind))
        return True
    return all(collect(child, raw, found) for child in node.children)


def unquoted(word: str) -> str | None:
    """Take quotes off a word as a shell does; None where it would be expanded."""
    parts: list[str] = []
    end = 0
    for match in QUOTED.finditer(word):
        single, double, escaped, bare = match.groups()
        if match.start() != end or (bare is not None and SPECIAL.match(bare)):
            return None
        end = match.end()
        parts.append(next((p for p in (single, escaped, bare) if p is not None), ESCAPED.sub(r"\1", double or "")))
    return "".join(parts) if end == len(word) else None
