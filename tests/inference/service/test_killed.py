"""Real processes, really killed: the service, the full model, and a bundle that was changed under it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from overproof.bundle.runtime import OnnxScorer

pytestmark = pytest.mark.slow

TEXTS = [f"id={i} select {'x' * (i % 13)}" for i in range(200)]
PREDICT = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        scores = [{"label": "xss", "score": 1.0}, {"label": "sqli", "score": 0.0}, {"label": "benign", "score": 0.0}]
        content = json.dumps([scores for _ in asked["inputs"]]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
    def log_message(self, *args):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""

Serve = Callable[..., tuple[subprocess.Popen[str], str]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts services; gives the process and its URL."""
    started: list[subprocess.Popen[str]] = []

    def start(bundle: Path, *words: str) -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-m", "overproof", "serve", str(bundle), "--port", "0", *words]
        running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        started.append(running)
        assert running.stderr is not None
        return running, running.stderr.readline().split()[0]

    yield start
    for running in started:
        running.kill()
        running.communicate()


def judged(url: str, texts: list[str]) -> list[dict[str, Any]]:
    answer = httpx.post(f"{url}/judge", json={"events": [{"text": text} for text in texts]}, timeout=30)
    assert answer.status_code == 200, answer.text
    verdicts: list[dict[str, Any]] = answer.json()["verdicts"]
    return verdicts


def until(holds: Callable[[], bool]) -> None:
    for _ in range(5000):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError("never")


def test_a_killed_service_answers_again_when_it_is_started_again(
    serve: Serve, small_bundle: Path, student: OnnxScorer
) -> None:
    before = sorted(path.name for path in small_bundle.iterdir())
    running, url = serve(small_bundle)
    first = judged(url, TEXTS)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    with pytest.raises(httpx.TransportError):
        judged(url, TEXTS)
    _, again = serve(small_bundle)
    assert judged(again, TEXTS) == first
    assert [v["label"] for v in first] == [v.label for v in student.judge(TEXTS)]
    assert sorted(path.name for path in small_bundle.iterdir()) == before


def test_what_was_accepted_is_answered_before_it_ends(serve: Serve, small_bundle: Path) -> None:
    running, url = serve(small_bundle)
    expected = judged(url, TEXTS)
    answers: list[Any] = []

    def ask() -> None:
        try:
            answers.append(judged(url, TEXTS))
        except (httpx.TransportError, AssertionError) as error:
            answers.append(error)

    asking = [threading.Thread(target=ask) for _ in range(20)]
    for thread in asking:
        thread.start()
    until(lambda: len(answers) >= 1)  # some are answered, some are under way, some come too late
    running.send_signal(signal.SIGTERM)
    for thread in asking:
        thread.join()
    assert running.wait(60) == 0
    whole = [answer for answer in answers if isinstance(answer, list)]
    assert whole
    assert all(answer == expected for answer in whole)
    late = [str(answer) for answer in answers if isinstance(answer, AssertionError)]
    assert all("the service is ending" in text for text in late), late


def test_hangup_opens_the_bundle_again_only_if_it_verifies(serve: Serve, small_bundle: Path, tmp_path: Path) -> None:
    place = tmp_path / "bundle"
    shutil.copytree(small_bundle, place)
    running, url = serve(place)
    expected = judged(url, TEXTS)
    model = place / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    running.send_signal(signal.SIGHUP)
    assert running.stderr is not None
    told = running.stderr.readline()
    assert "sha256 differs" in told, told
    assert judged(url, TEXTS) == expected
    shutil.copytree(small_bundle, place, dirs_exist_ok=True)
    running.send_signal(signal.SIGHUP)
    told = running.stderr.readline()
    assert "differs" not in told, told
    assert f"is in service; {place}: made from " in told
    assert judged(url, TEXTS) == expected


def test_a_full_model_that_is_killed_is_told_in_the_verdicts(serve: Serve, small_bundle: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PREDICT], stdout=subprocess.PIPE, text=True) as full:
        assert full.stdout is not None
        port = int(full.stdout.readline())
        words = ["--full", f"http://127.0.0.1:{port}/predict", "--max-escalations", "1000/s"]
        alone = [word for label in ("benign", "sqli", "xss") for word in ("--never-alone", label)]
        _, held = serve(small_bundle, *words, *alone)
        _, stands = serve(small_bundle, *words, *alone, "--on-full-down", "student")
        for url in (held, stands):
            (verdict,) = judged(url, TEXTS[:1])
            assert (verdict["decided_by"], verdict["label"]) == ("full", "xss")
        full.kill()
        full.wait()
        (verdict,) = judged(held, TEXTS[:1])
        assert (verdict["status"], verdict["decided_by"]) == ("held", "nobody")
        assert "the full model is down" in verdict["reason"]
        (verdict,) = judged(stands, TEXTS[:1])
        assert (verdict["status"], verdict["decided_by"]) == ("decided", "student")
        assert json.dumps(verdict["full"]) == "null"


def test_one_service_is_the_full_model_of_another(serve: Serve, small_bundle: Path, student: OnnxScorer) -> None:
    _, full = serve(small_bundle)
    alone = [word for label in ("benign", "sqli", "xss") for word in ("--never-alone", label)]
    _, url = serve(small_bundle, "--full", f"{full}/predict", "--max-escalations", "1000/s", *alone)
    for verdict, own in zip(judged(url, TEXTS[:5]), student.judge(TEXTS[:5]), strict=True):
        assert verdict["decided_by"] == "full"
        assert verdict["full"]["label"] == own.label
        assert verdict["full"]["probabilities"] == pytest.approx(own.probabilities, abs=1e-5)


def test_hangup_opens_no_bundle_that_is_not_signed(serve: Serve, small_bundle: Path, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    from overproof.bundle.signing.sign import SigningKey, sign

    key, trusted = tmp_path / "key.pem", tmp_path / "key.pub"
    made = ec.generate_private_key(ec.SECP256R1())
    key.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    trusted.write_bytes(made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    place = Path(shutil.copytree(small_bundle, tmp_path / "bundle"))
    words = ("--verify-key", str(trusted))
    running, told = serve(place, *words)
    assert running.wait(60) == 2 and told == "error:"
    sign(place, SigningKey(key))
    running, told = serve(place, *words)
    assert running.stderr is not None
    assert told == f"{place}:"  # signed with …
    url = running.stderr.readline().split()[0]
    expected = judged(url, TEXTS)
    (place / "model.sig").unlink()
    running.send_signal(signal.SIGHUP)
    told = running.stderr.readline()
    assert "the bundle in service stays" in told and "is not signed" in told, told
    assert judged(url, TEXTS) == expected
