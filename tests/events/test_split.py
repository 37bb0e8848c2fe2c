from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.schema import event_table
from overproof.events.sources import load_events
from overproof.events.split import Split, leaked, split_events, template

event = st.tuples(
    st.text("aAb1 2'", min_size=1, max_size=4),
    st.sampled_from(["benign", "sqli", "xss", "rare", None]),
    st.none() | st.sampled_from(["g1", "g2", "a", "t"]),
)
shares = st.sampled_from([(0.1, 0.2), (0.0, 0.3), (0.2, 0.0), (0.0, 0.0), (0.4, 0.5)])


def table(rows: list[tuple[str, str | None, str | None]], *, grouped: bool) -> pa.Table:
    text, label, group = map(list, zip(*rows, strict=True)) if rows else ([], [], [])
    return event_table({"text": text, "label": label, "group": group if grouped else [None] * len(rows)})


def parts(split: Split) -> tuple[pa.Table, pa.Table, pa.Table]:
    return split.train, split.validation, split.test


def origins(part: pa.Table) -> list[str]:
    return part["origin"].to_pylist()


def keys(part: pa.Table) -> set[tuple[str, str]]:
    """What may not be divided: the group, or the template where there is none."""
    pairs = zip(part["group"].to_pylist(), part["text"].to_pylist(), strict=True)
    return {("group", group) if group is not None else ("template", template(text)) for group, text in pairs}


def test_template() -> None:
    assert template("ID=1 OR 98=98 Ünï") == "id=0 or 00=00 ünï"
    assert template("٣") == "٣"  # other digits stand: lower case and 0-9 are all that is folded


@given(st.lists(event, max_size=40), st.booleans(), st.integers(0, 5), shares)
def test_parts_are_whole_disjoint_and_grouped(rows, grouped: bool, seed: int, share: tuple[float, float]) -> None:
    events = table(rows, grouped=grouped)
    split = split_events(events, seed=seed, validation=share[0], test=share[1])
    train, validation, test = parts(split)
    assert sorted(origins(train) + origins(validation) + origins(test)) == sorted(origins(events))
    for part in parts(split):
        assert part.schema.equals(events.schema)
        assert origins(part) == sorted(origins(part), key=lambda origin: int(origin.split(":")[1]))
    assert not keys(train) & keys(validation)
    assert not keys(train) & keys(test)
    assert not keys(validation) & keys(test)
    assert validation.num_rows == 0 or share[0] > 0
    assert test.num_rows == 0 or share[1] > 0
    assert validation["label"].null_count == test["label"].null_count == 0
    assert (split.leaked_templates == 0) == (
        leaked(train, validation) + leaked(train, test) + leaked(validation, test) == 0
    )
    if not grouped:
        assert split.leaked_templates == 0


@given(st.lists(event, max_size=30), st.integers(0, 5), st.randoms(use_true_random=False))
def test_the_same_rows_and_seed_give_the_same_parts_in_any_order(rows, seed: int, random) -> None:
    events = table(rows, grouped=True)
    shuffled = events.take(pa.array(random.sample(range(len(rows)), len(rows)), pa.int64()))
    one, other = split_events(events, seed=seed), split_events(shuffled, seed=seed)
    assert [sorted(origins(part)) for part in parts(one)] == [sorted(origins(part)) for part in parts(other)]
    assert one == split_events(events, seed=seed)


def letters(number: int) -> str:
    """A text whose template is its own: digits would all fold into one."""
    return "".join(chr(ord("a") + int(digit)) for digit in f"{number:04d}")


@given(st.dictionaries(st.sampled_from("uvwxyz"), st.integers(1, 60), min_size=1), st.integers(0, 99))
def test_every_family_stands_in_every_part_in_proportion(families: dict[str, int], seed: int) -> None:
    rows = [(family + letters(i), family, None) for family, count in families.items() for i in range(count)]
    split = split_events(table(rows, grouped=False), seed=seed)
    counts = [Counter(part["label"].to_pylist()) for part in parts(split)]
    for family, count in families.items():
        train, validation, test = (part[family] for part in counts)
        assert train >= 1
        if count == 1:
            continue
        assert test >= 1
        assert abs(test - 0.2 * count) <= 1
        if count >= 3:
            assert validation >= 1
            assert abs(validation - 0.1 * count) <= 1.5


def test_the_seed_chooses_and_large_groups_do_not_overshoot() -> None:
    rows = [(letters(i), "a", None) for i in range(200)] + [("big", "a", None)] * 150
    tests = set()
    for seed in range(5):
        split = split_events(table(rows, grouped=False), seed=seed)
        assert (split.validation.num_rows, split.test.num_rows) == (35, 70)
        tests.add(tuple(origins(split.test)))
    assert len(tests) == 5


def test_a_mixed_group_counts_as_its_rarest_family() -> None:
    rows = [(letters(i), "benign", f"flow{i}") for i in range(30)]
    rows += [("attack" + letters(i), "rare", f"flow{i}") for i in range(3)]
    split = split_events(table(rows, grouped=True), seed=0)
    assert all("rare" in part["label"].to_pylist() for part in parts(split))


def test_unlabelled_events_and_their_groups_stay_in_train() -> None:
    rows = [(letters(i), "a", None) for i in range(20)] + [(letters(i), None, None) for i in range(10)]
    split = split_events(table(rows, grouped=False), seed=0)
    assert split.train["label"].null_count == 10
    assert split.leaked_templates == 0
    held_out = split.test["text"].to_pylist() + split.validation["text"].to_pylist()
    assert held_out
    assert not {letters(i) for i in range(10)} & set(held_out)


def test_leaked_templates_are_counted_where_groups_are_given() -> None:
    rows = [(f"same {i}", "a", f"host{i}") for i in range(10)]
    split = split_events(table(rows, grouped=True), seed=0)
    assert split.leaked_templates == 1
    assert leaked(split.train, split.test) == 1
    assert leaked(split.train, event_table({"text": ["other"]})) == 0


def test_a_group_named_like_a_template_is_another_group() -> None:
    split = split_events(table([("x", "a", None), ("b", "a", "x")], grouped=True), seed=0)
    assert split.train.num_rows == split.test.num_rows == 1


@pytest.mark.parametrize("share", [(0.5, 0.5), (-0.1, 0.2), (0.1, -0.2), (float("nan"), 0.1)])
def test_impossible_shares(share: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="shares"):
        split_events(event_table({"text": ["a"]}), seed=0, validation=share[0], test=share[1])


def test_the_real_payloads_split_by_family(shared_data: Path) -> None:
    events = load_events(shared_data / "http" / "train.csv.gz")
    split = split_events(events, seed=0)
    assert split.leaked_templates == leaked(split.train, split.test) == leaked(split.train, split.validation) == 0
    total = Counter(events["family"].to_pylist())
    train, validation, test = (Counter(part["family"].to_pylist()) for part in parts(split))
    assert set(train) == set(test) == set(total)
    assert set(validation) == set(total) - {"xpathi"}  # which has two rows
    for family, count in total.items():
        if count >= 40:
            assert test[family] / count == pytest.approx(0.2, abs=0.03)
            assert validation[family] / count == pytest.approx(0.1, abs=0.03)
