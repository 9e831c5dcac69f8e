"""AOEF, the JSON of soundevent and Whombat: projects and sets of annotations.

It has no negative tags: a completed task says that all else is absent from its clip.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from negmine.audio.windows import Span, to_microseconds
from negmine.errors import AnnotationError, shorten
from negmine.formats.entry import EVERY_CLASS, Entry, Notes
from negmine.formats.format import Format, Head, Options
from negmine.formats.json_fields import number, objects, read_json_text, text
from negmine.formats.plain import checked_span

_KINDS = ("annotation_project", "annotation_set", "evaluation_set")
_VERSION = "1.1"
# Keys of tags that name a class, where sounds have tags of several.
_CLASS_KEYS = (
    *("species", "scientific_name", "dwc:scientificName", "soundevent:species", "class"),
    *("label", "event", "taxon", "common_name"),
)
Rows = dict[str, tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class _File:
    """What the tables of a file hold, by the names that they go by in it."""

    path: Path
    data: dict[str, Any]
    recordings: Rows
    clips: Rows
    sounds: Rows
    annotated: Rows
    values: Mapping[Any, str]
    users: Mapping[str, str]

    def get(self, where: str, what: str, name: object) -> tuple[str, dict[str, Any]]:
        rows: Rows = getattr(self, what)
        if str(name) not in rows:
            raise AnnotationError(f"{where}: names {name!r:.50}, which is not among its {what}")
        return rows[str(name)]

    def labels(self, row: Mapping[str, Any]) -> list[str]:
        """Return the classes that a row's tags name."""
        return [self.values[tag] for tag in row.get("tags") or () if tag in self.values]


def _read(path: Path, options: Options, notes: Notes) -> Iterator[Entry]:
    file = _opened(path, options, notes)
    states = _states(file)
    for where, task in objects(str(path), file.data, "clip_annotations"):
        at, clip = file.get(where, "clips", task.get("clip"))
        recording = _recording(file, at, clip, notes)
        if not recording:
            continue
        span = checked_span(at, number(at, clip, "start_time"), number(at, clip, "end_time"))
        state = states.get(str(task.get("clip")), set())
        if "rejected" in state:
            notes.drop(where, "its task was rejected")
            continue
        for label in file.labels(task):
            yield Entry(recording, label, "present", where, span)
        complete = bool(state & {"completed", "verified"})
        for name in task.get("sound_events") or ():
            sounds = list(_sounds(file, file.get(where, "annotated", name), recording, notes))
            complete = complete and bool(sounds)
            yield from sounds
        if complete:
            yield Entry(recording, EVERY_CLASS, "absent", where, span)
        elif state & {"completed", "verified"}:
            notes.repair(where, "completed, with sounds of no class: its clip is not complete")


def _opened(path: Path, options: Options, notes: Notes) -> _File:
    if set(options.columns) - {"class"} or options.verdict_column:
        raise AnnotationError(f"{path}: of AOEF, --column class=KEY alone chooses: the tags' key")
    whole = read_json_text(path)
    data = whole.get("data") if isinstance(whole, dict) else None
    if not isinstance(data, dict):
        raise AnnotationError(f"{path}: no object 'data': not AOEF")
    if data.get("collection_type") not in _KINDS:
        raise AnnotationError(
            f"{path}: holds a {data.get('collection_type')!r:.40}, not annotations; export the "
            "annotation project"
        )
    version = str(whole.get("version", ""))
    if not version.startswith(_VERSION):
        notes.say(f"{path}: AOEF {version or 'of no version'}; read as {_VERSION}")
    where = str(path)
    tags = [(text(at, tag, "key"), tag) for at, tag in objects(where, data, "tags")]
    annotated = objects(where, data, "sound_event_annotations")
    tagged = (*annotated, *objects(where, data, "clip_annotations"))
    used = {tag for _, row in tagged for tag in _ids(row)}
    key = _key(path, options, notes, [key for key, tag in tags if tag.get("id") in used])
    return _File(
        path,
        data,
        _rows(where, data, "recordings"),
        _rows(where, data, "clips"),
        _rows(where, data, "sound_events"),
        {text(at, row, "uuid"): (at, row) for at, row in annotated},
        {tag.get("id"): text(where, tag, "value") for name, tag in tags if name == key},
        {
            text(at, row, "uuid"): str(row.get("name") or row.get("username") or row["uuid"])
            for at, row in objects(where, data, "users")
        },
    )


def _ids(row: Mapping[str, Any]) -> list[int]:
    tags = row.get("tags") or []
    return [tag for tag in tags if isinstance(tag, int)] if isinstance(tags, list) else []


def _rows(where: str, data: Mapping[str, Any], name: str) -> Rows:
    return {text(at, row, "uuid"): (at, row) for at, row in objects(where, data, name)}


def _key(path: Path, options: Options, notes: Notes, keys: list[str]) -> str:
    """Choose which tags are classes."""
    wanted, counts = options.columns.get("class", ""), Counter(keys)
    if wanted:
        if wanted not in counts:
            raise AnnotationError(
                f"{path}: no sound has a tag '{wanted}'; their tags are {shorten(counts)}"
            )
        return wanted
    if len(counts) < 2:
        return next(iter(counts), "")
    chosen = next((key for key in _CLASS_KEYS if key in counts), "")
    if not chosen:
        raise AnnotationError(
            f"{path}: sounds have tags {shorten(counts)}; say which names the class with --column "
            "class=KEY"
        )
    others = ", ".join(f"'{key}'" for key in counts if key != chosen)
    notes.say(f"{path}: classes are the tags '{chosen}', not {others}; --column class=KEY chooses")
    return chosen


def _states(file: _File) -> dict[str, set[str]]:
    """Return the states that the tasks of each clip were given."""
    found: dict[str, set[str]] = {}
    for where, task in objects(str(file.path), file.data, "tasks"):
        badges = objects(where, task, "status_badges")
        found.setdefault(str(task.get("clip")), set()).update(
            text(at, badge, "state") for at, badge in badges
        )
    return found


def _recording(file: _File, at: str, clip: Mapping[str, Any], notes: Notes) -> str:
    """Return the path of a clip's recording; empty where its times are not those of the file."""
    where, recording = file.get(at, "recordings", clip.get("recording"))
    if recording.get("time_expansion") not in (None, 1, 1.0):
        notes.drop(where, "a recording whose time is expanded")
        return ""
    return text(where, recording, "path")


def _sounds(
    file: _File, found: tuple[str, dict[str, Any]], recording: str, notes: Notes
) -> Iterator[Entry]:
    where, row = found
    at, sound = file.get(where, "sounds", row.get("sound_event"))
    labels = file.labels(row)
    if not labels:
        notes.drop(where, "a sound of no class")
        return
    span, band = _bounds(at, sound.get("geometry"))
    if span is None:
        notes.drop(where, "a sound of no length")
        return
    judge = file.users.get(str(row.get("created_by")), "")
    for label in labels:
        yield Entry(recording, label, "present", where, span, band, judge=judge)


def _bounds(where: str, geometry: object) -> tuple[Span | None, tuple[float, float] | None]:
    """Return what a geometry spans: of time, in seconds, and of frequency, in Hz."""
    shape = geometry if isinstance(geometry, dict) else {}
    kind, values = shape.get("type"), list(_numbers(where, shape.get("coordinates")))
    if kind in ("TimeInterval", "TimeStamp"):
        times, hertz = values, []
    elif kind in (
        *("BoundingBox", "Point", "LineString", "Polygon"),
        *("MultiPoint", "MultiLineString", "MultiPolygon"),
    ):
        times, hertz = values[::2], values[1::2]
    else:
        raise AnnotationError(f"{where}: geometry {kind!r:.40} is not known")
    if not times or max(times) <= min(times):
        return None, None
    span = Span(to_microseconds(min(times)), to_microseconds(max(times)))
    band = (min(hertz), max(hertz)) if hertz and max(hertz) > min(hertz) else None
    return checked_span(where, span.start_s, span.end_s), band


def _numbers(where: str, value: object) -> Iterator[float]:
    if isinstance(value, list):
        for inner in value:
            yield from _numbers(where, inner)
    else:
        yield number(where, {"a coordinate": value}, "a coordinate")


def _recognises(head: Head) -> bool:
    return head.text.lstrip()[:1] == "{" and '"collection_type"' in head.text


FORMAT = Format("AOEF (Whombat, soundevent): annotations as JSON", _recognises, _read)
