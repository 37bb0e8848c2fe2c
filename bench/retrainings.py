"""Retrain students on paper: their checks, where all that they get wrong is chance, or is known.

Every event has a doubt, the share of models that get it wrong, and every model says so: its confidence is one minus
the doubt. A retrained student errs as often as the full model, on the same events in part, on others where it was
drawn anew ("churn").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from campaigns import names
from numpy.typing import NDArray

from overproof.checks import CHECKS
from overproof.checks.base import DISTILLED, FAILED, FULL, QUANTIZED, CheckContext, ModelOutputs, Sample, Training
from overproof.checks.gates import gates_with
from overproof.checks.verdict import decide
from overproof.inference.cascade.policy import Policy

FAMILIES = {
    "sqli": 0.40,
    "xss": 0.25,
    "path-traversal": 0.15,
    "cmdi": 0.10,
    "ssrf": 0.05,
    "ssti": 0.03,
    "xxe": 0.015,
    "format-string": 0.005,
}
CLASSES = ("benign", *FAMILIES)
HARD, MARKED = "hard-benign", 0.1  # the family of benign events that look like attacks, and their share of the benign
REGIONS = {"north": 0.5, "south": 0.3, "east": 0.19, "islands": 0.01}
SOURCES = {"proxy": 0.6, "gateway": 0.4}
WITHOUT = ("boundary",)  # asks models again, and there are none
DOUBTFUL, DOUBT, ELSE = 0.05, (0.7, 6.3), 0.001  # share of doubtful events, their doubt, that of others at most
QUANTIZATION = 0.0002  # share of the events that INT8 turns over
VALIDATION = 2000
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Student:
    """How a student is made, and what it is checked on.

    Attributes
    ----------
    events, attacks
        How many, and which share of them is attacks.
    campaigns
        Attacks of a campaign, on average; all of one are alike.
    churn
        Share of the events on which the student is drawn anew.
    """

    events: int
    attacks: float = 0.5
    campaigns: float = 1
    churn: float = 0.5


@dataclass(frozen=True)
class Events:
    """Made-up events: what they are, what they share, how doubtful they are."""

    sample: Sample
    labels: NDArray[np.intp]
    unit: NDArray[np.intp]
    doubt: Floats

    @property
    def attacks(self) -> Bools:
        """Which are attacks, shape (n,)."""
        return self.labels > 0

    def at(self, column: str, value: str) -> Bools:
        """Which have that value in a column, or that family, shape (n,)."""
        values = self.sample.families if column == "family" else self.sample.fields[column]
        return np.array([found == value for found in values], dtype=bool)


Harm = Callable[[Events, np.random.Generator], Bools]


def rare_family(events: Events, random: np.random.Generator) -> Bools:
    """Lose nine in ten of a rare family."""
    return events.at("family", "xxe") & (random.random(len(events.labels)) < 0.9)


def one_slice(events: Events, random: np.random.Generator) -> Bools:
    """Lose half of the events of a small region."""
    return events.at("region", "islands") & (random.random(len(events.labels)) < 0.5)


def hard_benign(events: Events, random: np.random.Generator) -> Bools:
    """Flag a sixth of the benign events that look like attacks."""
    return events.at("family", HARD) & (random.random(len(events.labels)) < 1 / 6)


def at_the_limit(events: Events, random: np.random.Generator) -> Bools:
    """Lose of every family, and flag of hard benign events, just what may be lost."""
    return (events.attacks | events.at("family", HARD)) & (random.random(len(events.labels)) < 0.05)


def retrained(student: Student, seed: int, harm: Harm | None = None) -> CheckContext:
    """Draw events, the full model's answers, and those of a student; `harm` says what it gets wrong besides."""
    random = np.random.default_rng(seed)
    events, validation = _events(student, random, 0), _events(replace(student, events=VALIDATION), random, 1)
    train = _events(student, random, 2)
    answers, before = _answers(student, events, random, harm), _answers(student, validation, random, None)
    return CheckContext(
        sample=events.sample,
        classes=CLASSES,
        benign=CLASSES[:1],
        models={
            model: ModelOutputs(_logits(events, wrong), temperature=1.0, validation=_logits(validation, before[model]))
            for model, wrong in answers.items()
        },
        gates=gates_with(0.005),
        margin=0.005,
        training=Training(train.sample, validation.sample),
        same_teacher=True,
        policy=Policy(overflow=False),
        seed=seed,
    )


def checked(context: CheckContext) -> dict[str, Any]:
    """Run all checks but the boundary's, and return each gate's status, the decision, and the accuracy lost."""
    results = [check.compute(context) for check in CHECKS if check.key not in WITHOUT]
    lost = context.right(FULL).mean() - context.right(QUANTIZED).mean()
    return {
        "gates": {gate.key: gate.status for result in results for gate in result.gates},
        "closed": [gate.key for result in results for gate in result.gates if gate.closed],
        "decision": decide(results).decision,
        "lost": float(lost),
    }


def failed(found: dict[str, Any]) -> list[str]:
    """List the gates that failed."""
    return [key for key, status in found["gates"].items() if status == FAILED]


def _events(student: Student, random: np.random.Generator, part: int) -> Events:
    """Draw events, attacks first; `part` keeps the texts of those to train on apart from those to check on."""
    n = student.events
    attacks = round(student.attacks * n)
    size = random.geometric(1 / student.campaigns, attacks)
    unit = np.concatenate([np.repeat(np.arange(attacks), size)[:attacks], attacks + np.arange(n - attacks)])
    doubt = np.where(random.random(n) < DOUBTFUL, random.beta(*DOUBT, n), ELSE * random.random(n))[unit]
    kind = random.choice(len(FAMILIES), n, p=list(FAMILIES.values()))[unit] + 1
    labels = np.where(np.arange(n) < attacks, kind, 0)
    hard = (random.random(n) < MARKED) & (labels == 0)
    families = [HARD if h else CLASSES[label] for h, label in zip(hard.tolist(), labels.tolist(), strict=True)]
    known = names(3 * max(n, 100_000))[part::3]
    return Events(
        Sample(
            texts=[f"{CLASSES[label]} {known[u]} {i}" for i, (label, u) in enumerate(zip(labels, unit, strict=True))],
            origins=[f"events.csv:{i + 2}" for i in range(n)],
            labels=[CLASSES[label] for label in labels],
            families=families,
            groups=[f"{part}-{u}" for u in unit.tolist()],
            times=[None] * n,
            fields={"region": _column(REGIONS, unit, random), "source": _column(SOURCES, unit, random)},
        ),
        labels,
        unit,
        doubt,
    )


def _column(values: dict[str, float], unit: NDArray[np.intp], random: np.random.Generator) -> list[object]:
    drawn = random.choice(list(values), len(unit), p=list(values.values()))[unit]
    return list(drawn.tolist())


def _answers(student: Student, events: Events, random: np.random.Generator, harm: Harm | None) -> dict[str, Bools]:
    """Return what each model gets wrong, shape (n,); events of a campaign are judged alike."""
    n, unit = len(events.labels), events.unit
    full = random.random(n)[unit]
    anew = (random.random(n) < student.churn)[unit]
    wrong = np.where(anew, random.random(n)[unit], full) < events.doubt
    if harm is not None:
        wrong = wrong | harm(events, random)
    turned = (random.random(n) < QUANTIZATION)[unit]
    return {FULL: full < events.doubt, DISTILLED: wrong, QUANTIZED: wrong ^ turned}


def _logits(events: Events, wrong: Bools) -> NDArray[np.float32]:
    """Return logits whose greatest probability is one minus the doubt; attacks that are wrong are called benign."""
    n = len(wrong)
    says = np.where(wrong, np.where(events.attacks, 0, 1), events.labels)
    sure = np.clip(1 - events.doubt, 0.3, 1 - 1e-6)
    logits = np.zeros((n, len(CLASSES)), dtype=np.float32)
    logits[np.arange(n), says] = np.log(sure) - np.log((1 - sure) / (len(CLASSES) - 1))
    return logits
