"""The evidence: a folder beside a bundle that `check` needs and that is not deployed.

It holds the events that the student learned from and was validated with, what every model said of the latter, the
student before quantization (`distilled/`), the same student trained again with another seed (`control/`) and the honest
baseline. Families that were trained without lie in `held-out/`. The events are the user's own: keep the folder where
they may be kept.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from overproof.bundle.manifest import MODEL, Bundle, digest
from overproof.bundle.model_names import FORMER_NAMES
from overproof.bundle.scores import Floats
from overproof.errors import BundleError, InputError, TamperedBundle

FORMAT = 1
INDEX = "evidence.json"
EVENTS, SCORES, BASELINE = "events.parquet", "scores.npz", "baseline.npz"
DISTILLED, CONTROL, HELD_OUT = "distilled", "control", "held-out"
PART = "overproof_part"  # the column that says which part an event belongs to


@dataclass(frozen=True)
class EvidenceStore:
    """An opened folder of evidence, its files verified.

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
    recipe
        How the student was made: preset, temperature, …, and the seeds of student and control.
    """

    path: Path
    classes: tuple[str, ...]
    train: pa.Table
    validation: pa.Table
    scores: Mapping[str, Floats]
    baseline: bytes
    recipe: Mapping[str, Any]

    @property
    def events(self) -> pa.Table:
        """All events that anything was learned from."""
        return pa.concat_tables([self.train, self.validation])


def require_free(out: Path) -> None:
    """InputError unless `out` is absent, an empty folder or evidence to be replaced."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / INDEX).is_file())):
        raise InputError(f"{out}: exists and is not evidence; choose another folder")


def fill(
    folder: Path,
    *,
    model: bytes,
    classes: tuple[str, ...],
    train: pa.Table,
    validation: pa.Table,
    scores: Mapping[str, Floats],
    baseline: bytes,
    recipe: Mapping[str, Any],
) -> None:
    """Write everything but the bundles into a folder; the index comes last.

    Parameters
    ----------
    model
        The quantized student's ONNX file, which the evidence belongs to.
    """
    parts = [
        table.append_column(PART, pa.array([name] * table.num_rows, pa.string()))
        for name, table in (("train", train), ("validation", validation))
    ]
    pq.write_table(pa.concat_tables(parts, promote_options="default"), folder / EVENTS, compression="zstd")
    arrays = io.BytesIO()
    np.savez(arrays, **dict(scores))  # type: ignore[arg-type]
    (folder / SCORES).write_bytes(arrays.getvalue())
    (folder / BASELINE).write_bytes(baseline)
    index = {
        "format": FORMAT,
        "model": digest(model)["sha256"],
        "classes": list(classes),
        "recipe": dict(recipe),
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
    if not (folder / INDEX).is_file():
        raise BundleError(f"{folder}: no {INDEX}, expected what `overproof compress --evidence DIR` writes")
    try:
        index = json.loads((folder / INDEX).read_bytes())
        listed, recipe, classes = index["files"], index["recipe"], tuple(index["classes"])
        known = index["format"], index["model"]
    except (ValueError, KeyError, TypeError) as error:
        raise TamperedBundle(f"{folder / INDEX}: not what was written ({error!r})") from None
    if known[0] != FORMAT:
        raise BundleError(f"{folder}: evidence format {known[0]!r}, this version reads {FORMAT}")
    if known[1] != digest(bundle.files[MODEL])["sha256"]:
        raise BundleError(f"{folder}: evidence of another bundle than {bundle.path}: its model has another sha256")
    files = {name: _verified(folder / name, listed) for name in (EVENTS, SCORES, BASELINE)}
    events = pq.read_table(pa.BufferReader(files[EVENTS]))
    parts = {
        name: events.filter(pc.equal(events[PART], name)).drop_columns([PART]).combine_chunks()
        for name in ("train", "validation")
    }
    with np.load(io.BytesIO(files[SCORES]), allow_pickle=False) as kept:
        scores = {FORMER_NAMES.get(name, name): np.asarray(kept[name], dtype=np.float32) for name in kept.files}
    return EvidenceStore(folder, classes, parts["train"], parts["validation"], scores, files[BASELINE], recipe)


def _verified(path: Path, listed: Mapping[str, Any]) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise TamperedBundle(f"{path}: missing, {INDEX} lists it")
    content = path.read_bytes()
    if digest(content) != listed.get(path.name):
        raise TamperedBundle(f"{path}: changed since it was written (sha256 differs)")
    return content
