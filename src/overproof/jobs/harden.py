"""Harden a student: attack it, teach it the edited events that came nearest to fooling it, and attack it again.

Adversarial training (Goodfellow et al. 2015, https://arxiv.org/abs/1412.6572; Madry et al. 2018,
https://arxiv.org/abs/1706.06083), by edits that keep what an event does: of attacks, which the student must not come to
call benign, and of benign events, which it must not come to call attacks. What is learned from are training events,
what is measured on are validation events, which are edited with another seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from overproof.distillation.derived import DerivedTexts, derived_examples
from overproof.distillation.training_set import Examples
from overproof.events.families import families_of
from overproof.jobs import harden_attacks
from overproof.jobs.compression import CompressRun, Distilled, Exported, SoftLabels
from overproof.jobs.harden_attacks import ALARM, MISSED, Fooled, Setting, Targets, fooled_by_edits, lessons, measured
from overproof.jobs.load import LoadedData
from overproof.redteam.nearest import Nearest
from overproof.redteam.victim import Bools, Victim, victim
from overproof.results.hardening import ClosedEdit, Hardening, Round
from overproof.results.metrics import Share
from overproof.results.operating_points import Counted

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
    def setting(self) -> Setting:
        """Return what its attacks need to know."""
        config, loaded = self.run.config, self.loaded
        families = config.distill.harden_families
        return Setting(loaded.splits, loaded.teacher, families, config.seed, self.run.options.console)

    def victim(self, student: Made) -> Victim:
        """Return the student, to be asked about edited events."""
        return victim(student[1].model.scorer, [name in self.loaded.splits.benign for name in self.loaded.classes])


@dataclass(frozen=True)
class Standing:
    """How a student stands: what edits make of validation events, and what it makes of them as they are.

    Attributes
    ----------
    hidden, alarming
        Attacks that are called benign, and benign events that are called attacks; None where there are none to edit.
    clean
        Its verdicts of unedited events.
    """

    hidden: Fooled
    alarming: Fooled | None
    clean: Verdicts

    @property
    def evasions(self) -> Counted:
        """How many attacks are called benign."""
        return self.hidden.counted

    @property
    def alarms(self) -> Counted | None:
        """How many benign events are called attacks; None where there are none to edit."""
        return self.alarming.counted if self.alarming else None

    @property
    def fooled(self) -> float:
        """What has to fall: the share of attacks that edits hide and that of benign events that they make alarms."""
        return self.evasions.value + (self.alarms.value if self.alarms else 0.0)

    def losses(self, before: Standing, margin: float) -> list[str]:
        """Say what was lost against an earlier student, beyond what may be."""
        found = self.clean.losses(before.clean, margin)
        for what, own, other in (
            ("attacks that edits hide", self.evasions, before.evasions),
            ("benign events that edits make alarms", self.alarms, before.alarms),
        ):
            if own and other and own.k - other.k > MAY_LOSE * own.n:
                found.append(f"{what}: {own.k} of {own.n}, {other.k} before")
        return found

    def round(self, cases: Sequence[Nearest], fooled: int, why: str) -> Round:
        """Write it down, with what the student was taught."""
        clean = self.clean
        return Round(len(cases), fooled, self.evasions, clean.missed, clean.flagged, why, self.alarms)


def harden(task: Task, first: Made, retrain: Retrain) -> Hardened:
    """Attack and teach, round after round, until edits fool the student no less often than the round before.

    Raises
    ------
    InputError
        No training attack or no validation attack that edits are known for; a family that no training event has.
    """
    taught, held = lessons(task.setting), measured(task.setting, task.victim(first))
    start = best = _standing(task, first, held, "as it was distilled")
    rounds, cases = [start.round([], 0, "")], list[Nearest]()
    taken, latest, number_taken = first, first, 0
    for number in range(1, task.run.config.distill.harden_rounds + 1):
        if not best.fooled:
            break
        found = harden_attacks.nearest_edits(task.setting, task.victim(latest), taught, number)
        cases += found
        latest = retrain([_examples(task, cases)], number)
        now = _standing(task, latest, held, f"round {number}")
        losses = now.losses(start, task.run.config.check.margin)
        why = f"not taken: {'; '.join(losses)}" if losses else ""
        if not losses and now.fooled >= best.fooled:
            why = "not taken: edits fool it no less often"
        rounds.append(now.round(cases, sum(one.fooled for one in found), why))
        _say(task, number, rounds[-1])
        if why:
            break
        taken, best, number_taken = latest, now, number
    example = _example(task, start.hidden, first, taken)
    return Hardened(taken, replace(_report(task, rounds, number_taken), example=example))


def _standing(task: Task, student: Made, held: Targets, what: str) -> Standing:
    model = task.victim(student)
    hidden, alarming = (fooled_by_edits(task.setting, model, held, aim, what) for aim in (MISSED, ALARM))
    if hidden is None:
        raise RuntimeError("no validation attack is edited")  # `measured` has refused that
    return Standing(hidden, alarming, _verdicts(task, student))


def _example(task: Task, hidden: Fooled, first: Made, taken: Made) -> ClosedEdit | None:
    """Return the shortest edited attack that fooled the first student and does not fool the one that was taken."""
    if not hidden.by_edits:
        return None
    texts = [text for _, text in hidden.by_edits]
    before, after = (task.victim(student)(texts) for student in (first, taken))
    closed = [k for k in range(len(texts)) if after.attack[k] and not before.attack[k]]
    if not closed:
        return None
    k = min(closed, key=lambda k: len(texts[k]))
    target = hidden.by_edits[k][0]
    chances = (float(np.exp(-np.logaddexp(0.0, -reaction.odds[k]))) for reaction in (before, after))
    return ClosedEdit(target.family, target.text, texts[k], *chances)


def _say(task: Task, number: int, now: Round) -> None:
    alarms = "" if now.alarms is None else f" and {now.alarms.k} of {now.alarms.n} benign events"
    counts = f"{now.evasions.k} of {now.evasions.n} validation attacks{alarms}"
    task.run.options.console.say(f"hardening: round {number}, edits fool {counts}{now.why and ', '}{now.why}")


def _report(task: Task, rounds: Sequence[Round], taken: int) -> Hardening:
    """Say of every round why its student was taken, or why not."""
    spoken = [
        one if one.why else replace(one, why="taken" if number == taken else "another fools less often after it")
        for number, one in enumerate(rounds)
    ]
    families = task.run.config.distill.harden_families
    return Hardening(taken, harden_attacks.QUERIES, harden_attacks.TAUGHT_QUERIES, families, tuple(spoken))


def _examples(task: Task, cases: Sequence[Nearest]) -> Examples:
    """Return edited events under the true label and the teacher's answer for the event as it was.

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
