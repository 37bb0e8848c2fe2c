"""Hold what is to be deployed against the check of it: all of it is what was checked, or it is refused.

Most runs have no check, and are spared to load what reads one: `open_cascade` imports this where it is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from overproof.bundle.manifest import Bundle
from overproof.checks.base import CONFIDENCE, PASSED
from overproof.checks.escalation.result import Escalation
from overproof.checks.report import CheckReport
from overproof.checks.report.proof import Proof, bundle_differences, full_differences, policy_differences
from overproof.checks.verdict import ALONE, NOT
from overproof.distillation.teachers.interface import TeacherCard
from overproof.errors import InputError
from overproof.inference.cascade import Full, FullDown, Promise, Rate
from overproof.inference.cascade.policy import Policy
from overproof.inference.cascade.thresholds import Guarantee
from overproof.jobs.deploy_config import CascadeConfig, CascadeOptions
from overproof.jobs.probes import identity_of
from overproof.jobs.proof import digests_of, replayed
from overproof.results.typed_json import NotMeasured

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
        What was shown of the student alone; None where there is a full model.
    """

    source: str
    proof: Proof
    guarantee: Guarantee | None
    alone: Promise | None = None

    def options(self, config: CascadeConfig) -> CascadeOptions:
        """Return the options of a cascade: those given, else those that were checked.

        Raises
        ------
        InputError
            A rate of events a second: the check is of a share of the events.
        """
        policy = self.proof.policy
        found = config.options(CascadeOptions(Rate(share=policy.budget), policy.on_full_down, policy.never_alone))
        if found.rate.share is None:
            raise InputError(
                f"--max-escalations {config.max_escalations}: --check {self.source} is of {100 * policy.budget:g} % of "
                "the events, and a rate a second is no share of them; expected that share, or the option left out"
            )
        return found

    def require_bundle(self, bundle: Bundle) -> None:
        """Raise InputError, naming what differs, unless a bundle is the one that was checked."""
        self._refuse(bundle_differences(self.proof.bundle, digests_of(bundle)))

    def require_policy(self, policy: Policy, rate: Rate) -> None:
        """Raise InputError, naming what differs, unless policy and budget are those that were checked."""
        confidence = self.proof.policy.confidence if self.guarantee is None else policy.confidence
        self._refuse(policy_differences(self.proof.policy, replayed(policy, rate.share or 0.0, confidence)))

    def require_full(self, full: Full, classes: Sequence[str], card: TeacherCard | None = None) -> None:
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
                f"--check {self.source}: the full model does not answer, so that it cannot be told whether it is the "
                f"one that was checked ({down})"
            ) from None
        checked = self.proof.full
        self._refuse(["no full model was checked"] if checked is None else full_differences(checked, found))

    def in_force(self, policy: Policy) -> Policy:
        """Let a student that was checked alone decide alone, but for what is too long or out of distribution."""
        if self.guarantee is not None:
            return policy
        basis = f"none, the student decides alone, as it was checked ({self.source})"
        return replace(policy, confidence=0.0, basis=basis, promise=self.alone)

    def _refuse(self, differences: Sequence[str]) -> None:
        if differences:
            more = f"; and {len(differences) - NAMED} more" if len(differences) > NAMED else ""
            raise InputError(
                f"--check {self.source}: it is a proof of something else: {'; '.join(differences[:NAMED])}{more}"
            )


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
    report = CheckReport.read(path)
    if report.decision == NOT:
        raise InputError(f"--check {path}: its decision is {NOT!r}, so that nothing can be promised: {_reason(report)}")
    if with_full:
        return Checked(str(path), report.proof, _guarantee(report, path))
    if report.decision != ALONE:
        raise InputError(
            f"--check {path}: its decision is {report.decision!r}; expected --full too, the full model that was checked"
        )
    return Checked(str(path), report.proof, None, _alone(report, path))


def _guarantee(report: CheckReport, path: Path) -> Guarantee:
    """Return the threshold of a check of which every gate of the escalation passed."""
    escalation = next(check for check in report.checks if isinstance(check.data, Escalation))
    threshold = escalation.data.threshold
    if isinstance(threshold, NotMeasured):
        raise InputError(f"--check {path}: it found no threshold: {threshold.unmeasured}")
    closed = [gate for gate in escalation.gates if gate.status != PASSED]
    if closed:
        gate = closed[0]
        raise InputError(f"--check {path}: its gate {gate.key} is {gate.status}, so that nothing is promised")
    return Guarantee(threshold.value, Promise(threshold.limit, threshold.confidence, str(path)))


def _alone(report: CheckReport, path: Path) -> Promise:
    """Return what was shown of the student alone."""
    gate = next(gate for gate in report.gates if gate.key == MISSES)
    if gate.status != PASSED or gate.limit is None:
        raise InputError(f"--check {path}: its gate {gate.key} is {gate.status}, so that nothing is promised")
    return Promise(gate.limit, CONFIDENCE, str(path), alone=True)


def _reason(report: CheckReport) -> str:
    """Name the gates that decided; the report has the sentences."""
    keys = report.verdict.because
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return f"decided by {', '.join(keys[:NAMED])}{more}"
