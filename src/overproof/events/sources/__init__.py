"""Read events from files and standard input, in any known format, as Arrow batches of one schema.

`FORMATS` is the whole list of formats; one module each.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from overproof.errors import InputError
from overproof.events.schema import Skipped
from overproof.events.sources import containers, documents, envelopes
from overproof.events.sources.accesslog import read_accesslog
from overproof.events.sources.auditd import read_auditd
from overproof.events.sources.batch import NOTHING_YET
from overproof.events.sources.carried import read_cef, read_syslog
from overproof.events.sources.cloud import read_cloud
from overproof.events.sources.csv import read_csv
from overproof.events.sources.detect import detect, inside_container
from overproof.events.sources.follow import POLL, Followed, Progress, Resume, key_of
from overproof.events.sources.interface import Columns, Input, OnSkip, Reading, ReadOptions, Source
from overproof.events.sources.join import join_batches
from overproof.events.sources.journald import read_journald
from overproof.events.sources.jsonl import read_jsonl
from overproof.events.sources.lines import filled_lines, read_lines
from overproof.events.sources.osquery import read_osquery
from overproof.events.sources.parquet import read_parquet
from overproof.events.sources.rejects import Rejects
from overproof.events.sources.stream import open_input
from overproof.events.sources.suricata import read_suricata
from overproof.events.sources.w3c import read_w3c
from overproof.events.sources.windows import read_evtx, read_windows
from overproof.events.sources.zeek import read_zeek

__all__ = ["FORMATS", "Columns", "Reading", "Rejects", "load_events", "read_events"]


def _read_pcap(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read a capture; what it needs is optional, and imported when the first one is read."""
    from overproof.events.sources.pcap import read_pcap

    capture = replace(source, blocks=filter(None, source.blocks))  # a capture has no lines to wait between
    yield from read_pcap(capture, options)


def _read_modsecurity(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read an audit log; its requests are written as captures' are, whose reader is imported with the first one."""
    from overproof.events.sources.modsecurity.audit import read_modsecurity

    yield from read_modsecurity(source, options)


def _read_container(
    source: Input,
    options: ReadOptions,
    *,
    record: containers.Parse,
    divided: containers.Divided = filled_lines,
    envelopes: bool = False,
) -> Iterator[pa.RecordBatch]:
    """Read what a container wrote, or an envelope holds, in the format that its lines have."""
    unwrapped = containers.Unwrapped(source, options, record, divided)
    for inside in unwrapped.inputs():
        if inside is None:
            yield NOTHING_YET
            continue
        format = inside_container(inside.head, options.columns, envelopes=envelopes)
        for batch in FORMATS[format](inside, unwrapped.options):
            yield unwrapped.placed(batch)


FORMATS: dict[str, Source] = {
    "csv": read_csv,
    "tsv": partial(read_csv, delimiter="\t"),
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    "lines": read_lines,
    "accesslog": read_accesslog,
    "zeek": read_zeek,
    "suricata": read_suricata,
    "w3c": read_w3c,
    "syslog": read_syslog,
    "cef": read_cef,
    "auditd": read_auditd,
    "journald": read_journald,
    "windows": read_windows,
    "osquery": read_osquery,
    "cloud": read_cloud,
    "modsecurity": _read_modsecurity,
    "evtx": read_evtx,
    "cri": partial(_read_container, record=containers.cri),
    "docker": partial(_read_container, record=containers.docker),
    "envelope": partial(_read_container, record=envelopes.unwrapped),
    "fluentd": partial(_read_container, record=containers.fluentd, envelopes=True),
    "json": partial(_read_container, record=documents.record, divided=documents.documents, envelopes=True),
    "pcap": _read_pcap,
}

_NOT_FOLLOWED = {"parquet", "pcap", "evtx"}

Paths = str | Path | Sequence[str | Path]


def read_events(
    paths: Paths,
    *,
    columns: Columns | None = None,
    format: str = "auto",
    on_skip: OnSkip,
    batch_rows: int = 2048,
    extra: bool = True,
    follow: bool = False,
    stop: Callable[[], bool] = lambda: False,
    resume: Resume | None = None,
) -> Iterator[pa.RecordBatch]:
    """Stream events from files, in their order; memory stays flat on any length.

    What comes through a pipe is not held back until a batch is full.

    Parameters
    ----------
    paths
        Files; `-` is standard input. gzip and zstd are seen through.
    columns
        Which columns hold what; None looks for the usual names.
    format
        A key of `FORMATS`, or `auto`: by the content where that is decisive, else by the extension.
    on_skip
        Called with every record that could not become an event.
    batch_rows
        The most events in one batch.
    extra
        Whether the input's other columns follow those of `SCHEMA`.
    follow
        Go on reading as the files grow, all at the same time, also when they are rotated; a file that is not there
        yet is waited for.
    stop
        Asked now and then while files are followed; once True, what was written by then is read and reading ends.
    resume
        Where an earlier run that followed them left off. Each batch then holds a note of how far it is read with it
        (`follow.NOTE`, in the schema's metadata), apart from what ends a file that may still go on.

    Yields
    ------
    pa.RecordBatch
        Columns of `SCHEMA`, then the others; the schema's metadata says the `format` that was read. `origin` is
        `file:line` (parquet: `file:row`).

    Raises
    ------
    InputError
        If a file cannot be read, lacks a needed column, or holds no usable event (unless it is followed).
    """
    if format != "auto" and format not in FORMATS:
        raise InputError(f"format {format!r}: expected auto or one of {', '.join(FORMATS)}")
    files = [paths] if isinstance(paths, str | Path) else paths
    options = ReadOptions(on_skip=on_skip, columns=columns or Columns(), batch_rows=batch_rows, extra=extra)
    if follow:
        progress = None if resume is None else Progress(resume)
        yield from _interleaved([_follow_one(path, format, options, stop, progress) for path in files])
    else:
        for path in files:
            yield from _read_one(path, format, options)


def load_events(
    paths: Paths, *, columns: Columns | None = None, format: str = "auto", rejects: Rejects | None = None
) -> pa.Table:
    """Load whole files of events into one table, with all their columns.

    Parameters
    ----------
    paths, columns, format
        As for `read_events`.
    rejects
        Receives the records that could not become events. Without it a warning counts them.

    Raises
    ------
    InputError
        As for `read_events`; also if there are no files, or they disagree on the type of a column.
    """
    skipped = Rejects() if rejects is None else rejects
    batches = list(read_events(paths, columns=columns, format=format, on_skip=skipped, batch_rows=1 << 16))
    if not batches:
        raise InputError("no files of events were given")
    if rejects is None and skipped.total:
        warnings.warn(f"records of the events: {skipped}", stacklevel=2)
    return join_batches(batches)


def _read_one(path: str | Path, format: str, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read a file to its end; one without any usable event is an error that lists why."""
    reasons: Counter[str] = Counter()

    def count(skipped: Skipped) -> None:
        reasons[skipped.reason] += 1
        options.on_skip(skipped)

    with open_input(path) as source:
        usable = 0
        for batch in _batches(source, _format_of(source, format, options), replace(options, on_skip=count)):
            usable += batch.num_rows
            if batch.num_rows:
                yield batch
    if not usable:
        why = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common(10))
        raise InputError(f"{source.name}: no usable event: {why or 'it holds no records'}")


def _follow_one(
    path: str | Path, format: str, options: ReadOptions, stop: Callable[[], bool], progress: Progress | None
) -> Iterator[pa.RecordBatch]:
    """Read all files that a path comes to name; yield an empty batch where there is nothing more for now."""
    key = key_of(path)
    before = None if progress is None else progress.before(key)
    for opened in Followed(path, stop, options.on_skip, before).inputs():
        if opened is None:
            yield NOTHING_YET
            continue
        source, file, before = opened
        read_as = before.format if before else _format_of(source, format, options)
        format = read_as if format == "auto" else format  # the first file decides for those that follow it
        if read_as in _NOT_FOLLOWED:
            raise InputError(f"{source.name}: {read_as} cannot be followed; expected lines of any kind")
        counting = options.on_skip if progress is None else progress.counting(key, file.number, options.on_skip)
        given, events = before.events if before else 0, 0
        for batch in _batches(source, read_as, replace(options, on_skip=counting)):
            first = min(batch.num_rows, max(0, given - events))  # what stands before was given on by an earlier run
            events += batch.num_rows
            if first and first == batch.num_rows:
                continue
            batch = batch.slice(first)
            if batch.num_rows and progress is not None and file.repeats and not file.left_open:
                batch = progress.noted(batch, key, file.position(read_as, events))
            yield batch


def _format_of(source: Input, format: str, options: ReadOptions) -> str:
    return detect(source, options.columns) if format == "auto" else format


def _batches(source: Input, format: str, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read one input, its batches marked with its format; an empty one where there is nothing more for now."""
    mark = {b"format": format.encode()}
    for batch in FORMATS[format](source, options):
        yield batch.replace_schema_metadata(mark)


def _interleaved(streams: list[Iterator[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
    """Take a batch of each stream in turn; sleep where no stream has any."""
    while streams:
        idle = True
        for stream in list(streams):
            batch = next(stream, None)
            if batch is None:
                streams.remove(stream)
            elif batch.num_rows:
                idle = False
                yield batch
        if idle and streams:
            time.sleep(POLL)
