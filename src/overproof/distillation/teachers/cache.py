"""Cache teacher outputs: computed once, and kept by the hash of what they depend on."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa

from overproof.bundle.scores import Floats
from overproof.distillation.teachers.average import AverageTeacher
from overproof.distillation.teachers.interface import Report, Teacher, texts_of
from overproof.errors import InputError
from overproof.files import atomic_file


def default_directory() -> Path | None:
    """Return `$XDG_CACHE_HOME/overproof/teacher`, or the same under `~/.cache`; None where nobody is at home.

    Warns
    -----
    UserWarning
        There is neither HOME nor an entry for the user, as in a container that runs under any number.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "overproof" / "teacher"
    except RuntimeError:  # pathlib's, of a user without a home
        warnings.warn(
            "teacher outputs are not cached: this user has no home directory; name a folder by --cache, HOME or "
            "XDG_CACHE_HOME",
            stacklevel=2,
        )
        return None


def cached_logits(teacher: Teacher, events: pa.Table, directory: Path | None, report: Report | None = None) -> Floats:
    """Return logits of shape (events, classes), from the cache if this teacher met these texts before.

    Of an average the members' are kept, so that the next average with one of them asks only the others.

    Parameters
    ----------
    directory
        Where `.npy` files are kept; None computes anew, and so does a teacher without a fingerprint.
    report
        `report(k)`: k more events are done; a hit reports all at once.

    Raises
    ------
    InputError
        The teacher gave what are no numbers, or not one a class; a student must not learn from it.

    Warns
    -----
    UserWarning
        The directory cannot be written: the logits are computed and returned, but not kept.
    """
    if isinstance(teacher, AverageTeacher):
        return teacher.averaged(lambda member, share: cached_logits(member, events, directory, share), report)
    if directory is None or teacher.card.fingerprint is None:
        return _computed(teacher, events, report)
    path = directory / f"{_key(teacher, events)}.npy"
    cached = _read(path, (events.num_rows, len(teacher.classes)))
    if cached is not None:
        if report is not None:
            report(events.num_rows)
        return cached
    logits = _computed(teacher, events, report)
    try:
        _write(path, logits)
    except OSError as error:
        warnings.warn(f"teacher outputs are not cached: {path}: {error.strerror or error}", stacklevel=2)
    return logits


def _computed(teacher: Teacher, events: pa.Table, report: Report | None) -> Floats:
    where = f"teacher {teacher.card.name}"
    logits = np.asarray(teacher.logits(events, report), dtype=np.float32)
    if logits.shape != (expected := (events.num_rows, len(teacher.classes))):
        raise InputError(f"{where}: it gave numbers of shape {logits.shape}, expected {expected}")
    bad = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if len(bad):
        origin = events.column("origin")[int(bad[0])].as_py()
        raise InputError(
            f"{where}: {len(bad)} of {len(logits)} events got logits that are not finite, the first is {origin}"
        )
    return logits


def _key(teacher: Teacher, events: pa.Table) -> str:
    head = json.dumps([1, teacher.card.fingerprint, list(teacher.classes)])
    digest = hashlib.sha256(head.encode())
    for text in texts_of(events):
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "little"))  # lengths, so that no two lists of texts read alike
        digest.update(raw)
    return digest.hexdigest()


def _read(path: Path, shape: tuple[int, int]) -> Floats | None:
    """Read the cached array; None if there is none or the file is not what was written."""
    try:
        logits = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    intact = isinstance(logits, np.ndarray) and logits.shape == shape and logits.dtype == np.float32
    return logits if intact and bool(np.isfinite(logits).all()) else None


def _write(path: Path, logits: Floats) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        np.save(file, logits, allow_pickle=False)
