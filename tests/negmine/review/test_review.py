"""A review by the page's own requests: who may ask, what is kept, what goes on after a kill."""

from __future__ import annotations

import http.client
import io
import json
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner
from conftest import SAMPLE_RATE, TONE_HZ, Data, tone
from PIL import Image
from reliability.commands import Commands, Running
from serving_review import served, started_review

from negmine.annotations.verdicts import read_verdicts
from negmine.audio.windows import Span
from negmine.cli.main import main
from negmine.errors import InputError, OutputError
from negmine.intervals import clopper_pearson
from negmine.mining.selection import Chosen, Selection
from negmine.pool import open_pool
from negmine.review.clip_order import in_order
from negmine.review.outlook import outlook
from negmine.review.review_clips import (
    ReviewClip,
    ReviewClips,
    clips_of_selection,
    clips_of_table,
)
from negmine.review.review_sound import ClipSounds, band_passed
from negmine.review.session import ReviewSession
from negmine.review.settings import ReviewSettings
from negmine.review.verdict_table import VerdictTable

ASKED = (
    "recording,class,t_min,t_max,score,strategy,verdict,listener,model\n"
    "rec00,0,0.5,1.5,1.0,top,,,m\n"
    "rec01,0,0.25,1.25,3.0,top,,,m\n"
    "rec02,1,2.5,3.5,2.0,top,,,m\n"
    "rec03,1,2.5,3.5,2.0,top,absent,ben,m\n"
    "gone,1,2.5,3.5,2.0,top,,,m\n"
)


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    path = tmp_path / "ask.csv"
    path.write_text(ASKED, encoding="utf-8")
    return path


@pytest.fixture
def session(asked: Path, shared_data: Data) -> ReviewSession:
    clips = clips_of_table(asked, [shared_data.recordings]).clips
    table = VerdictTable(asked.with_name("heard.csv"), "anna")
    return ReviewSession(clips, ClipSounds({"0": (800.0, 1200.0)}, 0.5), table)


def ask(
    url: str, place: str = "", body: Any = None, *, method: str = "", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Ask as the page does; a header of an empty value is left out."""
    found = re.fullmatch(r"http://([^/]+)(/.*)", url)
    assert found
    connection = http.client.HTTPConnection(found[1], timeout=10)
    sent = {"Host": found[1]}
    if body is not None:
        sent |= {"Origin": f"http://{found[1]}", "Content-Type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    method = method or ("GET" if body is None else "POST")
    connection.putrequest(method, found[2] + place, skip_host=True, skip_accept_encoding=True)
    for name, value in sent.items():
        if value:
            connection.putheader(name, value)
    if content is not None and "Content_Length" not in headers:
        connection.putheader("Content-Length", str(len(content)))
    connection.endheaders(content)
    answer = connection.getresponse()
    read = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), read


def test_a_verdict_is_on_the_disk_before_the_answer(session: ReviewSession) -> None:
    with served(session) as server:
        for number, word in enumerate(("absent", "present", "unsure")):
            assert ask(server.url, "verdict", {"clip": number, "word": word})[0] == 200
            kept = read_verdicts(session.table.path, ["0", "1"])
            assert kept[-1].word == word
            assert len(kept) == number + 1
    assert session.table.path.read_text(encoding="utf-8") == (
        "recording,class,t_min,t_max,verdict,listener\n"
        "rec00,0,0.5,1.5,absent,anna\n"
        "rec01,0,0.25,1.25,present,anna\n"
        "rec02,1,2.5,3.5,unsure,anna\n"
    )


def test_undo_takes_the_latest_back_also_in_a_later_process(session: ReviewSession) -> None:
    session.say(2, "absent")
    session.say(0, "present")
    again = ReviewSession(session.clips, session.sounds, VerdictTable(session.table.path, "anna"))
    with served(again) as server:
        assert json.loads(ask(server.url, "undo", {})[2]) == {"clip": 0}
        assert json.loads(ask(server.url, "state")[2])["words"] == ["", "", "absent"]
        assert json.loads(ask(server.url, "undo", {})[2]) == {"clip": 2}
        assert json.loads(ask(server.url, "undo", {})[2]) == {"clip": None}
    assert VerdictTable(session.table.path, "anna").judged() == []


def test_another_listeners_verdicts_stay_and_are_not_shown(session: ReviewSession) -> None:
    session.say(0, "absent")
    ben = VerdictTable(session.table.path, "ben")
    assert (len(ben), ben.others, ben.word(session.clips[0].key)) == (0, 1, "")
    ben.say(session.clips[0].key, "present")
    words = [(v.listener, v.word) for v in read_verdicts(session.table.path, ["0", "1"])]
    assert words == [("anna", "absent"), ("ben", "present")]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "example.org"}, 403),
        ({"Host": "localhost"}, 403),
        ({"Host": ""}, 403),
        ({"Origin": "http://example.org"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-origin"}, 200),
    ],
)
def test_only_its_own_page_may_ask(
    session: ReviewSession, headers: dict[str, str], status: int
) -> None:
    with served(session) as server:
        assert ask(server.url, "state", **headers)[0] == status
        verdict = {"clip": 0, "word": "absent"}
        assert ask(server.url, "verdict", verdict, **headers)[0] == status
    assert session.table.path.exists() == (status == 200)


@pytest.mark.parametrize(
    "place", ["/", "/state", "/x/state", "//state", "/%2e%2e/state", "/\u00e9/", "/x" * 2000]
)
def test_nothing_is_found_without_the_token(session: ReviewSession, place: str) -> None:
    with served(session) as server:
        root = f"http://{server.host}"
        quoted = place.encode("latin-1").decode("latin-1")
        assert ask(root + "/", quoted[1:].encode("ascii", "replace").decode())[0] == 404
        assert len(server.token) >= 32


@pytest.mark.parametrize(
    "place", ["../state", "page/review.js", "review.py", "clip/", "clip/-1", "sound/0/..", "x"]
)
def test_no_other_path_is_served(session: ReviewSession, place: str) -> None:
    with served(session) as server:
        assert ask(server.url, place)[0] == 404
        assert ask(server.url, "clip/3")[0] == 400


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ({"clip": 0, "word": "yes"}, {}, 400),
        ({"clip": 3, "word": "absent"}, {}, 400),
        ({"clip": True, "word": "absent"}, {}, 400),
        ({"clip": 0}, {}, 400),
        ([], {}, 400),
        (b"{", {}, 400),
        ({"clip": 0, "word": "absent"}, {"Origin": ""}, 403),
        ({"clip": 0, "word": "absent"}, {"Content_Type": "text/plain"}, 415),
        ({"clip": 0, "word": "a" * 2000}, {}, 413),
        (b"", {"Content_Length": "x"}, 413),
    ],
)
def test_a_verdict_that_is_none_is_refused(
    session: ReviewSession, body: Any, headers: dict[str, str], status: int
) -> None:
    with served(session) as server:
        found, _, content = ask(server.url, "verdict", body, **headers)
        assert found == status
        assert json.loads(content)["error"]
    assert not session.table.path.exists()


def test_the_page_names_nothing_outside_itself(session: ReviewSession) -> None:
    with served(session) as server:
        for name in ("", "review.css", "review.js"):
            status, headers, content = ask(server.url, name)
            assert status == 200
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert headers["Cache-Control"] == "no-store"
            assert not re.search(rb"(https?:)?//[a-z]+\.", content)
            # a policy without 'unsafe-inline' would drop these
            assert not re.search(rb"<style|\sstyle=|\son\w+=|<script>", content)


def test_sound_comes_in_ranges(session: ReviewSession) -> None:
    with served(session) as server:
        status, headers, whole = ask(server.url, "sound/0")
        assert (status, headers["Accept-Ranges"]) == (200, "bytes")
        samples, rate = sf.read(io.BytesIO(whole))
        assert (len(samples), rate) == (SAMPLE_RATE, SAMPLE_RATE)
        total = len(whole)
        for asked, first, last in (
            ("bytes=0-99", 0, 99),
            ("bytes=100-", 100, total - 1),
            ("bytes=-50", total - 50, total - 1),
            (f"bytes=10-{total + 5}", 10, total - 1),
        ):
            status, headers, part = ask(server.url, "sound/0", Range=asked)
            assert (status, part) == (206, whole[first : last + 1])
            assert headers["Content-Range"] == f"bytes {first}-{last}/{total}"
        for asked in (f"bytes={total}-", "bytes=-0"):
            status, headers, _ = ask(server.url, "sound/0", Range=asked)
            assert (status, headers["Content-Range"]) == (416, f"bytes */{total}")
        for asked in ("bytes=5-2", "bytes=-", "bytes=0-1,4-5", "pages=1-2"):
            assert ask(server.url, "sound/0", Range=asked)[2] == whole
        status, headers, nothing = ask(server.url, "sound/0", method="HEAD")
        assert (status, headers["Content-Length"], nothing) == (200, str(total), b"")


def test_slowed_and_whole_sound(session: ReviewSession) -> None:
    with served(session) as server:
        samples, rate = sf.read(io.BytesIO(ask(server.url, "sound/0?slower=4")[2]))
        assert (len(samples), rate) == (SAMPLE_RATE, SAMPLE_RATE // 4)
        # from 0.25 to 1.25 s: half a second is before neither
        assert len(sf.read(io.BytesIO(ask(server.url, "sound/1?whole=1")[2]))[0]) == 14_000
        assert ask(server.url, "sound/0?slower=3")[0] == 400


def test_the_band_alone_keeps_its_tone_and_drops_the_other() -> None:
    both = tone(TONE_HZ["0"], 1.0) + tone(TONE_HZ["1"], 1.0)
    kept = band_passed(both, SAMPLE_RATE, (800.0, 1200.0))
    middle = slice(1000, -1000)
    assert np.abs(kept - tone(TONE_HZ["0"], 1.0))[middle].max() < 0.004
    for band in ((0.0, 1200.0), (2000.0, 9000.0), (0.0, 9000.0)):
        assert np.isfinite(band_passed(both, SAMPLE_RATE, band)).all()


def test_picture_and_axes(session: ReviewSession) -> None:
    with served(session) as server:
        assert Image.open(io.BytesIO(ask(server.url, "picture/0")[2])).size == (640, 192)
        about = json.loads(ask(server.url, "clip/1")[2])
    assert about["shown"] == [0.0, 1.75]
    assert about["window"] == pytest.approx([0.25 / 1.75, 1.25 / 1.75])
    mel = [float(np.log10(1 + hz / 700) / np.log10(1 + 4000 / 700)) for hz in (800, 1200)]
    assert about["band"] == pytest.approx(mel)
    assert about["seconds"] == [["0", 0], ["0.5", 0.5 / 1.75], ["1", 1 / 1.75], ["1.5", 1.5 / 1.75]]


def test_a_clip_that_cannot_be_heard_is_not_judged(asked: Path, data: Data) -> None:
    clips = clips_of_table(asked, [data.recordings]).clips
    (data.recordings / "rec00.flac").write_bytes(b"no sound")
    session = ReviewSession(clips, ClipSounds({}, 0.0), VerdictTable(asked.with_name("h.csv")))
    with served(session) as server:
        assert "rec00.flac" in json.loads(ask(server.url, "clip/0")[2])["error"]
        assert ask(server.url, "verdict", {"clip": 0, "word": "absent"})[0] == 422
        assert ask(server.url, "sound/0")[0] == 422
    assert not session.table.path.exists()


def test_a_verdict_that_cannot_be_written_is_not_taken(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.say(0, "absent")

    def full(*_: object) -> None:
        raise OutputError("no space left")

    monkeypatch.setattr(VerdictTable, "_write", full)
    with served(session) as server:
        status, _, content = ask(server.url, "verdict", {"clip": 1, "word": "absent"})
        assert (status, json.loads(content)["error"]) == (500, "no space left")
        assert json.loads(ask(server.url, "state")[2])["words"] == ["absent", "", ""]


def test_a_table_of_another_kind_is_not_written_over(asked: Path) -> None:
    with pytest.raises(InputError, match="no table of 'negmine review'"):
        VerdictTable(asked)


def test_rows_of_a_table(asked: Path, shared_data: Data) -> None:
    found = clips_of_table(asked, [shared_data.recordings])
    assert [c.recording for c in found.clips] == ["rec00", "rec01", "rec02"]
    assert ["1 of 5 rows are left out" in found.notes[0], "1 of 5 rows have" in found.notes[1]] == [
        True,
        True,
    ]
    hardest = in_order(found, ReviewSettings(order="hardest"), asked)
    assert [c.recording for c in hardest] == ["rec01", "rec02", "rec00"]
    with pytest.raises(InputError, match="no clip has a doubt"):
        in_order(found, ReviewSettings(order="doubt"), asked)
    with pytest.raises(InputError, match="class '2'"):
        in_order(found, ReviewSettings(classes=("2",)), asked)


def test_closest_to_the_threshold_first(asked: Path, shared_data: Data) -> None:
    found = clips_of_table(asked, [shared_data.recordings])
    nearest = in_order(found, ReviewSettings(order="threshold", threshold=2.2), asked)
    assert [c.score for c in nearest] == [2.0, 3.0, 1.0]
    with pytest.raises(InputError, match=r"ask.report.json is not there.* --threshold"):
        in_order(found, ReviewSettings(order="threshold"), asked)
    report = asked.with_name("ask.report.json")
    # as 'ask' and as 'mine' say it
    classes = {"0": {"threshold": {"score": 1.1}}, "1": {"calls": 2.0, "threshold": None}}
    report.write_text(json.dumps({"classes": classes}), encoding="utf-8")
    nearest = in_order(found, ReviewSettings(order="threshold"), asked)
    assert [c.score for c in nearest] == [2.0, 1.0, 3.0]
    report.write_text('{"classes": {"0": {"calls": 1.0}}}', encoding="utf-8")
    with pytest.raises(InputError, match=r"no threshold of 1 classes \(1\)"):
        in_order(found, ReviewSettings(order="threshold"), asked)


def test_filters() -> None:
    clips = tuple(
        ReviewClip("r", str(i % 2), Span(i, i + 1), Path("r.wav"), doubt=doubt, certificate=name)
        for i, (doubt, name) in enumerate(
            [(0.1, "external"), (0.4, "verified"), (0.8, "external"), (float("nan"), "")]
        )
    )

    def chosen(**settings: Any) -> list[float]:
        found = in_order(ReviewClips(clips, ()), ReviewSettings(**settings), Path("hard.parquet"))
        return [clip.span.start_s for clip in found]

    assert chosen() == [0, 1, 2, 3]
    assert chosen(certificates=("external",)) == [0, 2]
    assert chosen(min_doubt=0.4) == [1, 2]
    assert chosen(max_doubt=0.4, classes=("0",)) == [0]
    with pytest.raises(
        InputError, match=r"certified by 'extrenal'; did you mean external|external"
    ):
        chosen(certificates=("extrenal",))
    with pytest.raises(InputError, match=r"--min-doubt 0.5 is above --max-doubt 0.1"):
        chosen(min_doubt=0.5, max_doubt=0.1)
    with pytest.raises(InputError, match="no clip passes"):
        chosen(min_doubt=0.9)


def test_what_more_verdicts_would_bring() -> None:
    found = outlook(["present"] * 5 + ["absent"] * 45 + ["unsure"] * 3 + [""] * 100)
    low, high = clopper_pearson(5, 50)
    assert (found.sure, found.left) == (50, 100)
    assert [found.calls, found.low, found.high] == pytest.approx([10, 100 * low, 100 * high])
    assert "about 10 of them (3 to 22)" in found.to_text()
    assert outlook(["", "unsure"]).to_text() == ""


def test_rows_of_a_selection(shared_pool: Path, tmp_path: Path) -> None:
    pool = open_pool(shared_pool)
    rows = [
        Chosen(r.id, label, 1.0, 1, r.kind, "declared", 1.0, "", float("nan"), 0.1)
        for r in pool
        for label in sorted(r.labels.absent)[:1]
    ]
    path = tmp_path / "hard.parquet"
    Selection(tuple(rows), shared_pool, pool.digest, "m").write(path)
    found = clips_of_selection(path)
    mixed = sum(len(r.components) > 1 for r in pool)
    assert mixed >= 12
    assert f"{mixed} of kind mix" in found.notes[0]
    by_key = {clip.key: clip for clip in found.clips}
    for recipe, row in zip(pool, rows, strict=True):
        if len(recipe.layers) > 1:
            continue
        layer = recipe.layers[0]
        assert layer.source
        end_s = round(min(layer.start_s + 1.0, layer.source.duration_s), 6)
        clip = by_key[layer.source.recording, row.label, Span(layer.start_s, end_s)]
        heard = ClipSounds({}, 0.0).hear(clip)
        samples = heard.samples[: round(1.0 * heard.sample_rate)]
        if heard.sample_rate == pool.sample_rate:
            np.testing.assert_array_equal(samples, recipe.render()[: len(samples)])


def test_the_nearest_call_is_heard_beside_a_clip(shared_pool: Path, tmp_path: Path) -> None:
    pool = open_pool(shared_pool)
    recipe = next(r for r in pool if r.kind == "external")
    label, call = sorted(recipe.labels.absent)[0], pool.calls[0]
    path = tmp_path / "hard.parquet"
    rows = [Chosen(recipe.id, label, 1.0, 1, "external", "declared", 1.0, call.id, 0.2, 0.1)]
    Selection(tuple(rows), shared_pool, pool.digest, "m").write(path)
    found = clips_of_selection(path)
    table = VerdictTable(tmp_path / "heard.csv")
    with served(ReviewSession(found.clips, ClipSounds({}, 0.0, found.pool), table)) as server:
        assert json.loads(ask(server.url, "clip/0")[2])["nearest"] is True
        samples, rate = sf.read(io.BytesIO(ask(server.url, "call/0")[2]))
        assert Image.open(io.BytesIO(ask(server.url, "call-picture/0")[2])).format == "PNG"
    rendered = call.render()
    assert rate == call.sample_rate
    assert np.corrcoef(samples, rendered)[0, 1] > 0.9999
    with served(ReviewSession(found.clips, ClipSounds({}, 0.0), table)) as server:
        assert json.loads(ask(server.url, "clip/0")[2])["nearest"] is False
        assert ask(server.url, "call/0")[0] == 400


def test_a_killed_review_goes_on_and_ctrl_c_ends_it(
    commands: Commands, asked: Path, shared_data: Data
) -> None:
    out = asked.with_name("heard.csv")

    def started() -> tuple[Running, str]:
        return started_review(
            commands, asked, "--recordings", shared_data.recordings, "--out", out,
            "--listener", "anna",
        )  # fmt: skip

    running, url = started()
    assert ask(url, "verdict", {"clip": 1, "word": "present"})[0] == 200
    running.send(signal.SIGKILL)
    running.end()
    running, again = started()
    assert again != url
    assert json.loads(ask(again, "state")[2])["words"] == ["", "present", ""]
    assert ask(again, "verdict", {"clip": 0, "word": "absent"})[0] == 200
    running.send(signal.SIGINT)
    ended = running.end()
    assert ended.code == 0
    summary = json.loads(ended.out)
    assert (summary["given"], summary["left"]) == (1, 1)
    assert summary["classes"]["0"] == {"present": 1, "absent": 1, "unsure": 0, "left": 0}
    assert [v.word for v in read_verdicts(out, ["0", "1"])] == ["present", "absent"]


def test_what_is_missing_is_said(asked: Path) -> None:
    result = CliRunner().invoke(main, ["review", str(asked), "--no-browser"])
    assert result.exit_code == 2
    assert "--recordings" in result.stderr
