"""Recordings without annotations: pseudo rows are drawn from them, too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from negmine.annotations.recordings import Recordings, open_unlabelled, silence_notes
from negmine.audio.read import AudioInfo
from negmine.errors import InputError
from negmine.progress import Progress, no_progress
from training.data.streams import Stream


@dataclass(frozen=True)
class Unlabelled:
    """Recordings without annotations.

    They are dealt over the folds like the others: a fold's model trains on those of all other
    folds, and labels its own. Else later stages would label what they trained on.

    Attributes
    ----------
    infos : mapping of str to AudioInfo
        By name.
    groups : mapping of str to str
        The site of each, where folds hold out whole sites; by default each is alone.
    notes : tuple of str
        Warnings of what is silent, a line each.
    """

    infos: Mapping[str, AudioInfo]
    groups: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def of_fold(self, fold: int, folds: int, seed: int) -> dict[str, AudioInfo]:
        """Return those that a fold's model does not train on, and labels."""
        groups = sorted({self.groups.get(name, name) for name in self.infos})
        order = np.random.default_rng([seed, folds, Stream.UNLABELLED_FOLDS]).permutation(
            len(groups)
        )
        own = {groups[i] for i in order[fold::folds]}
        return {n: info for n, info in self.infos.items() if self.groups.get(n, n) in own}


def open_beside(
    root: Path,
    annotated: Recordings,
    *,
    group: Callable[[Iterable[str]], Mapping[str, str] | None] = lambda names: None,
    skip_bad: bool = False,
    progress: Progress = no_progress,
) -> tuple[Unlabelled, Recordings]:
    """Decode and check a folder of recordings in addition to annotated ones.

    Files of the same bytes as an annotated recording are left out, whatever their name: they have
    annotations, and may be held out. So the folder may be that of the annotated recordings itself.

    Returns
    -------
    unlabelled : Unlabelled
    opened : Recordings
        The folder, with what was left out of it.

    Raises
    ------
    InputError
        If the folder is missing or empty, two files share a name, one has the name of an annotated
        recording and other bytes, or all are annotated.
    AudioError
        If one is unreadable and ``skip_bad`` is off.
    """
    opened = open_unlabelled(
        root,
        skip_bad=skip_bad,
        progress=lambda total: progress("reading recordings without annotations", total),
    )
    known = {info.fingerprint for info in annotated.infos.values()}
    infos = {n: info for n, info in opened.infos.items() if info.fingerprint not in known}
    for name, info in infos.items():
        if name in annotated.infos:
            raise InputError(
                f"{info.path}: another recording '{name}' is annotated; rename one of them"
            )
    if not infos:
        raise InputError(
            f"{root}: all {len(opened.infos)} recordings are annotated: nothing to add"
        )
    notes = silence_notes(infos.values())
    return Unlabelled(infos, group(infos) or {}, notes), opened
