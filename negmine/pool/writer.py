"""Rows on their way into a pool: hashed, freed of what is there already, and packed.

Memory holds the packed columns, some 50 bytes a row, and one id a row; never an object a row.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from negmine.pool.block_checks import check_block
from negmine.pool.blocks import RecipeBlock, Tables, block_ids
from negmine.pool.columns import CHANGES, CLIPS, TABLES, Columns, column_type, empty_column
from negmine.pool.ragged import offsets
from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import OPS
from negmine.recipes.recipe import ID_BYTES

_CLIP = np.dtype([(name, "<i8") for name in CLIPS if name != "first_change"])
_CHANGE = np.dtype([(name, "<f8" if name.endswith("_hz") else "<i8") for name in CHANGES])


class PoolWriter:
    """Packs the recipes of a pool, or of a part that is added to one.

    Parameters
    ----------
    clip_s : float
    standing : Tables, optional
        The sources and label sets that the pool has already; new ones get the numbers after them.
    ids, calls : iterable of bytes
        The ids of recipes and of calls that the pool has already.
    """

    def __init__(
        self,
        clip_s: float,
        standing: Tables | None = None,
        ids: Iterable[bytes] = (),
        calls: Iterable[bytes] = (),
    ) -> None:
        self.clip_s = clip_s
        self.tables = standing or Tables()
        self.first_source = len(self.tables.sources)
        self.first_label_set = len(self.tables.labels)
        self.kinds: list[str] = []
        self._renumber = _Renumber(self.tables)
        self._recipes = _Packed(self.kinds, set(), frozenset(ids))
        self._calls = _Packed(self.kinds, None)
        self._standing_calls = frozenset(calls)

    def add(self, block: RecipeBlock, tables: Tables) -> int:
        """Add the recipes of a block that are not there yet.

        Parameters
        ----------
        block : RecipeBlock
        tables : Tables
            What the block's numbers name.

        Returns
        -------
        int
            How many rows were new.
        """
        return self._add(self._recipes, block, tables)

    def known(self, block: RecipeBlock, tables: Tables) -> int:
        """Count the rows of a block that the pool has already, apart from what is being added."""
        if not self._recipes.standing:
            return 0
        return sum(one in self._recipes.standing for one in block_ids(block, tables, self.clip_s))

    def add_calls(self, block: RecipeBlock, tables: Tables) -> int:
        """Add confirmed calls; two alike may follow one another, if they come together."""
        if self._standing_calls:
            ids = block_ids(block, tables, self.clip_s)
            new = [row for row, name in enumerate(ids) if name not in self._standing_calls]
            block = block.take(np.array(new, dtype=np.int64))
        return self._add(self._calls, block, tables)

    def close_calls(self) -> None:
        """Close the calls added so far: later ones that equal them are left out."""
        ids = self._calls.columns()["rows"]["id"]
        self._standing_calls |= {one.tobytes() for one in ids}

    def _add(self, packed: _Packed, block: RecipeBlock, tables: Tables) -> int:
        check_block(block, tables, self.clip_s)
        ids = block_ids(block, tables, self.clip_s)
        fresh = packed.fresh(ids)
        if len(fresh) < len(block):
            block, ids = block.take(fresh), [ids[row] for row in fresh]
        if len(block):
            packed.add(self._renumber.block(block, tables), ids)
        return len(block)

    def __len__(self) -> int:
        return self._recipes.rows

    @property
    def counts(self) -> dict[str, int]:
        """Recipes of each kind, by name."""
        return dict(sorted(self._recipes.counts.items()))

    @property
    def call_count(self) -> int:
        return self._calls.rows

    def digest(self, after: str = "") -> str:
        """Hash of all rows, their labels and calls, on top of what stood before."""
        sets = np.array([_set_digest(labels) for labels in self.tables.labels.items], dtype="V16")
        digest = hashlib.blake2b(after.encode(), digest_size=16)
        for packed in (self._recipes, self._calls):
            digest.update(packed.digest(sets))
        return digest.hexdigest()

    def columns(self) -> tuple[Columns, Columns]:
        """Return the packed recipes and calls."""
        return self._recipes.columns(), self._calls.columns()


class _Renumber:
    """From the numbers of a builder's tables to those of the pool, in order of first use."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._maps: dict[int, tuple[Tables, np.ndarray, np.ndarray]] = {}

    def block(self, block: RecipeBlock, tables: Tables) -> RecipeBlock:
        nothing = np.zeros(0, dtype=np.int32)
        _, sources, labels = self._maps.get(id(tables), (tables, nothing, nothing))
        sources = _extended(sources, len(tables.sources))
        labels = _extended(labels, len(tables.labels))
        for number in _unknown(block.source[block.source >= 0], sources):
            sources[number] = self._tables.sources.number(tables.sources[number])
        for number in _unknown(block.label, labels):
            labels[number] = self._tables.labels.number(tables.labels[number])
        # the tables are kept, so that no other's id can be theirs
        self._maps[id(tables)] = (tables, sources, labels)
        named = np.append(sources, np.int32(-1))
        return replace(block, source=named[block.source], label=labels[block.label])


def _extended(numbers: np.ndarray, length: int) -> np.ndarray:
    return np.concatenate([numbers, np.full(length - len(numbers), -1, dtype=np.int32)])


def _unknown(used: np.ndarray, numbers: np.ndarray) -> list[int]:
    """Return the numbers without a translation, in order of first use."""
    values, first = np.unique(used, return_index=True)
    missing = numbers[values] < 0
    ordered = values[missing][np.argsort(first[missing])]
    return [int(value) for value in ordered]


@dataclass
class _Packed:
    """Columns of one table of recipes, block after block."""

    kinds: list[str]
    ids: set[bytes] | None
    standing: frozenset[bytes] = frozenset()
    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._parts: dict[str, dict[str, list[np.ndarray]]] = {
            name: {column: [] for column in schema} for name, schema in TABLES.items()
        }
        self._clips: dict[bytes, int] = {}
        self._uses = self._changes = 0

    def fresh(self, ids: list[bytes]) -> np.ndarray:
        """Return the rows whose ids are new; count them as known from now on."""
        if self.ids is None:
            return np.arange(len(ids))
        fresh = []
        for row, name in enumerate(ids):
            if name not in self.ids and name not in self.standing:
                self.ids.add(name)
                fresh.append(row)
        return np.array(fresh, dtype=np.int64)

    def add(self, block: RecipeBlock, ids: list[bytes]) -> None:
        """Pack a block whose numbers are those of the pool."""
        if block.kind not in self.kinds:
            self.kinds.append(block.kind)
        n, adds = len(block), np.flatnonzero(block.op == OPS["add"])
        rows_of = np.repeat(np.arange(n), block.layer_counts)
        uses_per_row = np.bincount(rows_of[adds], minlength=n)
        clips = self._clip_numbers(block, adds, uses_per_row)
        self._keep(
            "rows",
            id=np.frombuffer(b"".join(ids), dtype=f"V{ID_BYTES}"),
            kind=np.full(n, self.kinds.index(block.kind), dtype=np.uint8),
            first_use=self._uses + offsets(uses_per_row)[:-1],
        )
        self._keep(
            "uses",
            clip=clips,
            snr_udb=_millionths(block.snr_db[adds], 0),
            offset_us=_millionths(block.offset_s[adds], 0),
        )
        self.rows += n
        self._uses += len(adds)
        self.counts[block.kind] += n

    def _clip_numbers(
        self, block: RecipeBlock, adds: np.ndarray, uses_per_row: np.ndarray
    ) -> np.ndarray:
        """Give each component's clip a number; keep clips not seen before."""
        clip = np.zeros(len(adds), dtype=_CLIP)
        clip["source"] = block.source[adds]
        clip["start_us"] = _millionths(block.start_s[adds], 0)
        clip["length_us"] = _millionths(block.length_s[adds], 0)
        clip["seed"] = block.seed[adds]
        # a row's label sets are on its first components, in order
        clip["label"] = -1
        first_use = offsets(uses_per_row)[:-1]
        within = np.arange(len(block.label)) - np.repeat(
            block.label_offsets[:-1], block.label_counts
        )
        clip["label"][np.repeat(first_use, block.label_counts) + within] = block.label
        changes = np.diff(np.append(adds, len(block.op))) - 1
        change = np.zeros(int(changes.sum()), dtype=_CHANGE)
        at = np.flatnonzero(block.op != OPS["add"])
        for name in ("op", "source", "low_hz", "high_hz", "seed"):
            change[name] = getattr(block, name)[at]
        for name in ("start", "offset", "length"):
            change[f"{name}_us"] = _millionths(getattr(block, f"{name}_s")[at], 0)
        first_change = offsets(changes)
        keys = _keys(clip, change, first_change)
        known, numbers, new = self._clips, np.empty(len(clip), dtype=np.int32), []
        for index, key in enumerate(keys):
            number = known.get(key)
            if number is None:
                known[key] = number = len(known)
                new.append(index)
            numbers[index] = number
        fresh = np.array(new, dtype=np.int64)
        kept = changes[fresh]
        self._keep(
            "clips",
            first_change=self._changes + offsets(kept)[:-1],
            **{name: clip[name][fresh] for name in _CLIP.names or ()},
        )
        if kept.any():
            taken = np.repeat(first_change[fresh] - offsets(kept)[:-1], kept)
            taken += np.arange(len(taken))
            self._keep("changes", **{name: change[name][taken] for name in CHANGES})
            self._changes += len(taken)
        return numbers

    def _keep(self, table: str, **columns: np.ndarray) -> None:
        for name, kind in TABLES[table].items():
            self._parts[table][name].append(columns[name].astype(column_type(kind), copy=False))

    def columns(self) -> Columns:
        """Return all columns, each in one piece."""
        for table, columns in self._parts.items():
            for name, pieces in columns.items():
                nothing = empty_column(TABLES[table][name])
                # kept as one piece: the columns of a large pool are not held twice
                pieces[:] = [np.concatenate([nothing, *pieces])]
        return {
            table: {name: pieces[0] for name, pieces in columns.items()}
            for table, columns in self._parts.items()
        }

    def digest(self, sets: np.ndarray) -> bytes:
        """Hash of ids and labels, in order, however they came in blocks."""
        columns = self.columns()
        digest = hashlib.blake2b(digest_size=16)
        digest.update(np.ascontiguousarray(columns["rows"]["id"]).tobytes())
        labels = columns["clips"]["label"][columns["uses"]["clip"]]
        digest.update(np.diff(columns["rows"]["first_use"], append=len(labels)).tobytes())
        for first in range(0, len(labels), 1 << 20):
            numbers = labels[first : first + (1 << 20)]
            digest.update(np.append(sets, np.zeros(1, dtype="V16"))[numbers].tobytes())
        return digest.digest()


def _keys(clip: np.ndarray, change: np.ndarray, first_change: np.ndarray) -> Iterator[bytes]:
    """Yield a key for each clip: its own record, and those of its changes."""
    text, size = clip.tobytes(), clip.itemsize
    if not len(change):
        yield from (text[at : at + size] for at in range(0, len(text), size))
        return
    changes, width = change.tobytes(), change.itemsize
    bounds = (first_change * width).tolist()
    for index in range(len(clip)):
        own = text[index * size : (index + 1) * size]
        yield own + changes[bounds[index] : bounds[index + 1]]


def _millionths(values: np.ndarray, none: int) -> np.ndarray:
    """Convert times and ratios to whole millionths: int64; ``none`` for NaN."""
    return np.asarray(np.where(np.isnan(values), none, np.rint(np.nan_to_num(values) * 1e6)), "i8")


def _set_digest(labels: PartialLabels) -> bytes:
    absent = [(c, a.certificate.value, a.confidence) for c, a in sorted(labels.absent.items())]
    text = json.dumps([sorted(labels.present), absent])
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
