"""Open where verdicts go: aside and then renamed, with a journal; or straight to a stream or a followed file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from overproof.errors import InputError
from overproof.events.sources import Reading
from overproof.files import ends_as_folder, regular_target, remove, results
from overproof.inference.cascade import Cascade
from overproof.inference.exceptions import Rule
from overproof.inference.sinks import About, Writer, sink_for
from overproof.inference.sinks.families import TECHNIQUES, Technique
from overproof.inference.sinks.verdict_batch import Verdict
from overproof.inference.stream.journal import Journal, Mark
from overproof.interrupts import together
from overproof.version import __version__

STREAM = "-"
END = 1024  # bytes by which an output that is appended to is known again


@dataclass(frozen=True)
class Request:
    """What is to be judged, and what is wanted of it.

    Attributes
    ----------
    paths
        Files of events; `-` is standard input.
    out
        Where the verdicts go; `-` is standard output.
    to
        A key of `sinks.SINKS`; None goes by the output's extension.
    reading
        How the files become events.
    follow
        Go on reading as the files grow.
    min_severity
        Verdicts below it are counted, not written (1 to 5, see `sinks.severity`).
    top
        Only so many of the gravest verdicts are written, the gravest first; None writes all.
    group_similar
        Give alerts that resemble each other the same group.
    group_campaigns
        Seconds within which the alerts of one source and family are one finding; None writes each alert.
    with_text
        Keep the event's text in the verdict.
    explain
        Tell the spans of each alert that carried its verdict; None does so of some alerts of each batch
        (`explaining.MOST_EXPLAINED`), where the form is for analysts (`sinks.Sink.for_analysts`).
    techniques
        Families whose technique of ATT&CK is another than the one in `sinks.families.TECHNIQUES`.
    exceptions
        Rules that silence alerts.
    """

    paths: tuple[str, ...]
    out: str = STREAM
    to: str | None = None
    reading: Reading = field(default_factory=Reading)
    follow: bool = False
    min_severity: int = 1
    top: int | None = None
    group_similar: bool = False
    group_campaigns: int | None = None
    with_text: bool = False
    explain: bool | None = None
    techniques: Mapping[str, Technique | None] = field(default_factory=dict)
    exceptions: tuple[Rule, ...] = ()

    @property
    def explained(self) -> bool:
        """Whether alerts are explained."""
        return self.for_analysts if self.explain is None else self.explain

    @property
    def for_analysts(self) -> bool:
        """Whether analysts read the form: an alert has an excerpt of its text."""
        return sink_for(self.to, self.out).for_analysts

    @property
    def texts(self) -> bool:
        """Whether verdicts keep the event's text on their way to the output."""
        return self.with_text or sink_for(self.to, self.out).with_text


@dataclass(frozen=True)
class Output:
    """An opened output.

    Attributes
    ----------
    writer
        Takes the verdicts.
    journal
        Remembers how far it came; None where a run cannot be repeated, since its input or output is a stream.
    mark
        Where an earlier run was broken off; None at the start.
    appended
        The file that verdicts are appended to; None where they are written aside, or into a stream.
    """

    writer: Writer
    journal: Journal | None = None
    mark: Mark | None = None
    appended: Path | None = None

    def write(self, verdicts: Iterable[Verdict]) -> None:
        """Write verdicts, in order."""
        self.writer.write(verdicts)

    def remember(self, **mark: Any) -> None:
        """Make what was written durable, and a mark of it."""
        offset = self.writer.flush()
        if self.journal is not None:
            end = _end(self.appended, offset) if self.appended else ""
            self.journal.save(Mark(offset=offset, end=end, **mark))


@contextmanager
def open_output(request: Request, cascade: Cascade) -> Iterator[Output]:
    """Open the output of a request; it gets its name when the block ends well.

    Raises
    ------
    InputError
        If it cannot be written to, or not in that form.
    """
    sink = sink_for(request.to, request.out)
    if request.out != STREAM and (ends_as_folder(request.out) or Path(request.out).is_dir()):
        raise InputError(f"{request.out}: a folder; expected a file to write the verdicts to")
    known = {**TECHNIQUES, **request.techniques}
    about = About(__version__, tuple(cascade.student.manifest.benign), cascade.models, techniques=known)
    target = None if request.out == STREAM else regular_target(Path(request.out))
    if target is None:
        with closing(sink.stream(results().buffer if request.out == STREAM else request.out, about)) as writer:
            yield Output(writer)
            writer.flush()
        return
    if request.follow:
        with _appended(target, request, lambda: sink.stream(str(target), about)) as output:
            yield output
        return
    aside = target.with_name(f".{target.name}.part")
    journal, done = Journal(target, _job(request, cascade)), False
    try:
        repeatable = _is_repeatable(request)
        mark = journal.load() if repeatable else None
        if mark is not None and not sink.holds(aside, mark.offset):
            mark = None
        writer = sink.open(aside, 0 if mark is None else mark.offset, about)
        try:
            yield Output(writer, journal if repeatable else None, mark)
            with together():
                writer.finish(target)
                done = True
        finally:
            writer.close()
    finally:
        if not done and not journal.path.exists():
            remove(aside)  # from which no run could go on
        journal.close(done=done)


@contextmanager
def _appended(target: Path, request: Request, opened: Callable[[], Writer]) -> Iterator[Output]:
    """Open an output that has no end of its own; what stands behind the last mark is cut off and judged again."""
    journal = Journal(target, {"follow": 1}, "positions")
    try:
        kept = journal if _is_repeatable(request) else None
        mark = None if kept is None else kept.load()
        if mark is None and kept is not None and kept.path.exists():
            raise InputError(f"{kept.path}: not what a run has written; remove it to begin anew")
        if mark is not None and target.is_file() and _end(target, mark.offset) == mark.end:
            os.truncate(target, mark.offset)
        with closing(opened()) as writer:
            yield Output(writer, kept, mark, target)
            writer.flush()
    finally:
        journal.close(done=False)


def _is_repeatable(request: Request) -> bool:
    """Tell whether the inputs can be read again: files that are there, or will be."""
    return all(path != STREAM and (Path(path).is_file() or not Path(path).exists()) for path in request.paths)


def _content(path: str) -> str:
    """Hash a file of events: size and time say nothing of its content, and change where that does not."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""  # reading says what is wrong with it


def _end(path: Path, offset: int) -> str:
    """Hash the last bytes of a file before an offset; another hash than any where the file is shorter."""
    length = min(offset, END)
    with path.open("rb") as file:
        file.seek(offset - length)
        found = file.read(length)
    return hashlib.sha256(found).hexdigest() if len(found) == length else "shorter"


def _job(request: Request, cascade: Cascade) -> dict[str, Any]:
    """Return whatever must be the same for a broken-off run to be taken up."""
    inputs = [_content(path) for path in request.paths] if _is_repeatable(request) else []
    return {
        "overproof": __version__,
        "request": asdict(request),
        "policy": asdict(cascade.policy),
        "models": cascade.models,
        "inputs": inputs,
    }
