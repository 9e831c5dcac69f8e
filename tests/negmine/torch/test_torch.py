"""Hard negatives in other people's trainers: data set, batch sampler, loss, loader, flags."""

from __future__ import annotations

import argparse
import doctest
import itertools
import math
from collections import Counter
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from conftest import Data
from exporting import make_selection
from programs import run_beside
from torch.utils.data import ConcatDataset, DataLoader, TensorDataset

import negmine.torch
from negmine.errors import InputError, PoolError
from negmine.mining.selection import Selection, open_selection
from negmine.torch import (
    HardNegativeBatchSampler,
    HardNegativeDataset,
    add_argument,
    click_option,
    known_bce,
    mixed_loader,
)


@pytest.fixture(scope="module")
def selection(shared_data: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_selection(shared_data, tmp_path_factory.mktemp("mined"))


def test_an_item_is_what_the_row_sounds_like_and_what_is_certified(selection: Path) -> None:
    chosen = open_selection(selection)
    recipes = chosen.recipes(chosen.open_pool())
    classes = ["rain", "1", "0"]
    dataset = HardNegativeDataset(selection, classes)
    assert len(dataset) == len(chosen.rows) == len(dataset.mined_for)
    seen = set()
    for index, (row, recipe) in enumerate(zip(chosen.rows, recipes, strict=True)):
        samples, labels, weights = dataset[index]
        assert np.array_equal(samples.numpy(), recipe.render())
        for name, label, weight in zip(classes, labels, weights, strict=True):
            state = recipe.labels.state(name).value
            seen.add(state)
            if state == "unknown":
                assert math.isnan(label)
                assert weight == 0
            else:
                assert label == float(state == "present")
                known = recipe.labels.absent.get(name)
                assert weight == pytest.approx(known.confidence if known else 1)
        assert labels[classes.index(row.label)] == 0
    assert seen >= {"absent", "unknown"}


def test_own_keeps_the_cell_that_a_row_was_mined_for(selection: Path) -> None:
    dataset = HardNegativeDataset(selection, own=True)
    for index, name in enumerate(dataset.mined_for):
        _, labels, weights = dataset[index]
        known = [n for n, label in zip(dataset.classes, labels, strict=True) if label == 0]
        assert known == [name]
        assert (weights > 0).sum() == 1


def test_what_validates_is_left_out_also_as_part_of_a_mix(selection: Path) -> None:
    chosen = open_selection(selection)
    recipes = chosen.recipes(chosen.open_pool())
    held = {"rec00", "rec05"}
    dirty = [any(s.recording in held for s in recipe.sources) for recipe in recipes]
    dataset = HardNegativeDataset(selection, held_out=held)
    assert dataset.left_out == sum(dirty) > 0
    assert any(dirt and recipe.kind == "mix" for dirt, recipe in zip(dirty, recipes, strict=True))
    clean = [row.label for row, dirt in zip(chosen.rows, dirty, strict=True) if not dirt]
    assert list(dataset.mined_for) == clean
    everything = {s.recording for recipe in recipes for s in recipe.sources}
    real = Selection(
        tuple(r for r, recipe in zip(chosen.rows, recipes, strict=True) if recipe.kind == "fp"),
        chosen.pool, chosen.pool_digest, "model",
    )  # fmt: skip
    path = selection.with_name("real.parquet")
    real.write(path)
    with pytest.raises(PoolError, match=r"none of its \d+ rows may train"):
        HardNegativeDataset(path, held_out=everything)


def test_a_name_that_holds_nothing_out_is_warned_of(
    selection: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert HardNegativeDataset(selection, held_out=["rec00", "train/rec01.flac"]).left_out > 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "1 of 2 names that are held out (train/rec01.flac) are of no recording" in line


def test_other_classes_and_rates_and_a_transform(selection: Path) -> None:
    with pytest.raises(PoolError, match=r"class '1'.*not among the model's 1 classes"):
        HardNegativeDataset(selection, ["0"])
    with pytest.raises(PoolError, match="class '0' appears twice"):
        HardNegativeDataset(selection, ["0", "1", "0"])
    dataset = HardNegativeDataset(
        selection, sample_rate=16000, transform=lambda x, y, w: (len(x), len(y), len(w))
    )
    assert dataset[0] == (16000, 2, 2)
    assert dataset[-1] == dataset[len(dataset) - 1]
    with pytest.raises(IndexError):
        dataset[len(dataset)]


def test_workers_give_the_same_items(selection: Path) -> None:
    dataset = HardNegativeDataset(selection)
    batches = [torch.cat([b[0] for b in DataLoader(dataset, 8, num_workers=n)]) for n in (0, 2)]
    assert torch.equal(*batches)


def epochs(world: int, number: int = 1, **options: Any) -> list[list[list[list[int]]]]:
    """The batches of each rank, of some epochs: epoch, rank, step."""
    samplers = [
        HardNegativeBatchSampler(rank=rank, world=world, **options) for rank in range(world)
    ]
    return [[list(sampler) for sampler in samplers] for _ in range(number)]


@pytest.mark.parametrize("own", [3, 10, 64, 97])
@pytest.mark.parametrize("world", [1, 2, 3])
@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.9])
def test_each_own_row_comes_once_and_a_step_repeats_nothing(
    own: int, world: int, share: float
) -> None:
    options = {"own": own, "hard": 31, "batch_size": 8, "share": share, "seed": 3}
    per_rank = round(share * 8)
    for ranks in epochs(world, 2, **options):
        lengths = {len(batches) for batches in ranks}
        assert len(lengths) == 1
        steps = list(zip(*ranks, strict=True))
        flat = [i for step in steps for batch in step for i in batch]
        assert sorted(i for i in flat if i < own) == list(range(own))
        sizes = Counter(len(batch) for step in steps for batch in step)
        assert max(sizes) - min(sizes) <= 1
        assert max(sizes) <= 8
        for step in steps:
            hard = [i for batch in step for i in batch if i >= own]
            assert all(sum(i >= own for i in batch) == per_rank for batch in step)
            assert len(set(hard)) == len(hard)
            assert not hard or own <= min(hard) <= max(hard) < own + 31
        counts = Counter(i for i in flat if i >= own)
        if share:
            every = [counts[own + i] for i in range(31)]
            assert max(every) - min(every) <= 1


def test_epochs_follow_from_seed_and_number_alone() -> None:
    options = {"own": 50, "hard": 20, "batch_size": 10, "seed": 5}
    (first,), (second,) = epochs(1, 2, **options)
    assert first != second
    sampler = HardNegativeBatchSampler(**options)
    sampler.set_epoch(1)
    assert list(sampler) == second
    sampler.set_epoch(0)
    assert len(sampler) == len(first)
    assert list(sampler) == first
    assert list(sampler) == second
    assert list(HardNegativeBatchSampler(**{**options, "seed": 6})) != first


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"share": 1.0}, r"share 1 is outside \[0, 1\)"),
        ({"share": math.nan}, "share nan is outside"),
        ({"rank": 0}, "give both rank and world"),
        ({"rank": 2, "world": 2}, r"rank 2 is outside \[0, 2\)"),
        ({"hard": 3}, "3 hard negatives, and a step takes 4"),
        ({"own": 2, "rank": 0, "world": 3}, "2 rows for 3 ranks"),
        ({"batch_size": 1}, "batch_size 1 holds no row of each kind"),
        ({"batch_size": 0, "share": 0.0}, "batch_size 0"),
    ],
)
def test_what_cannot_be_sampled_is_an_error(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        HardNegativeBatchSampler(
            **{"own": 40, "hard": 20, "batch_size": 16, "share": 0.25, **options}
        )


def test_the_loss_is_that_of_the_known_cells_alone() -> None:
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(0, 3, (6, 4))).requires_grad_()
    labels = torch.from_numpy(rng.choice([0.0, 1.0, math.nan], (6, 4)))
    weights = torch.from_numpy(rng.uniform(0.1, 1, (6, 4)))
    total = norm = 0.0
    for x, y, w in zip(
        logits.flatten().tolist(), labels.flatten().tolist(), weights.flatten().tolist(),
        strict=True,
    ):  # fmt: skip
        if not math.isnan(y):
            p = 1 / (1 + math.exp(-x))
            total -= w * (y * math.log(p) + (1 - y) * math.log(1 - p))
            norm += w
    loss = known_bce(logits, labels, weights)
    assert loss.item() == pytest.approx(total / norm)
    torch.autograd.backward(loss)
    assert logits.grad is not None
    assert torch.equal(logits.grad != 0, ~labels.isnan())


def test_of_unknown_cells_alone_the_loss_is_0_and_so_is_its_gradient() -> None:
    logits = torch.tensor([[1.0, math.inf]], requires_grad=True)
    loss = known_bce(logits, torch.full((1, 2), math.nan))
    torch.autograd.backward(loss)
    assert loss.item() == 0
    assert logits.grad is not None
    assert logits.grad.tolist() == [[0.0, 0.0]]


def own_rows(count: int = 20) -> TensorDataset:
    ones = torch.ones(count, 2)
    return TensorDataset(torch.arange(count).float().unsqueeze(1).repeat(1, 8000), ones, ones)


def test_the_loader_mixes_both_and_without_a_selection_is_a_plain_one(selection: Path) -> None:
    loader = mixed_loader(own_rows(), selection, batch_size=8, hard_share=0.25, num_workers=0)
    batches = list(loader)
    calls = torch.cat([samples[(labels == 1).all(dim=1)] for samples, labels, _ in batches])
    assert sorted(calls[:, 0].tolist()) == list(range(20))
    assert all(((labels == 0).any(dim=1)).sum() == 2 for _, labels, _ in batches)
    plain = list(mixed_loader(own_rows(), None, batch_size=8))
    assert [len(samples) for samples, _, _ in plain] == [8, 8, 4]


def test_hard_negatives_lower_the_scores_of_what_is_like_them(
    selection: Path, one_thread: None
) -> None:
    # the physical fact behind it all: what trains as zero scores lower afterwards
    hard = HardNegativeDataset(selection)
    clips = torch.stack([hard[i][0][::16] for i in range(len(hard))])
    scores = []
    for chosen in (None, selection):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(500, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
        for samples, labels, weights in itertools.chain.from_iterable(
            mixed_loader(own_rows(), chosen, batch_size=8) for _ in range(10)
        ):
            loss = known_bce(model(samples[:, ::16]), labels, weights)
            gradients = torch.autograd.grad(loss, list(model.parameters()))
            with torch.no_grad():
                for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                    parameter.sub_(gradient, alpha=0.3)
        with torch.no_grad():
            scores.append(model(clips).mean().item())
    assert scores[1] < scores[0] - 1


def test_the_flags_hand_over_what_the_loader_takes(selection: Path) -> None:
    @click.command()
    @click_option
    def train(hard_negatives: Path | None, hard_share: float) -> None:
        click.echo(f"{hard_negatives} {hard_share}")

    parser = argparse.ArgumentParser()
    add_argument(parser)
    given = ["--hard-negatives", str(selection), "--hard-share", "0.4"]
    assert CliRunner().invoke(train, given).output == f"{selection} 0.4\n"
    assert CliRunner().invoke(train, []).output == "None 0.25\n"
    assert vars(parser.parse_args(given)) == {"hard_negatives": selection, "hard_share": 0.4}
    assert vars(parser.parse_args([])) == {"hard_negatives": None, "hard_share": 0.25}
    assert "Share of each batch" in parser.format_help()


@pytest.mark.parametrize(
    "wrong", [["--hard-negatives", "none.parquet"], ["--hard-share", "1"], ["--hard-share", "x"]]
)
def test_flags_refuse_what_is_no_file_and_no_share(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    add_argument(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(wrong)
    assert wrong[1] in capsys.readouterr().err
    command = click.Command("train", params=click_option(lambda: None).__click_params__)  # type: ignore[attr-defined]
    assert CliRunner().invoke(command, wrong).exit_code == 2


def test_the_flags_need_no_torch_and_the_rest_says_what_to_install(tmp_path: Path) -> None:
    hide = "import sys\nsys.modules['torch'] = None\n"
    (tmp_path / "sitecustomize.py").write_text(hide, encoding="utf-8")
    program = "from negmine.torch import click_option, add_argument\nprint('flags')\n"
    ran = run_beside(tmp_path, "-c", program + "from negmine.torch import mixed_loader")
    assert ran.stdout == "flags\n"
    assert ran.stderr.splitlines()[-1] == (
        "ImportError: negmine.torch.mixed_loader needs PyTorch, which is not installed: "
        "python -m pip install torch"
    )


def test_the_worked_examples_print_what_they_say(
    selection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    open_selection(selection).write(tmp_path / "hard.parquet")
    examples = [getattr(negmine.torch, name) for name in negmine.torch.__all__]
    for one in (negmine.torch, *examples):
        name = one.__name__
        tests = doctest.DocTestFinder(recurse=False).find(one, name, module=False, globs={})
        (test,) = tests
        assert test.examples, f"{name} teaches by no example"
        said: list[str] = []
        failed = doctest.DocTestRunner().run(test, out=said.append).failed
        assert not failed, "".join(said)


def test_ranks_of_torch_distributed_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"own": 30, "hard": 20, "batch_size": 5, "seed": 2}
    ((one, two),) = epochs(2, 1, **options)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    assert list(HardNegativeBatchSampler(**options)) == two != one
    assert isinstance(ConcatDataset([own_rows(), own_rows()])[39], tuple)
