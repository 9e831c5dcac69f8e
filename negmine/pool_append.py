"""Adding to a pool. What stands in it is never changed: new rows are a part of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from negmine.errors import PoolError
from negmine.pool import Pool, check_classes, open_pool
from negmine.pool_files import describe_part, part_folder, read_info, write_part
from negmine.pool_writer import PoolWriter
from negmine.tables import write_json, writing_folder


def open_to_append(path: Path, classes: Sequence[str], clip_s: float, sample_rate: int) -> Pool:
    """The pool that is to be added to.

    Raises
    ------
    PoolError
        If there is none, or it has other classes, another length of clips or another rate.
    """
    if not path.exists():
        raise PoolError(f"{path}: no pool to add to; leave out --append to make one")
    pool = open_pool(path)
    check_classes(classes, pool.classes, str(path))
    if (pool.clip_s, pool.sample_rate) != (clip_s, sample_rate):
        raise PoolError(
            f"{path}: a pool of clips of {pool.clip_s:g} s at {pool.sample_rate} Hz, not "
            f"{clip_s:g} s at {sample_rate} Hz; pass its --clip-s and --sample-rate"
        )
    return pool


def writer_after(pool: Pool) -> PoolWriter:
    """A writer of what a pool does not hold yet."""
    ids, calls = ((one.tobytes() for one in table.ids.raw) for table in (pool.recipes, pool.calls))
    return PoolWriter(pool.clip_s, pool.tables, ids, calls)


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
    """
    if not len(writer) and not writer.call_count:
        return False
    info = read_info(pool.path)
    named = {name: Path(root) for name, root in info["roots"].items()}
    for name, root in roots.items():
        if root not in named.values():
            named[_free(name, named)] = root
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
    write_json(pool.path / "pool.json", info)
    return True


def _free(name: str, taken: Mapping[str, Path]) -> str:
    number = 0
    found = name
    while found in taken:
        number += 1
        found = f"{name}.{number}"
    return found
