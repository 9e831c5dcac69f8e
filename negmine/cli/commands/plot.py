"""The command ``negmine plot``."""

from __future__ import annotations

from pathlib import Path

import click

from negmine.cli.console import CleanCommand, print_json, quiet_and_json, say
from negmine.cli.settings import given_settings, with_settings
from negmine.notices import warn_each
from negmine.report.plots import KINDS
from negmine.report.settings import PlotSettings
from negmine.settings import first_flag

_ENDINGS = (".png", ".svg")
# Settings that all kinds use.
_COMMON = frozenset({"theme", "width_cm", "height_cm"})


@click.command(cls=CleanCommand)
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The picture: FILE.png or FILE.svg. One that is there is replaced.",
)
@with_settings(PlotSettings)
@quiet_and_json
def plot(
    kind: str,
    inputs: tuple[Path, ...],
    out: Path,
    settings: PlotSettings,
    quiet: bool,
    as_json: bool,
) -> None:
    """Draw a picture of a selection, of runs or of evaluations, as PNG or SVG.

    INPUTS are a selection of 'negmine mine'; for learning, the folders of runs; for det, tables of
    'negmine evaluate --curves-out'. All colours can be told apart by colour-blind readers. The
    same inputs give the same bytes.

    \b
    Kinds:
      scores       how the scores of pool, chosen rows and calls are distributed
      doubt        score against the estimated probability that the class is present
      reliability  doubt that was claimed against what was found
      folders      from which folders the chosen rows are, and the pool's
      embeddings   a map of the model's embeddings: pool, chosen rows and calls
      sheet        spectrograms of the hardest rows beside the nearest call
      learning     losses and validation scores of runs, epoch by epoch
      det          false positives an hour against recall, of 'evaluate --curves-out'

    \b
    Example:
      negmine plot scores hard.parquet --out scores.png
      negmine plot embeddings hard.parquet --class frog --out map.svg
      negmine plot det before.csv after.csv --out det.png --theme dark
    """
    from negmine.look import THEMES
    from negmine.report.plots import kind_of
    from negmine.storage.files import check_writable

    if out.suffix.lower() not in _ENDINGS:
        raise click.UsageError(f"--out {out}: a picture's name ends in .png or .svg")
    drawer = kind_of(kind)
    if drawer.most and len(inputs) > drawer.most:
        raise click.UsageError(
            f"'{kind}' is drawn of one {KINDS[kind][0]}; found {len(inputs)} inputs"
        )
    dots = {"dpi"} if out.suffix.lower() == ".png" else set()
    for one in given_settings(PlotSettings):
        if one.path[0] not in drawer.uses | _COMMON | dots:
            where = f"'{kind}'" if one.path[0] != "dpi" else "an SVG"
            raise click.UsageError(f"{first_flag(one)} has no effect on {where}; leave it out")
    check_writable(out)
    theme = THEMES[settings.theme]
    from negmine.report.plots.drawn import write_plot

    drawn = drawer(inputs, settings, theme)
    size = write_plot(out, drawn, theme, settings.dpi)
    warn_each(drawn.notes)
    if as_json:
        print_json({"plot": str(out), "kind": kind, "bytes": size, "alt": drawn.alt, **drawn.facts})
        return
    say(f"{out}: {drawn.alt}", quiet)
