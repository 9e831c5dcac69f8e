"""A sheet of spectrograms: the hardest negatives of each class beside a confirmed call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from negmine.audio.spectrogram import frequency_ticks, level_range, mel_levels
from negmine.errors import InputError
from negmine.look import Theme
from negmine.mining.selection import Chosen
from negmine.pool import Pool
from negmine.report.changes import by_class
from negmine.report.plots.drawn import Drawn, PlotKind, finish, new_figure, shortened, title
from negmine.report.plots.opened import open_for_plot
from negmine.report.settings import PlotSettings
from negmine.report.spectrogram_grid import show_levels

_MOST_CLIPS = 400


def _draw(inputs: Sequence[Path], settings: PlotSettings, theme: Theme) -> Drawn:
    opened = open_for_plot(inputs[0], settings.classes)
    found = by_class(opened.selection)
    shown = {name: found[name][: settings.per_class] for name in opened.classes if name in found}
    clips = sum(map(len, shown.values())) + len(shown)
    if clips > _MOST_CLIPS:
        raise InputError(
            f"{opened.path}: a sheet of {clips} clips, at most {_MOST_CLIPS} can be seen; name "
            "fewer with --class or --per-class"
        )
    pool = opened.pool
    columns = 1 + max(map(len, shown.values()))
    figure = new_figure(settings, 1.2 + 3.7 * columns, 1.4 + 2.9 * len(shown))
    axes = figure.subplots(len(shown), columns, squeeze=False)
    for line, (name, rows) in zip(axes, shown.items(), strict=True):
        _row(line, name, rows, pool, theme)
    for axis in axes[:-1].flat:
        axis.set_xticklabels([])
    for axis in axes[-1]:
        axis.set_xlabel("time (s)")
    facts = {"classes": list(shown), "negatives": clips - len(shown), "clip_s": pool.clip_s}
    alt = (
        f"Spectrograms of {clips - len(shown)} hard negatives of {len(shown)} classes, a class a "
        "row, first the confirmed call nearest to the hardest"
    )
    lacking = [name for name in opened.classes if name not in found]
    notes = (f"nothing was chosen of {len(lacking)} classes, which have no row",) if lacking else ()
    return Drawn(figure, alt, facts, notes)


def _row(line: Sequence[Axes], name: str, rows: Sequence[Chosen], pool: Pool, theme: Theme) -> None:
    """Draw a class: all shades mean the same levels within it."""
    nearest = rows[0].nearest_call
    recipes = [pool.calls[pool.calls.row_of(nearest)]] if nearest else []
    titles = ["a confirmed call"] if nearest else []
    recipes += [pool.recipes[pool.recipes.row_of(row.recipe)] for row in rows]
    titles += [f"{row.kind}, score {row.score:.2f}".replace("-", "\N{MINUS SIGN}") for row in rows]
    levels = [mel_levels(recipe.render(), pool.sample_rate) for recipe in recipes]
    shades = level_range(*levels)
    ticks = frequency_ticks(pool.sample_rate)
    for axis in line:
        finish(axis, theme, grid="")
        axis.tick_params(labelsize=7)
    # without a confirmed call, the first place stays empty
    places = line if nearest else line[1:]
    for axis, one, text in zip(places, levels, titles, strict=False):
        show_levels(axis, one, shades, pool.clip_s)
        axis.set_yticks([at for _, at in ticks], [])
        title(axis, theme, text, 7)
    for axis in places[len(levels) :]:
        axis.set_axis_off()
    if nearest:
        line[0].set_yticks([at for _, at in ticks], [text for text, _ in ticks])
    else:
        line[0].set_yticks([])
        line[0].text(
            0.5, 0.5, "no confirmed call", ha="center", color=theme.soft, fontsize=8,
            transform=line[0].transAxes,
        )  # fmt: skip
    line[0].set_ylabel(f"class {shortened(name, 20)}")


KIND = PlotKind(_draw, uses=frozenset({"classes", "per_class"}))
