"""Measurements: each script prints a Markdown table. Run as ``python -m benchmarks.NAME``."""
