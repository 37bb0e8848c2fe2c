"""Open teachers: one file each kind, and the one function that knows which specification means which.

A specification is what `--teacher` takes; `ACCEPTED` lists the forms. Several are averaged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from overproof.bundle.manifest import MANIFEST
from overproof.bundle.scores import Floats
from overproof.distillation.teachers import softlabels
from overproof.distillation.teachers.average import AverageTeacher, average
from overproof.distillation.teachers.cache import cached_logits, default_directory
from overproof.distillation.teachers.contract import require_classes, require_no_near
from overproof.distillation.teachers.interface import MIN_PROBABILITY, Report, Teacher, TeacherCard
from overproof.distillation.teachers.names import named, renamed
from overproof.errors import InputError, MissingExtra

__all__ = [
    "ACCEPTED",
    "NGRAM",
    "Report",
    "Teacher",
    "TeacherCard",
    "align",
    "assumptions",
    "cached_logits",
    "default_directory",
    "load_teacher",
    "named",
    "require_contract",
    "union_classes",
    "weighted",
]

OWN = "own"  # the kind of card of what `teach` wrote
NGRAM = "ngram"  # a folder of that name is ./ngram

ACCEPTED = """\
  DIR               a teacher that `overproof teach` wrote, or a Hugging Face sequence-classification checkpoint
  FILE.onnx         an ONNX classifier, with tokenizer.json and labels.json or config.json beside it
  module:attribute  a Python object with predict_proba(texts) and classes_, such as a scikit-learn pipeline
  labels:FILE       soft labels (csv, jsonl, parquet; plain, .gz or .zst): text and one column a class
  columns:PREFIX    soft labels in the events' own columns, PREFIX before each class
  names:OLD=NEW,…:… before any of them, where a class has another name than the events' labels
  logits:…          before labels: or columns:, where the values are logits
  ngram             for `compress`: an n-gram network trained on the run's own events, and kept in BUNDLE.ngram-teacher
  …@WEIGHT          after any of them, when several teachers are averaged"""

PICKLED = (".pkl", ".pickle", ".joblib", ".skops", ".pt", ".pth", ".ckpt", ".npy", ".npz", ".sav", ".dill")
_WEIGHTED = re.compile(r"(?P<spec>.+)@(?P<weight>\d+(\.\d*)?|\.\d+)")
_ATTRIBUTE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def load_teacher(specs: Sequence[str], *, classes: Sequence[str] | None = None, columns: Sequence[str] = ()) -> Teacher:
    """Open the teacher or teachers that `specs` name; several become their weighted average.

    Parameters
    ----------
    specs
        One or more of the forms in `ACCEPTED`.
    classes
        The events' labels, if they have any: a teacher that knows none of them is refused.
    columns
        Names of the events table's columns; `columns:PREFIX` chooses from them.

    Raises
    ------
    InputError
        A specification that means nothing, a file that cannot be used, classes that do not fit.
    MissingExtra
        torch, transformers, onnx or scikit-learn is needed and not installed.
    """
    if not specs:
        raise InputError("no teacher given; accepted are", ACCEPTED)
    parts = [weighted(spec) for spec in specs]
    teachers = [_load(spec, columns) for spec, _ in parts]
    for one in teachers:
        require_contract(one, classes or ())
    weights = [weight for _, weight in parts]
    teacher = teachers[0] if len(teachers) == 1 else average(teachers, weights)
    require_known(teacher, classes or ())
    return teacher


def require_contract(teacher: Teacher, labels: Sequence[str]) -> None:
    """Require what every teacher has to keep, whatever its kind: classes by name, and none that nearly is a label.

    Raises
    ------
    InputError
        See `contract.require_classes` and `contract.require_no_near`.
    """
    where = f"teacher {teacher.card.name}"
    if teacher.card.kind != OWN:  # one of ours has the names of its events' labels, as they are
        require_classes(teacher.classes, where)
    require_no_near(teacher.classes, labels, where)


def assumptions(teacher: Teacher) -> list[str]:
    """Say in a line each what had to be found out of the members of a teacher: what an ONNX file's numbers are."""
    members = teacher.teachers if isinstance(teacher, AverageTeacher) else (teacher,)
    return [f"{one.card.name}: {one.card.runtime}" for one in members if one.card.kind == "onnx"]


def require_known(teacher: Teacher, labels: Sequence[str]) -> None:
    """Require that a teacher knows one of the events' labels at least, where there are some."""
    if labels and not set(labels) & set(teacher.classes):
        raise InputError(
            f"teacher {teacher.card.name} knows {', '.join(teacher.classes)}, "
            f"and the events are labelled {', '.join(labels)}: expected at least one name in common"
        )


def union_classes(teacher_classes: Sequence[str], labels: Sequence[str]) -> tuple[str, ...]:
    """Return the student's classes: the teacher's, in its order, then the labels it does not know, sorted."""
    return (*teacher_classes, *sorted(set(labels) - set(teacher_classes)))


def align(logits: Floats, from_classes: Sequence[str], to_classes: Sequence[str]) -> Floats:
    """Take log-probabilities with the columns of `to_classes`.

    A class the teacher lacks gets probability 1e-7. Taking the softmax's log first moves each row
    by a constant, which changes no probability at any temperature.

    Parameters
    ----------
    logits
        Shape (n, len(from_classes)).

    Raises
    ------
    InputError
        `to_classes` lacks a class of the teacher; `union_classes` keeps them all.
    """
    dropped = [name for name in from_classes if name not in to_classes]
    if dropped:
        raise InputError(f"the teacher also knows {', '.join(dropped)}, which the student would have no class for")
    z = np.asarray(logits, dtype=np.float64)
    top = z.max(axis=1, keepdims=True, initial=-np.inf)
    log_p = z - top - np.log(np.exp(z - top).sum(axis=1, keepdims=True))
    out = np.full((len(z), len(to_classes)), np.log(MIN_PROBABILITY), dtype=np.float32)
    out[:, [list(to_classes).index(name) for name in from_classes]] = log_p
    return out


def weighted(spec: str) -> tuple[str, float]:
    """Divide a specification from the weight behind it, 1 where there is none."""
    match = _WEIGHTED.fullmatch(spec)
    if match is None or Path(spec).exists():
        return spec, 1.0
    return match["spec"], float(match["weight"])


def _load(spec: str, columns: Sequence[str]) -> Teacher:
    names, spec = named(spec)
    return renamed(_load_one(spec, columns), names)


def _load_one(spec: str, columns: Sequence[str]) -> Teacher:
    rest = spec.removeprefix("logits:")
    are_logits = rest != spec
    if rest.startswith("columns:"):
        return softlabels.from_columns(rest.removeprefix("columns:"), columns, are_logits=are_logits)
    if are_logits or rest.startswith("labels:") or softlabels.is_table(Path(rest)):
        return softlabels.load_file(Path(rest.removeprefix("labels:")), are_logits=are_logits)
    with _compress_extra(spec):
        return _load_model(spec)


def _load_model(spec: str) -> Teacher:
    """Open a teacher that is a model; what its kind imports is imported here, as only one kind is needed."""
    path = Path(spec)
    if spec == NGRAM:
        raise InputError(
            f"{NGRAM}: only `compress --teacher` trains one; expected the folder that keeps it, BUNDLE.ngram-teacher"
        )
    if (path / MANIFEST).is_file():
        from overproof.distillation.teachers import own

        return own.load(path)
    if (path / "config.json").is_file():
        from overproof.distillation.teachers import huggingface

        return huggingface.load(path)
    if path.is_dir():
        raise InputError(f"{path}: neither manifest.json nor config.json in this folder; accepted are", ACCEPTED)
    if path.suffix.lower() == ".onnx":
        from overproof.distillation.teachers import onnxfile

        return onnxfile.load(path)
    if _ATTRIBUTE.fullmatch(spec):
        from overproof.distillation.teachers import callable as predictors

        return predictors.load(spec)
    if path.suffix.lower() in PICKLED:
        raise InputError(
            f"{spec}: a pickle, or what may hold one, would run whatever is in it and is never loaded; expected "
            "module:attribute of a module of yours that loads it"
        )
    if path.exists():
        raise InputError(f"{spec}: of no known form of teacher; accepted are", ACCEPTED)
    raise InputError(f"{spec}: no such file or folder, and no other form of teacher; accepted are", ACCEPTED)


@contextmanager
def _compress_extra(spec: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"teacher {spec} needs the package {error.name}: pip install 'overproof[compress]'"
        ) from error
