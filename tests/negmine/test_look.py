"""The look: contrasts as WCAG asks, one palette for all pages, pictures that follow the theme."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

import negmine
from negmine.look import DARK, LIGHT, THEMES, Theme, adaptive, css

PACKAGE = Path(negmine.__file__).parent


def luminance(colour: str) -> float:
    """Relative luminance: WCAG 2.2's definition."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", THEMES)
def test_contrasts_are_high_enough(name: str) -> None:
    theme = THEMES[name]
    for behind in (theme.page, theme.card):
        for text in (theme.ink, theme.soft, theme.accent, theme.good):
            assert contrast(text, behind) >= 4.5, (text, behind)
        for mark in (theme.negatives, theme.chosen, theme.calls, theme.doubted):
            assert contrast(mark, behind) >= 3, (mark, behind)
    assert contrast(theme.warn, theme.warn_page) >= 4.5
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def themes_of(text: str) -> list[dict[str, str]]:
    """The colours that a style sheet names, light and then dark."""
    light, dark = text.split("prefers-color-scheme: dark")[:2]
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", part)) for part in (light, dark)]


def test_the_style_sheet_has_both_themes() -> None:
    for theme, found in zip((LIGHT, DARK), themes_of(css()), strict=True):
        assert found == {
            one.name.replace("_", "-"): getattr(theme, one.name) for one in fields(Theme)
        }


def test_the_page_of_a_review_has_the_same_colours() -> None:
    text = (PACKAGE / "review" / "page" / "review.css").read_text(encoding="utf-8")
    names = {"page", "card", "ink", "soft", "line", "accent", "warn", "warn-page"}
    for found, ours in zip(themes_of(text), themes_of(css()), strict=True):
        assert names <= found.keys()
        assert {name: found[name] for name in names} == {name: ours[name] for name in names}


def test_a_picture_follows_the_theme_by_variables_alone() -> None:
    svg = f'<?xml?><svg width="1"><path style="fill: {LIGHT.ink}; stroke: #123456"/></svg>'
    made = adaptive(svg)
    assert '<path style="fill: var(--ink); stroke: #123456"/>' in made
    assert made.index("<style>") == made.index('width="1">') + len('width="1">')
    assert f"svg{{--ink:{LIGHT.ink}}}" in made
    assert f"(prefers-color-scheme:dark){{svg{{--ink:{DARK.ink}}}}}" in made
