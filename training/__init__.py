"""The trainer: losses, metrics, models, and the loop that feeds hard negatives back.

Each part is usable on its own: ``from training import losses, metrics``.
"""
