"""Check that a stored result with any entry exchanged is refused by name, or can be shown and drawn."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from overproof.bundle.manifest import COMPARISON, LADDER, QUANTIZATION, QUANTIZING
from overproof.errors import BundleError
from overproof.report.not_measured import NotMeasured
from overproof.results import Comparison, Metrics, Row, Share
from overproof.results.divergence import Detected, Divergence
from overproof.results.ladder import Ladder, Missed, Rung
from overproof.results.layers import Activations, LayerDiagnostics, LayerReport, Seen, Weights
from overproof.results.layers.svg import draw as draw_layer
from overproof.results.operating_points import (
    Counted,
    Difference,
    OperatingPoint,
    OperatingPoints,
    PairedDifference,
    RatePoints,
)
from overproof.results.portability import PairSums, PortabilityReport, Variation
from overproof.results.precision_search import (
    HELD,
    UNMEASURED,
    Decision,
    Finding,
    Observed,
    PrecisionSearchReport,
    Sensitivity,
    Step,
)
from overproof.results.precision_search.svg import draw as draw_search
from overproof.results.rounding_cost import Band, Cost
from overproof.results.stored import read_back

HOSTILE = (None, True, -1, 0, 3, 2**70, -1.5, 1e308, -1e308, math.nan, "3", "\ud800", [], [[]], {}, {"x": 1})


@dataclass(frozen=True)
class Kind:
    """A file, the JSON that belongs into it, how it is read, and what is done with it then."""

    name: str
    data: dict[str, Any]
    read: Callable[[Any], Any]
    show: Callable[[Any], object]


def layers() -> LayerDiagnostics:
    bands = (Band(0.0, 0.5, 1, 0.1, 0.2, 1.0), Band(0.5, math.inf, 2, 0.1, 0.2, None))
    cost = Cost(3, 0.2, 0.1, 21.5, 0.25, 0.0, bands, 12, 7)
    weights = Weights("S8 symmetric", 8, "tensor", 1, (0.1, 0.1), (0, 0), (-0.1, 0.1), -1, 1, (1, 0, 2), cost)
    seen = {"benign": Seen((1, 2, 0), 0, 0), "attack": Seen((0, 2, 5), 1, 3)}
    inputs = Activations("hidden", "U8 asymmetric", 0.1, 1, (-0.1, 0.1), 0, 2, seen)
    quantized = LayerReport("head", "linear", "Gemm", (3, 1), weights, inputs, 12, 7)
    return LayerDiagnostics((quantized,), 40, 20, {"benign": 3, "attack": 7})


def search() -> PrecisionSearchReport:
    cost = Divergence(100, 1e-3, 2, 0.5, 0.4, {"sqli": Detected(10, 9, 8, 2)}, 30.0)
    steps = (Step(("head",), cost, (Observed("flips", 0.1, 0.02, 100), Observed("kl", 0.1, 1e-3))),)
    findings = (
        Finding("flips", 0.1, 0.02, HELD, 100, 90, 0.003, 0.06),
        Finding("kl", 0.1, 1e-3, UNMEASURED, 100, 90, 1e-4, 0.3, True, 10.0, 299, "needs 299 independent events"),
    )
    matrices = (PairSums("head", 3, 1, 40_000, 9, 3, 0),)
    return PrecisionSearchReport(
        model="m.onnx",
        out=Path("out"),
        precision="w8a8",
        bytes_before=40,
        bytes_after=20,
        calibrated=10,
        held_back=100,
        path=steps,
        chosen=0,
        sensitivity=(Sensitivity("head", "Gemm", 3, cost, cost),),
        all_quantized=cost,
        compared={"w4a8": cost},
        tested=cost,
        portability=PortabilityReport((Variation("threads", ("1", "2"), 10),), matrices),
        decision=Decision("test events", 3, cost, findings),
    )


def comparison() -> Comparison:
    share = Share(3, 4)
    metrics = Metrics(4, share, 0.5, 0.5, {"sqli": share}, share, share, share)
    point = OperatingPoint(0.5, Counted(1, 4, 3, 0.1, 0.6), NotMeasured("no attacks"), {"sqli": share})
    apart = PairedDifference(4, 3, 1, 0, 0.25, -0.2, 0.8)
    against = {"linear baseline": Difference(share, share, apart, {"sqli": apart}), "full": NotMeasured("none")}
    points = OperatingPoints((RatePoints(0.005, {"distilled + INT8": point, "full": NotMeasured("none")}, against),))
    return Comparison((Row("full", 10, 40, 0.5, 0.7, 1000.0, metrics, "a note"),), 4, points)


def ladder() -> Ladder:
    missed = Missed(
        0.005, Counted(1, 4, 3, 0.1, 0.6), NotMeasured("none"), PairedDifference(4, 3, 1, 0, 0.25, -0.2, 0.8)
    )
    rung = Rung("small-student", 10, 40, 0.5, 1000.0, (missed,), Share(1, 4), Share(0, 4), ("flips",), "taken")
    return Ladder("small-student", 8, 0.005, True, (rung,))


KINDS = {
    "ladder": Kind(LADDER, ladder().to_json(), Ladder.from_json, lambda found: found.render()),
    "layers": Kind(
        QUANTIZATION,
        layers().to_json(),
        LayerDiagnostics.from_json,
        lambda found: (found.render(), [(draw_layer(layer), layer.render()) for layer in found.layers]),
    ),
    "search": Kind(
        QUANTIZING,
        search().to_json(),
        PrecisionSearchReport.from_json,
        lambda found: (found.render(), found.render_search(), found.summary(), draw_search(found)),
    ),
    "comparison": Kind(
        COMPARISON, comparison().to_json(), Comparison.from_json, lambda found: (found.render(), found.to_markdown())
    ),
}


def exchanged(data: Any, value: object) -> Iterator[Any]:
    """Yield copies of JSON with one entry exchanged, each entry in turn."""
    yield value
    places = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for place, entry in places:
        for other in exchanged(entry, value):
            copy = data.copy()
            copy[place] = other
            yield copy


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_any_entry_is_refused_or_shown(kind: Kind, value: object, tmp_path: Path) -> None:
    for data in exchanged(kind.data, value):
        (tmp_path / kind.name).write_text(json.dumps(data))
        try:
            found = read_back(tmp_path, kind.name, kind.read)
        except BundleError as error:
            assert str(error).startswith(f"{tmp_path / kind.name}: written by another version, cannot be read")
        else:
            kind.show(found)
            found.to_json()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_was_written_is_read_back_the_same(kind: Kind, tmp_path: Path) -> None:
    (tmp_path / kind.name).write_text(json.dumps(kind.data))
    assert json.dumps(read_back(tmp_path, kind.name, kind.read).to_json()) == json.dumps(kind.data)


@pytest.mark.parametrize("content", [b"", b"\xff", b"[" * 100_000, b"1" * 5000, b'{"rows": NaN}'])
def test_what_is_no_json_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / COMPARISON).write_bytes(content)
    with pytest.raises(BundleError, match=f"{COMPARISON}: written by another version"):
        read_back(tmp_path, COMPARISON, Comparison.from_json)


def test_the_message_says_which_entry_is_wrong(tmp_path: Path) -> None:
    data = KINDS["layers"].data
    data = {**data, "layers": [{**data["layers"][0], "bytes_after": "7"}]}
    (tmp_path / QUANTIZATION).write_text(json.dumps(data))
    with pytest.raises(BundleError, match=r"layers\.0\.bytes_after: Input should be a valid integer"):
        LayerDiagnostics.of_bundle(tmp_path)
