"""Folds for validation: whole recordings or sites, each class's confirmed calls spread over all.

Greedy iterative stratification: the class with the fewest calls left to place goes first, each of
its groups to the fold that lacks most of that class. Dealt out at random instead, a class with five
calls is missing from one fold of five in most draws, and its score there is undefined.

References
----------
Sechidis, Tsoumakas and Vlahavas 2011, "On the Stratification of Multi-label Data".
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from negmine.annotations import Annotations
from negmine.errors import InputError


def stratified_folds(
    calls: Mapping[str, Mapping[str, int]], sizes: Mapping[str, int], folds: int, seed: int
) -> dict[str, int]:
    """Deal groups out to folds.

    No fold stays empty where there are groups enough: an empty one lacks as much of every class as
    any, and has the most room. And no fold gets the last group of a class if it has all others, so
    that some other fold has a call of it to train on when this one is held out. Only a class with
    calls in one group alone, or classes that ask for the opposite, make an exception.

    Parameters
    ----------
    calls : mapping of str to mapping of str to int
        Confirmed calls of each class in each group; groups without any may be left out.
    sizes : mapping of str to int
        Recordings of every group.

    Returns
    -------
    dict of str to int
        Each group's fold, from 0. The same whatever the order of the mappings.
    """
    rng = np.random.default_rng([seed, folds])
    names = sorted(sizes)
    shuffled = [names[i] for i in rng.permutation(len(names))]
    classes = sorted({label for found in calls.values() for label in found})
    column = {label: i for i, label in enumerate(classes)}
    here = {
        name: np.array([column[c] for c in sorted(calls.get(name, ()))], dtype=int)
        for name in names
    }
    counts = {
        name: np.array([calls[name][classes[i]] for i in here[name]], dtype=int) for name in names
    }
    with_class: defaultdict[int, list[str]] = defaultdict(list)
    for name in shuffled:
        for i in here[name]:
            with_class[int(i)].append(name)

    left = np.zeros(len(classes), dtype=int)
    for name in names:
        left[here[name]] += counts[name]
    lacking = np.tile(left / folds, (folds, 1))
    room = np.full(folds, sum(sizes.values()) / folds)
    placed: dict[str, int] = {}

    def place(name: str, wish: np.ndarray) -> None:
        # where the class is lacking as much, where there is more room; then by lot
        order = np.lexsort((rng.random(folds), room, wish))[::-1]
        taken = Counter(f for i in here[name] for f in _last_chance(with_class[int(i)], placed))
        fold = int(min(order, key=lambda f: taken[int(f)]))
        placed[name] = fold
        lacking[fold, here[name]] -= counts[name]
        left[here[name]] -= counts[name]
        room[fold] -= sizes[name]

    while left.any():
        rarest = int(np.argmin(np.where(left > 0, left, np.iinfo(int).max)))
        waiting = [name for name in with_class[rarest] if name not in placed]
        many = {name: counts[name][here[name] == rarest][0] for name in waiting}
        for name in sorted(waiting, key=lambda n: -many[n]):
            place(name, lacking[:, rarest])
    for name in sorted((n for n in shuffled if n not in placed), key=lambda n: -sizes[n]):
        place(name, room)
    return placed


def _last_chance(groups: list[str], placed: Mapping[str, int]) -> list[int]:
    """Return the fold with all of a class but the group to be placed, if there is one."""
    where = [placed[name] for name in groups if name in placed]
    last = len(where) == len(groups) - 1
    return where[:1] if last and len(set(where)) == 1 else []


def held_out_recordings(
    annotations: Annotations,
    recordings: Iterable[str],
    folds: int,
    fold: int,
    seed: int,
    groups: Mapping[str, str] | None = None,
) -> frozenset[str]:
    """Return the recordings of one fold; with one fold, none.

    Parameters
    ----------
    groups : mapping of str to str, optional
        What each recording must stay together with, a site for example; by default each is
        alone.

    Returns
    -------
    frozenset of str
        Without the groups that have all confirmed calls of a class: see `lone_groups`.

    Raises
    ------
    InputError
        If there is no such fold, there are fewer groups than folds, it holds nothing, or all
        confirmed calls of a class: the others could not train it.
    """
    if not 0 <= fold < folds:
        raise InputError(f"fold {fold} of {folds}: the first is 0")
    if folds == 1:
        return frozenset()
    group = {name: groups[name] if groups else name for name in recordings}
    calls: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for box in annotations.confirmed:
        calls[group[box.recording]][box.label] += 1
    sizes, what = Counter(group.values()), "groups" if groups else "recordings"
    if folds > len(sizes):
        raise InputError(f"{folds} folds of only {len(sizes)} {what}; choose fewer --folds")
    folds_of = stratified_folds(calls, sizes, folds, seed)
    alone = lone_groups(annotations, group)
    held_out = frozenset(
        name for name in group if folds_of[group[name]] == fold and group[name] not in alone
    )
    if not held_out:
        raise InputError(
            f"fold {fold} of {folds} holds nothing out: its {what} have all confirmed calls of "
            "some class, and always train; choose another --fold, fewer --folds, or --folds 1"
        )
    trained = {box.label for box in annotations.confirmed if box.recording not in held_out}
    missing = set(annotations.classes) - trained
    if missing:
        raise InputError(
            f"fold {fold} of {folds} holds every confirmed call of class '{min(missing)}' out; "
            "choose another --fold, more --folds, or --folds 1"
        )
    return held_out


def lone_groups(annotations: Annotations, group: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the groups with all confirmed calls of a class, and those classes: they always train.

    Parameters
    ----------
    group : mapping of str to str
        Of each recording.
    """
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for box in annotations.confirmed:
        groups[box.label].add(group[box.recording])
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in annotations.classes:
        if len(groups[name]) == 1:
            found[min(groups[name])].append(name)
    return {name: tuple(classes) for name, classes in found.items()}
