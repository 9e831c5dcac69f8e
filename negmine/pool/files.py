"""The files of a pool.

::

    pool.json              format, version, classes, roots, clip length, settings, parts, digest
    parts/0000-1f2e3d4c/   what one build, append or merge added, never changed afterwards:
        sources.parquet        one row a sound file: root, name, fingerprint, duration, group
        labels.parquet         one row a cell of each distinct label set
        recipes/, calls/       the rows: see `negmine.pool.recipe_files`

A part's sources and label sets are numbered after those of the parts before it. A part counts from
the moment that pool.json names it: one left by a run that was stopped is written over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from negmine.errors import PoolError
from negmine.pool.label_sets import write_label_sets
from negmine.pool.recipe_files import write_recipes
from negmine.pool.source_table import SOURCES, write_sources
from negmine.pool.writer import PoolWriter
from negmine.recipes.source import Source
from negmine.storage.file_names import is_file_name
from negmine.storage.files import write_json, writing_folder
from negmine.storage.names import is_name, sorted_names
from negmine.storage.parquet import read_table
from negmine.storage.places import candidates, first_folder, seen_from
from negmine.storage.text_files import read_json

FORMAT = "negmine-pool"
VERSION = 2

# In pool.json, the roots as seen from the pool's folder.
_BESIDE = "roots_beside"


def write_new(
    path: Path,
    writer: PoolWriter,
    *,
    classes: Sequence[str],
    roots: Mapping[str, Path],
    settings: Mapping[str, Any],
    replace: bool = False,
) -> bool:
    """Write what a writer holds as a pool of one part, whole or not at all.

    Parameters
    ----------
    path : Path
        The pool's folder.
    writer : PoolWriter
    classes : sequence of str
    roots : mapping of str to Path
        The folders that the recipes' sources are in.
    settings : mapping
        What the pool is made with, for the record.
    replace : bool
        Replace another pool that is there.

    Returns
    -------
    bool
        False where the very same pool stood there already: it is then left alone.

    Raises
    ------
    PoolError
        If there is no recipe to write, or another pool is there already and ``replace`` is off.
    OutputError
        If the folder cannot be written.
    """
    if not len(writer):
        raise PoolError(
            f"{path}: nothing to put into the pool: no rejected detection, no external sound; name "
            "sound without the classes with --external or --negative-files"
        )
    part = describe_part(writer, 0, _classes_mark(classes, writer), settings)
    info = {
        "format": FORMAT,
        "version": VERSION,
        "classes": list(classes),
        "clip_s": writer.clip_s,
        "sample_rate": writer.sample_rate,
        "recipes": part["recipes"],
        "calls": part["calls"],
        "digest": part["digest"],
        "roots": {name: str(root) for name, root in roots.items()},
        "settings": part["settings"],
        "parts": [part],
    }
    if path.exists() and not replace:
        if read_info(path) == info and _same_groups(part_folder(path, part), writer):
            return False
        raise PoolError(
            f"{path}: another pool is there already; choose another --out, pass --force to replace "
            "it, or --append to add to it"
        )
    with writing_folder(path, replace=replace) as folder:
        write_part(part_folder(folder, part), writer, roots)
        write_json(folder / "pool.json", placed(info, path))
    return True


def _same_groups(folder: Path, writer: PoolWriter) -> bool:
    """Return whether an existing part puts its sources into the groups that the writer does.

    A pool's digest is of its rows, and a group is none of a row: sites may be renamed.
    """
    table, _ = read_table(folder / "sources.parquet", SOURCES)
    written = [source.group for source in writer.sources]
    return bool(table.column("group").to_pylist() == written)


def placed(info: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return what pool.json says in a folder: the roots as seen from there, too."""
    beside = {name: seen_from(Path(root), folder) for name, root in info["roots"].items()}
    return {**info, _BESIDE: beside}


def _classes_mark(classes: Sequence[str], writer: PoolWriter) -> str:
    """Begin the digest of a pool's first part: with its classes, where rows do not name them.

    Rows name the classes of most pools: each is in some label set, and they are in the order of
    `negmine.storage.names.sorted_names`. Then it is empty, as it always was in older pools.
    """
    untold = set(classes)
    for labels in writer.labels:
        untold -= labels.present
        untold -= labels.absent.keys()
        if not untold:
            break
    if not untold and tuple(classes) == sorted_names(classes):
        return ""
    return json.dumps(list(classes))


def describe_part(
    writer: PoolWriter, number: int, after: str, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe a part for pool.json; ``after`` is the digest of the parts before it."""
    digest = writer.digest(after)
    return {
        "name": f"{number:04d}-{digest[:8]}",
        "recipes": writer.counts,
        "calls": writer.call_count,
        "kinds": list(writer.kinds),
        "sources": len(writer.new_sources),
        "label_sets": len(writer.new_labels),
        "digest": digest,
        "settings": json.loads(json.dumps(settings)),
    }


def part_folder(folder: Path, part: Mapping[str, Any]) -> Path:
    """Return the folder of a part.

    Raises
    ------
    PoolError
        If its name is none that negmine gives.
    """
    name = part.get("name")
    if not is_file_name(name):
        raise PoolError(f"{folder}/pool.json: '{name}' is not a part's name: damaged")
    return folder / "parts" / name


def write_part(folder: Path, writer: PoolWriter, roots: Mapping[str, Path]) -> None:
    """Write the files of a part into a folder, which is made.

    Raises
    ------
    PoolError
        If a file would be in the pool with two contents: only one of them can be there.
    """
    _check_one_content(writer.sources)
    recipes, calls = writer.tables()
    write_recipes(folder / "recipes", recipes)
    write_recipes(folder / "calls", calls)
    write_label_sets(folder / "labels.parquet", writer.new_labels, writer.first_label_set)
    write_sources(folder / "sources.parquet", writer.new_sources, roots)


def _check_one_content(sources: Iterable[Source]) -> None:
    known: dict[Path, str] = {}
    for source in sources:
        if not source.is_synthetic and known.setdefault(source.path, source.fingerprint) != (
            source.fingerprint
        ):
            raise PoolError(
                f"{source.path}: some rows are of this file as it was before it was replaced; "
                "build the pools with those rows again"
            )


# What pool.json says, and of each part.
_OF_POOL: Mapping[str, tuple[type, ...]] = {
    "classes": (list,),
    "clip_s": (int, float),
    "sample_rate": (int,),
    "digest": (str,),
    "roots": (dict,),
    "settings": (dict,),
    "parts": (list,),
}
_OF_PART: Mapping[str, tuple[type, ...]] = {
    "name": (str,),
    "kinds": (list,),
    "sources": (int,),
    "label_sets": (int,),
    "digest": (str,),
}
_TEXTS = ("classes", "roots", "kinds", _BESIDE)
_NOT_EMPTY = ("classes", "clip_s", "sample_rate", "parts")


def read_info(folder: Path) -> dict[str, Any]:
    """Read pool.json, of a version that this negmine reads.

    Roots that were moved along with the pool are named where they are now.
    """
    path = folder / "pool.json"
    if not path.exists():
        hint = "no such folder" if not folder.exists() else "no pool.json in it: not a pool"
        raise PoolError(f"{folder}: {hint}; make one with 'negmine build-pool'")
    info: dict[str, Any] = read_json(path, "build the pool again")
    if not isinstance(info, dict) or info.get("format") != FORMAT:
        raise PoolError(f"{folder}/pool.json: not a pool's description")
    if info.get("version") != VERSION:
        raise PoolError(
            f"{folder}: a pool of version {info.get('version')}, and this negmine reads version "
            f"{VERSION}; build it again with 'negmine build-pool'"
        )
    _complete(folder, info, _OF_POOL)
    for part in info["parts"]:
        _complete(folder, part, _OF_PART)
    _complete(folder, {_BESIDE: {}} | info, {_BESIDE: (dict,)})
    beside = info.pop(_BESIDE, {})
    info["roots"] = {
        name: str(first_folder(candidates(root, beside.get(name), folder)))
        for name, root in info["roots"].items()
    }
    return info


def _complete(folder: Path, info: Any, needed: Mapping[str, tuple[type, ...]]) -> None:
    if not isinstance(info, dict):
        raise PoolError(f"{folder}/pool.json: a part is not a table: damaged")
    missing = [key for key in needed if key not in info]
    if missing:
        raise PoolError(f"{folder}/pool.json: {', '.join(missing)} is missing: damaged")
    for key, kinds in needed.items():
        value = info[key]
        texts = value.values() if isinstance(value, dict) else value
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise PoolError(f"{folder}/pool.json: {key} is of the wrong kind: damaged")
        if key in _TEXTS and not all(isinstance(text, str) for text in texts):
            raise PoolError(f"{folder}/pool.json: {key} holds a value that is not text: damaged")
        if isinstance(value, int | float) and not 0 <= value < 2**31:
            raise PoolError(f"{folder}/pool.json: {key} is out of range: damaged")
        if key in _NOT_EMPTY and not value:
            raise PoolError(f"{folder}/pool.json: {key} is {value}: damaged")
    names = info.get("classes", [])
    if len(set(names)) < len(names) or not all(map(is_name, names)):
        raise PoolError(f"{folder}/pool.json: classes holds what is no name, or one twice: damaged")
