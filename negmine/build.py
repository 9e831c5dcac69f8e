"""Building a pool: annotations, recordings and external sound in, a folder of recipes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from negmine.annotations import Annotations
from negmine.audio import SILENCE_RMS
from negmine.errors import InputError, PoolError
from negmine.labels import BEYOND_BOX_PER_S, DEFAULT_CONFIDENCE, Certificate
from negmine.pool import Pool, open_pool
from negmine.pool_files import write_pool
from negmine.recipe import Recipe
from negmine.recordings import Recordings, open_annotated, open_external, parse_external
from negmine.sources.annotated import annotated_clips
from negmine.sources.external import external_clips
from negmine.sources.mix import mixed_clips


@dataclass(frozen=True)
class PoolSettings:
    """What a pool is built with.

    Attributes
    ----------
    clip_s : float
        Length of every clip.
    sample_rate : int
        Hz.
    beyond_per_s : float
        Confidence that an FP verdict keeps for each second a clip reaches beyond its box.
    external_confidence : float
    mix : int
        How many mixes.
    mix_snr_db : (float, float)
    seed : int
    """

    clip_s: float = 2.0
    sample_rate: int = 32_000
    beyond_per_s: float = BEYOND_BOX_PER_S
    external_confidence: float = DEFAULT_CONFIDENCE[Certificate.EXTERNAL]
    mix: int = 0
    mix_snr_db: tuple[float, float] = (-5.0, 10.0)
    seed: int = 0


@dataclass(frozen=True)
class BuildReport:
    """A built pool, and what was left out of it.

    Attributes
    ----------
    pool : Pool
    changed : bool
        False where the same pool stood there already.
    skipped : tuple of str
        Unreadable files.
    left_out : mapping of str to int
        Clips left out, by reason.
    """

    pool: Pool
    changed: bool
    skipped: tuple[str, ...]
    left_out: Mapping[str, int]


def build_pool(
    recordings: Path,
    annotations: Annotations,
    out: Path,
    *,
    external: Sequence[str] = (),
    settings: PoolSettings | None = None,
    skip_bad: bool = False,
    force: bool = False,
    progress: Callable[[str, int], Callable[[], object]] = lambda what, total: lambda: None,
) -> BuildReport:
    """Build a pool folder.

    Parameters
    ----------
    recordings : Path
        Folder with the annotated recordings.
    annotations : Annotations
    out : Path
        The pool's folder. If the same pool stands there already, nothing is changed.
    external : sequence of str
        ``DIR`` or ``DIR=CLASS,CLASS``, see `negmine.recordings.parse_external`.
    settings : PoolSettings, optional
    skip_bad : bool
        Leave out unreadable files.
    force : bool
        Replace another pool that stands at ``out``.
    progress : callable
        Given a title and a number of files, returns what to call after each.

    Raises
    ------
    NegmineError
        On any bad input; nothing is then written.
    """
    s = settings or PoolSettings()
    declared = [parse_external(text, annotations.classes) for text in external]
    if out.exists() and not (out / "pool.json").is_file():
        raise PoolError(f"{out}: exists and is no pool; choose another folder for --out")
    annotated, annotations = open_annotated(
        recordings,
        annotations,
        skip_bad=skip_bad,
        progress=lambda total: progress("reading recordings", total),
    )
    folders = [
        (
            open_external(
                folder,
                skip_bad=skip_bad,
                progress=lambda total: progress("reading external", total),
            ),
            absent,
        )
        for folder, absent in declared
    ]
    roots = {"recordings": annotated.root}
    for number, (opened, _) in enumerate(folders):
        if opened.root in roots.values():
            raise InputError(f"--external {opened.root}: the folder was named twice")
        roots[f"external{number}"] = opened.root
    _check_other_sound(annotated, [opened for opened, _ in folders])

    def boxed(present: bool) -> list[Recipe]:
        clips = annotated_clips(
            annotations,
            annotated,
            present=present,
            clip_s=s.clip_s,
            sample_rate=s.sample_rate,
            beyond_per_s=s.beyond_per_s,
        )
        return list(clips)

    calls, plain = boxed(present=True), boxed(present=False)
    uncertified = len(annotations.rejected) - len(plain)
    silent: list[str] = []
    for opened, absent in folders:
        plain += external_clips(
            opened,
            absent,
            clip_s=s.clip_s,
            sample_rate=s.sample_rate,
            confidence=s.external_confidence,
            silent=silent,
        )
    every = [annotated, *(opened for opened, _ in folders)]
    mixable = _audible(plain, every, s.clip_s)
    rng = np.random.default_rng(s.seed)
    mixes = list(mixed_clips(mixable, annotations.classes, s.mix, s.mix_snr_db, rng))
    changed = write_pool(
        out,
        classes=annotations.classes,
        clip_s=s.clip_s,
        sample_rate=s.sample_rate,
        roots=roots,
        recipes=plain + mixes,
        calls=calls,
        # by folder, however the caller spelled it: the same pool is then found to be the same
        settings=asdict(s)
        | {
            "external": {
                str(opened.root): [name for name in annotations.classes if name in absent]
                for opened, absent in folders
            }
        },
        replace=force,
    )
    left_out = {
        "rejected detections whose verdict does not cover the clip": uncertified,
        "silent external windows": len(silent),
        "mixes without a partner": s.mix - len(mixes),
    }
    return BuildReport(
        open_pool(out),
        changed,
        tuple(line for opened in every for line in opened.skipped),
        {reason: count for reason, count in left_out.items() if count},
    )


def _check_other_sound(annotated: Recordings, external: Sequence[Recordings]) -> None:
    """External sound must not hold a recording: it would be declared free of its calls."""
    ours = {info.fingerprint: info.path for info in annotated.infos.values()}
    for opened in external:
        for info in opened.infos.values():
            if info.fingerprint in ours:
                raise InputError(
                    f"{info.path}: the same file as {ours[info.fingerprint]}; external sound is "
                    "declared free of the classes, so take it out"
                )


def _audible(
    recipes: Sequence[Recipe], folders: Sequence[Recordings], clip_s: float
) -> list[Recipe]:
    """Recipes that are not silent: a ratio to silence is undefined."""
    infos = {info.path: info for opened in folders for info in opened.infos.values()}

    def rms(recipe: Recipe) -> float:
        start_s = recipe.layers[0].start_s
        return infos[recipe.sources[0].path].rms(start_s, start_s + clip_s)

    return [recipe for recipe in recipes if rms(recipe) >= SILENCE_RMS]
