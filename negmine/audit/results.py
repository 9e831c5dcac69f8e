"""What an audit leaves for other commands: confidences for a rebuilt pool, claims to leave out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import tomli_w

from negmine.audit.hidden_rates import Audit
from negmine.audit.new_confidences import NewConfidence
from negmine.errors import InputError
from negmine.storage.csv_tables import write_csv
from negmine.storage.files import writing

CONTRADICTED = (
    "recipe",
    "class",
    "kind",
    "certificate",
    "confidence",
    "hardness",
    "score",
    "doubt",
    "clip",
)


def write_confidences(path: Path, confidences: Sequence[NewConfidence], audit: Audit) -> None:
    """Write settings that ``negmine build-pool --config`` reads.

    Raises
    ------
    InputError
        If nothing was heard that a setting decides.
    OutputError
        If the file cannot be written.
    """
    sections: dict[str, dict[str, float]] = {}
    comments = [f"what an audit of {audit.key.about['path']!r} supports"]
    for one in confidences:
        if one.after is None:
            comments.append(f"[{one.section}] {one.name} is left as it is: {one.reason}")
        else:
            sections.setdefault(one.section, {})[one.name] = one.after
    if not sections:
        raise InputError(f"--out {path}: no audited clip depends on a setting of build-pool")
    head = "".join(f"# {line}\n" for line in comments)
    with writing(path) as temporary:
        temporary.write_text(f"{head}\n{tomli_w.dumps(sections)}", encoding="utf-8")


def write_contradicted(path: Path, audit: Audit) -> None:
    """Write the contradicted claims, a row each: recipe, class, and what was known of them."""
    found = pd.DataFrame(audit.contradicted(), columns=list(CONTRADICTED))
    write_csv(path, found, float_format="%.6g")
