"""Near-duplicates and sites as a pool is built: what is an error, one group, or left out."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import soxr
from click.testing import CliRunner
from conftest import Data, small_settings

from negmine.annotations import read_rfcx
from negmine.annotations.sites import sites_by_pattern, sites_by_table
from negmine.building import BuildReport, build_pool
from negmine.building.dedup import acoustic
from negmine.building.dedup.acoustic_files import FILE, read_prints
from negmine.cli.main import main
from negmine.errors import InputError, PoolError
from negmine.pool import open_pool
from negmine.pool.split import split_pool


def build(data: Data, out: Path, **options: Any) -> BuildReport:
    names = ("existing", "site_of")
    given = {name: options.pop(name) for name in names if name in options}
    return build_pool(
        data.recordings,
        read_rfcx(data.tp, data.fp),
        out,
        external=[str(data.external)],
        settings=small_settings(**({"mix": 20} | options)),
        **given,
    )


def copy(source: Path, target: Path, first_s: float = 0.0, gain: float = 0.5) -> None:
    """The sound of a file from some second on, at another gain, rate and encoding."""
    samples, rate = sf.read(source, dtype="float32", always_2d=True)
    cut = soxr.resample(gain * samples.mean(axis=1)[round(first_s * rate) :], rate, 12_000)
    sf.write(target, cut, 12_000, format="OGG", subtype="VORBIS")


def listing(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def groups_of(report: BuildReport) -> dict[str, str]:
    return {source.name: source.group for source in report.pool.sources if source.group}


def test_a_recording_is_no_external_sound_however_encoded(data: Data, tmp_path: Path) -> None:
    copy(data.recordings / "rec05.flac", data.external / "deep" / "innocent.ogg", first_s=1.0)
    report = build(data, tmp_path / "pool", mix=60)
    assert "deep/innocent.ogg" not in groups_of(report)
    assert report.left_out["external files that hold part of a recording"] == 1
    notes = [line for line in report.near_duplicates if "external files left out" in line]
    assert len(notes) == 1
    pair = r"rec05\.flac from 1\.0 s and .*innocent\.ogg from 0\.0 s share [23]\.\d s"
    assert re.search(pair, notes[0])
    shutil.rmtree(tmp_path / "pool")
    report = build(data, tmp_path / "pool", near_duplicates=False)
    assert "deep/innocent.ogg" in groups_of(report)
    assert (report.near_duplicates, (tmp_path / "pool" / FILE).exists()) == ((), False)


def test_what_is_held_out_does_not_come_back_as_external_sound(data: Data, tmp_path: Path) -> None:
    copy(data.recordings / "rec05.flac", data.external / "innocent.ogg", first_s=1.0)
    copy(data.recordings / "rec05.flac", data.recordings / "again.ogg", gain=0.2)
    data.tp.write_text(data.tp.read_text() + "again,0,1,0.5,800.0,1.0,1200.0\n")
    report = build(data, tmp_path / "pool", holdout=("rec05",), mix=60)
    assert not {"innocent.ogg", "rec05.flac", "again.ogg"} & groups_of(report).keys()
    assert report.left_out["near-duplicates of held-out files"] == 2
    assert not any({"rec05", "again"} & row.groups for row in (*report.pool, *report.pool.calls))


def test_near_duplicates_are_told_and_one_group(data: Data, tmp_path: Path) -> None:
    copy(data.external / "other0.wav", data.external / "deep" / "same.ogg")
    copy(data.recordings / "rec02.flac", data.recordings / "rec06.ogg")
    (data.recordings / "rec06.flac").unlink()
    report = build(data, tmp_path / "pool")
    groups = groups_of(report)
    assert groups["other0.wav"] == groups["deep/same.ogg"] == "external/deep/same.ogg"
    assert groups["rec02.flac"] == groups["rec06.ogg"] == "rec02"
    assert groups["other1.wav"] == "external/other1.wav"
    assert groups["rec03.flac"] == "rec03"
    assert len(report.near_duplicates) == 2
    assert "one group 'rec02': rec02.flac, rec06.ogg;" in report.near_duplicates[0]
    assert "one group 'external/deep/same.ogg'" in report.near_duplicates[1]
    mixed = {frozenset(row.groups) for row in report.pool if row.kind == "mix"}
    assert any("rec02" in groups for groups in mixed)
    assert not any("rec06" in groups for groups in mixed)


def test_the_command_warns_and_may_be_told_not_to_look(data: Data, tmp_path: Path) -> None:
    copy(data.external / "other0.wav", data.external / "deep" / "same.ogg")
    common = [*data.options, "--external", data.external, "--clip-s", 1, "--sample-rate", 8000]

    def call(*more: object) -> Any:
        arguments = ["build-pool", *common, "--out", tmp_path / "pool", *more]
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    notes = call("--quiet")
    assert notes.exit_code == 0, notes.output
    assert "warning: near-duplicates, one group 'external/deep/same.ogg'" in notes.stderr
    silent = call("--quiet", "--no-near-duplicates", "--force")
    assert silent.exit_code == 0, silent.output
    assert "near-duplicates" not in silent.stderr
    assert json.loads((tmp_path / "pool" / "pool.json").read_text())["settings"][
        "near_duplicates"
    ] is (False)


def test_what_is_unchanged_is_not_decoded_again(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(data, tmp_path / "pool")
    made: list[str] = []
    real = acoustic.acoustic_print

    def counted(path: Path) -> acoustic.AcousticPrint:
        made.append(path.name)
        return real(path)

    monkeypatch.setattr(acoustic, "acoustic_print", counted)
    assert build(data, tmp_path / "pool").changed is False
    assert made == []
    rng = np.random.default_rng(7)
    sf.write(data.external / "new.wav", rng.normal(0, 0.05, 16_000), 8000)
    assert build(data, tmp_path / "pool", existing="append").changed
    assert made == ["new.wav"]
    assert build(data, tmp_path / "pool", existing="replace", mix=5).changed
    assert made == ["new.wav"]
    assert len(read_prints(tmp_path / "pool")) == 12


def test_what_is_added_joins_the_group_that_stands(data: Data, tmp_path: Path) -> None:
    build(data, tmp_path / "pool")
    # by name before those that stand, and the first folder's files gone
    copy(data.external / "other1.wav", data.external / "a.ogg")
    (data.external / "other1.wav").unlink()
    report = build(data, tmp_path / "pool", existing="append")
    assert groups_of(report)["a.ogg"] == "external/other1.wav"
    assert "one group 'external/other1.wav'" in report.near_duplicates[0]


@pytest.mark.parametrize("holdout", [(), ("late",)])
def test_external_sound_that_stands_may_hold_nothing_of_an_added_recording(
    data: Data, tmp_path: Path, holdout: tuple[str, ...]
) -> None:
    before = build(data, tmp_path / "pool", mix=60).pool
    of_other1 = before.recipes.draws_on(frozenset(["other1"]))
    assert 0 < of_other1.sum() < len(before)
    copy(data.external / "other1.wav", data.recordings / "late.ogg")
    data.tp.write_text(data.tp.read_text() + "late,0,1,0.5,800.0,1.0,1200.0\n")
    # the external folder need not be named again for its rows to stand
    shutil.move(data.external, tmp_path / "away")
    listed = listing(tmp_path / "pool")
    with pytest.raises(PoolError, match=r"other1\.wav; the first: .*late\.ogg.* --force") as error:
        build_pool(
            data.recordings,
            read_rfcx(data.tp, data.fp),
            tmp_path / "pool",
            settings=small_settings(holdout=holdout),
            existing="append",
        )
    assert f": {of_other1.sum()} rows draw on external sound" in str(error.value)
    assert listing(tmp_path / "pool") == listed
    assert list(open_pool(tmp_path / "pool")) == list(before)


@pytest.mark.parametrize("near_duplicates", [True, False])
def test_the_same_file_may_not_stand_as_external_sound(
    data: Data, tmp_path: Path, near_duplicates: bool
) -> None:
    build(data, tmp_path / "pool", near_duplicates=near_duplicates)
    (data.external / "other1.wav").rename(data.recordings / "late.wav")
    data.tp.write_text(data.tp.read_text() + "late,0,1,0.5,800.0,1.0,1200.0\n")
    with pytest.raises(PoolError, match=r"other1\.wav is the same file as .*late\.wav"):
        build(data, tmp_path / "pool", existing="append", near_duplicates=near_duplicates)


def test_a_recording_that_stands_keeps_added_external_sound_out(data: Data, tmp_path: Path) -> None:
    build(data, tmp_path / "pool")
    copy(data.recordings / "rec05.flac", data.external / "innocent.ogg", first_s=1.0)
    # the recording that stands is not among those that are opened now
    (data.recordings / "rec05.flac").rename(tmp_path / "rec05.flac")
    for table in (data.tp, data.fp):
        lines = table.read_text().splitlines(keepends=True)
        table.write_text("".join(line for line in lines if not line.startswith("rec05,")))
    report = build(data, tmp_path / "pool", existing="append")
    assert "innocent.ogg" not in groups_of(report)
    assert report.left_out["external files that hold part of a recording"] == 1


# ---- sites


def by_number(recordings: Any, *, partial: bool = False) -> dict[str, str]:
    """Sites of two recordings each; external files have none."""
    return {
        name: f"site{int(name[3:]) // 2}"
        for name in recordings
        if not partial or name.startswith("rec")
    }


def test_sites_are_the_groups_of_recordings_and_of_their_mixes(data: Data, tmp_path: Path) -> None:
    (data.external / "other1.wav").rename(data.external / "rec77.wav")
    report = build(data, tmp_path / "pool", site_of=by_number, mix=60)
    groups = groups_of(report)
    assert groups["rec04.flac"] == groups["rec05.flac"] == "site2"
    assert groups["rec77.wav"] == "site38"
    assert groups["other0.wav"] == "external/other0.wav"
    for row in report.pool:
        assert row.groups == {groups[source.name] for source in row.sources}
    assert any(len(row.groups) == 2 for row in report.pool)
    split_pool(tmp_path / "pool", {"train": 0.6, "test": 0.4}, tmp_path / "split")
    parts = [
        {g for row in open_pool(tmp_path / "split" / part) for g in row.groups}
        for part in ("train", "test")
    ]
    assert not parts[0] & parts[1]
    assert {"site0", "site1", "site2", "site3"} <= parts[0] | parts[1]


def test_a_held_out_recording_is_known_in_the_group_of_its_site(data: Data, tmp_path: Path) -> None:
    pool = build(data, tmp_path / "pool", site_of=by_number, mix=60).pool
    held_out = frozenset(["rec04"])
    found = pool.recipes.draws_on(held_out)
    assert found.any()
    for row, held in zip(pool, found.tolist(), strict=True):
        names = {source.name for source in row.sources}
        assert held == row.draws_on(held_out) == ("rec04.flac" in names)
    assert pool.recipes.draws_on(frozenset(["site2"])).sum() > found.sum()


def test_a_site_that_what_stands_does_not_have_is_an_error(data: Data, tmp_path: Path) -> None:
    build(data, tmp_path / "pool")
    with pytest.raises(PoolError, match=r"is in the pool in group 'rec00', and its site is"):
        build(data, tmp_path / "pool", site_of=by_number, existing="append")
    build(data, tmp_path / "sited", site_of=by_number)
    report = build(data, tmp_path / "sited", site_of=by_number, existing="append", mix=30, seed=1)
    assert groups_of(report)["rec01.flac"] == "site0"


def test_the_command_takes_sites(shared_data: Data, tmp_path: Path) -> None:
    arguments = [*shared_data.options, "--clip-s", "1", "--sample-rate", "8000", "--quiet"]
    arguments += ["--out", str(tmp_path / "pool"), "--site-regex", "[0-9]$"]
    result = CliRunner().invoke(main, ["build-pool", *arguments])
    assert result.exit_code == 0, result.output
    assert {s.group for s in open_pool(tmp_path / "pool").sources} == set("01234567")


def test_sites_may_be_known_of_some_files_alone(tmp_path: Path) -> None:
    names = ["hill_1", "rain"]
    assert sites_by_pattern(names, "^(.*)_", partial=True) == {"hill_1": "hill"}
    table = tmp_path / "sites.csv"
    table.write_text("recording_id,site\nhill_1,hill\n")
    assert sites_by_table(names, table, partial=True) == {"hill_1": "hill"}
    with pytest.raises(InputError, match="no site of recording 'rain'"):
        sites_by_table(names, table)
