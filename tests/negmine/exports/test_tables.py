"""Tables that point into recordings: the right file, the right second, the right verdict."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from conftest import SAMPLE_RATE, Data
from exporting import essence, exported, recipes_by_id, samples_16_bit

from negmine.annotations import Annotations, read_rfcx
from negmine.audio.read import read_span
from negmine.audio.windows import Span
from negmine.errors import InputError
from negmine.exports.export import export
from negmine.exports.rows import place_of
from negmine.exports.sources import rows_of_annotations, rows_of_pool
from negmine.mining.selection import open_selection


def cut(path: str, start_s: float, end_s: float) -> np.ndarray:
    return read_span(Path(path), start_s, end_s - start_s, SAMPLE_RATE)


def raven(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "selections.txt", sep="\t")


def test_raven_opens_the_file_and_second_that_the_clip_is(selection: Path, tmp_path: Path) -> None:
    done = exported(selection, "raven", tmp_path / "out")
    table, chosen = raven(tmp_path / "out"), open_selection(selection)
    recipes = recipes_by_id(chosen.open_pool())
    placed = [row for row in chosen.rows if place_of(recipes[row.recipe])]
    assert done.written == len(table) == len(placed) > 20
    assert sorted(zip(table["Recipe"], table["Species"].astype(str), strict=True)) == sorted(
        (row.recipe, row.label) for row in placed
    )
    scores = {(row.recipe, row.label): row.score for row in placed}
    for row in table.to_dict("records"):
        assert row["Verdict"] == "absent"
        assert row["Score"] == pytest.approx(scores[row["Recipe"], str(row["Species"])], abs=1e-3)
        start_s = row["File Offset (s)"]
        length_s = row["End Time (s)"] - row["Begin Time (s)"]
        heard = cut(row["Begin Path"], start_s, start_s + length_s)
        assert np.allclose(heard, recipes[row["Recipe"]].render(), atol=1e-6)


def test_raven_counts_begin_times_through_the_files_before(selection: Path, tmp_path: Path) -> None:
    exported(selection, "raven", tmp_path / "out")
    before_s = 0.0
    for path, rows in raven(tmp_path / "out").groupby("Begin Path", sort=False):
        assert np.allclose(rows["Begin Time (s)"], before_s + rows["File Offset (s)"], atol=1e-3)
        before_s += sf.info(str(path)).duration


def test_what_no_recording_holds_is_left_out_and_counted_by_kind(
    selection: Path, tmp_path: Path
) -> None:
    done = exported(selection, "raven", tmp_path / "out")
    chosen = open_selection(selection)
    recipes = recipes_by_id(chosen.open_pool())
    lost = {row.recipe for row in chosen.rows if not place_of(recipes[row.recipe])}
    ((reason, count),) = done.left_out.items()
    assert count == len(lost) > 0
    for kind in ("mix", "noise", "erase"):
        of_kind = sum(recipes[name].kind == kind for name in lost)
        assert f"{of_kind} {kind}" in reason
    assert not (tmp_path / "out" / "clips").exists()


def test_rendered_rows_are_clips_that_the_table_names(selection: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = exported(selection, "raven", out, render="mixed")
    assert done.left_out == {}
    table = raven(out)
    assert len(table) == len(open_selection(selection).rows)
    recipes = recipes_by_id(open_selection(selection).open_pool())
    clips = table[table["Kind"].isin(["mix", "noise", "erase"])]
    assert set(clips["Begin Path"]) == {str(p) for p in (out.resolve() / "clips").iterdir()}
    for row in clips.to_dict("records"):
        assert row["File Offset (s)"] == 0
        heard, rate = sf.read(row["Begin Path"])
        assert rate == SAMPLE_RATE
        assert np.abs(heard - samples_16_bit(recipes[row["Recipe"]])).max() <= 2**-15


def test_all_rows_as_clips_point_into_no_recording(selection: Path, tmp_path: Path) -> None:
    exported(selection, "raven", tmp_path / "out", render="all")
    paths = raven(tmp_path / "out")["Begin Path"]
    assert all(Path(path).parent == tmp_path.resolve() / "out" / "clips" for path in paths)


def test_annotations_come_back_from_rfcxs_tables_as_they_were(
    shared_data: Data, tmp_path: Path
) -> None:
    before = read_rfcx(shared_data.tp, shared_data.fp)
    rows = rows_of_annotations(before, shared_data.recordings)
    export(rows, "rfcx", tmp_path / "out")
    after = read_rfcx(tmp_path / "out" / "train_tp.csv", tmp_path / "out" / "train_fp.csv")
    assert sorted(map(essence, after.boxes)) == sorted(map(essence, before.boxes))


def test_rfcx_takes_a_selection_and_the_calls_of_its_pool(selection: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = exported(selection, "rfcx", out, calls=True, render="mixed")
    read = read_rfcx(out / "train_tp.csv", out / "train_fp.csv")
    chosen = open_selection(selection)
    recipes = recipes_by_id(chosen.open_pool())
    assert len(read.rejected) == len(chosen.rows)
    told = {(b.recording, b.label, b.span.start_s) for b in read.rejected}
    for row in chosen.rows:
        place = place_of(recipes[row.recipe])
        name = place.source.recording if place else f"{row.kind}-{row.recipe}"
        assert (name, row.label, place.span.start_s if place else 0.0) in told
    assert len(read.confirmed) == sum(
        len(chosen.open_pool().calls[int(n)].labels.present)
        for n in chosen.open_pool().distinct_calls
    )
    assert any("not their boxes" in line for line in done.notes)
    assert any("confidence" in line for line in done.notes)


def test_frequencies_are_those_of_a_table(selection: Path, tmp_path: Path) -> None:
    bands = tmp_path / "bands.csv"
    bands.write_text("class,f_min,f_max\n0,800,1200\n")
    done = exported(selection, "raven", tmp_path / "out", band_table=str(bands))
    table = raven(tmp_path / "out")
    found = {
        (str(s), low, high)
        for s, low, high in zip(
            table["Species"], table["Low Freq (Hz)"], table["High Freq (Hz)"], strict=True
        )
    }
    assert found == {("0", 800.0, 1200.0), ("1", 0.0, SAMPLE_RATE / 2)}
    assert sum("all frequencies" in line for line in done.notes) == 1


def test_two_files_of_one_name_cannot_be_in_rfcxs_tables(data: Data, tmp_path: Path) -> None:
    from conftest import make_pool

    (data.external / "deep" / "other2.wav").rename(data.external / "deep" / "other0.wav")
    pool = make_pool(data, tmp_path / "pool")
    with pytest.raises(InputError, match=r"share the recording name 'other0'.*--render all"):
        export(rows_of_pool(pool), "rfcx", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    done = export(rows_of_pool(pool), "audacity", tmp_path / "tracks")
    names = {path.name for path in (tmp_path / "tracks").glob("*other0.txt")}
    assert names == {"external_other0.txt", "external_deep_other0.txt"}
    assert any("named by folder" in line for line in done.notes)


def test_audacitys_tracks_hold_span_name_and_frequencies(shared_data: Data, tmp_path: Path) -> None:
    found = read_rfcx(shared_data.tp, shared_data.fp)
    rows = rows_of_annotations(found, shared_data.recordings)
    export(rows, "audacity", tmp_path / "out")
    tracks = sorted((tmp_path / "out").glob("*.txt"))
    assert [path.stem for path in tracks] == sorted(found.by_recording)
    for path in tracks:
        lines = path.read_text(encoding="utf-8").splitlines()
        read = set()
        for first, second in zip(lines[::2], lines[1::2], strict=True):
            start, end, label = first.split("\t")
            mark, low, high = second.split("\t")
            assert mark == "\\"
            present = not label.startswith("-")
            times = (float(start), float(end), float(low), float(high))
            read.add((label.removeprefix("-"), present, *times))
        assert read == {
            (b.label, b.present, b.span.start_s, b.span.end_s, b.f_min_hz, b.f_max_hz)
            for b in found.by_recording[path.stem]
        }


@pytest.mark.parametrize("cells", ["own", "all"])
def test_opensoundscapes_table_has_a_cell_a_class_empty_where_unknown(
    cells: str, selection: Path, tmp_path: Path
) -> None:
    exported(selection, "opensoundscape", tmp_path / "out", render="mixed", cells=cells)
    table = pd.read_csv(tmp_path / "out" / "labels.csv", index_col=[0, 1, 2])
    chosen = open_selection(selection)
    pool = chosen.open_pool()
    assert list(table.columns) == list(pool.classes)
    assert table.index.is_unique
    found = {
        (Path(str(file)).stem, start, end): dict(zip(pool.classes, values, strict=True))
        for (file, start, end), values in zip(table.index, table.to_numpy(), strict=True)
    }
    assert bool(table.isna().to_numpy().any()) == (cells == "own")
    recipes, mined = recipes_by_id(pool), {(row.recipe, row.label) for row in chosen.rows}
    for row in chosen.rows:
        recipe = recipes[row.recipe]
        place = place_of(recipe)
        name = place.source.recording if place else f"{recipe.kind}-{recipe.id}"
        span = place.span if place else Span(0.0, 1.0)
        for label, value in found[name, span.start_s, span.end_s].items():
            said = cells == "all" or (row.recipe, label) in mined
            state = {1: "present", 0: "absent"}.get(value, "unknown")
            assert state == (recipe.labels.state(label).value if said else "unknown")


def test_a_class_that_is_confirmed_and_rejected_in_one_span_is_unknown(
    shared_data: Data, tmp_path: Path
) -> None:
    # two boxes of one span: the class calls low, and not high
    low, *_ = (b for b in read_rfcx(shared_data.tp, shared_data.fp).confirmed if b.label == "0")
    high = replace(low, present=False, f_min_hz=2000.0, f_max_hz=3000.0)
    other = replace(low, label="1", present=False)
    boxes = Annotations((low, high, other), ("0", "1"))
    rows = rows_of_annotations(boxes, shared_data.recordings)
    done = export(rows, "opensoundscape", tmp_path / "out")
    (cells,) = pd.read_csv(tmp_path / "out" / "labels.csv", index_col=[0, 1, 2]).to_numpy()
    assert np.isnan(cells[0])
    assert cells[1] == 0
    assert any(line.startswith("1 cells") for line in done.notes)
    done = export(rows, "audiofolder", tmp_path / "clips")
    (line,) = (tmp_path / "clips" / "metadata.jsonl").read_text().splitlines()
    assert (json.loads(line)["present"], json.loads(line)["absent"]) == ([], ["1"])
    assert any("the same sound" in line for line in done.notes)
    export(rows, "raven", tmp_path / "raven")  # where each box has its own frequencies
    assert list(raven(tmp_path / "raven")["Verdict"]) == ["present", "absent", "absent"]
