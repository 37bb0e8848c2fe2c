"""Explanations: a span that carries no more of its verdict than a random one is counted, and decides if enough do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from overproof.bundle.scores import Floats
from overproof.checks.base import FULL, QUANTIZED, CheckContext, CheckResult
from overproof.checks.explained import Explained
from overproof.checks.explanation import CHECK
from overproof.checks.explanation.compute import explanation
from overproof.checks.suitability import EXPLAINED, Overall, uses_of
from overproof.inference.explanation import Span
from overproof.results.typed_json import NotMeasured

from .conftest import CLASSES


def odds(values: Sequence[float]) -> Floats:
    """Logits that come to these log-odds of an attack."""
    logits = np.full((len(values), len(CLASSES)), -50, dtype=np.float32)
    logits[:, 0], logits[:, 1] = 0, values
    return logits


def explained(
    context: CheckContext,
    named: Sequence[float],
    random: Sequence[float],
    none: int = 0,
    whole: int = 0,
    full: Sequence[float] | None = None,
) -> CheckContext:
    """Alerts with these log-odds without the first span, and without a random one; some without any, or all span."""
    n = len(named)
    rows = np.flatnonzero(context.detected(QUANTIZED))[: n + none + whole]
    spans = [(Span(0, 4, 2.0), Span(5, 7, 1.0))] * n + [()] * none
    spans += [(Span(0, len(context.sample.texts[row]), 9.0),) for row in rows[n + none :]]
    models = {QUANTIZED: odds(named), **({} if full is None else {FULL: odds(full)})}
    others = {model: odds(random) for model in models}
    given = Explained(len(rows) + 5, rows, tuple(spans), np.arange(n), models if n else {}, others if n else {})
    return replace(context, explained=given)


def gate(found: CheckResult[Any]) -> Any:
    (only,) = found.gates
    return only


def test_spans_that_carry_more_than_random_ones_pass(healthy: CheckContext) -> None:
    found = explanation(explained(healthy, [-3.0] * 300, [2.0] * 300))
    assert (gate(found).key, gate(found).status, gate(found).value) == (EXPLAINED, "passed", 0)
    alerts = found.data.alerts
    assert (alerts.flagged, alerts.explained, alerts.without_span, alerts.whole) == (305, 300, 0, 0)
    of = alerts.models[QUANTIZED]
    assert (of.n, of.k, of.share.value, of.cleared.value, of.cleared_random.value) == (300, 300, 1, 1, 0)


def test_a_span_that_carries_as_little_as_a_random_one_is_unfaithful(healthy: CheckContext) -> None:
    found = explanation(explained(healthy, [1.0] * 150 + [2.5] * 150, [2.0] * 300))
    assert gate(found).status == "failed"
    assert gate(found).value == 0.5
    assert "of 300 alerts 150 are explained by a span that carries no more" in gate(found).message
    same = explanation(explained(healthy, [2.0] * 300, [2.0] * 300))
    assert gate(same).value == 1, "no more than a random one: not faithful"


def test_an_alert_without_a_span_is_not_explained(healthy: CheckContext) -> None:
    found = explanation(explained(healthy, [-3.0] * 240, [2.0] * 240, none=60, whole=20))
    assert gate(found).value == 60 / 300
    alerts = found.data.alerts
    assert (alerts.explained, alerts.without_span, alerts.whole) == (320, 60, 20)
    assert (alerts.models[QUANTIZED].n, alerts.models[QUANTIZED].k) == (300, 240)


def test_the_full_model_is_asked_about_what_it_flags_too(healthy: CheckContext) -> None:
    rows = np.flatnonzero(healthy.detected(QUANTIZED))[:100]
    blind = healthy.models[FULL].logits.copy()
    blind[rows[:40]] = odds([-5] * 40)
    outputs = {**healthy.models, FULL: replace(healthy.models[FULL], logits=blind)}
    given = explained(replace(healthy, models=outputs), [-3.0] * 100, [2.0] * 100, full=[1.0] * 80 + [3.0] * 20)
    of = explanation(given).data.alerts.models[FULL]
    assert (of.n, of.k) == (60, 40)
    assert of.cleared.value == 0


def test_too_few_alerts_say_how_many_it_takes(healthy: CheckContext) -> None:
    found = gate(explanation(explained(healthy, [-3.0] * 21, [2.0] * 21)))
    assert found.status == "unmeasured"
    assert found.message.startswith(f"unmeasured: 21 events, needs {found.needed}: ")
    assert not found.closed


def test_copies_of_one_alert_count_once(healthy: CheckContext) -> None:
    rows = np.flatnonzero(healthy.detected(QUANTIZED))[:300]
    texts = list(healthy.sample.texts)
    for row in rows[:290]:
        texts[row] = texts[rows[0]]
    copied = replace(healthy, sample=replace(healthy.sample, texts=texts))
    found = gate(explanation(explained(copied, [-3.0] * 300, [2.0] * 300)))
    assert (found.events, found.units, found.status) == (300, 11, "unmeasured")


def test_examples_are_of_all_families_first(healthy: CheckContext) -> None:
    families = ["ssti" if place == 200 else "sqli" for place in range(len(healthy.sample))]
    labels = [label if label == "benign" else "sqli" for label in healthy.sample.labels]
    sample = replace(healthy.sample, families=families, labels=labels)
    rows = np.flatnonzero(healthy.detected(QUANTIZED))[:300]
    sample.families[rows[200]] = "ssti"  # type: ignore[index]
    shown = explanation(explained(replace(healthy, sample=sample), [-3.0] * 300, [2.0] * 300)).data.alerts.examples
    assert len(shown) == 10
    assert {event.family for event in shown[:2]} == {"sqli", "ssti"}
    assert [(span.start, span.end) for span in shown[0].spans] == [(0, 4), (5, 7)]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, "unmeasured: no verdict was explained"),
        ({"explained": NotMeasured("it could not be")}, "unmeasured: it could not be"),
        ({"none": 0, "whole": 0}, "the student flags no event"),
        ({"none": 0, "whole": 7}, "the whole event, in all of 7"),
    ],
    ids=["not at all", "why not", "no alert", "whole events"],
)
def test_what_could_not_be_measured_says_why(healthy: CheckContext, change: dict[str, Any], told: str) -> None:
    context = replace(healthy, **change) if "none" not in change else explained(healthy, [], [], **change)
    found = explanation(context)
    assert gate(found).status == "unmeasured"
    assert told in gate(found).message
    assert not gate(found).closed


@pytest.mark.parametrize("full", [None, [2.5] * 100], ids=["no full model", "full model"])
def test_the_result_is_read_back_and_drawn(healthy: CheckContext, full: list[float] | None) -> None:
    found = explanation(explained(healthy, [-3.0] * 100, [2.0] * 100, none=3, whole=2, full=full))
    assert CHECK.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found
    page = CHECK.html(found.data)
    assert "<mark>" in page
    assert "In 3 no span carries anything" in page
    assert "In 2 the span is the whole event" in page


@pytest.mark.parametrize(
    ("named", "answer"),
    [([-3.0] * 300, "with escalation"), ([2.5] * 300, "no"), ([-3.0] * 21, "unmeasured")],
    ids=["faithful", "unfaithful", "too few"],
)
def test_the_use_for_explanation_hangs_on_it(healthy: CheckContext, named: list[float], answer: str) -> None:
    result = gate(explanation(explained(healthy, named, [2.0] * len(named))))
    uses = uses_of({EXPLAINED: result}, Overall("with escalation", "escalation/guarantee", escalation=True))
    use = next(use for use in uses if use.use == "need for explanation")
    assert (use.answer, use.because) == (answer, EXPLAINED)
