"""The options of commands that score clips with a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from negmine.cli.console import GroupedOption
from negmine.notices import warn

if TYPE_CHECKING:
    from negmine.audio.decode import Decode
    from negmine.models.scorer import Scorer
    from negmine.recipes.cache import CachedReader
    from negmine.recipes.source import Source

device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    help="auto, cpu, cuda, cuda:1, ...",
    cls=GroupedOption,
    group="How it runs",
)
pool_option = click.option(
    "--pool", type=click.Path(path_type=Path), required=True, help="From 'negmine build-pool'."
)
moved_pool_option = click.option(
    "--pool",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the selection's pool is now.  [default: where it was, or as it was beside the "
    "selection]",
)
model_option = click.option(
    "--model",
    "models",
    callback=lambda context, option, model: (model,),
    type=click.Path(path_type=Path),
    required=True,
    help="A checkpoint, or what a plug-in reads.",
)
cache_option = click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder written by 'negmine cache'.  [default: the one in the pool's folder, if it fits]",
    cls=GroupedOption,
    group="How it runs",
)
sound_cache_option = click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder written by 'negmine cache': recordings in it are read from it, in 16 bits.",
    cls=GroupedOption,
    group="How it runs",
)
compile_option = click.option(
    "--compile",
    "compiled",
    is_flag=True,
    help="Compile the network first: minutes, won back with some ten thousand clips.",
    cls=GroupedOption,
    group="How it runs",
)


@dataclass(frozen=True)
class Scoring:
    """What scores clips, and where that is kept.

    Attributes
    ----------
    models : tuple of Path
        One, or what a repeatable ``--model`` names.
    """

    models: tuple[Path, ...]
    scores: Path | None
    device: str
    compiled: bool


@dataclass(frozen=True)
class CachedScoring(Scoring):
    """That of a command that has ``--cache``."""

    cache: Path | None


def open_models(scoring: Scoring) -> list[Scorer]:
    """Load the models, to score as is said."""
    from negmine.models.scorer import load_scorer

    return [load_scorer(path, scoring.device, compiled=scoring.compiled) for path in scoring.models]


def open_cache(
    pool: Path,
    sources: Iterable[Source],
    sample_rate: int,
    named: Path | None = None,
    reads: str = "reading",
) -> CachedReader | None:
    """Open the cache of a pool's sound, as `find_cache` chooses it; warn of a misfit."""
    from negmine.recipes.cache import find_cache

    reader, why = find_cache(pool, sources, sample_rate, named)
    if why:
        warn(f"{reads} the sound files: {why}")
    return reader


@contextmanager
def decoding(cache: Path | None) -> Iterator[Decode]:
    """Give what reads recordings: from a cache that holds them, and say how many it lacked."""
    from negmine.audio.read import stream
    from negmine.recipes.cache import CachedReader

    if cache is None:
        yield stream
        return
    reader = CachedReader(cache)
    yield reader.blocks
    if reader.lacked:
        warn(f"{cache}: lacks {len(reader.lacked)} recordings at this rate, which were decoded")
