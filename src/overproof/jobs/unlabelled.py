"""Let the teacher label events of which none has a label: what is then measured is agreement with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from overproof.bundle.scores import labels_of, softmax
from overproof.distillation.dataset import EventTables
from overproof.distillation.teachers import NGRAM, Teacher, default_directory, weighted
from overproof.distillation.transfer import SoftLabelSource, query_teacher
from overproof.errors import InputError
from overproof.jobs.compression import CompressRun
from overproof.jobs.load import open_for


def is_unlabelled(events: pa.Table) -> bool:
    """Say whether no event has a label."""
    return bool(events["label"].null_count == events.num_rows)


def labelled_by_teacher(run: CompressRun, tables: EventTables) -> tuple[EventTables, Teacher]:
    """Return events, none of which has a label, with the teacher's verdicts as labels; and the teacher, opened.

    Test events that have labels keep them.

    Raises
    ------
    InputError
        A teacher that cannot be opened, that learns from labels itself, or that says the same of all events.
    """
    named = [run.teacher] if isinstance(run.teacher, str) else run.teacher
    if isinstance(named, Sequence) and any(weighted(spec)[0] == NGRAM for spec in named):
        raise InputError(
            f"--teacher {NGRAM}: is trained on labels, and none of the {tables.events.num_rows:,} events has one; "
            "expected a teacher that is trained, or labels (see --label)"
        )
    teacher = open_for(run.teacher, (), tables.events.column_names, run.options)
    truth_known = tables.test is not None and not is_unlabelled(tables.test)
    measured = (
        "the test events are measured by their own labels" if truth_known else "what is measured is agreement with it"
    )
    run.options.console.say(
        f"none of the {tables.events.num_rows:,} events has a label: they are labelled by {teacher.card.name}, and "
        f"{measured}"
    )
    events, test = _labelled(run, teacher, tables.events), tables.test
    if test is not None and not truth_known:
        test = _labelled(run, teacher, test)
    said = events["label"].unique().to_pylist()
    if len(said) < 2:
        raise InputError(
            f"none of the {events.num_rows:,} events has a label, and {teacher.card.name} calls all of them {said[0]}: "
            "expected events of two labels at least"
        )
    by = f"teacher {teacher.card.name}"
    return replace(tables, events=events, test=test, labelled_by=by, truth_known=truth_known), teacher


def _labelled(run: CompressRun, teacher: Teacher, events: pa.Table) -> pa.Table:
    options = run.options
    source = SoftLabelSource(teacher, teacher.classes, options.cache or default_directory(), options.console)
    soft = query_teacher(source, events, "events without labels")
    benign = [name in run.config.data.benign for name in teacher.classes]
    labels = [teacher.classes[best] for best in labels_of(softmax(soft), benign).tolist()]
    place = events.schema.get_field_index("label")
    return events.set_column(place, events.schema.field(place), pa.array(labels, pa.string()))
