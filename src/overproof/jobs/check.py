"""`check`, top to bottom: open, ask everyone, move what is near the boundary, judge, decide, report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from overproof.bundle.evidence_store import open_evidence
from overproof.bundle.manifest import Bundle, open_bundle
from overproof.checks import CHECKS
from overproof.checks.base import FULL, Boundary, CheckContext, Operation, Training
from overproof.checks.boundary.compute import nearest
from overproof.checks.boundary.edits import variants_of
from overproof.checks.gates import DEFAULT_MARGIN, MARGIN, gates_with
from overproof.checks.report import require_place
from overproof.checks.verdict import decide
from overproof.errors import InputError
from overproof.events.schema import fingerprint
from overproof.events.sources import Columns, Rejects, load_events
from overproof.jobs.check_report import CheckReport, assembled
from overproof.jobs.held_out import Recipe, chosen, judged, train_without
from overproof.jobs.model_outputs import Panel, answers, panel, texts_table
from overproof.jobs.samples import looks_published, sample_of
from overproof.progress import SILENT, Console

Events: TypeAlias = Sequence[str | Path] | pa.Table
CHARACTERS_PER_TOKEN = 4  # generous for byte-level BPE of payloads and logs: so many characters fill a window


def check(
    bundle: Path | str,
    events: Events,
    *,
    full: Any = None,
    evidence: Path | str | None = None,
    out: Path | str | None = None,
    gate: Path | str | None = None,
    hold_out: Sequence[str] = (),
    retrain_from: Path | str | None = None,
    epochs: int | None = None,
    events_per_day: float | None = None,
    prevalence: float | None = None,
    budget: float = 0.05,
    i_know: bool = False,
    columns: Columns | None = None,
    rejects: Path | None = None,
    cache: Path | None = None,
    seed: int = 0,
    console: Console = SILENT,
) -> CheckReport:
    """Measure on events what a bundle lost against the full model, and say whether it may be deployed, and how.

    Parameters
    ----------
    bundle
        The quantized student.
    events
        Labelled events that nothing was trained on: files, or an event table.
    full
        The full model, as for `compress --teacher`, or a `Teacher`; None leaves what needs it unmeasured.
    evidence
        What `compress --evidence` kept: the FP32 student, the control, the baseline, the training events.
    out
        Folder for check.json, report.html, summary.md and check.sarif.
    gate
        Gates that were written down before (`--init-gate`); None takes the defaults.
    hold_out
        Families that teacher, student and baseline are trained without and then judged on; `all-rare` is each of those
        with under one in a hundred training events. Kept in the evidence: a second run only judges.
    retrain_from, epochs
        Checkpoint that a Hugging Face teacher is fine-tuned from for that, and how many passes.
    events_per_day, prevalence
        The user's volume, and the share of attacks in it.
    budget
        Share of events that may be escalated.
    i_know
        Judge by public or simulated events all the same; the report says so.
    seed
        Of resampling, and of which half of the events chooses the escalation threshold.

    Raises
    ------
    InputError, BundleError, TamperedBundle, MissingExtra
        Anything that cannot be used; nothing is written then.
    """
    opened = open_bundle(bundle)
    gate = None if gate is None else Path(gate)
    margin = opened.manifest.margin or DEFAULT_MARGIN
    gates = gates_with(margin, gate)
    for name, value in (("--prevalence", prevalence), ("--budget", budget)):
        if value is not None and not 0 <= value <= 1:
            raise InputError(f"{name} {value}: expected a share from 0 to 1")
    if events_per_day is not None and not events_per_day > 0:
        raise InputError(f"--events-per-day {events_per_day}: expected a number above 0")
    if hold_out and evidence is None:
        raise InputError("--hold-out: expected --evidence too, what `overproof compress --evidence DIR` keeps")
    if hold_out and full is None:
        raise InputError("--hold-out: expected --full too: the student needs a teacher to learn from")
    if out is not None:
        require_place(Path(out))  # told now, not after minutes of work

    # 1. The events, and what the student was made of.
    with Rejects(rejects) as skipped:
        table = events if isinstance(events, pa.Table) else load_events(events, columns=columns, rejects=skipped)
    files = [] if isinstance(events, pa.Table) else [str(file) for file in events]
    kept = None if evidence is None else open_evidence(evidence, opened)
    families = [] if kept is None else chosen(hold_out, kept, table, opened.manifest.benign)
    answered = _prefix(full)
    sample = sample_of(table, answered)
    for reason, count in skipped.summary().items():
        console.say(f"skipped {count} records: {reason}")

    # 2. Everyone's answers.
    labels = sorted({label for label in sample.labels if label is not None})
    asked = panel(opened, kept, full, columns=table.column_names, labels=labels, cache=cache, console=console)
    seen = CheckContext(
        sample=sample,
        classes=opened.manifest.classes,
        benign=opened.manifest.benign,
        models=answers(asked, table, kept, opened),
        gates=gates,
        margin=gates[MARGIN].limit,
        absent=asked.absent,
        training=None
        if kept is None
        else Training(sample_of(kept.train, answered), sample_of(kept.validation, answered)),
        operation=Operation(
            events_per_day, prevalence, budget, i_know, looks_published(table, files, opened.manifest.data)
        ),
        seed=seed,
    )

    # 3. Near the boundary: harmless edits of the events, neighbouring grid points of the activations.
    seen = replace(seen, boundary=_moved(seen, asked, opened))

    # 4. Families that were trained without.
    if kept is not None:
        recipe = Recipe(full, None if retrain_from is None else Path(retrain_from), epochs)
        for family in families:
            train_without(family, kept, table, recipe, cache=cache, console=console)
        seen = replace(seen, held_out=judged(kept, table, opened, cache=cache, console=console))

    # 5. Six checks, one verdict.
    found = []
    with console.progress("checks", len(CHECKS)) as advance:
        for judge in CHECKS:
            found.append(judge(seen))
            advance(1)
    report = assembled(
        bundle=opened,
        evidence=seen,
        checks=found,
        decision=decide(found),
        card=asked.card,
        about={
            "files": files,
            "skipped": dict(skipped.summary()),
            "sha256": fingerprint(sample.texts, sample.labels),
        },
        margin=_margin(opened, gates[MARGIN].limit, gate),
        gate_file=gate,
        notes=_notes(seen, asked),
    )
    if out is not None:
        written = report.write(Path(out))
        console.say(f"written: {', '.join(map(str, written))}")
    return report


def _moved(seen: CheckContext, asked: Panel, bundle: Bundle) -> Boundary | None:
    """Events near the boundary and everyone's answers to what they become when they are moved a little."""
    rows = nearest(seen)
    if not len(rows):
        return None
    calm = [seen.sample.texts[row] for row in np.flatnonzero(seen.benign_events).tolist()]
    window = CHARACTERS_PER_TOKEN * bundle.manifest.windowing.size
    variants = variants_of(
        seen.sample.texts, rows.tolist(), window_characters=window, filler=max(calm, key=len) if calm else ""
    )
    texts = texts_table([variant.text for variant in variants])
    logits = {name: ask(texts, "edited events") for name, ask in asked.ask.items() if name not in asked.mute}
    neighbours, why = None, "no activation of this file is rounded to a grid"
    try:
        from overproof.quantization.grid_neighbours import neighbouring_logits

        neighbours = neighbouring_logits(bundle, [seen.sample.texts[row] for row in rows], seed=seen.seed)
    except ModuleNotFoundError as error:
        why = f"the package {error.name} is not installed (pip install 'overproof[compress]')"
    return Boundary(rows, variants, logits, neighbours, "" if neighbours is not None else why)


def _prefix(full: Any) -> str | None:
    """Of the events' own columns that hold the full model's answers; None where none do."""
    given = full if isinstance(full, str) else full[0] if isinstance(full, Sequence) and len(full) == 1 else ""
    named = str(given).removeprefix("logits:")
    return named.removeprefix("columns:") if named.startswith("columns:") else None


def _margin(bundle: Bundle, limit: float, gate: Path | None) -> dict[str, Any]:
    """The margin in force, and when it was fixed."""
    own = bundle.manifest.margin
    if own is None:
        said = f"The bundle carries no margin: {limit:.2%} was set at the check, not before the student was made."
    elif limit != own:
        said = f"The bundle was made with a margin of {own:.2%}; the gate file {gate} says {limit:.2%}."
    else:
        said = f"A margin of {own:.2%} was fixed when the bundle was made, before anything was measured."
    return {"value": limit, "fixed_before": own is not None and limit == own, "message": said}


def _notes(seen: CheckContext, asked: Panel) -> list[str]:
    """What must stand over everything."""
    notes = []
    if seen.operation.published:
        certified = (
            "judged by them all the same, since --i-know was given"
            if seen.operation.i_know
            else ("no certificate is given for them (--i-know judges all the same)")
        )
        notes.append(f"These events look public or simulated: {seen.operation.published}; {certified}.")
    if not seen.attacks.any() or not seen.benign_events.any():
        notes.append("The events do not hold both attacks and benign events with labels: most gates stay unmeasured.")
    unknown = sorted(
        {str(label) for label, target in zip(seen.sample.labels, seen.targets, strict=True) if label and target < 0}
    )
    if unknown:
        notes.append(f"No model knows the labels {', '.join(unknown[:10])}: whatever is said of such events is wrong.")
    if FULL in asked.mute:
        notes.append("The full model is a table of soft labels: it cannot be asked about edited events.")
    return notes
