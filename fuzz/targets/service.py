"""Try the service's endpoints in this process: any request is answered in JSON, and never by a failure of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from fuzz import corpus
from fuzz.indexes import write_index
from fuzz.mutate import raw, values
from fuzz.target import Files, require
from overproof.bundle.manifest import open_bundle
from overproof.bundle.tiers import open_student
from overproof.inference.cascade import Cascade
from overproof.inference.service.app import create_app
from overproof.inference.service.limits import Limits
from overproof.inference.service.service import Service

REQUEST, BODY = "request.json", "body"
PATHS = ("/judge", "/judge", "/predict", "/embed", "/similar", "/windows")
SHARED = ("/judge", "/similar")  # they take the same bodies
GET = (
    "/",
    "/page.js",
    "/docs",
    "/card",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/judge/",
    "/nothing",
    "/../x",
    "/%00",
    "//judge",
)
BODIES: dict[str, Any] = {
    "/judge": {"events": [{"text": "id=1' or 1=1", "origin": "a:1"}, {"text": "GET /"}], "explain": True},
    "/predict": {"inputs": ["a", "b"], "parameters": {"top_k": 2}},
    "/embed": {"inputs": ["a", "b"]},
    "/similar": {"inputs": "a", "count": 3},
    "/windows": {"text": "x" * 300},
}
HEADERS = {
    "content-type": (
        "application/json",
        "application/json; charset=utf-16",
        "text/plain",
        "",
        "application/json;;",
        "\xff",
    ),
    "content-length": ("0", "-1", "99999999999", "1e3", "\x00", "٣", ""),
    "host": ("127.0.0.1", "evil.test", "", "127.0.0.1:x", "[::1", "\xff\xfe", "a" * 9000),
    "origin": ("null", "http://evil.test", "http://127.0.0.1", "\xff"),
    "authorization": ("Bearer x", "Bearer", "", "Basic \xff"),
    "accept-encoding": ("gzip", "\x00"),
    "transfer-encoding": ("chunked", "x"),
    "sec-fetch-site": ("cross-site", "none"),
}
OK = {200, 307, 400, 401, 403, 404, 405, 408, 413, 415, 421, 422, 429, 501, 503}


def made(random: Random) -> Files:
    """Make a request: a body that is nearly right, or one that is nothing, with odd headers sometimes."""
    path = random.choice(PATHS)
    method, body = "POST", json.dumps(BODIES[path]).encode()
    if random.random() < 0.1:
        method, path = random.choice(("GET", "HEAD", "PUT", "OPTIONS", "POST", "\xff")), random.choice(GET)
    elif random.random() < 0.95:
        document = BODIES[random.choice(SHARED) if path in SHARED else path]
        for _ in range(random.choice((1, 1, 2))):
            document = values.changed(document, random)
        body = values.written(document, random)
    if random.random() < 0.1:
        body = raw.changed(body, random)
    headers = [["content-type", "application/json"], ["host", "127.0.0.1"]]
    for _ in range(random.choice((0, 0, 0, 1, 2))):
        name = random.choice(sorted(HEADERS))
        headers = [pair for pair in headers if pair[0] != name or random.random() < 0.2]
        headers.append([name, random.choice(HEADERS[name])])
    request = {
        "method": method,
        "path": path,
        "headers": headers,
        "query": random.choice(("", "", "a=b", "%ff", "a" * 5000)),
    }
    return {REQUEST: json.dumps(request).encode(), BODY: body}


class _Running:
    """The service, started once in this process, and a loop to ask it in."""

    def __init__(self) -> None:
        student = open_student(open_bundle(corpus.WRITTEN / "bundle"))
        limits = Limits(seconds=5, full_seconds=2, grace_seconds=2, scorers=1)
        self._place = TemporaryDirectory()  # as long as this process
        index = Path(self._place.name) / "index"
        write_index(index)
        self.app = create_app(Service(lambda: Cascade(student), index=index, limits=limits))
        self.loop = asyncio.new_event_loop()
        self.lifespan = self.app.router.lifespan_context(self.app)
        self.loop.run_until_complete(self.lifespan.__aenter__())

    def ask(self, request: dict[str, Any], body: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
        """Return status, headers and body of the answer."""
        return self.loop.run_until_complete(self._ask(request, body))

    async def _ask(self, request: dict[str, Any], body: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
        parts = [body[: len(body) // 2], body[len(body) // 2 :]]
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if not parts:
                await asyncio.sleep(3600)
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "root_path": "",
            "method": request["method"], "path": request["path"], "raw_path": request["path"].encode(),
            "query_string": request["query"].encode(), "client": ("127.0.0.1", 4711), "server": ("127.0.0.1", 8000),
            "headers": [(name.encode(), value.encode()) for name, value in request["headers"]],
        }  # fmt: skip
        await self.app(scope, receive, send)
        start = next(one for one in sent if one["type"] == "http.response.start")
        content = b"".join(one.get("body", b"") for one in sent if one["type"] == "http.response.body")
        return start["status"], dict(start["headers"]), content


@cache
def running() -> _Running:
    """Return the service of this process."""
    return _Running()


def run(files: Files, folder: Path) -> None:
    """Ask; events of a request that is answered are answered the same one by one."""
    request, body = json.loads(files[REQUEST]), files[BODY]
    status, headers, content = running().ask(request, body)
    require(status in OK, f"answered by {status}: {content[:300]!r}")
    if request["method"] != "POST":
        return
    if headers.get(b"content-type", b"").startswith(b"application/json") and content:
        found = json.loads(content, parse_constant=lambda word: require(False, f"no JSON: {word}"))
        if status == 200 and request["path"] == "/judge":
            _same_alone(json.loads(body), found)
    else:
        require(status in (307, 404, 405), f"no JSON: {status} {headers}")


def _same_alone(asked: Any, found: Any) -> None:
    verdicts = found.get("verdicts", [found])
    inputs = asked.get("inputs", [])
    given = [{"text": text} for text in ([inputs] if isinstance(inputs, str) else inputs)]
    events = asked.get("events", given if "inputs" in asked else [asked])
    require(len(verdicts) == len(events), "not a verdict for each event")
    request = {
        "method": "POST",
        "path": "/judge",
        "query": "",
        "headers": [["content-type", "application/json"], ["host", "127.0.0.1"]],
    }
    for event, verdict in zip(events[:3], verdicts[:3], strict=True):
        _, _, content = running().ask(request, json.dumps({"text": event["text"]}).encode())
        alone = json.loads(content)
        require(alone["student"] == verdict["student"], f"another verdict alone: {event!r:.300}")
