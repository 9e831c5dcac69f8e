"""What the readers refuse or leave out, format by format, each in a line that says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from negmine.errors import AnnotationError
from negmine.formats.format import Options
from negmine.formats.recognise import ReadAs, Table, read_tables

ARBIMON = "id,recording,species,x1,x2,y1,y2,score,validated"
KALEIDOSCOPE = "INDIR,FOLDER,IN FILE,OFFSET,DURATION"
WILDTRAX = "location,recording_date_time,species_code,tag_start_time,tag_duration"


def read(path: Path, text: str, **options: object) -> Table:
    path.write_text(text, encoding="utf-8")
    (table,) = read_tables([path], ReadAs(options=Options(**options)))  # type: ignore[arg-type]
    return table


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (f"{ARBIMON},user,cs_validation\n", {}, "one row for each person's vote"),
        (
            "x1,y1,x2,y2,score,validated,recording_id\n1,2,3,4,0.5,1,7\n",
            {},
            "no column of species.*pass the class of its job with --label",
        ),
        (f"{ARBIMON}\n1,a,owl,1,2,5,5,0.5,present\n", {}, "row 2: the band from 5 to 5 Hz is none"),
        (f"{ARBIMON}\n1,a,owl,1,1,5,9,0.5,present\n", {}, "row 2: the end 1 s is not after"),
        (f"{ARBIMON}\n1,a,owl,1,2,5,9,0.5,perhaps\n", {}, "row 2: validated 'perhaps'"),
        (
            f"{KALEIDOSCOPE}\n/d,s,a.wav,0,1\n",
            {},
            "no column MANUAL ID or TOP1MATCH says the class",
        ),
        (
            f"{KALEIDOSCOPE},TOP1MATCH,MANUAL ID,correct\n/d,s,a.wav,0,1,owl,owl,1\n",
            {},
            "MANUAL ID and 'correct' both may hold verdicts",
        ),
        (f"{KALEIDOSCOPE},TOP1MATCH\n/d,s,a.wav,0,0,owl\n", {}, "row 2: the end 0 s is not after"),
        (
            f"{WILDTRAX}\nL,1/6/2023 5:30,owl,1,2\n",
            {},
            "recording_date_time '1/6/2023 5:30'.*did a spreadsheet change it",
        ),
        (
            f"{WILDTRAX},min_tag_freq,max_tag_freq\nL,2023-06-01 05:30:00,owl,1,2,9 kHz,3000\n",
            {},
            "row 2: the band from 9000 to 3000 Hz is none",
        ),
        ("recording,block,classes\na,1.5,owl\n", {}, "row 2: block 1.5: expected 1, 2, 3"),
        ("recording,classes\na,owl\n", {"columns": {"class": "classes"}}, "leave --column out"),
        (
            "recording,name,start_time,end_time,score\na,owl,0,1,0.5\n",
            {"columns": {"score": "points"}},
            "no column 'points'",
        ),
        (
            "recording,name,start_time,end_time,score\na,owl,0,1,0.5\n",
            {"columns": {"duration": "score"}},
            "--column duration=NAME is not taken by this format",
        ),
        (
            "recording,name,start_time,end_time,score\na,owl,0,1,0.5\n",
            {"columns": {"class": ""}},
            "no column 'name'; name it with --column class=NAME",
        ),
    ],
)
def test_what_is_refused(
    tmp_path: Path, text: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(AnnotationError, match=message) as caught:
        read(tmp_path / "t.csv", text, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "dropped"),
    [
        (
            f"{ARBIMON}\n1,,owl,1,2,5,9,0.5,present\n1,a,,1,2,5,9,0.5,present\n",
            ["recording", "class"],
        ),
        (
            f"{KALEIDOSCOPE},TOP1MATCH,MANUAL ID\n/d,s,,0,1,owl,owl\n/d,s,a.wav,0,1,,noise\n",
            ["recording", "class"],
        ),
        (
            f"{WILDTRAX},source_file_name\nL,,owl,1,2,\nL,2023-06-01 05:30:00,,1,2,a.wav\n",
            ["recording", "class"],
        ),
        ("recording,classes\n,owl\n", ["recording"]),
    ],
)
def test_rows_without_recording_or_class_are_counted(
    tmp_path: Path, text: str, dropped: list[str]
) -> None:
    with pytest.raises(AnnotationError, match="nothing is read of it") as caught:
        read(tmp_path / "t.csv", text)
    for what in dropped:
        assert f"left out 1 rows: no {what};" in str(caught.value)


def test_a_judged_word_of_manual_id_is_of_what_the_program_says(tmp_path: Path) -> None:
    rows = "".join(f"/d,s,a.wav,{n},1,owl,{word}\n" for n, word in enumerate(("yes", "no", "?")))
    table = read(tmp_path / "t.csv", f"{KALEIDOSCOPE},TOP1MATCH,MANUAL ID\n{rows}")
    assert [e.verdict for e in table.entries] == ["present", "absent", "unknown"]


def test_a_kaleidoscope_table_with_a_reviewers_column_and_no_manual_id(tmp_path: Path) -> None:
    text = f"{KALEIDOSCOPE},common_name,confidence,Correct\n/d,s,a.wav,0,3,owl,0.5,1\n"
    table = read(tmp_path / "t.csv", text + "/d,s,a.wav,3,3,owl,0.5,0\n")
    assert [(e.label, e.verdict) for e in table.entries] == [("owl", "present"), ("owl", "absent")]
