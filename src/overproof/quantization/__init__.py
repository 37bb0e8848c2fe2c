"""Quantize an ONNX classifier: find its layers, calibrate, write the QDQ file, judge it, hold it to its guards.

`normalize_graph` brings a graph into form, `layers` finds what can be quantized, `calibrate` sees which values flow,
`rewrite` writes the integers, `quantizable_model` makes events into model input, `sensitivity` and `guards` say which
layers it may cost. `affine` has the arithmetic, in numpy alone.
"""
