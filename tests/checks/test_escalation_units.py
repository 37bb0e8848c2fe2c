"""Copies are no evidence for a guarantee, campaigns do not break it, and a good student still passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from overproof.checks.base import CheckContext, GateResult
from overproof.checks.escalation.compute import escalation
from overproof.checks.escalation.halves import halves
from overproof.checks.escalation.result import EscalationThreshold
from overproof.checks.escalation.threshold import Cascade, candidates, learned
from overproof.checks.stats import Units

Make = Callable[..., CheckContext]
LETTERS = "abcdefghij"


def gates(evidence: CheckContext) -> dict[str, GateResult]:
    return {result.key.partition("/")[2]: result for result in escalation(evidence).gates}


def word(number: int) -> str:
    return "".join(LETTERS[int(digit)] for digit in f"{number:04d}")


def once(i: int, copy: int) -> str:
    return f"attack {word(i)}"


def digits(i: int, copy: int) -> str:
    return f"attack {word(i)} id={copy}"


def case(i: int, copy: int) -> str:
    return "".join(c.upper() if copy >> k & 1 else c for k, c in enumerate(f"attack {word(i)}"))


def identifiers(i: int, copy: int) -> str:
    return f"attack {word(i)} session={copy * 2654435761 % 2**32:08x}{i:08d}"


def copies(make: Make, text: Callable[[int, int], str], *, fresh: bool) -> CheckContext:
    """Twenty attacks sixty times each, in groups of their own if these are fresh."""
    evidence = make(counts={"benign": 2000, "sqli": 1200})
    texts = [
        text(i // 60, i % 60) if i >= 0 else old
        for i, old in zip(range(-2000, 1200), evidence.sample.texts, strict=True)
    ]
    groups = [f"connection {word(i)}" if fresh else None for i in range(3200)]
    return replace(evidence, sample=replace(evidence.sample, texts=texts, groups=groups))


@pytest.mark.parametrize("fresh", [False, True], ids=["no groups", "fresh groups"])
@pytest.mark.parametrize("text", [once, digits, case, identifiers])
def test_twenty_attacks_sixty_times_each_are_twenty(make: Make, text: Callable[[int, int], str], fresh: bool) -> None:
    evidence = copies(make, text, fresh=fresh)
    found = gates(evidence)
    assert found["guarantee"].status == "unmeasured" and found["guarantee"].units == 20
    assert found["guarantee"].needed is not None and found["guarantee"].needed >= 1190
    assert "(20 of them independent)" in found["guarantee"].message
    assert "passed" not in {result.status for result in found.values()}
    side = halves(evidence)
    assert {evidence.units.take(evidence.attacks & rows).count for rows in (side, ~side)} == {10}


def test_twenty_hosts_with_sixty_attacks_each_are_twenty(make: Make) -> None:
    evidence = make(counts={"benign": 2000, "sqli": 1200})
    groups = [f"host {i // 60}" if i >= 0 else None for i in range(-2000, 1200)]
    found = gates(replace(evidence, sample=replace(evidence.sample, groups=groups)))
    assert found["guarantee"].status == "unmeasured" and found["guarantee"].units == 20


def test_events_that_all_hang_together_verify_nothing(make: Make) -> None:
    evidence = make(counts={"benign": 2000, "sqli": 2000})
    found = gates(replace(evidence, sample=replace(evidence.sample, groups=["one host"] * 4000)))
    assert {result.status for result in found.values()} == {"unmeasured"}


LIMIT, MISSED, CAMPAIGNS = 0.02, 0.06, 400


def campaigns(random: np.random.Generator, mean: float) -> Cascade:
    """Campaigns of that many attacks on average, every one of which the student misses whole or not at all.

    It is as sure of what it misses as of all else: uniformly.
    """
    sizes = random.geometric(1 / mean, CAMPAIGNS)
    campaign = np.repeat(np.arange(CAMPAIGNS), sizes)
    sure, silent = random.uniform(0.5, 1, CAMPAIGNS)[campaign], (random.random(CAMPAIGNS) < MISSED)[campaign]
    everything = np.ones(len(campaign), dtype=bool)
    return Cascade(sure, everything, silent, everything, Units(len(campaign), (campaign,)))


@pytest.mark.parametrize("mean", [1, 2, 5, 20])
def test_campaigns_do_not_break_the_promise(mean: int) -> None:
    """The whole run of 10,500 replays is a benchmark; bounds that took events for independent broke 5 to 69 %."""
    random, repeats = np.random.default_rng(mean), 300
    violated = promised = 0
    for _ in range(repeats):
        cascade = campaigns(random, mean)
        thresholds = candidates(cascade, LIMIT)
        index = learned(cascade, thresholds, LIMIT)
        if index:
            promised += 1
            violated += MISSED * (1 - thresholds[index]) / 0.5 > LIMIT
    assert violated / repeats <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repeats)
    assert promised / repeats > 0.9  # it is no guarantee by promising nothing


def test_a_good_student_passes_on_ten_thousand_events(make: Make) -> None:
    """With the gates as they are, whatever half the seed draws."""
    evidence = make(counts={"benign": 5000, "sqli": 3000, "xss": 1900, "ssti": 100})
    for seed in range(5):
        known = escalation(replace(evidence, seed=seed))
        assert {result.key: result.status for result in known.gates} == dict.fromkeys(
            (f"escalation/{name}" for name in ("guarantee", "verified", "budget", "deferred")), "passed"
        )
    assert isinstance(known.data.threshold, EscalationThreshold)
    assert known.data.threshold.chosen_units == known.data.threshold.chosen_on
