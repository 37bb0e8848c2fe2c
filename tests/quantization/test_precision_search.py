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
from overproof.quantization.calibrated_model import calibrate, split_calibration
from overproof.quantization.evaluation import EvaluationSet
from overproof.quantization.guards import Guards
from overproof.quantization.models import open_model
from overproof.quantization.models.interface import QuantizableModel
from overproof.quantization.onnx_inputs import with_outputs
from overproof.quantization.precision_search import PrecisionSearch, SearchResult, search_precisions

if TYPE_CHECKING:
    from .conftest import Flows

LAYERS = ["w1", "w2", "head", "rare", "vote"]


@pytest.fixture
def quantizable(flows: Flows, tmp_path: Path) -> QuantizableModel:
    return open_model(flows.save(tmp_path))


@pytest.fixture
def events(quantizable: QuantizableModel, flows: Flows, tmp_path: Path) -> pa.Table:
    return quantizable.load([str(flows.npz(tmp_path))], None, Rejects())


def search(
    quantizable: QuantizableModel, events: pa.Table, guards: Guards, few: int = 300, every_layer: bool = True
) -> SearchResult:
    calibration, held_back = split_calibration(events, seed=0)
    evaluation = EvaluationSet(quantizable, held_back)
    task = PrecisionSearch("w8a8", guards, evaluation, evaluation.subsample(few))
    return search_precisions(calibrate(quantizable, calibration), task, every_layer=every_layer)


def test_the_network_is_what_the_tests_take_it_for(quantizable: QuantizableModel, events: pa.Table) -> None:
    logits = quantizable.logits(quantizable.model, quantizable.prepare(events))
    labels = [quantizable.classes[i] for i in logits.argmax(1)]
    assert np.mean([a == b for a, b in zip(labels, events["label"].to_pylist(), strict=True)]) > 0.99


def test_the_fragile_layer_is_the_worst_alone_and_left_out(quantizable: QuantizableModel, events: pa.Table) -> None:
    found = search(quantizable, events, Guards()).sensitivity
    assert [row.name for row in found] == LAYERS
    alone = {row.name: row.alone.families["ldap"].recall_lost for row in found}
    left_out = {row.name: row.left_out.families["ldap"].recall_lost for row in found}
    assert alone == {"w1": 0, "w2": 0, "head": 0, "rare": 1, "vote": 0}
    assert left_out == {"w1": 1, "w2": 1, "head": 1, "rare": 0, "vote": 1}
    assert max(found, key=lambda row: row.alone.kl).name == min(found, key=lambda row: row.left_out.kl).name == "rare"


def test_a_rare_family_keeps_its_layer_in_float_though_nothing_else_moves(
    quantizable: QuantizableModel, events: pa.Table
) -> None:
    loose = search(quantizable, events, Guards(max_flips=0.06))
    assert not loose.excess and loose.path[0].found.families["ldap"].recall_lost == 1
    found = search(quantizable, events, Guards(max_flips=0.06, max_recall_loss={"ldap": 0.0}))
    assert [step.kept for step in found.path] == [(), ("rare",)]
    assert not found.excess and found.path[found.chosen].found.flips <= loose.path[0].found.flips
    assert sorted(found.precisions) == sorted(set(LAYERS) - {"rare"})
    stored = {w.name: w.data_type for w in found.model.graph.initializer}
    assert {name: stored[name] for name in LAYERS} == {name: 1 if name == "rare" else 3 for name in LAYERS}


def test_layers_are_measured_only_where_something_hangs_on_it(quantizable: QuantizableModel, events: pa.Table) -> None:
    assert search(quantizable, events, Guards(), every_layer=False).sensitivity == ()
    assert len(search(quantizable, events, Guards(max_kl=0.0), every_layer=False).sensitivity) == len(LAYERS)


def test_guards_that_cannot_hold_end_with_the_best(quantizable: QuantizableModel, events: pa.Table) -> None:
    found = search(quantizable, events, Guards(max_kl=1e-12))
    assert found.excess
    assert len(found.path) == len(LAYERS)
    assert found.path[found.chosen].found.kl == min(step.found.kl for step in found.path)


def test_a_part_of_the_events_has_the_rare_ones_whole(quantizable: QuantizableModel, events: pa.Table) -> None:
    """Five hundred of ten thousand at random would hold one of twenty, and a guard on it would be blind."""
    evaluation = EvaluationSet(quantizable, events)
    few = evaluation.subsample(150)
    assert few.events.num_rows == 150
    assert {name: few.events["label"].to_pylist().count(name) for name in ("benign", "sqli", "ldap")} == {
        "benign": 55,
        "sqli": 55,
        "ldap": 40,
    }
    assert few.truth.threshold == evaluation.truth.threshold
    assert evaluation.subsample(10_000) is evaluation
    assert few.events.equals(evaluation.subsample(150).events)
    assert not few.events.equals(evaluation.subsample(150, seed=1).events)


def test_labels_that_are_benign_under_another_name(quantizable: QuantizableModel, events: pa.Table) -> None:
    """`normal` is benign by default, though the model calls it `benign`: it is no family of attacks."""
    renamed = ["normal" if name == "benign" else name for name in events["label"].to_pylist()]
    other = events.drop_columns(["label", "family"]).append_column("label", pa.array(renamed))
    other = other.append_column("family", pa.array(renamed))
    assert EvaluationSet(quantizable, other).families == ["ldap", "sqli"]
    assert sum(EvaluationSet(quantizable, other).benign) == 800


def test_events_are_divided_once_and_wholly(events: pa.Table) -> None:
    numbered = events.append_column("n", pa.array(range(events.num_rows)))
    calibration, held_back = (part["n"].to_pylist() for part in split_calibration(numbered, seed=3))
    assert sorted(calibration + held_back) == list(range(1200))
    assert len(calibration) == 600
    assert split_calibration(numbered, seed=3)[0].equals(split_calibration(numbered, seed=3)[0])
    assert split_calibration(numbered.slice(0, 2), seed=0)[0].num_rows == 1
    many = pa.concat_tables([numbered] * 3)
    assert split_calibration(many, seed=0)[0].num_rows == 1024


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_events_to_divide(count: int, events: pa.Table) -> None:
    with pytest.raises(InputError, match=f"{count} calibration events: expected at least two"):
        split_calibration(events.slice(0, count), seed=0)


def test_nothing_to_calibrate_or_judge_on(quantizable: QuantizableModel, events: pa.Table) -> None:
    with pytest.raises(InputError, match=r"flows\.onnx: no calibration events"):
        calibrate(quantizable, events.slice(0, 0))
    with pytest.raises(InputError, match=r"flows\.onnx: no events to judge it on"):
        EvaluationSet(quantizable, events.slice(0, 0))


def test_an_unknown_observer_is_refused(quantizable: QuantizableModel, events: pa.Table) -> None:
    with pytest.raises(InputError, match="observer 'median': expected one of minmax, percentile, mse, entropy"):
        calibrate(quantizable, events, observer="median")


@pytest.mark.parametrize("observer", OBSERVERS)
def test_ranges_are_numpys_or_narrower(
    observer: str, quantizable: QuantizableModel, events: pa.Table, flows: Flows
) -> None:
    ranges = calibrate(quantizable, events, observer=observer).ranges
    assert sorted(ranges) == ["b", "d", "g", "x"]
    names = ["b", "d", "g"]
    values = session(with_outputs(quantizable.model, names).SerializeToString()).run(names, {"x": flows.x})
    for name, value in {**dict(zip(names, values, strict=True)), "x": flows.x}.items():
        low, high = ranges[name]
        if observer == "minmax":
            assert (low, high) == pytest.approx((value.min(), value.max()), rel=1e-6)
        else:
            assert value.min() <= low + 1e-6 and high - 1e-6 <= value.max()
    if observer == "percentile":
        assert ranges["b"][1] < values[0].max()


def test_an_observer_sees_all_batches_and_not_the_last_ones(quantizable: QuantizableModel) -> None:
    """Batches come sorted by length, so that the last are the longest texts."""
    onnx_inputs = [{"x": np.full((256, 16), level, np.float32)} for level in np.linspace(0, 1, 2 * KEPT // 4096)]
    seen: list[np.ndarray] = []

    def spy(rows: np.ndarray, scheme: Scheme) -> tuple[np.ndarray, np.ndarray]:
        seen.append(rows)
        return rows.min(axis=1), rows.max(axis=1)

    observe(quantizable.model, ["x"], onnx_inputs, observer=spy)
    assert seen[0].shape == (1, KEPT)
    assert seen[0].mean() == pytest.approx(0.5, abs=0.01)


def test_an_activation_that_is_no_number_is_named(quantizable: QuantizableModel, flows: Flows) -> None:
    huge = np.full((2, 16), 3e38, np.float32)
    with pytest.raises(InputError, match="the activation b holds inf or NaN"):
        observe(quantizable.model, ["b"], [{"x": huge}])


def test_rewritten_weights_are_fitted_once(quantizable: QuantizableModel, events: pa.Table) -> None:
    calibrated = calibrate(quantizable, events)
    one, two = (calibrated.at({"w1": "w8a8", "w2": "w4a8"}).SerializeToString() for _ in range(2))
    assert one == two
    assert calibrated.at({}).ByteSize() == pytest.approx(quantizable.model.ByteSize(), rel=0.05)
