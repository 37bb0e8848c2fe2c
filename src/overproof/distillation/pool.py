"""Draw a pool of text that nobody labelled: what a teacher says of it carries over what it knows of other things.

The text is that of the installation (the interpreter's library and all installed packages: sources, markup, licences,
configuration, data), or of files and folders that the user names.
"""

from __future__ import annotations

import codecs
import os
import re
import sysconfig
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from overproof.distillation.limits import INSTALLED
from overproof.errors import InputError
from overproof.events.schema import event_table, fingerprint
from overproof.events.split import template

SHORTEST, LONGEST = 5, 200  # characters of a snippet
_READ = 1024  # bytes: the longest snippet in UTF-8, and some text before it to find a line or a value in
_ANYWHERE, _LINE, _VALUE = 0, 1, 2
_DELIMITER = re.compile(r"""[\s=&;,:|"'`<>(){}\[\]]+""")
_SKIPPED_FOLDERS = {"__pycache__", ".git"}
_LEAST_DRAWN = 1000  # places in a round
_LEAST_GAIN = 0.01  # new snippets a place: a round that finds fewer is the last


@dataclass(frozen=True)
class Pool:
    """Snippets of text.

    Attributes
    ----------
    texts
        All different, none of them one of the run's events.
    kinds
        For each place in `PoolSource.paths`, how many are from files of each suffix (`""`: of none).
    """

    texts: tuple[str, ...]
    kinds: Mapping[str, Mapping[str, int]]

    def describe(self) -> dict[str, Any]:
        """Return number, fingerprint and origins, for the manifest."""
        return {
            "snippets": len(self.texts),
            "sha256": fingerprint(self.texts, [None] * len(self.texts)),
            "from": {place: dict(counts) for place, counts in self.kinds.items()},
        }

    def events(self) -> pa.Table:
        """Return the snippets as unlabelled events."""
        return event_table({"text": self.texts, "origin": [f"pool:{i + 1}" for i in range(len(self.texts))]})


@dataclass(frozen=True)
class PoolSource:
    """Where snippets are drawn from.

    Attributes
    ----------
    paths
        Files, folders, and `INSTALLED`; each gives the same number of snippets.
    excluded_files
        Files that nothing is drawn from: the run's own events.
    excluded_texts
        Texts that are not drawn, nor what differs from them in case and digits alone.
    """

    paths: Sequence[str] = (INSTALLED,)
    excluded_files: Collection[Path] = ()
    excluded_texts: Collection[str] = ()


def draw_pool(source: PoolSource, count: int, *, seed: int) -> Pool:
    """Draw `count` snippets of 5 to 200 characters.

    The same seed and the same files give the same snippets; another installation has other files.
    Kinds of file (suffixes), and files of a kind, are drawn with probability ∝ √bytes, so that neither the commonest
    kind nor the largest file drowns the others. Half of the snippets are cut anywhere, a quarter are lines, a quarter
    stand between delimiters, as values do. Files that are no UTF-8 text, or hold a NUL there, are passed over.

    Raises
    ------
    InputError
        A path that does not exist, or one with too little text.
    """
    paths = list(dict.fromkeys(source.paths))
    seen = {template(text) for text in source.excluded_texts}
    excluded = {os.path.realpath(path) for path in source.excluded_files}
    texts: list[str] = []
    kinds: dict[str, dict[str, int]] = {}
    for place, path in enumerate(paths):
        wanted = count * (place + 1) // len(paths) - count * place // len(paths)
        files = _Files.under(path, excluded)
        found = _draw(files, wanted, seen, np.random.default_rng((seed, place)))
        if len(found) < wanted:
            raise InputError(
                f"--pool {count}: {path} gave only {len(found)} different snippets of {SHORTEST} to {LONGEST} "
                f"characters besides the run's own events, and {wanted} are wanted of it; expected more text "
                "(--pool-from) or a smaller number"
            )
        texts += [text for text, _ in found]
        kinds[path] = dict(Counter(kind for _, kind in found).most_common())
    return Pool(tuple(texts), kinds)


def _draw(files: _Files, wanted: int, seen: set[str], random: np.random.Generator) -> list[tuple[str, str]]:
    """Draw different snippets with their kinds, in rounds, until there are enough or a round finds nearly nothing."""
    found: list[tuple[str, str]] = []
    while len(found) < wanted and files.left:
        before, rejected = len(found), files.rejected
        places = max(wanted - before, _LEAST_DRAWN)
        for text, kind in _round(files, places, random):
            shape = template(text)
            if shape not in seen:
                seen.add(shape)
                found.append((text, kind))
        if len(found) - before < _LEAST_GAIN * places and files.rejected == rejected:
            break
    return found[:wanted]


def _round(files: _Files, count: int, random: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Draw `count` places and yield the snippets there, in the order drawn; fewer where files turn out no text."""
    chosen = files.choose(count, random)
    places = (random.random(count) * files.sizes[chosen]).astype(np.int64)
    share = random.random(count)
    lengths = np.floor(SHORTEST + share * (LONGEST - SHORTEST + 1)).astype(np.int64)
    how = random.choice([_ANYWHERE, _LINE, _VALUE], size=count, p=[0.5, 0.25, 0.25])
    values = how == _VALUE  # these are short more often
    lengths[values] = np.floor(SHORTEST * (LONGEST / SHORTEST) ** share[values]).astype(np.int64)
    snippets: list[str] = [""] * count
    order = np.lexsort((places, chosen))
    for run in np.split(order, np.flatnonzero(np.diff(chosen[order])) + 1):
        for row, text in zip(run, files.read(int(chosen[run[0]]), places[run]), strict=True):
            snippets[row] = _cut(text, int(how[row]), int(lengths[row]))
    for file, text in zip(chosen.tolist(), snippets, strict=True):
        if len(text) >= SHORTEST:
            yield text, files.kinds[file]


def _cut(text: str, how: int, length: int) -> str:
    """Cut a snippet of at most `length` characters from a piece of a file that begins and ends anywhere."""
    if how == _LINE:
        line = text.partition("\n")[2].lstrip()
        return line.partition("\n")[0].rstrip()[:length]
    if how == _VALUE:
        first = _DELIMITER.search(text)
        value = text[first.end() :] if first else text
        ends = [match.start() for match in _DELIMITER.finditer(value, 0, length + 1) if match.start() >= SHORTEST]
        return value[: ends[-1]] if ends else value[:length]
    return text[:length]


class _Files:
    """The files of one place: what is known of them, and which of them turned out to be no text."""

    def __init__(self, paths: list[str], sizes: list[int]) -> None:
        self.paths = paths
        self.sizes = np.array(sizes, dtype=np.int64)
        self.kinds = [os.path.splitext(path)[1].lower() for path in paths]
        names, codes = np.unique(self.kinds, return_inverse=True)
        amounts = np.bincount(codes, weights=self.sizes, minlength=len(names))
        roots = np.sqrt(self.sizes)
        within = np.bincount(codes, weights=roots, minlength=len(names))
        self._weights = np.sqrt(amounts[codes]) * roots / within[codes]
        self.rejected = 0

    @classmethod
    def under(cls, path: str, excluded: set[str]) -> _Files:
        """Find the files of a file, a folder or `INSTALLED`, in the order of their names.

        Raises
        ------
        InputError
            There is nothing of that name.
        """
        roots = _installed() if path == INSTALLED else [path]
        found: dict[str, int] = {}
        for root in roots:
            if not os.path.exists(root):
                raise InputError(f"--pool-from {root}: no such file or folder; expected one, or {INSTALLED!r}")
            for name in _walk(root):
                size = os.path.getsize(name)
                if size >= SHORTEST and (not excluded or os.path.realpath(name) not in excluded):
                    found[name] = size
        return cls(list(found), list(found.values()))

    @property
    def left(self) -> bool:
        """Whether there is a file that may be text."""
        return bool(self._weights.any())

    def choose(self, count: int, random: np.random.Generator) -> NDArray[np.int64]:
        """Choose `count` files: kinds by √bytes, files of a kind by √bytes."""
        ends = np.cumsum(self._weights)
        chosen = np.searchsorted(ends, random.random(count) * ends[-1], side="right")
        return np.asarray(np.minimum(chosen, len(ends) - 1), dtype=np.int64)

    def read(self, file: int, places: NDArray[np.int64]) -> list[str]:
        """Read pieces of a file at these places (bytes); if it is no text all are empty, and it is not chosen again."""
        try:
            with open(self.paths[file], "rb") as opened:
                return [_decoded(_piece(opened, int(place))) for place in places]
        except (OSError, UnicodeDecodeError):
            self._weights[file] = 0.0
            self.rejected += 1
            return [""] * len(places)


def _piece(opened: Any, place: int) -> bytes:
    opened.seek(place)
    return bytes(opened.read(_READ))


def _decoded(piece: bytes) -> str:
    """Decode UTF-8 that may begin and end within a character; UnicodeDecodeError for anything else, and for a NUL."""
    start = next((i for i, byte in enumerate(piece[:3]) if byte & 0xC0 != 0x80), min(3, len(piece)))
    if b"\0" in piece:
        raise UnicodeDecodeError("utf-8", piece, 0, 1, "NUL")
    return codecs.getincrementaldecoder("utf-8")().decode(piece[start:])


def _installed() -> list[str]:
    """Return the folders of the interpreter's library and of installed packages, those that exist."""
    named = [os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders = [folder for folder in dict.fromkeys(named) if os.path.isdir(folder)]
    return [f for f in folders if not any(f != g and Path(f).is_relative_to(g) for g in folders)]


def _walk(root: str) -> Iterator[str]:
    """Yield regular files in the order of their names; links to folders are not followed."""
    if not os.path.isdir(root):
        yield root
        return
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED_FOLDERS)
        for name in sorted(names):
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                yield path
