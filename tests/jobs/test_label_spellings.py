"""Every command that reads labels refuses a class in two spellings: it would train or judge two classes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from overproof.bundle.evidence_store import open_evidence
from overproof.bundle.manifest import open_bundle
from overproof.cli import app
from overproof.events.families import attack_families

MADE = Path(__file__).parents[1] / "compat" / "format1"
FILLER = "alpha beta gamma delta epsilon zeta eta theta iota kappa".split()


def written(path: Path, first: str, second: str, benign: str = "normal") -> Path:
    """Events of two classes; the fortieth has the other spelling."""
    with path.open("w", encoding="utf-8") as file:
        for i in range(120):
            label = benign if i % 2 else (second if i >= 40 else first)
            text = f"GET /{FILLER[i % 10]}/{FILLER[i // 10 % 10]}{'x' * (i % 7)}?id={'1 or 1=1' if i % 2 == 0 else 'a'}"
            file.write(json.dumps({"text": text, "label": label}) + "\n")
    return path


def refused(*words: object) -> str:
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exit_code == 2, result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    return line.removeprefix("error: ")


def commands(events: Path, tmp_path: Path) -> dict[str, tuple[object, ...]]:
    return {
        "compress": ("compress", events, "--out", tmp_path / "out", "--student", "ngram-student"),
        "teach": ("teach", events, "--preset", "ngram-student", "--out", tmp_path / "out"),
        "check": ("check", MADE / "bundle", events, "--evidence", MADE / "evidence"),
        "attack": ("attack", MADE / "bundle", events),
        "quantize": ("quantize", MADE / "fp32", "--calibrate", events, "--out", tmp_path / "out"),
    }


@pytest.mark.parametrize("command", ["compress", "teach", "check", "attack", "quantize"])
@pytest.mark.parametrize("second", ["Malicious", " malicious "])
def test_a_class_in_two_spellings(command: str, second: str, tmp_path: Path) -> None:
    events = written(tmp_path / "events.jsonl", "malicious", second)
    words = commands(events, tmp_path)[command]
    if command == "compress":
        words = (*words, "--teacher", "ngram")
    where = f"{events}:1)" if command in ("compress", "teach") else f"a class of {MADE}"
    assert f"{events}:41: the label {second!r} is another spelling of 'malicious' ({where}" in refused(*words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["compress", "teach", "check", "attack", "quantize"])
def test_a_benign_class_in_another_spelling_is_no_attack(command: str, tmp_path: Path) -> None:
    """Judged by name alone, every such event would count as an attack."""
    events = written(tmp_path / "events.jsonl", "malicious", "malicious", benign="Normal")
    words = commands(events, tmp_path)[command]
    if command == "compress":
        words = (*words, "--teacher", "ngram")
    assert f"{events}:2: the label 'Normal' is another spelling of 'normal' (a " in refused(*words)


def test_test_events_in_another_spelling(tmp_path: Path) -> None:
    events = written(tmp_path / "events.jsonl", "malicious", "malicious")
    test = written(tmp_path / "test.jsonl", "MALICIOUS", "MALICIOUS")
    words = ("teach", events, "--test", test, "--preset", "ngram-student", "--out", tmp_path / "out")
    assert f"{test}:1: the label 'MALICIOUS' is another spelling of 'malicious' ({events}:1)" in refused(*words)


@pytest.mark.parametrize("command", ["compress", "teach", "check", "attack", "quantize"])
def test_a_family_in_two_spellings(command: str, tmp_path: Path) -> None:
    events = written(tmp_path / "events.jsonl", "malicious", "malicious")
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    for number, line in enumerate(lines):
        if line["label"] == "malicious":
            line["family"] = "SQLi" if number < 40 else "sqli"
    events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = commands(events, tmp_path)[command]
    if command == "compress":
        words = (*words, "--teacher", "ngram")
    assert f"{events}:41: the family 'sqli' is another spelling of 'SQLi' ({events}:1)" in refused(*words)


def test_a_family_in_another_spelling_than_was_trained_on(tmp_path: Path) -> None:
    """It would be judged as one that nobody has trained on."""
    (family, *_) = attack_families(open_evidence(MADE / "evidence", open_bundle(MADE / "bundle")).events, ["normal"])
    events = written(tmp_path / "events.jsonl", "malicious", "malicious")
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    lines[0]["family"] = family.upper()
    events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    said = (
        f"{events}:1: the family {family.upper()!r} is another spelling of {family!r} (a family of {MADE / 'evidence'})"
    )
    assert said in refused(*commands(events, tmp_path)["check"])
