"""Train the n-gram member of an averaged teacher in the same run: what the specification `ngram` stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from overproof.distillation.dataset import DatasetSplits
from overproof.distillation.teachers import NGRAM, load_teacher, weighted
from overproof.events.families import labelled_events
from overproof.jobs.config import CompressConfig, TeachConfig
from overproof.jobs.teach import train_encoder
from overproof.progress import Console

PRESET = "ngram-student"


def train_named(
    specs: Sequence[str], splits: DatasetSplits, config: CompressConfig, *, out: Path, console: Console
) -> list[str]:
    """Return the specifications with `out` in the place of `ngram`, trained and written there; nothing without one.

    It learns the true labels of the training events, as `teach` does: validation events only say when to stop, and test
    events are not seen. Training repeats for the same events and seed; what it is, the written bundle's hashes say.

    Raises
    ------
    InputError
        Another specification means nothing, or `out` holds what is no bundle.
    """
    others = [spec for spec in specs if weighted(spec)[0] != NGRAM]
    if len(others) == len(specs):
        return list(specs)
    if others:  # opened before anything is trained, to refuse what cannot be
        load_teacher(others, classes=splits.labels, columns=splits.train.column_names)
    labelled = labelled_events(splits.train)
    teach = TeachConfig(config.data, PRESET, seed=config.seed)
    train_encoder(teach, replace(splits, train=labelled), out, console)
    console.say(f"the n-gram teacher is kept in {out}: with it, --full names the same full model again")
    return [spec if spec in others else f"{out}{spec.removeprefix(NGRAM)}" for spec in specs]
