"""Training folders, as BirdNET-Analyzer's trainer takes them, by a copy of its rules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import Data
from exporting import exported, recipes_by_id, samples_16_bit

from negmine.errors import InputError
from negmine.exports.export import Rows, export
from negmine.exports.rows import ClipRow
from negmine.exports.to_birdnet import folder_names
from negmine.mining.selection import open_selection
from negmine.recipes.certificates import Absence, Certificate
from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import Layer
from negmine.recipes.recipe import Recipe
from negmine.recipes.source import synthetic_source

NON_EVENT = ("noise", "other", "background", "silence")


def labels_of(root: Path) -> tuple[list[str], dict[str, list[list[int]]]]:
    """Read folders as the trainer does: its classes, and each clip's vectors, one a folder."""
    folders = sorted(path.name for path in root.iterdir() if path.is_dir())
    names = sorted({label for folder in folders for label in folder.split(",")})
    valid = [n for n in names if n.lower() not in NON_EVENT and not n.startswith("-")]
    clips: dict[str, list[list[int]]] = {}
    for folder in folders:
        vector = [0] * len(valid)
        for label in folder.split(","):
            if label.lower() not in NON_EVENT and not label.startswith("-"):
                vector[valid.index(label)] = 1
            elif label.startswith("-") and label[1:] in valid:
                vector[valid.index(label[1:])] = -1
        for path in (root / folder).iterdir():
            clips.setdefault(path.stem, []).append(vector)
    return valid, clips


def clip(seed: int, present: str = "", absent: str = "") -> ClipRow:
    layer = Layer(synthetic_source("pink"), seed=seed)
    absence = Absence(Certificate.VERIFIED, 1.0)
    labels = PartialLabels(frozenset(present.split()), dict.fromkeys(absent.split(), absence))
    return ClipRow(Recipe("noise", (layer,), 0.1, 8000, labels), labels)


def test_mined_rows_are_negatives_of_their_class_beside_its_calls(
    selection: Path, tmp_path: Path
) -> None:
    done = exported(selection, "birdnet", tmp_path / "out", calls=True)
    valid, clips = labels_of(tmp_path / "out")
    assert valid == ["0", "1"]
    chosen = open_selection(selection)
    pool = chosen.open_pool()
    recipes = recipes_by_id(pool)
    calls = {
        (call := pool.calls[int(number)]).id: call.labels.present for number in pool.distinct_calls
    }
    for row in chosen.rows:
        mined = {other.label for other in chosen.rows if other.recipe == row.recipe}
        # what was mined for all classes is background; what is also a call is a call
        vector = [-1 if mined == {name} else 0 for name in valid]
        if row.recipe in calls:
            vector = [int(name in calls[row.recipe]) for name in valid]
        assert clips[f"{row.kind}-{row.recipe}"] == [vector]
    assert {len({r.label for r in chosen.rows if r.recipe == one}) for one in recipes} >= {1, 2}
    found = {name.rpartition("-")[2]: vectors for name, vectors in clips.items()}
    for name, present in calls.items():
        assert found[name] == [[int(label in present) for label in valid]]
    assert done.written == sum(map(len, clips.values()))
    for path in (tmp_path / "out" / "-0").iterdir():
        heard, _ = sf.read(path)
        wanted = samples_16_bit(recipes[path.stem.rpartition("-")[2]])
        assert np.abs(heard - wanted).max() <= 2**-15


def test_what_is_known_decides_the_folder(tmp_path: Path) -> None:
    rows = [
        clip(1, present="frog"),
        clip(2, present="frog owl"),
        clip(3, absent="frog owl toad"),
        clip(4, absent="frog owl"),
        clip(5, present="owl", absent="frog"),
    ]
    done = export(Rows(rows, ("frog", "owl", "toad"), "rows", 8000), "birdnet", tmp_path / "out")
    valid, clips = labels_of(tmp_path / "out")
    found = [sorted(clips[row.name]) for row in rows]
    assert valid == ["frog", "owl"]  # no clip of the toad
    assert found == [[[1, 0]], [[1, 1]], [[0, 0]], [[-1, 0], [0, -1]], [[0, 1]]]
    assert (tmp_path / "out" / "background" / f"{rows[2].name}.flac").exists()
    assert any("4 clips have classes of which nothing is known" in line for line in done.notes)
    assert not any("beside a folder" in line for line in done.notes)


def test_negatives_without_calls_are_said_to_be_of_no_use(tmp_path: Path) -> None:
    rows = Rows([clip(1, absent="frog")], ("frog", "owl"), "rows", 8000)
    done = export(rows, "birdnet", tmp_path / "out")
    assert any("-frog/ only beside a folder frog/ of calls" in line for line in done.notes)


def test_names_that_are_no_folders_are_changed_and_said(tmp_path: Path) -> None:
    names = ("3/1", "-x", "..", "Noise", "a,b", "Großer Frosch")
    assert list(folder_names(names).values()) == [
        "3_1", "_x", "_.", "Noise_", "a_b", "Großer Frosch",
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"classes '3/1' and '3_1' would share the folder '3_1'"):
        folder_names(("3/1", "3_1"))
    with pytest.raises(InputError, match="'frog' and 'Frog' would share"):
        folder_names(("frog", "Frog"))
    done = export(Rows([clip(1, present="..")], ("..",), "rows", 8000), "birdnet", tmp_path / "out")
    assert any("'..' as '_.'" in line for line in done.notes)
    assert [p.name for p in (tmp_path / "out").iterdir() if p.is_dir()] == ["_."]


def test_one_class_alone_has_no_background(tmp_path: Path) -> None:
    # a folder of negatives says it, and background too would count it twice
    export(Rows([clip(1, absent="frog")], ("frog",), "rows", 8000), "birdnet", tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir() if p.is_dir()] == ["-frog"]


def test_a_kind_that_leads_to_another_folder_is_damage(data: Data, tmp_path: Path) -> None:
    row = clip(1, absent="frog")
    bad = ClipRow(Recipe("../x", row.recipe.layers, 0.1, 8000, row.labels), row.labels)
    with pytest.raises(InputError, match="cannot name a file: damaged"):
        export(Rows([bad], ("frog",), "rows", 8000), "birdnet", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob("x*"))
