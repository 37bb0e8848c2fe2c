"""Logs of clouds and services, and osquery's results: as many records, and what was sent in them, as jq finds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .independent import jq
from .test_cloud import EVIL, RECORDS
from .test_independent_counts import FILLED
from .test_osquery import QUERY, ROWS

# where in each log somebody's text stands
SENT = {
    "cloudtrail": ".requestParameters.parameters.commands[1]",
    "cloudtrail-insight": ".insightDetails.insightContext.attributions[0].insight[0].value",
    "guardduty": ".resource.instanceDetails.tags[0].value",
    "google-audit": ".protoPayload.request.account_id",
    "azure": ".properties.userAgent",
    "azure-activity": ".properties.requestbody",
    "defender": ".properties.ProcessCommandLine",
    "entra-signin": ".userAgent",
    "entra-audit": ".targetResources[0].displayName",
    "microsoft365": ".Parameters[0].Value",
    "okta": ".client.userAgent.rawUserAgent",
}
LOGS = {start.partition(" ")[0]: record for start, record in reversed(RECORDS.items())}


def with_text(record: dict[str, Any], text: str) -> str:
    """Write a record in which another text was sent."""
    written = json.dumps(record, ensure_ascii=False)
    return written.replace(json.dumps(EVIL, ensure_ascii=False), json.dumps(text, ensure_ascii=False))


def test_every_log_is_counted() -> None:
    assert set(SENT) == set(LOGS)


@pytest.mark.parametrize("log", SENT)
@pytest.mark.parametrize("way", ["lines", "an array"])
def test_records_are_those_of_jq(read, log: str, way: str) -> None:
    records = [with_text(LOGS[log], text) for text in FILLED]
    data = ("\n".join(records) if way == "lines" else f"[\n{','.join(records)}]").encode()
    table, rejects = read("a.log", data)
    sent = jq(data, SENT[log] if way == "lines" else f".[] | {SENT[log]}")
    assert sent == FILLED and rejects.total == 0
    assert table.num_rows == len(sent) and set(table["kind"].to_pylist()) == {log}
    assert all(text in event for text, event in zip(sent, table["text"].to_pylist(), strict=True))


def test_rows_of_osquery_are_those_of_jq(read) -> None:
    """Of tables as osquery 5 has them: shell_history, crontab and docker_containers have a command, sudoers none."""
    rows: list[dict[str, Any]] = []
    for number, text in enumerate(FILLED):
        row = [
            {"uid": "0", "time": "1", "command": text, "history_file": "/root/.bash_history"},
            {"source": "/etc/sudoers", "header": "ALL", "rule_details": text},
            {"pid": str(number), "path": "/bin/sh", "cmdline": text, "syscall": "execve"},
            {"minute": "*", "command": text, "path": "/etc/crontab"},
            {"time": "1", "script_block_id": "a", "script_text": text, "script_path": ""},
        ][number % 5]
        form = number % 3
        change = {"diffResults": {"added": [row], "removed": [row] if number % 2 else ""}}
        rows.append(QUERY | ({"columns": row} if form == 0 else {"snapshot": [row, row]} if form == 1 else change))
    data = "".join(f"{json.dumps(each)}\n" for each in rows).encode()
    table, rejects = read("osqueryd.results.log", data)
    found = jq(data, f"({ROWS}) | .command // .cmdline // .script_text // .rule_details")
    assert table.num_rows == len(found) and rejects.total == 0
    for text, event in zip(found, table["text"].to_pylist(), strict=True):
        assert event == text or (event.startswith("osquery pack_x_processes source=/etc/sudoers") and text in event)
