"""The pool's files: what is written is read again, and what is damaged is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pools import write_pool

import negmine
from negmine.errors import PoolError
from negmine.pool import check_classes, open_pool
from negmine.pool.append import append_recipes
from negmine.pool.recipe_files import TABLES
from negmine.pool.writer import PoolWriter, add_rows
from negmine.recipes.certificates import Absence, Certificate
from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import Layer
from negmine.recipes.recipe import Recipe
from negmine.recipes.source import Source
from negmine.storage.files import write_arrow

ROOTS = {"recordings": Path("/sound"), "external0": Path("/other")}
CERTIFIED = PartialLabels.certified(["a", "b"], Certificate.EXTERNAL, 0.123456789012345)
MIXED_UP = PartialLabels(frozenset({"c"}), {"a": Absence(Certificate.VERIFIED, 1 / 3)})


def source(name: str, root: str = "recordings") -> Source:
    return Source(ROOTS[root], f"deep/{name}.wav", f"of {name}", 1 / 7, name)


def clip(
    name: str, labels: PartialLabels = CERTIFIED, start_s: float = 0.1, root: str = "recordings"
) -> Recipe:
    return Recipe("fp", (Layer(source(name, root), start_s),), 1.5, 8000, labels)


def ragged() -> list[Recipe]:
    """Recipes of one to four layers, with label sets of every kind."""
    one, two = clip("p"), clip("q", MIXED_UP, 0.3, "external0")
    empty = clip("r", PartialLabels())
    return [
        one,
        two,
        empty,
        one.mix(two, -3.5),
        two.mix(empty, 0.0),
        one.mix(two, 1 / 3).mix(two.mix(one, 2.0), 1.0),
    ]


def write(
    path: Path, recipes: Sequence[Recipe], calls: Sequence[Recipe] = (), **options: bool
) -> bool:
    return write_pool(
        path,
        classes=("a", "b", "c"),
        clip_s=1.5,
        sample_rate=8000,
        roots=ROOTS,
        recipes=recipes,
        calls=calls,
        settings={"seed": 3, "range": (1.0, 2.0)},
        **options,
    )


@pytest.fixture
def pool_copy(shared_pool: Path, tmp_path: Path) -> Path:
    """A pool to spoil."""
    return Path(shutil.copytree(shared_pool, tmp_path / "pool"))


# ---- there and back


def test_recipes_come_back_equal(tmp_path: Path) -> None:
    recipes, calls = ragged(), [clip("c1", MIXED_UP), clip("c2", MIXED_UP, 0.7)]
    assert write(tmp_path / "pool", recipes, calls) is True
    pool = open_pool(tmp_path / "pool")
    assert list(pool) == recipes
    assert list(pool.calls) == calls
    assert [r.id for r in pool] == list(pool.recipes.ids) == [r.id for r in recipes]
    assert (pool.classes, pool.clip_s, pool.sample_rate) == (("a", "b", "c"), 1.5, 8000)
    assert pool.settings == {"seed": 3, "range": [1.0, 2.0]}


def test_a_pool_is_a_sequence_of_recipes(tmp_path: Path) -> None:
    recipes = ragged()
    write(tmp_path / "pool", recipes)
    pool = open_pool(tmp_path / "pool")
    assert len(pool) == len(recipes)
    assert pool[-1] == recipes[-1]
    assert isinstance(pool[1:5:2], negmine.Pool)
    assert list(pool[1:5:2]) == recipes[1:5:2]
    assert list(pool[np.array([3, 3, 0])]) == [recipes[3], recipes[3], recipes[0]]
    some = pool[pool.confidence("a") > 0]
    assert list(some) == [r for r in recipes if "a" in r.labels.absent]
    assert some.confidence("a").tolist() == [v for v in pool.confidence("a").tolist() if v]
    assert list(some.recipes.ids) == [r.id for r in some]
    assert some[1:][0] == some[1]
    assert pool[np.int64(2)] == recipes[2]
    with pytest.raises(IndexError):
        pool[len(recipes)]
    assert len(pool.calls) == 0
    assert list(pool.calls[:]) == []


def test_rows_read_at_once_are_those_read_one_by_one(tmp_path: Path) -> None:
    erased = Layer(None, op="erase", low_hz=1000.0, high_hz=2000.0)
    changed = Recipe("erase", (*clip("p").layers, erased), 1.5, 8000, MIXED_UP)
    first = [*ragged(), changed, changed.mix(clip("s"), 2.0)]
    write(tmp_path / "one", first)
    negmine.append_recipes(tmp_path / "one", [clip("t")], {})
    pool = open_pool(tmp_path / "one")
    every = [*first, clip("t")]
    rows = np.random.default_rng(0).integers(0, len(every), 50)
    assert list(pool[rows]) == [every[row] for row in rows] == [pool[row] for row in rows]
    assert list(pool[rows[:0]]) == []
    for row in (-1, len(every)):
        with pytest.raises(IndexError):
            pool.recipes[np.array([0, row])]


def test_opening_a_pool_loads_no_pandas(shared_pool: Path) -> None:
    # what takes a second, and nothing here needs
    code = (
        "import sys; from negmine.pool import open_pool; "
        f"pool = open_pool({str(shared_pool)!r}); pool[0]; pool.calls[0]; "
        "print('pandas' in sys.modules or 'pyarrow.dataset' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_a_recipe_enters_once_the_first_of_its_like(tmp_path: Path) -> None:
    first, other = clip("p", CERTIFIED), clip("q")
    write(tmp_path / "pool", [first, other, replace(first, labels=MIXED_UP), other])
    assert list(open_pool(tmp_path / "pool")) == [first, other]


def test_a_row_is_found_by_its_id(tmp_path: Path) -> None:
    recipes = ragged()
    write(tmp_path / "pool", recipes)
    table = open_pool(tmp_path / "pool").recipes
    assert [table.row_of(recipe.id) for recipe in recipes] == list(range(len(recipes)))
    with pytest.raises(PoolError, match="no recipe '0123' in this pool"):
        table.row_of("0123")


def test_confidence_is_that_of_each_recipes_labels(tmp_path: Path) -> None:
    recipes = ragged()
    write(tmp_path / "pool", recipes)
    pool = open_pool(tmp_path / "pool")
    for name in ("a", "b", "c", "unheard of"):
        found = pool.confidence(name)
        assert found.dtype == np.float32
        expected = [
            r.labels.absent[name].confidence if name in r.labels.absent else 0 for r in pool
        ]
        np.testing.assert_array_equal(found, np.array(expected, dtype=np.float32))


def test_certified_of_all_classes_at_once_is_confidence_of_each(tmp_path: Path) -> None:
    several = PartialLabels.certified([f"s{i}" for i in range(9)], Certificate.EXTERNAL, 0.2)
    wide, parts = clip("w", several), [clip("p", start_s=i / 10) for i in range(4)]
    # four claims of 0.12 make one that is dropped
    weak = parts[0].mix(parts[1], 1.0).mix(parts[2].mix(parts[3], 1.0), 2.0)
    assert not weak.labels.absent
    write(tmp_path / "pool", [*ragged(), wide, weak])
    append_recipes(tmp_path / "pool", [clip("w", several, 0.7), parts[2]], {})
    table = open_pool(tmp_path / "pool").recipes
    names = ["a", "unheard of", "b", "c", *sorted(several.absent)]
    bits = table.certified(names)
    assert bits.shape == (2, len(table))
    for column, name in enumerate(names):
        found = bits[column // 8] >> column % 8 & 1
        assert found.tolist() == [name in recipe.labels.absent for recipe in table]
    assert [table.kind_names[code] for code in table.kind] == [r.kind for r in table]


def test_some_rows_of_several_parts_say_what_all_rows_do(pool_copy: Path) -> None:
    pool = open_pool(pool_copy)
    added = append_recipes(pool_copy, [pool[0].mix(pool[-1], 2.0), pool[1].mix(pool[2], 1.0)], {})
    table = open_pool(pool_copy).recipes
    assert added > 0
    last = len(table) - 1
    for name in (*pool.classes, "unheard of"):
        of_rows = [recipe.labels.absent.get(name) for recipe in table]
        kinds = [-1 if a is None else list(Certificate).index(a.certificate) for a in of_rows]
        sure = [0.0 if a is None else np.float32(a.confidence) for a in of_rows]
        for rows in ([last, 0, 5, 0, 3], [2], [last], [], list(range(len(table)))):
            asked = np.array(rows, dtype=np.int64)
            assert table.certificates(name, asked).tolist() == [kinds[row] for row in rows]
            assert table.confidence(name, asked).tolist() == [sure[row] for row in rows]
            assert table.groups(asked) == [table[row].groups for row in rows]
            first = [min(table[row].groups, default="") for row in rows]
            assert table.first_groups(asked) == first


@pytest.mark.parametrize("names", [(), ("p",), ("q", "r"), ("unheard of",), ("p", "q", "r")])
def test_recipes_draw_on_the_groups_of_all_their_layers(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    recipes = ragged()
    write(tmp_path / "pool", recipes)
    groups = frozenset(names)
    found = open_pool(tmp_path / "pool").recipes.draws_on(groups)
    assert found.tolist() == [bool(recipe.groups & groups) for recipe in recipes]


def test_an_empty_table_draws_on_nothing(tmp_path: Path) -> None:
    write(tmp_path / "pool", ragged())
    assert open_pool(tmp_path / "pool").calls.draws_on(frozenset({"p"})).shape == (0,)


def test_a_row_costs_the_same_with_ten_thousand_classes(tmp_path: Path) -> None:
    many = PartialLabels.certified([f"class{i}" for i in range(10_000)], Certificate.EXTERNAL)
    few = PartialLabels.certified(["class0"], Certificate.EXTERNAL)
    sizes = []
    for labels in (few, many):
        out = tmp_path / f"{len(labels.absent)}"
        write(out, [clip("p", labels, float(i)) for i in range(500)])
        recipes = next((out / "parts").iterdir()) / "recipes"
        sizes.append(sum(path.stat().st_size for path in recipes.iterdir()))
        assert len(open_pool(out).label_sets) == 1
    assert sizes[0] == pytest.approx(sizes[1], rel=0.01)
    assert sizes[1] < 500 * 100


def test_the_package_opens_pools_and_renders_recipes(shared_pool: Path) -> None:
    pool = negmine.open_pool(str(shared_pool))
    assert isinstance(pool, negmine.Pool)
    assert isinstance(pool[0], negmine.Recipe)
    assert pool[0].render().shape == (8000,)
    with pytest.raises(AttributeError, match="module 'negmine' has no attribute 'open_pond'"):
        negmine.open_pond  # noqa: B018


# ---- digests


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows[::-1],
        lambda rows: rows[1:],
        lambda rows: [replace(rows[0], labels=MIXED_UP), *rows[1:]],
        lambda rows: [
            replace(rows[0], labels=PartialLabels.certified("ab", Certificate.EXTERNAL, 0.5)),
            *rows[1:],
        ],
    ],
    ids=["order", "rows", "labels", "confidence"],
)
def test_the_digest_changes_with_any_row(
    tmp_path: Path, change: Callable[[list[Recipe]], list[Recipe]]
) -> None:
    write(tmp_path / "one", ragged())
    write(tmp_path / "other", change(ragged()))
    assert open_pool(tmp_path / "one").digest != open_pool(tmp_path / "other").digest


def test_the_digest_changes_with_the_calls(tmp_path: Path) -> None:
    write(tmp_path / "one", ragged())
    write(tmp_path / "other", ragged(), [clip("c")])
    assert open_pool(tmp_path / "one").digest != open_pool(tmp_path / "other").digest


def test_the_digest_covers_the_classes_and_their_order(tmp_path: Path) -> None:
    def digest(name: str, classes: Sequence[str]) -> str:
        write_pool(
            tmp_path / name, classes=classes, clip_s=1.5, sample_rate=8000, roots=ROOTS,
            recipes=ragged(), settings={},
        )  # fmt: skip
        return open_pool(tmp_path / name).digest

    orders = (("a", "b", "c"), ("b", "a", "c"), ("a", "b", "c", "d"))
    digests = [digest(f"p{i}", classes) for i, classes in enumerate(orders)]
    assert len(set(digests)) == 3
    # classes that the rows tell leave a digest as it was before classes were covered
    writer = PoolWriter(1.5, 8000)
    add_rows(writer, ragged())
    assert digests[0] == writer.digest()


# ---- what stands there already


def test_the_same_pool_is_left_alone_and_another_refused(tmp_path: Path) -> None:
    out = tmp_path / "pool"
    assert write(out, ragged()) is True
    assert write(out, ragged()) is False
    with pytest.raises(PoolError, match=r"another pool is there already; .* pass --force"):
        write(out, ragged()[1:])
    assert len(open_pool(out)) == 6
    assert write(out, ragged()[1:], replace=True) is True
    assert len(open_pool(out)) == 5
    assert [p.name for p in tmp_path.iterdir()] == ["pool"]


def test_a_pool_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match="nothing to put into the pool"):
        write(tmp_path / "pool", [])
    assert not (tmp_path / "pool").exists()


# ---- damage


def test_a_missing_folder_is_no_pool(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match="gone: no such folder; make one with 'negmine build-pool'"):
        open_pool(tmp_path / "gone")
    with pytest.raises(PoolError, match=r"no pool\.json in it: not a pool"):
        open_pool(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"pool\.json: not readable as JSON: "),
        ('{"format": "negmine-pool", ', r"pool\.json: not readable as JSON: "),
        ("[]", r"pool\.json: not a pool's description"),
        ('{"format": "other"}', r"pool\.json: not a pool's description"),
        (
            '{"format": "negmine-pool", "version": 1}',
            "a pool of version 1, and this negmine reads version 2; build it again",
        ),
        (
            '{"format": "negmine-pool", "version": 2, "classes": [], "clip_s": 1}',
            "sample_rate, digest, roots, settings, parts is missing: damaged",
        ),
    ],
)
def test_a_damaged_description_is_named(pool_copy: Path, text: str, message: str) -> None:
    (pool_copy / "pool.json").write_text(text)
    with pytest.raises(PoolError, match=message):
        open_pool(pool_copy)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("classes", "abc"),
        ("classes", [1, 2]),
        ("classes", ["0", "0"]),
        ("classes", ["0", "\x1b[31m1"]),
        ("classes", ["0", "x" * 300]),
        ("clip_s", 0),
        ("sample_rate", 0),
        ("parts", []),
        ("clip_s", "long"),
        ("clip_s", 1e300),
        ("sample_rate", True),
        ("roots", ["/"]),
        ("roots", {"recordings": 3}),
        ("roots_beside", ["x"]),
        ("roots_beside", {"recordings": 3}),
        ("parts", {}),
        ("parts", [3]),
        ("parts", [{"name": "0", "kinds": [], "sources": 1, "label_sets": -1, "digest": ""}]),
        ("parts", [{"name": "0", "kinds": [3], "sources": 1, "label_sets": 1, "digest": ""}]),
    ],
)
def test_a_description_of_other_kinds_is_damaged(pool_copy: Path, key: str, value: object) -> None:
    info = json.loads((pool_copy / "pool.json").read_text())
    info.pop("seal", None)
    (pool_copy / "pool.json").write_text(json.dumps(info | {key: value}))
    with pytest.raises(PoolError, match=r"pool\.json: .* damaged"):
        open_pool(pool_copy)


def part(pool: Path) -> Path:
    """The only part of a pool."""
    (found,) = (pool / "parts").iterdir()
    return found


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sources.parquet", "Parquet"),
        ("labels.parquet", "Parquet"),
        *((f"{table}/{name}.arrow", "Arrow") for table in ("recipes", "calls") for name in TABLES),
    ],
)
def test_a_missing_or_damaged_table_is_named(pool_copy: Path, name: str, kind: str) -> None:
    path = part(pool_copy) / name
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(PoolError, match=rf"{name}: not readable as {kind}"):
        open_pool(pool_copy)
    path.unlink()
    with pytest.raises(PoolError, match=rf"{name}: no such file"):
        open_pool(pool_copy)


def rewrite(path: Path, column: str, change: Callable[[list[object]], list[object]]) -> None:
    table = pq.read_table(path)
    at = table.column_names.index(column)
    values = pa.array(change(table.column(column).to_pylist()), table.schema.field(column).type)
    changed = table.set_column(at, table.schema.field(column), values)
    pq.write_table(changed.replace_schema_metadata(None), path)  # without its seal


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../secret.wav", "deep/../../secret.wav", "..", "deep/.."]
)
def test_a_path_that_escapes_the_pools_folders_is_refused(pool_copy: Path, name: str) -> None:
    rewrite(part(pool_copy) / "sources.parquet", "name", lambda names: [*names[:-1], name])
    with pytest.raises(PoolError, match=r"sources\.parquet: .* is outside the pool's folders"):
        open_pool(pool_copy)


def test_a_folder_that_the_pool_does_not_know_is_refused(pool_copy: Path) -> None:
    rewrite(part(pool_copy) / "sources.parquet", "root", lambda roots: [*roots[:-1], "elsewhere"])
    with pytest.raises(PoolError, match=r"sources\.parquet: .* is outside the pool's folders"):
        open_pool(pool_copy)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("certificate", "hearsay"),
        ("confidence", 1.5),
        ("confidence", 0.0),
        ("set", 10**6),
        ("set", -1),
        ("class", "0"),
    ],
)
def test_damaged_labels_are_refused(pool_copy: Path, column: str, value: object) -> None:
    rewrite(part(pool_copy) / "labels.parquet", column, lambda cells: [*cells[:-1], value])
    with pytest.raises(PoolError, match=r"labels\.parquet: damaged"):
        open_pool(pool_copy)


def respoil(path: Path, column: str, change: Callable[[list[Any]], list[Any]]) -> None:
    with pa.OSFile(str(path)) as file:
        table = pa.ipc.open_file(file).read_all()
    at = table.column_names.index(column)
    values = pa.array(change(table.column(column).to_pylist()), table.schema.field(column).type)
    write_arrow(path, table.set_column(at, table.schema.field(column), values))


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("rows", "kind", 200),
        ("uses", "clip", 10**6),
        ("uses", "clip", -1),
        ("clips", "source", 10**6),
        ("clips", "source", -1),
        ("clips", "label", 10**6),
        ("clips", "label", -2),
    ],
)
def test_a_row_of_what_is_not_there_is_refused(
    pool_copy: Path, table: str, column: str, value: int
) -> None:
    path = part(pool_copy) / "recipes" / f"{table}.arrow"
    respoil(path, column, lambda values: [*values[:-1], value])
    with pytest.raises(PoolError, match=rf"{table}\.arrow: names what is not there: damaged"):
        open_pool(pool_copy)


@pytest.mark.parametrize(
    "change",
    [
        lambda values: [1, *values[1:]],
        lambda values: [*values[:-1], 10**6],
        lambda values: [*values[:-2], *values[-2:][::-1]],
        lambda values: [*values[:-1], values[-2]],
        lambda values: [*values[:-1], 2**63 - 1],
        lambda values: [values[0], 2**63 - 1, *values[2:]],
        lambda values: [values[0], -(2**63), *values[2:]],
    ],
    ids=["late", "beyond", "out of order", "no layer", "far beyond", "far inside", "far before"],
)
def test_rows_out_of_order_are_refused(
    pool_copy: Path, change: Callable[[list[Any]], list[Any]]
) -> None:
    respoil(part(pool_copy) / "recipes" / "rows.arrow", "first_use", change)
    with pytest.raises(PoolError, match=r"rows\.arrow: rows out of order: damaged"):
        open_pool(pool_copy)


def test_a_part_of_a_strange_name_is_refused(pool_copy: Path) -> None:
    path = pool_copy / "pool.json"
    text = path.read_text().replace('"name": "0000', '"name": "../0000')
    path.write_text(text.replace("negmine-xxh3:", ""))  # without its seal
    with pytest.raises(PoolError, match=r"'\.\./0000-.*' is not a part's name: damaged"):
        open_pool(pool_copy)


def test_a_table_of_another_schema_is_refused(pool_copy: Path) -> None:
    path = part(pool_copy) / "recipes" / "rows.arrow"
    with pa.OSFile(str(path)) as file:
        table = pa.ipc.open_file(file).read_all()
    write_arrow(path, table.drop_columns(["kind"]))
    with pytest.raises(PoolError, match="no column 'kind'; found id, first_use"):
        open_pool(pool_copy)
    at = table.column_names.index("kind")
    write_arrow(path, table.set_column(at, "kind", table.column("kind").cast(pa.int64())))
    with pytest.raises(PoolError, match="column 'kind' is int64, not uint8"):
        open_pool(pool_copy)


# ---- classes


def test_the_same_classes_in_another_order_fit() -> None:
    check_classes(("b", "a"), ("a", "b"), "pool")


def test_the_first_class_that_one_side_lacks_is_named() -> None:
    with pytest.raises(PoolError, match=r"pool: class 'frg' is unknown there \(did you mean frog"):
        check_classes(("owl", "frg"), ("owl", "frog"), "pool")
    with pytest.raises(PoolError, match="pool: has a class 'owl' that is not among the 1 here"):
        check_classes(("frog",), ("frog", "owl"), "pool")
