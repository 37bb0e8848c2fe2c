"""Search for a precision of every layer under guards: keep in float what the guards cannot bear."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import onnx

from overproof.progress import SILENT, Console
from overproof.quantization.calibrated_model import CalibratedModel
from overproof.quantization.evaluation import EvaluationSet
from overproof.quantization.guards import Guards, violation
from overproof.quantization.sensitivity import sensitivities, worst_first
from overproof.results.divergence import Divergence
from overproof.results.precision_search import BROKEN, Sensitivity, Step

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
        Where guards are measured, and a part of it for the sensitivity of the layers.
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
    def passed(self) -> bool:
        """Every guard holds."""
        return self.path[self.chosen].passed

    @property
    def broken(self) -> float:
        """By how much guards are broken, in units of their limits; 0 if none is."""
        return violation(self.path[self.chosen].findings)


def search_precisions(
    calibrated: CalibratedModel, search: PrecisionSearch, *, every_layer: bool, console: Console = SILENT
) -> SearchResult:
    """Search for the quantized model that holds the guards.

    Parameters
    ----------
    every_layer
        Measure the sensitivity even if nothing depends on it.

    Raises
    ------
    InputError
        A guard on a family that the held-back events do not have.
    """
    layers, precision, guards = calibrated.layers, search.precision, search.guards
    guards.require_families(search.held_back.families)
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
    chosen = path.index(least_broken(path))
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
    """Search; where the guards still break, or on `qat`, search once more with a model trained with the rounding.

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
    if retrain is None or not (qat or found.broken):
        return found, False
    again = search_precisions(retrain(calibrated), search, every_layer=False, console=console)
    # What was learned further would drown one layer's share of the rounding: that is reported as it was before.
    again = replace(again, sensitivity=found.sensitivity)
    return (again, True) if qat or again.broken < found.broken else (found, False)


def search_path(
    names: Sequence[str],
    order: Callable[[], Sequence[str]],
    judge: Callable[[frozenset[str]], Divergence],
    guards: Guards,
) -> tuple[Step, ...]:
    """Keep one more of the worst layers in float until every guard holds, or no layer is left to quantize.

    Parameters
    ----------
    names
        All layers that are quantized at first.
    order
        The layers, worst first; called only if the first step breaks a guard.
    judge
        What quantization costs with these layers kept in float.

    Returns
    -------
    tuple of Step
        The path; the last step holds every guard, if one does.
    """
    kept: frozenset[str] = frozenset()
    path = [_step(kept, judge, guards)]
    if not _broken(path[-1]):
        return tuple(path)
    for worst in order():
        kept |= {worst}
        if len(kept) == len(names):
            break
        path.append(_step(kept, judge, guards))
        if not _broken(path[-1]):
            break
    return tuple(path)


def least_broken(path: Sequence[Step]) -> Step:
    """Return the step that breaks the guards least; the earlier of equals."""
    return min(path, key=lambda step: (violation(step.findings), len(step.kept)))


def _step(kept: frozenset[str], judge: Callable[[frozenset[str]], Divergence], guards: Guards) -> Step:
    found = judge(kept)
    return Step(tuple(sorted(kept)), found, guards.findings(found))


def _broken(step: Step) -> bool:
    return any(finding.status == BROKEN for finding in step.findings)
