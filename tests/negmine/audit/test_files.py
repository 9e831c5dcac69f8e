"""An audit's folder: blind, repeatable, never overwritten, with a page that fills its table."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from auditing import call, fails, fill, selection

from negmine.audit.audit_folder import ClipVerdict, Key, read_clip_verdicts, read_key
from negmine.audit.draw import listening_page
from negmine.audit.frames import Claim
from negmine.pool import open_pool
from negmine.report.clips import listening_gain_db

# ---- draw


def test_the_folder_holds_the_clips_and_nothing_that_tells(
    shared_audit: Path, shared_pool: Path
) -> None:
    pool, key = open_pool(shared_pool), read_key(shared_audit / "key.parquet")
    assert sorted(path.name for path in shared_audit.iterdir()) == [
        "clips",
        "examples",
        "key.parquet",
        "listen.html",
        "verdicts.csv",
    ]
    table = pd.read_csv(shared_audit / "verdicts.csv", dtype=str, keep_default_na=False)
    assert list(table.columns) == ["clip", "class", "verdict", "note"]
    assert table["clip"].tolist() == sorted(
        path.name for path in (shared_audit / "clips").glob("*.flac")
    )
    assert table["clip"].tolist() == list(key.clips)
    assert set(table["verdict"]) == set(table["note"]) == {""}
    marks = {re.fullmatch(r"([0-9a-f]{6})-\d\d\.flac", clip)[1] for clip in key.clips}  # type: ignore[index]
    assert len(marks) == 1
    assert Counter(claim.control for claim in key.claims) == {False: 30, True: 6}
    for clip, claim in zip(key.clips, key.claims, strict=True):
        rows = pool.calls if claim.control else pool.recipes
        recipe = rows[rows.row_of(claim.recipe)]
        samples, rate = sf.read(shared_audit / "clips" / clip, dtype="float32")
        assert rate == pool.sample_rate
        # turned up for listening, and nothing else
        rendered = recipe.render()
        gain = 10 ** (listening_gain_db(rendered, rate) / 20)
        np.testing.assert_allclose(samples, rendered * gain, atol=1 / 32000)
        assert (shared_audit / "clips" / clip).with_suffix(".png").read_bytes()[1:4] == b"PNG"
        names = [claim.recipe, claim.kind, claim.certificate, *recipe.groups]
        told = [
            clip,
            (shared_audit / "verdicts.csv").read_text(),
            (shared_audit / "listen.html").read_text(),
        ]
        shown = [name for name in names if name and any(f'"{name}"' in text for text in told)]
        assert shown == []
        assert not any(claim.recipe in text for text in told)


def test_the_same_draw_is_the_same_bytes(
    shared_pool: Path, shared_audit: Path, audit_folder: Path
) -> None:
    # over an audit that nobody began to fill
    (audit_folder / "clips" / "stray.flac").touch()
    options = ["--sample", 30, "--controls", 0.2]
    assert call("draw", shared_pool, "-o", audit_folder, *options).exit_code == 0

    def files(root: Path) -> dict[Path, bytes]:
        return {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}

    assert files(audit_folder) == files(shared_audit)


def test_verdicts_are_never_lost(audit_folder: Path, shared_pool: Path) -> None:
    fill(audit_folder, lambda claim: "absent" if claim.control else "")
    before = (audit_folder / "verdicts.csv").read_bytes()
    fails(
        call("draw", shared_pool, "-o", audit_folder), "holds 6 verdicts or notes.*choose another"
    )
    assert (audit_folder / "verdicts.csv").read_bytes() == before


def test_other_files_are_never_lost(shared_pool: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    fails(call("draw", shared_pool, "-o", tmp_path / "mine"), "holds other files")
    fails(call("draw", shared_pool, "-o", tmp_path / "mine/thesis.txt"), "is a file", code=1)


def test_a_selection_is_drawn_by_hardness(shared_pool: Path, tmp_path: Path) -> None:
    selection(open_pool(shared_pool)).write(tmp_path / "hard.parquet")
    result = call(
        "draw",
        tmp_path / "hard.parquet",
        "-o",
        tmp_path / "a",
        "--by",
        "hardness",
        "--sample",
        12,
        "--least",
        4,
        "--json",
    )
    told = json.loads(result.stdout)
    assert told["strata"] == {
        "next 40%": {"claims": 16, "drawn": 4},
        "rest": {"claims": 20, "drawn": 4},
        "top 10%": {"claims": 4, "drawn": 4},
    }
    assert (told["clips"], told["controls"]) == (12, 1)
    fill(tmp_path / "a", lambda claim: "present" if claim.control else "absent")
    read = json.loads(call("read", tmp_path / "a", "--json").stdout)
    assert list(read["rates"]["hardness"]) == ["top 10%", "next 40%", "rest"]
    assert read["confidences"] == []
    result = call("read", tmp_path / "a", "-o", tmp_path / "audit.toml")
    fails(result, "a selection holds a pool's hardest rows, and their doubt is not the pool's")
    assert not (tmp_path / "audit.toml").exists()
    assert [one["estimated"] for one in read["rates"]["hardness"].values()] == [0.25, 0.0, 0.0]
    assert read["rates"]["all"][""]["estimated"] == pytest.approx(4 / 40 * 0.25)
    fails(call("read", tmp_path / "a", "-o", tmp_path / "a.toml"), "hardest rows.*audit /.*/pool ")
    result = call("read", tmp_path / "a", "--prior", 10)
    assert result.exit_code == 0
    assert "warning: --prior has no effect: a selection's audit gives no" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--class", "7"], "--class 7: no such class"),
        (["--by", "hardnes"], "'hardnes' is not one of 'certificate', 'kind', 'hardness', 'class'"),
        (["--by", "hardness"], "no such stratum here; a pool has no scores"),
        (["--sample", "3"], "--sample 3: 3 strata of at least 5 need 15"),
    ],
)
def test_what_cannot_be_drawn_leaves_nothing(
    shared_pool: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    fails(call("draw", shared_pool, "-o", tmp_path / "a", *options), message)
    assert list(tmp_path.iterdir()) == []


# ---- the page


def test_the_page_cannot_be_broken_by_a_class_name(tmp_path: Path) -> None:
    name = '</script><script>alert("x")</script> & "ä"'
    key = Key(("abc-1.flac",), (Claim("id", name),), {})
    page = listening_page(key, "abc", {name: ["abc-class1-1.flac"]}, 8000)
    assert page.count("</script>") == 2
    data = re.search(r'id="data">(.*?)</script>', page)
    assert data
    assert json.loads(data[1]) == {
        "audit": "abc",
        "clips": [["abc-1.flac", name]],
        "examples": [[name, ["abc-class1-1.flac"]]],
        "khz": 4.0,
    }
    assert not re.search(r"https?://|@import|\bfetch\b|XMLHttp", page)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_pages_table_is_the_table_that_is_read(audit_folder: Path, tmp_path: Path) -> None:
    """The page's script, run on as much of a document as it uses: click, and download."""
    page = (audit_folder / "listen.html").read_text()
    script = page[page.rindex("<script>") + 8 : page.rindex("</script>")]
    data = re.search(r'id="data">(.*?)</script>', page)
    assert data
    program = _DOCUMENT.replace("DATA", json.dumps(data[1])) + script + _CLICKS
    ran = subprocess.run(["node", "-e", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    (tmp_path / "verdicts.csv").write_text(ran.stdout)
    key = read_key(audit_folder / "key.parquet")
    found = read_clip_verdicts(tmp_path / "verdicts.csv", key)
    assert found[:4] == [
        ClipVerdict("present", 'near, "loud"'),
        ClipVerdict("absent", ""),
        ClipVerdict("", ""),
        ClipVerdict("unsure", ""),
    ]
    assert {verdict.word for verdict in found[4:]} == {""}


_DOCUMENT = """
const made = [], ids = {}, kept = {};
function element(tag) {
  const one = { tagName: tag.toUpperCase(), children: [], listeners: {}, attributes: {}, value: "",
    classList: { add() {}, remove() {} }, append(...c) { one.children.push(...c); },
    addEventListener(n, f) { one.listeners[n] = f; },
    scrollIntoView() {}, pause() {}, play() {},
    setAttribute(n, v) { one.attributes[n] = v; },
    click() { if (one.listeners.click) one.listeners.click(); } };
  made.push(one);
  return one;
}
for (const id of ["data", "done", "examples", "khz", "list", "only",
  "save"]) ids[id] = element("div");
ids.data.textContent = DATA;
let keydown;
globalThis.document = { getElementById: (id) => ids[id], createElement: element,
  addEventListener: (name, f) => { keydown = f; } };
globalThis.localStorage = { getItem: (k) => kept[k] || null, setItem: (k, v) => { kept[k] = v; } };
let saved;
globalThis.Blob = class { constructor(parts) { saved = parts.join(""); } };
globalThis.URL = { createObjectURL: () => "", revokeObjectURL() {} };
"""

_CLICKS = """
const shown = made.filter((one) => one.tagName === "SECTION");
const rows = shown.map((one) => one.children[3]);
rows[0].children[0].click();
const note = rows[0].children[3];
note.value = 'near, "loud"';
note.listeners.input();
rows[1].children[0].click(); rows[1].children[1].click();
rows[2].children[2].click(); rows[2].children[2].click();
shown[3].children[2].listeners.play();
keydown({ key: "u", target: { tagName: "BODY" } });
keydown({ key: "p", target: { tagName: "INPUT" } });
if (rows[3].children[2].attributes["aria-pressed"] !== "true") throw new Error("not pressed");
if (ids.done.textContent !== "3 of " + shown.length) throw new Error(ids.done.textContent);
if (Object.keys(JSON.parse(Object.values(kept)[0])).length !== 4) throw new Error("not kept");
if (ids.examples.children.length !== 4) throw new Error("two classes, two examples each");
ids.only.value = shown[0].children[0].children[1].textContent;
ids.only.listeners.change();
const asked = (one) => one.children[0].children[1].textContent === ids.only.value;
if (shown.some((one) => !one.hidden !== asked(one))) throw new Error("one class alone");
const heard = ids.examples.children.filter((one) => !one.hidden);
if (heard.length !== 2) throw new Error("the examples of that class alone");
ids.save.click();
process.stdout.write(saved);
"""
