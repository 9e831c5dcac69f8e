"""Blind controls: none differs from other clips, none becomes an annotation, their errors count."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Data
from serving_review import served

from benchmarks.certificates import read_events
from benchmarks.listener import Listener
from benchmarks.page_listener import listen
from negmine.annotations.listener_errors import (
    Control,
    ListenerErrors,
    absent_confidence,
    controls_beside,
    errors_of,
    read_controls,
)
from negmine.annotations.verdicts import read_verdicts
from negmine.audio.windows import Span
from negmine.errors import InputError
from negmine.intervals import plain_rate
from negmine.mining.selection import Chosen, Selection
from negmine.pool import Pool, open_pool
from negmine.review.controls import with_controls
from negmine.review.pool_bands import pool_bands
from negmine.review.review_clips import ReviewClip, clips_of_selection, clips_of_table, with_calls
from negmine.review.review_sound import ClipSounds
from negmine.review.session import ReviewSession
from negmine.review.verdict_table import VerdictTable


@pytest.fixture(scope="module")
def pool(shared_pool: Path) -> Pool:
    return open_pool(shared_pool)


@pytest.fixture
def selected(pool: Pool, tmp_path: Path) -> list[ReviewClip]:
    """Twenty external clips of both classes, with a nearest call each."""
    rows = [
        Chosen(r.id, label, float(i), 1, r.kind, "external", 1.0, pool.calls[0].id, 0.1, 0.2)
        for i, r in enumerate(one for one in pool if one.kind == "external")
        for label in pool.classes
    ]
    path = tmp_path / "hard.parquet"
    Selection(tuple(rows[:20]), pool.path, pool.digest, "m").write(path)
    return list(clips_of_selection(path).clips)


def test_controls_are_as_the_clips_that_they_come_behind(
    pool: Pool, selected: list[ReviewClip], shared_data: Data
) -> None:
    clips, controls = with_controls(selected, selected, pool, 0.5, 0)
    assert len(clips) == len(selected) + len(controls)
    assert len(controls) == round(0.5 * len(selected))
    calls = sum(c.known == "present" for c in controls)
    assert calls == -(-len(controls) // 2)
    ids = {recipe.id: recipe for recipe in pool.calls}
    for place, clip in enumerate(clips):
        if not clip.known:
            continue
        host = clips[place - 1]
        assert (clip.label, clip.doubt, clip.score) == (host.label, host.doubt, host.score)
        assert (clip.certificate, bool(clip.nearest_call)) == ("external", True)
        # in make_data class 0 calls from 0.5 s, 1 from 2.5 s, and each is rejected at the other's
        start_s = {("0", "present"): 0.5, ("1", "present"): 2.5}.get((clip.label, clip.known))
        start_s = start_s or {"0": 2.5, "1": 0.5}[clip.label]
        assert clip.span.overlap_s(Span(start_s, start_s + 0.5)) == pytest.approx(0.5)
        nearest = ids[clip.nearest_call].layers[0]
        assert nearest.source
        assert (nearest.source.recording, nearest.start_s) != (clip.recording, clip.span.start_s)
    again = with_controls(selected, selected, pool, 0.5, 0)
    assert again == (clips, controls)
    assert with_controls(selected, selected, pool, 0.5, 1) != again


def test_no_control_shares_sound_with_a_clip_of_its_class(pool: Pool, tmp_path: Path) -> None:
    table = tmp_path / "ask.csv"
    rows = [f"rec{i:02d},0,0.6,1.6,,," for i in range(8)]
    header = "recording,class,t_min,t_max,score,verdict,listener"
    table.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    found = with_calls(clips_of_table(table, [pool.sources[0].path.parent]), pool)
    assert {clip.nearest_call for clip in found.clips} <= set(map(str, pool.calls.ids))
    _, controls = with_controls(found.clips, found.clips, pool, 1.0, 0)
    # every call of the class is in a window that is judged
    assert {c.known for c in controls} == {"absent"}


@pytest.fixture
def session(pool: Pool, selected: list[ReviewClip], tmp_path: Path) -> ReviewSession:
    clips, _ = with_controls(selected, selected, pool, 0.5, 0)
    table = VerdictTable(tmp_path / "heard.csv", "anna")
    return ReviewSession(clips, ClipSounds({}, 0.0, pool), table)


def test_what_is_said_of_controls_is_kept_apart_and_survives(session: ReviewSession) -> None:
    for number in range(len(session.clips)):
        session.say(number, "absent")
    controls = [clip for clip in session.clips if clip.known]
    verdicts = read_verdicts(session.table.path, ["0", "1"])
    assert len(verdicts) == len(session.clips) - len(controls)
    assert not {clip.key for clip in controls} & {(v.recording, v.label, v.span) for v in verdicts}
    kept = read_controls(controls_beside(session.table.path))
    assert [(one.key, one.known) for one in kept] == [(c.key, c.known) for c in controls]
    with pytest.raises(InputError, match="no column 'verdict'"):
        read_verdicts(controls_beside(session.table.path), ["0", "1"])
    again = ReviewSession(session.clips, session.sounds, VerdictTable(session.table.path, "anna"))
    assert again.state()["words"] == ["absent"] * len(session.clips)
    # the latest first, verdicts and controls as they were said
    taken = [again.undo() for _ in session.clips]
    assert taken == list(range(len(session.clips)))[::-1]
    assert again.undo() is None
    assert read_controls(controls_beside(session.table.path)) == []


def test_the_page_is_not_told_which_are_controls(session: ReviewSession) -> None:
    state = json.dumps(session.state())
    shown = [session.show(number) for number in range(len(session.clips))]
    assert "known" not in state
    assert len({frozenset(one) for one in shown}) == 1
    news = []
    for number in range(12):
        session.say(number, "absent")
        news.append(session.news())
    assert [i for i, one in enumerate(news) if one] == [9]


def test_controls_count_apart_in_the_summary(session: ReviewSession) -> None:
    for number, clip in enumerate(session.clips):
        session.say(number, clip.known or "absent")
    summary = session.summary()
    assert summary["clips"] == sum(not clip.known for clip in session.clips)
    assert summary["classes"]["0"]["present"] == summary["classes"]["1"]["present"] == 0
    assert summary["controls"]["missed"]["errors"] == 0
    assert summary["controls"]["controls"] == sum(bool(clip.known) for clip in session.clips)


def test_the_measured_rate_of_a_listener_with_5_percent_errors_holds_the_true_one() -> None:
    """The exact interval is right in 95 of 100 cases or more, whoever listens."""
    rng = np.random.default_rng(0)
    opposite = {"present": "absent", "absent": "present"}
    held = 0
    for trial in range(200):
        controls = [
            Control("r", "0", Span(i, i + 1), known, known, "anna", i)
            for i, known in enumerate(["present", "absent"] * 40)
        ]
        wrong = rng.random(80) < 0.05
        said = [
            Control(*one.key, one.known, opposite[one.known] if bad else one.known, "anna", 0)
            for one, bad in zip(controls, wrong, strict=True)
        ]
        errors = errors_of(said, "anna")
        low, high = errors.missed.interval()
        held += low <= 0.05 <= high
        assert errors.missed.hits + errors.false_calls.hits == wrong.sum(), trial
        assert errors_of(said, "ben").missed.trials == 0
    assert held >= 190


def test_a_simulated_listener_goes_through_the_page(
    session: ReviewSession, shared_data: Data
) -> None:
    # the tables of the shared data name every call
    listener = Listener(read_events([shared_data.tp]), 0.2, seed=3)
    with served(session) as server:
        said = listen(server.url, listener)
        assert said.total() == len(session.clips)
        assert not listen(server.url, listener)
    errors, _ = session.errors()
    wrong = sum(
        listener.hear(clip.recording, clip.label, clip.span) != clip.known
        for clip in session.clips
        if clip.known
    )
    assert errors.missed.hits + errors.false_calls.hits == wrong > 0
    for rate in (errors.missed, errors.false_calls):
        low, high = rate.interval()
        assert low <= 0.2 <= high


def test_the_confidence_of_an_absence_is_how_often_it_is_right() -> None:
    """Bayes' rule against a simulation of a listener with known errors."""
    rng = np.random.default_rng(0)
    p, m, f, n = 0.2, 0.1, 0.05, 200_000
    there = rng.random(n) < p
    said = np.where(there, rng.random(n) >= m, rng.random(n) < f)
    words = np.where(said, "present", "absent").tolist()
    errors = ListenerErrors(plain_rate(10_000, 100_000), plain_rate(5_000, 100_000), 0)
    found = absent_confidence(errors, words)
    assert found == pytest.approx(float((~there)[~said].mean()), abs=0.003)


def test_confidence_by_hand() -> None:
    def found(missed: tuple[int, int], false_calls: tuple[int, int], words: str) -> float | None:
        said = [{"p": "present", "a": "absent", "u": "unsure"}[word] for word in words]
        errors = ListenerErrors(plain_rate(*missed), plain_rate(*false_calls), 0)
        return absent_confidence(errors, said)

    assert found((0, 9), (0, 9), "a") is None  # too few controls
    assert found((0, 10), (0, 10), "p") is None  # no absence to weigh
    assert found((5, 10), (6, 10), "ap") == 0.0  # no better than chance
    assert found((0, 10), (0, 10), "aaaa") == 1.0  # nothing there to miss
    # half of 20 are present, of 22: m = 1/22, so p = 0.5 / (21 / 22)
    p = 0.5 * 22 / 21
    assert found((0, 10), (0, 0), "apu") == pytest.approx((1 - p) / (1 - p + p / 22))


def test_absences_weigh_what_the_listeners_errors_leave(tmp_path: Path) -> None:
    table = tmp_path / "heard.csv"
    table.write_text(
        "recording,class,t_min,t_max,verdict,listener\n"
        "a,0,0,1,absent,anna\na,0,1,2,present,anna\nb,0,0,1,absent,ben\n",
        encoding="utf-8",
    )
    rows = [f"c,0,{i},{i + 1},present,{'absent' if i < 2 else 'present'},anna,0" for i in range(20)]
    head = "recording,class,t_min,t_max,known,said,listener,after"
    controls_beside(table).write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    anna, present, ben = read_verdicts(table, ["0"])
    m, q = 2.5 / 21, 0.5
    p = q / (1 - m)
    assert anna.confidence == pytest.approx((1 - p) / (1 - p + m * p))
    assert (present.confidence, ben.confidence) == (1.0, 1.0)
    controls_beside(table).write_text(f"{head}\nc,0,0,1,maybe,absent,anna,0\n", encoding="utf-8")
    with pytest.raises(InputError, match="known 'maybe'"):
        read_verdicts(table, ["0"])


def test_the_pool_knows_the_bands_of_its_calls(pool: Pool) -> None:
    assert pool_bands(pool) == {"0": (800.0, 1200.0), "1": (2300.0, 2700.0)}
