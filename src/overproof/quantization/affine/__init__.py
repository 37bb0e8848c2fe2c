"""Compute quantization in numpy: range, scale, zero point, quantize, dequantize, and what it costs.

`grid` has the formulas, `observers` choose a range, `cost` says what rounding did to a tensor.
"""

from overproof.quantization.affine.cost import cost
from overproof.quantization.affine.grid import Grid, Scheme, dequantize, grid_of, quantize
from overproof.quantization.affine.observers import OBSERVERS, Observer, entropy, fit, minmax, mse, percentile
from overproof.results.rounding_cost import Band, Cost

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
