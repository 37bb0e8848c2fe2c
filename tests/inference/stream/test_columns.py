"""The fast path: what is written from columns is what would be written of the verdicts as objects, byte for byte."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overproof.bundle.scores import Floats
from overproof.bundle.tiers import Student
from overproof.events.sources import Rejects
from overproof.inference.cascade import Cascade, Full, FullDown, Policy, Rate
from overproof.inference.cascade.budget import Bucket
from overproof.inference.sinks import VerdictBatch, jsonl, severity
from overproof.inference.sinks.lines import lines
from overproof.inference.stream import Request, RunContext, triage

# of the small bundle's events some lie beyond, and are deferred by each of its reasons
POLICY = Policy(confidence=0.45, margin=0.02, ood_distance=16.0, never_alone=("xss",), temperature=1.5)


@pytest.fixture
def sources(tmp_path: Path) -> tuple[str, ...]:
    """Events of several formats: with further columns and without, long and empty ones, and what is none."""
    records: list[dict[str, Any]] = [
        {"text": f"id={i} or {'x' * (i * 7 % 200)}", "port": i, "host": f'h"{i}', "share": i / 7, "family": f"f{i % 3}"}
        for i in range(300)
    ]
    records[5::9] = [{"text": f"<script>{i}", "time": "2026-01-01", "kind": "dns" if i % 2 else ""} for i in range(33)]
    odd = ['{"text": ""}', "no JSON", '{"text": "lone \\ud83d, \\u2028 \\u0000"}', '{"text": "n", "a": NaN, "b": [1]}']
    wide, plain, table = (tmp_path / name for name in ("wide.jsonl", "plain.txt", "table.csv"))
    wide.write_text("\n".join([*map(json.dumps, records), *odd]))
    plain.write_bytes(b"".join(b"select %d \xff %s\n" % (i, b"y" * (i % 30)) for i in range(2100)))
    table.write_text("text,label,note\n" + "".join(f'"a ""{i}""",benign,{i % 5 or ""}\n' for i in range(100)))
    return str(wide), str(plain), str(table)


def unsure(classes: Sequence[str], *, down: bool = False) -> Full:
    calls = [0]

    def ask(texts: Sequence[str]) -> Floats:
        calls[0] += 1
        if down and calls[0] % 2:
            raise FullDown('"resting"')
        shares = np.array([[1 + len(text) * (place + 3) % 11 for place in range(len(classes))] for text in texts])
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), dtype=np.float32)

    return Full(tuple(classes), ask, "unsure")


@pytest.mark.parametrize(
    ("policy", "share", "down", "options"),
    [
        (POLICY, None, False, {}),
        (POLICY, 0.05, False, {"with_text": True}),
        (POLICY, 1.0, False, {"min_severity": severity.MEDIUM}),
        (POLICY, 0.5, True, {"with_text": True, "min_severity": severity.LOW}),
        (Policy(confidence=0.45, on_full_down="student"), 1.0, True, {}),
        (Policy(), 1.0, False, {"explain": True, "with_text": True}),
    ],
)
def test_columns_and_objects_are_written_alike(
    student: Student,
    sources: tuple[str, ...],
    policy: Policy,
    share: float | None,
    down: bool,
    options: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(name: str) -> tuple[bytes, dict[str, Any]]:
        full = None if share is None else unsure(student.classes, down=down)
        cascade = Cascade(student, full, policy, Bucket(Rate(share=share)) if share is not None else None)
        out = tmp_path / name
        with Rejects(None) as rejects:
            summary = triage(cascade, Request(sources, str(out), **options), context=RunContext(rejects))
        counted = {key: value for key, value in summary.to_json().items() if key not in ("seconds", "out")}
        counted.pop("events_per_second")
        return out.read_bytes(), counted

    columns, counted = run("columns.jsonl")
    objects: list[dict[str, Any]] = []

    def one_by_one(batch: VerdictBatch) -> bytes:
        found = list(batch)
        objects.extend(found)
        return lines(found)

    monkeypatch.setattr(jsonl, "_batch", one_by_one)
    assert run("objects.jsonl") == (columns, counted)
    assert len(objects) == counted["written"] > 100 and sum(counted["rejected"].values()) == 2
    if not options.get("min_severity"):
        assert counted["status"] == Counter(found["status"] for found in objects)
        assert counted["source"] == Counter(found["source"] for found in objects)
        assert counted["label"] == Counter(found["label"] for found in objects)
        assert counted["escalated"] == sum(found["full"] is not None for found in objects)
        assert counted["overflow"] == sum(found["student"]["overflow"] for found in objects) > 0


def test_the_mixed_events_meet_every_end(student: Student, sources: tuple[str, ...], tmp_path: Path) -> None:
    """So that the test above cannot pass by comparing nothing."""
    full = unsure(student.classes)
    summary = triage(
        Cascade(student, full, POLICY, Bucket(Rate(share=0.05))), Request(sources, str(tmp_path / "o.jsonl"))
    )
    said = Counter(json.loads(line)["reason"].split()[0] for line in (tmp_path / "o.jsonl").read_bytes().splitlines())
    assert {"confidence", "out", "xss", "longer"} <= set(said)
    assert summary.tally.counts["status"].keys() == {"decided", "deferred"}
    assert summary.tally.counts["decided_by"].keys() == {"student", "full", "nobody"}
    assert summary.tally.out_of_distribution and summary.tally.counts["source"].keys() >= {
        "jsonl",
        "lines",
        "csv",
    }
