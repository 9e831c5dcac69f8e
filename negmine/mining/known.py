"""What mining knows of a class before it chooses: its confirmed calls, and a sample of scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from negmine.mining.doubt import MIN_CLIPS, DoubtModel, Evidence, clip_features
from negmine.mining.nearest import call_similarity
from negmine.mining.rules.rule import ClassScores
from negmine.pool import Pool
from negmine.recipes.certificates import CERTIFICATES, Certificate
from negmine.recipes.recipe import Recipes
from negmine.scores.embed import Scores
from negmine.scores.scan import Eligible

# Rows of the pool whose scores represent all: quantiles are then known to half a thousandth. With
# thousands of classes fewer are taken, so that their scores stay within 200 MB.
_SAMPLE = 200_000
_SAMPLE_CELLS = 50_000_000
# Confirmed calls of a class, and rejected detections, that doubt is fitted on.
_FITTED = 500
# Rows of the pool that doubt is settled on, and classes that are looked at in them.
_SETTLED = 1_000
_SETTLED_CLASSES = 100
_VERIFIED = CERTIFICATES.index(Certificate.VERIFIED)


@dataclass(frozen=True)
class KnownCalls:
    """One class's confirmed calls.

    Attributes
    ----------
    column : int
        Of its logits.
    rows : int64 array, shape (P,)
        Its confirmed calls among the pool's, each sound once.
    calls : array of str, shape (P,)
        Their ids.
    logits : float32 array, shape (P,)
        Theirs, of the class.
    embeddings : float32 array, shape (P, D)
        L2-normalised.
    """

    name: str
    column: int
    rows: np.ndarray
    calls: np.ndarray
    logits: np.ndarray
    embeddings: np.ndarray

    def features(self, logits: np.ndarray, similarity: np.ndarray) -> np.ndarray:
        """Return doubt's features, (N, 2), of logits and similarity to the nearest call."""
        return clip_features(logits, self.logits, similarity)


@dataclass(frozen=True)
class KnownClass(KnownCalls):
    """One class: its confirmed calls, and how its certified rows score beside them.

    Attributes
    ----------
    reference : float array, shape (R,)
        Logits of its certified rows, or of a random sample of them.
    """

    reference: np.ndarray

    @property
    def scores(self) -> ClassScores:
        return ClassScores(self.logits, self.reference)


def know_calls(pool: Pool, classes: Sequence[str], calls: Scores) -> list[KnownCalls]:
    """Gather each class's confirmed calls, scored by the models."""
    rows_of = [pool.calls_of(name) for name in classes]
    # read at once, and kept once: each class has a view of its own
    every = calls.embeddings(np.concatenate(rows_of))
    embeddings = np.split(every, np.cumsum([len(rows) for rows in rows_of])[:-1])
    return [
        KnownCalls(
            name,
            column,
            rows,
            np.array(list(pool.calls.ids[rows]), dtype=str),
            calls.logits(rows)[:, column],
            embeddings[column],
        )
        for column, (name, rows) in enumerate(zip(classes, rows_of, strict=True))
    ]


def know_classes(
    pool: Pool,
    classes: Sequence[str],
    scores: Scores,
    calls: Scores,
    eligible: Eligible,
    rng: np.random.Generator,
) -> list[KnownClass]:
    """Gather each class's calls and a sample of its certified rows' scores."""
    sample = np.arange(len(pool))
    most = min(_SAMPLE, _SAMPLE_CELLS // len(classes))
    if len(pool) > most:
        sample = np.sort(rng.choice(len(pool), most, replace=False))
    by_class = np.ascontiguousarray(scores.logits(sample).T)
    return [
        KnownClass(
            **vars(one), reference=by_class[one.column][eligible.of_class(one.column)[sample]]
        )
        for one in know_calls(pool, classes, calls)
    ]


def fit_doubt(
    pool: Pool,
    known: Sequence[KnownCalls],
    scores: Scores,
    held_out: frozenset[str],
    rng: np.random.Generator,
) -> tuple[DoubtModel, bool]:
    """Fit doubt on confirmed calls and rejected detections.

    On those of recordings that the models did not train on, if there are enough of them: on its
    own training rows a model tells the two apart better than it ever will again. Then it is settled
    on rows of the pool, see `DoubtModel.settle`.

    Returns
    -------
    model : DoubtModel
    held : bool
        Whether held-out recordings alone were used.
    """
    fp = np.flatnonzero(pool.recipes.of_kind("fp"))
    found: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    rows: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for one in known:
        own = np.sort(rng.permutation(len(one.rows))[:_FITTED])
        others = one.embeddings[own] @ one.embeddings.T
        # a call is not its own neighbour
        others[same_sound(pool.calls[one.rows], own)] = -1.0
        nearest = others.max(axis=1, initial=-1.0)
        found[1].append(one.features(one.logits[own], nearest))
        rows[1].append(one.rows[own])
        drawn = fp[pool.recipes.confidence(one.name, fp) > 0]
        rng.shuffle(drawn)
        drawn = np.sort(drawn[:_FITTED])
        chosen = drawn[pool.recipes.certificates(one.name, drawn) == _VERIFIED]
        near = call_similarity(scores.embeddings(chosen), one.embeddings)
        found[0].append(one.features(scores.logits(chosen)[:, one.column], near))
        rows[0].append(chosen)
    judged, inside = [], []
    for kind, table in ((1, pool.calls), (0, pool.recipes)):
        places, features = np.concatenate(rows[kind]), np.concatenate(found[kind])
        judged.append(Evidence(features, table.first_groups(places)))
        # by what they are cut from: a group may be a site, and held_out names recordings
        kept = table.draws_on(held_out)[places]
        inside.append(Evidence(features[kept], table.first_groups(places[kept])))
    held = min(len(one.features) for one in inside) >= MIN_CLIPS
    doubt = DoubtModel(*(inside if held else judged))
    if doubt.fitted:
        doubt.settle(*_drawn(pool, known, scores, rng))
    return doubt, held


def _drawn(
    pool: Pool, known: Sequence[KnownCalls], scores: Scores, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return doubt's features of random rows, of each class they are certified free of."""
    rows = np.sort(rng.permutation(len(pool))[:_SETTLED])
    logits, embeddings = scores.logits(rows), scores.embeddings(rows)
    with_calls = [one for one in known if len(one.calls)]
    features: list[np.ndarray] = []
    confidences: list[np.ndarray] = []
    for number in np.sort(rng.permutation(len(with_calls))[:_SETTLED_CLASSES]):
        one = with_calls[number]
        confidence = pool.recipes.confidence(one.name, rows)
        free = np.flatnonzero(confidence > 0)
        near = call_similarity(embeddings[free], one.embeddings)
        features.append(one.features(logits[free, one.column], near))
        confidences.append(confidence[free])
    if not features:
        return np.zeros((0, 2)), np.zeros(0)
    return np.concatenate(features), np.concatenate(confidences)


def same_sound(calls: Recipes, own: np.ndarray) -> np.ndarray:
    """Return which of a class's calls are the same sound as some of them: bool (len(own), P).

    A call itself; and one that shares half a clip with it, as two boxes do that were drawn round
    one call by two people.
    """
    source = calls.dictionaries.keys[calls.of_first("source")]
    start_s = calls.of_first("start_us") / 1e6
    near = np.abs(start_s[own, None] - start_s) <= calls.dictionaries.clip_s / 2
    return np.asarray(near & (source[own, None] == source))
