"""The sound files that a pool is built from: in what group each is, and which must not enter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from negmine.annotations.recordings import Recordings
from negmine.annotations.sites import SiteOf
from negmine.audio.read import AudioInfo
from negmine.building.dedup.acoustic import AcousticPrint
from negmine.building.dedup.near_duplicates import (
    EXTERNAL,
    RECORDING,
    STANDING,
    UNLABELLED,
    NearDuplicates,
    SoundFile,
    find_near_duplicates,
)
from negmine.building.holdout import held_names
from negmine.errors import PoolError
from negmine.recipes.source import Source
from negmine.storage.names import clean_name


@dataclass(frozen=True)
class BuildSound:
    """All files that a build has opened.

    Attributes
    ----------
    annotated : Recordings
    external : tuple of Recordings
    unlabelled : Recordings or None
    """

    annotated: Recordings
    external: tuple[Recordings, ...] = ()
    unlabelled: Recordings | None = None

    @property
    def folders(self) -> tuple[tuple[str, Recordings], ...]:
        """Each folder and its role, in the order in which groups are named."""
        unlabelled = ((UNLABELLED, self.unlabelled),) if self.unlabelled else ()
        external = ((EXTERNAL, folder) for folder in self.external)
        return ((RECORDING, self.annotated), *unlabelled, *external)

    def infos(self) -> Iterator[tuple[str, AudioInfo]]:
        """Yield each file's name and what is known of it."""
        for _, folder in self.folders:
            yield from folder.infos.items()

    def grouped(self, change: Callable[[Recordings], Recordings]) -> BuildSound:
        """Put the same files in the groups that ``change`` gives for each folder."""
        return BuildSound(
            change(self.annotated),
            tuple(map(change, self.external)),
            change(self.unlabelled) if self.unlabelled else None,
        )

    def by_site(self, site_of: SiteOf) -> tuple[BuildSound, dict[str, str]]:
        """Put each file in the group of its site; return the sites of all recordings, too.

        External files go by their names without suffix, and stay by themselves where those tell no
        site; recordings must have one.

        Raises
        ------
        InputError
            If a recording has no site.
        """
        recorded = [self.annotated, *([self.unlabelled] if self.unlabelled else [])]
        sites = dict(site_of([name for folder in recorded for name in folder.infos]))
        stems = {
            clean_name(info.path.stem) for folder in self.external for info in folder.infos.values()
        }
        other = site_of(sorted(stems), partial=True)

        def change(folder: Recordings) -> Recordings:
            if any(folder is one for one in recorded):
                return folder.grouped(sites.__getitem__)
            return folder.grouped(lambda name: other.get(clean_name(folder.infos[name].path.stem)))

        return self.grouped(change), sites

    def as_standing(self, sources: Sequence[Source], sited: bool) -> BuildSound:
        """Keep the files that are in a pool in the groups that they have there.

        Raises
        ------
        PoolError
            If one has a site by now that is another: what is in the pool is not changed.
        """
        standing = {source.fingerprint: source.group for source in sources}
        for _, folder in self.folders:
            for name, info in folder.infos.items():
                group = standing.get(info.fingerprint, "")
                if sited and name in folder.groups and group not in ("", folder.group(name)):
                    raise PoolError(
                        f"{info.path}: is in the pool in group '{group}', and its site is "
                        f"'{folder.group(name)}'; pass the --sites or --site-regex that the pool "
                        "was built with, or build it again"
                    )
        return self.grouped(
            lambda folder: folder.grouped(
                lambda name: standing.get(folder.infos[name].fingerprint) or None
            )
        )

    def held_out(self, names: Sequence[str], sites: Mapping[str, str]) -> frozenset[str]:
        """Fingerprint what is held out, see `negmine.building.holdout.held_names`."""
        held = held_names(names, (name for name, _ in self.infos()), sites)
        return frozenset(info.fingerprint for name, info in self.infos() if name in held)

    def near_duplicates(
        self,
        standing: Sequence[Source],
        roles: Mapping[str, str],
        known: Mapping[str, AcousticPrint],
        held_out: frozenset[str],
        progress: Callable[..., Callable[..., object]],
    ) -> tuple[BuildSound, NearDuplicates]:
        """Put near-duplicates in one group each: see `negmine.building.dedup.near_duplicates`.

        ``roles`` are those of files in ``standing``, where they are known.
        """
        files = [
            SoundFile(
                roles.get(one.fingerprint, STANDING),
                one.path,
                one.fingerprint,
                one.duration_s,
                one.group,
            )
            for one in standing
            if one.fingerprint in known
        ]
        opened = [
            SoundFile(role, info.path, info.fingerprint, info.duration_s, folder.group(name))
            for role, folder in self.folders
            for name, info in folder.infos.items()
        ]
        # a file that is opened now is not the pool's: it has a role
        here = {one.fingerprint for one in opened}
        pooled = {one.fingerprint for one in standing}
        first = [one for one in files if one.fingerprint not in here]
        ordered = sorted(opened, key=lambda one: one.fingerprint not in pooled)
        found = find_near_duplicates(
            [*first, *ordered], known, held_out=held_out, progress=progress
        )
        return self.grouped(partial(_regrouped, found.groups, pooled)), found


def _regrouped(groups: Mapping[str, str], stand: Collection[str], folder: Recordings) -> Recordings:
    """Put a folder's files in the joint groups, except those that keep their own."""

    def group_of(name: str) -> str | None:
        if folder.infos[name].fingerprint in stand:
            return None
        return groups.get(folder.group(name))

    return folder.grouped(group_of)
