"""Measure triage end to end by format and workers; peak memory from ten thousand to ten million lines."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
from escalating import BUNDLE
from settings import TEST

from overproof.events.sources import load_events

EVENTS = 10_000
RUNS = 3
LINES = (10_000, 100_000, 1_000_000, 10_000_000)
DISTINCT = 200  # lines of a log that repeats itself, as logs do: what is measured here is the loop's memory
CORES = {1: "{0}", 2: "{0, 1}"}

# A process of its own starts the triage: the peak memory of a child counts that of the process it was forked from.
LAUNCHER = """
import os, resource, subprocess, sys
os.sched_setaffinity(0, {cores})
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def write_lines(path: Path, lines: Sequence[str]) -> Path:
    """Write lines to a file; returns its path."""
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="backslashreplace")
    return path


def _target(text: str) -> str:
    return "/search?q=" + quote(text, safe="'\"()<>=;,:/*!-")


def _access(folder: Path, texts: list[str]) -> Path:
    row = '10.0.0.{} - - [05/Jan/2026:10:00:00 +0000] "GET {} HTTP/1.1" 200 512 "-" "Mozilla/5.0"'
    return write_lines(
        folder / "a.log", [row.format(i % 250, quote(_target(t), safe="/?=&%")) for i, t in enumerate(texts)]
    )


def _zeek(folder: Path, texts: list[str]) -> Path:
    names = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p method host uri user_agent status_code".split()
    head = ["#separator \\x09", "#path\thttp", "#fields\t" + "\t".join(names)]
    row = "1767607200.{0:06d}\tC{0}\t10.0.0.1\t40000\t10.0.0.2\t80\tGET\tshop.test\t{1}\tcurl\t200"
    return write_lines(folder / "http.log", [*head, *(row.format(i, quote(_target(t))) for i, t in enumerate(texts))])


def _eve(folder: Path, texts: list[str]) -> Path:
    shared = {"timestamp": "2026-01-05T10:00:00.000000+0000", "event_type": "http", "src_ip": "10.0.0.1"}
    rows = [
        {**shared, "flow_id": i, "http": {"hostname": "shop.test", "url": _target(t), "http_method": "GET"}}
        for i, t in enumerate(texts)
    ]
    return write_lines(folder / "eve.json", [json.dumps(row) for row in rows])


def _syslog(folder: Path, texts: list[str]) -> Path:
    flat = [" ".join(t.split()) for t in texts]
    return write_lines(folder / "messages", [f"Jan  5 10:00:00 web1 shop[42]: q={text}" for text in flat])


def _pcap(folder: Path, texts: list[str]) -> Path:
    from scapy.layers.inet import IP, TCP
    from scapy.layers.l2 import Ether
    from scapy.utils import PcapWriter

    path = folder / "c.pcap"
    with PcapWriter(str(path)) as writer:
        for i, text in enumerate(texts):
            port, at = 1024 + i % 60_000, 1_767_607_200 + i / 1000
            body = f"GET {quote(_target(text))} HTTP/1.1\r\nHost: shop.test\r\n\r\n".encode()
            steps = [("S", 100, b""), ("PA", 101, body), ("FA", 101 + len(body), b"")]
            for flags, seq, data in steps:
                packet = (
                    Ether()
                    / IP(src="10.0.0.1", dst="10.0.0.2")
                    / TCP(flags=flags, seq=seq, sport=port, dport=80)
                    / data
                )
                packet.time = at
                writer.write(packet)
    return path


def _table(suffix: str) -> Callable[[Path, list[str]], Path]:
    def write(folder: Path, texts: list[str]) -> Path:
        path = folder / f"t{suffix}"
        table = pa.table({"text": texts})
        if suffix == ".parquet":
            pq.write_table(table, path)
        elif suffix == ".csv":
            from pyarrow import csv

            csv.write_csv(table, path)
        else:
            path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        return path

    return write


FORMATS: dict[str, Callable[[Path, list[str]], Path]] = {
    "jsonl": _table(".jsonl"),
    "csv": _table(".csv"),
    "parquet": _table(".parquet"),
    "access log": _access,
    "Zeek http.log": _zeek,
    "Suricata EVE": _eve,
    "syslog": _syslog,
    "pcap": _pcap,
}


def measured() -> dict[str, Any]:
    """Events a second of whole processes, their start included, and peak memory."""
    texts: list[str] = load_events([TEST])["text"].to_pylist()[:EVENTS]
    rates: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, write in FORMATS.items():
            path = write(folder, texts)
            rates[name] = {str(workers): _rate(path, folder / "out.jsonl", workers) for workers in CORES}
            path.unlink()
        memory = {}
        for count in LINES:
            path = folder / "many.txt"
            with path.open("w") as file:
                for _ in range(0, count, DISTINCT):
                    file.writelines(f"id={i % 97}&n={i} or 1=1\n" for i in range(DISTINCT))
            begin = perf_counter()
            peak = _run([str(path)], 1)
            memory[str(count)] = {"peak_mb": peak / 1024, "seconds": perf_counter() - begin}
            path.unlink()
    return {"rates": rates, "memory": memory}


def _run(words: list[str], workers: int) -> int:
    command = [sys.executable, "-m", "overproof", "triage", str(BUNDLE), *words, "--workers", str(workers)]
    launcher = LAUNCHER.format(cores=CORES[workers])
    return int(subprocess.run([sys.executable, "-c", launcher, *command], capture_output=True, check=True).stdout)


def _rate(path: Path, out: Path, workers: int) -> dict[str, float]:
    seconds = []
    for _ in range(RUNS):
        begin = perf_counter()
        _run([str(path), "--out", str(out)], workers)
        seconds.append(perf_counter() - begin)
    with out.open("rb") as file:
        events = sum(1 for _ in file)
    return {"events": events, "seconds": median(seconds)}


def to_markdown(result: dict[str, Any]) -> str:
    """Two tables."""
    lines = ["| whole process, end to end | events | one worker | two workers | ratio |", "| --- |" + " ---: |" * 4]
    for name, rate in result["rates"].items():
        one, two = (rate[str(workers)]["events"] / rate[str(workers)]["seconds"] for workers in CORES)
        events = f"{rate['1']['events']:,}"
        lines.append(f"| {name} | {events} | {one:,.0f} events/s | {two:,.0f} events/s | {two / one:.2f} |")
    lines += ["", "| lines | peak memory | events/s |", "| ---: | ---: | ---: |"]
    for count, memory in result["memory"].items():
        lines.append(f"| {int(count):,} | {memory['peak_mb']:.0f} MB | {int(count) / memory['seconds']:,.0f} |")
    return "\n".join(lines)
