"""Hold what the calibration check measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from overproof.checks.stats import Bin, Interval
from overproof.results.typed_json import NotMeasured


@dataclass(frozen=True)
class CalibrationErrors:
    """How far a model's confidence is from how often it is right.

    Attributes
    ----------
    ece_width, ece_mass, ece_class
        Expected calibration error over bins of equal width, of equal mass, and class by class.
    brier, nll
        Brier score and negative log-likelihood.
    """

    ece_width: Interval
    ece_mass: float
    ece_class: float
    brier: float
    nll: float


@dataclass(frozen=True)
class ModelCalibration:
    """The calibration of one model.

    Attributes
    ----------
    temperature
        The T that calibrates it, fitted on validation events; None where there were none.
    before, after
        Its errors as it is, and at that temperature (None without one).
    reliability
        Its events by confidence, at that temperature.
    """

    temperature: float | None
    before: CalibrationErrors
    after: CalibrationErrors | None
    reliability: tuple[Bin, ...]


@dataclass(frozen=True)
class SwappedThreshold:
    """The quantized student behind the full model's threshold for one false-positive rate.

    Attributes
    ----------
    fpr
        The rate that is aimed at.
    full_threshold, own_threshold
        The full model's threshold for it, and the student's own (None where it has none).
    fpr_full, fpr_swapped, tpr_full, tpr_swapped
        Shares of the benign events and of the attacks that either flags behind the full model's; None without any.
    """

    fpr: float
    full_threshold: float
    own_threshold: float | None
    fpr_full: Interval | None
    fpr_swapped: Interval | None
    tpr_full: Interval | None
    tpr_swapped: Interval | None


@dataclass(frozen=True)
class Calibration:
    """What the calibration check measured.

    Attributes
    ----------
    models
        Model to its calibration; empty without a labelled event whose class the models know.
    threshold_drift
        A row for each false-positive rate that the benign events can show.
    """

    models: Mapping[str, ModelCalibration]
    threshold_drift: tuple[SwappedThreshold, ...] | NotMeasured
