"""Fitting doubt: on what a person judged, rows of the pool, and verdicts on some of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from negmine.mining.doubt import Claims, DoubtModel
from negmine.mining.known import KnownCalls, same_sound
from negmine.mining.likelihood import MIN_CLIPS, Evidence
from negmine.mining.nearest import call_similarity
from negmine.mining.strata import Heard, Strata
from negmine.pool import Pool
from negmine.recipes.certificates import CERTIFICATES, Certificate
from negmine.scores.embed import Scores

# Confirmed calls of a class, and rejected detections, that doubt is fitted on.
_FITTED = 500
# Rows of the pool that doubt is settled on, and classes that are looked at in them.
_SETTLED = 1_000
_SETTLED_CLASSES = 100
_VERIFIED = CERTIFICATES.index(Certificate.VERIFIED)


def claims_of(
    pool: Pool, known: KnownCalls, scores: Scores, strata: Strata, rows: np.ndarray
) -> Claims:
    """Return what doubt sees of rows that are certified free of one class."""
    near = call_similarity(scores.embeddings(rows), known.embeddings)
    features = known.features(scores.logits(rows)[:, known.column], near)
    return features, pool.recipes.confidence(known.name, rows), strata.of(known.name, rows)


def fit_doubt(
    pool: Pool,
    known: Sequence[KnownCalls],
    scores: Scores,
    held_out: frozenset[str],
    rng: np.random.Generator,
    heard: Iterable[Heard] = (),
) -> tuple[DoubtModel, Strata]:
    """Fit doubt on confirmed calls and rejected detections.

    On those of recordings that the model did not train on, if there are enough of them: on its own
    training rows a model tells the two apart better than it ever will again. Then it is settled on
    rows of the pool, see `DoubtModel.settle`, and verdicts are heard.
    """
    strata = Strata(pool, sum(len(one.rows) for one in known))
    judged = [
        _calls(pool, known, rng, held_out),
        _rejected(pool, known, scores, rng, held_out),
    ]
    inside = [evidence.only(np.flatnonzero(kept)) for evidence, kept in judged]
    held = min(len(one.features) for one in inside) >= MIN_CLIPS
    calls, rejected = inside if held else [evidence for evidence, _ in judged]
    doubt = DoubtModel(
        calls, rejected, held_out=held, missed=strata.rejected_missed, strata=strata.every
    )
    doubt.settle(*_drawn(pool, known, scores, strata, rng))
    if claims := _heard_claims(pool, known, scores, strata, heard):
        doubt.hear(*claims)
    return doubt, strata


def _calls(
    pool: Pool, known: Sequence[KnownCalls], rng: np.random.Generator, held_out: frozenset[str]
) -> tuple[Evidence, np.ndarray]:
    """Return confirmed calls of all classes, and which of them are held out: bool (N,)."""
    features, rows = [], []
    for one in known:
        own = np.sort(rng.permutation(len(one.rows))[:_FITTED])
        others = one.embeddings[own] @ one.embeddings.T
        # a call is not its own neighbour
        others[same_sound(pool.calls[one.rows], own)] = -1.0
        features.append(one.features(one.logits[own], others.max(axis=1, initial=-1.0)))
        rows.append(one.rows[own])
    places = np.concatenate(rows)
    evidence = Evidence(np.concatenate(features), pool.calls.first_groups(places))
    # by what they are cut from: a group may be a site, and held_out names recordings
    return evidence, pool.calls.draws_on(held_out)[places]


def _rejected(
    pool: Pool,
    known: Sequence[KnownCalls],
    scores: Scores,
    rng: np.random.Generator,
    held_out: frozenset[str],
) -> tuple[Evidence, np.ndarray]:
    """Return rejected detections of all classes, and which of them are held out: bool (N,)."""
    fp = np.flatnonzero(pool.recipes.of_kind("fp"))
    features, rows = [], []
    for one in known:
        drawn = fp[pool.recipes.confidence(one.name, fp) > 0]
        rng.shuffle(drawn)
        drawn = np.sort(drawn[:_FITTED])
        chosen = drawn[pool.recipes.certificates(one.name, drawn) == _VERIFIED]
        near = call_similarity(scores.embeddings(chosen), one.embeddings)
        features.append(one.features(scores.logits(chosen)[:, one.column], near))
        rows.append(chosen)
    places = np.concatenate(rows)
    evidence = Evidence(np.concatenate(features), pool.recipes.first_groups(places))
    return evidence, pool.recipes.draws_on(held_out)[places]


def _drawn(
    pool: Pool,
    known: Sequence[KnownCalls],
    scores: Scores,
    strata: Strata,
    rng: np.random.Generator,
) -> Claims:
    """Return random rows, with each class they are certified free of."""
    rows = np.sort(rng.permutation(len(pool))[:_SETTLED])
    with_calls = [one for one in known if len(one.calls)]
    found: list[Claims] = []
    for number in np.sort(rng.permutation(len(with_calls))[:_SETTLED_CLASSES]):
        one = with_calls[number]
        free = rows[pool.recipes.confidence(one.name, rows) > 0]
        found.append(claims_of(pool, one, scores, strata, free))
    return _joined(found) or (np.zeros((0, 2)), np.zeros(0), np.zeros(0, dtype=np.int64))


def _heard_claims(
    pool: Pool,
    known: Sequence[KnownCalls],
    scores: Scores,
    strata: Strata,
    heard: Iterable[Heard],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """Return the rows that were heard, and whether the class was there; None for no row."""
    by_class: dict[str, dict[int, bool]] = {}
    for one in heard:
        by_class.setdefault(one.label, {})[pool.recipes.row_of(one.recipe)] = one.present
    found, present = [], []
    for known_one in known:
        verdicts = by_class.get(known_one.name, {})
        rows = np.array(sorted(verdicts), dtype=np.int64)
        rows = rows[pool.recipes.confidence(known_one.name, rows) > 0]
        if len(rows):
            found.append(claims_of(pool, known_one, scores, strata, rows))
            present += [verdicts[row] for row in rows.tolist()]
    joined = _joined(found)
    return (*joined, np.array(present)) if joined else None


def _joined(found: Sequence[Claims]) -> Claims | None:
    if not found:
        return None
    features, confidence, stratum = (np.concatenate(part) for part in zip(*found, strict=True))
    return features, confidence, stratum
