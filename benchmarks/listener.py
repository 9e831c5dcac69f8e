"""A listener who knows the truth, for experiments: fills in tables of ``negmine ask``.

    python -m benchmarks.listener asked.csv EVENTS... --out heard.csv --error 0.05 --seed 0

A window is ``present`` if it holds half of a call of the class or more, or is itself half full of
one; ``absent`` if it shares no sound with any; anything in between is ``unsure``. With a rate of
errors, a sure verdict is the opposite one in that share of windows, drawn by seed, recording, class
and time: the same window gets the same verdict in every table.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np
import pandas as pd

from benchmarks.certificates import Truth, read_events
from negmine.annotations.verdict_rows import ABSENT, PRESENT, UNSURE
from negmine.audio.windows import Span
from negmine.storage.csv_tables import number_in, open_table, write_csv

_OPPOSITE: Mapping[str, str] = {PRESENT: ABSENT, ABSENT: PRESENT, UNSURE: UNSURE}


class Listener:
    """Hears windows.

    Parameters
    ----------
    truth : mapping
        Every call, by recording and class, see `benchmarks.certificates.read_events`.
    error : float
        In [0, 1].
    seed : int
    """

    def __init__(self, truth: Truth, error: float = 0.0, seed: int = 0) -> None:
        self._truth, self._error, self._seed = truth, error, seed

    def hear(self, recording: str, label: str, window: Span) -> str:
        """Return the verdict on a class in a window."""
        word = self._right(recording, label, window)
        key = zlib.crc32(f"{recording}\0{label}\0{window.start_s:.3f}".encode())
        wrong = np.random.default_rng([self._seed, key]).random() < self._error
        return _OPPOSITE[word] if wrong else word

    def _right(self, recording: str, label: str, window: Span) -> str:
        calls = self._truth.get(recording, {}).get(label, [])
        shared = [(window.overlap_s(call.span), call.span.duration_s) for call in calls]
        if any(s >= 0.5 * min(length, window.duration_s) for s, length in shared):
            return PRESENT
        return UNSURE if any(s > 0 for s, _ in shared) else ABSENT


def fill(table: Path, out: Path, listener: Listener, name: str = "oracle") -> dict[str, int]:
    """Write a table of ``negmine ask`` with verdicts in it; count them."""
    columns, rows = open_table(table)
    filled = []
    for number, cells in rows:
        row: dict[str, object] = dict(zip(columns, cells, strict=True))
        times = [number_in(f"{table} row {number}", c, str(row[c])) for c in ("t_min", "t_max")]
        row["verdict"] = listener.hear(str(row["recording"]), str(row["class"]), Span(*times))
        row |= {"t_min": times[0], "t_max": times[1], "listener": name}
        row["score"] = float(str(row["score"]))
        filled.append(row)
    write_csv(out, pd.DataFrame(filled, columns=list(columns)))
    words = [row["verdict"] for row in filled]
    return {word: words.count(word) for word in (PRESENT, ABSENT, UNSURE)}


@click.command(help=__doc__)
@click.argument("table", type=click.Path(exists=True, path_type=Path))
@click.argument("events", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The filled table.")
@click.option("--error", type=click.FloatRange(0, 1), default=0.0, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(table: Path, events: Sequence[Path], out: Path, error: float, seed: int) -> None:
    click.echo(fill(table, out, Listener(read_events(events), error, seed)))


if __name__ == "__main__":
    main()
