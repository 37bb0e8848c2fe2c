"""Which form an output has."""

from __future__ import annotations

import pytest

from overproof.errors import InputError
from overproof.inference.sinks import SINKS, sink_for


@pytest.mark.parametrize(
    ("to", "out", "form"),
    [
        (None, "-", "jsonl"),
        (None, "verdicts", "jsonl"),
        (None, "verdicts.jsonl", "jsonl"),
        (None, "out/Verdicts.PARQUET", "parquet"),
        (None, "day.ocsf.jsonl", "ocsf"),
        (None, "day.ecs.jsonl", "ecs"),
        ("ocsf", "day.jsonl", "ocsf"),
        ("jsonl", "day.parquet", "jsonl"),
    ],
)
def test_the_form_is_the_one_asked_for_else_that_of_the_name(to: str | None, out: str, form: str) -> None:
    assert sink_for(to, out) is SINKS[form]


def test_an_unknown_form_and_a_compressed_file_are_refused() -> None:
    with pytest.raises(InputError, match=r"form 'cef': expected one of jsonl, parquet, ocsf, ecs"):
        sink_for("cef", "-")
    with pytest.raises(InputError, match=r"day\.jsonl\.gz: verdicts are not compressed"):
        sink_for(None, "day.jsonl.gz")
