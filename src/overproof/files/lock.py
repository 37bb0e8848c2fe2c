"""Hold a file or folder, so that one run at a time writes there."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from overproof.files.handles import naming
from overproof.files.names import real
from overproof.interrupts import together

ANOTHER_RUN = "another run is writing there"

_held: Counter[tuple[int, Path]] = Counter()  # by thread: a job holds its output while parts of it write there


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
    path = Path(os.path.abspath(real(path)))
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
        held.callback(remove_empty, folder)
    lock = path.with_name(f".{path.name}.lock")
    held.callback(os.close, _locked(lock, path))
    held.callback(lock.unlink, missing_ok=True)  # before it is let go: who waits for this file finds it without a name


def _make_folders(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:  # what is there is no folder
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), error.filename) from None


def remove_empty(folder: Path) -> None:
    """Remove a folder, unless something is in it."""
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
