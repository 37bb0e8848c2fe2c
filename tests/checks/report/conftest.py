"""Made-up outcomes of `overproof check`, real attacks, and the page in which they stand."""

from __future__ import annotations

import copy
import csv
import gzip
from pathlib import Path
from typing import Any

import pytest

from overproof.checks.report import page

from .made import made, texts, unmeasured


@pytest.fixture(scope="session")
def _everything() -> dict[str, Any]:
    return made(texts())


@pytest.fixture
def everything(_everything: dict[str, Any]) -> dict[str, Any]:
    """A report with every field; a copy that may be changed."""
    return copy.deepcopy(_everything)


@pytest.fixture
def nothing() -> dict[str, Any]:
    """A report without a full model, training events or labels: nearly everything is unmeasured."""
    return unmeasured()


@pytest.fixture(scope="session")
def payloads(shared_data: Path) -> list[str]:
    """Real cross-site scripting from the benchmark."""
    with gzip.open(shared_data / "http" / "test.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        found = [row["text"] for row in csv.DictReader(lines) if row["family"] == "xss"]
    return sorted(found, key=lambda text: -sum(text.count(c) for c in "<>&'\"`"))[:200]


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory, _everything: dict[str, Any]) -> Path:
    """The page with everything."""
    path = tmp_path_factory.mktemp("check") / "report.html"
    path.write_text(page(_everything), "utf-8")
    return path
