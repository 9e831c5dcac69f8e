"""Judging clips by ear, on a page that this machine serves to itself."""
