"""What events are called: counts by hand, what differs beyond chance, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from overproof.checks.base import FULL, QUANTIZED, CheckContext
from overproof.checks.confusion import Confusion, ConfusionCell, ConfusionRow, confusion_of
from overproof.checks.pairs import share
from overproof.checks.stats import wilson
from overproof.report.not_measured import NotMeasured

Make = Callable[..., CheckContext]
COUNTS = {"benign": 600, "sqli": 300, "xss": 200, "ssti": 60}


def found_in(context: CheckContext) -> Confusion:
    found = confusion_of(context)
    assert isinstance(found, Confusion)
    return found


def test_every_event_is_counted_once_for_each_model(make: Make) -> None:
    context = make({QUANTIZED: {"ssti": 0.5}}, counts=COUNTS)
    found = found_in(context)
    assert found.labels == context.classes
    assert [(row.name, row.n) for row in found.rows] == [(name, COUNTS[name]) for name in context.classes]
    truth, labels = context.targets, {name: context.labels(name) for name in (FULL, QUANTIZED)}
    for row in found.rows:
        for cell in row.cells:
            of, called = truth == context.classes.index(row.name), context.classes.index(cell.called)
            for name, given in labels.items():
                k = int((of & (given == called)).sum())
                assert (cell.models[name].k, cell.models[name].n) == (k, row.n)
                assert cell.models[name].share == wilson(k, row.n)
    assert found.families == ()


def test_a_family_that_is_lost_differs_and_one_that_is_not_does_not(make: Make) -> None:
    found = found_in(make({QUANTIZED: {"ssti": 0.5}}, counts=COUNTS))
    differing = {(row.name, cell.called) for row in found.rows for cell in row.cells if cell.differs}
    assert differing == {("ssti", "ssti"), ("ssti", "benign")}
    lost = next(cell for row in found.rows for cell in row.cells if (row.name, cell.called) == ("ssti", "benign"))
    assert lost.difference is not None and lost.difference.low > 0
    assert lost.difference.value == pytest.approx((lost.models[QUANTIZED].k - lost.models[FULL].k) / 60)


def test_equal_models_differ_nowhere_in_hundreds_of_draws(make: Make) -> None:
    """All shares together: at most one draw in twenty, by chance, marks anything."""
    context = make(counts=COUNTS)
    marked = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        models = {
            name: replace(context.models[name], logits=random.normal(0, 1, (1160, 4)).astype(np.float32))
            for name in (FULL, QUANTIZED)
        }
        found = found_in(replace(context, models={**context.models, **models}))
        marked += any(cell.differs for row in found.rows for cell in row.cells)
    assert marked <= 4


def test_copies_are_no_further_evidence(make: Make) -> None:
    context = make({QUANTIZED: {"ssti": 0.5}}, counts=COUNTS)
    copies = replace(context.sample, groups=["one" if label == "ssti" else None for label in context.sample.labels])
    found = found_in(replace(context, sample=copies))
    row = next(row for row in found.rows if row.name == "ssti")
    assert row.units == 1
    assert not any(cell.differs for cell in row.cells)


def test_families_that_are_no_labels_have_rows_of_their_own(make: Make) -> None:
    context = make(counts=COUNTS)
    families = [label if label != "sqli" else f"sqli-{i % 2}" for i, label in enumerate(context.sample.labels)]
    found = found_in(replace(context, sample=replace(context.sample, families=families)))
    assert [(row.name, row.n) for row in found.families] == [("sqli-0", 150), ("sqli-1", 150)]
    assert [row.truth for row in found.families] == [("sqli",), ("sqli",)]
    assert [row.truth for row in found.rows] == [(name,) for name in context.classes]


def test_a_family_of_two_labels_has_both_as_true_ones(make: Make) -> None:
    context = make(counts=COUNTS)
    families = ["both" if label in ("sqli", "xss") else None for label in context.sample.labels]
    (row,) = found_in(replace(context, sample=replace(context.sample, families=families))).families
    assert (row.name, row.truth, row.n) == ("both", ("sqli", "xss"), 500)


def test_a_label_that_no_model_knows_has_a_row(make: Make) -> None:
    context = make(counts=COUNTS)
    labels = ["worm" if label == "ssti" else label for label in context.sample.labels]
    found = found_in(replace(context, sample=replace(context.sample, labels=labels)))
    assert [row.name for row in found.rows] == ["benign", "sqli", "xss", "worm"]


def test_without_a_full_model_nothing_is_compared(make: Make) -> None:
    found = found_in(make(counts=COUNTS, without=(FULL,)))
    assert {name for row in found.rows for cell in row.cells for name in cell.models} == {QUANTIZED}
    assert all(cell.difference is None and not cell.differs for row in found.rows for cell in row.cells)


def test_why_nothing_was_counted_is_said(make: Make) -> None:
    context = make(counts=COUNTS)
    bare = replace(context, sample=replace(context.sample, labels=[None] * 1160))
    assert confusion_of(bare) == NotMeasured("no event has a label")
    broken = replace(context.models[QUANTIZED], logits=np.full((1160, 4), np.nan, dtype=np.float32))
    found = confusion_of(replace(context, models={**context.models, QUANTIZED: broken}))
    assert isinstance(found, NotMeasured) and "NaN" in found.unmeasured


def cell(called: str, k: int, n: int) -> ConfusionCell:
    return ConfusionCell(called, {QUANTIZED: share(k, n)}, None)


@pytest.mark.parametrize(
    ("cells", "message"),
    [((cell("a", 3, 9),), "do not add up to 9"), ((cell("a", 9, 10),), "do not add up to 9")],
    ids=["too few", "of another number"],
)
def test_counts_that_do_not_add_up_are_refused(cells: tuple[ConfusionCell, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ConfusionRow("a", ("a",), 9, 9, cells)


def test_a_cell_without_the_student_is_refused() -> None:
    with pytest.raises(ValueError, match="expected distilled"):
        ConfusionCell("a", {FULL: share(1, 2)}, None)
