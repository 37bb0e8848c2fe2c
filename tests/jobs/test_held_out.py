"""Which families are held out, and where they lie; the training itself is in test_job.py."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from overproof.bundle.evidence_store import EvidenceStore
from overproof.bundle.manifest import Bundle
from overproof.bundle.model_names import FULL
from overproof.errors import BundleError, InputError, OverproofError
from overproof.events.families import families_of, without_families
from overproof.events.schema import event_table
from overproof.jobs.config import CheckSettings, CompressConfig, DataConfig, DistillConfig, QuantizeConfig, RunOptions
from overproof.jobs.held_out import (
    HoldOut,
    bundle_config,
    families_to_hold_out,
    folder_of,
    judge_held_out,
    train_without,
)
from overproof.jobs.held_out_index import DONE, Done
from overproof.jobs.retrain_teacher import TeacherRetraining, retrain
from overproof.progress import SILENT, Console
from overproof.quantization.guards import Guards

LABELS = ["benign"] * 300 + ["attack"] * 205
FAMILIES = [None] * 300 + ["sqli"] * 200 + ["ssti"] * 3 + ["xxe"] * 2
TRAIN = event_table({"text": [f"{i}" for i in range(505)], "label": LABELS, "family": FAMILIES})
MET = event_table({"text": ["a", "b", "c"], "label": ["attack", "attack", "benign"], "family": ["sqli", "ssti", None]})
CONFIG = CompressConfig(
    DataConfig(("train.csv",), benign=("benign",)),
    DistillConfig("tiny-student", 4.0, 0.25, 2, 0.1),
    QuantizeConfig("w4a8", guards=Guards(max_flips=0.01, max_recall_loss={"sqli": 0.05}), qat=True),
    CheckSettings(0.02),
    seed=3,
)
STORE = EvidenceStore(
    Path("evidence"),
    ("attack", "benign"),
    TRAIN,
    TRAIN.slice(0, 0),
    {},
    b"",
    config=CONFIG.to_json(),
    teacher={"kind": "own", "name": "teacher"},
    control_seed=4,
)
# What format 1 kept, with settings of the training loop that follow from the others.
RECIPE = {
    "student": "tiny-student",
    "transfer": 0.1,
    "precision": "w4a8",
    "benign": ["benign"],
    "temperature": 4.0,
    "hard_weight": 0.25,
    "epochs": 2,
    "batch_rows": 128,
    "seed": 3,
}


def bundle(config: dict[str, Any] | None) -> Bundle:
    """A bundle as far as it matters here."""
    manifest = SimpleNamespace(config=config, benign=("benign",), network={"preset": "small-student"})
    return Bundle(Path("bundle"), manifest, {})  # type: ignore[arg-type]


HOLD_OUT = HoldOut(STORE, bundle(CONFIG.to_json()), MET)


def test_where_auto_was_asked_for_the_student_that_was_taken_is_made_again() -> None:
    auto = replace(CONFIG, distill=replace(CONFIG.distill, student="auto"))
    config, _ = bundle_config(HoldOut(STORE, bundle(auto.to_json()), MET))
    assert config == auto.taking("small-student") and config.distill.student == "small-student"


def test_all_rare_are_those_with_few_training_events_that_the_events_hold() -> None:
    assert families_to_hold_out(["all-rare"], HOLD_OUT) == ["ssti"]  # xxe is as rare, and not met
    assert families_to_hold_out(["sqli", "all-rare", "ssti"], HOLD_OUT) == ["sqli", "ssti"]
    assert families_to_hold_out([], HOLD_OUT) == []


@pytest.mark.parametrize(
    ("family", "where"), [("xxe", "EVENTS"), ("benign", "training events"), ("novel", "training events")]
)
def test_a_family_that_cannot_be_held_out_is_refused(family: str, where: str) -> None:
    with pytest.raises(InputError, match=f"--hold-out {family}: no such attacks in .*{where}.*all-rare or one of sqli"):
        families_to_hold_out([family], HOLD_OUT)


def test_what_is_left_is_everything_else_unlabelled_events_too() -> None:
    left = without_families(event_table({"text": ["a", "b", "c"], "label": ["x", None, "y"]}), ("x",))
    assert left["text"].to_pylist() == ["b", "c"]
    assert families_of(TRAIN)[299:301] == ["benign", "sqli"]


@pytest.mark.parametrize("family", ["../../etc", "..", ".", "", "a/b", "a\x00b", "sqli"])
def test_a_familys_name_leads_nowhere_else(family: str) -> None:
    place = folder_of(STORE, family)
    assert place.parent == Path("evidence") / "held-out"
    assert place.name not in ("", ".", "..") and "\x00" not in place.name


def test_the_bundle_is_made_again_as_it_was_made() -> None:
    found, unknown = bundle_config(HOLD_OUT)
    assert (found, unknown) == (CONFIG, "")
    in_force = replace(CONFIG, quantize=QuantizeConfig("w8a8", "mse"))
    found, unknown = bundle_config(replace(HOLD_OUT, bundle=bundle(in_force.to_json())))
    assert (found, unknown) == (in_force, ""), "the bundle's own, where it was quantized again"
    found, unknown = bundle_config(replace(HOLD_OUT, bundle=bundle(None)))
    assert (found, unknown) == (CONFIG, ""), "else the evidence's"


@pytest.mark.parametrize("format", [1, 2])
def test_what_is_trained_without_a_family_differs_in_nothing_but_the_data(
    format: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from overproof.jobs import compress

    runs: list[compress.CompressRun] = []

    def record(run: compress.CompressRun) -> SimpleNamespace:
        runs.append(run)
        return SimpleNamespace(passed=False, bundle=run.outputs.bundle.with_name("bundle.failed"))

    monkeypatch.setattr(compress, "run_compression", record)
    lines: list[str] = []
    store = replace(STORE, path=tmp_path, config=RECIPE if format == 1 else STORE.config, format=format)
    options = RunOptions(console=Console(say=lines.append, progress=SILENT.progress))
    hold_out = HoldOut(store, bundle(CONFIG.to_json() if format == 2 else None), MET, options)
    train_without("sqli", hold_out, TeacherRetraining("module:teacher"))
    (run,) = runs
    assert replace(run.config, data=CONFIG.data) == (
        CONFIG if format == 2 else replace(bundle_config(hold_out)[0], data=CONFIG.data)
    )
    assert run.config.data == DataConfig(store.events, MET, benign=("benign",), held_out=("sqli",))
    assert any("format 1" in line for line in lines) == (format == 1)
    done = json.loads((folder_of(store, "sqli") / "held-out.json").read_text())
    assert (done["family"], done["bundle"], list(done["absent"])) == ("sqli", "bundle.failed", [FULL])
    assert done["teacher"] == [] and "module:teacher cannot be trained again" in done["absent"][FULL]
    train_without("sqli", hold_out, TeacherRetraining("module:teacher"))
    assert len(runs) == 1, "what is there is not trained again"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"family": ' + '{"a":' * 200 + "1" + "}" * 201, "nests deeper"),
        ("[]", "should be an object"),
        ("{}", "family: Field required"),
        ('{"family": 3}', "family"),
        ('{"family": "a", "more": 1}', "more"),
        ('{"family": "a", "absent": []}', "absent"),
        ('{"family": "a", "absent": {"student": "why"}}', "names models"),
        ('{"family": "a", "teacher": ["/etc"]}', "names models"),
        ('{"family": "a", "teacher": ["teacher/../../x"]}', "names models"),
        ('{"family": "a", "teacher": []}', "neither names a teacher"),
        ('{"family": "a", "bundle": "../../bundle"}', "names models"),
        ('{"family": "a", "bundle": null}', "bundle"),
    ],
)
def test_what_was_held_out_is_read_as_strictly_as_a_manifest(content: str, told: str, tmp_path: Path) -> None:
    place = folder_of(replace(STORE, path=tmp_path), "a")
    place.mkdir(parents=True)
    (place / DONE).write_text(content)
    with pytest.raises(BundleError, match=r"held-out\.json") as refused:
        judge_held_out(HoldOut(replace(STORE, path=tmp_path), bundle(None), MET))
    assert told in str(refused.value) and "\n" not in str(refused.value)


def test_what_was_held_out_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    for done in (
        Done("a"),
        Done("ü\n", {FULL: "why"}, (), "bundle.failed"),
        Done("b", {}, ("teacher-1@0.5", "teacher-2")),
    ):
        done.write(tmp_path)
        assert Done.read(tmp_path / DONE) == done
    (tmp_path / DONE).write_text('{"family": "a", "absent": {}}')  # of a version that kept no more
    assert Done.read(tmp_path / DONE) == Done("a")


@pytest.mark.parametrize("name", [*RECIPE])
@pytest.mark.parametrize("value", [None, [[]], {}])
def test_a_recipe_that_is_none_is_refused(name: str, value: Any) -> None:
    recipe = {key: entry for key, entry in RECIPE.items() if key != name} if value is None else {**RECIPE, name: value}
    try:
        bundle_config(replace(HOLD_OUT, store=replace(STORE, config=recipe, format=1), bundle=bundle(None)))
    except OverproofError as error:
        assert "\n" not in str(error)
    else:
        assert name == "batch_rows"


def test_evidence_of_format_1_says_in_one_line_what_it_does_not_know() -> None:
    former = replace(HOLD_OUT, store=replace(STORE, config=RECIPE, format=1), bundle=bundle(None))
    found, unknown = bundle_config(former)
    assert found.distill == CONFIG.distill and found.seed == CONFIG.seed and found.data.benign == ("benign",)
    assert found.quantize == QuantizeConfig("w4a8")
    assert "format 1" in unknown and "--qat" in unknown and "guards" in unknown and "\n" not in unknown


def test_a_guard_of_a_family_that_is_held_out_stays_unmeasured() -> None:
    from overproof.jobs.compress import _measurable_guards
    from overproof.jobs.compression import CompressRun, Outputs

    lines: list[str] = []
    options = RunOptions(console=Console(say=lines.append, progress=SILENT.progress))
    guards = Guards(max_flips=0.01, max_recall_loss={"sqli": 0.05, "ssti": 0.1})
    config = replace(CONFIG, quantize=replace(CONFIG.quantize, guards=guards))
    splits = SimpleNamespace(train=TRAIN.slice(0, 0), validation=TRAIN.slice(0, 0), benign=("benign",))
    for held_out, expected in (((), guards), (("sqli",), Guards(max_flips=0.01, max_recall_loss={"ssti": 0.1}))):
        splits.test = MET if not held_out else without_families(MET, held_out)
        run = CompressRun(
            replace(config, data=replace(config.data, held_out=held_out)), "t", Outputs(Path("b")), options
        )
        assert _measurable_guards(run, SimpleNamespace(splits=splits)) == expected  # type: ignore[arg-type]
    assert len(lines) == 1 and "--max-recall-loss of sqli" in lines[0]


@pytest.mark.parametrize(
    ("full", "start", "expected"),
    [
        (["hf@2", "own"], "start", ["teacher-1@2", "teacher-2"]),
        (["own", "own@0.5"], None, ["teacher-1", "teacher-2@0.5"]),
        (["own"], None, ["teacher"]),
        ("own", "start", ["teacher"]),
        (["hf", "own"], None, []),
        (["own", "labels:soft.csv"], None, []),
        (object(), None, []),
    ],
)
def test_every_member_of_an_average_is_trained_again_or_none(
    full: Any, start: str | None, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "manifest.json").touch()
    own = SimpleNamespace(config=None, network={"preset": "ngram-student"})
    monkeypatch.setattr(
        "overproof.jobs.retrain_teacher.open_bundle", lambda path: SimpleNamespace(manifest=own, path=Path(path))
    )
    taught: dict[str, Any] = {}
    monkeypatch.setattr("overproof.jobs.teach.run_teaching", lambda plan, out, options: taught.update({out.name: plan}))
    begin = None if start is None else Path(start)
    found = retrain(CONFIG, TeacherRetraining(full, begin, epochs=7), tmp_path / "family", RunOptions())
    assert list(found.members) == expected and bool(found.why_not) == (not expected)
    assert list(taught) == [member.partition("@")[0] for member in expected], "none is trained if one cannot be"
    assert all(plan.data == CONFIG.data and plan.epochs == 7 for plan in taught.values())
    if start is not None:
        assert taught[expected[0].partition("@")[0]].from_checkpoint == Path(start)
    if len(expected) == 2:
        assert taught["teacher-2"].preset == "ngram-student"
