"""Tables as other tools write them, whole and as a spreadsheet or a hand leaves them.

The columns are those that the sources of the tools write, of the versions named here.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from negmine.annotations.assemble import Assembly, assemble
from negmine.annotations.recording_names import RecordingNames
from negmine.audio.folder import open_folder
from negmine.audio.windows import Span
from negmine.errors import AnnotationError
from negmine.formats.format import Options
from negmine.formats.recognise import ReadAs, Table, read_tables

Said = tuple[object, ...]


@dataclass(frozen=True)
class Sample:
    """A table of one format, and what it says: recording, label, verdict, span, band."""

    format: str
    text: str
    said: list[Said]
    name: str = "t.csv"
    options: Options = field(default_factory=Options)
    # the columns of a beginning and an end, where a row has both
    times: tuple[str, str] | None = None
    number: str = ""
    # words that its notes hold
    notes: tuple[str, ...] = ()

    @property
    def delimiter(self) -> str:
        return "\t" if "\t" in self.text.partition("\n")[0] else ","

    @property
    def grid(self) -> list[list[str]]:
        lines = csv.reader(io.StringIO(self.text), delimiter=self.delimiter)
        return [cells for cells in lines if cells]


def owl(verdict: str, start: float, end: float, band: object = None, name: str = "a.wav") -> Said:
    return (name, "owl", verdict, Span(start, end), band)


SAMPLES = {
    "raven 1.6 by hand": Sample(
        "raven",
        "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\t"
        "Begin Path\tFile Offset (s)\tBird\tVerdict\n"
        "1\tWaveform 1\t1\t61.5\t62.75\t300.5\t900.0\tC:\\d\\b.wav\t1.5\towl\ty\n"
        "1\tSpectrogram 1\t1\t61.5\t62.75\t300.5\t900.0\tC:\\d\\b.wav\t1.5\towl\ty\n"
        "2\tSpectrogram 1\t1\t63.5\t64.5\t300.5\t900.0\tC:\\d\\b.wav\t3.5\towl\tn\n",
        [
            owl("present", 1.5, 2.75, (300.5, 900), "C:\\d\\b.wav"),
            owl("absent", 3.5, 4.5, (300.5, 900), "C:\\d\\b.wav"),
        ],
        "t.txt",
        times=("Begin Time (s)", "End Time (s)"),
        number="File Offset (s)",
        notes=("taken from the column 'Bird'", "rows of one selection in several views count once"),
    ),
    "raven of BirdNET-Analyzer 2.4.0": Sample(
        "raven",
        "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\t"
        "Common Name\tSpecies Code\tConfidence\tBegin Path\tFile Offset (s)\n"
        "1\tSpectrogram 1\t1\t0.0\t3.0\t0\t15000\towl\tbaowl\t0.8123\ta.wav\t0.0\n"
        "2\tSpectrogram 1\t1\t63.0\t66.0\t0\t15000\towl\tbaowl\t0.5123\ta.wav\t3.0\n"
        "3\tSpectrogram 1\t1\t0\t3\t0\t15000\tnocall\tnocall\t1.0\tb.wav\t0\n",
        [owl("unknown", 0, 3, (0, 15000)), owl("unknown", 3, 6, (0, 15000))],
        "t.BirdNET.selection.table.txt",
        times=("Begin Time (s)", "End Time (s)"),
        number="Confidence",
        notes=("'Common Name', not from 'Species Code'", "'nocall', which says", "all are unknown"),
    ),
    "raven of BirdNET-Analyzer after 2.4": Sample(
        "raven",
        "Selection\tBegin Time (s)\tEnd Time (s)\tCommon Name\tScientific Name\tSpecies Code\t"
        "Confidence\tView\tChannel\tFile Offset (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tBegin Path\n"
        "1\t0.5\t3.5\towl\tStrix aluco\ttawowl1\t0.8123\tSpectrogram 1\t1\t0.5\t0\t15000\ta.wav\n",
        [owl("unknown", 0.5, 3.5, (0, 15000))],
        "t.txt",
        times=("Begin Time (s)", "End Time (s)"),
        number="Confidence",
    ),
    "raven of HawkEars 2.3.0": Sample(
        "raven",
        "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tCommon Name\tScientific Name\t"
        "Species Code\teBird Code\tSpecies\tConfidence\tFile Offset (s)\tLow Freq (Hz)\t"
        "High Freq (Hz)\tBegin File\tBegin Path\n"
        "1\tSpectrogram 1\t1\t1.5000\t4.5000\tTawny Owl\tStrix aluco\tTAOW\ttawowl1\towl\t0.9210\t"
        "1.5000\t0.0000\t16000.0000\ta.wav\ta.wav\n",
        [owl("unknown", 1.5, 4.5, (0, 16000))],
        "t.txt",
        times=("Begin Time (s)", "End Time (s)"),
        number="Confidence",
    ),
    "BirdNET-Analyzer 2.4.0": Sample(
        "birdnet",
        "Start (s),End (s),Scientific name,Common name,Confidence,File,Correct\n"
        "0.5,3.5,Strix aluco,owl,0.8123,a.wav,1\n"
        "3.5,6.5,Strix aluco,owl,0.7,a.wav,0\n"
        "6.5,9.5,Strix aluco,owl,0.6,a.wav,\n",
        [owl("present", 0.5, 3.5), owl("absent", 3.5, 6.5), owl("unknown", 6.5, 9.5)],
        times=("Start (s)", "End (s)"),
        number="Confidence",
    ),
    "BirdNET-Analyzer 2.4.0 with its settings": Sample(
        "birdnet",
        "Start (s),End (s),Scientific name,Common name,Confidence,File,lat,lon,week,overlap,"
        "sensitivity,min_conf,species_list,model\n"
        "0.5,3.5,Strix aluco,owl,0.8123,a.wav,-1,-1,-1,0.0,1.0,0.25,,BirdNET_V2.4\n",
        [owl("unknown", 0.5, 3.5)],
        times=("Start (s)", "End (s)"),
        number="Confidence",
    ),
    "BirdNET-Analyzer 1.5, for R": Sample(
        "birdnet",
        "filepath,start,end,scientific_name,common_name,confidence,lat,lon,week,overlap,"
        "sensitivity,min_conf,species_list,model\n"
        "a.wav,0.5,3.5,Strix aluco,owl,0.8123,-1,-1,-1,0.0,1.0,0.25,,BirdNET_V2.4\n",
        [owl("unknown", 0.5, 3.5)],
        times=("start", "end"),
        number="confidence",
    ),
    "Kaleidoscope's layout, of BirdNET-Analyzer 2.4.0": Sample(
        "kaleidoscope",
        "INDIR,FOLDER,IN FILE,OFFSET,DURATION,scientific_name,common_name,confidence,lat,lon,"
        "week,overlap,sensitivity\n"
        "/d,s1,a.wav,0.5,3.0,Strix aluco,owl,0.8123,-1.0000,-1.0000,-1,0.0,1.0\n",
        [owl("unknown", 0.5, 3.5, None, "/d/s1/a.wav")],
        number="OFFSET",
    ),
    "Kaleidoscope's layout, of BirdNET-Analyzer after 2.4": Sample(
        "kaleidoscope",
        "OFFSET,confidence,INDIR,FOLDER,IN FILE,DURATION,TOP1MATCH,MANUAL ID\n"
        "0.5,0.8123,/d,s1,a.wav,3.0,owl,owl\n"
        "3.5,0.6,/d,s1,a.wav,3.0,owl,wren\n"
        "6.5,0.5,/d,s1,a.wav,3.0,owl,Noise\n"
        "9.5,0.5,/d,s1,a.wav,3.0,owl,\n",
        [
            owl("present", 0.5, 3.5, None, "/d/s1/a.wav"),
            ("/d/s1/a.wav", "wren", "present", Span(3.5, 6.5), None),
            owl("absent", 3.5, 6.5, None, "/d/s1/a.wav"),
            owl("absent", 6.5, 9.5, None, "/d/s1/a.wav"),
            owl("unknown", 9.5, 12.5, None, "/d/s1/a.wav"),
        ],
        number="OFFSET",
        notes=("MANUAL ID is the verdict",),
    ),
    "Kaleidoscope Pro 5, cluster.csv": Sample(
        "kaleidoscope",
        "INDIR,FOLDER,IN FILE,CHANNEL,OFFSET,DURATION,Fmin,Fmean,Fmax,DATE,TIME,HOUR,TOP1MATCH*,"
        "TOP1DIST,TOP2MATCH,TOP2DIST,TOP3MATCH,TOP3DIST,VOCALIZATIONS,MANUAL ID\n"
        "C:\\d,s1,a.wav,0,1.5,2.0,1000.5,2000,3000,2020-05-01,10:00:00,10,set.00,0.2,,,,,1,owl\n"
        "C:\\d,s1,a.wav,0,5.5,2.0,1000.5,2000,3000,2020-05-01,10:00:00,10,set.01,0.2,,,,,1,\n",
        [
            owl("present", 1.5, 3.5, (1000.5, 3000), "C:/d/s1/a.wav"),
            ("C:/d/s1/a.wav", "set.01", "unknown", Span(5.5, 7.5), (1000.5, 3000)),
        ],
        number="OFFSET",
    ),
    "Kaleidoscope Pro 5, id.csv of bats": Sample(
        "kaleidoscope",
        "INDIR,FOLDER,IN FILE,CHANNEL,OFFSET,DURATION,DATE,TIME,AUTO ID*,PULSES,MATCHING,MARGIN,"
        "Fc,Sc,Dur,Fmax,Fmin,Fmean,MANUAL ID\n"
        "/d,,a.wav,0,0.5,5.0,2020-05-01,22:00:00,owl,7,5,0.6,40.1,9,3,60.5,38,45,OWL\n"
        "/d,,a.wav,0,5.5,5.0,2020-05-01,22:00:00,owl,7,5,0.6,40.1,9,3,60.5,38,45,NoID\n",
        [
            owl("present", 0.5, 5.5, (38000, 60500), "/d/a.wav"),
            owl("unknown", 5.5, 10.5, (38000, 60500), "/d/a.wav"),
        ],
        number="OFFSET",
        notes=("taken as kHz",),
    ),
    "birdnet 1.3.1": Sample(
        "birdnet_package",
        "input,start_time,end_time,species_name,confidence\n"
        '"a.wav","00:01:00.50","00:01:03.50","owl",0.812345\n'
        '"a.wav","01:00:00.00","01:00:03.00","owl",0.712345\n',
        [owl("unknown", 60.5, 63.5), owl("unknown", 3600, 3603)],
        times=("start_time", "end_time"),
        number="confidence",
    ),
    "HawkEars 2.3.0": Sample(
        "hawkears",
        "recording,name,start_time,end_time,score,validated\n"
        "a.wav,owl,0.500,3.500,0.921,TP\na.wav,owl,3.500,6.500,0.821,FP\n"
        "a.wav,owl,6.500,9.500,,\n",
        [owl("present", 0.5, 3.5), owl("absent", 3.5, 6.5), owl("unknown", 6.5, 9.5)],
        times=("start_time", "end_time"),
        number="score",
    ),
    "BriteKit 1.8.4, spans": Sample(
        "britekit",
        "recording,class,start_time,end_time\na.wav,owl,0.5,3.5\na.wav,owl,5,6\n",
        [owl("present", 0.5, 3.5), owl("present", 5, 6)],
        times=("start_time", "end_time"),
        number="start_time",
    ),
    "BriteKit 1.8.4, blocks": Sample(
        "britekit",
        'recording,block,classes\na.wav,1,"owl,wren"\na.wav,3,\n',
        [
            owl("present", 0, 60),
            ("a.wav", "wren", "present", Span(0, 60), None),
            ("a.wav", "*", "absent", Span(0, 60), None),
            ("a.wav", "*", "absent", Span(120, 180), None),
        ],
        number="block",
        notes=("a block is taken as 60 s", "does not list are absent"),
    ),
    "BriteKit 1.8.4, recordings": Sample(
        "britekit",
        "recording,classes\na.wav,owl\n",
        [("a.wav", "owl", "present", None, None), ("a.wav", "*", "absent", None, None)],
        notes=("does not list are absent",),
    ),
    "Arbimon, the page": Sample(
        "arbimon",
        "id,recording,site,year,month,day,hour,minute,species,songtype,x1,x2,y1,y2,frequency,"
        "validated,url,score,site_id\n"
        "1,a.wav,hill,2020,5,1,10,0,owl,Song,3.5,2.5,500.5,30000,24000,present,https://x,0.5,7\n"
        "2,a.wav,hill,2020,5,1,10,0,owl,Song,4.5,5.5,500.5,900,24000,not present,https://x,0.5,7\n"
        "3,a.wav,hill,2020,5,1,10,0,owl,Song,6,7,500.5,900,24000,(not validated),https://x,0.4,7\n",
        [
            owl("present", 2.5, 3.5, (500.5, 24000)),
            owl("absent", 4.5, 5.5, (500.5, 900)),
            owl("unknown", 6, 7, (500.5, 900)),
        ],
        number="x1",
        notes=("y2 is cut off at half the sample rate: 1 times",),
    ),
    "Arbimon, the bulk job": Sample(
        "arbimon",
        "x1,y1,x2,y2,score,validated,site_id,recording_id,recording_local_time,site_name,audio_url\n"
        "2.5,500.5,3.5,900,0.5,1,7,77,2020-05-01 10:00:00,hill,https://x\n"
        "4.5,500.5,5.5,900,0.5,0,7,77,2020-05-01 10:00:00,hill,https://x\n"
        "6.5,500.5,7.5,900,0.5,---,7,77,2020-05-01 10:00:00,hill,https://x\n",
        [
            owl("present", 2.5, 3.5, (500.5, 900), "77"),
            owl("absent", 4.5, 5.5, (500.5, 900), "77"),
            owl("unknown", 6.5, 7.5, (500.5, 900), "77"),
        ],
        options=Options(label="owl"),
        number="x1",
        notes=("named by Arbimon's numbers",),
    ),
    "Arbimon, citizens": Sample(
        "arbimon",
        "id,recording,site_id,site,year,month,day,hour,min,species,songtype,x1,x2,y1,y2,score,"
        "cs_val_present,cs_val_not_present,consensus_validated,expert_validated,"
        "expert_validation_user,uri\n"
        "1,a.wav,7,hill,2020,5,1,10,0,owl,Song,1,2,500.5,900,0.5,2,1,(not consensus validated),"
        "(not expert validated),(unknown),u\n"
        "2,a.wav,7,hill,2020,5,1,10,0,owl,Song,3,4,500.5,900,0.5,3,0,present,not present,Ann B,u\n"
        "3,a.wav,7,hill,2020,5,1,10,0,owl,Song,5,6,500.5,900,0.5,3,0,present,"
        "(not expert validated),(unknown),u\n",
        [
            owl("unknown", 1, 2, (500.5, 900)),
            owl("absent", 3, 4, (500.5, 900)),
            owl("present", 5, 6, (500.5, 900)),
        ],
        number="x1",
        notes=("votes on both sides",),
    ),
    "Arbimon, whole recordings": Sample(
        "arbimon",
        "recording_validation_id,recording_id,species_id,scientific_name,songtype_id,songtype,"
        "user_id,present_visualizer,present_pm,present_aed,created_at,updated_at\n"
        "1,77,3,owl,1,Song,9,1,,,d,d\n2,78,3,owl,1,Song,9,0,,,d,d\n3,79,3,owl,1,Song,9,,,,d,d\n"
        "4,80,3,owl,1,Song,9,,2,,d,d\n5,81,3,owl,1,Song,9,0,1,,d,d\n",
        [
            ("77", "owl", "present", None, None),
            ("78", "owl", "absent", None, None),
            ("79", "owl", "unknown", None, None),
            ("80", "owl", "present", None, None),
            ("81", "owl", "unknown", None, None),
        ],
        notes=("absent to the listener, and a match is confirmed", "named by Arbimon's numbers"),
    ),
    "WildTrax, tags": Sample(
        "wildtrax",
        "location,recording_date_time,task_method,task_duration,observer,species_code,"
        "individual_number,vocalization,abundance,tag_start_time,tag_duration,min_tag_freq,"
        "max_tag_freq,species_individual_comments,tag_is_hidden_for_verification,"
        "recording_sample_frequency,internal_tag_id\n"
        "L-1,2023-06-01 05:30:00,1SPT,180,Ann,owl,1,Song,1,3.5,2,1.5kHz,5000,,f,44100,\n"
        "L-1,2023-06-01 06:30:00,1SPT,180,Ann,NONE,1,,,,,,,,f,44100,\n",
        [
            owl("present", 3.5, 5.5, (1500, 5000), "L-1_20230601_053000"),
            ("L-1_20230601_063000", "*", "absent", Span(0, 180), None),
        ],
        number="tag_start_time",
        notes=("named as WildTrax names them", "all are taken as completed"),
    ),
    "WildTrax, a report": Sample(
        "wildtrax",
        "location,recording_date_time,source_file_name,aru_task_status,task_duration,observer,"
        "species_code,start_s,end_s,confidence,tag_is_verified\n"
        "L,2023-06-01 05:30:00,a.wav,Transcribed,60,Ann,owl,3.5,5.5,0.8,t\n"
        "L,2023-06-01 05:30:00,a.wav,Transcribed,60,Ann,owl,6.5,8.5,0.8,f\n"
        "L,2023-06-01 05:30:00,b.wav,Transcribed,60,Ann,NONE,,,,f\n"
        "L,2023-06-01 05:30:00,c.wav,New,60,Ann,NONE,,,,f\n",
        [
            owl("present", 3.5, 5.5),
            owl("unknown", 6.5, 8.5),
            ("b.wav", "*", "absent", Span(0, 60), None),
        ],
        times=("start_s", "end_s"),
        number="confidence",
        notes=("in a task that is not completed",),
    ),
}


def those(which: Callable[[Sample], object]) -> pytest.MarkDecorator:
    found = {name: sample for name, sample in SAMPLES.items() if which(sample)}
    return pytest.mark.parametrize("sample", found.values(), ids=list(found))


ALL = those(lambda sample: True)


def read(folder: Path, sample: Sample, content: str | bytes) -> Table:
    path = folder / sample.name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (table,) = read_tables([path], ReadAs(options=sample.options))
    assert table.format == sample.format
    return table


def said(table: Table) -> list[Said]:
    return [(e.recording, e.label, e.verdict, e.span, e.band_hz) for e in table.entries]


def written(grid: list[list[str]], delimiter: str, end: str = "\n") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(grid)
    return text.getvalue()


def changed(sample: Sample, change: Callable[[list[list[str]]], None]) -> str:
    grid = sample.grid
    change(grid)
    return written(grid, sample.delimiter)


@ALL
def test_what_the_tool_writes(tmp_path: Path, sample: Sample) -> None:
    table = read(tmp_path, sample, sample.text)
    assert said(table) == sample.said
    text = "\n".join(table.notes.text())
    for words in sample.notes:
        assert words in text
    known = (*sample.notes, "no column of verdicts", "taken from the column 'Species'")
    known = (*known, "taken from the column 'Common Name'", "MANUAL ID is the verdict")
    odd = [line for line in table.notes.text() if not any(words in line for words in known)]
    assert odd == []


@ALL
def test_a_spreadsheets_marks_semicolons_and_decimal_commas(tmp_path: Path, sample: Sample) -> None:
    grid = sample.grid
    numbers = {
        n for n, name in enumerate(grid[0]) if name in (sample.number, *(sample.times or ()))
    }
    for cells in grid[1:]:
        for n in numbers:
            cells[n] = cells[n].replace(".", ",")
    for delimiter in (";", "\t"):
        text = "\ufeff" + written(grid, delimiter, "\r\n")
        table = read(tmp_path, sample, text)
        assert said(table) == sample.said
        semicolons = any("separated by semicolons" in line for line in table.notes.text())
        assert semicolons == (delimiter == ";")


@ALL
def test_headers_that_repeat_and_empty_rows(tmp_path: Path, sample: Sample) -> None:
    def change(grid: list[list[str]]) -> None:
        grid += [["\ufeff" + grid[0][0], *grid[0][1:]], [""] * len(grid[0])]

    table = read(tmp_path, sample, changed(sample, change))
    assert said(table) == sample.said
    assert table.notes.dropped["it repeats the header"] == 1
    assert table.notes.dropped["it is empty"] == 1


# BriteKit's tables are known by having no other column; in Raven's by hand, one more column may
# hold the class
@those(lambda sample: sample.format != "britekit" and "Bird" not in sample.grid[0])
def test_columns_in_another_order_and_one_more(tmp_path: Path, sample: Sample) -> None:
    def change(grid: list[list[str]]) -> None:
        for cells, more in zip(grid, ["mood", *["glad"] * len(grid)], strict=False):
            cells.append(more)
            cells.reverse()

    table = read(tmp_path, sample, changed(sample, change))
    assert said(table) == sample.said
    assert any("not used: mood" in line for line in table.notes.text())


def wrong(folder: Path, sample: Sample, content: str | bytes) -> str:
    with pytest.raises(AnnotationError) as caught:
        read(folder, sample, content)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@those(lambda sample: sample.number)
def test_dates_and_words_in_the_place_of_numbers(tmp_path: Path, sample: Sample) -> None:
    for text in ("01.05.2026", "3-May", "about 3"):

        def change(grid: list[list[str]], text: str = text) -> None:
            grid[1][grid[0].index(sample.number)] = text

        message = wrong(tmp_path, sample, changed(sample, change))
        assert f"row 2: {sample.number} '{text}' is not a number" in message


@those(lambda sample: sample.times)
def test_times_that_are_empty_or_sorted_alone(tmp_path: Path, sample: Sample) -> None:
    assert sample.times
    first, last = sample.times

    def empty(grid: list[list[str]]) -> None:
        grid[1][grid[0].index(last)] = ""

    def both_empty(grid: list[list[str]]) -> None:
        empty(grid)
        grid[1][grid[0].index(first)] = ""

    if sample.format == "wildtrax":  # a tag may be without times
        table = read(tmp_path, sample, changed(sample, empty))
        assert said(table) == sample.said[1:]
        assert any("a tag without a time" in line for line in table.notes.text())
    else:
        assert "empty" in wrong(tmp_path, sample, changed(sample, empty))
        assert "empty" in wrong(tmp_path, sample, changed(sample, both_empty))

    def sorted_alone(grid: list[list[str]]) -> None:
        place = grid[0].index(last)
        rows = [[*cells] for cells in (grid[1], grid[1])]
        rows[1][grid[0].index(first)] = rows[0][place]
        grid[1:] = rows
        if "Selection" in grid[0]:
            grid[2][grid[0].index("Selection")] = "9"

    message = wrong(tmp_path, sample, changed(sample, sorted_alone))
    assert "row 3" in message
    assert "sorted alone" in message


@ALL
def test_cells_too_many_too_few_and_names_twice(tmp_path: Path, sample: Sample) -> None:
    def note(grid: list[list[str]]) -> None:
        grid[1].append("nice one")

    assert "row 2" in (message := wrong(tmp_path, sample, changed(sample, note)))
    assert "no column is named for 'nice one'" in message

    def text(grid: list[list[str]]) -> None:
        grid.insert(1, ["Checked by Ann on Monday"])

    assert "row 2: 1 cells" in wrong(tmp_path, sample, changed(sample, text))

    def twice(grid: list[list[str]]) -> None:
        for cells in grid:
            cells.append(cells[0])

    message = wrong(tmp_path, sample, changed(sample, twice))
    assert "appears 2 times" in message or "may be of" in message


@ALL
def test_another_encoding(tmp_path: Path, sample: Sample) -> None:
    def change(grid: list[list[str]]) -> None:
        grid[1] = [cell.replace("owl", "búho").replace("hill", "otún") for cell in grid[1]]

    assert "not UTF-8" in wrong(tmp_path, sample, changed(sample, change).encode("cp1252"))


@ALL
def test_a_table_cut_off(tmp_path: Path, sample: Sample) -> None:
    header = sample.text.partition("\n")[0]
    assert "nothing is read of it" in wrong(tmp_path, sample, header + "\n")


@those(lambda sample: any(one[2] == "present" for one in sample.said))
def test_what_is_read_becomes_annotations_of_the_files(tmp_path: Path, sample: Sample) -> None:
    files = {str(one[0]).replace("\\", "/").rpartition("/")[2] for one in sample.said}
    folder = tmp_path / "sound"
    folder.mkdir()
    for name in files:
        (folder / (name if name.endswith(".wav") else f"{name}.wav")).touch()
    table = read(tmp_path, sample, sample.text)
    names = RecordingNames([open_folder(folder)])
    found = assemble(table.entries, Assembly(recordings=names))
    assert set(found.by_recording) <= {name.removesuffix(".wav") for name in files}
    # whether each is of both verdicts or of one, no presence is lost
    calls = {(str(one[1]), one[3]) for one in sample.said if one[2] == "present" and one[3]}
    assert calls <= {(box.label, box.span) for box in found.confirmed}


# what half-edited files hold in odd places
BITS = (
    b"",
    b"\t",
    b",",
    b";",
    b"\n",
    b'"',
    b"\0",
    b"-1",
    b"1e999",
    b"nan",
    b"*",
    b"\xff",
    b"9" * 400,
)


@ALL
def test_damage_anywhere_is_read_or_is_an_error_of_the_table(
    tmp_path: Path, sample: Sample
) -> None:
    rng = random.Random(sample.text)
    content = sample.text.encode()
    path = tmp_path / sample.name
    for _ in range(15):
        start = rng.randrange(len(content))
        end = start + rng.choice((0, 1, 5, 20))
        path.write_bytes(content[:start] + rng.choice(BITS) + content[end:])
        with suppress(AnnotationError):  # the command line prints each as one line
            read_tables([path], ReadAs(options=sample.options))
