"""Lines and documents in what log platforms export: as they are without it, and everything accounted for."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.events.sources import Columns
from overproof.events.sources.detect import detect
from overproof.events.sources.envelopes import FORMS, form_of, unwrapped
from overproof.events.sources.interface import Input

ACCESS = '192.0.2.7 - - [10/Oct/2023:13:55:%02d +0000] "GET /%d HTTP/1.1" 200 5 "-" "() { :;}; /bin/id"'
LINES = [ACCESS % (i, i) for i in range(3)]
DOCUMENT = {"@timestamp": "2023-10-10T13:55:36Z", "message": "a' or 1=1", "n": 1}

# of each form: what wraps some lines, and what jq says how many there are
OF_LINES: dict[str, tuple[Any, str]] = {
    "a result of Splunk": (lambda lines: [{"preview": False, "result": {"_raw": line}} for line in lines], ".result"),
    "results of Splunk": (lambda lines: [{"results": [{"_raw": line} for line in lines]}], ".results[]"),
    "a subscription of CloudWatch": (
        lambda lines: [
            {
                "messageType": "DATA_MESSAGE",
                "logGroup": "web",
                "logEvents": [{"id": "1", "timestamp": 1696946136000, "message": line} for line in lines],
            }
        ],
        ".logEvents[]",
    ),
    "an entry of Google's": (lambda lines: [{"insertId": "a", "textPayload": line} for line in lines], ".textPayload"),
    "a record of Fluent Bit": (lambda lines: [{"date": 1696946136.5, "log": f"{line}\n"} for line in lines], ".log"),
    "streams of Loki": (
        lambda lines: [{"streams": [{"stream": {}, "values": [["1696946136000000000", line] for line in lines]}]}],
        ".streams[].values[]",
    ),
    "an answer of Loki": (
        lambda lines: [
            {"status": "success", "data": {"resultType": "streams", "result": [{"values": [["1", x]]} for x in lines]}}
        ],
        ".data.result[].values[]",
    ),
    "logs of OpenTelemetry": (
        lambda lines: [
            {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": line}} for line in lines]}]}]}
        ],
        ".resourceLogs[].scopeLogs[].logRecords[]",
    ),
    "a log of OpenTelemetry": (lambda lines: [{"body": {"stringValue": line}} for line in lines], ".body"),
    "a message of GELF": (
        lambda lines: [{"version": "1.1", "short_message": line} for line in lines],
        ".short_message",
    ),
    "events of CloudTrail that were looked up": (
        lambda lines: [{"Events": [{"EventId": "1", "CloudTrailEvent": line} for line in lines]}],
        ".Events[].CloudTrailEvent",
    ),
    "a record of Microsoft 365's audit search": (
        lambda lines: [{"Operations": "x", "CreationDate": "x", "AuditData": line} for line in lines],
        ".AuditData",
    ),
    "an alert of Wazuh": (lambda lines: [{"rule": {"level": 5}, "full_log": line} for line in lines], ".full_log"),
    "an alert of Falco": (lambda lines: [{"output": line, "output_fields": {"a": 1}} for line in lines], ".output"),
}
OF_DOCUMENTS: dict[str, Any] = {
    "a document of Elasticsearch": lambda some: [{"_index": "x", "_id": "1", "_source": each} for each in some],
    "an answer of Elasticsearch": lambda some: [{"took": 1, "hits": {"hits": [{"_source": each} for each in some]}}],
    "a structured entry of Google's": lambda some: [{"insertId": "a", "jsonPayload": each} for each in some],
    "records of Azure": lambda some: [{"records": list(some)}],
    "records of CloudTrail": lambda some: [{"Records": list(some)}],
    "findings of GuardDuty": lambda some: [{"Findings": list(some)}],
    "an event of EventBridge": lambda some: [{"detail-type": "x", "detail": each} for each in some],
    "an answer of Graph": lambda some: [{"@odata.context": "https://graph", "value": list(some)}],
    "an event hook of Okta": lambda some: [{"eventTypeVersion": "1.0", "data": {"events": list(some)}}],
    "what osquery sends by TLS": lambda some: [{"node_key": "k", "log_type": "result", "data": list(some)}],
    "a detection of Chainsaw": lambda some: [
        {"group": "Sigma", "kind": "individual", "document": {"kind": "evtx", "data": each}} for each in some
    ],
    "a detection of Chainsaw in several events": lambda some: [
        {"group": "Sigma", "kind": "aggregate", "documents": [{"kind": "evtx", "data": each} for each in some]}
    ],
    "an event of Splunk's collector": lambda some: [{"sourcetype": "_json", "event": each} for each in some],
    "a structured record of Fluent Bit": lambda some: [{"kubernetes": {}, "log": each} for each in some],
}


def written(records: list[Any]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def test_every_form_is_tried() -> None:
    assert set(FORMS) == set(OF_LINES) | set(OF_DOCUMENTS)


@pytest.mark.parametrize("form", OF_LINES)
def test_lines_are_read_as_if_they_stood_alone(read, form: str) -> None:
    bare, _ = read("a.log", "\n".join(LINES).encode(), format="accesslog")
    records = OF_LINES[form][0](LINES)
    assert {form_of(record) for record in records} == {form}
    for ending in ("\n", "\r\n"):
        table, rejects = read("a.json", b"\xef\xbb\xbf" + written(records).replace(b"\n", ending.encode()))
        assert (rejects.total, table.num_rows) == (0, len(LINES))
        assert table.drop_columns("origin").equals(bare.drop_columns("origin"))
        assert {origin.rpartition(":")[2] for origin in table["origin"].to_pylist()} == {
            str(i + 1) for i in range(len(records))
        }


@pytest.mark.parametrize("form", OF_DOCUMENTS)
def test_documents_are_read_as_if_they_stood_alone(read, form: str) -> None:
    bare, _ = read("a.json", written([DOCUMENT] * 2))
    table, rejects = read("a.json", written(OF_DOCUMENTS[form]([DOCUMENT] * 2)))
    assert rejects.total == 0 and table.drop_columns("origin").equals(bare.drop_columns("origin"))
    eve = {"timestamp": "2024-05-01T12:00:00+0200", "event_type": "http", "src_ip": "::1", "http": {"url": "/1"}}
    table, _ = read("a.json", written(OF_DOCUMENTS[form]([eve])))
    assert table["text"].to_pylist() == ["HTTP - /1"], "a document of Suricata's, read as such"


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize("form", OF_LINES)
def test_as_many_as_jq_counts(read, form: str) -> None:
    data = written(OF_LINES[form][0](LINES))
    found = subprocess.run(["jq", "-c", OF_LINES[form][1]], input=data, capture_output=True, check=True).stdout
    assert read("a.json", data)[0].num_rows == len(found.splitlines())


def test_columns_of_a_document_and_of_what_holds_it_can_be_named(read) -> None:
    trail = {"Records": [{"eventName": "ConsoleLogin", "userAgent": "sqlmap"}, {"eventName": "x", "userAgent": "b"}]}
    table, _ = read("a.json", written([trail]), columns=Columns(text="userAgent"))
    assert table["text"].to_pylist() == ["sqlmap", "b"]
    hit = {"_index": "x", "_source": {"message": "m", "agent": "curl"}}
    for name in ("_source.agent", "agent"):
        assert read("a.json", written([hit]), columns=Columns(text=name))[0]["text"].to_pylist() == ["curl"]


def test_what_an_envelope_lacks_is_counted(read) -> None:
    lacking = [{"results": [{"_raw": "a"}, {"other": 1}, {"_raw": None}]}, {"preview": False, "lastrow": True}]
    data = written(lacking) + b"{\n"
    table, rejects = read("a.json", data, format="envelope")
    assert table["text"].to_pylist() == ["a"]
    assert rejects.summary() == {
        "results of Splunk: nothing at results.*._raw": 2,
        "not an envelope of log records": 1,
        "JSON does not parse": 1,
    }


def test_times_of_what_holds_a_line(read) -> None:
    for form, time in (
        ("a subscription of CloudWatch", "2023-10-10T13:55:36Z"),
        ("streams of Loki", "2023-10-10T13:55:36Z"),
        ("a record of Fluent Bit", "2023-10-10T13:55:36.500000Z"),
    ):
        table, _ = read("a.json", written(OF_LINES[form][0](["plain"])))
        assert table["time"].to_pylist() == [time], form


HOSTED = [
    {"preview": False, "result": {"_raw": "plain", "_time": "2023-10-10T13:55:36.000+00:00", "host": "web1"}},
    {"time": 1696946136, "host": "web1", "event": {"message": "plain"}},
    {"version": "1.1", "host": "web1", "short_message": "plain", "timestamp": 1696946136},
    {"timestamp": "2023-10-10T13:55:36.000+0000", "rule": {}, "agent": {"name": "web1"}, "full_log": "plain"},
    {"date": 1696946136, "log": "plain", "kubernetes": {"host": "web1"}},
    {"streams": [{"stream": {"host": "web1"}, "values": [["1696946136000000000", "plain"]]}]},
]


@pytest.mark.parametrize("record", HOSTED)
def test_time_and_host_of_what_holds_a_line_are_its_own(read, record: dict[str, Any]) -> None:
    (event,) = read("a.json", written([record]))[0].to_pylist()
    assert (event["text"], event["time"], event["host"]) == ("plain", "2023-10-10T13:55:36Z", "web1")


def test_what_names_its_own_host_keeps_it(read) -> None:
    line = "<13>1 2023-10-10T13:55:36Z db1 app - - - plain"
    (event,) = read("a.json", written([{"version": "1.1", "host": "web1", "short_message": line}]))[0].to_pylist()
    assert event["host"] == "db1"
    (event,) = read("a.json", written([{"host": "web1", "event": {"message": "m", "host": "db1"}}]))[0].to_pylist()
    assert event["host"] == "db1"


def test_the_user_of_what_holds_a_line_is_its_own(read) -> None:
    gelf = {"version": "1.1", "host": "web1", "short_message": "plain", "_user": "mallory"}
    hit = {"_index": "x", "_source": {"message": "plain", "user": {"name": "bob"}}}
    for record, user in ((gelf, "mallory"), (gelf | {"_user": 5}, None)):
        (event,) = read("a.json", written([record]))[0].to_pylist()
        assert (event["text"], event.get("user")) == ("plain", user)
    assert read("a.json", written([hit]))[0]["text"].to_pylist() == ["plain"]


def test_fields_of_gelf_are_judged_where_they_hold_what_is_unusual(read) -> None:
    record = {
        "version": "1.1",
        "host": "web1",
        "short_message": "login",
        "_agent": "() { :;}; id",
        "_line": 5,
        "_a": "b",
    }
    (event,) = read("a.json", written([record]))[0].to_pylist()
    assert event["text"] == 'login _agent="() { :;}; id"'


def test_both_messages_of_gelf_are_judged(read) -> None:
    records = [{"version": "1.1", "short_message": "a", "full_message": full} for full in ("a b", "c")]
    data = b"\0".join(json.dumps(record).encode() for record in records)
    table, rejects = read("a.json", data + b"\0")
    assert (table["text"].to_pylist(), rejects.total) == (["a b", "a c"], 0)


@pytest.mark.parametrize(
    "record",
    [
        {"log": {"level": "info"}, "date": "x", "event": {"original": "a"}},
        {"event": {"kind": "event"}, "agent": "x"},
        {"output": "a"},
        {"short_message": "a"},
        {"text": "a", "records": [{"x": 1}]},
        {"Message": "a", "log": "b"},
        {"log": {"level": "info"}},
        {"records": []},
        {"body": "a"},
        {"streams": [{"values": "x"}]},
    ],
)
def test_what_has_a_text_of_its_own_or_nothing_inside_is_no_envelope(record: Any) -> None:
    assert form_of(record) is None
    assert detect(Input("a.json", None, written([record]), iter([])), Columns()) == "jsonl"


def test_an_envelope_in_an_envelope_ends(read) -> None:
    deep: dict[str, Any] = {"message": "x"}
    for _ in range(300):
        deep = {"_source": deep}
    with pytest.raises(Exception, match="no usable event: no text column"):
        read("a.json", written([deep]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([key for path in FORMS.values() for key in path if isinstance(key, str)]), inner
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_unwrapped_or_said_not_to_be(value: Any) -> None:
    found = unwrapped(json.dumps(value).encode())
    assert isinstance(found, list)
    if isinstance(value, dict) and form_of(value):
        assert any(not isinstance(each, str) for each in found)
    else:
        assert len(found) == 1 and isinstance(found[0], str)
