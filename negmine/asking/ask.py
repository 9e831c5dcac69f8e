"""Which windows of unlabelled recordings a person should hear, class by class."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from negmine.annotations import Annotations
from negmine.annotations.recordings import Recordings
from negmine.annotations.sites import SiteOf
from negmine.annotations.verdict_rows import Verdict
from negmine.asking.judged import JudgedClips, Threshold, fit_doubt, thresholds
from negmine.asking.members import MemberScores, joint_fingerprint
from negmine.asking.rounds import Rounds
from negmine.asking.settings import AskSettings
from negmine.asking.strategies import STRATEGIES, Known, mean_logit
from negmine.asking.unlabelled_windows import Windows
from negmine.audio.windows import Span
from negmine.errors import InputError, ModelError
from negmine.mining.doubt import DoubtModel
from negmine.mining.known import KnownCalls
from negmine.mining.nearest import call_similarity
from negmine.mining.rules.diverse import k_center
from negmine.models.scorer import Scorer
from negmine.pool import check_classes
from negmine.progress import Progress, no_progress

# Of so many times the windows asked for, the best, `diverse` chooses those that are far apart.
_SPREAD_OVER = 10
# Windows whose doubt is computed at a time.
_PIECE = 20_000


@dataclass(frozen=True)
class AskedWindow:
    """One window that a person should hear for one class.

    Attributes
    ----------
    recording, label : str
    span : Span
        Seconds in the recording.
    score : float
        Logit, the mean of the models'.
    strategy : str
        What chose it: of ``half``, ``threshold`` or ``random``.
    """

    recording: str
    label: str
    span: Span
    score: float
    strategy: str


@dataclass(frozen=True)
class Asked:
    """What is asked.

    Attributes
    ----------
    rows : tuple of AskedWindow
        Class by class, what is most worth hearing first.
    model : str
        Fingerprint of the models.
    report : mapping
        Settings, counts, and of each class its threshold and what was asked.
    """

    rows: tuple[AskedWindow, ...]
    model: str
    report: Mapping[str, Any]


@dataclass(frozen=True)
class Judgements:
    """What a person has judged already.

    Attributes
    ----------
    annotations : Annotations
        Also those that verdicts gave.
    recordings : Recordings
        The annotated ones.
    verdicts : sequence of Verdict
        Their windows are not asked again, whatever was said.
    """

    annotations: Annotations
    recordings: Recordings
    verdicts: Sequence[Verdict] = ()

    @cached_property
    def spans(self) -> Mapping[str, Sequence[tuple[str, Span]]]:
        """Recordings and spans that have a verdict on a class, by class."""
        found: defaultdict[str, list[tuple[str, Span]]] = defaultdict(list)
        for box in self.annotations.boxes:
            found[box.label].append((box.recording, box.span))
        for verdict in self.verdicts:
            if verdict.word:
                found[verdict.label].append((verdict.recording, verdict.span))
        return found


def ask(
    models: Sequence[Scorer],
    unlabelled: Recordings,
    judged: Judgements,
    scores_folder: Path,
    settings: AskSettings | None = None,
    *,
    site_of: SiteOf | None = None,
    progress: Progress = no_progress,
) -> Asked:
    """Choose windows for a person to hear.

    Parameters
    ----------
    models : sequence of Scorer
        Several score as one, by their mean logits.
    unlabelled : Recordings
        Annotated ones may be among them: what has a verdict on a class is not asked for it.
    judged : Judgements
    scores_folder : Path
        Where scores are kept, as mining's are; a second run reads them.
    settings : AskSettings, optional
    site_of : callable, optional
        Gives the site of each recording, for ``per_site``.
    progress : Progress

    Raises
    ------
    ModelError
        If the models differ in classes or clip length, or one returns NaN, or one alone is to
        disagree.
    InputError
        If there is no window, or too little was judged for the strategy.
    PoolError
        If models and annotations have different classes.
    """
    s = settings or AskSettings()
    _check_models(models, judged.annotations, s)
    _check_names(unlabelled, judged.recordings)
    classes, clip_s = models[0].classes, models[0].clip_s
    windows = Windows(unlabelled, clip_s, s.hop_s or clip_s / 2, models[0].sample_rate)
    if not len(windows):
        raise InputError(
            f"{unlabelled.root}: no window of {clip_s:g} s with sound in {len(windows.names)} "
            "recordings; are they shorter than half a clip, or silent?"
        )
    advance = progress("scoring windows", len(windows) * len(models), "clip")
    scores = MemberScores(
        models, windows.recipes, scores_folder, batch_size=s.batch_size, on_rows=advance
    )

    def clips(present: bool) -> JudgedClips:
        what = f"scoring {'calls' if present else 'rejections'}"
        return JudgedClips(
            judged.annotations, judged.recordings, models, scores_folder,
            present=present, batch_size=s.batch_size,
            progress=lambda total: progress(what, total, "clip"),
        )  # fmt: skip

    operating: list[Threshold] | None = None
    doubtful: _Doubtful | None = None
    if s.strategy in ("threshold", "half"):
        operating = thresholds(clips(True), classes, s.at_recall)
    elif s.strategy == "doubt":
        doubtful = _Doubtful(scores, *fit_doubt(clips(True), clips(False), classes))
    sites = _sites(windows, site_of)
    rows, of_class = [], {}
    for column, by_model in enumerate(scores.by_class(len(classes))):
        label = classes[column]
        score = mean_logit(by_model)
        known = Known(
            by_model,
            operating[column].score if operating else np.nan,
            doubtful.of_class(column, score) if doubtful else None,
            np.random.default_rng([s.seed, column]),
        )
        may = ~windows.touched(judged.spans.get(label, ()))
        rounds = Rounds(windows, may, sites, s.per_site)
        chosen = _choose(rounds, known, scores, s)
        rows += [
            AskedWindow(
                windows.names[windows.recording[row]], label, windows.span(row),
                float(score[row]), strategy,
            )
            for row, strategy in chosen
        ]  # fmt: skip
        of_class[label] = {
            "windows": int(may.sum()),
            "asked": len(chosen),
            "threshold": asdict(operating[column]) if operating else None,
        }
    report = {
        "settings": s.to_dict(),
        "model": joint_fingerprint(models),
        "models": [model.fingerprint for model in models],
        "recordings": len(windows.names),
        "windows": len(windows),
        "scored": scores.scored,
        "silent_windows": windows.silent,
        "short_recordings": windows.short,
        "classes": of_class,
    }
    return Asked(tuple(rows), joint_fingerprint(models), report)


def _check_models(models: Sequence[Scorer], annotations: Annotations, s: AskSettings) -> None:
    first = models[0]
    check_classes(first.classes, annotations.classes, "the annotations do not fit the model")
    for model in models[1:]:
        if model.classes != first.classes:
            raise ModelError("the models have different classes, or the same in another order")
        if model.clip_s != first.clip_s:
            raise ModelError(
                f"the models' clips are of {first.clip_s:g} s and of {model.clip_s:g} s; only "
                "models of one length can ask together"
            )
    if s.strategy == "disagreement" and len({model.fingerprint for model in models}) < 2:
        raise ModelError("--strategy disagreement: name two or more different models by --model")


def _check_names(unlabelled: Recordings, annotated: Recordings) -> None:
    """Check that a name means one recording: verdicts name recordings, not folders."""
    for name, info in unlabelled.infos.items():
        known = annotated.infos.get(name)
        if known and known.fingerprint != info.fingerprint:
            raise InputError(
                f"{info.path}: another recording '{name}' is annotated; rename one of them"
            )


def _sites(windows: Windows, site_of: SiteOf | None) -> np.ndarray | None:
    if site_of is None:
        return None
    sites = site_of(windows.names)
    number = {site: i for i, site in enumerate(sorted(set(sites.values())))}
    return np.array([number[sites[name]] for name in windows.names])


class _Doubtful:
    """The probability that windows hold a class, by doubt with even odds before it looks."""

    def __init__(
        self, scores: MemberScores, doubt: DoubtModel, known: Sequence[KnownCalls]
    ) -> None:
        self._scores, self._doubt, self._known = scores, doubt, known

    def of_class(self, column: int, score: np.ndarray) -> np.ndarray:
        known = self._known[column]
        out = np.empty(len(self._scores))
        for start in range(0, len(out), _PIECE):
            rows = np.arange(start, min(start + _PIECE, len(out)))
            near = call_similarity(self._scores.embeddings(rows), known.embeddings)
            features = known.features(score[rows], near)
            out[rows] = self._doubt.probability(features, np.full(len(rows), 0.5))
        return out


def _choose(
    rounds: Rounds, known: Known, scores: MemberScores, s: AskSettings
) -> list[tuple[int, str]]:
    """Choose a class's windows; return their rows and what chose each."""
    if s.strategy == "half":
        near = rounds.take(STRATEGIES["threshold"](known), s.per_class - s.per_class // 2)
        drawn = rounds.take(STRATEGIES["random"](known), s.per_class - len(near))
        # in turn: whoever stops halfway has heard as many of either
        pairs = zip_longest([(r, "threshold") for r in near], [(r, "random") for r in drawn])
        return [found for found in chain.from_iterable(pairs) if found]
    keys = STRATEGIES[s.strategy](known)
    if s.strategy != "diverse":
        return [(row, s.strategy) for row in rounds.take(keys, s.per_class)]

    def spread(ranked: np.ndarray, chosen: list[int]) -> np.ndarray:
        best = ranked[: _SPREAD_OVER * s.per_class]
        embeddings = scores.embeddings(np.concatenate([chosen, best]).astype(np.int64))
        order = k_center(embeddings, len(best), given=len(chosen))
        return np.asarray(best[order - len(chosen)])

    return [(row, s.strategy) for row in rounds.take(keys, s.per_class, spread)]


def report_rows(asked: Asked) -> list[list[str]]:
    """Return cells of the table of classes: windows, asked, threshold, highest and lowest score."""
    scores = defaultdict(list)
    for row in asked.rows:
        scores[row.label].append(row.score)
    cells = []
    for label, of_class in asked.report["classes"].items():
        limit = of_class["threshold"]
        ends = [f"{end(scores[label]):.2f}" if scores[label] else "" for end in (max, min)]
        cells.append(
            [
                label,
                str(of_class["windows"]),
                str(of_class["asked"]),
                f"{limit['score']:.2f}" if limit else "",
                *ends,
            ]
        )
    return cells
