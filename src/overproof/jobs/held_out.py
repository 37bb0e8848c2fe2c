"""Leave one family out: teacher, student and baseline trained without it, and then shown it.

What no model has seen is the only measure of what they will do with the next thing that nobody has seen.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from overproof.bundle.evidence_store import HELD_OUT, EvidenceStore
from overproof.bundle.manifest import MANIFEST, Bundle, open_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.scores import Floats
from overproof.checks.base import BASELINE, DISTILLED, FULL, QUANTIZED, HeldOut
from overproof.errors import InputError
from overproof.files import atomic_write
from overproof.jobs.model_outputs import asking
from overproof.progress import Console

ALL_RARE = "all-rare"
RARE_SHARE = 0.01
DONE = "held-out.json"
RIVAL = "baseline.npz"
TEACHER, BUNDLE, FLOAT = "teacher", "bundle", "distilled"


@dataclass(frozen=True)
class Recipe:
    """How the teacher is trained again.

    Attributes
    ----------
    full
        The full model: specifications as for `--full`, or a `Teacher`.
    start
        Checkpoint that a Hugging Face teacher is fine-tuned from: one that has never seen the family.
    epochs
        Passes over the events; None is the preset's.
    """

    full: Any
    start: Path | None = None
    epochs: int | None = None


def families_of(events: pa.Table) -> list[str | None]:
    """Family of each event, or its label where it has none."""
    kinds: list[str | None] = pc.coalesce(events["family"], events["label"]).to_pylist()
    return kinds


def chosen(wanted: Sequence[str], kept: EvidenceStore, events: pa.Table, benign: Sequence[str]) -> list[str]:
    """The families to hold out; `all-rare` are those with under one in a hundred training events.

    Raises
    ------
    InputError
        A family that is benign, was never trained on, or is not among the events that are judged.
    """
    labels = kept.events["label"].to_pylist()
    pairs = zip(families_of(kept.events), labels, strict=True)
    trained = Counter(kind for kind, label in pairs if kind is not None and label not in (None, *benign))
    met = {k for k, label in zip(families_of(events), events["label"].to_pylist(), strict=True) if label is not None}
    rare = [name for name, n in sorted(trained.items()) if n < RARE_SHARE * len(labels) and name in met]
    names: list[str] = []
    for name in wanted:
        if name == ALL_RARE:
            names += rare
        elif name not in trained or name not in met:
            where = "EVENTS" if name in trained else "the evidence's training events"
            both = ", ".join(sorted(set(trained) & met))
            raise InputError(f"--hold-out {name}: no such attacks in {where}: expected {ALL_RARE} or one of {both}")
        else:
            names.append(name)
    return list(dict.fromkeys(names))


def train_without(
    family: str, kept: EvidenceStore, events: pa.Table, recipe: Recipe, *, cache: Path | None, console: Console
) -> None:
    """Train what is not there yet: teacher, student (before and after quantization), baseline.

    A run that is cut off goes on where it stopped. What it costs is a whole compression for each family.
    """
    from overproof.distillation.baseline import fit_baseline, to_bytes
    from overproof.jobs.compress import compress

    place = folder_of(kept, family)
    if (place / DONE).is_file():
        return
    place.mkdir(parents=True, exist_ok=True)
    known = without(kept.events, family)
    console.say(f"held out: {family}: {kept.events.num_rows - known.num_rows} events less to learn from")
    why = _train_teacher(known, events, recipe, place / TEACHER, kept, console)
    if not (place / BUNDLE / MANIFEST).is_file():
        told = kept.recipe
        compress(
            known,
            test=events,
            teacher=recipe.full if why else str(place / TEACHER),
            out=place / BUNDLE,
            keep_fp32=place / FLOAT,
            student=told["student"],
            temperature=told["temperature"],
            hard_weight=told["hard_weight"],
            epochs=told["epochs"],
            transfer=told["transfer"],
            precision=told["precision"],
            benign=told["benign"],
            seed=told["seed"],
            cache=cache,
            console=console,
        )
    labelled = known.filter(pc.is_valid(known["label"]))
    rival = fit_baseline(labelled["text"].to_pylist(), labelled["label"].to_pylist(), seed=told_seed(kept))
    (place / RIVAL).write_bytes(to_bytes(rival))
    _write(place / DONE, {"family": family, "absent": {FULL: why} if why else {}})


def judged(
    kept: EvidenceStore, events: pa.Table, bundle: Bundle, *, cache: Path | None, console: Console
) -> tuple[HeldOut, ...]:
    """What every model that was trained without a family says of that family, and of benign events."""
    kinds = np.array(families_of(events), dtype=object)
    benign = bundle.manifest.benign
    labels = np.array(events["label"].to_pylist(), dtype=object)
    calm = np.flatnonzero([label in benign for label in labels])
    found = []
    for index in sorted((kept.path / HELD_OUT).glob(f"*/{DONE}")):
        told = json.loads(index.read_text("utf-8"))
        rows = np.flatnonzero((kinds == told["family"]) & (labels != None))  # noqa: E711 - elementwise
        if len(rows):
            console.say(f"held out: {told['family']}: judging {len(rows)} events of it")
            found.append(_judged(index.parent, told, rows, calm, events, benign, cache, console))
    return tuple(found)


def _judged(
    place: Path,
    told: dict[str, Any],
    rows: NDArray[np.intp],
    calm: NDArray[np.intp],
    events: pa.Table,
    benign: Sequence[str],
    cache: Path | None,
    console: Console,
) -> HeldOut:
    from overproof.distillation.baseline import from_bytes
    from overproof.distillation.teachers import load_teacher

    both = np.concatenate([rows, calm])
    texts = events.take(both)["text"].to_pylist()
    caught: dict[str, NDArray[np.bool_]] = {}

    def flagged(logits: Floats, classes: Sequence[str]) -> NDArray[np.bool_]:
        harmless = np.array([name in benign for name in classes])
        return np.asarray(~harmless[logits.argmax(axis=1)])

    if FULL not in told["absent"]:
        teacher = load_teacher([str(place / TEACHER)])
        # all events, not these alone: the compression has asked for the same ones, and the cache has them
        logits = asking(teacher, teacher.classes, cache=cache, console=console)(events, f"without {told['family']}")
        caught[FULL] = flagged(logits[both], teacher.classes)
    for name, part in ((DISTILLED, FLOAT), (QUANTIZED, BUNDLE)):
        scorer = OnnxScorer(open_bundle(place / part))
        caught[name] = flagged(scorer.score(texts).logits, scorer.classes)
    rival = from_bytes((place / RIVAL).read_bytes())
    caught[BASELINE] = flagged(rival.logits(texts), rival.classes)
    return HeldOut(
        family=told["family"],
        rows=rows,
        detected={name: flags[: len(rows)] for name, flags in caught.items()},
        absent=told["absent"],
        false_positives={name: (int(flags[len(rows) :].sum()), len(calm)) for name, flags in caught.items()},
    )


def _train_teacher(
    known: pa.Table, events: pa.Table, recipe: Recipe, out: Path, kept: EvidenceStore, console: Console
) -> str:
    """Train the teacher without the family; why not, where it cannot be."""
    from overproof.jobs.compress import teach

    kind, name = kept.recipe["teacher"]["kind"], kept.recipe["teacher"]["name"]
    if out.is_dir():
        return ""
    settings: dict[str, Any] = {"benign": kept.recipe["benign"], "seed": told_seed(kept), "console": console}
    if recipe.start is not None:
        teach(known, test=events, out=out, from_checkpoint=recipe.start, epochs=recipe.epochs, **settings)
        return ""
    given = [recipe.full] if isinstance(recipe.full, str) else recipe.full
    if kind == "own" and isinstance(given, Sequence) and (Path(given[0]) / MANIFEST).is_file():
        preset = open_bundle(given[0]).manifest.network["preset"]
        teach(known, test=events, out=out, preset=preset, epochs=recipe.epochs, **settings)
        return ""
    return (
        f"a teacher of the kind {kind} ({name}) cannot be trained again here: it has seen the family, and the student "
        "learned from it; --retrain-from CHECKPOINT fine-tunes one that has not"
    )


def without(events: pa.Table, family: str) -> pa.Table:
    """The events but those of the family."""
    return events.filter(pa.array([kind != family for kind in families_of(events)]))


def folder_of(kept: EvidenceStore, family: str) -> Path:
    """Where a held-out family lies: its name cannot lead elsewhere."""
    return kept.path / HELD_OUT / (quote(family, safe="").replace(".", "%2E") or "%")


def told_seed(kept: EvidenceStore) -> int:
    """The student's seed."""
    return int(kept.recipe["seed"])


def _write(path: Path, value: dict[str, Any]) -> None:
    atomic_write(path, json.dumps(value, indent=1))
