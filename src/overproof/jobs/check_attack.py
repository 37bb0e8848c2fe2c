"""Attack the events of a check, with its bundle, full model and control: what `checks.redteam` then counts.

Evasion is spent on bundle and control alike, each with thresholds of its own for the same share of the validation
events, so that the two can be compared; bypass and flood meet the cascade that is to be deployed, at the threshold that
the escalation check found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec

import numpy as np
import pyarrow as pa

from overproof.bundle.evidence_store import EvidenceStore
from overproof.bundle.manifest import Bundle
from overproof.bundle.scores import joined, softmax
from overproof.bundle.tiers import Student, open_student
from overproof.checks.attacked import BYPASS, EVASION, FLOOD, Attacked, AttackSettings, Fallen, FloodMix
from overproof.checks.base import CONTROL, FULL, QUANTIZED, CheckContext
from overproof.checks.escalation.threshold import scores_of
from overproof.events.schema import overflowed
from overproof.inference.cascade import Full, Policy
from overproof.inference.cascade.budget import Rate
from overproof.inference.cascade.full import aligned
from overproof.jobs.attack_config import AttackConfig
from overproof.jobs.attack_rates import cases
from overproof.jobs.attack_targets import Judges, Targets, evenly
from overproof.jobs.attack_victims import asking, student_beside
from overproof.jobs.check_flood import Flood
from overproof.jobs.full_model import RemoteTeacher, reserve
from overproof.jobs.model_outputs import NO_EVIDENCE, NO_FULL, ModelQueries
from overproof.progress import Console
from overproof.redteam.campaign import Attempt, Campaign, Target
from overproof.redteam.mutate import MUTATORS
from overproof.redteam.objectives import OBJECTIVES
from overproof.redteam.oracle import ORACLES
from overproof.redteam.referee import AskFull, Referee
from overproof.redteam.victim import Victim, victim
from overproof.results.attack_cases import Case
from overproof.results.typed_json import NotMeasured

SAMPLE = 200  # attacks, and benign events, that are edited at most
SEARCH = "bandit"
WAVE = 64  # events that are attacked side by side
BENIGN = 1000  # benign events that are replayed under flood
# What the oracles parse with, of the extra `attack`: without it they prove nothing, and nothing would be counted.
PARSERS = (
    "elementpath",
    "selectolax",
    "sqlglot",
    "tree_sitter",
    "tree_sitter_bash",
    "tree_sitter_javascript",
    "tree_sitter_powershell",
)


@dataclass(frozen=True)
class Attackable:
    """What is attacked: the bundle, the evidence beside it, its models and the events as a table."""

    bundle: Bundle
    store: EvidenceStore | None
    models: ModelQueries
    events: pa.Table


@dataclass(frozen=True)
class _Attack:
    """One attack on the events of a check.

    Attributes
    ----------
    context
        What the checks see of them.
    student
        The bundle, opened.
    full, ask
        The full model, and its probability of an attack.
    referee
        Decides about what searches propose.
    console
        Shows how far it is.
    """

    context: CheckContext
    student: Student
    full: Full
    ask: AskFull
    referee: Referee
    console: Console

    def policy(self, threshold: float | None) -> Policy:
        """Return the bundle's policy, at a threshold or with its own."""
        own = self.context.policy
        return own if threshold is None else replace(own, confidence=threshold)

    def victim(self, threshold: float | None) -> Victim:
        """Make a victim of the bundle with that policy."""
        return victim(self.student, self.context.benign_classes.tolist(), self.policy(threshold))

    def spend(self, objective: str, model: str, attacked: Victim, targets: Sequence[Target]) -> list[Attempt]:
        """Spend the queries on every event."""
        settings, seed = self.context.attack_settings, self.context.seed
        campaign = Campaign(
            SEARCH, OBJECTIVES[objective], MUTATORS, attacked, attacked, self.referee, settings.queries, seed
        )
        found: list[Attempt] = []
        with self.console.progress(f"red team: {objective} against {model}", len(targets)) as advance:
            for start in range(0, len(targets), WAVE):
                found += campaign.run(targets[start : start + WAVE])
                advance(len(found) - start)
        return found

    def fallen(self, objective: str, model: str, attempts: Sequence[Attempt]) -> Fallen:
        """Say which events fell, and whether the full model alone detects what did it."""
        texts = [one.success.edited.text for one in attempts if one.success is not None]
        fell = np.array([one.success is not None for one in attempts], dtype=bool)
        detected = np.zeros(len(attempts), dtype=bool)
        if texts:
            detected[fell] = self.ask(texts) > 0.5
        rows = np.array([one.target.row for one in attempts], dtype=np.intp)
        return Fallen(objective, model, OBJECTIVES[objective].wants, rows, fell, detected)


def attack_events(
    what: Attackable, context: CheckContext, threshold: float | None, console: Console
) -> Attacked | NotMeasured:
    """Attack the events of a check; or say why that cannot be.

    Parameters
    ----------
    context
        What the checks see, its settings of the attack among it.
    threshold
        The confidence that the escalation check found; None takes the bundle's own.
    """
    why = why_not_attacked(what.models, context.attack_settings)
    if why or what.models.full is None:
        return NotMeasured(why)
    student = open_student(what.bundle)
    full = aligned(reserve(what.models.full), student.classes)
    ask = asking(full, context.benign)
    attack = _Attack(context, student, full, ask, Referee(ask, ORACLES), console)
    why_not = _unproved()
    evasion = {QUANTIZED: attack.victim(None)}
    if what.store is None:
        why_not[CONTROL] = NO_EVIDENCE
    elif EVASION not in why_not:
        rate = Rate(share=context.operation.budget)
        evasion[CONTROL] = student_beside(CONTROL, what.store, what.bundle.manifest, rate, context.seed)
    deployed, targets = attack.victim(threshold), _targets(what, attack, evasion)
    plan = [(EVASION, model, one) for model, one in evasion.items()]
    plan += [(objective, QUANTIZED, deployed) for objective in (BYPASS, FLOOD)]
    attempts = {
        (objective, model): attack.spend(objective, model, one, targets.of(objective))
        for objective, model, one in plan
        if objective not in why_not
    }
    return Attacked(
        threshold=threshold,
        fallen=tuple(attack.fallen(*key, some) for key, some in attempts.items() if key[0] != FLOOD),
        flood=_flood(attack, threshold, attempts[FLOOD, QUANTIZED]),
        why_not=why_not,
        left_out=targets.left_out,
        cases=tuple(_cases(attempts, context)),
    )


def why_not_attacked(models: ModelQueries, settings: AttackSettings) -> str:
    """Say why nothing can be attacked; empty where something can."""
    if not settings.queries:
        return "--attack 0"
    if models.full is None:
        return NO_FULL
    if FULL in models.fixed:
        return "the full model is a table of soft labels, which cannot be asked about edited events"
    if isinstance(models.full, RemoteTeacher):
        return "the full model is a service: models on this machine are attacked, never servers"
    return ""


def _unproved() -> dict[str, str]:
    """Return the attacks that need a proof, each with the package that is missing for it; none where all are there."""
    missing = next((name for name in PARSERS if find_spec(name) is None), None)
    if missing is None:
        return {}
    why = f"the package {missing.replace('_', '-')} is not installed (pip install 'overproof[attack]')"
    return {EVASION: why, BYPASS: why}


def _targets(what: Attackable, attack: _Attack, victims: Mapping[str, Victim]) -> Targets:
    """Choose what is edited: events that all models get right as they are, and attacks that an oracle covers."""
    context = attack.context
    config = AttackConfig(
        what.events, objectives=(EVASION, FLOOD), sample=context.attack_settings.sample, seed=context.seed
    )
    found = evenly(config, what.events, context.benign, Judges(victims, attack.referee))
    covered = [target for target in found.attacks if target.covered]
    cut = overflowed(what.events) & context.policy.overflow  # which no edit keeps from the full model
    whole = tuple(target for target in covered if not cut[target.row])
    left_out = {
        "no oracle can prove what it does": len(found.attacks) - len(covered),
        "cut by its source, so that the full model has it": len(covered) - len(whole),
    }
    return Targets(whole, found.benign, {**found.left_out, **{why: count for why, count in left_out.items() if count}})


def _flood(attack: _Attack, threshold: float | None, attempts: Sequence[Attempt]) -> tuple[FloodMix, ...] | NotMeasured:
    """Replay the cascade among the benign events that were edited so that they cost the full model's time."""
    context = attack.context
    texts = sorted({one.success.edited.text for one in attempts if one.success is not None})
    if not texts:
        return NotMeasured("no benign event could be edited so that it goes to the full model")
    rows = np.flatnonzero(context.benign_events)
    rows = np.sort(np.random.default_rng(context.seed).permutation(rows)[:BENIGN])
    full = np.concatenate([softmax(context.models[FULL].logits[rows]), attack.full.ask(texts)])
    scores = joined([scores_of(context).take(rows), attack.student.score(texts)])
    budget, policy = context.operation.budget, attack.policy(threshold)
    return Flood(attack.student, policy, budget, scores, full, len(rows), context.seed).mixes()


def _cases(attempts: Mapping[tuple[str, str], Sequence[Attempt]], context: CheckContext) -> Iterator[Case]:
    """Yield every success against the bundle."""
    for (objective, model), some in attempts.items():
        if model == QUANTIZED:
            yield from cases((objective, SEARCH, model), some, context.sample.origins)
