"""Open a cascade: the student, its policy, and the full model in reserve."""

from __future__ import annotations

from pathlib import Path

from overproof.bundle.manifest import Bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.errors import InputError
from overproof.inference.cascade import Bucket, Cascade, Full, parse_rate
from overproof.inference.cascade.budget import POOL
from overproof.inference.cascade.thresholds import Guarantee, policy_for
from overproof.jobs.deploy_config import CascadeConfig
from overproof.jobs.full_model import open_full, reserve


def open_cascade(bundle: Bundle, config: CascadeConfig | None = None, *, tokens: float | None = None) -> Cascade:
    """Open the student of a bundle with its policy, and the full model in reserve.

    Parameters
    ----------
    tokens
        Of the escalation budget at the start, for any kind of reason; see `cascade.budget.Bucket`.

    Raises
    ------
    InputError, BundleError, TamperedBundle, MissingExtra
        Options or a full model that cannot be used.
    """
    config = config or CascadeConfig()
    rate = parse_rate(config.max_escalations)
    policy = policy_for(
        bundle.manifest,
        guarantee=None if config.check is None else read_guarantee(config.check),
        rate=rate,
        never_alone=config.never_alone,
        on_full_down=config.on_full_down,
    )
    student = OnnxScorer(bundle)
    full = config.full
    if full is not None and not isinstance(full, Full):
        full = reserve(open_full(full, student.classes))
    if full is not None and config.check is None and bundle.manifest.signals is None:
        raise InputError(
            f"{bundle.path}: keeps no thresholds of its own (it was made by an older version), expected --check "
            "check.json of `overproof check`, or a bundle compressed again"
        )
    return Cascade(student, full, policy, Bucket(rate, level=None if tokens is None else {POOL: tokens}))


def read_guarantee(path: Path) -> Guarantee:
    """Read the threshold in a check.json, and what it promises.

    Raises
    ------
    InputError
        No such file, one that does not fit its schema, or a check that found no threshold.
    """
    from overproof.checks.escalation.result import Escalation  # most runs need no check, and reading one takes a while
    from overproof.checks.report import CheckReport
    from overproof.results.typed_json import NotMeasured

    report = CheckReport.read(path)
    threshold = next(check.data.threshold for check in report.checks if isinstance(check.data, Escalation))
    if isinstance(threshold, NotMeasured):
        raise InputError(f"--check {path}: it found no threshold: {threshold.unmeasured}")
    return Guarantee(report.bundle.sha256, threshold.value, threshold.limit, threshold.confidence, str(path))
