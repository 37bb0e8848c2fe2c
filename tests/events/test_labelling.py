"""Alerts as labels: which events an alert is about, and which not."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from overproof.errors import InputError
from overproof.events.labelling import Alerts, read_alerts
from overproof.events.schema import Skipped, event_table
from overproof.events.tables import table_batch

AT = "2026-01-02T03:04:05"
NOTICES = """\
#separator \\x09
#set_separator\t,
#empty_field\t(empty)
#unset_field\t-
#path\tnotice
#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tnote\tmsg\tsrc\tdst\tp
#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tenum\tstring\taddr\taddr\tport
1767323045.0\tCabc\t192.0.2.7\t40000\t198.51.100.9\t80\ttcp\tHTTP::SQL_Injection_Attacker\tm\t192.0.2.7\t198.51.100.9\t80
1767323045.0\t-\t-\t-\t-\t-\t-\tScan::Port_Scan\tm\t192.0.2.8\t-\t-
1767323045.0\t-\t-\t-\t-\t-\t-\tCaptureLoss::Too_Much_Loss\tm\t-\t-\t-
"""
FLOW = {"src_ip": "192.0.2.7", "src_port": 40000, "dst_ip": "198.51.100.9", "dst_port": 80, "transport": "tcp"}


def eve(**changed: Any) -> dict[str, Any]:
    alert = {"signature": "ET WEB SQL injection", "severity": 1}
    ends = {"src_ip": "192.0.2.7", "src_port": 40000, "dest_ip": "198.51.100.9", "dest_port": 80, "proto": "TCP"}
    record = {"timestamp": f"{AT}.000000+0000", "event_type": "alert", "flow_id": 17, "alert": alert, **ends}
    return {**record, **changed}


def of(alerts: Alerts, **columns: Any) -> str | None:
    """The name of the alert that one event belongs to."""
    row = {"text": "text", "time": f"{AT}Z", **columns}
    table = event_table({name: [value] for name, value in row.items()}).replace_schema_metadata({"format": "csv"})
    (batch,) = table.combine_chunks().to_batches()
    (found,) = alerts.of(table_batch(batch))
    return None if found is None else found.name


def alerts_of(folder: Path, *records: dict[str, Any]) -> Alerts:
    (folder / "eve.json").write_text("".join(json.dumps(record) + "\n" for record in records))
    return Alerts(read_alerts(folder / "eve.json", lambda skipped: None))


@pytest.mark.parametrize(
    ("columns", "belongs"),
    [
        ({"flow_id": "17", "time": None}, True),
        ({"group": "17", "time": "2020-01-01T00:00:00Z"}, True),
        ({"flow_id": "18"}, False),
        (FLOW, True),
        ({**FLOW, "src_port": "40000"}, True),
        ({**FLOW, "transport": None}, True),
        ({**FLOW, "transport": "udp"}, False),
        ({**FLOW, "src_ip": "198.51.100.9", "src_port": 80, "dst_ip": "192.0.2.7", "dst_port": 40000}, True),
        ({**FLOW, "src_port": 40001}, False),
        ({**FLOW, "src_port": None, "dst_port": None}, False),
        ({**FLOW, "time": "2026-01-02T03:09:05Z"}, True),
        ({**FLOW, "time": "2026-01-02T03:09:06Z"}, False),
        ({**FLOW, "time": "2026-01-02T02:59:04Z"}, False),
        ({**FLOW, "time": None}, False),
        ({**FLOW, "time": "03:04:05"}, False),
        ({**FLOW, "source": "suricata-alert"}, False),
        ({**FLOW, "source": "zeek-notice"}, False),
        ({}, False),
    ],
    ids=[
        "its flow_id, whenever",
        "its flow_id as group",
        "another flow_id",
        "its addresses and ports",
        "ports as text",
        "no transport",
        "another transport",
        "seen from the other side",
        "another port",
        "no ports",
        "five minutes later",
        "more than five minutes later",
        "more than five minutes before",
        "no time",
        "a time without a date",
        "an alert itself",
        "a notice itself",
        "nothing known",
    ],
)
def test_the_events_of_an_alert(columns: dict[str, Any], belongs: bool, tmp_path: Path) -> None:
    assert of(alerts_of(tmp_path, eve()), **columns) == ("ET WEB SQL injection" if belongs else None)


def test_an_alert_counts_from_the_start_of_its_flow(tmp_path: Path) -> None:
    alerts = alerts_of(tmp_path, eve(flow={"start": "2026-01-02T02:00:00.000000+0000"}))
    assert of(alerts, **FLOW, time="2026-01-02T02:30:00Z") == "ET WEB SQL injection"
    assert of(alerts, **FLOW, time="2026-01-02T01:50:00Z") is None


def test_a_community_id_comes_again_and_needs_the_time(tmp_path: Path) -> None:
    alerts = alerts_of(tmp_path, eve(community_id="1:abc", src_ip="192.0.2.99"))
    assert of(alerts, flow_id="1:abc") == "ET WEB SQL injection"
    assert of(alerts, flow_id="1:abc", time="2026-02-02T03:04:05Z") is None


def test_addresses_are_equal_however_they_are_spelled(tmp_path: Path) -> None:
    alerts = alerts_of(tmp_path, eve(src_ip="2001:0db8:0000:0000:0000:0000:0000:0001"))
    assert of(alerts, **{**FLOW, "src_ip": "2001:db8::1"}) == "ET WEB SQL injection"


def test_an_alert_without_ports_is_about_two_hosts(tmp_path: Path) -> None:
    alerts = alerts_of(tmp_path, eve(src_port=None, dest_port=None, proto="ICMP"))
    ping = {**FLOW, "src_port": 8, "dst_port": 0, "transport": "icmp"}
    assert of(alerts, **ping) == "ET WEB SQL injection"
    assert of(alerts, **FLOW) is None  # another transport between the same hosts


def test_the_gravest_of_several_alerts_gives_the_family(tmp_path: Path) -> None:
    grave = {"signature": "grave", "severity": 1}
    alerts = alerts_of(tmp_path, eve(alert={"signature": "light", "severity": 3}), eve(alert=grave))
    assert of(alerts, **FLOW) == "grave"
    assert alerts.names - alerts.met == {"light"}


def test_notices_by_their_uid_their_flow_and_their_host(tmp_path: Path) -> None:
    (tmp_path / "notice.log.gz").write_bytes(gzip.compress(NOTICES.encode()))
    skipped: list[Skipped] = []
    alerts = Alerts(read_alerts(tmp_path / "notice.log.gz", skipped.append))
    assert [one.reason for one in skipped] == ["a notice without a note, a uid or an address"]  # of the sensor itself
    assert of(alerts, flow_id="Cabc", time=None) == "HTTP::SQL_Injection_Attacker"
    assert of(alerts, **FLOW) == "HTTP::SQL_Injection_Attacker"
    assert of(alerts, src_ip="192.0.2.8", dst_ip="198.51.100.9") == "Scan::Port_Scan"
    assert of(alerts, src_ip="198.51.100.9", dst_ip="192.0.2.8") is None


def test_a_scan_of_many_alerts_is_kept_as_one_time(tmp_path: Path) -> None:
    alerts = alerts_of(
        tmp_path, *(eve(timestamp=f"2026-01-02T03:{minute:02}:00.0+0000", flow_id=None) for minute in range(60))
    )
    assert {len(times.starts) for known in alerts._known.values() for times in known.values()} == {1}
    assert of(alerts, **FLOW, time="2026-01-02T03:42:17Z") == "ET WEB SQL injection"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("text,label\na,b\n", "read as csv; expected a Zeek notice.log or a Suricata eve.json with alerts"),
        (
            json.dumps({"timestamp": AT, "event_type": "flow", "flow_id": 1}) + "\n",
            "no alert in it that says which flow or host it is about; expected a Zeek notice.log or a Suricata "
            "eve.json with alerts",
        ),
    ],
    ids=["a table", "no alerts"],
)
def test_what_is_no_log_of_alerts(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(content)
    with pytest.raises(InputError) as error:
        read_alerts(tmp_path / "file", lambda skipped: None)
    assert str(error.value) == f"{tmp_path / 'file'}: {said}"


def test_broken_lines_of_alerts_are_counted(tmp_path: Path) -> None:
    lines = [json.dumps(eve()), '{"alert" broken', json.dumps(eve(alert={"signature": ""}))]
    (tmp_path / "eve.json").write_text("\n".join(lines) + "\n")
    skipped: list[Skipped] = []
    assert len(read_alerts(tmp_path / "eve.json", skipped.append)) == 1
    assert [one.reason for one in skipped] == [
        "JSON does not parse",
        "an alert without a signature, a flow or an address",
    ]
