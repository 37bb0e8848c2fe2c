"""What a person sees of a layer: text, picture and JSON, and the errors on the way there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from overproof.bundle.manifest import QUANTIZATION, Manifest, digest, write_bundle
from overproof.bundle.tokenizer import Windowing
from overproof.cli import app
from overproof.errors import BundleError, InputError
from overproof.quantization.affine import Scheme, cost, fit, quantize
from overproof.report.layout import within
from overproof.results.layers import Activations, LayerDiagnostics, LayerReport, Seen, Weights, look_at
from overproof.results.layers.histogram import COLUMNS, ROWS
from overproof.results.layers.svg import draw

HOSTILE = "head</text><script>alert(1)</script>&\x1b[2J\n\ud800"


def layer(name: str = "head.weight", scheme: Scheme | None = None) -> LayerReport:
    """A Laplace layer, most of whose benign input is zero, and whose attacks saturate."""
    scheme = scheme or Scheme(8, symmetric=True, signed=True, reduced=True)
    x = np.random.default_rng(0).laplace(size=(64, 32)).astype(np.float32)
    grid = fit(x, scheme)
    counts = np.bincount(quantize(x, grid).ravel().astype(int) - grid.qmin, minlength=grid.qmax - grid.qmin + 1)
    paid = cost(x, grid, bits=scheme.bits)
    low, high, scale, zero = (np.asarray(v).item() for v in (grid.low, grid.high, grid.scale, grid.zero_point))
    weights = Weights(
        str(scheme), scheme.bits, "tensor", 1, (scale, scale), (zero, zero), (low, high), grid.qmin, grid.qmax,
        tuple(counts.tolist()), paid,
    )  # fmt: skip
    benign, loud = [0] * 256, [7] * 256
    benign[100] = 1000
    seen = {"benign": Seen(tuple(benign), 0, 0), "attack": Seen(tuple(loud), 3, 205)}
    entry = Activations("final_norm", "U8 asymmetric", 0.02, 100, (-2.0, 3.1), 0, 255, seen)
    return LayerReport(name, "linear", "Gemm", (64, 32), weights, entry, paid.bytes_before, paid.bytes_after)


def float_layer() -> LayerReport:
    return LayerReport("kept", "linear", "MatMul", (4, 4), None, None, 64, 64)


def report(*layers: LayerReport) -> LayerDiagnostics:
    return LayerDiagnostics(layers or (layer(), float_layer()), 20_000, 9_000, {"benign": 10, "attack": 4})


def bundle(path: Path, **more: bytes) -> Path:
    files = {"model.onnx": b"not parsed", "tokenizer.json": b"{}"}
    files |= {name.replace("_", "."): content for name, content in more.items()}
    manifest = Manifest(
        1, "9.9", ("benign", "sqli"), ("benign",), Windowing(), "none", {}, 2.0, 0.5, 0, "fp32", {}, {}, {}, (), {},
        {name: digest(content) for name, content in files.items()},
    )  # fmt: skip
    write_bundle(path, manifest, files)
    return path


@pytest.fixture
def described(tmp_path: Path) -> Path:
    return bundle(tmp_path / "b", quantization_json=json.dumps(report().to_json()).encode())


def run(*words: object) -> Any:
    return CliRunner().invoke(app, ["inspect", *map(str, words)])


def test_json_and_back() -> None:
    assert LayerDiagnostics.from_json(json.loads(json.dumps(report().to_json()))) == report()


def test_the_table_is_aligned_and_adds_up() -> None:
    with within(1000):
        head, rule, first, second, rest, whole, *_ = report().render().splitlines()
    assert len({len(line.rstrip()) for line in (head, rule)}) == 1
    assert first.split()[:2] == ["head.weight", "linear"]
    assert first.endswith("0.00%  10.40%"), "208 of 2,000 values that attacks put in"
    sizes = [[int(n.replace(",", "")) for n in re.findall(r"\d[\d,]{2,}", line)] for line in (rest, whole)]
    assert sizes == [[20_000 - 8_192 - 64, 9_000 - 2_048 - 5 - 64], [20_000, 9_000]]
    assert "float32" in second and "dB" in head


@pytest.mark.parametrize("scheme", [Scheme(), Scheme(4, signed=True), Scheme(2, symmetric=True)], ids=str)
def test_the_histogram_is_marked_and_fits(scheme: Scheme) -> None:
    shown = layer(scheme=scheme)
    text = shown.render()
    weights = shown.weights
    assert weights is not None
    assert f"scale {weights.scale[0]:.4g}, zero point {weights.zero_point[0]}, range {weights.range[0]:.4g}" in text
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("weights on"))
    chart, axis, mark = lines[start + 1 : start + 1 + ROWS], lines[start + 1 + ROWS], lines[start + 2 + ROWS]
    left = axis.index("+") + 1
    width = len(axis) - left
    assert all(line.index("|") == left - 1 and len(line) <= left + width for line in chart)
    assert width <= COLUMNS
    levels = len(weights.counts)
    assert (mark.index("^") - left) / width == pytest.approx(
        (weights.zero_point[0] - weights.qmin + 0.5) / levels, abs=0.04
    )
    top = max(range(width), key=lambda i: sum(line.ljust(left + width)[left + i] != " " for line in chart))
    assert abs(top - (mark.index("^") - left)) <= max(2, width / levels / 2), (
        "a Laplace distribution is highest at zero"
    )


def test_small_weights_stand_out_and_saturation_is_kept_apart() -> None:
    text = layer().render()
    assert re.search(r"0 \.\.\. 0\.5 .* 100\.00%  █{20}\n", text)
    assert re.search(r"benign +1,000 +0 +0 +0\.00%", text)
    assert re.search(r"attack +2,000 +3 +205 +10\.40%", text)


def parsed(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)


def found(root: ElementTree.Element, tag: str, style: str) -> list[ElementTree.Element]:
    return [e for e in root.iter(f"{{http://www.w3.org/2000/svg}}{tag}") if e.get("class") == style]


def test_the_picture_has_a_bar_for_every_integer_in_use_and_marks() -> None:
    shown = layer()
    assert shown.weights is not None
    root = parsed(draw(shown))
    bands = [band for band in shown.weights.cost.bands if band.mean_relative is not None]
    used = sum(count > 0 for count in shown.weights.counts)
    assert len(found(root, "rect", "weight")) == used + len(bands) - 1
    assert len(found(root, "rect", "lost")) == 1
    assert len(found(root, "rect", "attack bar")) == 3, "legend, below, above"
    assert len(found(root, "rect", "benign bar")) == 1, "nothing of theirs is clipped"
    assert len(found(root, "line", "zero")) == 2
    words = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    for word in ("zero point 0", "zero point 100", "-64", "64", "0", "255", "-2", "3.1"):
        assert word in words
    height = float(root.get("height", "0"))
    for bar in root.iter("{http://www.w3.org/2000/svg}rect"):
        x, y, w, h = (float(bar.get(name, "nan")) for name in ("x", "y", "width", "height"))
        assert min(x, y) >= 0 and min(w, h) > 0 and x + w <= 880 and y + h <= height


def test_the_picture_is_accessible_and_stands_alone() -> None:
    picture = draw(layer())
    root = parsed(picture)
    assert root.get("role") == "img"
    described = {e.get("id"): e.text for e in root if e.get("id") in root.get("aria-labelledby", "").split()}
    assert described["title"] == "head.weight"
    assert "attack events: 10.40% saturated" in (described["desc"] or "")
    assert "prefers-color-scheme: dark" in picture
    assert re.findall(r"(?:https?:|url\(|href)[^\"]*", picture) == ["http://www.w3.org/2000/svg"]


def test_a_hostile_name_stays_text() -> None:
    shown = layer(HOSTILE)
    root = parsed(draw(shown))
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
    assert "\x1b" not in shown.render() and "\x1b" not in report(shown).render()
    assert shown.render().splitlines()[0].startswith("head</text>")
    with within(1000):
        table = report(shown).render().splitlines()
    assert table[2].count("\\n\\ud800") == 1, "one line of the table"


def test_float_layers_have_a_picture_too() -> None:
    assert "stayed float32" in draw(float_layer())
    parsed(draw(float_layer()))


def test_inspect_shows_layers_and_draws_one(described: Path, tmp_path: Path) -> None:
    assert run(described, "--layers").stdout == report().render() + "\n"
    assert json.loads(run(described, "--layers", "--json").stdout) == json.loads(json.dumps(report().to_json()))
    one = run(described, "--layer", "head.weight", "--svg", tmp_path / "head.svg")
    assert one.stdout == layer().render() + "\n"
    assert (tmp_path / "head.svg").read_text() == draw(layer())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "head.svg"]
    assert json.loads(run(described, "--layer", "kept", "--json").stdout)["weights"] is None


def test_mistakes_are_one_line_that_helps(described: Path, tmp_path: Path) -> None:
    unknown = run(described, "--layer", "hed.weight")
    assert (unknown.exit_code, unknown.stdout) == (2, "")
    assert unknown.stderr == "error: no layer 'hed.weight'; the layers are head.weight, kept\n"
    without = run(described, "--svg", tmp_path / "x.svg")
    assert without.exit_code == 2 and "name it: --layer, of head.weight, kept" in without.stderr
    with pytest.raises(InputError):
        look_at(described, "nothing")


def test_a_bundle_that_does_not_tell_is_named_with_the_version_that_does(tmp_path: Path) -> None:
    plain = run(bundle(tmp_path / "plain"), "--layers")
    assert plain.exit_code == 2
    assert QUANTIZATION in plain.stderr and "since version" in plain.stderr and "version 9.9" in plain.stderr
    for content in (b"{}", b"[]", b"no", b'{"layers": 3}'):
        with pytest.raises(BundleError, match=r"written by version 9\.9"):
            LayerDiagnostics.of_bundle(bundle(tmp_path / "other", quantization_json=content))
