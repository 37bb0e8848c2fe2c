"""Texts under several labels are counted, and those that another label outvotes are found."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from overproof.events.contradictions import contradictory, outvoted
from overproof.events.schema import event_table


def events(*pairs: tuple[str, str | None]) -> pa.Table:
    return event_table({"text": [text for text, _ in pairs], "label": [label for _, label in pairs]})


def test_an_attack_that_is_mostly_benign_is_outvoted() -> None:
    table = events(("false", "benign"), ("false", "xxe"), ("<!ENTITY", "xxe"), ("false", "benign"), ("red", "benign"))
    assert contradictory(table) == 3
    assert outvoted(table) == [1]


def test_a_tie_is_lost_by_both() -> None:
    table = events(("-", "benign"), ("-", "xxe"), ("a", "benign"))
    assert outvoted(table) == [0, 1]


def test_events_without_label_say_nothing() -> None:
    table = events(("a", None), ("a", "xxe"), ("a", None), ("b", None), ("b", None))
    assert contradictory(table) == 0
    assert outvoted(table) == []


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["x", "y", "z", None]))))
def test_as_counted_slowly(pairs: list[tuple[str, str | None]]) -> None:
    labelled = [(text, label) for text, label in pairs if label is not None]
    votes = Counter(labelled)
    several = {text for text, label in labelled if {name for other, name in labelled if other == text} != {label}}
    lost = [
        row
        for row, (text, label) in enumerate(pairs)
        if label
        and any(votes[text, name] >= votes[text, label] for name in "xyz" if (text, name) in votes and name != label)
    ]
    table = events(*pairs)
    assert contradictory(table) == sum(text in several for text, _ in labelled)
    assert outvoted(table) == lost
