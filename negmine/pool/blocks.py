"""Recipes as columns: what a pool is built, stored and read in.

A million recipes are a few arrays. Sources of negatives yield blocks of them; the writer hashes,
drops what is there already and stores them, and never holds an object a row.

Rows are ragged: ``layer_counts`` says how many of the layer columns' entries belong to each row, in
order, and ``label_counts`` how many of the labels'. A row's labels are the *mix* of the label sets
it names (see `negmine.recipes.labels.PartialLabels.mix`), so that a mix stores the label sets of
its parts, and costs the same with 24 classes and with 10,000.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, reduce
from itertools import islice
from typing import Generic, TypeVar

import numpy as np

from negmine.pool.ragged import offsets, ragged
from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import OPS, Layer
from negmine.recipes.recipe import ID_BYTES, Recipe
from negmine.recipes.source import Source

# Rows to a block where recipes come one by one.
BLOCK_ROWS = 65_536

Item = TypeVar("Item", bound=Hashable)

_OP_NAMES = {number: name for name, number in OPS.items()}
_NONE = np.iinfo(np.int64).min

# A layer as its recipe's id hashes it: see `negmine.recipes.recipe.layer_record`.
_RECORD = np.dtype(
    [
        ("key", "V16"),
        ("op", "u1"),
        *((name, "<i8") for name in ("start_s", "snr_db", "offset_s", "length_s")),
        *((name, "<i8") for name in ("low_hz", "high_hz", "seed")),
    ]
)
_MICRO = ("start_s", "snr_db", "offset_s", "length_s", "low_hz", "high_hz")


class Numbered(Generic[Item]):
    """Distinct things, numbered in the order in which they came."""

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self.items: list[Item] = []
        self._numbers: dict[Item, int] = {}
        for item in items:
            self.number(item)

    def number(self, item: Item) -> int:
        """Return the number of a thing; the next free one where it is new."""
        found = self._numbers.setdefault(item, len(self.items))
        if found == len(self.items):
            self.items.append(item)
        return found

    def __getitem__(self, number: int) -> Item:
        return self.items[number]

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Tables:
    """What blocks name by number: sources and label sets.

    Numbering a label set hashes all its cells: do it once for each set, not once for each row.
    """

    sources: Numbered[Source] = field(default_factory=Numbered)
    labels: Numbered[PartialLabels] = field(default_factory=Numbered)


@dataclass(frozen=True, eq=False)
class RecipeBlock:
    """n recipes of one kind, with m layers and k label sets in all.

    Attributes
    ----------
    kind : str
    layer_counts : int array, shape (n,)
        Layers of each row, 1 or more.
    source : int32 array, shape (m,)
        Numbers in the tables' sources; -1 for none (``erase``).
    op : uint8 array, shape (m,)
        See `negmine.recipes.recipe.OPS`.
    start_s, snr_db, offset_s, length_s, low_hz, high_hz : float64 arrays, shape (m,)
        As in `negmine.recipes.recipe.Layer`; NaN for none. In whole millionths: see `rounded`.
    seed : int64 array, shape (m,)
        -1 for none.
    label_counts : int array, shape (n,)
        Label sets of each row, 1 or more.
    label : int32 array, shape (k,)
        Numbers in the tables' label sets; a row's labels are the mix of its sets.
    """

    kind: str
    layer_counts: np.ndarray
    source: np.ndarray
    op: np.ndarray
    start_s: np.ndarray
    snr_db: np.ndarray
    offset_s: np.ndarray
    length_s: np.ndarray
    low_hz: np.ndarray
    high_hz: np.ndarray
    seed: np.ndarray
    label_counts: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.layer_counts)

    @cached_property
    def layer_offsets(self) -> np.ndarray:
        """Where each row's layers start: int64, shape (n + 1,)."""
        return offsets(self.layer_counts)

    @cached_property
    def label_offsets(self) -> np.ndarray:
        """Where each row's label sets start: int64, shape (n + 1,)."""
        return offsets(self.label_counts)

    def take(self, rows: np.ndarray) -> RecipeBlock:
        """Return some rows, in the order given: int array, shape (any,)."""
        layers, layer_counts = ragged(self.layer_offsets, rows)
        labels, label_counts = ragged(self.label_offsets, rows)
        columns = {name: getattr(self, name)[layers] for name in LAYER_COLUMNS}
        return replace(
            self,
            layer_counts=layer_counts,
            label_counts=label_counts,
            label=self.label[labels],
            **columns,
        )

    def recipe(self, row: int, tables: Tables, clip_s: float, sample_rate: int) -> Recipe:
        """Return one row as a recipe."""
        first, last = self.layer_offsets[row : row + 2]
        one, other = self.label_offsets[row : row + 2]
        sets = [tables.labels[int(number)] for number in self.label[one:other]]
        return Recipe(
            kind=self.kind,
            layers=tuple(self.layer(i, tables.sources.items) for i in range(first, last)),
            duration_s=clip_s,
            sample_rate=sample_rate,
            labels=reduce(PartialLabels.mix, sets),
        )

    def layer(self, index: int, sources: Sequence[Source]) -> Layer:
        """Return one entry of the layer columns as a layer."""
        values = {
            name: None if np.isnan(value := getattr(self, name)[index]) else float(value)
            for name in _MICRO
        }
        source, seed = int(self.source[index]), int(self.seed[index])
        return Layer(
            source=None if source < 0 else sources[source],
            op=_OP_NAMES[int(self.op[index])],
            seed=None if seed < 0 else seed,
            **values,  # type: ignore[arg-type]
        )


LAYER_COLUMNS = tuple(f.name for f in fields(RecipeBlock) if f.name in Layer.__dataclass_fields__)


def rounded(values: np.ndarray) -> np.ndarray:
    """Round times, ratios and frequencies to whole millionths, as layers hold them; never -0."""
    return np.asarray(np.round(values, 6) + 0.0)


def plain_block(
    kind: str, source: np.ndarray, start_s: np.ndarray, label: np.ndarray
) -> RecipeBlock:
    """Make a block of one clip a row, of one layer and one label set: arrays of shape (n,)."""
    n = len(source)
    none = np.full(n, np.nan)
    return RecipeBlock(
        kind=kind,
        layer_counts=np.ones(n, dtype=np.int32),
        source=np.asarray(source, dtype=np.int32),
        op=np.zeros(n, dtype=np.uint8),
        start_s=rounded(np.asarray(start_s, dtype=np.float64)),
        snr_db=none,
        offset_s=np.zeros(n),
        length_s=none,
        low_hz=none,
        high_hz=none,
        seed=np.full(n, -1, dtype=np.int64),
        label_counts=np.ones(n, dtype=np.int32),
        label=np.asarray(label, dtype=np.int32),
    )


def mixed_block(
    parts: RecipeBlock, picked: np.ndarray, snr_db: np.ndarray, kind: str = "mix"
) -> RecipeBlock:
    """Add rows of a block together: `negmine.recipes.recipe.Recipe.mix` on columns.

    Parameters
    ----------
    parts : RecipeBlock
        What is mixed; its rows may be mixes themselves.
    picked : int array, shape (n, p)
        The parts of each mix, the first of them first; -1 where a mix has fewer than p.
    snr_db : float array, shape (n, p)
        Ratio of the first part over each; that of the first itself is not read.
    kind : str
    """
    used = picked >= 0
    per_mix = used.sum(axis=1)
    rows = picked[used]
    out = parts.take(rows)
    # a part's first component has no ratio of its own: it gets the part's
    shift = np.repeat(rounded(snr_db[used]), out.layer_counts)
    first_of_mix = offsets(per_mix)[:-1]
    keeps = np.zeros(len(rows), dtype=bool)
    keeps[first_of_mix] = True
    added = (out.op == OPS["add"]) & ~np.repeat(keeps, out.layer_counts)
    ratios = np.where(added, rounded(shift + np.nan_to_num(out.snr_db)), out.snr_db)
    return replace(
        out,
        kind=kind,
        snr_db=ratios,
        layer_counts=np.add.reduceat(out.layer_counts, first_of_mix) if len(rows) else per_mix,
        label_counts=np.add.reduceat(out.label_counts, first_of_mix) if len(rows) else per_mix,
    )


def join_blocks(blocks: Sequence[RecipeBlock], kind: str) -> RecipeBlock:
    """Join the rows of several blocks, one after another, as rows of one kind."""
    if len(blocks) == 1:
        return replace(blocks[0], kind=kind)
    columns = [f.name for f in fields(RecipeBlock) if f.name != "kind"]
    return RecipeBlock(
        kind, **{name: np.concatenate([getattr(b, name) for b in blocks]) for name in columns}
    )


def empty_block(kind: str) -> RecipeBlock:
    """Make a block without rows."""
    nothing = np.zeros(0)
    return plain_block(kind, nothing, nothing, nothing)


def block_of(recipes: Sequence[Recipe], tables: Tables) -> RecipeBlock:
    """Put recipes of one kind into columns; number their sources and labels in the tables."""
    layers = [layer for recipe in recipes for layer in recipe.layers]

    def numbers(name: str) -> np.ndarray:
        values = (getattr(layer, name) for layer in layers)
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

    return RecipeBlock(
        kind=recipes[0].kind,
        layer_counts=np.array([len(recipe.layers) for recipe in recipes], dtype=np.int32),
        source=np.array(
            [-1 if la.source is None else tables.sources.number(la.source) for la in layers],
            dtype=np.int32,
        ),
        op=np.array([OPS[layer.op] for layer in layers], dtype=np.uint8),
        seed=np.array([-1 if la.seed is None else la.seed for la in layers], dtype=np.int64),
        label_counts=np.ones(len(recipes), dtype=np.int32),
        label=np.array([tables.labels.number(r.labels) for r in recipes], dtype=np.int32),
        **{name: numbers(name) for name in _MICRO},
    )


def as_blocks(rows: Iterable[Recipe | RecipeBlock], tables: Tables) -> Iterator[RecipeBlock]:
    """Yield rows that come as blocks or one by one as blocks; keep the order."""
    waiting: list[RecipeBlock] = []
    count = 0
    for block in _blocks(rows, tables):
        # small blocks, one a file say, go on as one
        if waiting and (block.kind != waiting[0].kind or count + len(block) > BLOCK_ROWS):
            yield join_blocks(waiting, waiting[0].kind)
            waiting, count = [], 0
        waiting.append(block)
        count += len(block)
    if waiting:
        yield join_blocks(waiting, waiting[0].kind)


def _blocks(rows: Iterable[Recipe | RecipeBlock], tables: Tables) -> Iterator[RecipeBlock]:
    """Yield blocks of one row or more, at most `BLOCK_ROWS`."""
    waiting: list[Recipe] = []
    for row in rows:
        full = len(waiting) >= BLOCK_ROWS
        if waiting and (full or isinstance(row, RecipeBlock) or row.kind != waiting[0].kind):
            yield block_of(waiting, tables)
            waiting = []
        if isinstance(row, RecipeBlock):
            yield from split_block(row)
        else:
            waiting.append(row)
    if waiting:
        yield block_of(waiting, tables)


def split_block(block: RecipeBlock) -> Iterator[RecipeBlock]:
    """Split a block into pieces of at most `BLOCK_ROWS` rows."""
    if len(block) <= BLOCK_ROWS:
        if len(block):
            yield block
        return
    for first in range(0, len(block), BLOCK_ROWS):
        yield block.take(np.arange(first, min(first + BLOCK_ROWS, len(block))))


def block_ids(block: RecipeBlock, tables: Tables, clip_s: float) -> list[bytes]:
    """Return the id of each row: that of `Recipe.id`, as `ID_BYTES` bytes."""
    keys = np.array([source.key for source in tables.sources.items] + [bytes(16)], dtype="V16")
    records = np.zeros(len(block.source), dtype=_RECORD)
    records["key"] = keys[block.source]
    records["op"] = block.op
    for name in _MICRO:
        values = getattr(block, name)
        there = ~np.isnan(values)
        whole = np.full(len(values), _NONE)
        whole[there] = np.rint(values[there] * 1e6).astype(np.int64)
        records[name] = whole
    records["seed"] = np.where(block.seed < 0, _NONE, block.seed)
    head = round(clip_s * 1e6).to_bytes(8, "little", signed=True)
    text, size = records.tobytes(), _RECORD.itemsize
    bounds = (block.layer_offsets * size).tolist()
    started = hashlib.blake2b(head, digest_size=ID_BYTES)
    ids = []
    for first, last in zip(bounds, islice(bounds, 1, None), strict=False):
        hashed = started.copy()
        hashed.update(text[first:last])
        ids.append(hashed.digest())
    return ids
