"""Count how often one of two equally good models is said to win at the same false-positive rate, or a better one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.checks.equal_rates import difference, match
from overproof.checks.stats import Interval, Units, difference_within
from overproof.report.not_measured import NotMeasured
from overproof.results.comparison.at_rates import rate_in_words
from overproof.results.operating_points import RATES, threshold_at

DRAWS, BENIGN, ATTACKS = 300, 5000, 6500
WAYS = ("given", "allowed")  # the thresholds taken as given, or allowed for
Found = dict[str, Any]
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """Two models whose scores are normal; `shared` is what part of their variance is the event's own.

    Attributes
    ----------
    validation
        Benign validation events.
    apart
        How many standard deviations attacks lie above benign events, for the second model.
    better
        How many more they do for the first.
    """

    validation: int
    shared: float
    apart: float
    better: float = 0.0

    def scores(self, random: np.random.Generator, n: int, shift: float, better: float = 0.0) -> tuple[Scores, Scores]:
        """Draw both models' scores of the same events."""
        event, own = random.normal(size=n), random.normal(size=(2, n))
        first, second = shift + np.sqrt(self.shared) * event + np.sqrt(1 - self.shared) * own
        return first + better, second


PAIRS = (
    Pair(1600, 0.8, 5.5),
    Pair(1600, 0.5, 4.5),
    Pair(5000, 0.8, 5.0),
    Pair(1600, 0.8, 5.0, 0.3),
    Pair(1600, 0.8, 5.0, 0.6),
)


def measured() -> Found:
    """Draw all pairs: two minutes."""
    return {"rows": [_wins(pair, np.random.default_rng(place)) for place, pair in enumerate(PAIRS)]}


def _wins(pair: Pair, random: np.random.Generator) -> Found:
    wins = {way: {str(rate): 0 for rate in RATES} for way in WAYS}
    for _ in range(DRAWS):
        validation, benign = (pair.scores(random, n, 0) for n in (pair.validation, BENIGN))
        attacks = pair.scores(random, ATTACKS, pair.apart, pair.better)
        for rate in RATES:
            own, other = (threshold_at(scores, rate) for scores in validation)
            if own is None or other is None:
                continue
            missed = attacks[1] <= other
            given = difference_within((attacks[0] <= own).astype(np.int8) - missed, Units(ATTACKS))
            wins["given"][str(rate)] += _won(given, pair)
            at = match(benign[0], benign[1] > other, Units(BENIGN))
            if not isinstance(at, NotMeasured):
                wins["allowed"][str(rate)] += _won(difference(attacks[0], missed, at, Units(ATTACKS))[1], pair)
    return wins


def _won(found: Interval, pair: Pair) -> bool:
    """Say whether the first wins, or of two that are equally good any."""
    return found.high < 0 or (not pair.better and found.low > 0)


def to_markdown(found: Found) -> str:
    """Write how often somebody wins, taking the thresholds as given and allowing for them."""
    head = ["", "benign validation events", "correlation", "thresholds", *(f"at {rate_in_words(r)}" for r in RATES)]
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * 2 + " --- |" + " ---: |" * len(RATES)]
    for pair, wins in zip(PAIRS, found["rows"], strict=True):
        what = f"the better one wins, by {pair.better:g} sd" if pair.better else "one of two equally good ones wins"
        for way, words in zip(WAYS, ("taken as given", "allowed for"), strict=True):
            shares = [f"{wins[way][str(rate)] / DRAWS:.1%}" for rate in RATES]
            cells = [what, f"{pair.validation:,}", f"{pair.shared:g}", words, *shares]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
