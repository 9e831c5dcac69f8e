"""Selection rules: one pure function a file.

Mining uses ``top``, ``duplicates`` and ``control``. The others (``window``, ``near``,
``intrusion``, ``margin``, ``quota``, ``diversity``, ``leak``) are for choosing otherwise, from
Python.
"""

from negmine.select.control import matched_random
from negmine.select.duplicates import without_duplicates
from negmine.select.top import TopScores

__all__ = ["TopScores", "matched_random", "without_duplicates"]
