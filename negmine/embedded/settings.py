"""How embedded windows are mined: `EmbeddedSettings`. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from negmine.settings import Count, Seed, setting
from negmine.settings.models import Settings


class EmbeddedSettings(Settings, frozen=True):
    """Mining of embedded windows."""

    per_class: Count = setting(
        100, "Rejected windows a class, and as many that are to be heard.", common=True
    )
    folds: Annotated[int, Field(ge=2, le=100)] = setting(
        5, "A window is scored by a head that was fitted without its recording, in so many parts."
    )
    unlabelled: Annotated[int, Field(ge=0, le=10_000_000)] = setting(
        2000, "Unlabelled windows, drawn at random, that a head takes for negatives of low weight."
    )
    unlabelled_weight: Annotated[float, Field(gt=0, le=1)] = setting(
        0.05, "Weight of each of them; that of a rejected window is 1."
    )
    min_distance: Annotated[float, Field(ge=0, le=2)] = setting(
        0.005, "Nearer embeddings (1 - cosine) are duplicates: the better ranked is kept."
    )
    seed: Seed = setting(0, "Of the unlabelled windows that are drawn, and of the parts.")
