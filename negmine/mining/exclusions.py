"""What mining must never choose, and what was heard, by tables of recipes or of verdicts.

Such a table is what 'negmine audit read --contradicted' writes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from negmine.annotations.verdict_rows import ABSENT, PRESENT, Verdict
from negmine.audio.windows import Span
from negmine.errors import InputError, PoolError
from negmine.mining.strata import Heard
from negmine.pool import Pool
from negmine.storage.csv_tables import known_name, read_rows

COLUMNS = ("recipe", "class")


def read_exclusions(path: Path, pool: Pool) -> frozenset[tuple[str, str]]:
    """Read a CSV table with columns recipe and class; it may have no row.

    Raises
    ------
    InputError
        If the table is malformed, or names a class or a recipe that the pool does not have.
    """
    found = set()
    # an audit may have found nothing to leave out
    for where, (recipe, label) in read_rows(path, COLUMNS, may_be_empty=True):
        known_name(where, "class", label, pool.classes)
        try:
            pool.recipes.row_of(recipe)
        except PoolError as error:
            raise InputError(f"{where}: {error}") from error
        found.add((recipe, label))
    return frozenset(found)


def heard_present(verdicts: Iterable[Verdict], pool: Pool) -> frozenset[tuple[str, str]]:
    """Return what verdicts contradict: recipes that share sound with a window, and its class.

    Of recipes that are certified free of the class; a window counts if anybody heard the class in
    it, also where another listener did not.

    Parameters
    ----------
    verdicts : iterable of Verdict
    pool : Pool
    """
    windows: defaultdict[str, list[tuple[str, Span]]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.word == PRESENT:
            windows[verdict.recording].append((verdict.label, verdict.span))
    found = set()
    drawn = pool.recipes[pool.recipes.draws_on(frozenset(windows))]
    for name, recipe in zip(drawn.ids, drawn, strict=True):
        for layer in recipe.layers:
            if layer.source is None:
                continue
            length_s = layer.length_s or recipe.duration_s - layer.offset_s
            cut = Span(layer.start_s, layer.start_s + length_s)
            named = (windows[name] for name in layer.source.names if name in windows)
            for label, window in next(named, ()):
                if label in recipe.labels.absent and cut.overlap_s(window) > 0:
                    found.add((name, label))
    return frozenset(found)


def heard_rows(verdicts: Iterable[Verdict], pool: Pool) -> list[Heard]:
    """Return what verdicts tell of rows that are certified free of a class.

    Of a clip of one recording that is inside a window without the class, that it does not hold it;
    of one that holds a window with the class, that it does. What listeners disagree on tells
    nothing.

    Parameters
    ----------
    verdicts : iterable of Verdict
    pool : Pool
    """
    said: defaultdict[tuple[str, str, Span], set[str]] = defaultdict(set)
    for verdict in verdicts:
        if verdict.word in (PRESENT, ABSENT):
            said[verdict.recording, verdict.label, verdict.span].add(verdict.word)
    windows: defaultdict[str, list[tuple[str, Span, bool]]] = defaultdict(list)
    for (recording, label, span), words in said.items():
        if len(words) == 1:
            windows[recording].append((label, span, words == {PRESENT}))
    found: dict[tuple[str, str], set[bool]] = {}
    drawn = pool.recipes[pool.recipes.draws_on(frozenset(windows))]
    for name, recipe in zip(drawn.ids, drawn, strict=True):
        source, start_s = recipe.layers[0].source, recipe.layers[0].start_s
        if len(recipe.layers) > 1 or source is None:
            continue
        cut = Span(start_s, start_s + recipe.duration_s)
        named = (windows[name] for name in source.names if name in windows)
        for label, window, present in next(named, ()):
            outer, inner = (cut, window) if present else (window, cut)
            holds = outer.start_s <= inner.start_s and inner.end_s <= outer.end_s
            if holds and label in recipe.labels.absent:
                found.setdefault((name, label), set()).add(present)
    # a part of a window without the class may be a window with it
    return [Heard(*key, present=True in words) for key, words in found.items()]
