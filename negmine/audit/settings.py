"""How an audit is drawn. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from negmine.limits import MOST_ROWS
from negmine.settings import Count, Seed, Settings, Share, setting
from negmine.storage.names import Name

# The fields of `negmine.audit.frames`.
Stratum = Literal["certificate", "kind", "hardness", "class"]


class DrawSettings(Settings, frozen=True):
    """The sample."""

    sample: Count = setting(200, "Claims to hear.", common=True)
    classes: tuple[Name, ...] = setting(
        (), "Ask about this class alone. Repeatable.", flag="--class", common=True
    )
    certificates: tuple[str, ...] = setting((), "Likewise. Repeatable.", flag="--certificate")
    kinds: tuple[str, ...] = setting(
        (), "Ask about this kind of row alone. Repeatable.", flag="--kind"
    )
    by: tuple[Stratum, ...] = setting(
        (),
        "Strata: certificate, kind, class, and of a selection hardness.  [default: "
        "certificate,kind of a pool; certificate,hardness of a selection]",
        metavar="FIELD,...",
        joined=True,
    )
    allocate: Literal["equal", "proportional"] = setting(
        "equal", "As many from each stratum, or in proportion to its size."
    )
    least: Count = setting(5, "Fewest clips of each stratum, if it has as many.")
    controls: Share = setting(
        0.1, "Confirmed calls hidden among the clips, as a share of --sample."
    )
    examples: Annotated[int, Field(ge=0, le=MOST_ROWS)] = setting(
        2, "Confirmed calls of each class that the page plays as such."
    )
    seed: Seed = setting(0, "Of all draws.")
