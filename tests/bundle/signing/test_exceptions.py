"""Exceptions by the commands: written, signed, listed; refused where they are not what was signed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from overproof.cli import app
from overproof.jobs.deploy_config import ServeConfig

from .conftest import Holder

Keys = dict[str, Holder]
SOON = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
RULE = ("--add", "scan", "--who", "J. Doe", "--why", "ticket 4711", "--until", SOON, "--source", "192.0.2.7")


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def events(tmp_path: Path) -> Path:
    rows = ({"text": f"id={i} select", "src_ip": "192.0.2.7"} for i in range(50))
    (tmp_path / "events.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return tmp_path / "events.jsonl"


@pytest.fixture
def rules(tmp_path: Path, keys: Keys) -> Path:
    file = tmp_path / "rules.toml"
    done = run("exceptions", file, *RULE, "--key", keys["release"].private)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "1 rules, signed with the key of sha256 " in done.stdout
    return file


@pytest.fixture
def signed(bundle: Path, keys: Keys) -> Path:
    assert run("sign", bundle, "--key", keys["release"].private).exit_code == 0
    return bundle


def test_a_file_of_rules_is_verified_and_listed(rules: Path, keys: Keys) -> None:
    done = run("exceptions", rules, "--verify-key", keys["release"].public, "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["rules"][0]["name"], found["rules"][0]["expired"]) == (0, "scan", False)
    assert found["signer"].startswith("key of sha256 ")
    assert "silences  source 192.0.2.7" in run("exceptions", rules).stdout
    assert "not verified, expected --verify-key" in run("exceptions", rules).stderr
    done = run("verify", rules, "--verify-key", keys["release"].public)  # as any other file that is signed
    assert done.exit_code == 0


def test_triage_takes_rules_that_are_signed(signed: Path, rules: Path, events: Path, keys: Keys) -> None:
    done = run("triage", signed, events, "--exceptions", rules, "--verify-key", keys["release"].public)
    assert done.exit_code == 0
    assert f"{rules}: 1 exceptions, signed with the key of sha256 " in done.stderr
    attacks = [v for v in map(json.loads, done.stdout.splitlines()) if v["label"] != "benign"]
    assert attacks and all(v.get("excepted") == "scan" for v in attacks if v["status"] == "decided")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("unsigned", "is not signed, expected a signature at"),
        ("changed", "not the file that was signed"),
        ("added to", "is not signed, expected a signature at"),
        ("by another", "made with another key"),
    ],
)
def test_rules_that_are_not_what_was_signed_are_refused(
    signed: Path, rules: Path, events: Path, keys: Keys, how: str, message: str
) -> None:
    if how == "unsigned":
        rules.with_name("rules.toml.sig").unlink()
    elif how == "changed":
        rules.write_text(rules.read_text().replace("192.0.2.7", "192.0.2.8"))
    elif how == "added to":
        assert run("exceptions", rules, *RULE[:1], "more", *RULE[2:]).exit_code == 0
    else:
        assert run("exceptions", rules, "--key", keys["other"].private).exit_code == 0
    for command in (
        ("triage", signed, events, "--exceptions", rules),
        ("serve", signed, "--port", "0", "--exceptions", rules),
        ("exceptions", rules),
    ):
        done = run(*command, "--verify-key", keys["release"].public)
        assert (done.exit_code, done.stdout) == (2, ""), command
        assert message in done.stderr.splitlines()[-1], command


def test_rules_that_nobody_verifies_are_used_and_it_is_said(bundle: Path, rules: Path, events: Path) -> None:
    done = run("triage", bundle, events, "--exceptions", rules)
    assert done.exit_code == 0
    assert f"{rules}: 1 exceptions, not verified, expected --verify-key or --verify-certificates" in done.stderr


def test_an_expired_rule_is_said_and_silences_nothing(bundle: Path, rules: Path, events: Path) -> None:
    rules.write_text(rules.read_text().replace(SOON, "2020-01-01"))
    done = run("triage", bundle, events, "--exceptions", rules)
    assert done.exit_code == 0 and "excepted" not in done.stdout
    assert "the rule scan expired on 2020-01-02T00:00:00+00:00" in done.stderr.splitlines()[0]
    assert "EXPIRED" in run("exceptions", rules).stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--who", "J. Doe"), "--who: expected --add NAME with it"),
        (("--password-file", "p"), "expected --key with it"),
        (("--key", "k", "--verify-key", "k"), "expected without --add and --key"),
        (("--add", "x", "--who", "J. Doe"), "--add: expected --why with it"),
        ((), "No such file or directory, expected a file of rules"),
    ],
    ids=["a rule without a name", "no key", "sign and verify", "says too little", "no file"],
)
def test_options_that_do_not_go_together(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    done = run("exceptions", tmp_path / "none.toml", *words)
    assert (done.exit_code, done.stdout) == (2, "") and message in done.stderr


def test_the_service_is_told_the_rules(rules: Path, monkeypatch: pytest.MonkeyPatch, bundle: Path) -> None:
    """In the line with its address, which is the first; source and path are not known of a text."""
    from overproof.jobs import serve

    seen: dict[str, Any] = {}
    monkeypatch.setattr(serve, "answer", lambda opened, *_, **__: seen.update(cascade=opened()))
    serve.serve(ServeConfig(bundle, exceptions=rules))
    assert [rule.name for rule in seen["cascade"].exceptions] == ["scan"]
    assert "1 exceptions, not verified" in seen["cascade"].about
    assert "1 are of a source or a path, which a text does not tell" in seen["cascade"].about
