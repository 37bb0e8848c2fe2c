"""Quantizing under guards: calibrate, measure every layer, keep in float what the guards cannot bear."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import onnx
import pyarrow as pa

from overproof.bundle.scores import Floats, softmax
from overproof.distillation.dataset import kinds
from overproof.errors import InputError
from overproof.progress import SILENT, Console
from overproof.quantization.affine import OBSERVERS, Grid
from overproof.quantization.calibrate import Ranges, observe
from overproof.quantization.guards import Guards, best, search, violation
from overproof.quantization.layers import Layer, find_layers
from overproof.quantization.quantizable_model import QuantizableModel
from overproof.quantization.rewrite import ACTIVATIONS, Grids, rewrite, watched, weight_grid
from overproof.quantization.sensitivity import sensitivities, worst_first
from overproof.results.divergence import Divergence, judge, truth
from overproof.results.precision_search import Sensitivity, Step

CALIBRATION_EVENTS = 1024
SENSITIVITY_EVENTS = 512


@dataclass(frozen=True)
class Calibrated:
    """A subject with the ranges of its activations, ready to be rewritten.

    Attributes
    ----------
    layers
        What can be quantized.
    grids
        Of the weights, where training has learned them; else they are fitted.
    """

    subject: QuantizableModel
    layers: tuple[Layer, ...]
    ranges: Ranges
    grids: Grids = field(default_factory=dict)
    _fitted: dict[tuple[str, str], Grid] = field(default_factory=dict, repr=False)

    def at(self, precisions: Mapping[str, str]) -> onnx.ModelProto:
        """The model with these precisions; layers that are not named stay in float."""
        grids = dict(self.grids)
        for layer in self.layers:
            precision = precisions.get(layer.name, "float")
            if precision != "float" and layer.name not in grids:
                key = layer.name, precision
                if key not in self._fitted:  # the search asks for the same ones again and again
                    self._fitted[key] = weight_grid(layer, precision)
                grids[layer.name] = self._fitted[key]
        return rewrite(self.subject.model, self.layers, self.ranges, precisions, grids)


@dataclass(frozen=True)
class Guarded:
    """What the search found.

    Attributes
    ----------
    model
        The quantized model of the chosen step.
    before
        The float model that was rounded to it: where it was trained with the rounding, the trained one.
    precisions
        Layer name to precision, of the layers that are quantized.
    path, chosen
        The search, and the index of the step that was chosen.
    sensitivity
        Of every layer; empty where it was not needed.
    """

    model: onnx.ModelProto
    before: onnx.ModelProto
    precisions: Mapping[str, str]
    path: tuple[Step, ...]
    chosen: int
    sensitivity: tuple[Sensitivity, ...]

    @property
    def passed(self) -> bool:
        """Every guard holds."""
        return self.path[self.chosen].passed

    @property
    def broken(self) -> float:
        """By how much guards are broken, in units of their limits; 0 if none is."""
        return violation(self.path[self.chosen].findings)


def calibrate(subject: QuantizableModel, events: pa.Table, *, observer: str = "minmax", seed: int = 0) -> Calibrated:
    """Find the layers and the ranges of their activations.

    Raises
    ------
    InputError
        Nothing to quantize, no such observer, no events.
    """
    if observer not in OBSERVERS:
        raise InputError(f"observer {observer!r}: expected one of {', '.join(OBSERVERS)}")
    try:
        layers = find_layers(subject.model)
        if not layers:
            raise InputError("no Gemm, MatMul, Conv or Gather with constant float32 weights to quantize")
        if not events.num_rows:
            raise InputError("no calibration events, expected at least one")
        ranges = observe(
            subject.model,
            watched(layers),
            subject.prepare(events).feeds,
            scheme=ACTIVATIONS,
            observer=OBSERVERS[observer],
            seed=seed,
        )
    except InputError as error:
        raise InputError(f"{subject.name}: {error}") from None
    return Calibrated(subject, layers, ranges)


def divided(events: pa.Table, *, seed: int) -> tuple[pa.Table, pa.Table]:
    """Calibration events and held-back ones: half, but no more than a thousand are needed to see the ranges.

    Raises
    ------
    InputError
        Fewer than two events.
    """
    if events.num_rows < 2:
        raise InputError(f"{events.num_rows} calibration events: expected at least two, one of them held back")
    order = np.random.default_rng(seed).permutation(events.num_rows)
    count = min(CALIBRATION_EVENTS, events.num_rows // 2)
    return events.take(np.sort(order[:count])), events.take(np.sort(order[count:]))


class EvaluationSet:
    """Events on which quantized models are judged against the float model.

    Parameters
    ----------
    threshold
        The operating threshold; found on these events if it is not given.

    Raises
    ------
    InputError
        No events, or the float model's own output is not finite on them.
    """

    def __init__(self, subject: QuantizableModel, events: pa.Table, *, threshold: float | None = None) -> None:
        if not events.num_rows:
            raise InputError(f"{subject.name}: no events to judge it on, expected at least one")
        self.subject = subject
        self.events = events
        self.prepared = subject.prepare(events)
        self.before = subject.logits(subject.model, self.prepared)
        if not np.isfinite(self.before).all():
            raise InputError(f"{subject.name}: its own output holds inf or NaN on the events given")
        labels = events["label"].to_pylist()
        self.calm = [label is not None and label in subject.benign for label in labels]
        known = truth(self.before, subject.classes, subject.benign, labels, kinds(events))
        self.known = known if threshold is None else replace(known, threshold=threshold)

    def fewer(self, limit: int, *, seed: int = 0) -> EvaluationSet:
        """At most that many of the events, the same number of each family as long as it has any: rare ones are whole.

        The threshold is that of all events.
        """
        if self.events.num_rows <= limit:
            return self
        names = np.array([name or "" for name in kinds(self.events)])
        order = np.random.default_rng(seed).permutation(len(names))
        rank = np.empty(len(names), dtype=np.int64)
        for name in np.unique(names):
            same = order[names[order] == name]
            rank[same] = np.arange(len(same))
        chosen = order[np.argsort(rank[order], kind="stable")[:limit]]
        return EvaluationSet(self.subject, self.events.take(np.sort(chosen)), threshold=self.known.threshold)

    @property
    def families(self) -> list[str]:
        """Families with at least one attack among the events."""
        return sorted({name for name in self.known.families if name is not None})

    def attack(self, model: onnx.ModelProto) -> Floats:
        """The model's attack probability of each event."""
        probabilities = softmax(self.subject.logits(model, self.prepared))
        return np.asarray(1.0 - probabilities[:, self.known.harmless].sum(axis=1), dtype=np.float32)

    def judge(self, model: onnx.ModelProto) -> Divergence:
        """What the model changed."""
        return judge(self.before, self.subject.logits(model, self.prepared), self.known)


def guarded(
    calibrated: Calibrated,
    held_back: EvaluationSet,
    few: EvaluationSet,
    *,
    precision: str,
    guards: Guards,
    every_layer: bool,
    console: Console = SILENT,
) -> Guarded:
    """Search for the quantized model that holds the guards.

    Parameters
    ----------
    held_back, few
        Where guards are measured, and a part of it for the sensitivity of the layers.
    every_layer
        Measure the sensitivity even if nothing hangs on it.

    Raises
    ------
    InputError
        A guard on a family that the held-back events do not have.
    """
    layers = calibrated.layers
    guards.require_families(held_back.families)
    measured: list[Sensitivity] = []

    def measure() -> None:
        with console.progress("each layer alone and left out", 2 * len(layers)) as advance:
            measured.extend(sensitivities(layers, precision, lambda p: few.judge(calibrated.at(p)), advance))

    def order() -> list[str]:
        if not measured:
            measure()
        return worst_first(measured, guards)

    def without(kept: frozenset[str]) -> dict[str, str]:
        return {layer.name: precision for layer in layers if layer.name not in kept}

    if every_layer:
        measure()
    names = [layer.name for layer in layers]
    path = search(names, order, lambda kept: held_back.judge(calibrated.at(without(kept))), guards)
    chosen = path.index(best(path))
    precisions = without(frozenset(path[chosen].kept))
    return Guarded(calibrated.at(precisions), calibrated.subject.model, precisions, path, chosen, tuple(measured))


def settled(
    calibrated: Calibrated,
    benches: tuple[EvaluationSet, EvaluationSet],
    *,
    precision: str,
    guards: Guards,
    qat: bool,
    retrain: Callable[[Calibrated], Calibrated] | None,
    console: Console = SILENT,
) -> tuple[Guarded, bool]:
    """`guarded`; where the guards still break, or on `qat`, once more with a model trained with the rounding.

    Parameters
    ----------
    retrain
        Quantization-aware training: the same model with weights, grids and ranges that it has learned; None where
        there is no network to train.

    Returns
    -------
    Guarded, bool
        What was found, and whether it is the trained one.
    """
    searched = partial(
        guarded, held_back=benches[0], few=benches[1], precision=precision, guards=guards, console=console
    )
    found = searched(calibrated, every_layer=True)
    if retrain is None or not (qat or found.broken):
        return found, False
    again = searched(retrain(calibrated), every_layer=False)
    # What was learned further would drown one layer's share of the rounding: that is told as it was before.
    again = replace(again, sensitivity=found.sensitivity)
    return (again, True) if qat or again.broken < found.broken else (found, False)
