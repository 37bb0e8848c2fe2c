"""Measure a compression: thresholds, and the comparison of all models with their timings."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from threadpoolctl import threadpool_limits

from overproof.bundle.model_names import BASELINE, DISTILLED, FULL, QUANTIZED
from overproof.bundle.scores import Floats, Scorer
from overproof.checks.operating_points import JudgedEvents, Truth, attack_scores, operating_points
from overproof.checks.units import units_of
from overproof.distillation.baseline import Baseline
from overproof.distillation.dataset import DatasetSplits
from overproof.distillation.export import ExportedModel
from overproof.distillation.teachers import Teacher, align
from overproof.events.families import families_of
from overproof.events.schema import event_table
from overproof.report.not_measured import NotMeasured
from overproof.results import Comparison, Labelled, Row, Timing, measure, time_interleaved
from overproof.results.operating_points import OperatingPoints, threshold_at

FALSE_POSITIVE_RATES = (1e-2, 5e-3, 1e-3, 1e-4)
TIMED_EVENTS = 2000


def thresholds(attack: Floats, benign: Sequence[bool]) -> dict[str, float | None]:
    """Return the attack probability above which at most that share of benign validation events lies.

    None where there are too few benign events to see the rate once: unmeasured, not zero.
    """
    known = attack[np.asarray(benign, dtype=bool)]
    return {f"{rate:g}": threshold_at(known, rate) for rate in FALSE_POSITIVE_RATES}


@dataclass(frozen=True)
class DeployedModel:
    """What is deployed: one quantized student, or two as one.

    Attributes
    ----------
    scorer
        Scores events.
    parameters, bytes
        Of its model files together.
    note
        What a reader of the comparison must know of it.
    """

    scorer: Scorer
    parameters: int
    bytes: int
    note: str = ""


@dataclass(frozen=True)
class ComparedModels:
    """The models that are measured side by side.

    Attributes
    ----------
    teacher, soft, validation
        The full model, and its logits on the test and on the validation events, columns in the order of `classes`.
    distilled, quantized
        The student before quantization, and what is deployed.
    baseline
        The linear baseline.
    classes
        The student's.
    """

    teacher: Teacher
    soft: Floats
    validation: Floats
    distilled: ExportedModel
    quantized: DeployedModel
    baseline: Baseline
    classes: Sequence[str]

    def logits(self, texts: Sequence[str], full: Floats) -> dict[str, Floats]:
        """Return each model's logits on some events, shape (n, classes), the full model's as they are given."""
        return {
            FULL: full,
            DISTILLED: self.distilled.scorer.score(texts).logits,
            QUANTIZED: self.quantized.scorer.score(texts).logits,
            BASELINE: align(self.baseline.logits(texts), self.baseline.classes, self.classes),
        }

    @property
    def sizes(self) -> dict[str, tuple[int | None, int | None]]:
        """Parameters and bytes of each model; None where they cannot be known."""
        card = self.teacher.card
        return {
            FULL: (card.parameters, card.bytes),
            DISTILLED: (self.distilled.parameters, self.distilled.bytes),
            QUANTIZED: (self.quantized.parameters, self.quantized.bytes),
            BASELINE: (self.baseline.parameters, self.baseline.bytes),
        }


def compare(splits: DatasetSplits, models: ComparedModels, *, seed: int, budget_s: float) -> Comparison:
    """Measure full, distilled, distilled + INT8 and baseline on the test events.

    Parameters
    ----------
    budget_s
        Seconds the timing may take.
    """
    texts: list[str] = splits.test["text"].to_pylist()
    truth = _truth(splits)
    logits = models.logits(texts, models.soft)
    timings, sizes = _time(models, texts, seed=seed, budget_s=budget_s), models.sizes
    card = models.teacher.card
    notes = {FULL: f"{card.kind}: {card.name}, {card.runtime}", QUANTIZED: models.quantized.note}
    if not splits.truth_known:
        unknown = f"no event has a label of its own: agreement with {card.name} is all that is known"
        notes |= {name: f"{notes[name]}; {unknown}" if notes.get(name) else unknown for name in logits}
    if splits.labelled_by is not None:
        notes[BASELINE] = "; ".join(filter(None, [notes.get(BASELINE), f"trained on the verdicts of {card.name}"]))
    rows = []
    for name, scores in logits.items():
        timing = timings.get(name)
        rows.append(
            Row(
                name,
                *sizes[name],
                p50_ms=timing.p50_ms if timing else None,
                p99_ms=timing.p99_ms if timing else None,
                events_per_second=timing.events_per_second if timing else None,
                metrics=measure(scores, models.classes, truth, models.soft),
                note=notes.get(name, ""),
            )
        )
    if not splits.truth_known:
        return Comparison(tuple(rows), len(texts), NotMeasured("no event has a label of its own"))
    return Comparison(tuple(rows), len(texts), _at_equal_rates(splits, models, logits))


def _truth(splits: DatasetSplits) -> Labelled:
    """Say what is known of the test events: nothing, where the labels are the teacher's verdicts."""
    rows = splits.test.num_rows
    if not splits.truth_known:
        return Labelled([None] * rows, [None] * rows, splits.benign)
    return Labelled(splits.test["label"].to_pylist(), splits.test["family"].to_pylist(), splits.benign)


def _at_equal_rates(splits: DatasetSplits, models: ComparedModels, logits: Mapping[str, Floats]) -> OperatingPoints:
    """Compare the models' logits on the test events behind thresholds from validation events."""
    known = models.logits(splits.validation["text"].to_pylist(), models.validation)
    benign = truth_of(splits.validation, models.classes, splits.benign)
    scores = {name: attack_scores(name, found, known[name], benign) for name, found in logits.items()}
    return operating_points(scores, judged_events(splits.test, splits.benign))


def truth_of(validation: pa.Table, classes: Sequence[str], benign: Sequence[str]) -> Truth:
    """Say which classes are benign, and which of the validation events."""
    return Truth(
        np.array([name in benign for name in classes], dtype=bool),
        np.array(is_benign(validation, benign), dtype=bool),
    )


def judged_events(events: pa.Table, benign: Sequence[str]) -> JudgedEvents:
    """Say what is known of the events that models are compared on."""
    labels: list[str | None] = events["label"].to_pylist()
    return JudgedEvents(
        np.array([label is not None and label not in benign for label in labels], dtype=bool),
        np.array(is_benign(events, benign), dtype=bool),
        np.array(families_of(events), dtype=object),
        units_of(events["text"].to_pylist(), events["group"].to_pylist()),
    )


def _time(models: ComparedModels, texts: Sequence[str], *, seed: int, budget_s: float) -> dict[str, Timing]:
    """Time all of them from text to logits, one thread each; a table of soft labels has no speed."""
    candidates: dict[str, Callable[[Sequence[str]], object]] = {}
    if models.teacher.labels_new_events:
        candidates[FULL] = lambda some: models.teacher.logits(event_table({"text": some}))
    candidates |= {DISTILLED: models.distilled.scorer.score, QUANTIZED: models.quantized.scorer.score}
    candidates[BASELINE] = models.baseline.logits
    with _one_thread():
        # drawn from all of them: a file's first events are often all of a kind, and of one length
        some = random.Random(seed).sample(list(texts), min(TIMED_EVENTS, len(texts)))
        return time_interleaved(candidates, some, seed=seed, budget_s=budget_s)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)


def is_benign(events: pa.Table, benign: Sequence[str]) -> list[bool]:
    """Say of each event whether its label is benign."""
    return [label in benign for label in events["label"].to_pylist()]
