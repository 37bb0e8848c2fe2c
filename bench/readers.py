"""Measure what each reader of events takes of a processor, beside another checkout's in the same run.

Two processes, one with either checkout's sources, read the same file right after each other, in an order that
alternates; a machine whose speed swings from one second to the next slows both readings of a pair. Where a process has
what it needs in memory makes some per cent too, as long as it lives, so that every few pairs begin with new processes:
what is compared is the median of their ratios in time of the processor, with an interval over the processes.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any, NamedTuple
from urllib.parse import quote

from scipy.stats import binom
from settings import CAPTURES, OUT, TEST
from throughput import FORMATS, write_lines

from overproof.events.sources import load_events

NAME = "readers"
CONVERSATIONS = 1_000  # of a capture, which is slow to write
BEFORE = "OVERPROOF_BEFORE"  # the variable that names the other checkout's root
ROUNDS = 7  # of new processes, for each file
SECONDS = 1.5  # of a round, for which a file is read again and again,
PAIRS = (3, 25)  # but at least and at most as many times by each, and once before, which is not counted
EVENTS = 10_000
LEAST = 10_000  # lines of a real log, which is repeated until it has as many

# Warnings and garbage of one reading are not the next one's; the first one of a process imports what it needs.
READING = """
import gc, json, sys, time
from overproof.events.sources import read_events
for line in sys.stdin:
    skipped, events, kinds = [], 0, set()
    gc.collect()
    begin = time.process_time()
    try:
        for batch in read_events(line.rstrip("\\n"), on_skip=skipped.append):
            events += batch.num_rows
            kinds.add((batch.schema.metadata or {}).get(b"format", b"?").decode())
    except Exception as error:
        kinds = {type(error).__name__}
    seconds = time.process_time() - begin
    found = {"seconds": seconds, "events": events, "rejected": len(skipped), "as": "/".join(sorted(kinds))}
    print(json.dumps(found), flush=True)
"""


class _Reader:
    """A process that reads files with the sources of one checkout, and says what it took."""

    def __init__(self, root: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(root.resolve() / "src")}
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen([sys.executable, "-c", READING], env=environment, **pipes)

    def read(self, path: Path) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("a reader without pipes")
        print(path, file=stdin, flush=True)
        found: dict[str, Any] = json.loads(stdout.readline())
        return found

    def end(self) -> None:
        self._process.communicate()


class _Made(NamedTuple):
    """A file whose reading is measured, as it is written into a folder from texts."""

    name: str
    write: Callable[[Path, list[str]], Path]


def _lines(name: str, row: str, head: Sequence[str] = ()) -> Callable[[Path, list[str]], Path]:
    """Write a line for each text, which stands where `{text}` or, encoded as in a URL, `{target}` does."""

    def write(folder: Path, texts: list[str]) -> Path:
        flat = [" ".join(text.split()) for text in texts]
        rows = [row.format(i=i, n=i % 250, text=text, target=quote(text)) for i, text in enumerate(flat)]
        return write_lines(folder / name, [*head, *rows])

    return write


def _objects(name: str, make: Callable[[int, str], dict[str, Any]]) -> Callable[[Path, list[str]], Path]:
    def write(folder: Path, texts: list[str]) -> Path:
        return write_lines(folder / name, [json.dumps(make(i, text)) for i, text in enumerate(texts)])

    return write


def _wide(i: int, text: str) -> dict[str, Any]:
    time = f"2026-01-05T10:00:{i % 60:02d}Z"
    return {"time": time, "payload": text, "label": "benign", "source": "shop", "bytes": i, "score": i / 7}


def _alternating(i: int, text: str) -> dict[str, Any]:
    return _wide(i, text) if i % 2 else {"ts": i, "payload": text, "label": "benign", "user": "u"}


def _sometimes(i: int, text: str) -> dict[str, Any]:
    return {"payload": text, "label": "benign", **{f"k{(i * 7 + j) % 50}": j for j in range(i % 9)}}


def _broken(folder: Path, texts: list[str]) -> Path:
    rows = [json.dumps(_wide(i, text))[: -5 if i % 100 == 99 else None] for i, text in enumerate(texts)]
    return write_lines(folder / "broken.jsonl", rows)


def _zeek_json(i: int, text: str) -> dict[str, Any]:
    ends = {"id.orig_h": "10.0.0.1", "id.orig_p": 40000, "id.resp_h": "10.0.0.2", "id.resp_p": 80}
    request = {"method": "GET", "host": "shop.test", "uri": f"/search?q={quote(text)}", "user_agent": "curl"}
    return {"ts": 1767607200 + i / 100, "uid": f"C{i}", **ends, **request, "status_code": 200}


def _pcap(folder: Path, texts: list[str]) -> Path:
    return FORMATS["pcap"](folder, texts[:CONVERSATIONS])


def _pcapng(folder: Path, texts: list[str]) -> Path:
    from scapy.utils import PcapNgWriter, PcapReader

    path = folder / "c.pcapng"
    with PcapReader(str(_pcap(folder, texts))) as packets, PcapNgWriter(str(path)) as writer:
        for packet in packets:
            writer.write(packet)
    return path


def _repeated(source: Path) -> Callable[[Path, list[str]], Path]:
    """Take a real log as often as it needs to have enough lines, its head once."""

    def write(folder: Path, _: list[str]) -> Path:
        content = source.read_bytes()
        lines = (gzip.decompress(content) if source.suffix == ".gz" else content).splitlines(keepends=True)
        head = [line for line in lines if line.startswith(b"#") and not line.startswith(b"#close")]
        rows = [line for line in lines if not line.startswith(b"#")]
        path = folder / source.name.removesuffix(".gz")
        path.write_bytes(b"".join([*head, *rows * -(-LEAST // len(rows))]))
        return path

    return write


_W3C = "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port c-ip cs(User-Agent) sc-status time-taken"
MADE = (
    _Made("JSON lines", FORMATS["jsonl"]),
    _Made("JSON lines, six keys", _objects("wide.jsonl", _wide)),
    _Made("JSON lines, escapes", _objects("escaped.jsonl", lambda i, text: _wide(i, f"{text} \u00e9"))),
    _Made("JSON lines, keys alternate", _objects("two.jsonl", _alternating)),
    _Made("JSON lines, keys come and go", _objects("many.jsonl", _sometimes)),
    _Made("JSON lines, 1 % broken", _broken),
    _Made("csv", FORMATS["csv"]),
    _Made("csv, four columns", _lines("wide.csv", 'shop,{i},"{target}",benign', ["source,bytes,payload,label"])),
    _Made("tsv", _lines("t.tsv", "shop\t{i}\t{text}\tbenign", ["source\tbytes\tpayload\tlabel"])),
    _Made("Parquet", FORMATS["parquet"]),
    _Made("lines", _lines("plain.txt", "{text}")),
    _Made("syslog, RFC 3164", FORMATS["syslog"]),
    _Made("syslog, RFC 5424", _lines("s.log", "<34>1 2026-01-05T10:00:00.003Z web1 shop 42 - - q={text}")),
    _Made("access log", FORMATS["access log"]),
    _Made("Zeek http.log", FORMATS["Zeek http.log"]),
    _Made("Zeek http.log, JSON", _objects("http.log", _zeek_json)),
    _Made("Suricata EVE", FORMATS["Suricata EVE"]),
    _Made(
        "CEF",
        _lines("c.log", "CEF:0|Maker|WAF|1.0|100|blocked|5|src=10.0.0.{n} requestMethod=GET request=/s?q={target}"),
    ),
    _Made(
        "W3C",
        _lines(
            "u_ex.log",
            "2026-01-05 10:00:00 10.0.0.2 GET /s q={target} 80 10.0.0.{n} curl/8 200 15",
            ["#Version: 1.0", _W3C],
        ),
    ),
    _Made("pcap", _pcap),
    _Made("pcapng", _pcapng),
)
REAL = {
    "access log, real": "access/nginx-apache.log",
    "Zeek conn.log, real": "zeek/conn.log",
    "Zeek dns.log, real": "zeek/dns.log",
    "Zeek conn.log, JSON, real": "zeek/json/conn.log",
    "Suricata EVE, real": "suricata/eve.json.gz",
}


def absent() -> str | None:
    """Say what is missing; None if nothing is, or the result is kept."""
    root = os.environ.get(BEFORE, "")
    there = (OUT / f"{NAME}.json").exists() or (Path(root) / "src/overproof").is_dir()
    return None if there else f"set {BEFORE} to the root of another checkout, with which readers are compared"


def measured() -> dict[str, Any]:
    """Read every file with both checkouts in turn; the times of all readings, in seconds of the processor."""
    root = os.environ[BEFORE]
    made = [*MADE, *(_Made(name, _repeated(CAPTURES / path)) for name, path in REAL.items())]
    texts: list[str] = (load_events([TEST])["text"].to_pylist() * 2)[:EVENTS]
    result: dict[str, Any] = {"commit": _commit(root), "files": {}}
    with tempfile.TemporaryDirectory() as place:
        for each in made:
            path = each.write(Path(place), texts)
            result["files"][each.name] = [list(_round(Path(root), path)) for _ in range(ROUNDS)]
            path.unlink()
    return result


def _round(root: Path, path: Path) -> Iterator[dict[str, Any]]:
    """Yield the readings of new processes, by pairs."""
    sides = {"before": _Reader(root), "now": _Reader(Path())}
    for side in sides.values():
        side.read(path)  # imports what it needs
    begin, (least, most) = monotonic(), PAIRS
    for n in range(most):
        if n >= least and monotonic() - begin > SECONDS:
            break
        order = list(sides) if n % 2 else list(reversed(sides))
        yield {side: sides[side].read(path) for side in order}
    for side in sides.values():
        side.end()


def _commit(root: str) -> str:
    done = subprocess.run(["git", "-C", root, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip() or "an unknown commit"


def to_markdown(result: dict[str, Any]) -> str:
    """Write a table of the least times, and the median of the processes' ratios with its interval."""
    lines = [
        "| file | events | µs an event before | now | now ÷ before | 95 % interval | pairs |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_row(name, rounds) for name, rounds in result["files"].items()),
    ]
    return "\n".join(lines) + f"\n\nBefore: {result['commit']}. Of each file {ROUNDS} times two new processes."


def _row(name: str, rounds: list[list[dict[str, Any]]]) -> str:
    pairs = [pair for each in rounds for pair in each]
    before, now = (min(pair[side]["seconds"] for pair in pairs) for side in ("before", "now"))
    was, is_now = pairs[0]["before"], pairs[0]["now"]
    events = is_now["events"]
    said = f"{was['as']}, {was['events']:,} events" if (was["as"], was["events"]) != (is_now["as"], events) else ""
    ratios = sorted(median(pair["now"]["seconds"] / pair["before"]["seconds"] for pair in each) for each in rounds)
    low, high = _ranks(len(ratios))
    cells = [name, f"{events:,}", f"{before / max(was['events'], 1) * 1e6:.2f}{f' ({said})' if said else ''}"]
    interval = f"{ratios[low]:.3f} to {ratios[high]:.3f}"
    return f"| {' | '.join(cells)} | {now / events * 1e6:.2f} | {median(ratios):.3f} | {interval} | {len(pairs)} |"


def _ranks(count: int) -> tuple[int, int]:
    """Give the places, from 0, of the sorted values between which their median lies in 95 of 100 runs or more.

    Exact and without a distribution, as the sign test is (Conover, *Practical Nonparametric Statistics*, 3.2).
    """
    low = max(int(binom.ppf(0.025, count, 0.5)) - 1, 0)
    return low, count - 1 - low
