"""Compute the steps' quantities on the user's bundle, or on the built-in traffic with models in miniature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from overproof.bundle.manifest import MANIFEST, QUANTIZATION, QUANTIZING, Bundle
from overproof.bundle.model_names import QUANTIZED
from overproof.bundle.readers import reader_of
from overproof.bundle.scores import Floats, attack_of, entropy_bits, labels_of, softmax
from overproof.bundle.tiers import open_student
from overproof.errors import BundleError
from overproof.lesson import miniature
from overproof.lesson.grid_edits import GridEdits
from overproof.lesson.layer import UserLayer, costliest
from overproof.lesson.miniature import Miniature
from overproof.lesson.points import Point, measured, stored
from overproof.lesson.reading import Reading, Score, reading, taken_apart
from overproof.lesson.steps import TEMPERATURES, Loss, losses
from overproof.quantization.affine import Cost, Scheme, cost, fit
from overproof.results.boundary_events import SoftLabel, boundary_events
from overproof.results.layers import LayerDiagnostics
from overproof.results.parity import Parity
from overproof.results.precision_search import PrecisionSearchReport

EVENTS = 2000  # simulated to learn from; a third as many to judge
SHOWN = 3  # events at the boundary
ACTIVATIONS = Scheme()


@dataclass(frozen=True)
class Judged:
    """What the combined model says of an event: its label, and the probability that the event is an attack."""

    text: str
    label: str | None
    verdict: str
    attack: float


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
    score
        The score of one simulated attack, taken apart, as the model in miniature sums it.
    grid_edits
        What edits of simulated attacks do where the model in miniature is rounded.
    judged
        What the combined model says of the events that are hard to decide.
    temperature, hard_weight
        What the student was distilled with.
    tensor, scheme, cost
        A tensor of the model, and what quantizing it costs.
    parity
        What each conversion step of a bundle changed.
    layer
        A layer of a bundle that tells what quantization did to each; `tensor`, `scheme` and `cost` are then of it.
    precision_search
        What quantization changed on held-back events, in a line; empty where a bundle does not tell.
    bundle
        Where the bundle is; None of the built-in traffic.
    reading
        How the bundle reads the same attack; None of the built-in traffic.
    """

    name: str
    model: str
    events: int
    boundary: tuple[SoftLabel, ...]
    entropy: Mapping[str, float]
    losses: tuple[Loss, ...]
    points: tuple[Point, ...]
    points_of: str
    score: Score
    grid_edits: GridEdits
    judged: tuple[Judged, ...]
    temperature: float
    hard_weight: float
    tensor: str
    scheme: str
    cost: Cost
    parity: tuple[str, ...] = ()
    layer: UserLayer | None = None
    precision_search: str = ""
    bundle: Path | None = None
    reading: Reading | None = None


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


def of_traffic(events: pa.Table, small: Miniature, edits: GridEdits, *, seed: int) -> UserData:
    """Measure the models in miniature on labelled events of the built-in traffic."""
    logits = small.full.judge(events["text"].to_pylist())
    weights, boundary = small.weights, boundary_events(events, logits, small.classes, count=SHOWN)
    return UserData(
        name="the built-in traffic",
        model=f"the {miniature.NEIGHBOURS} nearest of {EVENTS // 2:,} remembered events, by character trigrams",
        events=len(logits),
        boundary=boundary,
        entropy=_entropy(logits),
        losses=_losses(logits),
        points=measured(small, events, seed),
        points_of=f"{len(logits):,} SIMULATED events; the time of {QUANTIZED} is that of its dequantized "
        "matrix in numpy",
        score=_score(events, small),
        grid_edits=edits,
        judged=_judged(boundary, small.int8.judge([event.text for event in boundary]), small.classes),
        temperature=miniature.TEMPERATURE,
        hard_weight=0.0,
        tensor=f"the distilled model's {weights.shape[0]:,} by {weights.shape[1]} weights, one grid a class",
        scheme=str(miniature.WEIGHTS),
        cost=cost(weights, fit(weights, miniature.WEIGHTS, axis=1)),
    )


def of_bundle(bundle: Bundle, events: pa.Table, small: Miniature, edits: GridEdits) -> UserData:
    """Read a bundle's own figures, and let it judge events of the built-in traffic.

    Raises
    ------
    BundleError, TamperedBundle
        Where a file in it does not fit.
    """
    scorer = open_student(bundle)
    logits = scorer.score(events["text"].to_pylist()).logits
    boundary = boundary_events(events, logits, tuple(scorer.classes), count=SHOWN)
    verdicts = scorer.judge([event.text for event in boundary])
    score = _score(events, small)
    points, points_of = stored(bundle)
    tensor = _tensor(bundle, logits)
    return UserData(
        name=f"the bundle {bundle.path}",
        model=f"the bundle's own model ({bundle.manifest.precision})",
        events=len(logits),
        boundary=boundary,
        entropy=_entropy(logits),
        losses=_losses(logits),
        points=points,
        points_of=points_of,
        score=score,
        grid_edits=edits,
        judged=tuple(
            Judged(event.text, event.label, said.label, said.attack)
            for event, said in zip(boundary, verdicts, strict=True)
        ),
        temperature=bundle.manifest.temperature,
        hard_weight=bundle.manifest.hard_weight,
        tensor=tensor.name,
        scheme=tensor.scheme,
        cost=tensor.cost,
        parity=tuple(map(str, _parity(bundle))),
        layer=tensor.layer,
        precision_search=PrecisionSearchReport.of(bundle).summary() if QUANTIZING in bundle.files else "",
        bundle=bundle.path,
        reading=reading(reader_of(bundle.files, bundle.manifest.windowing, str(bundle.path)), score.text),
    )


def _judged(boundary: Sequence[SoftLabel], logits: Floats, classes: Sequence[str]) -> tuple[Judged, ...]:
    """Say what a model in miniature makes of events, by its logits."""
    benign = [name == miniature.BENIGN for name in classes]
    p = softmax(logits)
    found = zip(boundary, labels_of(p, benign).tolist(), attack_of(p, benign).tolist(), strict=True)
    return tuple(Judged(event.text, event.label, classes[label], attack) for event, label, attack in found)


def _score(events: pa.Table, small: Miniature) -> Score:
    """Take apart the score of the first attack among labelled events."""
    pairs = zip(events["text"].to_pylist(), events["label"].to_pylist(), strict=True)
    return taken_apart(small, next(text for text, label in pairs if label != miniature.BENIGN))


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
