"""The review page in a headless browser: heard, judged by keys alone, killed, gone on with."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Page, browser
from conftest import SAMPLE_RATE, Data
from reliability.commands import Commands, Running

from negmine.annotations.verdicts import read_verdicts


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [f"rec0{i},{c},{start},{start + 1},{i}.5" for i in range(3) for c in "01"
            for start in (0.25, 2.25)]  # fmt: skip
    path = tmp_path / "ask.csv"
    filled = "\n".join(f"{row},top,,," for row in rows)
    path.write_text(
        f"recording,class,t_min,t_max,score,strategy,verdict,listener,model\n{filled}\n"
    )
    return path


@pytest.fixture
def page() -> Iterator[Page]:
    with browser("--window-size=1280,800") as opened:
        yield opened


def served(commands: Commands, table: Path, data: Data) -> tuple[Running, str]:
    running = commands.start(
        "review", table, "--recordings", data.recordings, "--no-browser", "--json",
        "--out", table.with_name("heard.csv"), folder=table.parent,
    )  # fmt: skip
    end = time.monotonic() + 20
    while running.alive and time.monotonic() < end:
        if found := re.search(r"http://\S+", running.said):
            return running, found[0]
        time.sleep(0.02)
    raise AssertionError(running.said)


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
    # back, undo, and skip: the tenth is judged anew
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
