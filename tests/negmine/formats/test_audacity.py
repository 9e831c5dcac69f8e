"""Audacity's label tracks."""

from __future__ import annotations

from pathlib import Path

import pytest

from negmine.audio.windows import Span
from negmine.errors import AnnotationError
from negmine.formats.format import Options
from negmine.formats.recognise import ReadAs, Table, read_tables


def read(path: Path, text: str, **options: object) -> Table:
    path.write_text(text, encoding="utf-8")
    (table,) = read_tables([path], ReadAs(options=Options(**options)))  # type: ignore[arg-type]
    assert table.format == "audacity"
    return table


def said(table: Table) -> list[tuple[object, ...]]:
    return [(e.recording, e.label, e.verdict, e.span, e.band_hz, e.score) for e in table.entries]


def test_labels_with_frequencies_of_audacity_3(tmp_path: Path) -> None:
    text = (
        "1.500000\t2.500000\towl\n\\\t300.5\t900.0\n3.0\t4.0\twren\n\\\t-1.0\t900.0\n5.0\t5.0\tx\n"
    )
    table = read(tmp_path / "dawn.txt", text)
    assert said(table) == [
        ("dawn", "owl", "present", Span(1.5, 2.5), (300.5, 900), None),
        ("dawn", "wren", "present", Span(3, 4), (0, 900), None),
    ]
    assert table.notes.dropped == {"a label of a point in time, which has no length": 1}


def test_labels_of_birdnet_analyzer_2_4_with_verdicts_behind_them(tmp_path: Path) -> None:
    text = (
        "0.0\t3.0\tStrix aluco, Tawny Owl\t0.8123\n3.0\t6.0\tStrix aluco, Tawny Owl\t0.7\tno\n"
        "6.0\t9.0\tStrix aluco, Tawny Owl\tcorrect\n"
    )
    table = read(tmp_path / "dawn.BirdNET.results.txt", text)
    assert said(table) == [
        ("dawn", "Tawny Owl", "unknown", Span(0, 3), None, 0.8123),
        ("dawn", "Tawny Owl", "absent", Span(3, 6), None, 0.7),
        ("dawn", "Tawny Owl", "present", Span(6, 9), None, None),
    ]
    assert any("the second is the class: 3 times" in line for line in table.notes.text())


def test_labels_of_hawkears_2_3(tmp_path: Path) -> None:
    table = read(tmp_path / "dawn_scores.txt", "1.50\t4.50\tTAOW;0.921\n4.50\t7.50\tTAOW;0.821\n")
    assert said(table) == [
        ("dawn", "TAOW", "unknown", Span(1.5, 4.5), None, 0.921),
        ("dawn", "TAOW", "unknown", Span(4.5, 7.5), None, 0.821),
    ]


def test_decimal_commas_and_a_byte_order_mark(tmp_path: Path) -> None:
    table = read(tmp_path / "a.txt", "\ufeff1,5\t2,5\towl\r\n\r\n3,5\t4\towl\r\n")
    assert [e.span for e in table.entries] == [Span(1.5, 2.5), Span(3.5, 4)]
    assert any("a decimal comma" in line for line in table.notes.text())


def test_a_minus_before_the_class_rejects_it(tmp_path: Path) -> None:
    table = read(tmp_path / "a.txt", "1\t2\towl\n3\t4\t-owl\n")
    assert [(e.label, e.verdict) for e in table.entries] == [("owl", "present"), ("owl", "absent")]
    assert any("rejects the class behind it: 1 times" in line for line in table.notes.text())


def test_labels_without_words_take_the_class_asked_for(tmp_path: Path) -> None:
    table = read(tmp_path / "a.txt", "1\t2\n3\t4\t\n", label="owl")
    assert [e.label for e in table.entries] == ["owl", "owl"]
    table = read(tmp_path / "a.txt", "1\t2\towl\n3\t4\t\n")
    assert table.notes.dropped == {"no class": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\t2\towl\nChecked by Ann\n", "line 2: 'Checked by Ann' is no label"),
        ("1\t2\towl\n3-May\t4\towl\n", "line 2: the beginning '3-May' is not a number"),
        ("1\t2\towl\n\t4\towl\n", "line 2: a label needs a beginning and an end"),
        ("1\t2\towl\n9\t4\towl\n", "line 2: the end 4 s is not after .*sorted alone"),
        ("1\t2\towl\t0.5\tnice one\n", "line 1: the field behind the label 'nice one'"),
        ("1\t2\towl\n\\\t900\t300\n", "line 2: the band from 900 to 300 Hz is none"),
        ("1\t2\towl\n\\\t900\n", "line 2: expected a backslash and two frequencies"),
        ("1\t2\towl\n\\\t3\t9\n\\\t3\t9\n", "line 3: frequencies, and no label before them"),
        ("1\t2\towl\ta\tb\tc\n", "of no known format"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(AnnotationError, match=message) as caught:
        read(tmp_path / "a.txt", text)
    assert "\n" not in str(caught.value)
