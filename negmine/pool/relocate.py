"""Give the folders of a pool's sound new names, where they were moved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from negmine.errors import PoolError, shorten
from negmine.pool import open_pool
from negmine.pool.files import placed, read_info
from negmine.storage.files import write_json
from negmine.storage.locks import only_writer


def relocate_pool(path: Path, moved: Mapping[Path, Path]) -> dict[str, Path]:
    """Let a pool look for its sound in other folders. Its rows and its digest stay.

    Parameters
    ----------
    path : Path
        The pool.
    moved : mapping of Path to Path
        Folders as the pool names them, and where they are now.

    Returns
    -------
    dict of str to Path
        All folders that the pool names now, by their names in it.

    Raises
    ------
    PoolError
        If it is not a pool, names no such folder, or files of it are missing in the new one.
    """
    with only_writer(path):
        pool, info = open_pool(path), read_info(path)
        roots = {name: Path(root) for name, root in info["roots"].items()}
        for old, new in moved.items():
            names = [name for name, root in roots.items() if root in (old, old.absolute())]
            if not names:
                known = ", ".join(map(str, roots.values()))
                raise PoolError(f"{path}: no folder {old} in this pool; it has {known}")
            files = [source.name for source in pool.sources if source.root == roots[names[0]]]
            missing = [name for name in files if not (new / name).is_file()]
            if missing:
                raise PoolError(
                    f"{new}: {len(missing)} of {len(files)} files of {old} are not there: "
                    f"{shorten(missing, 3)}"
                )
            roots.update(dict.fromkeys(names, new.resolve()))
        info["roots"] = {name: str(root) for name, root in roots.items()}
        write_json(path / "pool.json", placed(info, path))
    return roots
