"""What rules silence is marked, counted and written; it is no alert, and no verdict changes."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from overproof.bundle.runtime import OnnxScorer
from overproof.inference.cascade import Cascade, Policy
from overproof.inference.engines import worker_processes
from overproof.inference.exceptions import Rule
from overproof.inference.sinks import severity
from overproof.inference.stream import Request, Summary, triage
from overproof.inference.stream.top import Top

ENDS = (datetime.now(UTC) + timedelta(days=9)).isoformat(timespec="seconds")
RULES = (
    Rule("the scanner", "J. Doe", "ticket 4711", ENDS, source="192.0.2.7"),
    Rule("long gone", "J. Doe", "ticket 4712", "2020-01-01T00:00:00+00:00", source="192.0.2.8"),
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Requests of three addresses in turn."""
    file = tmp_path / "events.jsonl"
    rows = ({"text": f"id={i} select {'x' * (i * 7 % 11)}", "src_ip": f"192.0.2.{7 + i % 3}"} for i in range(600))
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return file


def judged(student: OnnxScorer, log: Path, name: str, **request: Any) -> tuple[Path, Summary]:
    out = log.with_name(name)
    summary = triage(Cascade(student, None, Policy(overflow=False)), Request((str(log),), str(out), **request))
    return out, summary


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def is_attack(verdict: dict[str, Any], student: OnnxScorer) -> bool:
    return verdict["label"] not in student.manifest.benign


def test_what_is_silenced_is_marked_and_counted_by_rule(student: OnnxScorer, log: Path) -> None:
    plain, _ = judged(student, log, "plain.jsonl")
    out, summary = judged(student, log, "out.jsonl", exceptions=RULES)
    found = lines(out)
    mine = [v for v in found if v["event"]["src_ip"] == "192.0.2.7" and not v["student"]["overflow"]]
    attacks = [v for v in mine if is_attack(v, student)]
    assert attacks and [v for v in found if "excepted" in v] == attacks
    assert {v["excepted"] for v in attacks} == {"the scanner"}
    for verdict in found:
        verdict.pop("excepted", None)
    assert found == lines(plain)
    counts = summary.tally.counts
    assert counts["excepted"] == {"the scanner": len(attacks)}
    (why,) = counts["left"]
    assert why == "the rule long gone expired on 2020-01-01T00:00:00+00:00" and counts["left"][why] > 0
    assert f"  excepted   {len(attacks)} alerts: {len(attacks)} by the scanner\n" in summary.render()
    assert f"{counts['left'][why]} that rules are about stay alerts: {why}" in summary.render()
    assert summary.to_json()["excepted"] == {"the scanner": len(attacks)}


def test_what_is_silenced_is_informational_and_counted_where_it_is_left_out(student: OnnxScorer, log: Path) -> None:
    _, whole = judged(student, log, "plain.jsonl", min_severity=severity.LOW)
    out, summary = judged(student, log, "out.jsonl", exceptions=RULES, min_severity=severity.LOW)
    silent = summary.tally.counts["excepted"]["the scanner"]
    assert len(lines(out)) == whole.tally.written - silent
    assert not any("excepted" in verdict for verdict in lines(out))
    assert "below low left out (--min-severity informational shows them)" in summary.render()


@pytest.mark.parametrize("form", ["parquet", "ocsf", "ecs", "table"])
def test_every_form_has_the_mark(student: OnnxScorer, log: Path, form: str) -> None:
    out, summary = judged(student, log, f"out.{form}", to=form, exceptions=RULES, explain=False)
    silent = summary.tally.counts["excepted"]["the scanner"]
    if form == "parquet":
        table = pq.read_table(out)
        assert len(table) - table["excepted"].null_count == silent
    elif form == "table":
        assert out.read_text().count("excepted by the scanner: ") == silent
        assert len(re.findall(r"  info  .*\n    excepted by", out.read_text())) == silent
    else:
        found = lines(out)
        own = "unmapped" if form == "ocsf" else "overproof"
        marked = [each for each in found if "excepted" in each[own]]
        assert len(marked) == silent
        for each in marked:
            if form == "ocsf":
                assert (each["is_alert"], each["status_id"], each["status"]) == (False, 3, "Suppressed")
                assert each["severity"] == "Informational"
            else:
                assert each["event"]["kind"] == "event" and "rule" not in each
                assert each["event"]["severity"] == severity.INFORMATIONAL
            assert "no alert by the rule the scanner" in each["message"]


def test_no_campaign_and_no_group_has_what_is_silenced(student: OnnxScorer, log: Path) -> None:
    out, summary = judged(student, log, "out.jsonl", exceptions=RULES, group_campaigns=600, group_similar=True)
    found = lines(out)
    assert {v["campaign"]["source"] for v in found if "campaign" in v} == {"192.0.2.8", "192.0.2.9"}
    silent = [v for v in found if "excepted" in v]
    assert len(silent) == summary.tally.counts["excepted"]["the scanner"]
    assert not any("group" in v or "campaign" in v for v in silent)


def test_what_is_silenced_is_never_among_the_gravest() -> None:
    top = Top(2, ("benign",))
    plain: dict[str, Any] = {"label": "sqli", "status": "decided"}
    graded: list[dict[str, Any]] = [
        {"attack": 0.99, "excepted": "x"},
        {"attack": 0.6},
        {"attack": None, "excepted": "x"},
        {"attack": 0.7},
    ]
    top.add([{**plain, **verdict} for verdict in graded])
    assert [verdict["attack"] for verdict in top.kept()] == [0.7, 0.6]


def test_workers_and_a_single_process_silence_alike(student: OnnxScorer, log: Path, small_bundle: Path) -> None:
    alone, _ = judged(student, log, "alone.jsonl", exceptions=RULES)
    out = log.with_name("workers.jsonl")
    cascade = Cascade(student, None, Policy(overflow=False))
    engine = worker_processes(student, small_bundle, 2)
    triage(cascade, Request((str(log),), str(out), exceptions=RULES), engine=engine)
    assert out.read_bytes() == alone.read_bytes()
