"""The bill of materials: valid by the official schema, the same for the same bundle, and nothing invented."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from typer.testing import CliRunner

from overproof.bundle.manifest import Bundle, digest, open_bundle, seal, write_bundle
from overproof.cli import app
from overproof.results.comparison import Comparison, Row
from overproof.results.metrics import Metrics, Share
from overproof.results.ml_bom import ml_bom, write_ml_bom
from overproof.results.operating_points import (
    Counted,
    Difference,
    OperatingPoint,
    OperatingPoints,
    PairedDifference,
    RatePoints,
)

SCHEMA = JsonStrictValidator(SchemaVersion.V1_6)


def require_valid(bom: Any) -> None:
    assert SCHEMA.validate_str(bom if isinstance(bom, str) else json.dumps(bom)) is None


def components(bom: Any) -> Iterator[dict[str, Any]]:
    """All components, at any depth."""
    waiting = [bom["metadata"]["component"], *bom["components"]]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += [*one.get("components", []), *one.get("pedigree", {}).get("ancestors", [])]


def property_of(component: dict[str, Any], name: str) -> list[str]:
    return [one["value"] for one in component["properties"] if one["name"] == f"overproof:{name}"]


@pytest.fixture
def old(root: Path) -> Bundle:
    """A bundle that version 0.1.0 compressed, with all that compress stores."""
    return open_bundle(root / "tests" / "compat" / "format1" / "bundle")


@pytest.mark.parametrize("name", ["old", "small", "tiered"])
def test_it_is_valid_and_its_references_are_there(
    name: str, old: Bundle, small_bundle: Path, tiered_bundle: Path
) -> None:
    bundle = {
        "old": lambda: old,
        "small": lambda: open_bundle(small_bundle),
        "tiered": lambda: open_bundle(tiered_bundle),
    }
    bom = ml_bom(bundle[name]())
    require_valid(bom)
    refs = [one["bom-ref"] for one in components(bom)]
    assert len(set(refs)) == len(refs)
    named = [
        one["ref"]
        for c in components(bom)
        for one in c.get("modelCard", {}).get("modelParameters", {}).get("datasets", [])
    ]
    named += [ref for entry in bom["dependencies"] for ref in (entry["ref"], *entry["dependsOn"])]
    assert set(named) <= set(refs)


def test_the_schema_is_one_that_refuses() -> None:
    bom = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"type": "student", "name": "x"}]}
    assert SCHEMA.validate_str(json.dumps(bom)) is not None


def test_every_file_is_there_with_its_hash(old: Bundle) -> None:
    bom = ml_bom(old)
    found = {one["name"]: one["hashes"] for one in components(bom) if one["type"] == "file"}
    assert found == {
        name: [{"alg": "SHA-256", "content": entry["sha256"]}] for name, entry in old.manifest.files.items()
    }


def test_teacher_data_and_libraries_are_those_of_the_manifest(old: Bundle) -> None:
    bom, manifest = ml_bom(old), old.manifest
    root = bom["metadata"]["component"]
    assert (root["type"], root["name"], root["version"]) == ("machine-learning-model", "fixture", seal(manifest))
    (teacher,) = root["pedigree"]["ancestors"]
    assert (teacher["name"], property_of(teacher, "parameters")) == ("teacher", ["109891"])
    data = {one["name"]: one["hashes"][0]["content"] for one in bom["components"] if one["type"] == "data"}
    assert data == manifest.data["sha256"]
    made = {one["name"]: one["version"] for one in bom["components"] if one["type"] in ("library", "platform")}
    assert made == manifest.versions
    assert "licenses" not in json.dumps(bom), "the manifest knows none"
    assert any("simulated" in line for line in root["modelCard"]["considerations"]["technicalLimitations"])


def test_the_same_bundle_gives_the_same_bytes_wherever_it_lies(old: Bundle, tmp_path: Path) -> None:
    moved = open_bundle(shutil.copytree(old.path, tmp_path / "elsewhere"))
    write_ml_bom(old, tmp_path / "one.json")
    write_ml_bom(moved, tmp_path / "two.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    other = Bundle(old.path, replace(old.manifest, seed=old.manifest.seed + 1), old.files)
    assert ml_bom(other)["serialNumber"] != ml_bom(old)["serialNumber"]
    assert "timestamp" not in ml_bom(old)["metadata"]


def with_comparison(bundle: Bundle, comparison: Comparison) -> Bundle:
    content = json.dumps(comparison.to_json()).encode()
    listed = {**bundle.manifest.files, "comparison.json": digest(content)}
    return Bundle(bundle.path, replace(bundle.manifest, files=listed), {**bundle.files, "comparison.json": content})


def test_figures_are_those_that_were_measured_with_their_intervals(small_bundle: Path) -> None:
    measured = Metrics(
        n=200,
        correct=Share(190, 200),
        macro_f1=None,
        macro_f1_all=None,
        families={"sqli": Share(9, 10)},
        missed=Share(3, 100),
        flagged=Share(1, 100),
        agreed=Share(0, 0),
        min_support=15,
    )
    point = OperatingPoint(0.7, Counted(1, 100, 50, 0.001, 0.06), Counted(4, 100, 90, 0.01, 0.1), {})
    paired = PairedDifference(100, 90, 3, 1, 0.02, -0.01, 0.05)
    at = RatePoints(0.005, {"distilled + INT8": point}, {"full": Difference(Share(1, 100), Share(1, 100), paired, {})})
    row = Row("distilled + INT8", 1, 2, None, None, None, measured)
    bundle = with_comparison(open_bundle(small_bundle), Comparison((row,), 200, OperatingPoints((at,))))
    bom = ml_bom(bundle)
    require_valid(bom)
    found = bom["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    by_name = {one["type"]: one for one in found}
    assert by_name["accuracy"] == {"type": "accuracy", "value": "0.95", "slice": "200 test events"}
    assert by_name["events with their true label"]["slice"] == "family sqli, 10 test events"
    assert "macro F1" not in by_name and "agreement with the full model" not in by_name, "not measured"
    missed = by_name["attacks missed at a false-positive rate of 0.005"]
    assert missed["value"] == "0.04"
    assert missed["confidenceInterval"] == {"lowerBound": "0.01", "upperBound": "0.1"}
    more = by_name["more attacks missed than by full at a false-positive rate of 0.005"]
    assert (more["value"], more["confidenceInterval"]["lowerBound"]) == ("0.02", "-0.01")
    assert [one for one in found if "confidenceInterval" in one and "rate of" not in one["type"]] == []


def test_what_was_not_measured_is_left_out(small_bundle: Path) -> None:
    card = ml_bom(open_bundle(small_bundle))["metadata"]["component"]["modelCard"]
    assert "quantitativeAnalysis" not in card


@pytest.mark.parametrize(
    "changes",
    [
        {"teacher": {"kind": 7, "name": ["x"]}, "versions": {"numpy": None, "a b": {}}},
        {"teacher": {"name": "\0", "bytes": []}, "data": {"sha256": {"train": "short"}, "rows": [1]}},
        {"data": {"sha256": [1], "unlabelled": "many"}, "network": {"preset": {"a": []}}},
        {"parity": ({"step": [], "flips": {"x": [None]}}, {}), "thresholds": {"0.01": 0.5}},
        {"benign": ("\x1b[31m",), "classes": ("\x1b[31m", "é"), "precision": "\u202e"},
    ],
)
def test_a_sealed_bundle_may_say_anything(small_bundle: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    sound = open_bundle(small_bundle)
    write_bundle(tmp_path / "b", replace(sound.manifest, **changes), sound.files)
    write_ml_bom(open_bundle(tmp_path / "b"), tmp_path / "bom.json")
    require_valid((tmp_path / "bom.json").read_text())


def test_inspect_writes_it(old: Bundle, tmp_path: Path) -> None:
    def run(*words: object) -> Any:
        return CliRunner().invoke(app, ["inspect", str(old.path), *map(str, words)])

    out = tmp_path / "bundle.cdx.json"
    done = run("--bom", out, "--json")
    assert done.exit_code == 0 and json.loads(done.stdout)["signature"] is None
    require_valid(out.read_text())
    assert json.loads(out.read_text()) == ml_bom(old)
    done = run("--bom", out, "--layers")
    assert done.exit_code == 2 and "expected them without --layer" in done.stderr
    done = run("--bom", tmp_path / "unsigned.json", "--verify-key", "nowhere.pub")
    assert done.exit_code == 2 and not (tmp_path / "unsigned.json").exists()
