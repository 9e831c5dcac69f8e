"""Whether audits tell the truth: many of one pool, by a listener who knows it and misses some.

    python -m benchmarks.audit DATA --out WORK

DATA is in RFCX's layout, with every call of its training recordings listed in train_events.csv,
which no pool ever sees. A pool of rejected detections, external sound and mixes is built, every
claim of it held against the truth (`benchmarks.certificates`), and audited again and again with
other seeds. The listener contradicts what the truth contradicts, but misses a share of it, and of
the controls.

Given for each stratum and the whole pool: the true rate, the mean of those found and of those
corrected, and how often the 95 % interval of the corrected rate holds the true one.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import click
import numpy as np

from benchmarks.certificates import Auditor, read_events
from negmine.annotations import read_rfcx
from negmine.audit.audit_folder import ClipVerdict, Key
from negmine.audit.frames import Claim, PoolFrame
from negmine.audit.hidden_rates import Audit
from negmine.audit.sample import draw_calls, draw_claims
from negmine.audit.settings import DrawSettings
from negmine.building import PoolSettings, build_pool
from negmine.building.settings import MixSettings
from negmine.cli.console import Bars
from negmine.pool import Pool, open_pool

_BY = ("certificate", "kind")


def truth_of(pool: Pool, auditor: Auditor) -> dict[tuple[str, str], bool]:
    """Return whether each claim, a recipe and a class, is wrong."""
    return {
        (recipe.id, name): auditor.contradicts(recipe, name)
        for recipe in pool
        for name in recipe.labels.absent
    }


def hear(
    claims: list[Claim], wrong: dict[tuple[str, str], bool], misses: float, seed: int
) -> Audit:
    """Simulate the audit of a listener who misses a share of what is there."""
    rng = np.random.default_rng([seed, 9])
    there = np.array([c.control or wrong[c.recipe, c.label] for c in claims])
    heard = there & (rng.random(len(claims)) >= misses)
    names = tuple(map(str, range(len(claims))))
    key = Key(names, tuple(claims), {"by": list(_BY)})
    return Audit(key, [ClipVerdict("present" if yes else "absent") for yes in heard])


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--mix", default=3000, show_default=True, help="Mixes in the pool.")
@click.option("--sample", default=[100, 200, 400], multiple=True, show_default=True)
@click.option("--misses", default=0.2, show_default=True, help="Share that the listener misses.")
@click.option("--audits", default=300, show_default=True, help="Audits of each size.")
@click.option("--quiet", is_flag=True)
def main(
    data: Path,
    out: Path,
    mix: int,
    sample: tuple[int, ...],
    misses: float,
    audits: int,
    quiet: bool,
) -> None:
    """Audit a pool of DATA many times."""
    with Bars(quiet) as bars:
        build_pool(
            data / "train",
            read_rfcx(data / "train_tp.csv", data / "train_fp.csv"),
            out / "pool",
            external=[str(data / "external")],
            settings=PoolSettings(mix=MixSettings(count=mix)),
            existing="replace",
            progress=bars,
        )
        pool = open_pool(out / "pool")
        wrong = truth_of(pool, Auditor(read_events([data / "train_events.csv"])))
        frame = PoolFrame(pool)
        everything = DrawSettings(sample=len(wrong))
        true: dict[str, list[bool]] = defaultdict(list)
        for claim in draw_claims(frame, pool.classes, _BY, everything):
            true[claim.stratum].append(wrong[claim.recipe, claim.label])
        true["all"] = list(wrong.values())
        advance = bars("auditing", len(sample) * audits, "audit")
        print("| clips | stratum | claims | true | found | corrected | interval | holds the true |")
        print("|--:|---|--:|--:|--:|--:|--:|--:|")
        for size in sample:
            found = defaultdict(list)
            for seed in range(audits):
                settings = DrawSettings(sample=size, seed=seed)
                claims = draw_claims(frame, pool.classes, _BY, settings)
                claims += draw_calls(pool, claims, settings)[0]
                rates = hear(claims, wrong, misses, seed).rates()
                for name, rate in {**rates["stratum"], "all": rates["all"][""]}.items():
                    found[name].append((rate.rate.estimate, *rate.corrected))
                advance()
            for name, rows in found.items():
                plain, middle, low, high = np.array(rows).T
                truth = float(np.mean(true[name]))
                print(
                    f"| {size} | {name} | {len(true[name]):,} | {truth:.2%} | {plain.mean():.2%} "
                    f"| {middle.mean():.2%} | {low.mean():.2%} to {high.mean():.2%} "
                    f"| {np.mean((low <= truth) & (truth <= high)):.0%} |"
                )


if __name__ == "__main__":
    main()
