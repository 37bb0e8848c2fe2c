"""Load the service on loopback under a public load generator (wrk): with micro-batches, without, and overloaded.

Overloaded twice: with requests that come when they come, twice as many as it can answer, and with as many as the
generator can send.
"""

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
from overproof.events.sources import load_events
from overproof.inference.service import Limits
from overproof.inference.similarity.build import IndexConfig, build_index

CONNECTIONS = (1, 8, 64)
SECONDS, LONG = 8, 20
EVENTS = 2000
SIZE = 32  # events of a request when it is overloaded
PACED, CROWD = 448, 256  # connections; either number of requests is more than the queue takes at once
VERIFIED = 400
INDEXED = 10_000

SERVER = """
import sys
from pathlib import Path
from overproof.bundle.manifest import open_bundle
from overproof.jobs.open_cascade import open_cascade
from overproof.progress import terminal
from overproof.inference.service import Endpoint, Limits, serve
bundle, batch, index = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
opened = lambda: open_cascade(open_bundle(bundle))
serve(opened, Endpoint(port=0), index=index, limits=Limits(batch=batch), console=terminal())
"""
LUA = """
local bodies = {}
for line in io.lines("BODIES") do bodies[#bodies + 1] = line end
local i = 0
request = function()
  i = i % #bodies + 1
  return wrk.format("POST", "PATH", {["content-type"] = "application/json"}, bodies[i])
end
local pause = PAUSE
if pause > 0 then
  delay = function() return -math.log(1 - math.random()) * pause end
end
done = function(summary, latency, requests)
  io.write(string.format("summary %d %d %d %f %f %f\\n", summary.requests, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


def measured() -> dict[str, Any]:
    """Measure requests a second, p50 and p99, and what an overloaded service answers."""
    events = load_events([TEST])
    texts: list[str] = events["text"].to_pylist()[:EVENTS]
    expected = {text: verdict.label for text, verdict in zip(texts, overproof.open(BUNDLE).judge(texts), strict=True)}
    parts = [texts[i : i + SIZE] for i in range(0, len(texts) - SIZE + 1, SIZE)]
    many = [{"events": [{"text": text} for text in part]} for part in parts]
    one = [{"text": text} for text in texts]
    inputs = [{"inputs": [text]} for text in texts]
    result: dict[str, Any] = {"rows": {}}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        index = folder / "index"
        build_index(IndexConfig(BUNDLE, events.slice(0, INDEXED), index))
        paths: dict[str, list[dict[str, Any]]] = {"judge": one, "embed": inputs, "similar": inputs}
        scripts = {path: _script(folder, path, bodies) for path, bodies in paths.items()}
        for name, batch, path in (
            ("/judge, micro-batches", 64, "judge"),
            ("/judge, one event a call", 1, "judge"),
            ("/embed, micro-batches", 64, "embed"),
            ("/similar, micro-batches", 64, "similar"),
        ):
            with _service(batch, index) as url:
                result["rows"][name] = {str(count): _load(url, scripts[path], count) for count in CONNECTIONS}
        with _service(64, index) as url:
            capacity = _load(url, _script(folder, "judge", many), 8)["answered_per_second"]
        result["capacity"] = capacity
        # A connection sends again after its pause: those that are answered wait in the queue before, the others do not.
        queued = Limits().queue / SIZE / capacity / 2
        pause = PACED / (2 * capacity) - queued
        for name, connections, wait in (("twice", PACED, pause), ("flood", CROWD, 0.0)):
            with _service(64, index) as url:
                verified: Counter[str] = Counter()
                checking = threading.Thread(target=_verify, args=(url, expected, verified))
                checking.start()
                found = _load(url, _script(folder, "judge", many, pause=wait), connections, seconds=LONG)
                checking.join()
                result[name] = {**found, "connections": connections, "verified": dict(verified)}
    return result


def _script(folder: Path, path: str, bodies_of: list[dict[str, Any]], *, pause: float = 0.0) -> Path:
    """Write what wrk sends to one path; each connection pauses so many seconds on average, the pauses exponential."""
    name = f"{path}-{len(bodies_of)}-{pause:.3f}"
    bodies = folder / name
    bodies.write_text("".join(json.dumps(body) + "\n" for body in bodies_of))
    script = folder / f"{name}.lua"
    settings = {"BODIES": str(bodies), "PATH": f"/{path}", "PAUSE": f"{1000 * pause:.1f}"}
    text = LUA
    for word, value in settings.items():
        text = text.replace(word, value)
    script.write_text(text)
    return script


@contextmanager
def _service(batch: int, index: Path) -> Iterator[str]:
    command = [sys.executable, "-c", SERVER, str(BUNDLE), str(batch), str(index)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        yield running.stderr.readline().split()[0]
        running.terminate()
        running.communicate()


def _load(url: str, script: Path, connections: int, *, seconds: int = SECONDS) -> dict[str, float]:
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        "20s",
        "--latency",
        "-s",
        str(script),
        url,
    ]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"^summary (\d+) (\d+) (\d+) (\S+) (\S+) (\S+)$", printed, re.M)
    if found is None:
        raise RuntimeError(f"wrk said no figures: {printed}")
    requests, refused, broken, took, p50, p99 = map(float, found.groups())
    return {
        "requests": requests,
        "refused": refused,
        "broken": broken,
        "sent_per_second": requests / took,
        "answered_per_second": (requests - refused) / took,
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
    """Write a column each for the ways of asking, and a paragraph each for the two overloads."""
    head = "| connections | " + " | ".join(f"{name}: requests/s, p50, p99" for name in result["rows"]) + " |"
    lines = [head, "| ---: |" + " ---: |" * len(result["rows"])]
    for count in map(str, CONNECTIONS):
        cells = [
            f"{row[count]['answered_per_second']:,.0f}, {row[count]['p50_ms']:.1f} ms, {row[count]['p99_ms']:.1f} ms"
            for row in result["rows"].values()
        ]
        lines.append(f"| {count} | {' | '.join(cells)} |")
    lines += ["", _overload(result, "twice", "Requests that come when they come"), ""]
    lines.append(_overload(result, "flood", "As many as the generator can send"))
    lines.append(f"`/similar` searches {INDEXED:,} known events. The generator shares the two cores.")
    return "\n".join(lines)


def _overload(result: dict[str, Any], name: str, what: str) -> str:
    over, verified = result[name], result[name]["verified"]
    times = over["sent_per_second"] / result["capacity"]
    refused = sum(count for kind, count in verified.items() if kind.isdigit())
    return (
        f"{what} ({over['connections']} connections, {SIZE} events a request): {times:.1f} times the "
        f"{result['capacity'] * SIZE:,.0f} events a second that it answers with 8 connections. "
        f"{over['answered_per_second'] * SIZE:,.0f} events a second answered, {over['refused']:,.0f} of "
        f"{over['requests']:,.0f} requests refused with 429 or 503, {over['broken']:.0f} connections broken. Of "
        f"{sum(verified.values())} requests checked beside it {verified.get('right', 0)} had the right verdict, "
        f"{verified.get('wrong', 0)} a wrong one, {refused} were refused, {verified.get('lost', 0)} lost."
    )
