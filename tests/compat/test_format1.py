"""What version 0.1.0 wrote is still read, or refused in one line that says what to do; never read as something else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import overproof

OLD = Path(__file__).parent / "format1"
BUNDLE, FP32, EVIDENCE, CHECK = OLD / "bundle", OLD / "fp32", OLD / "evidence", OLD / "check.json"
EVENTS, INDEX = OLD / "events.jsonl", OLD / "known.index"


def lines(text: str) -> list[dict[str, Any]]:
    """JSON lines, parsed."""
    return [json.loads(line) for line in text.splitlines()]


def stored(name: str) -> list[dict[str, Any]]:
    """What was stored in a file of JSON lines."""
    return lines((OLD / name).read_text("utf-8"))


# What was stored is of a processor with AVX-512. Without it floats are added in another order, and of one event, the
# longest, a value between two steps of INT8 falls to the other: these are its verdicts there.
AVX512 = "avx512f" in Path("/proc/cpuinfo").read_text()
WITHOUT = {
    "attack": 0.9594970,
    "probabilities": {"malicious": 0.9556926, "normal": 0.0405030, "suspicious": 0.0038044},
}


def on_this_processor(verdicts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The stored verdicts of the student, that of the longest event as this processor gives it."""
    *others, longest = verdicts
    return verdicts if AVX512 else [*others, longest | {key: WITHOUT[key] for key in WITHOUT if key in longest}]


TEXTS = [event["text"] for event in stored("events.jsonl")]
VERDICTS = on_this_processor(stored("verdicts.jsonl"))


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    def refused(self, *named: Path) -> bool:
        """Whether it was refused as it must be: code 2, one line that names one of these and says what to do."""
        assert "Traceback" not in self.err + self.out
        if self.code != 2:
            return False
        assert self.out == ""
        assert len(self.err.splitlines()) == 1 and self.err.startswith("error: "), self.err
        assert any(str(path) in self.err for path in named), self.err
        assert re.search(r"overproof \w+|again|expected", self.err), self.err
        return True


def run(folder: Path, *words: str | Path) -> Ran:
    """`python -m overproof` in a folder; what it caches stays there too."""
    command = [sys.executable, "-m", "overproof", *map(str, words)]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("name", ["bundle", "fp32", "evidence/distilled", "evidence/control"])
def test_an_old_bundle_opens(name: str) -> None:
    verdicts = overproof.open(OLD / name).judge(TEXTS)
    assert len(verdicts) == len(TEXTS)


def label_of(known: dict[str, Any]) -> str:
    """What is said now of what was found then: the label was the likeliest class (decision 024)."""
    shares = known["probabilities"]
    assert known["label"] == max(shares, key=shares.__getitem__)
    attacks = {name: share for name, share in shares.items() if name != "normal"}
    return max(attacks, key=attacks.__getitem__) if known["attack"] > 0.5 else "normal"


def test_an_old_bundle_judges_as_it_did() -> None:
    verdicts = overproof.open(BUNDLE).judge(TEXTS)
    assert [verdict.label for verdict in verdicts] == [label_of(known) for known in VERDICTS]
    assert [verdict.windows for verdict in verdicts] == [known["windows"] for known in VERDICTS]
    for verdict, known in zip(verdicts, VERDICTS, strict=True):
        assert verdict.probabilities == pytest.approx(known["probabilities"], abs=1e-4)
        assert verdict.attack == pytest.approx(known["attack"], abs=1e-4)


def test_an_old_bundle_scores_alone_as_among_others() -> None:
    scorer = overproof.open(BUNDLE)
    together = scorer.score(TEXTS).logits
    assert np.array_equal(scorer.score(TEXTS[:1]).logits, together[:1])
    assert len({verdict["label"] for verdict in VERDICTS}) == 3, "the stored events are not all alike"


@pytest.mark.parametrize("name", ["bundle", "fp32"])
def test_inspect_reads_an_old_bundle(name: str, tmp_path: Path) -> None:
    told = run(tmp_path, "inspect", OLD / name, "--json")
    assert (told.code, told.err) == (0, "")
    manifest = json.loads((OLD / name / "manifest.json").read_text("utf-8"))
    assert json.loads(told.out)["manifest"]["classes"] == manifest["classes"]
    assert manifest["files"]["model.onnx"]["sha256"] in told.out and '"0.1.0"' in told.out
    plain = run(tmp_path, "inspect", OLD / name)
    assert plain.code == 0 and plain.out


@pytest.mark.parametrize("option", ["--layers", "--sensitivity"])
def test_inspect_reads_what_quantization_did_or_refuses(option: str, tmp_path: Path) -> None:
    told = run(tmp_path, "inspect", BUNDLE, option, "--json")
    if not told.refused(BUNDLE):
        assert told.code == 0 and json.loads(told.out)


def test_triage_gives_the_old_verdicts(tmp_path: Path) -> None:
    told = run(tmp_path, "triage", BUNDLE, EVENTS)
    assert told.code == 0 and "Traceback" not in told.err
    assert_same_verdicts(told, on_this_processor(stored("triage.jsonl")))


def test_triage_by_an_old_check_gives_the_old_verdicts_or_refuses(tmp_path: Path) -> None:
    told = run(tmp_path, "triage", BUNDLE, EVENTS, "--full", FP32, "--check", CHECK, "--max-escalations", "50%")
    if not told.refused(CHECK):
        assert told.code == 0
        assert_same_verdicts(told, stored("triage-check.jsonl"))


def assert_same_verdicts(told: Ran, known: list[dict[str, Any]]) -> None:
    """Final labels, who decided, and attack probabilities are those that were stored."""
    verdicts = lines(told.out)
    assert [Path(verdict["origin"]).name for verdict in verdicts] == [one["origin"] for one in known]
    for verdict, one in zip(verdicts, known, strict=True):
        if one["label"] == "normal" and one["attack"] > 0.5:  # what is said of these now: see `label_of`
            assert verdict["label"] in ("malicious", "suspicious")
            assert (verdict["status"], verdict["decided_by"]) == ("abstained", "nobody"), "it is less sure which"
        else:
            assert all(verdict[key] == one[key] for key in ("label", "status", "decided_by"))
    attack = [[row["attack"] for row in rows] for rows in (verdicts, known)]
    assert attack[0] == pytest.approx(attack[1], abs=1e-4)


# The teacher of 0.1.0 is not kept, and its student before quantization is no full model to check against.
FULL_MODEL = """
import numpy as np

class Full:
    classes_ = ["malicious", "normal", "suspicious"]

    def predict_proba(self, texts):
        bad = np.array([0.9 if "../" in text or "reg save" in text or "jndi" in text else 0.1 for text in texts])
        return np.column_stack([bad, 0.95 - bad, np.full(len(texts), 0.05)])

full = Full()
"""


@pytest.fixture
def full_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A full model that can be imported where the commands run."""
    (tmp_path / "stand_in_of_0_1_0.py").write_text(FULL_MODEL)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "stand_in_of_0_1_0:full"


@pytest.mark.slow
@pytest.mark.parametrize("with_full", [False, True])
def test_check_reads_old_evidence_or_refuses(with_full: bool, full_model: str, tmp_path: Path) -> None:
    full = ["--full", full_model] if with_full else []
    options = ["--evidence", EVIDENCE, "--out", "proof", "--attack", "0", "--json"]
    told = run(tmp_path, "check", BUNDLE, EVENTS, *full, *options)
    written = sorted(path.name for path in (tmp_path / "proof").glob("*"))
    if told.refused(EVIDENCE, BUNDLE):
        assert written == []
    else:
        assert told.code == 1, "so few events, and simulated, certify nothing"
        assert json.loads(told.out) and "check.json" in written


@pytest.mark.slow
def test_an_old_student_is_no_full_model(tmp_path: Path) -> None:
    told = run(tmp_path, "check", BUNDLE, EVENTS, "--full", FP32, "--evidence", EVIDENCE)
    assert told.code == 2 and "is the student before quantization" in told.err


@pytest.mark.slow
def test_check_reads_an_old_bundle_from_python(full_model: str, tmp_path: Path) -> None:
    try:
        report = overproof.check(BUNDLE, [str(EVENTS)], full=full_model, evidence=EVIDENCE, cache=tmp_path, attack=0)
    except overproof.OverproofError as error:
        assert str(EVIDENCE) in str(error) or str(BUNDLE) in str(error)
    else:
        assert report.decision == "do not deploy" and not report.passed


@pytest.mark.slow
def test_quantize_reads_an_old_bundle_or_refuses(tmp_path: Path) -> None:
    told = run(tmp_path, "quantize", FP32, "--calibrate", EVENTS, "--out", "int8", "--json")
    if told.refused(FP32):
        assert not (tmp_path / "int8").exists()
        return
    assert told.code == 0 and json.loads(told.out)
    fp32, int8 = (overproof.open(path).judge(TEXTS) for path in (FP32, tmp_path / "int8"))
    flips = sum(a.label != b.label for a, b in zip(fp32, int8, strict=True))
    assert flips <= 2


def test_similar_reads_an_old_index_or_refuses(tmp_path: Path) -> None:
    told = run(tmp_path, "similar", BUNDLE, INDEX, TEXTS[4], "-k", "1", "--json")
    if not told.refused(INDEX):
        assert told.code == 0
        assert "events.jsonl:5" in told.out, "the event itself, which is known"


def test_an_old_bundle_that_was_changed_is_still_noticed(tmp_path: Path) -> None:
    for file in BUNDLE.iterdir():
        content = file.read_bytes()
        (tmp_path / file.name).write_bytes(content.replace(b"malicious", b"normal", 1) if file.suffix else content)
    with pytest.raises(overproof.TamperedBundle):
        overproof.open(tmp_path)
