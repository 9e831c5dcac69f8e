"""Whole recordings scored, and scores against the truth."""
