"""Calibrate a model: find the range of each activation over calibration events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from overproof.errors import InputError
from overproof.quantization.affine import Observer, minmax
from overproof.quantization.onnx_inputs import OnnxInput, run_activations
from overproof.quantization.schemes import ACTIVATIONS

Ranges = dict[str, tuple[float, float]]

KEPT = 1 << 18  # values of each tensor that an observer other than min-max chooses by


def observe(
    model: onnx.ModelProto,
    names: Sequence[str],
    onnx_inputs: Iterable[OnnxInput],
    *,
    observer: Observer = minmax,
    seed: int = 0,
) -> Ranges:
    """Find the range of each named tensor over the calibration input.

    Parameters
    ----------
    onnx_inputs
        A batch each: input name to array.
    observer
        Chooses the range; any but min-max gets a random quarter of a million values of each tensor.

    Raises
    ------
    InputError
        No calibration events, or an activation that is inf or NaN.
    """
    if not names:
        return {}
    random = np.random.default_rng(seed)
    samples: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    for _, found in run_activations(model, names, onnx_inputs):
        for name, value in found.items():
            flat = value.reshape(-1)
            if not np.isfinite(flat).all():
                raise InputError(f"the activation {name} holds inf or NaN on the calibration events")
            samples[name].append(_thinned(flat, observer, random))
    if not all(samples.values()):
        raise InputError("no calibration events, expected at least one")
    ranges = {}
    for name, parts in samples.items():
        values = np.concatenate(parts)
        sample = values if len(values) <= KEPT else random.choice(values, KEPT, replace=False)
        low, high = observer(sample[None], ACTIVATIONS)
        ranges[name] = float(low[0]), float(high[0])
    return ranges


def _thinned(flat: NDArray[np.float32], observer: Observer, random: np.random.Generator) -> NDArray[np.float32]:
    """Reduce to the two extremes if the observer needs no more, else to at most 4,096 values drawn at random."""
    if observer is minmax:
        return np.array([flat.min(), flat.max()], dtype=np.float32) if flat.size else flat
    return flat if flat.size <= 4096 else random.choice(flat, 4096, replace=False)
