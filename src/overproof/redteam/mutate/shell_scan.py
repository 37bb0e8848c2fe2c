"""Read shell text for the edits: which characters are quoted, where words and commands begin, what stays."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

LONGEST = 4_000
OPERATORS = re.compile(r"&&|\|\||;;&|;;|;&|\|&|&>>|&>|<<<|<<|>>|<&|>&|<>|>\||[;|&()<>]")
EXPANSION = re.compile(r"\$\(\(|\$\{[^{}]*\}|\$[A-Za-z_]\w*|\$[@*#?$!0-9-]")
BARE = re.compile(r"[^ \t\n'\"\\$`;|&()<>]+")
DOUBLE = re.compile(r"[^\"\\$`]+")
PARENTHESES = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.|[()]", re.DOTALL)
KEYWORDS = frozenset(
    "if then else elif fi for select while until do done case esac in function time coproc { } ! [[ ]]".split()
)
OPENING = frozenset("if then else elif while until do { ! fi done }".split())
BLOCKS = frozenset("if while until for select {".split())
SPECIAL_ENDS = {"for": "in", "select": "in", "[[": "]]"}
DECLARES = frozenset("export declare local readonly typeset alias eval let".split())
REDIRECTS = frozenset("< > >> <& >& &> &>> <> >| <<<".split())
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^]]*\])?\+?=")

# What follows its own text (traps, line numbers) is not edited either.
NOT_SHELL = re.compile(
    r"\btrap\b|\bBASH_COMMAND\b|\bLINENO\b|"
    r"\{\{|\}\}|<\?|<%|<!--|&lt;|<script|\$\{[@\w]*\(|\(\(|__\w+__",
    re.IGNORECASE,
)
WINDOWS = re.compile(
    r"%\w+%|%5c|\b[a-z]:(?:[\\/%]|\s|$)|\.exe\b|\bHKLM\b|\b(?:ipconfig|netsh|tasklist|systeminfo|sysinfo|wmic|powershell)\b"
    r"|\bnet (?:user|view|localgroup)|\breg (?:add|query)|\bcmd(?:\.exe)? /",
    re.IGNORECASE,
)
CALL = re.compile(r"[\s;|&]*(?:system|exec|passthru|shell_exec|popen)\(\s*(['\"])(.*)\1\s*\)[\s;]*", re.DOTALL)
OTHER_CALL = re.compile(r"[A-Za-z_]\w*\([^)\s]")
PROMPT = re.compile(r"[\w.-]+@[\w.-]+:[^\s$#]*[$#] ")
SHELLSHOCK = re.compile(r"\(\)\s*\{[^{}]*\}\s*;\s*")
BREAKOUT = re.compile(r"[^'\"\s;|&$`]*['\"](?=\s*[;|&\n])")
STARTS_OPEN = re.compile(r"\s*[\w./:-]*['\")]*\s*(?:[;|&)`]|\$\()|\n")


@dataclass(frozen=True)
class Piece:
    """A part of the text.

    Attributes
    ----------
    kind
        `bare`, `single` and `double` (the characters inside such quotes), `frozen` (expansions, escapes, the quotes
        themselves), `space`, `newline`, `operator`, `comment`.
    text
        What stands there.
    start
        Where it begins.
    tick
        It stands inside backquotes, where backslashes and double quotes read otherwise.
    """

    kind: str
    text: str
    start: int
    tick: bool = False

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + len(self.text)


@dataclass(frozen=True)
class Word:
    """A word.

    Attributes
    ----------
    pieces
        What it consists of.
    role
        `command`, `argument`, `assignment`, `target` (of a redirection), `keyword`, or `fixed` (not to be edited).
    before
        The operator or keyword after which it begins a command; "start" at the front, "" where it begins none.
    depth
        In how many substitutions and parentheses it stands.
    """

    pieces: tuple[Piece, ...]
    role: str
    before: str
    depth: int

    @property
    def text(self) -> str:
        """What stands there."""
        return "".join(piece.text for piece in self.pieces)

    @property
    def start(self) -> int:
        """Where it begins."""
        return self.pieces[0].start

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.pieces[-1].end

    @property
    def plain(self) -> bool:
        """Tell whether it is nothing but unquoted characters."""
        return len(self.pieces) == 1 and self.pieces[0].kind == "bare"


@dataclass(frozen=True)
class Shell:
    """A text read as shell.

    Attributes
    ----------
    pieces, words
        What was read, up to what could not be.
    whole
        All was read, and nothing is left open at the end of the text.
    fragment
        It is a value that breaks out of a command, not a command line of its own.
    floor
        How deep a word must stand to be edited: a value that only substitutes may stand between quotes.
    forbidden
        Characters that an edit must not bring in, for they mean something to what stands around.
    """

    pieces: tuple[Piece, ...]
    words: tuple[Word, ...]
    whole: bool
    fragment: bool
    floor: int
    forbidden: str = ""


@lru_cache(maxsize=2_048)
def read(text: str) -> Shell | None:
    """Read a text; None where it is no shell's, or too long to be edited quickly."""
    if len(text) > LONGEST or "\0" in text or NOT_SHELL.search(text) or WINDOWS.search(text.replace("^", "")):
        return None
    if called := CALL.fullmatch(text):
        inner, quote = called[2], called[1]
        if quote in inner or "\\" in inner or (quote == '"' and "$" in inner):
            return None
        return _read(text, called.span(2), forbidden=quote + ("\\$" if quote == '"' else "\\"))
    if shown := PROMPT.match(text):
        return _read(text, (shown.end(), len(text)))
    if shock := SHELLSHOCK.match(text):
        return _read(text, (shock.end(), len(text)))
    if OTHER_CALL.search(text):
        return None
    if breakout := BREAKOUT.match(text):
        quote = text[breakout.end() - 1]
        reopened = text.count(quote) % 2 == 0 and text.endswith(quote)
        return _read(text, (breakout.end(), len(text) - reopened), fragment=True)
    return _read(text, (0, len(text)), fragment=STARTS_OPEN.match(text) is not None)


def _read(text: str, span: tuple[int, int], *, fragment: bool = False, forbidden: str = "") -> Shell:
    """Read a part of a text."""
    pieces, stop = _pieces(text, *span)
    words, open_at_the_end = _words(pieces, fragment=fragment)
    whole = stop == len(text) and not open_at_the_end
    floor = int(fragment and not _breaks_out(pieces))
    return Shell(tuple(pieces), tuple(words), whole, fragment, floor, forbidden)


def _breaks_out(pieces: list[Piece]) -> bool:
    """Tell whether a separator stands outside all substitutions."""
    depth, tick = 0, False
    for piece in pieces:
        if piece.text in ("$(", "(") and piece.kind == "operator":
            depth += 1
        elif piece.text == "`":
            tick = not tick
        elif piece.kind in ("operator", "newline") and depth == 0 and not tick:
            return True
        elif piece.text == ")" and piece.kind == "operator":
            depth -= 1
    return False


def _pieces(text: str, at: int, end: int) -> tuple[list[Piece], int]:
    """Cut a text into pieces, and say how far it could be read."""
    pieces: list[Piece] = []
    tick = -1
    while at < end:
        found = _next(text, at, end, not pieces or pieces[-1].kind in ("space", "newline", "operator"))
        if found is None:
            break
        pieces += found if tick < 0 else [Piece(p.kind, p.text, p.start, tick=True) for p in found]
        if text[at] == "`":
            tick = at if tick < 0 else -1
        at = pieces[-1].end
    if tick >= 0:
        return [piece for piece in pieces if piece.start < tick], tick
    return pieces, at


def _next(text: str, at: int, end: int, begins: bool) -> list[Piece] | None:
    """Read what begins here; None where it cannot be read."""
    char = text[at]
    if char == "#" and begins:
        line = text.find("\n", at, end)
        return [Piece("comment", text[at : end if line < 0 else line], at)]
    if match := BARE.match(text, at, end):
        return [Piece("bare", match[0], at)]
    if char == "'":
        close = text.find("'", at + 1, end)
        inside = [Piece("single", text[at + 1 : close], at + 1)] if close > at + 1 else []
        return None if close < 0 else [Piece("frozen", char, at), *inside, Piece("frozen", char, close)]
    if char == '"':
        return _double(text, at, end)
    if char == "\\":
        return [Piece("frozen", text[at : at + 2], at)] if at + 2 <= end else None
    if char in " \t\n":
        return [Piece("newline" if char == "\n" else "space", char, at)]
    if (char == "$" and not text.startswith("$(", at)) or text.startswith("$((", at):
        match = EXPANSION.match(text, at, end)
        return [Piece("frozen", match[0], at)] if match and match[0] != "$((" else None
    if char in "`$":
        return [Piece("operator", "`" if char == "`" else "$(", at)]
    match = OPERATORS.match(text, at, end)
    return None if match is None or match[0] == "<<" else [Piece("operator", match[0], at)]


def _double(text: str, at: int, end: int) -> list[Piece] | None:
    """Read what stands in double quotes; None where they are not closed."""
    pieces = [Piece("frozen", '"', at)]
    at += 1
    while at < end:
        char = text[at]
        match = DOUBLE.match(text, at, end) or EXPANSION.match(text, at, end)
        if char == '"':
            return [*pieces, Piece("frozen", char, at)]
        if char == "`":
            stop = text.find("`", at + 1, end) + 1
        elif text.startswith("$(", at):
            stop = _closed(text, at + 1, end)
        else:
            stop = match.end() if match else at + (2 if char == "\\" else 1)
        if stop <= at or stop > end:
            return None
        pieces.append(Piece("frozen" if char in "$`\\" else "double", text[at:stop], at))
        at = stop
    return None


def _closed(text: str, at: int, end: int) -> int:
    """Find behind which character the parenthesis that opens here is closed; 0 where it is not."""
    depth = 0
    for match in PARENTHESES.finditer(text, at, end):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return 0


def _words(pieces: list[Piece], *, fragment: bool) -> tuple[list[Word], bool]:
    """Join pieces to words and tell their roles; and whether something is open at the end."""
    reader = _Reader("" if fragment else "start")
    current: list[Piece] = []
    for index, piece in enumerate([*pieces, Piece("newline", "\n", -1)]):
        if piece.kind in ("bare", "single", "double", "frozen") and piece.text != "\\\n":
            current.append(piece)
            continue
        follows = "".join(p.text for p in pieces[index : index + 2])
        if current and piece.text != "\\\n":
            reader.word(tuple(current), follows)
            current = []
        if reader.stopped or piece.start < 0:
            break
        if piece.kind in ("operator", "newline"):
            reader.operator(piece.text)
        elif piece.text == "\\\n":
            reader.stopped = True
    last = [p.text for p in pieces if p.kind not in ("space", "comment", "newline")][-1:]
    hangs = not last or last[0] in ("|", "&&", "||", "|&", "(", "$(", *REDIRECTS)
    return reader.words, reader.stopped or hangs or bool(reader.stack) or reader.blocks > 0


class _Reader:
    """Follows the grammar from word to word, as far as the edits need it."""

    def __init__(self, before: str) -> None:
        self.words: list[Word] = []
        self.outside = before == ""
        self.before = before
        self.stack: list[str] = []
        self.redirect = ""
        self.special = ""
        self.blocks = 0
        self.stopped = False

    def word(self, pieces: tuple[Piece, ...], follows: str) -> None:
        """Take one more word."""
        text = "".join(piece.text for piece in pieces)
        bare = len(pieces) == 1 and pieces[0].kind == "bare"
        role, before, after = "argument", self.before, ""
        if self.outside:
            role = "fixed"
        elif self.redirect:
            role, before, after = ("fixed" if "&" in self.redirect else "target"), "", self.before
            self.redirect = ""
        elif follows[:1] in ("<", ">") and bare and text.isdigit():
            role, before, after = "fixed", "", self.before
        elif follows.startswith("("):
            self.stopped, role = True, "fixed"
        elif self.special:
            role, before = "fixed", ""
            if text == SPECIAL_ENDS.get(self.special):
                self.special = ""
        elif before and bare and text in KEYWORDS:
            role, after = "keyword", text if text in OPENING else ""
            self.blocks += (text in BLOCKS) - (text in ("fi", "done", "}"))
            self.special = text if text in SPECIAL_ENDS else ""
            self.stopped = text in ("case", "coproc", "time", "function")
        elif before and ASSIGNMENT.match(text):
            role, after = "assignment", "assignment"
        elif before:
            role = "command"
            self.special = "declares" if text in DECLARES else ""
        self.words.append(Word(pieces, role, before, len(self.stack)))
        self.before = after

    def operator(self, text: str) -> None:
        """Take an operator or the end of a line."""
        self.outside = False
        if text in REDIRECTS:
            self.redirect = text
            return
        self.redirect = ""
        closes = text == ")" or (text == "`" and "`" in self.stack)
        if closes:
            if self.stack:
                self.special, self.before = "", ")" if self.stack.pop() == "(" else ""
            return
        if text in ("(", "$(", "`"):
            self.stack.append(text)
        self.special = ""
        if text != "\n" or self.before in ("", "assignment"):
            self.before = text
