"""What is in a pool: for each class, certified negatives of each kind, hours, confidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from negmine.pool import Pool
from negmine.text_tables import table


@dataclass(frozen=True)
class PoolSummary:
    """Counts of a pool.

    Attributes
    ----------
    kinds : dict of str to int
        Rows of each kind.
    classes : dict of str to dict
        By class: certified rows of each kind, their ``hours``, their mean ``confidence``, and the
        confirmed ``calls``.
    hours : float
        Of all rows.
    groups : int
        Distinct recordings that rows draw on.
    """

    kinds: Mapping[str, int]
    classes: Mapping[str, Mapping[str, float]]
    hours: float
    groups: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "rows": sum(self.kinds.values()),
            "hours": self.hours,
            "groups": self.groups,
            "kinds": dict(self.kinds),
            "classes": {name: dict(counts) for name, counts in self.classes.items()},
        }

    def to_text(self) -> str:
        rows = [
            [
                name,
                *(str(int(counts[kind])) for kind in self.kinds),
                f"{counts['hours']:.2f}",
                f"{counts['confidence']:.3f}",
                str(int(counts["calls"])),
            ]
            for name, counts in self.classes.items()
        ]
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.kinds.items())
        head = (
            f"{sum(self.kinds.values())} recipes ({kinds}), {self.hours:.2f} h, "
            f"from {self.groups} recordings; certified absent, by class:"
        )
        return f"{head}\n{table(['class', *self.kinds, 'hours', 'confidence', 'calls'], rows)}"


def summarise_pool(pool: Pool) -> PoolSummary:
    """Count a pool's certified negatives."""
    kinds = pool.recipes.count_kinds()
    classes = {}
    for name in pool.classes:
        confidence = pool.confidence(name)
        certified = confidence > 0
        of_kind = {k: float(np.sum(certified & (pool.recipes.kinds == k))) for k in kinds}
        classes[name] = of_kind | {
            "hours": float(certified.sum()) * pool.clip_s / 3600,
            "confidence": float(confidence[certified].mean()) if certified.any() else float("nan"),
            "calls": float(len(pool.calls_of(name))),
        }
    hours = len(pool) * pool.clip_s / 3600
    return PoolSummary(kinds, classes, hours, len({source.group for source in pool.sources}))
