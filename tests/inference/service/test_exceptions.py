"""The service marks what a rule silences, and counts it by rule."""

from __future__ import annotations

import json

from overproof.bundle.runtime import OnnxScorer
from overproof.inference.cascade import Cascade, Policy
from overproof.inference.exceptions import Rule, Silencer
from overproof.inference.exceptions.silencer import MOST_PROVED

from .conftest import Start

ENDS = "2999-01-01T00:00:00+00:00"


def test_a_known_text_is_marked_and_counted(start: Start, student: OnnxScorer) -> None:
    def opened() -> Cascade:
        cascade = Cascade(student, None, Policy())
        cascade.exceptions = rules
        return cascade

    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [letters[i % 26] + letters[i % 7 : i % 11 + 1] for i in range(500)]
    tame = [word for word, one in zip(words, student.judge(words), strict=True) if one.label == "benign"]
    texts = [f"{word} union select of docs" for word in dict.fromkeys(tame)]
    judged = zip(texts, student.judge(texts), strict=True)
    asked = [text for text, one in judged if one.label != "benign"][:MOST_PROVED]
    rules = [Rule("the docs", "J. Doe", "why", ENDS, span=" union select of docs")]
    proved = [bool(spans) for spans in Silencer(rules, Cascade(student, None, Policy())).proved(asked)]
    client = start(open_cascade=opened)
    body = {"events": [{"text": text} for text in asked]}
    found = json.loads(client.post("/judge", body).content)["verdicts"]
    marked = ["excepted" in verdict for verdict in found]
    assert any(marked) and marked == proved
    counted = [
        line for line in client.get("/metrics").text.splitlines() if line.startswith("overproof_excepted_total{")
    ]
    assert sum(float(line.rpartition(" ")[2]) for line in counted) == sum(marked)
