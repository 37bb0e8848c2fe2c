"""A key that stands twice in one object: both values are judged, whichever format the object is of."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.events.sources.json_record import record_of
from overproof.events.sources.repeated import has_repeated

SECOND = {  # an object in which a key stands twice, the first time with the attack
    "a request": '{"ts":1767596784,"logger":"http.log.access","request":{"remote_ip":"192.0.2.7","method":"GET",'
    '"host":"x","uri":"/?q=ATTACK","uri":"/","headers":{}},"status":200}',
    "a request by its names": '{"remote_addr":"192.0.2.7","request_uri":"/?q=ATTACK","request_method":"GET",'
    '"status":200,"request_uri":"/"}',
    "a request that is escaped": r'{"remote_addr":"192.0.2.7","request_uri":"/?q=ATTACK","request_method":"GET",'
    r'"status":200,"x":"\u003a","request_ur\u0069":"/"}',
    "a container": '{"log":"ATTACK\\n","log":"hello\\n","stream":"stdout","time":"2026-01-05T07:06:24Z"}',
    "a journal": '{"__REALTIME_TIMESTAMP":"1767596784000000","MESSAGE":"ATTACK","MESSAGE":"hello"}',
    "a cloud": '{"eventTime":"2026-01-05T07:06:24Z","eventSource":"iam.amazonaws.com","eventName":"CreateUser",'
    '"requestParameters":{"x":"ATTACK"},"requestParameters":{"x":"hello"}}',
    "osquery": '{"name":"q","unixTime":1,"columns":{"cmdline":"ATTACK","cmdline":"hello"}}',
    "Windows": '{"Event":{"System":{"EventID":1,"Computer":"h"},'
    '"EventData":{"CommandLine":"ATTACK","CommandLine":"hello"}}}',
    "an envelope": '{"_source":{"message":"ATTACK"},"_source":{"message":"hello"}}',
}


@pytest.mark.parametrize("form", SECOND)
def test_both_values_are_judged(read, form: str) -> None:
    table, rejects = read("a.json", SECOND[form].encode())
    assert "ATTACK" in " ".join(table["text"].to_pylist()) and rejects.total == 0


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('{"a":1,"a":2}', {"a": 2}),
        ('{"a":1,"a":"x","a":null}', {"a": "1\nx"}),
        ('{"a":[1],"b":0,"a":[2]}', {"a": [1, 2], "b": 0}),
        ('{"a":{"b":"x"},"a":{"b":"y","c":1}}', {"a": {"b": "x\ny", "c": 1}}),
        ('{"a":{"b":1},"a":{"b":1}}', {"a": {"b": 1}}),
        ('{"a":"x","a":"x"}', {"a": "x"}),
        ('{"a":{},"a":"x"}', "the key 'a' stands twice, and its values are of several kinds"),
    ],
)
def test_what_two_values_become(line: str, found: object) -> None:
    assert record_of(line.encode()) == found
    assert record_of(b"\x1e" + line.encode()) == found


def pairs(inside: st.SearchStrategy) -> st.SearchStrategy:
    key = st.sampled_from(["a", "b", "a:", "\\u003a", ":", '"'])
    return st.lists(st.tuples(key, inside), max_size=4)


values = st.recursive(st.sampled_from(["", ":", '":', 1, None, "é:"]), lambda inside: pairs(inside).map(tuple))


def written(value: object) -> str:
    if not isinstance(value, tuple):
        return json.dumps(value)
    return "{" + ", ".join(f"{json.dumps(key)} : {written(inside)}" for key, inside in value) + "}"


def is_twice(value: object) -> bool:
    if not isinstance(value, tuple):
        return False
    return len({key for key, _ in value}) < len(value) or any(is_twice(inside) for _, inside in value)


@given(pairs(values).map(tuple), st.booleans())
def test_no_key_that_stands_twice_is_missed(value: tuple, escaped: bool) -> None:
    line = written(value).encode()
    if escaped:
        line = line.replace(b'\\":', rb"\"\u003a")
    found = has_repeated(line, orjson.loads(line))
    assert found or not is_twice(value)
    assert escaped or found == is_twice(value) or b"u003a" in line
