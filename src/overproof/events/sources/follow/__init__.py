"""Follow files that are still being written: to their end, then as they grow, through rotation and truncation.

Every file that a path comes to name is an input of its own, whose lines are counted from 1. One that is renamed is
read to its end before the next is begun; those that the path named in between, while nobody looked, are found beside
it by their names. Of one that is copied and truncated the rest is read from the copy; what was written between the copy
and the truncation is lost, as it is for everyone.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa

from overproof.errors import InputError
from overproof.events.schema import Skipped
from overproof.events.sources.follow.grown import Grown, Packed, Stop
from overproof.events.sources.follow.place import PACKED, Position, inode_of, missed, siblings, whereabouts
from overproof.events.sources.interface import Input, OnSkip
from overproof.events.sources.stream import (
    decisive,
    display_name,
    excerpt,
    is_zstd,
    narrowed,
    open_plain,
    open_raw,
    without_bom,
)

POLL = 0.05  # seconds between two looks at files that did not grow
NOTE = b"followed"  # in a batch's metadata: how far the files were read, as JSON

GONE = "a file that was followed is gone: what was written to it after it was last read, if anything, is lost"
TRUNCATED = "truncated without a copy beside it: what was written to it after it was last read, if anything, is lost"
OVERWRITTEN = "a rotated file took the place of the one that was read: others that did before it, if any, are lost"
LATE = "written to a rotated file after the next one was begun"

_GZIP = b"\x1f\x8b"


def key_of(path: str | Path) -> str:
    """Return what a path is called in notes and positions, whatever folder a run is started in."""
    return display_name(os.path.abspath(path))


class Opened(NamedTuple):
    """An input, the file that it is, and how far an earlier run had read it."""

    source: Input
    file: Grown
    before: Position | None


@dataclass(frozen=True)
class Resume:
    """Where an earlier run left off, and what its notes hold beside that.

    Attributes
    ----------
    positions
        Path to how far it was read.
    rejected
        Path to a file's number to how many of its records were rejected.
    rejects
        Asked with every batch: whatever the rejected records are kept by.
    """

    positions: Mapping[str, Position] = field(default_factory=dict)
    rejected: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    rejects: Callable[[], Any] = lambda: None

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], rejects: Callable[[], Any]) -> Resume:
        """Read what notes held."""
        positions = {path: Position.from_json(each) for path, each in stored["positions"].items()}
        return cls(positions, stored["rejected"], rejects)


class Progress:
    """Notes with every batch how far all paths were read, so that neither event nor rejected record comes twice."""

    def __init__(self, resume: Resume) -> None:
        self._resume = resume
        self._rejected: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._rejected.update({path: dict(counts) for path, counts in resume.rejected.items()})

    def before(self, path: str) -> Position | None:
        """Return how far an earlier run had read a path."""
        return self._resume.positions.get(path)

    def counting(self, path: str, number: int, on_skip: OnSkip) -> OnSkip:
        """Pass on the rejected records of a file, but for those that an earlier run had counted."""
        known, seen, key = self._resume.rejected.get(path, {}).get(str(number), 0), 0, str(number)

        def count(skipped: Skipped) -> None:
            nonlocal seen
            seen += 1
            if seen > known:
                self._rejected[path][key] = seen
                on_skip(skipped)

        return count

    def noted(self, batch: pa.RecordBatch, path: str, position: Position) -> pa.RecordBatch:
        """Return a batch with a note of how far its path is read with it."""
        counts = self._rejected[path]
        for number in [number for number in counts if int(number) < position.number]:
            del counts[number]
        note = {
            "path": path,
            "position": asdict(position),
            "rejected": self._rejected,
            "rejects": self._resume.rejects(),
        }
        return batch.replace_schema_metadata({**(batch.schema.metadata or {}), NOTE: orjson.dumps(note)})


class Followed:
    """The files that one path comes to name.

    Parameters
    ----------
    path
        May name no file yet, and `-` standard input.
    stop
        Asked now and then; once True, what was written by then is read and reading ends.
    on_skip
        Told of what is known to be lost.
    before
        Where an earlier run left off; None begins with what the path names.
    """

    def __init__(self, path: str | Path, stop: Stop, on_skip: OnSkip, before: Position | None = None) -> None:
        self._path, self._name = Path(path), display_name(path)
        self._stop, self._on_skip = stop, on_skip
        self._last = before or Position.before_all(self._path)  # where the file that was read last was left
        self._number, self._passed = self._last.number, self._last.passed
        self._ended: Grown | None = None  # the last file, which others may still have open

    def inputs(self) -> Iterator[Opened | None]:
        """Yield the inputs, one after the other; None where there is nothing yet.

        Each must be read to its end before the next is asked for. Standard input and pipes also end where they end.

        Raises
        ------
        InputError
            If a file is there and cannot be read, or is compressed.
        """
        if self._name == "-":
            with open_raw(self._path, self._name) as file:
                yield from self._opened(Grown(file, self._path, 0, ()), None)
            return
        try:
            yield from self._files()
        finally:
            if self._ended is not None:
                self._ended.close()

    def _files(self) -> Iterator[Opened | None]:
        if (yield from self._resumed(self._last)):
            return
        while True:
            ended = self._stop()
            try:
                file = open_plain(self._path, self._name)
            except FileNotFoundError:
                if ended:
                    return
                yield None
                continue
            grown = Grown(file, self._path, self._number, self._passed)
            if (yield from self._read_missed(os.fstat(file.fileno()).st_ino)):
                grown.close()  # that took its time: there may be more by now
                continue
            yield from self._read(grown, None)
            if not grown.replaced:
                return

    def _read_missed(self, current: int) -> Generator[Opened | None, None, bool]:
        """Read the first that the path named since the last file was read, and no longer does; returns whether one was.

        The next one is looked for anew: while a file is read, rotation may give the others' names to each other.
        """
        between = missed(self._path, self._last, self._passed, current)
        if not between:
            return False
        name, identity = between[0]
        try:
            grown = self._grown(name)
        except FileNotFoundError:  # renamed once more: it is looked for again
            return True
        if grown.identity != identity:  # and another has its name
            grown.close()
            return True
        if self._ended is not None and self._ended.is_unlinked and whereabouts(self._path, self._last) is None:
            self._on_skip(Skipped(OVERWRITTEN, self._name, ""))
        yield from self._read(grown, None)
        return True

    def _resumed(self, before: Position) -> Generator[Opened | None, None, bool]:
        """Read on in the file that an earlier run was in; returns whether that is all."""
        if not before.inode:
            return False
        while (found := whereabouts(self._path, before)) is not None:
            try:
                grown = self._grown(found)
            except FileNotFoundError:  # renamed while it was looked for
                continue
            if not (before.is_in(found) and inode_of(found) == grown.identity):  # and another has its name
                grown.close()
                continue
            yield from self._read(grown, before)
            return not grown.replaced
        if before.offset:
            self._on_skip(Skipped(GONE, self._name, ""))
            self._number += 1
        return False

    def _grown(self, path: Path) -> Grown:
        kind = Packed if path.suffix in PACKED else Grown
        return kind(open_plain(path, display_name(path)), self._path, self._number, self._passed)

    def _read(self, grown: Grown, before: Position | None) -> Iterator[Opened | None]:
        """Read a file to its end, and then look once more at the one before it, which may have been written to."""
        previous, self._ended = self._ended, grown
        yield from self._opened(grown, before)
        if grown.lost:
            self._on_skip(Skipped(TRUNCATED, self._name, ""))
        if previous is not None:
            for line in previous.late():
                self._on_skip(Skipped(LATE, self._name, excerpt(line)))
            previous.close()
        beside = set(map(inode_of, siblings(self._path)))
        kept = (seen for seen in grown.passed if (seen.device, seen.inode) in beside)
        self._last, self._passed = grown.position("", 0), (*kept, grown.sighting())
        self._number += 1

    def _opened(self, grown: Grown, before: Position | None) -> Iterator[Opened | None]:
        """Yield the input of a file, as soon as its format can be detected."""
        head, blocks = b"", _without_hole(grown.blocks(self._stop))
        for block in blocks:
            head += block
            if decisive(head):
                break
            if not block:
                yield None
        if head.startswith(_GZIP) or is_zstd(head):
            raise InputError(f"{self._name}: compressed; expected a plain file, which alone can be followed")
        text = narrowed(chain([head], blocks))
        if head := without_bom(next(text, b"")):
            yield Opened(Input(self._name, None, head, chain([head], text)), grown, before)


def _without_hole(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Leave out the NULs that a file begins with: it was truncated, and its writer went on at the place it had."""
    for block in blocks:
        text = block.lstrip(b"\0")
        if text or not block:
            yield text
        if text:
            break
    yield from blocks
