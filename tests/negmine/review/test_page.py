"""The review page in a headless browser: heard, judged by keys alone, killed, gone on with."""

from __future__ import annotations

import signal
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Page, browser
from conftest import SAMPLE_RATE, Data
from reliability.commands import Commands, Running
from serving_review import started_review

from negmine.annotations.verdicts import read_verdicts


def written(path: Path, starts: list[float], recordings: int = 3) -> Path:
    """Write a table of windows to judge, of both classes."""
    rows = [
        f"rec0{i},{label},{start},{start + 1},1.5,top,,,"
        for i in range(recordings)
        for label in "01"
        for start in starts
    ]
    head = "recording,class,t_min,t_max,score,strategy,verdict,listener,model"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return written(tmp_path / "ask.csv", [0.25, 2.25])


@pytest.fixture
def page() -> Iterator[Page]:
    with browser("--window-size=1280,800") as opened:
        yield opened


def served(commands: Commands, table: Path, data: Data) -> tuple[Running, str]:
    out = table.with_name("heard.csv")
    return started_review(commands, table, "--recordings", data.recordings, "--out", out)


SHOWN = "state && here === {} && !busy && document.getElementById('image').complete"


def test_a_review_by_keys_alone_outlives_its_server(
    commands: Commands, table: Path, shared_data: Data, page: Page
) -> None:
    running, url = served(commands, table, shared_data)
    page.open(url, SHOWN.format(0))
    # heard: the whole clip, by ranges of bytes
    page.wait("audio.readyState >= 2")
    assert page.run("audio.duration") == pytest.approx(1.0)
    found = page.run(
        "fetch('sound/0', {headers: {Range: 'bytes=100-199'}})"
        ".then(async r => [r.status, (await r.blob()).size, r.headers.get('Content-Range')])"
    )
    assert found == [206, 100, f"bytes 100-199/{44 + 2 * SAMPLE_RATE}"]
    page.key("c")
    page.wait("Math.abs(audio.duration - 3.25) < 0.01")  # 0.25 s before it, 2 s behind it
    for number, key in enumerate("apu" * 2):
        page.wait(SHOWN.format(number))
        page.key(key)
    page.wait(SHOWN.format(6))
    running.send(signal.SIGKILL)
    running.end()
    page.key("a")
    page.wait("!document.getElementById('problem').hidden")
    assert "run the same command to go on" in page.run("$('problem').textContent")

    running, url = served(commands, table, shared_data)
    page.open(url, SHOWN.format(6))
    assert page.run("$('done').textContent") == "6 of 12"
    for number, key in enumerate("apau", start=6):
        page.wait(SHOWN.format(number))
        page.key(key)
    page.wait(SHOWN.format(10))
    # back, undo, and skip: the tenth is judged again
    page.key("z")
    page.wait(SHOWN.format(9))
    page.key("p")
    page.wait(SHOWN.format(10))
    page.key("k")
    page.wait(SHOWN.format(9))
    page.key("j")
    page.wait(SHOWN.format(10))
    # space on a button that has the focus presses that button, and nothing else
    page.run("$('absent').focus()")
    page.key(" ")
    page.wait(SHOWN.format(11))
    page.run("$('finish').click()")
    ended = running.end()
    assert ended.code == 0
    words = [verdict.word for verdict in read_verdicts(table.with_name("heard.csv"), ["0", "1"])]
    assert words == [{"a": "absent", "p": "present", "u": "unsure"}[k] for k in "apuapuapapa"]
    assert not [e for e in page.events if e.get("method") == "Runtime.exceptionThrown"]


def judge(page: Page, numbers: range) -> list[float]:
    """Judge clips by keys; return the seconds from each key to the next clip, heard and seen."""
    took = []
    for number in numbers:
        began = time.monotonic()
        page.key("apu"[number % 3])
        page.wait(SHOWN.format(number + 1) + " && audio.readyState >= 2")
        took.append(time.monotonic() - began)
    return took


@pytest.mark.slow
def test_a_hundred_clips_with_a_kill_in_the_middle(
    commands: Commands, tmp_path: Path, shared_data: Data, page: Page
) -> None:
    table = written(tmp_path / "ask.csv", [i / 10 for i in range(17)])
    running, url = served(commands, table, shared_data)
    page.open(url, SHOWN.format(0))
    took = judge(page, range(50))
    running.send(signal.SIGKILL)
    running.end()
    running, url = served(commands, table, shared_data)
    page.open(url, SHOWN.format(50))
    took += judge(page, range(50, 100))
    running.send(signal.SIGINT)
    running.end()
    kept = read_verdicts(table.with_name("heard.csv"), ["0", "1"])
    assert [one.word for one in kept] == ["absent", "present", "unsure"] * 33 + ["absent"]
    middle, high = statistics.quantiles(took, n=20)[9::9]
    print(f"seconds a verdict of the page's own: median {middle:.3f}, of 95 % below {high:.3f}")
    assert middle < 1


@pytest.mark.slow
def test_ten_thousand_clips_load_and_move_without_delay(
    commands: Commands, tmp_path: Path, shared_data: Data, page: Page
) -> None:
    table = written(tmp_path / "ask.csv", [round(i / 210, 6) for i in range(625)], 8)
    running, url = served(commands, table, shared_data)
    began = time.monotonic()
    page.open(url, SHOWN.format(0))
    loaded = time.monotonic() - began
    assert page.run("state.words.length") == 10_000
    took = judge(page, range(20))
    began = time.monotonic()
    page.run("$('of-class').value = '1', $('of-class').dispatchEvent(new Event('change'))")
    page.wait(SHOWN.format(625))
    filtered = time.monotonic() - began
    running.send(signal.SIGINT)
    running.end()
    print(f"loaded in {loaded:.2f} s, moved in {statistics.median(took):.3f} s, {filtered:.3f} s")
    assert max(loaded, filtered, statistics.median(took)) < 2
