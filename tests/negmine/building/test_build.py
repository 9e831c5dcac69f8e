"""Building a pool: reproducible, safe to repeat, and whole or not at all."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from conftest import SAMPLE_RATE, Data, make_data, small_settings, source_of

from negmine.annotations import read_rfcx
from negmine.audio.silence import is_silent
from negmine.building import BuildReport, PoolSettings, build_pool
from negmine.errors import AudioError, InputError, NegmineError, OutputError, PoolError
from negmine.pool import Pool, open_pool
from negmine.recipes.certificates import Certificate


def build(
    data: Data, out: Path, *, external: list[str] | None = None, **options: Any
) -> BuildReport:
    settings = {
        name: options.pop(name) for name in list(options) if name in PoolSettings.model_fields
    }
    mix = settings.pop("mix", 30)
    return build_pool(
        data.recordings,
        read_rfcx(data.tp, data.fp),
        out,
        external=[str(data.external)] if external is None else external,
        settings=small_settings(mix, **settings),
        **options,
    )


def content(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def files(folder: Path) -> list[str]:
    return [name for name in listing(folder) if (folder / name).is_file()]


def listing(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


# ---- what is in it


def test_a_pool_holds_every_source_of_negatives(shared_data: Data, tmp_path: Path) -> None:
    report = build(shared_data, tmp_path / "pool")
    pool = report.pool
    assert {kind: int(np.sum(pool.recipes.kinds == kind)) for kind in set(pool.recipes.kinds)} == {
        "fp": 16,
        "external": 9,
        "mix": 30,
    }
    assert (report.changed, report.skipped, report.left_out) == (True, (), {})
    assert [call.kind for call in pool.calls] == ["tp"] * 16
    assert (pool.classes, pool.clip_s, pool.sample_rate) == (("0", "1"), 1.0, 8000)
    for recipe in pool:
        assert recipe.labels.absent
        samples = recipe.render()
        assert (samples.shape, samples.dtype) == ((8000,), np.dtype(np.float32))
        assert np.abs(samples).max() <= 1


def test_a_mix_is_certified_where_the_clips_in_the_pool_are(
    shared_data: Data, tmp_path: Path
) -> None:
    pool = build(shared_data, tmp_path / "pool").pool
    plain = {
        (source_of(r.layers[0]).fingerprint, r.layers[0].start_s): r.labels
        for r in pool
        if r.kind != "mix"
    }
    mixes = [r for r in pool if r.kind == "mix"]
    assert len(mixes) == 30
    for mix in mixes:
        first, second = (plain[source_of(la).fingerprint, la.start_s] for la in mix.layers)
        assert mix.labels == first.mix(second)
        assert len(mix.groups) == 2


def test_what_is_left_out_is_counted(data: Data, tmp_path: Path) -> None:
    samples = np.zeros(3 * SAMPLE_RATE, dtype=np.float32)
    sf.write(data.external / "silence.wav", samples, SAMPLE_RATE)
    report = build(data, tmp_path / "pool", fp={"beyond_per_s": 0.0})
    assert report.left_out == {
        "rejected detections whose verdict does not cover the clip": 16,
        "silent external windows": 3,
    }
    silent = "left out 3: silent external windows: external/silence.wav (3)"
    assert silent in report.notes
    assert report.notes[1].endswith(
        ": rec00 (2), rec01 (2), rec02 (2), rec03 (2), rec04 (2) and 3 more"
    )
    assert set(report.pool.recipes.kinds) == {"external", "mix"}
    alone = build(
        data, tmp_path / "alone", fp={"beyond_per_s": 0.0}, clip_s=0.4, external=[], mix=5
    )
    assert alone.left_out == {}
    (data.recordings / "only").mkdir()
    data.fp.write_text("\n".join(data.fp.read_text().splitlines()[:2]))
    lonely = build(data, tmp_path / "lonely", external=[], mix=5)
    assert lonely.left_out == {"mixes without a partner": 5}


def test_silent_clips_are_no_partners_of_a_mix(data: Data, tmp_path: Path) -> None:
    samples, rate = sf.read(data.recordings / "rec00.flac", dtype="float32")
    samples[:] = 0
    sf.write(data.recordings / "rec00.flac", samples, rate)
    report = build(data, tmp_path / "pool", mix=200)
    assert sum(r.kind == "fp" for r in report.pool) == 14
    assert not any("rec00" in r.groups for r in (*report.pool, *report.pool.calls))
    nothing, boxes = report.folders[0].notes
    assert "rec00.flac" in nothing
    assert boxes.startswith("4 of 32 boxes")


def test_a_dead_microphone_is_no_negative(data: Data, tmp_path: Path) -> None:
    dead = np.full(3 * SAMPLE_RATE, 0.02, dtype=np.float32)
    sf.write(data.external / "dead.wav", dead, SAMPLE_RATE)
    report = build(data, tmp_path / "pool", mix=50)
    assert report.left_out["silent external windows"] == 3
    assert "dead.wav" in report.folders[1].notes[0]
    for recipe in report.pool:
        assert not is_silent(recipe.render())
        assert not any("dead.wav" in source.name for source in recipe.sources)


def test_the_parts_of_a_mix_differ_by_its_ratio_whatever_their_offset(
    data: Data, tmp_path: Path
) -> None:
    for number, path in enumerate(sorted(data.external.rglob("*.wav"))):
        samples, rate = sf.read(path, dtype="float32")
        sf.write(path, 0.05 * samples + 0.1 * number, rate, subtype="FLOAT")
    mixing = small_settings(mix={"count": 20, "parts": (2, 2), "snr_db": (0.0, 0.0)})
    annotations, out = read_rfcx(data.tp, data.fp), tmp_path / "pool"
    external = [str(data.external)]
    pool = build_pool(data.recordings, annotations, out, external=external, settings=mixing).pool
    mixes = [recipe for recipe in pool if recipe.kind == "mix"]
    assert len(mixes) > 15
    for recipe in mixes:
        first, second = (
            replace(recipe, layers=(replace(layer, snr_db=None),)).render()
            for layer in recipe.layers
        )
        # what is left once the first is taken off, at the gain of the whole
        whole = np.stack([part - part.mean() for part in (first, second, recipe.render())])
        a, b = np.linalg.lstsq(whole[:2].T, whole[2], rcond=None)[0]
        error_db = 20 * np.log10(a * whole[0].std() / (b * whole[1].std()))
        assert error_db == pytest.approx(0.0, abs=0.02)


def test_external_sound_may_be_declared_free_of_some_classes(data: Data, tmp_path: Path) -> None:
    shutil.copytree(data.external / "deep", data.root / "pond")
    shutil.rmtree(data.external / "deep")
    external = [str(data.external), f"{data.root / 'pond'}=1"]
    made = small_settings(external={"confidence": 0.5})
    annotations = read_rfcx(data.tp, data.fp)
    out = tmp_path / "pool"
    pool = build_pool(data.recordings, annotations, out, external=external, settings=made).pool
    absent = {
        source_of(r.layers[0]).group: {k: a.confidence for k, a in r.labels.absent.items()}
        for r in pool
        if r.kind == "external"
    }
    assert absent == {
        "external/other0.wav": {"0": 0.5, "1": 0.5},
        "external/other1.wav": {"0": 0.5, "1": 0.5},
        "pond/other2.wav": {"1": 0.5},
    }
    kinds = {a.certificate for r in pool for a in r.labels.absent.values()}
    assert kinds == {Certificate.EXTERNAL, Certificate.VERIFIED}


# ---- reproducible and safe to repeat


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_mixes(
    shared_data: Data, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in ("one", "two", "other")]
    pools = [
        build(shared_data, folder, seed=seed).pool
        for folder, seed in zip(folders, (4, 4, 5), strict=True)
    ]
    assert content(folders[0]) == content(folders[1])
    assert pools[0].digest == pools[1].digest != pools[2].digest

    def ids(pool: Pool, mixes: bool) -> set[str]:
        return {r.id for r in pool if (r.kind == "mix") is mixes}

    assert ids(pools[0], mixes=False) == ids(pools[2], mixes=False)
    assert not ids(pools[0], mixes=True) & ids(pools[2], mixes=True)


def test_data_in_another_place_give_the_same_recipes(tmp_path: Path) -> None:
    here = make_data(tmp_path / "here")
    there = Data(Path(shutil.copytree(here.root, tmp_path / "there")))
    pools = [build(data, data.root / "pool").pool for data in (here, there)]
    assert pools[0].digest == pools[1].digest
    assert list(pools[0].recipes.ids) == list(pools[1].recipes.ids)


def test_building_again_says_unchanged_and_touches_nothing(
    shared_data: Data, tmp_path: Path
) -> None:
    build(shared_data, tmp_path / "pool")
    for path in (tmp_path / "pool").iterdir():
        os.utime(path, ns=(1, 1))
    assert build(shared_data, tmp_path / "pool").changed is False
    assert {p.stat().st_mtime_ns for p in (tmp_path / "pool").iterdir()} == {1}


def test_the_same_folders_spelled_otherwise_are_the_same_pool(
    shared_data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = build(shared_data, tmp_path / "pool").pool
    assert pool.settings["external"]["folders"] == {str(shared_data.external.resolve()): ["0", "1"]}
    monkeypatch.chdir(shared_data.root)
    for spelled in ("external", "./train/../external", "external=1,0"):
        again = build(shared_data, tmp_path / "pool", external=[spelled])
        assert again.changed is False
    with pytest.raises(PoolError, match="another pool is there already"):
        build(shared_data, tmp_path / "pool", external=["external=1"])


def test_another_pool_is_replaced_by_force_alone(shared_data: Data, tmp_path: Path) -> None:
    out = tmp_path / "pool"
    build(shared_data, out)
    before = content(out)
    with pytest.raises(PoolError, match=r"another pool is there already; .* pass --force"):
        build(shared_data, out, seed=1)
    assert content(out) == before
    report = build(shared_data, out, seed=1, existing="replace")
    assert report.changed
    assert report.pool.settings["seed"] == 1
    assert content(out) != before
    assert files(tmp_path) == sorted(f"pool/{name}" for name in content(out))
    assert len(content(out)) == len(before)


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_that_is_no_pool_is_never_replaced(
    shared_data: Data, tmp_path: Path, force: bool
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    with pytest.raises(PoolError, match=r"home: exists and is not a pool; choose another folder"):
        build(shared_data, tmp_path / "home", existing="replace" if force else "keep")
    assert listing(tmp_path) == ["home", "home/letter.txt"]


# ---- whole or not at all


def spoil_recording(data: Data) -> None:
    path = data.recordings / "rec05.flac"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil_external(data: Data) -> None:
    (data.external / "deep" / "bad.wav").write_text("no sound at all")


def spoil_table(data: Data) -> None:
    data.tp.write_text(data.tp.read_text() + "rec99,1,1,0,100,1,200\n")


def copy_into_external(data: Data) -> None:
    shutil.copy(data.recordings / "rec05.flac", data.external / "deep" / "innocent.flac")


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (spoil_recording, AudioError, r"rec05\.flac: .*truncated.*--skip-bad"),
        (spoil_external, AudioError, r"bad\.wav: not readable as audio.*--skip-bad"),
        (spoil_table, InputError, "no sound file for recording 'rec99'"),
        (
            copy_into_external,
            InputError,
            r"innocent\.flac: the same file as .*rec05\.flac; .* take it out",
        ),
    ],
)
def test_bad_data_leave_nothing_behind(
    data: Data, tmp_path: Path, spoil: Any, error: type[NegmineError], message: str
) -> None:
    spoil(data)
    before = listing(tmp_path)
    with pytest.raises(error, match=message):
        build(data, tmp_path / "deep" / "pool")
    assert listing(tmp_path) == before


def test_a_bad_declaration_leaves_nothing_behind(data: Data, tmp_path: Path) -> None:
    before = listing(tmp_path)
    for external, message in (
        ([str(data.external)] * 2, "the folder is given twice"),
        ([str(data.recordings)], "the folder is given twice"),
        ([f"{data.external}=7"], "unknown class '7'"),
        ([str(data.root / "gone")], "no such folder"),
    ):
        with pytest.raises(InputError, match=message):
            build(data, tmp_path / "pool", external=external)
    assert listing(tmp_path) == before


def test_bad_files_are_skipped_and_reported_when_asked(data: Data, tmp_path: Path) -> None:
    spoil_recording(data)
    spoil_external(data)
    report = build(data, tmp_path / "pool", skip_bad=True)
    assert len(report.skipped) == 2
    assert "rec05.flac" in report.skipped[0]
    assert "bad.wav" in report.skipped[1]
    assert sum(r.kind == "fp" for r in report.pool) == 14
    assert not any("rec05" in r.groups for r in report.pool)
    assert len(report.pool.calls) == 14


def test_data_without_any_negative_make_no_pool(data: Data, tmp_path: Path) -> None:
    with pytest.raises(PoolError, match="nothing to put into the pool"):
        build_pool(data.recordings, read_rfcx(data.tp), tmp_path / "pool")
    assert not (tmp_path / "pool").exists()


def test_a_full_disk_leaves_no_pool(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "pools" / "pool"
    build(data, out, seed=1)
    before = content(out)

    def full(table: object, where: Path, **_: object) -> None:
        Path(where).write_bytes(b"the first half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("negmine.storage.files.pq.write_table", full)
    with pytest.raises(OutputError, match="cannot be written: No space left on device"):
        build(data, out, seed=2, existing="replace")
    assert content(out) == before
    with pytest.raises(OutputError, match="cannot be written: No space left on device"):
        build(data, tmp_path / "pools" / "other", seed=2)
    assert files(out.parent) == sorted(f"pool/{name}" for name in before)


def test_a_built_pool_is_the_one_that_is_opened(shared_data: Data, tmp_path: Path) -> None:
    built, opened = build(shared_data, tmp_path / "pool").pool, open_pool(tmp_path / "pool")
    assert list(built) == list(opened)
    assert list(built.calls) == list(opened.calls)


def test_rows_that_repeat_are_told_apart_from_those_of_the_pool(data: Data, tmp_path: Path) -> None:
    # each rejected detection once more, a little longer at both ends: the same clip
    table = pd.read_csv(data.fp)
    wider = table.assign(t_min=table["t_min"] - 0.02, t_max=table["t_max"] + 0.02)
    pd.concat([table, wider]).to_csv(data.fp, index=False)
    repeated = "left out 16: rows of 'fp' that repeat another row of this build"
    first = build(data, tmp_path / "pool", external=[], mix=0)
    assert first.notes == (repeated,)
    again = build(
        data, tmp_path / "pool", external=[], mix=0, existing="append", noise={"count": 2}
    )
    assert again.notes == ("left out 32: rows that the pool has already",)


def test_a_pool_of_other_sites_is_another_pool(shared_data: Data, tmp_path: Path) -> None:
    def sites(names: Any, *, partial: bool = False) -> dict[str, str]:
        return dict.fromkeys(names, "one")

    build(shared_data, tmp_path / "pool")
    assert not build(shared_data, tmp_path / "pool").changed
    with pytest.raises(PoolError, match="another pool is there already"):
        build(shared_data, tmp_path / "pool", site_of=sites)
    assert build(shared_data, tmp_path / "pool", site_of=sites, existing="replace").changed
    assert set(open_pool(tmp_path / "pool").sources.groups) >= {"one"}
