"""Events without labels and a teacher alone: agreement is what is reported, and nothing is said to be right."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import overproof
from overproof.bundle.manifest import open_bundle
from overproof.bundle.model_names import BASELINE, DISTILLED, FULL, QUANTIZED
from overproof.bundle.scores import Floats
from overproof.cli import app
from overproof.distillation.teachers import TeacherCard
from overproof.errors import InputError
from overproof.events.schema import event_table
from overproof.jobs.unlabelled import labelled_by_teacher
from overproof.progress import SILENT

TEXTS = [f"page {i * 7919} of {i * 104729}" + " or ''='" * (i % 2) for i in range(300)]


class CountsQuotes:
    """The smallest teacher: an event with quotes is an attack."""

    classes = ("attack", "benign")
    labels_new_events = True
    card = TeacherCard("test", "counts quotes", None, None, "python", "counts quotes")

    def logits(self, events: pa.Table, report: Any = None) -> Floats:
        quotes = np.array([text.count("'") for text in events["text"].to_pylist()], dtype=np.float32)
        return np.stack([quotes - 1, 1 - quotes], axis=1)


def unlabelled(texts: list[str]) -> pa.Table:
    return event_table({"text": texts, "group": [str(i) for i in range(len(texts))]})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[overproof.Report, Path, list[str]]:
    folder, said = tmp_path_factory.mktemp("unlabelled"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("overproof.jobs.compress.TIMING_SECONDS", 0.2)
        report = overproof.compress(
            unlabelled(TEXTS),
            teacher=CountsQuotes(),
            out=folder / "bundle",
            evidence=folder / "evidence",
            student="tiny-student",
            epochs=2,
            transfer=0.0,
            cache=folder / "cache",
            console=replace(SILENT, say=said.append),
        )
    return report, folder, said


@pytest.mark.slow
def test_agreement_is_measured_and_nothing_else(made: tuple[overproof.Report, Path, list[str]]) -> None:
    report, _, said = made
    assert any(
        line.startswith("none of the 300 events has a label: they are labelled by counts quotes") for line in said
    )
    for name in (FULL, DISTILLED, QUANTIZED, BASELINE):
        metrics = report.comparison.row(name).metrics  # type: ignore[union-attr]
        assert metrics is not None and metrics.agreement is not None
        assert (metrics.accuracy, metrics.macro_f1, metrics.fn_rate, metrics.fp_rate) == (None, None, None, None)
        assert metrics.families == {}
    text = " ".join(report.render().split())
    unknown = "no event has a label of its own: agreement with counts quotes is all that is known"
    assert f"accuracy, macro-F1, FN, FP ({unknown})" in text
    assert f"({unknown}; trained on the verdicts of counts quotes)" in text
    assert "Labels by teacher counts quotes: how often they are right is not known." in text


@pytest.mark.slow
def test_the_bundle_says_whose_its_labels_were(made: tuple[overproof.Report, Path, list[str]]) -> None:
    _, folder, _ = made
    assert open_bundle(folder / "bundle").manifest.data["labelled_by"] == ["teacher counts quotes"]
    measured = "agreement with counts quotes is all that is known"
    said = "labels by teacher counts quotes: how often they are right is not known"
    for option, sentence in (("--details", measured), ("--json", measured), (None, said)):
        result = CliRunner().invoke(app, ["inspect", str(folder / "bundle"), *filter(None, [option])])
        assert result.exit_code == 0, result.output
        assert sentence in " ".join(result.output.split())


@pytest.mark.slow
def test_the_check_says_what_it_cannot_know(made: tuple[overproof.Report, Path, list[str]], tmp_path: Path) -> None:
    _, folder, _ = made
    mine = unlabelled([f"{text} mine" for text in TEXTS])
    done = overproof.check(
        folder / "bundle", mine, full=CountsQuotes(), evidence=folder / "evidence", out=tmp_path / "proof", attack=0
    )
    assert done.decision == "do not deploy"
    written = json.loads((tmp_path / "proof" / "check.json").read_text())
    assert any(
        note.startswith("The bundle learned labels of teacher counts quotes, not of anybody who looked")
        for note in written["notes"]
    )
    reasons = json.dumps(written)
    assert "The events do not hold both attacks and benign events with labels" in reasons
    assert "no event has a label" in reasons


def refused(**options: Any) -> str:
    with pytest.raises(InputError) as error:
        overproof.compress(**options)
    return str(error.value)


def test_a_teacher_that_learns_from_labels_cannot_give_them(tmp_path: Path) -> None:
    said = refused(events=unlabelled(TEXTS), teacher=["ngram@2"], out=tmp_path / "bundle")
    assert said == (
        "--teacher ngram: is trained on labels, and none of the 300 events has one; expected a teacher that is "
        "trained, or labels (see --label)"
    )


def test_a_teacher_that_says_the_same_of_all(tmp_path: Path) -> None:
    plain = unlabelled([text for text in TEXTS if "'" not in text])
    said = refused(events=plain, teacher=CountsQuotes(), out=tmp_path / "bundle", cache=tmp_path / "cache")
    assert said == (
        "none of the 150 events has a label, and counts quotes calls all of them benign: expected events of two labels "
        "at least"
    )


def test_teach_says_that_there_are_no_labels(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        overproof.teach(unlabelled(TEXTS), out=tmp_path / "teacher")
    assert str(error.value) == (
        "none of the 300 events has a label (see --label): expected labels, or `overproof compress` with a teacher "
        "that needs none; `overproof events` labels by alerts, or by a teacher"
    )


def test_of_some_labels_the_count_is_of_those(tmp_path: Path) -> None:
    labels = ["attack", "benign", *[None] * 298]
    events = event_table({"text": TEXTS, "label": labels})
    said = refused(events=events, teacher=CountsQuotes(), out=tmp_path / "bundle")
    assert said.startswith("2 events with a label, of 300 events, of 2 templates, are too few to hold some out")


def test_labels_of_alerts_are_told_in_the_manifest() -> None:
    from overproof.distillation.dataset import EventTables, split_dataset

    labels = ["attack" if "'" in text else "benign" for text in TEXTS]
    by = ["suricata alert" if "'" in text else None for text in TEXTS]
    splits = split_dataset(EventTables(event_table({"text": TEXTS, "label": labels, "labelled_by": by})), ("benign",))
    assert splits.describe()["labelled_by"] == ["suricata alert"]
    own = split_dataset(EventTables(event_table({"text": TEXTS, "label": labels})), ("benign",))
    assert "labelled_by" not in own.describe()


def test_it_is_the_teachers_verdicts_that_become_labels(tmp_path: Path) -> None:
    from overproof.distillation.dataset import EventTables

    run = run_of(tmp_path, [])
    tables, teacher = labelled_by_teacher(run, EventTables(unlabelled(TEXTS), unlabelled(TEXTS[:9])))
    assert tables.events["label"].to_pylist() == ["benign", "attack"] * 150
    assert tables.test is not None and tables.test["label"].to_pylist() == (["benign", "attack"] * 5)[:9]
    assert teacher is run.teacher
    assert tables.labelled_by == "teacher counts quotes"


def run_of(tmp_path: Path, said: list[str]) -> Any:
    from overproof.jobs.compression import CompressRun, Outputs
    from overproof.jobs.config import CompressConfig, DataConfig, RunOptions

    options = RunOptions(cache=tmp_path / "cache", console=replace(SILENT, say=said.append))
    config = CompressConfig(DataConfig(unlabelled(TEXTS)))
    return CompressRun(config, CountsQuotes(), Outputs(tmp_path / "bundle"), options)


def test_test_events_with_labels_keep_them_and_are_measured_by_them(tmp_path: Path) -> None:
    from overproof.distillation.dataset import EventTables, split_dataset

    said: list[str] = []
    test = event_table({"text": TEXTS[:9], "label": ["attack", *["benign"] * 8]})
    tables, _ = labelled_by_teacher(run_of(tmp_path, said), EventTables(unlabelled(TEXTS), test))
    splits = split_dataset(tables, ("benign",))
    assert splits.test["label"].to_pylist() == ["attack", *["benign"] * 8]
    assert (splits.truth_known, splits.labelled_by) == (True, "teacher counts quotes")
    assert splits.describe()["labelled_by"] == ["teacher counts quotes"]
    assert said[-1].endswith("labelled by counts quotes, and the test events are measured by their own labels")
    alone, _ = labelled_by_teacher(run_of(tmp_path, said), EventTables(unlabelled(TEXTS), unlabelled(TEXTS[:9])))
    assert not split_dataset(alone, ("benign",)).truth_known
