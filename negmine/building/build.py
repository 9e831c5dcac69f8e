"""Building a pool: annotations, recordings and external sound in, a folder of recipes out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from negmine.annotations import Annotations
from negmine.annotations.class_bands import call_bands, warn_of_margin
from negmine.annotations.rates import check_audible, own_rate
from negmine.annotations.recordings import (
    Recordings,
    open_annotated,
    open_external,
    open_unlabelled,
    parse_external,
)
from negmine.annotations.sites import SiteOf, alike_sites
from negmine.building.declarations import Declaration, check_used, declared_files, read_declarations
from negmine.building.dedup.acoustic_files import read_prints, write_prints
from negmine.building.fill import fill
from negmine.building.holdout import read_names
from negmine.building.settings import PoolSettings
from negmine.building.sound import BuildSound
from negmine.building.sources.agreed import open_scorers
from negmine.building.sources.context import BuildContext, DeclaredFolder, no_progress
from negmine.building.standing import check_standing, check_unchanged, standing_roles
from negmine.errors import InputError, PoolError
from negmine.pool import Pool, open_pool
from negmine.pool.append import append_part, open_to_append, writer_after
from negmine.pool.files import write_new
from negmine.pool.writer import PoolWriter


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
    notes : tuple of str
        The same, a line each, with the files that lose most.
    near_duplicates : tuple of str
        What was found of them, a line each.
    folders : tuple of Recordings
        What was opened: annotated, unlabelled, external.
    sites : tuple of str
        Sites that look alike, a line each.
    annotations : Annotations, optional
        Of the recordings as they were opened: of those that are there, and not silent.
    """

    pool: Pool
    changed: bool
    skipped: tuple[str, ...]
    left_out: Mapping[str, int]
    near_duplicates: tuple[str, ...] = ()
    folders: tuple[Recordings, ...] = ()
    notes: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    annotations: Annotations | None = None


def build_pool(
    recordings: Path | Sequence[Path],
    annotations: Annotations,
    out: Path,
    settings: PoolSettings | None = None,
    *,
    external: Sequence[str] = (),
    verdict_recordings: Path | None = None,
    existing: Literal["keep", "replace", "append"] = "keep",
    site_of: SiteOf | None = None,
    progress: Callable[..., Callable[..., object]] = no_progress,
) -> BuildReport:
    """Build a pool folder.

    Parameters
    ----------
    recordings : Path or sequence of Path
        Folders with the annotated recordings.
    annotations : Annotations
    out : Path
        The pool's folder. If the same pool is there already, nothing is changed.
    settings : PoolSettings, optional
    external : sequence of str
        ``DIR`` or ``DIR=CLASS,CLASS``, see `negmine.annotations.recordings.parse_external`; besides
        those of the settings.
    verdict_recordings : Path, optional
        Another folder, for annotated recordings that are not in the first.
    existing : {"keep", "replace", "append"}
        What becomes of another pool at ``out``: it stays, which is an error; it is replaced; or
        what is not there yet is added to it, and nothing that is there is changed.
    site_of : callable, optional
        Gives the site of each of some recordings, see `negmine.annotations.sites`: then their
        group.
    progress : callable
        Given a title, a number of files (or of what a third argument names), returns what to call
        after each.

    Raises
    ------
    NegmineError
        On any bad input; nothing is then written.

    Examples
    --------
    A folder of recordings, the tables of what is confirmed and rejected in them, and a folder of
    sound that cannot hold any of the classes:

    >>> from pathlib import Path
    >>> from negmine.annotations import read_rfcx
    >>> from negmine.building import PoolSettings, build_pool
    >>> annotations = read_rfcx(Path("data/train_tp.csv"), Path("data/train_fp.csv"))
    >>> report = build_pool(
    ...     Path("data/train"),
    ...     annotations,
    ...     Path("pool"),
    ...     PoolSettings(clip_s=1.0),
    ...     external=["data/external"],
    ... )
    >>> len(report.pool), report.pool.classes
    (41, ('0', '1'))
    >>> print(report.pool[0].labels.state("0"))
    absent
    """
    s = settings or PoolSettings()
    named = (*s.external.folders, *external)
    declared = [parse_external(text, annotations.classes) for text in named]
    if out.exists() and not (out / "pool.json").is_file():
        raise PoolError(f"{out}: exists and is not a pool; choose another folder for --out")
    standing = None
    if existing == "append":
        standing = open_to_append(out, annotations.classes, s.clip_s, s.sample_rate)
    scorers = open_scorers(s, annotations.classes)
    annotated, annotations = open_annotated(
        recordings,
        annotations,
        beside=verdict_recordings,
        skip_bad=s.skip_bad,
        progress=lambda total: progress("reading recordings", total),
    )
    rate = s.sample_rate or (standing.sample_rate if standing else None)
    s = s.replace(sample_rate=rate or own_rate(annotated.infos.values()))
    check_audible(annotations, annotated.infos, cast(int, s.sample_rate))
    table = _table(s, annotations.classes, declared)
    if "margin" in s.bands.model_fields_set and (s.erase.count or s.transplant.count):
        warn_of_margin(s.bands.table, annotations.classes)
    roots = _roots(annotated, verdict_recordings is not None)
    opened, roots = _open_all(annotated, roots, [folder for folder, _ in declared], s, progress)
    read = [folder for _, folder in opened.folders]
    if standing:
        check_unchanged(standing, read)
    sound, sites = opened.by_site(site_of) if site_of else (opened, dict(annotated.groups))
    stand = standing.sources if standing else ()
    roles = standing_roles(standing) if standing else {}
    sound = sound.as_standing(stand, sited=site_of is not None)
    holdout = read_names(s.holdout)
    held_out = sound.held_out(holdout, sites)
    near = None
    if s.near_duplicates:
        sound, near = sound.near_duplicates(stand, roles, read_prints(out), held_out, progress)
        held_out |= near.left_out.keys() | near.shared.keys()
    if standing:
        added = {info.fingerprint: info.path for info in annotated.infos.values()}
        check_standing(standing, roles, added, near.left_out | near.shared if near else {})
    folders = [
        DeclaredFolder(folder, declared_files(folder.infos, absent, table))
        for folder, (_, absent) in zip(sound.external, declared, strict=True)
    ]
    check_used(table, {name: None for folder in opened.external for name in folder.infos})
    context = BuildContext(
        annotations,
        sound.annotated,
        tuple(folders),
        s,
        held_out=held_out,
        unlabelled=sound.unlabelled,
        scorers=scorers,
        progress=progress,
    )
    if near:
        context.left_out["near-duplicates of held-out files"] += len(near.left_out)
        context.left_out["external files that hold part of a recording"] += len(near.shared)
    writer = writer_after(standing) if standing else PoolWriter(s.clip_s, context.sample_rate)
    fill(writer, context)
    record = _record(s, opened.external, [absent for _, absent in declared], annotations, holdout)
    if standing:
        changed = append_part(standing, writer, roots, record)
    else:
        changed = write_new(
            out,
            writer,
            classes=annotations.classes,
            roots=roots,
            settings=record,
            replace=existing == "replace",
        )
    if near:
        write_prints(out, near.prints)
    return BuildReport(
        open_pool(out),
        changed,
        tuple(line for one in read for line in one.skipped),
        {reason: count for reason, count in context.left_out.items() if count},
        near.notes if near else (),
        tuple(read),
        tuple(context.left_out.lines()),
        tuple(alike_sites(sites)),
        annotations,
    )


def _roots(annotated: Recordings, verdicts: bool) -> dict[str, Path]:
    """Name the folders of annotated recordings; ``verdicts``: whether the last is of verdicts."""
    roots = {"recordings": annotated.root}
    for number, root in enumerate(annotated.roots[1:], start=2):
        last = number == len(annotated.roots)
        if root not in roots.values():
            roots["verdicts" if verdicts and last else f"recordings{number}"] = root
    return roots


def _open_all(
    annotated: Recordings,
    roots: dict[str, Path],
    external: Sequence[Path],
    settings: PoolSettings,
    progress: Callable[..., Callable[..., object]],
) -> tuple[BuildSound, dict[str, Path]]:
    """Open the sound beside the annotated recordings; return all of it, and all roots by name.

    Raises
    ------
    InputError
        If a folder is given twice, or external sound holds a recording.
    """
    opened = []
    for number, folder in enumerate(external):
        opened.append(
            open_external(
                folder,
                skip_bad=settings.skip_bad,
                progress=lambda total: progress("reading external", total),
            )
        )
        if opened[-1].root.resolve() in {root.resolve() for root in roots.values()}:
            raise InputError(f"--external {opened[-1].root}: the folder is given twice")
        roots[f"external{number}"] = opened[-1].root
    _check_other_sound(annotated, opened)
    unlabelled = None
    if settings.unlabelled is not None:
        unlabelled = open_unlabelled(
            Path(settings.unlabelled),
            skip_bad=settings.skip_bad,
            progress=lambda total: progress("reading unlabelled", total),
        )
        if unlabelled.root not in roots.values():
            roots["unlabelled"] = unlabelled.root
    return BuildSound(annotated, tuple(opened), unlabelled), roots


def _record(
    settings: PoolSettings,
    external: Sequence[Recordings],
    absent: Sequence[Collection[str]],
    annotations: Annotations,
    holdout: Collection[str],
) -> dict[str, Any]:
    """Return settings as a pool keeps them: the same pool is then found to be the same.

    Folders are named by where they are, however the caller spelled them.
    """
    record = settings.to_dict()
    record["external"]["folders"] = {
        str(folder.root): [name for name in annotations.classes if name in classes]
        for folder, classes in zip(external, absent, strict=True)
    }
    record["holdout"] = sorted(holdout)
    record["class_bands"] = {name: list(band) for name, band in call_bands(annotations).items()}
    del record["skip_bad"]  # what was left out is none of it
    return record


def _table(
    settings: PoolSettings, classes: Sequence[str], declared: Sequence[object]
) -> tuple[Declaration, ...]:
    if settings.external.table is None:
        return ()
    if not declared:
        raise InputError(
            f"--external-table {settings.external.table}: name the folders it covers with "
            "--external"
        )
    return read_declarations(Path(settings.external.table), classes)


def _check_other_sound(annotated: Recordings, external: Sequence[Recordings]) -> None:
    """Check that external sound holds no recording: it would be declared free of its calls."""
    ours = {info.fingerprint: info.path for info in annotated.infos.values()}
    for opened in external:
        for info in opened.infos.values():
            if info.fingerprint in ours:
                raise InputError(
                    f"{info.path}: the same file as {ours[info.fingerprint]}; external sound is "
                    "declared free of the classes, so take it out"
                )
