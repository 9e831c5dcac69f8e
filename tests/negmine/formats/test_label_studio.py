"""Label Studio's exports, in the shapes that its documentation of tasks gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from negmine.audio.windows import Span
from negmine.errors import AnnotationError
from negmine.formats.format import Options
from negmine.formats.recognise import ReadAs, Table, read_tables


def read(path: Path, whole: object, **options: object) -> Table:
    path.write_text(json.dumps(whole), encoding="utf-8")
    (table,) = read_tables([path], ReadAs(options=Options(**options)))  # type: ignore[arg-type]
    assert table.format == "label_studio"
    return table


def said(table: Table) -> list[tuple[object, ...]]:
    return [(e.recording, e.label, e.verdict, e.span, e.score) for e in table.entries]


def region(number: str, start: Any, end: Any, *labels: str, **more: object) -> dict[str, Any]:
    value = {"start": start, "end": end, "channel": 0, "labels": list(labels)}
    kind = {"from_name": "label", "to_name": "audio", "type": "labels", "original_length": 60.0}
    return {"id": number, **kind, "value": value, **more}


def choice(number: str, word: str) -> dict[str, Any]:
    kind = {"from_name": "heard", "to_name": "audio", "type": "choices"}
    return {"id": number, **kind, "value": {"choices": [word]}}


def task(
    *results: dict[str, Any], audio: str = "/data/upload/3/a1b2c3d4-dawn.wav"
) -> dict[str, Any]:
    done = {"id": 5, "completed_by": 9, "was_cancelled": False, "result": list(results)}
    return {"id": 1, "data": {"audio": audio}, "annotations": [done], "predictions": []}


def test_regions_choices_and_predictions(tmp_path: Path) -> None:
    one = task(region("x", 1.5, 2.5, "owl", "wren"), region("y", 5, 6, "owl"), choice("y", "no"))
    one["predictions"] = [{"score": 0.7, "result": [region("p", 8, 9, "owl")]}]
    two = task(choice("z", "rain"), audio="/data/local-files/?d=rec%2Fdusk.wav")
    skipped = task(region("q", 1, 2, "owl"))
    skipped["annotations"][0]["was_cancelled"] = True
    table = read(tmp_path / "t.json", [one, two, skipped])
    assert said(table) == [
        ("dawn.wav", "owl", "present", Span(1.5, 2.5), None),
        ("dawn.wav", "wren", "present", Span(1.5, 2.5), None),
        ("dawn.wav", "owl", "absent", Span(5, 6), None),
        ("dawn.wav", "owl", "unknown", Span(8, 9), 0.7),
        ("rec/dusk.wav", "rain", "present", None, None),
    ]
    assert [e.judge for e in table.entries] == ["9", "9", "9", "", "9"]
    text = "\n".join(table.notes.text())
    assert "the digits that an upload has before its name are taken off: 2 times" in text
    assert "left out 1 rows: an annotation that was skipped" in text


def test_results_of_other_types_are_named(tmp_path: Path) -> None:
    note = {"id": "x", "type": "textarea", "value": {"start": 1, "end": 2, "text": ["hm"]}}
    table = read(tmp_path / "t.json", [task(region("x", 1, 2, "owl"), note)])
    assert len(table.entries) == 1
    assert any("of the type 'textarea' are not used" in line for line in table.notes.text())


def test_the_short_form(tmp_path: Path) -> None:
    regions = [{"start": 1.5, "end": 2.5, "channel": 0, "labels": ["owl"]}]
    least = {
        "id": 1,
        "annotation_id": 2,
        "annotator": 3,
        "audio": "s3://b/dawn.wav",
        "label": regions,
    }
    table = read(tmp_path / "t.json", [{**least, "heard": {"choices": ["rain", "wind"]}}])
    assert said(table) == [
        ("dawn.wav", "owl", "present", Span(1.5, 2.5), None),
        ("dawn.wav", "rain", "present", None, None),
        ("dawn.wav", "wind", "present", None, None),
    ]


@pytest.mark.parametrize(
    ("whole", "message"),
    [
        ([task(region("x", 1, 2, "owl"), audio="no sound")], "the field of its sound is not known"),
        ([task(region("x", 2, 1, "owl"))], "the end 1 s is not after the beginning 2 s"),
        ([task(region("x", "1,5", 2, "owl"))], "task 1 annotations 1: start '1,5' is not a number"),
        ([task(region("x", 1, 2, "owl"), choice("x", "loud"))], "the choices loud on a region"),
        ([{"data": {}, "annotations": 3}], "the field of its sound is not known"),
        ([{"data": {"a": "a.wav"}, "annotations": 3}], "task 1: annotations is not a list"),
        ([task()], "nothing is read of it"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, whole: object, message: str) -> None:
    with pytest.raises(AnnotationError, match=message) as caught:
        read(tmp_path / "t.json", whole)
    assert "\n" not in str(caught.value)


def test_the_field_of_the_sound_can_be_named(tmp_path: Path) -> None:
    one = task(region("x", 1, 2, "owl"))
    one["data"]["preview"] = "x.mp3"
    with pytest.raises(AnnotationError, match="found audio, preview"):
        read(tmp_path / "t.json", [one])
    table = read(tmp_path / "t.json", [one], columns={"recording": "audio"})
    assert [e.recording for e in table.entries] == ["dawn.wav"]
