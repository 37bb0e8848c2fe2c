"""Open the full model, whatever it is, as a teacher; and put a teacher in reserve behind a student.

There are two kinds: a model that `distillation.teachers` knows, and a text-classification service elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from overproof.bundle.manifest import MANIFEST, MODEL, open_bundle
from overproof.bundle.scores import Floats, softmax
from overproof.distillation.teachers import load_teacher, require_contract
from overproof.distillation.teachers.contract import require_no_near
from overproof.distillation.teachers.interface import Report, Teacher, TeacherCard, log_probabilities, texts_of
from overproof.errors import InputError
from overproof.events.schema import event_table
from overproof.inference.cascade import HASH_DIGITS, Full, FullDown
from overproof.inference.cascade.remote import remote

SERVICE = ("http://", "https://")
CHUNK = 1024
PROBES = ("GET /index.html", "id=1' or 1=1--")


@dataclass(frozen=True)
class RemoteTeacher:
    """A text-classification service as a teacher; nothing that it answers is cached, since it may change."""

    card: TeacherCard
    service: Full
    labels_new_events: bool = True

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that its answers may name."""
        return self.service.classes

    def logits(self, events: pa.Table, report: Report | None = None) -> Floats:
        """Return log(max(p, 1e-7)) of its answers, shape (events, classes); FullDown where there is none."""
        texts = texts_of(events)
        parts = [np.empty((0, len(self.classes)), dtype=np.float32)]
        for start in range(0, len(texts), CHUNK):
            parts.append(log_probabilities(self.service.ask(texts[start : start + CHUNK])))
            if report is not None:
                report(len(parts[-1]))
        return np.concatenate(parts)


def open_full(
    full: str | Sequence[str] | Teacher,
    classes: Sequence[str],
    *,
    columns: Sequence[str] = (),
    labels: Sequence[str] = (),
) -> Teacher:
    """Open any full model.

    Parameters
    ----------
    full
        `http://…` or `https://…`: a text-classification service (`cascade.remote`). Else what `compress --teacher`
        takes, one or several: a bundle, a checkpoint's folder, FILE.onnx, module:attribute, soft labels. Or a teacher
        that is open already.
    classes
        The bundle's.
    columns, labels
        Of the events, where there are some; a full model that knows none of the labels is refused.

    Raises
    ------
    InputError, BundleError, TamperedBundle, MissingExtra
        It cannot be opened, or has classes that the bundle lacks.
    """
    if isinstance(full, str | Sequence):
        specs = [full] if isinstance(full, str) else [str(spec) for spec in full]
        if any(spec.startswith(SERVICE) for spec in specs):
            return _service(specs, classes)
        full = load_teacher(specs, classes=labels, columns=columns)
    else:
        require_contract(full, labels)
    require_no_near(classes, full.classes, f"--full {full.card.name}")
    unknown = [name for name in full.classes if name not in classes]
    if unknown:
        raise InputError(
            f"--full {full.card.name}: knows {', '.join(unknown)}, which the bundle has no class for; expected the "
            "teacher that the bundle was distilled from, or one with its classes"
        )
    return full


def reserve(teacher: Teacher) -> Full:
    """Put a teacher in reserve: texts in, probabilities out.

    Raises
    ------
    InputError
        Soft labels that were computed elsewhere: they cannot judge new events.
    """
    if isinstance(teacher, RemoteTeacher):
        return teacher.service
    if not teacher.labels_new_events:
        raise InputError(
            f"--full {teacher.card.name}: soft labels that were computed elsewhere cannot judge new events"
        )

    def ask(texts: Sequence[str]) -> Floats:
        try:
            return softmax(teacher.logits(event_table({"text": list(texts)})))
        except InputError as error:  # it cannot judge these events: no reason to end a run over all others
            raise FullDown(str(error)) from error

    _require_answers(teacher)
    return Full(tuple(teacher.classes), ask, _model_name(teacher.card))


def _require_answers(teacher: Teacher) -> None:
    """Ask a model about events that are made up: one that cannot judge them is none, and not down for a while.

    Raises
    ------
    InputError
        It fails, or its answers are no finite numbers, one a class.
    """
    expected = len(PROBES), len(teacher.classes)
    found = np.asarray(teacher.logits(event_table({"text": list(PROBES)})))
    if found.shape != expected or not np.isfinite(found).all():
        what = f"numbers of shape {found.shape}" if found.shape != expected else "numbers that are not finite"
        raise InputError(
            f"--full {teacher.card.name}: answers made-up events with {what}; expected finite ones of shape {expected}"
        )


def _service(specs: Sequence[str], classes: Sequence[str]) -> RemoteTeacher:
    if len(specs) > 1:
        raise InputError(f"--full {', '.join(specs)}: a service is not averaged with others; expected it alone")
    service = remote(specs[0], classes)
    return RemoteTeacher(TeacherCard("service", service.model, None, None, "http", None), service)


def _model_name(card: TeacherCard) -> str:
    """Return what verdicts call a model: its file's hash where it is a bundle, as `inspect` shows it."""
    if (Path(card.name) / MANIFEST).is_file():
        return str(open_bundle(card.name).manifest.files[MODEL]["sha256"])[:HASH_DIGITS]
    return (
        card.name if card.fingerprint is None else hashlib.sha256(card.fingerprint.encode()).hexdigest()[:HASH_DIGITS]
    )
