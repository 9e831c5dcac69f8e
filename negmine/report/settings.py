"""What a page and a plot show. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from negmine.settings import Count, FolderName, Seed, Settings, setting
from negmine.storage.names import Name

_Cm = Annotated[float, Field(ge=4, le=100)]


class PageSettings(Settings, frozen=True):
    """The page."""

    per_class: Count = setting(5, "Negatives shown a class, the highest-scoring.", common=True)
    classes: tuple[Name, ...] = setting(
        (), "Show this class alone. Repeatable.", flag="--class", metavar="C", common=True
    )


class PlotSettings(Settings, frozen=True):
    """The plot."""

    classes: tuple[Name, ...] = setting(
        (),
        "Show this class alone. Repeatable. Of all kinds but reliability and learning.",
        flag="--class",
        metavar="C",
        common=True,
    )
    per_class: Count = setting(5, "Of a sheet: negatives of a class.", common=True)
    method: Literal["pca", "umap"] = setting(
        "pca",
        "Of embeddings: principal components, or UMAP, which needs the extra 'umap'.",
        common=True,
    )
    most: Count = setting(
        5000, "Of embeddings: rows of the pool drawn at random.", flag="--sample", common=True
    )
    seed: Seed = setting(0, "Of embeddings: of the sample, and of UMAP.", common=True)
    scores: FolderName | None = setting(
        None,
        "Of embeddings: folder of the scores of 'negmine mine'.  [default: scores beside "
        "SELECTION, or a folder above]",
        common=True,
    )
    theme: Literal["light", "dark"] = setting("light", "Colours.", group="How it looks")
    width_cm: _Cm | None = setting(
        None, "Width in cm.  [default: by kind]", flag="--width", group="How it looks"
    )
    height_cm: _Cm | None = setting(
        None, "Height in cm.  [default: by kind]", flag="--height", group="How it looks"
    )
    dpi: Annotated[int, Field(ge=50, le=600)] = setting(
        150, "Pixels an inch, of a PNG.", group="How it looks"
    )
