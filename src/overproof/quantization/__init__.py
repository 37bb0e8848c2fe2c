"""Quantize an ONNX classifier: find its layers, calibrate, write the QDQ file, judge it, hold it to its guards.

`models` opens a classifier and makes events its input, `normalize_graph` brings a graph into form, `layers` finds what
can be quantized, `calibrate` sees which values flow, `rewrite` writes the integers, `evaluation` judges the result,
`guards` limit what it may cost, and `precision_search` keeps layers in float until they hold. `run` does all of it in
order; `qat` trains with the rounding. `affine` has the arithmetic, in numpy alone.
"""
