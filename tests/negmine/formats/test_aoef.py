"""AOEF: the fixture is what soundevent 2.10.0 wrote of the project that `project` makes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from negmine.audio.windows import Span
from negmine.errors import AnnotationError
from negmine.formats.format import Options
from negmine.formats.recognise import ReadAs, Table, read_tables

WRITTEN = Path(__file__).parent / "soundevent_2_10.json"
SAID = [
    ("owl", "present", Span(1.5, 2.5), (500, 900)),
    ("wren", "present", Span(4, 5), None),
    ("*", "absent", Span(0, 10), None),
    ("*", "absent", Span(10, 20), None),
    ("owl", "present", Span(30, 40), None),
]


def read(path: Path, **options: object) -> Table:
    (table,) = read_tables([path], ReadAs(options=Options(**options)))  # type: ignore[arg-type]
    assert table.format == "aoef"
    return table


def said(table: Table) -> list[tuple[object, ...]]:
    return [(e.label, e.verdict, e.span, e.band_hz) for e in table.entries]


def test_completed_tasks_make_the_truth_of_their_clips_complete() -> None:
    table = read(WRITTEN)
    assert said(table) == SAID
    assert {e.recording for e in table.entries} == {"site/a.wav"}
    text = "\n".join(table.notes.text())
    assert "classes are the tags 'dwc:scientificName', not 'event'" in text
    assert "left out 1 rows: a sound of no class" in text
    assert "sounds of no class: its clip is not complete: 1 times" in text


def test_the_key_of_the_classes_can_be_chosen() -> None:
    table = read(WRITTEN, columns={"class": "event"})
    assert [e.label for e in table.entries if e.label != "*"] == ["song"]
    with pytest.raises(AnnotationError, match="no sound has a tag 'bird'; their tags are"):
        read(WRITTEN, columns={"class": "bird"})
    with pytest.raises(AnnotationError, match="--column class=KEY alone"):
        read(WRITTEN, columns={"recording": "path"})


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    whole = json.loads(WRITTEN.read_text(encoding="utf-8"))
    change(whole["data"])
    path = folder / "t.json"
    path.write_text(json.dumps(whole), encoding="utf-8")
    return path


def test_who_said_so(tmp_path: Path) -> None:
    def sign(data: dict[str, Any]) -> None:
        data["users"] = [{"uuid": "u1", "username": "ann", "name": None}]
        data["sound_event_annotations"][0]["created_by"] = "u1"

    assert [e.judge for e in read(changed(tmp_path, sign)).entries] == ["ann", "", "", "", ""]


def test_rejected_tasks_and_expanded_times_are_left_out(tmp_path: Path) -> None:
    def reject(data: dict[str, Any]) -> None:
        data["tasks"][0]["status_badges"].append({"state": "rejected"})

    table = read(changed(tmp_path, reject))
    assert said(table) == SAID[3:]
    assert table.notes.dropped["its task was rejected"] == 1

    path = changed(tmp_path, lambda data: data["recordings"][0].update(time_expansion=10.0))
    with pytest.raises(
        AnnotationError, match="left out 4 rows: a recording whose time is expanded"
    ):
        read(path)


def test_a_set_without_tasks_says_what_is_present_alone(tmp_path: Path) -> None:
    def as_set(data: dict[str, Any]) -> None:
        del data["tasks"]
        data["collection_type"] = "annotation_set"

    assert said(read(changed(tmp_path, as_set))) == [SAID[0], SAID[1], SAID[4]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(collection_type="prediction_set"), "holds a 'prediction_set', not"),
        (lambda d: d.update(clips=3), "clips is not a list"),
        (lambda d: d["clips"].pop(), "names '.*', which is not among its clips"),
        (lambda d: d["clips"][0].update(end_time="late"), "clips 1: end_time 'late' is not a num"),
        (lambda d: d["clips"][0].update(end_time=0.0), "clips 1: the end 0 s is not after"),
        (lambda d: d["recordings"][0].pop("path"), "recordings 1: path is not a text"),
        (lambda d: d["tags"].append(7), "tags 4: it is not an object"),
        (
            lambda d: d["sound_events"][0]["geometry"].update(type="Cube"),
            "sound_events 1: geometry 'Cube' is not known",
        ),
        (
            lambda d: d["sound_events"][0]["geometry"].update(coordinates=["1,5", 2]),
            "sound_events 1: a coordinate '1,5' is not a number",
        ),
    ],
)
def test_what_is_wrong_is_one_line(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    with pytest.raises(AnnotationError, match=message) as caught:
        read(changed(tmp_path, change))
    assert "\n" not in str(caught.value)


def test_a_file_cut_short_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(WRITTEN.read_text(encoding="utf-8")[:-200], encoding="utf-8")
    with pytest.raises(AnnotationError, match="not readable as JSON"):
        read(path)


def test_what_soundevent_writes_now(tmp_path: Path) -> None:
    data = pytest.importorskip("soundevent.data")
    io = pytest.importorskip("soundevent.io")
    io.save(project(data), tmp_path / "p.json")
    assert said(read(tmp_path / "p.json")) == SAID


def project(data: Any) -> Any:
    """A project of four clips: of two sounds, of none, of one without class, and not done."""
    recording = data.Recording(path=Path("site/a.wav"), duration=60, channels=1, samplerate=48000)
    clips = [
        data.Clip(recording=recording, start_time=t, end_time=t + 10.0) for t in range(0, 40, 10)
    ]

    def tag(key: str, value: str) -> Any:
        return data.Tag(term=data.term_from_key(key), value=value)

    def sound(geometry: Any, *tags: Any) -> Any:
        event = data.SoundEvent(recording=recording, geometry=geometry)
        return data.SoundEventAnnotation(sound_event=event, tags=list(tags))

    ring = [[[21, 100], [22, 400], [23, 200], [21, 100]]]
    heard = [
        [
            sound(
                data.BoundingBox(coordinates=[1.5, 500, 2.5, 900]),
                *(tag("species", "owl"), tag("event", "song")),
            ),
            sound(data.TimeInterval(coordinates=[4, 5]), tag("species", "wren")),
        ],
        [],
        [sound(data.Polygon(coordinates=ring))],
        [],
    ]
    annotated = [
        data.ClipAnnotation(clip=clip, sound_events=sounds)
        for clip, sounds in zip(clips, heard, strict=True)
    ]
    annotated[3].tags.append(tag("species", "owl"))
    states = ["completed", "verified", "completed", "assigned"]
    tasks = [
        data.AnnotationTask(clip=clip, status_badges=[data.StatusBadge(state=state)])
        for clip, state in zip(clips, states, strict=True)
    ]
    return data.AnnotationProject(name="p", clip_annotations=annotated, tasks=tasks)
