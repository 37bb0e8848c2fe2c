"""The list of events: models in one order, text as text, and what is not shown is counted."""

from __future__ import annotations

from overproof.bundle.model_names import FULL, QUANTIZED, in_order
from overproof.checks.event_list import OPEN, SHOWN, event_list
from overproof.checks.listed_event import ListedEvent


def listed(text: str) -> ListedEvent:
    verdicts = {"new": "attack", QUANTIZED: "benign", FULL: "attack"}
    return ListedEvent("log:1", text, "attack", None, verdicts, {FULL: 0.9, QUANTIZED: 0.2, "new": 0.5})


def test_models_stand_in_the_order_of_the_comparison() -> None:
    assert in_order(["new", QUANTIZED, FULL, "new"]) == [FULL, QUANTIZED, "new"]
    drawn = event_list([listed("a")])
    places = [drawn.index(f"({probability})") for probability in ("0.9000", "0.2000", "0.5000")]
    assert places == sorted(places)


def test_events_are_text_and_what_is_left_out_is_counted() -> None:
    drawn = event_list([listed("<script>"), listed("x" * (SHOWN + 1200)), *[listed("b")] * OPEN], 50)
    assert "<script>" not in drawn and "&lt;script&gt;" in drawn
    assert "1,200 more characters" in drawn
    assert f"{OPEN + 2} shown of 50: no more are kept" in drawn and "2 more</summary>" in drawn
    assert event_list([]) == '<p class="quiet">None.</p>'
