"""Edit file paths: climbing, absolute, Windows and percent-encoded ones, as traversal and file inclusion use them.

A path may take a detour by directories that surely exist, as the kernel of a Unix system asks for; on Windows, which
shortens a path before it looks at the disk, by any. What a server decodes once may be percent-encoded once more.
"""

from __future__ import annotations

from random import Random
from urllib.parse import unquote

from overproof.redteam.base import Mutators
from overproof.redteam.mutate.path_parts import (
    DIRECTORIES,
    ESCAPE,
    LINKS,
    PathParts,
    path_parts,
    unescaped_dots,
)
from overproof.redteam.mutate.words import WORDS


def double_separator(text: str, random: Random) -> str | None:
    """`a/b` -> `a//b`: several separators are one."""
    path = path_parts(text)
    places = [] if path is None else [i for i in range(1, len(path.parts), 2) if path.parts[i - 1]]
    if path is None or not places:
        return None
    index = random.choice(places)
    return path.with_inserted(index, path.parts[index])


def dot_segments(text: str, random: Random) -> str | None:
    """`a/b` -> `a/././b`: a dot is the directory itself."""
    path = path_parts(text)
    if path is None:
        return None
    index = random.randrange(2, len(path.parts), 2)
    return path.with_inserted(index, f".{path.parts[index - 1]}" * random.randint(1, 4))


def climb_higher(text: str, random: Random) -> str | None:
    """`/../etc` -> `/../../etc`: the root's parent is the root."""
    path = path_parts(text)
    places = [] if path is None else [place.index for place in path.places() if place.directory == ""]
    if path is None or not places:
        return None
    climbing = [i for i in places if unescaped_dots(path.parts[i - 2]) == ".."]
    if not climbing:
        return None
    index = random.choice(climbing)
    return path.with_inserted(index, (path.parts[index - 2] + path.parts[index - 1]) * random.randint(1, 3))


def detour(text: str, random: Random) -> str | None:
    """`/etc/passwd` -> `/usr/share/../../etc/passwd`: there and back, by directories that every Linux system has."""
    path = path_parts(text)
    places = [] if path is None else [place for place in path.places() if place.directory in DIRECTORIES]
    if path is None or not places:
        return None
    place = random.choice(places)
    there: list[str] = []
    at = place.directory or ""
    while at in DIRECTORIES and len(there) < random.randint(1, 3):
        there.append(random.choice([name for name in DIRECTORIES[at].split() if name not in LINKS]))
        at = f"{at}/{there[-1]}".lstrip("/")
    return path.with_inserted(place.index, _there_and_back(path, place.index, there)) if there else None


def detour_by_itself(text: str, random: Random) -> str | None:
    """`/opt/site/x` -> `/opt/site/../site/x`: by a directory that the path walks through anyway."""
    path = path_parts(text)
    if path is None:
        return None
    places = [
        index
        for index in range(2, len(path.parts) - 1, 2)
        if path.parts[index]
        and unescaped_dots(path.parts[index]).strip(".")
        and unquote(path.parts[index]) not in LINKS
    ]
    if not places:
        return None
    index = random.choice(places)
    return path.with_inserted(index, _there_and_back(path, index, [path.parts[index]]))


def detour_by_words(text: str, random: Random) -> str | None:
    r"""`..\boot.ini` -> `..\garden\summer\..\..\boot.ini`: Windows shortens a path before it looks for it."""
    path = path_parts(text)
    if path is None or not path.is_windows:
        return None
    index = random.randrange(2, len(path.parts), 2)
    return path.with_inserted(index, _there_and_back(path, index, random.choices(WORDS, k=random.randint(1, 3))))


def _there_and_back(path: PathParts, index: int, names: list[str]) -> str:
    separator = path.parts[index - 1]
    dots = next((part for part in path.parts[::2] if unescaped_dots(part) == ".."), "..")
    return "".join(f"{name}{separator}" for name in (*names, *[dots] * len(names)))


def encode_character(text: str, random: Random) -> str | None:
    """`etc` -> `%65tc`: a server decodes once."""
    path = path_parts(text)
    found = None if path is None else _name(path, random)
    if path is None or found is None:
        return None
    pieces, places = _characters(path.parts[found])
    place = random.choice(places)
    pieces[place] = f"%{ord(pieces[place]):02{random.choice('xX')}}"
    return path.with_part(found, "".join(pieces))


def encode_name(text: str, random: Random) -> str | None:
    """`etc` -> `%65%74%63`."""
    path = path_parts(text)
    found = None if path is None else _name(path, random)
    if path is None or found is None:
        return None
    pieces, places = _characters(path.parts[found])
    for place in places:
        pieces[place] = f"%{ord(pieces[place]):02x}"
    return path.with_part(found, "".join(pieces))


def _name(path: PathParts, random: Random) -> int | None:
    """Draw a segment that holds characters to encode; a placeholder such as `{FILE}` stands for a name and stays."""
    if path.is_bare:  # an escape beside a letter would read as a separator: `%72f`
        return None
    places = [i for i in range(0, len(path.parts), 2) if "{" not in path.parts[i] and _characters(path.parts[i])[1]]
    return random.choice(places) if places else None


def _characters(segment: str) -> tuple[list[str], list[int]]:
    """Split a segment into escapes and characters, and say which of them can be encoded."""
    pieces: list[str] = []
    start = 0
    for escape in ESCAPE.finditer(segment):
        pieces += [*segment[start : escape.start()], escape[0]]
        start = escape.end()
    pieces += segment[start:]
    plain = [
        i
        for i, piece in enumerate(pieces)
        if len(piece) == 1 and piece.isascii() and (piece.isalnum() or piece in "._-")
    ]
    return pieces, plain


def hex_case(text: str, random: Random) -> str | None:
    """`%2f` -> `%2F`; `0x2e` only where it surely is read as a dot."""
    path = path_parts(text)
    dots = [] if path is None else [part for part in path.parts[::2] if unescaped_dots(part) == ".."]
    places = [
        found
        for found in ESCAPE.finditer(text)
        if found[0][-2:].swapcase() != found[0][-2:] and (found[0][0] == "%" or found[0] in "".join(dots))
    ]
    if not places:
        return None
    found = random.choice(places)
    return f"{text[: found.end() - 2]}{found[0][-2:].swapcase()}{text[found.end() :]}"


def windows_case(text: str, random: Random) -> str | None:
    r"""`boot.ini` -> `Boot.INI`: names of Windows are the same in any case."""
    path = path_parts(text)
    if path is None or not path.is_windows:
        return None
    places = []
    for index in range(0, len(path.parts), 2):
        pieces, plain = _characters(path.parts[index])
        letters = [place for place in plain if pieces[place].isalpha()]
        if letters and "{" not in path.parts[index]:
            places.append((index, pieces, letters))
    if not places:
        return None
    index, pieces, letters = random.choice(places)
    for place in random.sample(letters, random.randint(1, len(letters))):
        pieces[place] = pieces[place].swapcase()
    return path.with_part(index, "".join(pieces))


def other_slash(text: str, random: Random) -> str | None:
    r"""`a\b` -> `a/b` on Windows, and back: both part names."""
    path = path_parts(text)
    places = (
        []
        if path is None
        else [i for i in range(1, len(path.parts), 2) if path.parts[i] in "/\\" and path.parts[i - 1]]
    )
    if path is None or not path.is_windows or not places:
        return None
    index = random.choice(places)
    return path.with_part(index, "/" if path.parts[index] == "\\" else "\\")


def words_behind_null(text: str, random: Random) -> str | None:
    """`passwd%00` -> `passwd%00summer-garden.html`: a file's name ends at the null byte."""
    path = path_parts(text)
    if path is None or not path.tail:
        return None
    marker = 1 if path.tail[0] == "\0" else path.tail.find("00") + 2
    if path.tail[0] in "?#":
        return None
    words = "-".join(random.choices(WORDS, k=random.randint(1, 3)))
    ending = "-" if path.tail[marker:] else random.choice(("", ".html", ".png", ".jpg"))
    return "".join((*path.parts, path.tail[:marker], words, ending, path.tail[marker:]))


def words_as_parameter(text: str, random: Random) -> str | None:
    """`..;/` -> `..;garden=summer/`: servlet containers drop a path's parameters; only where the text has such."""
    path = path_parts(text)
    places = [] if path is None else [i for i in range(0, len(path.parts) - 1, 2) if path.parts[i].startswith("..;")]
    if path is None or not places:
        return None
    index = random.choice(places)
    return path.with_part(index, f"{path.parts[index]}{random.choice(WORDS)}={random.choice(WORDS)}")


MUTATORS: Mutators = {
    "separator doubled": double_separator,
    "dot segments": dot_segments,
    "climb higher than the root": climb_higher,
    "detour by directories of every Linux system": detour,
    "detour by a directory of the path": detour_by_itself,
    "detour by ordinary words on Windows": detour_by_words,
    "percent-encode a character": encode_character,
    "percent-encode a name": encode_name,
    "hex digits in another case": hex_case,
    "letters of a Windows path in another case": windows_case,
    "slash for a backslash on Windows": other_slash,
    "ordinary words behind the null byte": words_behind_null,
    "ordinary words as a path parameter": words_as_parameter,
}
