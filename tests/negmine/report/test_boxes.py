"""Boxes of calls in a picture: where they are, clipped to it, of the class alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from negmine.annotations.schema import Annotation, Annotations
from negmine.audio.spectrogram import hz_to_mel
from negmine.audio.windows import Span
from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import Layer
from negmine.recipes.recipe import Recipe
from negmine.recipes.source import Source
from negmine.report.boxes import boxes_in

CLIP = Recipe(
    "tp", (Layer(Source(Path("r"), "a/rec.wav", "f" * 32, 60.0, "rec"), 10.0),), 4.0, 8000,
    PartialLabels(),
)  # fmt: skip


def verdicts(*boxes: tuple[str, bool, float, float, float, float]) -> Annotations:
    made = [
        Annotation("rec", label, "", present, Span(start, end), low, high, "here")
        for label, present, start, end, low, high in boxes
    ]
    return Annotations(tuple(made), ("0", "1"))


def test_a_box_is_where_it_was_drawn() -> None:
    (box,) = boxes_in(CLIP, "0", verdicts(("0", True, 11.0, 13.0, 1000.0, 2000.0)))
    assert (box.left, box.right) == (0.25, 0.75)
    assert box.bottom == pytest.approx(float(hz_to_mel(1000) / hz_to_mel(4000)))
    assert box.top == pytest.approx(float(hz_to_mel(2000) / hz_to_mel(4000)))


def test_a_box_that_reaches_beyond_is_clipped() -> None:
    (box,) = boxes_in(CLIP, "0", verdicts(("0", True, 9.0, 99.0, 0.0, float("inf"))))
    assert (box.left, box.right, box.bottom, box.top) == (0, 1, 0, 1)


def test_other_classes_rejections_and_spans_have_no_box() -> None:
    found = verdicts(
        ("1", True, 11.0, 12.0, 0.0, 10.0),
        ("0", False, 11.0, 12.0, 0.0, 10.0),
        ("0", True, 2.0, 10.0, 0.0, 10.0),
    )
    assert boxes_in(CLIP, "0", found) == ()
