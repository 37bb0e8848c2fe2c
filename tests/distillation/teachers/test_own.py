"""A bundle as a teacher: its fingerprint changes whenever its answers could."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from overproof.bundle.manifest import open_bundle, write_bundle
from overproof.bundle.tokenizer import Windowing
from overproof.distillation.teachers import load_teacher
from overproof.errors import BundleError


@pytest.mark.parametrize(
    "change", [{"classes": ("sqli", "benign", "xss")}, {"calibration": 9.0}, {"windowing": Windowing(16, 4, 1)}]
)
def test_the_fingerprint_covers_the_manifest(small_bundle: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    bundle = open_bundle(small_bundle)
    write_bundle(tmp_path / "same", bundle.manifest, bundle.files)
    write_bundle(tmp_path / "other", replace(bundle.manifest, **change), bundle.files)
    first, same, other = (load_teacher([str(p)]).card for p in (small_bundle, tmp_path / "same", tmp_path / "other"))
    assert first.fingerprint == same.fingerprint != other.fingerprint


@pytest.mark.parametrize("network", [{}, {"parameters": "many"}, {"parameters": None}, {"parameters": -1}])
def test_a_network_without_its_size_is_refused(small_bundle: Path, tmp_path: Path, network: dict[str, Any]) -> None:
    """It was a traceback: a KeyError, or what `int` says."""
    bundle = open_bundle(small_bundle)
    write_bundle(tmp_path / "b", replace(bundle.manifest, network=network), bundle.files)
    with pytest.raises(BundleError, match=r"manifest\.json: network\.parameters is .*, expected a whole number"):
        load_teacher([str(tmp_path / "b")])
