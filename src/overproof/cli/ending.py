"""End a command: what went wrong becomes words on stderr, and an exit code."""

from __future__ import annotations

import errno
import gc
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

import typer

from overproof.errors import ExitCode, OverproofError
from overproof.files import OUTPUT, results
from overproof.interrupts import Ended
from overproof.progress import one_line, printable

# What ails the machine, whatever was given to the program; reading a file meets these too.
MACHINE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.ENOMEM,
    errno.EMFILE,
    errno.ENFILE,
}
# What is wrong with a name that was given; of any other error of the system the input is not to blame.
NAMES = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.ENXIO,
    errno.EBUSY,  # another run is writing there
    errno.EADDRINUSE,
    errno.EADDRNOTAVAIL,
    errno.EBADF,  # an open file, such as /dev/stdin, that cannot be written to
}
NO_MEMORY = ("failed to map segment from shared object", "can't start new thread")  # as ld.so and threading say it
REPORT_IT = "the program failed where the lines above say; unless disk or memory ran out, please report them"


def exit_code_of(run: Callable[[], object]) -> int:
    """Run a command to its end; whatever happens is told on stderr and becomes an exit code, never an exception.

    But for SIGTERM and SIGHUP, if they are handled (`clean_up_at_signals`): then the process ends by them after all.
    """
    ended = None
    try:
        code = _finished(run)
    except Ended as came:
        ended, code = came.args[0], ExitCode.INTERRUPTED
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except Exception as error:
        code = _code_of(error)
        with suppress(OSError):  # standard error may be what is full, or gone
            _tell(error)
    if code == ExitCode.INTERRUPTED:
        gc.collect()  # ends what was just being entered when the signal came: its clean-up is a generator's
    for stream in (results(), sys.stderr):
        _let_go(stream)
    if ended is not None:
        signal.raise_signal(ended)
    return code


def _finished(run: Callable[[], object]) -> int:
    """Run it, and pass on what it printed: that a disk is full may show no earlier."""
    code: int = ExitCode.HOLDS
    try:
        run()
    except typer.Exit as end:
        code = end.exit_code
    if (output := results()) is not None:
        output.flush()
    return code


def _code_of(error: Exception) -> int:
    if isinstance(error, OverproofError):
        return ExitCode.FAILED if _machine_failed(error) else error.exit_code
    if isinstance(error, OSError):
        if error.errno == errno.EPIPE:
            return ExitCode.BROKEN_PIPE
        if _output_closed(error):
            return ExitCode.UNUSABLE
        return ExitCode.UNUSABLE if error.errno in NAMES else ExitCode.FAILED
    unusable = _is_usage(error) or _missing(error) is not None
    return ExitCode.UNUSABLE if unusable else ExitCode.FAILED


def _tell(error: Exception) -> None:
    """Say what went wrong in one line, after the traceback where the program may be to blame."""
    if _is_usage(error):
        usage = io.StringIO()
        error.show(file=usage)  # type: ignore[attr-defined]
        typer.echo(printable(usage.getvalue()), err=True, nl=False)
        return
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        return  # who had enough needs no word
    words = _words(error)
    if words is None:
        lines = "".join(traceback.format_exception(error))
        words = f"{type(error).__name__}: {error}: {REPORT_IT}"
        typer.echo(printable(lines), err=True, nl=False)
    typer.echo(f"error: {printable(words)}", err=True)


def _words(error: Exception) -> str | None:
    """Return what is to be said of an error that explains itself; None of any other."""
    if isinstance(error, OverproofError):
        first, *more = map(str, error.args) if error.args else ("",)
        return "\n".join([one_line(first), *more])  # what it quotes, such as a file's name, may hold any characters
    if isinstance(error, OSError):
        if _output_closed(error):
            return "standard output is closed; expected one that can be written to"
        where = error.filename or ("" if _has_folder() else "the working folder")
        return f"{one_line(os.fsdecode(where))}: {error.strerror or error}" if where else str(error.strerror or error)
    if (package := _missing(error)) is not None:
        return f"the package {package} is not installed"
    if isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY):
        return f"not enough memory{f' ({one_line(str(error))})' if str(error) else ''}"
    return None


def _has_folder() -> bool:
    """Say whether the folder that the command was started in is still there."""
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def _output_closed(error: OSError) -> bool:
    return error.errno == errno.EBADF and error.filename in (None, OUTPUT)


def _missing(error: Exception) -> str | None:
    """Return the package that is not installed; None if that is not what is wrong: a module of ours is there."""
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    return None if name is None or name.partition(".")[0] == "overproof" else name


def _is_usage(error: Exception) -> bool:
    """Say whether it is typer's own, of an option or argument; its class has no public name."""
    return hasattr(error, "show") and hasattr(error, "format_message")


def _machine_failed(error: BaseException | None) -> bool:
    """Say whether an error of ours is but the wording of the machine's: who reads a file may meet EIO."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in MACHINE:
            return True
        error = error.__cause__ or error.__context__
    return False


def _let_go(stream: TextIO | None) -> None:
    """Flush a stream; what it cannot pass on goes nowhere, since at exit the interpreter would try again and say so."""
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
