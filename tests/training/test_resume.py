"""A run goes on only with what it began with, and brings its derived files up to date."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Opened, tiny_config

from negmine.annotations import Annotations
from negmine.annotations.recordings import Recordings
from negmine.errors import InputError
from training.augmentation import AugmentSettings
from training.engine.checkpoint import Checkpoint
from training.engine.inputs import RunInputs
from training.engine.train import train

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folder(shared_opened: Opened, shared_cache: Path, tmp_path: Path) -> Path:
    """The folder of a run of one epoch."""
    run(shared_opened, shared_cache, tmp_path / "run")
    return tmp_path / "run"


def run(opened: Opened, cache: Path, out: Path, **changes: Any) -> Checkpoint:
    annotations = changes.pop("annotations", opened.annotations)
    recordings = changes.pop("recordings", opened.recordings)
    settings = changes.pop("settings", {})
    inputs = RunInputs(annotations, recordings, cache, **changes)
    return train(tiny_config(epochs=1, **settings), inputs, out)


def lower(annotations: Annotations) -> Annotations:
    """The same boxes, one of which begins 50 Hz lower."""
    first = annotations.boxes[0]
    box = replace(first, f_min_hz=first.f_min_hz - 50)
    return Annotations((box, *annotations.boxes[1:]), annotations.classes)


def test_another_band_of_a_box_is_another_run(
    folder: Path, shared_opened: Opened, shared_cache: Path
) -> None:
    other = lower(shared_opened.annotations)
    with pytest.raises(InputError, match="holds a run with another annotations"):
        run(shared_opened, shared_cache, folder, annotations=other)


def test_of_many_settings_the_one_that_differs_is_named(
    folder: Path, shared_opened: Opened, shared_cache: Path
) -> None:
    other = {"augment": AugmentSettings(gain=0.5)}
    with pytest.raises(InputError, match=r"with another augment\.gain \(0\.0, now 0\.5\);"):
        run(shared_opened, shared_cache, folder, settings=other)


def test_another_file_of_a_recording_is_another_run(
    folder: Path, shared_opened: Opened, shared_cache: Path
) -> None:
    infos = dict(shared_opened.recordings.infos)
    name = next(iter(infos))
    infos[name] = replace(infos[name], fingerprint="00" * 16)
    other = replace(shared_opened.recordings, infos=infos)
    assert isinstance(other, Recordings)
    with pytest.raises(InputError, match="holds a run with another recordings"):
        run(shared_opened, shared_cache, folder, recordings=other)


def test_a_run_of_an_earlier_version_goes_on_with_a_word(
    folder: Path, shared_opened: Opened, shared_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = Checkpoint.load(folder / "last.pt")
    del earlier.inputs["recordings"]
    earlier.inputs["annotations"] = shared_opened.annotations.digest_without_bands
    earlier.save(folder / "last.pt")
    run(shared_opened, shared_cache, folder)
    assert "an earlier version began this run" in capsys.readouterr().err
    kept = shared_opened.annotations.without([shared_opened.annotations.boxes[0].recording])
    with pytest.raises(InputError, match="holds a run with another"):
        run(shared_opened, shared_cache, folder, annotations=kept)


@pytest.mark.parametrize("name", ["metrics.csv", "curve.png", "config.toml", "run.json"])
@pytest.mark.parametrize("left", ["old", None])
def test_files_that_a_kill_left_behind_are_made_again(
    name: str, left: str | None, folder: Path, shared_opened: Opened, shared_cache: Path
) -> None:
    if left and name in ("config.toml", "run.json"):
        pytest.skip("written before the first step, and not again")
    whole = (folder / name).read_bytes()
    (folder / name).unlink()
    if left:
        (folder / name).write_text(left)
    run(shared_opened, shared_cache, folder)
    if name == "run.json":
        assert (folder / name).exists()
    else:
        assert (folder / name).read_bytes() == whole
