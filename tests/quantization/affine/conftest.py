"""Tensors that quantization has to cope with."""

from __future__ import annotations

import numpy as np
import pytest

ADVERSARIAL = {
    "zeros": [0.0, 0.0, -0.0],
    "constant": [5.0, 5.0, 5.0],
    "constant, negative": [-5.0] * 3,
    "one sign": [0.5, 3.0, 100.0],
    "other sign": [-0.5, -3.0, -100.0],
    "one value": [-0.123],
    "denormals": [1e-45, -3e-42, 1e-39],
    "denormals beside ones": [1e-45, -1.0, 1.0],
    "smallest normal scale": [3e-36, -3e-36],
    "huge": [1e38, -2e37],
    "outlier": [0.001] * 50 + [1e4],
    "ties": [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 255.0, 0.0],
    "empty": [],
}


@pytest.fixture(params=sorted(ADVERSARIAL))
def adversarial(request: pytest.FixtureRequest) -> np.ndarray:
    """Constant, empty, of one sign, denormal, huge: one after the other, shape (n,)."""
    return np.array(ADVERSARIAL[request.param], dtype=np.float32)
