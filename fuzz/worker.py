"""Try one input under limits: seconds of the processor, memory, and what may be raised."""

from __future__ import annotations

import io
import os
import resource
import shutil
import signal
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import pyarrow as pa

from fuzz.target import Broken, Files, Target
from overproof.errors import OverproofError

SECONDS = 10  # of the processor, for one input
MEMORY = 400 << 20  # bytes that one input may add to what the process holds
ADDRESSES = 6 << 30  # bytes of addresses that a process may have at all
LONGEST_MESSAGE = 6000


class TooLong(BaseException):
    """An input took more than its seconds; no handler of the program's takes it for an error of its own."""


@dataclass(frozen=True)
class Finding:
    """What is wrong with what the program made of an input.

    Attributes
    ----------
    target
        The target's name.
    number
        The input's number; with the run's seed it makes the input again.
    kind
        `traceback`, `invariant`, `message`, `hang`, `memory` or `crash`.
    place
        Where in the program, and what: findings of one place are one finding.
    detail
        More of it.
    """

    target: str
    number: int
    kind: str
    place: str
    detail: str


def limited() -> None:
    """Limit the addresses that this process may have; what it raises for want of them is one of the findings.

    Its libraries get no threads of their own: there is a process for each core.
    """
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    pa.set_cpu_count(1)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(
        resource.RLIMIT_AS, (ADDRESSES if hard == resource.RLIM_INFINITY else min(ADDRESSES, hard), hard)
    )


def _too_long(_: int, frame: FrameType | None) -> None:
    raise TooLong


def tried(target: Target, files: Files, number: int = 0) -> Finding | None:
    """Try one input; returns what is wrong, or None."""
    before = _peak()
    found: tuple[str, str, str] | None = None
    printed = io.StringIO()
    with _folder() as folder, warnings.catch_warnings(), redirect_stdout(printed):
        warnings.simplefilter("ignore")  # they say what numbers are none, and the program does so too
        try:
            with _timed():
                target.run(files, folder)
        except OverproofError as error:
            found = _message(str(error))
        except Broken as error:
            found = ("invariant", str(error).partition(":")[0], str(error))
        except TooLong as error:
            found = ("hang", _place(error), f"more than {SECONDS} seconds of the processor\n{_trace(error)}")
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # panics of libraries and SystemExit too
            found = ("traceback", f"{type(error).__name__} {_place(error)}", _trace(error))
    grown = _peak() - before
    if found is None and printed.getvalue():
        found = ("invariant", "prints where verdicts go", printed.getvalue()[:3000])
    if found is None and grown > MEMORY:
        found = ("memory", "more than the limit", f"{grown >> 20} MB more than before")
    return None if found is None else Finding(target.name, number, *found)


def _message(text: str) -> tuple[str, str, str] | None:
    """A refusal is one line that can be read."""
    if "\n" in text or len(text) > LONGEST_MESSAGE or not text:
        return "message", f"of {(len(text) > LONGEST_MESSAGE and 'many characters') or 'several lines'}", text[:3000]
    return None


@contextmanager
def _folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    path = Path(tempfile.mkdtemp(prefix="fuzz-", dir=memory if memory.is_dir() else None))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _timed() -> Iterator[None]:
    before = signal.signal(signal.SIGPROF, _too_long)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _peak() -> int:
    """The most memory that this process held since it was last asked, in bytes; Linux forgets it on demand."""
    with open("/proc/self/status", "rb") as file:
        peak = next((int(line.split()[1]) << 10 for line in file if line.startswith(b"VmHWM")), 0)
    with open("/proc/self/clear_refs", "wb", buffering=0) as file:
        file.write(b"5")
    return peak


def _place(error: BaseException) -> str:
    """The innermost line of the program's own code, without its number: a finding is of a function."""
    own = [
        frame for frame in traceback.extract_tb(error.__traceback__) if f"{os.sep}overproof{os.sep}" in frame.filename
    ]
    if not own:
        own = traceback.extract_tb(error.__traceback__)[-1:]
    return f"{Path(own[-1].filename).name} {own[-1].name}" if own else "?"


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-3000:]
