"""Ask the teacher for soft labels, and choose and derive what else a student learns from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from overproof.bundle.scores import Floats
from overproof.distillation.baseline import Baseline, fit_baseline
from overproof.distillation.dataset import DatasetSplits, as_examples, corrected, weights_of
from overproof.distillation.derived import derive
from overproof.distillation.limits import DISAGREEMENT
from overproof.distillation.pool_choice import most_instructive
from overproof.distillation.teachers import align, default_directory
from overproof.distillation.teachers.interface import MIN_PROBABILITY
from overproof.distillation.training_set import Examples, joined
from overproof.distillation.transfer import SoftLabelSource, query_teacher, transfer_set
from overproof.events.families import labelled_events
from overproof.events.feedback import WEIGHT
from overproof.jobs.compression import CompressRun, SoftLabels
from overproof.jobs.load import LoadedData


def label(run: CompressRun, loaded: LoadedData) -> SoftLabels:
    """Ask the teacher for soft labels: of the events at hand, of edited ones, and of text that nobody has labelled.

    What is derived from training events takes their labels, true and soft.
    """
    options, splits, distill = run.options, loaded.splits, run.config.distill
    source = SoftLabelSource(loaded.teacher, loaded.classes, options.cache or default_directory(), options.console)
    known = uncorrected(splits.train)
    edited = transfer_set(loaded.teacher, known, per_event=distill.shares.transfer, seed=run.config.seed)
    parts = {"training events": splits.train}
    if edited is not None:
        parts["edited events"] = edited
    soft = {what: query_teacher(source, part, what) for what, part in parts.items()}
    if unseen := never_given(soft["training events"], loaded.teacher.classes):
        options.console.say(
            f"teacher {loaded.teacher.card.name}: gives no training event any probability of {', '.join(unseen)}; the "
            "student has a class for it all the same"
        )
    soft["training events"] = corrected(soft["training events"], splits.train, loaded.classes)
    examples = [as_examples(part, soft[what], loaded.classes) for what, part in parts.items()]
    if loaded.pool is not None:
        examples.append(_label_pool(run, loaded, source, loaded.pool.events()))
    benign = [name in splits.benign for name in loaded.classes]
    examples += derive(
        examples[0], benign, consistency=distill.shares.consistency, joined=distill.shares.joined, seed=run.config.seed
    )
    return SoftLabels(
        joined(examples),
        query_teacher(source, splits.validation, "validation events"),
        query_teacher(source, splits.test, "test events"),
    )


def never_given(soft: Floats, classes: Sequence[str]) -> list[str]:
    """List the teacher's classes, which come first in `soft`, that no event has more than 2e-7 of: none learns them."""
    least = np.log(2 * MIN_PROBABILITY)
    return [name for name, most in zip(classes, soft.max(axis=0, initial=-np.inf), strict=False) if most <= least]


def _label_pool(run: CompressRun, loaded: LoadedData, source: SoftLabelSource, pool: pa.Table) -> Examples:
    """Ask the teacher about the pool, and keep what is to be learned from."""
    distill, seed = run.config.distill, run.config.seed
    soft = query_teacher(source, pool, "snippets of the pool")
    if distill.pool_choice == DISAGREEMENT:
        baseline, texts = linear_baseline(loaded.splits, seed), pool["text"].to_pylist()
        linear = align(baseline.logits(texts), baseline.classes, loaded.classes)
        kept = most_instructive(soft, linear, distill.pool, seed=seed)
        pool, soft = pool.take(kept), soft[kept]
    return as_examples(pool, soft, loaded.classes)


def uncorrected(events: pa.Table) -> pa.Table:
    """Return the events that no analyst corrected: edits of others are labelled by the teacher, who may be wrong."""
    return events.filter(pc.is_null(events[WEIGHT])) if WEIGHT in events.column_names else events


def linear_baseline(splits: DatasetSplits, seed: int) -> Baseline:
    known = labelled_events(splits.train)
    return fit_baseline(known["text"].to_pylist(), known["label"].to_pylist(), seed=seed, weights=weights_of(known))
