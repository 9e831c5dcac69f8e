"""What caches are filled with: sound files, spans of them, and rendered clips."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from negmine.audio.fingerprint import file_fingerprint
from negmine.audio.read import promised_s, read_span
from negmine.audio.windows import to_samples
from negmine.progress import Progress, no_progress
from negmine.recipes.cache import ExactReader
from negmine.recipes.cache_files import Clips, Piece
from negmine.recipes.cache_fill import (
    Item,
    check_file,
    file_item,
    fill,
    open_whole,
)
from negmine.recipes.recipe import Recipe
from negmine.recipes.render import RENDERING, render
from negmine.recipes.source import Source


@dataclass(frozen=True)
class CacheReport:
    """A built cache: how many sounds it holds, how many were decoded now, and their samples."""

    sounds: int
    decoded: int
    samples: int
    sample_rate: int

    @property
    def hours(self) -> float:
        return self.samples / self.sample_rate / 3600


def sounds_of_folder(paths: Sequence[Path]) -> list[Source]:
    """List sound files: hash them in threads, read their lengths from their headers.

    Raises
    ------
    AudioError
        If one is unreadable.
    """
    with ThreadPoolExecutor() as threads:
        prints = list(threads.map(file_fingerprint, paths))
        lengths = list(threads.map(promised_s, paths))
    found = zip(paths, prints, lengths, strict=True)
    return [Source(path.parent, path.name, name, length, "") for path, name, length in found]


def build_cache(
    folder: Path,
    sources: Sequence[Source],
    sample_rate: int,
    *,
    workers: int = 2,
    progress: Progress = no_progress,
) -> CacheReport:
    """Decode whole sound files into a cache, and check all of them and what it holds of them.

    Parameters
    ----------
    folder : Path
    sources : sequence of Source
        Generated sound among them needs no decoding.
    sample_rate : int
        Hz.
    workers : int
        Threads.
    progress : Progress

    Raises
    ------
    AudioError
        If a file is missing, unreadable, or changed since its fingerprint was taken.
    OutputError
        If the folder cannot be written.
    """
    files = list({s.fingerprint: s for s in sources if not s.is_synthetic}.values())
    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(check_file, files))
    items = [file_item(source, sample_rate) for source in files]
    filled = fill(folder, items, workers=workers, progress=progress)
    samples = sum(filled.cache[item.key].length for item in items)
    return CacheReport(len(files), filled.made, samples, sample_rate)


def cache_spans(
    folder: Path,
    spans: Sequence[tuple[Source, float, float]],
    sample_rate: int,
    progress: Progress = no_progress,
) -> Clips:
    """Decode spans of sound files into a cache: each a source, its start and length in seconds.

    Where the cache holds the whole file, and to the bit, they are pieces of that.
    """
    cache, pieces, items = open_whole(folder), [], []
    for source, start_s, duration_s in spans:
        whole = file_item(source, sample_rate)
        if whole.key in cache and cache[whole.key].exact:
            items.append(whole)
            first = to_samples(start_s, sample_rate)
        else:
            items.append(_span_item(source, start_s, duration_s, sample_rate))
            first = 0
        pieces.append(Piece(items[-1].key, first, to_samples(duration_s, sample_rate)))
    filled = fill(folder, items, bar=("decoding clips", "clip"), progress=progress)
    return Clips(filled.cache, pieces)


def cache_clips(
    folder: Path,
    recipes: Sequence[Recipe],
    sample_rate: int,
    also: Path,
    progress: Progress = no_progress,
) -> Clips:
    """Render recipes into a cache.

    Sound is read from it, or from that in ``also``, where this changes no bit; else from its files.
    """
    reader = ExactReader(folder, also)
    items = [_clip_item(recipe, sample_rate, reader) for recipe in recipes]
    pieces = [Piece(item.key, 0, item.room) for item in items]
    filled = fill(folder, items, bar=("rendering clips of the pool", "clip"), progress=progress)
    return Clips(filled.cache, pieces)


def _span_item(source: Source, start_s: float, duration_s: float, sample_rate: int) -> Item:
    length = to_samples(duration_s, sample_rate)
    return Item(
        f"span {source.fingerprint} {start_s!r} {length} {sample_rate}",
        str(source.path),
        length,
        lambda: [read_span(source.path, start_s, duration_s, sample_rate)],
    )


def _clip_item(recipe: Recipe, sample_rate: int, reader: ExactReader) -> Item:
    return Item(
        f"clip {recipe.id} {RENDERING} {sample_rate}",
        f"recipe {recipe.id}",
        to_samples(recipe.duration_s, sample_rate),
        lambda: [render(recipe, sample_rate, reader)],
    )
