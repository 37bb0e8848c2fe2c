"""Open our own encoder as a teacher: what `overproof teach` wrote, which is a bundle with an FP32 model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from overproof.bundle.manifest import MANIFEST, MODEL, open_bundle, seal
from overproof.bundle.manifest_schema import LARGEST
from overproof.bundle.readers import NGRAMS
from overproof.bundle.scores import Floats
from overproof.bundle.tiers import Student, open_student
from overproof.distillation.teachers.interface import Report, TeacherCard, texts_of
from overproof.errors import BundleError

CHUNK = 1024


@dataclass(frozen=True)
class OwnTeacher:
    """A bundle that teaches; long events are judged in windows, as they are when it is deployed."""

    classes: tuple[str, ...]
    card: TeacherCard
    scorer: Student
    labels_new_events: bool = True

    def logits(self, events: pa.Table, report: Report | None = None) -> Floats:
        """Compute logits of the deciding window of each event, shape (events, classes)."""
        texts = texts_of(events)
        parts = [np.empty((0, len(self.classes)), dtype=np.float32)]
        for start in range(0, len(texts), CHUNK):
            parts.append(self.scorer.score(texts[start : start + CHUNK]).logits)
            if report is not None:
                report(len(parts[-1]))
        return np.concatenate(parts)


def load(path: Path, *, threads: int = 1) -> OwnTeacher:
    """Open a teacher that `overproof teach` wrote.

    Raises
    ------
    BundleError, TamperedBundle
        See `bundle.open_bundle`.
    """
    bundle = open_bundle(path)
    parameters = bundle.manifest.network.get("parameters")
    if not isinstance(parameters, int) or not 0 <= parameters < LARGEST:
        raise BundleError(f"{path / MANIFEST}: network.parameters is {ascii(parameters)[:60]}, expected a whole number")
    card = TeacherCard(
        kind="own",
        name=str(path),
        parameters=parameters,
        bytes=sum(len(bundle.files[name]) for name in (MODEL, NGRAMS) if name in bundle.files),
        runtime="onnxruntime",
        fingerprint=seal(bundle.manifest),  # of the files, and of what decides answers besides them: classes, windows
    )
    return OwnTeacher(bundle.manifest.classes, card, open_student(bundle, threads=threads))
