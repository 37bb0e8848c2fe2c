"""What the models are asked, and how the full model is compared with the teacher."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overproof.bundle.manifest import Bundle, open_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.checks.base import FULL, QUANTIZED
from overproof.events.schema import event_table
from overproof.jobs.config import RunOptions
from overproof.jobs.model_outputs import ASKED_AGAIN, ModelQueries, ask_again, open_models, query_all, same_teacher

from .stand_ins import StandIn

CLASSES = ("benign", "sqli", "xss")


def thirds(texts: Any) -> Any:
    return np.tile(np.array([[0.5, 0.25, 0.25]], dtype=np.float32), (len(texts), 1))


@dataclass
class Store:
    """As much of an evidence store as is needed here."""

    validation: Any = field(default_factory=lambda: event_table({"text": [f"e{i}" for i in range(700)]}))
    scores: Any = field(default_factory=lambda: {FULL: np.zeros((700, 3), dtype=np.float32)})


def queries(full: Any) -> ModelQueries:
    return ModelQueries({}, lambda events, what: pytest.fail("not asked"), full=full)


def test_the_full_model_is_asked_again_about_some_validation_events() -> None:
    full, store = StandIn(CLASSES, thirds), Store()
    found = ask_again(queries(full), store, CLASSES, 3)  # type: ignore[arg-type]
    assert found is not None and len(set(found.rows.tolist())) == ASKED_AGAIN == full.asked[-1]
    assert np.allclose(np.exp(found.logits), thirds(found.rows))
    again = ask_again(queries(full), store, CLASSES, 3)  # type: ignore[arg-type]
    assert again is not None and np.array_equal(again.rows, found.rows) and len(full.asked) == 2
    other = ask_again(queries(full), store, CLASSES, 4)  # type: ignore[arg-type]
    assert other is not None and not np.array_equal(other.rows, found.rows)


def test_where_nothing_can_be_asked_or_compared() -> None:
    full = StandIn(CLASSES, thirds)
    fixed = replace(full, labels_new_events=False)
    for asked, store in ((None, Store()), (full, None), (fixed, Store()), (full, Store(scores={}))):
        assert ask_again(queries(asked), store, CLASSES, 0) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("teacher", "fingerprint", "same"),
    [
        ({"kind": "own", "fingerprint": "a"}, "a", True),
        ({"kind": "own", "fingerprint": "a"}, "b", False),
        ({"kind": "own", "fingerprint": "a"}, None, None),
        ({"kind": "service", "fingerprint": None}, "a", None),
        ({}, "a", None),
        ({"kind": "soft labels", "fingerprint": "a"}, "a", None),
        ({"kind": "own", "fingerprint": "a:b"}, "c", None),
    ],
)
def test_the_teachers_fingerprint(
    small_bundle: Path, teacher: dict[str, Any], fingerprint: str | None, same: bool | None
) -> None:
    manifest = replace(open_bundle(small_bundle).manifest, teacher=teacher)
    assert same_teacher(StandIn(CLASSES, thirds, fingerprint), manifest) is same
    assert same_teacher(None, manifest) is None


def test_the_student_tells_all_that_the_cascade_decides_by(small_bundle: Path, student: OnnxScorer) -> None:
    bundle = open_bundle(small_bundle)
    events = event_table({"text": ["select", "a" * 700, "id=1"], "label": ["sqli", "benign", None]})
    found = _outputs(bundle, events)
    scores = student.score(events["text"].to_pylist())
    assert np.array_equal(found.ood_distance, scores.ood_distance) and found.overflow.tolist() == [False, True, False]
    assert np.array_equal(found.logits, scores.logits)
    assert found.temperature == bundle.manifest.calibration == 1.5


def test_no_events(small_bundle: Path) -> None:
    found = _outputs(open_bundle(small_bundle), event_table({"text": []}))
    assert len(found.logits) == len(found.ood_distance) == len(found.overflow) == 0


def test_what_a_source_cut_is_passed_on_in_a_check_as_it_is_in_triage(small_bundle: Path) -> None:
    events = event_table({"text": ["a", "b"], "overflow": [True, None]})
    found = _outputs(open_bundle(small_bundle), events)
    assert found.overflow.tolist() == [True, False]
    bare = _outputs(open_bundle(small_bundle), events.drop_columns(["overflow"]))
    assert bare.overflow.tolist() == [False, False]


def _outputs(bundle: Bundle, events: Any) -> Any:
    return query_all(open_models(bundle, None, None, events, RunOptions()), events, None, bundle)[QUANTIZED]


def test_the_student_is_measured_at_the_temperature_that_it_is_deployed_with(small_bundle: Path) -> None:
    bundle = open_bundle(small_bundle)
    random = np.random.default_rng(0)
    validation = event_table({"text": ["a"] * 90, "label": ["benign", "sqli", "xss"] * 30})
    store: Any = Store(validation, {QUANTIZED: random.normal(0, 5, (90, 3)).astype(np.float32)})
    found = query_all(open_models(bundle, None, None, validation, RunOptions()), validation, store, bundle)[QUANTIZED]
    assert found.temperature == 1.5
    older = replace(bundle, manifest=replace(bundle.manifest, calibration=None))
    found = query_all(open_models(older, None, None, validation, RunOptions()), validation, store, older)[QUANTIZED]
    assert found.temperature not in (None, 1.5), "an older bundle has none of its own"
