"""Mined clips as known zeros: what they say, how they are drawn, what is refused."""

from __future__ import annotations

import pickle
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from batches import make_batch
from conftest import SAMPLE_RATE, Data, make_pool, tiny_config

from negmine.annotations import read_rfcx
from negmine.audio.read import read_span
from negmine.building import PoolSettings, build_pool
from negmine.errors import InputError, PoolError
from negmine.mining.selection import Chosen, Selection, open_selection
from negmine.pool import Pool, open_pool
from negmine.recipes.cache_items import build_cache
from negmine.recipes.certificates import Absence, Certificate
from negmine.recipes.labels import PartialLabels, State
from negmine.recipes.reader import DirectReader
from negmine.recipes.recipe import Recipe
from negmine.recipes.source import Source
from training.data.hard_negatives import HardNegatives
from training.data.rows import Batch, Example, Row, RowKind, make_example, stack
from training.data.settings import HardUse, MixBy
from training.losses.losses import lsep_loss

pytestmark = pytest.mark.usefixtures("one_thread")

CLASSES = ("0", "1")
NOBODY: frozenset[str] = frozenset()


def chosen(recipe: Recipe, label: str) -> Chosen:
    absence = recipe.labels.absent[label]
    certificate = absence.certificate.value
    return Chosen(
        recipe.id, label, 1.0, 1, recipe.kind, certificate, absence.confidence, "", 0.5, 0.0
    )


def write_selection(path: Path, pool: Pool, rows: list[tuple[Recipe, str]]) -> Path:
    picked = tuple(chosen(recipe, label) for recipe, label in rows)
    Selection(picked, pool.path, pool.digest, "model").write(path)
    return path


@pytest.fixture(scope="module")
def pool(shared_pool: Path) -> Pool:
    return open_pool(shared_pool)


@pytest.fixture(scope="module")
def everything(pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A selection of every certified cell of the pool."""
    rows = [(recipe, label) for recipe in pool for label in sorted(recipe.labels.absent)]
    return write_selection(tmp_path_factory.mktemp("all") / "hard.parquet", pool, rows)


def alone(ratio: float = 1.0) -> HardUse:
    """Rows of their own, mixed into no other."""
    return HardUse(ratio=ratio, mix=0.0)


def mixing(
    share: float, snr_db: tuple[float, float] = (-10.0, 10.0), by: MixBy = "other"
) -> HardUse:
    return HardUse(ratio=1.0, mix=share, mix_snr_db=snr_db, mix_by=by)


def prepared(
    path: Path,
    cache: Path,
    ratio: float = 1.0,
    held_out: frozenset[str] = NOBODY,
    mix: HardUse | None = None,
    **changes: object,
) -> HardNegatives:
    plugin = HardNegatives(path, (mix or alone()).replace(ratio=ratio), cache)
    plugin.prepare(tiny_config(**changes), CLASSES, held_out)
    return plugin


def noise(seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).normal(size=SAMPLE_RATE)).astype(np.float32)


def own_row(
    kind: RowKind, labels: PartialLabels, soft: list[float] | None = None, seed: int = 0
) -> Example:
    """A row of the trainer's own, of noise."""
    pseudo = None if soft is None else np.array(soft, np.float32)
    return make_example(Row(noise(seed), labels, kind, pseudo), CLASSES)


CALL = PartialLabels(frozenset({"0"}))
REJECTED = PartialLabels(absent={"0": Absence(Certificate.VERIFIED, 0.8)})


def batch_of(plugin: HardNegatives, step: int, classes: tuple[str, ...] = CLASSES) -> Batch:
    return make_batch(plugin.rows(step), classes)


def recipes_of(batch: Batch, pool: Pool) -> list[Recipe]:
    """Which recipe each row renders: the nearest by its samples."""
    rendered = [(recipe, recipe.render(SAMPLE_RATE)) for recipe in pool]
    found = []
    for waveform in batch.waveforms.numpy():
        gap, recipe = min(
            ((float(np.abs(waveform - samples).max()), recipe) for recipe, samples in rendered),
            key=lambda pair: pair[0],
        )
        assert gap < 1e-4
        found.append(recipe)
    return found


def test_rows_say_what_their_certificates_say_and_no_more(
    everything: Path, pool: Pool, tmp_path: Path
) -> None:
    batch = batch_of(prepared(everything, tmp_path, ratio=8.0), 0)
    kinds: Counter[tuple[str, State]] = Counter()
    for row, recipe in enumerate(recipes_of(batch, pool)):
        for column, label in enumerate(CLASSES):
            state = recipe.labels.state(label)
            cell = (
                float(batch.targets[row, column]),
                bool(batch.known[row, column]),
                float(batch.weight[row, column]),
            )
            if state is State.ABSENT:
                confidence = recipe.labels.absent[label].confidence
                assert cell[:2] == (0.0, True)
                assert cell[2] == pytest.approx(confidence, abs=1e-6)
            elif state is State.PRESENT:
                assert cell == (1.0, True, 1.0)
            else:
                assert cell[1:] == (False, 0.0)
            kinds[recipe.kind, state] += 1
    # rejected detections, external sound and mixes were all drawn
    assert {kind for kind, _ in kinds} == {"fp", "external", "mix"}
    assert {state for _, state in kinds} == {State.ABSENT, State.PRESENT}


def test_row_of_one_class_carries_all_its_certificates(pool: Pool, tmp_path: Path) -> None:
    external = next(recipe for recipe in pool if recipe.kind == "external")
    path = write_selection(tmp_path / "hard.parquet", pool, [(external, "1")])
    batch = batch_of(prepared(path, tmp_path), 0)
    assert batch.known.all()
    assert not batch.targets.any()
    torch.testing.assert_close(batch.weight, torch.full_like(batch.weight, 0.99))


def test_class_that_nobody_certified_weighs_nothing(shared_data: Data, tmp_path: Path) -> None:
    annotations = read_rfcx(shared_data.tp, shared_data.fp)
    settings = PoolSettings(clip_s=1.0, sample_rate=SAMPLE_RATE)
    declared = [f"{shared_data.external}=0"]
    folder = tmp_path / "pool"
    build_pool(shared_data.recordings, annotations, folder, external=declared, settings=settings)
    pool = open_pool(folder)
    external = next(recipe for recipe in pool if recipe.kind == "external")
    path = write_selection(tmp_path / "hard.parquet", pool, [(external, "0")])
    batch = batch_of(prepared(path, tmp_path), 0)
    assert batch.known.tolist() == [[True, False]] * 6
    torch.testing.assert_close(batch.weight, torch.tensor([[0.99, 0.0]] * 6))


def test_a_class_is_drawn_by_as_much_as_was_chosen_for_it(pool: Pool, tmp_path: Path) -> None:
    fp = [recipe for recipe in pool if recipe.kind == "fp"]
    of_0 = [(r, "0") for r in fp if "0" in r.labels.absent]
    of_1 = [(r, "1") for r in fp if "1" in r.labels.absent]
    path = write_selection(tmp_path / "hard.parquet", pool, [of_0[0], *of_1])
    assert len(of_1) == 8
    plugin = prepared(path, tmp_path, ratio=5.0)
    # each of these clips is certified for one class, and holds a call of the other
    drawn = torch.cat([batch_of(plugin, step).targets[:, 1] for step in range(20)])
    # 600 draws at one in nine: 5 standard deviations are 38
    assert len(drawn) == 600
    assert abs(int(drawn.sum()) - 600 / 9) < 38


def test_every_row_is_drawn(everything: Path, pool: Pool, tmp_path: Path) -> None:
    plugin = prepared(everything, tmp_path, ratio=20.0)
    seen = {row.tobytes() for step in range(5) for row in batch_of(plugin, step).waveforms.numpy()}
    assert len(seen) == len(pool)


def test_same_step_has_the_same_rows(everything: Path, tmp_path: Path) -> None:
    plugin = prepared(everything, tmp_path)
    want = batch_of(plugin, 4).waveforms
    batch_of(plugin, 0)
    assert torch.equal(batch_of(plugin, 4).waveforms, want)
    assert torch.equal(batch_of(prepared(everything, tmp_path), 4).waveforms, want)
    assert not torch.equal(batch_of(plugin, 5).waveforms, want)
    assert not torch.equal(batch_of(prepared(everything, tmp_path, seed=1), 4).waveforms, want)


@pytest.mark.parametrize(("ratio", "rows"), [(0.01, 1), (0.25, 2), (0.5, 3), (1.0, 6), (2.5, 15)])
def test_ratio_is_that_to_the_trainers_own_rows(
    everything: Path, tmp_path: Path, ratio: float, rows: int
) -> None:
    # 4 + 2 rows a step
    assert len(batch_of(prepared(everything, tmp_path, ratio), 0)) == rows


def test_held_out_recordings_do_not_train(everything: Path, pool: Pool, tmp_path: Path) -> None:
    held_out = frozenset({"rec00", "rec03", "rec05"})
    kept = [recipe for recipe in pool if not recipe.groups & held_out]
    mixes = [r for r in pool if r.kind == "mix" and r.groups & held_out and r not in kept]
    assert mixes
    assert len(kept) < len(pool)
    plugin = prepared(everything, tmp_path, ratio=8.0, held_out=held_out)
    total = sum(len(recipe.labels.absent) for recipe in pool)
    assert plugin.used == sum(len(recipe.labels.absent) for recipe in kept)
    assert plugin.left_out == total - plugin.used > 0
    drawn = {recipe.id for step in range(4) for recipe in recipes_of(batch_of(plugin, step), pool)}
    assert drawn <= {recipe.id for recipe in kept}


def test_nothing_is_left_out_without_validation(everything: Path, tmp_path: Path) -> None:
    plugin = prepared(everything, tmp_path)
    assert plugin.left_out == 0
    assert plugin.used == len(open_selection(everything).rows)


def test_selection_of_held_out_recordings_alone_is_an_error(pool: Pool, tmp_path: Path) -> None:
    rows = [(r, next(iter(r.labels.absent))) for r in pool if r.groups == {"rec02"}]
    path = write_selection(tmp_path / "hard.parquet", pool, rows)
    with pytest.raises(PoolError, match="none of its 2 rows may train this fold"):
        prepared(path, tmp_path, held_out=frozenset({"rec02"}))


def test_empty_selection_is_an_error(pool: Pool, tmp_path: Path) -> None:
    path = write_selection(tmp_path / "hard.parquet", pool, [])
    with pytest.raises(PoolError, match="none of its 0 rows"):
        prepared(path, tmp_path)


def test_clips_of_another_length_are_an_error(everything: Path, tmp_path: Path) -> None:
    with pytest.raises(PoolError, match=r"clips of 1 s, but this run trains on 0\.5 s; build"):
        prepared(everything, tmp_path, clip_s=0.5)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("0", "1", "2"), "class '2' is unknown there"),
        (("0",), "has a class '1' that is not among the 1 here"),
    ],
)
def test_other_classes_are_an_error(
    everything: Path, tmp_path: Path, classes: tuple[str, ...], message: str
) -> None:
    plugin = HardNegatives(everything, alone(), tmp_path)
    with pytest.raises(PoolError, match=message):
        plugin.prepare(tiny_config(), classes, NOBODY)


def test_classes_in_another_order_change_the_columns(
    pool: Pool, everything: Path, tmp_path: Path
) -> None:
    plugin = HardNegatives(everything, alone(), tmp_path)
    plugin.prepare(tiny_config(), CLASSES[::-1], NOBODY)
    want = batch_of(prepared(everything, tmp_path), 0)
    turned = batch_of(plugin, 0, CLASSES[::-1])
    assert torch.equal(turned.weight, want.weight.flip(1))
    assert torch.equal(turned.targets, want.targets.flip(1))


def test_pool_that_was_rebuilt_is_an_error(data: Data, tmp_path: Path) -> None:
    folder = make_pool(data, tmp_path / "pool", mix=0)
    pool = open_pool(folder)
    path = write_selection(tmp_path / "hard.parquet", pool, [(pool[0], "0")])
    prepared(path, tmp_path)
    shutil.rmtree(folder)
    make_pool(data, folder, mix=3)
    with pytest.raises(PoolError, match=r"rebuilt since .* run 'negmine mine' again"):
        prepared(path, tmp_path)


def test_pool_that_is_gone_is_an_error(data: Data, tmp_path: Path) -> None:
    folder = make_pool(data, tmp_path / "pool", mix=0)
    pool = open_pool(folder)
    path = write_selection(tmp_path / "hard.parquet", pool, [(pool[0], "0")])
    shutil.rmtree(folder)
    with pytest.raises(PoolError, match="It was the pool of this selection"):
        prepared(path, tmp_path)


def test_missing_selection_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match=r"none\.parquet: no such file"):
        HardNegatives(tmp_path / "none.parquet", alone(), tmp_path)


def test_description_tells_selections_and_ratios_apart(
    pool: Pool, everything: Path, tmp_path: Path
) -> None:
    one = write_selection(tmp_path / "one.parquet", pool, [(pool[0], "0")])
    copy = Path(shutil.copy(one, tmp_path / "copy.parquet"))
    texts = [
        HardNegatives(path, alone(ratio), tmp_path).description
        for path, ratio in ((everything, 1.0), (everything, 0.5), (one, 1.0))
    ]
    assert len(set(texts)) == 3
    assert HardNegatives(copy, alone(), tmp_path).description == texts[2]


def test_clips_are_rendered_once(
    everything: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []

    def progress(*_: object) -> Any:
        return lambda: done.append(1)

    plugin = HardNegatives(everything, alone(), tmp_path, progress)
    plugin.prepare(tiny_config(), CLASSES, NOBODY)
    recipes = {row.recipe for row in open_selection(everything).rows}
    assert len(done) == len(recipes)

    def rendered_again(*_: object) -> None:
        raise AssertionError("rendered again")

    monkeypatch.setattr(Recipe, "render", rendered_again)
    assert torch.equal(
        batch_of(prepared(everything, tmp_path), 0).waveforms, batch_of(plugin, 0).waveforms
    )


def negative_in(mixed: Example, row: Example, pool: Pool) -> tuple[Recipe, float]:
    """Which recipe was mixed into a row, and at what ratio: by least squares over all of them."""
    found = []
    for recipe in pool:
        parts = np.stack([row.waveform, recipe.render(SAMPLE_RATE)], axis=1).astype(np.float64)
        levels = np.linalg.lstsq(parts, mixed.waveform, rcond=None)[0]
        left = float(np.abs(mixed.waveform - parts @ levels).max())
        one, other = np.abs(levels) * np.sqrt(np.mean(parts**2, axis=0))
        found.append((left, recipe, 20 * np.log10(one / other)))
    left, recipe, snr_db = min(found, key=lambda f: f[0])
    assert left < 1e-3
    return recipe, snr_db


def selected(pool: Pool, folder: Path, kinds: dict[str, str]) -> Path:
    """A selection in which each class was fooled by recipes of one kind alone."""
    rows = [
        (r, label)
        for label, kind in kinds.items()
        for r in pool
        if r.kind == kind and label in r.labels.absent
    ]
    return write_selection(folder / "hard.parquet", pool, rows)


@pytest.mark.parametrize(
    ("by", "kind"), [("other", {"external"}), ("own", {"fp"}), ("any", {"external", "fp"})]
)
def test_call_gets_a_negative_that_fooled_the_class_asked_for(
    pool: Pool, tmp_path: Path, by: MixBy, kind: set[str]
) -> None:
    path = selected(pool, tmp_path, {"0": "fp", "1": "external"})
    plugin = prepared(path, tmp_path, mix=mixing(1.0, (3.0, 9.0), by))
    row = own_row(RowKind.TP, CALL)
    found = []
    for step in range(12):
        mixed = plugin.transform(row, step, 2)
        recipe, snr_db = negative_in(mixed, row, pool)
        found.append(recipe.kind)
        assert 3 <= snr_db + 0.1 <= 9.2
        # the call is there as before; loudness does not tell that it is mixed
        assert (mixed.cells.targets[0], mixed.cells.known[0], mixed.cells.weight[0]) == (1, True, 1)
        assert np.std(mixed.waveform) == pytest.approx(np.std(row.waveform), rel=1e-3)
    assert set(found) == kind


@pytest.mark.parametrize("by", ["other", "own", "any"])
@pytest.mark.parametrize("fooled", ["0", "1"])
def test_where_none_fooled_the_class_asked_for_another_negative_joins_the_call(
    pool: Pool, tmp_path: Path, by: MixBy, fooled: str
) -> None:
    path = selected(pool, tmp_path, {fooled: "external"})
    row = own_row(RowKind.TP, CALL)
    plugin = prepared(path, tmp_path, mix=mixing(1.0, by=by))
    assert all(plugin.transform(row, step, 0) is not row for step in range(5))


def shares(plugin: HardNegatives, rows: dict[RowKind, Example]) -> dict[RowKind, float]:
    steps = range(400)
    return {
        kind: sum(plugin.transform(row, step, 1) is not row for step in steps) / len(steps)
        for kind, row in rows.items()
    }


@pytest.mark.parametrize("by", ["other", "own", "any"])
def test_with_one_class_rows_of_all_kinds_are_mixed_as_often(
    pool: Pool, tmp_path: Path, by: MixBy
) -> None:
    rows = [(r, "0") for r in pool if "0" in r.labels.absent]
    path = write_selection(tmp_path / "hard.parquet", pool, rows)
    plugin = prepared(path, tmp_path, mix=mixing(0.5, by=by))
    kinds = {
        RowKind.TP: own_row(RowKind.TP, CALL),
        RowKind.FP: own_row(RowKind.FP, REJECTED),
        RowKind.POOL: own_row(RowKind.POOL, REJECTED),
    }
    # 5 standard deviations are 0.125
    assert shares(plugin, kinds) == pytest.approx(dict.fromkeys(kinds, 0.5), abs=0.125)


def test_a_rejected_row_of_a_class_that_nothing_fooled_gets_a_negative_free_of_it(
    pool: Pool, tmp_path: Path
) -> None:
    # external sound fooled class 1 alone, and is certified free of class 0, too
    path = selected(pool, tmp_path, {"1": "external"})
    plugin = prepared(path, tmp_path, mix=mixing(1.0))
    mixed = plugin.transform(own_row(RowKind.FP, REJECTED), 0, 0)
    assert (mixed.cells.targets[0], mixed.cells.known[0]) == (0, True)
    assert mixed.cells.weight[0] == pytest.approx(0.8 * 0.99)


def test_a_class_that_no_negative_is_free_of_has_neither_calls_nor_zeros_mixed(
    pool: Pool, tmp_path: Path
) -> None:
    # rejected detections of class 1 are certified free of it alone
    path = selected(pool, tmp_path, {"1": "fp"})
    told: list[list[str]] = []
    plugin = HardNegatives(path, mixing(1.0), tmp_path, on_unmixed=told.append)
    plugin.prepare(tiny_config(), CLASSES, NOBODY)
    assert told == [["0"]]
    for kind, labels in ((RowKind.TP, CALL), (RowKind.FP, REJECTED)):
        row = own_row(kind, labels)
        assert plugin.transform(row, 0, 0) is row
    other = own_row(RowKind.TP, PartialLabels(frozenset({"1"})))
    assert plugin.transform(other, 0, 0) is not other


def test_rows_of_pseudo_labels_are_mixed_as_often(everything: Path, tmp_path: Path) -> None:
    plugin = prepared(everything, tmp_path, mix=mixing(0.5))
    kinds = {RowKind.POOL: own_row(RowKind.POOL, PartialLabels(), soft=[0.3, 0.1])}
    assert shares(plugin, kinds)[RowKind.POOL] == pytest.approx(0.5, abs=0.125)


def test_rejected_row_stays_a_known_zero(pool: Pool, tmp_path: Path) -> None:
    path = selected(pool, tmp_path, {"0": "external", "1": "fp"})
    plugin = prepared(path, tmp_path, mix=mixing(1.0))
    for kind in (RowKind.FP, RowKind.POOL):
        row = own_row(kind, REJECTED)
        for step in range(6):
            mixed = plugin.transform(row, step, 1)
            assert negative_in(mixed, row, pool)[0].kind == "external"
            assert (mixed.cells.targets[0], mixed.cells.known[0]) == (0, True)
            assert mixed.cells.weight[0] == pytest.approx(0.8 * 0.99)
            assert not mixed.cells.known[1]
            assert mixed.kind is kind


def test_unknown_cells_of_a_call_stay_unknown_and_softly_zero(pool: Pool, tmp_path: Path) -> None:
    path = selected(pool, tmp_path, {"1": "external"})
    mixed = prepared(path, tmp_path, mix=mixing(1.0)).transform(own_row(RowKind.TP, CALL), 0, 0)
    assert not mixed.cells.known[1]
    assert mixed.cells.weight[1] == pytest.approx(0.99)


def test_ranking_loss_pushes_a_call_above_what_fooled_the_model(pool: Pool, tmp_path: Path) -> None:
    path = selected(pool, tmp_path, {"1": "external"})
    row = own_row(RowKind.TP, CALL, soft=[0.0, 0.1])
    mixed = prepared(path, tmp_path, mix=mixing(1.0)).transform(row, 0, 0)
    negative = prepared(path, tmp_path).rows(0)[0]

    def gradient(example: Example) -> torch.Tensor:
        logits = torch.zeros(1, 2, requires_grad=True)
        batch = stack([example])
        return torch.autograd.grad(lsep_loss(logits, batch.targets, batch.known), logits)[0][0]

    call, fooled = gradient(mixed).tolist()
    assert call < 0 < fooled
    # the negative alone has no pair
    assert not gradient(make_example(negative, CLASSES)).any()


def test_rows_of_all_kinds_are_mixed_as_often(everything: Path, tmp_path: Path) -> None:
    plugin = prepared(everything, tmp_path, mix=mixing(0.3))
    for kind, labels in ((RowKind.TP, CALL), (RowKind.FP, REJECTED), (RowKind.POOL, REJECTED)):
        row = own_row(kind, labels)
        mixed = sum(plugin.transform(row, step, 3) is not row for step in range(600))
        # 5 standard deviations are 56
        assert abs(mixed - 180) < 56


def test_what_is_mixed_depends_on_seed_step_and_row_alone(everything: Path, tmp_path: Path) -> None:
    row, mix = own_row(RowKind.TP, CALL), mixing(1.0)
    plugin = prepared(everything, tmp_path, mix=mix)
    want = plugin.transform(row, 4, 1)
    plugin.rows(4), plugin.transform(row, 0, 0)
    again = pickle.loads(pickle.dumps(plugin)).transform(row, 4, 1)
    np.testing.assert_array_equal(again.waveform, want.waveform)
    for other in (
        plugin.transform(row, 4, 2),
        plugin.transform(row, 5, 1),
        prepared(everything, tmp_path, mix=mix, seed=1).transform(row, 4, 1),
    ):
        assert not np.array_equal(other.waveform, want.waveform)


def test_mixing_changes_neither_which_rows_are_added_nor_anything_at_share_0(
    everything: Path, tmp_path: Path
) -> None:
    plain, mixed = (prepared(everything, tmp_path, mix=m) for m in (None, mixing(0.5)))
    assert torch.equal(batch_of(plain, 3).waveforms, batch_of(mixed, 3).waveforms)
    row = own_row(RowKind.TP, CALL)
    for none in (plain, prepared(everything, tmp_path, mix=mixing(0.0))):
        assert none.transform(row, 0, 0) is row
        assert none.description == plain.description
    texts = {
        HardNegatives(everything, use, tmp_path).description
        for use in (alone(), mixing(0.5), mixing(0.4), mixing(0.5, (1, 2)), mixing(0.5, by="own"))
    }
    assert len(texts) == 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mix": 1.5}, r"mix = 1\.5: expected a number in \[0, 1\]"),
        ({"mix_snr_db": (9.0, 1.0)}, "the range is empty"),
        ({"mix_by": "mine"}, "mix_by = 'mine': expected one of other, own, any"),
    ],
)
def test_impossible_mixing_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        HardUse(**settings)


def test_the_pool_s_cache_of_sound_is_read_and_changes_no_bit(
    shared_pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(shutil.copytree(shared_pool, tmp_path / "pool"))
    pool = open_pool(place)
    rows = [(recipe, label) for recipe in pool for label in sorted(recipe.labels.absent)]
    path = write_selection(tmp_path / "hard.parquet", pool, rows)
    read: list[str] = []

    def counted(
        self: object, source: Source, start_s: float, duration_s: float, rate: int
    ) -> np.ndarray:
        read.append(source.name)
        return read_span(source.path, start_s, duration_s, rate)

    monkeypatch.setattr(DirectReader, "read", counted)
    plain = [batch_of(prepared(path, tmp_path / "plain"), step).waveforms for step in range(3)]
    from_files = set(read)
    build_cache(place / "cache", list(pool.sources), SAMPLE_RATE)
    read.clear()
    cached = [batch_of(prepared(path, tmp_path / "cached"), step).waveforms for step in range(3)]
    for one, other in zip(plain, cached, strict=True):
        assert torch.equal(one, other)
    # the external files have two channels and another rate: they do not come back to the bit
    assert {name for name in from_files if name.startswith("rec")}
    assert set(read) == {name for name in from_files if not name.startswith("rec")}
