"""The configuration of a job: what is stored comes back, and what cannot be used is refused in one sentence."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from overproof.bundle.manifest import Bundle
from overproof.distillation.students.presets import TransferShares
from overproof.errors import BundleError, InputError
from overproof.events.schema import event_table
from overproof.events.sources import Columns
from overproof.jobs.config import (
    CheckConfig,
    CheckSettings,
    CompressConfig,
    DataConfig,
    DistillConfig,
    QuantizeConfig,
    QuantizeJobConfig,
    TeachConfig,
    stored_config,
)
from overproof.jobs.config_json import TableReference
from overproof.quantization.guards import Guards

DATA = DataConfig(("train.csv",), ("test.csv",), ("pool.jsonl",), Columns(text="payload"), ("fine",), ("sqli",))
QUANTIZE = QuantizeConfig("w4a8", "mse", Guards(0.001, 0.01, {"xss": 0.02}), qat=True)
DISTILL = DistillConfig("tiny-student", 4.0, 0.0, 3, 0.25, 0.5, 0.125, 1000, ("installed", "src"), "disagreement")
CONFIGS = [
    CompressConfig(DATA, DISTILL, QUANTIZE, CheckSettings(0.02), seed=7),
    CompressConfig(DataConfig(("a.csv",))),
    TeachConfig(DATA, "tiny-student", None, 2, 9),
    TeachConfig(DATA, from_checkpoint=Path("MiniLM")),
    QuantizeJobConfig(("a.csv", "b.csv"), ("t.csv",), Columns(), ("fine",), QUANTIZE, ("teacher@2",), 3),
    QuantizeJobConfig(("a.csv",)),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_what_is_stored_comes_back(config: Any) -> None:
    stored = json.loads(json.dumps(config.to_json(), allow_nan=False))
    assert stored_config(stored, "manifest.json") == config
    assert type(config).from_json(stored, "manifest.json").to_json() == config.to_json()
    assert stored_config(None, "manifest.json") is None


def test_the_configuration_of_a_check_comes_back() -> None:
    config = CheckConfig(("mine.csv",), Columns(label="y"), Path("gates.toml"), ("sqli",), Path("m"), 2, 1e6, 0.1, 0.01)
    assert CheckConfig.from_json(json.loads(json.dumps(config.to_json())), "x") == config


def test_a_table_is_remembered_by_its_rows() -> None:
    table = event_table({"text": ["a", "b"], "label": ["x", "y"]})
    stored = CompressConfig(DataConfig(table, test=table)).to_json()
    read = CompressConfig.from_json(stored, "x")
    assert read.data.events == read.data.test == TableReference(2)
    assert read.to_json() == stored


def _with(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda stored: {**stored, **changes}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda stored: {k: v for k, v in stored.items() if k != "seed"}, r"manifest\.json: no entry seed; expected"),
        (_with(speed=1), r"manifest\.json: unknown entry speed; expected data, distill, quantize, check, seed"),
        (_with(quantize={"precision": "w8a8"}), r"manifest\.json: quantize: no entry observer, guards, qat; expected"),
        (_with(distill=None), r"manifest\.json: distill: expected a JSON object"),
        (_with(check={"margin": 2}), r"manifest\.json: check: --margin 2: expected a share"),
        (_with(check={"margin": "much"}), r"manifest\.json: check: "),
        (_with(job="dance"), r"manifest\.json: configuration of the job 'dance', expected one of compress, teach"),
    ],
)
def test_a_stored_configuration_that_was_spoiled_is_refused_in_one_line(spoil: Any, message: str) -> None:
    with pytest.raises(BundleError, match=message) as caught:
        stored_config(spoil(CONFIGS[0].to_json()), "manifest.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DistillConfig("huge"), "no preset 'huge': expected one of tutorial-teacher"),
        (lambda: DistillConfig(temperature=0), "temperature is 0: expected a number above 0"),
        (lambda: DistillConfig(hard_weight=1.5), "hard_weight is 1.5: expected a number from 0 to 1"),
        (lambda: DistillConfig(epochs=0), "epochs is 0: expected 1 or more"),
        (lambda: DistillConfig(transfer=-1), "transfer is -1: expected 0 or more"),
        (lambda: DistillConfig(consistency=math.nan), "consistency is nan: expected 0 or more"),
        (lambda: DistillConfig(joined=math.inf), "joined is inf: expected 0 or more"),
        (lambda: DistillConfig(pool=9, pool_choice="best"), "--pool-choice best: expected random or disagreement"),
        (lambda: DistillConfig(pool_choice="disagreement"), "--pool-choice disagreement: there is nothing to choose"),
        (lambda: DistillConfig(pool=-1), "--pool -1: expected 0 or more snippets"),
        (lambda: DistillConfig(pool_from=("src",)), "--pool-from src: nothing is drawn from it without --pool N"),
        (
            lambda: DistillConfig(pool=1, pool_from=()),
            "--pool-from names nothing: expected files, folders or 'installed'",
        ),
        (lambda: QuantizeConfig("int8"), "precision 'int8': expected one of w8a8, w4a8, w4a32"),
        (lambda: QuantizeConfig("w4a32", qat=True), "precision 'w4a32' with --qat: expected one of w8a8, w4a8"),
        (lambda: QuantizeConfig(observer="mean"), "observer 'mean': expected one of minmax"),
        (lambda: CheckSettings(0.0), "--margin 0.0: expected a share between 0 and 1, such as 0.005"),
        (lambda: TeachConfig(DATA, "huge"), "no preset 'huge'"),
        (lambda: TeachConfig(DATA, epochs=0), "epochs is 0: expected 1 or more"),
        (lambda: CheckConfig((), prevalence=2.0), "--prevalence 2.0: expected a share from 0 to 1"),
        (lambda: CheckConfig((), budget=-0.1), "--budget -0.1: expected a share from 0 to 1"),
        (lambda: CheckConfig((), events_per_day=0), "--events-per-day 0: expected a number above 0"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_where_it_is_made(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_defaults_can_be_read_without_anything_heavy() -> None:
    heavy = ("numpy", "pyarrow", "torch", "onnx", "onnxruntime", "scipy")
    code = f"import sys, overproof.jobs.config; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _bundle(config: Any) -> Bundle:
    return Bundle(Path("bundle"), SimpleNamespace(config=config), {})  # type: ignore[arg-type]


def test_a_student_that_is_quantized_again_holds_the_settings_in_force() -> None:
    from overproof.jobs.quantize import config_in_force

    again = QuantizeJobConfig(("a.csv",), quantize=QuantizeConfig("w4a8", "mse", Guards(max_kl=0.5)), seed=9)
    own = CONFIGS[0]
    assert isinstance(own, CompressConfig)
    stored = config_in_force(_bundle(own.to_json()), again)
    assert stored_config(stored, "x") == replace(own, quantize=again.quantize)
    for origin in (None, TeachConfig(DATA).to_json()):
        assert stored_config(config_in_force(_bundle(origin), again), "x") == again


@pytest.mark.parametrize(
    ("student", "asked", "shares"),
    [
        ("tutorial-student", {}, TransferShares(0.5, 0.0, 0.0)),
        ("ngram-student", {}, TransferShares(0.0, 0.0, 0.0)),
        ("hybrid-student", {}, TransferShares(0.0, 0.3, 0.05)),
        ("auto", {}, TransferShares(0.0, 0.0, 0.0)),
        ("ngram-student", {"transfer": 0.25, "joined": 0.5}, TransferShares(0.25, 0.0, 0.5)),
        ("hybrid-student", {"consistency": 0}, TransferShares(0.0, 0, 0.05)),
        ("tutorial-student", {"transfer": 0}, TransferShares(0, 0.0, 0.0)),
    ],
)
def test_what_is_learned_from_besides_hangs_on_the_student_unless_it_is_asked_for(
    student: str, asked: dict[str, float], shares: TransferShares
) -> None:
    assert DistillConfig(student, **asked).shares == shares  # type: ignore[arg-type]
