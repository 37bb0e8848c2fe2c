"""Compare two ONNX files, FP32 and QDQ, layer by layer: grids, integers, errors.

Nothing is taken from the code that quantized: a layer is a matrix that the FP32 file multiplies or looks up, and
what the other file stores under its name is compared with it. So it holds for any QDQ file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import pyarrow as pa
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.errors import InputError
from overproof.quantization.affine import Grid, cost, quantize
from overproof.quantization.affine.grid import Integers
from overproof.quantization.onnx_inputs import OnnxInput, run_activations
from overproof.quantization.qdq import Graph, Matrix, OnGrid
from overproof.results.layers import Activations, LayerDiagnostics, LayerReport, Seen, Weights

OBSERVED_EVENTS = 256  # of each kind


def diagnose_layers(
    fp32: onnx.ModelProto, quantized: onnx.ModelProto, onnx_inputs: Mapping[str, Iterable[OnnxInput]]
) -> LayerDiagnostics:
    """Measure every layer's grid, histogram and error, and how what goes into it fits its grid.

    Parameters
    ----------
    fp32, quantized
        The model before and after; weights and activations go by the same names in both.
    onnx_inputs
        Kind of events (see `by_kind`) to the FP32 model's inputs, batch by batch.

    Raises
    ------
    InputError
        Weights or activations that are not finite; a weight that the quantized model does not store.
    """
    before, after = Graph(fp32), Graph(quantized)
    matrices = [matrix for matrix in before.matrices() if before.array(matrix.name).dtype == np.float32]
    entries = {matrix.name: after.entry(matrix.name) for matrix in matrices}
    known = {entry.name: entry.grid for entry in entries.values() if entry and entry.name in before.tensors}
    seen, inputs = _observe(fp32, known, onnx_inputs)

    def layer(matrix: Matrix) -> LayerReport:
        values, stored, entry = before.array(matrix.name), after.weight(matrix.name), entries[matrix.name]
        weights = _weights(values, after.array(matrix.name), stored) if stored else None
        activations = _activations(entry, seen[entry.name]) if entry and entry.name in seen else None
        paid = weights.cost.bytes_after if weights else values.nbytes
        return LayerReport(matrix.name, matrix.kind, matrix.op, values.shape, weights, activations, values.nbytes, paid)

    return LayerDiagnostics(tuple(map(layer, matrices)), fp32.ByteSize(), quantized.ByteSize(), inputs)


def by_kind(events: pa.Table, benign: Sequence[str]) -> dict[str, pa.Table]:
    """Draw some `benign` events and some `attack` ones; some of `all` where labels do not tell them apart.

    Parameters
    ----------
    events
        With a `label` column; where some events have a label, those without one are left out.
    benign
        Labels that are no attacks.
    """
    labels = events["label"].to_pylist()
    known = [i for i, label in enumerate(labels) if label is not None]
    if benign and known:
        places = {"benign": [i for i in known if labels[i] in benign]}
        places["attack"] = [i for i in known if labels[i] not in benign]
    else:
        places = {"all": list(range(len(labels)))}
    random = np.random.default_rng(0)
    chosen = {kind: np.sort(random.permutation(rows)[:OBSERVED_EVENTS]) for kind, rows in places.items()}
    return {kind: events.take(rows.astype(np.int64)) for kind, rows in chosen.items()}


@dataclass
class _Tally:
    """Values counted on a grid, batch after batch."""

    grid: Grid
    counts: NDArray[np.int64]
    below: int = 0
    above: int = 0

    def add(self, x: Floats) -> None:
        half = float(self.grid.scale) / 2
        below, above = x < float(self.grid.low) - half, x > float(self.grid.high) + half
        q = quantize(x, self.grid)[~(below | above)].astype(np.int64)
        self.counts += np.bincount(q - self.grid.qmin, minlength=len(self.counts))
        self.below += int(below.sum())
        self.above += int(above.sum())


def _observe(
    model: onnx.ModelProto, grids: Mapping[str, Grid], onnx_inputs: Mapping[str, Iterable[OnnxInput]]
) -> tuple[dict[str, dict[str, Seen]], dict[str, int]]:
    """Return what was seen of each tensor for each kind of events, and for each kind the number of rows."""
    seen: dict[str, dict[str, Seen]] = {name: {} for name in grids}
    rows = dict.fromkeys(onnx_inputs, 0)
    for kind, some in onnx_inputs.items():
        tallies = {name: _Tally(grid, np.zeros(_levels(grid), np.int64)) for name, grid in grids.items()}
        for onnx_input, found in run_activations(model, list(grids), some):
            rows[kind] += len(next(iter(onnx_input.values())))
            for name, tally in tallies.items():
                tally.add(found[name])
        for name, tally in tallies.items():
            seen[name][kind] = Seen(tuple(tally.counts.tolist()), tally.below, tally.above)
    return seen, rows


def _levels(grid: Grid) -> int:
    return grid.qmax - grid.qmin + 1


def _weights(values: Floats, integers: Integers, stored: OnGrid) -> Weights:
    grid, scheme = stored.grid, stored.scheme
    if integers.shape != values.shape:
        raise InputError(f"{stored.name!r}: {integers.shape} in the quantized model, {values.shape} in the FP32 one")
    counts = np.bincount(integers.ravel().astype(np.int64) - grid.qmin, minlength=_levels(grid))
    return Weights(
        scheme=str(scheme),
        bits=scheme.bits,
        per="group" if grid.block else "channel" if grid.scale.ndim else "tensor",
        grids=grid.scale.size,
        scale=(float(grid.scale.min()), float(grid.scale.max())),
        zero_point=(int(grid.zero_point.min()), int(grid.zero_point.max())),
        range=(float(grid.low.min()), float(grid.high.max())),
        qmin=grid.qmin,
        qmax=grid.qmax,
        counts=tuple(counts.tolist()),
        cost=cost(values, grid, bits=scheme.bits, stored=integers),
    )


def _activations(entry: OnGrid, seen: Mapping[str, Seen]) -> Activations:
    grid = entry.grid
    return Activations(
        tensor=entry.name,
        scheme=str(entry.scheme),
        scale=float(grid.scale),
        zero_point=int(grid.zero_point),
        range=(float(grid.low), float(grid.high)),
        qmin=grid.qmin,
        qmax=grid.qmax,
        seen=seen,
    )
