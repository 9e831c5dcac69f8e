"""A flipped bit, a cut or an emptied file: the same result, or one line that says so.

Never another result, never an error that is not negmine's. What can be made again is.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from conftest import Data
from placeholder import PlaceholderScorer

from negmine.audit.audit_folder import KEY, read_key
from negmine.building.dedup.acoustic import AcousticPrint
from negmine.building.dedup.acoustic_files import read_prints, write_prints
from negmine.errors import AudioError, NegmineError
from negmine.mining.selection import Chosen, Selection, open_selection
from negmine.pool import open_pool
from negmine.recipes.cache import CachedReader
from negmine.recipes.cache_files import Clips, Piece
from negmine.recipes.cache_fill import Item, fill
from negmine.recipes.cache_items import build_cache, sounds_of_folder
from negmine.report.read_report import read_report
from negmine.scores.embed import open_store, score_recipes
from negmine.scores.pool_index import open_index
from negmine.storage.files import write_json, write_table
from negmine.synthesis import into_pool
from negmine.synthesis.into_pool import ANCESTRY, read_ancestry
from training.engine.validate import KnownScores
from training.evaluation.members import OOF, OOF_VERDICTS
from training.schedules.crossval import OutOfFold, scored_by
from training.schedules.pseudo import PseudoLabels, WindowLabels

FLIPS = 20


@dataclass(frozen=True)
class Kind:
    """Files of one kind: a folder, their names in it, what reads them, and to what."""

    folder: Path
    names: tuple[str, ...]
    read: Callable[[Path], Any]
    remade: bool = False  # damage never is an error: what is lost is made again
    said: float = 0.8  # share of the damage that is told of, at least


def damaged(content: bytes, seed: int) -> Iterator[bytes]:
    """A file with a bit flipped somewhere; cut somewhere; empty."""
    rng = np.random.default_rng(seed)
    for bit in rng.integers(0, 8 * len(content), FLIPS).tolist():
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)
    for length in (0, 1, int(rng.integers(len(content))), len(content) - 1):
        yield content[:length]


def check(kind: Kind, tmp_path: Path, errors: Callable[[], str]) -> None:
    want = kind.read(Path(shutil.copytree(kind.folder, tmp_path / "copy")))
    said = 0
    for seed, name in enumerate(kind.names):
        for number, content in enumerate(damaged((kind.folder / name).read_bytes(), seed)):
            folder = Path(shutil.copytree(kind.folder, tmp_path / f"{seed}-{number}"))
            (folder / name).write_bytes(content)
            errors()
            try:
                found = kind.read(folder)
            except NegmineError as error:
                found, message = None, str(error)
            else:
                message = errors()
                assert found == want, f"{name}: damage number {number} changed what is read"
            assert found is not None or not kind.remade, message
            assert found is not None or ("\n" not in message and len(message) < 500)
            said += message != ""
            shutil.rmtree(folder)
    # a bit may lie where nothing is read; most do not
    assert said >= kind.said * len(kind.names) * (FLIPS + 4)


def pool_of(folder: Path) -> object:
    pool = open_pool(folder)
    rows = [repr((row, row.labels)) for table in (pool.recipes, pool.calls) for row in table]
    about = pool.classes, pool.clip_s, pool.sample_rate, pool.digests, dict(pool.settings)
    return rows, list(pool.sources), about


def pools(shared_pool: Path, folder: Path) -> Kind:
    tables = [f"{part.relative_to(shared_pool)}" for part in (shared_pool / "parts").rglob("*.*")]
    return Kind(shared_pool, ("pool.json", *sorted(tables)), pool_of)


def selections(shared_pool: Path, folder: Path) -> Kind:
    row = Chosen("a" * 24, "0", 1.5, 1, "fp", "verified", 1.0, "", 0.25, 0.1)
    rows = tuple(row for _ in range(50))
    Selection(rows, Path("/pool"), "digest", "model").write(folder / "hard.parquet")
    return Kind(folder, ("hard.parquet",), lambda at: open_selection(at / "hard.parquet"))


def ancestries(shared_pool: Path, folder: Path) -> Kind:
    row = {"recipe": "a", "parents": ["b"], "move": "mix", "class": "0", "score": 0.5, "model": "m"}
    schema = pa.schema(list(into_pool._COLUMNS.items()))
    write_table(folder / ANCESTRY, pa.Table.from_pylist([row] * 9, schema=schema))

    def read(at: Path) -> object:
        assert (at / ANCESTRY).exists()
        return read_ancestry(at)

    return Kind(folder, (ANCESTRY,), read)


def reports(shared_pool: Path, folder: Path) -> Kind:
    write_json(folder / "hard.report.json", {"classes": {"0": {"chosen": 3, "share": 0.25}}})
    return Kind(folder, ("hard.report.json",), lambda at: read_report(at / "hard.report.json"))


def pseudo_labels(shared_pool: Path, folder: Path) -> Kind:
    rng = np.random.default_rng(0)
    times = np.arange(20) / 2
    windows = WindowLabels(times, times + 1, rng.random((20, 2)).astype(np.float32))
    PseudoLabels(("0", "1"), {"a": windows, "b": windows}, ["m"]).write(folder / "p.parquet")

    def read(at: Path) -> object:
        found = PseudoLabels.read(at / "p.parquet", ("0", "1"))
        times = [(w.start_s.tolist(), w.end_s.tolist()) for w in found.recordings.values()]
        return found.description, found.models, found.settings, times

    return Kind(folder, ("p.parquet",), read)


def fingerprints(shared_pool: Path, folder: Path) -> Kind:
    prints = [np.arange(9, dtype=kind) for kind in ("<u4", "<u4", "<i4", "<i4")]
    write_prints(folder, {"a": AcousticPrint(*prints), "b": AcousticPrint(*prints)})

    def read(at: Path) -> object:
        if not read_prints(at):
            write_prints(at, {"a": AcousticPrint(*prints), "b": AcousticPrint(*prints)})
        return {key: repr(value) for key, value in read_prints(at).items()}

    return Kind(folder, ("acoustic.parquet",), read, remade=True)


def caches(data: Data, folder: Path) -> Kind:
    sources = sounds_of_folder(sorted(data.external.rglob("*.wav")))
    build_cache(folder / "cache", sources, 8000)

    def read(at: Path) -> object:
        reader = CachedReader(at / "cache")
        return [reader.read(source, 0.1, source.duration_s, 8000).tobytes() for source in sources]

    return Kind(folder, files_of(folder / "cache", folder), read)


def filled_caches(data: Data, folder: Path) -> Kind:
    """A cache that is filled further."""
    sources = sounds_of_folder(sorted(data.external.rglob("*.wav")))
    build_cache(folder, sources[:2], 8000)

    def read(at: Path) -> object:
        build_cache(at, sources, 8000, workers=1)
        return [CachedReader(at).read(one, 0.1, one.duration_s, 8000).tobytes() for one in sources]

    return Kind(folder, files_of(folder, folder), read, remade=True)


def files_of(folder: Path, root: Path) -> tuple[str, ...]:
    return tuple(sorted(str(path.relative_to(root)) for path in folder.iterdir()))


def clips(shared_pool: Path, folder: Path) -> Kind:
    made = [np.random.default_rng(i).normal(0, 0.5, 50).astype(np.float32) for i in range(5)]

    def item(i: int) -> Item:
        return Item(str(i), str(i), 50, lambda: [made[i]])

    def read(at: Path) -> object:
        items = [item(i) for i in range(5)]
        store = Clips(fill(at, items).cache, [Piece(item.key, 0, 50) for item in items])
        return [store.read(i, 0, 50).tobytes() for i in range(5)]

    read(folder)
    names = tuple(sorted(path.name for path in folder.iterdir()))
    assert len(names) == 2
    return Kind(folder, names, read, remade=True)


def scores(shared_pool: Path, folder: Path) -> Kind:
    pool = open_pool(shared_pool)

    def read(at: Path) -> object:
        found = score_recipes(PlaceholderScorer(), pool.recipes, at)
        return found.logits(np.arange(len(pool))).tobytes()

    read(folder)
    names = tuple(str(path.relative_to(folder)) for path in folder.rglob("*.safetensors"))
    return Kind(folder, names, read, remade=True)


def indices(shared_pool: Path, folder: Path) -> Kind:
    pool = open_pool(shared_pool)
    scorer = PlaceholderScorer()
    score_recipes(scorer, pool.recipes, folder)

    def read(at: Path) -> object:
        found = score_recipes(scorer, pool.recipes, open_store(scorer, at))
        index, _ = open_index(found, "content")
        return [one.tobytes() for one in index.search(found.embeddings(np.arange(5)), 3)]

    read(folder)
    names = tuple(str(path.relative_to(folder)) for path in sorted(folder.rglob("index.*")))
    assert len(names) == 2
    return Kind(folder, names, read, remade=True)


def held_out_scores(shared_pool: Path, folder: Path) -> Kind:
    logits, known = np.arange(4, dtype=np.float32).reshape(2, 2), np.eye(2, dtype=bool)
    found = OutOfFold(("a", "b"), ("0", "1"), logits, KnownScores(known, known, logits))

    def read(at: Path) -> object:
        scored_by(at, ["model"], lambda: found)
        return [(at / name).read_bytes() for name in (OOF, OOF_VERDICTS)]

    read(folder)
    return Kind(folder, (OOF, OOF_VERDICTS, "oof.json"), read, remade=True)


@pytest.mark.parametrize(
    "make",
    [
        pools, selections, ancestries, reports, pseudo_labels, fingerprints, clips, scores, indices,
        held_out_scores,
    ],
)  # fmt: skip
def test_damage_is_said_or_mended(
    make: Callable[[Path, Path], Kind],
    shared_pool: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "whole"
    folder.mkdir()
    check(make(shared_pool, folder), tmp_path, lambda: capsys.readouterr().err)


@pytest.mark.parametrize("make", [caches, filled_caches])
def test_damage_of_a_cache_is_said_or_mended(
    make: Callable[[Data, Path], Kind],
    shared_data: Data,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "whole"
    folder.mkdir()
    check(make(shared_data, folder), tmp_path, lambda: capsys.readouterr().err)


def test_damage_of_an_audit_s_key_is_said(
    shared_audit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "whole"
    folder.mkdir()
    shutil.copy(shared_audit / KEY, folder)
    # as text: NaN, which a key holds, is not equal to itself
    kind = Kind(folder, (KEY,), lambda at: repr(read_key(at / KEY)))
    check(kind, tmp_path, lambda: capsys.readouterr().err)


def test_a_damaged_cache_without_its_sound_is_an_error(data: Data, tmp_path: Path) -> None:
    kind = caches(data, tmp_path)
    kind.read(tmp_path)
    (samples,) = (tmp_path / "cache").glob("*.i16")
    samples.write_bytes(b"")
    shutil.rmtree(data.external)
    with pytest.raises(AudioError, match=r"no such file|cannot be read"):
        kind.read(tmp_path)


@pytest.mark.parametrize("name", ["recipes/rows.arrow", "labels.parquet", "sources.parquet"])
def test_damage_of_files_of_earlier_versions_is_an_error_of_negmine_s_or_none(
    shared_pool: Path, tmp_path: Path, name: str
) -> None:
    pool = Path(shutil.copytree(shared_pool, tmp_path / "pool"))
    (path,) = (pool / "parts").glob(f"*/{name}")
    content = path.read_bytes().replace(b"negmine-xxh3:", b"negmine-none:")
    refused = 0
    for changed in damaged(content, 7):
        # not in place: what was opened before is still mapped into memory
        path.unlink()
        path.write_bytes(changed)
        try:
            pool_of(pool)
        except NegmineError:
            refused += 1
    assert refused
