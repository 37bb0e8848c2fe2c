"""Measure what it is worth to send the least confident events to the full model: curves and budgets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from overproof.checks import rates
from overproof.checks.base import FULL, QUANTIZED, Bools, CheckContext
from overproof.checks.escalation.result import BudgetRow, RiskCurve, RiskCurves
from overproof.checks.pairs import why_not
from overproof.checks.stats import augrc, risk_coverage
from overproof.results.operating_points import SLACK
from overproof.results.typed_json import NotMeasured

BUDGETS = (0.01, 0.02, 0.05, 0.1, 0.2)
POINTS = 200


def confidence(context: CheckContext, model: str) -> NDArray[np.float64]:
    """Return the label's probability after the model's temperature, shape (n,): what an event is escalated by.

    It is computed in float32 as everywhere, so that a threshold means the same where events are judged; that of the
    quantized student is the temperature of the policy, at which it is deployed.
    """
    temperature = context.policy.temperature if model == QUANTIZED else context.models[model].temperature or 1.0
    return context.confidence(model, temperature)


def curves(context: CheckContext) -> RiskCurves | NotMeasured:
    """Measure selective risk against coverage (Geifman & El-Yaniv 2017), of the quantized student's own confidence.

    The oracle gives up wrong verdicts first: at coverage c the risk is (e - (1 - c)) / c, not below 0, with e the
    share of wrong labels; at random it is e throughout.
    """
    why = why_not(context, QUANTIZED)
    if why:
        return NotMeasured(why)
    rows = context.labelled
    wrong = ~context.right(QUANTIZED)[rows]
    coverage, risk, _ = risk_coverage(confidence(context, QUANTIZED)[rows], wrong)
    kept = np.unique(np.linspace(0, len(coverage) - 1, POINTS).round().astype(np.intp))
    coverage, risk, error = coverage[kept], risk[kept], float(wrong.mean())
    shares: tuple[float, ...] = tuple(coverage.tolist())
    return RiskCurves(
        quantized=RiskCurve(shares, tuple(risk.tolist())),
        oracle=RiskCurve(shares, tuple(np.maximum(0, (error - (1 - coverage)) / coverage).tolist())),
        random=RiskCurve(shares, (error,) * len(shares)),
    )


def areas(context: CheckContext) -> dict[str, float]:
    """Measure the AUGRC of every model by its own confidence (Traub et al. 2024), and the two extremes.

    Of the student's error rate e the oracle's is e² / 2, that of a random order e / 2. Empty where labels do not say
    what is wrong.
    """
    if why_not(context, QUANTIZED):
        return {}
    rows = context.labelled
    found = {
        model: augrc(confidence(context, model)[rows], ~context.right(model)[rows])
        for model in rates.answering(context)
    }
    error = float((~context.right(QUANTIZED)[rows]).mean())
    return {**found, "oracle": error**2 / 2, "random": error / 2}


def budgets(context: CheckContext) -> tuple[BudgetRow, ...] | NotMeasured:
    """Count attacks that the cascade misses when a share of the events, the least confident, goes to the full model.

    Bounds: an oracle escalates first the attacks that only the full model detects; at random each event is as likely
    to go as any other, and the figure is what is expected.
    """
    why = why_not(context, FULL, QUANTIZED)
    if why:
        return NotMeasured(why)
    attacks, full, student = context.attacks, context.detected(FULL), context.detected(QUANTIZED)
    order = np.argsort(confidence(context, QUANTIZED), kind="stable")
    alone = int((attacks & ~student).sum())
    helped, hurt = int((attacks & full & ~student).sum()), int((attacks & student & ~full).sum())
    table = []
    for budget in BUDGETS:
        sent = order[: int(budget * len(order) + SLACK)]
        final = student.copy()
        final[sent] = full[sent]
        useful = _useful(context, sent)
        table.append(
            BudgetRow(
                budget=budget,
                escalated=len(sent),
                missed=int((attacks & ~final).sum()),
                attacks=int(attacks.sum()),
                oracle=alone - min(len(sent), helped),
                random=alone - len(sent) / len(order) * (helped - hurt),
                useful=useful,
                waste=None if useful is None else 1 - useful,
            )
        )
    return tuple(table)


def _useful(context: CheckContext, sent: NDArray[np.intp]) -> float | None:
    """Return the share of the labelled among these whose label the student got wrong; None where none is labelled."""
    known: Bools = context.labelled[sent]
    return float((~context.right(QUANTIZED)[sent][known]).mean()) if known.any() else None
