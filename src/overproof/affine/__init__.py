"""The arithmetic of quantization in numpy: range, scale, zero point, quantize, dequantize, and what it costs.

`grid` has the formulas, `observers` choose a range, `cost` says what rounding did to a tensor.
"""

from overproof.affine.cost import Band, Cost, cost
from overproof.affine.grid import Grid, Scheme, dequantize, grid_of, quantize
from overproof.affine.observers import OBSERVERS, Observer, entropy, fit, minmax, mse, percentile

__all__ = [
    "OBSERVERS",
    "Band",
    "Cost",
    "Grid",
    "Observer",
    "Scheme",
    "cost",
    "dequantize",
    "entropy",
    "fit",
    "grid_of",
    "minmax",
    "mse",
    "percentile",
    "quantize",
]
