"""Cases of JSON and tables that were read wrongly once: `tests/cases/NAME/case.md` says what happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from overproof.errors import InputError
from overproof.events.sources import Columns, Rejects, load_events

CASES = Path(__file__).parents[2] / "cases"


def loaded(name: str, **options: Any) -> tuple[list[dict[str, Any]], dict[str, int]]:
    rejects = Rejects()
    return load_events(CASES / name, rejects=rejects, **options).to_pylist(), rejects.summary()


def test_a_document_of_filebeat_is_read_by_its_message() -> None:
    events, rejected = loaded("09-ecs-filebeat/filebeat.ndjson")
    assert rejected == {}
    assert [event["text"].split('"')[1].split()[1] for event in events] == [
        "/index.html",
        "/item.asp?id=1%27%20UNION%20SELECT%20password%20FROM%20users--",
    ]
    assert {event["time"] for event in events} == {"2026-01-05T07:00:00.000Z"}


def test_parquet_of_any_types() -> None:
    events, rejected = loaded("26-parquet-odd/dict-list-struct.parquet")
    assert [event["text"] for event in events] == ["hello", "id=1' or 1=1--"]
    assert [event["tags"] for event in events] == [["a"], ["b", "c"]]
    assert rejected == {}
    assert len(loaded("26-parquet-odd/large.parquet")[0]) == 2
    assert loaded("26-parquet-odd/null.parquet")[1] == {"text is null": 1, "empty text": 1}
    with pytest.raises(InputError, match=r"text column 'text' holds list<.*--text COLUMN"):
        loaded("26-parquet-odd/text-list.parquet")
    named, _ = loaded("26-parquet-odd/dict-list-struct.parquet", columns=Columns(text="s.a"))
    assert [event["text"] for event in named] == ["1", "2"]
