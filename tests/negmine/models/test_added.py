"""Networks that were added, and where they are found."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx_models import make_model

from negmine.errors import InputError, ModelError
from negmine.models.added import add_file, find, listed, models_folder, open_named, user_cache
from negmine.models.description import ModelDescription

HOME = Path("/home/someone")
ABOUT = ModelDescription(("x", "y"), 16000, 0.25, "levels", "scores").to_json()


@pytest.mark.parametrize(
    ("platform", "environment", "place"),
    [
        ("linux", {}, "/home/someone/.cache/negmine"),
        ("linux", {"XDG_CACHE_HOME": "/big/cache"}, "/big/cache/negmine"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "/home/someone/.cache/negmine"),
        ("darwin", {}, "/home/someone/Library/Caches/negmine"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/negmine"),
        ("linux", {"NEGMINE_CACHE": "/own", "XDG_CACHE_HOME": "/big"}, "/own"),
    ],
)
def test_the_cache_is_where_the_system_keeps_caches(
    platform: str, environment: dict[str, str], place: str
) -> None:
    assert user_cache(environment, platform, HOME) == Path(place)


def test_the_folder_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NEGMINE_CACHE", str(tmp_path))
    assert models_folder() == tmp_path / "models"
    assert models_folder(Path("there")) == Path("there")


def test_a_file_is_found_by_its_digest(tmp_path: Path) -> None:
    make_model(tmp_path / "m.onnx", metadata=ABOUT)
    folder = tmp_path / "models"
    added = add_file(tmp_path / "m.onnx", "levels", folder)
    assert listed(folder) == [added]
    assert find(added.fingerprint, folder) == tmp_path / "m.onnx"
    assert find("another", folder) is None
    (tmp_path / "m.onnx").unlink()
    assert find(added.fingerprint, folder) is None


def test_a_name_is_not_given_twice(tmp_path: Path) -> None:
    make_model(tmp_path / "m.onnx", metadata=ABOUT)
    make_model(tmp_path / "n.onnx", metadata=ABOUT.replace("16000", "8000"))
    add_file(tmp_path / "m.onnx", "levels", tmp_path / "models")
    add_file(tmp_path / "m.onnx", "levels", tmp_path / "models")
    with pytest.raises(InputError, match=r"already another network.*m\.onnx"):
        add_file(tmp_path / "n.onnx", "levels", tmp_path / "models")


@pytest.mark.parametrize("name", ["../x", "a/b", "", "birdnet"])
def test_odd_names_are_refused(tmp_path: Path, name: str) -> None:
    make_model(tmp_path / "m.onnx", metadata=ABOUT)
    with pytest.raises(InputError, match="name"):
        add_file(tmp_path / "m.onnx", name, tmp_path / "models")


def test_a_damaged_note_is_passed_over_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import logging

    monkeypatch.setattr(logging.getLogger("negmine"), "propagate", True)
    make_model(tmp_path / "m.onnx", metadata=ABOUT)
    folder = tmp_path / "models"
    add_file(tmp_path / "m.onnx", "levels", folder)
    note = folder / "levels.json"
    note.write_text(note.read_text().replace("m.onnx", "n.onnx"))
    assert listed(folder) == []
    assert "levels.json" in caplog.text


def test_birdnet_that_was_not_added_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="negmine models add birdnet"):
        open_named("birdnet", tmp_path)
    with pytest.raises(ModelError, match="no file"):
        open_named(str(tmp_path / "no.onnx"), tmp_path)
