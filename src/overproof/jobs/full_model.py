"""Opening the full model that stands in reserve: a bundle, a Hugging Face checkpoint, or a service elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from overproof.bundle.manifest import MANIFEST, MODEL, open_bundle
from overproof.bundle.scores import Floats, softmax
from overproof.errors import InputError
from overproof.events.schema import event_table
from overproof.inference.cascade import HASH_DIGITS
from overproof.inference.cascade.full import Full
from overproof.inference.cascade.remote import remote


def open_full(spec: str, classes: Sequence[str]) -> Full:
    """The full model behind a specification.

    Parameters
    ----------
    spec
        `http://…` or `https://…`: a text-classification service (`cascade.remote`). Else what `compress --teacher`
        takes, if it can judge new events: a bundle, a checkpoint's folder, FILE.onnx, module:attribute.
    classes
        The bundle's.

    Raises
    ------
    InputError, BundleError, TamperedBundle, MissingExtra
        If it cannot be opened, or has classes that the bundle lacks.
    """
    if spec.startswith(("http://", "https://")):
        return remote(spec, classes)
    from overproof.jobs.model_outputs import opened_full

    teacher = opened_full(spec, classes)
    if not teacher.labels_new_events:
        raise InputError(f"--full {spec}: soft labels that were computed elsewhere cannot judge new events")

    def ask(texts: Sequence[str]) -> Floats:
        return softmax(teacher.logits(event_table({"text": list(texts)})))

    return Full(tuple(teacher.classes), ask, _model(spec, teacher.card.fingerprint))


def _model(spec: str, fingerprint: str | None) -> str:
    """What verdicts call it: the model file's hash where it is a bundle, as `inspect` shows it."""
    if (Path(spec) / MANIFEST).is_file():
        return str(open_bundle(spec).manifest.files[MODEL]["sha256"])[:HASH_DIGITS]
    return spec if fingerprint is None else hashlib.sha256(fingerprint.encode()).hexdigest()[:HASH_DIGITS]
