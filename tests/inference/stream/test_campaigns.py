"""One finding a campaign: every alert is behind exactly one finding, in bounded memory, whatever becomes of the run."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.tiers import Student
from overproof.errors import InputError
from overproof.inference.cascade import Cascade, Policy
from overproof.inference.engines import worker_processes
from overproof.inference.sinks.verdict_batch import Verdict
from overproof.inference.stream import Request, RunContext, Summary, campaigns, triage
from overproof.inference.stream import job as loop
from overproof.inference.stream.campaigns import Campaigns, parse_window

MINUTE = 60
BENIGN = ("benign",)
ATTACK = "id={} or 1=1-- <script>"


def alert(seconds: float | None = 0, **changed: Any) -> Verdict:
    """An alert at a time, from 192.0.2.7 to 198.51.100.1 unless something else is said."""
    event = {"src_ip": "192.0.2.7", "dst_ip": "198.51.100.1", **changed.pop("event", {})}
    event = {name: value for name, value in event.items() if value is not None}
    found = {
        "origin": f"log:{seconds}",
        "time": None if seconds is None else moment(seconds).isoformat(),
        "label": "sqli",
        "attack": 0.95,
        "status": "decided",
    }
    return {**found, "event": event, **changed}


def collected(*batches: list[Verdict], window: int = 10 * MINUTE) -> list[dict[str, Any]]:
    """The campaigns of some batches of alerts, as they are written."""
    found = Campaigns(window, BENIGN)
    return [*(each for batch in batches for each in found.add(batch)), *found.close()]


def counts(findings: list[dict[str, Any]]) -> list[int]:
    return [each["campaign"]["count"] if "campaign" in each else 1 for each in findings]


def test_a_scan_is_one_finding() -> None:
    alerts = [alert(i, event={"dst_ip": f"198.51.100.{i % 12}"}, attack=0.91 if i != 7 else 0.99) for i in range(85)]
    (found,) = collected(alerts[:40], alerts[40:])
    assert found == {
        **alerts[7],
        "campaign": {
            "count": 85,
            "first": "2026-01-01T00:00:00+00:00",
            "last": "2026-01-01T00:01:24+00:00",
            "source": "192.0.2.7",
            "family": "sqli",
            "targets": 12,
            "more_targets": False,
            "status": {"decided": 85},
            "examples": [
                {"origin": f"log:{i}", "time": alerts[i]["time"], "attack": 0.91, "target": f"198.51.100.{i}"}
                for i in range(3)
            ],
        },
    }


@pytest.mark.parametrize(
    ("changed", "together"),
    [
        ({"event": {"dst_ip": "203.0.113.9"}}, True),
        ({"label": "SQLI"}, True),
        ({"status": "abstained"}, True),
        ({"event": {"src_ip": "192.0.2.8"}}, False),
        ({"label": "xss"}, False),
        ({"label": "malicious", "family": "xss"}, False),
    ],
    ids=["another target", "case", "undecided", "another source", "another family", "the event's own family"],
)
def test_what_belongs_together(changed: dict[str, Any], together: bool) -> None:
    assert counts(collected([alert(), alert(1, **changed)])) == ([2] if together else [1, 1])


@pytest.mark.parametrize(
    ("event", "source"),
    [
        ({"host": "web1"}, "192.0.2.7"),
        ({"src_ip": None, "host": "web1", "user": "alice"}, "web1"),
        ({"src_ip": None, "user": "alice"}, "alice"),
        ({"src_ip": None}, None),
    ],
    ids=["address", "host", "user", "none"],
)
def test_who_an_alert_is_of(event: dict[str, Any], source: str | None) -> None:
    found = collected([alert(0, event=event), alert(1, event=event)])
    if source is None:
        assert found == [alert(0, event=event), alert(1, event=event)]
    else:
        assert [each["campaign"]["source"] for each in found] == [source] and counts(found) == [2]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 600], [2]),
        ([0, 601], [1, 1]),
        ([0, 300, 600, 601, 900], [3, 2]),
        ([600, 0], [2]),
        ([601, 0], [1, 1]),
        ([0, None, 600], [3]),
        ([None, None], [2]),
    ],
    ids=["within", "behind", "two windows", "backwards", "too far back", "without a time", "no times"],
)
def test_a_window_is_as_long_as_was_asked_for(times: list[float | None], expected: list[int]) -> None:
    assert counts(collected([alert(each) for each in times])) == expected
    assert counts(collected(*([alert(each)] for each in times))) == expected


def test_a_window_closes_when_others_go_on() -> None:
    found = Campaigns(MINUTE, BENIGN)
    assert found.add([alert(0)]) == []
    assert found.add([alert(60, event={"src_ip": "192.0.2.8"})]) == []
    (closed,) = found.add([alert(61, event={"src_ip": "192.0.2.8"})])
    assert closed["campaign"]["source"] == "192.0.2.7"


def test_the_gravest_alert_stands_for_the_others_and_an_explained_one_before_its_equals() -> None:
    span = [{"start": 0, "end": 1, "weight": 1.0, "text": "x"}]
    alerts = [
        alert(0, attack=0.6),
        alert(1, attack=0.99, status="held"),
        alert(2, attack=0.97),
        alert(3, attack=0.96, spans=span),
    ]
    (found,) = collected(alerts)
    assert found["origin"] == "log:3"
    assert found["campaign"]["status"] == {"decided": 3, "held": 1}


sources = st.sampled_from(["192.0.2.7", "192.0.2.8", "192.0.2.9", None])
alerts = st.lists(
    st.builds(
        lambda seconds, source, label, port: alert(
            seconds, label=label, event={"src_ip": source, "dst_ip": f"h{port}"}
        ),
        st.none() | st.integers(0, 300),
        sources,
        st.sampled_from(["sqli", "xss", None]),
        st.sampled_from(["a", "b", "c", None]),
    ),
    max_size=40,
)


@given(st.lists(alerts, max_size=5), st.integers(1, 300), st.integers(0, 4))
def test_every_alert_is_behind_one_finding_also_after_a_break(
    batches: list[list[Verdict]], window: int, broken: int
) -> None:
    found, written = Campaigns(window, BENIGN), list[dict[str, Any]]()
    for number, batch in enumerate(batches):
        if number == broken:
            stored = json.loads(json.dumps(found.to_json()))
            found = Campaigns(window, BENIGN)
            found.go_on(stored)
        written += found.add(batch)
    written += found.close()
    assert sum(counts(written)) == sum(map(len, batches)) == sum(counts(collected(*batches, window=window)))
    assert counts(written) == counts(collected(*batches, window=window))
    assert found._bytes == 0 and not found.to_json()
    for each in written:
        times = [each["campaign"][name] for name in ("first", "last")] if "campaign" in each else []
        if None not in times and times:
            first, last = map(datetime.fromisoformat, times)
            assert timedelta(0) <= last - first <= timedelta(seconds=window)


@pytest.mark.parametrize(
    ("bound", "value", "changed", "least"),
    [
        ("MOST_OPEN", 10, lambda i: {"event": {"src_ip": f"h{i}"}}, 190),
        ("MOST_HELD", 20_000, lambda i: {"event": {"src_ip": f"h{i}"}, "text": "x" * 5000}, 190),
        ("MOST_TARGETS", 10, lambda i: {"event": {"dst_ip": f"h{i}"}}, 0),
    ],
)
def test_what_is_held_is_bounded_and_nothing_is_lost(
    bound: str, value: int, changed: Callable[[int], dict[str, Any]], least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaigns, bound, value)
    found, early = Campaigns(MINUTE, BENIGN), list[dict[str, Any]]()
    for i in range(200):
        early += found.add([alert(0, **changed(i))])
        assert len(found._open) <= campaigns.MOST_OPEN and found._bytes <= campaigns.MOST_HELD
    assert len(early) >= least and sum(counts([*early, *found.close()])) == 200
    if bound == "MOST_TARGETS":
        (one,) = collected([alert(0, **changed(i)) for i in range(200)])
        assert (one["campaign"]["targets"], one["campaign"]["more_targets"]) == (10, True)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), (" 2h ", 7200), ("30d", 2_592_000)])
def test_windows(text: str, seconds: int) -> None:
    assert parse_window(text) == seconds


@pytest.mark.parametrize("text", ["", "0m", "10", "m", "-1m", "1.5h", "31d", "10m10s", "٣m"])
def test_what_is_no_window(text: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"--group-campaigns {text}: expected a time such as 90s")):
        parse_window(text)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Requests of three sources in fifty minutes, benign ones and others."""
    file = tmp_path / "events.csv"
    rows = (f"{moment(i):%Y-%m-%dT%H:%M:%S},192.0.2.{i % 3},id={i} or {'x' * (i * 7 % 11)}\n" for i in range(3000))
    file.write_text("time,src_ip,text\n" + "".join(rows))
    return file


def moment(seconds: float) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def line(i: int) -> str:
    """A line of an access log, all of which the small bundle takes for attacks."""
    request = f'"GET /item?id={i % 7}%20or%201=1--%20<script> HTTP/1.1" 200 5 "-" "agent/1.0"'
    return f"192.0.2.{i % 3} - - [{moment(i):%d/%b/%Y:%H:%M:%S %z}] {request}\n"


def judged(student: Student, log: Path, out: Path, **options: Any) -> Summary:
    return triage(Cascade(student, None, Policy()), Request((str(log),), str(out), explain=False, **options))


def written(out: Path) -> list[dict[str, Any]]:
    found = [json.loads(each) for each in out.read_bytes().splitlines()]
    return [{**each, **(each.get("unmapped") or each.get("overproof") or {})} for each in found]


@pytest.mark.parametrize("form", ["jsonl", "ocsf", "ecs"])
@pytest.mark.parametrize("options", [{}, {"group_similar": True}, {"top": 100}], ids=["alone", "similar", "top"])
def test_a_run_writes_each_campaign_once_and_all_that_is_benign(
    student: OnnxScorer, log: Path, form: str, options: dict[str, Any]
) -> None:
    single, grouped = log.with_name("single"), log.with_name("grouped")
    summary = judged(student, log, single)
    alerts = [each for each in written(single) if each["label"] != "benign"]
    assert 0 < len(alerts) < 3000 and "campaigns" not in summary.render()
    summary = judged(student, log, grouped, to=form, group_campaigns=10 * MINUTE, **options)
    found = written(grouped)
    campaigns = [each["campaign"] for each in found if "campaign" in each]
    assert sum(each["count"] for each in campaigns) == len(alerts) > 3 * len(campaigns) > 0
    if "top" not in options:
        assert len(found) - len(campaigns) == 3000 - len(alerts)
    expected = Counter((each["event"]["src_ip"], each["label"]) for each in alerts)
    behind: Counter[tuple[str, str]] = Counter()
    for each in campaigns:
        behind[each["source"], each["family"]] += each["count"]
    assert behind == expected
    assert f"  campaigns  {len(campaigns):,}, of {len(alerts):,} alerts\n" in summary.render()


def test_a_run_that_broke_off_goes_on_with_its_open_campaigns(
    student: OnnxScorer, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = log.with_name("whole.jsonl"), log.with_name("out.jsonl")
    judged(student, log, whole, group_campaigns=10 * MINUTE)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
        real, left = loop._State.judge, [2]

        def broken(state: Any, *given: Any) -> None:
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt
            real(state, *given)

        patch.setattr(loop._State, "judge", broken)
        with pytest.raises(KeyboardInterrupt):
            judged(student, log, out, group_campaigns=10 * MINUTE)
    assert judged(student, log, out, group_campaigns=10 * MINUTE).resumed > 0
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_window_closes_while_a_followed_log_is_silent(
    student: OnnxScorer, small_bundle: Path, log: Path, workers: int
) -> None:
    log = log.with_name("access.log")
    out, ended, cascade = log.with_name("out.jsonl"), threading.Event(), Cascade(student, None, Policy())
    log.write_text("".join(map(line, range(30))))
    request = Request((str(log),), str(out), follow=True, explain=False, group_campaigns=2)
    engine = None if workers == 1 else worker_processes(student, small_bundle, workers)

    def followed() -> None:
        triage(cascade, request, engine=engine, context=RunContext(stop=ended.is_set))

    run = threading.Thread(target=followed)
    run.start()
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if out.exists() and sum(counts(written(out))) == 30:
                break
            time.sleep(0.1)
        assert sum(counts(written(out))) == 30, "while the run goes on, without another event"
    finally:
        ended.set()
        run.join(60)
    assert sum(counts(written(out))) == 30


def test_a_followed_log_that_is_taken_up_again_loses_no_alert(student: OnnxScorer, log: Path) -> None:
    out, lines = log.with_name("out.jsonl"), [line(i) for i in range(300)]
    log = log.with_name("access.log")
    log.write_text("".join(lines[:100]))
    request = Request((str(log),), str(out), follow=True, explain=False, group_campaigns=10 * MINUTE)
    for number in (100, 200, 300):
        triage(Cascade(student, None, Policy()), replace(request), context=RunContext(stop=lambda: True))
        assert sum(counts(written(out))) == number
        with log.open("a") as file:
            file.write("".join(lines[number : number + 100]))
