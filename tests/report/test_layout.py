"""Tables as text fit into a line, and lose nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from overproof.folding import cells
from overproof.report.layout import aligned, line_width, within


def test_a_table_that_fits_is_as_wide_as_what_it_holds() -> None:
    assert aligned([["name", "bytes"], ["a", "1,000"]]) == "name  bytes\n----  -----\na     1,000"


def test_wide_characters_take_two_cells() -> None:
    assert aligned([["name", "n"], ["漢字漢", "1"]]) == "name    n\n------  -\n漢字漢  1"


def test_what_is_too_wide_is_wrapped_at_blanks_but_not_before_a_unit_or_in_an_interval() -> None:
    table = [["search", "at most ten queries"], ["random", "12.34 % [10.00, 15.00]"], ["beam", "0 % [0.00, 1.00]"]]
    with within(24):
        assert aligned(table).splitlines() == [
            "search       at most ten",
            "                 queries",
            "------  ----------------",
            "random           12.34 %",
            "          [10.00, 15.00]",
            "beam    0 % [0.00, 1.00]",
        ]


def test_what_is_too_wide_even_so_is_divided_each_with_the_first_column() -> None:
    table = [["", *(f"column{i}" for i in range(6))], ["model", *(f"{i},000,000" for i in range(6))]]
    with within(40):
        first, second = aligned(table).split("\n\n")
    assert first.splitlines()[0].split() == ["column0", "column1", "column2"]
    assert second.splitlines()[0].split() == ["column3", "column4", "column5"]
    assert second.splitlines()[2].split() == ["model", "3,000,000", "4,000,000", "5,000,000"]


def test_columns_to_the_left_stay_there_when_the_table_is_divided() -> None:
    table = [["layer", "a" * 9, "why"], ["x", "1", "y"]]
    with within(16):
        assert aligned(table, left=(0, 2)).split("\n\n")[1].splitlines()[-1] == "x      y"


def test_a_word_that_is_longer_than_a_line_is_broken() -> None:
    with within(20):
        lines = aligned([["name", "n"], ["x" * 100, "1"]]).splitlines()
    assert "".join(line.split()[0] for line in lines[2:]) == "x" * 100


def test_a_width_ends_with_its_block() -> None:
    with within(50):
        assert line_width() == 50
    assert line_width() == 100


cell = st.text(st.sampled_from("ab1 .%[],漢\u0301"), max_size=40)


@given(st.integers(2, 7).flatmap(lambda n: st.lists(st.lists(cell, min_size=n, max_size=n), min_size=2, max_size=4)))
def test_any_table_fits_and_keeps_every_sign(table: list[list[str]]) -> None:
    for width in (80, 100):
        with within(width):
            text = aligned(table)
        assert all(cells(line) <= width for line in text.splitlines())
        for wanted in "ab1.%漢":
            assert text.count(wanted) >= sum(cell.count(wanted) for line in table for cell in line)
