"""Edit words so that a shell reads the same: quotes, escapes, empty expansions, longer paths."""

from __future__ import annotations

import re
from random import Random

from overproof.redteam.mutate.shell_scan import Piece, Shell, Word, read
from overproof.redteam.mutate.words import WORDS

EDITABLE = ("command", "argument", "target")
LETTER = re.compile(r"[A-Za-z0-9]")
INSIDE = re.compile(r"(?<=[A-Za-z0-9_./-])(?=[A-Za-z0-9_./-])")
RUN = re.compile(r"[A-Za-z0-9]+")
UNSAFE_BARE = re.compile(r"[\[\]{}~!]")
SETS_PARAMETERS = re.compile(r"\b(?:set|shift|source|nounset)\b|(?:^|[\s;&|])\. ")
PATH = re.compile(r"/[\w.-]+(?:/[\w.-]+)*/?")
BASH_ONLY = re.compile(r"\[\[|<<<|\$'|\bbash\b|\bshopt\b|<\(")
# Commands for which an argument that looks like a path is one; their options take no paths apart.
READ_FILES = frozenset(
    "cat ls head tail less more cp mv rm mkdir touch chmod chown find stat wc tac nl od strings".split()
)


def word_of(random: Random, text: str) -> str:
    """Draw an ordinary word that the text does not hold."""
    return next((word for _ in range(20) if (word := random.choice(WORDS)) not in text), "gardenpath")


def placed(text: str, shell: Shell, edits: list[tuple[int, int, str]]) -> str | None:
    """Put new text in the place of old; None where it would mean something to what stands around."""
    if any(char in shell.forbidden for _, _, new in edits for char in new):
        return None
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def words_of(shell: Shell, roles: tuple[str, ...] = EDITABLE) -> list[Word]:
    """Return the words that may be edited."""
    return [word for word in shell.words if word.role in roles and word.depth >= shell.floor]


def parts(shell: Shell, kinds: tuple[str, ...], roles: tuple[str, ...] = EDITABLE) -> list[Piece]:
    """Return the parts of words that may be edited: no patterns, braces or home folders among the unquoted."""
    return [
        piece
        for word in words_of(shell, roles)
        for piece in word.pieces
        if piece.kind in kinds and not (piece.kind == "bare" and UNSAFE_BARE.search(piece.text))
    ]


def spot(random: Random, pieces: list[Piece]) -> tuple[Piece, int] | None:
    """Draw a place between two letters of a part."""
    spots = [(piece, match.start()) for piece in pieces for match in INSIDE.finditer(piece.text)]
    if not spots:
        return None
    piece, index = random.choice(spots)
    return piece, piece.start + index


def empty_quotes(text: str, random: Random) -> str | None:
    """Put empty quotes into a word: `c''at`; a quoted text is cut in two: `'ab''cd'`."""
    shell = read(text)
    if shell is None or (found := spot(random, parts(shell, ("bare", "single", "double")))) is None:
        return None
    piece, at = found
    quotes = {"single": "''", "double": '""'}.get(piece.kind) or random.choice(["''", '""'])
    if piece.tick and quotes == '""':
        return None
    return placed(text, shell, [(at, at, quotes)])


def quoted_part(text: str, random: Random) -> str | None:
    """Quote a part of a word: `c"a"t`, or all of it."""
    shell = read(text)
    runs = [] if shell is None else [(p, m) for p in parts(shell, ("bare",)) for m in RUN.finditer(p.text)]
    if shell is None or not runs:
        return None
    piece, match = random.choice(runs)
    first = random.randint(match.start(), match.end() - 1)
    last = random.randint(first + 1, match.end())
    if random.random() < 0.3:
        first, last = match.span()
    quote = "'" if piece.tick else random.choice("'\"")
    return placed(
        text,
        shell,
        [(piece.start + first, piece.start + first, quote), (piece.start + last, piece.start + last, quote)],
    )


def escaped_letter(text: str, random: Random) -> str | None:
    """Put a backslash before a letter outside quotes: `c\\at`."""
    shell = read(text)
    if shell is None:
        return None
    spots = [p.start + m.start() for p in parts(shell, ("bare",)) if not p.tick for m in LETTER.finditer(p.text)]
    if not spots:
        return None
    at = random.choice(spots)
    return placed(text, shell, [(at, at, "\\")])


def unset_variable(text: str, random: Random) -> str | None:
    """Put a variable that is not set into a word: `ca${garden}t`, `ca${garden:+shoes}t`."""
    shell = read(text)
    if shell is None or SETS_PARAMETERS.search(text):
        return None
    found = spot(random, parts(shell, ("bare", "double")))
    if found is None:
        return None
    name, word = word_of(random, text), word_of(random, text)
    new = random.choice([f"${{{name}}}", f"${{{name}:+{word}}}", f"${{{name}#{word}}}", f"${{{name}%{word}}}"])
    return placed(text, shell, [(found[1], found[1], new)])


def no_parameters(text: str, random: Random) -> str | None:
    """Put the parameters, of which there are none, into a word: `ca$@t`."""
    shell = read(text)
    if shell is None or SETS_PARAMETERS.search(text):
        return None
    found = spot(random, parts(shell, ("bare",), ("command", "argument")))
    if found is None:
        return None
    return placed(text, shell, [(found[1], found[1], random.choice(["$@", "$*", "${@}", "${*}"]))])


def cut_line(text: str, random: Random) -> str | None:
    """Go on in the next line amid a word, behind a backslash."""
    shell = read(text)
    if shell is None:
        return None
    found = spot(random, [p for p in parts(shell, ("bare", "double")) if not p.tick])
    if found is None or text.find("\\\n", found[0].start - 2, found[0].end + 2) >= 0:
        return None
    return placed(text, shell, [(found[1], found[1], "\\\n")])


def other_quotes(text: str, random: Random) -> str | None:
    """Write a quoted text in quotes of the other kind."""
    shell = read(text)
    if shell is None:
        return None
    spots: list[tuple[int, int, str]] = []
    for word in words_of(shell):
        for before, piece, after in zip(word.pieces, word.pieces[1:], word.pieces[2:], strict=False):
            if piece.tick or {before.text, after.text} not in ({"'"}, {'"'}) or piece.kind not in ("single", "double"):
                continue
            other = '"' if piece.kind == "single" else "'"
            if not any(char in piece.text for char in "'\"$`\\!"):
                spots.append((before.start, after.end, other + piece.text + other))
    return placed(text, shell, [random.choice(spots)]) if spots else None


def braced_name(text: str, random: Random) -> str | None:
    """Put braces around a variable's name: `${HOME}` for `$HOME`."""
    shell = read(text)
    if shell is None:
        return None
    found = [p for p in parts(shell, ("frozen",)) if re.fullmatch(r"\$[A-Za-z_]\w*", p.text)]
    if not found:
        return None
    piece = random.choice(found)
    return placed(text, shell, [(piece.start, piece.end, f"${{{piece.text[1:]}}}")])


def longer_path(text: str, random: Random) -> str | None:
    """Write a path with `//` or `/./`: that of a command, or of a file that it reads."""
    shell = read(text)
    if shell is None:
        return None
    command, spots = "", []
    for word in shell.words:
        command = word.text.rpartition("/")[2] if word.role == "command" else command
        is_path = word.plain and word.depth >= shell.floor and PATH.fullmatch(word.text)
        if is_path and (word.role == "command" or (word.role == "argument" and command in READ_FILES)):
            spots += [word.start + index for index, char in enumerate(word.text) if char == "/"]
    if not spots:
        return None
    at = random.choice(spots)
    return placed(text, shell, [(at, at + 1, random.choice(["//", "/./", "/././", "///"]))])


def letter_by_code(text: str, random: Random) -> str | None:
    """Write a letter by its code, `$'\\x63'`, where the text is bash's anyhow: other shells do not know it."""
    shell = read(text)
    if shell is None or not BASH_ONLY.search(text):
        return None
    spots = [
        (p.start + m.start(), m[0]) for p in parts(shell, ("bare",)) if not p.tick for m in LETTER.finditer(p.text)
    ]
    if not spots:
        return None
    at, char = random.choice(spots)
    return placed(text, shell, [(at, at + 1, random.choice([f"$'\\x{ord(char):02x}'", f"$'\\{ord(char):03o}'"]))])
