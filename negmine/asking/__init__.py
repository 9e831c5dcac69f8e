"""Asking: which windows of unlabelled recordings a person should hear."""
