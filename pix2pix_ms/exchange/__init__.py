"""To others and from them: PyTorch's checkpoints, ONNX, MindIR, exported weights."""
