"""Write files so that a reader finds the old content or the new one, and never half of either."""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

from overproof.files.handles import open_named, sync, sync_folder
from overproof.files.lock import remove_empty
from overproof.files.names import regular_target
from overproof.interrupts import together


def atomic_write(path: Path, content: str | bytes, *, durable: bool = False) -> None:
    """Write a whole file; see `atomic_file`. Text is written as UTF-8."""
    with atomic_file(path, durable=durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def atomic_files(folder: Path, contents: Mapping[str, str]) -> tuple[Path, ...]:
    """Write several files into a folder, which is made: all of them, or none where one cannot be written."""
    with ExitStack() as writing:
        if not folder.exists():
            folder.mkdir(parents=True)
            writing.push(lambda kind, *_: remove_empty(folder) if kind else None)
        for name, content in contents.items():
            file = writing.enter_context(atomic_file(folder / name))
            file.write(content.encode())
            file.flush()  # a full disk shows before any of them has its name
        with together():
            writing.close()
    return tuple(folder / name for name in contents)


@contextmanager
def atomic_file(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when the block ends well, and is gone when it does not.

    Only a regular file is replaced, and keeps its mode. A symbolic link stays, and what it leads to is replaced; a
    FIFO or a device is written to as the block writes. What the system says against writing names `path`.

    Parameters
    ----------
    durable
        Wait until content and name are on the disk.
    """
    target = regular_target(path)
    if target is None:
        with open_named(path, "wb") as through:
            yield through
        return
    with suppress(OSError):  # that of a folder which cannot be listed or written to comes below
        _remove_abandoned(target)
    aside = target.with_name(f".{target.name}.{os.getpid()}.part")
    aside.unlink(missing_ok=True)
    with ExitStack() as held:
        with together():
            handle = _created(aside, path)
            held.callback(os.close, handle)  # after it has its name: until then nobody takes it for abandoned
            held.callback(aside.unlink, missing_ok=True)
        with open_named(handle, "wb", path) as file:
            yield file
            if durable:
                sync(file, path)
        move_into_place(aside, target, durable=durable)


def _created(aside: Path, path: Path) -> int:
    """Return the handle of a new file, locked where the file system has locks; errors name `path`."""
    try:
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


@cache
def _remove_abandoned(target: Path) -> None:
    """Remove what killed runs left of `target` beside it, once in a process: `.NAME.PID.part`, of a PID that is gone.

    A file that its writer holds stays in any case: a process may live where its PID is not seen, as in a container.
    """
    name = re.compile(re.escape(f".{target.name}.") + r"([1-9][0-9]{0,9})\.part")
    for entry in list(os.scandir(target.parent)):
        found = name.fullmatch(entry.name)
        if found is None or not entry.is_file(follow_symlinks=False) or _is_alive(int(found[1])):
            continue
        with suppress(OSError):
            handle = os.open(entry.path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(entry.path)
            finally:
                os.close(handle)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # another user's
    return True


def move_into_place(aside: Path, target: Path, *, durable: bool = False) -> None:
    """Rename a finished file to a `regular_target` beside it; a file that it replaces passes on its mode."""
    if target.exists():
        aside.chmod(stat.S_IMODE(target.stat().st_mode))
    os.replace(aside, target)
    if durable:
        sync_folder(target.parent)
