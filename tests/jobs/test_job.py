"""`check` for real, small: a teacher, its student and the evidence, on simulated traffic."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import overproof
from overproof.bundle.evidence_store import INDEX, open_evidence
from overproof.bundle.manifest import open_bundle
from overproof.checks.base import BASELINE, CONTROL, DISTILLED, FULL, QUANTIZED
from overproof.checks.report import CheckReport
from overproof.cli import app
from overproof.errors import BundleError, InputError
from overproof.events.simulate import simulate
from overproof.jobs.attack import open_attacked
from overproof.jobs.attack_config import AttackConfig, AttackInputs
from overproof.progress import SILENT, Console
from overproof.quantization.guards import Guards

pytestmark = pytest.mark.slow

CHECKS = ["own-data", "calibration", "rare", "boundary", "held-out", "escalation", "explanation", "redteam"]
FAMILY = "sqli"


@dataclass(frozen=True)
class Job:
    """A compression, its evidence, and events that nothing was trained on."""

    folder: Path
    events: pa.Table

    def check(self, events: Any = None, **options: Any) -> Any:
        """`overproof.check` with everything at hand, unless a test says otherwise."""
        given = {
            "full": str(self.folder / "teacher"),
            "evidence": self.folder / "evidence",
            "accept_public_data": True,
            "attack": 0,
            **options,
        }
        return overproof.check(
            self.folder / "bundle", self.events if events is None else events, cache=self.folder / "cache", **given
        )


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    folder = tmp_path_factory.mktemp("proof")
    traffic = simulate(2400, seed=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("overproof.jobs.compress.TIMING_SECONDS", 0.5)
        overproof.teach(traffic.train, out=folder / "teacher", preset="small-student", epochs=6)
        overproof.compress(
            traffic.train,
            teacher=str(folder / "teacher"),
            out=folder / "bundle",
            student="tiny-student",
            epochs=4,
            cache=folder / "cache",
            evidence=folder / "evidence",
            margin=0.02,
            guards=Guards(max_flips=0.9, max_recall_loss={FAMILY: 1.0}),
        )
        yield Job(folder, traffic.test)


@pytest.fixture(scope="module")
def report(job: Job) -> Any:
    return job.check(out=job.folder / "check")


def finding(report: Any, key: str) -> dict[str, Any]:
    """A finding by its key."""
    return next(f for check in report.to_json()["checks"] for f in check["gates"] if f["key"] == key)


def data(report: Any, key: str) -> dict[str, Any]:
    """The tables of a check."""
    return next(check["data"] for check in report.to_json()["checks"] if check["key"] == key)


def test_compress_keeps_the_evidence(job: Job) -> None:
    bundle = open_bundle(job.folder / "bundle")
    kept = open_evidence(job.folder / "evidence", bundle)
    assert set(kept.scores) == {FULL, DISTILLED, QUANTIZED, CONTROL, BASELINE}
    assert all(logits.shape == (kept.validation.num_rows, 3) for logits in kept.scores.values())
    again = overproof.open(job.folder / "bundle").score(kept.validation["text"].to_pylist()).logits
    assert np.array_equal(again, kept.scores[QUANTIZED])
    seeds = [overproof.open(job.folder / "evidence" / name).manifest.seed for name in ("distilled", "control")]
    assert seeds == [0, 1]
    assert not np.array_equal(kept.scores[DISTILLED], kept.scores[CONTROL])
    assert bundle.manifest.margin == 0.02 and bundle.manifest.calibration is not None
    assert 0.05 <= bundle.manifest.calibration <= 20
    assert not list(job.folder.glob(".*")), "nothing unfinished lies about"


def test_eight_checks_and_a_verdict(report: Any) -> None:
    stored = report.to_json()
    assert [check["key"] for check in stored["checks"]] == CHECKS
    assert stored["schema"] == "overproof.check/6"
    (explained,) = (check["data"]["alerts"] for check in stored["checks"] if check["key"] == "explanation")
    assert 0 < explained["explained"] <= explained["flagged"]
    assert set(explained["models"]) == {"full", "distilled + INT8"}
    assert any(event["spans"] for event in explained["examples"])
    assert stored["absent"] == {}
    assert stored["margin"] == {"value": 0.02, "fixed_before": True, "message": stored["margin"]["message"]}
    assert stored["verdict"]["decision"] in ("deploy alone", "deploy with escalation", "do not deploy")
    deployed = stored["verdict"]["decision"] != "do not deploy"
    assert report.passed == (stored["gates"]["closed"] == [] and deployed)
    assert stored["notes"] and "simulated" in stored["notes"][0]
    for check in stored["checks"]:
        for found in check["gates"]:
            assert found["message"] and (found["status"] == "unmeasured") == found["message"].startswith("unmeasured")
    assert all(row["metrics"] is not None and row["bytes"] for row in stored["comparison"]["rows"])


def test_the_report_is_written_and_says_the_same(job: Job, report: Any) -> None:
    folder = job.folder / "check"
    assert sorted(path.name for path in folder.iterdir()) == ["check.json", "check.sarif", "report.html", "summary.md"]
    assert json.loads((folder / "check.json").read_text()) == report.to_json()
    sentence = report.verdict.sentence
    assert sentence.split(":")[0] in report.render()
    assert json.loads((folder / "check.sarif").read_text())["version"] == "2.1.0"


def test_the_same_seed_gives_the_same_answer(job: Job, report: Any) -> None:
    assert job.check() == report


def test_grid_neighbours_and_edits_were_tried(report: Any) -> None:
    found = data(report, "boundary")
    assert found["neighbours"]["draws"] == 8 and found["neighbours"]["n"] > 0
    assert {edit["kind"] for edit in found["edits"]} and all(FULL in edit["models"] for edit in found["edits"])


def test_simulated_events_certify_nothing_unless_asked(job: Job) -> None:
    report = job.check(accept_public_data=False)
    assert finding(report, "own-data/published")["status"] == "failed"
    assert report.decision == "do not deploy" and not report.passed


def test_the_training_events_themselves_prove_nothing(job: Job, tmp_path: Path) -> None:
    """Each under an identifier that is fresh, as Zeek's are: by groups alone nothing was leaked."""
    kept = open_evidence(job.folder / "evidence", open_bundle(job.folder / "bundle")).events
    place = kept.schema.get_field_index("group")
    fresh = kept.set_column(place, "group", pa.array([f"C{i:09x}" for i in range(kept.num_rows)]))
    report = job.check(fresh)
    leaked = finding(report, "own-data/leaked")
    assert leaked["status"] == "failed" and leaked["value"] > 0.9
    assert report.decision == "do not deploy" and not report.passed
    assert "own-data/leaked" in report.verdict.because


def test_simulated_events_are_never_said_to_pass_as_own(report: Any) -> None:
    published = finding(report, "own-data/published")
    assert (published["status"], published["waived"], published["closed"]) == ("unmeasured", True, False)
    assert report.checks[0].status != "passed"
    assert report.verdict.sentence.endswith(
        "All of this is of public or simulated events: nothing is known of your own."
    )


def test_without_full_model_and_evidence_what_needs_them_is_unmeasured(job: Job) -> None:
    report = job.check(full=None, evidence=None)
    assert set(report.absent) == {FULL, DISTILLED, CONTROL, BASELINE}
    for key in ("own-data/leaked", "held-out/misses", "held-out/quantized-alone", "rare/pooled", "boundary/edits"):
        assert finding(report, key)["status"] == "unmeasured", key
    assert finding(report, "calibration/error")["value"] is not None  # the temperature is in the manifest
    assert report.decision == "do not deploy"


def test_soft_labels_cannot_be_asked_about_edited_events(job: Job) -> None:
    scores = overproof.open(job.folder / "teacher").score(job.events["text"].to_pylist())
    table = job.events
    for name, p in zip(scores.classes, scores.probabilities.T, strict=True):
        table = table.append_column(f"p_{name}", pa.array(p.astype(float)))
    report = job.check(table, full="columns:p_")
    assert finding(report, "boundary/edits")["status"] == "unmeasured"
    assert finding(report, "held-out/misses")["value"] is not None
    assert any("soft labels" in note for note in report.notes)


def test_events_without_labels_or_of_one_class_prove_nothing(job: Job) -> None:
    place = job.events.schema.get_field_index("label")
    silent = job.events.set_column(place, "label", pa.nulls(job.events.num_rows, pa.string()))
    family = silent.schema.get_field_index("family")
    silent = silent.set_column(family, "family", pa.nulls(silent.num_rows, pa.string()))
    one = job.events.filter(pc.equal(job.events["label"], "normal"))
    for table in (silent, one):
        report = job.check(table)
        assert finding(report, "held-out/misses")["status"] == "unmeasured"
        assert finding(report, "escalation/guarantee")["status"] == "unmeasured"
        assert report.decision == "do not deploy"
        assert any("attacks and benign" in note for note in report.notes)


def test_what_cannot_be_used_is_refused(job: Job, tmp_path: Path) -> None:
    other = tmp_path / "evidence"
    shutil.copytree(job.folder / "evidence", other)
    index = json.loads((other / INDEX).read_text())
    (other / INDEX).write_text(json.dumps({**index, "model": "0" * 64}))
    with pytest.raises(BundleError, match="another bundle"):
        job.check(evidence=other)
    with pytest.raises(InputError, match=r"no such attacks.*all-rare or one of.*sqli"):
        job.check(hold_out=["sqlli"])
    with pytest.raises(InputError, match="--evidence"):
        job.check(evidence=None, hold_out=[FAMILY])
    with pytest.raises(InputError, match="--full"):
        job.check(full=None, hold_out=[FAMILY])
    with pytest.raises(InputError, match="--prevalence"):
        job.check(prevalence=2.0)
    with pytest.raises(InputError, match="no folder"):
        job.check(out=tmp_path / "nowhere" / "check")
    unknown = job.events.set_column(
        job.events.schema.get_field_index("label"), "label", pa.array(["odd"] * job.events.num_rows)
    )
    with pytest.raises(InputError, match="expected at least one name in common"):
        job.check(unknown)


def test_the_command_line_ends_as_the_gates_do(job: Job, tmp_path: Path) -> None:
    pq.write_table(job.events, tmp_path / "events.parquet")
    words = [
        "check",
        str(job.folder / "bundle"),
        str(tmp_path / "events.parquet"),
        f"--full={job.folder / 'teacher'}",
        f"--evidence={job.folder / 'evidence'}",
        f"--cache={job.folder / 'cache'}",
        "--attack=0",
    ]
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 1, done.output
    assert json.loads(done.stdout)["gates"]["open"] is False
    open_wide = "\n".join(
        f"{key.split('/')[1]} = {{ limit = 1, required = false }}" if "/" in key else key
        for key in [
            *("[own-data]", "own-data/published", "own-data/full-model", "own-data/leaked"),
            *("own-data/score-drift", "own-data/field-drift"),
            *("[calibration]", "calibration/error", "calibration/against-full", "calibration/threshold-drift"),
            *("[rare]", "rare/pooled", "rare/family", "rare/slices", "rare/hard-benign"),
            *("[boundary]", "boundary/edits", "boundary/neighbours", "boundary/quantization"),
            *("[held-out]", "held-out/misses", "held-out/false-positives", "held-out/quantized-alone"),
            *("held-out/novel", "[escalation]", "escalation/guarantee", "escalation/verified", "escalation/budget"),
            "escalation/deferred",
        ]
    )
    (tmp_path / "wide.toml").write_text(open_wide)
    done = CliRunner().invoke(app, [*words, f"--gate={tmp_path / 'wide.toml'}"])
    assert done.exit_code == 0, done.output


def test_a_family_is_held_out_once_and_then_only_judged(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    console = Console(say=lines.append, progress=SILENT.progress)
    report = job.check(hold_out=[FAMILY], epochs=2, console=console)
    (entry,) = data(report, "held-out")["held_out"]
    assert entry["family"] == FAMILY and entry["absent"] == {}
    assert set(entry["trained_without"]) == {FULL, DISTILLED, QUANTIZED, BASELINE}
    assert all(share["n"] == entry["n"] > 0 for share in entry["trained_without"].values())
    assert finding(report, f"held-out/family:{FAMILY}")["events"] == entry["n"]
    place = job.folder / "evidence" / "held-out" / FAMILY
    kept = open_evidence(job.folder / "evidence", open_bundle(job.folder / "bundle")).events
    rows = overproof.open(place / "bundle").manifest.data["rows"]
    own, without = (open_bundle(folder).manifest.config for folder in (job.folder / "bundle", place / "bundle"))
    assert own is not None and without is not None and own["quantize"]["guards"]["max_flips"] == 0.9
    assert {name for name in own if own[name] != without[name]} == {"data"}
    assert without["data"]["held_out"] == [FAMILY]
    assert rows["train"] + rows["validation"] == kept.filter(pc.not_equal(kept["family"], FAMILY)).num_rows

    monkeypatch.setattr("overproof.jobs.compress.run_compression", lambda *_, **__: pytest.fail("it trained again"))
    again = job.check(hold_out=[FAMILY], epochs=2)
    assert data(again, "held-out")["held_out"] == [entry]
    shutil.rmtree(place)


def test_the_same_attack_is_spent_on_all_models_and_says_what_compression_is_to_blame_for(job: Job) -> None:
    objectives = ["blind-spot", "evasion", "grid"]
    found = overproof.attack(
        job.folder / "bundle",
        job.events,
        full=str(job.folder / "teacher"),
        evidence=job.folder / "evidence",
        objectives=objectives,
        searches=["bandit"],
        budget=60,
        sample=40,
        triggers=1000,
    )
    assert found.triggers is not None and not found.triggers.accused
    attacked = {(row.objective, row.model) for row in found.rows}
    beside = {(objective, model) for objective in objectives[:2] for model in (DISTILLED, CONTROL, BASELINE)}
    assert attacked == beside | {(objective, QUANTIZED) for objective in objectives}
    assert {(one.objective, one.beside) for one in found.exclusive} == beside
    events = {row.at["60"].n for row in found.rows}
    assert events == {found.events}, "all models get the same events, and get all of them right as they are"
    shares = {(row.objective, row.model): row.at["60"].value for row in found.rows}
    for one in found.exclusive:
        own, other = shares[one.objective, QUANTIZED], shares[one.objective, one.beside]
        assert one.difference.value == pytest.approx(own - other)
        assert one.difference.low <= one.difference.value <= one.difference.high
    assert sum(row.at["60"].value for row in found.rows) > 0
    for model, others in found.transfer.items():
        assert set(others) == {QUANTIZED, DISTILLED, CONTROL, BASELINE} - {model}
    grid = [case for case in found.cases if case.objective == "grid"]
    distilled = overproof.open(job.folder / "evidence" / "distilled")
    bundle = overproof.open(job.folder / "bundle")
    for case in grid:
        assert bundle.judge([case.edited])[0].attack <= 0.5 < distilled.judge([case.edited])[0].attack
    assert "under the same attack" in found.render()


def test_who_holds_the_weights_knows_of_every_model_what_it_says(job: Job) -> None:
    config = AttackConfig(job.events, objectives=("blind-spot",), searches=("gradient",))
    opened = open_attacked(config, AttackInputs(job.folder / "bundle", None, job.folder / "evidence"))
    texts = job.events["text"].to_pylist()[:100]
    assert set(opened.guides) == {QUANTIZED, DISTILLED, CONTROL, BASELINE}
    for model, guide in opened.guides.items():
        said = opened.victims[model](texts).odds
        assert np.abs(np.array(guide.exact(texts)) - said).mean() < 0.1 * said.std(), model


def test_the_red_team_holds_against_the_bundle_what_the_control_withstands(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overproof.jobs.check.SAMPLE", 16)
    report = job.check(attack=8, out=tmp_path)
    attacks = data(report, "redteam")["attacks"]
    own, control = (one for one in attacks["falls"] if one["objective"] == "evasion")
    assert (own["model"], control["model"]) == (QUANTIZED, CONTROL) and own["of"]["n"] == control["of"]["n"]
    exclusive = attacks["exclusive"]
    assert exclusive["both"] + exclusive["bundle_only"] == own["of"]["k"]
    assert exclusive["both"] + exclusive["control_only"] == control["of"]["k"]
    found = finding(report, "redteam/exclusive")
    assert found["value"] == pytest.approx((own["of"]["k"] - control["of"]["k"]) / own["of"]["n"])
    assert found["status"] == "unmeasured" and found["message"].startswith("unmeasured: "), "so few prove nothing"
    assert finding(report, "redteam/flood")["status"] == "passed"
    assert CheckReport.read(tmp_path / "check.json") == report
