"""The card of the bundle in service, and the examples that go with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overproof.bundle.manifest import open_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.inference.cascade import EVERYTHING, Cascade, Full, Policy, Promise
from overproof.inference.service import schemas
from overproof.inference.service.examples import examples

from .conftest import Start


def test_the_card_says_what_the_manifest_and_the_policy_say(start: Start, small_bundle: Path) -> None:
    cascade = Cascade(OnnxScorer(open_bundle(small_bundle)), None, Policy(confidence=0.9, ood_distance=7.5, basis="us"))
    cascade.about = "made from 12 events; not checked on your own events"
    told = start(open_cascade=lambda: cascade).get("/card").json()
    assert schemas.Card.model_validate(told, strict=True).model_dump() == told
    manifest = cascade.student.manifest
    assert told["about"] == cascade.about
    assert told["bytes"] == sum(file["bytes"] for file in manifest.files.values())
    assert (told["precision"], told["thresholds"]) == (manifest.precision, dict(manifest.thresholds))
    assert (told["policy"], told["confidence_limit"], told["ood_limit"]) == ("us", 0.9, 7.5)
    assert (told["promise"], told["full"], told["known_events"]) == (None, None, None)
    assert told["classes"] == [
        {"name": "benign", "benign": True, "title": None, "technique": None},
        {"name": "sqli", "benign": False, "title": "SQL injection",
         "technique": "T1190 Exploit Public-Facing Application"},
        {"name": "xss", "benign": False, "title": "Cross-site scripting", "technique": "T1189 Drive-by Compromise"},
    ]  # fmt: skip


def test_the_card_tells_the_promise_and_the_full_model(start: Start, student: OnnxScorer) -> None:
    full = Full(student.classes, lambda texts: np.ones((len(texts), 3), dtype=np.float32) / 3, "m")
    told = start(full, Policy(confidence=EVERYTHING, promise=Promise(0.005, 0.95, "check.json"))).get("/card").json()
    assert (told["full"], told["confidence_limit"]) == ("in use", None)
    assert (told["promise"]["status"], told["promise"]["source"]) == ("stands", "check.json")


@pytest.mark.parametrize(
    ("classes", "begins"),
    [
        (["benign", "sqli", "xss"], "trail running"),
        (["Benign", "SQLi"], "trail running"),
        (["normal", "reverse-shell", "log-wiping"], "tar "),
        (["normal", "ssh-brute-force"], "10:15:32 "),
        (["normal", "dga"], "dns "),
        (["normal", "neptune", "dos", "sqli"], "flows "),
        (["normal", "malicious"], "HTTP GET "),
    ],
    ids=["payloads", "spelling", "commands", "log", "dns", "flows", "unknown"],
)
def test_examples_are_of_the_kind_that_the_classes_are_of(classes: list[str], begins: str) -> None:
    benign, attack, odd, several = examples(classes)[:4]
    assert benign["text"].startswith(begins)
    assert several["text"].split("\n") == [benign["text"], attack["text"], odd["text"]]
    assert [one["lines"] for one in (benign, attack, odd, several)] == [False, False, False, True]
    for one in examples(classes):
        schemas.Example.model_validate(one, strict=True)
