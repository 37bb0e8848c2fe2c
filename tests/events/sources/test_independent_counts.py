"""Tables, JSON and lines with odd content: as many records, and the same texts, as other programs find in them."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from overproof.events.sources import Rejects

from .independent import jq, lnav, said
from .test_envelopes import OF_DOCUMENTS, written

PIECES = (
    "'",
    '"',
    '""',
    "\\",
    "\\n",
    "\t",
    ",",
    ";",
    "|",
    "=",
    " ",
    "é",
    "日",
    "\u2028",
    "\x85",
    "\x1b[31m",
    "#",
    "{",
    "a",
    "-",
    "\ufeff",
)
RANDOM = Random(15)
TEXTS = ["".join(RANDOM.choices(PIECES, k=RANDOM.randrange(1, 9))) for _ in range(300)]
FILLED = [f"{number}{text}." for number, text in enumerate(TEXTS)]


def texts(read: Callable[..., Any], name: str, data: bytes, **options: Any) -> tuple[list[str], Rejects]:
    table, rejects = read(name, data, **options)
    return table["text"].to_pylist(), rejects


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "not ended"])
def test_rows_of_csv_are_those_of_duckdb_and_miller(read, folder: Path, ending: str, quoting: Any, last: bool) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=ending, quoting=quoting)
    writer.writerow(["id", "text", "label"])
    for number, text in enumerate(FILLED):
        writer.writerow([number, f"{text}{ending}" if number % 7 == 0 else text, "x"])
    data = out.getvalue().encode() if last else out.getvalue().removesuffix(ending).encode()
    found, rejects = texts(read, "odd.csv", data)
    assert rejects.total == 0
    where = f"read_csv('{folder / 'odd.csv'}', header=true, all_varchar=true, delim=',', quote='\"', escape='\"')"
    theirs = [text for (text,) in duckdb.sql(f"SELECT text FROM {where}").fetchall()]
    assert found == theirs
    miller = json.loads(said("mlr", "--icsv", "--ojson", "-S", "cut", "-f", "text", given=data), strict=False)
    assert [text.replace("\r\n", "\n") for text in found] == [str(row["text"]).replace("\r\n", "\n") for row in miller]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_rows_of_tsv_are_those_of_awk(read, ending: str) -> None:
    lines = [f"{number}\t{text.replace(chr(9), ' ')}\tx" for number, text in enumerate(FILLED)]
    data = ending.join(["id\ttext\tlabel", *lines[:100], "", *lines[100:], "cut\tshort"]).encode()
    found, rejects = texts(read, "odd.tsv", data)
    theirs = said("awk", "-F", "\t", "NR > 1 && NF == 3 { print $2 }", given=data).decode().split("\n")[:-1]
    assert found == theirs
    assert rejects.summary() == {"wrong number of fields": 1}


@pytest.mark.parametrize("ascii", [True, False], ids=["escaped", "raw"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_records_of_json_lines_are_those_of_jq(read, ascii: bool, ending: str) -> None:
    rows = [
        json.dumps({"n": number, "text": text, "more": {"deep": [text]}}, ensure_ascii=ascii)
        for number, text in enumerate(FILLED)
    ]
    rows[50:50] = ["", "  ", '{"text": "broken', "[1]", '{"text": null}', '{"text": ""}', '{"other": 1}', '{"text": 7}']
    data = (ending.join(rows) + ending + '{"text": "cut sh').encode()
    found, rejects = texts(read, "odd.jsonl", data)
    theirs = said("jq", "-R", "-c", 'fromjson? | objects | .text | select(. != null and . != "")', given=data)
    assert found == [str(json.loads(line)) for line in theirs.splitlines()]
    filled = said("grep", "-c", "[^[:space:]]", given=data)
    assert len(found) + rejects.total == int(filled)


@pytest.mark.parametrize("form", OF_DOCUMENTS)
def test_documents_in_envelopes_are_those_of_jq(read, form: str) -> None:
    inside = {
        "a document of Elasticsearch": "._source",
        "an answer of Elasticsearch": ".hits.hits[]._source",
        "a structured entry of Google's": ".jsonPayload",
        "records of Azure": ".records[]",
        "records of CloudTrail": ".Records[]",
        "findings of GuardDuty": ".Findings[]",
        "an event of EventBridge": ".detail",
        "an answer of Graph": ".value[]",
        "an event hook of Okta": ".data.events[]",
        "what osquery sends by TLS": ".data[]",
        "a detection of Chainsaw": ".document.data",
        "a detection of Chainsaw in several events": ".documents[].data",
        "an event of Splunk's collector": ".event",
        "a structured record of Fluent Bit": ".log",
    }[form]
    data = written(OF_DOCUMENTS[form]([{"n": number, "message": text} for number, text in enumerate(FILLED)]))
    found, rejects = texts(read, "odd.json", data)
    assert found == jq(data, f"{inside}.message") == FILLED
    assert rejects.total == 0


def test_rows_of_parquet_are_those_of_duckdb(read, folder: Path) -> None:
    file = io.BytesIO()
    cells = [None if number % 9 == 0 else "" if number % 11 == 0 else text for number, text in enumerate(TEXTS)]
    pq.write_table(pa.table({"text": cells, "n": list(range(len(cells)))}), file, row_group_size=37, compression="zstd")
    found, rejects = texts(read, "odd.parquet", file.getvalue())
    where = f"FROM read_parquet('{folder / 'odd.parquet'}')"
    theirs = duckdb.sql(f"SELECT text {where} WHERE text IS NOT NULL AND text <> '' ORDER BY n").fetchall()
    assert found == [text for (text,) in theirs]
    assert len(found) + rejects.total == duckdb.sql(f"SELECT count(*) {where}").fetchall()[0][0]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_lines_are_those_of_grep(read, ending: str, packed: bool) -> None:
    data = ending.join([*FILLED[:100], "", *FILLED[100:], "the last one is not end"]).encode()
    found, rejects = texts(read, "odd.txt", gzip.compress(data) if packed else data, format="lines")
    theirs = said("grep", "-a", ".", given=data.replace(b"\r\n", b"\n")).decode().split("\n")[:-1]
    assert (found, rejects.total) == (theirs, 0)


def test_requests_of_zeek_are_those_of_awk(read) -> None:
    r"""What zeek-cut does: fields by their name in `#fields`; Zeek's ASCII writer writes odd bytes as `\x09`."""

    def zeek(text: str) -> str:
        out = "".join(
            rf"\x{byte:02x}" if byte < 32 or byte > 126 else chr(byte) for byte in text.replace("\\", "\\\\").encode()
        )
        return r"\x2d" if out == "-" else out

    head = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\thttp\n"
    fields = "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tmethod\turi\tuser_agent\n"
    types = "#types\ttime\tstring\taddr\tport\taddr\tport\tstring\tstring\tstring\n"
    rows = [
        f"17000{number}.5\tC{number}\t10.0.0.1\t5\t10.0.0.2\t80\tGET\t{zeek(text)}\t{zeek(other)}\n"
        for number, (text, other) in enumerate(zip(FILLED, reversed(FILLED), strict=True))
    ]
    data = (head + fields + types + "".join(rows) + "#close\t2026-01-05\n17000.5\tcut").encode()
    table, rejects = read("http.log", data)
    assert rejects.summary() == {"cut short: fewer values than the #fields of its header": 1}
    cut = '!/^#/ && NF == 9 { print $8 "\t" $9 }'
    theirs = [line.split("\t") for line in said("awk", "-F", "\t", cut, given=data).decode().splitlines()]
    shown = [[codecs.escape_decode(value.encode())[0].decode() for value in values] for values in theirs]
    assert table.select(["url", "user_agent"]).to_pydict() == {
        "url": [url for url, _ in shown],
        "user_agent": [agent for _, agent in shown],
    }


def test_requests_of_suricata_are_those_of_jq(read) -> None:
    rows: list[dict[str, Any]] = []
    for number, text in enumerate(FILLED):
        flow = {
            "timestamp": "2026-01-05T07:00:00.000000+0000",
            "flow_id": number,
            "src_ip": "10.0.0.1",
            "dest_ip": "::1",
        }
        rows.append(
            {
                **flow,
                "event_type": "http",
                "http": {"hostname": "h", "url": f"/{text}", "http_method": "GET", "http_user_agent": text},
            }
        )
        rows.append({**flow, "event_type": "stats", "stats": {"uptime": number}})
    data = written(rows)
    table, _ = read("eve.json", data)
    http = table.filter(pa.compute.equal(table["kind"], "suricata-http"))
    theirs = jq(data, 'select(.event_type == "http") | .http | [.url, .http_user_agent]')
    assert [list(row.values()) for row in http.select(["url", "user_agent"]).to_pylist()] == theirs
    assert len(theirs) == len(FILLED)


def test_what_containers_wrote_is_what_awk_and_jq_join(read) -> None:
    lines = [re.sub("[\x1b\x85\u2028]", "", text) for text in FILLED]
    halves = [(text[:3], text[3:]) if number % 5 == 0 else (text,) for number, text in enumerate(lines)]
    cri = "".join(
        f"2026-01-05T07:00:00.000000001Z stdout {'F' if at == len(parts) - 1 else 'P'} {part}\n"
        for parts in halves
        for at, part in enumerate(parts)
    ).encode()
    join = '{ tag = $3; sub(/^[^ ]+ [^ ]+ [^ ]+ /, ""); printf "%s%s", $0, tag == "F" ? "\\n" : "" }'
    theirs = said("awk", join, given=cri).decode().split("\n")[:-1]
    found, rejects = texts(read, "0.log", cri)
    assert (found, rejects.total) == (theirs, 0)
    docker = written([{"log": f"{text}\n", "stream": "stdout", "time": "2026-01-05T07:00:00Z"} for text in lines])
    theirs = said("jq", "-j", ".log", given=docker).decode().split("\n")[:-1]
    found, rejects = texts(read, "c-json.log", docker)
    assert (found, rejects.total) == (theirs, 0)


def test_messages_of_syslog_are_those_of_lnav(read, folder: Path) -> None:
    rows = [re.sub("[\x1b\x85\u2028\ufeff]", "", text) for text in FILLED]
    data = "".join(f"Jan  5 07:06:24 web1 app[{number}]: {text}\n" for number, text in enumerate(rows)).encode()
    found, rejects = texts(read, "odd.syslog", data, format="syslog")
    columns = "log_hostname, log_procname, log_pid, log_body"
    sent = [list(row.values()) for row in lnav(folder / "odd.syslog", "syslog_log", columns)]
    theirs = [f"07:06:24 {host} {program}[{pid}]: {body}" for host, program, pid, body in sent]
    assert (found, rejects.total) == (theirs, 0)


def test_messages_of_cef_are_those_that_its_rules_for_escapes_give(read) -> None:
    """Read by a regular expression: a value ends before the next key, an escaped equals sign is none of it."""
    wanted = [re.sub("[\x85\u2028]", "", text).strip() for text in FILLED]
    escaped = [text.replace("\\", "\\\\").replace("=", "\\=") for text in wanted]
    lines = [
        f"CEF:0|Ven\\|dor|P|1|{number}|name|5|src=10.0.0.1 msg={text} spt=80" for number, text in enumerate(escaped)
    ]
    found, rejects = texts(read, "odd.log", "".join(f"{line}\n" for line in lines).encode())
    pairs = re.compile(r"(\w+)=((?:\\.|[^\\=])*?)(?=\s+\w+=|$)")
    theirs = [dict(pairs.findall(re.split(r"(?<!\\)\|", line, maxsplit=7)[7]))["msg"] for line in lines]
    assert found == [re.sub(r"\\(.)", r"\1", text) for text in theirs] == wanted
    assert rejects.total == 0


def test_attributes_of_leef_are_those_of_awk(read) -> None:
    wanted = [text.replace("\t", " ") for text in FILLED]
    lines = [f"LEEF:1.0|V|P|1|{number}|src=10.0.0.1\tmsg={text}\tsrcPort=80" for number, text in enumerate(wanted)]
    data = "".join(f"{line}\n" for line in lines).encode()
    found, rejects = texts(read, "odd.log", data)
    theirs = said("awk", "-F", "\t", '{ sub(/^msg=/, "", $2); print $2 }', given=data).decode().split("\n")[:-1]
    assert (found, rejects.total) == (theirs, 0)
