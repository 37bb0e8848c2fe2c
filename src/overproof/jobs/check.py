"""Check a bundle, top to bottom: load, query all models, move what is near the boundary, hold out, explain, judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import scipy  # noqa: F401 - the checks load it where they compute; that it is missing is told before they start

from overproof.bundle.evidence_store import EvidenceStore, open_evidence
from overproof.bundle.manifest import Bundle
from overproof.bundle.signing import Trust
from overproof.checks import CHECKS
from overproof.checks.attacked import AttackSettings
from overproof.checks.base import (
    FULL,
    Boundary,
    Check,
    CheckContext,
    CheckResult,
    HeldOut,
    Operation,
    Sample,
    Training,
)
from overproof.checks.boundary.compute import nearest
from overproof.checks.confusion import confusion_of
from overproof.checks.embedding_map import embedding_map
from overproof.checks.gates import MARGIN, gates_with
from overproof.checks.operating_points import curves_of
from overproof.checks.report import CheckReport, require_place
from overproof.checks.report.proof import Proof, ProvenEvents
from overproof.checks.verdict import decide, threshold_of
from overproof.distillation.teachers import named
from overproof.errors import BundleError, InputError
from overproof.events.families import attack_families
from overproof.events.schema import unordered_fingerprint
from overproof.events.sources import Columns, Rejects, load_events
from overproof.events.spellings import require_families, require_one_spelling
from overproof.files import only_writer
from overproof.inference.cascade import Rate
from overproof.inference.cascade.thresholds import policy_for
from overproof.jobs.check_attack import SAMPLE, Attackable, attack_events
from overproof.jobs.check_edits import boundary_edits
from overproof.jobs.check_embedding import embed_events
from overproof.jobs.check_explanations import explain_alerts
from overproof.jobs.check_report import (
    checked_bundle,
    checked_events,
    compared,
    full_model_card,
    margin_in_force,
)
from overproof.jobs.config import CheckConfig, CheckSettings, RunOptions
from overproof.jobs.config_json import Events, TableReference
from overproof.jobs.held_out import (
    HoldOut,
    families_to_hold_out,
    judge_held_out,
    train_without,
)
from overproof.jobs.model_outputs import ModelQueries, ask_again, open_models, query_all, same_teacher, texts_table
from overproof.jobs.probes import identity_of_teacher
from overproof.jobs.proof import digests_of, replayed, seed_of
from overproof.jobs.retrain_teacher import TeacherRetraining
from overproof.jobs.samples import looks_published, sample_of
from overproof.jobs.student_as_full import require_no_student_answers, require_no_student_file
from overproof.jobs.verify import open_verified
from overproof.jobs.whose_labels import whose_labels
from overproof.progress import NOTEBOOK, Console
from overproof.version import __version__

CHARACTERS_PER_TOKEN = 4  # generous for byte-level BPE of payloads and logs: so many characters fill a window


@dataclass(frozen=True)
class CheckInputs:
    """The models that are checked.

    Attributes
    ----------
    bundle
        The quantized student.
    full
        The full model, as for `compress --teacher`, or a `Teacher`; None leaves what needs it unmeasured.
    evidence
        Folder of what `compress --evidence` kept (the FP32 student, the control, the baseline, the training events);
        None leaves what needs it unmeasured.
    """

    bundle: Bundle
    full: Any = None
    evidence: Path | str | None = None


@dataclass(frozen=True)
class CheckData:
    """The events of a check, and what the student was made of.

    Attributes
    ----------
    bundle
        The quantized student.
    table, sample
        The events, as a table and as the checks take them.
    files, skipped
        Where they were read, and reason to number of records that could not be.
    store, training
        The evidence, and the events in it as the checks take them; None without evidence.
    families
        Families to hold out.
    """

    bundle: Bundle
    table: pa.Table
    sample: Sample
    files: tuple[str, ...]
    skipped: Mapping[str, int]
    store: EvidenceStore | None
    training: Training | None
    families: tuple[str, ...]

    @cached_property
    def events_sha256(self) -> str:
        """Hash of the events' texts and labels, in any order."""
        return unordered_fingerprint(self.sample.texts, self.sample.labels)


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
    budget: float = CheckConfig.budget,
    on_full_down: str = CheckConfig.on_full_down,
    never_alone: Sequence[str] = CheckConfig.never_alone,
    accept_public_data: bool = CheckConfig.accept_public_data,
    i_know: bool = False,
    attack: int = CheckConfig.attack,
    columns: Columns | None = None,
    rejects: Path | None = None,
    cache: Path | None = None,
    seed: int | None = CheckConfig.seed,
    trust: Trust | None = None,
    console: Console = NOTEBOOK,
) -> CheckReport:
    """Measure on events what a bundle lost against the full model, and say whether it may be deployed, and how.

    Parameters
    ----------
    bundle, full, evidence
        The models that are checked, and what they were made of; see `CheckInputs`.
    events, columns, rejects
        Labelled events that nothing was trained on: files, or an event table.
    out
        Folder for check.json, report.html, summary.md and check.sarif, and attack.jsonl where the red team got past it.
    gate
        Gates that were written down before (`--init-gate`); None takes the defaults.
    hold_out
        Families that all models are trained without and then judged on, kept in the evidence; `all-rare`: the rare.
    retrain_from, epochs
        Checkpoint that a Hugging Face teacher is fine-tuned from for that, and how many passes.
    events_per_day, prevalence
        The user's volume, and the share of attacks in it.
    budget, on_full_down, never_alone
        How it is to be deployed: share of events that may be escalated, what becomes of them when the full model is
        down (`hold`, `student` or `fail`), labels that the student may not decide. `triage --check` runs that alone.
    accept_public_data
        Judge by public or simulated events all the same; the report says so. `i_know` is its former name.
    attack
        Edited texts of each event that the red team asks about; 0 leaves it out.
    seed
        Of everything random; None follows from the events, so that nobody can choose the best of several.
    trust
        Whose signature the bundle has to have; None asks for none.

    Raises
    ------
    InputError, BundleError, TamperedBundle, MissingExtra
        Anything that cannot be used; nothing is written then.
    """
    config = CheckConfig(
        events,
        columns=columns,
        gate=None if gate is None else Path(gate),
        hold_out=tuple(hold_out),
        retrain_from=None if retrain_from is None else Path(retrain_from),
        epochs=epochs,
        events_per_day=events_per_day,
        prevalence=prevalence,
        budget=budget,
        on_full_down=on_full_down,
        never_alone=tuple(never_alone),
        accept_public_data=accept_public_data or i_know,
        attack=attack,
        seed=seed,
    )
    inputs = CheckInputs(open_verified(bundle, trust, console), full, evidence)
    return run_check(config, inputs, RunOptions(cache, rejects, console=console), None if out is None else Path(out))


def run_check(config: CheckConfig, inputs: CheckInputs, options: RunOptions, out: Path | None) -> CheckReport:
    """Refuse what cannot be used, check, and write the report; no other run writes to the same folders meanwhile."""
    require_usable(config, inputs, out)
    held_out = inputs.evidence if config.hold_out else None  # models that are trained without a family are kept there
    with ExitStack() as held:
        for folder in (out, held_out):
            if folder is not None:
                held.enter_context(only_writer(Path(folder)))
        report = run_checks(config, inputs, options)
        if out is not None:
            options.console.say(f"written: {', '.join(map(str, report.write(out)))}")
    return report


def require_usable(config: CheckConfig, inputs: CheckInputs, out: Path | None) -> None:
    """Raise InputError for what would be refused after minutes of work: it is refused now."""
    if config.hold_out and inputs.evidence is None:
        raise InputError("--hold-out: expected --evidence too, what `overproof compress --evidence DIR` keeps")
    if config.hold_out and inputs.full is None:
        raise InputError("--hold-out: expected --full too: the student needs a teacher to learn from")
    if out is not None:
        require_place(out)


def run_checks(config: CheckConfig, inputs: CheckInputs, options: RunOptions) -> CheckReport:
    """Load the events, query all models, move events near the boundary, hold out, explain, judge, attack, decide."""
    manifest = inputs.bundle.manifest
    gates = gates_with(manifest.margin or CheckSettings.margin, config.gate)
    policy = policy_for(
        manifest,
        rate=Rate(share=config.budget),
        never_alone=config.never_alone,
        on_full_down=config.on_full_down,
    )
    data = load(config, inputs, options)
    models = open_models(inputs.bundle, data.store, inputs.full, data.table, options)
    if models.full is not None:
        require_no_student_file(models.full.card, inputs.bundle, data.store)
    outputs = query_all(models, data.table, data.store, inputs.bundle)
    require_no_student_answers(models, outputs)
    seed = seed_of(data.events_sha256) if config.seed is None else config.seed
    context = CheckContext(
        sample=data.sample,
        classes=manifest.classes,
        benign=manifest.benign,
        models=outputs,
        gates=gates,
        margin=gates[MARGIN].limit,
        absent=models.absent,
        training=data.training,
        operation=_operation(config, data),
        teacher_again=ask_again(models, data.store, manifest.classes, seed),
        same_teacher=same_teacher(models.full, manifest),
        policy=policy,
        tiers=None if models.tiers is None else models.tiers(data.table),
        attack_settings=AttackSettings(config.attack, SAMPLE if config.attack else 0),
        seed=seed,
    )
    context = replace(context, boundary=query_boundary(context, models, inputs.bundle))
    context = replace(context, embedded=embed_events(context, models))
    context = replace(context, held_out=hold_out_families(config, inputs, data, options))
    context = replace(context, explained=explain_alerts(context, models, inputs.bundle, options.console))
    *passive, red_team = CHECKS
    results = judge(passive, context, options.console)
    found = threshold_of(results)
    attackable = Attackable(data.bundle, data.store, models, data.table)
    attacked = attack_events(attackable, context, None if found is None else found.value, options.console)
    context = replace(context, attacked=attacked)
    return report_of(config, data, models, context, (*results, red_team.compute(context)))


def judge(checks: Sequence[Check[Any]], context: CheckContext, console: Console) -> tuple[CheckResult[Any], ...]:
    """Run checks."""
    results = []
    with console.progress("checks", len(checks)) as advance:
        for check_one in checks:
            results.append(check_one.compute(context))
            advance(1)
    return tuple(results)


def report_of(
    config: CheckConfig,
    data: CheckData,
    models: ModelQueries,
    context: CheckContext,
    results: tuple[CheckResult[Any], ...],
) -> CheckReport:
    """Decide, and join everything into a report."""
    return CheckReport(
        overproof=__version__,
        seed=context.seed,
        proof=prove(config, data, models, context, _confidence(results)),
        bundle=checked_bundle(data.bundle),
        full=full_model_card(models.full),
        events=checked_events(context, data.files, data.skipped),
        absent=dict(context.absent),
        margin=margin_in_force(data.bundle, context.margin, config.gate),
        verdict=decide(results),
        comparison=compared(data.bundle, context),
        curves=curves_of(context),
        confusion=confusion_of(context),
        embedding_map=embedding_map(context),
        checks=results,
        gate_file=None if config.gate is None else str(config.gate),
        notes=(*_notes(config, context, models), *whose_labels(data.table, data.bundle.manifest.data)),
    )


def prove(
    config: CheckConfig, data: CheckData, models: ModelQueries, context: CheckContext, confidence: float | None
) -> Proof:
    """Say what the check is a proof of: what was measured on what, and the cascade that it was measured as.

    Parameters
    ----------
    confidence
        The threshold that the escalation check found; None where it found none.
    """
    return Proof(
        digests_of(data.bundle),
        None if models.full is None else identity_of_teacher(models.full, context.classes),
        replayed(context.policy, config.budget, confidence),
        ProvenEvents(data.events_sha256, context.seed, config.seed is not None),
        context.attack_settings,
    )


def load(config: CheckConfig, inputs: CheckInputs, options: RunOptions) -> CheckData:
    """Read the events and the evidence, and find the families to hold out."""
    if isinstance(config.events, TableReference):
        raise InputError(f"the {config.events.rows:,} events were handed over as a table and cannot be read again")
    events = config.events
    with Rejects(options.rejects) as skipped:
        table = events if isinstance(events, pa.Table) else load_events(events, columns=config.columns, rejects=skipped)
    require_one_spelling([table], inputs.bundle.manifest.classes, f"a class of {inputs.bundle.path}")
    files = () if isinstance(events, pa.Table) else tuple(str(file) for file in events)
    store = None if inputs.evidence is None else open_evidence(inputs.evidence, inputs.bundle)
    own = inputs.bundle.manifest.classes
    if store is not None and store.classes != own:
        raise BundleError(
            f"{store.path}: evidence of a bundle with the classes {', '.join(store.classes)}, and those of "
            f"{inputs.bundle.path} are {', '.join(own)}"
        )
    families: list[str] = []
    if store is not None:
        require_families(
            table, attack_families(store.events, inputs.bundle.manifest.benign), f"a family of {store.path}"
        )
        families = families_to_hold_out(config.hold_out, HoldOut(store, inputs.bundle, table))
    for reason, count in skipped.summary().items():
        options.console.say(f"skipped {count} records: {reason}")
    prefix = _prefix(inputs.full)
    training = None
    if store is not None:
        training = Training(sample_of(store.train, prefix), sample_of(store.validation, prefix))
    sample = sample_of(table, prefix)
    return CheckData(inputs.bundle, table, sample, files, dict(skipped.summary()), store, training, tuple(families))


def hold_out_families(
    config: CheckConfig, inputs: CheckInputs, data: CheckData, options: RunOptions
) -> tuple[HeldOut, ...]:
    """Train without the families that are to be held out, and judge all that ever were."""
    if data.store is None:
        return ()
    hold_out = HoldOut(data.store, inputs.bundle, data.table, options)
    retraining = TeacherRetraining(inputs.full, config.retrain_from, config.epochs)
    for family in data.families:
        train_without(family, hold_out, retraining)
    return judge_held_out(hold_out)


def query_boundary(context: CheckContext, models: ModelQueries, bundle: Bundle) -> Boundary | None:
    """Move events near the boundary a little, and ask all models about what they become."""
    rows = nearest(context)
    if not len(rows):
        return None
    variants = boundary_edits(context, rows.tolist(), CHARACTERS_PER_TOKEN * bundle.manifest.windowing.size)
    edited = texts_table([variant.text for variant in variants])
    logits = {
        name: query(edited, "edited events") for name, query in models.queries.items() if name not in models.fixed
    }
    neighbours, why = None, "no activation of this file is rounded to a grid"
    try:
        from overproof.quantization.grid_neighbours import neighbouring_logits

        neighbours = neighbouring_logits(bundle, [context.sample.texts[row] for row in rows], seed=context.seed)
    except ModuleNotFoundError as error:
        why = f"the package {error.name} is not installed (pip install 'overproof[compress]')"
    return Boundary(rows, variants, logits, neighbours, "" if neighbours is not None else why)


def _confidence(results: Sequence[CheckResult[Any]]) -> float | None:
    found = threshold_of(results)
    return None if found is None else found.value


def _operation(config: CheckConfig, data: CheckData) -> Operation:
    published = looks_published(data.table, data.files, data.bundle.manifest.data)
    return Operation(config.events_per_day, config.prevalence, config.budget, config.accept_public_data, published)


def _prefix(full: Any) -> str | None:
    """Return the prefix of the events' own columns that hold the full model's answers; None where none do."""
    given = full if isinstance(full, str) else full[0] if isinstance(full, Sequence) and len(full) == 1 else ""
    spec = named(str(given))[1].removeprefix("logits:")
    return spec.removeprefix("columns:") if spec.startswith("columns:") else None


def _notes(config: CheckConfig, context: CheckContext, models: ModelQueries) -> list[str]:
    """List what must stand over everything."""
    notes = []
    if context.operation.published:
        certified = (
            "judged by them all the same, since --accept-public-data was given"
            if context.operation.accept_public_data
            else ("no certificate is given for them (--accept-public-data judges all the same)")
        )
        notes.append(f"These events look public or simulated: {context.operation.published}; {certified}.")
    if config.seed is not None:
        notes.append(
            f"The seed {config.seed} was chosen by hand: that it is the best of several tries is not excluded."
        )
    if not context.attacks.any() or not context.benign_events.any():
        notes.append("The events do not hold both attacks and benign events with labels: most gates stay unmeasured.")
    unknown = sorted(
        {
            str(label)
            for label, target in zip(context.sample.labels, context.targets, strict=True)
            if label and target < 0
        }
    )
    if unknown:
        notes.append(f"No model knows the labels {', '.join(unknown[:10])}: whatever is said of such events is wrong.")
    if FULL in models.fixed:
        notes.append("The full model is a table of soft labels: it cannot be asked about edited events.")
    return notes
