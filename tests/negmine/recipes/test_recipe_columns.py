"""Recipes as columns say the same as recipes one by one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pools import write_pool

from negmine.pool import open_pool
from negmine.recipes.certificates import MIN_CONFIDENCE, Absence, Certificate
from negmine.recipes.columns import Lists
from negmine.recipes.dictionaries import ClipDictionary, Dictionaries
from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import Layer
from negmine.recipes.recipe import Recipe, Recipes, blocks_of, join_recipes
from negmine.recipes.source import Source, synthetic_source

CLIP_S = 2.0
FILES = [Source(Path("/x"), f"{n}.wav", f"{n}" * 32, 60.0, f"g{n}") for n in "abcd"]

times = st.floats(0, 50)
ratios = st.floats(-60, 60)
labels = st.sampled_from(
    [
        PartialLabels.certified("pq", Certificate.EXTERNAL, 0.9),
        PartialLabels.certified("p", Certificate.VERIFIED),
        PartialLabels(frozenset("r")),
        PartialLabels(),
    ]
)


@st.composite
def components(draw: st.DrawFn) -> list[Layer]:
    """An add and what changes it."""
    if draw(st.booleans()):
        first, start_s = draw(st.sampled_from(FILES)), draw(times)
        layers = [Layer(first, start_s, offset_s=draw(st.sampled_from([0.0, 0.75])))]
    else:
        layers = [Layer(synthetic_source("rain"), seed=draw(st.integers(0, 2**63 - 1)))]
    for op in draw(st.lists(st.sampled_from(["insert", "erase", "band"]), max_size=3)):
        source = None if op == "erase" else draw(st.sampled_from(FILES))
        if op == "insert":
            layers.append(Layer(source, draw(times), op=op, offset_s=0.5, length_s=0.75))
        else:
            start_s = 0.0 if source is None else draw(times)
            layers.append(Layer(source, start_s, op=op, low_hz=draw(times), high_hz=900.0))
    return layers


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    parts = draw(st.lists(components(), min_size=1, max_size=3))
    layers = parts[0]
    for part in parts[1:]:
        layers = [*layers, replace(part[0], snr_db=draw(ratios)), *part[1:]]
    return Recipe("mix", tuple(layers), CLIP_S, 8000, draw(labels))


def dictionaries() -> Dictionaries:
    return Dictionaries(CLIP_S, 8000)


some = st.lists(recipes(), min_size=1, max_size=6)


def slow_id(recipe: Recipe) -> str:
    """The id, field by field: what is heard, in whole millionths, and no more."""

    def whole(value: float | None) -> bytes:
        number = -(2**63) if value is None else round(value * 1e6)
        return number.to_bytes(8, "little", signed=True)

    text = whole(recipe.duration_s)
    for la in recipe.layers:
        text += bytes(16) if la.source is None else la.source.key
        text += bytes([["add", "insert", "erase", "band"].index(la.op)])
        for value in (la.start_s, la.snr_db, la.offset_s, la.length_s, la.low_hz, la.high_hz):
            text += whole(value)
        text += (-(2**63) if la.seed is None else la.seed).to_bytes(8, "little", signed=True)
    return hashlib.blake2b(text, digest_size=12).hexdigest()


def slow_mix(one: Recipe, other: Recipe, snr_db: float) -> Recipe:
    """Layers of both, one after another; labels class by class."""
    added = [
        replace(la, snr_db=round(round(snr_db, 6) + (la.snr_db or 0.0), 6))
        if la.op == "add"
        else la
        for la in other.layers
    ]
    absent = {}
    for name, absence in one.labels.absent.items():
        if name in other.labels.absent:
            sure = absence.confidence * other.labels.absent[name].confidence
            if sure >= MIN_CONFIDENCE:
                absent[name] = Absence(Certificate.MIXED, sure)
    known = PartialLabels(one.labels.present | other.labels.present, absent)
    return Recipe("mix", (*one.layers, *added), one.duration_s, one.sample_rate, known)


@given(some)
def test_columns_give_back_the_recipes_and_their_ids(rows: list[Recipe]) -> None:
    table = Recipes.of(rows)
    table.check()
    assert list(table) == rows
    assert [table[row] for row in range(len(rows))] == rows
    assert list(table.ids) == [row.id for row in rows] == [slow_id(row) for row in rows]


@given(some, st.data())
def test_rows_are_taken_and_joined_as_lists_are(rows: list[Recipe], data: st.DataObject) -> None:
    table = Recipes.of(rows)
    picked = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8))
    taken = table[np.array(picked, dtype=np.int64)]
    assert list(taken) == [rows[i] for i in picked]
    joined = join_recipes([table, taken])
    assert list(joined) == [*rows, *(rows[i] for i in picked)]
    assert list(table[1:3]) == rows[1:3]
    assert list(table[table.plain_rows]) == [
        row for row in rows if row.layers == (replace(row.layers[0], offset_s=0.0),)
    ]
    assert table[-1] == rows[-1]


@pytest.mark.parametrize("index", [[-1], [2], [True]])
def test_rows_that_are_not_there_are_refused(index: list[int]) -> None:
    with pytest.raises(IndexError):
        Recipes.of([Recipe("fp", (Layer(FILES[0]),), CLIP_S, 8000, PartialLabels())] * 2)[
            np.array(index)
        ]


@given(some, st.data())
def test_mixing_columns_is_mixing_recipes(rows: list[Recipe], data: st.DataObject) -> None:
    table = Recipes.of(rows)
    pick = st.integers(0, len(rows) - 1)
    mixes = data.draw(st.lists(st.tuples(pick, pick, st.one_of(st.just(-1), pick)), max_size=5))
    snr_db = data.draw(
        st.lists(st.tuples(ratios, ratios, ratios), min_size=len(mixes), max_size=len(mixes))
    )
    picked = np.array(mixes, dtype=np.int64).reshape(-1, 3)
    found = table.mixed(picked, np.array(snr_db).reshape(-1, 3))
    found.check()
    wanted = []
    for numbers, levels in zip(mixes, snr_db, strict=True):
        mix = rows[numbers[0]]
        for number, level in zip(numbers[1:], levels[1:], strict=True):
            if number >= 0:
                assert mix.mix(rows[number], level) == slow_mix(mix, rows[number], level)
                mix = slow_mix(mix, rows[number], level)
        wanted.append(mix)
    assert list(found) == wanted


@given(some, st.data())
def test_changing_columns_adds_a_layer_to_each_recipe(
    rows: list[Recipe], data: st.DataObject
) -> None:
    rows = [row for row in rows if len(row.components) == 1]
    if not rows:
        return
    table = Recipes.of(rows)
    label = table.dictionaries.labels.number(PartialLabels(frozenset("q")))
    n = len(rows)
    found = table.changed(
        "erase", np.full(n, label), 2, low_hz=np.full(n, 1.5), high_hz=np.full(n, 9.0)
    )
    found.check()
    layer = Layer(None, op="erase", low_hz=1.5, high_hz=9.0)
    known = PartialLabels(frozenset("q"))
    assert list(found) == [
        replace(row, kind="erase", layers=(*row.layers, layer), labels=known) for row in rows
    ]
    assert list(table) == rows


@given(some)
def test_order_stays_however_rows_come(rows: list[Recipe]) -> None:
    d = dictionaries()
    blocks = blocks_of([rows[0], Recipes.of(rows, d), *rows[1:], Recipes.of(rows)], d)
    assert [r for block in blocks for r in block] == [rows[0], *rows, *rows[1:], *rows]


def test_large_tables_come_in_pieces() -> None:
    d = dictionaries()
    number = d.sources.number(FILES[0])
    label = d.labels.number(PartialLabels.certified("p", Certificate.EXTERNAL))
    n = 150_000
    table = Recipes.plain(
        d, "external", np.full(n, number), np.arange(n, dtype=float) * 0.1, np.full(n, label)
    )
    pieces = list(table.blocks())
    assert [len(piece) for piece in pieces] == [65_536, 65_536, 18_928]
    starts = np.concatenate([piece.of_first("start_us") for piece in pieces])
    assert np.array_equal(starts, np.arange(n) * 100_000)
    assert list(Recipes.empty(d).blocks()) == []
    assert list(blocks_of([Recipes.empty(d)], d)) == []


def test_every_op_survives_a_pool_on_disk(tmp_path: Path) -> None:
    layers = (
        Layer(FILES[0], 1.5),
        Layer(FILES[1], 2.25, op="insert", offset_s=0.5, length_s=0.75),
        Layer(None, op="erase", low_hz=100.5, high_hz=900),
        Layer(synthetic_source("pink"), snr_db=-3.25, seed=2**63 - 1),
        Layer(FILES[2], 3.0, op="band", low_hz=0, high_hz=1000.0),
    )
    rows = [
        Recipe("mix", layers, CLIP_S, 8000, PartialLabels.certified("pq", Certificate.MIXED, 0.5)),
        Recipe("mix", layers[:2], CLIP_S, 8000, PartialLabels(frozenset("p"))),
    ]
    write_pool(
        tmp_path / "pool", classes=["p", "q"], clip_s=CLIP_S, sample_rate=8000,
        roots={"x": Path("/x")}, recipes=rows, settings={},
    )  # fmt: skip
    pool = open_pool(tmp_path / "pool")
    assert list(pool) == rows
    assert list(pool.recipes.ids) == [row.id for row in rows]


BAD_CLIPS = [
    ("source", 99, "source: a number that the dictionaries lack"),
    ("source", -1, "source: a number that the dictionaries lack"),
    ("start_us", -1, "start_s -1e-06 or offset_s 0 is negative"),
    ("length_us", -1, "length_s -1e-06 is not above 0"),
    ("length_us", 2_500_000, "reaches beyond the clip of 2 s"),
    ("seed", 3, "generated sound has a seed"),
    ("seed", -5, "seed -5 is outside"),
    ("label", 7, "label: a number that the dictionaries lack"),
    ("label", -1, "a row without labels"),
]
BAD_CHANGES = [
    ("op", 0, "op: a number that the dictionaries lack"),
    ("op", 3, "every layer has a source, but for 'erase'"),
    ("op", 9, "op: a number that the dictionaries lack"),
    ("source", 0, "every layer has a source, but for 'erase'"),
    ("offset_us", 5, "'erase' acts on the whole clip"),
    ("length_us", 5, "'erase' acts on the whole clip"),
    ("low_hz", np.nan, "need low_hz and high_hz"),
    ("low_hz", 900.0, "no band from 900 to 900 Hz"),
    ("high_hz", np.inf, "a layer's high_hz is inf"),
]


def good() -> Recipes:
    erased = Layer(None, op="erase", low_hz=100.0, high_hz=900.0)
    rows = [
        Recipe("erase", (Layer(FILES[0], float(n)), erased), CLIP_S, 8000, PartialLabels())
        for n in range(3)
    ]
    table = Recipes.of(rows)
    table.check()
    return table


def spoiled(columns: Mapping[str, np.ndarray], column: str, value: float) -> dict[str, np.ndarray]:
    changed = columns[column].copy()
    changed[1] = value
    return {**columns, column: changed}


@pytest.mark.parametrize(
    ("changes", "column", "value", "message"),
    [*((False, *bad) for bad in BAD_CLIPS), *((True, *bad) for bad in BAD_CHANGES)],
)
def test_a_row_that_is_no_recipe_is_refused(
    changes: bool, column: str, value: float, message: str
) -> None:
    table = good()
    clips = table.dictionaries.clips
    if changes:
        values = spoiled(clips.changes.values, column, value)
        wrong = ClipDictionary(clips.columns, Lists(clips.changes.starts, values))
    else:
        wrong = ClipDictionary(spoiled(clips.columns, column, value), clips.changes)
    with pytest.raises(ValueError, match=message):
        replace(table, dictionaries=replace(table.dictionaries, clips=wrong)).check()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("clip", 3, "clip: a number that the dictionaries lack"),
        ("clip", -1, "clip: a number that the dictionaries lack"),
        ("offset_us", -1, "row 1 of 'erase': start_s 1 or offset_s -1e-06 is negative"),
        ("offset_us", 2_000_000, "row 1 of 'erase': .* reaches beyond the clip of 2 s"),
    ],
)
def test_a_use_of_what_is_not_there_is_refused(column: str, value: int, message: str) -> None:
    table = good()
    uses = Lists(table.uses.starts, spoiled(table.uses.values, column, value))
    with pytest.raises(ValueError, match=message):
        replace(table, uses=uses).check()


def test_rows_and_columns_of_different_lengths_are_refused() -> None:
    table = good()
    for starts in ([0, 1, 2], [0, 1, 2, 4]):
        with pytest.raises(ValueError, match="counts do not add up"):
            replace(table, uses=Lists(np.array(starts), table.uses.values)).check()
    with pytest.raises(ValueError, match="row 1: a row without a component"):
        replace(table, uses=Lists(np.array([0, 1, 1, 3]), table.uses.values)).check()


def test_what_columns_cannot_hold_is_refused() -> None:
    one = Recipe("fp", (Layer(FILES[0]),), 9000.0, 8000, PartialLabels())
    with pytest.raises(ValueError, match="offset_us is beyond what recipes hold"):
        _ = replace(one, layers=(Layer(FILES[0], offset_s=3000.0),)).id
    with pytest.raises(ValueError, match="snr_udb is beyond what recipes hold"):
        one.mix(one, 3000.0)
    with pytest.raises(ValueError, match="not finite"):
        one.mix(one, float("nan"))
    d = dictionaries()
    with pytest.raises(ValueError, match="not finite"):
        Recipes.plain(d, "fp", np.zeros(1, int), np.array([np.inf]), np.zeros(1, int))
