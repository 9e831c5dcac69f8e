"""Several pools as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from negmine.errors import PoolError
from negmine.pool import Pool, check_classes, open_pool
from negmine.pool.files import read_info, write_new
from negmine.pool.writer import PoolWriter, add_rows
from negmine.storage.locks import only_writer


@dataclass(frozen=True)
class Merged:
    """What merging did.

    Attributes
    ----------
    rows, calls : int
        Of the joint pool.
    twice : int
        Recipes left out, since one with the same id stood there already.
    changed : bool
        False where the same pool stood there already.
    """

    rows: int
    calls: int
    twice: int
    changed: bool

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def merge_pools(paths: Sequence[Path], out: Path, *, replace: bool = False) -> Merged:
    """Write the rows of several pools as one pool, those of the first first.

    Parameters
    ----------
    paths : sequence of Path
        Pools of the same classes, length of clips and rate.
    out : Path
    replace : bool
        Replace another pool at ``out``.

    Raises
    ------
    PoolError
        If a pool is missing or damaged, or does not fit the first.
    """
    pools = [open_pool(path) for path in paths]
    first = pools[0]
    for pool in pools[1:]:
        _check_fit(first, pool)
    if out.exists() and not (out / "pool.json").is_file():
        raise PoolError(f"{out}: exists and is not a pool; choose another folder for --out")
    writer = PoolWriter(first.clip_s, first.sample_rate)
    roots: dict[str, Path] = {}
    for pool in pools:
        add_rows(writer, [pool.recipes], [pool.calls])
        writer.close_calls()
        for name, root in read_info(pool.path)["roots"].items():
            if Path(root) not in roots.values():
                roots[name if name not in roots else f"{name}.{len(roots)}"] = Path(root)
    with only_writer(out):
        changed = write_new(
            out,
            writer,
            classes=first.classes,
            roots=roots,
            settings={"merged": [{"pool": p.digest, "settings": p.settings} for p in pools]},
            replace=replace,
        )
    twice = sum(map(len, pools)) - len(writer)
    return Merged(len(writer), writer.call_count, twice, changed)


def _check_fit(first: Pool, other: Pool) -> None:
    check_classes(other.classes, first.classes, f"{other.path} does not fit {first.path}")
    mine, theirs = (first.clip_s, first.sample_rate), (other.clip_s, other.sample_rate)
    if mine != theirs:
        raise PoolError(
            f"{other.path}: clips of {theirs[0]:g} s at {theirs[1]} Hz do not fit {first.path}, of "
            f"{mine[0]:g} s at {mine[1]} Hz; build one of them again"
        )
