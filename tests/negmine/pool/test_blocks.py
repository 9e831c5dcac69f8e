"""Recipes as columns say the same as recipes one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pools import write_pool

from negmine.pool import open_pool
from negmine.pool.block_checks import check_block
from negmine.pool.blocks import (
    RecipeBlock,
    Tables,
    as_blocks,
    block_ids,
    block_of,
    empty_block,
    join_blocks,
    mixed_block,
    plain_block,
    split_block,
)
from negmine.recipes.labels import Certificate, PartialLabels
from negmine.recipes.layer import Layer
from negmine.recipes.recipe import Recipe
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
        source, start_s = draw(st.sampled_from(FILES)), draw(times)
        layers = [Layer(source, start_s, offset_s=draw(st.sampled_from([0.0, 0.75])))]
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


def listed(block: RecipeBlock, tables: Tables) -> list[Recipe]:
    return [block.recipe(row, tables, CLIP_S, 8000) for row in range(len(block))]


some = st.lists(recipes(), min_size=1, max_size=6)


@given(some)
def test_columns_give_back_the_recipes_and_their_ids(rows: list[Recipe]) -> None:
    tables = Tables()
    block = block_of(rows, tables)
    check_block(block, tables, CLIP_S)
    assert listed(block, tables) == rows
    assert [name.hex() for name in block_ids(block, tables, CLIP_S)] == [r.id for r in rows]


@given(some, st.data())
def test_rows_are_taken_and_joined_as_lists_are(rows: list[Recipe], data: st.DataObject) -> None:
    tables = Tables()
    block = block_of(rows, tables)
    picked = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8))
    taken = block.take(np.array(picked, dtype=np.int64))
    assert listed(taken, tables) == [rows[i] for i in picked]
    joined = join_blocks([block, taken], "mix")
    assert listed(joined, tables) == [*rows, *(rows[i] for i in picked)]


@given(some, st.data())
def test_mixing_columns_is_mixing_recipes(rows: list[Recipe], data: st.DataObject) -> None:
    tables = Tables()
    block = block_of(rows, tables)
    pick = st.integers(0, len(rows) - 1)
    mixes = data.draw(st.lists(st.tuples(pick, pick, st.one_of(st.just(-1), pick)), max_size=5))
    snr_db = data.draw(
        st.lists(st.tuples(ratios, ratios, ratios), min_size=len(mixes), max_size=len(mixes))
    )
    picked = np.array(mixes, dtype=np.int64).reshape(-1, 3)
    found = mixed_block(block, picked, np.array(snr_db).reshape(-1, 3))
    for row, (numbers, levels) in enumerate(zip(mixes, snr_db, strict=True)):
        wanted = rows[numbers[0]]
        for number, level in zip(numbers[1:], levels[1:], strict=True):
            if number >= 0:
                wanted = wanted.mix(rows[number], float(np.round(level, 6)))
        made = found.recipe(row, tables, CLIP_S, 8000)
        assert made.labels == wanted.labels
        for one, other in zip(made.layers, wanted.layers, strict=True):
            assert one.snr_db == pytest.approx(other.snr_db, abs=2e-6)
            assert replace(one, snr_db=None) == replace(other, snr_db=None)


@given(some)
def test_order_stays_however_rows_come(rows: list[Recipe]) -> None:
    tables = Tables()
    blocks = as_blocks([rows[0], block_of(rows, tables), *rows[1:]], tables)
    assert [r for block in blocks for r in listed(block, tables)] == [rows[0], *rows, *rows[1:]]


def test_large_blocks_come_in_pieces() -> None:
    tables = Tables()
    number = tables.sources.number(FILES[0])
    label = tables.labels.number(PartialLabels.certified("p", Certificate.EXTERNAL))
    n = 150_000
    block = plain_block("external", np.full(n, number), np.arange(n) * 0.1, np.full(n, label))
    pieces = list(split_block(block))
    assert [len(piece) for piece in pieces] == [65_536, 65_536, 18_928]
    assert np.array_equal(np.concatenate([piece.start_s for piece in pieces]), block.start_s)
    assert list(split_block(empty_block("external"))) == []


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


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("op", 9, "an unknown op"),
        ("source", 99, "a source that the tables lack"),
        ("source", -1, "a source on 'erase', or none on another op"),
        ("snr_db", 3.0, "a first layer that is not an 'add' without snr_db"),
        ("start_s", -1.0, "a negative or undefined time"),
        ("start_s", np.inf, "a value that is not finite"),
        ("length_s", 0.0, "a length that is not above 0"),
        ("length_s", 2.5, "a span beyond the clip"),
        ("offset_s", 2.0, "a span beyond the clip"),
        ("low_hz", 5.0, "no band where the op has one, or one where it has none"),
        ("seed", 3, "generated sound has a seed"),
        ("label", 7, "a label set that the tables lack"),
        ("label_counts", 2, "counts do not add up"),
    ],
)
def test_a_row_that_is_no_recipe_is_refused(column: str, value: float, message: str) -> None:
    tables = Tables()
    number = tables.sources.number(FILES[0])
    label = tables.labels.number(PartialLabels())
    good = plain_block("external", np.full(3, number), np.zeros(3), np.full(3, label))
    check_block(good, tables, CLIP_S)
    spoiled = getattr(good, column).copy()
    spoiled[1] = value
    with pytest.raises(ValueError, match=message):
        check_block(replace(good, **{column: spoiled}), tables, CLIP_S)
