"""Read a command line as cmd.exe does, and compare two: no cmd.exe is at hand, and none is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from overproof.redteam.base import Proof

ELSEWHERE = re.compile(r"[`$\n\0]|'")
SAME_JOIN = frozenset({("", "&"), ("&", "&"), ("&&", "&&")})
NAME = re.compile(r"[,;=\s]*([^\s/,;=\"]*)(.*)", re.DOTALL)
SET = re.compile(r"set (\w+)=[\w ]*", re.IGNORECASE)
NEVER = re.compile(r"if 1==2 \([\w ]*\)", re.IGNORECASE)
REMARK = re.compile(r"rem(?: .*)?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Called:
    """A command as cmd.exe reads it: the separator before it, its name without case, and the rest without carets."""

    before: str
    name: str
    rest: str


def same_for_cmd(original: str, edited: str) -> Proof:
    """Compare what cmd.exe reads in two texts."""
    first, second = commands(original, original), commands(edited, original)
    if first is None or not any(called.name for called in first):
        return Proof("unproved", "a command of Windows that cannot be read without its shell")
    if second is None:
        return Proof("unproved", "what was edited cannot be read as cmd.exe's")
    if first == second:
        return Proof("proved", "read as cmd.exe reads it: the same commands")
    if [called.name for called in first] != [called.name for called in second]:
        return Proof("changed", "read as cmd.exe reads it: other commands")
    return Proof("unproved", "read as cmd.exe reads it: other words")


def commands(text: str, original: str) -> list[Called] | None:
    """Return the commands with an effect; None where another shell's signs stand in the text, or a quote is open."""
    parts = None if ELSEWHERE.search(text) else split(text)
    if parts is None:
        return None
    found: list[Called] = []
    dropped = "none"
    for joined, part in parts:
        # What is joined to a command without effect is joined to what stands before that.
        before = dropped if (dropped, joined) in SAME_JOIN else joined
        dropped = "none"
        plain = re.sub(r"^[,;=\s]+", "", part).strip()
        variable = SET.fullmatch(plain)
        unread = variable is not None and variable[1].lower() not in original.lower()
        if not plain or unread or NEVER.fullmatch(plain):
            dropped = before if plain else "none"
            continue
        if REMARK.fullmatch(plain):
            break
        match = NAME.fullmatch(plain)
        name, rest = (match[1].lower(), match[2].strip()) if match else ("", plain)
        found.append(Called(before, name, rest))
    return found


def split(text: str) -> list[tuple[str, str]] | None:
    """Cut a line at its separators, drop carets and double white space outside quotes; None where a quote is open."""
    parts: list[tuple[str, str]] = []
    before, current, quoted, at = "", "", False, 0
    while at < len(text):
        char = text[at]
        if char == '"':
            quoted = not quoted
        elif not quoted and char == "^":
            at += 1
            char = text[at : at + 1]
        elif not quoted and char in "&|":
            parts.append((before, current))
            before = char * (2 if text[at + 1 : at + 2] == char else 1)
            at += len(before)
            current = ""
            continue
        elif not quoted and char in " \t":
            char = "" if current.endswith(" ") else " "
        current += char
        at += 1
    return None if quoted else [*parts, (before, current)]
