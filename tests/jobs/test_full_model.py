"""Any full model is a teacher, and any teacher that judges new events can stand in reserve."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from overproof.bundle.manifest import MODEL, open_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.errors import InputError
from overproof.events.schema import event_table
from overproof.inference.cascade import HASH_DIGITS, FullDown
from overproof.jobs.full_model import open_full, reserve

CLASSES = ("benign", "sqli")


@pytest.fixture
def service() -> Iterator[str]:
    """The address of a text-classification service that takes quotes for attacks."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            texts = json.loads(self.rfile.read(int(self.headers["content-length"])))["inputs"]
            found = [{"sqli": 1.0, "benign": 0.0} if "'" in text else {"sqli": 0.25, "benign": 0.75} for text in texts]
            answer = [[{"label": label, "score": score} for label, score in one.items()] for one in found]
            content = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://user:secret@127.0.0.1:{server.server_port}/predict"
        server.shutdown()
        thread.join()


def test_a_service_is_a_teacher_and_stands_in_reserve_as_it_is(service: str) -> None:
    teacher = open_full([service], CLASSES)
    done: list[int] = []
    logits = teacher.logits(event_table({"text": ["a'", "b"] * 600}), done.append)
    expected = np.log(np.array([[1e-7, 1.0], [0.75, 0.25]] * 600)).astype(np.float32)
    assert np.allclose(logits, expected) and logits.dtype == np.float32
    assert sum(done) == 1200
    assert (teacher.classes, teacher.labels_new_events) == (CLASSES, True)
    assert (teacher.card.kind, teacher.card.fingerprint) == ("service", None)
    assert "secret" not in teacher.card.name
    full = reserve(teacher)
    assert full.ask(["a'", "b"]).tolist() == [[0.0, 1.0], [0.75, 0.25]]
    assert full.model == teacher.card.name


def test_a_service_that_does_not_answer_is_down() -> None:
    teacher = open_full("http://127.0.0.1:9/x", CLASSES)
    with pytest.raises(FullDown, match=r"http://127\.0\.0\.1:9/x"):
        teacher.logits(event_table({"text": ["a"]}))
    assert teacher.logits(event_table({"text": []})).shape == (0, 2)


def test_a_service_is_not_averaged(service: str) -> None:
    with pytest.raises(InputError, match="a service is not averaged with others"):
        open_full([service, "teacher"], CLASSES)


def test_a_bundle_is_named_by_its_models_hash(small_bundle: Path, student: OnnxScorer) -> None:
    full = reserve(open_full(str(small_bundle), student.classes))
    assert full.model == open_bundle(small_bundle).manifest.files[MODEL]["sha256"][:HASH_DIGITS]
    assert np.array_equal(full.ask(["a", "b'"]), student.score(["a", "b'"]).probabilities)


def test_classes_that_the_bundle_lacks_are_refused(small_bundle: Path) -> None:
    with pytest.raises(InputError, match="which the bundle has no class for"):
        open_full(str(small_bundle), CLASSES)


def test_soft_labels_cannot_stand_in_reserve(tmp_path: Path) -> None:
    (tmp_path / "soft.csv").write_text("text,benign,sqli\na,0.9,0.1\n")
    teacher = open_full(f"labels:{tmp_path / 'soft.csv'}", CLASSES)
    with pytest.raises(InputError, match="cannot judge new events"):
        reserve(teacher)
