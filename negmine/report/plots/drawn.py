"""What a kind of plot is, and how a figure becomes a file: the same bytes each time.

A kind is one file here that defines ``KIND``, a `PlotKind` whose function takes the inputs, the
settings and the theme and returns a `Drawn`. Its name, inputs and one line of help are in
`negmine.report.plots.KINDS`.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from negmine.errors import InputError, one_line
from negmine.look import Theme
from negmine.notices import warn_each
from negmine.report.settings import PlotSettings
from negmine.storage.files import writing

CM = 1 / 2.54

# Without a salt the same SVG has other ids each time; text stays text, to be found and read aloud.
_SVG: Any = {"svg.hashsalt": "negmine", "svg.fonttype": "none"}


@dataclass(frozen=True)
class Drawn:
    """A figure, and what it shows.

    Attributes
    ----------
    alt : str
        What it shows, in words: for those who cannot see it.
    facts : mapping
        What was drawn and counted; ``plot --json`` prints it.
    notes : tuple of str
        What is left out or guessed, a line each.
    """

    figure: Figure
    alt: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


Draw = Callable[[Sequence[Path], PlotSettings, Theme], Drawn]


@dataclass(frozen=True)
class PlotKind:
    """A kind of plot.

    Attributes
    ----------
    draw : callable
    most : int
        Inputs, at most; 0: any number.
    uses : frozenset of str
        The fields of `PlotSettings` that it uses, beside those of all.
    """

    draw: Draw
    most: int = 1
    uses: frozenset[str] = frozenset()

    def __call__(self, inputs: Sequence[Path], settings: PlotSettings, theme: Theme) -> Drawn:
        """Draw; a dollar sign in a name begins no formula."""
        with matplotlib.rc_context({"text.parse_math": False}):
            return self.draw(inputs, settings, theme)


def new_figure(settings: PlotSettings, width_cm: float, height_cm: float) -> Figure:
    """Make a figure of the size asked for, by default the one given here, in cm."""
    size = (settings.width_cm or width_cm, settings.height_cm or height_cm)
    figure = Figure(figsize=(size[0] * CM, size[1] * CM), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def finish(axis: Axes, theme: Theme, *, grid: str = "both") -> None:
    """Give an axis its colours, and a frame of two sides.

    Parameters
    ----------
    grid : {"both", "x", "y", ""}
    """
    axis.set_facecolor("none")
    axis.tick_params(which="both", colors=theme.soft, labelsize=9)
    axis.xaxis.label.set(color=theme.ink, fontsize=9.5)
    axis.yaxis.label.set(color=theme.ink, fontsize=9.5)
    if grid:
        axis.grid(axis=grid, color=theme.line, alpha=0.35, linewidth=0.6)  # type: ignore[arg-type]
    axis.set_axisbelow(True)
    for name, spine in axis.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(theme.line)


def title(axis: Axes, theme: Theme, text: str, size: float = 9.5) -> None:
    """Write a title above an axis, at its left."""
    axis.set_title(text, loc="left", color=theme.ink, fontsize=size)


def thinner(size: float, count: int) -> tuple[float, float]:
    """Return the area and the opacity of points: less of both where there are many."""
    return (size, 0.8) if count <= 500 else (size / 2, 0.5)


def shortened(name: str, most: int) -> str:
    """Cut a name that is too long for its place."""
    return name if len(name) <= most else name[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def legend(axis: Axes, theme: Theme, **places: Any) -> None:
    """Add a legend without a frame, above the axis unless a place is given."""
    given: dict[str, Any] = {
        "loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "ncols": 4, "fontsize": 8.5,
        "frameon": False, "labelcolor": theme.ink, "handlelength": 1.6, "columnspacing": 1.2,
    }  # fmt: skip
    axis.legend(**given | places)


def labels_of(paths: Sequence[Path]) -> list[str]:
    """Return the shortest ends of some paths that tell them apart, without the ending of a file."""
    whole = [path.resolve() for path in paths]
    if len(set(whole)) < len(whole):
        twice = next(path for path in paths if whole.count(path.resolve()) > 1)
        raise InputError(f"{twice}: named twice")
    parts = [(*one.parts[:-1], one.name if one.is_dir() else one.stem) for one in whole]
    for length in range(1, max(map(len, parts)) + 1):
        ends = ["/".join(one[-length:]) for one in parts]
        if len(set(ends)) == len(set(parts)):
            break
    # matplotlib's legends leave out what begins with an underscore
    return [f"./{end}" if end.startswith("_") else end for end in ends]


def as_svg(figure: Figure, title: str = "", page: str | None = None) -> bytes:
    """Return a figure as SVG: the same bytes each time.

    Parameters
    ----------
    title : str
        Its alternative text.
    page : str, optional
        The colour behind it; nothing by default.
    """
    FigureCanvasSVG(figure)
    out = io.BytesIO()
    about = {"Date": None} | ({"Title": title} if title else {})
    with matplotlib.rc_context(_SVG):
        figure.savefig(out, format="svg", metadata=about, facecolor=page or "none")
    return out.getvalue()


def write_plot(path: Path, drawn: Drawn, theme: Theme, dpi: int) -> int:
    """Write a figure as the name's ending says, ``.png`` or ``.svg``, whole or not at all.

    Returns
    -------
    int
        Bytes written.

    Raises
    ------
    InputError
        If the figure is too small for what it holds.
    OutputError
        If the file cannot be written.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if path.suffix.lower() == ".svg":
            content = as_svg(drawn.figure, drawn.alt, theme.page)
        else:
            content = _as_png(drawn, theme, dpi)
    said = dict.fromkeys(one_line(str(one.message)) for one in caught)
    if any("collapsed to zero" in line for line in said):
        raise InputError(
            f"{path}: no room for the plot beside its text; choose more --width and --height"
        )
    with writing(path) as temporary:
        temporary.write_bytes(content)
    warn_each(f"{path}: {line}" for line in said)
    return len(content)


def _as_png(drawn: Drawn, theme: Theme, dpi: int) -> bytes:
    out = io.BytesIO()
    # what PNG's text holds is Latin-1
    alt = drawn.alt.encode("latin-1", "replace").decode("latin-1")
    about = {"Software": None, "Description": alt}
    drawn.figure.savefig(out, format="png", dpi=dpi, facecolor=theme.page, metadata=about)
    return out.getvalue()
