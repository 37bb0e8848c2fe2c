"""Hold what is to be deployed against the check of it: all of it is what was checked, or it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from overproof.bundle.manifest import Bundle
from overproof.checks.gate_result import PASSED
from overproof.checks.report.proof import Proof, bundle_differences, full_differences, policy_differences
from overproof.distillation.teachers.interface import TeacherCard
from overproof.errors import InputError
from overproof.inference.cascade import Full, FullDown, Promise, Rate, parse_rate
from overproof.inference.cascade.policy import Policy
from overproof.inference.cascade.thresholds import Guarantee
from overproof.jobs.deploy_config import CascadeConfig, CascadeOptions
from overproof.jobs.probes import identity_of
from overproof.jobs.proof import digests_of, replayed

if TYPE_CHECKING:
    from overproof.checks.report import CheckReport

MISSES = "held-out/misses"
NAMED = 4  # differences that a message names


@dataclass(frozen=True)
class Checked:
    """A check that allows to deploy what it is a proof of.

    Attributes
    ----------
    source
        Where it was read.
    proof
        What it is a proof of.
    guarantee
        Its threshold and what that promises; None where the student is deployed alone, without a full model.
    alone
        What was shown of the student alone; empty where there is a full model.
    """

    source: str
    proof: Proof
    guarantee: Guarantee | None
    alone: str = ""


def read_checked(path: Path, *, with_full: bool) -> Checked:
    """Read a check.json that is to be relied on.

    Parameters
    ----------
    with_full
        Whether there is a full model in reserve. Without one a bundle is only deployed that may be so alone.

    Raises
    ------
    InputError
        No such file, one that does not fit its schema, a check that decides not to deploy, or one of which the gates
        that the promise rests on did not pass.
    """
    from overproof.checks.report import CheckReport  # most runs need no check, and reading one takes a while
    from overproof.checks.verdict import ALONE, NOT

    report = CheckReport.read(path)
    if report.decision == NOT:
        raise InputError(f"--check {path}: its decision is {NOT!r}, so that nothing can be promised: {_reason(report)}")
    if not with_full:
        if report.decision != ALONE:
            raise InputError(
                f"--check {path}: its decision is {report.decision!r}; expected --full too, the full model that was "
                "checked"
            )
        return Checked(str(path), report.proof, None, _alone(report, path))
    return Checked(str(path), report.proof, _guarantee(report, path))


def options_in_force(config: CascadeConfig, checked: Checked | None) -> CascadeOptions:
    """Return the options of a cascade: those given, else those that were checked, else the defaults.

    Raises
    ------
    InputError
        A rate of events a second beside a check, which is of a share of the events.
    """
    default = CascadeOptions()
    if checked is not None:
        policy = checked.proof.policy
        default = CascadeOptions(Rate(share=policy.budget), policy.on_full_down, policy.never_alone)
    rate = default.rate if config.max_escalations is None else parse_rate(config.max_escalations)
    if checked is not None and rate.share is None:
        raise InputError(
            f"--max-escalations {config.max_escalations}: --check {checked.source} is of "
            f"{100 * checked.proof.policy.budget:g} % of the events, and a rate a second is no share of them; expected "
            "that share, or --max-escalations left out"
        )
    return CascadeOptions(
        rate,
        config.on_full_down or default.on_full_down,
        default.never_alone if config.never_alone is None else config.never_alone,
    )


def require_bundle(checked: Checked, bundle: Bundle) -> None:
    """Raise InputError, naming what differs, unless a bundle is the one that was checked."""
    _refuse(checked, bundle_differences(checked.proof.bundle, digests_of(bundle)))


def require_policy(checked: Checked, policy: Policy, rate: Rate) -> None:
    """Raise InputError, naming what differs, unless policy and budget are those that were checked."""
    confidence = checked.proof.policy.confidence if checked.guarantee is None else policy.confidence
    _refuse(checked, policy_differences(checked.proof.policy, replayed(policy, rate.share or 0.0, confidence)))


def require_full(checked: Checked, full: Full, classes: Sequence[str], card: TeacherCard | None = None) -> None:
    """Raise InputError, naming what differs, unless the full model is the one that was checked.

    Parameters
    ----------
    card
        The full model's, where it has one.
    """
    try:
        found = identity_of(full, classes, card)
    except FullDown as down:
        raise InputError(
            f"--check {checked.source}: the full model does not answer, so that it cannot be told whether it is the "
            f"one that was checked ({down})"
        ) from None
    if checked.proof.full is None:
        _refuse(checked, ["no full model was checked"])
    else:
        _refuse(checked, full_differences(checked.proof.full, found))


def _refuse(checked: Checked, differences: Sequence[str]) -> None:
    if differences:
        more = f"; and {len(differences) - NAMED} more" if len(differences) > NAMED else ""
        raise InputError(
            f"--check {checked.source}: it is a proof of something else: {'; '.join(differences[:NAMED])}{more}"
        )


def _guarantee(report: CheckReport, path: Path) -> Guarantee:
    """Return the threshold of a check of which every gate of the escalation passed."""
    from overproof.checks.escalation.result import Escalation
    from overproof.results.typed_json import NotMeasured

    escalation = next(check for check in report.checks if isinstance(check.data, Escalation))
    threshold = escalation.data.threshold
    if isinstance(threshold, NotMeasured):
        raise InputError(f"--check {path}: it found no threshold: {threshold.unmeasured}")
    closed = [gate for gate in escalation.gates if gate.status != PASSED]
    if closed:
        gate = closed[0]
        raise InputError(f"--check {path}: its gate {gate.key} is {gate.status}, so that nothing is promised")
    return Guarantee(threshold.value, Promise(threshold.limit, threshold.confidence, str(path)))


def _alone(report: CheckReport, path: Path) -> str:
    """Say what was shown of the student alone."""
    gate = next(gate for gate in report.gates if gate.key == MISSES)
    if gate.status != PASSED or gate.limit is None:
        raise InputError(f"--check {path}: its gate {gate.key} is {gate.status}, so that nothing is promised")
    return (
        f"deploy alone: the student misses at most {100 * gate.limit:g} % more of the attacks than the full model that "
        f"it was checked against, with 95 % confidence, for events like those of the check ({path})"
    )


def _reason(report: CheckReport) -> str:
    return report.verdict.sentence.partition(": ")[2] or report.verdict.sentence


def without_threshold(policy: Policy, checked: Checked) -> Policy:
    """Let the student decide alone, as was checked; what is too long or out of distribution is still abstained from."""
    return replace(policy, confidence=0.0, basis=checked.alone)
