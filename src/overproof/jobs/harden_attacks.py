"""Attack the student that is hardened: training events to learn from, validation events to measure on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from overproof.checks.stats import clopper_pearson
from overproof.distillation.dataset import DatasetSplits
from overproof.distillation.teachers import Teacher
from overproof.errors import InputError
from overproof.events.families import attack_families
from overproof.jobs.attack_config import AttackConfig
from overproof.jobs.attack_targets import Judges, choose, evenly
from overproof.jobs.attack_victims import asking
from overproof.jobs.full_model import reserve
from overproof.progress import Console
from overproof.redteam.campaign import Campaign, Target
from overproof.redteam.mutate import MUTATORS
from overproof.redteam.nearest import Nearest, Search, nearest
from overproof.redteam.objectives import OBJECTIVES
from overproof.redteam.oracle import ORACLES
from overproof.redteam.referee import Referee
from overproof.redteam.victim import Victim
from overproof.results.operating_points import Counted

SEARCH = "bandit"
MISSED, ALARM = "blind-spot", "false-alarm"  # an attack called benign, a benign event called an attack
AIMS = (MISSED, ALARM)
TAUGHT, TAUGHT_QUERIES = 2500, 40  # training events of each kind that are edited in a round, and queries for each
MEASURED, QUERIES = 200, 100  # validation events of each kind, and queries for each
WAVE = 64  # events that are attacked side by side

Targets = Mapping[str, Sequence[Target]]  # by what is looked for


@dataclass(frozen=True)
class Setting:
    """What all attacks of a hardening share.

    Attributes
    ----------
    families
        Families whose attacks are edited to learn from; empty: all.
    """

    splits: DatasetSplits
    teacher: Teacher
    families: tuple[str, ...]
    seed: int
    console: Console

    @property
    def referee(self) -> Referee:
        """Who rules on what fools the student: the teacher, where it can be asked about new events, and oracles."""
        if not self.teacher.labels_new_events:
            return Referee(None, ORACLES)
        return Referee(asking(reserve(self.teacher), self.splits.benign), ORACLES)


def lessons(setting: Setting) -> Targets:
    """Choose training attacks, evenly over the families, and as many benign events.

    Raises
    ------
    InputError
        A family that no training event has, or no attack that edits are known for.
    """
    events, benign = setting.splits.train, setting.splits.benign
    known = attack_families(events, benign)
    for name in setting.families:
        if name not in known:
            raise InputError(f"--harden-family {name}: expected one of {', '.join(known)}")
    anyone = Judges({}, Referee(None, {}))
    attacks = AttackConfig(events, objectives=(MISSED,), families=setting.families, sample=TAUGHT, seed=setting.seed)
    innocent = AttackConfig(events, objectives=(ALARM,), sample=TAUGHT, seed=setting.seed)
    return {
        MISSED: choose(attacks, events, benign, anyone).attacks,
        ALARM: evenly(innocent, events, benign, anyone).benign,
    }


def measured(setting: Setting, first: Victim) -> Targets:
    """Choose validation events that student and teacher get right as they are; there may be no benign one.

    Raises
    ------
    InputError
        No attack among them.
    """
    events = setting.splits.validation
    config = AttackConfig(events, objectives=AIMS, sample=MEASURED, seed=setting.seed)
    found = evenly(config, events, setting.splits.benign, Judges({"student": first}, setting.referee))
    if not found.attacks:
        why = "; ".join(found.left_out) or "none is labelled"
        raise InputError(
            f"--harden: no validation attack can be edited ({why}): expected some that student and teacher detect"
        )
    return {aim: found.of(aim) for aim in AIMS}


def nearest_edits(setting: Setting, student: Victim, taught: Targets, number: int) -> list[Nearest]:
    """Find the edited training events that come nearest to fooling the student, each round with another seed."""
    found: list[Nearest] = []
    with setting.console.progress(f"hardening: attack {number}", sum(map(len, taught.values()))) as advance:
        for aim in AIMS:
            seed = f"taught {setting.seed} {number}"
            search = Search(SEARCH, OBJECTIVES[aim], MUTATORS, TAUGHT_QUERIES, seed)
            for wave in _waves(taught[aim]):
                found += nearest(wave, student, search)
                advance(len(wave))
    return found


@dataclass(frozen=True)
class Fooled:
    """What edits made of validation events.

    Attributes
    ----------
    counted
        How many the student gets wrong, as they are or edited.
    by_edits
        Those that it gets right as they are: the event, and the edited text that fooled it.
    """

    counted: Counted
    by_edits: Sequence[tuple[Target, str]]


def fooled_by_edits(setting: Setting, student: Victim, held: Targets, aim: str, what: str) -> Fooled | None:
    """Attack validation events; None where there are none."""
    targets = held[aim]
    if not targets:
        return None
    right = student([target.text for target in targets]).attack == (aim == MISSED)
    some = [target for target, is_right in zip(targets, right.tolist(), strict=True) if is_right]
    campaign = Campaign(SEARCH, OBJECTIVES[aim], MUTATORS, student, student, setting.referee, QUERIES, setting.seed)
    by_edits: list[tuple[Target, str]] = []
    kind = "attacks" if aim == MISSED else "benign events"
    with setting.console.progress(f"hardening: {what}, edits of validation {kind}", len(some)) as advance:
        for wave in _waves(some):
            attempts = campaign.run(wave)
            by_edits += [(one.target, one.success.edited.text) for one in attempts if one.success is not None]
            advance(len(attempts))
    fell = len(targets) - len(some) + len(by_edits)
    bounds = clopper_pearson(fell, len(targets))
    return Fooled(Counted(fell, len(targets), len(targets), bounds.low, bounds.high), by_edits)


def _waves(targets: Sequence[Target]) -> list[Sequence[Target]]:
    return [targets[start : start + WAVE] for start in range(0, len(targets), WAVE)]
