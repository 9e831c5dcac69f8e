"""The classes' frequency bands: from their boxes, or from a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from negmine.annotations import Annotation, Annotations
from negmine.annotations.class_bands import class_bands
from negmine.audio.windows import Span
from negmine.errors import AnnotationError, InputError


def box(label: str, low: float, high: float, present: bool = True) -> Annotation:
    return Annotation("r", label, "", present, Span(0, 1), low, high, "table row 2")


ANNOTATIONS = Annotations(
    (
        box("frog", 500, 700),
        box("frog", 600, 900),
        box("owl", 100, 300),
        box("owl", 1, 9999, False),
    ),
    ("frog", "owl"),
)


def test_a_band_reaches_over_all_confirmed_boxes_and_a_margin() -> None:
    assert class_bands(ANNOTATIONS, 0.0) == {"frog": (500, 900), "owl": (100, 300)}
    assert class_bands(ANNOTATIONS, 0.5) == {"frog": (300, 1100), "owl": (0, 400)}
    assert class_bands(ANNOTATIONS, 0.5, nyquist_hz=1000)["frog"] == (300, 1000)


def test_a_table_takes_the_place_of_the_boxes_it_names(tmp_path: Path) -> None:
    table = tmp_path / "bands.csv"
    table.write_text("class,f_min,f_max\nowl,50,180\n")
    assert class_bands(ANNOTATIONS, 0.5, table) == {"frog": (300, 1100), "owl": (50, 180)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class,f_min\nowl,1\n", "no column 'f_max'.*; expected class, f_min, f_max; found class"),
        ("class,f_min,f_max\nowll,1,2\n", r"row 2: unknown class 'owll' \(did you mean owl\?\)"),
        ("class,f_min,f_max\nowl,1,2\nowl,1,2\n", "row 3: class 'owl' appears twice"),
        ("class,f_min,f_max\nowl,x,2\n", "row 2: f_min 'x' is not a number"),
        ("class,f_min,f_max\nowl,2,2\n", "row 2: f_min 2 and f_max 2: expected 0 <= f_min < f_max"),
        (
            "class,f_min,f_max\nowl,0.1,0.3\n",
            r"band from 0.1 to 0.3 Hz holds none .* from 100 to 300 Hz; are the edges in Hz\?",
        ),
        ("", "the file is empty"),
    ],
)
def test_a_malformed_table_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    table = tmp_path / "bands.csv"
    table.write_text(text)
    with pytest.raises(InputError, match=message):
        class_bands(ANNOTATIONS, table=table)


def test_a_missing_table_and_a_band_above_all_sound_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        class_bands(ANNOTATIONS, table=tmp_path / "none.csv")
    with pytest.raises(AnnotationError, match="'frog': its band begins at 500 Hz"):
        class_bands(ANNOTATIONS, 0.0, nyquist_hz=400)


def test_a_class_without_a_call_needs_a_row_in_the_table() -> None:
    with pytest.raises(AnnotationError, match="class 'z': no confirmed call gives its band"):
        class_bands(Annotations((), ("z",)))
