"""The pool: recipes of confident negatives in a folder of Parquet files.

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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from negmine.errors import PoolError, did_you_mean
from negmine.labels import Absence, Certificate, PartialLabels
from negmine.recipe import Layer, Recipe, Source
from negmine.tables import read_table, write_json, write_table, writing_folder

FORMAT = "negmine-pool"
VERSION = 1

_LAYERS = pa.list_(
    pa.struct([("source", pa.int32()), ("start_s", pa.float64()), ("snr_db", pa.float64())])
)
_SOURCES = {
    "root": pa.string(),
    "name": pa.string(),
    "fingerprint": pa.string(),
    "duration_s": pa.float64(),
    "group": pa.string(),
}
_LABELS = {
    "set": pa.int32(),
    "class": pa.string(),
    "certificate": pa.string(),
    "confidence": pa.float64(),
}
_RECIPES = {"id": pa.string(), "kind": pa.string(), "labels": pa.int32(), "layers": _LAYERS}

# Stands in the certificate column of labels.parquet for a class that is present.
_PRESENT = "present"


class RecipeTable(Sequence[Recipe]):
    """Recipes in a table, made when asked for."""

    def __init__(self, table: pa.Table, pool: Pool) -> None:
        self._table = table
        self._pool = pool
        self.ids: np.ndarray = table.column("id").to_numpy()
        self.kinds: np.ndarray = table.column("kind").to_numpy()
        self.label_sets: np.ndarray = table.column("labels").to_numpy()

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = range(len(self))[int(index)]
        layers = self._table.column("layers")[row].as_py()
        return Recipe(
            kind=str(self.kinds[row]),
            layers=tuple(
                Layer(self._pool.sources[la["source"]], la["start_s"], la["snr_db"])
                for la in layers
            ),
            duration_s=self._pool.clip_s,
            sample_rate=self._pool.sample_rate,
            labels=self._pool.label_sets[self.label_sets[row]],
        )

    def draws_on(self, groups: frozenset[str]) -> np.ndarray:
        """Which recipes have a layer from one of these groups: bool array, shape (N,)."""
        named = np.array([source.group in groups for source in self._pool.sources], dtype=bool)
        layers = self._table.column("layers").combine_chunks()
        counts = np.diff(layers.offsets.to_numpy())
        per_layer = named[layers.flatten().field("source").to_numpy()]
        hits = np.bincount(np.repeat(np.arange(len(self)), counts)[per_layer], minlength=len(self))
        return np.asarray(hits > 0)

    def row_of(self, recipe_id: str) -> int:
        """The row of a recipe.

        Raises
        ------
        PoolError
            If no recipe has this id.
        """
        if not hasattr(self, "_rows"):
            self._rows = {name: row for row, name in enumerate(self.ids)}
        if recipe_id not in self._rows:
            raise PoolError(f"{self._pool.path}: no recipe '{recipe_id}' in this pool")
        return self._rows[recipe_id]


@dataclass
class Pool:
    """An opened pool. A sequence of its recipes, by `recipes`.

    Attributes
    ----------
    path : Path
    classes : tuple of str
    clip_s : float
        Length of every recipe.
    sample_rate : int
        Hz at which recipes render unless told otherwise.
    sources : list of Source
    label_sets : list of PartialLabels
    recipes, calls : RecipeTable
        The negatives, and the confirmed calls.
    digest : str
        Of all rows; what is derived from a pool carries it.
    settings : mapping
        What it was built with.
    """

    path: Path
    classes: tuple[str, ...]
    clip_s: float
    sample_rate: int
    sources: list[Source]
    label_sets: list[PartialLabels]
    digest: str
    settings: Mapping[str, Any]
    recipes: RecipeTable
    calls: RecipeTable

    def __len__(self) -> int:
        return len(self.recipes)

    def __iter__(self) -> Iterator[Recipe]:
        return iter(self.recipes)

    def __getitem__(self, index: Any) -> Any:
        return self.recipes[index]

    def confidence(self, name: str) -> np.ndarray:
        """Confidence that each recipe lacks a class: float32, shape (N,), 0 where not certified."""
        per_set = np.array(
            [s.absent[name].confidence if name in s.absent else 0.0 for s in self.label_sets],
            dtype=np.float32,
        )
        return np.asarray(per_set[self.recipes.label_sets])


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
    root_names = {root: name for name, root in roots.items()}
    sources: dict[Source, int] = {}
    label_sets: dict[PartialLabels, int] = {}

    def table(rows: Sequence[Recipe]) -> pa.Table:
        columns = {
            "id": [r.id for r in rows],
            "kind": [r.kind for r in rows],
            "labels": [label_sets.setdefault(r.labels, len(label_sets)) for r in rows],
            "layers": [
                [
                    {
                        "source": sources.setdefault(la.source, len(sources)),
                        "start_s": la.start_s,
                        "snr_db": la.snr_db,
                    }
                    for la in r.layers
                ]
                for r in rows
            ],
        }
        return pa.table(columns, schema=pa.schema(list(_RECIPES.items())))

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
        if _read_info(path) == info:
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
    columns = dict(zip(_LABELS, zip(*cells, strict=True), strict=True)) if cells else {}
    schema = pa.schema(list(_LABELS.items()))
    return pa.table({k: list(columns.get(k, [])) for k in _LABELS}, schema=schema)


def _source_table(sources: Mapping[Source, int], root_names: Mapping[Path, str]) -> pa.Table:
    columns = {
        "root": [root_names[s.root] for s in sources],
        "name": [s.name for s in sources],
        "fingerprint": [s.fingerprint for s in sources],
        "duration_s": [s.duration_s for s in sources],
        "group": [s.group for s in sources],
    }
    return pa.table(columns, schema=pa.schema(list(_SOURCES.items())))


def open_pool(path: str | Path) -> Pool:
    """Open a pool folder.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Pool

    Raises
    ------
    PoolError
        If it is no pool, of another version, or damaged.

    Examples
    --------
    >>> pool = open_pool("pool")  # doctest: +SKIP
    >>> pool[0].render().shape  # doctest: +SKIP
    (64000,)
    """
    folder = Path(path)
    info = _read_info(folder)
    roots = {name: Path(root) for name, root in info["roots"].items()}
    source_rows, _ = read_table(folder / "sources.parquet", _SOURCES)
    sources = []
    for row in source_rows.to_pylist():
        name = PurePosixPath(row["name"])
        if name.is_absolute() or ".." in name.parts or row["root"] not in roots:
            raise PoolError(f"{folder}/sources.parquet: '{name}' lies outside the pool's folders")
        sources.append(
            Source(
                roots[row["root"]], str(name), row["fingerprint"], row["duration_s"], row["group"]
            )
        )
    label_rows, _ = read_table(folder / "labels.parquet", _LABELS)
    recipe_rows, _ = read_table(folder / "recipes.parquet", _RECIPES)
    call_rows, _ = read_table(folder / "calls.parquet", _RECIPES)
    used = -1
    for file, rows in (("recipes", recipe_rows), ("calls", call_rows)):
        layers = rows.column("layers").combine_chunks().flatten().field("source").to_numpy()
        labels = rows.column("labels").to_numpy()
        if not all(0 <= n < len(sources) for n in np.unique(layers)) or not (labels >= 0).all():
            raise PoolError(f"{folder}/{file}.parquet: names no source or no labels: damaged")
        used = max(used, int(np.max(labels, initial=-1)))
    pool = Pool(
        path=folder,
        classes=tuple(info["classes"]),
        clip_s=float(info["clip_s"]),
        sample_rate=int(info["sample_rate"]),
        sources=sources,
        label_sets=_label_sets(label_rows, used + 1),
        digest=info["digest"],
        settings=info["settings"],
        recipes=None,  # type: ignore[arg-type]  # the tables refer back to the pool
        calls=None,  # type: ignore[arg-type]
    )
    pool.recipes = RecipeTable(recipe_rows, pool)
    pool.calls = RecipeTable(call_rows, pool)
    return pool


def _read_info(folder: Path) -> dict[str, Any]:
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


def _label_sets(rows: pa.Table, count: int) -> list[PartialLabels]:
    present: list[set[str]] = [set() for _ in range(count)]
    absent: list[dict[str, Absence]] = [{} for _ in range(count)]
    cached: dict[tuple[str, float], Absence] = {}
    columns = (rows.column(name).to_pylist() for name in _LABELS)
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
        raise PoolError(f"labels.parquet of the pool is damaged: {error}") from error
    return [PartialLabels(frozenset(p), a) for p, a in zip(present, absent, strict=True)]


def check_classes(wanted: Sequence[str], known: Sequence[str], where: str) -> None:
    """Check that two sets of classes are the same.

    Raises
    ------
    PoolError
        Naming the first class that only one side has.
    """
    for name in wanted:
        if name not in known:
            raise PoolError(f"{where}: class '{name}' is unknown there{did_you_mean(name, known)}")
    for name in known:
        if name not in wanted:
            raise PoolError(
                f"{where}: has a class '{name}' that is not among the {len(wanted)} here"
            )
