"""Metrics of clips (`ranking`) and of windows against calls (`detection`), and how sure they are.

All of it is for other projects, too: it knows nothing of this one.
"""

from training.metrics.bootstrap import interval, resamples
from training.metrics.counts import poisson_interval
from training.metrics.detection import (
    AtRate,
    AtRecall,
    Curves,
    FalsePositives,
    RecordingWindows,
    false_positives_per_hour,
    match_windows,
)
from training.metrics.ranking import (
    NAMES,
    average_precision,
    evaluate,
    known_ap,
    lwlrap,
    lwlrap_bounds,
    macro_average_precision,
    masked_lwlrap,
    neg_at_k,
    scores_matter,
    validate,
)

__all__ = [
    "NAMES",
    "AtRate",
    "AtRecall",
    "Curves",
    "FalsePositives",
    "RecordingWindows",
    "average_precision",
    "evaluate",
    "false_positives_per_hour",
    "interval",
    "known_ap",
    "lwlrap",
    "lwlrap_bounds",
    "macro_average_precision",
    "masked_lwlrap",
    "match_windows",
    "neg_at_k",
    "poisson_interval",
    "resamples",
    "scores_matter",
    "validate",
]
