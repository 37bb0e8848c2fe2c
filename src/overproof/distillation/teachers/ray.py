"""Query a teacher on a Ray cluster: copies of it label large sets of events, many at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np
import pyarrow as pa

from overproof.bundle.scores import Floats
from overproof.distillation.teachers import load_teacher
from overproof.distillation.teachers.average import AverageTeacher
from overproof.distillation.teachers.interface import Report, Teacher, TeacherCard, texts_of
from overproof.errors import InputError, OverproofError
from overproof.events.schema import event_table
from overproof.inference.engines.cluster import RETRIES, connected, enter

CHUNK = 2048  # events of one task; fewer are judged here. A multiple of `own.CHUNK`
MODELS = ("own", "huggingface", "onnx")


@dataclass(frozen=True)
class RayTeacher:
    """A teacher of model files, and the same one on a cluster.

    Attributes
    ----------
    specs, folder
        What it is loaded from on every node, as here, and the folder that relative names are in.
    here
        The teacher in this process, which says what it is and answers few events.
    address
        As for `engines.cluster.connected`.
    """

    specs: tuple[str, ...]
    folder: str
    here: Teacher
    address: str | None

    @property
    def classes(self) -> tuple[str, ...]:
        """The teacher's."""
        return self.here.classes

    @property
    def card(self) -> TeacherCard:
        """The teacher's own, and so what was cached of it, here or there, is found again."""
        return self.here.card

    @property
    def labels_new_events(self) -> bool:
        """True: it is a model."""
        return self.here.labels_new_events

    def logits(self, events: pa.Table, report: Report | None = None) -> Floats:
        """Compute logits of shape (events, classes), as the teacher does for each `CHUNK` of events by itself.

        On processors of one kind that is, for our own teachers, to the bit what `here` gives for all events at once; a
        teacher that pads its batches rounds otherwise where a text has other companions (MiniLM: by up to 4e-6).

        Raises
        ------
        InputError
            A node's teacher is another one, or cannot be loaded there.
        OverproofError
            The cluster failed.
        """
        texts = texts_of(events)
        if len(texts) <= CHUNK:
            return self.here.logits(events, report)
        parts = []
        with connected(self.address):
            for part in self._answers(texts):
                parts.append(part)
                if report is not None:
                    report(len(part))
        return np.concatenate(parts)

    def _answers(self, texts: list[str]) -> Iterator[Floats]:
        """Yield logits in order; a bounded number of tasks runs ahead: the cluster holds few texts at a time."""
        ray: Any = import_module("ray")
        remote = ray.remote(num_cpus=1, max_retries=RETRIES)(_answer)
        ahead = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
        tasks: deque[Any] = deque()
        for start in range(0, len(texts), CHUNK):
            tasks.append(remote.remote(self.specs, self.folder, self.card, texts[start : start + CHUNK]))
            if len(tasks) > ahead:
                yield _checked(ray.get(tasks.popleft()))
        while tasks:
            yield _checked(ray.get(tasks.popleft()))


def on_ray(
    specs: Sequence[str],
    *,
    classes: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    address: str | None = None,
) -> RayTeacher:
    """Open the teacher or teachers that `specs` name, to be queried on a Ray cluster.

    Parameters
    ----------
    specs, classes, columns
        As for `load_teacher`.
    address
        As for `engines.cluster.connected`. Every node needs overproof with the extras `compress` and `ray`, and finds
        the teacher's files under the same names.

    Raises
    ------
    InputError
        As `load_teacher`; also for teachers that are no files of a model: a Python object, and soft labels.
    MissingExtra
        Something is needed and not installed.
    """
    teacher = load_teacher(specs, classes=classes, columns=columns)
    members = teacher.teachers if isinstance(teacher, AverageTeacher) else (teacher,)
    for member in members:
        if member.card.kind not in MODELS:
            raise InputError(
                f"teacher {member.card.name}: {member.card.kind}; on a Ray cluster only files of models can be asked: "
                "a folder that teach wrote, a Hugging Face checkpoint, an ONNX file"
            )
    return RayTeacher(tuple(specs), os.getcwd(), teacher, address)


def _answer(specs: tuple[str, ...], folder: str, card: TeacherCard, texts: list[str]) -> Floats | OverproofError:
    """Compute the logits on a node, or say why there are none."""
    try:
        enter(folder)
        teacher = _loaded(specs)
        if teacher.card.fingerprint != card.fingerprint:
            raise InputError(f"teacher {card.name}: a node of the Ray cluster has another one under this name")
        return teacher.logits(event_table({"text": texts}))
    except OverproofError as error:
        return error


@lru_cache(maxsize=1)
def _loaded(specs: tuple[str, ...]) -> Teacher:
    return load_teacher(specs)


def _checked(answer: Floats | OverproofError) -> Floats:
    if isinstance(answer, OverproofError):
        raise answer
    return answer
