"""Tell what a path names: a file that can be replaced, one that is open already, or what no library can name."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OPEN_FILES = "/proc/self/fd"
KERNEL_LINKS = "/proc/"  # links such as /dev/stdout end here: they lead to an open file, whatever its name is


def regular_target(path: Path | str) -> Path | None:
    """Return the regular or absent file that writing to `path` replaces; None if it has to be written through.

    Raises
    ------
    OSError
        EISDIR if only a folder can have that name, or that of what it leads to.
    """
    if ends_as_folder(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path = Path(path)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    if not stat.S_ISREG(mode) or _leads_to_open_file(path):
        return None
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def ends_as_folder(path: Path | str) -> bool:
    """Say whether only a folder can have a name, or what a link of that name leads to: it ends in a slash, or in dots.

    A path made of a name forgets its slash, as `os.path.realpath` does.
    """
    name, links = str(path), 40  # as many as the kernel follows
    while os.path.basename(name) not in ("", os.curdir, os.pardir):
        if not links or not os.path.islink(name):
            return False
        name, links = os.path.join(os.path.dirname(name), os.readlink(name)), links - 1
    return True


def open_number(path: Path | str) -> int | None:
    """Return the number of the open file of this process that a path such as /dev/stdout names; None of any other."""
    link = _kernel_link(Path(path))
    if link is None or link.parent != Path(os.path.realpath(OPEN_FILES)) or not link.name.isdecimal():
        return None
    return int(link.name)


def _leads_to_open_file(path: Path) -> bool:
    """Return whether a link leads through the kernel's table of open files, which no renaming can replace."""
    return _kernel_link(path) is not None


def _kernel_link(path: Path) -> Path | None:
    """Return the link of the kernel's that a path is or leads to; None if there is none."""
    while path.is_symlink():
        folder = Path(os.path.realpath(path.parent))
        if f"{folder}/".startswith(KERNEL_LINKS):
            return folder / path.name
        path = folder / os.readlink(path)
    return None


def real(folder: Path) -> Path:
    """Return what a link leads to, and any other path as it is."""
    return Path(os.path.realpath(folder)) if folder.is_symlink() else folder


@contextmanager
def utf8_path(path: Path) -> Iterator[str]:
    """Name an existing file or folder in UTF-8 while the block runs, for a library that takes no other names.

    A path may hold any bytes. One that is not UTF-8 is opened, and named by its place in the table of open files; of
    a file the folder is, where its own name is UTF-8, so that what lies beside it is found.
    """
    if is_utf8(str(path)):
        yield str(path)
        return
    beside = path.is_file() and is_utf8(path.name)
    handle = os.open(path.parent if beside else path, os.O_PATH)
    try:
        yield f"{OPEN_FILES}/{handle}/{path.name}" if beside else f"{OPEN_FILES}/{handle}"
    finally:
        os.close(handle)


def is_utf8(text: str) -> bool:
    """Say whether a text can be written in UTF-8: names of files may hold any bytes, JSON half a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
