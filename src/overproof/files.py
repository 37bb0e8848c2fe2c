"""Write files and folders so that a reader finds the old content or the new one, and never half of either."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

KERNEL_LINKS = "/proc/"  # links such as /dev/stdout end here: they lead to an open file, whatever its name is


def atomic_write(path: Path, content: str | bytes, *, durable: bool = False) -> None:
    """Write a whole file; see `atomic_file`. Text is written as UTF-8."""
    with atomic_file(path, durable=durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def atomic_file(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when the block ends well, and is gone when it does not.

    Only a regular file is replaced, and keeps its mode. A symbolic link stays, and what it leads to is replaced; a
    FIFO or a device is written to as the block writes.

    Parameters
    ----------
    durable
        Wait until content and name are on the disk.
    """
    target = regular_target(path)
    if target is None:
        with open(path, "wb") as through:
            yield through
        return
    aside = target.with_name(f".{target.name}.{os.getpid()}.part")
    aside.unlink(missing_ok=True)
    try:
        with open(aside, "xb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        move_into_place(aside, target, durable=durable)
    finally:
        aside.unlink(missing_ok=True)


def regular_target(path: Path) -> Path | None:
    """Return the regular or absent file that writing to `path` replaces; None if it has to be written through."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    if not stat.S_ISREG(mode) or _leads_to_open_file(path):
        return None
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def move_into_place(aside: Path, target: Path, *, durable: bool = False) -> None:
    """Rename a finished file to a `regular_target` beside it; a file that it replaces passes on its mode."""
    if target.exists():
        aside.chmod(stat.S_IMODE(target.stat().st_mode))
    os.replace(aside, target)
    if durable:
        sync_folder(target.parent)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Make a folder to fill, which takes the place of `folder` when the block ends well and is gone when it does not.

    A symbolic link stays, and the folder that it leads to is replaced.
    """
    if folder.is_symlink():
        folder = Path(os.path.realpath(folder))
    aside, old = folder_asides(folder)
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        yield aside
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    aside.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def folder_asides(folder: Path) -> tuple[Path, Path]:
    """Return where `atomic_folder` fills the next folder, and where the last one stands while they change places."""
    return folder.with_name(f".{folder.name}.part"), folder.with_name(f".{folder.name}.old")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable (`fsync(2)`: syncing a file does not sync its name)."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there; a folder is gone at once, then piece by piece."""
    gone = path.with_name(f"{path.name}.old")
    shutil.rmtree(gone, ignore_errors=True)
    if path.is_dir():
        path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _leads_to_open_file(path: Path) -> bool:
    """Return whether a link leads through the kernel's table of open files, which no renaming can replace."""
    while path.is_symlink():
        folder = Path(os.path.realpath(path.parent))
        if f"{folder}/".startswith(KERNEL_LINKS):
            return True
        path = folder / os.readlink(path)
    return False
