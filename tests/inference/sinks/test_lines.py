"""One JSON object a line: into files, streams, and files that are followed."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from overproof.errors import InputError
from overproof.inference.sinks import SINKS, About
from overproof.inference.sinks.lines import lines

from .conftest import PLAIN, any_verdict, plain

LINES = ("jsonl", "ocsf", "ecs")


@given(any_verdict())
def test_a_line_says_what_the_verdict_says(verdict: dict[str, Any]) -> None:
    out = io.BytesIO()
    SINKS["jsonl"].stream(out, About("1", ("benign",), {})).write([verdict, PLAIN])
    first, second = out.getvalue().splitlines()
    assert json.loads(first) == plain(verdict)
    assert json.loads(second) == PLAIN


def test_numpys_numbers_are_written_as_they_are_read() -> None:
    values = {"a": np.float32(0.1), "b": np.float64(0.1), "c": np.int32(3), "d": np.bool_(True), "e": np.float32("nan")}
    assert lines([values, {"f": {1, 2}}]) == b'{"a":0.1,"b":0.1,"c":3,"d":true,"e":null}\n{"f":"{1, 2}"}\n'


@pytest.mark.parametrize("form", LINES)
def test_a_stream_passes_on_what_is_written(
    form: str, about: About, verdicts: Callable[[int], list[dict[str, Any]]], tmp_path: Path
) -> None:
    class Kept(io.BytesIO):
        flushed = 0

        def flush(self) -> None:
            self.flushed += 1

    out = Kept()
    writer = SINKS[form].stream(out, about)
    writer.write(verdicts(5))
    assert out.flushed
    assert writer.flush() == len(out.getvalue())
    assert out.getvalue().count(b"\n") == 5
    writer.close()
    assert not out.closed


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        (b"", b""),
        (b"{}\n", b"{}\n"),
        (b'{}\n{"torn', b"{}\n"),
        (b"torn", b""),
        (b"{}\n" + b"x" * 200_000, b"{}\n"),
        (b"x" * 200_000 + b"\n" + b"x" * 65_536, b"x" * 200_000 + b"\n"),
    ],
)
def test_a_followed_file_is_appended_to_after_its_last_whole_line(
    before: bytes, kept: bytes, about: About, tmp_path: Path
) -> None:
    path = tmp_path / "verdicts.jsonl"
    path.write_bytes(before)
    writer = SINKS["jsonl"].stream(str(path), about)
    writer.write([PLAIN])
    assert path.read_bytes() == kept + lines([PLAIN])
    writer.close()


def test_an_output_that_cannot_be_written_is_named(about: About, tmp_path: Path) -> None:
    for open_it in (
        lambda: SINKS["jsonl"].stream(str(tmp_path), about),
        lambda: SINKS["jsonl"].stream(str(tmp_path / "no" / "where"), about),
        lambda: SINKS["jsonl"].open(tmp_path / "no" / "where", 0, about),
        lambda: SINKS["parquet"].open(tmp_path / "no" / "where", 0, about),
    ):
        with pytest.raises(InputError, match=r"cannot be written there \((Is a|No such)"):
            open_it()
    with pytest.raises(InputError, match="parquet is no stream"):
        SINKS["parquet"].stream(io.BytesIO(), about)
