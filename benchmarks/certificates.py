"""How many absences a pool claims wrongly, by source and certificate, where the truth is known.

    python -m benchmarks.certificates DATA --out WORK

DATA is in RFCX's layout, with every call of its training and unlabelled recordings listed in
train_events.csv and unlabelled_events.csv, which no model and no pool ever sees. A claim is one
absent class of one clip. It is contradicted where a part of the clip holds at least half of a call
of the class, or is filled to half by one: the rule by which labels call a class present. Parts are
looked at where they are heard.

A call whose whole box is in a band that was erased or replaced is gone by construction. What can
still contradict are a call in the *donor* of the band, and a call with half of its energy outside
its box's band, harmonics say: see `outside_share`. How much is outside is in a second table.

The share has its 95 % interval by Wilson; claims on the same recording are not independent,
so the true interval is wider. External and generated sound is taken to hold no call.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import click
import numpy as np
import pandas as pd
from scipy.stats import binomtest

from negmine.annotations import read_rfcx
from negmine.audio.windows import Span
from negmine.building import PoolSettings, build_pool
from negmine.building.settings import (
    AgreedSettings,
    EraseSettings,
    FpSettings,
    MixSettings,
    NoiseSettings,
    TransplantSettings,
)
from negmine.cli.console import Bars
from negmine.pool import Pool, open_pool
from negmine.recipes.clip_labels import MIN_CALL_SHARE
from negmine.recipes.layer import Layer
from negmine.recipes.reader import DIRECT
from negmine.recipes.recipe import Recipe
from negmine.recipes.source import Source

_FFT = 1024

# The background is taken from this much before and after a call.
_ROUND_S = 3.0


@dataclass(frozen=True)
class Event:
    """A call of the truth."""

    span: Span
    low_hz: float
    high_hz: float


Truth = dict[str, dict[str, list[Event]]]
"""By recording and class."""


@dataclass
class Tally:
    """Claims of one source and certificate."""

    claims: int = 0
    contradicted: int = 0
    doubt: float = 0.0
    recordings: set[str] = field(default_factory=set)


def read_events(paths: Iterable[Path]) -> Truth:
    """Read every call, from tables with the columns of RFCX."""
    truth: Truth = defaultdict(lambda: defaultdict(list))
    for path in paths:
        table = pd.read_csv(path, dtype={"recording_id": str, "species_id": str})
        names = zip(table["recording_id"], table["species_id"], strict=True)
        numbers = table[["t_min", "t_max", "f_min", "f_max"]].to_numpy(np.float64)
        for (recording, label), (start_s, end_s, low, high) in zip(names, numbers, strict=True):
            event = Event(Span(float(start_s), float(end_s)), float(low), float(high))
            truth[recording][label].append(event)
    return truth


def heard(component: tuple[Layer, ...], duration_s: float) -> list[tuple[Layer, Span, list[Span]]]:
    """List each part of a component: its layer, span in its file, what an insertion hides."""
    added = component[0]
    length_s = added.length_s or duration_s - added.offset_s
    parts: list[tuple[Layer, Span, list[Span]]] = []
    hidden: list[Span] = []
    for layer in component[1:]:
        if layer.op == "insert" and layer.length_s:
            first_s = layer.offset_s - added.offset_s + added.start_s
            hidden.append(Span(first_s, first_s + layer.length_s))
            parts.append((layer, Span(layer.start_s, layer.start_s + layer.length_s), []))
    return [(added, Span(added.start_s, added.start_s + length_s), hidden), *parts]


def calls_in(truth: Truth, layer: Layer, span: Span, hidden: list[Span], name: str) -> list[Event]:
    """Return the calls of a class in a part, by the rule of `recipes.clip_labels.label_clip`."""
    if layer.source is None or layer.source.is_synthetic:
        return []
    found = []
    for event in truth.get(layer.source.group, {}).get(name, []):
        shared = span.overlap_s(event.span) - sum(event.span.overlap_s(h) for h in hidden)
        if shared >= MIN_CALL_SHARE * min(event.span.duration_s, span.duration_s):
            found.append(event)
    return found


def outside_share(truth: Truth, source: Source, event: Event, band: Layer, rate: int) -> float:
    """Return the share of a call's energy outside a band: what is left of it in the clip.

    The call is what its time holds above the mean of the frames round it in which nothing calls.

    Returns
    -------
    float
        NaN where the call is fainter, in its own box, than the background, or has no quiet frames
        round it: its energy then cannot be separated from the background's.
    """
    start_s = max(0.0, event.span.start_s - _ROUND_S)
    samples = DIRECT.read(source, start_s, event.span.end_s + _ROUND_S - start_s, rate)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FFT)[:: _FFT // 2]
    power = np.abs(np.fft.rfft(frames * np.hanning(_FFT), axis=1)) ** 2
    at_s = start_s + (np.arange(len(frames)) + 1) * _FFT / 2 / rate
    calling = np.zeros(len(at_s), dtype=bool)
    for one in (e for events in truth[source.group].values() for e in events):
        calling |= (at_s > one.span.start_s - 0.05) & (at_s < one.span.end_s + 0.05)
    inside = (at_s >= event.span.start_s) & (at_s <= event.span.end_s)
    quiet = ~calling & (power.sum(axis=1) > 0)
    if not inside.any() or quiet.sum() < 5:
        return float("nan")
    background = power[quiet].mean(axis=0)
    rise = power[inside].mean(axis=0) - background
    hz = np.fft.rfftfreq(_FFT, 1 / rate)
    own = (hz >= event.low_hz) & (hz <= event.high_hz)
    if rise[own].sum() < background[own].sum():
        return float("nan")
    outside = (hz < (band.low_hz or 0.0)) | (hz > (band.high_hz or 0.0))
    return float(max(0.0, rise[outside].sum()) / rise.sum())


@dataclass
class Auditor:
    """Holds claims against the truth.

    Attributes
    ----------
    calls : set of (Layer, str)
        The confirmed calls that the pool was built from: what is cut, and the class.
    outside : list of float
        `outside_share` of each call that lay in an erased or replaced band.
    """

    truth: Truth
    calls: set[tuple[Layer, str]] = field(default_factory=set)
    outside: list[float] = field(default_factory=list)
    _known: dict[tuple[Source, Event, Layer], float] = field(default_factory=dict)

    def contradicts(self, recipe: Recipe, name: str) -> bool:
        """Return whether the truth says that a class calls in a clip."""
        return any(self._calls(c, recipe, name) for c in recipe.components)

    def _calls(self, component: tuple[Layer, ...], recipe: Recipe, name: str) -> bool:
        bands = [layer for layer in component if layer.op in ("erase", "band")]
        for layer, span, hidden in heard(component, recipe.duration_s):
            for event in calls_in(self.truth, layer, span, hidden, name):
                over = [band for band in bands if covers(band, event)]
                if not over or layer.source is None:
                    return True
                share = self._outside(layer.source, event, over[-1], recipe.sample_rate)
                if share > MIN_CALL_SHARE:
                    return True
        for band in bands:
            span = Span(band.start_s, band.start_s + recipe.duration_s)
            for event in calls_in(self.truth, band, span, [], name):
                if event.low_hz < (band.high_hz or 0) and event.high_hz > (band.low_hz or 0):
                    return True
        return False

    def _outside(self, source: Source, event: Event, band: Layer, rate: int) -> float:
        key = (source, event, replace(band, source=None, start_s=0.0, op="erase", seed=None))
        if key not in self._known:
            self._known[key] = outside_share(self.truth, source, event, band, rate)
            self.outside.append(self._known[key])
        return self._known[key]


def covers(band: Layer, event: Event) -> bool:
    """Return whether a band holds the whole of a call's box."""
    return (band.low_hz or 0.0) <= event.low_hz and event.high_hz <= (band.high_hz or 0.0)


def source_of(auditor: Auditor, recipe: Recipe, name: str) -> str:
    """Return the kind of a recipe, and what decides how sure it is."""
    if recipe.kind == "fp":
        return "fp, on a bed" if recipe.layers[-1].op == "insert" else "fp, beyond the box"
    if recipe.kind in ("erase", "transplant"):
        own = (recipe.layers[0], name) in auditor.calls
        return f"{recipe.kind}, {'of a confirmed call' if own else 'of another clip'}"
    return recipe.kind


def audit(pool: Pool, auditor: Auditor, progress: Bars) -> dict[tuple[str, str], Tally]:
    """Compare every claim of a pool with the truth."""
    tallies: defaultdict[tuple[str, str], Tally] = defaultdict(Tally)
    auditor.calls |= {(call.layers[0], name) for call in pool.calls for name in call.labels.present}
    advance = progress("auditing", len(pool), "clip")
    for recipe in pool:
        for name, absence in recipe.labels.absent.items():
            tally = tallies[source_of(auditor, recipe, name), absence.certificate.value]
            tally.claims += 1
            tally.doubt += 1 - absence.confidence
            tally.contradicted += auditor.contradicts(recipe, name)
            tally.recordings |= recipe.groups
        advance()
    return dict(tallies)


def _wilson(hits: int, trials: int) -> tuple[float, float]:
    found = binomtest(hits, trials).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--pool", type=click.Path(path_type=Path), help="Audit this one; build none.")
@click.option("--model", multiple=True, help="Two or more: 'agreed' is audited too.")
@click.option("--quantile", default=0.1, show_default=True)
@click.option("--each", default=1000, show_default=True, help="Clips of each made kind.")
@click.option("--placements", default=1, show_default=True)
@click.option("--clip-s", default=2.0, show_default=True)
@click.option("--sample-rate", default=32_000, show_default=True)
@click.option("--quiet", is_flag=True)
def main(
    data: Path,
    out: Path,
    pool: Path | None,
    model: tuple[str, ...],
    quantile: float,
    each: int,
    placements: int,
    clip_s: float,
    sample_rate: int,
    quiet: bool,
) -> None:
    """Audit every source of negatives on DATA."""
    events = [data / "train_events.csv", data / "unlabelled_events.csv"]
    auditor = Auditor(read_events(path for path in events if path.exists()))
    with Bars(quiet) as bars:
        if pool is None:
            pool = out / "pool"
            unlabelled = data / "unlabelled"
            build_pool(
                data / "train",
                read_rfcx(data / "train_tp.csv", data / "train_fp.csv"),
                pool,
                external=[str(data / "external")],
                settings=PoolSettings(
                    clip_s=clip_s,
                    sample_rate=sample_rate,
                    unlabelled=str(unlabelled) if unlabelled.is_dir() else None,
                    fp=FpSettings(placements=placements),
                    noise=NoiseSettings(count=each),
                    agreed=AgreedSettings(models=model, quantile=quantile),
                    erase=EraseSettings(count=each),
                    transplant=TransplantSettings(count=each),
                    mix=MixSettings(count=each),
                ),
                existing="replace",
                progress=bars,
            )
        found = audit(open_pool(pool), auditor, bars)
    print("| source | certificate | claims | recordings | contradicted | 95 % | claimed doubt |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for (kind, certificate), tally in sorted(found.items()):
        low, high = _wilson(tally.contradicted, tally.claims)
        print(
            f"| {kind} | {certificate} | {tally.claims:,} | {len(tally.recordings)} "
            f"| {tally.contradicted / tally.claims:.2%} "
            f"| {low:.2%} to {high:.2%} | {tally.doubt / tally.claims:.2%} |"
        )
    share = np.array(auditor.outside)
    measured = share[~np.isnan(share)]
    if len(measured):
        print()
        print(
            "| calls in a band that went | loud enough to measure | outside the band: median "
            "| more than a tenth | more than half |"
        )
        print("|--:|--:|--:|--:|--:|")
        print(
            f"| {len(share)} | {len(measured)} | {np.median(measured):.1%} "
            f"| {np.mean(measured > 0.1):.1%} | {np.mean(measured > MIN_CALL_SHARE):.1%} |"
        )


if __name__ == "__main__":
    main()
