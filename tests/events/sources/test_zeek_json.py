"""Zeek's JSON as others ship it: nested, tagged, under another separator, without `_path` or `uid`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.events.sources import Rejects, load_events
from overproof.events.sources.zeek.keys import IDS, is_record, unnested

CASES = Path(__file__).parents[2] / "cases"
ENDS = {"id.orig_h": "198.51.100.9", "id.orig_p": 50000, "id.resp_h": "192.0.2.10", "id.resp_p": 22}
OPEN = {"ts": 1.5, "uid": "C1"} | ENDS


def loaded(path: Path) -> list[dict[str, Any]]:
    rejects = Rejects()
    table = load_events(path, rejects=rejects)
    assert rejects.total == 0
    return table.drop_columns(["origin"]).to_pylist()


def nested(record: dict[str, Any]) -> dict[str, Any]:
    """The record with one object for all keys of a prefix, at any depth."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        *outer, last = key.split(".")
        inside = found
        for name in outer:
            inside = inside.setdefault(name, {})
        inside[last] = value
    return found


def test_nested_connections_are_the_flat_ones_sums_included() -> None:
    case = CASES / "22-zeek-json-nested-id"
    flat, found = loaded(case / "conn-flat.json"), loaded(case / "conn.json")
    assert found == flat
    assert len(found) == 31
    assert found[0]["src_ip"] == "198.51.100.9"
    assert [event["text"].split(" gap")[0] for event in found if event["kind"] == "flows"] == [
        "flows src=198.51.100.9 dst=192.0.2.0/24 conns=2^4 ports=2^0 peers=2^4 failed=100%"
    ]


def test_logs_without_path_or_uid() -> None:
    case = CASES / "13-zeek-json-no-uid"
    assert loaded(case / "notice.json") == loaded(case / "notice.log")
    first, second = loaded(case / "notice.log")
    assert (first["kind"], first["src_ip"], first["group"]) == ("zeek-notice", None, None)
    assert first["text"].startswith("zeek notice note=CaptureLoss::Too_Much_Loss msg=")
    assert (second["src_ip"], second["dst_port"], second["flow_id"]) == ("198.51.100.9", 22, "CAbc1")
    (lease,) = loaded(case / "dhcp.log")
    assert (lease["kind"], lease["protocol"]) == ("zeek-dhcp", "dhcp")
    (request,) = loaded(case / "nested.json")
    assert request["text"].startswith(
        "HTTP GET /item.asp?id=1' UNION SELECT password FROM users-- host=shop.example.com"
    )


@pytest.mark.parametrize(
    ("path", "record"),
    [
        ("conn", OPEN | {"proto": "tcp", "conn_state": "S0"}),
        ("http", OPEN | {"method": "GET", "uri": "/", "request_body_len": 0}),
        ("notice", {"ts": 1.5, "note": "Scan::Port_Scan", "msg": "x", "actions": []}),
        ("weird", {"ts": 1.5, "name": "truncated_tcp_payload", "notice": False, "peer": "zeek"}),
        ("weird", OPEN | {"name": "data_before_established", "notice": True}),
        ("dhcp", {"ts": 1.5, "uids": ["C1"], "mac": "02:00:00:00:00:05", "msg_types": ["DISCOVER"]}),
        ("x509", {"ts": 1.5, "id": "F1", "certificate.version": 3, "certificate.serial": "07", "san.dns": ["a"]}),
        ("x509", {"ts": 1.5, "fingerprint": "ab", "certificate.version": 3, "certificate.serial": "07"}),
        ("intel", {"ts": 1.5, "seen.indicator": "a.test", "seen.where": "DNS::IN_REQUEST", "sources": ["x"]}),
        ("capture_loss", {"ts": 1.5, "ts_delta": 900.0, "peer": "zeek", "gaps": 0, "acks": 1, "percent_lost": 0.0}),
        ("reporter", {"ts": 1.5, "level": "Reporter::WARNING", "message": "x", "location": ""}),
        ("software", {"ts": 1.5, "host": "192.0.2.1", "software_type": "SSH::SERVER", "unparsed_version": "x"}),
    ],
)
def test_any_way_to_ship_a_record_gives_the_same_event(read, path: str, record: dict[str, Any]) -> None:
    separated = {name.replace("id.", "id_"): value for name, value in record.items()}
    ways = [{"_path": path} | record, record, nested(record), separated, {path: record}, {path: nested(record)}]
    for way in ways:
        assert is_record(way)
        table, rejects = read("a.log", json.dumps(way).encode())
        assert rejects.total == 0
        (event,) = table.to_pylist()
        assert event["kind"] == f"zeek-{path}"
        assert event["text"] == read("b.log", json.dumps(ways[0]).encode())[0]["text"][0].as_py()
        assert event["src_ip"] == record.get("id.orig_h")


@pytest.mark.parametrize(
    "record",
    [
        {"ts": 1.5, "msg": "handled request", "request": {"uri": "/"}},
        {"ts": 1.5, "level": "info", "message": "x", "location": "here"},
        {"ts": 1.5, "note": "see above", "msg": "x"},
        {"ts": 1.5, "name": "x", "notice": "no bool"},
        {"ts": 1.5, "uid": "u1", "text": "id=1"},
        {"ts": 1.5, "host": "192.0.2.1"},
        {"conn": {"state": "S0"}},
    ],
)
def test_what_other_programs_write_is_not_taken_for_zeeks(record: dict[str, Any]) -> None:
    assert not is_record(record)


def test_the_header_of_a_log_under_another_separator(read) -> None:
    head = b"#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid_orig_h\tid_orig_p\tid_resp_h\tid_resp_p\tproto\n"
    table, _ = read("conn.log", head + b"1.5\tC1\t198.51.100.9\t50000\t192.0.2.10\t22\ttcp\n")
    (event,) = table.to_pylist()
    assert (event["src_ip"], event["dst_ip"]) == ("198.51.100.9", "192.0.2.10")
    assert "orig_host=198.51.100.9" in event["text"]


@pytest.mark.parametrize("number", ["1e400", "-1e400", "Infinity", "-Infinity", "NaN", "1" * 400, "1" * 5000])
@pytest.mark.parametrize("path", ["conn", "dns", "ssl", "ssh", "files", "notice", "x"])
def test_no_number_ends_a_run(read, path: str, number: str) -> None:
    keys = "ts duration orig_bytes TTLs seen_bytes auth_attempts not_valid_before suppress_for id.orig_p".split()
    broken = f'{{"_path":"{path}",' + ",".join(f'"{key}":{number}' for key in keys) + "}"
    after = json.dumps({"_path": path, "ts": 1.0} | ENDS)
    table, rejects = read("a.log", f"{after}\n{broken}\n{after}\n".encode())
    kinds = [kind for kind in table["kind"].to_pylist() if kind != "flows"]
    assert len(kinds) + rejects.total == 3


value = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
segment = st.sampled_from(["id", "orig_h", "san", "a", "b"])
keys = st.lists(segment, min_size=1, max_size=4).map(".".join)


@given(st.dictionaries(keys, value, max_size=6))
def test_nesting_loses_nothing(record: dict[str, Any]) -> None:
    keys = [key for key in record if not any(other.startswith(f"{key}.") for other in record)]
    flat = {"ts": 1.0} | {key: record[key] for key in keys}
    assert unnested(nested(flat)) == flat
    assert set(IDS.values()) == set(ENDS)


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ({"username": "' or 1"}, "username: ' or 1"),
        ({"proxied": ["VIA -> 1.1 cache", "X-FORWARDED-FOR -> ${jndi:x}"]}, "x-forwarded-for: ${jndi:x}"),
        ({"proxied": ["<x>"], "origin": "a'"}, "origin: a', proxied: <x>"),
        ({"client_header_names": ["HOST", "{X}"], "orig_filenames": None}, "client_header_names: {X}"),
    ],
)
def test_whatever_a_client_sent_is_in_the_text(read, sent: dict[str, Any], text: str) -> None:
    record = OPEN | {"_path": "http", "method": "GET", "uri": "/"} | sent
    table, _ = read("http.log", json.dumps(record).encode())
    assert table["text"].to_pylist() == [f"HTTP GET / headers={text}"]
