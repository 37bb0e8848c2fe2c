"""Quantizing an ONNX classifier: find its layers, calibrate, write the QDQ file, judge it, guard it.

`foreign` brings a graph into form, `layers` finds what can be quantized, `calibrate` sees which values flow,
`rewrite` writes the integers, `subject` makes events into model input, `sensitivity` and `guards` say which
layers it may cost.
"""

from overproof.compression.quantization.calibrate import Ranges, observe
from overproof.compression.quantization.layers import Layer, find_layers
from overproof.compression.quantization.rewrite import PRECISIONS, quantize_model, rewrite

__all__ = ["PRECISIONS", "Layer", "Ranges", "find_layers", "observe", "quantize_model", "rewrite"]
