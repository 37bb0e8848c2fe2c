"""From a packet capture to checked verdicts without a labelled table: capture → events → compress → check → triage.

    python examples/from_a_capture.py [FOLDER [CAPTURE ALERTS]]

CAPTURE is a packet capture, ALERTS a Zeek notice.log or a Suricata eve.json of the same traffic, whose alerts become
the labels. Without them both are made here, few and simple, so that it takes minutes: too few to deploy by, and the
check says so. Needs the extras `compress` and `pcap`.
"""

from __future__ import annotations

import json
import random
import struct
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute as pc

import overproof
from overproof.events.split import split_events
from overproof.inference.stream import Request
from overproof.jobs.deploy_config import CascadeConfig, TriageConfig
from overproof.jobs.triage import triage

REQUESTS, SEED, START = 1200, 0, 1_767_323_045
CLIENT, SERVER, PORT = "192.0.2.7", "198.51.100.9", 80
WORDS = "red blue small large shoes boots coat summer winter sale new sort price brand size page item list cart".split()
ATTACKS = {
    "ET WEB_SERVER SQL Injection": ("%27%20or%20{a}={a}--", "-1%20union%20select%20{w},{v}%20from%20users--"),
    "ET WEB_SERVER Cross Site Scripting": (
        "%3Cscript%3Ealert({a})%3C/script%3E{w}",
        "%3Cimg%20src={w}%20onerror={v}()%3E",
    ),
    "ET WEB_SERVER Directory Traversal": ("../../../../etc/{w}/passwd", "..%2f..%2f{w}%2f..%2f..%2fetc%2fshadow"),
}


def requests(drawn: random.Random) -> Iterator[tuple[str, str | None]]:
    """Yield the target of each request, and the name of the alert that it raises; a quarter are attacks."""
    for _ in range(REQUESTS):
        path, name = "/".join(drawn.choices(WORDS, k=2)), drawn.choice(WORDS)
        word, other, number = drawn.choice(WORDS), drawn.choice(WORDS), drawn.randrange(1, 999)
        if drawn.random() < 0.75:
            yield f"/{path}?{name}={word}+{other}&id={number}", None
            continue
        alert = drawn.choice(sorted(ATTACKS))
        payload = drawn.choice(ATTACKS[alert]).format(a=number, w=word, v=other)
        yield f"/{path}?{name}={word}&id={payload}", alert


def frame(source_port: int, payload: bytes) -> bytes:
    """Return an Ethernet frame with one TCP segment that carries a whole request."""
    tcp = struct.pack("!HHIIBBHHH", source_port, PORT, 1, 1, 5 << 4, 0x18, 8192, 0, 0) + payload
    ends = (bytes(map(int, one.split("."))) for one in (CLIENT, SERVER))
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, *ends)
    return bytes(12) + b"\x08\x00" + ip + tcp


def write_traffic(capture: Path, alerts: Path) -> None:
    """Write a capture of the requests, each on a connection of its own, and what Suricata would have said of them."""
    with capture.open("wb") as packets, alerts.open("w") as eve:
        packets.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number, (target, alert) in enumerate(requests(random.Random(SEED))):
            second, port = START + 2 * number, 20_000 + number
            packet = frame(port, f"GET {target} HTTP/1.1\r\nHost: shop.test\r\n\r\n".encode())
            packets.write(struct.pack("<IIII", second, 0, len(packet), len(packet)) + packet)
            if alert is not None:
                ends = {"src_ip": CLIENT, "src_port": port, "dest_ip": SERVER, "dest_port": PORT, "proto": "TCP"}
                time = datetime.fromtimestamp(second, UTC).isoformat(timespec="microseconds")
                found = {"signature": alert, "severity": 1}
                eve.write(json.dumps({"timestamp": time, "event_type": "alert", **ends, "alert": found}) + "\n")


def main(out: Path, capture: Path, alerts: Path) -> None:
    """Go the whole way."""
    label = overproof.LabelConfig(alerts, others="benign")
    print(overproof.write_events(capture, out=out / "events.csv", label=label).render())
    events = overproof.load_events(out / "events.csv")
    # An alert labels all events of a flow. That of the flow itself does not show what was sent in it: learn the others.
    events = events.filter(
        pc.and_(pc.is_valid(events["label"]), pc.invert(pc.match_substring(events["source"], "flow")))
    )
    parts = split_events(events, seed=SEED, validation=0.0, test=0.4)  # no flow on both sides

    report = overproof.compress(
        parts.train,
        teacher="ngram",
        student="ngram-student",
        out=out / "bundle",
        evidence=out / "evidence",
        seed=SEED,
    )
    print(report.comparison.render())
    full = str(out / "bundle.ngram-teacher")
    checked = overproof.check(
        out / "bundle", parts.test, full=full, evidence=out / "evidence", out=out / "check", attack=0
    )
    print(f"{checked.decision}, with all reasons: {out / 'check' / 'report.html'}")

    # Where the decision is no, its threshold promises nothing, and triage refuses it: the default budget holds then.
    cascade = CascadeConfig(full, out / "check" / "check.json" if checked.passed else None)
    request = Request((str(capture),), out=str(out / "verdicts.jsonl"))
    print(triage(TriageConfig(out / "bundle", request, cascade)).render())


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out/from-a-capture")
    folder.mkdir(parents=True, exist_ok=True)
    if len(sys.argv) > 3:
        main(folder, Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        write_traffic(folder / "made-here.pcap", folder / "eve.json")
        main(folder, folder / "made-here.pcap", folder / "eve.json")
