"""The edits that check 4 decides by: the red team's where an oracle proves them, harmless ones of other events."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest

from overproof.checks.base import CheckContext, Sample, Variant
from overproof.checks.boundary.edits import variants_of
from overproof.checks.gates import gates_with
from overproof.jobs.check_edits import DRAWS, boundary_edits
from overproof.redteam.oracle import ORACLES

SQL, PATH, BENIGN, WORDS, UNKNOWN = "1' or 1=1 -- a", "../../../etc/passwd", "blue summer shoes", "or or", "whatever"
EVENTS = ((SQL, "sqli"), (PATH, "path-traversal"), (BENIGN, "benign"), (WORDS, "sqli"), (UNKNOWN, "odd"))
ROWS = range(len(EVENTS))
WINDOW = 60


def context(seed: int = 0, events: Sequence[tuple[str, str]] = EVENTS) -> CheckContext:
    """Events of domains with an oracle and without, and nothing that any model says of them."""
    texts, labels = [text for text, _ in events], [label for _, label in events]
    nothing: list[str | None] = [None] * len(texts)
    sample = Sample(texts, texts, labels, nothing, nothing, nothing)
    return CheckContext(sample, tuple(sorted(set(labels))), ("benign",), {}, gates_with(0.005), 0.005, seed=seed)


def of(row: int, variants: Sequence[Variant]) -> list[Variant]:
    return [variant for variant in variants if variant.row == row]


def test_what_is_edited_as_the_red_team_does_is_proved() -> None:
    variants = boundary_edits(context(), ROWS, WINDOW)
    for row, domain in enumerate(("sql", "path", "plain")):
        some = of(row, variants)
        assert 1 < len(some) <= DRAWS and {(variant.kind, variant.proved) for variant in some} == {(domain, True)}
        assert len({variant.text for variant in some} | {EVENTS[row][0]}) == len(some) + 1
        proofs = ORACLES[domain]([(EVENTS[row][0], variant.text) for variant in some])
        assert {proof.meaning for proof in proofs} == {"proved"}


def test_an_event_of_which_nothing_is_proved_is_edited_harmlessly() -> None:
    variants, texts = boundary_edits(context(), ROWS, WINDOW), [text for text, _ in EVENTS]
    harmless = variants_of(texts, [3, 4], window_characters=WINDOW, filler=BENIGN)
    assert of(3, variants) + of(4, variants) == list(harmless) and not any(one.proved for one in harmless)


def test_what_an_oracle_refutes_is_no_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    def disarmed(text: str, random: Random) -> str:
        return f"nothing {random.random()}"

    monkeypatch.setattr("overproof.jobs.check_edits.MUTATORS", {"sql": {"disarm": disarmed}})
    found = boundary_edits(context(events=EVENTS[:1]), [0], WINDOW)
    assert found and not any(variant.proved for variant in found)
    assert not any(variant.text.startswith("nothing") for variant in found)


def test_what_is_drawn_hangs_on_the_seed_and_the_event_alone() -> None:
    variants = boundary_edits(context(), ROWS, WINDOW)
    assert boundary_edits(context(), ROWS, WINDOW) == variants
    assert of(1, boundary_edits(context(), [1, 3], WINDOW)) == of(1, variants)
    assert of(1, boundary_edits(context(seed=1), ROWS, WINDOW)) != of(1, variants)


def test_without_labels_and_shape_nothing_is_known_of_an_event() -> None:
    silent = context()
    bare = Sample(silent.sample.texts, silent.sample.texts, *([None] * len(EVENTS) for _ in range(4)))
    unlabelled = CheckContext(bare, silent.classes, silent.benign, {}, silent.gates, 0.005)
    assert not np.any(unlabelled.labelled)
    assert not any(variant.proved for variant in boundary_edits(unlabelled, ROWS, WINDOW))
