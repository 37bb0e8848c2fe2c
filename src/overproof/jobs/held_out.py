"""Leave one family out: train teacher, student and baseline without it, and then show it to them.

What no model has seen is the only measure of what they will do with the next thing that nobody has seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from overproof.bundle.evidence_store import HELD_OUT, INDEX, EvidenceStore
from overproof.bundle.manifest import MANIFEST, Bundle, open_bundle
from overproof.bundle.scores import Floats, labels_of, softmax
from overproof.bundle.tiers import open_student
from overproof.checks.base import BASELINE, DISTILLED, FULL, QUANTIZED, HeldOut
from overproof.errors import BundleError, InputError
from overproof.events.families import families_of, labelled_events, without_families
from overproof.jobs.config import (
    CompressConfig,
    DataConfig,
    DistillConfig,
    QuantizeConfig,
    RunOptions,
    stored_config,
)
from overproof.jobs.config_json import TableReference
from overproof.jobs.held_out_index import BUNDLE, BUNDLES, DONE, Done
from overproof.jobs.model_outputs import query_with_cache
from overproof.jobs.retrain_teacher import TeacherRetraining, retrain
from overproof.progress import one_line
from overproof.results.typed_json import from_json

ALL_RARE = "all-rare"
RARE_SHARE = 0.01
BASELINE_FILE = "baseline.npz"
FLOAT = "distilled"


@dataclass(frozen=True)
class HoldOut:
    """What families are held out of, and judged on.

    Attributes
    ----------
    store
        The bundle's evidence, with the events that it was trained on.
    bundle
        The bundle that is checked.
    events
        The events that it is checked on.
    options
        Where the teacher's answers are kept, and where progress is shown.
    """

    store: EvidenceStore
    bundle: Bundle
    events: pa.Table
    options: RunOptions = field(default_factory=RunOptions)


def families_to_hold_out(wanted: Sequence[str], hold_out: HoldOut) -> list[str]:
    """Return the families to hold out; `all-rare` are those with under one in a hundred training events.

    Raises
    ------
    InputError
        A family that is benign, was never trained on, or is not among the events that are judged.
    """
    trained_on, events, benign = hold_out.store.events, hold_out.events, hold_out.bundle.manifest.benign
    labels = trained_on["label"].to_pylist()
    pairs = zip(families_of(trained_on), labels, strict=True)
    trained = Counter(family for family, label in pairs if family is not None and label not in (None, *benign))
    pairs = zip(families_of(events), events["label"].to_pylist(), strict=True)
    present = {family for family, label in pairs if label is not None}
    rare = [name for name, n in sorted(trained.items()) if n < RARE_SHARE * len(labels) and name in present]
    names: list[str] = []
    for name in wanted:
        if name == ALL_RARE:
            names += rare
        elif name not in trained or name not in present:
            where = "EVENTS" if name in trained else "the evidence's training events"
            both = ", ".join(sorted(set(trained) & present))
            raise InputError(f"--hold-out {name}: no such attacks in {where}: expected {ALL_RARE} or one of {both}")
        else:
            names.append(name)
    return list(dict.fromkeys(names))


def bundle_config(hold_out: HoldOut) -> tuple[CompressConfig, str]:
    """Return the configuration that the bundle was made with, and what of it cannot be known; usually nothing."""
    store, manifest = hold_out.store, hold_out.bundle.manifest
    stored = stored_config(manifest.config, str(hold_out.bundle.path / MANIFEST))
    if isinstance(stored, CompressConfig):
        return stored.taking(str(manifest.network.get("preset"))), ""
    if store.format > 1:
        config = CompressConfig.from_json(store.config, str(store.path / INDEX))
        return config.taking(str(manifest.network.get("preset"))), ""
    return _of_recipe(store), (
        f"{store.path}: evidence of format {store.format} does not say which guards the bundle was held to, which "
        "layers they kept in float, or whether --qat was given: what is trained without a family does without them"
    )


@dataclass(frozen=True)
class _Recipe:
    """What evidence of format 1 says of how the bundle was made, as far as it is of use."""

    student: str
    temperature: float
    hard_weight: float
    epochs: int
    transfer: float
    precision: str
    benign: tuple[str, ...]
    seed: int


def _of_recipe(store: EvidenceStore) -> CompressConfig:
    """Return the configuration that the recipe of evidence of format 1 comes to."""
    stored = store.config
    try:
        recipe = from_json(_Recipe, {f.name: stored[f.name] for f in fields(_Recipe) if f.name in stored})
        return CompressConfig(
            DataConfig(TableReference(store.events.num_rows), benign=recipe.benign),
            DistillConfig(recipe.student, recipe.temperature, recipe.hard_weight, recipe.epochs, recipe.transfer),
            QuantizeConfig(recipe.precision),
            seed=recipe.seed,
        )
    except ValueError as error:
        raise BundleError(f"{store.path / INDEX}: recipe: {one_line(str(error))}") from None


def train_without(family: str, hold_out: HoldOut, retraining: TeacherRetraining) -> None:
    """Train what is not there yet: teacher, student (before and after quantization), baseline.

    A run that is cut off goes on where it stopped. What it costs is a whole compression for each family.
    """
    store, console = hold_out.store, hold_out.options.console
    place = folder_of(store, family)
    if (place / DONE).is_file():
        return
    place.mkdir(parents=True, exist_ok=True)
    config, unknown = bundle_config(hold_out)
    if unknown:
        console.say(unknown)
    rest = without_families(store.events, (family,))
    console.say(f"held out: {family}: {store.events.num_rows - rest.num_rows} events less to learn from")
    data = DataConfig(store.events, hold_out.events, benign=config.data.benign, held_out=(family,))
    config = replace(config, data=data)
    retrained = retrain(config, retraining, place, hold_out.options)
    members = [str(place / member) for member in retrained.members]
    made = _compress(config, members or retraining.full, place, hold_out.options)
    _fit_baseline(rest, place / BASELINE_FILE, config.seed)
    absent = {FULL: retrained.why_not} if retrained.why_not else {}
    Done(family, absent, retrained.members, made).write(place)


def judge_held_out(hold_out: HoldOut) -> tuple[HeldOut, ...]:
    """Ask every model that was trained without a family about that family, and about benign events."""
    families = np.array(families_of(hold_out.events), dtype=object)
    labels = np.array(hold_out.events["label"].to_pylist(), dtype=object)
    judged = []
    for index in sorted((hold_out.store.path / HELD_OUT).glob(f"*/{DONE}")):
        done = Done.read(index)
        rows = np.flatnonzero((families == done.family) & (labels != None))  # noqa: E711 - elementwise
        if len(rows):
            hold_out.options.console.say(f"held out: {done.family}: judging {len(rows)} events of it")
            judged.append(_judge(index.parent, done, rows, hold_out))
    return tuple(judged)


def folder_of(store: EvidenceStore, family: str) -> Path:
    """Return where a held-out family lies: its name cannot lead elsewhere."""
    return store.path / HELD_OUT / (quote(family, safe="").replace(".", "%2E") or "%")


def _compress(config: CompressConfig, teacher: Any, place: Path, options: RunOptions) -> str:
    """Compress without the family, unless that is done already; returns the name of the bundle's folder."""
    from overproof.jobs.compress import run_compression
    from overproof.jobs.compression import CompressRun, Outputs

    for name in BUNDLES:
        if (place / name / MANIFEST).is_file():
            return name
    outputs = Outputs(place / BUNDLE, fp32=place / FLOAT)
    report = run_compression(CompressRun(config, teacher, outputs, options))
    if not report.passed:
        options.console.say(f"held out: {', '.join(config.data.held_out)}: not every guard holds without it")
    return report.bundle.name


def _fit_baseline(events: pa.Table, out: Path, seed: int) -> None:
    from overproof.distillation.baseline import fit_baseline, to_bytes

    labelled = labelled_events(events)
    baseline = fit_baseline(labelled["text"].to_pylist(), labelled["label"].to_pylist(), seed=seed)
    out.write_bytes(to_bytes(baseline))


def _judge(place: Path, done: Done, rows: NDArray[np.intp], hold_out: HoldOut) -> HeldOut:
    """Ask the models of one folder about the family's rows and the benign events."""
    from overproof.distillation.baseline import from_bytes

    benign = hold_out.bundle.manifest.benign
    labels = hold_out.events["label"].to_pylist()
    negatives = np.flatnonzero([label in benign for label in labels])
    both = np.concatenate([rows, negatives])
    texts = hold_out.events.take(both)["text"].to_pylist()
    flagged: dict[str, NDArray[np.bool_]] = {}
    if FULL not in done.absent:
        members = [str(place / member) for member in done.teacher]
        logits, classes = _teacher_logits(members, done.family, hold_out)
        flagged[FULL] = _flags(logits[both], classes, benign)
    for name, part in ((DISTILLED, FLOAT), (QUANTIZED, done.bundle)):
        scorer = open_student(open_bundle(place / part))
        flagged[name] = _flags(scorer.score(texts).logits, scorer.classes, benign)
    if not (place / BASELINE_FILE).is_file():
        raise BundleError(f"{place}: no {BASELINE_FILE}, expected what `overproof check --hold-out` writes")
    baseline = from_bytes((place / BASELINE_FILE).read_bytes())
    flagged[BASELINE] = _flags(baseline.logits(texts), baseline.classes, benign)
    return HeldOut(
        family=done.family,
        rows=rows,
        detected={name: flags[: len(rows)] for name, flags in flagged.items()},
        absent=done.absent,
        false_positives={name: (int(flags[len(rows) :].sum()), len(negatives)) for name, flags in flagged.items()},
    )


def _teacher_logits(members: Sequence[str], family: str, hold_out: HoldOut) -> tuple[Floats, Sequence[str]]:
    """Return a teacher's logits on all events, and its classes.

    Of all events, not of these alone: the compression has asked for the same ones, and the cache has them.
    """
    from overproof.distillation.teachers import load_teacher

    teacher = load_teacher(members)
    options = hold_out.options
    query = query_with_cache(teacher, teacher.classes, cache=options.cache, console=options.console)
    return query(hold_out.events, f"without {family}"), teacher.classes


def _flags(logits: Floats, classes: Sequence[str], benign: Sequence[str]) -> NDArray[np.bool_]:
    """Say of each row whether it is called an attack."""
    is_benign = np.array([name in benign for name in classes])
    return np.asarray(~is_benign[labels_of(softmax(logits), is_benign)])
