"""Distil a teacher into a small student.

This is compress time: it needs torch, onnx and scikit-learn (`pip install overproof[compress]`).
"""
