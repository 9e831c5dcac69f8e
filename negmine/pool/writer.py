"""Rows on their way into a pool: hashed, freed of what is there already, and packed.

Memory holds the packed columns, some 50 bytes a row, and one id a row; never an object a row.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from negmine.arrays import AnyEntries, AnyRows, IdRows, IntEntries, IntRows, KeySets
from negmine.recipes.columns import ID_BYTES, USE, Columns, Lists, empty, length, offsets, take
from negmine.recipes.dictionaries import ClipDictionary, Dictionaries, Item, Numbered
from negmine.recipes.labels import PartialLabels
from negmine.recipes.recipe import Recipe, Recipes, blocks_of
from negmine.recipes.source import Source

Rows = Iterable[Recipe | Recipes]


class PoolWriter:
    """Packs the recipes of a pool, or of a part that is added to one.

    Parameters
    ----------
    clip_s : float
    sample_rate : int
        Hz.
    sources, labels : sequence, optional
        The sources and label sets that the pool has already; new ones get the numbers after them.
    ids, calls : iterable of bytes
        The ids of recipes and of calls that the pool has already.
    """

    def __init__(
        self,
        clip_s: float,
        sample_rate: int,
        *,
        sources: Sequence[Source] = (),
        labels: Sequence[PartialLabels] = (),
        ids: Iterable[bytes] = (),
        calls: Iterable[bytes] = (),
    ) -> None:
        self.clip_s, self.sample_rate = clip_s, sample_rate
        self.sources, self.labels, self.kinds = Numbered(sources), Numbered(labels), Numbered[str]()
        self.first_source, self.first_label_set = len(sources), len(labels)
        # what both share, and the clips of each
        shared = Dictionaries(clip_s, sample_rate, self.sources, self.labels, self.kinds)
        self._recipes = _Packed(shared)
        self._calls = _Packed(replace(shared, clips=ClipDictionary()))
        self._ids = set[bytes]()
        self._standing, self._standing_calls = frozenset(ids), frozenset(calls)

    @property
    def new_sources(self) -> list[Source]:
        """The sources that the pool does not have yet."""
        return [self.sources[n] for n in range(self.first_source, len(self.sources))]

    @property
    def new_labels(self) -> list[PartialLabels]:
        """The label sets that the pool does not have yet."""
        return [self.labels[n] for n in range(self.first_label_set, len(self.labels))]

    def add(self, block: Recipes) -> int:
        """Add the recipes of a block that are not there yet; return how many were new."""
        block.check()
        fresh = []
        for row, one in enumerate(_bytes(block.ids.raw)):
            if one not in self._ids and one not in self._standing:
                self._ids.add(one)
                fresh.append(row)
        return self._recipes.add(block, np.array(fresh, dtype=np.int64))

    def known(self, block: Recipes) -> int:
        """Count the rows of a block that the pool has already, apart from what is being added."""
        if not self._standing:
            return 0
        return sum(one in self._standing for one in _bytes(block.ids.raw))

    def add_calls(self, block: Recipes) -> int:
        """Add confirmed calls; two alike may follow one another, if they come together."""
        block.check()
        ids = _bytes(block.ids.raw)
        fresh = [row for row, one in enumerate(ids) if one not in self._standing_calls]
        return self._calls.add(block, np.array(fresh, dtype=np.int64))

    def close_calls(self) -> None:
        """Close the calls added so far: later ones that equal them are left out."""
        self._standing_calls |= set(_bytes(self._calls.table().ids.raw))

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
        sets = np.array([*map(_set_digest, self.labels), bytes(16)], dtype="V16")
        digest = hashlib.blake2b(after.encode(), digest_size=16)
        for table in self.tables():
            digest.update(_table_digest(table, sets))
        return digest.hexdigest()

    def tables(self) -> tuple[Recipes, Recipes]:
        """Return the packed recipes and calls."""
        return self._recipes.table(), self._calls.table()


def add_rows(writer: PoolWriter, recipes: Rows, calls: Rows = ()) -> None:
    """Pack recipes and calls that come in any form."""
    dictionaries = Dictionaries(writer.clip_s, writer.sample_rate)
    for block in blocks_of(recipes, dictionaries):
        writer.add(block)
    for block in blocks_of(calls, dictionaries):
        writer.add_calls(block)


def _bytes(raw: IdRows) -> list[bytes]:
    return [one.tobytes() for one in raw]


class _Packed:
    """One table of recipes, block after block, in dictionaries of the pool's own."""

    def __init__(self, dictionaries: Dictionaries) -> None:
        self.rows = 0
        self.counts: Counter[str] = Counter()
        self._to = dictionaries
        self._pieces: dict[str, list[AnyRows]] = {
            "id": [np.zeros(0, dtype=f"V{ID_BYTES}")],
            "kind": [np.zeros(0, dtype=np.uint8)],
            "uses": [np.zeros(0, dtype=np.int32)],
            **{name: [values] for name, values in empty(USE).items()},
        }
        self._numbers: dict[bytes, int] = {}
        # by source of rows: its dictionaries, kept so that no other's id can be theirs, and numbers
        self._maps: dict[int, tuple[Dictionaries, dict[str, IntEntries]]] = {}

    def add(self, block: Recipes, rows: IntRows) -> int:
        """Pack some rows of a block; return how many."""
        if not len(rows):
            return 0
        ids = block.ids.raw[rows]
        block = block[rows]
        given = block.dictionaries
        _, maps = self._maps.setdefault(id(given), (given, {}))
        kind = _translated(maps, "kinds", block.kind, given.kinds, self._to.kinds)
        clip = self._clips(maps, block)
        packed = {
            **block.uses.values,
            "clip": clip,
            "id": ids,
            "kind": kind.astype(np.uint8),
            "uses": block.uses.counts.astype(np.int32),
        }
        for name, pieces in self._pieces.items():
            pieces.append(packed[name])
        self.rows += len(block)
        for number in np.unique(kind).tolist():
            self.counts[self._to.kinds[number]] += int((kind == number).sum())
        return len(block)

    def _clips(self, maps: dict[str, IntEntries], block: Recipes) -> IntEntries:
        """Return the pool's numbers of a block's clips, of which some may be new."""
        given, used = block.dictionaries, block.uses.values["clip"]
        numbers = maps["clips"] = _extended(maps.get("clips"), len(given.clips))
        new = _unknown(used, numbers)
        columns, changes = given.clips.take(new)
        # sources in the order in which layers name them: each clip's own, then its changes'
        own, changed = columns["source"], changes.values["source"]
        sources = np.insert(changed, changes.starts[:-1], own)
        _translated(maps, "sources", sources, given.sources, self._to.sources)

        def named(table: Columns) -> dict[str, AnyEntries]:
            return {**table, "source": maps["sources"][table["source"]].astype(np.int32)}

        label = _translated(maps, "labels", columns["label"], given.labels, self._to.labels)
        columns = {**named(columns), "label": label.astype(np.int32)}
        changes = Lists(changes.starts, named(changes.values))
        # one clip may be there twice under two numbers, or come from another dictionary
        known, first = self._numbers, len(self._numbers)
        found, fresh = [], list[int]()
        for index, key in enumerate(_keys(columns, changes)):
            found.append(number := known.setdefault(key, len(known)))
            if number == first + len(fresh):
                fresh.append(index)
        at = np.array(fresh, dtype=np.int64)
        self._to.clips.append(take(columns, at), changes.take(at))
        numbers[new] = found
        return numbers[used].astype(np.int32)

    def table(self) -> Recipes:
        """Return all rows in one piece."""
        for pieces in self._pieces.values():
            # column by column, and kept as one piece: those of a large pool are not held twice
            pieces[:] = [np.concatenate(pieces)]
        columns = {name: pieces[0] for name, pieces in self._pieces.items()}
        uses = Lists(offsets(columns["uses"]), {name: columns[name] for name in empty(USE)})
        return Recipes(self._to, columns["kind"], uses, columns["id"])


def _keys(columns: Columns, changes: Lists) -> Iterator[bytes]:
    """Yield the bytes of each clip, and of its changes."""
    text, size = _records(columns)
    if not length(changes.values):
        yield from (text[at : at + size] for at in range(0, len(text), size))
        return
    changed, width = _records(changes.values)
    bounds = (changes.starts * width).tolist()
    for index in range(len(changes)):
        yield text[index * size : (index + 1) * size] + changed[bounds[index] : bounds[index + 1]]


def _records(columns: Columns) -> tuple[bytes, int]:
    """Return columns as one record an entry, and the bytes of each."""
    kinds = [(name, values.dtype) for name, values in columns.items()]
    out = np.zeros(length(columns), dtype=kinds)
    for name in columns:
        out[name] = columns[name]
    return out.tobytes(), out.itemsize


def _translated(
    maps: dict[str, IntEntries],
    name: str,
    used: AnyEntries,
    given: Numbered[Item],
    to: Numbered[Item],
) -> IntEntries:
    """Return numbers in one dictionary as those in another; new ones in order of first use.

    -1 stays -1: the last entry of a map is for it.
    """
    numbers = maps[name] = _extended(maps.get(name), len(given) + 1)
    for number in _unknown(used[used >= 0], numbers).tolist():
        numbers[number] = to.number(given[number])
    return np.asarray(numbers[used])


def _extended(numbers: IntEntries | None, length: int) -> IntEntries:
    known = np.zeros(0, dtype=np.int64) if numbers is None else numbers
    return np.concatenate([known, np.full(length - len(known), -1)])


def _unknown(used: AnyEntries, numbers: IntEntries) -> IntEntries:
    """Return the numbers without a translation, in order of first use."""
    values, first = np.unique(used, return_index=True)
    missing = numbers[values] < 0
    return np.asarray(values[missing][np.argsort(first[missing])])


def _table_digest(table: Recipes, sets: KeySets) -> bytes:
    """Hash of ids and labels, in order, however they came in blocks."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(np.ascontiguousarray(table.ids.raw).tobytes())
    digest.update(table.uses.counts.tobytes())
    labels = table.of_clips("label")
    for first in range(0, len(labels), 1 << 20):
        digest.update(sets[labels[first : first + (1 << 20)]].tobytes())
    return digest.digest()


def _set_digest(labels: PartialLabels) -> bytes:
    absent = [(c, a.certificate.value, a.confidence) for c, a in sorted(labels.absent.items())]
    text = json.dumps([sorted(labels.present), absent])
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
