"""Listening to a sample: draw it blindly, read the verdicts, know the rates."""
