"""Which sound files of a folder are found, and what is said of the others."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import Data

from negmine.audio.folder import SUFFIXES, SoundFolder, open_folder
from negmine.cli.main import main
from negmine.errors import InputError

POOL = ("--clip-s", 1, "--sample-rate", 8000)
RUN = (
    *("--clip-s", 1, "--sample-rate", 8000, "--n-mels", 16, "--window-s", 0.5, "--folds", 1),
    *("--tp-per-step", 4, "--fp-per-step", 2, "--steps-per-epoch", 1, "--epochs", 1),
    *("--device", "cpu"),
)


def touched(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def names_of(folder: SoundFolder) -> list[str]:
    return [folder.name_of(path) for path in folder.paths]


def test_sound_files_are_found_below_a_folder_in_the_order_of_their_names(tmp_path: Path) -> None:
    touched(tmp_path, "b.WAV", "deep/er/c.flac", "a.mp3", "notes.txt", "deep/a.ogg")
    (tmp_path / "folder.wav").mkdir()
    folder = open_folder(tmp_path)
    assert names_of(folder) == ["a.mp3", "b.WAV", "deep/a.ogg", "deep/er/c.flac"]
    assert folder.summary() == f"{tmp_path}: 4 sound files; 1 other files (.txt)"
    assert folder.summary(2, "annotated").endswith(
        ": 4 sound files, 2 of them annotated; 1 other files (.txt)"
    )


def test_every_suffix_that_can_be_decoded_is_found(tmp_path: Path) -> None:
    touched(tmp_path, *(f"x{suffix}" for suffix in SUFFIXES))
    assert len(open_folder(tmp_path).paths) == len(SUFFIXES)
    assert {".opus", ".oga", ".w64", ".wave", ".rf64", ".caf", ".au", ".aifc"} <= SUFFIXES


@pytest.mark.parametrize("found", [True, False])
def test_sound_that_cannot_be_decoded_is_counted_and_named(tmp_path: Path, found: bool) -> None:
    touched(tmp_path, "a.m4a", "b.M4A", "c.wma", *(["a.wav"] if found else []))
    summary = r"left out \.m4a that .* x\.flac \(2: a\.m4a, b\.M4A\); left out \.wma that "
    if found:
        folder = open_folder(tmp_path)
        assert names_of(folder) == ["a.wav"]
        assert re.search(summary, folder.summary())
    else:
        with pytest.raises(InputError, match=summary):
            open_folder(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        ".Trash-1000/files/frog.wav",
        ".Trashes/501/frog.wav",
        "$RECYCLE.BIN/S-1/frog.wav",
        "System Volume Information/frog.wav",
        "site/__MACOSX/frog.wav",
        "site/@eaDir/frog.flac",
        "lost+found/frog.wav",
        ".git/annex/objects/frog.wav",
        "site/._frog.wav",
        ".frog.wav",
    ],
)
def test_hidden_and_trash_files_are_left_out_and_named(tmp_path: Path, name: str) -> None:
    touched(tmp_path, "a.wav", name, ".DS_Store", ".cache/notes.txt")
    folder = open_folder(tmp_path)
    assert names_of(folder) == ["a.wav"]
    (why,), (left_out,) = folder.left_out, folder.left_out.values()
    assert why in ("hidden files", "hidden or trash folders")
    assert len(left_out) == 1
    assert name.startswith(left_out[0])
    assert f"left out {why} (1: {left_out[0]})" in folder.summary()


def test_a_hidden_folder_that_the_user_names_is_read(tmp_path: Path) -> None:
    touched(tmp_path, ".field/a.wav")
    assert names_of(open_folder(tmp_path / ".field")) == ["a.wav"]


def test_links_go_by_their_own_names_and_those_that_lead_nowhere_are_said(tmp_path: Path) -> None:
    touched(tmp_path, "objects/9f3c", "disk/site/deep.wav")
    field = touched(tmp_path / "field", "own.wav")
    (field / "night.wav").symlink_to("../objects/9f3c")
    (field / "copy.wav").symlink_to("../objects/9f3c")
    (field / "site").symlink_to("../disk/site")
    (field / "circle").symlink_to("../field")
    (field / "self.wav").symlink_to("self.wav")
    (field / "gone.wav").symlink_to("../objects/none")
    os.mkfifo(field / "pipe.wav")
    (tmp_path / "alias").symlink_to("field")
    for root in (field, tmp_path / "alias"):
        folder = open_folder(root)
        assert folder.root == root
        assert names_of(folder) == ["copy.wav", "night.wav", "own.wav", "site/deep.wav"]
        assert dict(folder.left_out) == {
            "broken links": ("gone.wav", "self.wav"),
            "links that lead back to a folder above them": ("circle",),
            "entries that are not regular files": ("pipe.wav",),
        }


def test_a_name_that_a_terminal_cannot_show_is_escaped(tmp_path: Path) -> None:
    touched(tmp_path, "a.wav", ".\x1b[2J\n.wav")
    assert "\\x1b[2J\\n" in open_folder(tmp_path).summary()


def test_a_folder_without_sound_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        open_folder(tmp_path / "gone")
    with pytest.raises(InputError, match=r"no sound files \(\.aif, "):
        open_folder(tmp_path)


def test_every_command_that_reads_a_folder_says_what_it_left_out(
    data: Data, shared_checkpoint: Path, tmp_path: Path
) -> None:
    for folder in (data.recordings, data.external):
        touched(folder, "._x.wav", ".Trash-1/gone.wav")
    summary = r"{}: \d+ sound files.*; left out hidden files \(1: \._x\.wav\); left out hidden or "
    out = tmp_path / "out"
    commands: list[tuple[Path, list[object]]] = [
        (data.external, ["cache", data.external, "--out", out / "c", "--sample-rate", 8000]),
        (data.external, ["build-pool", *data.options, "--external", data.external, *POOL]),
        (data.recordings, ["build-pool", *data.options, *POOL]),
        (data.recordings, ["train", *data.options, "--out", out / "run", *RUN]),
        (
            data.recordings,
            ["predict", data.recordings, "--model", shared_checkpoint, "--out", out / "p.csv"],
        ),
    ]
    for number, (folder, arguments) in enumerate(commands):
        if arguments[0] == "build-pool":
            arguments += ["--out", out / str(number)]
        result = CliRunner().invoke(main, [str(one) for one in (*arguments, "--quiet")])
        assert result.exit_code == 0, result.output
        lines = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
        assert any(re.search(summary.format(re.escape(str(folder))), line) for line in lines)


def test_recordings_that_are_links_are_predicted_under_their_own_names(
    data: Data, shared_checkpoint: Path, tmp_path: Path
) -> None:
    field = tmp_path / "field"
    field.mkdir()
    (tmp_path / "9f3c").write_bytes((data.recordings / "rec00.flac").read_bytes())
    for name in ("night.flac", "copy.flac"):
        (field / name).symlink_to("../9f3c")
    found = ["--detections", tmp_path / "found.txt", "--min-conf", 0]
    # the same file by two ways is one recording
    given = [field, field / "night.flac", "--model", shared_checkpoint, *found]
    arguments = ["predict", *given, "--out", tmp_path / "p.csv", "--device", "cpu"]
    result = CliRunner().invoke(main, [str(one) for one in arguments])
    assert result.exit_code == 0, result.output
    rows = (tmp_path / "p.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["copy", "night"]
    assert rows[0].split(",")[1:] == rows[1].split(",")[1:]
    assert str(field / "night.flac") in (tmp_path / "found.txt").read_text()
