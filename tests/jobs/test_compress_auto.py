"""`--student auto` makes every student of the ladder of the same soft labels, and ships the one that is taken."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

import overproof
from overproof.bundle.evidence_store import open_evidence
from overproof.bundle.manifest import LADDER, MODEL, Bundle, open_bundle
from overproof.bundle.model_names import QUANTIZED
from overproof.cli import app
from overproof.events.simulate import simulate
from overproof.jobs.config import CompressConfig
from overproof.jobs.held_out import HoldOut, bundle_config
from overproof.progress import SILENT
from overproof.quantization.guards import Guards
from overproof.results.compression import Report
from overproof.results.ladder import Ladder

from .test_compress import Counted

pytestmark = pytest.mark.slow

RUNGS = ("tiny-student", "ngram-student")


@dataclass(frozen=True)
class Job:
    """One compression."""

    events: pa.Table
    asked: int
    folder: Path
    report: Report
    said: list[str]

    @property
    def bundle(self) -> Bundle:
        return open_bundle(self.folder / "bundle")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Job:
    folder = tmp_path_factory.mktemp("job")
    events = simulate(900, seed=5).train
    teacher = Counted(events["text"].to_pylist(), events["label"].to_pylist())
    module = type(sys)("a_users_module")
    module.pipeline = teacher  # type: ignore[attr-defined]
    sys.modules["a_users_module"] = module
    request.addfinalizer(lambda: sys.modules.pop("a_users_module"))
    said: list[str] = []

    def run() -> Report:
        return overproof.compress(
            events,
            teacher="a_users_module:pipeline",
            out=folder / "bundle",
            student="auto",
            epochs=2,
            guards=Guards(max_flips=0.9),
            evidence=folder / "evidence",
            keep_fp32=folder / "fp32",
            cache=folder / "cache",
            console=replace(SILENT, say=said.append),
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("overproof.jobs.compress.TIMING_SECONDS", 0.5)
        patch.setattr("overproof.jobs.compress.LADDER", RUNGS)
        with patch.context() as cut_off:
            cut_off.setattr("overproof.jobs.compress.climb", interrupted)
            with pytest.raises(KeyboardInterrupt):
                run()
        said.clear()
        asked = teacher.asked
        report = run()
    return Job(events, asked, folder, report, said)


def interrupted(*_: object, **__: object) -> None:
    """Stand for a run that is cut off once all students are trained."""
    raise KeyboardInterrupt


def test_a_run_that_is_cut_off_trains_no_student_twice(job: Job) -> None:
    assert len([line for line in job.said if "student: resumed after epoch 2" in line]) == len(RUNGS)


def test_what_was_asked_for_and_what_was_taken_are_stored(job: Job) -> None:
    ladder, bundle = job.report.ladder, job.bundle
    assert ladder is not None and {rung.preset for rung in ladder.rungs} == set(RUNGS)
    assert Ladder.of(bundle) == ladder and ladder.events == bundle.manifest.data["rows"]["validation"]
    config = CompressConfig.from_json(bundle.manifest.config or {}, "bundle")
    assert config.distill.student == "auto" and bundle.manifest.network["preset"] == ladder.taken
    row = job.report.comparison.row(QUANTIZED)
    taken = next(rung for rung in ladder.rungs if rung.preset == ladder.taken)
    assert row is not None and (row.bytes, row.parameters) == (taken.bytes, taken.parameters)
    assert len(bundle.files[MODEL]) <= taken.bytes


def test_all_that_is_kept_is_of_the_one_that_was_taken(job: Job) -> None:
    bundle = job.bundle
    store, taken = open_evidence(job.folder / "evidence", bundle), bundle.manifest.network["preset"]
    for name in ("evidence/distilled", "evidence/control", "fp32"):
        assert open_bundle(job.folder / name).manifest.network["preset"] == taken
    assert not [path for path in job.folder.iterdir() if path.name.startswith(".bundle")], "no checkpoint is left"
    config, unknown = bundle_config(HoldOut(store, job.bundle, job.events))
    assert config.distill.student == taken and not unknown, "a family is held out of that student alone"


def test_the_teacher_is_asked_once(job: Job) -> None:
    rows = sum(job.bundle.manifest.data["rows"].values())
    assert job.asked == rows, "once all students were trained; a ladder asks for no edited events"


def test_the_ladder_is_shown(job: Job) -> None:
    ladder = job.report.ladder
    assert ladder is not None and ladder.render().rstrip() in job.report.render()
    assert job.report.to_json()["ladder"]["taken"] == ladder.taken
    shown = CliRunner().invoke(app, ["inspect", str(job.folder / "bundle"), "--full"])
    assert shown.exit_code == 0, shown.output
    assert "The ladder:" in shown.stdout and f"{ladder.taken}: taken" in shown.stdout
    shown = CliRunner().invoke(app, ["inspect", str(job.folder / "bundle"), "--json"])
    assert json.loads(shown.stdout)["ladder"] == json.loads(job.bundle.files[LADDER])
