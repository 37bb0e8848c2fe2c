"""Which families are held out, and where they lie; the training itself is in test_job.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from overproof.bundle.evidence_store import EvidenceStore
from overproof.errors import InputError
from overproof.events.schema import event_table
from overproof.jobs.held_out import chosen, families_of, folder_of, without

LABELS = ["benign"] * 300 + ["attack"] * 205
FAMILIES = [None] * 300 + ["sqli"] * 200 + ["ssti"] * 3 + ["xxe"] * 2
TRAIN = event_table({"text": [f"{i}" for i in range(505)], "label": LABELS, "family": FAMILIES})
KEPT = EvidenceStore(Path("evidence"), ("attack", "benign"), TRAIN, TRAIN.slice(0, 0), {}, b"", {"seed": 0})
MET = event_table({"text": ["a", "b", "c"], "label": ["attack", "attack", "benign"], "family": ["sqli", "ssti", None]})


def test_all_rare_are_those_with_few_training_events_that_the_events_hold() -> None:
    assert chosen(["all-rare"], KEPT, MET, ["benign"]) == ["ssti"]  # xxe is as rare, and not met
    assert chosen(["sqli", "all-rare", "ssti"], KEPT, MET, ["benign"]) == ["sqli", "ssti"]
    assert chosen([], KEPT, MET, ["benign"]) == []


@pytest.mark.parametrize(
    ("family", "where"), [("xxe", "EVENTS"), ("benign", "training events"), ("novel", "training events")]
)
def test_a_family_that_cannot_be_held_out_is_told(family: str, where: str) -> None:
    with pytest.raises(InputError, match=f"--hold-out {family}: no such attacks in .*{where}.*all-rare or one of sqli"):
        chosen([family], KEPT, MET, ["benign"])


def test_what_is_left_is_everything_else_unlabelled_events_too() -> None:
    left = without(event_table({"text": ["a", "b", "c"], "label": ["x", None, "y"]}), "x")
    assert left["text"].to_pylist() == ["b", "c"]
    assert families_of(TRAIN)[299:301] == ["benign", "sqli"]


@pytest.mark.parametrize("family", ["../../etc", "..", ".", "", "a/b", "a\x00b", "sqli"])
def test_a_familys_name_leads_nowhere_else(family: str) -> None:
    place = folder_of(KEPT, family)
    assert place.parent == Path("evidence") / "held-out"
    assert place.name not in ("", ".", "..") and "\x00" not in place.name
