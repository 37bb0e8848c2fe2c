"""Define what the parts of an attack share: edits that can be repeated, and what an oracle says of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from overproof.results.attack_cases import Step

Mutator = Callable[[str, Random], str | None]
"""Edits a text at one place that the generator draws, and keeps what it does; None where it has no such place."""

Mutators = Mapping[str, Mutator]

Meaning = Literal["proved", "changed", "unproved"]


@dataclass(frozen=True)
class Edited:
    """A text, and the edits by which it was reached."""

    text: str
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Proof:
    """What an oracle says of an edited event.

    Attributes
    ----------
    meaning
        `proved`: it was run or parsed, and does what the original does; `changed`: it does not; `unproved`: the oracle
        does not cover it, or what it needs is not installed.
    how
        By what, in a few words: `SQLite: the same rows`.
    """

    meaning: Meaning
    how: str


Oracle = Callable[[Sequence[tuple[str, str]]], list[Proof]]
"""Judges pairs of an original and an edited event, in their order; shares no code with the mutators."""


def mutated(edited: Edited, mutators: Mutators, random: Random) -> Edited | None:
    """Make one more edit, by a mutator drawn from those that apply; None where none does."""
    names = sorted(mutators)
    for name in random.sample(names, len(names)):
        found = one_step(edited, Step(name, random.getrandbits(32)), mutators)
        if found is not None:
            return found
    return None


def one_step(edited: Edited, step: Step, mutators: Mutators) -> Edited | None:
    """Make one edit; None where it does not apply, or changes nothing."""
    text = mutators[step.name](edited.text, Random(step.seed))
    return None if text is None or text == edited.text else Edited(text, (*edited.steps, step))


def replay(text: str, steps: Sequence[Step], mutators: Mutators) -> Edited:
    """Make edits again, leaving out those that do not apply (any more)."""
    edited = Edited(text)
    for step in steps:
        edited = one_step(edited, step, mutators) or edited
    return edited
