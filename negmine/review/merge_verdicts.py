"""Several people's verdicts as one table: what they agree on, and what another must hear."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from negmine.annotations.listener_errors import (
    COLUMNS as CONTROL_COLUMNS,
)
from negmine.annotations.listener_errors import (
    JOINT,
    Control,
    controls_beside,
    errors_of,
    read_controls,
)
from negmine.annotations.verdict_rows import ABSENT, COLUMNS, PRESENT, UNSURE, Verdict, verdict_rows
from negmine.errors import InputError
from negmine.review.listeners_agreement import ListenersAgreement, agreements
from negmine.storage.csv_tables import safe_cell
from negmine.storage.files import check_writable, writing


@dataclass(frozen=True)
class MergedVerdicts:
    """Tables of verdicts, read and joined.

    Attributes
    ----------
    verdicts : tuple of Verdict
        All that were given, a row each.
    rows : tuple of Verdict
        One for each span and class: the sure word; ``unsure`` where two sure ones differ.
    disagreed : tuple of Verdict
        Those of the rows of which two sure words differ.
    controls : tuple of Control
    notes : tuple of str
    """

    verdicts: tuple[Verdict, ...]
    rows: tuple[Verdict, ...]
    disagreed: tuple[Verdict, ...]
    controls: tuple[Control, ...]
    notes: tuple[str, ...]

    def agreements(self) -> list[ListenersAgreement]:
        return agreements(self.verdicts)

    def to_dict(self) -> dict[str, Any]:
        names = sorted({one.listener for one in self.verdicts})
        words = {name: [v.word for v in self.verdicts if v.listener == name] for name in names}
        return {
            "clips": len(self.rows),
            "words": {word: sum(r.word == word for r in self.rows) for word in _WORDS},
            "listeners": {
                name: {word: words[name].count(word) for word in _WORDS}
                | {"controls": errors_of(self.controls, name).to_dict()}
                for name in names
            },
            "agreement": [one.to_dict() for one in self.agreements()],
            "disagreed": [
                {"recording": r.recording, "class": r.label, "t_min": r.span.start_s,
                 "t_max": r.span.end_s, "listeners": r.listener}
                for r in self.disagreed
            ],
        }  # fmt: skip


_WORDS = (PRESENT, ABSENT, UNSURE)


def merge_verdicts(paths: Sequence[Path]) -> MergedVerdicts:
    """Read tables and their controls, and join them; whoever has no name is called as the table.

    Raises
    ------
    InputError
        If a table is malformed, two without names of listeners have one name, a listener says two
        things of one clip, or no verdict is filled in.
    """
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError("a table is named twice")
    verdicts: list[Verdict] = []
    controls: dict[object, Control] = {}
    notes = []
    called: dict[str, Path] = {}
    for path in paths:
        read = verdict_rows(path, may_be_empty=True)
        said = [one for one in read if one.word]
        unnamed = sum(not one.listener for one in said)
        if unnamed:
            if (other := called.setdefault(path.stem, path)) != path:
                raise InputError(
                    f"{path} and {other}: both have verdicts that name no listener, and one name "
                    f"for who it is, '{path.stem}'; rename one, or fill in the column listener"
                )
            notes.append(
                f"{path}: {unnamed} verdicts name no listener, who is called '{path.stem}'"
            )
        if len(read) > len(said):
            notes.append(f"{path}: {len(read) - len(said)} rows without a verdict are left out")
        verdicts += [replace(one, listener=one.listener or path.stem) for one in said]
        if (beside := controls_beside(path)).exists():
            for one in read_controls(beside):
                named = replace(one, listener=one.listener or path.stem)
                controls.setdefault((named.key, named.listener), named)
    if not verdicts:
        raise InputError(f"{', '.join(map(str, paths))}: no verdict is filled in yet")
    _check_contradictions(verdicts)
    rows, disagreed = _joined(verdicts)
    return MergedVerdicts(
        tuple(verdicts), tuple(rows), tuple(disagreed), tuple(controls.values()), tuple(notes)
    )


def _check_contradictions(verdicts: Iterable[Verdict]) -> None:
    first: dict[object, Verdict] = {}
    for one in verdicts:
        before = first.setdefault((one.recording, one.label, one.span, one.listener), one)
        if before.word != one.word:
            raise InputError(
                f"{one.where}: '{one.listener}' says '{one.word}', and '{before.word}' of the same "
                f"span and class in {before.where}; keep one"
            )


def _joined(verdicts: Iterable[Verdict]) -> tuple[list[Verdict], list[Verdict]]:
    groups: dict[object, list[Verdict]] = {}
    for one in verdicts:
        groups.setdefault((one.recording, one.label, one.span), []).append(one)
    rows, disagreed = [], []
    for group in groups.values():
        sure = {one.word for one in group} - {UNSURE}
        word = sure.pop() if len(sure) == 1 else UNSURE
        who = sorted({one.listener for one in group if one.word == word or sure})
        row = replace(group[0], word=word, listener=JOINT.join(who))
        rows.append(row)
        if sure:
            disagreed.append(row)
    return rows, disagreed


def write_merged(merged: MergedVerdicts, out: Path | None, disagreed: Path | None = None) -> None:
    """Write the rows as a table of verdicts, the controls beside it, and what is to be heard again.

    Parameters
    ----------
    out, disagreed : Path, optional
        The rows; a table to fill in of those on which listeners disagree.

    Raises
    ------
    InputError
        If something else is at one of the places: none is then written.
    OutputError
        If a file cannot be written.
    """
    texts: dict[Path, str] = {}
    if out is not None:
        rows = [[*_place(r), r.word, safe_cell(r.listener)] for r in merged.rows]
        texts[out] = _text(COLUMNS, rows)
        beside = controls_beside(out)
        if merged.controls:
            controls = [
                [*_place(c), c.known, c.said, safe_cell(c.listener), c.after]
                for c in merged.controls
            ]
            texts[beside] = _text(CONTROL_COLUMNS, controls)
        elif beside.exists():
            raise InputError(
                f"{beside}: exists, and would be taken for controls of {out}; choose another name"
            )
    if disagreed is not None:
        if disagreed in texts:
            raise InputError(f"{disagreed}: two tables would have this name; choose another")
        texts[disagreed] = _text(COLUMNS, [[*_place(r), "", ""] for r in merged.disagreed])
    for path, text in texts.items():
        check_writable(path)
        if path.exists() and path.read_bytes() != text.encode():
            raise InputError(f"{path}: exists, and holds something else; choose another name")
    for path, text in texts.items():
        with writing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _place(one: Verdict | Control) -> list[object]:
    return [safe_cell(one.recording), safe_cell(one.label), one.span.start_s, one.span.end_s]


def _text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows([columns, *rows])
    return out.getvalue()
