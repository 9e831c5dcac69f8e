"""What is exported, read by the tools themselves, where they are installed."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from conftest import SAMPLE_RATE
from exporting import exported, recipes_by_id, samples_16_bit

from negmine.exports.rows import place_of
from negmine.mining.selection import Selection, open_selection
from negmine.recipes.recipe import Recipe

# what these libraries do of their own
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def chosen(selection: Path) -> Selection:
    return open_selection(selection)


@pytest.fixture(scope="module")
def recipes(chosen: Selection) -> dict[str, Recipe]:
    return recipes_by_id(chosen.open_pool())


def absent(chosen: Selection) -> dict[str, set[str]]:
    """The classes that each recipe is certified free of."""
    recipes = recipes_by_id(chosen.open_pool())
    return {row.recipe: set(recipes[row.recipe].labels.absent) for row in chosen.rows}


def mined(chosen: Selection, *, placed: bool = False) -> dict[str, set[str]]:
    """The classes that each recipe was mined for; of those that are spans of recordings."""
    recipes, found = recipes_by_id(chosen.open_pool()), dict[str, set[str]]()
    for row in chosen.rows:
        if not placed or place_of(recipes[row.recipe]):
            found.setdefault(row.recipe, set()).add(row.label)
    return found


def check_clip(recipe: Recipe, samples: Any, rate: int) -> None:
    """Check that a clip is what its recipe sounds like."""
    assert rate == SAMPLE_RATE
    wanted = samples_16_bit(recipe)
    assert np.abs(np.asarray(samples).reshape(-1) - wanted).max() <= 2**-15


def test_webdataset_without_the_library(
    selection: Path, chosen: Selection, recipes: dict[str, Recipe], tmp_path: Path
) -> None:
    done = exported(selection, "webdataset", tmp_path / "out", shard_clips=10)
    shards = sorted((tmp_path / "out").glob("*.tar"))
    assert len(shards) == -(-done.written // 10) > 2
    found = {}
    for shard in shards:
        with tarfile.open(shard) as tar:
            names = tar.getnames()
            assert len(names) <= 20
            for clip, labels in zip(names[::2], names[1::2], strict=True):
                assert clip.removesuffix(".flac") == labels.removesuffix(".json")
                sound, text = tar.extractfile(clip), tar.extractfile(labels)
                assert sound is not None
                assert text is not None
                record = json.load(text)
                check_clip(recipes[record["id"]], *sf.read(sound))
                found[record["id"]] = set(record["absent"])
                assert record["classes"] == ["0", "1"]
    assert found == absent(chosen)
    assert not (tmp_path / "out" / "clips").exists()


def test_webdataset(selection: Path, chosen: Selection, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    exported(selection, "webdataset", tmp_path / "out", shard_clips=20)
    shards = sorted(str(path) for path in (tmp_path / "out").glob("*.tar"))
    found = {}
    for sample in webdataset.WebDataset(shards, shardshuffle=False).decode():
        found[sample["json"]["id"]] = set(sample["json"]["absent"])
        assert isinstance(sample["flac"], bytes)
    assert found == absent(chosen)


def test_a_hugging_face_audiofolder(
    selection: Path,
    chosen: Selection,
    recipes: dict[str, Recipe],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    exported(selection, "audiofolder", tmp_path / "out")
    loaded = datasets.load_dataset(
        "audiofolder", data_dir=str(tmp_path / "out"), cache_dir=str(tmp_path / "cache")
    )
    assert list(loaded) == ["train"]
    table = loaded["train"].cast_column("audio", datasets.Audio(decode=False))
    found, own = {}, {}
    for row in table:
        found[row["id"]] = set(row["absent"])
        own[row["id"]] = set(row["mined_for"])
        check_clip(recipes[row["id"]], *sf.read(row["audio"]["path"]))
    assert found == absent(chosen)
    assert own == mined(chosen)


def test_crowsetta_reads_ravens_table(selection: Path, chosen: Selection, tmp_path: Path) -> None:
    crowsetta = pytest.importorskip("crowsetta")
    exported(selection, "raven", tmp_path / "out")
    table = tmp_path / "out" / "selections.txt"
    read = crowsetta.formats.bbox.Raven.from_file(table, annot_col="Species")
    boxes = read.to_bbox()
    rows = pd.read_csv(table, sep="\t")
    assert [box.label for box in boxes] == rows["Species"].astype(str).tolist()
    assert np.allclose([box.onset for box in boxes], rows["Begin Time (s)"])
    assert np.allclose([box.high_freq for box in boxes], rows["High Freq (Hz)"])
    assert len(boxes) == sum(map(len, mined(chosen, placed=True).values()))


def test_crowsetta_reads_audacitys_tracks(
    selection: Path, chosen: Selection, tmp_path: Path
) -> None:
    crowsetta = pytest.importorskip("crowsetta")
    exported(selection, "audacity", tmp_path / "out")
    labels = [
        (path.stem, label)
        for path in sorted((tmp_path / "out").glob("*.txt"))
        for label in _extended(crowsetta, path)
    ]
    assert len(labels) == sum(map(len, mined(chosen, placed=True).values()))
    assert {label for _, label in labels} == {"-0", "-1"}


def _extended(crowsetta: Any, path: Path) -> Iterator[str]:
    read = crowsetta.formats.bbox.AudBBox.from_file(path)
    yield from (box.label for box in read.to_bbox())


def test_perch_hoplite_finds_rejections_as_negative_labels(
    selection: Path, chosen: Selection, tmp_path: Path
) -> None:
    usearch = pytest.importorskip("perch_hoplite.db.sqlite_usearch_impl")
    datatypes = pytest.importorskip("perch_hoplite.db.datatypes")
    done = exported(selection, "hoplite", tmp_path / "out", calls=True)
    database = usearch.SQLiteUSearchDB.create(
        str(tmp_path / "out"), usearch.get_default_usearch_config(8)
    )
    recipes = recipes_by_id(chosen.open_pool())
    wanted = {
        (place.source.name, round(place.span.start_s, 6), name)
        for recipe, names in mined(chosen, placed=True).items()
        if (place := place_of(recipes[recipe]))
        for name in names
    }
    kinds = datatypes.LabelType
    found: dict[Any, set[tuple[str, float, str]]] = {kinds.NEGATIVE: set(), kinds.POSITIVE: set()}
    annotations = database.get_all_annotations()
    for one in annotations:
        file = database.get_recording(one.recording_id).filename
        found[one.label_type].add((file, round(one.offsets[0], 6), one.label))
    assert len(annotations) == done.written
    assert found[kinds.NEGATIVE] == wanted
    assert found[kinds.POSITIVE] == {
        (place.source.name, place.span.start_s, name)
        for recipe in chosen.open_pool().calls
        for place in [place_of(recipe)]
        if place
        for name in recipe.labels.present
    }
    assert set(database.get_all_projects()) == {"train", "external"}


def test_labels_are_added_to_a_copy_of_a_database_of_perch_hoplite(
    selection: Path, chosen: Selection, tmp_path: Path
) -> None:
    usearch = pytest.importorskip("perch_hoplite.db.sqlite_usearch_impl")
    datatypes = pytest.importorskip("perch_hoplite.db.datatypes")
    config = usearch.get_default_usearch_config(8)
    before = usearch.SQLiteUSearchDB.create(str(tmp_path / "before"), config)
    deployment = before.insert_deployment("site", "project")
    numbers = [before.insert_recording(f"rec{i:02d}.flac", None, deployment) for i in range(4)]
    rng = np.random.default_rng(0)
    for number in numbers:
        for start in np.arange(0, 4, 0.5):
            embedding = rng.normal(size=8).astype(np.float32)
            before.insert_window(number, [float(start), float(start) + 0.5], embedding)
    before.commit()
    done = exported(selection, "hoplite", tmp_path / "out", into=str(tmp_path / "before"))
    assert len(before.get_all_annotations()) == 0
    after = usearch.SQLiteUSearchDB.create(str(tmp_path / "out"))
    assert len(after.get_all_annotations()) == done.written > 0
    assert after.count_embeddings() == 32
    window = after.get_all_windows()[5].id
    assert np.array_equal(after.get_embedding(window), before.get_embedding(window))
    recipes = recipes_by_id(chosen.open_pool())
    held = {f"rec{i:02d}.flac" for i in range(4)}
    wanted = sum(
        place.source.name in held for row in chosen.rows if (place := place_of(recipes[row.recipe]))
    )
    assert done.written == wanted
    # all windows of a clip's second, and of the class it was mined for, have the negative label
    row = next(
        r for r in chosen.rows if (p := place_of(recipes[r.recipe])) and p.source.name in held
    )
    place = place_of(recipes[row.recipe])
    assert place is not None
    labelled = [
        one
        for one in after.get_all_windows()
        if after.get_recording(one.recording_id).filename == place.source.name
        and one.offsets[0] < place.span.end_s
        and one.offsets[1] > place.span.start_s
    ]
    assert labelled
    for one in labelled:
        found = after.get_window_annotations(one.id, row.label)
        assert datatypes.LabelType.NEGATIVE in [a.label_type for a in found]


@pytest.mark.slow
def test_opensoundscape_takes_the_table_of_clips(
    selection: Path, chosen: Selection, tmp_path: Path
) -> None:
    datasets = pytest.importorskip("opensoundscape.ml.datasets")
    preprocessors = pytest.importorskip("opensoundscape.preprocess.preprocessors")
    exported(selection, "opensoundscape", tmp_path / "out", render="mixed", cells="own")
    table = pd.read_csv(tmp_path / "out" / "labels.csv", index_col=[0, 1, 2])
    audio = preprocessors.AudioPreprocessor(sample_duration=1.0, sample_rate=SAMPLE_RATE)
    dataset = datasets.AudioFileDataset(table, audio, bypass_augmentations=True)
    assert len(dataset) == len(mined(chosen))
    recipes = recipes_by_id(chosen.open_pool())
    sounds = {r: recipes[r].render() for r in mined(chosen)}
    for number in range(len(dataset)):
        sample = dataset[number]
        samples = np.asarray(sample.data.samples)
        # another resampler, of files at another rate
        alike = {r: np.corrcoef(s, samples)[0, 1] for r, s in sounds.items()}
        recipe = max(alike, key=alike.__getitem__)
        assert alike[recipe] > 0.95
        known = {name for name, value in sample.labels.items() if value == 0}
        assert known == mined(chosen)[recipe]
        assert sample.labels.isna().sum() == 2 - len(known)
