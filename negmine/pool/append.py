"""Adding to a pool. What is in it is never changed: new rows are a part of their own."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from negmine.audio.levels import Levels
from negmine.audio.read import probe_all
from negmine.errors import PoolError, did_you_mean
from negmine.pool import Pool, check_classes, open_pool
from negmine.pool.audible import check_ratios, files_of, silent_uses
from negmine.pool.files import describe_part, part_folder, placed, read_info, write_part
from negmine.pool.writer import PoolWriter, Rows
from negmine.recipes.dictionaries import Dictionaries
from negmine.recipes.recipe import Recipe, Recipes, blocks_of
from negmine.storage.files import write_json, writing_folder
from negmine.storage.locks import only_writer


def open_to_append(
    path: Path, classes: Sequence[str], clip_s: float, sample_rate: int | None
) -> Pool:
    """Open the pool to add to.

    Raises
    ------
    PoolError
        If there is none, or it has other classes, another length of clips or another rate.
    """
    if not path.exists():
        raise PoolError(f"{path}: no pool to add to; leave out --append to make one")
    pool = open_pool(path)
    check_classes(classes, pool.classes, str(path))
    if (pool.clip_s, pool.sample_rate) != (clip_s, sample_rate or pool.sample_rate):
        raise PoolError(
            f"{path}: a pool of clips of {pool.clip_s:g} s at {pool.sample_rate} Hz, not "
            f"{clip_s:g} s at {sample_rate or pool.sample_rate} Hz; pass its --clip-s and "
            "--sample-rate"
        )
    return pool


def writer_after(pool: Pool) -> PoolWriter:
    """Make a writer of what a pool does not hold yet."""
    ids, calls = ((one.tobytes() for one in table.ids.raw) for table in (pool.recipes, pool.calls))
    return PoolWriter(
        pool.clip_s,
        pool.sample_rate,
        sources=pool.sources,
        labels=pool.label_sets,
        ids=ids,
        calls=calls,
    )


def append_part(
    pool: Pool, writer: PoolWriter, roots: Mapping[str, Path], settings: Mapping[str, Any]
) -> bool:
    """Add what a writer holds to a pool, whole or not at all.

    The new part counts from the moment that pool.json names it.

    Parameters
    ----------
    pool : Pool
    writer : PoolWriter
        From `writer_after`.
    roots : mapping of str to Path
        The folders of the new recipes' sources.
    settings : mapping
        What they are made with, for the record.

    Returns
    -------
    bool
        False where there was nothing new.

    Raises
    ------
    PoolError
        If the pool was added to since it was opened.
    """
    if not len(writer) and not writer.call_count:
        return False
    with only_writer(pool.path):
        return _append(pool, writer, roots, settings)


def _append(
    pool: Pool, writer: PoolWriter, roots: Mapping[str, Path], settings: Mapping[str, Any]
) -> bool:
    info = read_info(pool.path)
    if info["digest"] != pool.digest:
        raise PoolError(f"{pool.path}: another run added to the pool meanwhile; run this again")
    named = {name: Path(root) for name, root in info["roots"].items()}
    for name, root in roots.items():
        if root not in named.values():
            named[_free(name, named)] = root
    _remove_unnamed(pool.path, info)
    part = describe_part(writer, len(info["parts"]), pool.digest, settings)
    folder = part_folder(pool.path, part)
    with writing_folder(folder, replace=folder.exists()) as temporary:
        write_part(temporary, writer, named)
    counts = Counter(info["recipes"]) + Counter(part["recipes"])
    info |= {
        "recipes": dict(sorted(counts.items())),
        "calls": info["calls"] + part["calls"],
        "digest": part["digest"],
        "roots": {name: str(root) for name, root in named.items()},
        "parts": [*info["parts"], part],
    }
    write_json(pool.path / "pool.json", placed(info, pool.path))
    return True


def _remove_unnamed(path: Path, info: Mapping[str, Any]) -> None:
    """Remove the parts of runs that were stopped before pool.json named them."""
    named = {part["name"] for part in info["parts"]}
    for folder in (path / "parts").iterdir():
        if folder.name not in named and folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)


def append_recipes(path: str | Path, recipes: Rows, settings: Mapping[str, Any]) -> int:
    """Add recipes that another tool made to a pool; what is there is not changed.

    Parameters
    ----------
    path : path-like
        The pool.
    recipes : iterable of Recipe or Recipes
    settings : mapping
        How they were made, and from what: kept in pool.json with the part.

    Returns
    -------
    int
        How many were new.

    Raises
    ------
    PoolError
        If there is no pool, a recipe has another length or rate, or labels of an unknown class.
    AudioError
        If a component of a mix is silent, or the file of one cannot be read.
    """
    pool = open_pool(path)
    writer = writer_after(pool)
    dictionaries = Dictionaries(pool.clip_s, pool.sample_rate)
    blocks = list(blocks_of(_fitting(pool, recipes), dictionaries))
    _check_audible(blocks)
    for block in blocks:
        writer.add(block)
    for labels in writer.new_labels:
        for name in sorted(labels.present | labels.absent.keys()):
            if name not in pool.classes:
                raise PoolError(
                    f"{path}: labels of an unknown class '{name}'{did_you_mean(name, pool.classes)}"
                )
    roots = {source.root for source in writer.new_sources if not source.is_synthetic}
    append_part(pool, writer, {root.name or "root": root for root in sorted(roots)}, settings)
    return len(writer)


def _fitting(pool: Pool, rows: Rows) -> Iterator[Recipe | Recipes]:
    wanted = (pool.clip_s, pool.sample_rate)
    for row in rows:
        if isinstance(row, Recipe) and (row.duration_s, row.sample_rate) != wanted:
            raise PoolError(
                f"{pool.path}: recipe {row.id} is of {row.duration_s:g} s at {row.sample_rate} Hz, "
                f"not of {wanted[0]:g} s at {wanted[1]} Hz"
            )
        yield row


def _check_audible(blocks: Sequence[Recipes]) -> None:
    """Check that no mix has a silent component: each of its files is decoded for that once."""
    mixed = [one[one.uses.counts > 1] for one in blocks]
    sources = [
        block.dictionaries.sources[number]
        for block in mixed
        for number in np.unique(block.of_clips("source")).tolist()
    ]
    paths = dict.fromkeys(source.path for source in sources if not source.is_synthetic)
    levels = Levels(probe_all(paths)[0].values())
    for block in mixed:
        check_ratios(block, silent_uses(block, levels, files_of(block, levels)))


def _free(name: str, taken: Mapping[str, Path]) -> str:
    number = 0
    found = name
    while found in taken:
        number += 1
        found = f"{name}.{number}"
    return found
