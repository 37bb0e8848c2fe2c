"""A checkpoint where a bundle is expected: the message says which command makes one of it, and that command does."""

from __future__ import annotations

import random
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from typer.testing import CliRunner

from overproof.cli import app
from overproof.distillation.teachers import load_teacher
from overproof.events.schema import event_table

from .conftest import WORDS
from .test_huggingface import CLASSES, save_bert

COMMAND = re.compile(r"`overproof (compress EVENTS --teacher .* --out .*)` makes of it; the events need no labels")


@pytest.fixture
def checkpoint(tmp_path: Path, wordpiece: Callable[[Path], None]) -> Path:
    return save_bert(tmp_path / "my model", wordpiece, CLASSES)


@pytest.fixture
def events(tmp_path: Path) -> Path:
    drawn = random.Random(0)
    lines = {" ".join(drawn.choices([word for word in WORDS if word.isalpha()], k=6)) for _ in range(400)}
    path = tmp_path / "events.txt"
    path.write_text("".join(f"{line}\n" for line in sorted(lines)))
    return path


def even_out(checkpoint: Path, texts: list[str]) -> None:
    """Move the class scores of an untrained model so that it does not say the same of everything."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(checkpoint)
    logits = load_teacher([str(checkpoint)]).logits(event_table({"text": texts}))
    model.classifier.bias.data -= torch.from_numpy(np.median(logits, axis=0))
    model.save_pretrained(checkpoint)


def said(*words: str | Path) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    return line


@pytest.mark.parametrize("command", ["triage", "quantize", "check", "serve", "inspect"])
def test_it_is_called_what_it_is(command: str, checkpoint: Path, events: Path, tmp_path: Path) -> None:
    further = {
        "triage": [events],
        "check": [events, "--full", checkpoint],
        "quantize": ["--calibrate", events, "--out", tmp_path / "out"],
    }
    line = said(command, checkpoint, *further.get(command, []))
    assert line.startswith(
        f"error: {checkpoint}: a Hugging Face checkpoint, expected a bundle, which `overproof compress"
    )
    assert COMMAND.search(line)


def test_another_folder_is_none(tmp_path: Path) -> None:
    assert said("inspect", tmp_path) == (
        f"error: {tmp_path}: no manifest.json, expected a bundle (what overproof compress writes)"
    )


@pytest.mark.slow
def test_the_command_that_it_names_makes_a_bundle(
    checkpoint: Path, events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overproof.jobs.compress.TIMING_SECONDS", 0.2)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    even_out(checkpoint, events.read_text().splitlines())
    match = COMMAND.search(said("triage", checkpoint, events))
    assert match is not None
    words = [str(events) if word == "EVENTS" else word for word in shlex.split(match[1])]
    quick = ["--student", "tiny-student", "--epochs", "1", "--transfer", "0"]
    made = CliRunner().invoke(app, [*words, *quick])
    assert made.exit_code == 0, made.output
    judged = CliRunner().invoke(app, ["triage", words[-1], str(events)])
    assert judged.exit_code == 0, judged.output
    assert judged.stdout.count('"label":') >= 300
