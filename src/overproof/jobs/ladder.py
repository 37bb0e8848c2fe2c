"""Choose between students of several sizes: the smallest that holds the guards and loses little to the full model.

Validation events alone decide it. Test events, which the guards of the one that is taken are decided on and which it is
compared on, choose nothing, so that what they say of it holds.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from overproof.bundle.model_names import FULL, QUANTIZED
from overproof.bundle.scores import Floats, labels_of, softmax
from overproof.checks.operating_points import JudgedEvents, Truth, attack_scores, operating_points
from overproof.distillation.dataset import DatasetSplits
from overproof.distillation.export import ExportedModel
from overproof.jobs.evaluate import TIMED_EVENTS, judged_events, truth_of
from overproof.report import words
from overproof.report.not_measured import NotMeasured
from overproof.results import Timing, time_interleaved
from overproof.results.comparison.at_rates import rate_in_words
from overproof.results.ladder import RATE, Ladder, Missed, Rung
from overproof.results.metrics import Share
from overproof.results.operating_points import OperatingPoints, RatePoints
from overproof.results.precision_search import PrecisionSearchReport

NO_LABELS = NotMeasured("no labelled validation events")


@dataclass(frozen=True)
class Candidate:
    """A quantized student that may be taken, and the search for its precisions."""

    model: ExportedModel
    search: PrecisionSearchReport


@dataclass(frozen=True)
class Yardstick:
    """What candidates are measured by.

    Attributes
    ----------
    texts, events, benign
        The validation events, what is known of them, and what is benign.
    full
        The full model's logits on them, shape (v, classes).
    margin
        How many more attacks a student may miss, as a share.
    guarded
        Whether there are guards.
    """

    texts: Sequence[str]
    events: JudgedEvents
    benign: Truth
    full: Floats
    margin: float
    guarded: bool

    @classmethod
    def of(
        cls, splits: DatasetSplits, classes: Sequence[str], full: Floats, *, margin: float, guarded: bool
    ) -> Yardstick:
        """Take the validation events of a run."""
        validation, benign = splits.validation, splits.benign
        events, truth = judged_events(validation, benign), truth_of(validation, classes, benign)
        return cls(validation["text"].to_pylist(), events, truth, full, margin, guarded)


def climb(candidates: Mapping[str, Candidate], yardstick: Yardstick, *, seed: int, budget_s: float) -> Ladder:
    """Measure the candidates on the validation events, and take one.

    Parameters
    ----------
    candidates
        Preset to the student of these sizes.
    budget_s
        Seconds that timing may take.
    """
    texts = yardstick.texts
    some = random.Random(seed).sample(list(texts), min(TIMED_EVENTS, len(texts)))
    scorers = {name: candidate.model.scorer.score for name, candidate in candidates.items()}
    timings = time_interleaved(scorers, some, seed=seed, budget_s=budget_s)
    rungs = [
        _rung(name, candidate, timings[name], candidate.model.scorer.score(texts).logits, yardstick)
        for name, candidate in candidates.items()
    ]
    # The full model beside itself loses nothing: where not even that is shown, there are too few events to show it.
    itself = _missed(_points(yardstick, yardstick.full))
    limits = {at.rate: at.more.high for at in itself if not isinstance(at.more, NotMeasured)}
    enough = limits.get(RATE, 1.0) <= yardstick.margin
    return choose(rungs, margin=yardstick.margin, guarded=yardstick.guarded, events=len(texts), enough=enough)


def choose(rungs: Sequence[Rung], *, margin: float, guarded: bool, events: int, enough: bool) -> Ladder:
    """Take the smallest student that exceeds no guard and loses no more than the margin.

    That it does not is decided by the upper end of the interval of the attacks missed; where the events are too few for
    any student to show it, by the estimate. If no student qualifies, the one that exceeds no guard and loses least is
    taken.

    Parameters
    ----------
    enough
        Whether the events can show that a student loses no more than the margin.
    """
    ordered = sorted(rungs, key=lambda rung: rung.bytes)
    verdicts = [_verdict(rung, margin, enough=enough) for rung in ordered]
    fit = [place for place, (qualifies, _) in enumerate(verdicts) if qualifies]
    taken = fit[0] if fit else min(range(len(ordered)), key=lambda place: _lost(ordered[place]))
    said = []
    for place, (rung, (qualifies, why)) in enumerate(zip(ordered, verdicts, strict=True)):
        if place == taken:
            how = "taken" if qualifies else "taken, since no student qualifies and it loses least"
        else:
            how = "not taken, since a smaller one will do" if qualifies else "not taken"
        said.append(replace(rung, why=f"{how}: {why}"))
    return Ladder(ordered[taken].preset, events, margin, guarded, tuple(said))


def _verdict(rung: Rung, margin: float, *, enough: bool) -> tuple[bool, str]:
    """Say whether a student qualifies, and by which figures."""
    guards = f"it exceeds {', '.join(rung.exceeded)} on validation events; " if rung.exceeded else ""
    holds, lost, value = not rung.exceeded, rung.lost, rung.estimate
    unproven = "which is an estimate and not proven: there are too few validation events"
    if not isinstance(lost, NotMeasured):
        more = f"{guards}{words.percent(lost.value)} more of the attacks missed than by the full model"
        if lost.high <= margin or enough:
            return holds and lost.high <= margin, f"{more}, by the 95 % interval at most {words.percent(lost.high)}"
        return holds and lost.value <= margin, f"{more}, {unproven} to show it"
    if value is None:
        return False, f"{guards}what it loses is unmeasured: {NO_LABELS.unmeasured}"
    more = f"{guards}{words.percent(value)} more of the verdicts wrong than by the full model"
    return holds and value <= margin, f"{more}, {unproven} for {rate_in_words(RATE)} false positives"


def _lost(rung: Rung) -> tuple[bool, bool, float, int]:
    """Order students by what they lose; what is unmeasured comes last, and there the largest is safest."""
    value = rung.estimate
    return (bool(rung.exceeded), value is None, value or 0.0, rung.bytes if value is not None else -rung.bytes)


def _rung(name: str, candidate: Candidate, timing: Timing, logits: Floats, yardstick: Yardstick) -> Rung:
    search = candidate.search
    return Rung(
        name,
        candidate.model.parameters,
        candidate.model.bytes,
        timing.p50_ms,
        timing.events_per_second,
        _missed(_points(yardstick, logits)),
        _wrong(yardstick, logits),
        _wrong(yardstick, yardstick.full),
        tuple(figure.guard for figure in search.path[search.chosen].exceeded),
    )


def _points(yardstick: Yardstick, logits: Floats) -> OperatingPoints:
    """Put a student beside the full model, both behind thresholds of the validation events."""
    both = {FULL: yardstick.full, QUANTIZED: logits}
    scores = {name: attack_scores(name, found, found, yardstick.benign) for name, found in both.items()}
    return operating_points(scores, yardstick.events)


def _missed(points: OperatingPoints) -> tuple[Missed, ...]:
    return tuple(_at(at) for at in points.at)


def _at(at: RatePoints) -> Missed:
    full, student = (
        found if isinstance(found, NotMeasured) else found.missed for found in (at.models[FULL], at.models[QUANTIZED])
    )
    apart = at.against[FULL]
    return Missed(at.rate, full, student, apart if isinstance(apart, NotMeasured) else apart.missed)


def _wrong(yardstick: Yardstick, logits: Floats) -> Share:
    """Count the labelled validation events of which attack or benign is told wrong."""
    events = yardstick.events
    flagged = ~yardstick.benign.classes[labels_of(softmax(logits), yardstick.benign.classes)]
    wrong = (flagged & events.benign) | (~flagged & events.attacks)
    return Share(int(wrong.sum()), int((events.benign | events.attacks).sum()))
