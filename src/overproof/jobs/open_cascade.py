"""Open a cascade: the student, its policy, and the full model in reserve."""

from __future__ import annotations

from overproof.bundle.manifest import Bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.errors import InputError
from overproof.inference.cascade import Bucket, Cascade, Full, parse_rate
from overproof.inference.cascade.thresholds import policy_for
from overproof.jobs.deploy_config import CascadeConfig
from overproof.jobs.full_model import open_full, reserve


def open_cascade(bundle: Bundle, config: CascadeConfig | None = None, *, tokens: float | None = None) -> Cascade:
    """Open the student of a bundle with its policy, and the full model in reserve.

    Parameters
    ----------
    tokens
        Of the escalation budget at the start; see `cascade.budget.Bucket`.

    Raises
    ------
    InputError, BundleError, TamperedBundle, MissingExtra
        Options or a full model that cannot be used.
    """
    config = config or CascadeConfig()
    rate = parse_rate(config.max_escalations)
    policy = policy_for(
        bundle.manifest,
        check=config.check,
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
    return Cascade(student, full, policy, Bucket(rate, level=tokens))
