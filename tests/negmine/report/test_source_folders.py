"""Folders of chosen clips, against a count clip by clip."""

from __future__ import annotations

from pathlib import Path

import pytest

from negmine.mining.selection import Chosen
from negmine.pool import open_pool
from negmine.report.source_folders import count_folders, folder_of


def test_clips_are_counted_in_each_folder_that_they_draw_on(shared_pool: Path) -> None:
    pool = open_pool(shared_pool)
    recipes = [pool[row] for row in range(0, len(pool), 3)]
    rows = [
        Chosen(one.id, label, 0.0, 1, one.kind, "x", 1.0, "", 0.0, 0.0)
        for one in recipes
        for label in ("0", "1")  # a clip of two classes counts once
    ]

    def slowly(clips: list[object]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for clip in clips:
            layers = clip.layers  # type: ignore[attr-defined]
            for folder in {folder_of(one.source) for one in layers if one.source}:
                counts[folder] = counts.get(folder, 0) + 1
        return counts

    found = count_folders(pool, rows)
    chosen, whole = slowly([*recipes]), slowly([*pool])
    assert {one.folder: one.pool for one in found} == whole
    assert {one.folder: one.chosen for one in found if one.chosen} == chosen
    assert len(chosen) > 1
    for one in found:
        assert one.share == pytest.approx(one.chosen / len(recipes))
        assert one.times == pytest.approx(one.share / (one.pool / len(pool)))
    assert [one.chosen for one in found] == sorted((one.chosen for one in found), reverse=True)
