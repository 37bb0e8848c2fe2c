"""The service on loopback under a public load generator (wrk): with micro-batches, without, and overloaded."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from escalating import BUNDLE
from settings import TEST

import overproof
from overproof.sources import load_events

CONNECTIONS = (1, 8, 64)
SECONDS = 8
EVENTS = 2000
OVERLOAD = {"connections": 256, "events": 32}  # of each request: more wait at once than the queue takes
VERIFIED = 400

SERVER = """
import sys
from pathlib import Path
from overproof.bundle import open_bundle
from overproof.field import open_cascade
from overproof.progress import terminal
from overproof.serve import Limits, serve
bundle, batch = sys.argv[1], int(sys.argv[2])
serve(lambda: open_cascade(open_bundle(bundle)), port=0, limits=Limits(batch=batch), console=terminal())
"""
LUA = """
local bodies = {}
for line in io.lines("BODIES") do bodies[#bodies + 1] = line end
local i = 0
request = function()
  i = i % #bodies + 1
  return wrk.format("POST", "/judge", {["content-type"] = "application/json"}, bodies[i])
end
done = function(summary, latency, requests)
  io.write(string.format("told %d %d %d %f %f %f\\n", summary.requests, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


def measured() -> dict[str, Any]:
    """Requests a second, p50 and p99, and what an overloaded service answers."""
    texts: list[str] = load_events([TEST])["text"].to_pylist()[:EVENTS]
    expected = {text: verdict.label for text, verdict in zip(texts, overproof.open(BUNDLE).judge(texts), strict=True)}
    result: dict[str, Any] = {"rows": {}}
    with tempfile.TemporaryDirectory() as place:
        script = _script(Path(place), "one", [{"text": text} for text in texts])
        size = OVERLOAD["events"]
        parts = [[{"text": text} for text in texts[i : i + size]] for i in range(0, len(texts) - size + 1, size)]
        many = _script(Path(place), "many", [{"events": part} for part in parts])
        for name, batch in (("micro-batches", 64), ("one event a call", 1)):
            with _service(batch) as url:
                result["rows"][name] = {str(count): _load(url, script, count) for count in CONNECTIONS}
        with _service(64) as url:
            verified: Counter[str] = Counter()
            checking = threading.Thread(target=_verify, args=(url, expected, verified))
            checking.start()
            result["overload"] = {**OVERLOAD, **_load(url, many, OVERLOAD["connections"])}
            checking.join()
        result["verified"] = dict(verified)
    return result


def _script(folder: Path, name: str, bodies_of: list[dict[str, Any]]) -> Path:
    bodies = folder / name
    bodies.write_text("".join(json.dumps(body) + "\n" for body in bodies_of))
    script = folder / f"{name}.lua"
    script.write_text(LUA.replace("BODIES", str(bodies)))
    return script


@contextmanager
def _service(batch: int) -> Iterator[str]:
    command = [sys.executable, "-c", SERVER, str(BUNDLE), str(batch)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        yield running.stderr.readline().split()[0]
        running.terminate()
        running.communicate()


def _load(url: str, script: Path, connections: int) -> dict[str, float]:
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{SECONDS}s",
        "--timeout",
        "20s",
        "--latency",
        "-s",
        str(script),
        url,
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"^told (\d+) (\d+) (\d+) (\S+) (\S+) (\S+)$", told, re.M)
    if found is None:
        raise RuntimeError(f"wrk said no figures: {told}")
    requests, refused, broken, seconds, p50, p99 = map(float, found.groups())
    return {
        "requests": requests,
        "refused": refused,
        "broken": broken,
        "answered_per_second": (requests - refused) / seconds,
        "p50_ms": p50,
        "p99_ms": p99,
    }


def _verify(url: str, expected: dict[str, str], found: Counter[str]) -> None:
    """Ask beside the load, and count right, wrong and refused answers."""
    for text in list(expected)[:VERIFIED]:
        body = json.dumps({"text": text}).encode()
        request = urllib.request.Request(f"{url}/judge", body, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                right = json.load(answer)["label"] == expected[text]
                found["right" if right else "wrong"] += 1
        except urllib.error.HTTPError as error:
            found[str(error.code)] += 1
        except OSError:
            found["lost"] += 1


def to_markdown(result: dict[str, Any]) -> str:
    """Two tables' worth in one, and a line about the overload."""
    head = "| connections | " + " | ".join(f"{name}: requests/s, p50, p99" for name in result["rows"]) + " |"
    lines = [head, "| ---: |" + " ---: |" * len(result["rows"])]
    for count in map(str, CONNECTIONS):
        cells = [
            f"{row[count]['answered_per_second']:,.0f}, {row[count]['p50_ms']:.1f} ms, {row[count]['p99_ms']:.1f} ms"
            for row in result["rows"].values()
        ]
        lines.append(f"| {count} | {' | '.join(cells)} |")
    over, told = result["overload"], result["verified"]
    answered = over["requests"] - over["refused"]
    times = over["requests"] / answered
    lines.append(
        f"\nOverloaded with {times:.1f} times what it answers ({over['connections']} connections, "
        f"each sending {over['events']} events again and again): {over['answered_per_second'] * over['events']:,.0f} "
        f"events a second answered, {over['refused']:,.0f} of {over['requests']:,.0f} requests refused with 429 or "
        f"503, {over['broken']:.0f} connections broken. Of {sum(told.values())} requests checked beside it, "
        f"{told.get('right', 0)} had the right verdict, {told.get('wrong', 0)} a wrong one, "
        f"{sum(count for name, count in told.items() if name.isdigit())} were refused, {told.get('lost', 0)} lost. The "
        "load generator shares the two cores."
    )
    return "\n".join(lines)
