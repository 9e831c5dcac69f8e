"""The files of a pool.

::

    pool.json         format, version, classes, roots, clip length, settings, counts, digest
    sources.parquet   one row a sound file: root, name, fingerprint, duration, group
    labels.parquet    one row a cell of each distinct label set
    recipes.parquet   one row a recipe: id, kind, label set, layers
    calls.parquet     the same for the confirmed calls, which mining compares with

Label sets are stored once and named by number, so a row costs the same with 24 classes and with
10,000.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from negmine.errors import PoolError
from negmine.labels import Absence, Certificate, PartialLabels
from negmine.recipe import SYNTHETIC, Recipe, Source
from negmine.tables import read_table, write_json, write_table, writing_folder

FORMAT = "negmine-pool"
VERSION = 2

_LAYERS = pa.list_(
    pa.struct(
        [
            ("source", pa.int32()),
            ("start_s", pa.float64()),
            ("snr_db", pa.float64()),
            ("op", pa.string()),
            ("offset_s", pa.float64()),
            ("length_s", pa.float64()),
            ("low_hz", pa.float64()),
            ("high_hz", pa.float64()),
            ("seed", pa.int64()),
        ]
    )
)
SOURCES = {
    "root": pa.string(),
    "name": pa.string(),
    "fingerprint": pa.string(),
    "duration_s": pa.float64(),
    "group": pa.string(),
}
LABELS = {
    "set": pa.int32(),
    "class": pa.string(),
    "certificate": pa.string(),
    "confidence": pa.float64(),
}
RECIPES = {"id": pa.string(), "kind": pa.string(), "labels": pa.int32(), "layers": _LAYERS}

# Stands in the certificate column of labels.parquet for a class that is present.
_PRESENT = "present"


def write_pool(
    path: Path,
    *,
    classes: Sequence[str],
    clip_s: float,
    sample_rate: int,
    roots: Mapping[str, Path],
    recipes: Sequence[Recipe],
    calls: Sequence[Recipe],
    settings: Mapping[str, Any],
    replace: bool = False,
) -> bool:
    """Write a pool folder, whole or not at all.

    Recipes with the same id enter once, the first of them. ``roots`` names the folders that the
    recipes' sources lie in.

    Returns
    -------
    bool
        False where the very same pool stood there already: it is then left alone.

    Raises
    ------
    PoolError
        If there is no recipe to write, or another pool stands there and ``replace`` is off.
    OutputError
        If the folder cannot be written.
    """
    if not recipes:
        raise PoolError(
            f"{path}: nothing to put into the pool: no rejected detection, no external sound"
        )
    unique = list({recipe.id: recipe for recipe in reversed(recipes)}.values())[::-1]
    root_names = {root: name for name, root in roots.items()} | {SYNTHETIC: str(SYNTHETIC)}
    sources: dict[Source, int] = {}
    label_sets: dict[PartialLabels, int] = {}

    def number(source: Source | None) -> int | None:
        return None if source is None else sources.setdefault(source, len(sources))

    def table(rows: Sequence[Recipe]) -> pa.Table:
        columns = {
            "id": [r.id for r in rows],
            "kind": [r.kind for r in rows],
            "labels": [label_sets.setdefault(r.labels, len(label_sets)) for r in rows],
            "layers": [
                [
                    {
                        field.name: number(la.source)
                        if field.name == "source"
                        else getattr(la, field.name)
                        for field in _LAYERS.value_type
                    }
                    for la in r.layers
                ]
                for r in rows
            ],
        }
        return pa.table(columns, schema=pa.schema(list(RECIPES.items())))

    recipe_table, call_table = table(unique), table(calls)
    digest = hashlib.blake2b(digest_size=16)
    label_texts = [_label_text(labels) for labels in label_sets]
    for rows in (recipe_table, call_table):
        for name, number in zip(rows["id"].to_pylist(), rows["labels"].to_pylist(), strict=True):
            digest.update(f'["{name}", {label_texts[number]}]'.encode())
    kinds = sorted({r.kind for r in unique})
    info = {
        "format": FORMAT,
        "version": VERSION,
        "classes": list(classes),
        "clip_s": clip_s,
        "sample_rate": sample_rate,
        "recipes": {kind: sum(r.kind == kind for r in unique) for kind in kinds},
        "calls": len(calls),
        "digest": digest.hexdigest(),
        "roots": {name: str(root) for name, root in roots.items()},
        "settings": json.loads(json.dumps(settings)),
    }
    if path.exists() and not replace:
        if read_info(path) == info:
            return False
        raise PoolError(f"{path}: another pool stands there; choose another --out or pass --force")
    with writing_folder(path, replace=replace) as folder:
        write_table(folder / "recipes.parquet", recipe_table)
        write_table(folder / "calls.parquet", call_table)
        write_table(folder / "labels.parquet", _label_table(label_sets))
        write_table(folder / "sources.parquet", _source_table(sources, root_names))
        write_json(folder / "pool.json", info)
    return True


def _label_text(labels: PartialLabels) -> str:
    absent = [(c, a.certificate.value, a.confidence) for c, a in sorted(labels.absent.items())]
    return json.dumps([sorted(labels.present), absent])[1:-1]


def _label_table(label_sets: Mapping[PartialLabels, int]) -> pa.Table:
    cells: list[tuple[int, str, str, float]] = []
    for labels, number in label_sets.items():
        cells += [(number, name, _PRESENT, 1.0) for name in sorted(labels.present)]
        cells += [
            (number, name, absence.certificate.value, absence.confidence)
            for name, absence in sorted(labels.absent.items())
        ]
    columns = dict(zip(LABELS, zip(*cells, strict=True), strict=True)) if cells else {}
    schema = pa.schema(list(LABELS.items()))
    return pa.table({k: list(columns.get(k, [])) for k in LABELS}, schema=schema)


def _source_table(sources: Mapping[Source, int], root_names: Mapping[Path, str]) -> pa.Table:
    columns = {
        "root": [root_names[s.root] for s in sources],
        "name": [s.name for s in sources],
        "fingerprint": [s.fingerprint for s in sources],
        "duration_s": [s.duration_s for s in sources],
        "group": [s.group for s in sources],
    }
    return pa.table(columns, schema=pa.schema(list(SOURCES.items())))


def read_info(folder: Path) -> dict[str, Any]:
    """What pool.json says, of a version that this negmine reads."""
    try:
        info: dict[str, Any] = json.loads((folder / "pool.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        hint = "no such folder" if not folder.exists() else "no pool.json in it: not a pool"
        raise PoolError(f"{folder}: {hint}; make one with 'negmine build-pool'") from error
    except (OSError, ValueError) as error:
        raise PoolError(f"{folder}/pool.json: not readable: {error}") from error
    if not isinstance(info, dict) or info.get("format") != FORMAT:
        raise PoolError(f"{folder}/pool.json: not a pool's description")
    if info.get("version") != VERSION:
        raise PoolError(
            f"{folder}: a pool of version {info.get('version')}, and this negmine reads version "
            f"{VERSION}; build it again with 'negmine build-pool'"
        )
    needed = ("classes", "clip_s", "sample_rate", "digest", "roots", "settings")
    missing = [key for key in needed if key not in info]
    if missing:
        raise PoolError(f"{folder}/pool.json: {', '.join(missing)} is missing: damaged")
    return info


def read_sources(folder: Path, roots: Mapping[str, Path]) -> list[Source]:
    """The sound files that recipes cut from, all inside the pool's folders."""
    table, _ = read_table(folder / "sources.parquet", SOURCES)
    known = {**roots, str(SYNTHETIC): SYNTHETIC}
    sources = []
    for row in table.to_pylist():
        name = PurePosixPath(row["name"])
        if name.is_absolute() or ".." in name.parts or row["root"] not in known:
            raise PoolError(f"{folder}/sources.parquet: '{name}' lies outside the pool's folders")
        root = known[row["root"]]
        sources.append(Source(root, str(name), row["fingerprint"], row["duration_s"], row["group"]))
    return sources


def read_recipes(folder: Path, name: str, sources: int) -> pa.Table:
    """The rows of ``recipes`` or ``calls``, checked to name sources and label sets."""
    table, _ = read_table(folder / f"{name}.parquet", RECIPES)
    layers = table.column("layers").combine_chunks().flatten().field("source").drop_null()
    layers = layers.to_numpy()
    labels = table.column("labels").to_numpy()
    if not (((layers >= 0) & (layers < sources)).all() and (labels >= 0).all()):
        raise PoolError(f"{folder}/{name}.parquet: names no source or no labels: damaged")
    return table


def read_label_sets(folder: Path, count: int) -> list[PartialLabels]:
    """The first ``count`` label sets."""
    rows, _ = read_table(folder / "labels.parquet", LABELS)
    present: list[set[str]] = [set() for _ in range(count)]
    absent: list[dict[str, Absence]] = [{} for _ in range(count)]
    cached: dict[tuple[str, float], Absence] = {}
    columns = (rows.column(name).to_pylist() for name in LABELS)
    try:
        for number, name, certificate, confidence in zip(*columns, strict=True):
            if number < 0:
                raise ValueError(f"a label set of number {number}")
            if certificate == _PRESENT:
                present[number].add(name)
                continue
            key = (certificate, confidence)
            if key not in cached:
                cached[key] = Absence(Certificate(certificate), confidence)
            absent[number][name] = cached[key]
    except (ValueError, IndexError) as error:
        raise PoolError(f"{folder}/labels.parquet: damaged: {error}") from error
    return [PartialLabels(frozenset(p), a) for p, a in zip(present, absent, strict=True)]
