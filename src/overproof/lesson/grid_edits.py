"""Attack the model in miniature where its grid lies: edits that keep what an event does, and that INT8 alone misses.

The edits are those of the red team, as `overproof attack --objective grid` makes them, on simulated events of shapes
that an oracle of the red team can parse: nothing is run to prove that an edited event still does what it did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from overproof.bundle.scores import Floats, attack_of, softmax
from overproof.lesson.miniature import BENIGN, WEIGHTS, Miniature, trigrams
from overproof.quantization.affine import dequantize, fit, quantize
from overproof.redteam.base import Edited, mutated
from overproof.redteam.domains import domain_of
from overproof.redteam.mutate import MUTATORS
from overproof.redteam.oracle import ORACLES

PARSED = ("dns", "flow", "http", "line")  # domains whose oracle only parses
BITS = (8, 7, 6, 5, 4, 3, 2)
EDITS, MOST_STEPS = 16, 4  # edited texts an event, and edits of one text
SHOWN = 6
ATTACK = 0.5  # the probability from which on an event is one

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class GridEdit:
    """An edited attack that FP32 detects and the rounded weights do not; both detect what it was made of.

    Attributes
    ----------
    bits
        Of the rounded weights.
    original, edited, steps
        The event before and after, and the names of the edits.
    how
        What proves that it still does what it did.
    before, after
        Probability of an attack, in FP32 and rounded, of the event as it was and as it is.
    """

    bits: int
    original: str
    edited: str
    steps: tuple[str, ...]
    how: str
    before: tuple[float, float]
    after: tuple[float, float]


@dataclass(frozen=True)
class AtBits:
    """What so many bits make of the events.

    Attributes
    ----------
    parted
        Events as they were on which FP32 and the rounded weights differ.
    parted_edited
        The same of the edited ones.
    found
        Edited ones as in `GridEdit`.
    """

    bits: int
    parted: int
    parted_edited: int
    found: int


@dataclass(frozen=True)
class GridEdits:
    """What was tried and found.

    Attributes
    ----------
    events, edited
        Attacks, and texts that edits made of them.
    at_bits
        Counts, from the most bits to the fewest.
    shown
        Some of what was found, from the most bits to the fewest, no event twice.
    """

    events: int
    edited: int
    at_bits: tuple[AtBits, ...]
    shown: tuple[GridEdit, ...]


def find_grid_edits(small: Miniature, events: pa.Table, *, seed: int) -> GridEdits:
    """Edit the attacks among labelled events, and look for edits that fall between FP32 and the rounded weights."""
    columns = (events[name].to_pylist() for name in ("text", "label", "family"))
    attacks = [(text, domain_of(text, family)) for text, label, family in zip(*columns, strict=True) if label != BENIGN]
    attacks = [(text, domain) for text, domain in attacks if domain in PARSED]
    originals = [text for text, _ in attacks]
    owner, tried = _edited(attacks, Random(seed))
    judge = _judge(small, originals, [edit.text for edit in tried])
    exact = judge(small.weights)
    counts, found = [], []
    for bits in BITS:
        rounded = judge(_rounded(small.weights, bits))
        fell = _fell(exact, rounded, owner)
        parted, parted_edited = (_parted(a, b) for a, b in zip(exact, rounded, strict=True))
        counts.append(AtBits(bits, parted, parted_edited, int(fell.sum())))
        for i in np.flatnonzero(fell).tolist():
            at, names = int(owner[i]), tuple(step.name for step in tried[i].steps)
            before, after = ((float(e[k]), float(r[k])) for e, r, k in zip(exact, rounded, (at, i), strict=True))
            found.append((at, GridEdit(bits, originals[at], tried[i].text, names, "", before, after)))
    return GridEdits(len(originals), len(tried), tuple(counts), _shown(found, [domain or "" for _, domain in attacks]))


def _edited(attacks: Sequence[tuple[str, str | None]], random: Random) -> tuple[NDArray[np.intp], list[Edited]]:
    """Make chains of edits of each attack; returns whose each is, and the edited texts."""
    owner, found = [], []
    for at, (text, domain) in enumerate(attacks):
        edited = Edited(text)
        for _ in range(EDITS):
            start = edited if len(edited.steps) < MOST_STEPS else Edited(text)
            more = mutated(start, MUTATORS[domain or ""], random)
            if more is None:
                break
            edited = more
            owner.append(at)
            found.append(edited)
    return np.array(owner, dtype=np.intp), found


def _judge(small: Miniature, *texts: Sequence[str]) -> Callable[[Floats], tuple[Doubles, ...]]:
    """Return what gives every text's probability of an attack, by weights: the texts are read once."""
    read = [trigrams(part) for part in texts]
    benign = [name == BENIGN for name in small.classes]
    return lambda weights: tuple(attack_of(softmax(x @ weights), benign).astype(np.float64) for x in read)


def _rounded(weights: Floats, bits: int) -> Floats:
    grid = fit(weights, replace(WEIGHTS, bits=bits), axis=1)
    return dequantize(quantize(weights, grid), grid)


def _parted(exact: Doubles, rounded: Doubles) -> int:
    return int(((exact > ATTACK) != (rounded > ATTACK)).sum())


def _fell(exact: Sequence[Doubles], rounded: Sequence[Doubles], owner: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell which edited texts only the rounded weights miss, of events that both detect."""
    detected = (exact[0] > ATTACK) & (rounded[0] > ATTACK)
    found: NDArray[np.bool_] = detected[owner] & (exact[1] > ATTACK) & (rounded[1] <= ATTACK)
    return found


def _shown(found: Sequence[tuple[int, GridEdit]], domains: Sequence[str]) -> tuple[GridEdit, ...]:
    """Choose what is shown: from the most bits on, of fewest edits first, and what an oracle proves; no event twice."""
    chosen: dict[int, GridEdit] = {}
    for at, edit in sorted(found, key=lambda pair: (-pair[1].bits, len(pair[1].steps))):
        if at in chosen or len(chosen) == SHOWN:
            continue
        (proof,) = ORACLES[domains[at]]([(edit.original, edit.edited)])
        if proof.meaning == "proved":
            chosen[at] = replace(edit, how=proof.how)
    return tuple(chosen.values())
