"""Search for a precision of every layer under guards: keep in float what exceeds their limits.

The search goes by the figures that it observes. Whether the guards hold is decided afterwards, on other events (`run`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import onnx

from overproof.progress import SILENT, Console
from overproof.quantization.calibrated_model import CalibratedModel
from overproof.quantization.evaluation import EvaluationSet
from overproof.quantization.guards import Guards
from overproof.quantization.sensitivity import sensitivities, worst_first
from overproof.results.divergence import Divergence
from overproof.results.precision_search import Sensitivity, Step

SENSITIVITY_EVENTS = 512
Retrain = Callable[[CalibratedModel], CalibratedModel]  # the same model, trained with the rounding


@dataclass(frozen=True)
class PrecisionSearch:
    """What is searched for, and on which events it is measured.

    Attributes
    ----------
    precision
        Of the layers that are not kept in float.
    guards
        What the quantized model may cost.
    held_back, sample
        What layers are chosen by, and a part of it for the sensitivity of the layers.
    """

    precision: str
    guards: Guards
    held_back: EvaluationSet
    sample: EvaluationSet


@dataclass(frozen=True)
class SearchResult:
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
    def excess(self) -> float:
        """By how much the chosen step exceeds limits, in units of the limits; 0 if it exceeds none."""
        return self.path[self.chosen].excess


def search_precisions(
    calibrated: CalibratedModel, search: PrecisionSearch, *, every_layer: bool, console: Console = SILENT
) -> SearchResult:
    """Search for the quantized model that exceeds no limit.

    Parameters
    ----------
    every_layer
        Measure the sensitivity even if nothing depends on it.
    """
    layers, precision, guards = calibrated.layers, search.precision, search.guards
    measured: list[Sensitivity] = []

    def measure() -> None:
        with console.progress("each layer alone and left out", 2 * len(layers)) as advance:
            measured.extend(sensitivities(layers, precision, lambda p: search.sample.judge(calibrated.at(p)), advance))

    def order() -> list[str]:
        if not measured:
            measure()
        return worst_first(measured, guards)

    def without(kept: frozenset[str]) -> dict[str, str]:
        return {layer.name: precision for layer in layers if layer.name not in kept}

    if every_layer:
        measure()
    names = [layer.name for layer in layers]
    path = search_path(names, order, lambda kept: search.held_back.judge(calibrated.at(without(kept))), guards)
    chosen = path.index(least_exceeding(path))
    precisions = without(frozenset(path[chosen].kept))
    return SearchResult(
        calibrated.at(precisions), calibrated.quantizable.model, precisions, path, chosen, tuple(measured)
    )


def search_with_retraining(
    calibrated: CalibratedModel,
    search: PrecisionSearch,
    *,
    qat: bool,
    retrain: Retrain | None,
    console: Console = SILENT,
) -> tuple[SearchResult, bool]:
    """Search; where limits are still exceeded, or on `qat`, search once more with a model trained with the rounding.

    Parameters
    ----------
    retrain
        Quantization-aware training: the same model with weights, grids and ranges that it has learned; None where
        there is no network to train.

    Returns
    -------
    SearchResult, bool
        What was found, and whether it is the trained one.
    """
    found = search_precisions(calibrated, search, every_layer=True, console=console)
    if retrain is None or not (qat or found.excess):
        return found, False
    again = search_precisions(retrain(calibrated), search, every_layer=False, console=console)
    # What was learned further would drown one layer's share of the rounding: that is reported as it was before.
    again = replace(again, sensitivity=found.sensitivity)
    return (again, True) if qat or again.excess < found.excess else (found, False)


def search_path(
    names: Sequence[str],
    order: Callable[[], Sequence[str]],
    judge: Callable[[frozenset[str]], Divergence],
    guards: Guards,
) -> tuple[Step, ...]:
    """Keep one more of the worst layers in float until no limit is exceeded, or no layer is left to quantize.

    Parameters
    ----------
    names
        All layers that are quantized at first.
    order
        The layers, worst first; called only if the first step exceeds a limit.
    judge
        What quantization costs with these layers kept in float.

    Returns
    -------
    tuple of Step
        The path; the last step exceeds no limit, if one does not.
    """
    kept: frozenset[str] = frozenset()
    path = [_step(kept, judge, guards)]
    if not path[-1].exceeded:
        return tuple(path)
    for worst in order():
        kept |= {worst}
        if len(kept) == len(names):
            break
        path.append(_step(kept, judge, guards))
        if not path[-1].exceeded:
            break
    return tuple(path)


def least_exceeding(path: Sequence[Step]) -> Step:
    """Return the step that exceeds the limits least; the earlier of equals."""
    return min(path, key=lambda step: (step.excess, len(step.kept)))


def _step(kept: frozenset[str], judge: Callable[[frozenset[str]], Divergence], guards: Guards) -> Step:
    found = judge(kept)
    return Step(tuple(sorted(kept)), found, guards.observed(found))
