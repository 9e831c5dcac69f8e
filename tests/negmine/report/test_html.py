"""The page of a selection: complete, offline, escaped, the same each time."""

from __future__ import annotations

import base64
import io
import json
import math
import re
import shlex
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner
from conftest import Data, make_pool
from PIL import Image
from placeholder import PlaceholderScorer

from negmine.cli.main import main
from negmine.errors import PoolError
from negmine.mining.mine import MineSettings, mine
from negmine.mining.mine_report import _histogram
from negmine.mining.selection import Selection, open_selection
from negmine.pool import Pool, open_pool
from negmine.report.html import Earlier, clips_to_render, write_report
from negmine.report.read_report import histogram_of, report_path
from negmine.report.settings import PageSettings

# Elements and attributes by which a page reaches for something else.
FETCHING = {"src", "href", "srcset", "poster", "data", "action", "formaction", "xlink:href"}


class Page(HTMLParser):
    """The start tags of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def content(uri: str) -> bytes:
    return base64.b64decode(uri.split(",", 1)[1])


@pytest.fixture(scope="module")
def pool(shared_pool: Path) -> Pool:
    return open_pool(shared_pool)


@pytest.fixture(scope="module")
def mined(pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> tuple[Selection, dict[str, Any]]:
    settings = MineSettings(per_class=4, min_distance=0.0)
    found = mine(PlaceholderScorer(), pool, tmp_path_factory.mktemp("scores"), settings)
    return found.selection, found.report.to_dict()


def bare(report: dict[str, Any]) -> dict[str, Any]:
    """The report as one that tells nothing but counts."""
    told = {"certified", "chosen", "calls"}
    classes = {
        name: {key: value for key, value in entry.items() if key in told}
        for name, entry in report["classes"].items()
    }
    return {"held_out": report["held_out"], "classes": classes}


def with_histograms(report: dict[str, Any]) -> dict[str, Any]:
    """The report with a histogram and rules for each class."""
    histogram = {"edges": [-6, -2, 2, 6], "negatives": [15, 4, 1], "calls": [0, 2, 6]}
    rules = [{"rule": "margin", "kept": 10, "rejected": 3, "reason": "above <the> calls"}]
    classes = {
        name: entry | {"histogram": histogram, "rules": rules}
        for name, entry in report["classes"].items()
    }
    return report | {"classes": classes}


def test_each_negative_stands_beside_its_call_with_its_numbers(
    pool: Pool, mined: tuple[Selection, dict[str, Any]], tmp_path: Path
) -> None:
    selection, report = mined
    seen: list[int] = []
    written = write_report(
        tmp_path / "r.html",
        selection,
        pool,
        report,
        settings=PageSettings(per_class=3),
        on_clip=seen.append,
    )
    page = read(tmp_path / "r.html")
    shown = [row for row in selection.rows if row.rank <= 3]
    assert written.negatives == len(shown) == 6
    assert written.size_bytes == (tmp_path / "r.html").stat().st_size
    assert written.calls == len({row.nearest_call for row in shown})
    assert sum(seen) == clips_to_render(selection, pool, PageSettings(per_class=3))
    assert Counter(tag for tag, _ in page.tags)["article"] == 6
    for row in shown:
        score = f"{row.score:.2f}".replace("-", "\N{MINUS SIGN}")
        assert f"Taken for {row.label} with a score of {score}" in page.text
        assert row.recipe in page.text
        assert row.nearest_call in page.text
        recipe = pool.recipes[pool.recipes.row_of(row.recipe)]
        for layer in recipe.layers:
            assert layer.source is not None
            assert f"{layer.source.name}, {round(layer.start_s, 3):g}" in page.text
    assert not any(row.recipe in page.text for row in selection.rows if row.rank == 4)


def test_sound_and_pictures_are_in_the_page_itself(
    pool: Pool, mined: tuple[Selection, dict[str, Any]], tmp_path: Path
) -> None:
    write_report(tmp_path / "r.html", *mined_on(pool, mined), settings=PageSettings(per_class=2))
    page = read(tmp_path / "r.html")
    sounds = page.of("audio")
    assert len(sounds) == 2 * 4
    for sound in sounds:
        assert "controls" in sound
        samples, rate = sf.read(io.BytesIO(content(sound["src"])))
        assert (rate, len(samples)) == (8000, 8000)
        # the loudest 0.4 s of each, by a plain loop; compression moves it by little
        rms = [np.sqrt(np.mean(samples[i : i + 3200] ** 2)) for i in range(0, 4801, 100)]
        assert 20 * np.log10(max(rms)) == pytest.approx(-20, abs=1.5)
    pictures = [image for image in page.of("img") if image["src"].startswith("data:image/png")]
    assert len(pictures) == len(sounds)
    assert all(image["alt"] for image in page.of("img"))
    for image in pictures:
        assert Image.open(io.BytesIO(content(image["src"]))).size == (256, 88)


def mined_on(
    pool: Pool, mined: tuple[Selection, dict[str, Any]]
) -> tuple[Selection, Pool, dict[str, Any]]:
    return mined[0], pool, mined[1]


def test_the_page_reaches_for_nothing_outside_itself(
    pool: Pool, mined: tuple[Selection, dict[str, Any]], tmp_path: Path
) -> None:
    selection, report = mined
    full = with_histograms(report)
    write_report(tmp_path / "r.html", selection, pool, full, before=Earlier(selection, full))
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not {"script", "link", "iframe", "object", "embed", "base"} & {t for t, _ in page.tags}
    anchors = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    for _, attributes in page.tags:
        for name in FETCHING & attributes.keys():
            value = attributes[name]
            assert value.startswith("data:") or value.removeprefix("#") in anchors, value[:60]
        assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(r"url\(|@import|https?:", text)
    (policy,) = (meta["content"] for meta in page.of("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'")
    # what is drawn as SVG names namespaces, and no address that is fetched
    drawn = [content(i["src"]).decode() for i in page.of("img") if "svg" in i["src"][:20]]
    assert len([i for i in page.of("img") if i.get("class") == "scores"]) == len(pool.classes)
    assert len(drawn) > len(pool.classes)
    assert not any(re.search(r'href="(?!#)|<image|<script|url\((?!#)', svg) for svg in drawn)


def test_names_are_text_whatever_they_are(
    shared_data: Any, tmp_path: Path, pool: Pool, mined: tuple[Selection, dict[str, Any]]
) -> None:
    hostile = '"><script>alert(1)</script>{{ 7*7 }}$\\frac'
    selection, report = mined
    row = replace(selection.rows[0], kind=hostile, certificate=hostile)
    renamed = replace(pool, path=tmp_path / "<b>pool</b>")
    full = with_histograms(report)
    write_report(
        tmp_path / "r.html",
        replace(selection, rows=(row,), model="<i>model"),
        renamed,
        full,
    )
    page = read(tmp_path / "r.html")
    assert not page.of("script")
    assert not page.of("b")
    assert not page.of("i")
    assert page.text.count(hostile) == 2
    assert "above <the> calls" in page.text


def test_hostile_classes_and_files(data: Any, tmp_path: Path) -> None:
    import pandas as pd

    names = {"0": "<img src=x onerror=alert(1)>", "1": "$x_{&amp;}$ 'é\N{FROG FACE}"}
    for table in (data.tp, data.fp):
        frame = pd.read_csv(table, dtype={"species_id": str})
        frame["species_id"] = frame["species_id"].map(names)
        frame["recording_id"] = frame["recording_id"].replace("rec03", "a&b <c> 100%")
        frame.to_csv(table, index=False)
    (data.recordings / "rec03.flac").rename(data.recordings / "a&b <c> 100%.flac")
    made = open_pool(make_pool(data, tmp_path / "pool"))
    scorer = PlaceholderScorer(classes=made.classes)
    found = mine(scorer, made, tmp_path / "scores", MineSettings(per_class=100, min_distance=0.0))
    strange = [
        row
        for row, recipe in zip(found.selection.rows, found.selection.recipes(made), strict=True)
        if "a&b <c> 100%" in recipe.groups
    ]
    assert strange
    write_report(tmp_path / "r.html", replace(found.selection, rows=tuple(strange[:2])), made)
    page = read(tmp_path / "r.html")
    for name in names.values():
        assert f"class {name}" in page.text
    assert "a&b <c> 100%.flac, " in page.text
    assert not [image for image in page.of("img") if not image["src"].startswith("data:")]


def test_the_same_inputs_give_the_same_bytes(
    pool: Pool,
    mined: tuple[Selection, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    selection, report = mined
    full = with_histograms(report)
    for threads, name in ((1, "a.html"), (4, "b.html")):
        monkeypatch.setattr("negmine.report.html._THREADS", threads)
        shuffled = replace(selection, rows=selection.rows[:: 1 if threads == 1 else -1])
        write_report(tmp_path / name, shuffled, pool, full, before=Earlier(selection, full))
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_what_is_not_known_is_said(
    pool: Pool, mined: tuple[Selection, dict[str, Any]], tmp_path: Path
) -> None:
    selection, report = mined
    write_report(tmp_path / "r.html", selection, pool, settings=PageSettings(per_class=1))
    text = read(tmp_path / "r.html").text
    assert "There is no mining report beside the selection" in text
    assert "What each rule rejected" not in text
    write_report(
        tmp_path / "r.html", selection, pool, bare(report), settings=PageSettings(per_class=1)
    )
    text = read(tmp_path / "r.html").text
    assert "no mining report" not in text
    assert "holds no histograms" in text
    assert "What each rule rejected" not in text
    assert "random sample" not in text
    write_report(
        tmp_path / "r.html",
        selection,
        pool,
        with_histograms(report),
        settings=PageSettings(per_class=1),
    )
    page = read(tmp_path / "r.html")
    assert "holds no histograms" not in page.text
    assert "margin 10 3 above <the> calls" in page.text
    certified = {name: entry["certified"] for name, entry in report["classes"].items()}
    assert page.text.count("a random sample of 20 of them") == sum(
        count > 20 for count in certified.values()
    )


def test_a_class_without_rows_or_a_row_without_a_call_has_its_place(
    pool: Pool, mined: tuple[Selection, dict[str, Any]], tmp_path: Path
) -> None:
    selection, _ = mined
    row = replace(selection.rows[0], nearest_call="", distance=math.nan)
    assert row.label == "0"
    written = write_report(tmp_path / "r.html", replace(selection, rows=(row,)), pool)
    page = read(tmp_path / "r.html")
    assert (written.negatives, written.calls) == (1, 0)
    assert "The class has no confirmed call in the pool" in page.text
    assert "Nothing was chosen for this class" in page.text
    assert len(page.of("audio")) == 1
    write_report(tmp_path / "r.html", replace(selection, rows=()), pool)
    assert "Nothing was chosen" in read(tmp_path / "r.html").text


def test_what_changed_since_is_told(
    pool: Pool, mined: tuple[Selection, dict[str, Any]], tmp_path: Path
) -> None:
    selection, report = mined
    own = [row for row in selection.rows if row.label == "0"]
    # of four, one is new, one is replayed and two scored 2 less; one is gone
    old = [replace(row, score=row.score - 2 * i) for row, i in zip(own[1:], (0, 1, 1), strict=True)]
    old.append(replace(own[0], recipe="0" * 24))
    write_report(
        tmp_path / "r.html",
        selection,
        pool,
        report,
        before=Earlier(replace(selection, rows=tuple(old), model="older")),
        settings=PageSettings(classes=("0",)),
    )
    page = read(tmp_path / "r.html")
    assert "1 new, 3 kept, 1 gone" in page.text
    assert "+2.00" in page.text
    assert page.text.count("by the older model)") == 3
    assert page.text.count("(replayed: scored by the older model)") == 1
    assert "Distribution of scores of 1" not in str(page.tags)


def test_a_class_or_row_that_is_not_there_is_an_error(
    pool: Pool, mined: tuple[Selection, dict[str, Any]], tmp_path: Path
) -> None:
    selection, _ = mined
    path = tmp_path / "r.html"
    with pytest.raises(PoolError, match="no class '2'"):
        write_report(path, selection, pool, settings=PageSettings(classes=("2",)))
    strange = replace(selection, rows=(replace(selection.rows[0], recipe="ab"),))
    with pytest.raises(PoolError, match="no recipe 'ab' in this pool"):
        write_report(path, strange, pool)
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_the_page_and_tells_its_size(
    mined: tuple[Selection, dict[str, Any]], tmp_path: Path
) -> None:
    selection, report = mined
    selection.write(tmp_path / "hard.parquet")
    (tmp_path / "hard.report.json").write_text(json.dumps(with_histograms(report)))
    hard = str(tmp_path / "hard.parquet")
    ran = CliRunner().invoke(main, ["report", hard, "--per-class", "1", "--before", hard])
    assert ran.exit_code == 0, ran.output
    page = tmp_path / "hard.report.html"
    assert (
        f"2 negatives of 2 classes beside 2 confirmed calls, {page.stat().st_size / 1e6:.2f} MB"
        in (ran.stdout)
    )
    assert "0 new" in read(page).text
    out = tmp_path / "deep" / "r.html"
    arguments = ["report", hard, "-o", str(out), "--class", "1", "--json", "--quiet"]
    ran = CliRunner().invoke(main, arguments)
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout) == {
        "report": str(out),
        "bytes": out.stat().st_size,
        "classes": 1,
        "negatives": 4,
        "calls": json.loads(ran.stdout)["calls"],
    }
    assert ran.stderr == ""


@pytest.mark.parametrize(
    ("report", "says"),
    [
        ("{", "not readable as JSON"),
        ("[]", "not a report written by 'negmine mine'"),
        ('{"classes": {"0": 3}}', "class '0' is 3, not a table"),
        ('{"classes": {"0": {"rules": "none"}}}', "rules of class '0' are not a list"),
        ('{"classes": {"0": {"certified": "many"}}}', "'certified' is 'many', not a number"),
        ('{"classes": {"0": {"histogram": {"edges": [0, 1]}}}}', "histogram of class '0'"),
        (
            '{"classes": {"0": {"histogram": {"edges": [0, 1], "negatives": [1, 2], '
            '"calls": [1]}}}}',
            "2 edges, 2 counts of negatives and 1 of calls",
        ),
        (
            '{"classes": {"0": {"histogram": {"edges": [1, 0], "negatives": [1], "calls": [1]}}}}',
            "edges do not ascend",
        ),
        (
            '{"classes": {"0": {"histogram": {"edges": [0, 1], "negatives": [-1], "calls": [1]}}}}',
            "a count below 0",
        ),
    ],
)
def test_a_damaged_report_is_one_line(
    mined: tuple[Selection, dict[str, Any]], tmp_path: Path, report: str, says: str
) -> None:
    mined[0].write(tmp_path / "hard.parquet")
    (tmp_path / "hard.report.json").write_text(report)
    ran = CliRunner().invoke(
        main, ["report", str(tmp_path / "hard.parquet"), "--per-class", "1", "--quiet"]
    )
    assert ran.exit_code == 2
    assert says in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert not (tmp_path / "hard.report.html").exists()


@pytest.mark.parametrize("name", ["hard", "hard.control", "hard.review"])
def test_a_selection_and_what_stands_beside_it_share_a_report(tmp_path: Path, name: str) -> None:
    assert report_path(tmp_path / f"{name}.parquet") == tmp_path / "hard.report.json"


@pytest.mark.parametrize("rows", [(), (1.5,), (1.5, 1.5), (-3.0, 2.0)])
def test_what_mining_reports_is_read_whatever_its_scores(rows: tuple[float, ...]) -> None:
    entry = {"histogram": _histogram(np.array(rows), np.array(rows[:1]), np.array(rows[:1]))}
    found = histogram_of(json.loads(json.dumps(entry)), "0")
    assert found is not None
    assert (found.negatives.sum(), found.calls.sum()) == (len(rows), len(rows[:1]))


def test_a_page_is_not_written_over_a_selection(
    mined: tuple[Selection, dict[str, Any]], tmp_path: Path
) -> None:
    mined[0].write(tmp_path / "hard.parquet")
    hard = str(tmp_path / "hard.parquet")
    before = (tmp_path / "hard.parquet").read_bytes()
    ran = CliRunner().invoke(main, ["report", hard, "-o", hard])
    assert ran.exit_code == 2
    assert "its name must end in .html" in ran.stderr
    assert (tmp_path / "hard.parquet").read_bytes() == before


def test_mining_writes_the_page_too(
    shared_pool: Path, shared_checkpoint: Path, tmp_path: Path
) -> None:
    arguments = ["mine", "--model", str(shared_checkpoint), "--pool", str(shared_pool)]
    arguments += ["--out", str(tmp_path / "hard.parquet"), "--per-class", "2", "--quiet"]
    ran = CliRunner().invoke(main, [*arguments, "--report", str(tmp_path / "r.png")])
    assert ran.exit_code == 2
    assert "its name must end in .html" in ran.stderr
    assert not (tmp_path / "hard.parquet").exists()
    ran = CliRunner().invoke(main, [*arguments, "--report", str(tmp_path / "r.html")])
    assert ran.exit_code == 0, ran.output
    ran = CliRunner().invoke(main, ["report", str(tmp_path / "hard.parquet"), "--quiet"])
    assert ran.exit_code == 0, ran.output
    made = [(tmp_path / name).read_bytes() for name in ("r.html", "hard.report.html")]
    assert made[0] == made[1]


def test_the_page_tells_how_sure_doubt_is_by_kind_and_how_reliable(
    pool: Pool, mined: tuple[Selection, dict[str, Any]], tmp_path: Path
) -> None:
    selection, report = mined
    kinds = {one["kind"] for one in report["doubt"]["strata"]}
    assert {"external", "fp"} <= kinds
    bins = {"claimed": [0.05, 0.8], "found": [0.1, 0.7], "count": [30, 3]}
    level = {
        "kind": "mix", "certificate": "mixed", "rows": 90, "certified": 0.0123, "level": 0.0456,
        "most": 0.789, "heard": 30, "present": 2,
    }  # fmt: skip
    told = report | {"doubt": {"strata": [level], "judged": bins, "heard": {}}}
    write_report(tmp_path / "r.html", selection, pool, told)
    page = read(tmp_path / "r.html")
    assert "mix mixed 1.23 4.56 78.90 30 2" in page.text
    drawn = [one["src"] for one in page.of("img") if one["alt"].startswith("Claimed doubt")]
    assert len(drawn) == 1
    assert "calls and rejections" in content(drawn[0]).decode()
    assert "rows heard" not in content(drawn[0]).decode()
    write_report(tmp_path / "old.html", selection, pool, bare(report))
    assert "Reliability" not in (tmp_path / "old.html").read_text()


@pytest.mark.parametrize(
    ("doubt", "message"),
    [
        ([], "'doubt' is"),
        ({"strata": 3}, "strata of doubt are not"),
        ({"judged": {"claimed": [0.1]}}, "reliability of doubt: KeyError"),
        ({"judged": {"claimed": [0.1], "found": [], "count": [1]}}, "of different lengths"),
        ({"judged": {"claimed": [7], "found": [0], "count": [1]}}, "outside"),
    ],
)
def test_a_report_with_malformed_doubt_is_told(
    pool: Pool,
    mined: tuple[Selection, dict[str, Any]],
    tmp_path: Path,
    doubt: Any,
    message: str,
) -> None:
    selection, report = mined
    with pytest.raises(PoolError, match=message):
        write_report(tmp_path / "r.html", selection, pool, report | {"doubt": doubt or [1]})


def test_the_page_names_model_and_commands_and_marks_what_it_is_given(
    shared_pool: Path,
    shared_data: Data,
    shared_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "hard one.parquet"
    arguments = ["--model", str(shared_checkpoint), "--pool", str(shared_pool), "--quiet"]
    arguments += ["--out", str(out), "--per-class", "2", "--min-distance", "0"]
    monkeypatch.setattr("sys.argv", ["/usr/bin/negmine", "mine", *arguments])
    ran = CliRunner().invoke(main, ["mine", *arguments])
    assert ran.exit_code == 0, ran.output
    told = json.loads(report_path(out).read_text())
    assert told["model_name"] == "/".join(shared_checkpoint.parts[-2:])
    assert shlex.split(told["command"]) == ["negmine", "mine", *arguments]
    assert told["max_doubt"] == 0.5
    table = tmp_path / "thresholds.csv"
    table.write_text("class,threshold\n0,0.75\n1,\n")
    page = tmp_path / "p.html"
    given = ["--tp", str(shared_data.tp), "--thresholds", str(table), "--out", str(page)]
    ran = CliRunner().invoke(main, ["report", str(out), *given, "--quiet"])
    assert ran.exit_code == 0, ran.output
    made = read(page)
    assert told["model_name"] in made.text
    assert told["command"] in made.text
    assert f"negmine review '{out}'" in made.text
    assert made.text.count("s threshold: ") == 1
    boxed = [tag for tag in made.of("span") if tag.get("class") == "box"]
    assert boxed
    assert all(re.fullmatch(r"(\w+:[\d.]+%;?){4}", tag["style"]) for tag in boxed)
    assert any("the call is boxed" in image["alt"] for image in made.of("img"))
    # every chosen clip draws on a folder, and no folder on more than there are
    cells = re.findall(r'<td class="text">([^<]*)</td><td>(\d+)</td>', page.read_text())
    chosen = {row.recipe for row in open_selection(out).rows}
    counted = [int(count) for _, count in cells]
    assert max(counted) <= len(chosen) <= sum(counted)
    table.write_text("class,threshold\n0,1.5\n")
    ran = CliRunner().invoke(main, ["report", str(out), *given])
    assert ran.exit_code != 0
    assert "row 2: threshold 1.5; expected a probability" in ran.output
