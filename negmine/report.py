"""What a mining run did: what each rule kept and rejected, class by class."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from negmine.console import table


@dataclass
class MineReport:
    """What each rule kept and rejected.

    Attributes
    ----------
    rows, scored : int
        Rows in the pool, and how many of them were scored in this run (the others were read).
    held_out : int
        Rows that draw on a recording the model was validated on.
    classes : dict of str to dict
        By class: ``certified`` rows, those ``below`` the last one chosen, near ``duplicates``,
        ``chosen``, the ``highest`` and ``lowest`` score chosen, the median score of its ``calls``.
    """

    rows: int
    scored: int
    held_out: int
    classes: dict[str, dict[str, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def to_text(self) -> str:
        columns = ["certified", "below", "duplicates", "chosen", "highest", "lowest", "calls"]
        rows = [
            [name, *(f"{row[c]:.0f}" if i < 4 else f"{row[c]:.2f}" for i, c in enumerate(columns))]
            for name, row in self.classes.items()
        ]
        head = f"{self.rows} rows, {self.scored} scored now, {self.held_out} held out; by class:"
        notes = (
            "below: scored under the last one chosen; duplicates: near a higher-scoring one;\n"
            "highest, lowest: logits chosen; calls: median logit of the class's confirmed calls"
        )
        return f"{head}\n{table(['class', *columns], rows)}\n{notes}"
