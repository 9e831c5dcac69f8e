"""A map of a model's embeddings: the pool's negatives, the chosen ones and the confirmed calls.

By principal components (Pearson 1901), or by UMAP (McInnes, Healy and Melville 2018, "UMAP: Uniform
Manifold Approximation and Projection for Dimension Reduction") of cosine distances.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from negmine.errors import InputError, PoolError
from negmine.look import Theme
from negmine.recipes.columns import ID_BYTES
from negmine.recipes.recipe import Recipes
from negmine.recipes.render import RENDERING
from negmine.report.plots.drawn import Drawn, PlotKind, finish, legend, new_figure, thinner
from negmine.report.plots.opened import Opened, open_for_plot
from negmine.report.settings import PlotSettings
from negmine.scores.store import ScoreStore


def _draw(inputs: Sequence[Path], settings: PlotSettings, theme: Theme) -> Drawn:
    opened = open_for_plot(inputs[0], settings.classes)
    store = _store(opened, settings)
    pool = opened.pool
    rng = np.random.default_rng(settings.seed)
    chosen = np.unique([pool.recipes.row_of(row.recipe) for row in opened.rows])
    others = np.setdiff1d(np.arange(len(pool.recipes)), chosen)
    drawn = np.sort(rng.permutation(others)[: settings.most])
    calls = np.unique(np.concatenate([pool.calls_of(name) for name in opened.classes]))
    parts = {
        "negatives of the pool": (pool.recipes, drawn),
        "chosen": (pool.recipes, chosen),
        "confirmed calls": (pool.calls, calls),
    }
    points, counts, lacked = [], [], 0
    for table, rows in parts.values():
        found = store.positions(_ids(table[rows]))
        lacked += int((found < 0).sum())
        points.append(store.embeddings(found[found >= 0]))
        counts.append(len(points[-1]))
    every = np.concatenate(points)
    if len(every) < 3:
        raise InputError(
            f"{store.folder}: holds scores of {len(every)} rows; a map needs 3 or more"
        )
    notes = []
    if lacked:
        notes.append(
            f"{lacked} rows are not drawn: they have no score in {store.folder}; 'negmine mine' "
            "scores what was added to the pool"
        )
    if len(drawn) < len(others):
        notes.append(f"a random {len(drawn):,} of {len(others):,} other negatives are drawn")
    place = _by_umap if settings.method == "umap" else _by_pca
    at, labels, about = place(every, settings.seed)
    looks = {
        "negatives of the pool": (theme.negatives, ".", 10, 0.35),
        "chosen": (theme.chosen, "o", *thinner(16, counts[1])),
        # above the others: they are few
        "confirmed calls": (theme.calls, "^", 26, 0.95),
    }
    figure = new_figure(settings, 16, 13)
    axis = figure.add_subplot()
    ends = np.cumsum(counts)
    for (name, (colour, marker, size, alpha)), end, count in zip(
        looks.items(), ends, counts, strict=True
    ):
        here = at[end - count : end]
        axis.scatter(
            here[:, 0], here[:, 1], s=size, color=colour, marker=marker, alpha=alpha,
            linewidths=0, label=f"{name} ({count:,})", rasterized=count > 2000,
        )  # fmt: skip
    axis.set_xlabel(labels[0])
    axis.set_ylabel(labels[1])
    axis.set_aspect("equal", adjustable="datalim")
    finish(axis, theme)
    if settings.method == "umap":
        axis.set_xticks([])
        axis.set_yticks([])
    legend(axis, theme, ncols=3, markerscale=1.3)
    of = f"class {opened.classes[0]}" if len(opened.classes) == 1 else "all classes shown"
    told_rows = dict(zip(looks, counts, strict=True))
    told = ", ".join(f"{count:,} {name}" for name, count in told_rows.items())
    alt = f"Map of embeddings by {settings.method.upper()}, {of}: {told}"
    return Drawn(figure, alt, {"method": settings.method, "rows": told_rows} | about, tuple(notes))


def _ids(recipes: Recipes) -> np.ndarray:
    return recipes.ids.raw.view(np.uint8).reshape(-1, ID_BYTES)


def _store(opened: Opened, settings: PlotSettings) -> ScoreStore:
    """Open the scores that the selection was made by.

    Raises
    ------
    PoolError
        If they are not there.
    """
    model = opened.selection.model
    name = f"{model}.r{RENDERING}"
    if settings.scores:
        places = [Path(settings.scores)]
    else:
        here = opened.path.resolve().parent
        places = [folder / "scores" for folder in (here, here.parent)]
    for place in places:
        # of sound from a cache, they are in a folder of a longer name
        for folder in sorted(place.glob(f"{name}*")):
            store = ScoreStore(place, folder.name)
            if len(store):
                return store
    looked = " and ".join(str(place) for place in places)
    raise PoolError(
        f"{looked}: no scores of the model {model[:12]} that made {opened.path.name}; name their "
        "folder with --scores, or run 'negmine mine' again"
    )


def _by_pca(every: np.ndarray, seed: int) -> tuple[np.ndarray, list[str], dict[str, object]]:
    """Project rows on the two directions of most variance: float, shape (N, 2)."""
    centred = every.astype(np.float64) - every.mean(axis=0)
    # of the covariance, small beside the rows; signs by the largest weight, so that they are fixed
    values, vectors = np.linalg.eigh(centred.T @ centred)
    axes = vectors[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    shares = values[::-1][:2] / max(float(values.sum()), 1e-12)
    labels = [
        f"component {n} ({100 * share:.0f} % of variance)" for n, share in enumerate(shares, 1)
    ]
    return centred @ axes, labels, {"variance": [round(float(share), 4) for share in shares]}


def _by_umap(every: np.ndarray, seed: int) -> tuple[np.ndarray, list[str], dict[str, object]]:
    """Lay rows out by UMAP of cosine distances, in two dimensions."""
    # it warns of tensorflow, which nothing here needs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)
        import umap

    neighbours = min(15, len(every) - 1)
    mapper = umap.UMAP(n_neighbors=neighbours, metric="cosine", random_state=seed, n_jobs=1)
    at = np.asarray(mapper.fit_transform(every), dtype=np.float64)
    return at, ["UMAP 1", "UMAP 2"], {"neighbours": neighbours, "seed": seed}


KIND = PlotKind(_draw, uses=frozenset({"classes", "method", "most", "seed", "scores"}))
