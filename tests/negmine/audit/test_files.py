"""An audit's folder: blind, repeatable, never overwritten, with a page that fills its table."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from auditing import call, fails, fill, selection

from negmine.audit.audit_folder import read_clip_verdicts, read_key
from negmine.errors import InputError
from negmine.pool import open_pool
from negmine.report.clips import listening_gain_db
from negmine.review.clip_folder import clips_of_folder
from negmine.review.review_sound import ClipSounds
from negmine.review.session import ReviewSession
from negmine.review.verdict_table import VerdictTable

# ---- draw


def test_the_folder_holds_the_clips_and_nothing_that_tells(
    shared_audit: Path, shared_pool: Path
) -> None:
    pool, key = open_pool(shared_pool), read_key(shared_audit / "key.parquet")
    assert sorted(path.name for path in shared_audit.iterdir()) == [
        "clips",
        "examples",
        "examples.csv",
        "key.parquet",
        "verdicts.csv",
    ]
    table = pd.read_csv(shared_audit / "verdicts.csv", dtype=str, keep_default_na=False)
    assert list(table.columns) == ["recording", "class", "t_min", "t_max", "verdict", "listener"]
    assert table["recording"].tolist() == sorted(
        path.stem for path in (shared_audit / "clips").iterdir()
    )
    assert [f"{name}.flac" for name in table["recording"]] == list(key.clips)
    assert set(table["verdict"]) == set(table["listener"]) == {""}
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
        names = [claim.recipe, claim.kind, claim.certificate, *recipe.groups]
        told = [
            clip,
            (shared_audit / "verdicts.csv").read_text(),
            (shared_audit / "examples.csv").read_text(),
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
    fails(call("draw", shared_pool, "-o", audit_folder), "holds 6 verdicts, which.*choose another")
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


def test_an_audit_is_heard_on_the_review_page(audit_folder: Path) -> None:
    key = read_key(audit_folder / "key.parquet")
    found = clips_of_folder(audit_folder)
    assert [clip.path.name for clip in found.clips] == list(key.clips)
    assert [clip.label for clip in found.clips] == [claim.label for claim in key.claims]
    sounds, table = ClipSounds({}, 2.0), audit_folder / "verdicts.csv"
    session = ReviewSession(found.clips, sounds, VerdictTable(table, "anna"), tells=False)
    shown = [session.show(number) for number in range(len(found.clips))]
    assert not any(claim.recipe in str(one) for claim in key.claims for one in shown)
    assert all(one["nearest"] for one in shown)
    example = found.clips[0].example
    assert example
    samples, rate = sf.read(io.BytesIO(sounds.call_wav(found.clips[0])))
    assert len(samples) == sf.info(example).frames
    assert rate == sf.info(example).samplerate
    for number, claim in enumerate(key.claims):
        session.say(number, "present" if claim.control else "absent")
    assert (session.undo(), session.outlook_text()) == (35, "")
    words = [verdict.word for verdict in read_clip_verdicts(table, key)]
    assert words == ["present" if claim.control else "absent" for claim in key.claims[:35]] + [""]
    assert json.loads(call("read", audit_folder, "--json").stdout)["unheard"] == 1


def test_no_name_leads_out_of_an_audits_folder(audit_folder: Path, tmp_path: Path) -> None:
    table = audit_folder / "verdicts.csv"
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace(text.splitlines()[1].split(",")[0], "../../etc"))
    with pytest.raises(InputError, match=r"row 2: '../../etc' is no clip's name"):
        clips_of_folder(audit_folder)
    with pytest.raises(InputError, match="no folder of 'negmine audit draw'"):
        clips_of_folder(tmp_path)
