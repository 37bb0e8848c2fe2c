"""Write files and folders so that a reader finds the old content or the new one, and never half of either."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import io
import os
import re
import shutil
import stat
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from overproof.interrupts import together

OPEN_FILES = "/proc/self/fd"
KERNEL_LINKS = "/proc/"  # links such as /dev/stdout end here: they lead to an open file, whatever its name is
OUTPUT = "standard output"
ANOTHER_RUN = "another run is writing there"

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h
_NO_EXCHANGE = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM}  # of a kernel or a file system without it
_OF_RUST = re.compile(r"\(os error ([0-9]+)\)")  # as std::io::Error is written
_held: Counter[tuple[int, Path]] = Counter()  # by thread: a job holds its output while parts of it write there


def atomic_write(path: Path, content: str | bytes, *, durable: bool = False) -> None:
    """Write a whole file; see `atomic_file`. Text is written as UTF-8."""
    with atomic_file(path, durable=durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def atomic_files(folder: Path, contents: Mapping[str, str]) -> tuple[Path, ...]:
    """Write several files into a folder, which is made: all of them, or none where one cannot be written."""
    with ExitStack() as writing:
        if not folder.exists():
            folder.mkdir(parents=True)
            writing.push(lambda kind, *_: _remove_empty(folder) if kind else None)
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


def open_named(path: Path | str | int, mode: str, name: Path | str | None = None) -> BinaryIO:
    """Open a file to write bytes to; what the system says against writing names it (a full disk names nothing).

    Parameters
    ----------
    path
        Or the number of an open file, which stays open.
    name
        What it is called in that case; None is its path.
    """
    called = str(path) if name is None else name
    number = None if isinstance(path, int) else open_number(path)
    return cast(BinaryIO, io.BufferedWriter(_Named(path, mode, called) if number is None else _Shared(number, called)))


@contextmanager
def naming(name: Path | str) -> Iterator[None]:
    """Name a file in errors of the system that name none, such as those of a full disk.

    What a library of Rust (safetensors, tokenizers) says of them is such an error again.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(name)
        raise
    except Exception as error:
        said = _OF_RUST.search(str(error))
        if said is None:
            raise
        raise OSError(int(said[1]), os.strerror(int(said[1])), str(name)) from error


class _Named(io.FileIO):
    """A file whose errors name it."""

    def __init__(self, path: Path | str | int, mode: str, name: Path | str) -> None:
        self._called = name
        with naming(name):
            super().__init__(path, mode, closefd=not isinstance(path, int))

    def write(self, data: Any) -> int | None:  # type: ignore[override]
        with naming(self._called):
            return super().write(data)


class _Shared(_Named):
    """An open file of the process, such as /dev/stdout: opened by its name it would be cut off, as `>>` must not be."""

    def __init__(self, number: int, name: Path | str) -> None:
        self._called = name
        with naming(name):
            io.FileIO.__init__(self, os.dup(number), "wb")


class OwnOutput(io.TextIOWrapper):
    """Our standard output under a number of its own: number 1 is what code that is not ours prints to."""


_own_output: OwnOutput | None = None


def keep_output(stream: OwnOutput) -> None:
    """Let `results` be this stream from now on."""
    global _own_output
    _own_output = stream


def results() -> TextIO:
    """Return what our results are written to: our own output, which nobody else prints to, else `sys.stdout`."""
    return sys.stdout if _own_output is None else _own_output


def sync(file: BinaryIO, name: Path | str) -> None:
    """Wait until what was written to a file is on the disk."""
    file.flush()
    with naming(name):
        os.fsync(file.fileno())


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

    A symbolic link stays, and the folder that it leads to is replaced. Nobody else writes there meanwhile (see
    `only_writer`), and at every moment a reader finds the old folder or the new one, also after a kill.

    Raises
    ------
    OSError
        EBUSY if another run is writing there; else what the system says, which names a file or the folder.
    """
    named, folder = folder, _real(folder)
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
    folder = _real(folder)
    old = folder_asides(folder)[1]
    if folder.exists() or not old.is_dir():
        return
    with suppress(OSError), only_writer(folder):  # a reader may have no right to, or meet the one who swaps them
        if not folder.exists():
            old.rename(folder)


@contextmanager
def only_writer(path: Path, *, once: bool = False) -> Iterator[None]:
    """Hold a file or folder, so that no other run writes there; a run that was killed holds nothing.

    The lock is `flock(2)`'s, on a file beside it that is there meanwhile.

    Parameters
    ----------
    once
        Whether the same thread may not hold it again, as the parts of a job do.

    Raises
    ------
    OSError
        EBUSY if another run holds it; or what the system says against a lock there.
    """
    path = Path(os.path.abspath(_real(path)))
    if not path.name:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with ExitStack() as held:
        ours = threading.get_ident(), path
        if once or not _held[ours]:
            with together():
                _hold(path, held)
        _held[ours] += 1
        try:
            yield
        finally:
            _held[ours] -= 1


def _hold(path: Path, held: ExitStack) -> None:
    """Lock a path until the stack is left; folders that are made for the lock are removed if nothing came of them."""
    missing = [folder for folder in path.parents if not folder.exists()]
    with naming(path):
        _make_folders(path.parent)
    for folder in reversed(missing):
        held.callback(_remove_empty, folder)
    lock = path.with_name(f".{path.name}.lock")
    held.callback(os.close, _locked(lock, path))
    held.callback(lock.unlink, missing_ok=True)  # before it is let go: who waits for this file finds it without a name


def _make_folders(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:  # what is there is no folder
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), error.filename) from None


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _locked(lock: Path, path: Path) -> int:
    """Return the handle of a locked file that has the name of the lock."""
    while True:
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(handle).st_ino == os.stat(lock).st_ino:
                return handle
        except FileNotFoundError:
            pass  # its last holder has just removed it
        except OSError as error:
            os.close(handle)
            if isinstance(error, BlockingIOError):
                raise OSError(errno.EBUSY, ANOTHER_RUN, str(path)) from None
            raise OSError(error.errno, error.strerror, str(path)) from None
        os.close(handle)


def folder_asides(folder: Path) -> tuple[Path, Path]:
    """Return where `atomic_folder` fills the next folder, and where the last one stands while they change places."""
    return folder.with_name(f".{folder.name}.part"), folder.with_name(f".{folder.name}.old")


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


def is_utf8(text: str) -> bool:
    """Say whether a text can be written in UTF-8: names of files may hold any bytes, JSON half a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
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


def _real(folder: Path) -> Path:
    return Path(os.path.realpath(folder)) if folder.is_symlink() else folder
