"""Load the events of a job, and split them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from overproof.distillation.dataset import DatasetSplits, EventTables, split_dataset
from overproof.distillation.limits import RANDOM
from overproof.distillation.pool import Pool, PoolSource, draw_pool
from overproof.distillation.pool_choice import CANDIDATES
from overproof.distillation.teachers import Teacher, assumptions, load_teacher, require_contract
from overproof.distillation.teachers.order import numbered
from overproof.distillation.teachers.ray import on_ray
from overproof.errors import InputError
from overproof.events.contradictions import contradictory
from overproof.events.families import without_families
from overproof.events.feedback.given import read_feedback
from overproof.events.sources import Columns, Rejects, load_events
from overproof.events.spellings import require_one_spelling
from overproof.jobs.config import CompressConfig, DataConfig, RunOptions
from overproof.jobs.config_json import Events, TableReference
from overproof.progress import Console

DRAWN_BY = 0  # the same snippets whatever the run's seed: a teacher's answers to them are most of what a run costs


@dataclass(frozen=True)
class LoadedData:
    """What a compression starts from.

    Attributes
    ----------
    splits
        The events.
    teacher
        Who labels them.
    classes
        The student's classes: the teacher's, then the labels that it does not know.
    description
        Rows, fingerprints and quality of the events, and of the pool.
    pool
        Text that the teacher alone labels, before any of it is chosen; None where none was asked for.
    """

    splits: DatasetSplits
    teacher: Teacher
    classes: tuple[str, ...]
    description: Mapping[str, object]
    pool: Pool | None = None


def load_dataset(data: DataConfig, *, rejects: Path | None, console: Console) -> DatasetSplits:
    """Load events and split them into train, validation and test.

    Without a test set, a fifth of the events is held out for it. Labels are required for at least two classes.

    Parameters
    ----------
    rejects
        File for the records that cannot be read, each with its reason.

    Raises
    ------
    InputError
        Nothing usable, fewer than two labels, or none of the benign labels among them.
    """
    return split_tables(read_tables(data, rejects), data, console)


def split_tables(tables: EventTables, data: DataConfig, console: Console) -> DatasetSplits:
    """Split events that were read, less the families that are held out, and say what there is; see `load_dataset`."""
    tables = replace(tables, events=without_families(tables.events, data.held_out))
    if data.feedback:
        tables, corrections = _with_feedback(tables, data, console)
    splits = split_dataset(tables, data.benign)
    if data.feedback and corrections is not None:
        splits = _learning_from(splits, without_families(corrections, data.held_out), console)
    for reason, count in splits.skipped.items():
        console.say(f"skipped {count} records: {reason}")
    console.say(
        f"{splits.train.num_rows:,} events to train, {splits.validation.num_rows:,} to validate, "
        f"{splits.test.num_rows:,} to test; {splits.leaked_templates} leaked templates"
    )
    if events := contradictory(splits.train):
        console.say(f"{events:,} of the events to train have a text that others have under another label")
    return splits


def _with_feedback(tables: EventTables, data: DataConfig, console: Console) -> tuple[EventTables, pa.Table | None]:
    """Leave out what nearly are corrected events; return also those that are learned from."""
    with Rejects() as skipped:
        given = read_feedback(data.feedback, skipped)
    require_one_spelling([tables.events, given.train], data.benign, "a benign label, see --benign")
    events = given.apart(tables.events, console.say, learned_from=True)
    test = given.apart(tables.test, console.say, learned_from=False)
    unlabelled = given.apart(tables.unlabelled, console.say, learned_from=True)
    return replace(tables, events=events, test=test, unlabelled=unlabelled), given.train


def _learning_from(splits: DatasetSplits, corrections: pa.Table, console: Console) -> DatasetSplits:
    """Add corrected events to those that are learned from; InputError where one has a label that no event has."""
    if unknown := set(corrections["label"].drop_null().to_pylist()) - set(splits.labels):
        raise InputError(f"--feedback: label {min(unknown)}: expected one of the events', {', '.join(splits.labels)}")
    console.say(f"feedback: {corrections.num_rows:,} corrected events are learned from")
    return replace(splits, train=pa.concat_tables([splits.train, corrections], promote_options="default"))


def open_teacher(teacher: Teacher | str | Sequence[str], splits: DatasetSplits, options: RunOptions) -> Teacher:
    """Open the teacher or teachers that specifications name; one that is open already stays as it is.

    Raises
    ------
    InputError
        A specification that means nothing, or a teacher that knows none of the labels.
    """
    return open_for(teacher, splits.labels, splits.train.column_names, options)


def open_for(
    teacher: Teacher | str | Sequence[str], labels: Sequence[str], columns: Sequence[str], options: RunOptions
) -> Teacher:
    """Open the teacher or teachers for events of these labels, if any, and columns; see `open_teacher`."""
    if not isinstance(teacher, str | Sequence):
        require_contract(teacher, labels)
        return teacher
    specs = [teacher] if isinstance(teacher, str) else teacher
    if options.engine == "ray":
        return on_ray(specs, classes=labels, columns=columns, address=options.address)
    opened = load_teacher(specs, classes=labels, columns=columns)
    for line in assumptions(opened):
        options.console.say(line)
    return opened


def load_pool(config: CompressConfig, splits: DatasetSplits, teacher: Teacher, console: Console) -> Pool | None:
    """Draw the text that the teacher alone labels, none of it the run's events; None where none is asked for.

    Raises
    ------
    InputError
        The teacher cannot label new text, or there is too little of it.
    """
    distill, data = config.distill, config.data
    if not distill.pool:
        return None
    if not teacher.labels_new_events:
        raise InputError(
            f"--pool {distill.pool}: {teacher.card.name} holds soft labels that were computed elsewhere and cannot "
            "label new text; expected a teacher that is a model, or --pool 0"
        )
    source = PoolSource(
        distill.pool_from,
        [Path(file) for events in (data.events, data.test) if isinstance(events, Sequence) for file in events],
        {text for part in (splits.train, splits.validation, splits.test) for text in part["text"].to_pylist()},
    )
    candidates = 1 if distill.pool_choice == RANDOM else CANDIDATES
    pool = draw_pool(source, candidates * distill.pool, seed=DRAWN_BY)
    console.say(f"pool: {len(pool.texts):,} snippets of text drawn from {', '.join(pool.kinds)}")
    return pool


def read_tables(data: DataConfig, rejects: Path | None) -> EventTables:
    """Read the events of a run; see `load_dataset`."""
    columns = data.columns or Columns()
    with Rejects(rejects) as skipped:
        events = _table(data.events, columns, skipped)
        test = None if data.test is None else _table(data.test, columns, skipped)
        unlabelled = None if data.unlabelled is None else _table(data.unlabelled, columns, skipped)
    require_one_spelling([events, test], data.benign, "a benign label, see --benign")
    events, test, unlabelled = numbered((events, test, unlabelled))
    return EventTables(events, test, unlabelled, dict(skipped.summary()))


def _table(events: Events | TableReference, columns: Columns, rejects: Rejects) -> pa.Table:
    if isinstance(events, TableReference):
        raise InputError(f"the {events.rows:,} events were handed over as a table and cannot be read again")
    return events if isinstance(events, pa.Table) else load_events(events, columns=columns, rejects=rejects)
