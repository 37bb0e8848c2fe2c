"""Say how far a followed file was read, so that it is found again, whatever it is called by then.

A file is known by device and inode, and by its content: how it begins, and what stands before the place that was
reached. So a renamed file is found, and so is its copy, whose original was truncated, also where the copy was
compressed; what was written anew under the same name is not taken for it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from overproof.events.sources.stream import READ_ERRORS, unpacked
from overproof.files.names import real

HEAD, TAIL = 1024, 64  # bytes at its start, and before the place that was reached, by which a file is known
PACKED = (".gz", ".zst")
Identity: TypeAlias = tuple[int, int]  # device and inode
_LOOKS = 100  # at names that are being moved on
_PACKED = r"(?:\.gz|\.zst)?"
_WHEN = r"[-._]?(?:[0-9][0-9T:._-]*Z?|old|prev)"  # behind a rotated file's name: `.1`, `-20260105`, `.old`
_WITHIN = r"(?:\.[0-9]{1,3}|[-._][0-9]{4}[0-9T:._-]*Z?)"  # before its extension: `.1`, `-20260105`
_DATE = re.compile(r"[0-9]{4}[0-9T:._-]*")  # in the name of what a link leads to, which is pointed elsewhere each day


def digest(data: bytes) -> str:
    """Hash some bytes of a file."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


@dataclass(frozen=True)
class Sighting:
    """A file that stood beside the path and need not be read again, known also where its inode is used anew.

    Attributes
    ----------
    device, inode
        As `os.stat` has them.
    length, head
        So many bytes at its start were hashed; the hash.
    """

    device: int
    inode: int
    length: int
    head: str

    @classmethod
    def of(cls, path: Path) -> Sighting | None:
        """See a file; None if it is gone or cannot be read."""
        try:
            with open(path, "rb", buffering=0) as file:
                found, start = os.fstat(file.fileno()), os.pread(file.fileno(), HEAD, 0)
        except OSError:
            return None
        return cls(found.st_dev, found.st_ino, len(start), digest(start))

    def is_of(self, path: Path) -> bool:
        """Tell whether a path names that file still."""
        try:
            with open(path, "rb", buffering=0) as file:
                found = os.fstat(file.fileno())
                if (found.st_dev, found.st_ino) != (self.device, self.inode):
                    return False
                return digest(os.pread(file.fileno(), self.length, 0)) == self.head
        except OSError:
            return False


@dataclass(frozen=True)
class Position:
    """How far one of the files that a path came to name was read.

    Attributes
    ----------
    number
        Which of them it is, from 0.
    device, inode, modified
        As `os.stat` had them; nanoseconds.
    offset
        Bytes that were read; the events below may end before.
    head, tail
        Hashes of its first bytes, and of those before the offset: `HEAD` and `TAIL` of them, or as many as there are.
    format
        How it is read.
    events
        Events of it that were given on.
    passed
        Files beside it that were read before, or stood there before this began.
    """

    number: int
    device: int
    inode: int
    modified: int
    offset: int
    head: str
    tail: str
    format: str
    events: int
    passed: tuple[Sighting, ...] = ()

    @classmethod
    def before_all(cls, path: Path) -> Position:
        """Return the position from which all is read that the path names from now on."""
        nothing = digest(b"")
        return cls(0, 0, 0, 0, 0, nothing, nothing, "", 0, tuple(filter(None, map(Sighting.of, siblings(path)))))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Position:
        """Read what `dataclasses.asdict` made of one."""
        return cls(**{**data, "passed": tuple(Sighting(**each) for each in data["passed"])})

    def is_in(self, path: Path) -> bool:
        """Tell whether a file holds what was read: it begins so, and has the same bytes before the offset."""
        try:
            return (_is_packed(path) and self._is_in_packed(path)) or self._is_in_plain(path)
        except (*READ_ERRORS, ValueError):
            return False

    def begins(self, path: Path) -> bool:
        """Tell whether a file begins so, though it is shorter: a copy made before all of it was read."""
        length = min(self.offset, HEAD)
        try:
            with open(path, "rb", buffering=0) as file:
                return length > 0 and digest(os.pread(file.fileno(), length, 0)) == self.head
        except OSError:
            return False

    def _is_in_plain(self, path: Path) -> bool:
        with open(path, "rb", buffering=0) as file:
            found, handle = os.fstat(file.fileno()), file.fileno()
            if found.st_size < self.offset:
                return False
            if not self.offset:  # of which nothing is known but the inode
                return (found.st_dev, found.st_ino) == (self.device, self.inode)
            before = min(self.offset, TAIL)
            head, tail = os.pread(handle, min(self.offset, HEAD), 0), os.pread(handle, before, self.offset - before)
            return (digest(head), digest(tail)) == (self.head, self.tail)

    def _is_in_packed(self, path: Path) -> bool:
        at, head, tail = 0, b"", b""
        with blocks_of(path) as blocks:
            for block in blocks:
                block = block[: self.offset - at]
                at += len(block)
                head += block[: HEAD - len(head)]
                tail = (tail + block)[-TAIL:]
                if at == self.offset or (len(head) == HEAD and digest(head) != self.head):
                    break
        return 0 < at == self.offset and (digest(head), digest(tail)) == (self.head, self.tail)


@contextmanager
def blocks_of(path: Path) -> Iterator[Iterator[bytes]]:
    """Open a file that nobody writes to any more, and see through its compression."""
    with open(path, "rb", buffering=0) as file:
        yield filter(None, unpacked(file))


def whereabouts(path: Path, position: Position) -> Path | None:
    """Find what holds a file that was read: under another name, or what was copied of it; None if nothing does."""
    # twice, since what is given another name while all are looked at may be seen under neither
    return _whereabouts(path, position) or _whereabouts(path, position)


def _whereabouts(path: Path, position: Position) -> Path | None:
    ours = (position.device, position.inode)
    same = [each for each in _beside(path) if inode_of(each) == ours]
    copies = [each for each in siblings(path) if is_new(each, position.modified, position.passed)]
    # the path itself comes last: where no more than a header was read, the next file begins as the one before did
    return next((each for each in dict.fromkeys((*same, *copies, path)) if position.is_in(each)), None)


def is_new(path: Path, modified: int, passed: Sequence[Sighting]) -> bool:
    """Tell whether a file was last written no earlier than that, and is none that was read or stood there before."""
    if _modified(path) < modified:
        return False
    identity = inode_of(path)  # first, since of hundreds of files beside each other each would be opened for each
    return not any(seen.is_of(path) for seen in passed if (seen.device, seen.inode) == identity)


def missed(path: Path, after: Position, passed: Sequence[Sighting], current: int) -> list[tuple[Path, Identity]]:
    """Find the files that a path named after a file was read, and before it came to name another.

    Rotation may move all names on while they are looked at: they are looked at until they stay what they are.

    Parameters
    ----------
    after
        Where reading the one before ended.
    passed
        Files that are known not to be such.
    current
        Inode of the file that the path names now.

    Returns
    -------
    Their names, and what was found under these, the one that was written to first at first.
    """
    found = _missed(path, after, passed, current)
    for _ in range(_LOOKS):
        before, found = found, _missed(path, after, passed, current)
        if before == found:
            break
    return found


def _missed(path: Path, after: Position, passed: Sequence[Sighting], current: int) -> list[tuple[Path, Identity]]:
    found = []
    for each in siblings(path):
        if inode_of(each)[1] == current or not is_new(each, after.modified, passed):
            continue
        if _is_packed(each) and (_is_unfinished(each) or after.is_in(each)):
            continue  # it is still being compressed, or it is what was read
        found.append((each, inode_of(each)))
    return found


def _is_unfinished(packed: Path) -> bool:
    """Tell whether a file beside a compressed one is what it is being made of, rather than another of its name."""
    plain = packed.with_suffix("")
    if not plain.exists():
        return False
    head = b""
    try:
        with blocks_of(packed) as blocks:
            while len(head) < HEAD and (block := next(blocks, b"")):
                head += block
        with open(plain, "rb", buffering=0) as file:
            return os.pread(file.fileno(), min(len(head), HEAD), 0) == head[:HEAD]
    except FileNotFoundError:
        return True  # either has just got another name
    except (*READ_ERRORS, ValueError):
        return True  # so far it holds nothing that can be read


def siblings(path: Path) -> list[Path]:
    """Return the files that rotation may have made of a path or of what it leads to, the last written to at last.

    Of a link that is pointed elsewhere, what it led to before is told by its name, which is the same but for a date.
    """
    itself = places(path)
    rotated = re.compile("|".join((*map(_when_rotated, itself), *map(_when_dated, itself[1:]))))
    found = [each for each in _beside(path) if rotated.fullmatch(each.name) and each not in itself]
    files = {inode_of(each): each for each in found}.values()  # of which one may have two names
    return sorted(files, key=lambda each: (_modified(each), _changed(each), each.name))


def _when_rotated(path: Path) -> str:
    name, stem, suffix = re.escape(path.name), re.escape(path.stem), re.escape(path.suffix)
    return rf"(?:{name}{_WHEN}|{stem}{_WITHIN}{suffix}){_PACKED}"


def _when_dated(path: Path) -> str:
    return _DATE.pattern.join(map(re.escape, _DATE.split(path.name))) + _PACKED


def places(path: Path) -> tuple[Path, ...]:
    """Return a path, and what it leads to where it is a link."""
    return tuple(dict.fromkeys((path, real(path))))


def _beside(path: Path) -> list[Path]:
    """Return the files in the folder of a path, and in that of what it leads to."""
    found = []
    for folder in dict.fromkeys(each.parent for each in places(path)):
        with suppress(OSError), os.scandir(folder) as entries:
            found += [folder / entry.name for entry in entries if entry.is_file()]
    return found


def _is_packed(path: Path) -> bool:
    return path.suffix in PACKED


def inode_of(path: Path) -> Identity:
    """Return device and inode of a file; zeros where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def _modified(path: Path) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _changed(path: Path) -> int:
    try:
        return os.stat(path).st_ctime_ns
    except OSError:
        return 0
