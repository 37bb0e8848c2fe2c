"""Open a cascade: the student, its policy, and the full model in reserve."""

from __future__ import annotations

from collections.abc import Sequence

from overproof.bundle.manifest import Bundle
from overproof.bundle.tiers import open_student
from overproof.distillation.teachers.interface import TeacherCard
from overproof.errors import InputError
from overproof.inference.cascade import Bucket, Cascade, Full
from overproof.inference.cascade.budget import POOL
from overproof.inference.cascade.thresholds import policy_for
from overproof.jobs.deploy_config import CascadeConfig, CascadeOptions, FullModel
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
        Options or a full model that cannot be used, or a check that is a proof of something else.
    """
    config = config or CascadeConfig()
    checked = None
    if config.check is not None:
        from overproof.jobs.checked import read_checked

        checked = read_checked(config.check, with_full=config.full is not None)
        checked.require_bundle(bundle)
    options = config.options(CascadeOptions()) if checked is None else checked.options(config)
    policy = policy_for(
        bundle.manifest,
        guarantee=None if checked is None else checked.guarantee,
        rate=options.rate,
        never_alone=options.never_alone,
        on_full_down=options.on_full_down,
    )
    if checked is not None:
        checked.require_policy(policy, options.rate)
        policy = checked.in_force(policy)
    student = open_student(bundle)
    if config.full is not None and checked is None and bundle.manifest.signals is None:
        raise InputError(
            f"{bundle.path}: keeps no thresholds of its own (it was made by an older version), expected --check "
            "check.json of `overproof check`, or a bundle compressed again"
        )
    full = None
    if config.full is not None:
        full, card = _in_reserve(config.full, student.classes)
        if checked is not None:
            checked.require_full(full, student.classes, card)
    return Cascade(student, full, policy, Bucket(options.rate, level=None if tokens is None else {POOL: tokens}))


def _in_reserve(full: FullModel | Full, classes: Sequence[str]) -> tuple[Full, TeacherCard | None]:
    """Open a full model, and return its card where it has one."""
    if isinstance(full, Full):
        return full, None
    teacher = open_full(full, classes)
    return reserve(teacher), teacher.card
