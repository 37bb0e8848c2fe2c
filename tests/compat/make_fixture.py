"""How `format1/` was made: by overproof 0.1.0 (commit 360ede9), from simulated events alone.

Nothing runs this any more: the files are what that version wrote, and that is their point. To make them again, check
that commit out and call `python make_fixture.py FOLDER` with it. The network is far smaller than any preset, and most
of the baseline's weights are dropped, so that the files stay small enough to be kept with the tests.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SIZES = {"layers": 1, "hidden": 16, "heads": 2, "feed_forward": 32, "vocabulary": 330, "positions": 64}
BASELINE_ROWS = 500
JUDGED = 48  # events whose scores are stored
CLEAR = 0.02  # by how much their label leads
FAMILIES = [
    "page",
    "lookup",
    "shell-work",
    "sqli",
    "nosqli",
    "xss",
]  # of the events checked: each takes room in check.json
GATES = """[escalation]
guarantee = { limit = 0.03, required = true }
verified = { limit = 0.05, required = true }
budget = { limit = 0.9, required = true }
"""


def main(out: Path) -> None:
    """Teach, compress, check, triage, and keep what each of them wrote."""
    from overproof.compression.baseline import fit_baseline
    from overproof.compression.student import PRESETS, EncoderConfig
    from overproof.simulate import simulate

    import overproof
    from overproof import pipeline

    PRESETS["fixture"] = EncoderConfig(**SIZES, dropout=0.0)
    PRESETS["fixture-teacher"] = EncoderConfig(2, 64, 2, 128, vocabulary=600, positions=64)
    pipeline.TIMING_SECONDS = 0.2

    def small_baseline(*given: Any, **options: Any) -> Any:
        model = fit_baseline(*given, **options)
        largest = np.argsort(-np.abs(model.weights).max(axis=1), kind="stable")[:BASELINE_ROWS]
        weights = np.zeros_like(model.weights)
        weights[largest] = model.weights[largest]
        return replace(model, weights=weights)

    pipeline.fit_baseline = small_baseline
    traffic, larger = simulate(400, seed=21), simulate(12000, seed=22).test
    larger = larger.filter(pc.is_in(larger["family"], pa.array(FAMILIES)))
    out.mkdir(parents=True)
    os.chdir(out)  # so that only relative paths are written down
    overproof.teach(simulate(3000, seed=23).train, out="teacher", preset="fixture-teacher", epochs=12)
    overproof.compress(
        traffic.train,
        teacher="teacher",
        out="bundle",
        student="fixture",
        epochs=60,
        transfer=2.0,
        cache=Path("cache"),
        keep_fp32="fp32",
        evidence="evidence",
        margin=0.05,
    )
    Path("gates.toml").write_text(GATES)
    report = overproof.check(
        "bundle", larger, full="fp32", evidence="evidence", gate="gates.toml", out="checked", i_know=True
    )
    print(report.render())
    shutil.copyfile(Path("checked") / "check.json", "check.json")
    keep_answers(traffic.test)
    Path("gates.toml").unlink()
    for folder in ("teacher", "cache", "checked"):
        shutil.rmtree(folder)
    print(sum(path.stat().st_size for path in Path().rglob("*") if path.is_file()), "bytes")


def keep_answers(test: pa.Table) -> None:
    """Store a few events that no other machine's rounding can flip, their scores, and what `triage` said of them."""
    import overproof

    rows = test.select(["text", "label", "family", "group", "time"]).to_pylist()
    sorted_shares = [
        sorted(v.probabilities.values()) for v in overproof.open("bundle").judge([r["text"] for r in rows])
    ]
    rows = [row for row, shares in zip(rows, sorted_shares, strict=True) if shares[-1] - shares[-2] > CLEAR][:JUDGED]
    rows.append(
        {"text": "id=1' or '1'='1 " * 60, "label": "malicious", "family": "sqli", "group": "long", "time": None}
    )
    Path("events.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    verdicts = [
        {"label": v.label, "attack": v.attack, "probabilities": v.probabilities, "windows": v.windows}
        for v in overproof.open("bundle").judge([row["text"] for row in rows])
    ]
    Path("verdicts.jsonl").write_text("".join(json.dumps(verdict) + "\n" for verdict in verdicts))
    run("index", "bundle", "events.jsonl", "--out", "known.index")
    triage = ("triage", "bundle", "events.jsonl")
    for name, words in (
        ("triage.jsonl", triage),
        ("triage-check.jsonl", (*triage, "--full", "fp32", "--check", "check.json", "--max-escalations", "50%")),
    ):
        lines = [json.loads(line) for line in run(*words).splitlines()]
        kept = [{key: line[key] for key in ("origin", "label", "attack", "status", "decided_by")} for line in lines]
        Path(name).write_text("".join(json.dumps(line) + "\n" for line in kept))


def run(*words: str) -> str:
    """The command's standard output."""
    return subprocess.run(
        [sys.executable, "-m", "overproof", *words], check=True, capture_output=True, text=True
    ).stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]))
