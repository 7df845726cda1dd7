"""Conversion and export: PyTorch's checkpoints, ONNX, MindIR, weights."""
