"""The commands: signed, verified, and judged with only if it verifies; one line and exit code 2 otherwise."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from overproof.cli import app
from overproof.inference.engines import worker

from .conftest import Holder
from .test_signing import flip

Keys = dict[str, Holder]


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def signed(bundle: Path, keys: Keys) -> Path:
    done = run("sign", bundle, "--key", keys["release"].private)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{bundle}: 4 files, signed with the key of sha256 ")
    return bundle


@pytest.fixture
def events(tmp_path: Path) -> Path:
    (tmp_path / "events.log").write_text("id=1' or 1=1--\nGET /index.html\n")
    return tmp_path / "events.log"


def test_sign_and_verify_say_whose_it_is(signed: Path, keys: Keys) -> None:
    done = run("verify", signed, "--verify-key", keys["release"].public, "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["path"]) == (0, str(signed))
    assert sorted(found["files"]) == ["manifest.json", "model.onnx", "ood.npz", "tokenizer.json"]
    done = run("verify", signed, "--verify-key", keys["other"].public)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_a_bundle_is_verified_whole_not_only_its_signature(signed: Path, keys: Keys) -> None:
    """Signed by a program that does not know bundles, after somebody changed it."""
    from overproof.bundle.signing import sign as signing

    (signed / "model.sig").unlink()
    flip(signed / "model.onnx")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signing, "MANIFEST", "unknown.json")
        signing.sign(signed, signing.SigningKey(keys["release"].private))
    done = run("verify", signed, "--verify-key", keys["release"].public)
    assert done.exit_code == 2 and "model.onnx: changed since the bundle was written" in done.stderr


def test_triage_judges_with_nothing_that_does_not_verify(signed: Path, keys: Keys, events: Path) -> None:
    key = ("--verify-key", keys["release"].public)
    done = run("triage", signed, events, *key)
    assert (done.exit_code, done.stdout.count("\n")) == (0, 2)
    assert done.stderr.startswith(f"{signed}: signed with the key of sha256 ")
    assert run("triage", signed, events, "--verify-key", keys["other"].public).exit_code == 2
    (signed / "model.sig").unlink()
    done = run("triage", signed, events, *key)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {signed}: is not signed, expected a signature at ")


def test_a_signature_that_nobody_verifies_is_told_and_breaks_nothing(signed: Path, events: Path) -> None:
    done = run("triage", signed, events)
    assert done.exit_code == 0
    assert done.stderr.startswith(f"{signed}: model.sig is not verified, expected --verify-key or ")
    assert run("inspect", signed).exit_code == 0


def test_workers_use_the_bundle_that_was_verified(
    signed: Path, keys: Keys, events: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each opens the folder again: one that was put in its place meanwhile is refused, whole as it may be."""
    from dataclasses import replace

    from overproof.bundle.manifest import open_bundle, write_bundle

    opened = open_bundle(signed)
    start = worker.start

    def swap_and_start(*words: Any) -> Any:
        write_bundle(signed, replace(opened.manifest, seed=7), opened.files)
        return start(*words)

    monkeypatch.setattr("overproof.inference.engines.processes.start", swap_and_start)
    done = run("triage", signed, events, "--workers", 2, "--verify-key", keys["release"].public)
    assert done.exit_code == 2
    assert "another bundle than the one that was opened at first" in done.stderr


def test_no_command_uses_a_bundle_that_does_not_verify(signed: Path, keys: Keys, events: Path, tmp_path: Path) -> None:
    """Whole as it is: another key signed it."""
    labelled = tmp_path / "labelled.csv"
    labelled.write_text("text,label\nid=1,benign\nid=1' or 1=1--,sqli\n")
    index = tmp_path / "known.index"
    key, other = ("--verify-key", keys["release"].public), ("--verify-key", keys["other"].public)
    assert run("index", signed, labelled, "--out", index, *key).exit_code == 0
    assert run("similar", signed, index, "id=1", *key).exit_code == 0
    assert run("inspect", signed, *key).exit_code == 0
    commands = [
        ("check", signed, labelled),
        ("attack", signed, labelled),
        ("triage", signed, events),
        ("serve", signed, "--port", 0),
        ("index", signed, labelled, "--out", tmp_path / "other.index"),
        ("similar", signed, index, "id=1"),
        ("inspect", signed),
    ]
    for words in commands:
        done = run(*words, *other)
        assert (done.exit_code, done.stdout) == (2, ""), words
        assert f"{signed / 'model.sig'}: does not verify: made with another key than" in done.stderr, words


def test_evidence_and_what_a_check_wrote_are_signed_as_they_are(tmp_path: Path, keys: Keys, root: Path) -> None:
    evidence = tmp_path / "evidence"
    (evidence / "control").mkdir(parents=True)
    shutil.copy(root / "tests" / "compat" / "format1" / "bundle" / "model.onnx", evidence / "control")
    (evidence / "evidence.json").write_text("{}")
    for target in (evidence, evidence / "evidence.json"):
        assert run("sign", target, "--key", keys["release"].private, "--signature", tmp_path / "s").exit_code == 0
        words = ("--verify-key", keys["release"].public, "--signature", tmp_path / "s")
        assert run("verify", target, *words).exit_code == 0
    flip(evidence / "control" / "model.onnx")
    assert run("sign", evidence / "evidence.json", "--key", keys["release"].private).exit_code == 0
    assert run("verify", evidence, *words).exit_code == 2
