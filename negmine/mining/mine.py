"""Mining: score the pool, choose what fools the model, and say why the rest was not chosen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from negmine.errors import PoolError, did_you_mean
from negmine.mining.choose import Chooser
from negmine.mining.doubt import DoubtModel
from negmine.mining.fitting import fit_doubt
from negmine.mining.known import KnownClass, know_classes
from negmine.mining.mine_report import MineReport, class_report
from negmine.mining.nearest import nearest_call
from negmine.mining.pick import pick
from negmine.mining.rules.control import matched_random
from negmine.mining.selection import Chosen, Selection
from negmine.mining.settings import MineSettings as MineSettings
from negmine.mining.strata import Heard, Strata
from negmine.models.scorer import Scorer
from negmine.pool import Pool, check_classes
from negmine.recipes.cache import CachedReader
from negmine.recipes.certificates import CERTIFICATES
from negmine.scores.embed import Scores, score_pool
from negmine.scores.scan import Eligible


@dataclass(frozen=True)
class Mined:
    """A selection, its control, what is to be reviewed, and the report.

    The control is random, and trains as much: of each class as many rows of each kind, with as many
    known cells and the same weights, see `negmine.mining.rules.matched_random`.
    """

    selection: Selection
    control: Selection
    review: Selection
    report: MineReport


def mine(
    scorer: Scorer,
    pool: Pool,
    scores_folder: Path,
    settings: MineSettings | None = None,
    *,
    exclude: Collection[tuple[str, str]] = (),
    heard: Collection[Heard] = (),
    reader: CachedReader | None = None,
    on_rows: Callable[[int], object] = lambda rows: None,
) -> Mined:
    """Choose the hardest certified negatives of each class.

    Parameters
    ----------
    scorer : Scorer
        Nothing is chosen from a recording that it holds out.
    scores_folder : Path
        Where scores are kept; a second run with the same model and pool reads them.
    exclude : collection of (recipe, class)
        Never chosen.
    heard : collection of Heard
        Verdicts on rows of the pool, by which doubt is settled. What was heard is not chosen.
    reader : CachedReader, optional
        Where sound is read from; from its files by default.
    on_rows : callable
        Called with a number of rows as they are scored.

    Raises
    ------
    ModelError
        If the model returns NaN.
    PoolError
        If model and pool have different classes, or ``exclude`` names a recipe or a
        class that is not there.

    Examples
    --------
    Any model that is a `negmine.models.scorer.Scorer` will do; here the trainer's checkpoint.

    >>> from pathlib import Path
    >>> from negmine import open_pool
    >>> from negmine.mining.mine import MineSettings, mine
    >>> from negmine.models.scorer import load_scorer
    >>> scorer = load_scorer(Path("run/best.pt"), "cpu")
    >>> mined = mine(scorer, open_pool("pool"), Path("scores"), MineSettings(per_class=3))
    >>> chosen = mined.selection.rows[0]
    >>> chosen.label, chosen.certificate, chosen.rank
    ('0', 'external', 1)
    >>> len(mined.selection.rows) == len(mined.control.rows)  # matched
    True
    >>> mined.selection.write(Path("hard.parquet"))
    """
    s = settings or MineSettings()
    strategy = s.rules
    classes, held_out = scorer.classes, scorer.held_out
    check_classes(classes, pool.classes, f"pool {pool.path} does not fit the model")
    scores, calls = score_pool(
        scorer, pool, scores_folder, batch_size=s.batch_size, reader=reader, on_rows=on_rows
    )
    leaking = pool.recipes.draws_on(held_out)
    contradicted = {(one.recipe, one.label) for one in heard if one.present}
    eligible = _eligible(pool, classes, ~leaking, contradicted.union(exclude))
    rng = np.random.default_rng(s.seed)
    known = know_classes(pool, classes, scores, calls, eligible, rng)
    doubt, strata = fit_doubt(pool, known, scores, held_out, rng, heard)

    def selection(rows: list[Chosen]) -> Selection:
        return Selection(tuple(rows), pool.path, pool.digest, scorer.fingerprint)

    chooser = Chooser(pool, scores, doubt, strata, strategy, s.min_distance, s.max_doubt)
    picked, found = pick(known, scores, eligible, chooser, strategy, s.per_class)
    report = MineReport(
        len(pool),
        scores.scored,
        int(leaking.sum()),
        strategy.text,
        doubt.auc,
        doubt.held_out,
        doubt.to_dict(),
        max_doubt=s.max_doubt,
    )
    describe = _Describer(pool, scores, doubt, strata)
    selections: tuple[list[Chosen], list[Chosen], list[Chosen]] = ([], [], [])
    kinds, cells = pool.recipes.kind, eligible.counts()
    for one, choice in zip(known, picked, strict=True):
        certified = eligible.of_class(one.column)
        sure = partial(pool.recipes.confidence, one.name)
        drawn = matched_random(certified, kinds, cells, sure, choice.rows, rng)
        # as many to listen to as to train with, at most
        heard = choice.review[: max(s.per_class, len(choice.rows))]
        described = describe(one, choice.rows, drawn, heard)
        for rows, of_class in zip(selections, described, strict=True):
            rows += of_class
        chosen = [row.score for row in described[0]]
        report.classes[one.name] = class_report(
            one, int(certified.sum()), found.outside[one.column], choice, chosen
        )
    hard, control, review = map(selection, selections)
    return Mined(hard, control, review, report)


def _eligible(
    pool: Pool, classes: Sequence[str], free: np.ndarray, exclude: Collection[tuple[str, str]]
) -> Eligible:
    """Return rows that are certified, free of what is held out, and not excluded."""
    bits = pool.recipes.certified(classes)
    bits[:, ~free] = 0
    eligible = Eligible(bits)
    columns = {name: column for column, name in enumerate(classes)}
    for recipe, name in exclude:
        if name not in columns:
            hint = did_you_mean(name, columns)
            raise PoolError(
                f"{pool.path}: no class '{name}' to exclude recipe '{recipe}' from{hint}"
            )
        eligible.close(columns[name], np.array([pool.recipes.row_of(recipe)]))
    return eligible


class _Describer:
    """Rows of a pool in parts as chosen negatives, ranked as they come in their part."""

    def __init__(self, pool: Pool, scores: Scores, doubt: DoubtModel, strata: Strata) -> None:
        self._pool, self._scores, self._doubt, self._strata = pool, scores, doubt, strata

    def __call__(self, known: KnownClass, *parts: np.ndarray) -> list[list[Chosen]]:
        rows = np.concatenate(parts)
        embeddings = self._scores.embeddings(rows)
        nearest, similarity = nearest_call(embeddings, known.embeddings)
        score = self._scores.logits(rows)[:, known.column]
        recipes = self._pool.recipes
        # from columns: a thousand recipes made take as long as a pass over all scores
        names, codes = recipes.kind_names, recipes.kind[rows].tolist()
        certificates = recipes.certificates(known.name, rows).tolist()
        confidence = recipes.confidence(known.name, rows)
        doubts = self._doubt.probability(
            known.features(score, similarity), confidence, self._strata.of(known.name, rows)
        )
        ids = list(recipes.ids[rows])
        ranks = [rank for part in parts for rank in range(1, len(part) + 1)]
        every = [
            Chosen(
                recipe=ids[i],
                label=known.name,
                score=float(score[i]),
                rank=rank,
                kind=names[codes[i]],
                certificate=CERTIFICATES[certificates[i]].value,
                confidence=float(confidence[i]),
                nearest_call=str(known.calls[nearest[i]]) if nearest[i] >= 0 else "",
                distance=1.0 - float(similarity[i]) if nearest[i] >= 0 else float("nan"),
                doubt=float(doubts[i]),
            )
            for i, rank in enumerate(ranks)
        ]
        ends = np.cumsum([len(part) for part in parts]).tolist()
        return [every[end - len(part) : end] for part, end in zip(parts, ends, strict=True)]
