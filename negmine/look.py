"""The look of all pages and plots: two themes, and colours that colour-blind readers tell apart.

What plots mark is in the colours of Okabe and Ito (2008, "Color Universal Design"), each at least 3
to 1 against the page, as WCAG 2.2 asks of graphics. Text is at least 4.5 to 1. Imports nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Theme:
    """Colours of one theme, as ``#rrggbb``.

    Attributes
    ----------
    page, card, ink, soft, line : str
        Behind all; behind what stands together; text; lesser text; borders and grids.
    accent, good, warn, warn_page : str
        Links and focus; what gained; a caution, and what is behind it.
    negatives, chosen, calls, doubted : str
        Rows of the pool; those that mining chose; confirmed calls; what is left for a person.
    """

    page: str
    card: str
    ink: str
    soft: str
    line: str
    accent: str
    good: str
    warn: str
    warn_page: str
    negatives: str
    chosen: str
    calls: str
    doubted: str

    @property
    def series(self) -> tuple[str, ...]:
        """Colours of lines that are compared, in order."""
        return (self.negatives, self.chosen, self.calls, self.doubted, self.accent, self.ink)


LIGHT = Theme(
    page="#fbfaf7", card="#ffffff", ink="#1d2126", soft="#545b64", line="#8b8f94",
    accent="#17618f", good="#23733f", warn="#7a3d00", warn_page="#fdf3df",
    negatives="#0072b2", chosen="#d55e00", calls="#009e73", doubted="#b4568c",
)  # fmt: skip
DARK = Theme(
    page="#14171a", card="#1c2024", ink="#e8e6e1", soft="#adb4bc", line="#6b737c",
    accent="#7cc0ea", good="#7fcf99", warn="#f0c27a", warn_page="#2b2417",
    negatives="#56b4e9", chosen="#e8762c", calls="#00b383", doubted="#cc79a7",
)  # fmt: skip
THEMES = {"light": LIGHT, "dark": DARK}

# The map of spectrograms, and what is drawn over it: a box, and the edges of a band.
SHADES = "magma"
OVER_SHADES = "#77ffff"


def css() -> str:
    """Return both themes as CSS variables: ``--warn-page`` is `Theme.warn_page`."""
    dark = "\n".join(f"  {line}" for line in _variables(DARK).splitlines())
    return f"{_variables(LIGHT)}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def _variables(theme: Theme) -> str:
    lines = (
        f"  --{one.name.replace('_', '-')}: {getattr(theme, one.name)};" for one in fields(theme)
    )
    return "\n".join((":root {", *lines, "}"))


def adaptive(svg: str) -> str:
    """Make an SVG that was drawn in the light theme follow the reader's: for pages in a browser.

    Parameters
    ----------
    svg : str
        Its colours are those of `LIGHT`, letter by letter.
    """
    style = []
    for one in fields(Theme):
        light, dark = getattr(LIGHT, one.name), getattr(DARK, one.name)
        if light != dark and light in svg:
            svg = svg.replace(light, f"var(--{one.name})")
            style.append((one.name, light, dark))
    rules = [";".join(f"--{name}:{pair[at]}" for name, *pair in style) for at in (0, 1)]
    text = (
        f"<style>svg{{{rules[0]}}}@media (prefers-color-scheme:dark){{svg{{{rules[1]}}}}}</style>"
    )
    start = svg.index(">", svg.index("<svg")) + 1
    return svg[:start] + text + svg[start:]
