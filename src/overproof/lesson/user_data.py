"""Compute the steps' quantities on the user's bundle, or on the built-in traffic with models in miniature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from overproof.bundle.manifest import COMPARISON, MANIFEST, MODEL, QUANTIZATION, QUANTIZING, Bundle, open_bundle
from overproof.bundle.model_names import DISTILLED, FULL, QUANTIZED
from overproof.bundle.scores import Floats, entropy_bits, softmax
from overproof.bundle.tiers import open_student
from overproof.errors import BundleError
from overproof.events.simulate import simulate
from overproof.lesson import miniature
from overproof.lesson.layer import UserLayer, costliest
from overproof.lesson.steps import TEMPERATURES, Loss, losses
from overproof.quantization.affine import Cost, Scheme, cost, fit
from overproof.results import Comparison, time_interleaved
from overproof.results.boundary_events import SoftLabel, boundary_events
from overproof.results.layers import LayerDiagnostics
from overproof.results.parity import Parity
from overproof.results.precision_search import PrecisionSearchReport

EVENTS = 2000  # simulated to learn from; a third as many to judge
TIMED_EVENTS, BUDGET_S = 200, 1.0
SHOWN = 3  # events at the boundary
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
class UserData:
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
    precision_search
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
    layer: UserLayer | None = None
    precision_search: str = ""


@dataclass(frozen=True)
class Tensor:
    """What the lesson shows on a grid.

    Attributes
    ----------
    name, scheme
        What it is and on which integers it lies, in words.
    cost
        What quantizing it costs.
    layer
        The layer of a bundle that it is, if it is one.
    """

    name: str
    scheme: str
    cost: Cost
    layer: UserLayer | None = None


def of_traffic(*, seed: int) -> UserData:
    """Make models in miniature and measure them on the built-in traffic."""
    traffic = simulate(EVENTS, seed=seed)
    small = miniature.miniature(traffic.train)
    logits = small.full.judge(traffic.test["text"].to_pylist())
    weights = small.weights
    return UserData(
        name="the built-in traffic",
        model=f"the {miniature.NEIGHBOURS} nearest of {EVENTS // 2:,} remembered events, by character trigrams",
        events=len(logits),
        boundary=boundary_events(traffic.test, logits, small.classes, count=SHOWN),
        entropy=_entropy(logits),
        losses=_losses(logits),
        points=_measured(small, traffic.test, seed),
        points_of=f"{len(logits):,} SIMULATED events; the time of QUANTIZED is that of its dequantized matrix in numpy",
        tensor=f"the distilled model's {weights.shape[0]:,} by {weights.shape[1]} weights, one grid a class",
        scheme=str(miniature.WEIGHTS),
        cost=cost(weights, fit(weights, miniature.WEIGHTS, axis=1)),
    )


def of_bundle(path: Path | str, *, seed: int) -> UserData:
    """Read a bundle's own figures, and let it judge the built-in traffic.

    Raises
    ------
    BundleError, TamperedBundle
        See `bundle.open_bundle`; also where a file in it does not fit.
    """
    bundle = open_bundle(path)
    scorer = open_student(bundle)
    events = simulate(EVENTS, seed=seed).test
    logits = scorer.score(events["text"].to_pylist()).logits
    points, points_of = _stored_points(bundle)
    tensor = _tensor(bundle, logits)
    return UserData(
        name=f"the bundle {bundle.path}",
        model=f"the bundle's own model ({bundle.manifest.precision})",
        events=len(logits),
        boundary=boundary_events(events, logits, tuple(scorer.classes), count=SHOWN),
        entropy=_entropy(logits),
        losses=_losses(logits),
        points=points,
        points_of=points_of,
        tensor=tensor.name,
        scheme=tensor.scheme,
        cost=tensor.cost,
        parity=tuple(map(str, _parity(bundle))),
        layer=tensor.layer,
        precision_search=PrecisionSearchReport.of(bundle).summary() if QUANTIZING in bundle.files else "",
    )


def _measured(small: miniature.Miniature, events: pa.Table, seed: int) -> tuple[Point, ...]:
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


def _tensor(bundle: Bundle, logits: Floats) -> Tensor:
    """Choose what is shown on a grid: a layer, where the bundle describes its layers; else its logits."""
    layer = costliest(LayerDiagnostics.of(bundle)) if QUANTIZATION in bundle.files else None
    if layer is not None:
        return Tensor(layer.name, layer.weights.scheme, layer.weights.cost, layer)
    return Tensor(
        f"its logits on those events, {logits.shape[0]:,} by {logits.shape[1]}, one grid",
        str(ACTIVATIONS),
        cost(logits, fit(logits, ACTIVATIONS)),
    )


def _stored_points(bundle: Bundle) -> tuple[tuple[Point, ...], str]:
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


def _parity(bundle: Bundle) -> list[Parity]:
    """Read what each conversion step of a bundle changed; BundleError where its manifest says something else."""
    try:
        return [Parity.from_json(step) for step in bundle.manifest.parity]
    except ValueError as error:
        raise BundleError(f"{bundle.path / MANIFEST}: parity of another format ({error})") from None


def _entropy(logits: Floats) -> dict[str, float]:
    """Return the mean entropy of the answers at each temperature, in bits."""
    return {f"{t:g}": float(entropy_bits(softmax(logits, t)).mean()) for t in TEMPERATURES}


def _losses(logits: Floats) -> tuple[Loss, ...]:
    """Return the loss of a student that knows nothing, whose logits are 0, at each temperature."""
    return losses(np.zeros_like(logits), logits)
