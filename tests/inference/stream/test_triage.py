"""The streaming loop: every event judged once, in order, whatever happens to the run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from overproof.bundle.manifest import digest, open_bundle, write_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.scores import UNTAUGHT
from overproof.errors import InputError
from overproof.events.sources import read_events
from overproof.events.sources.interface import ReadOptions
from overproof.inference.cascade import EVERYTHING, Cascade, Full, FullDown, Policy, Promise, Rate
from overproof.inference.cascade.budget import Bucket
from overproof.inference.cascade.thresholds import policy_for
from overproof.inference.engines import Scored, in_process, worker_processes
from overproof.inference.explanation import explain
from overproof.inference.sinks import severity
from overproof.inference.sinks.families import Technique
from overproof.inference.sinks.wording import excerpt
from overproof.inference.stream import Request, RunContext, Summary, triage
from overproof.inference.stream import job as loop
from overproof.inference.stream.explaining import MOST_EXPLAINED
from overproof.inference.stream.journal import Journal, Mark
from overproof.inference.stream.top import Top
from overproof.jobs.deploy_config import CascadeConfig, TriageConfig
from overproof.jobs.open_cascade import open_cascade
from overproof.jobs.serve import FIRST_TOKENS
from overproof.jobs.triage import triage as triage_job
from overproof.progress import Console, _no_bar

from ...events.sources.pcaps import client_says, pcap, timed

if TYPE_CHECKING:
    from ...conftest import Made

EVENTS = [f"id={i} or {'x' * (i * 7 % 11)}" for i in range(5000)]


@pytest.fixture
def events(tmp_path: Path) -> Path:
    file = tmp_path / "events.txt"
    file.write_text("".join(f"{text}\n" for text in EVENTS))
    return file


def run(
    bundle: Path, sources: list[Path], *, cascade: CascadeConfig | None = None, out: str | Path = "-", **options: Any
) -> Summary:
    names = ("to", "follow", "top", "group_similar", "with_text", "explain", "techniques", "group_campaigns")
    request = {name: options.pop(name) for name in names if name in options}
    request["min_severity"] = severity.parse(options.pop("min_severity", "informational"))
    paths = tuple(map(str, sources))
    return triage_job(TriageConfig(bundle, Request(paths, str(out), **request), cascade or CascadeConfig(), **options))


def verdicts(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def always(label: str, classes: tuple[str, ...]) -> Full:
    row = np.array([name == label for name in classes], dtype=np.float32)
    return Full(classes, lambda texts: np.tile(row, (len(texts), 1)), f"always {label}")


def test_every_event_gets_its_verdict_in_order(small_bundle: Path, student: OnnxScorer, events: Path) -> None:
    out = events.with_name("out.jsonl")
    summary = run(small_bundle, [events], out=out, with_text=True)
    found = verdicts(out)
    assert [v["origin"] for v in found] == [f"{events}:{i + 1}" for i in range(len(EVENTS))]
    assert [v["text"] for v in found] == EVENTS
    assert [v["student"]["label"] for v in found] == [v.label for v in student.judge(EVENTS)]
    assert {v["source"] for v in found} == {"lines"}
    assert summary.tally.events == summary.tally.written == len(EVENTS)
    assert summary.tally.counts["status"] == Counter(v["status"] for v in found)
    assert sorted(file.name for file in events.parent.iterdir()) == ["events.txt", "out.jsonl"]


def test_the_full_model_decides_what_is_deferred_within_the_budget(
    small_bundle: Path, student: OnnxScorer, events: Path
) -> None:
    out = events.with_name("out.jsonl")
    summary = run(
        small_bundle,
        [events],
        cascade=CascadeConfig(always("xss", student.classes), max_escalations="2%"),
        out=out,
    )
    found = verdicts(out)
    status, by = Counter(v["status"] for v in found), Counter(v["decided_by"] for v in found)
    assert 0 < by["full"] <= 0.02 * len(EVENTS)
    assert summary.tally.escalated == by["full"]
    assert by["nobody"] == status["deferred"]
    assert {v["label"] for v in found if v["decided_by"] == "full"} == {"xss"}


def test_an_alert_tells_the_spans_that_carried_it(small_bundle: Path, student: OnnxScorer, events: Path) -> None:
    out = events.with_name("out.jsonl")
    summary = run(small_bundle, [events], out=out, explain=True, min_severity="low")
    found = verdicts(out)
    alerts = [v for v in found if v["label"] not in student.manifest.benign]
    assert all(("spans" in v) == (v["label"] not in student.manifest.benign) for v in found)
    texts = [EVENTS[int(v["origin"].rpartition(":")[2]) - 1] for v in alerts]
    for verdict, text, spans in zip(alerts[::50], texts[::50], explain(student, texts[::50]), strict=True):
        assert [(s["start"], s["end"], s["weight"]) for s in verdict["spans"]] == [
            (span.start, span.end, span.weight) for span in spans
        ]
        assert [s["text"] for s in verdict["spans"]] == [text[span.start : span.end] for span in spans]
    assert summary.tally.counts["alerts"] == {"explained": len(alerts), "not explained": 0}
    assert any(v["spans"] for v in alerts)


@pytest.mark.parametrize("form", ["ocsf", "ecs"])
def test_forms_for_analysts_explain_the_gravest_alerts_unasked(
    form: str, small_bundle: Path, student: OnnxScorer, events: Path
) -> None:
    out = events.with_name("out.jsonl")
    summary = run(small_bundle, [events], out=out, to=form)
    counted = summary.tally.counts["alerts"]
    batches = -(-len(EVENTS) // ReadOptions.batch_rows)
    assert counted["explained"] == MOST_EXPLAINED * batches < counted.total()
    place = {"ocsf": "unmapped", "ecs": "overproof"}[form]
    assert sum("spans" in v[place] for v in verdicts(out)) == counted["explained"]
    assert f"{counted['not explained']:,} more with --explain" in summary.render()
    silent = run(small_bundle, [events], out=out, to=form, explain=False)
    assert not any("spans" in v[place] for v in verdicts(out))
    assert "explained" not in silent.render()


def test_an_alert_in_a_form_for_analysts_has_its_text_unasked(small_bundle: Path, tmp_path: Path) -> None:
    table, out = tmp_path / "table.csv", tmp_path / "out.jsonl"
    texts = ["id=1' or 1=1-- \u202e\x9b", "id=7 or " + "x" * 3000, "page=2"]
    table.write_text("text,family\n" + "".join(f'"{text}",xss\n' for text in texts))
    for form, raw, own in (("ocsf", "raw_data", "unmapped"), ("ecs", "event", "overproof")):
        run(small_bundle, [table], out=out, to=form, explain=False)
        found = verdicts(out)
        shown = [v[raw].get("original") if form == "ecs" else v.get(raw) for v in found]
        alerts = [v["is_alert"] if form == "ocsf" else v["event"]["kind"] == "alert" for v in found]
        whole = ["id=1' or 1=1-- \\u202e\\x9b", excerpt(texts[1]), "page=2"]
        assert shown == [text if alert else None for text, alert in zip(whole, alerts, strict=True)]
        assert alerts[0] and not all(alerts)
        assert [v[own].get("family") for v in found] == ["xss" if alert else None for alert in alerts]
    run(small_bundle, [table], out=out)
    assert all(v.keys().isdisjoint({"text", "excerpt", "family"}) for v in verdicts(out))


def test_a_table_of_techniques_takes_the_place_of_the_built_in_one(small_bundle: Path, events: Path) -> None:
    out = events.with_name("out.jsonl")
    classes = open_bundle(small_bundle).manifest.classes
    table: dict[str, Technique | None] = {name: Technique("T1046", "Network Service Discovery") for name in classes}
    for chosen, expected in ((table, ["T1046"]), (dict.fromkeys(classes), None)):
        run(small_bundle, [events], out=out, to="ecs", explain=False, techniques=chosen)
        alerts = [v for v in verdicts(out) if v["event"]["kind"] == "alert"]
        found = [v["threat"]["technique"]["id"] if "threat" in v else None for v in alerts]
        assert alerts and found == [expected] * len(alerts)


def test_a_span_names_its_part_in_every_form(small_bundle: Path, tmp_path: Path) -> None:
    log, spans = tmp_path / "access.log", []
    request = 'GET /item?id=1%27+or+1=1-- HTTP/1.1" 200 5 "-" "<script>alert(1)</script>"'
    log.write_text("".join(f'192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] "{request}\n' for _ in range(9)))
    for form in ("jsonl", "ocsf", "ecs", "parquet"):
        run(small_bundle, [log], out=tmp_path / form, to=form, explain=True)
        if form == "parquet":
            spans.append([json.loads(each) for each in pq.read_table(tmp_path / form)["spans"].to_pylist()])
        else:
            found = [v.get("unmapped") or v.get("overproof") or v for v in verdicts(tmp_path / form)]
            spans.append([v["spans"] for v in found])
    assert all(each == spans[0] for each in spans) and all(spans[0])
    parts = {span["part"] for each in spans[0] for span in each}
    assert parts and parts <= {"method", "path", "query parameter id", "user agent", "referer"}


def test_events_unlike_the_training_events_are_counted_and_a_source_of_them_is_named(
    small_bundle: Path, student: OnnxScorer, events: Path
) -> None:
    limit = policy_for(student.manifest).ood_distance
    far = student.score(EVENTS).ood_distance
    assert limit is not None and far is not None
    summary = run(small_bundle, [events], out=events.with_name("out.jsonl"))
    assert summary.tally.out_of_distribution == (far > limit).sum() > len(EVENTS) / 4
    assert f"OOD        {summary.tally.out_of_distribution:,} unlike the training events (" in summary.render()
    assert "train on events from your own sources" in summary.render()
    share = f"{100 * summary.tally.out_of_distribution / len(EVENTS):.0f} %"
    assert f"\n             {share} of 5,000 lines events are out of distribution\n" in summary.render()
    assert summary.to_json()["ood"] == {"lines": summary.tally.out_of_distribution}
    known = events.with_name("known.txt")
    known.write_text("".join(f"id={i} select {'x' * (i % 37)}\n" for i in range(1000)))
    summary = run(small_bundle, [known], out=events.with_name("known.jsonl"))
    assert 0 < summary.tally.out_of_distribution <= 13
    assert "train on events" not in summary.render() and "of distribution" not in summary.render()


@pytest.mark.parametrize("to", ["jsonl", "parquet"])
def test_a_student_of_payloads_decides_no_alert_of_suricata(small_bundle: Path, tmp_path: Path, to: str) -> None:
    bundle = open_bundle(small_bundle)
    write_bundle(tmp_path / "b", replace(bundle.manifest, data={"kinds": {"text": 9}}), dict(bundle.files))
    (tmp_path / "known.txt").write_text("".join(f"id={i} select {'x' * (i % 7)}\n" for i in range(50)))
    alert = {"event_type": "alert", "src_ip": "192.0.2.7", "src_port": 4711, "dest_ip": "192.0.2.8", "proto": "TCP"}
    alert["timestamp"] = "2024-03-25T12:34:56.123456+0000"
    alerts = ({**alert, "alert": {"signature": f"ET SCAN {i}", "signature_id": i, "severity": 1}} for i in range(50))
    (tmp_path / "eve.json").write_text("".join(f"{json.dumps(one)}\n" for one in alerts))
    out = tmp_path / f"out.{to}"
    sources = [tmp_path / "known.txt", tmp_path / "eve.json"]
    summary = run(tmp_path / "b", sources, cascade=CascadeConfig(max_escalations="0%"), out=out, to=to)
    found = verdicts(out) if to == "jsonl" else pq.read_table(out).to_pylist()
    reasons = [v["reason"] for v in found if v["source"] == "suricata-alert"]
    assert reasons == 50 * ["out of distribution: a kind of record that training had none of; no full model was given"]
    assert {v["status"] for v in found if v["source"] == "lines"} == {"decided"}
    far = [(v["student"] if to == "jsonl" else v)["ood_distance"] for v in found]
    assert [each == UNTAUGHT for each in far] == [v["source"] == "suricata-alert" for v in found]
    assert summary.to_json()["ood"] == {"suricata-alert": 50}
    assert "100 % of 50 suricata-alert events are out of distribution" in summary.render()


def test_what_a_source_cut_is_overflow_and_not_decided_by_the_student(small_bundle: Path, tmp_path: Path) -> None:
    whole = b"POST /login HTTP/1.1\r\nContent-Length: 3\r\n\r\na=1"
    for name, request in (("whole", whole), ("cut", whole.replace(b": 3", b": 9"))):
        (tmp_path / f"{name}.pcap").write_bytes(pcap(timed(client_says(request))))
    out = tmp_path / "out.jsonl"
    summary = run(small_bundle, [tmp_path / "whole.pcap", tmp_path / "cut.pcap"], out=out, with_text=True)
    first, second = (v for v in verdicts(out) if v["source"] == "http-request")
    assert first["text"] == second["text"]
    assert (first["student"]["overflow"], second["student"]["overflow"]) == (False, True)
    assert (first["student"]["label"], second["status"]) == (second["student"]["label"], "abstained")
    assert summary.tally.overflow == sum(v["student"]["overflow"] for v in verdicts(out))


def test_workers_and_formats_change_no_verdict(small_bundle: Path, events: Path) -> None:
    one, two, table = (events.with_name(name) for name in ("1.jsonl", "2.jsonl", "t.parquet"))
    run(small_bundle, [events], out=one)
    run(small_bundle, [events], out=two, workers=2)
    assert one.read_bytes() == two.read_bytes()
    run(small_bundle, [events], out=table)
    stored = pq.read_table(table).to_pylist()
    assert [(row["origin"], row["label"], row["status"]) for row in stored] == [
        (v["origin"], v["label"], v["status"]) for v in verdicts(one)
    ]


class Broken(Exception):
    pass


def breaking_after(batches: int) -> Any:
    """An engine that dies in the middle."""

    def engine_of(student: OnnxScorer) -> Any:
        def engine(events: Iterator[pa.RecordBatch]) -> Iterator[Scored]:
            for number, scored in enumerate(in_process(student)(events)):
                if number == batches:
                    raise Broken
                yield scored

        return engine

    return engine_of


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
@pytest.mark.parametrize("batches", [0, 1, 2])
def test_a_run_that_broke_off_goes_on_with_nothing_lost_and_nothing_twice(
    student: OnnxScorer, events: Path, monkeypatch: pytest.MonkeyPatch, name: str, batches: int
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)

    def cascade() -> Cascade:
        policy = Policy(confidence=0.6, temperature=1.5)
        return Cascade(student, always("xss", student.classes), policy, Bucket(Rate(share=0.03)))

    whole = events.with_name(f"whole-{name}")
    expected = triage(cascade(), Request((str(events),), str(whole), group_similar=True))
    out = events.with_name(name)
    request = Request((str(events),), str(out), group_similar=True)
    with pytest.raises(Broken):
        triage(cascade(), request, engine=breaking_after(batches)(student))
    assert not out.exists()
    summary = triage(cascade(), request)
    assert summary.resumed == 2048 * batches
    assert replace(summary, seconds=0, resumed=0, out="") == replace(expected, seconds=0, resumed=0, out="")
    if name.endswith("jsonl"):
        assert out.read_bytes() == whole.read_bytes()
    else:
        assert pq.read_table(out).equals(pq.read_table(whole))
    assert {file.name for file in events.parent.iterdir()} == {"events.txt", name, whole.name}


def test_what_was_scored_elsewhere_is_taken_up_alike(
    student: OnnxScorer, events: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    out, whole = events.with_name("out.jsonl"), events.with_name("whole.jsonl")

    def cluster(last: int | None) -> Any:
        def scored(on_skip: Any) -> Iterator[Scored]:
            batches = read_events([str(events)], on_skip=on_skip)
            for number, pair in enumerate(in_process(student)(batches)):
                if number == last:
                    raise Broken
                yield pair

        return scored

    request = Request((str(events),), str(out))
    with pytest.raises(Broken):
        triage(Cascade(student), request, elsewhere=cluster(2))
    assert triage(Cascade(student), request, elsewhere=cluster(None)).resumed == 4096
    triage(Cascade(student), Request((str(events),), str(whole)))
    assert out.read_bytes() == whole.read_bytes()


def test_a_mark_of_another_job_is_not_taken_up(
    student: OnnxScorer, events: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    out = events.with_name("out.jsonl")
    request = Request((str(events),), str(out))
    with pytest.raises(Broken):
        triage(Cascade(student), request, engine=breaking_after(1)(student))
    assert triage(Cascade(student), replace(request, with_text=True)).resumed == 0
    with pytest.raises(Broken):
        triage(Cascade(student), request, engine=breaking_after(1)(student))
    events.write_text(events.read_text() + "one more\n")
    assert triage(Cascade(student), request).resumed == 0
    assert len(verdicts(out)) == len(EVENTS) + 1


def test_a_run_that_goes_on_knows_its_input_by_content(
    student: OnnxScorer, events: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by size and time: one and the same file may be copied, another may have both."""
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    out = events.with_name("out.jsonl")
    request = Request((str(events),), str(out), with_text=True)
    with pytest.raises(Broken):
        triage(Cascade(student), request, engine=breaking_after(1)(student))
    before = events.stat()
    events.write_text(events.read_text().replace("id=0 ", "id=X ", 1))
    os.utime(events, ns=(before.st_atime_ns, before.st_mtime_ns))
    summary = triage(Cascade(student), request)
    assert summary.resumed == 0
    assert verdicts(out)[0]["text"].startswith("id=X ")


def test_a_touched_input_is_the_same(student: OnnxScorer, events: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    request = Request((str(events),), str(events.with_name("out.jsonl")))
    with pytest.raises(Broken):
        triage(Cascade(student), request, engine=breaking_after(1)(student))
    os.utime(events, (1, 1))
    assert triage(Cascade(student), request).resumed == 2048


@pytest.mark.slow
def test_a_killed_process_goes_on(small_bundle: Path, events: Path) -> None:
    events.write_text("".join(f"{text} {i}\n" for i in range(12) for text in EVENTS))
    out, whole = events.with_name("out.jsonl"), events.with_name("whole.jsonl")
    command = [sys.executable, "-m", "overproof", "triage", str(small_bundle), str(events), "--out"]
    code = "import overproof.inference.stream.job as j, overproof.cli as c; j.CHECKPOINT_SECONDS = 0.02; c.main()"
    impatient = [sys.executable, "-c", code, *command[3:], str(out)]
    marks = 0
    for _ in range(6):
        running = subprocess.Popen(impatient, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        journal = out.with_name(f".{out.name}.journal")
        before = journal.read_bytes() if journal.exists() else b""
        for _ in range(600):
            if running.poll() is not None or (journal.exists() and journal.read_bytes() != before):
                break
            time.sleep(0.02)
        if running.poll() is None:
            marks += 1
            os.kill(running.pid, signal.SIGKILL)
        running.wait()
    assert marks >= 2
    told = subprocess.run([*impatient, "--json"], capture_output=True, text=True, check=True)
    assert json.loads(told.stdout)["resumed"] > 0
    subprocess.run([*command, str(whole)], capture_output=True, check=True)
    assert out.read_bytes() == whole.read_bytes()


def test_two_runs_do_not_write_to_one_place(student: OnnxScorer, events: Path) -> None:
    out = events.with_name("out.jsonl")
    journal = Journal(out, {})
    with pytest.raises(InputError, match="another run is writing there"):
        triage(Cascade(student), Request((str(events),), str(out)))
    journal.close(done=False)
    triage(Cascade(student), Request((str(events),), str(out)))


def test_the_journal_keeps_what_it_was_told(tmp_path: Path) -> None:
    mark = Mark(5, 100, 0.5, {"events": 5}, None, [{"a": 1}])
    journal = Journal(tmp_path / "o", {"a": 1})
    journal.save(mark)
    journal.close(done=False)
    again = Journal(tmp_path / "o", {"a": 1})
    assert again.load() == mark
    again.close(done=False)
    other = Journal(tmp_path / "o", {"a": 2})
    assert other.load() is None
    other.close(done=True)
    assert list(tmp_path.iterdir()) == []


def test_the_gravest_come_first(small_bundle: Path, events: Path) -> None:
    out, every = events.with_name("top.jsonl"), events.with_name("all.jsonl")
    run(small_bundle, [events], out=every)
    summary = run(small_bundle, [events], out=out, top=7)
    ordered = sorted(verdicts(every), key=lambda v: (-severity.of(v, ("benign",)), -v["attack"]))
    assert verdicts(out) == ordered[:7]
    assert (summary.tally.events, summary.tally.written) == (len(EVENTS), 7)


def test_what_is_critical_comes_before_what_is_likelier_and_less_grave() -> None:
    graded = [
        {"label": "sqli", "attack": 0.999, "status": "abstained"},
        {"label": "benign", "attack": 0.4, "status": "decided"},
        {"label": "cmdi", "attack": 0.98, "status": "decided"},
        {"label": "sqli", "attack": 0.99, "status": "decided"},
        {"label": None, "attack": None, "status": "abstained"},
    ]
    top = Top(4, ("benign",))
    top.add(graded)
    assert top.kept() == [graded[4], graded[2], graded[3], graded[0]]


def test_top_remembers_what_it_kept() -> None:
    probabilities = [0.5, 0.9, 0.1, 0.9, 0.7, 0.5]
    graded = [{"label": "sqli", "status": "decided", "attack": p, "n": n} for n, p in enumerate(probabilities)]
    first = Top(4, ("benign",))
    first.add(graded[:3])
    second = Top(4, ("benign",), first.kept())
    second.add(graded[3:])
    assert [v["n"] for v in second.kept()] == [1, 3, 4, 0]


def test_only_what_is_grave_enough_is_written(small_bundle: Path, events: Path) -> None:
    out = events.with_name("grave.jsonl")
    summary = run(small_bundle, [events], out=out, min_severity="medium")
    assert summary.tally.events == len(EVENTS)
    assert len(verdicts(out)) == summary.tally.written < len(EVENTS)
    assert {v["label"] for v in verdicts(out)} <= {"sqli", "xss"}


def test_alerts_that_resemble_each_other_share_a_group(small_bundle: Path, events: Path) -> None:
    out = events.with_name("groups.jsonl")
    summary = run(small_bundle, [events], out=out, group_similar=True)
    grouped = [v for v in verdicts(out) if "group" in v]
    assert {v["label"] == "benign" for v in verdicts(out) if "group" not in v} <= {True}
    assert grouped
    assert summary.groups == len({v["group"] for v in grouped})


def test_further_columns_stand_in_the_verdict(small_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_text('{"text": "a", "src_ip": "10.0.0.1", "n": 3}\n{"text": "b", "family": "sqli"}\n')
    summary = run(small_bundle, [tmp_path / "e.jsonl"], out=tmp_path / "out.jsonl")
    first, second = verdicts(tmp_path / "out.jsonl")
    assert (first["event"], first["source"]) == ({"src_ip": "10.0.0.1", "n": 3}, "jsonl")
    assert "event" not in second
    assert summary.tally.counts["family"] == {"sqli": 1}


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_a_linked_output_keeps_its_link(small_bundle: Path, events: Path, name: str) -> None:
    (events.parent / "elsewhere").mkdir()
    target, link, plain = events.parent / "elsewhere" / name, events.with_name(name), events.with_name(f"plain-{name}")
    link.symlink_to(target)
    for out in (link, plain):
        run(small_bundle, [events], out=out)
    assert link.is_symlink()
    assert target.read_bytes() == plain.read_bytes()
    assert [file.name for file in target.parent.iterdir()] == [name]


def test_a_fifo_gets_the_verdicts_and_a_device_stays_one(small_bundle: Path, events: Path) -> None:
    fifo, plain = events.with_name("fifo"), events.with_name("out.jsonl")
    os.mkfifo(fifo)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()), daemon=True)
    reader.start()
    for out in (fifo, plain, Path(os.devnull)):
        run(small_bundle, [events], out=out)
    reader.join(60)
    assert read == [plain.read_bytes()]
    assert fifo.is_fifo() and Path(os.devnull).is_char_device()
    assert {file.name for file in events.parent.iterdir()} == {"events.txt", "fifo", "out.jsonl"}


def test_rejected_records_are_counted_and_kept(small_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_text('{"text": "a"}\nnot json\n{"text": "b"}\n')
    rejects = tmp_path / "rejects.jsonl"
    summary = run(small_bundle, [tmp_path / "e.jsonl"], out=tmp_path / "out.jsonl", rejects=rejects)
    assert sum(summary.rejected.values()) == 1
    assert verdicts(rejects)[0]["origin"].endswith("e.jsonl:2")
    assert "rejected   1" in summary.render()
    assert len(verdicts(tmp_path / "out.jsonl")) == 2


def test_a_full_model_that_is_down_may_fail_the_run_which_then_goes_on(
    student: OnnxScorer, events: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    left = [2]

    def ask(texts: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise FullDown("gone")
        return always("xss", student.classes).ask(texts)

    out = events.with_name("out.jsonl")
    cascade = Cascade(student, Full(student.classes, ask, "m"), Policy(confidence=EVERYTHING, on_full_down="fail"))
    request = Request((str(events),), str(out))
    with pytest.raises(FullDown, match="gone"):
        triage(cascade, request)
    assert triage(cascade, request).resumed == 2048
    assert [v["decided_by"] for v in verdicts(out)] == ["full"] * len(EVENTS)


def test_options_that_mean_nothing(small_bundle: Path, events: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--engine mars: expected one of local, ray"):
        run(small_bundle, [events], engine="mars")
    with pytest.raises(InputError, match="a Ray cluster has its own"):
        run(small_bundle, [events], engine="ray", workers=2)
    with pytest.raises(InputError, match="without --follow"):
        run(small_bundle, [events], engine="ray", follow=True, out=tmp_path / "x")
    with pytest.raises(InputError, match="parquet"):
        run(small_bundle, [events], to="parquet")
    with pytest.raises(InputError, match="expected one of"):
        run(small_bundle, [events], to="morse", out=tmp_path / "x")
    with pytest.raises(InputError, match="cannot be written there"):
        run(small_bundle, [events], out=tmp_path / "no" / "where")
    with pytest.raises(InputError, match="--techniques: only ocsf and ecs name techniques"):
        run(small_bundle, [events], techniques={"sqli": None})


def test_a_service_has_a_few_tokens_for_the_first_events_of_any_kind(small_bundle: Path, student: OnnxScorer) -> None:
    config = CascadeConfig(always("xss", student.classes), max_escalations="5%", never_alone=student.classes)
    cascade = open_cascade(open_bundle(small_bundle), config, tokens=FIRST_TOKENS)
    decided = [cascade.judge(["a"])[0]["decided_by"] for _ in range(14)]
    assert decided == ["full"] * int(FIRST_TOKENS) + ["nobody"] * 4


def test_a_bundle_of_an_older_version_needs_a_check_to_escalate(small_bundle: Path, student: OnnxScorer) -> None:
    bundle = open_bundle(small_bundle)
    older = replace(bundle, manifest=replace(bundle.manifest, signals=None))
    assert open_cascade(older).policy.basis == "no threshold"
    with pytest.raises(InputError, match=r"expected --check check\.json"):
        open_cascade(older, CascadeConfig(full=always("xss", student.classes)))


class NoNumbers(OnnxScorer):
    """A student whose scores of every seventh of these events are no numbers."""

    def score_and_embed(self, texts: Any) -> Any:
        scores, embeddings = super().score_and_embed(texts)
        numbers = (re.match(r"id=(\d+) ", text) for text in texts)  # explanations ask about parts too
        broken = [number is not None and int(number[1]) % 7 == 3 for number in numbers]
        scores.logits[broken], embeddings[broken] = np.nan, np.nan
        return scores, embeddings


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet", "out.ocsf.jsonl", "out.ecs.jsonl"])
@pytest.mark.parametrize("top", [None, 9])
def test_every_form_survives_scores_that_are_no_numbers(
    small_bundle: Path, events: Path, name: str, top: int | None
) -> None:
    cascade = Cascade(NoNumbers(open_bundle(small_bundle)))
    out = events.with_name(name)
    summary = triage(cascade, Request((str(events),), str(out), top=top, group_similar=True))
    broken = len(range(3, len(EVENTS), 7))
    assert summary.tally.counts["status"]["abstained"] >= broken
    assert json.loads(json.dumps(summary.to_json(), allow_nan=False))["label"]["no label"] == broken
    if name == "out.jsonl":
        found = [json.loads(line, parse_constant=pytest.fail) for line in out.read_bytes().splitlines()]
        without = [v for v in found if v["label"] is None]
        assert {(v["status"], v["decided_by"]) for v in without} == {("abstained", "nobody")}
        assert all("group" not in v for v in without)
        assert len(without) == (broken if top is None else 9)  # nobody knows that others are graver


PROMISE = Promise(0.005, 0.95, "check.json")


def down(texts: Any) -> Any:
    raise FullDown("no route")


@pytest.mark.parametrize(
    ("policy", "answers", "share", "why"),
    [
        (Policy(confidence=0.5, promise=PROMISE), True, 1.0, None),
        (Policy(confidence=0.5, promise=PROMISE), True, 0.01, "deferred"),
        (Policy(confidence=0.5, promise=PROMISE), False, 1.0, "held"),
        (Policy(confidence=0.5, on_full_down="student", promise=PROMISE), False, 1.0, "stood_in"),
    ],
)
def test_the_words_follow_the_run(
    student: OnnxScorer, events: Path, policy: Policy, answers: bool, share: float, why: str | None
) -> None:
    ask = always("xss", student.classes).ask if answers else down
    out = events.with_name("out.jsonl")
    cascade = Cascade(student, Full(student.classes, ask, "m"), policy, Bucket(Rate(share=share)))
    summary = triage(cascade, Request((str(events),), str(out)))
    found = verdicts(out)
    told = summary.to_json()["promise"]
    counts = {name: sum(v["status"] == name for v in found) for name in ("deferred", "held", "abstained")}
    counts["stood_in"] = sum(v["stood_in"] for v in found)
    assert {name for name, count in counts.items() if count} == ({why} if why else set())
    assert {name: told[name] for name in counts} == counts
    assert told["status"] == ("withdrawn" if why else "stands")
    assert (told["limit"], told["confidence"], told["source"]) == (0.005, 0.95, "check.json")
    assert f"  promise    {told['message']}" in summary.render()
    if why:
        assert f"did not verify {sum(counts.values()):,} of 5,000 events ({counts[why]:,} " in summary.render()
    if why == "stood_in":
        assert f"{counts[why]:,} decided by the student in place of the full model" in summary.render()


def test_without_a_check_nothing_is_promised(student: OnnxScorer, events: Path) -> None:
    summary = triage(Cascade(student), Request((str(events),), str(events.with_name("out.jsonl"))))
    assert summary.to_json()["promise"] is None
    assert "  promise    none" in summary.render()


def test_what_was_withdrawn_before_a_break_stays_withdrawn(
    student: OnnxScorer, events: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    policy = Policy(confidence=0.5, overflow=False, on_full_down="student", promise=PROMISE)
    request = Request((str(events),), str(events.with_name("out.jsonl")))

    def cascade(ask: Any) -> Cascade:
        return Cascade(student, Full(student.classes, ask, "m"), policy)

    with pytest.raises(Broken):
        triage(cascade(down), request, engine=breaking_after(1)(student))
    summary = triage(cascade(always("xss", student.classes).ask), request)
    found = verdicts(events.with_name("out.jsonl"))
    stood_in = sum(v["stood_in"] for v in found)
    assert summary.resumed == 2048
    assert not any(v["stood_in"] for v in found[2048:])
    assert summary.to_json()["promise"]["stood_in"] == stood_in > 0


def test_a_model_that_gives_no_numbers_decides_nothing_whoever_runs_it(
    small_bundle: Path, made: Made, events: Path
) -> None:
    """A bundle that was sealed anew around a model with a NaN in its head: every hash holds."""
    model = onnx.ModelProto()
    model.CopyFrom(made.fp32)
    head = next(tensor for tensor in model.graph.initializer if tensor.name.endswith("bias") and tensor.dims == [3])
    head.CopyFrom(onnx.numpy_helper.from_array(np.full(3, np.nan, dtype=np.float32), head.name))
    whole = open_bundle(small_bundle)
    files = {**whole.files, "model.onnx": model.SerializeToString()}
    digests = {name: digest(content) for name, content in files.items()}
    write_bundle(events.with_name("broken"), replace(whole.manifest, files=digests), files)
    outs = [events.with_name(name) for name in ("1.jsonl", "2.jsonl")]
    for workers, out in enumerate(outs, 1):
        summary = run(events.with_name("broken"), [events], out=out, workers=workers)
        assert summary.tally.counts["status"] == {"abstained": len(EVENTS)}
        assert summary.tally.counts["label"] == {"no label": len(EVENTS)}
    assert outs[0].read_bytes() == outs[1].read_bytes()
    cascade = CascadeConfig(always("xss", whole.manifest.classes), max_escalations="10%")
    summary = run(events.with_name("broken"), [events], out=outs[0], cascade=cascade)
    assert set(summary.tally.counts["status"]) == {"decided", "deferred"}
    assert summary.tally.counts["decided_by"]["student"] == 0


def test_a_long_run_says_once_that_the_promise_is_withdrawn(student: OnnxScorer, events: Path) -> None:
    said: list[str] = []
    cascade = Cascade(student, None, Policy(confidence=EVERYTHING, promise=PROMISE))
    context = RunContext(console=Console(said.append, _no_bar))
    triage(cascade, Request((str(events),), str(events.with_name("out.jsonl"))), context=context)
    (line,) = said
    assert line.startswith("promise withdrawn: the full model did not verify 2,048 of 2,048 events")


def test_the_words_are_the_same_whoever_scores(student: OnnxScorer, small_bundle: Path, events: Path) -> None:
    def judged(name: str, **scored: Any) -> Summary:
        policy = Policy(confidence=0.5, promise=PROMISE)
        cascade = Cascade(student, always("xss", student.classes), policy, Bucket(Rate(share=0.02)))
        summary = triage(cascade, Request((str(events),), str(events.with_name(name))), **scored)
        return replace(summary, seconds=0, out="")

    def elsewhere(on_skip: Any) -> Iterator[Scored]:
        return in_process(student)(read_events([str(events)], on_skip=on_skip))

    here = judged("here.jsonl")
    assert here.promised is not None and here.promised.status == "withdrawn"
    assert judged("workers.jsonl", engine=worker_processes(student, small_bundle, 2)) == here
    assert judged("elsewhere.jsonl", elsewhere=elsewhere) == here
