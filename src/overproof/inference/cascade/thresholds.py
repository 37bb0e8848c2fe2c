"""Choose a policy's thresholds: by the guarantee of a check, or by the budget that may be spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import orjson

from overproof.bundle.manifest import MODEL, Manifest
from overproof.errors import InputError
from overproof.inference.cascade.budget import Rate
from overproof.inference.cascade.policy import OnFullDown, Policy
from overproof.inference.cascade.signals import CONFIDENCE, OOD_DISTANCE, threshold

BUDGET = 0.05  # where none is given
SPENT = 0.5  # share of the budget that the confidence threshold spends on validation events: traffic is less tame
SPENT_ON_OOD = 0.25  # share of it that the distance threshold spends on them
DOWN = get_args(OnFullDown)


def policy_for(
    manifest: Manifest,
    *,
    check: Path | None = None,
    rate: Rate | None = None,
    never_alone: Sequence[str] = (),
    on_full_down: str = "hold",
) -> Policy:
    """Choose the policy for a bundle.

    Parameters
    ----------
    check
        `check.json` of `overproof check` for this bundle: its confidence threshold carries a guarantee. Without it,
        half the budget is spent on the least sure of the validation events. A quarter is spent on those least like the
        training events, in either case.
    rate
        What may be escalated; 5 % where it is no share.
    never_alone
        Labels that the student may not decide.
    on_full_down
        `hold`, `student` or `fail`.

    Raises
    ------
    InputError
        A label or word that is unknown; a check of another bundle, or one without a threshold.
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
    if check is not None:
        value, basis = guaranteed(check, str(manifest.files[MODEL]["sha256"]))
        return replace(policy, confidence=value, basis=basis)
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


def guaranteed(path: Path, sha256: str) -> tuple[float, str]:
    """Read the threshold in a `check.json`, and what it promises.

    Raises
    ------
    InputError
        No such file, no check, one of another model, or one that found no threshold.
    """
    try:
        found: Any = orjson.loads(path.read_bytes())
        checked = found["bundle"]["sha256"]
        found_threshold = next(check["data"]["threshold"] for check in found["checks"] if check["key"] == "escalation")
    except OSError as error:
        raise InputError(f"--check {path}: {error.strerror}; expected check.json of `overproof check`") from None
    except (ValueError, KeyError, TypeError, StopIteration):
        raise InputError(f"--check {path}: not a check.json of `overproof check`") from None
    if checked != sha256:
        raise InputError(
            f"--check {path}: is of another model (sha256 {str(checked)[:16]}…, the bundle's is {sha256[:16]}…)"
        )
    if "value" not in found_threshold:
        raise InputError(f"--check {path}: it found no threshold: {found_threshold.get('unmeasured')}")
    promise = f"at most {100 * found_threshold['limit']:g} % of the attacks that the full model catches are lost"
    return float(
        found_threshold["value"]
    ), f"{promise}, with {100 * found_threshold['confidence']:g} % confidence ({path})"
