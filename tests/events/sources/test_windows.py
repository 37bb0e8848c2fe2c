from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Columns, Rejects, load_events
from overproof.events.sources.windows.shapes import event_of

CASE = Path(__file__).parents[2] / "cases" / "14-sysmon-json" / "sysmon.jsonl"
COMMAND = "powershell -nop -w hidden -enc SQBFAFgA"
TIME = "2026-01-05T07:00:00.1234567Z"
SYSMON = "Microsoft-Windows-Sysmon/Operational"

# One process creation, as those who ship it write it.
SHIPPED: dict[str, dict[str, Any]] = {
    "evtx_dump": {"Event": {
        "#attributes": {"xmlns": "http://schemas.microsoft.com/win/2004/08/events/event"},
        "System": {
            "Provider": {"#attributes": {"Name": "Microsoft-Windows-Sysmon"}}, "EventID": 1, "Channel": SYSMON,
            "TimeCreated": {"#attributes": {"SystemTime": TIME}}, "Computer": "WS1", "Security": None,
        },
        "EventData": {"UtcTime": "2026-01-05 06:59:59.999", "LogonId": "0x3e7", "CommandLine": COMMAND, "User": "X\\y"},
    }},
    "xmltodict": {"Event": {
        "@xmlns": "http://schemas.microsoft.com/win/2004/08/events/event",
        "System": {
            "Provider": {"@Name": "Microsoft-Windows-Sysmon"}, "EventID": {"@Qualifiers": "", "#text": "1"},
            "TimeCreated": {"@SystemTime": TIME}, "Channel": SYSMON, "Computer": "WS1",
        },
        "EventData": {"Data": [
            {"@Name": "LogonId", "#text": "0x3e7"}, {"@Name": "CommandLine", "#text": COMMAND},
            {"@Name": "User", "#text": "X\\y"}, {"@Name": "Empty"},
        ]},
    }},
    "winlogbeat": {
        "@timestamp": TIME, "message": "Process Create:\nRuleName: -", "event": {"code": "1", "kind": "event"},
        "host": {"name": "WS1"},
        "winlog": {
            "event_id": "1", "channel": SYSMON, "computer_name": "WS1",
            "event_data": {"LogonId": "0x3e7", "CommandLine": COMMAND, "User": "X\\y"},
        },
    },
    "winlogbeat's modules": {
        "@timestamp": TIME, "process": {"command_line": COMMAND}, "user": {"name": "X\\y"}, "message": "x",
        "winlog": {
            "event_id": 1, "channel": SYSMON, "computer_name": "WS1", "event_data": {"LogonId": "0x3e7"},
        },
    },
    "wazuh": {"data": {"win": {
        "system": {"eventID": "1", "channel": SYSMON, "computer": "WS1", "systemTime": TIME},
        "eventdata": {"logonId": "0x3e7", "commandLine": COMMAND, "user": "X\\y"},
    }}},
    "nxlog": {
        "EventID": 1, "Channel": SYSMON, "Hostname": "WS1", "SourceName": "Microsoft-Windows-Sysmon", "Keywords": 1,
        "@timestamp": TIME, "LogonId": "0x3e7", "CommandLine": COMMAND, "User": "X\\y", "Message": "Process Create:",
    },
    "hayabusa": {
        "Timestamp": TIME, "RuleTitle": "Proc Exec", "Computer": "WS1", "Channel": SYSMON, "EventID": 1,
        "Details": {"Cmdline": COMMAND, "User": "X\\y", "LogonId": "0x3e7"},
    },
    "evtxecmd": {
        "EventId": 1, "Channel": SYSMON, "Computer": "WS1", "TimeCreated": TIME, "ExecutableInfo": COMMAND,
        "Payload": json.dumps({"EventData": {"Data": [
            {"@Name": "CommandLine", "#text": COMMAND}, {"@Name": "LogonId", "#text": "0x3e7"},
            {"@Name": "User", "#text": "X\\y"},
        ]}}),
    },
}  # fmt: skip


def test_sysmon_as_json_is_read_by_its_command_lines() -> None:
    for columns in (None, Columns(text="Event.EventData.CommandLine")):
        rejects = Rejects()
        table = load_events(CASE, columns=columns, rejects=rejects)
        assert table["text"].to_pylist() == [COMMAND, "notepad.exe readme.txt"]
        assert rejects.total == 0
    with pytest.raises(InputError, match=r"no column 'CommandLine'; found .*'Event\.EventData\.CommandLine'"):
        load_events(CASE, columns=Columns(text="CommandLine"))


@pytest.mark.parametrize("name", ["a.jsonl", "a.log", "a"])
@pytest.mark.parametrize("record", SHIPPED.values(), ids=SHIPPED)
def test_whoever_ships_it_the_event_is_the_same(read, record: dict[str, Any], name: str) -> None:
    table, rejects = read(name, json.dumps(record).encode())
    (event,) = table.drop_columns(["origin"]).to_pylist()
    assert rejects.total == 0
    assert {key: value for key, value in event.items() if value} == {
        "text": COMMAND, "time": "2026-01-05T07:00:00.123456Z", "group": "WS1 0x3e7", "kind": "windows-sysmon-1",
        "host": "WS1", "user": "X\\y",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("system", "data", "text"),
    [
        (
            {"EventID": 4104, "Channel": "Microsoft-Windows-PowerShell/Operational"},
            {"ScriptBlockText": "iex $x"},
            "iex $x",
        ),
        ({"EventID": 4688, "Channel": "Security"}, {"NewProcessName": "C:\\a.exe", "CommandLine": "a /x"}, "a /x"),
        (
            {"EventID": 4688, "Channel": "Security"},
            {"NewProcessName": "C:\\a b.exe", "CommandLine": "", "NewProcessId": "0x1"},
            'windows Security 4688 NewProcessName="C:\\a b.exe"',
        ),
        (
            {"EventID": 4625, "Channel": "Security"},
            {
                "TargetUserName": "root",
                "IpAddress": "198.51.100.9",
                "IpPort": "50000",
                "TargetLogonId": "0x0",
                "X": "-",
            },
            "windows Security 4625 TargetUserName=root IpAddress=198.51.100.9 IpPort=50000",
        ),
        (
            {"EventID": {"#text": 7036}, "Channel": "System"},
            {"Data": ["a", {"#text": "b"}, None]},
            "windows System 7036 Data=a,b",
        ),
        ({"EventID": 1, "Channel": "System"}, "just text", 'windows System 1 Data="just text"'),
        ({"EventID": 1102, "Channel": "Security"}, None, "windows Security 1102"),
        (
            {"EventID": 104, "Channel": "System"},
            {"LogFileCleared": {"#attributes": {"xmlns": "x"}, "SubjectUserName": "a"}},
            "windows System 104 SubjectUserName=a",
        ),
    ],
)
def test_what_events_say(read, system: dict[str, Any], data: Any, text: str) -> None:
    table, _ = read("a.json", json.dumps({"Event": {"System": system, "EventData": data}}).encode())
    (event,) = table.to_pylist()
    assert event["text"] == text
    if "4625" in text:
        assert (event["src_ip"], event["src_port"], event["user"]) == ("198.51.100.9", 50000, "root")


@pytest.mark.parametrize(
    "system",
    [
        {"EventID": {"Value": 1}, "TimeCreated": {"SystemTime": 1767596784.5}},
        {"EventID": 1, "TimeCreated_attributes": {"SystemTime": "2026-01-05T07:06:24.5Z"}},
    ],
    ids=["Velociraptor", "Chainsaw"],
)
def test_number_and_time_as_others_write_them(read, system: dict[str, Any]) -> None:
    record = {"System": {**system, "Channel": "x", "Computer": "h"}, "EventData": {"CommandLine": "a b"}}
    table, _ = read("a.json", json.dumps(record).encode())
    assert table.select(["text", "kind", "time"]).to_pylist() == [
        {"text": "a b", "kind": "windows-x-1", "time": "2026-01-05T07:06:24.500000Z"}
    ]


def test_an_event_without_data_is_read_by_its_message(read) -> None:
    record = {"winlog": {"event_id": 7, "channel": "App", "computer_name": "A"}, "message": "it failed"}
    assert read("a.json", json.dumps(record).encode())[0]["text"].to_pylist() == ["it failed"]


def test_what_is_none_is_counted(read) -> None:
    whole = json.dumps(SHIPPED["evtx_dump"]).encode()
    table, rejects = read("a.json", b"\n".join([whole, b'{"Event":{}}', b"[1]", b"{", b"", whole]))
    assert table.num_rows == 2
    assert rejects.summary() == {"not a Windows event": 1, "JSON is not an object": 1, "JSON does not parse": 1}


@pytest.mark.parametrize(
    "record",
    [
        {"Event": "text"}, {"Event": {"id": 1}}, {"System": {"x": 1}, "text": "a"}, {"EventID": 1, "Channel": "a"},
        {"EventID": 1, "message": "a", "Hostname": "b"}, {"data": {"win": True}}, {"winlog": "a"},
    ],
)  # fmt: skip
def test_what_is_not_a_windows_event(record: dict[str, Any]) -> None:
    assert event_of(record) is None


value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["#text", "#attributes", "@Name", "Name", "Data", "x"]), inner, max_size=2)
    ),
    max_leaves=6,
)
keys = st.sampled_from(
    ["EventID", "Channel", "Computer", "TimeCreated", "Data", "CommandLine", "IpAddress", "UtcTime", "x"]
)
part = st.dictionaries(keys, value, max_size=4)


def test_deeply_nested_json_is_no_crash(read) -> None:
    for inner in ("[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900):
        for data in (
            b'{"Event":{"System":{"EventID":%b},"EventData":{"CommandLine":%b}}}',
            b'{"winlog":{"event_id":%b,"event_data":%b}}',
        ):
            table, rejects = read("a.json", data % (inner.encode(), inner.encode()), format="windows")
            assert (table.num_rows, rejects.total) == (1, 0)


@given(part, part | value, st.sampled_from(["Event", "winlog", "win", "flat"]))
def test_any_event_is_one_event(read, system: dict[str, Any], data: Any, way: str) -> None:
    record = {
        "Event": {"Event": {"System": system, "EventData": data}},
        "winlog": {"winlog": {"event_data": data, **system}},
        "flat": {"EventID": 1, "Channel": "a", "Computer": "b", "Details": data, "Payload": json.dumps(system)},
        "win": {"win": {"system": system, "eventdata": data}},
    }[way]
    table, rejects = read("a.json", json.dumps(record).encode(), format="windows")
    assert (table.num_rows, rejects.total) == (1, 0)


PARENT = "powershell -enc SQBFAFgA"


@pytest.mark.parametrize(
    "record",
    [
        {"EventID": 1, "Channel": "Sysmon", "Computer": "pc1", "CommandLine": "whoami", "ParentCommandLine": PARENT},
        {
            "Timestamp": "2026-03-05 10:11:12.000 +00:00", "Computer": "pc1", "Channel": "Sysmon", "EventID": 1,
            "Details": {"Cmdline": "whoami", "ParentCmdline": PARENT},
        },
        {
            "winlog": {"channel": "Sysmon", "event_id": 1, "computer_name": "pc1"},
            "process": {"command_line": "whoami", "parent": {"command_line": PARENT}},
        },
        {
            "data": {"win": {
                "system": {"eventID": "1", "channel": "Sysmon", "computer": "pc1"},
                "eventdata": {"commandLine": "whoami", "parentCommandLine": PARENT},
            }},
        },
    ],
)  # fmt: skip
def test_the_command_line_of_the_parent_is_judged_too(read, record: dict[str, Any]) -> None:
    table, _ = read("a.json", json.dumps(record).encode())
    assert table["text"].to_pylist() == [f'whoami ParentCommandLine="{PARENT}"']


@pytest.mark.parametrize("parent", ["-", "explorer.exe", r"C:\Windows\explorer.exe", r'"C:\Program Files\a b\c.exe" '])
def test_a_parent_without_arguments_is_not_written(read, parent: str) -> None:
    record = {
        "EventID": 1,
        "Channel": "Sysmon",
        "Computer": "pc1",
        "CommandLine": "whoami",
        "ParentCommandLine": parent,
    }
    table, _ = read("a.json", json.dumps(record).encode())
    assert table["text"].to_pylist() == ["whoami"]
