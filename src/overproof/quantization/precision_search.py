"""Search for a precision of every layer under guards: keep in float what the guards cannot bear."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import onnx

from overproof.progress import SILENT, Console
from overproof.quantization.calibrated_model import Calibrated
from overproof.quantization.evaluation import EvaluationSet
from overproof.quantization.guards import Guards, violation
from overproof.quantization.sensitivity import sensitivities, worst_first
from overproof.results.divergence import Divergence
from overproof.results.precision_search import BROKEN, Sensitivity, Step

SENSITIVITY_EVENTS = 512


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


def search(
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
        The layers, worst first; asked for only if the first step breaks a guard.
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


def best(path: Sequence[Step]) -> Step:
    """The step that breaks the guards least; the earlier of equals."""
    return min(path, key=lambda step: (violation(step.findings), len(step.kept)))


def _step(kept: frozenset[str], judge: Callable[[frozenset[str]], Divergence], guards: Guards) -> Step:
    found = judge(kept)
    return Step(tuple(sorted(kept)), found, guards.findings(found))


def _broken(step: Step) -> bool:
    return any(finding.status == BROKEN for finding in step.findings)
