"""Selection rules: one pure function a file, each reporting what it kept and rejected."""

from negmine.select.control import matched_random
from negmine.select.duplicates import without_duplicates
from negmine.select.top import TopScores

__all__ = ["TopScores", "matched_random", "without_duplicates"]
