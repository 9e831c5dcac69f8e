"""Label Studio's exports of audio, JSON and JSON_MIN: regions with labels, choices of all."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from negmine.errors import AnnotationError, shorten
from negmine.formats.entry import Entry, Notes, Verdict
from negmine.formats.format import Format, Head, Options
from negmine.formats.json_fields import number, objects, read_json_text
from negmine.formats.plain import checked_span
from negmine.formats.verdict_words import WORDS, verdict_of

# "a1b2c3d4-dawn.wav": eight digits that an upload gets before its name
_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)")
_SOUND = re.compile(r"\.(wav|flac|mp3|ogg|m4a|aac|aiff?|opus|webm)(\?|$)", re.IGNORECASE)
Result = dict[str, Any]


def _read(path: Path, options: Options, notes: Notes) -> Iterator[Entry]:
    if set(options.columns) - {"recording"} or options.verdict_column:
        raise AnnotationError(
            f"{path}: of Label Studio, --column recording=KEY alone chooses: the field of the sound"
        )
    whole = read_json_text(path)
    tasks = whole if isinstance(whole, list) else [whole]
    for where, task in objects(str(path), {"task": tasks}, "task"):
        inside = task.get("data")
        data = inside if isinstance(inside, dict) else task
        recording = _recording(where, data, options, notes)
        if "data" not in task:
            judge = str(task.get("annotator") or "")
            results = [one for name in task for one in _least(where, task, name)]
            yield from _entries(where, recording, results, judge, None, notes)
            continue
        for at, said in objects(where, task, "annotations"):
            if said.get("was_cancelled") is True:
                notes.drop(at, "an annotation that was skipped")
                continue
            found = [result for _, result in objects(at, said, "result")]
            judge = str(said.get("completed_by") or "")
            yield from _entries(at, recording, found, judge, None, notes)
        for at, said in objects(where, task, "predictions"):
            found = [result for _, result in objects(at, said, "result")]
            score = said.get("score")
            of_all = float(score) if isinstance(score, int | float) else None
            yield from _entries(at, recording, found, "", ("unknown", of_all), notes)


def _least(where: str, task: Mapping[str, Any], name: str) -> list[Result]:
    """Return what a field of JSON_MIN holds, as the results of JSON."""
    value = task[name]
    if isinstance(value, dict) and isinstance(value.get("choices"), list):
        return [{"type": "choices", "value": value}]
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        return []
    return [{"type": "labels", "value": one, "id": f"{name} {n}"} for n, one in enumerate(value)]


def _recording(where: str, data: Mapping[str, Any], options: Options, notes: Notes) -> str:
    """Return the name of a task's sound file, out of its address."""
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    wanted = options.columns.get("recording", "")
    keys = [wanted] if wanted else [key for key in texts if _SOUND.search(texts[key])]
    if len(keys) != 1 or keys[0] not in texts:
        raise AnnotationError(
            f"{where}: the field of its sound is not known; name it with --column recording=KEY; "
            f"found {shorten(texts, 10) or 'none'}"
        )
    address = urlsplit(texts[keys[0]])
    inside = parse_qs(address.query).get("d")
    name = inside[0] if inside else unquote(address.path)
    folder, _, last = name.rpartition("/")
    if "/upload/" in f"{folder}/" and (parts := _UPLOADED.fullmatch(last)):
        notes.repair(where, "the digits that an upload has before its name are taken off")
        return parts[1]
    return name if inside else last


def _entries(
    where: str,
    recording: str,
    results: list[Result],
    judge: str,
    detected: tuple[Verdict, float | None] | None,
    notes: Notes,
) -> Iterator[Entry]:
    """Yield what an annotation says: of each region its labels, or of the whole its choices."""
    regions: defaultdict[str, list[Result]] = defaultdict(list)
    for result in results:
        regions[str(result.get("id"))].append(result)
    for region in regions.values():
        values = [value for one in region if isinstance(value := one.get("value"), dict)]
        labels = [text for value in values for text in _texts(value, "labels")]
        choices = [text for value in values for text in _texts(value, "choices")]
        timed = next((value for value in values if "start" in value), None)
        for kind in {str(one.get("type")) for one in region} - {"labels", "choices"}:
            notes.say(f"results of the type '{kind}' are not used; the first: {where}")
        if timed is None and not choices:
            continue
        span = None
        if timed is not None:
            start, end = number(where, timed, "start"), number(where, timed, "end")
            span = checked_span(where, start, end)
        verdict: Verdict = "present"
        if labels and choices:
            # a choice on a region is what its reviewer says of it
            words = [text for text in choices if "_".join(text.casefold().split()) in WORDS]
            if len(words) != len(choices) or len(words) > 1:
                raise AnnotationError(
                    f"{where}: the choices {shorten(choices)} on a region are no verdict"
                )
            verdict = verdict_of(where, words[0], "the choice")
        score = None
        if detected is not None:
            verdict, score = detected
            own = [one["score"] for one in region if isinstance(one.get("score"), int | float)]
            score = float(own[0]) if own else score
        if not labels and not choices:
            notes.drop(where, "a region of no class")
        for label in labels or choices:
            yield Entry(recording, label, verdict, where, span, judge=judge, score=score)


def _texts(value: Mapping[str, Any], name: str) -> list[str]:
    found = value.get(name)
    found = found if isinstance(found, list) else [found]
    return [text for text in found if isinstance(text, str) and text]


def _recognises(head: Head) -> bool:
    text = head.text.lstrip()
    if text[:1] not in ("[", "{") or '"collection_type"' in text:
        return False
    full = '"annotations"' in text and '"data"' in text
    return full or ('"annotation_id"' in text and '"annotator"' in text)


FORMAT = Format("Label Studio: JSON and JSON_MIN of audio", _recognises, _read)
