"""The steps' quantities on something of one's own: a bundle, or the built-in traffic with models in miniature."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from overproof.bundle.manifest import COMPARISON, MANIFEST, MODEL, QUANTIZATION, QUANTIZING, Bundle, open_bundle
from overproof.bundle.model_names import DISTILLED, FULL, QUANTIZED
from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.scores import Floats, entropy_bits, softmax
from overproof.errors import BundleError
from overproof.events.simulate import simulate
from overproof.lesson import miniature
from overproof.lesson.layer import OwnLayer, costliest
from overproof.lesson.steps import TEMPERATURES, Loss, losses
from overproof.quantization.affine import Cost, Scheme, cost, fit
from overproof.results import Comparison, time_interleaved
from overproof.results.boundary_events import SoftLabel, boundary_events
from overproof.results.layers import LayerDiagnostics
from overproof.results.parity import Parity
from overproof.results.precision_search import PrecisionSearchReport

EVENTS = 2000  # simulated to learn from; a third as many to judge
TIMED_EVENTS, BUDGET_S = 200, 1.0
ACTIVATIONS = Scheme()


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


@dataclass(frozen=True)
class Yours:
    """What the lesson shows beside the tutorial's figures.

    Attributes
    ----------
    name
        Whose figures they are.
    model
        What judged the events.
    events
        How many simulated events were judged.
    boundary
        Events that the model can hardly decide, softened.
    entropy
        Temperature to the mean entropy of its answers, in bits.
    losses
        Loss and mean length of the gradient of a student that knows nothing (all logits 0), with `model` as teacher.
    points
        Sizes, times, accuracies.
    points_of
        On what they were measured.
    tensor, scheme, cost
        A tensor of the model, and what quantizing it costs.
    parity
        What each conversion step of a bundle changed.
    layer
        A layer of a bundle that tells what quantization did to each; `tensor`, `scheme` and `cost` are then of it.
    quantizing
        What quantization changed on held-back events, in a line; empty where a bundle does not tell.
    """

    name: str
    model: str
    events: int
    boundary: tuple[SoftLabel, ...]
    entropy: Mapping[str, float]
    losses: tuple[Loss, ...]
    points: tuple[Point, ...]
    points_of: str
    tensor: str
    scheme: str
    cost: Cost
    parity: tuple[str, ...] = ()
    layer: OwnLayer | None = None
    quantizing: str = ""


def of_traffic(*, seed: int) -> Yours:
    """Models in miniature, made and measured on the built-in traffic."""
    traffic = simulate(EVENTS, seed=seed)
    small = miniature.miniature(traffic.train)
    texts = traffic.test["text"].to_pylist()
    truth = np.array([small.classes.index(label) for label in traffic.test["label"].to_pylist()])
    models = {FULL: small.full, DISTILLED: small.distilled, QUANTIZED: small.int8}
    times = time_interleaved(
        {name: model.judge for name, model in models.items()}, texts[:TIMED_EVENTS], seed=seed, budget_s=BUDGET_S
    )
    points = tuple(
        Point(
            name,
            model.parameters,
            model.bytes,
            times[name].p50_ms,
            float((model.judge(texts).argmax(axis=1) == truth).mean()),
        )
        for name, model in models.items()
    )
    weights = small.weights
    return _yours(
        "the built-in traffic",
        f"the {miniature.NEIGHBOURS} nearest of {EVENTS // 2:,} remembered events, by character trigrams",
        traffic.test,
        small.full.judge(texts),
        small.classes,
        points=points,
        points_of=f"{len(texts):,} SIMULATED events; the time of QUANTIZED is that of its dequantized matrix in numpy",
        tensor=f"the distilled model's {weights.shape[0]:,} by {weights.shape[1]} weights, one grid a class",
        scheme=str(miniature.WEIGHTS),
        cost=cost(weights, fit(weights, miniature.WEIGHTS, axis=1)),
    )


def of_bundle(path: Path | str, *, seed: int) -> Yours:
    """A bundle's own figures, and its verdicts on the built-in traffic.

    Raises
    ------
    BundleError, TamperedBundle
        See `bundle.open_bundle`.
    """
    bundle = open_bundle(path)
    scorer = OnnxScorer(bundle)
    events = simulate(EVENTS, seed=seed).test
    logits = scorer.score(events["text"].to_pylist()).logits
    points, points_of, parity = _stored(bundle)
    return _yours(
        f"the bundle {bundle.path}",
        f"the bundle's own model ({bundle.manifest.precision})",
        events,
        logits,
        scorer.classes,
        points=points,
        points_of=points_of,
        parity=parity,
        quantizing=_quantizing(bundle),
        **_tensor(bundle, logits),
    )


def _tensor(bundle: Bundle, logits: Floats) -> dict[str, Any]:
    """What is shown on a grid: a layer, where the bundle tells of its layers; else its logits, which are at hand."""
    layer = costliest(LayerDiagnostics.of(bundle)) if QUANTIZATION in bundle.files else None
    if layer is not None:
        return {"tensor": layer.name, "scheme": layer.weights.scheme, "cost": layer.weights.cost, "layer": layer}
    return {
        "tensor": f"its logits on those events, {logits.shape[0]:,} by {logits.shape[1]}, one grid",
        "scheme": str(ACTIVATIONS),
        "cost": cost(logits, fit(logits, ACTIVATIONS)),
    }


def _quantizing(bundle: Bundle) -> str:
    """What quantization changed on the events that were held back from it, in a line."""
    return PrecisionSearchReport.of(bundle).summary() if QUANTIZING in bundle.files else ""


def _stored(bundle: Bundle) -> tuple[tuple[Point, ...], str, tuple[str, ...]]:
    """What the bundle says of itself: its strip, on what that was measured, and the parity of its steps."""
    parity = tuple(map(str, _parity(bundle)))
    if COMPARISON not in bundle.files:
        parameters = bundle.manifest.network.get("parameters")
        known = parameters if isinstance(parameters, int) else None
        own = Point(bundle.manifest.precision, known, len(bundle.files[MODEL]), None, None)
        return (own,), "no events: this bundle has no comparison", parity
    comparison = Comparison.of(bundle)
    points = (
        Point(r.name, r.parameters, r.bytes, r.p50_ms, None if r.metrics is None else r.metrics.accuracy)
        for r in comparison.rows
    )
    return tuple(points), f"the {comparison.test_rows:,} test events of its compression", parity


def _parity(bundle: Bundle) -> list[Parity]:
    """Read what each conversion step of a bundle changed; BundleError where its manifest says something else."""
    try:
        return [Parity.from_json(step) for step in bundle.manifest.parity]
    except ValueError as error:
        raise BundleError(f"{bundle.path / MANIFEST}: parity of another format ({error})") from None


def _yours(name: str, model: str, events: pa.Table, logits: Floats, classes: Iterable[str], **rest: Any) -> Yours:
    return Yours(
        name=name,
        model=model,
        events=len(logits),
        boundary=boundary_events(events, logits, tuple(classes), count=3),
        entropy={f"{t:g}": float(entropy_bits(softmax(logits, t)).mean()) for t in TEMPERATURES},
        losses=losses(np.zeros_like(logits), logits),
        **rest,
    )
