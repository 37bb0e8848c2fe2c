"""Made-up outcomes of `overproof check`, real attacks, and the page in which they stand."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from overproof.checks.base import BASELINE, CONTROL, DISTILLED, FULL, QUANTIZED, CheckContext
from overproof.checks.report import CheckReport, page

from .computed import computed
from .made import made, texts


@pytest.fixture(scope="session")
def everything() -> CheckReport:
    """A report with every field."""
    return made(texts())


@pytest.fixture
def stored(everything: CheckReport) -> dict[str, Any]:
    """Its JSON, which may be changed."""
    return everything.to_json()


@pytest.fixture(scope="session")
def nothing(make: Callable[..., CheckContext]) -> CheckReport:
    """What the checks say without a full model, training events or labels: nearly everything is unmeasured."""
    context = make(counts={"benign": 40}, without=(FULL, DISTILLED, CONTROL, BASELINE), training=False)
    return computed(replace(context, sample=replace(context.sample, labels=[None] * 40)))


@pytest.fixture(scope="session")
def measured(healthy: CheckContext) -> CheckReport:
    """What the checks say of a student that errs as its teacher does."""
    return computed(healthy)


@pytest.fixture(scope="session")
def sabotaged(make: Callable[..., CheckContext]) -> CheckReport:
    """What the checks say of a student that lost a rare family, and nothing else."""
    return computed(make({QUANTIZED: {"ssti": 0.6}}))


@pytest.fixture(scope="session")
def payloads(shared_data: Path) -> list[str]:
    """Real cross-site scripting from the benchmark."""
    with gzip.open(shared_data / "http" / "test.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        found = [row["text"] for row in csv.DictReader(lines) if row["family"] == "xss"]
    return sorted(found, key=lambda text: -sum(text.count(c) for c in "<>&'\"`"))[:200]


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory, everything: CheckReport) -> Path:
    """The page with everything."""
    path = tmp_path_factory.mktemp("check") / "report.html"
    path.write_text(page(everything), "utf-8")
    return path
