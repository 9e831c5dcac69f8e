"""A pool that an earlier negmine wrote: read recipe by recipe and id by id, and written alike.

Run as a program, this file writes the pool of ``golden/`` anew, which only a new version of the
format calls for: ``python tests/negmine/pool/test_golden.py``.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pools import write_pool

from negmine.pool import open_pool
from negmine.pool.append import append_recipes
from negmine.recipes.certificates import Absence, Certificate
from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import Layer
from negmine.recipes.recipe import Recipe
from negmine.recipes.source import Source, synthetic_source

GOLDEN = Path(__file__).parent / "golden"
CLASSES = ("frog", "owl", "toad")
ROOTS = {"recordings": Path("/sound"), "external0": Path("/other")}
CLIP_S, RATE = 1.5, 8000


def clip(name: str, start_s: float, labels: PartialLabels, kind: str = "fp") -> Recipe:
    root = ROOTS["external0" if kind == "external" else "recordings"]
    source = Source(root, f"deep/{name}.wav", f"of {name}", 1 / 7 + 60, f"site {name}")
    return Recipe(kind, (Layer(source, start_s),), CLIP_S, RATE, labels)


def changed(recipe: Recipe, kind: str, *layers: Layer) -> Recipe:
    return replace(recipe, kind=kind, layers=(*recipe.layers, *layers))


def recipes() -> tuple[list[Recipe], list[Recipe], list[Recipe]]:
    """Rows, calls, and rows that are added later: every op, certificate and kind of mix."""
    frog = PartialLabels(frozenset({"frog"}), {"owl": Absence(Certificate.VERIFIED, 1 / 3)})
    free = PartialLabels.certified(CLASSES, Certificate.EXTERNAL)
    a, b = clip("a", 0.1, frog), clip("b", 59.999999, free, "external")
    nothing = clip("c", 0.0, PartialLabels())
    made = Recipe(
        "noise",
        (Layer(synthetic_source("pink"), seed=2**63 - 1),),
        CLIP_S,
        RATE,
        PartialLabels.certified(CLASSES, Certificate.SYNTHETIC),
    )
    erased = changed(
        replace(a, labels=frog.erased("frog", 0.87)),
        "erase",
        Layer(None, op="erase", low_hz=100.5, high_hz=900.0),
    )
    donor = Layer(b.layers[0].source, 3.25, op="band", low_hz=0.0, high_hz=1234.567891)
    planted = changed(replace(a, labels=frog.transplanted("frog", free)), "transplant", donor)
    piece = Layer(a.layers[0].source, 2.5, op="insert", offset_s=0.25, length_s=0.75)
    on_bed = changed(replace(b, labels=free.mix(frog), kind="fp"), "fp", piece)
    late = Layer(nothing.layers[0].source, 7.0, -60.000001, offset_s=0.5, length_s=0.999999)
    agreed = PartialLabels.certified(["toad"], Certificate.AGREED, 0.001)
    rows = [
        a,
        b,
        nothing,
        made,
        erased,
        planted,
        on_bed,
        changed(replace(b, labels=agreed), "agreed", late),
        b.mix(a, -3.5),
        b.mix(made, 0.0).mix(erased.mix(planted, 12.345678), 1 / 3),
    ]
    calls = [replace(a, kind="tp"), replace(a, kind="tp"), clip("d", 4.0, frog, "tp")]
    later = [clip("e", 1.0, free, "external"), b.mix(clip("e", 2.0, free), 6.0), on_bed.mix(b, 3.0)]
    return rows, calls, later


def write(path: Path) -> None:
    rows, calls, later = recipes()
    write_pool(
        path, classes=CLASSES, clip_s=CLIP_S, sample_rate=RATE, roots=ROOTS, recipes=rows,
        calls=calls, settings={"seed": 3},
    )  # fmt: skip
    # sound that is not there cannot be listened to: what checks that is not what is written
    from unittest.mock import patch

    with patch("negmine.pool.append._check_audible"):
        append_recipes(path, later, {"added": True})


def described(recipe: Recipe) -> dict[str, Any]:
    """A recipe as JSON has it, without a method of negmine's."""
    return {
        "id": recipe.id,
        "kind": recipe.kind,
        "duration_s": recipe.duration_s,
        "sample_rate": recipe.sample_rate,
        "layers": [
            {
                "source": la.source and [str(la.source.root), la.source.name, la.source.group],
                "fingerprint": la.source and la.source.fingerprint,
                **{name: getattr(la, name) for name in ("op", "start_s", "snr_db", "offset_s")},
                **{name: getattr(la, name) for name in ("length_s", "low_hz", "high_hz", "seed")},
            }
            for la in recipe.layers
        ],
        "present": sorted(recipe.labels.present),
        "absent": {
            name: [a.certificate.value, a.confidence]
            for name, a in sorted(recipe.labels.absent.items())
        },
    }


def test_a_pool_of_an_earlier_version_reads_as_it_did() -> None:
    told = json.loads((GOLDEN / "recipes.json").read_text())
    pool = open_pool(GOLDEN / "pool")
    for name, table in (("recipes", pool.recipes), ("calls", pool.calls)):
        assert [described(recipe) for recipe in table] == told[name]
        assert list(table.ids) == [one["id"] for one in told[name]]
    assert pool.digest == told["digest"]
    rows, calls, later = recipes()
    assert list(pool) == [*rows, *later]
    assert list(pool.calls) == calls


def test_what_is_asked_of_all_rows_is_what_each_recipe_says() -> None:
    table = open_pool(GOLDEN / "pool").recipes
    told = json.loads((GOLDEN / "recipes.json").read_text())["recipes"]
    for name in CLASSES:
        absent = [row["absent"].get(name) for row in told]
        sure = [0.0 if one is None else one[1] for one in absent]
        kinds = [-1 if one is None else list(Certificate).index(one[0]) for one in absent]
        assert table.confidence(name).tolist() == [float(pa.scalar(x, pa.float32())) for x in sure]
        assert table.certificates(name).tolist() == kinds
        assert table.present(name).tolist() == [name in row["present"] for row in told]


def test_the_pool_is_written_as_the_earlier_version_wrote_it(tmp_path: Path) -> None:
    write(tmp_path / "pool")
    assert open_pool(tmp_path / "pool").digest == open_pool(GOLDEN / "pool").digest
    files = sorted(p.relative_to(GOLDEN) for p in GOLDEN.glob("pool/parts/**/*") if p.is_file())
    assert len(files) == 20
    for name in files:
        read = pq.read_table if name.suffix == ".parquet" else _read_arrow
        one, other = read(tmp_path / name), read(GOLDEN / name)
        assert one.schema == other.schema
        # as text: NaN is what it was
        assert repr(one.to_pydict()) == repr(other.to_pydict()), name


def _read_arrow(path: Path) -> pa.Table:
    with pa.OSFile(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


if __name__ == "__main__":
    shutil.rmtree(GOLDEN, ignore_errors=True)
    write(GOLDEN / "pool")
    opened = open_pool(GOLDEN / "pool")
    told = {
        "digest": opened.digest,
        "recipes": [described(recipe) for recipe in opened],
        "calls": [described(recipe) for recipe in opened.calls],
    }
    (GOLDEN / "recipes.json").write_text(json.dumps(told, indent=1) + "\n")
