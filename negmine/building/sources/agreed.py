"""``agreed``: unlabelled windows of which several models say that a class does not call in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from negmine.building.settings import AgreedSettings, PoolSettings
from negmine.building.sources.agreement import Doubts
from negmine.building.sources.context import BuildContext
from negmine.building.sources.external import window_starts
from negmine.errors import InputError, ModelError
from negmine.models.scorer import Scorer, load_scorer
from negmine.pool import check_classes
from negmine.recipes.certificates import Certificate
from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import Layer
from negmine.recipes.recipe import Recipe, Recipes
from negmine.recipes.render import render_batches

# Windows scored, then labelled, at a time.
_WINDOWS = 2048
_BATCH = 32


def rows(context: BuildContext, settings: AgreedSettings) -> Iterator[Recipes]:
    """Yield windows of recordings without labels, which no model saw."""
    if not settings.models:
        return
    scorers = context.scorers or open_scorers(context.settings, context.classes)
    calls = [call for block in context.calls for call in block]
    advance = context.progress("scoring confirmed calls", len(calls), "clip")
    scored = _score(scorers, calls, advance)
    doubts = [
        Doubts.of(
            embeddings,
            logits,
            [
                np.flatnonzero([name in call.labels.present for call in calls])
                for name in scorer.classes
            ],
            settings.quantile,
        )
        for scorer, (embeddings, logits) in zip(scorers, scored, strict=True)
    ]
    windows = _windows(context)
    advance = context.progress("scoring unlabelled windows", len(windows), "clip")
    numbers: dict[bytes, int] = {}
    for first in range(0, len(windows), _WINDOWS):
        chunk = windows[first : first + _WINDOWS]
        scored = _score(scorers, chunk, advance)
        free = np.ones((len(chunk), len(context.classes)), dtype=bool)
        for scorer, doubt, (embeddings, logits) in zip(scorers, doubts, scored, strict=True):
            order = [scorer.classes.index(name) for name in context.classes]
            free &= doubt.free(embeddings, logits)[:, order]
        kept = np.flatnonzero(free.any(axis=1))
        context.left_out["unlabelled windows on which the models agree of no class"] += len(
            chunk
        ) - len(kept)
        layers = [chunk[row].layers[0] for row in kept]
        sources = context.dictionaries.sources
        yield Recipes.plain(
            context.dictionaries,
            "agreed",
            np.array([sources.number(chunk[row].sources[0]) for row in kept], dtype=np.int64),
            np.array([layer.start_s for layer in layers]),
            np.array([_label(context, numbers, free[row], settings) for row in kept]),
        )


def open_scorers(settings: PoolSettings, classes: Sequence[str]) -> tuple[Scorer, ...]:
    """Open the models that must agree, checked before anything is decoded; perhaps none.

    Raises
    ------
    InputError
        If there is no unlabelled sound to score.
    ModelError
        If a model cannot be opened, was trained on clips of another length, or they are not two.
    PoolError
        If one has other classes.
    """
    agreed = settings.agreed
    if not agreed.models:
        return ()
    if settings.unlabelled is None:
        raise InputError("--agreed-models: name the recordings to score with --unlabelled")
    scorers = tuple(load_scorer(Path(path), agreed.device) for path in agreed.models)
    for path, scorer in zip(agreed.models, scorers, strict=True):
        check_classes(scorer.classes, classes, path)
        if scorer.clip_s != settings.clip_s:
            raise ModelError(
                f"--agreed-models {path}: trained on clips of {scorer.clip_s:g} s, and the pool's "
                f"are of {settings.clip_s:g} s; pass --clip-s {scorer.clip_s:g} or another model"
            )
    if len({scorer.fingerprint for scorer in scorers}) < 2:
        raise ModelError(
            "--agreed-models: two or more different models are needed: one alone agrees with "
            "itself; train another with another --seed or --fold"
        )
    return scorers


def _windows(context: BuildContext) -> list[Recipe]:
    """Return audible windows on a grid, of recordings without annotations."""
    opened = context.unlabelled
    if opened is None:
        return []
    s = context.settings
    trained_on = {info.fingerprint for info in context.recordings.infos.values()}
    found = []
    for name, info in opened.infos.items():
        source = opened.source(name)
        if info.fingerprint in trained_on:
            context.left_out.of(name, "unlabelled recordings that have annotations")
            continue
        if info.fingerprint in context.held_out:
            continue
        starts = window_starts(info.duration_s, s.clip_s).tolist()
        context.left_out.of(name, "unlabelled recordings shorter than half a clip", int(not starts))
        for start_s in starts:
            if info.silent(start_s, start_s + s.clip_s):
                context.left_out.of(name, "silent unlabelled windows")
                continue
            layers = (Layer(source, start_s),)
            found.append(Recipe("agreed", layers, s.clip_s, context.sample_rate, PartialLabels()))
    return found


def _score(
    scorers: Sequence[Scorer], clips: Sequence[Recipe], advance: Callable[..., object]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Compute each model's embeddings (N, D) and logits (N, C); render once a sample rate."""
    found: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {i: [] for i in range(len(scorers))}
    rates = dict.fromkeys(scorer.sample_rate for scorer in scorers)
    for number, rate in enumerate(rates):
        for waveforms in render_batches(clips, rate, _BATCH):
            for i, scorer in enumerate(scorers):
                if scorer.sample_rate == rate:
                    found[i].append(scorer.score(waveforms))
            if number == len(rates) - 1:
                advance(len(waveforms))
    joined = []
    for parts in found.values():
        embeddings, logits = (np.concatenate(part) for part in zip(*parts, strict=True))
        if not (np.isfinite(embeddings).all() and np.isfinite(logits).all()):
            raise ModelError("a model returned NaN or infinite values; was training stable?")
        joined.append((embeddings, logits))
    return joined


def _label(
    context: BuildContext, numbers: dict[bytes, int], free: np.ndarray, settings: AgreedSettings
) -> int:
    key = free.tobytes()
    if key not in numbers:
        names = [context.classes[c] for c in np.flatnonzero(free)]
        labels = PartialLabels.certified(names, Certificate.AGREED, settings.confidence)
        numbers[key] = context.dictionaries.labels.number(labels)
    return numbers[key]
