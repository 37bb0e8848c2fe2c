"""`check` on the very events that a bundle was made of: no proof of anything, whatever identifiers they have."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

import overproof
from overproof.bundle.evidence_store import open_evidence
from overproof.bundle.manifest import open_bundle

MADE = Path(__file__).parents[1] / "compat" / "format1"
OTHER_DIGITS = str.maketrans("0123456789", "1234567890")


@pytest.fixture(scope="module")
def trained_on() -> pa.Table:
    return open_evidence(MADE / "evidence", open_bundle(MADE / "bundle")).events


def with_column(events: pa.Table, name: str, values: list[str]) -> pa.Table:
    return events.set_column(events.schema.get_field_index(name), name, pa.array(values))


@pytest.mark.parametrize(
    "change",
    [lambda text: text, str.upper, lambda text: text.translate(OTHER_DIGITS), lambda text: f" {text}  "],
    ids=["as they are", "in capitals", "other digits", "white space"],
)
def test_the_training_events_are_leaked_though_their_identifiers_are_fresh(
    trained_on: pa.Table, change: Callable[[str], str], tmp_path: Path
) -> None:
    """Zeek's always are: by groups alone nothing was leaked, and the verdict was to deploy."""
    n = trained_on.num_rows
    fresh = with_column(trained_on, "group", [f"C{i:09x}" for i in range(n)])
    rows = random.Random(0).sample(range(n), n)
    changed = with_column(fresh, "text", [change(text) for text in fresh["text"].to_pylist()]).take(rows)
    report = overproof.check(
        MADE / "bundle", changed, evidence=MADE / "evidence", accept_public_data=True, cache=tmp_path
    )
    found = {gate.key: gate for gate in report.gates}
    leaked, published = found["own-data/leaked"], found["own-data/published"]
    assert leaked.status == "failed" and leaked.value is not None and leaked.value > 0.5
    assert report.decision == "do not deploy" and not report.passed
    assert "own-data/leaked" in report.verdict.because
    assert (published.status, published.waived) == ("unmeasured", True)
    assert report.checks[0].status == "failed"
    said = "All of this is of public or simulated events: nothing is known of your own."
    assert report.verdict.sentence.endswith(said)
