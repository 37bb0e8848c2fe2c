"""Configure an attack: frozen settings, validated where they are made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overproof.bundle.signing import Trust
from overproof.errors import InputError
from overproof.events.sources import Columns
from overproof.jobs.config_json import Events
from overproof.redteam.objectives import OBJECTIVES
from overproof.redteam.search import SEARCHES


@dataclass(frozen=True)
class AttackConfig:
    """What is attacked, how, and for how long.

    Attributes
    ----------
    events, columns
        Labelled events that nothing was trained on: files, or an event table.
    objectives, searches
        What is looked for, and how: names of `OBJECTIVES` and `SEARCHES`.
    budget
        Edited texts of each event that a model is asked about.
    families
        Families that are attacked; empty: all.
    sample
        Events that are attacked, evenly over the families: a rare one is not left out.
    seed
        Of everything random.
    triggers
        Texts that the bundle is asked about, about, in search of words that make any attack benign; 0: none.
    unlabelled
        Events of the user's own, whose labels are ignored: where student and full model part on them, nothing has to be
        edited. None leaves that out.
    """

    events: Events
    columns: Columns | None = None
    objectives: tuple[str, ...] = ("evasion",)
    searches: tuple[str, ...] = ("bandit", "random")
    budget: int = 1000
    families: tuple[str, ...] = ()
    sample: int = 200
    seed: int = 0
    triggers: int = 60_000
    unlabelled: Events | None = None

    def __post_init__(self) -> None:
        for option, given, known in (
            ("--objective", self.objectives, OBJECTIVES),
            ("--search", self.searches, SEARCHES),
        ):
            unknown = [name for name in given if name not in known]
            if unknown or not given:
                raise InputError(f"{option} {', '.join(unknown) or 'nothing'}: expected one of {', '.join(known)}")
        for option, number, least in (
            ("--budget", self.budget, 1),
            ("--events", self.sample, 1),
            ("--seed", self.seed, 0),
            ("--triggers", self.triggers, 0),
        ):
            if number < least:
                raise InputError(f"{option} {number}: expected a whole number from {least} on")


@dataclass(frozen=True)
class AttackInputs:
    """The models.

    Attributes
    ----------
    bundle
        The bundle that is attacked.
    full
        The full model, as for `compress --teacher`, or a `Teacher`; None leaves out what it decides.
    evidence
        Folder of what `compress --evidence` kept: the models that the same attack is spent on, to tell what compression
        is to blame for; None leaves that unmeasured.
    check
        check.json of `overproof check`: the policy is the one that was checked.
    max_escalations
        As for `triage`; None is what was checked, or 5 %.
    trust
        Whose signature the bundle has to have; None asks for none.
    """

    bundle: Path
    full: Any = None
    evidence: Path | None = None
    check: Path | None = None
    max_escalations: str | None = None
    trust: Trust | None = None

    def __post_init__(self) -> None:
        full = [self.full] if isinstance(self.full, str) else self.full
        named = [str(self.bundle), *map(str, full if isinstance(full, list | tuple) else ())]
        for name in named:
            if name.startswith(("http:/", "https:/")):
                raise InputError(
                    f"{name}: bundles and models on this machine are attacked, never servers; expected a folder"
                )
