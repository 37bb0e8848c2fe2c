"""A bundle as a teacher: its fingerprint changes whenever its answers could."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from overproof.bundle.manifest import open_bundle, write_bundle
from overproof.bundle.tokenizer import Windowing
from overproof.distillation.teachers import load_teacher


@pytest.mark.parametrize(
    "change", [{"classes": ("sqli", "benign", "xss")}, {"calibration": 9.0}, {"windowing": Windowing(16, 4, 1)}]
)
def test_the_fingerprint_covers_the_manifest(small_bundle: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    bundle = open_bundle(small_bundle)
    write_bundle(tmp_path / "same", bundle.manifest, bundle.files)
    write_bundle(tmp_path / "other", replace(bundle.manifest, **change), bundle.files)
    first, same, other = (load_teacher([str(p)]).card for p in (small_bundle, tmp_path / "same", tmp_path / "other"))
    assert first.fingerprint == same.fingerprint != other.fingerprint
