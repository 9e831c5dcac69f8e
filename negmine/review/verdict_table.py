"""The table that verdicts are kept in: whole on the disk after each of them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from negmine.annotations.verdict_rows import COLUMNS, Verdict, verdict_rows
from negmine.errors import InputError
from negmine.review.review_clips import Key
from negmine.storage.csv_tables import check_name, open_table, safe_cell
from negmine.storage.files import check_writable, writing
from negmine.storage.names import clean_name


class VerdictTable:
    """A listener's verdicts in a table that may hold those of others, who keep theirs.

    Rows are in the order in which they were given, so that the last can be taken back by a later
    process, too. A row whose verdict is empty stays until the listener fills it in.

    Parameters
    ----------
    path : Path
        A new table, or one of the columns `negmine.annotations.verdicts.COLUMNS` alone.
    listener : str
        May be empty.

    Raises
    ------
    InputError
        If the table is malformed, has other columns, or two verdicts of the listener on one span
        and class.
    OutputError
        If it cannot be written.
    """

    def __init__(self, path: Path, listener: str = "") -> None:
        self.path, self.listener = path, clean_name(listener)
        if self.listener:
            check_name("--listener", "name", self.listener)
        self._others: list[Verdict] = []
        self._own: dict[Key, str] = {}
        check_writable(path)
        if path.exists():
            self._read()

    def _read(self) -> None:
        columns, _ = open_table(self.path, COLUMNS)
        if set(columns) != set(COLUMNS):
            raise InputError(
                f"{self.path}: exists and is no table of 'negmine review', whose columns are "
                f"{', '.join(COLUMNS)}; choose another name for --out"
            )
        for row in verdict_rows(self.path, may_be_empty=True):
            if row.listener != self.listener or not row.word:
                self._others.append(row)
                continue
            key = row.recording, row.label, row.span
            if key in self._own:
                raise InputError(
                    f"{row.where}: a second verdict of the same listener on the same span and "
                    "class; keep one"
                )
            self._own[key] = row.word

    def __len__(self) -> int:
        return len(self._own)

    @property
    def others(self) -> int:
        """Verdicts of other listeners."""
        return sum(bool(row.word) for row in self._others)

    def word(self, key: Key) -> str:
        """Return what the listener said of a clip; empty where nothing."""
        return self._own.get(key, "")

    def judged(self) -> list[Key]:
        """Return what has a verdict of the listener, the latest last."""
        return list(self._own)

    def say(self, key: Key, word: str) -> None:
        """Set a verdict, or with an empty word remove it; it is on the disk on return.

        Raises
        ------
        OutputError
            If the table cannot be written: the verdict is then not set.
        """
        now = {one: said for one, said in self._own.items() if one != key}
        if word:
            now[key] = word
        self._write(now)
        self._own = now

    def _write(self, own: dict[Key, str]) -> None:
        with writing(self.path, durable=True) as temporary:
            out = io.StringIO(newline="")
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(COLUMNS)
            for row in self._others:
                key = row.recording, row.label, row.span
                if row.word or key not in own:
                    writer.writerow(_cells(key, row.word, row.listener))
            writer.writerows(_cells(key, word, self.listener) for key, word in own.items())
            temporary.write_text(out.getvalue(), encoding="utf-8")


def _cells(key: Key, word: str, listener: str) -> list[object]:
    recording, label, span = key
    names = safe_cell(recording), safe_cell(label)
    return [*names, span.start_s, span.end_s, word, safe_cell(listener)]
