"""Split a path of an attack into its segments, whatever spelling its separators have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

_P = "%(?:25)*"  # a percent sign, or one that was itself encoded, any number of times
_SEPARATOR = re.compile(
    rf"([/\\]|{_P}(?:2f|5c)|{_P}c0{_P}(?:af|2f)|{_P}c1{_P}9c|%u(?:2215|2216|ff0f)|%%32%66|%%35%63|0x(?:2f|5c))", re.I
)
_BARE_SEPARATOR = re.compile("(2f|5c)", re.I)  # `..2f..2f`: the percent signs were taken out on the way
_BARE = re.compile(r"\.\.(?:2f|5c)", re.I)
_DOT = re.compile(rf"{_P}2e|{_P}c0{_P}(?:ae|2e)|%uff0e|%%32%65|0x2e", re.I)
_BACKSLASH = re.compile(rf"\\|{_P}5c|{_P}c1{_P}9c|%u2216|%%35%63|0x5c", re.I)
_TAIL = re.compile(rf"(?:{_P}00|\x00|0x00|[?#]).*", re.I | re.S)
_FILTERED = re.compile(r"\.{3,8}")  # `....//` and `.../` are meant for filters and readers that count their dots
_WINDOWS = re.compile(r"[a-z]:|boot\.ini|(?:win|system)\.ini|windows|winnt|inetpub", re.I)
ESCAPE = re.compile(rf"%u[0-9a-f]{{4}}|{_P}[0-9a-f]{{2}}|0x[0-9a-f]{{2}}", re.I)

UNKNOWN = "?"
BASE_DEPTH = 6
"""How many directories up the root surely is: a path that climbs less may start anywhere."""

DIRECTORIES: Mapping[str, str] = {
    "": "etc home media mnt opt srv tmp usr var",
    "etc": "default opt",
    "usr": "bin include lib local sbin share",
    "usr/local": "bin etc games include lib sbin share src",
    "usr/share": "doc info man misc",
    "var": "cache lib log opt spool tmp local",
}
"""Directories that stand on every Linux system (Filesystem Hierarchy Standard) and are links on none."""

LINKS = frozenset({"bin", "lib", "lib64", "sbin", "run", "lock", "mail", "self", "fd", "current"})
"""Names that are links on many systems, so that `..` leads out of them to somewhere else."""


@dataclass(frozen=True)
class Place:
    """A place behind a separator: its index among the parts, and the directory that the path has reached there."""

    index: int
    directory: str | None


@dataclass(frozen=True)
class PathParts:
    """Segments and separators in turn, beginning and ending with a segment, and what follows the path."""

    parts: tuple[str, ...]
    tail: str
    is_windows: bool
    is_bare: bool

    @property
    def text(self) -> str:
        """The whole text again."""
        return "".join(self.parts) + self.tail

    def with_inserted(self, index: int, inserted: str) -> str:
        """Write the text with something before a part."""
        return "".join((*self.parts[:index], inserted, *self.parts[index:], self.tail))

    def with_part(self, index: int, part: str) -> str:
        """Write the text with another part in the place of one."""
        return "".join((*self.parts[:index], part, *self.parts[index + 1 :], self.tail))

    @property
    def _is_climbing(self) -> bool:
        level = 0
        for part in self.parts[::2]:
            name = unescaped_dots(part)
            level += -1 if name == ".." else name not in {"", "."}
            if level < 0:
                return True
        return False

    def places(self) -> Iterator[Place]:
        """Walk the path; a directory is None until the walk has surely been at the root.

        A path that starts with a separator and climbs above its start may be appended to some directory, so that its
        start is not known to be the root.
        """
        stack = [] if not self.parts[0] and not self._is_climbing else [UNKNOWN] * BASE_DEPTH
        for index in range(0, len(self.parts) - 1, 2):
            name = unescaped_dots(self.parts[index])
            if name == "..":
                del stack[-1:]
            elif name not in {"", "."}:
                stack.append(name)
            yield Place(index + 2, None if UNKNOWN in stack else "/".join(stack))


@lru_cache(maxsize=256)  # a search tries many edits upon one text
def path_parts(text: str) -> PathParts | None:
    """Read a path; None where the text is no path, is an address, or is written for a filter that drops parts of it."""
    if "://" in text:
        return None
    found = _TAIL.search(text)
    tail = found[0] if found else ""
    path = text[: len(text) - len(tail)]
    is_bare = _BARE.match(path) is not None and "/" not in path
    parts = (_BARE_SEPARATOR if is_bare else _SEPARATOR).split(path)
    names = [unescaped_dots(part) for part in parts[::2]]
    is_climbing = any(name.startswith("..") for name in names)
    is_drive = re.fullmatch("[A-Za-z]:", parts[0]) is not None
    is_absolute = not parts[0] or is_drive
    if len(parts) < 3 or not (is_climbing or is_absolute) or any(_FILTERED.fullmatch(name) for name in names):
        return None
    has_backslash = any(_BACKSLASH.fullmatch(part) for part in parts[1::2])
    plain = [unquote(name).partition(";")[0] for name in names]
    is_known = any(_WINDOWS.fullmatch(name) for name in plain)
    is_unix = not {"etc", "usr", "var", "proc", "home"}.isdisjoint(plain)
    return PathParts(tuple(parts), tail, is_known or (has_backslash and not is_unix), is_bare)


def unescaped_dots(segment: str) -> str:
    """Write the dots of a segment as dots."""
    return _DOT.sub(".", segment)
