"""Selection rules: one pure function a file; `chain` joins them to a strategy."""

from negmine.select.control import matched_random
from negmine.select.duplicates import without_duplicates
from negmine.select.top import TopRows

__all__ = ["TopRows", "matched_random", "without_duplicates"]
