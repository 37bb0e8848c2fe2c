"""The half that chooses a threshold and the half that verifies it: nothing hangs together across, evidence on both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.checks.base import FULL, CheckContext, Sample
from overproof.checks.escalation.halves import halves, linked

Make = Callable[..., CheckContext]


def with_events(evidence: CheckContext, texts: list[str], groups: list[str | None] | None = None) -> CheckContext:
    groups = groups or [None] * len(texts)
    return replace(evidence, sample=replace(evidence.sample, texts=texts, groups=groups))


def reordered(evidence: CheckContext, order: np.ndarray) -> CheckContext:
    """The same events in another order, with everything that is known of them."""
    columns = [name.name for name in fields(Sample) if name.name != "fields"]
    sample = Sample(**{name: [getattr(evidence.sample, name)[i] for i in order] for name in columns})
    models = {name: replace(outputs, logits=outputs.logits[order]) for name, outputs in evidence.models.items()}
    return replace(evidence, sample=sample, models=models)


def detected(evidence: CheckContext) -> np.ndarray:
    return evidence.attacks & evidence.detected(FULL)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 40), st.integers(2, 40), st.floats(0, 1))
def test_nothing_hangs_together_across(make: Make, seed: int, kinds: int, hosts: int, grouped: float) -> None:
    random = np.random.default_rng(seed)
    evidence = make(counts={"benign": 40, "sqli": 40})
    names = [chr(ord("a") + i % 26) * (1 + i // 26) for i in range(kinds)]
    texts = [f"{names[random.integers(kinds)]} {random.integers(100)}" for _ in range(80)]
    groups = [f"host {random.integers(hosts)}" if random.random() < grouped else None for _ in range(80)]
    evidence = replace(with_events(evidence, texts, groups), seed=seed % 7)
    links = linked(evidence)
    side, part = halves(evidence), links.joined()
    *by_group, marks = evidence.units.ways
    for way in (*by_group, part):
        assert all(len(set(side[way == unit].tolist())) == 1 for unit in range(way.max() + 1))
    for unit in range(marks.max() + 1):
        assert len(set(side[(marks == unit) & evidence.attacks].tolist())) <= 1
    # the largest part decides how far the halves may differ
    units = evidence.units.take(detected(evidence)).coarsest()
    of_part = [len(set(units[part[detected(evidence)] == i].tolist())) for i in range(part.max() + 1)]
    apart = abs(sum(of_part[i] for i in set(part[side].tolist())) - sum(of_part[i] for i in set(part[~side].tolist())))
    assert apart <= max(of_part)
    order = random.permutation(80)
    assert (halves(reordered(evidence, order)) == side[order]).all()


def test_either_half_gets_half_of_it_all(healthy: CheckContext) -> None:
    side = halves(healthy)
    assert abs(side.sum() - (~side).sum()) <= 1
    assert abs((side & detected(healthy)).sum() - (~side & detected(healthy)).sum()) <= 1
    other = halves(replace(healthy, seed=1))
    assert 0.4 < (other != side).mean() < 0.6


@pytest.mark.parametrize("label", ["benign", "sqli"])
def test_a_giant_leaves_no_half_without_evidence(make: Make, label: str) -> None:
    """Copies that make up nine events of ten are one independent event more on one side."""
    evidence = make(counts={"benign": 5000, "sqli": 5000})
    of = [i for i, given in enumerate(evidence.sample.labels) if given == label]
    texts = list(evidence.sample.texts)
    for i in of[:4500]:
        texts[i] = f"the same attack {i}"
    evidence = with_events(evidence, texts)
    side, known = halves(evidence), detected(evidence)
    counts = [evidence.units.take(known & rows).count for rows in (side, ~side)]
    assert abs(counts[0] - counts[1]) <= 1 and min(counts) > 200
    totals = [evidence.units.take(rows).count for rows in (side, ~side)]
    assert abs(totals[0] - totals[1]) <= 2


def test_copies_of_all_sizes_are_dealt_out_evenly(make: Make) -> None:
    evidence = make(counts={"benign": 500, "sqli": 1500})
    random = np.random.default_rng(0)
    campaign = random.geometric(0.2, 1500).cumsum().searchsorted(np.arange(1500), side="right")
    groups = [None] * 500 + [f"campaign {i}" for i in campaign]
    evidence = with_events(evidence, list(evidence.sample.texts), groups)
    side, known = halves(evidence), detected(evidence)
    counts = [evidence.units.take(known & rows).count for rows in (side, ~side)]
    assert abs(counts[0] - counts[1]) <= 1
    assert abs((known & side).sum() - (known & ~side).sum()) < 30


def test_what_every_host_sends_links_no_hosts(make: Make) -> None:
    """Each of 300 hosts sends the same benign request and events of its own: either half has half of them."""
    evidence = make(counts={"benign": 900, "sqli": 600})
    groups = [f"host {i % 300}" for i in range(1500)]
    texts = ["GET / HTTP/1.1" if i < 300 else text for i, text in enumerate(evidence.sample.texts)]
    evidence = with_events(evidence, texts, groups)
    assert evidence.units.joined().max() == 0
    side, known = halves(evidence), detected(evidence)
    counts = [evidence.units.take(known & rows).count for rows in (side, ~side)]
    assert abs(counts[0] - counts[1]) <= 1 and abs(side.sum() - 750) <= 5
    *_, marks = evidence.units.ways
    assert all(len(set(side[(marks == mark) & evidence.attacks].tolist())) <= 1 for mark in set(marks.tolist()))


def test_one_part_that_holds_everything_is_on_one_side(make: Make) -> None:
    evidence = make(counts={"benign": 30, "sqli": 30})
    side = halves(with_events(evidence, ["the same"] * 60))
    assert side.all() or not side.any()
