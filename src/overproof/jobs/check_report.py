"""Say what a check was made on: the bundle, the full model, the events, the margin, and how the models compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from overproof.bundle.manifest import COMPARISON, MODEL, Bundle, digest
from overproof.checks.base import BASELINE, DISTILLED, FULL, QUANTIZED, CheckContext
from overproof.checks.operating_points import operating_points_of
from overproof.checks.report.outcome import CheckedBundle, CheckedEvents, FullModelCard, Margin
from overproof.distillation.teachers.interface import Teacher
from overproof.events.schema import unordered_fingerprint
from overproof.results import Comparison, Labelled, Metrics, Row, measure


def checked_bundle(bundle: Bundle) -> CheckedBundle:
    """Say which bundle was checked."""
    manifest = bundle.manifest
    return CheckedBundle(
        name=bundle.path.resolve().name,
        sha256=str(digest(bundle.files[MODEL])["sha256"]),
        precision=manifest.precision,
        classes=tuple(manifest.classes),
        benign=tuple(manifest.benign),
        bytes=sum(len(content) for content in bundle.files.values()),
    )


def full_model_card(full: Teacher | None) -> FullModelCard | None:
    """Say which full model it was compared with; None where there was none."""
    if full is None:
        return None
    card = full.card
    return FullModelCard(card.kind, card.name, card.parameters, card.bytes, card.runtime)


def checked_events(context: CheckContext, files: Sequence[str], skipped: Mapping[str, int]) -> CheckedEvents:
    """Count the events, and say where they come from.

    Parameters
    ----------
    files
        Where they were read; empty for a table.
    skipped
        Reason to how many records were skipped for it.
    """
    return CheckedEvents(
        rows=len(context.sample),
        labelled=int(context.labelled.sum()),
        attacks=int(context.attacks.sum()),
        benign=int(context.benign_events.sum()),
        unlabelled=int((~context.labelled).sum()),
        files=tuple(files),
        skipped=dict(skipped),
        sha256=unordered_fingerprint(context.sample.texts, context.sample.labels),
    )


def margin_in_force(bundle: Bundle, limit: float, gate: Path | None) -> Margin:
    """Say which margin is in force, and when it was fixed.

    Parameters
    ----------
    limit
        The margin.
    gate
        The gate file that may have set it.
    """
    own = bundle.manifest.margin
    if own is None:
        message = f"The bundle carries no margin: {limit:.2%} was set at the check, not before the student was made."
    elif limit != own:
        message = f"The bundle was made with a margin of {own:.2%}; the gate file {gate} says {limit:.2%}."
    else:
        message = f"A margin of {own:.2%} was fixed when the bundle was made, before anything was measured."
    return Margin(limit, own is not None and limit == own, message)


def compared(bundle: Bundle, context: CheckContext) -> Comparison:
    """Compare size and speed as the bundle stores them, and what each model got right of these events."""
    stored: dict[str, Row] = {}
    if COMPARISON in bundle.files:
        stored = {row.name: row for row in Comparison.of(bundle).rows}
    rows = []
    for name in (FULL, DISTILLED, QUANTIZED, BASELINE):
        known, there = stored.get(name), name in context.models
        note = context.absent.get(name, "") if not there else "" if known is None else known.note
        rows.append(replace(known or _row(name, bundle), metrics=_metrics(name, context) if there else None, note=note))
    return Comparison(tuple(rows), len(context.sample), operating_points_of(context))


def _row(name: str, bundle: Bundle) -> Row:
    """Return a row of a model that the bundle's comparison does not hold; of the student's file the size is known."""
    own = name == QUANTIZED
    parameters = bundle.manifest.network.get("parameters") if own else None
    return Row(name, parameters, len(bundle.files[MODEL]) if own else None, None, None, None, None)


def _metrics(name: str, context: CheckContext) -> Metrics:
    full = context.models.get(FULL)
    sample, logits = context.sample, context.models[name].logits
    teacher = None if full is None else full.logits
    return measure(logits, context.classes, Labelled(sample.labels, sample.families, context.benign), teacher)
