"""Run the streaming loop: source → student → cascade → sink. Read this file first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from overproof.bundle.scores import Scores
from overproof.errors import BundleError
from overproof.events.schema import overflowed
from overproof.events.sources import Rejects, read_events
from overproof.events.sources.interface import OnSkip
from overproof.files import results
from overproof.inference.cascade import Cascade, PromiseStatus
from overproof.inference.cascade.policy import out_of_distribution
from overproof.inference.engines import Engine, Scored, in_process
from overproof.inference.engines.interface import texts_of
from overproof.inference.exceptions import Silencer
from overproof.inference.similarity.groups import Groups
from overproof.inference.sinks import VerdictBatch, severity
from overproof.inference.sinks.fields import is_alert
from overproof.inference.sinks.verdict_batch import Verdict
from overproof.inference.stream.campaigns import Campaigns
from overproof.inference.stream.excepting import silenced
from overproof.inference.stream.explaining import MOST_EXPLAINED, alerts_of, explained
from overproof.inference.stream.following import Following
from overproof.inference.stream.output import STREAM, Output, Request, open_output
from overproof.inference.stream.summary import Summary, Tally
from overproof.inference.stream.top import Top
from overproof.progress import SILENT, Advance, Console

CHECKPOINT_SECONDS = 5.0
FOLLOWED_SECONDS, FULL = 1.0, 2048  # of files that are followed: also with each batch that is all there is for now


@dataclass(frozen=True)
class RunContext:
    """What a run reports to, and what ends it.

    Attributes
    ----------
    rejects
        Counts, by reason, what cannot become an event.
    stop
        Asked now and then while files are followed; True ends the run.
    console
        Where progress is shown.
    opening
        Said there once all is written, or, where files are followed, the first verdicts: a mistake is the only line.
    """

    rejects: Rejects = field(default_factory=Rejects)
    stop: Callable[[], bool] = lambda: False
    console: Console = SILENT
    opening: str = ""


def triage(
    cascade: Cascade,
    request: Request,
    *,
    engine: Engine | None = None,
    elsewhere: Callable[[OnSkip], Iterator[Scored]] | None = None,
    context: RunContext | None = None,
) -> Summary:
    """Judge every event of the request and write the verdicts in the order of the events.

    Memory does not grow with the input. A run into a file is written aside and remembered every few seconds: started
    again after a kill, it goes on where it stood.

    Parameters
    ----------
    engine
        Who scores; this process if it is not given.
    elsewhere
        Who reads and scores in one, in place of an engine: a cluster (`engines.ray.ray_scored`).
    context
        What the run reports to, and what ends it.

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
    context = context or RunContext()
    with open_output(request, cascade) as output:
        resumed = output.mark.events if output.mark else 0
        if resumed:
            judged = f"the {resumed:,} events that are judged already"
            context.console.say(f"{request.out}: going on after {judged}{_kept_in(output)}")
        following = Following(output, context.rejects, cascade.models, request.paths) if output.appended else None
        on_screen = request.out == STREAM and results().isatty()
        state = _State(cascade, request, output, following, context.console.aside if on_screen else nullcontext)
        if following is not None:
            state.remember()  # before anything is written that a kill might leave
        if elsewhere is None:
            asked = _Asked(context.stop, state.expire)
            read = _read(request, replace(context, stop=asked), following)
            batches = (batch for batch in read if state.is_new(batch.num_rows))
            scored = (engine or in_process(cascade.student))(batches)
        else:
            scored = (pair for pair in elsewhere(context.rejects) if state.is_new(pair[0].num_rows))
        with closing(scored), context.console.progress("events", 0) as advance:  # type: ignore[type-var]
            _judge_all(scored, state, context, advance)
        state.finish()
    if context.opening and not request.follow:
        context.console.say(context.opening)  # once all is written: what fails says one line, the error
    return Summary(
        tally=state.tally,
        rejected=context.rejects.summary(),
        groups=None if state.groups is None else state.groups.count,
        resumed=resumed,
        seconds=time.perf_counter() - started,
        basis=cascade.policy.basis,
        promise=cascade.policy.promise,
        models=cascade.models,
        out=request.out,
        min_severity=request.min_severity,
    )


@dataclass
class _Asked:
    """Asked now and then while files are followed: whether the run is to end, and whether a window has."""

    stop: Callable[[], bool]
    expire: Callable[[], None]

    def __call__(self) -> bool:
        self.expire()
        return self.stop()


def _judge_all(scored: Iterator[Scored], state: _State, context: RunContext, advance: Advance) -> None:
    opening = context.opening
    last = time.monotonic()
    for batch, scores in scored:
        stood = state.promised
        state.take(batch, scores)
        if opening and state.followed:
            context.console.say(opening)  # now, since a run that follows files has no end
            opening = ""
        advance(batch.num_rows)
        now = state.promised
        if now is not None and stood is not None and now.status != stood.status:
            context.console.say(f"promise {now.message}")  # now, since a run that follows files has no end
        waited = time.monotonic() - last
        if waited >= CHECKPOINT_SECONDS or (state.followed and (waited >= FOLLOWED_SECONDS or batch.num_rows < FULL)):
            state.remember()
            last = time.monotonic()


class _State:
    """What a run carries from batch to batch, all of which a mark remembers."""

    def __init__(
        self,
        cascade: Cascade,
        request: Request,
        output: Output,
        following: Following | None,
        aside: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        mark = output.mark
        self._following, self._aside = following, aside
        self._cascade, self._request, self._output = cascade, request, output
        self.tally = Tally() if mark is None else Tally.from_json(mark.tally)
        kept = mark.top if mark and mark.top else []
        self.top = None if request.top is None else Top(request.top, cascade.student.manifest.benign, kept)
        self.groups: Groups | None = None
        if request.group_similar:
            known = mark is not None and mark.groups is not None and (following is None or following.same_models)
            self.groups = Groups.from_json(mark.groups) if known else Groups()  # type: ignore[union-attr, arg-type]
        self.campaigns: Campaigns | None = None
        if request.group_campaigns is not None:
            self.campaigns = Campaigns(request.group_campaigns, cascade.student.manifest.benign)
            self.campaigns.go_on(mark.campaigns or () if mark is not None else ())
        self._silencer = Silencer(request.exceptions, cascade) if request.exceptions else None
        self._busy = threading.RLock()  # windows close from wherever files are waited for, which may be a thread
        self._known = 0 if mark is None or following is not None else mark.events
        if mark is not None:
            cascade.bucket.level = dict(mark.tokens)
            if self.top is None and mark.top:
                self._write(mark.top)  # the run that kept them did not come to its end

    @property
    def followed(self) -> bool:
        """Whether the run follows files: it has no end to wait for."""
        return self._request.follow

    @property
    def promised(self) -> PromiseStatus | None:
        """What is left of the promise so far."""
        return self.tally.promised(self._cascade.policy.promise)

    def is_new(self, events: int) -> bool:
        """Return whether the next batch was not judged yet: marks lie between batches, read alike each time."""
        self._known -= events
        return self._known < 0

    def take(self, batch: pa.RecordBatch, scores: Scores) -> None:
        """Note how far a batch was read, and judge it."""
        with self._busy:
            if self._following is not None:
                self._following.add(batch)
            self.judge(batch, scores)

    def judge(self, batch: pa.RecordBatch, scores: Scores) -> None:
        """Judge one batch, from scores to what is written: what its source cut was not judged whole either."""
        scores = replace(scores, overflow=scores.overflow | overflowed(batch))
        decision = self._cascade.decide(scores)
        answers = self._cascade.ask(batch.column("text").take(pa.array(decision.escalated, pa.int64())).to_pylist())
        verdicts = self._cascade.columns(scores, decision, answers)
        excepted = self._silenced(VerdictBatch(batch, verdicts, np.arange(batch.num_rows)))
        severities = severity.severities(verdicts, self._cascade.student.manifest.benign, excepted)
        rows = np.flatnonzero(severities >= self._request.min_severity)
        judged = VerdictBatch(batch, verdicts, rows, self._request.texts, excepted=excepted)
        if self._request.for_analysts:
            alerts = alerts_of(judged, self._cascade.student.manifest.benign)
            judged = replace(judged, alerts=frozenset(alerts.tolist()))
        if self._request.explained:
            most = None if self._request.explain else MOST_EXPLAINED
            spans, others = explained(judged, severities, self._cascade, most)
            judged = replace(judged, spans=spans)
            self.tally.explain(len(spans), others)
        self.tally.foreign(judged.sources, out_of_distribution(scores, self._cascade.policy))
        self.tally.add(judged, severities)
        wanted = judged if self.groups is None else self._grouped(judged)
        if self.campaigns is None:
            self._give(wanted)
        else:
            self._collect(self.campaigns, wanted)

    def _silenced(self, judged: VerdictBatch) -> Mapping[int, str]:
        """Return which events a rule silences, and by which; count them."""
        if self._silencer is None:
            return {}
        outcome = silenced(judged, self._silencer, self._cascade.student.manifest.benign)
        self.tally.excepts(outcome)
        return outcome.silenced

    def _give(self, wanted: VerdictBatch | list[Verdict]) -> None:
        if self.top is not None:
            self.top.add(wanted)
        else:
            self._write(wanted)

    def _collect(self, campaigns: Campaigns, wanted: VerdictBatch | list[Verdict]) -> None:
        """Write what is no alert, and the campaigns that are over by now."""
        benign = self._cascade.student.manifest.benign
        if isinstance(wanted, VerdictBatch):
            rows = alerts_of(wanted, benign)
            self._give(replace(wanted, rows=np.setdiff1d(wanted.rows, rows)))
            alerts = list(replace(wanted, rows=rows))
        else:
            self._give([verdict for verdict in wanted if not is_alert(verdict, benign)])
            alerts = [verdict for verdict in wanted if is_alert(verdict, benign)]
        self._give_campaigns(campaigns.add(alerts))

    def _give_campaigns(self, findings: list[Verdict]) -> None:
        self.tally.campaign(findings)
        self._give(findings)

    def expire(self) -> None:
        """Write the campaigns whose window is over by the clock; no event need come for that."""
        with self._busy:
            findings = [] if self.campaigns is None else self.campaigns.expire()
            if findings:
                self._give_campaigns(findings)
                self.remember()

    def _grouped(self, judged: VerdictBatch) -> list[Verdict]:
        """Return the wanted verdicts as objects, each alert with its group."""
        verdicts = list(replace(judged, rows=np.arange(judged.events.num_rows)))
        self._group(verdicts, texts_of(judged.events))
        return [verdicts[i] for i in judged.rows.tolist()]

    def _group(self, verdicts: list[Verdict], texts: list[str]) -> None:
        """Group alerts alone: what is benign resembles everything, and what is no number resembles nothing."""
        assert self.groups is not None
        benign = self._cascade.student.manifest.benign
        alerts = [i for i, verdict in enumerate(verdicts) if is_alert(verdict, benign)]
        if alerts:
            embeddings = self._cascade.student.embed([texts[i] for i in alerts])
            finite = np.asarray(np.isfinite(embeddings).all(axis=1))
            alerts = [i for i, known in zip(alerts, finite, strict=True) if known]
            groups = self.groups.assign(embeddings[finite], [texts[i] for i in alerts])
            for i, group in zip(alerts, groups, strict=True):
                verdicts[i]["group"] = group

    def _write(self, verdicts: VerdictBatch | list[Verdict]) -> None:
        with self._aside() if len(verdicts) else nullcontext():
            self._output.write(verdicts)
        self.tally.written += len(verdicts)

    def remember(self) -> None:
        """Make everything up to here durable."""
        with self._busy:
            if self._following is not None and self._following.left_open:
                return  # what ends where its file goes on is judged again, whole, by the run that goes on
            self._output.remember(
                events=self.tally.events,
                tokens=self._cascade.bucket.level,
                tally=self.tally.to_json(),
                groups=None if self.groups is None else self.groups.to_json(),
                top=None if self.top is None else self.top.kept(),
                campaigns=None if self.campaigns is None else self.campaigns.to_json(),
                followed=None if self._following is None else self._following.kept,
            )

    def finish(self) -> None:
        """Write what was kept to the end."""
        if self.campaigns is not None:
            self._give_campaigns(self.campaigns.close())
        if self._following is not None:
            self.remember()
        if self.top is not None:
            self._write(self.top.kept())


def _kept_in(output: Output) -> str:
    """Say how to begin anew, where that is not done by itself."""
    return f" ({output.journal.path} keeps the place)" if output.appended and output.journal else ""


def _read(request: Request, context: RunContext, following: Following | None) -> Iterator[pa.RecordBatch]:
    return read_events(
        list(request.paths),
        columns=request.reading.columns,
        format=request.reading.format,
        extra=request.reading.extra,
        on_skip=context.rejects,
        follow=request.follow,
        stop=context.stop,
        resume=None if following is None else following.resume,
    )
