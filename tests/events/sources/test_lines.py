from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Columns
from overproof.events.sources.stream import LONGEST


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\ufeff"), max_size=8)))
def test_one_event_a_line_that_is_not_empty(read, lines: list[str]) -> None:
    kept = [(f"{number}", line) for number, line in enumerate(lines, 1) if line]
    for newline in ("\n", "\r\n"):
        data = newline.join(lines).encode()
        if not kept:
            with pytest.raises(InputError):
                read("a.txt", data)
            continue
        table, rejects = read("a.txt", data, format="lines")
        assert rejects.total == 0
        assert table["text"].to_pylist() == [line for _, line in kept]
        assert [origin.rsplit(":", 1)[1] for origin in table["origin"].to_pylist()] == [number for number, _ in kept]
        assert table["label"].null_count == len(kept)


def test_bytes_that_are_no_text_and_lines_that_are_too_long(read) -> None:
    table, rejects = read("a.log", b"a\xff\n" + b"x" * (LONGEST + 1) + b"\nb\0")
    assert table["text"].to_pylist() == ["a\\xff", "b\0"]
    assert rejects.summary() == {"longer than 16 MiB": 1}


def test_lines_have_no_columns_to_name(read) -> None:
    with pytest.raises(InputError, match="no column 'kind'"):
        read("a.txt", b"x", columns=Columns(label="kind"))
