"""Calibration, sensitivity and the search on a network with one layer that rounding destroys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from overproof.bundle.runtime import session
from overproof.errors import InputError
from overproof.events.sources import Rejects
from overproof.quantization.affine import OBSERVERS, Scheme
from overproof.quantization.calibrate import KEPT, observe
from overproof.quantization.calibrated_model import calibrate, divided
from overproof.quantization.evaluation import EvaluationSet
from overproof.quantization.guards import Guards
from overproof.quantization.onnx_inputs import with_outputs
from overproof.quantization.precision_search import Guarded, guarded
from overproof.quantization.quantizable_model import QuantizableModel, open_subject
from overproof.quantization.weight_grids import ACTIVATIONS

if TYPE_CHECKING:
    from .conftest import Flows

LAYERS = ["w1", "w2", "head", "rare", "vote"]


@pytest.fixture
def subject(flows: Flows, tmp_path: Path) -> QuantizableModel:
    return open_subject(flows.save(tmp_path))


@pytest.fixture
def events(subject: QuantizableModel, flows: Flows, tmp_path: Path) -> pa.Table:
    return subject.load([str(flows.npz(tmp_path))], None, Rejects())


def search(
    subject: QuantizableModel, events: pa.Table, guards: Guards, few: int = 300, every_layer: bool = True
) -> Guarded:
    calibration, held_back = divided(events, seed=0)
    bench = EvaluationSet(subject, held_back)
    return guarded(
        calibrate(subject, calibration),
        bench,
        bench.fewer(few),
        precision="w8a8",
        guards=guards,
        every_layer=every_layer,
    )


def test_the_network_is_what_the_tests_take_it_for(subject: QuantizableModel, events: pa.Table) -> None:
    logits = subject.logits(subject.model, subject.prepare(events))
    said = [subject.classes[i] for i in logits.argmax(1)]
    assert np.mean([a == b for a, b in zip(said, events["label"].to_pylist(), strict=True)]) > 0.99


def test_the_fragile_layer_is_the_worst_alone_and_left_out(subject: QuantizableModel, events: pa.Table) -> None:
    found = search(subject, events, Guards()).sensitivity
    assert [row.name for row in found] == LAYERS
    alone = {row.name: row.alone.families["ldap"].lost for row in found}
    left_out = {row.name: row.left_out.families["ldap"].lost for row in found}
    assert alone == {"w1": 0, "w2": 0, "head": 0, "rare": 1, "vote": 0}
    assert left_out == {"w1": 1, "w2": 1, "head": 1, "rare": 0, "vote": 1}
    assert max(found, key=lambda row: row.alone.kl).name == min(found, key=lambda row: row.left_out.kl).name == "rare"


def test_a_rare_family_keeps_its_layer_in_float_though_nothing_else_moves(
    subject: QuantizableModel, events: pa.Table
) -> None:
    loose = search(subject, events, Guards(max_flips=0.06))
    assert loose.passed and loose.path[0].found.families["ldap"].lost == 1
    found = search(subject, events, Guards(max_flips=0.06, max_recall_loss={"ldap": 0.0}))
    assert [step.kept for step in found.path] == [(), ("rare",)]
    assert found.passed and found.path[found.chosen].found.flips <= loose.path[0].found.flips
    assert sorted(found.precisions) == sorted(set(LAYERS) - {"rare"})
    stored = {w.name: w.data_type for w in found.model.graph.initializer}
    assert {name: stored[name] for name in LAYERS} == {name: 1 if name == "rare" else 3 for name in LAYERS}


def test_layers_are_measured_only_where_something_hangs_on_it(subject: QuantizableModel, events: pa.Table) -> None:
    assert search(subject, events, Guards(), every_layer=False).sensitivity == ()
    assert len(search(subject, events, Guards(max_kl=0.0), every_layer=False).sensitivity) == len(LAYERS)


def test_guards_that_cannot_hold_end_with_the_best(subject: QuantizableModel, events: pa.Table) -> None:
    found = search(subject, events, Guards(max_kl=1e-12))
    assert not found.passed
    assert len(found.path) == len(LAYERS)
    assert found.path[found.chosen].found.kl == min(step.found.kl for step in found.path)


def test_unknown_families_are_named_before_anything_is_measured(subject: QuantizableModel, events: pa.Table) -> None:
    with pytest.raises(InputError, match="families are ldap, sqli"):
        search(subject, events, Guards(max_recall_loss={"xxe": 0.1}))


def test_a_part_of_the_events_has_the_rare_ones_whole(subject: QuantizableModel, events: pa.Table) -> None:
    """Five hundred of ten thousand at random would hold one of twenty, and a guard on it would be blind."""
    bench = EvaluationSet(subject, events)
    few = bench.fewer(150)
    assert few.events.num_rows == 150
    assert {name: few.events["label"].to_pylist().count(name) for name in ("benign", "sqli", "ldap")} == {
        "benign": 55,
        "sqli": 55,
        "ldap": 40,
    }
    assert few.known.threshold == bench.known.threshold
    assert bench.fewer(10_000) is bench
    assert few.events.equals(bench.fewer(150).events)
    assert not few.events.equals(bench.fewer(150, seed=1).events)


def test_labels_that_are_harmless_under_another_name(subject: QuantizableModel, events: pa.Table) -> None:
    """`normal` is benign by default, though the model calls it `benign`: it is no family of attacks."""
    renamed = ["normal" if name == "benign" else name for name in events["label"].to_pylist()]
    other = events.drop_columns(["label", "family"]).append_column("label", pa.array(renamed))
    other = other.append_column("family", pa.array(renamed))
    assert EvaluationSet(subject, other).families == ["ldap", "sqli"]
    assert sum(EvaluationSet(subject, other).calm) == 800


def test_events_are_divided_once_and_wholly(events: pa.Table) -> None:
    numbered = events.append_column("n", pa.array(range(events.num_rows)))
    calibration, held_back = (part["n"].to_pylist() for part in divided(numbered, seed=3))
    assert sorted(calibration + held_back) == list(range(1200))
    assert len(calibration) == 600
    assert divided(numbered, seed=3)[0].equals(divided(numbered, seed=3)[0])
    assert divided(numbered.slice(0, 2), seed=0)[0].num_rows == 1
    many = pa.concat_tables([numbered] * 3)
    assert divided(many, seed=0)[0].num_rows == 1024


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_events_to_divide(count: int, events: pa.Table) -> None:
    with pytest.raises(InputError, match=f"{count} calibration events: expected at least two"):
        divided(events.slice(0, count), seed=0)


def test_nothing_to_calibrate_or_judge_on(subject: QuantizableModel, events: pa.Table) -> None:
    with pytest.raises(InputError, match=r"flows\.onnx: no calibration events"):
        calibrate(subject, events.slice(0, 0))
    with pytest.raises(InputError, match=r"flows\.onnx: no events to judge it on"):
        EvaluationSet(subject, events.slice(0, 0))


def test_an_unknown_observer_is_refused(subject: QuantizableModel, events: pa.Table) -> None:
    with pytest.raises(InputError, match="observer 'median': expected one of minmax, percentile, mse, entropy"):
        calibrate(subject, events, observer="median")


@pytest.mark.parametrize("observer", OBSERVERS)
def test_ranges_are_numpys_or_narrower(
    observer: str, subject: QuantizableModel, events: pa.Table, flows: Flows
) -> None:
    ranges = calibrate(subject, events, observer=observer).ranges
    assert sorted(ranges) == ["b", "d", "g", "x"]
    names = ["b", "d", "g"]
    values = session(with_outputs(subject.model, names).SerializeToString()).run(names, {"x": flows.x})
    for name, value in {**dict(zip(names, values, strict=True)), "x": flows.x}.items():
        low, high = ranges[name]
        if observer == "minmax":
            assert (low, high) == pytest.approx((value.min(), value.max()), rel=1e-6)
        else:
            assert value.min() <= low + 1e-6 and high - 1e-6 <= value.max()
    if observer == "percentile":
        assert ranges["b"][1] < values[0].max()


def test_an_observer_sees_all_batches_and_not_the_last_ones(subject: QuantizableModel) -> None:
    """Batches come sorted by length, so that the last are the longest texts."""
    feeds = [{"x": np.full((256, 16), level, np.float32)} for level in np.linspace(0, 1, 2 * KEPT // 4096)]
    seen: list[np.ndarray] = []

    def spy(rows: np.ndarray, scheme: Scheme) -> tuple[np.ndarray, np.ndarray]:
        seen.append(rows)
        return rows.min(axis=1), rows.max(axis=1)

    observe(subject.model, ["x"], feeds, scheme=ACTIVATIONS, observer=spy)
    assert seen[0].shape == (1, KEPT)
    assert seen[0].mean() == pytest.approx(0.5, abs=0.01)


def test_an_activation_that_is_no_number_is_named(subject: QuantizableModel, flows: Flows) -> None:
    huge = np.full((2, 16), 3e38, np.float32)
    with pytest.raises(InputError, match="the activation b holds inf or NaN"):
        observe(subject.model, ["b"], [{"x": huge}], scheme=ACTIVATIONS)


def test_rewritten_weights_are_fitted_once(subject: QuantizableModel, events: pa.Table) -> None:
    calibrated = calibrate(subject, events)
    one, two = (calibrated.at({"w1": "w8a8", "w2": "w4a8"}).SerializeToString() for _ in range(2))
    assert one == two
    assert calibrated.at({}).ByteSize() == pytest.approx(subject.model.ByteSize(), rel=0.05)
