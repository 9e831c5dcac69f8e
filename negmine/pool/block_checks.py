"""Blocks checked once, where they enter a pool: rules of `negmine.recipes.recipe`, on columns."""

from __future__ import annotations

import numpy as np

from negmine.pool.blocks import LAYER_COLUMNS, RecipeBlock, Tables
from negmine.recipes.layer import OPS


def check_block(block: RecipeBlock, tables: Tables, clip_s: float) -> None:
    """Check that every row of a block is a recipe.

    Raises
    ------
    ValueError
        With the first row that is none, and why: a source of negatives has a defect.
    """
    n, m = len(block), len(block.source)
    columns = [getattr(block, name) for name in LAYER_COLUMNS]
    counts, labels = block.layer_counts, block.label_counts
    if any(len(column) != m for column in columns) or len(labels) != n:
        raise ValueError(f"block '{block.kind}': columns of different lengths")
    if counts.sum() != m or labels.sum() != len(block.label):
        raise ValueError(f"block '{block.kind}': counts do not add up to the columns' lengths")
    if n == 0:
        return
    if min(counts.min(), labels.min()) < 1:
        raise ValueError(f"block '{block.kind}': a row without a layer or without labels")
    first = np.zeros(m, dtype=bool)
    first[block.layer_offsets[:-1]] = True
    op, source = block.op, block.source
    add, insert, erase, band = (op == OPS[name] for name in ("add", "insert", "erase", "band"))
    none = {name: np.isnan(getattr(block, name)) for name in ("snr_db", "length_s")}
    low, high = block.low_hz, block.high_hz
    synthetic = np.array([s.is_synthetic for s in tables.sources.items] + [False], dtype=bool)
    length_s = np.where(none["length_s"], 0.0, block.length_s)
    components = np.add.reduceat(add.astype(np.int64), block.layer_offsets[:-1])
    rules = {
        "an unknown op": op > max(OPS.values()),
        "a source that the tables lack": (source < -1) | (source >= len(tables.sources)),
        "a source on 'erase', or none on another op": (source < 0) != erase,
        "a first layer that is not an 'add' without snr_db": first & ~(add & none["snr_db"]),
        "an snr_db missing, or on an op other than 'add'": ~first & (add == none["snr_db"]),
        "a negative or undefined time": ~((block.start_s >= 0) & (block.offset_s >= 0)),
        "an offset or length on what acts on the whole clip": (erase | band)
        & ((block.offset_s != 0) | ~none["length_s"]),
        "an 'insert' without a length": insert & none["length_s"],
        "a length that is not above 0": ~none["length_s"] & ~(block.length_s > 0),
        "a span beyond the clip": (block.offset_s >= clip_s)
        | (block.offset_s + length_s > clip_s + 1e-6),
        "no band where the op has one, or one where it has none": np.where(
            erase | band, ~((low >= 0) & (low < high)), ~(np.isnan(low) & np.isnan(high))
        ),
        "a value that is not finite": np.isinf(
            [block.start_s, block.snr_db, block.offset_s, block.length_s, low, high]
        ).any(axis=0),
    }
    for what, bad in rules.items():
        if bad.any():
            row = np.searchsorted(block.layer_offsets, int(np.argmax(bad)), side="right") - 1
            raise ValueError(f"block '{block.kind}' row {row}: {what}")
    seeded = synthetic[source]
    if ((block.seed >= 0) != seeded).any() or (seeded & (block.start_s != 0)).any():
        raise ValueError(f"block '{block.kind}': generated sound has a seed and starts at 0")
    if not ((block.label >= 0) & (block.label < len(tables.labels))).all():
        raise ValueError(f"block '{block.kind}': a label set that the tables lack")
    if (labels > components).any():
        raise ValueError(f"block '{block.kind}': a row with more label sets than components")
