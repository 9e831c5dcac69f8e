"""Kinds of plots: a file each, registered in `KINDS`; how one is written is in `drawn`.

Imports nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from negmine.report.plots.drawn import PlotKind

# Each is the file NAME_plot: what it is made of, and what it shows.
KINDS = {
    "scores": ("SELECTION", "how the scores of pool, chosen rows and calls are distributed"),
    "doubt": ("SELECTION", "score against the estimated probability that the class is present"),
    "reliability": ("SELECTION", "doubt that was claimed against what was found"),
    "folders": ("SELECTION", "from which folders the chosen rows are, and the pool's"),
    "embeddings": ("SELECTION", "a map of the model's embeddings: pool, chosen rows and calls"),
    "sheet": ("SELECTION", "spectrograms of the hardest rows beside the nearest call"),
    "learning": ("RUN...", "losses and validation scores of runs, epoch by epoch"),
    "det": ("CURVES...", "false positives an hour against recall, of 'evaluate --curves-out'"),
}


def kind_of(name: str) -> PlotKind:
    """Return how a kind of plot is drawn, and which settings it uses."""
    found: PlotKind = import_module(f"negmine.report.plots.{name}_plot").KIND
    return found
