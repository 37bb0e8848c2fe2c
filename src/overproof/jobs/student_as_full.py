"""Refuse a full model that is the student itself: against itself nothing is ever lost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from overproof.bundle import evidence_store as folder
from overproof.bundle.evidence_store import EvidenceStore
from overproof.bundle.manifest import MANIFEST, MODEL, Bundle, digest, open_bundle
from overproof.bundle.scores import softmax
from overproof.checks.base import CONTROL, DISTILLED, FULL, QUANTIZED, ModelOutputs
from overproof.checks.report.proof import SAME_ANSWER
from overproof.distillation.teachers.interface import TeacherCard
from overproof.errors import InputError
from overproof.jobs.model_outputs import ModelQueries, texts_table
from overproof.jobs.probes import PROBES

STUDENTS = {
    QUANTIZED: "the student that is checked",
    DISTILLED: "the student before quantization",
    CONTROL: "the same student, trained again",
}


def require_no_student_file(card: TeacherCard, bundle: Bundle, store: EvidenceStore | None) -> None:
    """Raise InputError if the full model's file is the student's, before or after quantization, or its control's."""
    own = _model_file(card)
    if own is None:
        return
    students = {QUANTIZED: bundle}
    if store is not None:
        students |= {DISTILLED: open_bundle(store.path / folder.DISTILLED)}
        students |= {CONTROL: open_bundle(store.path / folder.CONTROL)}
    for name, student in students.items():
        if own in student.manifest.models:
            _refuse(card, name, "its model file is the same")


def require_no_student_answers(models: ModelQueries, outputs: Mapping[str, ModelOutputs]) -> None:
    """Raise InputError if the full model answers as a student does, each event and each probe text.

    That tells it behind a service too. Good students agree with their teachers on labels, not on three digits of every
    probability, and least of all on texts that neither was taught.
    """
    if models.full is None:
        return
    full = softmax(outputs[FULL].logits)
    for name in STUDENTS:
        if name in outputs and _close(full, softmax(outputs[name].logits)) and _same_probes(models, name):
            _refuse(models.full.card, name, f"it answers all {len(full):,} events alike")


def _same_probes(models: ModelQueries, name: str) -> bool:
    if FULL in models.fixed:  # cannot be asked
        return True
    probes = texts_table(PROBES)
    return _close(*(softmax(models.queries[model](probes, "probe texts")) for model in (FULL, name)))


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    return len(a) > 0 and bool((np.abs(a - b) <= SAME_ANSWER).all())


def _model_file(card: TeacherCard) -> str | None:
    """Return the sha256 of the ONNX file of a teacher that is one."""
    path = Path(card.name)
    if (path / MANIFEST).is_file():
        return str(open_bundle(path).manifest.files[MODEL]["sha256"])
    return str(digest(path.read_bytes())["sha256"]) if card.kind == "onnx" and path.is_file() else None


def _refuse(card: TeacherCard, name: str, why: str) -> None:
    raise InputError(
        f"--full {card.name}: is {STUDENTS[name]} ({why}), and against itself nothing is ever lost; expected the "
        "teacher that the bundle was distilled from"
    )
