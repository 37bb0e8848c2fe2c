"""Connections, alerts, messages and records in lines: as many, and the same, as other programs find in them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random

import duckdb
import pytest

from .independent import jq, lnav, said
from .test_aws_tls import ALB, ALPN, NLB, SUBJECT
from .test_independent_counts import FILLED

ODD = [re.sub("[\x1b\x85\u2028\ufeff\t]", "", text) for text in FILLED]  # what nobody writes into a line as it is


def written(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


@pytest.mark.parametrize("form", ["file", "output"])
def test_records_of_fluentd_are_those_of_jq(read, form: str) -> None:
    """`out_file` writes TIME, TAG and JSON between tabs, the output `stdout` the first two between blanks."""
    head = "2026-01-05T07:06:24+00:00\tapp.web\t" if form == "file" else "2026-01-05 07:06:24.000000001 +0000 app.web: "
    lines = [head + json.dumps({"n": n, "message": text}, ensure_ascii=n % 2 == 0) for n, text in enumerate(FILLED)]
    data = written(lines)
    documents = (
        said("cut", "-f", "3-", given=data) if form == "file" else said("cut", "-d", " ", "-f", "5-", given=data)
    )
    found, rejects = read("odd.log", data)
    assert found["text"].to_pylist() == jq(documents, ".message") == FILLED
    assert rejects.total == 0


def test_messages_of_rfc_5424_are_those_of_lnav(read, folder: Path) -> None:
    """Of structured data lnav reads one element at most, and no empty value."""
    data = ["-", '[origin@1 ip="192.0.2.7"]', '[a@1 b="c d" e="f\\]g"]']
    heads = [f"<34>1 2026-01-05T07:06:24.003Z web{n % 3} app{n % 5} {n or '-'} ID{n % 7}" for n in range(len(ODD))]
    lines = [f"{head} {data[n % 3]} {text}" for n, (head, text) in enumerate(zip(heads, ODD, strict=True))]
    table, rejects = read("odd.log", written(lines))
    columns = "log_hostname, log_procname, log_pid, log_struct, log_body"
    theirs = []
    for row in lnav(folder / "odd.log", "syslog_log", columns):
        host, program, pid, struct, body = row.values()
        sender = program if pid == "-" else f"{program}[{pid}]"
        theirs.append(" ".join(["07:06:24", host, f"{sender}:", *([] if struct == "-" else [struct]), body]))
    assert table["text"].to_pylist() == theirs
    assert (table["time"].to_pylist(), rejects.total) == (["2026-01-05T07:06:24.003000Z"] * len(ODD), 0)


def test_alerts_of_a_fast_log_are_those_of_awk(read) -> None:
    """A message may hold what divides the parts, of which there is as much behind it as Suricata always writes."""
    random = Random(15)
    parts = ("ET SCAN", "[**]", '"', "'", "{TCP}", "->", "é", "[Priority: 9]", "()", ":", "1.2.3.4:5 ", "\\")
    messages = [f"{n} {' '.join(random.choices(parts, k=n % 5))} end" for n in range(150)]
    lines = [
        f"03/25/2024-12:34:56.123456  {'[Drop] ' * (n % 4 == 0)}[**] [1:{n + 1}:3] {text} [**] "
        f"[Classification: Web Application Attack] [Priority: {n % 3 + 1}] {{TCP}} 192.0.2.{n}:8{n} -> 10.0.0.1:80"
        for n, text in enumerate(messages)
    ]
    table, rejects = read("fast.log", written(lines))
    cut = (
        "{ match($0, /\\[\\*\\*\\] \\[[0-9:]+\\] /); message = substr($0, RSTART + RLENGTH); "
        'sub(/ \\[\\*\\*\\] \\[Classification: .*/, "", message); sub(/:[0-9]+$/, "", $(NF - 2)); '
        'sub(/\\]$/, "", $(NF - 4)); print $(NF - 2) "\\t" $(NF - 4) "\\t" ($2 == "[Drop]") "\\t" message }'
    )
    theirs = [row.split("\t") for row in said("awk", cut, given=written(lines)).decode().splitlines()]
    assert len(theirs) == table.num_rows == len(lines) and rejects.total == 0
    for (source, severity, dropped, message), event in zip(theirs, table.to_pylist(), strict=True):
        assert event["src_ip"] == source
        assert event["text"].startswith(f'suricata alert signature="{message}" category="Web Application Attack" ')
        assert f"severity={severity} action={'blocked' if dropped == '1' else 'allowed'}" in event["text"]
    assert [row[3] for row in theirs] == messages


def test_connections_of_aws_are_those_of_miller(read) -> None:
    """NLB's log has no quotes that hold a blank: a field is what stands between blanks."""
    names = ["".join(c for c in text if c.isalnum() or c in "'\"\\;{=|") + ".test" for text in FILLED]
    lines = [
        (ALPN if n % 2 else NLB).replace("my-lb.elb.us-east-2.amazonaws.com", name) for n, name in enumerate(names)
    ]
    table, rejects = read("a.txt", written(lines))
    theirs = json.loads(
        said("mlr", "--inidx", "--ifs", " ", "--ojson", "-S", "cut", "-o", "-f", "6,16,18", given=written(lines))
    )
    assert [row["16"] for row in theirs] == ["TLSv12" for _ in names]
    assert table["host"].to_pylist() == [row["18"] for row in theirs] == names
    ports = zip(table["src_ip"].to_pylist(), table["src_port"].to_pylist(), strict=True)
    assert [f"{address}:{port}" for address, port in ports] == [row["6"] for row in theirs]
    assert rejects.total == 0


def test_connections_of_an_alb_are_those_of_duckdb(read, folder: Path) -> None:
    subjects = ["CN=" + re.sub(r'["\\]', "", text) for text in FILLED]
    lines = [ALB.replace(SUBJECT, f'"{subject}"').replace("36280", str(n)) for n, subject in enumerate(subjects)]
    table, rejects = read("a.txt", written(lines))
    where = f"read_csv('{folder / 'a.txt'}', header=false, all_varchar=true, delim=' ', quote='\"', escape='')"
    theirs = duckdb.sql(f"SELECT column02, column07, column10 FROM {where}").fetchall()
    assert [str(port) for port in table["src_port"].to_pylist()] == [port for port, _, _ in theirs]
    assert [subject for _, subject, _ in theirs] == subjects
    for text, (_, subject, verify) in zip(table["text"].to_pylist(), theirs, strict=True):
        assert text.endswith(f" verify={verify}") and (f"subject={subject} " in text or f'subject="{subject}" ' in text)
    assert rejects.total == 0
