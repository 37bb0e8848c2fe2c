"""Compress time: needs torch, onnx and scikit-learn (`pip install overproof[compress]`)."""
