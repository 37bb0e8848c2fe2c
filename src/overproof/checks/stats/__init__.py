"""Compute the statistics of the checks: plain functions of counts and arrays, in numpy and scipy alone."""

from overproof.checks.stats.calibration import Bin, brier, classwise_ece, ece, fit_temperature, nll, reliability
from overproof.checks.stats.proportions import (
    Interval,
    clopper_pearson,
    events_needed,
    holm,
    lower_bound,
    mcnemar,
    needed_for_margin,
    non_inferior,
    tango,
    tango_p,
    upper_bound,
    wilson,
)
from overproof.checks.stats.resampling import Resampling, bootstrap
from overproof.checks.stats.selective import augrc, learn_then_test, risk_coverage
from overproof.checks.stats.units import Units, difference_of, difference_within, share_within

__all__ = [
    "Bin",
    "Interval",
    "Resampling",
    "Units",
    "augrc",
    "bootstrap",
    "brier",
    "classwise_ece",
    "clopper_pearson",
    "difference_of",
    "difference_within",
    "ece",
    "events_needed",
    "fit_temperature",
    "holm",
    "learn_then_test",
    "lower_bound",
    "mcnemar",
    "needed_for_margin",
    "nll",
    "non_inferior",
    "reliability",
    "risk_coverage",
    "share_within",
    "tango",
    "tango_p",
    "upper_bound",
    "wilson",
]
