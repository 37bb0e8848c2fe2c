"""Make up events that come in campaigns, and scores whose true loss is known, for the checks to be tested on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from overproof.checks.base import FULL, QUANTIZED, CheckContext, Gate, ModelOutputs, Operation, Sample
from overproof.checks.gates import gates_with

Shows = Literal["group", "text", "fresh group, same text", "group and text", "nothing"]
Scores = Literal["unsure of them", "as sure as of all else", "sure of them"]
CLASSES, BENIGN = ("benign", "attack"), 100
LETTERS = str.maketrans("0123456789", "abcdefghij")
# How many times the limit the student misses, and Beta(1, b) of how sure it is of them; all are 0.98 where b is 0
MISSED: dict[Scores, tuple[float, float]] = {
    "unsure of them": (4.0, 4.0),
    "as sure as of all else": (3.0, 1.0),
    "sure of them": (1.02, 0.0),
}
# nothing is spent that the guarantee does not need, and what is spent decides nothing
OPEN = {"escalation/budget": Gate(0.0), "escalation/verified": Gate(1.0), "escalation/deferred": Gate(1.0)}
SURE = 0.96  # of 1, on a scale from 0.5 on


@dataclass(frozen=True)
class Setting:
    """How attacks come, and what the student says of them.

    Attributes
    ----------
    mean
        Events of a campaign, on average; sizes are geometric.
    alike
        Whether all events of a campaign are lost or none; else each is judged by itself.
    shows
        What tells that events are of one campaign.
    campaigns
        How many there are.
    scores
        What is missed, and how sure the student is of it.
    limit
        Share of the attacks that may be lost.
    larger
        Whether only campaigns larger than the mean are lost, against what `stats.units` assumes.
    """

    mean: int
    alike: bool
    shows: Shows
    campaigns: int
    scores: Scores
    limit: float = 0.05
    larger: bool = False

    def lost(self, threshold: float) -> float:
        """Return the share of all attacks to come that is lost at a threshold."""
        times, b = MISSED[self.scores]
        above = max(0.0, 2 * threshold - 1)
        return times * self.limit * (float((1 - above) ** b) if b else float(above <= SURE))

    def rate(self, size: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how often a campaign of each size is called benign, so that the events' share is as it should be."""
        share = MISSED[self.scores][0] * self.limit
        if not self.larger:
            return np.full(len(size), share)
        # of geometric sizes this share of the events lies in campaigns above the mean
        above = 2 * (1 - 1 / self.mean) ** self.mean
        return np.where(size > self.mean, share / above, 0.0)


def drawn(setting: Setting, seed: int) -> CheckContext:
    """Draw the events of a setting, and what full model and student say of them; the full model errs nowhere."""
    random = np.random.default_rng(seed)
    size = random.geometric(1 / setting.mean, setting.campaigns)
    unit = np.repeat(np.arange(setting.campaigns), size)
    own = np.arange(setting.campaigns)[unit] if setting.alike else np.arange(len(unit))
    missed = random.random(len(unit))[own] < setting.rate(size[unit])
    b = MISSED[setting.scores][1]
    of_missed = random.beta(1, b, len(unit)) if b else np.full(len(unit), SURE)
    sure = np.where(missed, of_missed[own], random.random(len(unit))[own])
    says = np.concatenate([np.where(missed, -1, 1), -np.ones(BENIGN)])
    gap = 0.5 + 0.5 * np.concatenate([sure, random.random(BENIGN)])
    gap = np.log(gap) - np.log1p(-np.minimum(gap, 1 - 1e-7))
    truth = np.concatenate([np.ones(len(unit)), -np.ones(BENIGN)])
    return CheckContext(
        sample=_sample(setting, unit),
        classes=CLASSES,
        benign=CLASSES[:1],
        models={FULL: _outputs(8 * truth), QUANTIZED: _outputs(says * gap)},
        gates={**gates_with(0.005), "escalation/guarantee": Gate(setting.limit), **OPEN},
        margin=0.005,
        operation=Operation(budget=1.0),
        seed=seed,
    )


def names(n: int) -> list[str]:
    """Return n texts, no two of which are near-duplicates."""
    return _names(math.ceil(n / 10_000) * 10_000)[:n]


@lru_cache
def _names(n: int) -> list[str]:
    return [f"{i:06d}".translate(LETTERS) for i in range(n)]


def _sample(setting: Setting, unit: NDArray[np.intp]) -> Sample:
    n, shows = len(unit), setting.shows
    texts, groups = [f"attack {name}" for name in names(n)], [f"host {i}" for i in range(n)]
    campaign = unit.tolist()
    if "text" in shows:
        known = names(setting.campaigns)
        texts = [f"attack {known[c]} {i}" for i, c in enumerate(campaign)]
    if shows in ("group", "group and text"):
        groups = [f"campaign {c}" for c in campaign]
    labels = ["attack"] * n + ["benign"] * BENIGN
    texts += [f"benign {name}" for name in names(BENIGN)]
    alone: list[str | None] = [None] * (n + BENIGN)
    return Sample(
        texts=texts,
        origins=[f"events.csv:{i + 2}" for i in range(n + BENIGN)],
        labels=labels,
        families=alone,
        groups=alone if shows == "text" else [*groups, *[None] * BENIGN],
        times=alone,
    )


def _outputs(gap: NDArray[np.float64]) -> ModelOutputs:
    return ModelOutputs(np.column_stack([np.zeros(len(gap)), gap]).astype(np.float32), temperature=1.0)
