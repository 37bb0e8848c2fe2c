"""Read PowerShell text for the edits: which words are commands, parameters and variables, and what is quoted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

LONGEST = 4_000
TOKEN = re.compile(
    r"""
    (?P<frozen> <\#.*?\#> | \#[^\n]* | @'\n.*?\n'@ | @"\n.*?\n"@ | `. | \$\( | @[({] | \$\{[^}]*\} )
    | (?P<string> '(?:[^']|'')*' | "(?:[^"`$]|`.|\$(?!\()|"")*" )
    | (?P<variable> \$(?:\w+:)?\w+ )
    | (?P<newline> \r?\n )
    | (?P<space> [ \t]+ )
    | (?P<type> \[[A-Za-z][\w.]*\] )
    | (?P<parameter> -[A-Za-z]\w* )
    | (?P<word> [^\s;|&(){}\[\],=+'"`$\#<>@](?:[^\s;|&(){}\[\],=+'"`$\#<>@]|`[A-Za-z])* )
    | (?P<operator> . )
    """,
    re.VERBOSE | re.DOTALL,
)
COMMAND = re.compile(r"[A-Za-z][\w`-]*(?:\.exe)?")
ASSIGNED = re.compile(r"\s*=")
KEYWORDS = frozenset(
    """
    if else elseif foreach for while do until switch function filter param begin process end try catch finally throw
    return break continue in trap exit class using data
    """.split()
)
HOST = re.compile(r'(?:[A-Za-z]:[\w\\. ]*\\|"[^"]*\\)?(?:powershell|pwsh)(?:\.exe)?"?(?=\s)', re.IGNORECASE)
PROMPT = re.compile(r"PS [A-Z]:\\[^>\n]*> ?")


@dataclass(frozen=True)
class Token:
    """A token: what it is, what stands there and where, and the command to which it belongs."""

    kind: str
    text: str
    start: int
    of: str = ""

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + len(self.text)


@dataclass(frozen=True)
class Script:
    """A text read as PowerShell; `host` is true for a call of powershell.exe, which another shell may read first."""

    tokens: tuple[Token, ...]
    host: bool
    first: int


@lru_cache(maxsize=2_048)
def read(text: str) -> Script | None:
    """Read a text; None where it is too long, or open at the end."""
    if len(text) > LONGEST or "\0" in text or not text.strip():
        return None
    prompt = PROMPT.match(text)
    first = prompt.end() if prompt else 0
    tokens, waits, of = [], True, ""
    for match in TOKEN.finditer(text, first):
        kind, part = str(match.lastgroup), match[0]
        if kind == "operator" and part in "'\"":
            return None
        if kind == "word" and waits:
            kind = _first_word(text, match)
            of = part.lower().replace("`", "") if kind == "command" else ""
        tokens.append(Token(kind, part, match.start(), of))
        if kind in ("space", "frozen") and not part.startswith(("$(", "@")):
            continue
        opens = part in ("$(", "@(", "@{", "(", "{", ";", "|", "&") or kind == "newline" or (part == "=" and not of)
        waits = opens
        of = "" if opens or part in (")", "}") else of
    return Script(tuple(tokens), HOST.match(text, first) is not None, first)


def _first_word(text: str, match: re.Match[str]) -> str:
    """Tell what the word is with which a command may begin."""
    word, behind = match[0], text[match.end() : match.end() + 1]
    if word.lower() in KEYWORDS:
        return "keyword"
    names_key = ASSIGNED.match(text, match.end()) is not None
    return "command" if COMMAND.fullmatch(word) and not names_key and behind in ("", *" \t\n;|()}") else "word"
