r"""Prove that an edited path leads to the same file, by resolving both from several directories.

Both are decoded in the plainest way in which the original is an attack: it climbs out of the directory that it is
appended to, or it is absolute. Paths of Unix are resolved as its kernel does, against directories that every Linux
system has: `garden/../` fails where there is no `garden`, so a detour by directories that need not be there is
unproved. What the original itself walks through is taken to be there, for else it would do nothing; but `..` behind a
name that is a link on many systems is unproved. Windows shortens a path before it looks at the disk, so paths that
name its files, or part names with `\` and name none of Unix, are resolved by their text alone.

A path that does neither in any reading (`..%uF025boot.ini`) is meant for readers that are not known. It is proved the
same where nothing of it differs but what all of them skip: in every reading the same names in their order, once empty
ones and `.` are left out. `..` stays: what it leads out of is not known. A plain name is no attack, and is not proved.
"""

from __future__ import annotations

import ntpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from overproof.redteam.base import Proof
from overproof.redteam.oracle.path_decode import READINGS, Reading

Target = tuple[str, ...]

_BASES: tuple[Target, ...] = tuple(
    tuple(path.split("/"))
    for path in ("srv", "var/www", "var/www/html", "usr/share/nginx/html", "home/web/site/public/files")
)
_WINDOWS_BASES = (r"C:\www", r"C:\inetpub\wwwroot", r"C:\xampp\htdocs\site", r"D:\sites\example\public\files")
_SUFFIXES = ("", ".php")  # what an application may append to a value
_STANDING = frozenset(
    tuple(path.split("/"))
    for path in """
    etc etc/default etc/opt home media mnt opt srv tmp usr usr/bin usr/include usr/lib usr/local usr/local/bin
    usr/local/etc usr/local/games usr/local/include usr/local/lib usr/local/sbin usr/local/share usr/local/src usr/sbin
    usr/share usr/share/doc usr/share/info usr/share/man usr/share/misc var var/cache var/lib var/local var/log var/opt
    var/spool var/tmp
    """.split()
)
_OFTEN_LINKS = frozenset({"bin", "sbin", "lib", "lib32", "lib64", "libx32", "var/run", "var/lock", "var/mail", "cdrom"})
_ROOT_NAMES = frozenset("bin boot dev etc home lib lib64 media mnt opt proc root run sbin srv sys tmp usr var".split())
_OF_UNIX = frozenset({"etc", "usr", "var", "proc", "home"})
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_DRIVE = re.compile(r"[A-Za-z]:[/\\]")
_OF_WINDOWS = re.compile(
    r"(?:^|[/\\])(?:boot\.ini|win\.ini|system\.ini|autoexec\.bat|windows|winnt|inetpub|system32)(?=$|[/\\;.])", re.I
)


def judge(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Resolve each pair."""
    return [_judge(original, edited) for original, edited in pairs]


def _judge(original: str, edited: str) -> Proof:
    reading = _reading(original)
    if reading is None and _are_named_alike(original, edited):
        return Proof("proved", "neither climbing nor absolute; parsed: the same names in their order in every reading")
    if reading is None:
        return Proof("unproved", "the original neither climbs out of a directory nor is absolute in any reading")
    decoded = reading(original)
    if _is_windows(decoded):
        rule, verdicts = "Windows", _windows_verdicts(decoded, reading(edited), reading)
    else:
        rule, verdicts = "Unix", _unix_verdicts(decoded, reading(edited))
    if verdicts == {"same"}:
        return Proof("proved", f"{rule} paths, {reading.how}: the same file from every directory")
    if verdicts == {"changed"}:
        return Proof("changed", f"{rule} paths, {reading.how}: another file")
    return Proof(
        "unproved", f"{rule} paths, {reading.how}: the same file only where directories are there or from some"
    )


def _reading(original: str) -> Reading | None:
    """Choose the plainest reading in which a path climbs out of its directory, else in which it is absolute."""
    for reading in READINGS:
        if _climbs(reading(original)):
            return reading
    return next((reading for reading in READINGS if _is_absolute(reading(original))), None)


def _climbs(path: str) -> bool:
    level = 0
    for name in re.split(r"[/\\]" if _is_windows(path) or "\\" in path else "/", path):
        level += -1 if name == ".." else name not in {"", "."}
        if level < 0:
            return True
    return False


def _is_absolute(path: str) -> bool:
    is_rooted = path.startswith("/") or (
        _is_windows(path) and (path.startswith("\\") or _DRIVE.match(path) is not None)
    )
    return is_rooted and any(name.strip(". ") for name in re.split(r"[/\\]", path))


def _is_windows(path: str) -> bool:
    if _DRIVE.match(path) or _OF_WINDOWS.search(path):
        return True
    return "\\" in path and _OF_UNIX.isdisjoint(re.split(r"[/\\]", path))


# ── names alone ──────────────────────────────────────────────────────────────


def _are_named_alike(original: str, edited: str) -> bool:
    """Compare the names of two paths in every reading; an address (`file:/etc`) has slashes that count."""
    if _SCHEME.match(original) or _SCHEME.match(edited) or not re.search(r"\.\.|[%\\]", original):
        return False
    pairs = [(reading(original), reading(edited)) for reading in READINGS]
    pairs.append((unquote(original, "latin-1"), unquote(edited, "latin-1")))  # where `%c0%af` is two bytes of a name
    return all(
        _is_windows(first) == _is_windows(second)
        and any(_names(first)[1])
        and _names(first) == _names(second)
        # What drops backslashes reads `.\/\.\.\/` as a climb.
        and ("\\/" not in first or _names(first.replace("\\", "")) == _names(second.replace("\\", "")))
        for first, second in pairs
    )


def _names(path: str) -> tuple[int, list[str], bool]:
    """Return how many separators a path begins with (two are as good as more), its names, and whether it ends open."""
    names = re.split(r"[/\\]", path.lower()) if _is_windows(path) else path.split("/")
    start = next((place for place, name in enumerate(names) if name), len(names))
    return min(start, 2), [name for name in names if name not in {"", "."}], names[-1] in {"", "."}


# ── Windows ──────────────────────────────────────────────────────────────────


def _windows_verdicts(original: str, edited: str, reading: Reading) -> set[str]:
    """Compare what two paths lead to, from each directory and with each suffix; a null byte keeps a suffix off."""
    verdicts = set()
    for base in ("", *_WINDOWS_BASES):
        for suffix in _SUFFIXES:
            first = _windows_target(base, original + suffix)
            if first is None or (base and _is_inside(first, base)):
                continue
            verdicts.add("same" if first == _windows_target(base, edited + suffix) else "changed")
    return verdicts


def _is_inside(target: str, base: str) -> bool:
    return target == base.lower() or target.startswith(base.lower() + "\\")


def _windows_target(base: str, path: str) -> str | None:
    """Shorten a path by its text; None where it cannot stand there."""
    if base:
        return None if _DRIVE.match(path) else _shortened(f"{base}\\{path}")
    if _DRIVE.match(path):
        return _shortened(path)
    if re.match(r"[/\\](?![/\\])", path):
        return _shortened(f"C:{path}")
    return None


def _shortened(path: str) -> str:
    """Resolve by text; case does not matter, a separator at the end does."""
    return ntpath.normpath(path).lower() + ("\\" if path.endswith(("/", "\\")) else "")


# ── Unix ─────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Context:
    """Where a path starts, and what an application appends."""

    base: Target
    suffix: str
    is_absolute: bool


def _contexts(path: str) -> Iterator[_Context]:
    for suffix in _SUFFIXES:
        if path.startswith("/"):
            yield _Context((), suffix, is_absolute=True)
        for base in _BASES:
            yield _Context(base, suffix, is_absolute=False)


def _unix_verdicts(original: str, edited: str) -> set[str]:
    separator = re.compile(r"[/\\]" if "\\" in original else "/")
    verdicts = set()
    for context in _contexts(original):
        walked: set[Target] = set()
        first = _walk(separator.split(original + context.suffix), context.base, walked, is_original=True)
        if not _is_attack(first, context):
            continue
        names = separator.split(edited + context.suffix)
        if first != _walk(names, context.base, set(), is_original=True) or (context.is_absolute and names[0]):
            verdicts.add("changed")  # wherever it leads, all its directories being there
        else:
            is_there = _walk(names, context.base, walked, is_original=False) is not None
            verdicts.add("same" if is_there else "unproved")
    return verdicts


def _is_attack(target: Target | None, context: _Context) -> bool:
    """Tell whether a path leads out of its directory; one to a file of the system must reach the root for that."""
    if target is None or target[: len(context.base)] == context.base != ():
        return False
    if context.is_absolute:
        return True
    system = [place for place, name in enumerate(target[:-1]) if name in _ROOT_NAMES and name not in context.base]
    return not system or system[0] == 0


def _walk(names: Sequence[str], base: Target, walked: set[Target], *, is_original: bool) -> Target | None:
    """Walk a path as a kernel does; the original's directories are noted, the edited one's must be there (else None).

    The target ends with the file's name, or an empty one where the path ends in a directory.
    """
    at = base
    there = {base[:length] for length in range(len(base) + 1)}
    for name in names[:-1]:
        if name == "..":
            if "/".join(at) in _OFTEN_LINKS and not is_original:
                return None
            at = at[:-1]
        elif name not in {"", "."}:
            at = (*at, name)
            if is_original:
                walked.add(at)
            elif at not in walked and at not in there and at not in _STANDING:
                return None
    last = names[-1]
    if last == "..":
        return (*at[:-1], "")
    return (*at, "" if last == "." else last)
