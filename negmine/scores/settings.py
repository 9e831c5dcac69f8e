"""How clips are scored, and how what sounds alike is searched for. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from negmine.limits import MOST_BATCH
from negmine.settings import Count, Settings, setting
from negmine.storage.names import Name

BATCH_SIZE = 32


class ScoringSettings(Settings, frozen=True):
    """Scoring."""

    batch_size: Annotated[int, Field(ge=1, le=MOST_BATCH)] = setting(
        BATCH_SIZE, "Clips scored at a time.", flag="-b,--batch-size", group="How it runs"
    )


class SearchSettings(ScoringSettings, frozen=True):
    """The search."""

    at: Annotated[float, Field(ge=0)] = setting(
        0.0,
        "Where in the file the clip starts; it is as long as the pool's.",
        metavar="S",
        common=True,
    )
    count: Count = setting(11, "Neighbours.", flag="-k,--count", common=True)
    label: Name | None = setting(
        None, "Only clips certified free of this class.", flag="--class", common=True
    )
    index: str | None = setting(
        None,
        "FAISS index: Flat, HNSW32, IVF4096,SQ8, ...  [default: by size and memory]",
        metavar="FACTORY",
    )
    memory_gib: Annotated[float, Field(gt=0)] = setting(
        4.0, "Memory that the index may take.", flag="--memory", metavar="GIB"
    )
