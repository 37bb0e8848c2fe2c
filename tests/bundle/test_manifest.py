"""Written whole, opened only if nothing was changed, missing or added."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from overproof.bundle.manifest import FORMAT, MANIFEST, Manifest, _seal, digest, inspect, open_bundle, write_bundle
from overproof.bundle.tokenizer import Windowing
from overproof.errors import BundleError, InputError, TamperedBundle

FILES = {"model.onnx": b"not parsed here", "tokenizer.json": b"{}"}


def manifest(**changes: object) -> Manifest:
    values: dict[str, object] = {
        "format": FORMAT,
        "overproof": "0",
        "classes": ("benign", "sqli"),
        "benign": ("benign",),
        "windowing": Windowing(),
        "normalization": "none",
        "thresholds": {"0.01": 0.5, "0.0001": None},
        "temperature": 2.0,
        "hard_weight": 0.5,
        "seed": 0,
        "precision": "int8",
        "network": {"parameters": 1},
        "data": {},
        "teacher": {},
        "parity": (),
        "versions": {},
        "files": {name: digest(content) for name, content in FILES.items()},
        "config": {"job": "compress", "seed": 0},
    }
    return Manifest(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "b", manifest(), FILES)
    return tmp_path / "b"


def test_round_trip(bundle: Path) -> None:
    opened = open_bundle(bundle)
    assert opened.manifest == manifest()
    assert dict(opened.files) == FILES
    assert inspect(bundle)["bytes"] == sum(p.stat().st_size for p in bundle.iterdir())


def test_format_1_still_opens_and_holds_no_configuration() -> None:
    stored = {**manifest().to_json(), "format": 1}
    for name in ("config", "margin", "signals"):
        del stored[name]
    read = Manifest.from_json(stored, "manifest.json")
    assert (read.format, read.config, read.margin) == (1, None, None)


def test_format_2_is_refused_without_its_configuration() -> None:
    stored = manifest().to_json()
    del stored["config"]
    with pytest.raises(BundleError, match=r"^manifest\.json: no entry config$"):
        Manifest.from_json(stored, "manifest.json")


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", MANIFEST])
def test_a_changed_file_is_named(bundle: Path, name: str) -> None:
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(TamperedBundle, match=name):
        open_bundle(bundle)


def test_a_manifest_edited_by_hand_is_seen(bundle: Path) -> None:
    data = json.loads((bundle / MANIFEST).read_text())
    data["benign"] = ["benign", "sqli"]
    (bundle / MANIFEST).write_text(json.dumps(data))
    with pytest.raises(TamperedBundle, match=MANIFEST):
        open_bundle(bundle)


def test_missing_extra_and_linked_files_are_named(bundle: Path) -> None:
    (bundle / "extra.so").write_bytes(b"")
    with pytest.raises(TamperedBundle, match=r"extra\.so"):
        open_bundle(bundle)
    (bundle / "extra.so").unlink()
    model = (bundle / "model.onnx").read_bytes()
    (bundle / "model.onnx").unlink()
    with pytest.raises(TamperedBundle, match=r"model\.onnx: missing"):
        open_bundle(bundle)
    (bundle.parent / "elsewhere").write_bytes(model)
    (bundle / "model.onnx").symlink_to(bundle.parent / "elsewhere")
    with pytest.raises(TamperedBundle, match=r"model\.onnx"):
        open_bundle(bundle)


def test_other_folders_and_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such folder"):
        open_bundle(tmp_path / "nothing")
    with pytest.raises(BundleError, match=r"manifest\.json"):
        open_bundle(tmp_path)
    write_bundle(tmp_path / "b", manifest(format=99), FILES)
    with pytest.raises(BundleError, match="bundle format 99, this version reads 1, 2 and 3"):
        open_bundle(tmp_path / "b")


def test_a_bundle_is_replaced_and_anything_else_is_left_alone(bundle: Path, tmp_path: Path) -> None:
    write_bundle(bundle, manifest(seed=7), FILES)
    assert open_bundle(bundle).manifest.seed == 7
    assert [p.name for p in tmp_path.iterdir()] == ["b"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not a bundle"):
        write_bundle(tmp_path / "mine", manifest(), FILES)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_nothing_is_parsed_before_the_hashes_hold(bundle: Path) -> None:
    """The model here is no ONNX at all: opening must get through, and a flipped bit must be found first."""
    open_bundle(bundle)
    (bundle / "model.onnx").write_bytes(b"x")
    with pytest.raises(TamperedBundle, match="sha256"):
        open_bundle(bundle)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("entry", "value", "named"),
    [
        ("calibration", NAN, "calibration: nan"),
        ("calibration", INF, "calibration: inf"),
        ("calibration", 0.0, "calibration is 0.0"),
        ("calibration", -1.5, "calibration is -1.5"),
        ("calibration", "1.5", "calibration is '1.5'"),
        ("calibration", True, "calibration is True"),
        ("temperature", NAN, "temperature: nan"),
        ("temperature", 0, "temperature is 0"),
        ("temperature", 10**400, "temperature is 1000"),
        ("temperature", None, "temperature is None"),
        ("thresholds", {"0.01": NAN}, "thresholds.0.01: nan"),
        ("thresholds", {"0.01": -1.0}, "thresholds.0.01 is -1.0"),
        ("thresholds", {"0.01": 1.5}, "thresholds.0.01 is 1.5"),
        ("thresholds", [0.5], "thresholds"),
        ("signals", {"confidence": {"0.01": NAN}}, "signals.confidence.0.01: nan"),
        ("signals", {"confidence": {"0.01": -1.0}}, "signals.confidence.0.01 is -1.0"),
        ("signals", {"confidence": {"0.01": 1.01}}, "signals.confidence.0.01 is 1.01"),
        ("signals", {"confidence": {"nan": 0.5}}, "signals.confidence: share nan"),
        ("signals", {"confidence": {"few": 0.5}}, "signals.confidence: share few"),
        ("signals", {"ood_distance": {"0.01": -INF}}, "signals.ood_distance.0.01: -inf"),
        ("signals", {"novelty": {"0.01": -0.5}}, "signals.ood_distance.0.01 is -0.5"),
        ("signals", {"confidence": 0.5}, "signals.confidence"),
        ("network", {"layers": [{"scale": NAN}]}, "network.layers.0.scale: nan"),
    ],
)
def test_a_number_that_is_none_or_out_of_range_is_refused(entry: str, value: object, named: str) -> None:
    with pytest.raises(BundleError, match=rf"^manifest\.json: {named}.*expected"):
        Manifest.from_json({**manifest().to_json(), entry: value}, "manifest.json")


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_json_has_no_number_for_is_refused_although_it_is_sealed(bundle: Path, literal: str) -> None:
    data = json.loads((bundle / MANIFEST).read_text())
    del data["sha256"]
    data["calibration"] = float(literal.replace("Infinity", "inf"))
    sealed = json.dumps({**data, "sha256": _seal(data)})
    (bundle / MANIFEST).write_text(sealed.replace(": Infinity", f": {literal}") if literal == "1e999" else sealed)
    with pytest.raises(BundleError, match=r"manifest\.json: calibration: .*expected a finite number"):
        open_bundle(bundle)


def test_no_bundle_is_written_that_could_not_be_opened(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="calibration: nan"):
        write_bundle(tmp_path / "b", manifest(calibration=NAN), FILES)
    assert list(tmp_path.iterdir()) == []
