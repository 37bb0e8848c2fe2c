"""A student and a faster one in front of it are made in one go, and shipped as one bundle."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import overproof
from overproof.bundle.manifest import FIRST, MANIFEST, open_bundle, unsealed
from overproof.bundle.model_names import QUANTIZED
from overproof.bundle.tiers import TieredScorer
from overproof.errors import InputError
from overproof.events.simulate import simulate
from overproof.jobs.config import CompressConfig, JoinLimits
from overproof.quantization.guards import Guards
from overproof.results.compression import Report

from .test_compress import Counted

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Job:
    """One compression of two students."""

    events: pa.Table
    folder: Path
    report: Report
    scorer: TieredScorer


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Job:
    folder = tmp_path_factory.mktemp("job")
    events = simulate(2400, seed=5).train
    module = type(sys)("a_users_module")
    module.pipeline = Counted(events["text"].to_pylist(), events["label"].to_pylist())  # type: ignore[attr-defined]
    sys.modules["a_users_module"] = module
    request.addfinalizer(lambda: sys.modules.pop("a_users_module"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("overproof.jobs.compress.TIMING_SECONDS", 1.0)
        # so few validation events show no smaller share
        patch.setattr("overproof.jobs.compress.JoinLimits", lambda lost: JoinLimits(0.1, 0.1))
        report = overproof.compress(
            events,
            teacher="a_users_module:pipeline",
            out=folder / "bundle",
            student="small-student",
            first="ngram-student",
            epochs=10,
            guards=Guards(max_flips=0.9),
            evidence=folder / "evidence",
            cache=folder / "cache",
        )
    scorer = overproof.open(folder / "bundle").student
    assert isinstance(scorer, TieredScorer)
    return Job(events, folder, report, scorer)


def test_both_are_of_one_run(job: Job) -> None:
    bundle = open_bundle(job.folder / "bundle")
    first = unsealed(bundle.files[f"{FIRST}{MANIFEST}"], "first")
    assert (first.network["preset"], bundle.manifest.network["preset"]) == ("ngram-student", "small-student")
    assert first.teacher == bundle.manifest.teacher and first.data == bundle.manifest.data
    assert first.precision == bundle.manifest.precision == "int8"
    config = CompressConfig.from_json(bundle.manifest.config or {}, "bundle")
    assert (config.distill.student, config.distill.first) == ("small-student", "ngram-student")
    assert not [path for path in job.folder.iterdir() if path.name.startswith(".bundle")], "no checkpoint is left"


def test_what_is_reported_is_of_both(job: Job) -> None:
    """Comparison, guards and thresholds are those of the bundle as it is shipped."""
    row = job.report.comparison.row(QUANTIZED)
    assert row is not None and row.metrics is not None and job.report.tiers is not None
    assert "ngram-student decides" in row.note and job.report.tiers.decided > 0.1
    assert "Two students:" in job.report.render()
    assert [step.step for step in job.report.parity] == ["torch → ONNX", "FP32 → int8", "one → two"]
    search = job.report.precision_search
    assert search is not None and search.decision is not None and job.report.passed
    assert search.decision.findings[0].measured == pytest.approx(search.decision.found.flip_rate)
    stored = open_bundle(job.folder / "bundle").manifest
    assert stored.parity[-1]["step"] == "one → two"


def test_it_is_checked_with_the_evidence_of_its_run(job: Job, tmp_path: Path) -> None:
    events = simulate(1200, seed=9).test
    report = overproof.check(
        job.folder / "bundle",
        events,
        full="a_users_module:pipeline",
        evidence=job.folder / "evidence",
        out=tmp_path / "proof",
        accept_public_data=True,
        attack=0,
        cache=job.folder / "cache",
    )
    assert report.decision
    data = next(check.data for check in report.checks if check.key == "escalation")
    assert data.tiers is not None and set(data.tiers.seconds) == {"first", "second", "full"}
    at = data.tiers.points[data.tiers.sealed]
    tier = job.scorer.score(events["text"].to_pylist()).tier
    assert tier is not None and at.decided["first"] <= (tier == 1).mean()
    assert at.seconds is not None
    assert "Attacks missed by share decided" in (tmp_path / "proof" / "report.html").read_text()


def test_too_few_events_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    events = simulate(300, seed=5).train
    with pytest.raises(InputError, match="validation events to choose by what the first student may decide, expected"):
        overproof.compress(events, teacher="t", out=tmp_path / "o", student="small-student", first="ngram-student")


def test_the_first_is_another_than_the_second() -> None:
    with pytest.raises(InputError, match="--first small-student: is --student as well"):
        overproof.compress(["x.csv"], teacher="t", out="o", student="small-student", first="small-student")
    with pytest.raises(InputError, match="nobody"):
        overproof.compress(["x.csv"], teacher="t", out="o", student="small-student", first="nobody")


def test_the_guards_are_decided_on_both(job: Job) -> None:
    """The composite is another model than the second student, and it is the composite that is held to them."""
    assert job.report.precision_search is not None and job.report.precision_search.decision is not None
    found = job.report.precision_search.decision.found
    texts = job.events["text"].to_pylist()[:200]
    assert not np.array_equal(job.scorer.score(texts).logits, job.scorer.second.score(texts).logits)
    assert found.max_difference > job.report.parity[1].max_difference
