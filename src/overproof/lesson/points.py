"""Hold the models that the lesson compares: what they weigh, how long they take, how often they are right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from overproof.bundle.manifest import COMPARISON, MODEL, Bundle
from overproof.bundle.model_names import DISTILLED, FULL, QUANTIZED
from overproof.lesson import steps
from overproof.lesson.miniature import Miniature
from overproof.results import Comparison, time_interleaved

TIMED_EVENTS, BUDGET_S = 200, 1.0
STEPS = {(FULL, DISTILLED): "distilling", (DISTILLED, QUANTIZED): "quantizing", (FULL, QUANTIZED): "both"}


@dataclass(frozen=True)
class Point:
    """A model on the scatter; None is "not measured".

    Attributes
    ----------
    bytes, ms, accuracy
        Size, time for one event in milliseconds, and share of events with the right label.
    """

    name: str
    parameters: int | None
    bytes: int | None
    ms: float | None
    accuracy: float | None


def tutorial_points() -> tuple[Point, ...]:
    """Return the models that the tutorial compares, as printed."""
    return tuple(
        Point(
            s.model.name,
            s.parameters,
            int(float(s.model.megabytes) * 1e6),
            float(s.model.milliseconds),
            float(s.model.percent) / 100,
        )
        for s in steps.sizes()
        if s.model.where == "Comparison"
    )


def measured(small: Miniature, events: pa.Table, seed: int) -> tuple[Point, ...]:
    """Measure the models in miniature on labelled events."""
    texts = events["text"].to_pylist()
    truth = np.array([small.classes.index(label) for label in events["label"].to_pylist()])
    models = {FULL: small.full, DISTILLED: small.distilled, QUANTIZED: small.int8}
    times = time_interleaved(
        {name: model.judge for name, model in models.items()}, texts[:TIMED_EVENTS], seed=seed, budget_s=BUDGET_S
    )
    return tuple(
        Point(
            name,
            model.parameters,
            model.bytes,
            times[name].p50_ms,
            float((model.judge(texts).argmax(axis=1) == truth).mean()),
        )
        for name, model in models.items()
    )


def stored(bundle: Bundle) -> tuple[tuple[Point, ...], str]:
    """Read the models that a bundle compares, and on what they were measured."""
    if COMPARISON not in bundle.files:
        parameters = bundle.manifest.network.get("parameters")
        known = parameters if isinstance(parameters, int) else None
        own = Point(bundle.manifest.precision, known, len(bundle.files[MODEL]), None, None)
        return (own,), "no events: this bundle has no comparison"
    comparison = Comparison.of(bundle)
    points = (
        Point(r.name, r.parameters, r.bytes, r.p50_ms, None if r.metrics is None else r.metrics.accuracy)
        for r in comparison.rows
    )
    return tuple(points), f"the {comparison.test_rows:,} test events of its compression"


@dataclass(frozen=True)
class Gain:
    """What a step of compression gave and took; None where one of the two was not measured.

    Attributes
    ----------
    smaller, faster
        How many times.
    accuracy
        The share of events that it changed, as a difference.
    """

    step: str
    smaller: float | None
    faster: float | None
    accuracy: float | None


def gains(points: Iterable[Point]) -> tuple[Gain, ...]:
    """Say what distilling gave, what quantizing did, and both: of those whose models are all among the points."""
    by_name = {point.name: point for point in points}
    pairs = [
        (step, by_name[first], by_name[second])
        for (first, second), step in STEPS.items()
        if first in by_name and second in by_name
    ]
    return tuple(
        Gain(step, _ratio(a.bytes, b.bytes), _ratio(a.ms, b.ms), _difference(a.accuracy, b.accuracy))
        for step, a, b in pairs
    )


def _ratio(before: float | None, after: float | None) -> float | None:
    return before / after if before is not None and after else None


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before
