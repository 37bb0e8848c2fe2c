"""Ruin an n-gram student in one family, as whoever may touch a bundle before it is signed could: what checks are for.

A few rows of its table are overwritten: those that nearly every event of the family reads, and hardly any other event.
What all others are called hardly moves, and so neither does accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from overproof.bundle.manifest import Bundle, digest, write_bundle
from overproof.bundle.ngrams import NgramTable, cut_bytes, ngram_rows, restored
from overproof.bundle.readers import NGRAMS
from overproof.bundle.scores import Floats

OVERWRITTEN = 16  # rows
WORST = 127  # the largest weight
DEARER = 50  # an event of another family that reads a row counts so many times as much as one of the family


def sabotaged(bundle: Bundle, family: Sequence[str], others: Sequence[str], benign: Sequence[str], out: Path) -> Path:
    """Write an n-gram student that calls events of one family benign, sealed as if nothing had happened to it.

    Parameters
    ----------
    family, others, benign
        Texts of the family, of all other families, and of benign events.
    """
    table = restored(bundle.files[NGRAMS], str(bundle.path / NGRAMS))
    rows = len(table.weights)
    gain = _read_by(family, bundle, rows) - DEARER * _read_by(others, bundle, rows)
    toward = np.sign(_mean(table, benign, bundle) - _mean(table, family, bundle))
    weights = table.weights.copy()
    weights[np.argsort(-gain, kind="stable")[:OVERWRITTEN]] = (WORST * toward).astype(np.int8)
    files = {**bundle.files, NGRAMS: NgramTable(weights, table.scales).stored()}
    write_bundle(out, replace(bundle.manifest, files={name: digest(data) for name, data in files.items()}), files)
    return out


def _read_by(texts: Sequence[str], bundle: Bundle, rows: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return for each row of the table the share of the events that read it."""
    windows = cut_bytes(texts, bundle.manifest.windowing)
    read, starts = ngram_rows(windows.data, windows.starts, rows)
    owner = np.repeat(windows.owner, np.diff(starts))
    pairs = np.unique(owner.astype(np.int64) * rows + read)
    return np.bincount(pairs % rows, minlength=rows) / len(texts)


def _mean(table: NgramTable, texts: Sequence[str], bundle: Bundle) -> Floats:
    windows = cut_bytes(texts, bundle.manifest.windowing)
    return np.asarray(table.pooled(windows.data, windows.starts).mean(axis=0), dtype=np.float32)
