"""Every table that people write, with faults: read as it means, or refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from reliability.conftest import Trials
from reliability.refusals import RefusedError, one_line
from reliability.sizes import sized
from reliability.strict_csv import NoMeaningError, names, number, rows_of
from reliability.table_faults import Rows, faulty

from negmine.annotations import read_rfcx
from negmine.annotations.class_bands import class_bands
from negmine.annotations.class_names import read_classes
from negmine.annotations.sites import sites_by_table
from negmine.annotations.verdicts import read_verdicts
from negmine.building.declarations import read_declarations
from negmine.building.sources.exclusive import read_exclusive
from negmine.mining.exclusions import read_exclusions
from negmine.pool import open_pool
from training.evaluation.score_tables import read_scores, read_truth
from training.evaluation.truth import Truth

CLASSES = ("0", "1", "ãra")
RECORDINGS = ("rec00", "rec01", "réc02")

Meaning = Callable[[list[dict[str, str]]], Any]


@dataclass(frozen=True)
class Kind:
    """A table as it should be, how negmine reads it, and what it means."""

    rows: Rows
    read: Callable[[Path], Any]
    means: Meaning


def listed(text: str) -> Rows:
    return [line.split(",") for line in text.split()]


# ---- annotations

BOXES = listed(
    "recording_id,species_id,songtype_id,t_min,f_min,t_max,f_max rec00,0,1,0.5,800,1.0,1200 "
    "rec00,1,1,2.5,2300,3.0,2700 rec01,0,4,0.25,800,1,1200 réc02,ãra,1,1e-1,10.5,2,20 "
    "rec01,1,1,2.5,2300,3.0,2700"
)


def read_boxes(path: Path) -> Any:
    found = read_rfcx(path)
    boxes = [
        (b.recording, b.label, b.span.start_s, b.span.end_s, b.f_min_hz, b.f_max_hz)
        for b in found.boxes
    ]
    return boxes, set(found.classes)


def boxes_mean(rows: list[dict[str, str]]) -> Any:
    boxes = []
    for row in rows:
        t_min, t_max, f_min, f_max = (number(row[n]) for n in ("t_min", "t_max", "f_min", "f_max"))
        if not (0 <= t_min < t_max and 0 <= f_min < f_max and row["recording_id"]):
            raise NoMeaningError("no box")
        boxes.append((row["recording_id"], row["species_id"], t_min, t_max, f_min, f_max))
    boxes = list(dict.fromkeys(boxes))
    return boxes, {label for _, label, *_ in boxes} - {""} or no("classes")


def no(what: str) -> Any:
    raise NoMeaningError(what)


# ---- scores and truths

SCORES = listed("recording_id,s0,s1,sãra rec00,0.5,-1.25,3 rec01,1e-3,2,0 réc02,0.25,0.5,7")
TRUTH = listed("recording_id,0,1,ãra rec00,1,0,1 rec01,0,,0 réc02,1,1,1")
RFCX_TRUTH = listed("recording_id,s0,s1,sãra rec00,1,0,1 rec01,0,,0 réc02,1,1,1")


def scores_as_cells(path: Path) -> Any:
    found = read_scores(path)
    return {
        (name, label): found.scores[i, j]
        for i, name in enumerate(found.recordings)
        for j, label in enumerate(found.classes)
    }


def scores_mean(rows: list[dict[str, str]]) -> Any:
    once(row["recording_id"] for row in rows)
    columns = [name for name in rows[0] if name != "recording_id"]
    if not columns or any(name[0] != "s" or name == "s" for name in columns):
        raise NoMeaningError("columns that are no classes")
    return {(row["recording_id"], c[1:]): number(row[c]) for row in rows for c in columns}


def truth_as_cells(path: Path) -> Any:
    table, known = read_truth(path, CLASSES)
    return {
        (name, label): table.scores[i, j] if known[i, j] else None
        for i, name in enumerate(table.recordings)
        for j, label in enumerate(CLASSES)
    }


def truth_means(rows: list[dict[str, str]]) -> Any:
    once(row["recording_id"] for row in rows)
    layouts = [p for p in ("", "s") if all(p + label in rows[0] for label in CLASSES)]
    (before,) = layouts if len(layouts) == 1 else no("one layout")
    cells = {}
    for row in rows:
        for label in CLASSES:
            text = row[before + label]
            value = number(text) if text else None
            if value not in (0, 1, None):
                raise NoMeaningError("neither 0 nor 1")
            cells[row["recording_id"], label] = value
    return cells


def once(found: Any) -> None:
    listed_names = list(found)
    if len(set(listed_names)) < len(listed_names) or not all(listed_names):
        raise NoMeaningError("a name twice, or none")


# ---- other tables

EVENTS = listed(
    "recording_id,species_id,t_min,t_max rec00,0,0.5,1.0 rec00,ãra,1.5,2 rec01,1,0,1 "
    "rec00,0,2,2.5 réc02,ãra,1e-1,3"
)
COMPLETE = {"rec00": {"0", "ãra"}, "rec01": {"1"}, "réc02": {"ãra", "1"}}


def read_events(path: Path) -> Any:
    truth = path.with_name("truth.csv")
    lines = [
        ",".join([name, *(str(int(label in there)) for label in CLASSES)])
        for name, there in COMPLETE.items()
    ]
    truth.write_text("\n".join([",".join(["recording_id", *CLASSES]), *lines]), "utf-8")
    found = Truth(truth, path, CLASSES).events or {}
    return {(name, CLASSES[i], *span) for name, events in found.items() for i, *span in events}


def events_mean(rows: list[dict[str, str]]) -> Any:
    found = set()
    for row in rows:
        name, label = row["recording_id"], row["species_id"]
        start, end = number(row["t_min"]), number(row["t_max"])
        if label not in COMPLETE.get(name, ()) or not 0 <= start < end:
            raise NoMeaningError("no event of the truth")
        found.add((name, label, start, end))
    return found


BANDS = listed("class,f_min,f_max 0,800,1200 1,2300.5,2700 ãra,1e1,20")


def read_bands(path: Path) -> Any:
    annotations = read_rfcx(whole(path.with_name("boxes.csv"), BOXES))
    return class_bands(annotations, 0.0, path)


def bands_mean(rows: list[dict[str, str]]) -> Any:
    once(row["class"] for row in rows)
    bands = {"0": (800.0, 1200.0), "1": (2300.0, 2700.0), "ãra": (10.5, 20.0)}
    for row in rows:
        low, high = number(row["f_min"]), number(row["f_max"])
        if row["class"] not in bands or not 0 <= low < high:
            raise NoMeaningError("no band")
        bands[row["class"]] = low, high
    return bands


def whole(path: Path, rows: Rows) -> Path:
    path.write_text("\n".join(map(",".join, rows)), "utf-8")
    return path


SITES = listed("recording_id,site rec00,pond rec01,pond réc02,wöod rec09,hill")


def sites_mean(rows: list[dict[str, str]]) -> Any:
    sites: dict[str, str] = {}
    for row in rows:
        name, site = row["recording_id"], row["site"]
        if not name or not site or sites.setdefault(name, site) != site:
            raise NoMeaningError("none or two sites")
    return {name: sites[name] if name in sites else no("site") for name in RECORDINGS}


EXCLUSIVE = listed("class,excludes 0,1;ãra ãra,0 1,0")


def exclusive_means(rows: list[dict[str, str]]) -> Any:
    found: dict[str, set[str]] = {}
    for row in rows:
        one, others = row["class"], class_names(row["excludes"])
        if one not in CLASSES or one in others:
            raise NoMeaningError("no class, or itself")
        for other in others:
            found.setdefault(one, set()).add(other)
            found.setdefault(other, set()).add(one)
    return found or no("rows")


def class_names(cell: str) -> list[str]:
    found = list(CLASSES) if cell == "*" else names(cell)
    if not found or not set(found) <= set(CLASSES):
        raise NoMeaningError("no class")
    return found


DECLARED = listed("pattern,absent_classes africa/*,0;1 */rain_?.wav,* pond/é.wav,ãra")


def declared_mean(rows: list[dict[str, str]]) -> Any:
    return [
        (row["pattern"] or no("pattern"), list(dict.fromkeys(class_names(row["absent_classes"]))))
        for row in rows
    ] or no("rows")


WANTED = listed("class,aliases,code owl,Strix;hooter,o1 wren,zaunkönig, 3,three,t3")


def read_wanted(path: Path) -> Any:
    found = read_classes(path)
    asked = {cell for row in WANTED[1:] for cells in row for cell in cells.split(";") if cell}
    return set(found.classes), {name: found.find(name) for name in asked}


def wanted_means(rows: list[dict[str, str]]) -> Any:
    once(row["class"] for row in rows)
    known: dict[str, str] = {}
    for row in rows:
        for name in (one for cell in row.values() for one in names(cell)):
            if known.setdefault(name.casefold(), row["class"]) != row["class"]:
                raise NoMeaningError("a name of two classes")
    asked = {cell for row in WANTED[1:] for cells in row for cell in cells.split(";") if cell}
    classes = {row["class"] for row in rows} or no("rows")
    return classes, {name: known.get(name.casefold(), "") for name in asked}


HEARD = listed(
    "recording,class,t_min,t_max,verdict,listener rec00,0,0.5,3.5,present,mia "
    "rec00,1,0.5,3.5,absent,leo réc02,ãra,1e-1,2,Unsure,mia rec01,1,2,5,,leo"
)


def read_heard(path: Path) -> Any:
    return [
        (v.recording, v.label, v.span.start_s, v.span.end_s, v.word, v.listener)
        for v in read_verdicts(path, CLASSES)
    ]


def heard_means(rows: list[dict[str, str]]) -> Any:
    found = []
    for row in rows:
        start_s, end_s = (round(number(row[name]), 6) for name in ("t_min", "t_max"))
        word = row["verdict"].lower()
        if not 0 <= start_s < end_s or word not in ("present", "absent", "unsure", ""):
            raise NoMeaningError("no span, or no word")
        if not row["recording"] or row["class"] not in CLASSES:
            raise NoMeaningError("no recording or class")
        found.append(
            (row["recording"], row["class"], start_s, end_s, word, row.get("listener", ""))
        )
    if not any(word for *_, word, _ in found):
        raise NoMeaningError("no verdict")
    return found


KINDS = {
    "boxes": Kind(BOXES, read_boxes, boxes_mean),
    "scores": Kind(SCORES, scores_as_cells, scores_mean),
    "truth": Kind(TRUTH, truth_as_cells, truth_means),
    "RFCX's truth": Kind(RFCX_TRUTH, truth_as_cells, truth_means),
    "events": Kind(EVENTS, read_events, events_mean),
    "verdicts on windows": Kind(HEARD, read_heard, heard_means),
    "classes": Kind(WANTED, read_wanted, wanted_means),
    "bands": Kind(BANDS, read_bands, bands_mean),
    "sites": Kind(SITES, lambda path: sites_by_table(RECORDINGS, path), sites_mean),
    "exclusive": Kind(
        EXCLUSIVE,
        lambda path: {k: set(v) for k, v in read_exclusive(path, CLASSES).items()},
        exclusive_means,
    ),
    "declarations": Kind(
        DECLARED,
        lambda path: [(d.pattern, list(d.absent)) for d in read_declarations(path, CLASSES)],
        declared_mean,
    ),
}


@sized
@pytest.mark.parametrize("name", KINDS)
def test_a_faulty_table_is_read_as_it_means_or_refused(
    name: str, times: int, tmp_path: Path, trials: Trials
) -> None:
    try_tables(KINDS[name], times, tmp_path, trials)


@sized
def test_faulty_exclusions_are_read_as_they_mean_or_refused(
    shared_pool: Path, times: int, tmp_path: Path, trials: Trials
) -> None:
    pool = open_pool(shared_pool)
    recipes = [str(recipe.id) for recipe in pool][:4]
    rows = [["recipe", "class", "note"], *([recipe, "0", "bird"] for recipe in recipes)]

    def mean(found: list[dict[str, str]]) -> Any:
        pairs = {(row["recipe"].lower(), row["class"]) for row in found}
        if not all(recipe in recipes and label in pool.classes for recipe, label in pairs):
            raise NoMeaningError("no recipe or class of the pool")
        return pairs

    def read(path: Path) -> Any:
        return {(recipe.lower(), label) for recipe, label in read_exclusions(path, pool)}

    kind = Kind(rows, read, mean)
    try_tables(kind, times, tmp_path, trials)


@sized
def test_faulty_verdicts_are_read_as_they_mean_or_refused(
    shared_audit: Path, times: int, tmp_path: Path, trials: Trials
) -> None:
    from negmine.audit.audit_folder import KEY, read_clip_verdicts, read_key

    key = read_key(shared_audit / KEY)
    asked = {Path(n).stem: claim.label for n, claim in zip(key.clips, key.claims, strict=True)}
    rows = [["recording", "class", "t_min", "t_max", "verdict", "listener"]]
    rows += [[name, label, "0.0", "1.0", "absent", "mia"] for name, label in asked.items()]

    def mean(found: list[dict[str, str]]) -> Any:
        said: dict[str, dict[str, str]] = {}
        for row in found:
            if asked.get(row["recording"]) != row["class"]:
                raise NoMeaningError("not what was asked")
            start_s, end_s = (round(number(row[name]), 6) for name in ("t_min", "t_max"))
            word, who = row["verdict"].lower(), row.get("listener", "")
            words = said.setdefault(row["recording"], {})
            if not 0 <= start_s < end_s or (word and who in words):
                raise NoMeaningError("no span, or a second word")
            if word not in ("present", "absent", "unsure", ""):
                raise NoMeaningError("another word")
            words |= {who: word} if word else {}
        if said.keys() != asked.keys() or not any(said.values()):
            raise NoMeaningError("a clip is missing, or no verdict")
        sure = [{*said[name].values()} - {"unsure"} for name in asked]
        return [
            one.pop() if len(one) == 1 else "unsure" if said[name] else ""
            for name, one in zip(asked, sure, strict=True)
        ]

    kind = Kind(rows, lambda path: [v.word for v in read_clip_verdicts(path, key)], mean)
    try_tables(kind, times, tmp_path, trials)


def try_tables(kind: Kind, times: int, folder: Path, trials: Trials) -> None:
    path = folder / "table.csv"
    whole(path, kind.rows)
    assert kind.read(path) == kind.means(rows_of(path.read_bytes())), "a table without a fault"

    @settings(max_examples=50 * times, phases=(Phase.generate, Phase.shrink))
    @given(faulty(kind.rows))
    def check(content: bytes) -> None:
        path.write_bytes(content)
        try:
            with one_line():
                found = kind.read(path)
        except RefusedError:
            trials.count("refused")
            return
        try:
            expected = kind.means(rows_of(content))
        except (NoMeaningError, KeyError) as error:
            raise AssertionError(f"read as {found}, and means nothing: {error!r}") from error
        assert found == expected
        trials.count("as it means")

    check()
    trials.check()
