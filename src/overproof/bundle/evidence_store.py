"""Write and open the evidence store: a folder beside a bundle that `check` needs and that is not deployed.

It holds the events that the student learned from and was validated with, what every model said of the latter, the
student before quantization (`distilled/`), the same student trained again with another seed (`control/`) and the linear
baseline. Families that were trained without lie in `held-out/`. The events are the user's own: keep the folder where
they may be kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from overproof.bundle.arrays import from_npz, to_npz
from overproof.bundle.manifest import MODEL, Bundle, digest
from overproof.bundle.manifest_schema import parsed
from overproof.bundle.model_names import FORMER_NAMES
from overproof.bundle.scores import Floats
from overproof.errors import BundleError, InputError, TamperedBundle
from overproof.files import recover_folder
from overproof.progress import one_line, why

FORMAT = 2
READABLE = (1, 2)  # format 1 kept a recipe of some settings, not the whole configuration
INDEX = "evidence.json"
EVENTS, SCORES, BASELINE = "events.parquet", "scores.npz", "baseline.npz"
DISTILLED, CONTROL, HELD_OUT = "distilled", "control", "held-out"
NEEDED = ("text", "label", "family")
PART = "overproof_part"  # the column that says which part an event belongs to


@dataclass(frozen=True)
class EvidenceStore:
    """What an evidence store holds.

    Attributes
    ----------
    path
        The folder; `distilled`, `control` and `held-out` in it are bundles, which verify themselves.
    classes
        Columns of the scores.
    train, validation
        Event tables; unlabelled events are in `train` alone.
    scores
        Model to its logits on the validation events, shape (validation, classes).
    baseline
        The linear baseline's file.
    config
        The whole configuration of the compression, as plain JSON (`jobs.config`); in format 1 the settings that its
        recipe named.
    teacher
        The teacher's card.
    control_seed
        Seed of the student that was trained again.
    format
        Version of the format it was read from.
    """

    path: Path
    classes: tuple[str, ...]
    train: pa.Table
    validation: pa.Table
    scores: Mapping[str, Floats]
    baseline: bytes
    config: Mapping[str, Any]
    teacher: Mapping[str, Any]
    control_seed: int
    format: int = FORMAT

    @property
    def events(self) -> pa.Table:
        """All events that anything was learned from."""
        return pa.concat_tables([self.train, self.validation])


def require_free(out: Path) -> None:
    """Raise InputError unless `out` is absent, an empty folder or evidence to be replaced."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / INDEX).is_file())):
        raise InputError(f"{out}: exists and is not evidence; choose another folder")


def write_evidence_store(store: EvidenceStore, model: bytes) -> None:
    """Write everything but the bundles into the store's folder; the index comes last.

    Parameters
    ----------
    model
        The quantized student's ONNX file, which the evidence belongs to.
    """
    folder = store.path
    parts = [
        table.append_column(PART, pa.array([name] * table.num_rows, pa.string()))
        for name, table in (("train", store.train), ("validation", store.validation))
    ]
    with open(folder / EVENTS, "wb") as file:
        pq.write_table(pa.concat_tables(parts, promote_options="default"), file, compression="zstd")
    (folder / SCORES).write_bytes(to_npz(store.scores))
    (folder / BASELINE).write_bytes(store.baseline)
    index = {
        "format": FORMAT,
        "model": digest(model)["sha256"],
        "classes": list(store.classes),
        "config": dict(store.config),
        "teacher": dict(store.teacher),
        "control_seed": store.control_seed,
        "files": {name: digest((folder / name).read_bytes()) for name in (EVENTS, SCORES, BASELINE)},
    }
    (folder / INDEX).write_text(json.dumps(index, indent=1), "utf-8")


def open_evidence(path: Path | str, bundle: Bundle) -> EvidenceStore:
    """Read and verify the evidence of a bundle.

    Raises
    ------
    BundleError
        No such folder, no evidence in it, another format, or that of another bundle.
    TamperedBundle
        A file that is changed or missing; the message names it.
    """
    folder = Path(path)
    recover_folder(folder)
    if not (folder / INDEX).is_file():
        raise BundleError(f"{folder}: no {INDEX}, expected what `overproof compress --evidence DIR` writes")
    index = parsed((folder / INDEX).read_bytes(), str(folder / INDEX), TamperedBundle)
    try:
        stored, model, listed, classes = index["format"], index["model"], index["files"], tuple(index["classes"])
        settings = _settings(index) if stored in READABLE else {}
        if not isinstance(listed, dict) or not all(isinstance(name, str) for name in classes):
            raise TypeError("files and classes")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise TamperedBundle(f"{folder / INDEX}: not what was written ({error!r})") from None
    if stored not in READABLE:
        readable = " and ".join(map(str, READABLE))
        raise BundleError(f"{folder}: evidence format {stored!r}, this version reads {readable}")
    if model != digest(bundle.files[MODEL])["sha256"]:
        raise BundleError(f"{folder}: evidence of another bundle than {bundle.path}: its model has another sha256")
    files = {name: _verified(folder / name, listed) for name in (EVENTS, SCORES, BASELINE)}
    train, validation = _parts(files[EVENTS], str(folder / EVENTS))
    arrays = from_npz(files[SCORES], (), str(folder / SCORES))
    scores = {FORMER_NAMES.get(name, name): array for name, array in arrays.items()}
    for name, logits in scores.items():
        expected = (validation.num_rows, len(classes))
        if logits.shape != expected or logits.dtype != np.float32 or not np.isfinite(logits).all():
            raise BundleError(
                f"{folder / SCORES}: {one_line(name)[:60]}: {logits.dtype} of shape {logits.shape}, "
                f"expected finite numbers of shape {expected}: "
                "one for each validation event and class"
            )
    return EvidenceStore(folder, classes, train, validation, scores, files[BASELINE], format=stored, **settings)


def _parts(content: bytes, where: str) -> tuple[pa.Table, pa.Table]:
    """Read the events to train and to validate."""
    try:
        events = pq.read_table(pa.BufferReader(content))
        missing = [name for name in (PART, *NEEDED) if name not in events.column_names]
        if missing or len(set(events.column_names)) != events.num_columns:
            raise BundleError(f"{where}: lacks the columns {', '.join(missing)}, or has one twice; expected events")
        texts = [name for name in NEEDED if not _is_text(events.schema.field(name).type)]
        if texts or events["text"].null_count:
            raise BundleError(f"{where}: {', '.join(texts) or 'text'}: expected strings, as events have them")
        train, validation = (
            events.filter(pc.equal(events[PART], name)).drop_columns([PART]).combine_chunks()
            for name in ("train", "validation")
        )
    except (pa.ArrowException, OSError, MemoryError) as error:
        raise BundleError(f"{where}: not a Parquet file of events ({why(error)})") from None
    return train, validation


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_large_string(kind) or types.is_string(kind) or types.is_null(kind))


def _settings(index: Mapping[str, Any]) -> dict[str, Any]:
    """Return configuration, teacher and control's seed; format 1 kept them in one recipe."""
    source = index["recipe"] if index["format"] == 1 else index
    named = {"teacher": dict(source["teacher"]), "control_seed": int(source["control_seed"])}
    if index["format"] > 1:
        return {**named, "config": dict(index["config"])}
    return {**named, "config": {name: value for name, value in source.items() if name not in named}}


def _verified(path: Path, listed: Mapping[str, Any]) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise TamperedBundle(f"{path}: missing, {INDEX} lists it")
    entry = listed.get(path.name)
    size = entry.get("bytes") if isinstance(entry, Mapping) else None
    if path.stat().st_size != size or digest(content := path.read_bytes()) != entry:
        raise TamperedBundle(f"{path}: changed since it was written (sha256 differs)")
    return content
