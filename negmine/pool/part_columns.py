"""The rows of one part of a pool, out of its columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np

from negmine.pool.blocks import RecipeBlock
from negmine.pool.columns import Columns
from negmine.pool.ragged import offsets, run_indices
from negmine.recipes.labels import MIN_CONFIDENCE
from negmine.recipes.layer import OPS, Layer
from negmine.recipes.source import Source

_OP_NAMES = {number: name for name, number in OPS.items()}


@dataclass(frozen=True)
class PartColumns:
    """The columns of a part, as `negmine.pool.columns` describes them, and its kinds by number."""

    columns: Columns
    kinds: Sequence[str]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def ids(self) -> np.ndarray:
        return self.columns["rows"]["id"]

    @property
    def kind_codes(self) -> np.ndarray:
        return self.columns["rows"]["kind"]

    def _uses(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the uses of some rows, row after row, and how many each has: see `_entries`."""
        return _entries(self.columns["rows"]["first_use"], len(self.columns["uses"]["clip"]), rows)

    def _changes(self, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the changes of some clips, likewise."""
        first = self.columns["clips"]["first_change"]
        return _entries(first, len(self.columns["changes"]["op"]), clips)

    def rows(
        self, rows: np.ndarray, sources: Sequence[Source]
    ) -> Iterator[tuple[str, tuple[Layer, ...], tuple[int, ...]]]:
        """Yield some rows: int array, shape (n,).

        Yields
        ------
        kind : str
        layers : tuple of Layer
        label_sets : tuple of int
            Those whose mix is the row's labels.
        """
        uses, clips = self.columns["uses"], self.columns["clips"]
        use, use_counts = self._uses(rows)
        clip = uses["clip"][use]
        change, change_counts = self._changes(clip)
        # as Python's own values at once: one by one they take ten times as long
        of_use = (uses[name][use].tolist() for name in ("snr_udb", "offset_us"))
        names = ("source", "start_us", "length_us", "seed", "label")
        of_clip = (clips[name][clip].tolist() for name in names)
        components = zip(*of_use, *of_clip, change_counts.tolist(), strict=True)
        changed = self._changed(change, sources)
        for code, count in zip(self.kind_codes[rows].tolist(), use_counts.tolist(), strict=True):
            layers: list[Layer] = []
            labels: list[int] = []
            for snr, offset, source, start, length, seed, label, more in islice(components, count):
                layers.append(
                    Layer(
                        source=sources[source],
                        start_s=start / 1e6,
                        snr_db=snr / 1e6 if layers else None,
                        offset_s=offset / 1e6,
                        length_s=_seconds(length),
                        seed=None if seed < 0 else seed,
                    )
                )
                layers += islice(changed, more)
                if label >= 0:
                    labels.append(label)
            yield self.kinds[code], tuple(layers), tuple(labels)

    def _changed(self, rows: np.ndarray, sources: Sequence[Source]) -> Iterator[Layer]:
        names = ("op", "source", "start_us", "offset_us", "length_us", "low_hz", "high_hz", "seed")
        columns = (self.columns["changes"][name][rows].tolist() for name in names)
        for op, source, start, offset, length, low_hz, high_hz, seed in zip(*columns, strict=True):
            banded = low_hz == low_hz
            yield Layer(
                source=None if source < 0 else sources[source],
                start_s=start / 1e6,
                op=_OP_NAMES[op],
                offset_s=offset / 1e6,
                length_s=_seconds(length),
                low_hz=low_hz if banded else None,
                high_hz=high_hz if banded else None,
                seed=None if seed < 0 else seed,
            )

    @cached_property
    def _use_labels(self) -> np.ndarray:
        """The label set of each use's clip, -1 where it has none: int32, shape (uses,)."""
        return np.asarray(self.columns["clips"]["label"][self.columns["uses"]["clip"]])

    def _labels_of(self, rows: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Label sets of the uses of some rows, row after row, and where each row's start."""
        if rows is None:
            return self._use_labels, self.columns["rows"]["first_use"]
        uses, counts = self._uses(rows)
        return self._use_labels[uses], offsets(counts)[:-1]

    def product(self, per_set: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Multiply a value of label sets over each row's; 0 where mixing leaves too little.

        ``per_set`` holds 1 last, for clips without a label set of their own. Of all rows, or of
        some: float64, shape (n,).
        """
        labels, starts = self._labels_of(rows)
        if not len(starts):
            return np.zeros(0)
        out = np.multiply.reduceat(per_set[labels], starts)
        # as `PartialLabels.mix` drops what is hardly a claim; one label set alone is never touched
        low = np.flatnonzero((out < MIN_CONFIDENCE) & (out > 0))
        if len(low):
            out[low[np.add.reduceat(labels >= 0, starts, dtype=np.int64)[low] > 1]] = 0.0
        return np.asarray(out)

    def all_bits(self, per_set: np.ndarray) -> np.ndarray:
        """Return the bits that all label sets of each row have: uint8, shape (B, n).

        ``per_set``, shape (B, sets + 1), holds ones last.
        """
        labels, starts = self._labels_of(None)
        out = np.empty((len(per_set), len(starts)), dtype=np.uint8)
        for byte, of_set in enumerate(per_set):
            if len(starts):
                np.bitwise_and.reduceat(of_set[labels], starts, out=out[byte])
        return out

    def of_single(
        self, per_set: np.ndarray, mixed: int, rows: np.ndarray | None = None
    ) -> np.ndarray:
        """Return label sets' values for rows with one; ``mixed`` for rows with more, -1 for none.

        Of all rows, or of some: int array, shape (n,).
        """
        labels, starts = self._labels_of(rows)
        if not len(starts):
            return np.zeros(0, dtype=np.int64)
        has = labels >= 0
        many = np.add.reduceat(has, starts, dtype=np.int64) > 1
        values = np.where(has, np.append(per_set, -1)[labels], -1)
        return np.where(many, mixed, np.maximum.reduceat(values, starts))

    def any_label(self, per_set: np.ndarray) -> np.ndarray:
        """Return rows with a marked label set: bool, shape (n,); the last mark is for none."""
        if not len(self):
            return np.zeros(0, dtype=bool)
        return np.logical_or.reduceat(per_set[self._use_labels], self.columns["rows"]["first_use"])

    def uses_any(self, per_source: np.ndarray) -> np.ndarray:
        """Return rows with a layer of a marked source: bool, (n,); the last mark is for none."""
        if not len(self):
            return np.zeros(0, dtype=bool)
        clips, changes = self.columns["clips"], self.columns["changes"]
        marked = per_source[clips["source"]]
        counts = np.diff(clips["first_change"], append=len(changes["op"]))
        changed = np.repeat(np.arange(len(marked)), counts)
        hits = changed[per_source[changes["source"]]]
        marked = marked | (np.bincount(hits, minlength=len(marked)) > 0)
        used = marked[self.columns["uses"]["clip"]]
        return np.logical_or.reduceat(used, self.columns["rows"]["first_use"])

    def source_numbers(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return sources of all layers of some rows, and whose they are: int64, in no order."""
        use, use_counts = self._uses(rows)
        clip = self.columns["uses"]["clip"][use]
        change, change_counts = self._changes(clip)
        places = np.repeat(np.arange(len(rows)), use_counts)
        numbers = [self.columns["clips"]["source"][clip], self.columns["changes"]["source"][change]]
        every = np.concatenate(numbers)
        places = np.concatenate([places, np.repeat(places, change_counts)])
        return every[every >= 0], places[every >= 0]

    def block(self, rows: np.ndarray) -> RecipeBlock:
        """Return rows of one kind as a block; numbers are the pool's: int array, not empty."""
        uses, clips, changes = (self.columns[name] for name in ("uses", "clips", "changes"))
        use, use_counts = self._uses(rows)
        clip = uses["clip"][use].astype(np.int64)
        change, change_counts = self._changes(clip)
        total = len(use) + len(change)
        # an `add` comes before the changes of its clip
        adds = np.arange(len(use)) + offsets(change_counts)[:-1]
        others = np.ones(total, dtype=bool)
        others[adds] = False

        def column(of_clip: np.ndarray, of_change: np.ndarray | float, kind: str) -> np.ndarray:
            out = np.empty(total, dtype=kind)
            out[adds] = of_clip
            out[others] = of_change
            return out

        first = np.zeros(len(use), dtype=bool)
        first[offsets(use_counts)[:-1]] = True
        lengths = column(clips["length_us"][clip], changes["length_us"][change], "f8")
        label = clips["label"][clip]
        row_of_use = np.repeat(np.arange(len(rows)), use_counts)
        return RecipeBlock(
            kind=self.kinds[self.kind_codes[rows[0]]],
            layer_counts=np.bincount(
                row_of_use, weights=change_counts + 1, minlength=len(rows)
            ).astype(np.int32),
            source=column(clips["source"][clip], changes["source"][change], "i4"),
            op=column(np.zeros(len(use)), changes["op"][change], "u1"),
            start_s=column(clips["start_us"][clip], changes["start_us"][change], "f8") / 1e6,
            snr_db=column(np.where(first, np.nan, uses["snr_udb"][use] / 1e6), np.nan, "f8"),
            offset_s=column(uses["offset_us"][use], changes["offset_us"][change], "f8") / 1e6,
            length_s=np.where(lengths == 0, np.nan, lengths / 1e6),
            low_hz=column(np.full(len(use), np.nan), changes["low_hz"][change], "f8"),
            high_hz=column(np.full(len(use), np.nan), changes["high_hz"][change], "f8"),
            seed=column(clips["seed"][clip], changes["seed"][change], "i8"),
            label_counts=np.bincount(row_of_use[label >= 0], minlength=len(rows)),
            label=label[label >= 0],
        )


def _entries(first: np.ndarray, total: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return indices of the entries of some rows, row after row, and how many each has.

    Both int64: shapes (entries,) and (len(rows),). ``first`` says where each row's entries start;
    those of the last end at ``total``.
    """
    if len(rows) == 1:
        row = int(rows[0])
        start, end = int(first[row]), int(first[row + 1]) if row + 1 < len(first) else total
        return np.arange(start, end), np.array([end - start])
    starts = first[rows].astype(np.int64)
    ends = np.full(len(rows), total)
    inner = rows < len(first) - 1
    ends[inner] = first[rows[inner] + 1]
    counts = ends - starts
    return run_indices(starts, counts), counts


def _seconds(microseconds: int) -> float | None:
    return microseconds / 1e6 if microseconds else None
