"""Write folders so that a reader finds the old one or the new one, also after a kill."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from overproof.files.handles import naming
from overproof.files.lock import only_writer
from overproof.files.names import real
from overproof.interrupts import together

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h
_NO_EXCHANGE = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM}  # of a kernel or a file system without it


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Make a folder to fill, which takes the place of `folder` when the block ends well and is gone when it does not.

    A symbolic link stays, and the folder that it leads to is replaced. Nobody else writes there meanwhile (see
    `only_writer`), and at every moment a reader finds the old folder or the new one, also after a kill.

    Raises
    ------
    OSError
        EBUSY if another run is writing there; else what the system says, which names a file or the folder.
    """
    named, folder = folder, real(folder)
    aside, old = folder_asides(folder)
    with only_writer(folder):
        recover_folder(folder)
        shutil.rmtree(aside, ignore_errors=True)
        with naming(named):
            try:
                aside.mkdir()
                yield aside
                with together():
                    _swap(aside, folder, old)
            finally:
                shutil.rmtree(aside, ignore_errors=True)


def _swap(aside: Path, folder: Path, old: Path) -> None:
    """Give a filled folder its name; the one before it stands where `aside` or `old` was, and is removed."""
    shutil.rmtree(old, ignore_errors=True)
    if not folder.exists():
        aside.rename(folder)
    elif not _exchange(aside, folder):
        folder.rename(old)  # whoever is killed between the two renames leaves what `recover_folder` puts back
        aside.rename(folder)
        shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Let two names change places at once (renameat2(2)); False where the system cannot."""
    rename = _renameat2()
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), str(other))


@cache
def _renameat2() -> Any:
    try:
        return ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # another system, or an older C library
        return None


def recover_folder(folder: Path) -> None:
    """Put the last folder back where a kill left none; only systems without `renameat2` can come to that.

    Whoever opens a folder that `atomic_folder` wrote calls it first.
    """
    folder = real(folder)
    old = folder_asides(folder)[1]
    if folder.exists() or not old.is_dir():
        return
    with suppress(OSError), only_writer(folder):  # a reader may have no right to, or meet the one who swaps them
        if not folder.exists():
            old.rename(folder)


def folder_asides(folder: Path) -> tuple[Path, Path]:
    """Return where `atomic_folder` fills the next folder, and where the last one stands while they change places."""
    return folder.with_name(f".{folder.name}.part"), folder.with_name(f".{folder.name}.old")


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there; a folder is gone at once, then piece by piece."""
    gone = path.with_name(f"{path.name}.old")
    shutil.rmtree(gone, ignore_errors=True)
    if path.is_dir():
        path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
