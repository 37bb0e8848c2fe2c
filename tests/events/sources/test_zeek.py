from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Rejects, load_events

TYPES = {
    "ts": "time", "id.orig_p": "port", "id.resp_p": "port", "duration": "interval", "orig_bytes": "count",
    "resp_bytes": "count", "AA": "bool", "TC": "bool", "RD": "bool", "RA": "bool", "rejected": "bool", "qtype": "count",
    "answers": "vector[string]", "TTLs": "vector[interval]", "tags": "set[enum]", "status_code": "count",
    "resp_fuids": "vector[string]", "resp_mime_types": "vector[string]", "rtt": "interval", "trans_depth": "count",
}  # fmt: skip


def escaped(text: str, also: str = "") -> str:
    r"""As Zeek's ASCII writer does it: `\xHH` for what would be taken for a separator, two backslashes for one."""
    return "".join(
        "\\\\" if c == "\\" else "".join(f"\\x{b:02x}" for b in c.encode()) if ord(c) < 32 or c in also else c
        for c in text
    )


def cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, list):
        return ",".join("\\x2d" if each == "-" else _inside(each) for each in value) or "(empty)"
    if isinstance(value, float):
        return f"{value:.6f}"
    text = escaped(str(value), "\t")
    return "(empty)" if text == "" else "\\x2d" if text == "-" else text


def _inside(value: Any) -> str:
    return f"{value:.6f}" if isinstance(value, float) else escaped(str(value), "\t,")


def tsv(path: str, records: list[dict[str, Any]], types: dict[str, str] = TYPES) -> bytes:
    """A log as Zeek writes it, by what its documentation says; the reader has no part in it."""
    fields = list(dict.fromkeys(key for record in records for key in record))
    head = ["#separator \\x09", "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-", f"#path\t{path}"]
    head += ["#open\t2024-01-01-00-00-00", "#fields\t" + "\t".join(fields)]
    head += ["#types\t" + "\t".join(types.get(field, "string") for field in fields)]
    rows = ["\t".join(cell(record.get(field)) for field in fields) for record in records]
    return "\n".join([*head, *rows, "#close\t2024-01-01-00-00-00", ""]).encode()


def events(table: pa.Table) -> list[dict[str, Any]]:
    """Without origins, and without what sums have no line of their own for."""
    return [event for event in table.drop_columns(["origin"]).to_pylist() if event["kind"] != "flows"]


@pytest.mark.parametrize("name", ["conn", "dns", "http"])
def test_json_and_tsv_of_the_same_records_give_the_same_events(read, shared_data: Path, name: str) -> None:
    path = shared_data / "captures" / "zeek" / "json" / f"{name}.log"
    lines = path.read_bytes().splitlines()
    records = [json.loads(line) for line in lines]
    for record in records:  # TSV has six decimals
        record.update({key: round(value, 6) for key, value in record.items() if isinstance(value, float)})
    table, rejects = read("x.log", tsv(name, records))
    assert rejects.total == 0
    by_keys = load_events(path)
    named, _ = read("y.log", b"\n".join(b'{"_path":"%b",%b' % (name.encode(), line[1:]) for line in lines))
    assert events(table) == events(by_keys) == events(named)
    assert len(events(table)) == len(lines)
    assert set(table["kind"].to_pylist()) - {"flows"} == {f"zeek-{name}"}


@pytest.mark.parametrize("name", ["conn.log", "dns.log", "files.log", "http.log.gz", "ssl.log", "x509.log"])
def test_the_real_logs(shared_data: Path, name: str) -> None:
    path = shared_data / "captures" / "zeek" / name
    raw = path.read_bytes()
    lines = (gzip.decompress(raw) if name.endswith("gz") else raw).decode().splitlines()
    rejects = Rejects()
    table = load_events(path, rejects=rejects)
    records = table.filter(pa.compute.not_equal(table["kind"], "flows"))
    assert records.num_rows + rejects.total == sum(not line.startswith("#") for line in lines)
    assert rejects.total == 0
    fields = next(line for line in lines if line.startswith("#fields")).split("\t")[1:]
    for event in records.to_pylist():
        values = dict(zip(fields, lines[int(event["origin"].rsplit(":", 1)[1]) - 1].split("\t"), strict=True))
        assert event["flow_id"] in (values.get("uid"), values.get("conn_uids"), None)
        assert event["src_ip"] in (values.get("id.orig_h"), values.get("tx_hosts"), None)
        assert event["url"] in (values.get("uri"), None)
        assert event["query"] in (values.get("query"), None)
        assert event["status"] in (int(values["status_code"]) if values.get("status_code", "-") != "-" else None,)
    assert records["time"].null_count == 0


def test_what_the_records_say(read) -> None:
    ends = {"id.orig_h": "10.0.0.1", "id.orig_p": 5, "id.resp_h": "192.0.2.1", "id.resp_p": 443}
    base = {"ts": 1575413096.5, "uid": "C1", **ends}
    cases: list[tuple[str, dict[str, Any], str]] = [
        (
            "conn",
            {"proto": "tcp", "service": "ssl", "duration": 9.0, "orig_bytes": 0, "resp_bytes": 900, "conn_state": "SF"},
            "flow proto=tcp service=ssl state=SF duration=2^3s orig_host=10.0.0.1 orig_bytes=0 resp_host=192.0.2.1 "
            "resp_bytes=2^9",
        ),
        ("http", {"method": "GET", "uri": "/%2527", "host": "h"}, "HTTP GET /%27 host=h"),
        (
            "dns",
            {"query": "a.test", "qtype_name": "A", "rcode_name": "NOERROR", "answers": ["b.test", "192.0.2.9"],
             "TTLs": [900.0, 60.0]},
            "dns client=10.0.0.1 query=a.test type=A rcode=NOERROR answer=b.test,192.0.2.9 ttl=2^5",
        ),
        ("dns", {"query": "a.test", "qtype_name": "A"}, "dns client=10.0.0.1 query=a.test type=A"),
        ("dns", {"query": "a", "rcode_name": "NXDOMAIN"}, "dns client=10.0.0.1 query=a rcode=NXDOMAIN answer=-"),
        (
            "ssl",
            {"server_name": "a.test", "ja4": "t13d1516h2", "issuer": "CN=x", "subject": "CN=x"},
            "TLS 10.0.0.1 sni=a.test hello=t13d1516h2 issuer=self",
        ),
        (
            "ssh",
            {"client": "SSH-2.0-OpenSSH_9.6", "auth_attempts": 5},
            "SSH src=10.0.0.1 dst=192.0.2.1 port=443 client=OpenSSH_9.6 tries=2^2",
        ),
        (
            "notice",
            {"note": "Scan::Port_Scan", "msg": "a scanned b", "p": 22, "actions": ["a", "b"], "suppress_for": 3600.0},
            'zeek notice id.orig_h=10.0.0.1 id.orig_p=5 id.resp_h=192.0.2.1 id.resp_p=443 note=Scan::Port_Scan '
            'msg="a scanned b" p=22 actions=a,b suppress_for=2^11',
        ),
    ]  # fmt: skip
    for path, record, text in cases:
        table, _ = read("a.log", json.dumps({"_path": path} | base | record).encode())
        (event,) = table.to_pylist()
        assert event["text"] == text
        assert event["time"] == "2019-12-03T22:44:56.500000Z"
        assert (event["kind"], event["group"], event["flow_id"]) == (f"zeek-{path}", "C1", "C1")
        assert (event["src_ip"], event["src_port"], event["dst_ip"], event["dst_port"]) == tuple(ends.values())
        types = TYPES | {"p": "count", "actions": "set[enum]", "suppress_for": "interval", "auth_attempts": "count"}
        table, _ = read("b.log", tsv(path, [base | record], types))
        assert table["text"].to_pylist() == [text]


@pytest.mark.parametrize("ts", [1575413096.5, 1575413096500, "2019-12-03T22:44:56.500000Z", "1575413096.5"])
def test_the_ways_json_writes_times(read, ts: object) -> None:
    table, _ = read("a.log", json.dumps({"_path": "x", "ts": ts}).encode())
    assert table["time"].to_pylist() == ["2019-12-03T22:44:56.500000Z"]


def test_several_headers_in_one_file_and_fields_that_change_midway(read) -> None:
    first = tsv("dns", [{"ts": 1.0, "uid": "C1", "query": "a.test"}])
    again = tsv("http", [{"ts": 2.0, "method": "GET", "uri": "/"}])
    changed = b"#fields\turi\tmethod\tts\n#types\tstring\tstring\ttime\n/b\tPOST\t3.0\n"
    other = b"#separator |\n#unset_field|?\n#path|dns\n#fields|query|qtype_name\nb.test|?\n-|A\n"
    table, rejects = read("a.log", first + again + changed + other)
    assert rejects.total == 0
    assert table["text"].to_pylist() == [
        "dns query=a.test", "HTTP GET /", "HTTP POST /b", "dns query=b.test", "dns query=- type=A",
    ]  # fmt: skip
    assert table["origin"].to_pylist()[-1].endswith("a.log:29")


def test_a_line_that_is_cut_short_is_skipped_with_its_reason(read) -> None:
    data = tsv("http", [{"ts": 1.0, "method": "GET", "uri": "/"}] * 2).split(b"#close")[0]
    table, rejects = read("a.log", data[:-3])
    assert table.num_rows == 1
    (skipped,) = rejects.first
    assert skipped.reason == "cut short: fewer values than the #fields of its header"
    assert (skipped.origin.rsplit(":", 1)[1], skipped.raw) == ("10", "1.000000\tGET")
    _, rejects = read("b.log", data + b"1\t2\t3\t4\n")
    assert rejects.summary() == {"more values than the #fields of its header": 1}
    _, rejects = read("c.log", b"1\t2\n" + data, format="zeek")
    assert rejects.summary() == {"a Zeek record before any #fields header": 1}
    _, rejects = read("d.log", b'{"ts":1,"_path":"x"}\n{"ts":1,"_pa', format="zeek")
    assert rejects.summary() == {"JSON does not parse": 1}


def test_escapes_and_empty_values(read) -> None:
    record = {"ts": 1.0, "method": "GET", "uri": "/\t\\x41é,-", "tags": ["a,b", "-"], "host": "-", "user_agent": ""}
    table, _ = read("a.log", tsv("http", [record]))
    (event,) = table.to_pylist()
    assert (event["url"], event["host"], event["user_agent"]) == ("/\t\\x41é,-", "-", None)
    table, _ = read("b.log", tsv("other", [{"a": "\xff", "tags": ["a,b", "-"]}]).replace("\xff".encode(), b"\xff"))
    assert table["text"].to_pylist() == ["zeek other a=\\xff tags=a,b,-"]


def test_connections_are_summed_by_host_and_minute(read) -> None:
    record = {"ts": 0.0, "uid": "C", "id.orig_h": "10.0.0.1", "id.resp_h": "192.0.2.1", "conn_state": "REJ"}
    lines = [record | {"ts": float(i // 2), "id.resp_p": i} for i in range(64)]
    lines += [record | {"ts": 1000.0, "id.orig_h": "10.0.0.2"}]
    table, _ = read("conn.log", b"\n".join(json.dumps(line).encode() for line in lines))
    (found,) = [event for event in table.to_pylist() if event["kind"] == "flows"]
    assert found["text"].startswith(
        "flows src=10.0.0.1 dst=192.0.2.1 conns=2^6 ports=2^6 peers=2^0 failed=100% gap=2^0s jitter="
    )
    assert (found["time"], found["src_ip"], found["dst_ip"]) == ("1970-01-01T00:00:00Z", "10.0.0.1", "192.0.2.1")
    assert found["origin"].endswith("conn.log:65")


value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
)
keys = st.sampled_from(
    "ts uid id.orig_h id.resp_h id.resp_p proto service duration conn_state orig_bytes method uri host answers TTLs "
    "query rcode_name issuer subject not_valid_before not_valid_after ja4 client auth_attempts tx_hosts _path x".split()
)
paths = st.sampled_from(["conn", "http", "dns", "ssl", "ssh", "files", "x"])
record = st.dictionaries(keys, value, max_size=8)
row = st.lists(st.binary(max_size=8).filter(lambda raw: b"\n" not in raw), min_size=1, max_size=4).map(b"\t".join)
line = (
    st.tuples(record, paths).map(lambda both: json.dumps({"_path": both[1]} | both[0]).encode())
    | st.binary(max_size=20)
    | row
    | st.sampled_from([b"#separator \\x09", b"#path\tconn", b"#path", b"#fields", b"#types\tset[addr]\tbool\tport"])
    | st.permutations(["ts", "uid", "id.orig_h", "id.resp_h"]).map(
        lambda keys: ("#fields\t" + "\t".join(keys)).encode()
    )
)


@given(st.lists(line, max_size=8))
def test_every_line_of_any_bytes_is_a_header_an_event_or_skipped(read, lines: list[bytes]) -> None:
    rejects = Rejects(examples=100)
    data = b"\n".join([b"#separator \\x09", *lines])
    try:
        table = read("any.log", data, rejects, format="zeek")[0]
        origins = [event["origin"] for event in table.to_pylist() if event["kind"] != "flows"]
    except InputError:
        origins = []
    found = sorted(int(origin.rsplit(":", 1)[1]) for origin in [*origins, *(each.origin for each in rejects.first)])
    physical = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    assert found == [number for number, line in enumerate(physical, 1) if line and not line.startswith(b"#")]


strings = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=12)


@given(st.lists(st.tuples(strings, strings, st.lists(strings.filter(bool), max_size=3)), min_size=1, max_size=5))
def test_what_zeek_writes_is_read_back_as_its_json_is(read, rows: list[tuple[str, str, list[str]]]) -> None:
    records = [{"_path": "x", "ts": 1.0, "a": a, "b": b, "tags": tags} for a, b, tags in rows]
    lines = b"\n".join(json.dumps(record).encode() for record in records)
    by_json, _ = read("a.log", lines, format="zeek")
    by_tsv, _ = read("b.log", tsv("x", records))
    assert events(by_tsv) == events(by_json)
