"""The whole of one quantization: calibrate, measure every layer, search under guards, train if need be, tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from overproof.progress import SILENT, Console
from overproof.quantization.calibrated_model import Calibrated, calibrate
from overproof.quantization.evaluation import EvaluationSet
from overproof.quantization.guards import Guards
from overproof.quantization.precision_search import SENSITIVITY_EVENTS, Guarded, settled
from overproof.quantization.precisions import PRECISIONS
from overproof.quantization.quantizable_model import QuantizableModel
from overproof.quantization.reports import portability_report
from overproof.results.divergence import Divergence
from overproof.results.precision_search import PrecisionSearchReport


@dataclass(frozen=True)
class QuantizationRun:
    """A quantization carried out.

    Attributes
    ----------
    found
        The model, and the float one that was rounded.
    bench
        The held-back events.
    report
        What it cost; `out` is still to be filled in.
    """

    found: Guarded
    bench: EvaluationSet
    report: PrecisionSearchReport


def run_quantization(
    subject: QuantizableModel,
    calibration: pa.Table,
    held_back: pa.Table,
    *,
    precision: str,
    guards: Guards,
    observer: str = "minmax",
    qat: bool = False,
    retrain: Callable[[Calibrated], Calibrated] | None = None,
    tested: pa.Table | None = None,
    seed: int,
    console: Console = SILENT,
) -> QuantizationRun:
    """Quantize a subject.

    Parameters
    ----------
    calibration, held_back, tested
        Events for the ranges, to judge and choose by, and to measure the result on.
    qat, retrain
        See `guarded.settled`.

    Raises
    ------
    InputError
        Nothing to quantize, events or guards that cannot be used.
    """
    calibrated = calibrate(subject, calibration, observer=observer, seed=seed)
    console.say(
        f"{len(calibrated.layers)} layers; {calibration.num_rows:,} events to calibrate, "
        f"{held_back.num_rows:,} held back to judge by"
    )
    bench = EvaluationSet(subject, held_back)
    few = bench.fewer(SENSITIVITY_EVENTS, seed=seed)
    found, trained = settled(
        calibrated,
        (bench, few),
        precision=precision,
        guards=guards,
        qat=qat,
        retrain=retrain,
        console=console,
    )
    console.say("measuring: other precisions, portability of the verdicts, every layer's weights and activations")
    report = PrecisionSearchReport(
        model=subject.name,
        out=Path(),
        precision=precision,
        bytes_before=subject.model.ByteSize(),
        bytes_after=found.model.ByteSize(),
        calibrated=calibration.num_rows,
        held_back=held_back.num_rows,
        path=found.path,
        chosen=found.chosen,
        trained=trained,
        sensitivity=found.sensitivity,
        whole=few.judge(calibrated.at({layer.name: precision for layer in calibrated.layers})),
        compared=_compared(calibrated, bench, precision),
        tested=None if tested is None else EvaluationSet(subject, tested).judge(found.model),
        portability=portability_report(subject, found.model, held_back, seed=seed),
        seed=seed,
    )
    return QuantizationRun(found, bench, report)


def _compared(calibrated: Calibrated, bench: EvaluationSet, precision: str) -> dict[str, Divergence]:
    """Every layer at each other precision."""
    return {
        other: bench.judge(calibrated.at({layer.name: other for layer in calibrated.layers}))
        for other in PRECISIONS
        if other not in (precision, "float")
    }
