"""A full model behind HTTP, which may be slow, wrong, rude or gone."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.inference.cascade import FullDown
from overproof.inference.cascade.breaker import Breaker
from overproof.inference.cascade.guard import guarded
from overproof.inference.cascade.remote import parsed, remote

CLASSES = ("benign", "sqli")


class Quiet(ThreadingHTTPServer):
    """A client that left is none of its business."""

    def handle_error(self, request: object, client_address: object) -> None:
        pass


class Server:
    """A text-classification server that answers what it is told to."""

    def __init__(self) -> None:
        self.seen: list[tuple[dict[str, str], Any]] = []
        self.more: dict[str, str] = {}
        self.answer: Callable[[Any], tuple[int, Any]] = lambda body: (200, [self.scores(t) for t in body["inputs"]])
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.seen.append((dict(self.headers), body))
                status, answer = outer.answer(body)
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                if status in (301, 302):
                    self.send_header("location", "http://127.0.0.1:1/elsewhere")
                for name, value in outer.more.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: object) -> None:
                pass

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/predict"

    @staticmethod
    def scores(text: str) -> list[dict[str, Any]]:
        attack = 0.75 if "'" in text else 0.25
        return [{"label": "sqli", "score": attack}, {"label": "benign", "score": 1 - attack}]

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.stop()


def test_it_is_asked_in_the_text_classification_format(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERPROOF_FULL_TOKEN", "secret")
    full = remote(server.url, CLASSES)
    assert full.ask(["a'", "b"]).tolist() == [[0.25, 0.75], [0.75, 0.25]]
    headers, body = server.seen[0]
    assert headers["authorization"] == "Bearer secret"
    assert body == {"inputs": ["a'", "b"], "parameters": {"top_k": None}}
    assert full.model == server.url


def test_many_texts_are_asked_in_parts(server: Server) -> None:
    assert remote(server.url, CLASSES).ask(["'"] * 70).shape == (70, 2)
    assert [len(body["inputs"]) for _, body in server.seen] == [32, 32, 6]


def test_a_busy_server_is_asked_again(server: Server) -> None:
    plain, calls = server.answer, [503, 429]
    server.answer = lambda body: (calls.pop(), b"") if calls else plain(body)
    assert remote(server.url, CLASSES).ask(["'"]).tolist() == [[0.25, 0.75]]
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((500, b"oops"), "answered 500"),
        ((302, b""), "answered 302|too many redirects"),
        ((200, b"<html>"), "not an answer of a text classifier"),
        ((200, []), "0 answers to 1 texts"),
        ((200, [[{"label": "rce", "score": 1.0}]]), "label 'rce', which the bundle has no class for"),
        ((200, [[{"label": "sqli", "score": 0.4}]]), "every class is expected"),
        ((200, [[{"label": "sqli", "score": "high"}]]), "not an answer"),
        ((200, [[{"label": "sqli", "score": 1e300}]]), "do not add up to 1"),
        ((200, [[{"label": "sqli", "score": "1.0"}]]), "a score that is no number: '1.0'"),
        ((200, [[{"label": "sqli", "score": True}]]), "a score that is no number: .True."),
        ((200, [[{"label": "sqli", "score": 0.5}, {"label": "sqli", "score": 1.0}]]), "a label twice"),
        ((200, b'[[{"label": "sqli", "score": 1e999}]]'), "not an answer"),
        ((200, b'[[{"label": "sqli", "score": NaN}]]'), "not an answer"),
        ((200, [[{"label": "sqli", "score": 2.0}, {"label": "benign", "score": -1.0}]]), "probabilities below 0"),
        ((200, {"error": "loading"}), "not an answer"),
    ],
)
def test_an_answer_that_cannot_be_used_is_no_answer(server: Server, answer: tuple[int, Any], why: str) -> None:
    server.answer = lambda body: answer
    with pytest.raises(FullDown, match=why):
        remote(server.url, CLASSES).ask(["a"])


def test_a_server_that_is_gone_is_left_alone_and_tried_again(server: Server) -> None:
    now = [0.0]
    full = guarded(remote(server.url, CLASSES), breaker=Breaker(failures=1, rest=30, clock=lambda: now[0]))
    plain = server.answer
    server.answer = lambda body: (500, b"")
    with pytest.raises(FullDown, match="answered 500"):
        full.ask(["a"])
    server.answer, asked = plain, len(server.seen)
    with pytest.raises(FullDown, match="not asked again yet"):
        full.ask(["a"])
    assert len(server.seen) == asked
    now[0] = 31.0
    assert full.ask(["a"]).shape == (1, 2)
    assert full.ask(["a"]).shape == (1, 2)


def test_nobody_listens() -> None:
    full = remote("http://user:secret@127.0.0.1:9/x?key=hidden", CLASSES)
    assert full.model == "http://127.0.0.1:9/x"
    with pytest.raises(FullDown, match="refused") as down:
        full.ask(["a"])
    assert "secret" not in str(down.value) and "hidden" not in str(down.value)
    assert str(down.value).startswith("http://127.0.0.1:9/x: ")


def test_a_server_that_never_answers(server: Server) -> None:
    wait = threading.Event()
    server.answer = lambda body: (200, [wait.wait(5)])
    full = remote(server.url, CLASSES, seconds=0.05)
    with pytest.raises(FullDown, match="timed out"):
        full.ask(["a"])
    wait.set()


class Raw:
    """A server that writes what it is told to, a piece at a time, and never ends."""

    def __init__(self, first: bytes, piece: bytes) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}/predict"
        self.stopped, self.left = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run, args=(first, piece))
        self.thread.start()

    def _run(self, first: bytes, piece: bytes) -> None:
        client, _ = self.listening.accept()
        with client:
            client.sendall(first)
            try:
                while not self.stopped.wait(0.02):
                    client.sendall(piece)
            except OSError:
                self.left.set()  # hung up on

    def stop(self) -> None:
        self.stopped.set()
        self.listening.close()
        self.thread.join()


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n[", b" "),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\n[\r\n"),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nx: ", b"a"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b""),
    ],
    ids=["body", "chunks", "until closed", "head", "continue", "nothing"],
)
def test_an_answer_that_drips_ends_in_time(first: bytes, piece: bytes) -> None:
    server = Raw(first, piece)
    begun = time.monotonic()
    try:
        with pytest.raises(FullDown, match=r"timed out after 0\.3 s"):
            remote(server.url, CLASSES, seconds=0.3).ask(["a"])
        assert time.monotonic() - begun < 5
        assert not piece or server.left.wait(30)  # nothing goes on reading
    finally:
        server.stop()


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        *(
            b"HTTP/1.1 302 Found\r\nlocation: " + to + b"\r\n\r\n"
            for to in (b"http://[", b"http://h:x", b"\xff", b"//")
        ),
        *(CHUNKED + size + b"\r\n[]\r\n0\r\n\r\n" for size in (b"-5", b"zz", b"f" * 60, b"2;" + b"x" * 70000)),
        *(HEAD + b"content-length: " + n + b"\r\n\r\n" for n in (b"-5", b"5, 6", b"9" * 5000, b"\xb2")),
        *(HEAD + b"content-encoding: " + how + b"\r\n\r\nabcd" for how in (b"gzip", b"br", b",".join([b"gzip"] * 9))),
        HEAD + b"content-encoding: gzip\r\n\r\n" + gzip.compress(bytes(64 << 20), mtime=0),
        HEAD + b"a: b\r\n" * 200 + b"\r\n",
        HEAD + b"a: " + b"b" * 70000 + b"\r\n\r\n",
        HEAD + b"no header\r\n\r\n[[]]",
        *(b"HTTP/" + line + b"\r\n\r\n" for line in (b"1.1 abc", b"1.1 -200 OK", b"9.9 200 OK", b"1.1 101 Go", b"")),
        b"\0" * 100,
    ],
    ids=lambda answer: repr(answer[:60]),
)
def test_whatever_a_server_sends_is_no_answer_at_worst(answer: bytes) -> None:
    """Where a redirect leads to, or a chunk of -5 bytes, ended the run in a traceback."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                with client, suppress(OSError):
                    client.recv(65536)
                    client.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    try:
        with pytest.raises(FullDown):
            remote(f"http://127.0.0.1:{listening.getsockname()[1]}/", CLASSES, seconds=2.0).ask(["a"])
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


@pytest.mark.parametrize("after", ["3600", "Fri, 31 Dec 9999 23:59:59 GMT", "1e400", "soon", "-5", ""])
@pytest.mark.parametrize("status", [503, 429])
def test_a_server_that_asks_to_wait_does_not_hold_us(server: Server, status: int, after: str) -> None:
    server.answer, server.more = lambda body: (status, b""), {"retry-after": after}
    begun = time.monotonic()
    with pytest.raises(FullDown, match=f"answered {status}"):
        remote(server.url, CLASSES).ask(["a"])
    assert time.monotonic() - begun < 10


def test_a_short_wait_is_waited(server: Server) -> None:
    plain, calls = server.answer, [503]
    server.answer, server.more = lambda body: (calls.pop(), b"") if calls else plain(body), {"retry-after": "1"}
    begun = time.monotonic()
    assert remote(server.url, CLASSES).ask(["'"]).tolist() == [[0.25, 0.75]]
    assert time.monotonic() - begun > 0.9


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "https:///x",
        "ftp://h/x",
        "http://[::1",
        "http://h:99999/",
        "http://h:x/",
        "http://a b/",
        "http://h:0/",
    ],
)
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(InputError, match="expected http://HOST/PATH"):
        remote(url, CLASSES)


@given(st.binary() | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(lambda x: json.dumps(x).encode()))
def test_any_answer_is_an_answer_or_none(content: bytes) -> None:
    try:
        found = parsed(content, 1, CLASSES, "u")
    except FullDown:
        return
    assert found.shape == (1, 2)


def test_the_breaker_opens_after_failures_in_a_row() -> None:
    now = [0.0]
    breaker = Breaker(failures=3, rest=10, clock=lambda: now[0])
    for _ in range(2):
        breaker.failed()
    breaker.succeeded()
    for _ in range(3):
        assert breaker.allows()
        breaker.failed()
    assert breaker.open
    assert not breaker.allows()
    now[0] = 10.0
    assert not breaker.open
    assert breaker.allows()  # half open: one may try
    assert not breaker.allows()
    breaker.failed()
    now[0] = 19.0
    assert not breaker.allows()
    now[0] = 20.5
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.allows()
