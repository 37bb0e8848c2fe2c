"""The border: what judges events never needs, and never loads, what compressed the model."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv

import overproof
from overproof.bundle.scores import Floats
from overproof.distillation.teachers.interface import TeacherCard
from overproof.errors import MissingExtra
from overproof.events.schema import event_table
from overproof.jobs import compress

COMPRESS_TIME = {"overproof.distillation", "overproof.quantization"}
CHECK_TIME = {"overproof.checks"}  # scipy and no more
JOBS = {"overproof.jobs"}  # each imports what it joins
COMMAND_LINE = {"overproof.cli", "overproof.__main__"}
COMPUTED_LESSON = {"overproof.lesson"}  # by the functions that quantize and distil
FORBIDDEN = {"onnx", "safetensors", "scipy", "sklearn", "threadpoolctl", "torch", "transformers"}
MODULES = {f"overproof.{module.name}" for module in pkgutil.iter_modules(overproof.__path__)}
DEPLOY_TIME = sorted(MODULES - COMPRESS_TIME - CHECK_TIME - JOBS)


def python(code: str, interpreter: str | Path = sys.executable, **options: Any) -> str:
    """What a fresh interpreter prints for some code."""
    done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(code: str, interpreter: str | Path = sys.executable, **options: Any) -> set[str]:
    """The top-level packages a fresh interpreter holds after running some code."""
    told = python(f"import sys, json\n{code}\nprint(json.dumps(list(sys.modules)))", interpreter, **options)
    return {name.partition(".")[0] for name in json.loads(told)}


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = FORBIDDEN | {"numpy", "pyarrow", "onnxruntime", "tokenizers", "typer", "rich", "orjson"}
    assert loaded_by("import overproof") & heavy == set()


def test_the_command_line_answers_without_loading_a_model() -> None:
    heavy = FORBIDDEN | {"numpy", "pyarrow", "onnxruntime", "tokenizers"}
    code = "import typer.testing, overproof.cli as c; typer.testing.CliRunner().invoke(c.app, ['triage', '--help'])"
    assert loaded_by(code) & heavy == set()


@pytest.mark.parametrize(
    "module", [*DEPLOY_TIME, "overproof.jobs.events", "overproof.jobs.triage", "overproof.jobs.serve"]
)
def test_no_deploy_time_module_loads_the_compress_extra(module: str) -> None:
    assert loaded_by(f"import {module}") & FORBIDDEN == set()


def test_checking_a_bundle_loads_scipy_and_no_more() -> None:
    assert loaded_by("import overproof.jobs.check") & FORBIDDEN == {"scipy"}
    assert loaded_by("import overproof.checks.report") & FORBIDDEN == set(), "a check.json is read without"


def test_the_contract_covers_every_deploy_time_module(root: Path) -> None:
    linter = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]
    border = next(contract for contract in linter["contracts"] if contract["name"].startswith("The border"))
    assert sorted(border["source_modules"]) == sorted(set(DEPLOY_TIME) - COMMAND_LINE - COMPUTED_LESSON)
    assert set(border["forbidden_modules"]) == FORBIDDEN | COMPRESS_TIME | CHECK_TIME | JOBS
    checklist = next(contract for contract in linter["contracts"] if contract["name"].startswith("The checks"))
    assert set(checklist["forbidden_modules"]) > (FORBIDDEN | COMPRESS_TIME) - {"scipy"}


def test_frames_are_taken_from_whoever_has_them(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [one for name in extras if name != "dev" for one in (*project["dependencies"], *extras[name])]
    assert not [one for one in asked if one.startswith(("pandas", "polars", "narwhals"))]
    assert [one for one in extras["dev"] if one.startswith("polars")]


def test_the_extra_that_is_named_when_missing_is_the_one_that_is_declared(root: Path) -> None:
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = {requirement.partition(">")[0] for requirement in extras["compress"]}
    assert names - {"scikit-learn"} | {"sklearn"} == overproof._COMPRESS_EXTRA == FORBIDDEN
    assert [requirement.partition(">")[0] for requirement in extras["check"]] == ["scipy"]


def test_telemetry_is_off_before_onnxruntime_is_imported() -> None:
    code = """
import os, sys
class Witness:
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            print(os.environ.get("ORT_DISABLE_TELEMETRY"))
sys.meta_path.insert(0, Witness())
import overproof.bundle.runtime
assert "onnxruntime" in sys.modules or overproof.bundle.runtime.onnxruntime
"""
    clean = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    assert python(code, env=clean) == "1\n"


def test_public_names_are_there_and_typed() -> None:
    assert sorted(overproof._HOMES) == sorted(set(overproof.__all__) - set(vars(overproof)))
    for name in overproof.__all__:
        assert getattr(overproof, name) is not None
        assert name in dir(overproof)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        overproof.nonsense  # noqa: B018


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "overproof.jobs.compress", raising=False)
    monkeypatch.setitem(overproof._HOMES, "teach", "overproof.nowhere")
    with pytest.raises(ModuleNotFoundError, match=r"overproof\.nowhere"):
        _ = overproof.teach
    monkeypatch.setitem(overproof._HOMES, "teach", "torch")
    with pytest.raises(MissingExtra, match=r"teach needs the package torch: pip install 'overproof\[compress\]'"):
        _ = overproof.teach
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(overproof._HOMES, "check", "scipy")
    with pytest.raises(MissingExtra, match=r"check needs the package scipy: pip install 'overproof\[check\]'"):
        _ = overproof.check


@pytest.fixture(scope="module")
def base_only(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a fresh environment's programs: the built wheel and its base dependencies, nothing else."""
    place = tmp_path_factory.mktemp("base")
    pip = [sys.executable, "-m", "pip", "-qq", "--no-input", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "-w", str(place), str(root)]
    subprocess.run([*pip, *build], check=True, timeout=300)
    (wheel,) = place.glob("overproof-*.whl")
    subprocess.run([sys.executable, "-m", "venv", place / "venv"], check=True, timeout=300)
    pip[0] = str(place / "venv" / "bin" / "python")
    locked = ["-c", str(root / "requirements" / "ci.txt")]
    subprocess.run([*pip, "install", *locked, str(wheel)], check=True, timeout=600)
    return place / "venv" / "bin"


@pytest.mark.slow
def test_the_wheel_runs_without_the_compress_extra(base_only: Path, tmp_path: Path) -> None:
    fresh = {"cwd": tmp_path, "env": {"PATH": "/usr/bin:/bin"}}
    absent = "from importlib.util import find_spec; print([n for n in %r if find_spec(n)])" % sorted(FORBIDDEN)  # noqa: UP031
    assert python(absent, base_only / "python", **fresh) == "[]\n"
    where = python("import overproof; print(overproof.__file__)", base_only / "python", **fresh)
    assert where.startswith(str(base_only.parent))
    everything = "\n".join(f"import {module}" for module in DEPLOY_TIME)
    assert loaded_by(everything, base_only / "python", **fresh) & FORBIDDEN == set()


class CountsQuotes:
    """The smallest teacher: an event with quotes is an attack."""

    classes = ("attack", "benign")
    labels_new_events = True
    card = TeacherCard("test", "counts quotes", None, None, "python", None)

    def logits(self, events: pa.Table, report: Any = None) -> Floats:
        quotes = np.array([text.count("'") for text in events["text"].to_pylist()], dtype=np.float32)
        return np.stack([quotes - 1, 1 - quotes], axis=1)


@pytest.mark.slow
def test_a_bundle_gives_the_same_verdicts_where_only_the_wheel_is_installed(
    base_only: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(compress, "TIMING_SECONDS", 0.2)
    texts = [f"id={i}" + "' or ''='" * (i % 2) for i in range(200)]
    events = event_table({"text": texts, "label": ["benign", "attack"] * 100, "group": [str(i) for i in range(200)]})
    options = {"student": "tiny-student", "epochs": 1, "transfer": 0.0, "seed": 1}
    overproof.compress(events, teacher=CountsQuotes(), out=tmp_path / "bundle", **options)
    csv.write_csv(events.select(["text"]), tmp_path / "events.csv")

    def told(interpreter: str | Path, *words: str) -> str:
        done = subprocess.run(
            [interpreter, "-m", "overproof", *words], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    for words in ("triage bundle events.csv", "inspect bundle", "inspect bundle --json", "inspect bundle --layers"):
        assert told(base_only / "python", *words.split()) == told(sys.executable, *words.split())
    verdicts = told(base_only / "python", "triage", "bundle", "events.csv").splitlines()
    assert [json.loads(line)["origin"] for line in verdicts] == [f"events.csv:{i + 2}" for i in range(200)]


@pytest.mark.slow
def test_a_bundle_is_checked_with_scipy_and_no_more(
    base_only: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a full model that is a bundle itself: who was handed the two needs no torch to check them."""

    monkeypatch.setattr(compress, "TIMING_SECONDS", 0.2)
    texts = [f"id={i}" + "' or ''='" * (i % 2) for i in range(200)]
    events = event_table({"text": texts, "label": ["benign", "attack"] * 100, "group": [str(i) for i in range(200)]})
    options = {"student": "tiny-student", "epochs": 1, "transfer": 0.0, "seed": 1}
    full = tmp_path / "full"
    overproof.compress(events, teacher=CountsQuotes(), out=tmp_path / "bundle", keep_fp32=full, **options)
    csv.write_csv(events.select(["text", "label"]), tmp_path / "mine.csv")
    pip = [str(base_only / "python"), "-m", "pip", "-qq", "--no-input", "--disable-pip-version-check"]
    locked = ["-c", str(root / "requirements" / "ci.txt"), "--no-deps", "--target", str(tmp_path / "scipy")]
    subprocess.run([*pip, "install", *locked, "scipy"], check=True, timeout=300)
    words = ["check", "bundle", "mine.csv", "--full", "full", "--cache", "cache", "--attack", "5", "--json"]
    told = []
    for interpreter, path in ((base_only / "python", str(tmp_path / "scipy")), (Path(sys.executable), "")):
        done = subprocess.run(
            [interpreter, "-m", "overproof", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": path},
        )
        assert done.returncode == 1, done.stderr  # gates that need evidence are unmeasured
        told.append({check["key"]: check for check in json.loads(done.stdout)["checks"]})
    without_torch, everything = told
    for key in ("own-data", "calibration", "rare", "held-out", "escalation"):
        assert without_torch[key] == everything[key]
    assert "onnx is not installed" in without_torch["boundary"]["data"]["neighbours"]["unmeasured"]
    assert everything["boundary"]["data"]["neighbours"]["n"] > 0
    exclusive, bypass, _ = without_torch["redteam"]["gates"]
    assert "elementpath is not installed (pip install 'overproof[attack]')" in bypass["message"] + exclusive["message"]
    assert without_torch["redteam"]["gates"][2] == everything["redteam"]["gates"][2]


@pytest.mark.slow
def test_the_wheel_says_which_extra_compress_needs(base_only: Path, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("text,label\na,benign\n")
    words = ["compress", "events.csv", "--teacher", "nowhere", "--out", "bundle"]
    done = subprocess.run([base_only / "overproof", *words], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'overproof[compress]'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_the_wheel_brings_the_lesson_and_its_page(base_only: Path, tmp_path: Path) -> None:
    words = ["lesson", "--html", "lesson.html"]
    done = subprocess.run([base_only / "overproof", *words], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Content-Security-Policy" in (tmp_path / "lesson.html").read_text()
