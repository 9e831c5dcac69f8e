"""Parquet of BirdNET-Analyzer and of the package birdnet: typed columns, read as text."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from negmine.audio.windows import Span
from negmine.errors import AnnotationError
from negmine.formats.recognise import Table, read_tables

ANALYZER = {
    "Start (s)": pa.array([0.0, 3.0], pa.float64()),
    "End (s)": pa.array([3.0, 6.0], pa.float64()),
    "Scientific name": ["Strix aluco", "Strix aluco"],
    "Common name": ["Tawny Owl", "Tawny Owl"],
    "Confidence": pa.array([0.8125, 0.5], pa.float32()),
    "File": ["a.wav", "a.wav"],
}
# as AcousticPredictionResultBase.to_arrow_table of birdnet 1.3.1 has them
PACKAGE = {
    "input": pa.array(["a.wav", "a.wav"]).dictionary_encode(),
    "start_time": pa.array([0.0, 60.5], pa.float32()),
    "end_time": pa.array([3.0, 63.5], pa.float32()),
    "species_name": pa.array(["owl", "owl"]).dictionary_encode(),
    "confidence": pa.array([0.8125, 0.5], pa.float32()),
}


def read(path: Path, columns: dict[str, object]) -> Table:
    pq.write_table(pa.table(columns), path)
    (table,) = read_tables([path])
    return table


def said(table: Table) -> list[tuple[object, ...]]:
    return [(e.recording, e.label, e.verdict, e.span, e.score) for e in table.entries]


def test_birdnet_analyzer(tmp_path: Path) -> None:
    table = read(tmp_path / "BirdNET_CombinedTable.parquet", ANALYZER)
    assert table.format == "birdnet"
    assert said(table) == [
        ("a.wav", "Tawny Owl", "unknown", Span(0, 3), 0.8125),
        ("a.wav", "Tawny Owl", "unknown", Span(3, 6), 0.5),
    ]


def test_a_reviewers_column_may_be_boolean_and_has_gaps(tmp_path: Path) -> None:
    judged = read(tmp_path / "t.parquet", {**ANALYZER, "correct": pa.array([False, None])})
    assert [e.verdict for e in judged.entries] == ["absent", "unknown"]


def test_the_package_birdnet(tmp_path: Path) -> None:
    table = read(tmp_path / "t.parquet", PACKAGE)
    assert table.format == "birdnet_package"
    assert said(table) == [
        ("a.wav", "owl", "unknown", Span(0, 3), 0.8125),
        ("a.wav", "owl", "unknown", Span(60.5, 63.5), 0.5),
    ]


def test_other_and_damaged_files_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="of no known format"):
        read(tmp_path / "t.parquet", {"mood": ["glad"]})
    read(path := tmp_path / "u.parquet", ANALYZER)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(AnnotationError, match="of no known format"):
        read_tables([path])
