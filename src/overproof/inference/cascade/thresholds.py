"""Choose a policy's thresholds: by the guarantee of a check, or by the budget that may be spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

from overproof.bundle.manifest import Manifest
from overproof.errors import InputError
from overproof.inference.cascade.budget import Rate
from overproof.inference.cascade.policy import OnFullDown, Policy
from overproof.inference.cascade.promise import Promise
from overproof.inference.cascade.signals import CONFIDENCE, OOD_DISTANCE, threshold

BUDGET = 0.05  # where none is given
SPENT = 0.5  # share of the budget that the confidence threshold spends on validation events: traffic is less tame
SPENT_ON_OOD = 0.1  # share of it that the distance threshold spends on them; of both less than is reserved, so that
# what comes by chance fits as well, and a run that is like the validation events defers nothing
DOWN = get_args(OnFullDown)


@dataclass(frozen=True)
class Guarantee:
    """The threshold that a check of a bundle found, and what it promises.

    Attributes
    ----------
    threshold
        The confidence below which an event is escalated.
    promise
        What was shown of a cascade with that threshold.

    Raises
    ------
    InputError
        A threshold that is no number from 0 to 1.
    """

    threshold: float
    promise: Promise

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise InputError(
                f"--check {self.promise.source}: its threshold is {self.threshold}, expected a number from 0 to 1"
            )


def policy_for(
    manifest: Manifest,
    *,
    guarantee: Guarantee | None = None,
    rate: Rate | None = None,
    never_alone: Sequence[str] = (),
    on_full_down: str = "hold",
) -> Policy:
    """Choose the policy for a bundle.

    Parameters
    ----------
    guarantee
        What `overproof check` found for this bundle: its threshold is taken. Without it, half the budget is spent on
        the least sure of the validation events. A tenth is spent on those least like the training events, in either
        case.
    rate
        What may be escalated; 5 % where it is no share.
    never_alone
        Labels that the student may not decide.
    on_full_down
        `hold`, `student` or `fail`.

    Raises
    ------
    InputError
        A label or word that is unknown.
    """
    unknown = [name for name in never_alone if name not in manifest.classes]
    if unknown:
        raise InputError(f"--never-alone {unknown[0]}: expected a label of the bundle: {', '.join(manifest.classes)}")
    down = require_on_full_down(on_full_down)
    policy = Policy(
        never_alone=tuple(never_alone), on_full_down=down, temperature=manifest.calibration or 1.0, basis="no threshold"
    )
    budget = BUDGET if rate is None or rate.share is None else rate.share
    if manifest.signals is not None:
        policy = replace(policy, ood_distance=threshold(manifest.signals, OOD_DISTANCE, SPENT_ON_OOD * budget))
    if guarantee is not None:
        basis = f"the threshold that the check found ({guarantee.promise.source})"
        return replace(policy, confidence=guarantee.threshold, basis=basis, promise=guarantee.promise)
    if manifest.signals is None:
        return policy
    found, spent = threshold(manifest.signals, CONFIDENCE, SPENT * budget), f"{100 * SPENT * budget:g} %"
    if found is None:
        return replace(policy, basis=f"no threshold: too few validation events to see {spent} of them")
    return replace(policy, confidence=found, basis=f"the least sure {spent} of the validation events")


def require_on_full_down(word: str) -> OnFullDown:
    """Return the word; InputError unless it is `hold`, `student` or `fail`."""
    if word not in DOWN:
        raise InputError(f"--on-full-down {word}: expected one of {', '.join(DOWN)}")
    found: OnFullDown = word  # type: ignore[assignment]
    return found
