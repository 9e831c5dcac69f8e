"""Selection rules: one pure function a file; `chain` joins them to a strategy."""

from negmine.mining.rules.control import matched_random
from negmine.mining.rules.duplicates import without_duplicates

__all__ = ["matched_random", "without_duplicates"]
