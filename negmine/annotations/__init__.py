"""Annotations: one schema out, one reader per format.

How a reader is written is in `negmine.annotations.schema`.
"""

from negmine.annotations.rfcx_tables import read_rfcx
from negmine.annotations.schema import Annotation, Annotations

__all__ = ["Annotation", "Annotations", "read_rfcx"]
