"""Edit commands so that a shell does the same: white space, separators, and inert commands full of innocent words."""

from __future__ import annotations

import re
from itertools import pairwise
from random import Random

from overproof.redteam.mutate.shell_scan import DECLARES, Piece, Shell, Word, read
from overproof.redteam.mutate.shell_words import placed, word_of

# After these a command may have another in front of it; what stands there decides how both are joined.
FREE = frozenset(["start", ";", "&", "\n", "(", "$(", "`", "then", "else", "do", "{", "if", "elif", "while", "until"])
ASKS = re.compile(r"\$\?|\$_|\btrap\b|\bBASH_|\bLINENO\b|\bhistory\b|!!|\bset\b")
NAME = re.compile(r"[a-z][a-z0-9]{1,30}")
WORD_KINDS = ("bare", "single", "double", "frozen")


def _innocent(random: Random, text: str) -> str:
    """Return one to three ordinary words."""
    return " ".join(word_of(random, text) for _ in range(random.randint(1, 3)))


def _starts(shell: Shell, kinds: frozenset[str]) -> list[Word]:
    """Return the words with which a command begins, behind one of these separators."""
    words = [word for word in shell.words if word.before in kinds and word.depth >= shell.floor]
    return [w for w in words if w.role in ("command", "assignment") or w.text in ("if", "for", "while", "until", "{")]


def _before(text: str, random: Random, kinds: frozenset[str]) -> tuple[Shell, Word] | None:
    """Draw a place for a command in front of another."""
    shell = read(text)
    if shell is None or ASKS.search(text) or not (words := _starts(shell, kinds)):
        return None
    return shell, random.choice(words)


def command_in_front(text: str, random: Random) -> str | None:
    """Put a command that does nothing in front of another: `: garden shoes;`."""
    if (found := _before(text, random, FREE | {"&&", "||"})) is None:
        return None
    shell, word = found
    words = _innocent(random, text)
    if word.before == "||":
        new = f"false {words} || "
    elif word.before == "&&":
        new = f"{random.choice([':', 'true'])} {words} && "
    else:
        new = random.choice(
            [f": {words}; ", f"true {words}; ", f"true {words} && ", f"false {words} || ", f": {words}\n"]
        )
        if word.role != "command" and new.endswith(("&& ", "|| ")):
            new = f": {words}; "
    return placed(text, shell, [(word.start, word.start, new)])


def branch_never_taken(text: str, random: Random) -> str | None:
    """Put a branch that is never taken in front of a command."""
    if (found := _before(text, random, FREE)) is None:
        return None
    shell, word = found
    words = _innocent(random, text)
    new = random.choice(
        [
            f"if false; then {words}; fi; ",
            f"false && {words}; ",
            f"true || {words}; ",
            f"while false; do {words}; done; ",
        ]
    )
    return placed(text, shell, [(word.start, word.start, new)])


def function_never_called(text: str, random: Random) -> str | None:
    """Define a function that nothing calls."""
    if (found := _before(text, random, FREE)) is None:
        return None
    shell, word = found
    new = f"{word_of(random, text)}_{word_of(random, text)}() {{ echo {_innocent(random, text)}; }}; "
    return placed(text, shell, [(word.start, word.start, new)])


def unused_variable(text: str, random: Random) -> str | None:
    """Set a variable that nothing reads."""
    if (found := _before(text, random, FREE)) is None:
        return None
    shell, word = found
    words = _innocent(random, text)
    value = random.choice([f"'{words}'", f'"{words}"', word_of(random, text)])
    return placed(text, shell, [(word.start, word.start, f"{word_of(random, text)}={value}; ")])


def command_from_variables(text: str, random: Random) -> str | None:
    """Take a command's name from variables: `garden=ca; shoes=t; $garden$shoes`."""
    shell = read(text)
    if shell is None or ASKS.search(text) or "IFS" in text:
        return None
    words = [w for w in _starts(shell, FREE | {"&&"}) if w.role == "command" and w.plain and NAME.fullmatch(w.text)]
    words = [word for word in words if word.text not in DECLARES and not _glued(text, word)]
    if not words:
        return None
    word = random.choice(words)
    at = random.randint(1, len(word.text) - 1)
    first, second = word_of(random, text), word_of(random, text)
    if first == second:
        return None
    then = " && " if word.before == "&&" else random.choice(["; ", ";", "\n"])
    new = f"{first}={word.text[:at]}{then}{second}={word.text[at:]}{then}${{{first}}}${second}"
    return placed(text, shell, [(word.start, word.end, new)])


def _glued(text: str, word: Word) -> bool:
    """Tell whether a substitution follows a word at once, and belongs to it."""
    return text[word.end : word.end + 1] in ("$", "`", "(")


def comment(text: str, random: Random) -> str | None:
    """Put a comment of innocent words at the end of the text, or of a line."""
    shell = read(text)
    if shell is None or shell.floor:
        return None
    ends = [piece.start for piece in shell.pieces if piece.kind == "newline"]
    if shell.whole:
        ends.append(len(text))
    ends = [end for end in ends if not text[:end].endswith("\\")]
    if not ends:
        return None
    at = random.choice(ends)
    return placed(text, shell, [(at, at, f" # {_innocent(random, text)}")])


def command_behind(text: str, random: Random) -> str | None:
    """Put a command that does nothing behind all others."""
    shell = read(text)
    if shell is None or not shell.whole or shell.floor or any(piece.kind == "comment" for piece in shell.pieces[-2:]):
        return None
    last = next((piece for piece in reversed(shell.pieces) if piece.kind != "space"), None)
    joins = [" "] if last is None or last.text in (";", "&", "\n") else ["; ", " && ", "\n", " || "]
    new = f"{random.choice(joins)}{random.choice([':', 'true'])} {_innocent(random, text)}"
    return placed(text, shell, [(len(text), len(text), new)])


def white_space(text: str, random: Random) -> str | None:
    """Write white space between words with tabs, or with more of it."""
    shell = read(text)
    spots = [] if shell is None or shell.floor else [piece for piece in shell.pieces if piece.kind == "space"]
    if shell is None or not spots:
        return None
    piece = random.choice(spots)
    return placed(text, shell, [(piece.start, piece.end, random.choice(["\t", "  ", "\t\t", " \t ", "   "]))])


def space_at_operator(text: str, random: Random) -> str | None:
    """Put white space beside a separator, or behind the sign of a redirection."""
    shell = read(text)
    if shell is None or shell.floor:
        return None
    spots = []
    for piece in shell.pieces:
        glued = text.startswith("(", piece.end)  # `<(` is one sign
        if piece.kind == "operator" and piece.text in (";", "|", "&&", "||", ">", ">>", "<") and not glued:
            spots += [piece.end] if piece.text in (">", ">>", "<") else [piece.start, piece.end]
    if not spots:
        return None
    at = random.choice(spots)
    return placed(text, shell, [(at, at, random.choice([" ", "\t", "  "]))])


def separator(text: str, random: Random) -> str | None:
    """Write a semicolon as the end of a line or the other way round, or go to the next line behind `|`, `&&`, `||`."""
    shell = read(text)
    if shell is None or shell.floor:
        return None
    spots: list[tuple[int, int, str]] = []
    first = next((piece for piece in shell.pieces if piece.kind == "operator"), None)
    for before, piece, after in zip((None, *shell.pieces), shell.pieces, (*shell.pieces[1:], None), strict=False):
        # The first separator of a value that breaks out tells the readings apart: it stays.
        if piece.text == ";" and piece.kind == "operator" and not (shell.fragment and piece is first):
            spots.append((piece.start, piece.end, "\n"))
        elif piece.kind == "newline" and before and after and after.kind in WORD_KINDS and _ends_command(shell, before):
            spots.append((piece.start, piece.end, ";"))
        elif piece.kind == "operator" and piece.text in ("|", "&&", "||") and after is not None:
            spots.append((piece.end, piece.end, "\n"))
    return placed(text, shell, [random.choice(spots)]) if spots else None


def _ends_command(shell: Shell, piece: Piece) -> bool:
    """Tell whether a part ends a word of a command that a semicolon may follow."""
    return any(word.end == piece.end and word.role in ("command", "argument", "target") for word in shell.words)


def braces(text: str, random: Random) -> str | None:
    """Put a simple command into braces: `{ id; }`."""
    shell = read(text)
    if shell is None:
        return None
    spots: list[tuple[int, int]] = []
    for word in _starts(shell, FREE | {"|", "&&", "||"}):
        end = _end_of_command(shell, word, len(text)) if word.role == "command" else None
        if end is not None:
            spots.append((word.start, end))
    if not spots:
        return None
    start, end = random.choice(spots)
    return placed(text, shell, [(start, start, "{ "), (end, end, "; }")])


def _end_of_command(shell: Shell, word: Word, length: int) -> int | None:
    """Find where a simple command without substitutions ends; None where that is not in the text."""
    end = word.end
    for piece in shell.pieces:
        if piece.start < word.start:
            continue
        if piece.kind in ("newline", "comment"):
            return end
        if piece.kind == "operator" and piece.text not in ("<", ">", ">>", "<&", ">&", "&>", "<<<"):
            return end if piece.text in (";", "&", "&&", "||", "|", ")") else None
        end = end if piece.kind == "space" else piece.end
    return end if shell.whole and end <= length else None


def substitution(text: str, random: Random) -> str | None:
    """Write a substitution with backquotes as `$( )`, or the other way round."""
    shell = read(text)
    if shell is None:
        return None
    operators = [piece for piece in shell.pieces if piece.kind == "operator" and piece.text in ("`", "$(", ")", "(")]
    spots: list[list[tuple[int, int, str]]] = []
    for first, second in pairwise(operators):
        inside = text[first.end : second.start]
        if any(char in inside for char in "\\\"'#`\n$") or not inside.strip() or (first.tick and first.text != "`"):
            continue
        if first.text == "`" == second.text and first.tick is False:
            spots.append([(first.start, first.end, "$("), (second.start, second.end, ")")])
        elif first.text == "$(" and second.text == ")" and not first.tick:
            spots.append([(first.start, first.end, "`"), (second.start, second.end, "`")])
    return placed(text, shell, random.choice(spots)) if spots else None


def field_separator(text: str, random: Random) -> str | None:
    """Write a space between words as the variable that holds one: `cat${IFS}/etc/passwd`."""
    shell = read(text)
    if shell is None or re.search(r"IFS\s*=|\bread\b|\bset\b", text):
        return None
    spots: list[tuple[int, int]] = []
    for left, right in pairwise(shell.words):
        apart = text[left.end : right.start]
        can = (
            left.role in ("command", "argument")
            and right.role == "argument"
            and left.depth == right.depth >= shell.floor
        )
        if can and apart and not apart.strip(" \t") and left.text not in DECLARES and _splits(left) and _splits(right):
            spots.append((left.end, right.start))
    if not spots:
        return None
    start, end = random.choice(spots)
    return placed(text, shell, [(start, end, random.choice(["${IFS}", "$IFS$9", "${IFS%??}"]))])


def _splits(word: Word) -> bool:
    """Tell whether a word stays what it is when it is joined to another by an expansion."""
    return (
        not any(p.kind == "bare" and any(char in p.text for char in "{}~=#!") for p in word.pieces) and word.text != "]"
    )
