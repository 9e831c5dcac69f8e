"""Which windows are asked: by scores of a real, tiny detector of tones."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import SAMPLE_RATE, TONE_HZ, Opened, make_data, open_data, tone
from placeholder import PlaceholderScorer

from negmine.annotations import Annotation, Annotations
from negmine.annotations.recordings import Recordings, open_unlabelled
from negmine.annotations.sites import sites_by_pattern
from negmine.annotations.verdict_rows import Verdict
from negmine.asking import ask as module
from negmine.asking import members
from negmine.asking.ask import Asked, Judgements, ask
from negmine.asking.judged import JudgedClips, fit_doubt, thresholds
from negmine.asking.settings import AskSettings
from negmine.asking.unlabelled_windows import Windows
from negmine.audio.windows import Span
from negmine.errors import InputError, ModelError, PoolError
from negmine.progress import Advance, no_advance
from negmine.scores.embed import score_recipes


def make_field(root: Path, recordings: int = 6) -> Recordings:
    """Recordings of 4 s at two sites; in each a tone of class 0 at 1 s, each louder than before."""
    rng = np.random.default_rng(5)
    root.mkdir()
    for i in range(recordings):
        samples = rng.normal(0, 0.01, 4 * SAMPLE_RATE).astype(np.float32)
        first = SAMPLE_RATE
        samples[first : first + SAMPLE_RATE] += tone(TONE_HZ["0"], 1.0) * 2.0 ** (i - 4)
        sf.write(root / f"{'hill' if i % 2 else 'lake'}_{i}.wav", samples, SAMPLE_RATE)
    return open_unlabelled(root)


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    return make_field(tmp_path_factory.mktemp("field") / "field")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return open_data(make_data(tmp_path_factory.mktemp("data") / "data", recordings=12))


def judged(opened: Opened, *verdicts: Verdict) -> Judgements:
    return Judgements(opened.annotations, opened.recordings, verdicts)


def asked(asks: Asked, label: str = "0") -> list[tuple[str, float]]:
    return [(row.recording, row.span.start_s) for row in asks.rows if row.label == label]


@pytest.fixture
def run(field: Recordings, opened: Opened, tmp_path: Path) -> partial[Asked]:
    return partial(ask, [PlaceholderScorer()], field, judged(opened), tmp_path / "scores")


def test_the_highest_come_one_a_recording_first(run: partial[Asked]) -> None:
    found = run(AskSettings(per_class=8, strategy="top"))
    windows = asked(found)
    # the louder the tone, the higher; its window is the one that holds it whole
    assert windows[:6] == [(f"{'hill' if i % 2 else 'lake'}_{i}", 1.0) for i in range(5, -1, -1)]
    assert len(windows) == 8
    assert [row.score for row in found.rows[:6]] == sorted(
        (row.score for row in found.rows[:6]), reverse=True
    )
    # the second of a recording shares no sound with its first
    assert all(start in (0.0, 2.0, 2.5, 3.0) for _, start in windows[6:])
    assert {row.label for row in found.rows} == {"0", "1"}
    assert all(row.span.duration_s == 1.0 for row in found.rows)


def test_scores_are_kept_and_another_call_reads_them(
    field: Recordings, opened: Opened, tmp_path: Path
) -> None:
    first, second = PlaceholderScorer(), PlaceholderScorer()
    settings = AskSettings(per_class=3, strategy="threshold")
    told: list[tuple[str, int]] = []

    def progress(what: str, total: int, unit: str = "file", /) -> Advance:
        told.append((what, total))
        return no_advance

    one = ask([first], field, judged(opened), tmp_path, settings, progress=progress)
    assert told == [("scoring windows", 42), ("scoring calls", 24)]
    two = ask([second], field, judged(opened), tmp_path, settings)
    assert first.calls > 0
    assert second.calls == 0
    assert one.rows == two.rows
    assert (one.report["scored"], two.report["scored"]) == (42, 0)
    assert one.report["windows"] == 42


def test_a_run_that_stopped_scores_what_is_missing(
    field: Recordings, opened: Opened, tmp_path: Path
) -> None:
    scorer = PlaceholderScorer()
    part = Windows(field.only(["lake_0", "hill_1"]), 1.0, 0.5, SAMPLE_RATE)
    score_recipes(scorer, part.recipes, tmp_path)
    found = ask([scorer], field, judged(opened), tmp_path, AskSettings(strategy="top"))
    assert found.report["scored"] == 42 - 14


def test_what_has_a_verdict_on_the_class_is_not_asked_for_it(
    field: Recordings, opened: Opened, tmp_path: Path
) -> None:
    settings = AskSettings(per_class=50, strategy="top")
    heard = [
        Verdict("hill_5", "0", Span(1.0, 2.0), "unsure", "", "table"),
        Verdict("lake_4", "0", Span(1.0, 2.0), "", "", "table"),  # not heard yet
    ]
    box = Annotation("hill_3", "0", "", False, Span(1.2, 1.4), 800, 1200, "table")
    tables = replace(opened.annotations, boxes=(*opened.annotations.boxes, box))
    known = Judgements(tables, opened.recordings, heard)
    found = ask([PlaceholderScorer()], field, known, tmp_path, settings)
    windows = asked(found)
    assert ("lake_4", 1.0) in windows
    starts = {name: {start for one, start in windows if one == name} for name, _ in windows}
    assert starts["hill_5"] & {0.5, 1.0, 1.5} == set()
    assert starts["hill_3"] & {0.5, 1.0} == set()
    assert starts["hill_5"]
    assert starts["hill_3"]
    assert [w for w in asked(found, "1") if w[0] == "hill_5"]
    assert found.report["classes"]["0"]["windows"] == 42 - 3 - 2
    assert found.report["classes"]["1"]["windows"] == 42


def test_no_two_windows_of_a_class_share_sound(run: partial[Asked]) -> None:
    found = run(AskSettings(per_class=50, strategy="random", seed=1))
    for label in ("0", "1"):
        windows = asked(found, label)
        for name in {name for name, _ in windows}:
            starts = sorted(start for one, start in windows if one == name)
            assert all(b - a >= 1.0 for a, b in pairwise(starts))


def test_a_site_gives_no_more_than_its_quota(run: partial[Asked]) -> None:
    site_of = partial(sites_by_pattern, pattern="^[a-z]+")
    found = run(AskSettings(per_class=6, strategy="top", per_site=2), site_of=site_of)
    names = [name for name, _ in asked(found)]
    assert names == ["hill_5", "lake_4", "hill_3", "lake_2"]
    assert found.report["classes"]["0"]["asked"] == 4


def test_the_seed_draws_random_windows(run: partial[Asked]) -> None:
    one, same, other = (
        run(AskSettings(per_class=4, strategy="random", seed=seed)).rows for seed in (1, 1, 2)
    )
    assert one == same != other
    # each class its own
    assert asked(run(AskSettings(strategy="random")), "0") != asked(
        run(AskSettings(strategy="random")), "1"
    )


def test_half_is_asked_in_turn_and_says_which(run: partial[Asked]) -> None:
    found = run(AskSettings(per_class=5, strategy="half"))
    assert [row.strategy for row in found.rows if row.label == "0"] == [
        "threshold", "random", "threshold", "random", "threshold",
    ]  # fmt: skip
    near = asked(run(AskSettings(per_class=3, strategy="threshold")))
    assert asked(found)[::2] == near
    # no recording gives a second window before all have given one
    assert len({name for name, _ in asked(found)}) == 5


def test_the_threshold_is_that_of_the_calls(run: partial[Asked], opened: Opened) -> None:
    found = run(AskSettings(per_class=2, strategy="threshold", at_recall=0.5))
    limit = found.report["classes"]["0"]["threshold"]
    assert (limit["calls"], limit["held_out"]) == (12, False)
    rows = [row for row in found.rows if row.label == "0"]
    tops = run(AskSettings(per_class=50, strategy="top", hop_s=0.5)).rows
    scores = np.array([row.score for row in tops if row.label == "0"])
    assert abs(rows[0].score - limit["score"]) <= np.abs(scores - limit["score"]).min() + 1e-6


def test_thresholds_are_of_calls_that_the_models_held_out(opened: Opened, tmp_path: Path) -> None:
    names = sorted(opened.recordings.infos)
    one = PlaceholderScorer(held_out=frozenset(names[:5]))
    two = PlaceholderScorer(held_out=frozenset(names[4:6]), bands=8)
    calls = JudgedClips(
        opened.annotations, opened.recordings, [one, two], tmp_path,
        present=True, batch_size=8, progress=lambda total: no_advance,
    )  # fmt: skip
    found, _ = thresholds(calls, ("0", "1"), 0.7)
    assert (found.calls, found.held_out) == (6, True)
    rows = calls.rows("0")
    by_model = calls.scores.logits(rows)[:, :, 0]
    place = {calls.clips[row].sources[0].recording: i for i, row in enumerate(rows.tolist())}
    expected = [by_model[0, place[n]] for n in names[:4]]
    expected += [by_model[:, place[names[4]]].mean(), by_model[1, place[names[5]]]]
    # ceil(0.7 * 6) = 5 calls reach it
    assert found.score == pytest.approx(sorted(expected)[1])
    # with four held out, all count, by all models
    few = PlaceholderScorer(held_out=frozenset(names[:4]))
    calls = JudgedClips(
        opened.annotations, opened.recordings, [few], tmp_path,
        present=True, batch_size=8, progress=lambda total: no_advance,
    )  # fmt: skip
    assert thresholds(calls, ("0", "1"), 0.7)[0].calls == 12


def test_doubt_asks_where_calls_and_rejections_are_alike(
    field: Recordings, opened: Opened, tmp_path: Path
) -> None:
    scorer = PlaceholderScorer()

    def clips(present: bool) -> JudgedClips:
        return JudgedClips(
            opened.annotations, opened.recordings, [scorer], tmp_path,
            present=present, batch_size=8, progress=lambda total: no_advance,
        )  # fmt: skip

    doubt, known = fit_doubt(clips(True), clips(False), ("0", "1"))
    assert doubt.auc > 0.9
    found = ask(
        [scorer], field, judged(opened), tmp_path, AskSettings(per_class=3, strategy="doubt")
    )
    windows = Windows(field, 1.0, 0.5, SAMPLE_RATE)
    scores = score_recipes(scorer, windows.recipes, tmp_path)
    embeddings, logits = (f(np.arange(42)) for f in (scores.embeddings, scores.logits))
    near = (embeddings @ known[0].embeddings.T).max(axis=1)
    chance = doubt.probability(known[0].features(logits[:, 0], near), np.full(42, 0.5))
    best = int(np.argmin(np.abs(chance - 0.5)))
    assert asked(found)[0] == (windows.names[windows.recording[best]], windows.start_s[best])


def test_doubt_needs_rejections(field: Recordings, opened: Opened, tmp_path: Path) -> None:
    calls = Annotations(opened.annotations.confirmed, opened.annotations.classes)
    known = Judgements(calls, opened.recordings)
    with pytest.raises(InputError, match="24 confirmed calls and 0 rejections; it needs 20"):
        ask([PlaceholderScorer()], field, known, tmp_path, AskSettings(strategy="doubt"))


def test_disagreement_needs_two_models(field: Recordings, opened: Opened, tmp_path: Path) -> None:
    settings = AskSettings(per_class=4, strategy="disagreement")
    one, two = PlaceholderScorer(), PlaceholderScorer(bands=4)
    with pytest.raises(ModelError, match="two or more different models"):
        ask([one, PlaceholderScorer()], field, judged(opened), tmp_path, settings)
    found = ask([one, two], field, judged(opened), tmp_path, settings)
    windows = Windows(field, 1.0, 0.5, SAMPLE_RATE)
    logits = [
        score_recipes(m, windows.recipes, tmp_path).logits(np.arange(42))[:, 0] for m in (one, two)
    ]
    apart = np.abs(np.subtract(*(1 / (1 + np.exp(-x.astype(float))) for x in logits)))
    best = int(np.argmax(apart))
    assert asked(found)[0] == (windows.names[windows.recording[best]], windows.start_s[best])
    assert found.model != one.fingerprint


def test_diverse_spreads_over_the_highest(
    run: partial[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SPREAD_OVER", 2)
    best = asked(run(AskSettings(per_class=4, strategy="top")))
    spread = asked(run(AskSettings(per_class=2, strategy="diverse")))
    assert spread[0] == best[0]
    assert set(spread) <= set(best)
    # of the four highest, the quietest is the farthest from the loudest
    assert spread[1] == best[3]


def test_classes_come_in_passes_of_bounded_memory(
    run: partial[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = AskSettings(per_class=5, strategy="half")
    whole = run(settings)
    monkeypatch.setattr(members, "_CELLS", 42)
    assert run(settings).rows == whole.rows
    assert Counter(row.label for row in whole.rows) == {"0": 5, "1": 5}


# ---- what does not fit


def test_other_classes_are_an_error(field: Recordings, opened: Opened, tmp_path: Path) -> None:
    with pytest.raises(PoolError, match="class '2' is unknown there"):
        ask([PlaceholderScorer(("0", "2"))], field, judged(opened), tmp_path)


def test_models_of_two_lengths_are_an_error(
    field: Recordings, opened: Opened, tmp_path: Path
) -> None:
    models = [PlaceholderScorer(), PlaceholderScorer(clip_s=2.0)]
    with pytest.raises(ModelError, match="clips are of 1 s and of 2 s"):
        ask(models, field, judged(opened), tmp_path)


def test_a_name_means_one_recording(opened: Opened, tmp_path: Path) -> None:
    field = make_field(tmp_path / "field", 1)
    (tmp_path / "field" / "lake_0.wav").rename(tmp_path / "field" / "rec03.wav")
    field = open_unlabelled(tmp_path / "field")
    with pytest.raises(InputError, match="another recording 'rec03' is annotated"):
        ask([PlaceholderScorer()], field, judged(opened), tmp_path / "scores")


def test_a_field_without_windows_is_an_error(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "field").mkdir()
    sf.write(tmp_path / "field" / "short.wav", tone(500, 0.3), SAMPLE_RATE)
    field = open_unlabelled(tmp_path / "field")
    with pytest.raises(InputError, match="no window of 1 s with sound in 1 recordings"):
        ask([PlaceholderScorer()], field, judged(opened), tmp_path / "scores")
