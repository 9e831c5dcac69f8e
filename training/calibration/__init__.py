"""Thresholds and probabilities of a model's detections, from verdicts on recordings it held out."""
