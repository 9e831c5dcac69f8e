"""Tables that BirdNET-Analyzer and HawkEars write themselves, where they are installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from negmine.audio.windows import Span
from negmine.formats.recognise import Table, read_tables

SPANS = [Span(0, 3), Span(3, 6)]


def said(table: Table) -> list[tuple[object, ...]]:
    return [(e.recording.rpartition("/")[2], e.label, e.verdict, e.span) for e in table.entries]


@pytest.fixture
def analyzer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The functions of BirdNET-Analyzer that write results, of one species."""
    utils = pytest.importorskip("birdnet_analyzer.analyze.utils")
    species = "Strix aluco_Tawny Owl"
    given = {
        "LABELS": [species],
        "TRANSLATED_LABELS": [species],
        "CODES": {species: "tawowl1"},
        "USE_PERCH": False,
        "ADDITIONAL_COLUMNS": None,
        "OUTPUT_PATH": "out",
    }
    for name, value in given.items():
        monkeypatch.setattr(utils.cfg, name, value)
    monkeypatch.setattr(utils.audio, "get_sample_rate", lambda path: 48_000)
    return utils


FOUND = {"0.0-3.0": [("Strix aluco_Tawny Owl", 0.8)], "3.0-6.0": [("Strix aluco_Tawny Owl", 0.5)]}


@pytest.mark.parametrize(
    ("write", "name", "format"),
    [
        ("generate_raven_table", "a.BirdNET.selection.table.txt", "raven"),
        ("generate_kaleidoscope", "a.BirdNET.results.kaleidoscope.csv", "kaleidoscope"),
        ("generate_csv", "a.BirdNET.results.csv", "birdnet"),
        ("generate_audacity", "a.BirdNET.results.txt", "audacity"),
    ],
)
def test_birdnet_analyzer(
    tmp_path: Path, analyzer: Any, write: str, name: str, format: str
) -> None:
    sound = () if format == "audacity" else ("/d/site/a.wav",)
    getattr(analyzer, write)(list(FOUND), FOUND, *sound, str(tmp_path / name))
    (table,) = read_tables([tmp_path / name])
    assert table.format == format
    recording = "a" if format == "audacity" else "a.wav"
    assert said(table) == [(recording, "Tawny Owl", "unknown", span) for span in SPANS]
    assert [e.score for e in table.entries] == [0.8, 0.5]


def test_hawkears(tmp_path: Path) -> None:
    raven = pytest.importorskip("hawkears.core.raven")
    pandas = pytest.importorskip("pandas")
    rows = {"name": ["TAOW"] * 2, "start_time": [0.0, 3.0], "end_time": [3.0, 6.0]}
    frame = pandas.DataFrame({**rows, "score": [0.8, 0.5]})
    path = tmp_path / "a_HawkEars.txt"
    raven.write_raven_selection_table(
        frame, path, Path("/d/site/a.wav"), low_frequency=0.0, high_frequency=16000.0
    )
    (table,) = read_tables([path])
    assert table.format == "raven"
    assert said(table) == [("a.wav", "TAOW", "unknown", span) for span in SPANS]
