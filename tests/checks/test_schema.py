"""The documents of check.json are those that its types give, and hold for what the checks return."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from overproof.checks import schema

from .report.computed import computed

DOCS = Path(__file__).parents[2] / "docs"


def test_the_documents_are_up_to_date() -> None:
    assert (DOCS / schema.MARKDOWN).read_text("utf-8") == schema.markdown(), "run `make schema`"
    assert json.loads((DOCS / schema.JSON_SCHEMA).read_text("utf-8")) == schema.schema(), "run `make schema`"


def test_every_field_is_described() -> None:
    for line in schema.markdown().splitlines():
        assert not line.startswith("| `") or line.split(" | ")[-1].strip(" |"), line


def test_links_lead_to_a_heading() -> None:
    text = schema.markdown()
    headings = {
        line.lstrip("# ").lower().replace(" ", "-").replace("`", "").replace(".", "")
        for line in text.splitlines()
        if line.startswith("#")
    }
    links = {part.partition(")")[0] for part in text.split("](#")[1:]}
    assert links and links <= headings


def test_the_json_schema_holds_for_what_the_checks_return(healthy) -> None:
    found = schema.schema()
    jsonschema.Draft202012Validator.check_schema(found)
    data = json.loads(json.dumps(computed(healthy).to_json()))
    jsonschema.validate(data, found)
    data["checks"][1]["data"]["models"]["full"]["before"]["brier"] = "low"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, found)
