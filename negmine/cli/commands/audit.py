"""``negmine audit``: what a person hears of a pool's or a selection's claims."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from negmine.audit.settings import DrawSettings
from negmine.cli.console import Bars, CleanGroup, given, print_json, quiet_and_json, say
from negmine.cli.scoring_options import moved_pool_option
from negmine.cli.settings import with_settings
from negmine.notices import warn
from negmine.text_tables import table

if TYPE_CHECKING:
    from negmine.audit.hidden_rates import Audit, HiddenRate
    from negmine.audit.new_confidences import NewConfidence


@click.group(cls=CleanGroup)
def audit() -> None:
    """Listen to a blinded sample of claimed absences, and learn how many are wrong.

    \b
    Example:
      negmine audit draw pool -o audit --sample 200
      negmine review audit
      negmine audit read audit -o audit.toml
    """


@audit.command()
@click.argument("source", metavar="POOL_OR_SELECTION", type=click.Path(path_type=Path))
@moved_pool_option
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="A new folder for clips, verdicts and key.",
)
@with_settings(DrawSettings)
@quiet_and_json
def draw(
    source: Path,
    pool: Path | None,
    out: Path,
    settings: DrawSettings,
    quiet: bool,
    as_json: bool,
) -> None:
    """Draw a blinded sample of a POOL or a SELECTION to listen to.

    Clips have neutral names in random order, confirmed calls among them. Give the listener the
    folder without key.parquet; 'negmine review audit' takes the verdicts.

    \b
    Example:
      negmine audit draw hard.parquet -o audit --sample 200
    """
    from negmine.audit.draw import describe_claims, draw_audit
    from negmine.storage.locks import only_writer

    if pool and source.is_dir():
        raise click.UsageError(f"--pool is where a selection's pool is, and {source} is a folder")
    with only_writer(out), Bars(quiet or as_json) as bars:
        key = draw_audit(source, out, settings, pool=pool, progress=bars)
    found = sum(claim.control for claim in key.claims)
    drawn = len(key.claims) - found
    wanted = round(settings.controls * drawn)
    if found < wanted:
        warn(f"{found} controls instead of {wanted}: the classes have no more confirmed calls")
    strata = describe_claims(key.claims)
    if as_json:
        print_json({"out": str(out), "clips": drawn, "controls": found, "strata": strata})
        return
    rows = [[name, str(one["claims"]), str(one["drawn"])] for name, one in strata.items()]
    say(table(["stratum", "claims", "drawn"], rows), quiet)
    say(f"{out}: {drawn} clips and {found} controls; listen with 'negmine review {out}'", quiet)


@audit.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--verdicts",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The filled table.  [default: verdicts.csv in DIR]",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="New confidences as TOML, for 'negmine build-pool --config'; of a pool's audit alone.",
)
@click.option(
    "--prior",
    type=click.FloatRange(0),
    default=20,
    show_default=True,
    help="Number of clips that the earlier confidence counts as.",
)
@click.option(
    "--contradicted",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV with the recipes and classes that the listener contradicts.",
)
@quiet_and_json
def read(
    folder: Path,
    verdicts: Path | None,
    out: Path | None,
    prior: float,
    contradicted: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Turn verdicts into rates of hidden positives, with 95 % intervals, and new confidences.

    \b
    Example:
      negmine audit read audit -o audit.toml
      negmine build-pool train/ --tp train_tp.csv --config audit.toml --out pool2
    """
    from negmine.audit.audit_folder import KEY, read_clip_verdicts, read_key
    from negmine.audit.hidden_rates import Audit
    from negmine.audit.new_confidences import new_confidences
    from negmine.audit.results import write_confidences, write_contradicted
    from negmine.errors import InputError
    from negmine.review.clip_folder import VERDICTS

    key = read_key(folder / KEY)
    found = Audit(key, read_clip_verdicts(verdicts or folder / VERDICTS, key))
    of_pool = key.about["source"] == "pool"
    if out and not of_pool:
        raise InputError(
            f"--out {out}: a selection holds a pool's hardest rows, and their doubt is not the "
            f"pool's; audit {key.about['pool']} for new confidences"
        )
    if not of_pool and given("prior"):
        warn("--prior has no effect: a selection's audit gives no new confidences")
    confidences = new_confidences(found, key.about["settings"], prior) if of_pool else []
    if found.unheard_strata:
        warn(
            f"no verdict yet in {len(found.unheard_strata)} strata, which no rate covers: "
            f"{'; '.join(found.unheard_strata)}"
        )
    if contradicted:
        write_contradicted(contradicted, found)
    if out:
        write_confidences(out, confidences, found)
    if as_json:
        content = found.to_dict()
        print_json(content | {"confidences": [vars(one) for one in confidences]})
        return
    _show(found, confidences, quiet)


def _show(found: Audit, confidences: list[NewConfidence], quiet: bool) -> None:
    heard = found.sensitivity
    low, high = heard.rate.interval()
    if found.unheard:
        say(f"{found.unheard} of {len(found.key.clips)} clips have no verdict yet", quiet)
    if heard.rate.trials:
        say(
            f"controls: heard {heard.rate.hits} of {heard.rate.trials} ({heard.unsure} unsure), "
            f"sensitivity {heard.rate.estimate:.3f} [{low:.3f}, {high:.3f}]",
            quiet,
        )
    else:
        say("controls: none was heard, so what the listener misses is unknown", quiet)
    headers = ["hidden positives", "heard", "present", "unsure", "rate", "95 % interval"]
    headers += ["unsure absent", "unsure present", "corrected", "claimed", "doubt"]
    rows = []
    for name, rates in found.rates().items():
        for value, one in rates.items():
            rows.append([f"{name} {value}".strip(), *_cells(one)])
    say(table(headers, rows), quiet)
    wrong = found.contradicted()
    if wrong:
        say("\ncontradicted claims", quiet)
        columns = ["recipe", "class", "kind", "certificate", "confidence", "clip"]
        cells = [
            [f"{c[n]:.3f}" if n == "confidence" else str(c[n]) for n in columns] for c in wrong
        ]
        say(table(columns, cells), quiet)
    if confidences:
        say("\nconfidences", quiet)
        cells = [
            [f"[{c.section}] {c.name}", _number(c.before), _number(c.after), str(c.heard), c.reason]
            for c in confidences
        ]
        say(table(["setting", "before", "supported", "heard", ""], cells), quiet)


def _cells(one: HiddenRate) -> list[str]:
    low, high = one.rate.interval()
    middle, lower, upper = one.corrected
    return [
        str(one.rate.trials + one.unsure),
        str(one.rate.hits),
        str(one.unsure),
        f"{one.rate.estimate:.2%}",
        f"{low:.2%} to {high:.2%}",
        f"{one.least.estimate:.2%}",
        f"{one.most.estimate:.2%}",
        f"{middle:.2%} [{lower:.2%}, {upper:.2%}]" if middle == middle else "",
        f"{one.claimed:.2%}",
        f"{one.estimated:.2%}" if one.estimated == one.estimated else "",
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
