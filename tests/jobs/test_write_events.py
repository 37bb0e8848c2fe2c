"""`overproof events`: what triage would judge, as a table, labelled by whom one says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

import overproof
from overproof.cli import app
from overproof.errors import InputError
from overproof.events.sources import load_events
from overproof.events.tables import FORMS
from overproof.jobs.label_events import by_alerts
from overproof.progress import SILENT

ACCESS = '192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] "GET /item?id={} HTTP/1.1" 200 17 "-" "curl/8"\n'


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def judged(bundle: Path, sources: list[Path], folder: Path) -> dict[str, tuple[str, str]]:
    """Origin to source and text of what triage judges, in order."""
    out = folder / "verdicts.jsonl"
    result = run("triage", bundle, *sources, "--with-text", "--out", out)
    assert result.exit_code == 0, result.output
    found = [json.loads(line) for line in out.read_text().splitlines()]
    return {str(number): (one["source"], one["text"]) for number, one in enumerate(found)}


def of_table(path: Path) -> dict[str, tuple[str, str]]:
    table = load_events([path])
    pairs = zip(table["source"].to_pylist(), table["text"].to_pylist(), strict=True)
    return {str(number): pair for number, pair in enumerate(pairs)}


@pytest.fixture
def access_log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.write_text("".join(ACCESS.format(f"{i}%27%20or%20{i}") for i in range(30)) + "broken\n")
    return path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "names",
    [
        ("captures/pcap/WebattackSQLinj.pcap", "captures/pcap/smbv1.pcap", "captures/pcap/dns-exf.pcap"),
        ("captures/zeek/conn.log", "captures/zeek/http.log.gz", "captures/zeek/json/dns.log"),
        ("captures/suricata/eve.json.gz", "captures/access/nginx-apache.log"),
    ],
    ids=["captures", "Zeek", "Suricata and an access log"],
)
def test_the_texts_are_those_that_triage_judges(
    names: tuple[str, ...], form: str, shared_data: Path, small_bundle: Path, tmp_path: Path
) -> None:
    sources = [shared_data / name for name in names]
    written = overproof.write_events(sources, out=tmp_path / f"events.{form}")
    expected = judged(small_bundle, sources, tmp_path)
    assert of_table(tmp_path / f"events.{form}") == expected
    assert written.events == len(expected) == sum(written.sources.values())
    assert written.labels == {"no label": written.events}


def test_what_was_counted_is_told_and_the_label_is_empty(access_log: Path, tmp_path: Path) -> None:
    out, rejects = tmp_path / "events.csv", tmp_path / "rejects.jsonl"
    result = run("events", access_log, "-o", out, "--rejects", rejects)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"30 events to {out}",
        "  sources    30 access",
        "  labels     30 no label",
        "  rejected   1: not a line of an access log (1)",
    ]
    table = load_events([out])
    assert table["label"].null_count == table["family"].null_count == 30
    assert table["source_origin"].to_pylist()[0] == f"{access_log}:1"
    assert table["time"].to_pylist()[0] == "2026-01-02T03:04:05Z"
    assert json.loads(rejects.read_text())["raw"] == "broken"


def test_standard_output_holds_the_table_alone(access_log: Path) -> None:
    for words, start in (((), '"text","label","family"'), (("--to", "jsonl"), '{"text":"')):
        result = run("events", access_log, *words)
        assert result.exit_code == 0
        assert result.stdout.startswith(start)
        assert "30 events to -" in result.stderr


def test_the_summary_as_json(access_log: Path, tmp_path: Path) -> None:
    result = run("events", access_log, "-o", tmp_path / "events.csv", "--json")
    assert json.loads(result.stdout)["sources"] == {"access": 30}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--to", "parquet"), "--to parquet: no stream; expected a file to write, or csv or jsonl"),
        (("-o", "events.csv.gz"), "events.csv.gz: events are not written compressed"),
        (("--others", "benign"), "--others and --alert: expected --label-from with them"),
        (("--label-from", "eve.json", "--teacher", "ngram"), "--label-from and --teacher: expected one of them"),
        (("--label-from", "eve.json", "--alert", "GPL *"), "--alert GPL *: no alert in eve.json has such a name"),
        (("--label-from", "eve.json", "--label-window", "nan"), "--label-window nan: expected a number of seconds"),
        (("--label-from", "eve.json", "-o", "eve.json"), "is eve.json, which would be lost"),
        (("--teacher", "nowhere"), "nowhere: no such file or folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_refused(
    words: tuple[str, ...], said: str, access_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("eve.json").write_text(eve() + "\n")
    result = run("events", access_log, *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert sorted(os.listdir()) == ["access.log", "eve.json"]


def eve(**changed: Any) -> str:
    record = {"timestamp": "2026-01-02T03:04:05.0+0000", "event_type": "alert", "src_ip": "192.0.2.7", "dest_ip": "-"}
    return json.dumps({**record, "alert": {"signature": "ET SQL", "severity": 1}, **changed})


def test_alerts_label_what_they_are_about(tmp_path: Path, shared_data: Path) -> None:
    log = shared_data / "captures" / "suricata" / "eve.json.gz"
    label = overproof.LabelConfig(log, names=("ET *",), others="benign")
    written = overproof.write_events(log, out=tmp_path / "events.parquet", label=label)
    table = load_events([tmp_path / "events.parquet"])
    alerted = [row for row in table.to_pylist() if row["label"] == "malicious"]
    assert written.labels["malicious"] == len(alerted) > 100
    assert {row["labelled_by"] for row in alerted} == {"suricata alert"}
    assert all(row["family"].startswith("ET ") for row in alerted)
    others = [row for row in table.to_pylist() if row["label"] == "benign"]
    assert others
    assert {row["labelled_by"] for row in others} == {"no alert"}
    own = [row for row in table.to_pylist() if row["source"] == "suricata-alert"]
    assert own and all(row["label"] is None and row["labelled_by"] is None for row in own)
    assert any("met no event" in remark for remark in written.remarks)


def test_brackets_in_the_names_of_alerts_are_themselves(tmp_path: Path) -> None:
    log = tmp_path / "eve.json"
    records = [eve(alert={"signature": name, "severity": 1}) for name in ("ET [a] one", "ET a one")]
    log.write_text("\n".join(records) + "\n")
    alerts = by_alerts(log, ("ET [a] *",), None, 300.0, SILENT).alerts
    assert alerts.names == {"ET [a] one"}


def test_a_label_of_its_own_stays(tmp_path: Path) -> None:
    rows = "text,label,src_ip,time\na,benign,192.0.2.7,2026-01-02T03:04:05Z\nb,,192.0.2.7,2026-01-02T03:04:05Z\n"
    (tmp_path / "mine.csv").write_text(rows)
    (tmp_path / "notice.log").write_text(
        json.dumps({"ts": 1767323045.0, "note": "Scan::Port_Scan", "msg": "m", "src": "192.0.2.7"}) + "\n"
    )
    label = overproof.LabelConfig(tmp_path / "notice.log")
    overproof.write_events(tmp_path / "mine.csv", out=tmp_path / "events.jsonl", label=label)
    rows_of = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [(row["label"], row["labelled_by"]) for row in rows_of] == [("benign", None), ("malicious", "zeek notice")]


def test_a_teacher_labels_with_its_probabilities(
    access_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "odd_numbers.py").write_text(
        """
import numpy as np
class Odd:
    classes_ = ["benign", "sqli"]
    def predict_proba(self, texts):
        odd = np.array([int(text.split("id=")[1].split("'")[0]) % 2 for text in texts])
        return np.stack([0.9 - 0.8 * odd, 0.1 + 0.8 * odd], axis=1)
odd = Odd()
"""
    )
    monkeypatch.syspath_prepend(tmp_path)
    out = tmp_path / "events.csv"
    result = run("events", access_log, "--teacher", "odd_numbers:odd", "-o", out)
    assert result.exit_code == 0, result.output
    assert "the labels are those of odd_numbers:odd: what is measured by them is agreement with it" in result.stdout
    table = load_events([out])
    assert table["label"].to_pylist() == ["benign", "sqli"] * 15
    assert set(table["labelled_by"].to_pylist()) == {"teacher odd_numbers:odd"}
    assert [round(float(one), 3) for one in table["p_sqli"].to_pylist()[:2]] == [0.1, 0.9]
    from overproof.distillation.teachers import load_teacher

    again = load_teacher(["columns:p_"], columns=table.column_names)
    assert (again.logits(table).argmax(axis=1) == [0, 1] * 15).all()


def test_soft_labels_of_elsewhere_label_nothing_new(access_log: Path, tmp_path: Path) -> None:
    (tmp_path / "soft.csv").write_text("text,p_a,p_b\nx,0.5,0.5\n")
    label = overproof.LabelConfig(teacher=(f"labels:{tmp_path / 'soft.csv'}",))
    with pytest.raises(InputError, match="computed elsewhere; expected a model"):
        overproof.write_events(access_log, out=tmp_path / "events.csv", label=label)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)], ids=["Ctrl-C", "kill"]
)
def test_a_run_that_is_broken_off_leaves_nothing(number: signal.Signals, code: int, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "events.csv").write_text("of an earlier run")
    os.mkfifo(tmp_path / "fifo")
    command = [sys.executable, "-m", "overproof", "events", "fifo", "-o", "out/events.csv"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as begun:
        ends = time.monotonic() + 60
        while not list((tmp_path / "out").glob("*.part")) and time.monotonic() < ends:
            time.sleep(0.05)
        assert list((tmp_path / "out").glob("*.part"))
        begun.send_signal(number)
        _, said = begun.communicate(timeout=60)
    assert (begun.returncode, said) == (code, "")
    assert os.listdir(tmp_path / "out") == ["events.csv"]
    assert (tmp_path / "out" / "events.csv").read_text() == "of an earlier run"


def test_memory_does_not_grow_with_the_input(tmp_path: Path) -> None:
    """In a process of its own: the most that a run holds is about the same for eight times the events."""
    code = (
        "import sys, overproof;"
        "overproof.write_events(sys.argv[1], out=sys.argv[2]);"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    peaks = []
    for lines in (8_000, 64_000):
        path = tmp_path / f"{lines}.log"
        path.write_text("".join(ACCESS.format(f"{i}{'x' * 200}") for i in range(lines)))
        command = [sys.executable, "-c", code, str(path), str(tmp_path / "events.csv")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout))
    assert peaks[1] < peaks[0] + 15_000  # KiB, of 20 MB of log and 25 of table


def test_an_empty_capture_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text("\n")
    with pytest.raises(InputError, match="no usable event"):
        overproof.write_events(tmp_path / "access.log", out=tmp_path / "events.csv")
    assert not (tmp_path / "events.csv").exists()


def test_the_columns_are_the_same_whatever_was_read(access_log: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("payload,class,note\na,benign,n\n")
    tables = []
    for number, source in enumerate((access_log, tmp_path / "mine.csv")):
        overproof.write_events(source, out=tmp_path / f"{number}.parquet")
        tables.append(load_events([tmp_path / f"{number}.parquet"]))
    assert tables[0].schema.names == tables[1].schema.names
    assert pa.concat_tables(tables).num_rows == 31
