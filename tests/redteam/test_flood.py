"""Hostile events that cost the full model's time spend no more than the budget, and change no other verdict."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.scores import Floats
from overproof.inference.cascade import Bucket, Cascade, Full, Rate
from overproof.inference.cascade.thresholds import policy_for

SHARE = 0.05
WORDS = ("ABCDEFGHIJ", "select", "garden", "id=7", "shoes", "<b>", "J" * 30, "0101")


@pytest.fixture(scope="module")
def kinds(student: OnnxScorer) -> tuple[list[str], list[str]]:
    """Texts that the student decides alone, and texts that it passes on."""
    random = Random(1)
    odd = {" ".join(random.choices(WORDS, k=random.randint(1, 12))) for _ in range(300)}
    texts = sorted({f"id={n} select {'x' * (n % 37)}" for n in range(600)} | odd)
    policy = policy_for(student.manifest, rate=Rate(share=0.5))
    passed_on = set(Cascade(student, policy=policy).decide(student.score(texts)).deferrals.rows)
    decided = [text for row, text in enumerate(texts) if row not in passed_on]
    hostile = [text for row, text in enumerate(texts) if row in passed_on]
    assert len(decided) > 50 and len(hostile) > 50
    return decided, hostile


@given(seed=st.integers(0, 2**32), hostile_share=st.floats(0.0, 1.0), batch=st.integers(1, 60))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_mix_of_hostile_events_exceeds_the_budget_or_changes_a_calm_verdict(
    kinds: tuple[list[str], list[str]], student: OnnxScorer, seed: int, hostile_share: float, batch: int
) -> None:
    random = Random(seed)
    texts = [random.choice(kinds[random.random() < hostile_share]) for _ in range(300)]
    asked: list[int] = []

    def ask(some: Sequence[str]) -> Floats:
        asked.append(len(some))
        return np.tile(np.array([0.1, 0.8, 0.1], dtype=np.float32), (len(some), 1))

    policy = policy_for(student.manifest, rate=Rate(share=0.5))
    alone = Cascade(student, policy=policy)
    cascade = Cascade(student, Full(student.classes, ask, "full"), policy, Bucket(Rate(share=SHARE)))
    decided = set(kinds[0])
    for start in range(0, len(texts), batch):
        some = texts[start : start + batch]
        for text, verdict in zip(some, cascade.judge(some), strict=True):
            if text in decided:
                quiet = alone.judge([text])[0]
                assert {**verdict, "models": None} == {**quiet, "models": None}
                assert verdict["status"] == "decided"
        assert sum(asked) <= SHARE * (start + len(some)) + 1e-9
