"""Folders of recordings: which file is which, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from conftest import Data

from negmine.annotations import read_rfcx
from negmine.annotations.recordings import (
    index_recordings,
    open_annotated,
    open_external,
    parse_external,
)
from negmine.audio.folder import open_folder
from negmine.errors import AnnotationError, AudioError, InputError

CLASSES = ("frog", "owl", "3")


def test_recordings_are_named_by_their_files_without_suffix(tmp_path: Path) -> None:
    for name in ("site1/a.flac", "b.v2.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert index_recordings(open_folder(tmp_path)) == {
        "b.v2": tmp_path / "b.v2.wav",
        "a": tmp_path / "site1" / "a.flac",
    }


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("a.flac", "a.wav"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"a\.wav and .*a\.flac share the recording name 'a'"):
        index_recordings(open_folder(tmp_path))


def test_annotated_recordings_alone_are_read(data: Data) -> None:
    (data.recordings / "unannotated.flac").write_text("not even sound")
    recordings, _ = open_annotated(data.recordings, read_rfcx(data.tp, data.fp))
    assert list(recordings.infos) == [f"rec{i:02d}" for i in range(8)]
    assert recordings.durations_s["rec03"] == 4.0
    source = recordings.source("rec03")
    assert (source.name, source.group) == ("rec03.flac", "rec03")
    assert source.path == (data.recordings / "rec03.flac").resolve()
    assert list(recordings.only(["rec05", "rec01", "other"]).infos) == ["rec01", "rec05"]


def test_a_recording_without_a_file_is_named_with_its_row(data: Data) -> None:
    (data.recordings / "rec02.flac").unlink()
    with pytest.raises(AnnotationError, match=r"train_tp\.csv row 6: no sound file .* 'rec02'"):
        open_annotated(data.recordings, read_rfcx(data.tp, data.fp))


def test_a_recording_whose_file_was_not_taken_is_named_with_the_reason(data: Data) -> None:
    sound = data.recordings / "rec02.flac"
    sound.rename(sound.with_suffix(".m4a"))
    with pytest.raises(
        AnnotationError, match=r"'rec02' \(rec02\.m4a is left out: .*ffmpeg"
    ) as told:
        open_annotated(data.recordings, read_rfcx(data.tp, data.fp))
    assert "did you mean" not in str(told.value)
    sound.symlink_to("gone.flac")
    with pytest.raises(AnnotationError, match=r"rec02\.flac is left out: broken links"):
        open_annotated(data.recordings, read_rfcx(data.tp, data.fp))


def test_an_unreadable_recording_is_left_out_with_its_annotations_when_asked(data: Data) -> None:
    (data.recordings / "rec02.flac").write_bytes(b"")
    annotations = read_rfcx(data.tp, data.fp)
    with pytest.raises(AudioError, match=r"rec02\.flac: the file is empty"):
        open_annotated(data.recordings, annotations)
    recordings, kept = open_annotated(data.recordings, annotations, skip_bad=True)
    assert "rec02" not in recordings.infos
    assert kept == annotations.without(["rec02"])
    assert len(recordings.skipped) == 1
    assert "rec02.flac" in recordings.skipped[0]


def test_a_class_that_loses_its_last_call_is_an_error(data: Data) -> None:
    table = pd.read_csv(data.tp)
    table[(table.species_id == 1) | (table.recording_id == "rec02")].to_csv(data.tp, index=False)
    annotations = read_rfcx(data.tp, data.fp)
    assert [b.recording for b in annotations.confirmed if b.label == "0"] == ["rec02"]
    (data.recordings / "rec02.flac").write_bytes(b"")
    with pytest.raises(AnnotationError, match=r"class '0' has no confirmed call left .*rec02"):
        open_annotated(data.recordings, annotations, skip_bad=True)


def test_a_box_beyond_the_end_is_an_error(data: Data) -> None:
    data.tp.write_text(data.tp.read_text() + "rec00,1,1,55.0,100,56.0,200\n")
    with pytest.raises(AnnotationError, match=r"row 18: the box ends at 56 s but .* at 4\.00 s"):
        open_annotated(data.recordings, read_rfcx(data.tp, data.fp))


def test_external_sound_is_grouped_by_its_path(data: Data) -> None:
    opened = open_external(data.external)
    assert list(opened.infos) == [
        "external/deep/other2.wav",
        "external/other0.wav",
        "external/other1.wav",
    ]


@pytest.mark.parametrize(
    ("text", "folder", "absent"),
    [
        ("pond", "pond", CLASSES),
        ("pond/", "pond", CLASSES),
        ("pond=owl", "pond", ("owl",)),
        ("pond=3, frog", "pond", ("3", "frog")),
        ("a=b/pond=owl", "a=b/pond", ("owl",)),
    ],
)
def test_a_declaration_names_a_folder_and_classes(
    text: str, folder: str, absent: tuple[str, ...]
) -> None:
    assert parse_external(text, CLASSES) == (Path(folder), absent)


def test_a_folder_may_have_an_equals_sign_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "gain=owl"
    folder.mkdir()
    assert parse_external(str(folder), CLASSES) == (folder, CLASSES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pond=fog", r"--external pond=fog: unknown class 'fog' \(did you mean frog\?\); .* frog"),
        ("pond=", "--external pond=: no class after '='"),
        ("pond= ,", "no class after '='"),
    ],
)
def test_a_declaration_of_no_known_class_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_external(text, CLASSES)


def silence(path: Path, *spans_s: tuple[float, float]) -> None:
    samples, rate = sf.read(path, dtype="float32")
    for start_s, end_s in spans_s or ((0.0, len(samples) / rate),):
        samples[round(start_s * rate) : round(end_s * rate)] = 0.01
    sf.write(path, samples, rate)


def test_boxes_on_silence_are_left_out_in_one_line(data: Data) -> None:
    silence(data.recordings / "rec02.flac")
    silence(data.recordings / "rec03.flac", (2.4, 3.1))
    annotations = read_rfcx(data.tp, data.fp)
    recordings, kept = open_annotated(data.recordings, annotations)
    assert len(annotations.boxes) - len(kept.boxes) == 4 + 2
    assert "rec02" not in kept.by_recording
    assert {box.span.start_s for box in kept.by_recording["rec03"]} == {0.5}
    nothing, boxes = recordings.notes
    assert nothing == "no sound in 1 file (rec02.flac): below -90 dBFS throughout"
    assert boxes.startswith("6 of 32 boxes, which hold only silence, were left out; the first: ")
    assert boxes.endswith("train_tp.csv row 6, rec02.flac")


def test_a_class_whose_calls_are_all_silent_is_refused(data: Data) -> None:
    for path in data.recordings.glob("*.flac"):
        samples, rate = sf.read(path)
        sf.write(path, np.stack([samples, -samples], axis=1), rate)
    with pytest.raises(AnnotationError) as error:
        open_annotated(data.recordings, read_rfcx(data.tp, data.fp))
    assert "class '0' has no confirmed call left after 32 of 32 boxes" in str(error.value)
    assert "train_tp.csv row 2, rec00.flac; the channels of 8 files" in str(error.value)
