"""Triage every capture and log at hand with the bundle of the built-in traffic, beside independent counts."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from settings import CAPTURES, OUT

import overproof
from overproof.inference.stream import Request
from overproof.jobs.deploy_config import TriageConfig
from overproof.jobs.triage import triage
from overproof.progress import terminal

BUNDLE = OUT / "field" / "simulated" / "bundle"
KNOWN = {  # what is in them, by the sets they come from
    "nmap-vsn.pcap": "a scan",
    "sshguess.pcap": "password guessing over SSH",
    "bruteforce.pcap": "password guessing over FTP",
    "WebattackRCE.pcap": "a web scanner that looks for remote code execution",
    "WebattackSQLinj.pcap": "SQL injection",
}


def measured() -> dict[str, Any]:
    """Measure what became of every file."""
    if not BUNDLE.is_dir():
        overproof.demo(BUNDLE.parent, console=terminal())
    files = sorted(path for path in CAPTURES.rglob("*") if path.is_file())
    return {str(path.relative_to(CAPTURES)): _triaged(path) for path in files}


def _triaged(path: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        out, rejects = Path(place) / "out.jsonl", Path(place) / "rejects.jsonl"
        summary = triage(TriageConfig(BUNDLE, Request((str(path),), str(out)), rejects=rejects))
        verdicts = [json.loads(line) for line in out.open()]
    labels: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        labels.setdefault(verdict["source"], Counter())[verdict["label"]] += 1
    return {
        "events": summary.tally.events,
        "labels": {kind: dict(counter.most_common()) for kind, counter in labels.items()},
        "abstained": summary.tally.counts["status"]["abstained"],
        "rejected": dict(summary.rejected),
        "independent": _capture(path) if path.suffix in (".pcap", ".pcapng") else {"lines": _lines(path)},
    }


def _lines(path: Path) -> int:
    content = path.read_bytes()
    return len((gzip.decompress(content) if path.suffix == ".gz" else content).splitlines())


def _capture(path: Path) -> dict[str, int]:
    """Packets by capinfos; conversations and requests by tshark."""
    if shutil.which("tshark") is None or shutil.which("capinfos") is None:
        return {}
    packets = _output("capinfos", "-c", "-M", "-T", "-r", str(path)).split()[-1]
    conversations = sum(
        line.count(" <-> ")
        for kind in ("tcp", "udp")
        for line in _output("tshark", "-q", "-z", f"conv,{kind}", "-r", str(path)).splitlines()
    )
    requests = _output(
        "tshark", "-Y", "http.request and not (udp or ssdp)", "-T", "fields", "-e", "frame.number", "-r", str(path)
    )
    return {"packets": int(packets), "conversations": conversations, "requests": len(requests.splitlines())}


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def to_markdown(result: dict[str, Any]) -> str:
    """Write a table of all files, and what was seen in those that are known to hold attacks."""
    lines = [
        "| file | independent count | events | rejected | not benign, by kind of event | abstained |",
        "| --- | --- | ---: | ---: | --- | ---: |",
    ]
    for name, found in result.items():
        counted = ", ".join(f"{count:,} {what}" for what, count in found["independent"].items() if count)
        cells = [name, counted, f"{found['events']:,}", _rejected(found["rejected"]), _flagged(found["labels"])]
        known = KNOWN.get(Path(name).name)
        cells[0] += f" ({known})" if known else ""
        lines.append(f"| {' | '.join(cells)} | {found['abstained']:,} |")
    return "\n".join(lines)


def _rejected(reasons: dict[str, int]) -> str:
    shown = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())
    return shown or "0"


def _flagged(labels: dict[str, dict[str, int]]) -> str:
    cells = []
    for kind, counts in labels.items():
        total = sum(counts.values())
        alerts = [f"{count:,} {label}" for label, count in counts.items() if label not in ("benign", "normal")]
        if alerts:
            cells.append(f"{kind}: {', '.join(alerts)} of {total:,}")
    return "; ".join(cells) or "none"
