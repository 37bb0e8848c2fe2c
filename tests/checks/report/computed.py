"""Reports of what the checks themselves return for made-up scores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from overproof.checks import CHECKS
from overproof.checks.base import QUANTIZED, CheckContext, CheckResult
from overproof.checks.confusion import confusion_of
from overproof.checks.embedded import NOT_EMBEDDED, Embedded
from overproof.checks.embedding_map import drawn, embedding_map
from overproof.checks.operating_points import curves_of, operating_points_of
from overproof.checks.report import CheckReport
from overproof.checks.report.outcome import CheckedBundle, CheckedEvents, FullModelCard, Margin
from overproof.checks.report.proof import BundleDigests, Proof, ProvenEvents, ReplayedPolicy
from overproof.checks.verdict import decide, threshold_of
from overproof.results import Comparison, Row, measure
from overproof.results.metrics import Labelled
from overproof.results.typed_json import NotMeasured


def computed(context: CheckContext, full: FullModelCard | None = None) -> CheckReport:
    """Run all checks and report them."""
    context = context if context.embedded is not NOT_EMBEDDED else replace(context, embedded=embedded(context))
    results = tuple(check.compute(context) for check in CHECKS)
    sample = context.sample
    labelled = Labelled(sample.labels, sample.families, context.benign)
    labelled, rows = Labelled(sample.labels, sample.families, context.benign), []
    for name, outputs in context.models.items():
        measured = measure(outputs.logits, context.classes, labelled, None)
        rows.append(Row(name, None, 9 if name == QUANTIZED else None, None, None, None, measured))
    return CheckReport(
        overproof="0.2.0",
        seed=context.seed,
        proof=proof(context, results),
        bundle=CheckedBundle("b", "0" * 64, "int8", context.classes, context.benign, 9),
        full=full,
        events=CheckedEvents(
            rows=len(sample),
            labelled=int(context.labelled.sum()),
            attacks=int(context.attacks.sum()),
            benign=int(context.benign_events.sum()),
            unlabelled=int((~context.labelled).sum()),
            files=(),
            skipped={},
            sha256="1" * 64,
        ),
        absent=context.absent,
        margin=Margin(context.margin, False, "No margin was fixed."),
        verdict=decide(results),
        comparison=Comparison(tuple(rows), len(sample), operating_points_of(context)),
        curves=curves_of(context),
        confusion=confusion_of(context),
        embedding_map=embedding_map(context),
        checks=results,
        gate_file=None,
        notes=(),
    )


def embedded(context: CheckContext) -> Embedded | NotMeasured:
    """Where a made-up student places the events: attacks apart from benign ones, but for those that it misses."""
    rows = drawn(context)
    if isinstance(rows, NotMeasured):
        return rows
    random, alarm = np.random.default_rng(7), context.detected(QUANTIZED)[rows]
    places = random.normal(0, 0.2, (len(rows), 8)) + np.where(alarm[:, None], np.eye(8)[0], np.eye(8)[1])
    return Embedded(rows, (places / np.linalg.norm(places, axis=1, keepdims=True)).astype(np.float32))


def proof(context: CheckContext, results: tuple[CheckResult[Any], ...]) -> Proof:
    """What such a report is a proof of."""
    found, policy = threshold_of(results), context.policy
    return Proof(
        BundleDigests("2" * 64, {"model.onnx": "0" * 64}, {}),
        None,
        ReplayedPolicy(
            None if found is None else found.value,
            policy.margin,
            policy.ood_distance,
            policy.overflow,
            policy.never_alone,
            policy.temperature,
            context.operation.budget,
            policy.on_full_down,
        ),
        ProvenEvents("1" * 64, context.seed, False),
        context.attack_settings,
    )
