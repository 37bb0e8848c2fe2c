"""Events that decide: new to what chose, families on both sides, the same whatever the order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.checks.units import mark
from overproof.errors import InputError
from overproof.events.schema import event_table
from overproof.quantization.decision_events import DecisionEvents, divide_by_units, units_of_events


def events(texts: list[str], families: list[str], groups: list[str | None] | None = None) -> pa.Table:
    given: dict[str, list[str] | list[str | None]] = {"text": texts, "label": families, "family": families}
    return event_table(given if groups is None else {**given, "group": groups})


def test_half_of_each_family_and_no_near_duplicate_on_both_sides() -> None:
    words = ["".join(chr(97 + (i // 26**place) % 26) for place in range(3)) for i in range(300)]
    texts = [f"get {words[i]} {copy}" for i in range(300) for copy in range(2)]
    families = ["sqli" if i % 10 == 0 else "benign" for i in range(300) for _ in range(2)]
    whole = events(texts, families)
    first, second = divide_by_units(whole, 0.5)
    assert first.num_rows + second.num_rows == 600
    for name, count in (("sqli", 30), ("benign", 270)):
        assert [part["family"].to_pylist().count(name) for part in (first, second)] == [count, count]
    marks = [{mark(text) for text in part["text"].to_pylist()} for part in (first, second)]
    assert not marks[0] & marks[1]


def test_groups_stay_together_and_a_family_of_two_units_is_on_both_sides() -> None:
    groups = ["g", "g", "h", "h", *(None for _ in range(20))]
    whole = events([f"{chr(97 + i)} x" for i in range(24)], ["sqli"] * 4 + ["benign"] * 20, groups)
    sides = divide_by_units(whole, 0.5)
    assert sorted(side["group"].to_pylist().count("g") for side in sides) == [0, 2]
    assert [side["family"].to_pylist().count("sqli") for side in sides] == [2, 2]


def test_a_family_of_one_unit_decides() -> None:
    whole = events(["lone", "lone", *"abcdefgh"], ["ldap"] * 2 + ["benign"] * 8)
    first, second = divide_by_units(whole, 0.5)
    assert "ldap" not in first["family"].to_pylist() and second["family"].to_pylist().count("ldap") == 2


def test_the_order_of_the_events_does_not_matter_and_the_seed_does() -> None:
    whole = events([f"{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(200)], ["a", "b"] * 100)
    order = np.random.default_rng(1).permutation(200)
    parts = [
        {tuple(sorted(side["text"].to_pylist())) for side in divide_by_units(table, 0.5, seed=seed)}
        for table, seed in ((whole, 0), (whole.take(order), 0), (whole, 1))
    ]
    assert parts[0] == parts[1] != parts[2]


def test_events_that_are_numbers_hang_together_where_they_are_the_same() -> None:
    rows = pa.array([[0.25, 1.0], [0.26, 1.0], [0.25, 1.0], [0.25, -1.0]], pa.list_(pa.float32()))
    table = pa.table({"values": rows, "label": ["a"] * 4, "family": ["a"] * 4})
    assert [way.tolist() for way in units_of_events(table).ways] == [[0, 1, 0, 2]]
    assert DecisionEvents.unseen(table, table.slice(1, 1), "test events").left_out == 1


def test_what_is_like_an_event_that_chose_does_not_decide() -> None:
    seen = events(["GET /a?id=12", "b"], ["benign"] * 2, ["g", None])
    offered = events(["get /A?id=77", "c", "d", "e"], ["benign"] * 4, [None, "g", "h", None])
    found = DecisionEvents.unseen(offered, seen, "test events")
    assert found.events["text"].to_pylist() == ["d", "e"]
    assert (found.left_out, found.chosen_from) == (2, "test events")
    assert found.require_any() is found
    with pytest.raises(InputError, match=r"each of the 2 test events is a near-duplicate .* give others by --test"):
        DecisionEvents.unseen(seen, seen, "test events").require_any()


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.sampled_from("abc")), min_size=1, max_size=60))
def test_nothing_on_one_side_hangs_together_with_the_other(rows: list[tuple[int, int, str]]) -> None:
    whole = events(
        [chr(97 + text) for text, _, _ in rows], [family for *_, family in rows], [f"{g}" for _, g, _ in rows]
    )
    first, second = divide_by_units(whole, 0.4)
    assert first.num_rows + second.num_rows == len(rows)
    if first.num_rows:
        assert DecisionEvents.unseen(second, first, "").left_out == 0


def words(start: int, stop: int) -> list[str]:
    return [f"{chr(97 + i % 26)}{chr(97 + i // 26 % 26)} {'x' * (i // 676)}" for i in range(start, stop)]


def test_a_student_is_decided_on_test_events_that_are_new() -> None:
    from overproof.distillation.dataset import DatasetSplits
    from overproof.quantization.quantize_student import decision_events

    train, validation = (events(words(*part), ["benign"] * 50) for part in ((0, 50), (50, 100)))
    test = events(words(40, 120), ["benign"] * 80)
    found = decision_events(DatasetSplits(train, validation, test, ("benign",), ("benign", "sqli"), 0, {}))
    assert found.events["text"].to_pylist() == words(100, 120)
    assert (found.left_out, found.chosen_from) == (60, "test events")


@pytest.mark.parametrize("guarded", [True, False])
def test_what_ends_training_with_the_rounding_does_not_decide(guarded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from overproof.jobs import quantize as job
    from overproof.jobs.config import QuantizeConfig, QuantizeJobConfig, RunOptions
    from overproof.quantization.guards import Guards

    given: dict[str, pa.Table] = {}

    def retraining(model: object, train: pa.Table, validation: pa.Table, *_: object) -> None:
        given.update(train=train, validation=validation)

    monkeypatch.setattr(job, "retraining", retraining)
    whole = events(words(0, 1000), ["sqli" if i % 5 == 0 else "benign" for i in range(1000)])
    settings = QuantizeConfig(guards=Guards(max_flips=0.1) if guarded else None, qat=True)
    config = QuantizeJobConfig(("events.csv",), quantize=settings)
    loaded = job.LoadedEvents(whole, None)
    divided = job.divide(None, loaded, config, Path("out"), RunOptions())  # type: ignore[arg-type]
    assert divided.events.held_back.equals(given["validation"])
    assert divided.held_back.num_rows == 100
    if guarded:
        decision = divided.events.decision
        assert decision is not None and decision.events.num_rows == 50 == given["validation"].num_rows
        for seen in given.values():
            assert DecisionEvents.unseen(decision.events, seen, "").left_out == 0
    else:
        assert divided.events.decision is None
