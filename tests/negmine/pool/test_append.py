"""Adding to a pool: what stands stays to the byte, nothing enters twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner
from conftest import SAMPLE_RATE, Data, small_settings

from negmine import append_recipes
from negmine.annotations import read_rfcx
from negmine.building import BuildReport, build_pool
from negmine.cli.main import main
from negmine.errors import AudioError, PoolError
from negmine.mining.selection import Chosen, Selection
from negmine.pool import open_pool
from negmine.pool.merge import merge_pools


def build(data: Data, out: Path, existing: Any = "keep", **sections: Any) -> BuildReport:
    return build_pool(
        data.recordings,
        read_rfcx(data.tp, data.fp),
        out,
        external=[str(data.external)],
        settings=small_settings(**sections),
        existing=existing,
    )


def part_bytes(folder: Path) -> dict[str, bytes]:
    files = (p for p in (folder / "parts").rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def test_what_stands_stays_and_what_is_new_comes_after_it(data: Data, tmp_path: Path) -> None:
    first = build(data, tmp_path / "pool", mix=10).pool
    before, rows = part_bytes(tmp_path / "pool"), list(first)
    rng = np.random.default_rng(9)
    sf.write(data.external / "new.wav", rng.normal(0, 0.05, 2 * SAMPLE_RATE), SAMPLE_RATE)
    report = build(data, tmp_path / "pool", existing="append", mix=10, seed=1, noise={"count": 4})
    pool = report.pool
    assert report.changed
    after = part_bytes(tmp_path / "pool")
    assert {name: after[name] for name in before} == before
    assert list(pool)[: len(rows)] == rows
    assert len(set(pool.recipes.ids)) == len(pool)
    added = [recipe.kind for recipe in pool][len(rows) :]
    assert (added.count("external"), added.count("noise"), added.count("fp")) == (2, 4, 0)
    assert added.count("mix") == 10
    assert report.left_out["rows that the pool has already"] == 16 + 9
    assert list(pool.calls) == list(first.calls)
    assert pool.digests == (first.digest, pool.digest)
    for recipe in pool[len(rows) :]:
        assert recipe.render().shape == (SAMPLE_RATE,)


def test_the_same_again_adds_nothing(data: Data, tmp_path: Path) -> None:
    first = build(data, tmp_path / "pool", mix=10).pool
    info = (tmp_path / "pool" / "pool.json").read_bytes()
    report = build(data, tmp_path / "pool", existing="append", mix=10)
    assert (report.changed, report.pool.digest) == (False, first.digest)
    assert (tmp_path / "pool" / "pool.json").read_bytes() == info


def test_new_recordings_bring_their_calls_and_folders(
    data: Data, shared_data: Data, tmp_path: Path
) -> None:
    build(data, tmp_path / "pool")
    # other bytes under the same names
    for path in shared_data.recordings.iterdir():
        samples, rate = sf.read(path)
        (tmp_path / "other").mkdir(exist_ok=True)
        sf.write(tmp_path / "other" / path.name, samples * 0.5, rate)
    pool = build_pool(
        tmp_path / "other",
        read_rfcx(data.tp, data.fp),
        tmp_path / "pool",
        settings=small_settings(),
        existing="append",
    ).pool
    assert len(pool.calls) == 32
    assert {source.root.name for source in pool.sources} == {"train", "external", "other"}
    assert pool[-1].render().shape == (SAMPLE_RATE,)


def test_a_selection_from_the_pool_as_it_was_still_holds(data: Data, tmp_path: Path) -> None:
    first = build(data, tmp_path / "pool").pool
    row = Chosen(first[0].id, "0", 1.0, 1, "external", "external", 0.99, "", 0.5, 0.01)
    selection = Selection((row,), first.path, first.digest, "model")
    build(data, tmp_path / "pool", existing="append", noise={"count": 2})
    assert selection.recipes(selection.open_pool()) == [first[0]]


def test_a_part_left_by_a_stopped_run_is_written_over(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(data, tmp_path / "pool")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("negmine.pool.append.write_json", stop)
        with pytest.raises(KeyboardInterrupt):
            build(data, tmp_path / "pool", existing="append", noise={"count": 2})
    assert len(open_pool(tmp_path / "pool").digests) == 1
    pool = build(data, tmp_path / "pool", existing="append", noise={"count": 2}).pool
    assert len(pool.digests) == 2
    assert (pool.recipes.kinds == "noise").sum() == 2


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"clip_s": 0.5}, "a pool of clips of 1 s at 8000 Hz, not 0.5 s at 8000 Hz"),
        ({"sample_rate": 4000}, "not 1 s at 4000 Hz; pass its --clip-s and --sample-rate"),
    ],
)
def test_a_pool_of_other_clips_is_not_added_to(
    data: Data, tmp_path: Path, sections: dict[str, Any], message: str
) -> None:
    build(data, tmp_path / "pool")
    with pytest.raises(PoolError, match=message):
        build(data, tmp_path / "pool", existing="append", **sections)


def test_there_must_be_a_pool_of_these_classes(data: Data, tmp_path: Path) -> None:
    with pytest.raises(PoolError, match="no pool to add to; leave out --append"):
        build(data, tmp_path / "pool", existing="append")
    build(data, tmp_path / "pool")
    for path in (data.tp, data.fp):
        path.write_text(path.read_text().replace(",1,1,", ",7,1,"))
    with pytest.raises(PoolError, match="class '7' is unknown there"):
        build(data, tmp_path / "pool", existing="append")


def test_the_command_adds_and_does_not_both_add_and_replace(data: Data, tmp_path: Path) -> None:
    base = ["build-pool", *data.options, "--external", str(data.external), "--clip-s", "1"]
    base += ["--sample-rate", str(SAMPLE_RATE), "--out", str(tmp_path / "pool"), "--quiet"]
    assert CliRunner().invoke(main, base).exit_code == 0
    rows = len(open_pool(tmp_path / "pool"))
    assert CliRunner().invoke(main, [*base, "--append", "--noise", "3"]).exit_code == 0
    assert len(open_pool(tmp_path / "pool")) == rows + 3
    both = CliRunner().invoke(main, [*base, "--append", "--force"])
    assert both.exit_code == 2
    assert "choose one" in both.stderr


def test_recipes_of_another_tool_have_no_ratio_to_silence(data: Data, tmp_path: Path) -> None:
    samples, rate = sf.read(data.external / "other0.wav", always_2d=True)
    samples[: 2 * rate] = 0
    sf.write(data.external / "other0.wav", samples, rate, subtype="FLOAT")
    pool = build(data, tmp_path / "pool").pool
    digest = pool.digest
    rows = {row.sources[0].name: row for row in pool}
    heard, beside = rows["other0.wav"], rows["other1.wav"]
    silent = replace(heard, layers=(replace(heard.layers[0], start_s=0.5),))
    new = [beside.mix(heard, 3.0), beside.mix(silent, 3.0)]
    with pytest.raises(AudioError, match=r"other0\.wav: silent in \[0\.5, 1\.5\) s"):
        append_recipes(tmp_path / "pool", new, {})
    assert open_pool(tmp_path / "pool").digest == digest
    # alone it is no ratio; and a file is not needed where nothing is mixed
    (data.external / "other0.wav").unlink()
    assert append_recipes(tmp_path / "pool", [silent], {}) == 1


def test_a_file_that_was_replaced_is_not_appended_to(data: Data, tmp_path: Path) -> None:
    pool = build(data, tmp_path / "pool").pool
    before = (tmp_path / "pool" / "pool.json").read_bytes()
    path = data.recordings / "rec03.flac"
    samples, rate = sf.read(path, dtype="float32")
    sf.write(path, samples[::-1], rate)
    said = r"1 files of this pool were replaced since: rec03\.flac; .* --force, not --append"
    with pytest.raises(PoolError, match=said):
        build(data, tmp_path / "pool", existing="append", noise={"count": 2})
    assert (tmp_path / "pool" / "pool.json").read_bytes() == before
    # nor do pools of the two contents join
    build(data, tmp_path / "other")
    with pytest.raises(PoolError, match=r"rec03\.flac: some rows are of this file as it was"):
        merge_pools([pool.path, tmp_path / "other"], tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_a_part_that_no_run_came_to_name_is_removed(data: Data, tmp_path: Path) -> None:
    build(data, tmp_path / "pool")
    left = tmp_path / "pool" / "parts" / "0001-01234567"
    left.mkdir()
    (left / "labels.parquet").write_text("of a run that was killed")
    build(data, tmp_path / "pool", existing="append", noise={"count": 2})
    assert not left.exists()
    assert len(list((tmp_path / "pool" / "parts").iterdir())) == 2
