"""What a listener said of controls: kept beside the verdicts, whole on the disk after each."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from negmine.annotations.listener_errors import COLUMNS, Control, controls_beside, read_controls
from negmine.errors import InputError
from negmine.review.review_clips import Key, ReviewClip
from negmine.storage.csv_tables import open_table, safe_cell
from negmine.storage.files import check_writable, writing


class ControlTable:
    """A listener's words on clips of known answer; those of others stay as they are.

    Parameters
    ----------
    verdicts : Path
        The table of verdicts that it is beside.
    listener : str
        May be empty.

    Raises
    ------
    InputError
        If the file is of another kind, or malformed.
    OutputError
        If it cannot be written.
    """

    def __init__(self, verdicts: Path, listener: str = "") -> None:
        self.path, self.listener = controls_beside(verdicts), listener
        self._others: list[Control] = []
        self._own: dict[Key, Control] = {}
        check_writable(self.path)
        if not self.path.exists():
            return
        columns, _ = open_table(self.path, COLUMNS)
        if columns != COLUMNS:
            raise InputError(
                f"{self.path}: is no table of controls of 'negmine review', which keeps one there; "
                "choose another --out"
            )
        for one in read_controls(self.path):
            if one.listener == listener:
                self._own[one.key] = one
            else:
                self._others.append(one)

    def __len__(self) -> int:
        return len(self._own)

    def every(self) -> list[Control]:
        """Return what the listener said, the latest last."""
        return list(self._own.values())

    def word(self, key: Key) -> str:
        """Return what the listener said of a clip; empty where nothing."""
        return self._own[key].said if key in self._own else ""

    def say(self, clip: ReviewClip, word: str, after: int) -> None:
        """Set what is said of a control, or with an empty word remove it; on the disk on return.

        Parameters
        ----------
        after : int
            Verdicts in the table now.

        Raises
        ------
        OutputError
            If the table cannot be written: nothing is then set.
        """
        now = {key: one for key, one in self._own.items() if key != clip.key}
        if word:
            now[clip.key] = Control(*clip.key, clip.known, word, self.listener, after)
        self._write(now)
        self._own = now

    def _write(self, own: dict[Key, Control]) -> None:
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in [*self._others, *own.values()]:
            names = safe_cell(one.recording), safe_cell(one.label)
            times = one.span.start_s, one.span.end_s
            writer.writerow(
                [*names, *times, one.known, one.said, safe_cell(one.listener), one.after]
            )
        with writing(self.path, durable=True) as temporary:
            temporary.write_text(out.getvalue(), encoding="utf-8")
