"""Kernels on samples: numpy and scipy alone, no files, no state."""
