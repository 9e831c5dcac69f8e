"""Near-duplicates among the files that a pool is built from: found, reported, kept in one group.

Two files *share* sound where `negmine.building.dedup.acoustic_match` says so. They are
*near-duplicates* where they share `SAME` of the shorter one: the same recording, re-encoded, at
another gain, or cut differently. Recordings that share less, such as soundscapes composed on one
bed, are reported and left alone. External sound may share none with an annotated recording, since
it is declared free of its calls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from negmine.building.dedup.acoustic import AcousticPrint, print_all
from negmine.building.dedup.acoustic_match import SharedSound, find_matches
from negmine.errors import shorten

# Of the shorter one, what near-duplicates share.
SAME = 0.5

# Groups of near-duplicates that are reported one by one.
_TOLD = 10

RECORDING, UNLABELLED, EXTERNAL, STANDING = "recording", "unlabelled", "external", "standing"


@dataclass(frozen=True)
class SoundFile:
    """A file that a pool is built from.

    Attributes
    ----------
    role : str
        ``recording``, ``unlabelled``, ``external``; or ``standing``: in the pool that is added to.
    fingerprint : str
        Of its bytes.
    """

    role: str
    path: Path
    fingerprint: str
    duration_s: float
    group: str


@dataclass(frozen=True)
class NearDuplicates:
    """What was found.

    Attributes
    ----------
    groups : dict of str to str
        The joint group of each group that has near-duplicates in another.
    left_out : dict of str to str
        Near-duplicates of what is held out, by fingerprint, and which sound is shared.
    shared : dict of str to str
        The same of external files that hold part of an annotated recording: they would be declared
        free of its calls.
    notes : tuple of str
        What to warn of, a line each.
    prints : dict of str to AcousticPrint
        By the fingerprint of the file's bytes.
    """

    groups: dict[str, str]
    left_out: dict[str, str]
    shared: dict[str, str]
    notes: tuple[str, ...]
    prints: dict[str, AcousticPrint]


def find_near_duplicates(
    files: Sequence[SoundFile],
    known: Mapping[str, AcousticPrint],
    *,
    held_out: frozenset[str] = frozenset(),
    progress: Callable[..., Callable[..., object]] = lambda *what: lambda: None,
) -> NearDuplicates:
    """Compare every file with every other.

    Parameters
    ----------
    files : sequence of SoundFile
        Where groups become one, it is named for the first of them. Of files that are equal to the
        byte the first one counts. Those already in a pool must be in ``known``.
    known : mapping of str to AcousticPrint
        Of files that need no decoding again.
    held_out : frozenset of str
        Fingerprints of files that must not enter.
    progress : callable
        Given a title, a number and what is counted, returns what to call after each.

    Raises
    ------
    AudioError
        If a file cannot be read.
    """
    by_print: dict[str, SoundFile] = {}
    roles: defaultdict[str, set[str]] = defaultdict(set)
    for one in files:
        by_print.setdefault(one.fingerprint, one)
        roles[one.fingerprint].add(one.role)
    unique = list(by_print.values())
    paths = {name: one.path for name, one in by_print.items()}
    missing = len(paths.keys() - known.keys())
    prints = print_all(paths, known, on_done=progress("acoustic fingerprints", missing))
    matches = find_matches(
        list(prints.values()), progress=lambda total: progress("near-duplicates", total, "pair")
    )
    pairs = [_Pair(unique[m.first], unique[m.second], m) for m in matches]
    left_out, shared = dict[str, _Pair](), dict[str, _Pair]()
    for pair in pairs:
        for here, there in (pair.ends, pair.ends[::-1]):
            if here in held_out and (pair.is_same or EXTERNAL in roles[there]):
                left_out.setdefault(there, pair)
            elif RECORDING in roles[here] and EXTERNAL in roles[there]:
                shared.setdefault(there, pair)
    for name in held_out:
        left_out.pop(name, None)
    for name in {*left_out, *held_out}:
        shared.pop(name, None)
    groups = _joined(pairs, unique)
    notes = (*_shared_lines(list(shared.values())), *_lines(pairs, groups))
    return NearDuplicates(groups, _as_text(left_out), _as_text(shared), notes, prints)


@dataclass(frozen=True)
class _Pair:
    first: SoundFile
    second: SoundFile
    match: SharedSound

    @property
    def ends(self) -> tuple[str, str]:
        return self.first.fingerprint, self.second.fingerprint

    @property
    def is_same(self) -> bool:
        return self.match.shared_s >= SAME * min(self.first.duration_s, self.second.duration_s)

    def __str__(self) -> str:
        m = self.match
        return (
            f"{self.first.path} from {m.first_s:.1f} s and {self.second.path} from "
            f"{m.second_s:.1f} s share {m.shared_s:.1f} s"
        )


def _as_text(pairs: Mapping[str, _Pair]) -> dict[str, str]:
    return {name: str(pair) for name, pair in pairs.items()}


def _shared_lines(pairs: Sequence[_Pair]) -> Iterable[str]:
    if pairs:
        yield (
            f"{len(pairs)} external files left out: they hold part of an annotated recording, and "
            f"would be declared free of its calls; the first: {pairs[0]}"
        )


def _joined(pairs: Iterable[_Pair], files: Sequence[SoundFile]) -> dict[str, str]:
    """Return the joint group of each group that is no longer by itself."""
    rank = {group: at for at, group in enumerate(dict.fromkeys(one.group for one in files))}
    above: dict[str, str] = {}

    def top(group: str) -> str:
        while group in above:
            group = above[group]
        return group

    for pair in pairs:
        ends = {top(pair.first.group), top(pair.second.group)}
        if pair.is_same and len(ends) == 2:
            first, second = sorted(ends, key=rank.__getitem__)
            above[second] = first
    return {group: top(group) for group in above}


def _lines(pairs: Sequence[_Pair], groups: Mapping[str, str]) -> Iterable[str]:
    same: dict[str, list[_Pair]] = {}
    apart = []
    for pair in pairs:
        if pair.is_same:
            same.setdefault(groups.get(pair.first.group, pair.first.group), []).append(pair)
        else:
            apart.append(pair)
    for group, found in list(same.items())[:_TOLD]:
        names = {one.path.name: None for pair in found for one in (pair.first, pair.second)}
        yield f"near-duplicates, one group '{group}': {shorten(names)}; {found[0]}"
    if len(same) > _TOLD:
        yield f"near-duplicates: {len(same) - _TOLD} more groups like these"
    if apart:
        yield (
            f"{len(apart)} pairs of files share some sound, less than half of it, and stay apart; "
            f"the first: {apart[0]}"
        )
