"""Measuring a compression: parity of the steps, thresholds, and the strip with its timings."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import torch
from threadpoolctl import threadpool_limits

from overproof.bundle.model_names import BASELINE, DISTILLED, FULL, QUANTIZED
from overproof.bundle.runtime import WindowScorer
from overproof.bundle.scores import Floats
from overproof.distillation.baseline import Baseline
from overproof.distillation.dataset import DatasetSplits
from overproof.distillation.export import ExportedModel
from overproof.distillation.teachers import Teacher, align
from overproof.events.schema import event_table
from overproof.results import Comparison, Row, Timing, measure, time_interleaved

FALSE_POSITIVE_RATES = (1e-2, 1e-3, 1e-4)
TIMED_EVENTS = 2000


def thresholds(attack: Floats, benign: Sequence[bool]) -> dict[str, float | None]:
    """Attack probability above which at most that share of benign validation events lies.

    None where there are too few benign events to see the rate once: unmeasured, not zero.
    """
    calm = np.sort(attack[np.asarray(benign, dtype=bool)])
    found: dict[str, float | None] = {}
    for rate in FALSE_POSITIVE_RATES:
        allowed = int(rate * len(calm))
        found[f"{rate:g}"] = float(calm[len(calm) - 1 - allowed]) if allowed else None
    return found


def strip(
    material: DatasetSplits,
    classes: Sequence[str],
    *,
    teacher: Teacher,
    soft: Floats,
    fp32: ExportedModel,
    int8: ExportedModel,
    baseline: Baseline,
    seed: int,
    budget_s: float,
) -> Comparison:
    """Measure full, distilled, distilled + INT8 and baseline on the test events.

    Parameters
    ----------
    soft
        The teacher's logits on the test events, columns in the order of `classes`.
    budget_s
        Seconds the timing may take.
    """
    texts: list[str] = material.test["text"].to_pylist()
    labels, families = material.test["label"].to_pylist(), material.test["family"].to_pylist()
    logits = {
        FULL: soft,
        DISTILLED: fp32.scorer.score(texts).logits,
        QUANTIZED: int8.scorer.score(texts).logits,
        BASELINE: align(baseline.logits(texts), baseline.classes, classes),
    }
    timings = _time(teacher, {DISTILLED: fp32.scorer, QUANTIZED: int8.scorer}, baseline, texts, seed, budget_s)
    sizes: Mapping[str, tuple[int | None, int | None]] = {
        FULL: (teacher.card.parameters, teacher.card.bytes),
        DISTILLED: (fp32.parameters, len(fp32.file)),
        QUANTIZED: (int8.parameters, len(int8.file)),
        BASELINE: (baseline.parameters, baseline.bytes),
    }
    notes = {FULL: f"{teacher.card.kind}: {teacher.card.name}, {teacher.card.runtime}"}
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
                metrics=measure(scores, classes, labels, families, material.benign, soft),
                note=notes.get(name, ""),
            )
        )
    return Comparison(tuple(rows), len(texts))


def _time(
    teacher: Teacher,
    scorers: Mapping[str, WindowScorer],
    baseline: Baseline,
    texts: Sequence[str],
    seed: int,
    budget_s: float,
) -> dict[str, Timing]:
    """Time all of them from text to logits, one thread each; a table of soft labels has no speed."""
    candidates: dict[str, Callable[[Sequence[str]], object]] = {}
    if teacher.labels_new_events:
        candidates[FULL] = lambda some: teacher.logits(event_table({"text": some}))
    candidates |= {name: scorer.score for name, scorer in scorers.items()}
    candidates[BASELINE] = baseline.logits
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
    """For each event, whether its label is a harmless one."""
    return [label in benign for label in events["label"].to_pylist()]
