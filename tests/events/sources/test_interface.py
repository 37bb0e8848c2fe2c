from __future__ import annotations

import pytest

from overproof.errors import InputError
from overproof.events.sources.interface import Columns, Layout, listed


def test_default_names_are_found_in_their_order_of_preference_and_in_any_case() -> None:
    layout = Columns().layout(["TS", " Payload ", "command", "Verdict", "attack_type", "group"])
    assert layout == Layout(text=" Payload ", label="Verdict", family="attack_type", time="TS", group="group")


@pytest.mark.parametrize("only", ["label", "class", "family", "category"])
def test_one_of_label_and_family_serves_as_both(only: str) -> None:
    layout = Columns().layout(["text", only])
    assert layout.label == layout.family == only


def test_a_named_column_is_no_other_fields_default() -> None:
    layout = Columns(text="attack").layout(["attack", "category", "label"])
    assert (layout.text, layout.family) == ("attack", "category")
    layout = Columns(label="family").layout(["text", "family"])
    assert (layout.label, layout.family) == ("family", "family")


def test_table_layout_names_what_is_missing_and_what_is_there() -> None:
    with pytest.raises(InputError, match=r"^a\.csv:1: no column 'nope'; found 'text', 'label'$"):
        Columns(group="nope").table_layout(["text", "label"], "a.csv:1")
    with pytest.raises(
        InputError,
        match=r"a\.csv:1: no text column: looked for text, payload.*found 'x', 'y'; name it with --text COLUMN$",
    ):
        Columns().table_layout(["x", "y"], "a.csv:1")


def test_listed_is_bounded() -> None:
    assert listed([]) == "none"
    assert len(listed(["x" * 10_000] * 10_000)) < 3000
    assert listed(["a"] * 31).endswith("and 1 more")
