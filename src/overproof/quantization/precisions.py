"""List the precisions that a layer can have; reading them needs no onnx.

`rewrite` says what each of them means.
"""

from __future__ import annotations

PRECISIONS = ("w8a8", "w4a8", "w4a32", "dynamic", "float")
DEPLOYABLE = ("w8a8", "w4a8", "w4a32")  # dynamic ranges tie a verdict to its batch
TRAINABLE = ("w8a8", "w4a8")  # those whose activations have a grid to learn
STATIC = ("w8a8", "w4a8")
