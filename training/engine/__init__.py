"""The loop over steps, and the state of a run."""
