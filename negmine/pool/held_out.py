"""Names of what is held out, against what a pool draws on."""

from __future__ import annotations

from collections.abc import Iterable

from negmine.errors import did_you_mean, shorten
from negmine.recipes.source import Source


def unmatched_note(names: Iterable[str], sources: Iterable[Source]) -> str | None:
    """Describe names that are of no source, nor of the group of one; None where there are none.

    That may be right, since a pool need not draw on all that is held out; or a name is misspelt,
    and holds nothing out.
    """
    known = {name for source in sources for name in (source.recording, source.group) if name}
    wanted = list(dict.fromkeys(names))
    lost = [name for name in wanted if name not in known]
    if not lost:
        return None
    return (
        f"{len(lost)} of {len(wanted)} names that are held out ({shorten(lost, 3)}) are of no "
        f"recording or site here, so they leave nothing out{did_you_mean(lost[0], known)}; "
        "recordings are named without suffix and folder"
    )
