"""The streaming loop: source → student → cascade → sink. Read this file first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pyarrow as pa

from overproof.errors import BundleError
from overproof.events.sources import Rejects, read_events
from overproof.events.sources.interface import OnSkip
from overproof.inference.cascade import Cascade
from overproof.inference.cascade.policy import novel
from overproof.inference.engines import Engine, Scored, in_process
from overproof.inference.similarity.groups import Groups
from overproof.inference.sinks import severity
from overproof.inference.stream.output import Output, Request, open_output
from overproof.inference.stream.records import Verdict, completed, families
from overproof.inference.stream.summary import Summary, Tally
from overproof.inference.stream.top import Top
from overproof.progress import SILENT, Console

CHECKPOINT_SECONDS = 5.0


def triage(
    cascade: Cascade,
    request: Request,
    *,
    engine: Engine | None = None,
    elsewhere: Callable[[OnSkip], Iterator[Scored]] | None = None,
    rejects: Rejects | None = None,
    stop: Callable[[], bool] = lambda: False,
    console: Console = SILENT,
) -> Summary:
    """Judge every event of the request and write the verdicts in the order of the events.

    Memory does not grow with the input. A run into a file is written aside and remembered every few seconds: started
    again after a kill, it goes on where it stood. What cannot become an event is counted by reason in `rejects`.

    Parameters
    ----------
    engine
        Who scores; this process if it is not given.
    elsewhere
        Who reads and scores in one, in place of an engine: a cluster (`engines.ray.ray_scored`).
    stop
        Asked now and then while files are followed; True ends the run.

    Raises
    ------
    InputError
        Events, options or outputs that cannot be used.
    BundleError
        If alerts are to be grouped and the model gives no embedding.
    FullDown
        If the full model does not answer and the policy is to fail.
    """
    if request.group_similar and cascade.student.hidden is None:
        raise BundleError("--group-similar: the bundle's model gives no embedding: compress it again")
    started = time.perf_counter()
    skipped = rejects or Rejects()
    with open_output(request, cascade) as output:
        resumed = output.mark.events if output.mark else 0
        if resumed:
            console.say(f"{request.out}: going on after the {resumed:,} events that are judged already")
        state = _State(cascade, request, output)
        if elsewhere is None:
            batches = (batch for batch in _read(request, skipped, stop) if state.is_new(batch.num_rows))
            scored = (engine or in_process(cascade.student))(batches)
        else:
            scored = (pair for pair in elsewhere(skipped) if state.is_new(pair[0].num_rows))
        with closing(scored), console.progress("events", 0) as advance:  # type: ignore[type-var]
            last = time.monotonic()
            for batch, scores in scored:
                state.judge(batch, scores)
                advance(batch.num_rows)
                if time.monotonic() - last >= CHECKPOINT_SECONDS or request.follow:
                    state.remember()
                    last = time.monotonic()
        state.finish()
    return Summary(
        tally=state.tally,
        rejected=skipped.summary(),
        groups=None if state.groups is None else state.groups.count,
        resumed=resumed,
        seconds=time.perf_counter() - started,
        basis=cascade.policy.basis,
        models=cascade.models,
        out=request.out,
    )


class _State:
    """What a run carries from batch to batch, all of which a mark remembers."""

    def __init__(self, cascade: Cascade, request: Request, output: Output) -> None:
        mark = output.mark
        self._cascade, self._request, self._output = cascade, request, output
        self.tally = Tally() if mark is None else Tally.from_json(mark.tally)
        self.top = None if request.top is None else Top(request.top, mark.top if mark and mark.top else [])
        self.groups: Groups | None = None
        if request.group_similar:
            self.groups = Groups() if mark is None or mark.groups is None else Groups.from_json(mark.groups)
        self._known = 0 if mark is None else mark.events
        if mark is not None:
            cascade.bucket.level = mark.tokens

    def is_new(self, events: int) -> bool:
        """Whether the next batch was not judged yet: marks lie between batches, which are read alike each time."""
        self._known -= events
        return self._known < 0

    def judge(self, batch: pa.RecordBatch, scores: Any) -> None:
        """One batch, from scores to what is written."""
        texts: list[str] = batch.column("text").to_pylist()
        verdicts = list(completed(batch, self._cascade.settle(texts, scores), with_text=self._request.with_text))
        if self.groups is not None:
            self._group(verdicts, texts)
        self.tally.novel += int(novel(scores, self._cascade.policy).sum())
        known = families(batch)
        wanted = []
        for i, verdict in enumerate(verdicts):
            grave = severity.of(verdict, self._cascade.student.manifest.benign)
            self.tally.add(verdict, severity.NAMES[grave], known.get(i))
            if grave >= self._request.min_severity:
                wanted.append(verdict)
        if self.top is not None:
            self.top.add(wanted)
        else:
            self._write(wanted)

    def _group(self, verdicts: list[Verdict], texts: list[str]) -> None:
        """Alerts alone are grouped: what is benign resembles everything."""
        assert self.groups is not None
        benign = self._cascade.student.manifest.benign
        alerts = [i for i, verdict in enumerate(verdicts) if verdict["label"] not in benign]
        if alerts:
            of = [texts[i] for i in alerts]
            for i, group in zip(alerts, self.groups.assign(self._cascade.student.embed(of), of), strict=True):
                verdicts[i]["group"] = group

    def _write(self, verdicts: list[Verdict]) -> None:
        self._output.write(verdicts)
        self.tally.written += len(verdicts)

    def remember(self) -> None:
        """Make everything up to here durable."""
        self._output.remember(
            events=self.tally.events,
            tokens=self._cascade.bucket.level,
            tally=self.tally.to_json(),
            groups=None if self.groups is None else self.groups.to_json(),
            top=None if self.top is None else self.top.kept(),
        )

    def finish(self) -> None:
        """Write what was kept to the end."""
        if self.top is not None:
            self._write(self.top.kept())


def _read(request: Request, skipped: OnSkip, stop: Callable[[], bool]) -> Iterator[pa.RecordBatch]:
    return read_events(
        list(request.paths),
        columns=request.columns,
        format=request.format,
        on_skip=skipped,
        follow=request.follow,
        stop=stop,
    )
