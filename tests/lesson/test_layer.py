"""The user's own layer in the quantization steps: chosen by its SQNR, described by the bundle and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from overproof.bundle.manifest import QUANTIZATION, QUANTIZING
from overproof.errors import BundleError
from overproof.lesson import Lesson, page, walk
from overproof.lesson.layer import costliest
from overproof.quantization.rewrite import quantize_model
from overproof.results.formatting import percent
from overproof.results.layers.histogram import COLUMNS, ROWS

from .conftest import SEARCHED, described

if TYPE_CHECKING:
    from ..conftest import Made
    from .conftest import Bundled


@pytest.fixture(scope="module")
def lesson(bundled: Bundled) -> Lesson:
    return walk(bundled.path)


def own(lesson: Lesson, key: str) -> str:
    """What the terminal shows of one's own in a step, in one line."""
    section = next(section for section in lesson.sections if section.key == key)
    alone = replace(lesson, sections=(replace(section, blocks=()),))
    return " ".join(alone.render().split())


def test_the_linear_layer_with_the_lowest_sqnr_is_shown(bundled: Bundled, lesson: Lesson) -> None:
    quantized = {layer.name: layer.weights.cost.sqnr_db for layer in bundled.layers.layers if layer.weights}
    linear = {name: db for name, db in quantized.items() if not name.startswith("tokens.weight")}
    shown = lesson.user_data.layer
    assert shown is not None
    assert linear[shown.report.name] == min(linear.values())
    assert f"Of {len(linear)} quantized linear layers it has the lowest SQNR" in own(lesson, "range")
    assert shown.report.name.split()[0] in own(lesson, "range")


def test_an_embedding_is_shown_where_nothing_else_is_quantized(bundled: Bundled) -> None:
    first, *others = bundled.layers.layers
    floating = tuple(replace(layer, weights=None) for layer in others)
    found = costliest(replace(bundled.layers, layers=(first, *floating)))
    assert found is not None and found.report.kind == "embedding"
    assert found.why == "It is the only quantized embedding layer."
    assert costliest(replace(bundled.layers, layers=floating)) is None


def test_its_grid_errors_and_bytes_are_the_files(bundled: Bundled, lesson: Lesson) -> None:
    shown = lesson.user_data.layer
    assert shown is not None
    w, cost = shown.weights, shown.weights.cost
    shown_range = own(lesson, "range")
    for words in (
        f"scale {w.scale[0]:.4g} ... {w.scale[1]:.4g} zero point {w.zero_point[0]} error",
        f"range {w.range[0]:.4g} ... {w.range[1]:.4g} scale",
        f"grids {w.grids}, one for each channel",
        "clipped",
    ):
        assert words in shown_range
    assert f"{percent(cost.lost)} of the weights that are not 0 became 0" in own(lesson, "quantize")
    lines = shown.errors().splitlines()[2:]
    assert [int(line.split()[3].replace(",", "")) for line in lines] == [band.values for band in cost.bands]
    assert lines[0].count("█") == 20 > lines[-1].count("█"), "what is small is lost, what is large is not"
    layers = bundled.layers
    assert f"{cost.bytes_before:,} bytes become {cost.bytes_after:,}" in own(lesson, "memory")
    assert f"file: {layers.bytes_before:,} bytes become {layers.bytes_after:,}" in own(lesson, "memory")


@pytest.mark.parametrize("precision", ["w8a8", "w4a8", "w4a32"])
def test_every_precision_has_its_grid_drawn(made: Made, bundled: Bundled, precision: str) -> None:
    random = np.random.default_rng(0)
    feeds = [{"input_ids": random.integers(2, 290, (16, n))} for n in (4, 12, 32)]
    layers = described(made.fp32, quantize_model(made.fp32, feeds, precision=precision))
    lesson = walk(bundled.rewritten({QUANTIZATION: layers.to_json()}))
    shown = lesson.user_data.layer
    assert shown is not None
    assert shown.weights.bits == (8 if precision == "w8a8" else 4)
    assert ("input" in shown.grid()) == (precision != "w4a32")
    chart = shown.integers().splitlines()
    assert len(chart) == ROWS + 4 and chart[ROWS + 1].split()[0][0] == "^"
    assert chart[ROWS + 2].split() == [str(shown.weights.qmin), str(shown.weights.qmax)]
    assert chart[ROWS].count("-") <= COLUMNS
    for line in (*chart, *shown.errors().splitlines(), *shown.grid().splitlines()):
        assert line in lesson.render().splitlines()
    column = "a column for 2 integers" if precision == "w8a8" else "a column for each integer"
    assert column in own(lesson, "grid")
    json.dumps(lesson.to_json(), allow_nan=False)


def test_a_bundle_that_does_not_tell_shows_its_logits(bundled: Bundled) -> None:
    older = walk(bundled.rewritten({QUANTIZATION: None, QUANTIZING: None}))
    assert older.user_data.layer is None
    assert "its logits on those events" in own(older, "range") and "its logits on those events" in own(older, "memory")
    assert "steps of the grid" in own(older, "quantize")
    assert next(s for s in older.sections if s.key == "grid").own == ()
    assert "held-back" not in own(older, "combined") and "model's file" not in own(older, "memory")


def test_what_quantization_changed_is_written_in_a_line(bundled: Bundled, lesson: Lesson) -> None:
    assert (
        f"in float: {bundled.evil} (step 2 of 2 in the search): KL 2.50e-01 nats, 3 of 400 verdicts flip (0.75%)."
        in (own(lesson, "combined"))
    )
    trained = replace(SEARCHED, chosen=0, trained=True).to_json()
    line = own(walk(bundled.rewritten({QUANTIZING: trained})), "combined")
    assert "w8a8, everything quantized (step 1 of 2 in the search, after training with the rounding): KL" in line


@pytest.mark.parametrize("broken", [[], {}, {"path": [], "chosen": 0}, {**SEARCHED.to_json(), "chosen": "1"}])
def test_a_search_of_another_format_is_an_error(bundled: Bundled, broken: Any) -> None:
    with pytest.raises(BundleError, match=rf"{QUANTIZING}: written by version 0, cannot be read by this one \("):
        walk(bundled.rewritten({QUANTIZING: broken}))


def test_layers_of_another_format_are_an_error(bundled: Bundled) -> None:
    with pytest.raises(BundleError, match=f"{QUANTIZATION}: written by version"):
        walk(bundled.rewritten({QUANTIZATION: {"layers": [{}]}}))


def test_the_page_has_the_same_boxes(lesson: Lesson) -> None:
    text, shown = page.page(lesson), lesson.user_data.layer
    assert shown is not None
    for drawing in (shown.errors(), shown.integers()):
        assert f'<pre tabindex="0">{drawing}</pre>' in text
    assert text.count('class="own"') == len(lesson.sections) - 1
