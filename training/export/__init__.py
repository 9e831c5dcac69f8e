"""Checkpoints as ONNX files."""
