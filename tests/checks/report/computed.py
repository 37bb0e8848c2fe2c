"""Reports of what the checks themselves return for made-up scores."""

from __future__ import annotations

from typing import Any

from overproof.checks import CHECKS
from overproof.checks.base import QUANTIZED, CheckContext, CheckResult
from overproof.checks.operating_points import curves_of, operating_points_of
from overproof.checks.report import CheckReport
from overproof.checks.report.outcome import CheckedBundle, CheckedEvents, FullModelCard, Margin
from overproof.checks.report.proof import BundleDigests, Proof, ProvenEvents, ReplayedPolicy
from overproof.checks.verdict import decide, threshold_of
from overproof.results import Comparison, Row, measure
from overproof.results.metrics import Labelled


def computed(context: CheckContext, full: FullModelCard | None = None) -> CheckReport:
    """Run all checks and report them."""
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
        checks=results,
        gate_file=None,
        notes=(),
    )


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
