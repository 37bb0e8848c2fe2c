"""Slices: found where the student loses, hardly ever where it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from overproof.checks.base import BASELINE, CONTROL, DISTILLED, FULL, QUANTIZED
from overproof.checks.rare.slices import LEAST, Slice, Verdicts, losing, slices_of
from overproof.checks.stats import Units

if TYPE_CHECKING:
    from overproof.checks.base import CheckContext

    from .conftest import Make

LIMIT = 0.05
UNUSED = (DISTILLED, CONTROL, BASELINE)


def test_slices_are_large_enough_and_none_stands_twice(healthy: CheckContext) -> None:
    found = list(slices_of(healthy.sample, healthy.labelled))
    marks = {part.rows.tobytes() for part in found}
    assert len(marks) == len(found) > 5
    assert all(LEAST <= part.rows.sum() <= 0.9 * len(healthy.sample) for part in found)
    assert {"length", "source"} <= {part.by for part in found}
    assert any(" and " in part.by for part in found)


def test_times_and_encodings_make_slices(healthy: CheckContext) -> None:
    n = len(healthy.sample)
    times = [f"2026-11-{1 + i % 20:02d}T{i % 24:02d}:00:00" if i % 2 else str(3600.0 * (i % 24)) for i in range(n)]
    texts = ["a%20b", "\xe9t\xe9", "A" * 40, "<<>>''"]
    sample = replace(healthy.sample, times=times, texts=[texts[i % 4] * (1 + i % 9) for i in range(n)])
    names = {(part.by, part.name) for part in slices_of(sample, healthy.labelled)}
    assert {("time", f"hour {hour:02d}") for hour in range(24)} <= names
    assert {("encoding", kind) for kind in ("percent-encoded", "not ASCII", "like base64")} <= names


def test_a_hidden_slice_is_found_and_named(healthy: CheckContext) -> None:
    n = len(healthy.sample)
    region = ["north" if i % 7 == 0 else "south" for i in range(n)]
    sample = replace(healthy.sample, fields={**healthy.sample.fields, "region": region})
    source = np.array(sample.fields["source"])
    hidden = (np.array(region) == "north") & (source == "gateway")
    full = np.ones(n, dtype=bool)
    parts = list(slices_of(sample, healthy.labelled))
    worst = losing(parts, Verdicts(full, ~(hidden & (np.arange(n) % 3 == 0)), healthy.labelled, healthy.units), LIMIT)[
        0
    ]
    assert worst.p_holm < 0.001
    assert "north" in worst.name and "gateway" in worst.name


def test_healthy_students_are_rarely_accused(make: Make) -> None:
    """Of 200 that lose nearly the limit everywhere, 5 % at most may be; P(more than 18) is below 1 % then."""
    accused = 0
    for seed in range(200):
        counts = {"benign": 150, "sqli": 100, "xss": 80}
        evidence = make({QUANTIZED: {"*": 0.05}}, counts=counts, training=False, seed=seed, without=UNUSED)
        parts = slices_of(evidence.sample, evidence.labelled)
        right = (evidence.right(model) for model in (FULL, QUANTIZED))
        found = losing(parts, Verdicts(*right, evidence.labelled, evidence.units), LIMIT)
        accused += found[0].p_holm <= 0.05
    assert accused <= 18


def test_numbers_and_truths_make_slices_but_not_measures_and_names(healthy: CheckContext) -> None:
    n = len(healthy.sample)
    fields = {
        "port": [(80, 443)[i % 2] for i in range(n)],
        "internal": [None if i % 3 == 0 else i % 3 == 1 for i in range(n)],
        "seconds": [i / 7 for i in range(n)],
        "name": [f"host-{i}" for i in range(n)],
        "path": [["a"]] * n,
    }
    found = list(slices_of(replace(healthy.sample, fields=fields), healthy.labelled))
    names = {(part.by, part.name) for part in found}
    assert {("port", "80"), ("port", "443"), ("internal", "True"), ("internal", "False")} <= names
    assert not {by for by, _ in names} & {"seconds", "name", "path"}


def test_a_session_counts_once_in_a_slice(healthy: CheckContext) -> None:
    """30 events lost of 100 are plain; as one session of four, they may be chance."""
    n = len(healthy.sample)
    rows = np.arange(n) < 100
    student = np.arange(n) >= 30
    everyone, part = np.ones(n, dtype=bool), [Slice("host", "web-1", rows)]
    (alone,) = losing(part, Verdicts(everyone, student, everyone, Units(n)), LIMIT)
    sessions = np.where(rows, np.arange(n) // 30, np.arange(n))
    (together,) = losing(part, Verdicts(everyone, student, everyone, Units.of(n, sessions.tolist())), LIMIT)
    assert (together.b, together.n) == (alone.b, alone.n) == (30, 100)
    assert alone.p < 1e-6 and together.p > 0.1
