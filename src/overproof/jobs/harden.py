"""Harden a student: attack it, teach it the edited events that came nearest to fooling it, and attack it again.

Adversarial training (Goodfellow et al. 2015, https://arxiv.org/abs/1412.6572; Madry et al. 2018,
https://arxiv.org/abs/1706.06083), by edits that keep what an event does: what is learned from are training attacks,
what is measured on are validation attacks, which are edited with another seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from overproof.checks.stats import clopper_pearson
from overproof.distillation.derived import DerivedTexts, derived_examples
from overproof.distillation.training_set import Examples
from overproof.errors import InputError
from overproof.events.families import attack_families, families_of
from overproof.jobs.attack_config import AttackConfig
from overproof.jobs.attack_targets import Judges, choose
from overproof.jobs.attack_victims import asking
from overproof.jobs.compression import CompressRun, Distilled, Exported, SoftLabels
from overproof.jobs.full_model import reserve
from overproof.jobs.load import LoadedData
from overproof.redteam.campaign import Campaign, Target
from overproof.redteam.mutate import MUTATORS
from overproof.redteam.nearest import Nearest, Search, nearest
from overproof.redteam.objectives import OBJECTIVES
from overproof.redteam.oracle import ORACLES
from overproof.redteam.referee import Referee
from overproof.redteam.victim import Bools, Victim, victim
from overproof.results.hardening import Hardening, Round
from overproof.results.metrics import Share
from overproof.results.operating_points import Counted

SEARCH, LOOKED_FOR = "bandit", "blind-spot"
TAUGHT, TAUGHT_QUERIES = 2500, 40  # training attacks that are edited in a round, and queries for each
MEASURED, QUERIES = 200, 100  # validation attacks, and queries for each
WAVE = 64  # events that are attacked side by side
ENOUGH, MAY_LOSE = 10, 0.05  # validation events of a family that is guarded, and the share of them that it may lose

Made = tuple[Distilled, Exported]
Retrain = Callable[[Sequence[Examples], int], Made]  # on these cases besides, in this round


@dataclass(frozen=True)
class Hardened:
    """The student that was taken, and how it came about."""

    student: Made
    hardening: Hardening


@dataclass(frozen=True)
class Verdicts:
    """What a student makes of the unedited validation events.

    Attributes
    ----------
    attack
        Its verdicts, shape (n,).
    truth
        Whether an event is an attack, shape (n,).
    families
        Of each event.
    """

    attack: Bools
    truth: Bools
    families: Sequence[str | None]

    @property
    def missed(self) -> Share:
        """The attacks that it misses."""
        return Share(int((self.truth & ~self.attack).sum()), int(self.truth.sum()))

    @property
    def flagged(self) -> Share:
        """The benign events that it flags."""
        return Share(int((~self.truth & self.attack).sum()), int((~self.truth).sum()))

    def losses(self, before: Verdicts, margin: float) -> list[str]:
        """Say what it lost against an earlier student, beyond what may be lost."""
        found = []
        for what, own, other in (
            ("attacks missed", self.missed, before.missed),
            ("benign flagged", self.flagged, before.flagged),
        ):
            if own.k - other.k > margin * own.n:
                found.append(f"{what}: {own.k} of {own.n}, {other.k} before")
        names = np.array([family or "" for family in self.families], dtype=object)
        for family in sorted(set(names[self.truth])):
            rows = self.truth & (names == family)
            own_k, other_k, n = (int(some.sum()) for some in (self.attack[rows], before.attack[rows], rows))
            if n >= ENOUGH and other_k - own_k > max(1.0, MAY_LOSE * n):
                found.append(f"{family} detected: {own_k} of {n}, {other_k} before")
        return found


@dataclass(frozen=True)
class Task:
    """One hardening: the run, what was loaded, and what the teacher says."""

    run: CompressRun
    loaded: LoadedData
    labels: SoftLabels

    @property
    def benign(self) -> list[bool]:
        """For each class, whether it is benign."""
        return [name in self.loaded.splits.benign for name in self.loaded.classes]

    def victim(self, student: Made) -> Victim:
        """Return the student, to be asked about edited events."""
        return victim(student[1].model.scorer, self.benign)


def harden(task: Task, first: Made, retrain: Retrain) -> Hardened:
    """Attack and teach, round after round, until edits fool the student no less often than the round before.

    Raises
    ------
    InputError
        No training attack or no validation attack that edits are known for; a family that no training event has.
    """
    say = task.run.options.console.say
    lessons, measured = _lessons(task), _measured(task, first)
    taken, clean = first, _verdicts(task, first)
    rounds = [Round(0, 0, _evasions(task, first, measured, "as it was distilled"), clean.missed, clean.flagged, "")]
    cases: list[Nearest] = []
    latest, best = first, 0
    for number in range(1, task.run.config.distill.harden_rounds + 1):
        if not rounds[best].evasions.k:
            break
        found = _attacked(task, latest, lessons, number)
        cases += found
        latest = retrain([_examples(task, cases)], number)
        verdicts, evasions = _verdicts(task, latest), _evasions(task, latest, measured, f"round {number}")
        losses = verdicts.losses(clean, task.run.config.check.margin)
        fewer = evasions.k < rounds[best].evasions.k
        why = f"not taken: {'; '.join(losses)}" if losses else "" if fewer else "not taken: edits fool it no less often"
        fooled = sum(one.odds < 0 for one in found)
        rounds.append(Round(len(cases), fooled, evasions, verdicts.missed, verdicts.flagged, why))
        say(f"hardening: round {number}, edits fool {evasions.k} of {evasions.n} validation attacks{why and ', '}{why}")
        if why:
            break
        taken, best = latest, number
    return Hardened(taken, _report(task, rounds, best))


def _report(task: Task, rounds: Sequence[Round], taken: int) -> Hardening:
    """Say of every round why its student was taken, or why not."""
    spoken = [
        one if one.why else replace(one, why="taken" if number == taken else "another fools less often after it")
        for number, one in enumerate(rounds)
    ]
    return Hardening(taken, QUERIES, TAUGHT_QUERIES, task.run.config.distill.harden_families, tuple(spoken))


def _lessons(task: Task) -> tuple[Target, ...]:
    """Choose training attacks, evenly over the families."""
    events, families = task.loaded.splits.train, task.run.config.distill.harden_families
    known = attack_families(events, task.loaded.splits.benign)
    for name in families:
        if name not in known:
            raise InputError(f"--harden-family {name}: expected one of {', '.join(known)}")
    config = AttackConfig(events, families=families, sample=TAUGHT, seed=task.run.config.seed)
    return choose(config, events, task.loaded.splits.benign, Judges({}, Referee(None, {}))).attacks


def _measured(task: Task, first: Made) -> tuple[Target, ...]:
    """Choose validation attacks that student and teacher detect as they are."""
    events = task.loaded.splits.validation
    config = AttackConfig(events, objectives=(LOOKED_FOR,), sample=MEASURED, seed=task.run.config.seed)
    judges = Judges({"student": task.victim(first)}, _referee(task))
    try:
        return choose(config, events, task.loaded.splits.benign, judges).attacks
    except InputError as error:
        raise InputError(f"--harden: of the validation events, {error}") from None


def _referee(task: Task) -> Referee:
    """Return who rules on what fools the student: the teacher, where it can be asked about new events, and oracles."""
    if not task.loaded.teacher.labels_new_events:
        return Referee(None, ORACLES)
    return Referee(asking(reserve(task.loaded.teacher), task.loaded.splits.benign), ORACLES)


def _attacked(task: Task, student: Made, lessons: Sequence[Target], number: int) -> list[Nearest]:
    """Attack training events, each round with another seed."""
    found: list[Nearest] = []
    search = Search(SEARCH, MUTATORS, TAUGHT_QUERIES, f"taught {task.run.config.seed} {number}")
    with task.run.options.console.progress(f"hardening: attack {number}", len(lessons)) as advance:
        for start in range(0, len(lessons), WAVE):
            wave = lessons[start : start + WAVE]
            found += nearest(wave, task.victim(student), search)
            advance(len(wave))
    return found


def _examples(task: Task, cases: Sequence[Nearest]) -> Examples:
    """Return edited attacks under the true label and the teacher's answer for the event as it was.

    The teacher is not asked about the edited text: what leads it astray as well would be passed on.
    """
    rows = np.array([case.target.row for case in cases], dtype=np.int64)
    return derived_examples(task.labels.train, DerivedTexts([case.text for case in cases], rows))


def _verdicts(task: Task, student: Made) -> Verdicts:
    """Judge the labelled validation events as they are."""
    events = task.loaded.splits.validation
    events = events.filter(pc.is_valid(events["label"]))
    truth = ~pc.is_in(events["label"], pa.array(task.loaded.splits.benign, pa.string())).to_numpy(zero_copy_only=False)
    return Verdicts(task.victim(student)(events["text"].to_pylist()).attack, truth, families_of(events))


def _evasions(task: Task, student: Made, targets: Sequence[Target], what: str) -> Counted:
    """Count validation attacks that the student misses, as they are or edited, of those that it might detect."""
    model = task.victim(student)
    detected = model([target.text for target in targets]).attack
    some = [target for target, is_detected in zip(targets, detected.tolist(), strict=True) if is_detected]
    seed = task.run.config.seed
    campaign = Campaign(SEARCH, OBJECTIVES[LOOKED_FOR], MUTATORS, model, model, _referee(task), QUERIES, seed)
    fell = len(targets) - len(some)
    with task.run.options.console.progress(f"hardening: {what}, edits of validation attacks", len(some)) as advance:
        for start in range(0, len(some), WAVE):
            attempts = campaign.run(some[start : start + WAVE])
            fell += sum(attempt.success is not None for attempt in attempts)
            advance(len(attempts))
    bounds = clopper_pearson(fell, len(targets))
    return Counted(fell, len(targets), len(targets), bounds.low, bounds.high)
