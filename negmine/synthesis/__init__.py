"""Synthesis as a search: mix what scores high with what scores high, within a budget."""
