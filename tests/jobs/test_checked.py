"""A check is a proof of one bundle, one full model and one cascade: `triage --check` and `serve --check` run no other.

Each test of a refusal reproduces a false proof: accepted before, with "at most so many lost" as the words over it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import overproof
from overproof.bundle.evidence_store import EvidenceStore, write_evidence_store
from overproof.bundle.manifest import Bundle, digest, open_bundle, write_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.tokenizer import Windowing
from overproof.checks.gates import DEFAULTS
from overproof.checks.report import CheckReport
from overproof.cli import app
from overproof.errors import BundleError, InputError
from overproof.inference.cascade import Cascade, Full, FullDown, Promise
from overproof.inference.cascade.signals import signals
from overproof.inference.stream import Request
from overproof.jobs.deploy_config import CascadeConfig, ServeConfig, TriageConfig
from overproof.jobs.open_cascade import open_cascade
from overproof.jobs.serve import serve
from overproof.jobs.triage import triage

from ..conftest import Made, write_small
from .stand_ins import StandIn, drawn, right

BUDGET = 0.2
LIMITS = {"escalation/guarantee": 0.02, "escalation/verified": 0.05, "escalation/budget": 0.3, "held-out/misses": 0.005}


@dataclass(frozen=True)
class Proven:
    """A bundle, the full model that it was checked against, the events, and the check."""

    folder: Path
    student: OnnxScorer
    events: pa.Table
    full: StandIn
    report: CheckReport

    @property
    def bundle(self) -> Bundle:
        return open_bundle(self.folder / "bundle")

    def check(self, out: Path | None = None, full: Any = "as it is", **options: Any) -> CheckReport:
        """Check again, otherwise."""
        return checked(self.folder, self.events, self.full if full == "as it is" else full, out, **options)

    def opened(self, bundle: Bundle | None = None, check: Path | None = None, **options: Any) -> Cascade:
        """Open the cascade with the check, as it was made unless a test says otherwise."""
        options.setdefault("full", self.full)
        return open_cascade(
            bundle or self.bundle, CascadeConfig(check=check or self.folder / "proof" / "check.json", **options)
        )


def checked(folder: Path, events: pa.Table, full: Any, out: Path | None, **options: Any) -> CheckReport:
    given = {"attack": 0, "budget": BUDGET, "gate": folder / "gates.toml", **options}
    return overproof.check(folder / "bundle", events, full=full, out=out, cache=folder / "cache", **given)


def write_gates(path: Path, **changed: float) -> None:
    """Gates that a network which learned nothing can pass, apart from those that the promise rests on."""
    keys = {*DEFAULTS, *LIMITS}
    lines = []
    for key in sorted(keys):
        check, name = key.split("/")
        header = f"[{check}]"
        if header not in lines:
            lines.append(header)
        limit = changed.get(name, LIMITS.get(key, 1))
        lines.append(f"{name} = {{ limit = {limit}, required = {str(key in LIMITS).lower()} }}")
    path.write_text("\n".join(lines))


@pytest.fixture(scope="module")
def proven(small_bundle: Path, student: OnnxScorer, tmp_path_factory: pytest.TempPathFactory) -> Proven:
    folder = tmp_path_factory.mktemp("proven")
    bundle, events = open_bundle(small_bundle), drawn(student)
    scores = student.score(events["text"].to_pylist())
    # all of these events are out of the small bundle's distribution, so its signals are taken of them
    usual = signals(scores.logits, bundle.manifest.calibration, scores.ood_distance, scores.benign)
    write_bundle(folder / "bundle", replace(bundle.manifest, signals=usual), bundle.files)
    write_gates(folder / "gates.toml")
    full = StandIn(student.classes, right(events, student))
    report = checked(folder, events, full, folder / "proof")
    assert report.decision == "deploy with escalation", report.render()
    return Proven(folder, student, events, full, report)


def refused(proven: Proven, match: str, **options: Any) -> None:
    with pytest.raises(InputError, match=match):
        proven.opened(**options)


def test_what_was_checked_is_what_runs(proven: Proven) -> None:
    cascade = proven.opened()
    policy, replayed = cascade.policy, proven.report.proof.policy
    assert (policy.confidence, policy.ood_distance) == (replayed.confidence, replayed.ood_distance)
    assert policy.temperature == replayed.temperature == 1.5 and replayed.budget == BUDGET
    assert policy.promise is not None and policy.promise.limit == 0.02
    assert str(policy.promise).startswith(
        "at most 2 % of the attacks that the full model detects are lost, copies counted"
    )
    assert proven.opened(max_escalations="20%", on_full_down="hold", never_alone=()).policy == policy
    assert CheckReport.read(proven.folder / "proof" / "check.json") == proven.report


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            {"classes": ("benign", "xss", "sqli")},
            r"its classes differ: checked benign, sqli, xss, the bundle's benign, xss, sqli",
        ),
        ({"benign": ("benign", "xss")}, "its benign differs: checked benign, the bundle's benign, xss"),
        ({"calibration": 2.5}, r"its calibration differs: checked 1\.5, the bundle's 2\.5"),
        ({"calibration": None}, r"its calibration differs: checked 1\.5, the bundle's none"),
        ({"windowing": Windowing(16, 4, 1)}, "its windowing differs: "),
        ({"thresholds": {"0.01": 0.5}}, "its thresholds differ: "),
        ({"signals": None}, "its entry signals is not what was checked"),
        ({"teacher": {"name": "x"}}, "its teacher differs: "),
        ({"seed": 1}, "its seed differs: checked 0, the bundle's 1"),
    ],
)
def test_another_manifest(proven: Proven, tmp_path: Path, change: dict[str, Any], match: str) -> None:
    bundle = proven.bundle
    write_bundle(tmp_path / "resealed", replace(bundle.manifest, **change), bundle.files)
    refused(proven, match, bundle=open_bundle(tmp_path / "resealed"))


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "ood.npz"])
def test_another_file(proven: Proven, tmp_path: Path, name: str) -> None:
    bundle = proven.bundle
    files = {**bundle.files, name: bundle.files[name] + b" "}
    listed = {key: digest(content) for key, content in files.items()}
    write_bundle(tmp_path / "other", replace(bundle.manifest, files=listed), files)
    other = open_bundle(tmp_path / "other")
    refused(
        proven, rf"proof of something else: its {name} is another file \(sha256 checked [0-9a-f]{{16}}…", bundle=other
    )


def test_another_full_model(proven: Proven) -> None:
    def other(texts: Any) -> Any:
        p = proven.full.answer(texts) ** 2
        return p / p.sum(axis=1, keepdims=True)

    refused(
        proven, "is another one than was checked.*: its fingerprint differs", full=replace(proven.full, fingerprint="x")
    )
    alike = replace(proven.full, answer=other)
    refused(proven, r"it answers 16 of 16 probe texts differently, by up to 0\.\d+ in probability", full=alike)
    refused(proven, "it answers 16 of 16 probe texts", full=replace(alike, fingerprint=None))
    assert proven.opened(full=replace(proven.full, fingerprint=None)), "a service that answers alike"
    assert proven.opened(full=Full(proven.full.classes, proven.full.answer, "a function"))


def test_the_student_as_full_model(proven: Proven) -> None:
    refused(proven, "another one than was checked", full=str(proven.folder / "bundle"))
    itself = Full(proven.student.classes, lambda texts: proven.student.score(list(texts)).probabilities, "m")
    refused(proven, "another one than was checked.*: it answers 16 of 16 probe texts differently", full=itself)


def test_a_full_model_that_is_down_at_the_start(proven: Proven) -> None:
    def down(texts: Any) -> Any:
        raise FullDown("no route")

    match = r"the full model does not answer, so that it cannot be told whether it is the one .* \(no route\)"
    refused(proven, match, full=Full(proven.full.classes, down, "m"))
    nothing = Full(proven.full.classes, lambda texts: np.full((len(texts), 3), np.nan, dtype=np.float32), "m")
    refused(proven, "it cannot be told .* probabilities that are no numbers", full=nothing)


def test_without_the_full_model(proven: Proven) -> None:
    refused(proven, "its decision is 'deploy with escalation'; expected --full too", full=None)


def test_other_options(proven: Proven) -> None:
    refused(proven, r"--max-escalations: checked 0\.2, now 0\.01", max_escalations="1%")
    refused(proven, "--max-escalations 20/s: .* is of 20 % of the events", max_escalations="20/s")
    refused(proven, "--on-full-down: checked hold, now student", on_full_down="student")
    refused(proven, "--never-alone: checked none, now xss", never_alone=("xss",))


def test_the_options_of_the_check_are_those_of_the_run(proven: Proven, tmp_path: Path) -> None:
    out = tmp_path / "proof"
    report = proven.check(out, on_full_down="student", never_alone=["sqli"])
    assert report.proof.policy.on_full_down == "student" and report.proof.policy.never_alone == ("sqli",)
    cascade = proven.opened(check=out / "check.json")
    assert (cascade.policy.on_full_down, cascade.policy.never_alone) == ("student", ("sqli",))
    refused(proven, "--never-alone: checked sqli, now none", check=out / "check.json", never_alone=())
    refused(proven, "--on-full-down: checked student, now hold", check=out / "check.json", on_full_down="hold")
    with pytest.raises(InputError, match="--never-alone rce: expected a label of the bundle"):
        proven.check(never_alone=["rce"])
    with pytest.raises(InputError, match="--on-full-down panic: expected one of"):
        proven.check(on_full_down="panic")


@pytest.mark.parametrize("name", ["guarantee", "verified", "budget"])
def test_a_check_of_which_the_escalation_failed(proven: Proven, tmp_path: Path, name: str) -> None:
    write_gates(tmp_path / "gates.toml", **{name: 0.0001})
    out = tmp_path / "proof"
    assert proven.check(out, gate=tmp_path / "gates.toml").decision == "do not deploy"
    refused(proven, "its decision is 'do not deploy', so that nothing can be promised: ", check=out / "check.json")


def test_a_check_against_soft_labels_binds_no_model(proven: Proven, tmp_path: Path) -> None:
    out = tmp_path / "proof"
    report = proven.check(out, full=replace(proven.full, fingerprint=None, labels_new_events=False))
    assert report.proof.full is not None and report.proof.full.answers is None
    refused(proven, "soft labels computed elsewhere: whether any model is their source", check=out / "check.json")


def test_deployed_alone(proven: Proven, tmp_path: Path) -> None:
    """Where the student may stand alone no full model is needed, and nothing is promised of one."""
    write_gates(tmp_path / "gates.toml", misses=0.05)
    out = tmp_path / "proof"
    assert proven.check(out, gate=tmp_path / "gates.toml").decision == "deploy alone"
    alone = proven.opened(check=out / "check.json", full=None).policy
    assert alone.confidence == 0.0 and alone.ood_distance is not None
    assert alone.basis.startswith("none, the student decides alone, as it was checked")
    assert alone.promise == Promise(0.05, 0.95, str(out / "check.json"), alone=True)
    behind = proven.opened(check=out / "check.json").policy
    assert behind.confidence > 0 and behind.promise is not None and not behind.promise.alone
    bundle = proven.bundle
    write_bundle(tmp_path / "resealed", replace(bundle.manifest, calibration=9.0), bundle.files)
    refused(proven, "its calibration", check=out / "check.json", full=None, bundle=open_bundle(tmp_path / "resealed"))


def test_the_command_ends_with_2(proven: Proven, tmp_path: Path) -> None:
    (tmp_path / "e.txt").write_text("a\n")
    given = [f"--check={proven.folder / 'proof' / 'check.json'}", f"--full={proven.folder / 'bundle'}"]
    for command in (
        ["triage", str(proven.folder / "bundle"), str(tmp_path / "e.txt")],
        ["serve", str(proven.folder / "bundle")],
    ):
        done = CliRunner().invoke(app, [*command, *given])
        assert done.exit_code == 2, done.output


def test_the_seed_follows_from_the_events(proven: Proven) -> None:
    report = proven.report
    assert report.seed == int(report.events.sha256[:8], 16) and not report.proof.events.seed_given
    assert not any("seed" in note for note in report.notes)
    shuffled = proven.events.take(np.random.default_rng(3).permutation(proven.events.num_rows))
    again = checked(proven.folder, shuffled, proven.full, None)
    assert (again.seed, again.events.sha256) == (report.seed, report.events.sha256)
    assert again.proof == report.proof
    fewer = checked(proven.folder, proven.events.slice(1), proven.full, None)
    assert fewer.seed != report.seed
    chosen = proven.check(seed=7)
    assert chosen.proof.events.seed_given and chosen.seed == 7
    assert "The seed 7 was chosen by hand: that it is the best of several tries is not excluded." in chosen.notes


@pytest.mark.parametrize("fixed", [False, True])
def test_the_student_is_no_full_model_to_be_checked_against(proven: Proven, fixed: bool) -> None:
    def own(texts: Any) -> Any:
        return np.round(proven.student.score(list(texts)).probabilities, 4)

    with pytest.raises(InputError, match=r"is the student that is checked \(its model file is the same\)"):
        proven.check(full=str(proven.folder / "bundle"))
    behind = StandIn(proven.student.classes, own, None, labels_new_events=not fixed)
    with pytest.raises(InputError, match=r"is the student that is checked \(it answers all 2,000 events alike\)"):
        proven.check(full=behind)


def test_a_reload_asks_again(proven: Proven) -> None:
    changed: list[bool] = []

    def answer(texts: Any) -> Any:
        return proven.full.answer(texts)[:, ::-1] if changed else proven.full.answer(texts)

    def full() -> Full:
        return Full(proven.full.classes, answer, "m")

    assert proven.opened(full=full())
    changed.append(True)
    refused(proven, "another one than was checked", full=full())


def test_the_student_in_disguise_is_refused_too(proven: Proven, tmp_path: Path) -> None:
    for name in ("model.onnx", "tokenizer.json"):
        (tmp_path / name).write_bytes(proven.bundle.files[name])
    (tmp_path / "labels.json").write_text(json.dumps(proven.student.classes))
    with pytest.raises(InputError, match=r"model\.onnx: is the student that is checked \(its model file is the same\)"):
        proven.check(full=str(tmp_path / "model.onnx"))
    twice = [f"{proven.folder / 'bundle'}@3", f"{proven.folder / 'bundle'}@1"]
    with pytest.raises(InputError, match=r"is the student that is checked \(it answers all 2,000 events alike\)"):
        proven.check(full=twice)
    resealed = tmp_path / "resealed"
    write_bundle(resealed, replace(proven.bundle.manifest, calibration=9.0), proven.bundle.files)
    with pytest.raises(InputError, match=r"is the student that is checked \(its model file is the same\)"):
        proven.check(full=str(resealed))


def test_evidence_of_other_classes(proven: Proven, tmp_path: Path) -> None:
    """A manifest that was sealed again with swapped class names still has the model that the evidence is of."""
    classes, few = ("benign", "xss", "sqli"), proven.events.slice(0, 3)
    store = EvidenceStore(tmp_path / "evidence", classes, few, few, {}, b"", {}, {}, 1)
    store.path.mkdir()
    write_evidence_store(store, proven.bundle.files["model.onnx"])
    with pytest.raises(BundleError, match=r"the classes benign, xss, sqli, and those of .* are benign, sqli, xss"):
        proven.check(evidence=store.path)


def test_serve_checks_at_every_reload(proven: Proven, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = proven.bundle
    write_bundle(tmp_path / "served", bundle.manifest, bundle.files)
    opened: list[Callable[[], Cascade]] = []
    monkeypatch.setattr("overproof.jobs.serve.answer", lambda opening, *_, **__: opened.append(opening))
    config = CascadeConfig(full=proven.full, check=proven.folder / "proof" / "check.json")
    serve(ServeConfig(tmp_path / "served", config))
    assert opened[0]().policy.promise is not None
    write_bundle(tmp_path / "served", replace(bundle.manifest, calibration=9.0), bundle.files)
    with pytest.raises(InputError, match="its calibration differs"):
        opened[0]()


def test_what_runs_keeps_what_was_promised(proven: Proven, tmp_path: Path) -> None:
    """Judge fresh events from files, and count what is lost of the attacks that the full model detects."""
    fresh = drawn(proven.student, seed=1)
    pq.write_table(fresh, tmp_path / "fresh.parquet")
    full = StandIn(proven.student.classes, right(fresh, proven.student))
    config = CascadeConfig(full=full, check=proven.folder / "proof" / "check.json")
    request = Request((str(tmp_path / "fresh.parquet"),), out=str(tmp_path / "verdicts.jsonl"))
    triage(TriageConfig(proven.folder / "bundle", request, config))
    verdicts = [json.loads(line) for line in (tmp_path / "verdicts.jsonl").read_text().splitlines()]
    attacks = [v for v, label in zip(verdicts, fresh["label"].to_pylist(), strict=True) if label != "benign"]
    lost = sum(v["label"] == "benign" for v in attacks)
    alone = sum(v["student"]["label"] == "benign" for v in attacks)
    assert lost / len(attacks) <= 0.02 < alone / len(attacks)


def test_the_commands_agree_on_what_was_checked(proven: Proven, made: Made, tmp_path: Path) -> None:
    """`check` with a teacher's folder, and `triage` with that, with a copy of it, and with its class names swapped."""
    teacher = write_small(tmp_path / "teacher", made, precision="fp32")
    pq.write_table(proven.events, tmp_path / "events.parquet")
    place, events = str(proven.folder / "bundle"), str(tmp_path / "events.parquet")
    options = [f"--gate={proven.folder / 'gates.toml'}", "--budget=20%", "--attack=0", f"--cache={tmp_path / 'cache'}"]
    done = CliRunner().invoke(
        app, ["check", place, events, f"--full={teacher}", f"--out={tmp_path / 'proof'}", *options]
    )
    assert done.exit_code == 0, done.output
    out = [f"--check={tmp_path / 'proof' / 'check.json'}", f"--out={tmp_path / 'verdicts.jsonl'}"]
    shutil.copytree(teacher, tmp_path / "copy")
    swapped = open_bundle(teacher)
    manifest = replace(swapped.manifest, classes=("benign", "xss", "sqli"))
    write_bundle(tmp_path / "swapped", manifest, swapped.files)
    for name, code in (("teacher", 0), ("copy", 0), ("swapped", 2)):
        done = CliRunner().invoke(app, ["triage", place, events, f"--full={tmp_path / name}", *out])
        assert done.exit_code == code, done.output
    assert "its fingerprint differs" in str(done.exception) + done.output
    both = [f"--full={teacher}", f"--full={tmp_path / 'copy'}"]
    for given, code in ((out, 2), (out[1:], 0)):  # their average is another model than the one that was checked
        done = CliRunner().invoke(app, ["triage", place, events, *both, *given])
        assert done.exit_code == code, done.output
