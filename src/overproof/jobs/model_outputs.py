"""Query all models: the full model, the student before and after quantization, the control, the baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from overproof.bundle import evidence_store as folder
from overproof.bundle.evidence_store import EvidenceStore
from overproof.bundle.manifest import COMPARISON, Bundle, Manifest, open_bundle
from overproof.bundle.scores import Floats, Scores, joined
from overproof.bundle.tiers import Student, TieredScorer, open_student
from overproof.checks.base import (
    BASELINE,
    CONTROL,
    DISTILLED,
    FULL,
    QUANTIZED,
    AskedAgain,
    ModelOutputs,
    TwoStudents,
)
from overproof.checks.stats import fit_temperature
from overproof.distillation.teachers import align, assumptions
from overproof.distillation.teachers.interface import Teacher
from overproof.events.schema import event_table, overflowed
from overproof.jobs.config import RunOptions
from overproof.jobs.full_model import open_full
from overproof.progress import Console
from overproof.results import Comparison

CHUNK = 1024
ASKED_AGAIN = 500  # validation events
SOFT_LABELS = "soft labels"  # the kind of a teacher that is a table
FORMER_FINGERPRINT = ":"  # between the hashes of a bundle's files, which stood for it before its manifest's did
NO_FULL = "no full model was given (--full)"
OF_THE_SECOND = "The embedding is the second student's, also of events that the first decides."
NO_EVIDENCE = "no evidence was given (--evidence, what `overproof compress --evidence DIR` keeps)"

Query = Callable[[pa.Table, str], Floats]


@dataclass(frozen=True)
class ModelQueries:
    """The models that events can be put to.

    Attributes
    ----------
    queries
        Model to a function of events and of what they are, which gives logits in the bundle's order of classes.
    absent
        Model to why it cannot be asked.
    student
        A function of events and of what they are, which gives all that the quantized student says of them.
    full
        The full model, opened; None where there is none.
    fixed
        Models that know these events alone: soft labels that were computed elsewhere.
    tiers
        A function of events that gives what each of two students says of them; None where there is one.
    embed
        A function of texts that gives the deployed student's embedding of them; None where its file gives none.
    note
        What must be known of that embedding.
    """

    queries: Mapping[str, Query]
    student: Callable[[pa.Table, str], Scores]
    absent: Mapping[str, str] = field(default_factory=dict)
    full: Teacher | None = None
    fixed: frozenset[str] = frozenset()
    tiers: Callable[[pa.Table], TwoStudents] | None = None
    embed: Callable[[Sequence[str]], Floats] | None = None
    note: str = ""


def open_models(
    bundle: Bundle, store: EvidenceStore | None, full: Any, events: pa.Table, options: RunOptions
) -> ModelQueries:
    """Open the full model, the student before and after quantization, the control and the baseline.

    Parameters
    ----------
    full
        Specifications as for `compress --teacher`, an object that is a teacher, or None.
    events
        What they will be asked about: a full model that knows none of the labels is refused.

    Raises
    ------
    InputError, MissingExtra, BundleError, TamperedBundle
        A model that cannot be opened.
    """
    classes, console = bundle.manifest.classes, options.console
    queries: dict[str, Query] = {}
    absent: dict[str, str] = {}
    opened = None
    if full is None:
        absent[FULL] = NO_FULL
    else:
        labels = sorted(pc.unique(events["label"]).drop_null().to_pylist())
        opened = open_full(full, classes, columns=events.column_names, labels=labels)
        for line in assumptions(opened):
            console.say(line)
        queries[FULL] = query_with_cache(opened, classes, cache=options.cache, console=console)
    deployed = open_student(bundle)
    student = _score(deployed, QUANTIZED, console)
    queries[QUANTIZED] = lambda events, what: student(events, what).logits
    for name, place in ((DISTILLED, folder.DISTILLED), (CONTROL, folder.CONTROL)):
        if store is None:
            absent[name] = NO_EVIDENCE
        else:
            queries[name] = _query_scorer(open_student(open_bundle(store.path / place)), name, console)
    if store is None:
        absent[BASELINE] = NO_EVIDENCE
    else:
        try:
            queries[BASELINE] = query_baseline(store.baseline, classes)
        except ModuleNotFoundError as error:
            absent[BASELINE] = f"the package {error.name} is not installed (pip install 'overproof[compress]')"
    fixed = opened is not None and not opened.labels_new_events
    tiers = partial(_each, deployed, bundle) if isinstance(deployed, TieredScorer) else None
    embed, note = None if deployed.hidden is None else deployed.embed, "" if tiers is None else OF_THE_SECOND
    return ModelQueries(queries, student, absent, opened, frozenset({FULL} if fixed else ()), tiers, embed, note)


def _each(student: TieredScorer, bundle: Bundle, events: pa.Table) -> TwoStudents:
    """Return what each of two students says of events, and what an event costs where that is stored."""
    texts: list[str] = events["text"].to_pylist()
    sealed = student.first.sealed
    seconds = dict(sealed.chosen.get("seconds", {}))
    full = Comparison.of(bundle).row(FULL) if COMPARISON in bundle.files else None
    if full is not None and full.events_per_second:
        seconds["full"] = 1 / full.events_per_second
    return TwoStudents(student.first.try_on(texts), student.second.score(texts), sealed.benign, sealed.attack, seconds)


def query_with_cache(full: Any, classes: Sequence[str], *, cache: Path | None, console: Console) -> Query:
    """Make a query of a full model; what it answered once is kept in the cache."""
    from overproof.distillation.teachers import cached_logits, default_directory

    def query(events: pa.Table, what: str) -> Floats:
        with console.progress(f"{FULL}: {what}", events.num_rows) as advance:
            logits = cached_logits(full, events, cache or default_directory(), advance)
        return align(logits, full.classes, classes)

    return query


def query_baseline(content: bytes, classes: Sequence[str]) -> Query:
    """Make a query of the linear baseline; ModuleNotFoundError without scikit-learn."""
    from overproof.distillation.baseline import from_bytes

    baseline = from_bytes(content)
    return lambda events, what: align(baseline.logits(events["text"].to_pylist()), baseline.classes, classes)


def query_all(
    models: ModelQueries, events: pa.Table, store: EvidenceStore | None, bundle: Bundle
) -> dict[str, ModelOutputs]:
    """Return every model's logits on the events, and on the validation events where they are kept.

    The temperature that calibrates a model is fitted on its validation outputs; the quantized student's is the one in
    its manifest, at which it is deployed, where there is one. Of the student it is also told how far each event lies
    from all that was taught, and whether it goes on past the last judged window or was cut by its source.
    """
    known = None if store is None else targets(store.validation["label"].to_pylist(), bundle.manifest.classes)
    outputs = {}
    for name, query in models.queries.items():
        scores = models.student(events, "events") if name == QUANTIZED else None
        logits = query(events, "events") if scores is None else scores.logits
        before = None if store is None else store.scores.get(name)
        if store is not None and name == QUANTIZED and models.tiers is not None:
            before = query(store.validation, "validation events")  # the evidence may be of the second student alone
        temperature = bundle.manifest.calibration if name == QUANTIZED else None
        if temperature is None and before is not None and known is not None and (known >= 0).any():
            temperature = fit_temperature(before[known >= 0], known[known >= 0])
        outputs[name] = ModelOutputs(logits, temperature, before)
        if scores is not None:
            cut = scores.overflow | overflowed(events)
            outputs[name] = replace(outputs[name], ood_distance=scores.ood_distance, overflow=cut)
    return outputs


def ask_again(
    models: ModelQueries, store: EvidenceStore | None, classes: Sequence[str], seed: int
) -> AskedAgain | None:
    """Ask the full model about validation events of which the teacher's answers are kept, never from a cache.

    Parameters
    ----------
    seed
        Chooses at most 500 of them.
    """
    full = models.full
    if full is None or store is None or not full.labels_new_events or FULL not in store.scores:
        return None
    count = store.validation.num_rows
    rows = np.sort(np.random.default_rng(seed).permutation(count)[:ASKED_AGAIN])
    return AskedAgain(rows, align(full.logits(store.validation.take(rows)), full.classes, classes))


def same_teacher(full: Teacher | None, manifest: Manifest) -> bool | None:
    """Compare the full model's fingerprint with that of the teacher in a manifest; None where they tell nothing.

    A table of soft labels has the file's, and a bundle that an older version named had one of its files alone.
    """
    taught, now = manifest.teacher.get("fingerprint"), None if full is None else full.card
    if not isinstance(taught, str) or now is None or now.fingerprint is None:
        return None
    if SOFT_LABELS in (manifest.teacher.get("kind"), now.kind) or FORMER_FINGERPRINT in taught:
        return None
    return taught == now.fingerprint


def targets(labels: Sequence[str | None], classes: Sequence[str]) -> Any:
    """Return the class index of each label, -1 where there is none; shape (n,)."""
    place = {name: i for i, name in enumerate(classes)}
    return np.array([-1 if label is None else place.get(label, -1) for label in labels], dtype=np.int64)


def texts_table(texts: Sequence[str]) -> pa.Table:
    """Return texts alone, as events."""
    return event_table({"text": list(texts)})


def _query_scorer(scorer: Student, name: str, console: Console) -> Query:
    """Make a query of a bundle's model, which has the classes that are wanted."""
    score = _score(scorer, name, console)
    return lambda events, what: score(events, what).logits


def _score(scorer: Student, name: str, console: Console) -> Callable[[pa.Table, str], Scores]:
    """Make a function of events that gives all that a bundle's model says of them."""

    def score(events: pa.Table, what: str) -> Scores:
        texts = events["text"].to_pylist()
        parts = []
        with console.progress(f"{name}: {what}", len(texts)) as advance:
            for start in range(0, max(len(texts), 1), CHUNK):
                parts.append(scorer.score(texts[start : start + CHUNK]))
                advance(len(parts[-1].logits))
        return joined(parts)

    return score
