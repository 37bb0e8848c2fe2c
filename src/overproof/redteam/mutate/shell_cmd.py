"""Edits of commands for cmd.exe, which reads carets, case and delimiters otherwise than a POSIX shell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from overproof.redteam.mutate.shell_scan import NOT_SHELL
from overproof.redteam.mutate.shell_words import word_of

FOR_CMD = re.compile(
    r"(?:^|[\s|])[a-z]:\\|%\w+%"
    r"|(?:^|[|&;])\s*(?:ipconfig|netsh|net (?:user|view|localgroup)|reg (?:add|query))(?=\s|$)",
    re.IGNORECASE,
)
MIXED = re.compile(r"[`$'()\n\0]")
TOKEN = re.compile(
    r'(?P<quoted>"[^"]*")|(?P<variable>%\w+%)|(?P<separator>&&|\|\||[&|])|(?P<plain>[^"%&|]+)|(?P<other>.)'
)
COMMAND = re.compile(r"[\s,;=]*([A-Za-z][\w.^]*)")
LETTER = re.compile(r"(?<![\^])[A-Za-z0-9](?=[A-Za-z0-9.])")


@dataclass(frozen=True)
class Command:
    """A command: where its name stands, and the separator in front of it."""

    start: int
    end: int
    before: str


def read(text: str) -> tuple[list[Command], list[tuple[int, int]]] | None:
    """Return the commands, and what stands outside quotes; None where the text is not one for cmd.exe alone."""
    if len(text) > 2_000 or MIXED.search(text) or NOT_SHELL.search(text) or not FOR_CMD.search(text.replace("^", "")):
        return None
    commands, plain, before = [], [], ""
    at_start = True
    for match in TOKEN.finditer(text):
        if match.lastgroup == "other":
            return None
        if match.lastgroup == "plain":
            plain.append(match.span())
            if at_start and (name := COMMAND.match(text, match.start(), match.end())):
                commands.append(Command(name.start(1), name.end(1), before))
        at_start = match.lastgroup == "separator"
        before = match[0] if at_start else before
    return commands, plain


def other_case(text: str, random: Random) -> str | None:
    """Write a command's name in another case."""
    found = read(text)
    if found is None or not found[0]:
        return None
    command = random.choice(found[0])
    name = "".join(random.choice([char.lower(), char.upper()]) for char in text[command.start : command.end])
    return text[: command.start] + name + text[command.end :]


def caret(text: str, random: Random) -> str | None:
    """Put a caret before a letter outside quotes: `d^ir`."""
    found = read(text)
    spots = [] if found is None else [m.start() for start, end in found[1] for m in LETTER.finditer(text, start, end)]
    if not spots:
        return None
    at = random.choice(spots)
    return f"{text[:at]}^{text[at:]}"


def delimiters(text: str, random: Random) -> str | None:
    """Put delimiters, which cmd.exe skips, in front of a command: `,;dir`."""
    found = read(text)
    if found is None or not found[0]:
        return None
    command = random.choice(found[0])
    return text[: command.start] + random.choice([",", ";", ", ", ",;", "; ", "=,"]) + text[command.start :]


def remark(text: str, random: Random) -> str | None:
    """Put a remark of ordinary words behind everything."""
    found = read(text)
    if found is None or not found[0] or re.search(r"\|\s*$|&&\s*$|\brem\b", text, re.IGNORECASE) or text.endswith("^"):
        return None
    join = " " if text.rstrip().endswith("&") else " & "
    return f"{text}{join}rem {word_of(random, text)} {word_of(random, text)}"


def inert_command(text: str, random: Random) -> str | None:
    """Put a command without effect in front of another: a variable that nothing reads, a branch never taken."""
    found = read(text)
    commands = [] if found is None else [c for c in found[0] if c.before in ("", "&", "&&")]
    if found is None or not commands:
        return None
    command = random.choice(commands)
    if command.before == "" and re.match(r"[\s,;=]*\S+?[&|]", text):
        return None
    words = f"{word_of(random, text)} {word_of(random, text)}"
    new = random.choice([f"set {word_of(random, text)}={words}", f"if 1==2 ({words})"])
    return f"{text[: command.start]}{new} {command.before or '&'} {text[command.start :]}"
