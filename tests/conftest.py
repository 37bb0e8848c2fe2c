"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]

# CI repeats the same examples, so that it fails only for what was changed; on a desk every run tries new ones.
settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data beside the project; a test that needs it is skipped where it is not there."""
    data = ROOT.parent / "shared" / "data"
    if not data.is_dir():
        pytest.skip("the real data (../shared/data) is not on this machine")
    return data
