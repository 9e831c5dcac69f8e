"""Recipes by the million, as columns: what a pool is built, stored and read in.

Every rule of recipes is here once, over columns: what is one (`RecipeColumns.check`), its id, how
several are mixed. A `negmine.recipes.recipe.Recipe` is one row as an object, and asks a table of
one row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any, Self, overload

import numpy as np

from negmine.arrays import (
    AnyEntries,
    AnyRows,
    BoolRows,
    BoolSets,
    ByteRows,
    FloatCells,
    FloatEntries,
    FloatRows,
    IdRows,
    IntCells,
    IntEntries,
    IntRows,
    RowChoice,
)
from negmine.recipes.columns import (
    CHANGE,
    CLIP,
    ID_BYTES,
    NOTHING,
    USE,
    Columns,
    Lists,
    chosen_rows,
    empty,
    length,
    offsets,
    take,
    typed,
)
from negmine.recipes.dictionaries import Dictionaries, Numbered, missing
from negmine.recipes.layer import ADD, OP_NAMES, RULES, Layer, LayerFields, beyond_clip
from negmine.recipes.source import Source

# A row's number.
Number = int | np.integer[Any]

# A layer as ids hash it, in whole millionths, and what stands for none: see `RecipeColumns.ids`.
_MICRO = ("start_us", "snr_udb", "offset_us", "length_us", "low_hz", "high_hz", "seed")
_RECORD = np.dtype([("key", "V16"), ("op", "u1"), *((name, "<i8") for name in _MICRO)])
_NONE = np.iinfo(np.int64).min


class Ids(Sequence[str]):
    """Ids of recipes in hexadecimal, made when asked for.

    Attributes
    ----------
    raw : array of 12-byte records, shape (n,)
    """

    def __init__(self, raw: IdRows) -> None:
        self.raw = raw

    def __len__(self) -> int:
        return len(self.raw)

    @overload
    def __getitem__(self, index: Number) -> str: ...
    @overload
    def __getitem__(self, index: RowChoice) -> Ids: ...
    def __getitem__(self, index: Number | RowChoice) -> str | Ids:
        if isinstance(index, slice | np.ndarray):
            return Ids(self.raw[index])
        return str(self.raw[index].tobytes().hex())

    def __iter__(self) -> Iterator[str]:
        text = self.raw.tobytes().hex()
        width = 2 * ID_BYTES
        return (text[at : at + width] for at in range(0, len(text), width))


@dataclass(frozen=True, eq=False)
class RecipeColumns:
    """n recipes, with u uses of clips in all: `negmine.recipes.columns` has the schema.

    `negmine.recipes.recipe.Recipes` is this, and a sequence of its rows as objects.

    Attributes
    ----------
    dictionaries : Dictionaries
        What the numbers in the columns name.
    kind : uint8 array, shape (n,)
    uses : Lists
        The components of each row, one or more: clip, snr_udb, offset_us.
    known_ids : array of 12-byte records, shape (n,), or None
        Ids that need not be computed.
    """

    dictionaries: Dictionaries
    kind: ByteRows
    uses: Lists
    known_ids: IdRows | None = None

    @classmethod
    def empty(cls, dictionaries: Dictionaries) -> Self:
        """Make a table without rows."""
        none = Lists(np.zeros(1, dtype=np.int64), empty(USE))
        ids = np.zeros(0, dtype=f"V{ID_BYTES}")
        return cls(dictionaries, np.zeros(0, dtype=np.uint8), none, ids)

    @classmethod
    def plain(
        cls,
        dictionaries: Dictionaries,
        kind: str,
        source: IntRows,
        start_s: FloatRows,
        label: IntRows,
        seed: IntRows | int = -1,
    ) -> Self:
        """Make recipes of one span of a source each: arrays of shape (n,), numbers of the two."""
        n, d = len(source), dictionaries
        span = typed(CLIP, n, source=source, start_us=millionths(start_s), label=label, seed=seed)
        clip = d.clips.append(span, Lists(np.zeros(n + 1, dtype=np.int64), empty(CHANGE)))
        kinds = np.full(n, d.kinds.number(kind), dtype=np.uint8)
        return cls(d, kinds, Lists(np.arange(n + 1), typed(USE, n, clip=clip)))

    def __len__(self) -> int:
        return len(self.kind)

    def take(self, index: RowChoice) -> Self:
        """Return the rows that a slice, a mask or numbers choose, in the order given."""
        rows = chosen_rows(index, len(self))
        ids = None if self.known_ids is None else self.known_ids[rows]
        return replace(self, kind=self.kind[rows], uses=self.uses.take(rows), known_ids=ids)

    def of_clips(self, name: str) -> AnyEntries:
        """Return a column of the clips for each use: shape (u,)."""
        return self.dictionaries.clips.columns[name][self.uses.values["clip"]]

    def of_first(self, name: str) -> AnyRows:
        """Return a column of the clips for the first use of each row: shape (n,)."""
        first = self.uses.values["clip"][self.uses.starts[:-1]]
        return self.dictionaries.clips.columns[name][first]

    @property
    def plain_rows(self) -> BoolRows:
        """Which rows are one whole span of a source, unchanged: bool, shape (n,)."""
        clips, first = self.dictionaries.clips, self.uses.starts[:-1]
        whole = (clips.changes.counts == 0) & (clips.columns["length_us"] == 0)
        unmoved = self.uses.values["offset_us"][first] == 0
        return np.asarray(
            (self.uses.counts == 1) & unmoved & whole[self.uses.values["clip"][first]]
        )

    @cached_property
    def labels(self) -> Lists:
        """The label sets of each row, whose mix its labels are: ``label``."""
        label = self.of_clips("label")
        has = label >= 0
        if has.all():
            return Lists(self.uses.starts, {"label": label})
        counts = self.uses.reduce(np.add, has.astype(np.int64))
        if len(self) and counts.min() < 1:
            raise ValueError(f"row {int(np.argmin(counts))}: a row without labels")
        return Lists(offsets(counts), {"label": label[has]})

    @property
    def layers(self) -> Lists:
        """All layers of each row: each clip, as an ``add``, then its changes.

        The columns are those of `negmine.recipes.columns.CHANGE`, and ``snr_udb``, float64, NaN
        for none.
        """
        clips, clip, use = self.dictionaries.clips, self.uses.values["clip"], self.uses.values
        own, changes = clips.take(clip)
        at = np.arange(len(clip)) + changes.starts[:-1]
        rest = np.ones(len(clip) + int(changes.starts[-1]), dtype=bool)
        rest[at] = False
        snr = use["snr_udb"].astype(np.float64)
        snr[self.uses.starts[:-1]] = np.nan
        added = {**NOTHING, "op": ADD, **own, "offset_us": use["offset_us"], "snr_udb": snr}
        layers = {}
        for name, changed in {**changes.values, "snr_udb": np.full(rest.sum(), np.nan)}.items():
            layers[name] = np.empty(len(rest), changed.dtype)
            layers[name][at] = added[name]
            layers[name][rest] = changed
        return Lists(np.append(at, len(rest))[self.uses.starts], layers)

    @cached_property
    def ids(self) -> Ids:
        """The id of each row: hash of what is heard; not of its labels.

        What is hashed, little-endian: the recipe's microseconds, then of each layer 16 bytes of its
        source, its op, and in whole millionths its start, ratio, offset, length and band, its seed;
        -2**63 for none.
        """
        if self.known_ids is not None:
            return Ids(self.known_ids)
        layers = self.layers
        values = layers.values
        records = np.zeros(len(values["op"]), dtype=_RECORD)
        records["key"] = self.dictionaries.keys[values["source"]]
        for name in ("op", "start_us", "offset_us"):
            records[name] = values[name]
        records["length_us"] = np.where(values["length_us"] == 0, _NONE, values["length_us"])
        records["seed"] = np.where(values["seed"] < 0, _NONE, values["seed"])
        records["snr_udb"] = _whole(values["snr_udb"])
        for name in ("low_hz", "high_hz"):
            records[name] = _whole(values[name] * 1e6)
        text, size = records.tobytes(), _RECORD.itemsize
        bounds = (layers.starts * size).tolist()
        head = round(self.dictionaries.clip_s * 1e6).to_bytes(8, "little", signed=True)
        started = hashlib.blake2b(head, digest_size=ID_BYTES)
        ids = []
        for first, last in zip(bounds, islice(bounds, 1, None), strict=False):
            hashed = started.copy()
            hashed.update(text[first:last])
            ids.append(hashed.digest())
        return Ids(np.frombuffer(b"".join(ids), dtype=f"V{ID_BYTES}"))

    def check(self) -> None:
        """Check that every row is a recipe.

        Raises
        ------
        ValueError
            With the first row that is none, and why: a source of negatives has a defect.
        """
        d, uses = self.dictionaries, self.uses
        if len(uses) != len(self) or uses.starts[-1] != length(uses.values):
            raise ValueError("counts do not add up to the columns' lengths")
        if len(self) and uses.counts.min() < 1:
            raise ValueError(f"row {int(np.argmin(uses.counts))}: a row without a component")
        limits = (len(d.kinds), len(d.sources), len(d.labels))
        for _, column in missing({"kind": self.kind}, uses.values, d.clips, *limits):
            raise ValueError(f"{column}: a number that the dictionaries lack")
        _ = self.labels
        layers = self.layers
        values = layers.values
        op, seed, low_hz, high_hz = (values[n] for n in ("op", "seed", "low_hz", "high_hz"))
        fields = LayerFields(
            op=op,
            has_source=values["source"] >= 0,
            is_synthetic=d.synthetic[values["source"]],
            start=values["start_us"],
            offset=values["offset_us"],
            length=values["length_us"],
            low_hz=low_hz,
            high_hz=high_hz,
            has_seed=seed >= 0,
        )
        wrong = np.isinf(low_hz) | np.isinf(high_hz) | (seed < -1)
        for broken, _ in RULES:
            wrong |= broken(fields)
        wrong |= beyond_clip(values["offset_us"] / 1e6, values["length_us"] / 1e6, d.clip_s)
        if wrong.any():
            at = int(np.argmax(wrong))
            row = int(np.searchsorted(layers.starts, at, side="right")) - 1
            try:
                # a layer that is none says why
                next(made_layers(take(values, np.array([at])), d.sources)).check_within(d.clip_s)
            except ValueError as error:
                kind = d.kinds[int(self.kind[row])]
                raise ValueError(f"row {row} of '{kind}': {error}") from error

    def any_source(self, marked: BoolSets) -> BoolRows:
        """Return rows with a layer of a marked source: bool, (n,); the last mark is for none."""
        clips = self.dictionaries.clips
        of_clip = marked[clips.columns["source"]]
        of_clip = of_clip | clips.any_change(marked[clips.changes.values["source"]])
        return self.uses.reduce(np.logical_or, of_clip[self.uses.values["clip"]])

    def mixed(self, picked: IntCells, snr_db: FloatCells, kind: str = "mix") -> Self:
        """Add rows together; labels follow the algebra.

        The components of all are joined, so that a mix of mixes is flat; what changes a component
        stays with it.

        Parameters
        ----------
        picked : int array, shape (n, p)
            The parts of each mix, the first of them first; -1 where a mix has fewer than p.
        snr_db : float array, shape (n, p)
            Ratio of the first component of the first part over that of each; that of the first
            itself is not read.
        kind : str
        """
        used = picked >= 0
        first_of_mix = offsets(used.sum(axis=1))
        out = self.take(picked[used])
        leads = np.zeros(len(out), dtype=bool)
        leads[first_of_mix[:-1]] = True
        # a part's first component has no ratio of its own: it gets the part's
        shift = np.repeat(millionths(np.where(leads, 0.0, snr_db[used])), out.uses.counts)
        ratios = {**out.uses.values, "snr_udb": out.uses.values["snr_udb"] + shift}
        uses = typed(USE, len(shift), **ratios)
        number = self.dictionaries.kinds.number(kind)
        return replace(
            self,
            kind=np.full(len(picked), number, dtype=np.uint8),
            uses=Lists(out.uses.starts[first_of_mix], uses),
            known_ids=None,
        )

    def changed(self, kind: str, label: IntRows, op: int, **columns: AnyRows) -> Self:
        """Change rows of one component once more, with labels of their own.

        Parameters
        ----------
        kind : str
        label : int array, shape (n,)
            Numbers of label sets.
        op : int
            Of the change: see `negmine.recipes.layer.OPS`.
        **columns : arrays of shape (n,)
            Of the change, as `negmine.recipes.columns.CHANGE` has them; what is not given is none.
        """
        d, n = self.dictionaries, len(self)
        clip = self.uses.values["clip"]
        before = d.clips.changes.take(clip)
        added = typed(CHANGE, n, op=op, **columns)
        values = {
            name: np.insert(column, before.starts[1:], added[name])
            for name, column in before.values.items()
        }
        changes = Lists(before.starts + np.arange(n + 1), values)
        own = typed(CLIP, n, **{**take(d.clips.columns, clip), "label": label})
        uses = {**self.uses.values, "clip": d.clips.append(own, changes).astype(np.int32)}
        kinds = np.full(n, d.kinds.number(kind), dtype=np.uint8)
        return replace(self, kind=kinds, uses=Lists(self.uses.starts, uses), known_ids=None)


def made_layers(values: Columns, sources: Numbered[Source]) -> Iterator[Layer]:
    """Yield layers as objects; from Python's own values: each by itself takes ten times it."""
    micro = ("start_us", "offset_us", "length_us", "snr_udb")
    times = ((values[name] / 1e6).tolist() for name in micro)
    rest = (values[name].tolist() for name in ("source", "op", "low_hz", "high_hz", "seed"))
    for start, offset, length_s, snr, source, op, low, high, seed in zip(
        *times, *rest, strict=True
    ):
        yield Layer(
            source=None if source < 0 else sources[source],
            start_s=start,
            snr_db=None if snr != snr else snr,
            op=OP_NAMES[op],
            offset_s=offset,
            length_s=length_s or None,
            low_hz=None if low != low else low,
            high_hz=None if high != high else high,
            seed=None if seed == -1 else seed,
        )


def millionths(values: Any) -> IntEntries:
    """Convert seconds, decibels or hertz to whole millionths: int64.

    Raises
    ------
    ValueError
        If a value is not finite.
    """
    exact = np.asarray(values, dtype=np.float64)
    if not np.isfinite(exact).all():
        raise ValueError("a value that is not finite")
    return np.rint(exact * 1e6).astype(np.int64)


def rounded(values: FloatRows) -> FloatRows:
    """Round times, ratios and frequencies to whole millionths, as layers hold them; never -0."""
    return np.asarray(np.round(values, 6) + 0.0)


def _whole(values: FloatEntries) -> IntEntries:
    """Round to whole numbers, as ids have them: `_NONE` for NaN."""
    none = np.isnan(values)
    return np.where(none, _NONE, np.rint(np.where(none, 0.0, values)).astype(np.int64))
