"""Losses of partly labelled clips; they know nothing of negmine."""
