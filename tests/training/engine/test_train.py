"""The training loop: the same run however often it is stopped, and plug-ins that only add."""

from __future__ import annotations

import importlib
import json
import math
import signal
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from batches import join, make_batch
from conftest import Data, Opened, open_data, tiny_config
from torch import Tensor, nn

import training
from negmine.annotations import Annotations
from negmine.errors import InputError, ModelError, NegmineError, PoolError
from negmine.mining.selection import Chosen, Selection
from negmine.notices import warn
from negmine.pool import open_pool
from negmine.recipes.certificates import Certificate
from negmine.recipes.labels import PartialLabels
from training.config import TrainConfig
from training.data.box_rows import BoxRows
from training.data.folds import held_out_recordings
from training.data.hard_negatives import HardNegatives
from training.data.rows import Batch, Example, Row, RowKind
from training.data.settings import HardUse
from training.engine import step as training_step
from training.engine import train as training_loop
from training.engine.checkpoint import Checkpoint
from training.engine.history import learning_rate
from training.engine.inputs import RunContext, RunInputs
from training.engine.step import step_loss
from training.engine.validate import ClipScorer, Verdicts
from training.models.detector import Detector, weights_fingerprint
from training.models.frontend import FrontEndSettings

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


class Steps:
    """Keeps what is shown beside the bar of steps; presses Ctrl-C after one of them."""

    def __init__(self, stop_at: int | None = None, press: Callable[[], object] | None = None):
        self._stop_at, self._press = stop_at, press
        self.counts: list[int] = []
        self.shown: list[dict[str, str]] = []
        self.total = 0

    def __call__(self, what: str, total: int, unit: str = "file", /) -> Callable[..., None]:
        if unit != "step":
            return lambda *_: None
        self.total = total
        return self._advance

    def _advance(self, count: int, /, **shown: str) -> None:
        self.counts.append(count)
        self.shown.append(shown)
        if sum(self.counts) == self._stop_at:
            if self._press is None:
                raise KeyboardInterrupt
            self._press()


@dataclass
class Runner:
    """Starts runs on the shared data; ``stop_at`` is the step after which Ctrl-C is pressed."""

    opened: Opened
    cache: Path

    def __call__(
        self,
        out: Path,
        *,
        stop_at: int | None = None,
        plugins: Sequence[Any] = (),
        init: Path | None = None,
        progress: Callable[..., Any] | None = None,
        annotations: Annotations | None = None,
        groups: dict[str, str] | None = None,
        loop: ModuleType = training_loop,
        select_negatives: Path | None = None,
        caution: Callable[[str], object] = warn,
        **changes: object,
    ) -> Checkpoint:
        result: Checkpoint = loop.train(
            tiny_config(**changes),
            RunInputs(
                annotations or self.opened.annotations,
                self.opened.recordings,
                self.cache,
                plugins=plugins,
                init=init,
                groups=groups,
                select_negatives=select_negatives,
            ),
            out,
            RunContext(progress=progress or Steps(stop_at), caution=caution),
        )
        return result

    def stopped(self, out: Path, **kwargs: Any) -> None:
        with pytest.raises(KeyboardInterrupt):
            self(out, **kwargs)


@pytest.fixture(scope="module")
def run(shared_data: Data, shared_cache: Path) -> Runner:
    return Runner(open_data(shared_data, alternating=True), shared_cache)


@pytest.fixture(scope="module")
def whole(run: Runner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was never stopped."""
    out = tmp_path_factory.mktemp("whole")
    run(out)
    return out


@pytest.fixture(scope="module")
def hard(shared_pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A selection of external clips, which no fold leaves out."""
    pool = open_pool(shared_pool)
    rows = [
        Chosen(recipe.id, label, 0.0, 1, "external", "external", 0.99, "", 0.0, 0.01)
        for recipe in pool
        if recipe.kind == "external"
        for label in pool.classes
    ]
    path = tmp_path_factory.mktemp("hard") / "hard.parquet"
    Selection(tuple(rows), pool.path, pool.digest, "model").write(path)
    return path


def assert_same_run(one: Path, other: Path) -> None:
    """Both folders hold the same weights, losses, history and optimiser, to the last bit."""
    for name in ("best.pt", "last.pt"):
        a, b = Checkpoint.load(one / name), Checkpoint.load(other / name)
        assert a.losses == b.losses
        assert a.history == b.history
        assert a.step == b.step
        assert a.fingerprint == b.fingerprint
        for number, state in a.optimiser["state"].items():
            for key, value in state.items():
                assert torch.equal(value, b.optimiser["state"][number][key])
    assert (one / "metrics.csv").read_bytes() == (other / "metrics.csv").read_bytes()


@pytest.mark.parametrize("steps", [(1, 2, 5), (3,), (4,), (6,)])
def test_stopped_run_ends_as_if_it_had_never_stopped(
    run: Runner, whole: Path, tmp_path: Path, steps: tuple[int, ...]
) -> None:
    for step in steps:
        run.stopped(tmp_path, stop_at=step)
        assert Checkpoint.load(tmp_path / "last.pt").step == step
    steps_done = Steps()
    run(tmp_path, progress=steps_done)
    # nothing is done twice: the first count is what was there, and one step
    assert steps_done.counts == ([steps[-1] + 1] + [1] * (5 - steps[-1]) if steps[-1] < 6 else [])
    assert_same_run(tmp_path, whole)


@pytest.mark.parametrize(("where", "at"), [("backward", 5), ("optimiser", 2)])
def test_run_stopped_inside_a_step_ends_as_if_it_had_never_stopped(
    run: Runner,
    whole: Path,
    tmp_path: Path,
    where: str,
    at: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = 0

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            result = original(*args, **kwargs)
            if calls == at:
                # the weights or the running means have moved, but the step is not done
                raise KeyboardInterrupt
            return result

        return wrapper

    with monkeypatch.context() as patch:
        if where == "backward":
            patch.setattr(torch.autograd, "backward", counted(torch.autograd.backward))
        else:
            patch.setattr(torch.optim.AdamW, "step", counted(torch.optim.AdamW.step))
        run.stopped(tmp_path)
    run(tmp_path)
    assert_same_run(tmp_path, whole)


def test_ctrl_c_in_a_step_waits_until_the_step_is_whole(
    run: Runner, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = signal.getsignal(signal.SIGINT)
    backward = torch.autograd.backward

    def pressed(*args: Any, **kwargs: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        backward(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(torch.autograd, "backward", pressed)
        run.stopped(tmp_path)
    # nothing of the step is lost, and Ctrl-C is as it was
    assert Checkpoint.load(tmp_path / "last.pt").step == 1
    assert signal.getsignal(signal.SIGINT) is former
    run(tmp_path)
    assert_same_run(tmp_path, whole)


def test_second_ctrl_c_does_not_wait(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed_twice(*_: Any, **__: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("the step went on")

    monkeypatch.setattr(torch.autograd, "backward", pressed_twice)
    run.stopped(tmp_path)
    assert not (tmp_path / "last.pt").exists()


@pytest.mark.parametrize("name", ["last.pt", "best.pt"])
def test_run_stopped_in_writing_or_validation_ends_as_if_it_had_never_stopped(
    run: Runner, whole: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def stopped(self: Path, target: Path) -> Path:
        if target.name == name:
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stopped)
        run.stopped(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Verdicts, "scores", _interrupt)
        run.stopped(tmp_path)
    run(tmp_path)
    assert_same_run(tmp_path, whole)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_dropout_draws_the_same_after_a_stop(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dropping(Detector):
        def logits(self, embeddings: Tensor) -> Tensor:
            return super().logits(nn.functional.dropout(embeddings, 0.5, self.training))

    monkeypatch.setattr("training.engine.start.Detector", Dropping)
    run(tmp_path / "whole")
    run.stopped(tmp_path / "stopped", stop_at=2)
    torch.rand(7)  # what else a program draws in between
    run(tmp_path / "stopped")
    assert_same_run(tmp_path / "stopped", tmp_path / "whole")


def test_stopped_run_with_hard_negatives_ends_as_if_it_had_never_stopped(
    run: Runner, tmp_path: Path, hard: Path
) -> None:
    def plugins() -> list[HardNegatives]:
        return [HardNegatives(hard, HardUse(ratio=0.5), run.cache)]

    run(tmp_path / "whole", plugins=plugins())
    run.stopped(tmp_path / "stopped", plugins=plugins(), stop_at=4, workers=1)
    run(tmp_path / "stopped", plugins=plugins())
    assert_same_run(tmp_path / "stopped", tmp_path / "whole")


def test_stopped_run_goes_on_with_other_workers(run: Runner, whole: Path, tmp_path: Path) -> None:
    run.stopped(tmp_path, stop_at=2, workers=2)
    assert Checkpoint.load(tmp_path / "last.pt").config.workers == 2
    run(tmp_path, workers=1)
    for name in ("best.pt", "last.pt"):
        one, other = Checkpoint.load(tmp_path / name), Checkpoint.load(whole / name)
        assert (one.losses, one.fingerprint) == (other.losses, other.fingerprint)


def test_same_seed_is_the_same_run(run: Runner, whole: Path, tmp_path: Path) -> None:
    torch.rand(3)
    run(tmp_path)
    assert_same_run(tmp_path, whole)


def test_other_seed_is_another_run(run: Runner, whole: Path, tmp_path: Path) -> None:
    other, first = run(tmp_path, seed=1), Checkpoint.load(whole / "best.pt")
    assert other.losses != first.losses
    assert other.held_out != first.held_out


def test_trainer_without_plugin_never_heard_of_hard_negatives(
    run: Runner, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # None: importing it is an error
    monkeypatch.setitem(sys.modules, "training.data.hard_negatives", None)
    with pytest.raises(ImportError):
        importlib.import_module("training.data.hard_negatives")
    for name in [name for name in sys.modules if name.startswith("training.")]:
        if name.count(".") == 1:  # the package's attribute comes back, too
            monkeypatch.setattr(training, name.partition(".")[2], sys.modules[name])
        if name != "training.data.hard_negatives":
            monkeypatch.delitem(sys.modules, name)
    fresh = importlib.import_module("training.engine.train")
    assert fresh is not training_loop
    run(tmp_path, loop=fresh)
    assert_same_run(tmp_path, whole)


def test_hard_rows_are_added_and_own_rows_stay(
    run: Runner, tmp_path: Path, hard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Batch, int]] = []

    def recorded(detector: Detector, batch: Batch, own: int, *rest: Any) -> Tensor:
        seen.append((batch, own))
        return step_loss(detector, batch, own, *rest)

    monkeypatch.setattr(training_step, "step_loss", recorded)
    plugin = HardNegatives(hard, HardUse(ratio=0.5, mix=0.0), run.cache)
    run(tmp_path / "plain")
    run(tmp_path / "hard", plugins=[plugin])
    plain, joined = seen[:6], seen[6:]
    assert len(joined) == 6
    for step, ((batch, own), (longer, own_too)) in enumerate(zip(plain, joined, strict=True)):
        assert own == own_too == 6
        silent = len(batch) - own
        assert len(longer) == 6 + 3 + silent
        added = make_batch(plugin.rows(step), ("0", "1"))
        for name in ("waveforms", "targets", "known", "weight"):
            assert torch.equal(getattr(longer, name)[:6], getattr(batch, name)[:6])
            assert torch.equal(getattr(longer, name)[6:9], getattr(added, name))
            assert torch.equal(getattr(longer, name)[9:], getattr(batch, name)[6:])


def test_plugins_are_told_who_is_held_out_and_nobody_of_them_trains(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: set[str] = set()

    class Watched(BoxRows):
        def __init__(self, annotations: Annotations, *rest: Any) -> None:
            trained.update(annotations.by_recording)
            super().__init__(annotations, *rest)

    class Told:
        description = "told"
        held_out: frozenset[str] = frozenset()

        def prepare(
            self, config: TrainConfig, classes: Sequence[str], held_out: frozenset[str]
        ) -> None:
            assert tuple(classes) == ("0", "1")
            self.held_out = held_out

        def rows(self, step: int) -> list[Row]:
            absent = PartialLabels.certified(("0", "1"), Certificate.SYNTHETIC)
            return [Row(np.zeros(8000, np.float32), absent, RowKind.POOL)]

        def transform(self, example: Example, step: int, index: int) -> Example:
            return example

    monkeypatch.setattr(training_loop, "BoxRows", Watched)
    plugin = Told()
    checkpoint = run(tmp_path, plugins=[plugin], epochs=1)
    everyone = set(run.opened.recordings.infos)
    assert len(checkpoint.held_out) == 2
    assert trained == everyone - set(checkpoint.held_out)
    assert plugin.held_out == set(checkpoint.held_out)


def frozen_detector() -> Detector:
    torch.manual_seed(0)
    return Detector(3, FrontEndSettings.for_mels(8000, 16), "small").eval()


def some_batch(rows: int, seed: int) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    known = torch.rand(rows, 3, generator=draw) < 0.6
    weight = torch.where(known, torch.rand(rows, 3, generator=draw), 1.0)
    weight[0, 0] = 0.0
    targets = (torch.rand(rows, 3, generator=draw) < 0.5).float()
    return Batch(0.1 * torch.randn(rows, 4000, generator=draw), targets, known, weight)


def slow_sum(logits: np.ndarray, batch: Batch, lsoft: float) -> float:
    """LSoft BCE summed over cells, one at a time."""
    total = 0.0
    for row in range(len(batch)):
        for column in range(3):
            x, weight = float(logits[row, column]), float(batch.weight[row, column])
            p = 1 / (1 + math.exp(-x))
            target = float(batch.targets[row, column])
            if not batch.known[row, column]:
                target = lsoft * p
            total -= weight * (target * math.log(p) + (1 - target) * math.log(1 - p))
    return total


@torch.no_grad()
def test_step_loss_is_a_mean_over_own_cells_with_added_rows_on_top() -> None:
    detector, own, added = frozen_detector(), some_batch(5, 1), some_batch(4, 2)
    config = tiny_config(lsoft=0.3)
    alone = float(step_loss(detector, own, 5, config, CPU))
    both = float(step_loss(detector, join(own, added), 5, config, CPU))
    own_sum = slow_sum(detector(own.waveforms).numpy(), own, 0.3)
    added_sum = slow_sum(detector(added.waveforms).numpy(), added, 0.3)
    assert alone == pytest.approx(own_sum / (5 * 3), rel=1e-5)
    # divided by the trainer's own 15 cells, not by all 27
    assert both == pytest.approx((own_sum + added_sum) / (5 * 3), rel=1e-5)


def test_added_rows_without_weight_change_neither_loss_nor_gradient() -> None:
    detector, own, added = frozen_detector(), some_batch(5, 1), some_batch(4, 2)
    added = Batch(added.waveforms, added.targets, added.known, torch.zeros_like(added.weight))
    losses, gradients = [], []
    for batch in (own, join(own, added)):
        loss = step_loss(detector, batch, 5, tiny_config(), CPU)
        losses.append(loss)
        gradients.append(torch.autograd.grad(loss, detector.head.weight)[0])
    torch.testing.assert_close(losses[1], losses[0])
    torch.testing.assert_close(gradients[1], gradients[0])
    assert gradients[0].abs().max() > 0


def test_known_zero_in_an_added_row_pushes_its_logit_down() -> None:
    detector, own, added = frozen_detector(), some_batch(5, 1), some_batch(1, 2)
    only = torch.tensor([[0.0, 0.7, 0.0]])
    added = Batch(added.waveforms, torch.zeros(1, 3), only > 0, only)
    gradients = [
        torch.autograd.grad(step_loss(detector, batch, 5, tiny_config(), CPU), detector.head.bias)[
            0
        ]
        for batch in (own, join(own, added))
    ]
    p = torch.sigmoid(detector(added.waveforms))[0, 1].item()
    gap = gradients[1] - gradients[0]
    # d(weight * BCE)/d(bias) is weight * p, and the divisor that of the own 15 cells
    torch.testing.assert_close(gap, torch.tensor([0.0, 0.7 * p / 15, 0.0]), rtol=1e-4, atol=1e-7)


def test_learning_rate_rises_evenly_then_falls_as_a_cosine() -> None:
    config = tiny_config(lr=0.4, steps_per_epoch=50, epochs=4, warmup=0.1)
    rates = [learning_rate(step, config) for step in range(200)]
    np.testing.assert_allclose(rates[:20], 0.4 * np.arange(1, 21) / 20)
    fall = 0.2 * (1 + np.cos(np.pi * np.arange(180) / 180))
    np.testing.assert_allclose(rates[20:], fall, atol=1e-12)
    assert max(rates) == 0.4
    assert 0 < rates[-1] < 0.001


@pytest.mark.parametrize("warmup", [0.0, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_learning_rate_is_positive_in_every_step(steps: int, warmup: float) -> None:
    config = tiny_config(lr=0.1, steps_per_epoch=steps, epochs=1, warmup=warmup)
    rates = [learning_rate(step, config) for step in range(steps)]
    assert all(0 < rate <= 0.1 for rate in rates)
    assert max(rates) == pytest.approx(0.1)


def test_optimiser_steps_at_that_rate(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    original = torch.optim.AdamW.step

    def recorded(self: torch.optim.AdamW, *args: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        return original(self, *args)

    monkeypatch.setattr(torch.optim.AdamW, "step", recorded)
    run.stopped(tmp_path, stop_at=4)
    run(tmp_path)
    assert rates == [learning_rate(step, tiny_config()) for step in range(6)]


def test_finished_run_is_not_run_again(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(tmp_path, epochs=1)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    monkeypatch.setattr(training_step, "step_loss", _interrupt)
    again = run(tmp_path, epochs=1)
    assert (again.fingerprint, again.history) == (first.fingerprint, first.history)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": 0.5}, r"another lr \(0\.002, now 0\.5\)"),
        ({"epochs": 3}, r"another epochs \(2, now 3\)"),
        ({"seed": 9}, r"another seed \(0, now 9\)"),
        ({"fold": 1}, r"another fold \(0, now 1\)"),
    ],
)
def test_other_settings_in_the_same_folder_are_named(
    run: Runner, whole: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message + "; choose another --out"):
        run(whole, **changes)


def test_other_inputs_in_the_same_folder_are_named(
    run: Runner, whole: Path, hard: Path, shared_opened: Opened, shared_checkpoint: Path
) -> None:
    with pytest.raises(InputError, match="another annotations "):
        run(whole, annotations=shared_opened.annotations)
    with pytest.raises(InputError, match=r"another plug-in 0 \(none, now hard negatives "):
        run(whole, plugins=[HardNegatives(hard, HardUse(ratio=0.5, mix=0.0), run.cache)])
    with pytest.raises(InputError, match=r"another init \(none, now "):
        run(whole, init=shared_checkpoint)


def test_run_cannot_lose_its_plugin(run: Runner, tmp_path: Path, hard: Path) -> None:
    run(tmp_path, epochs=1, plugins=[HardNegatives(hard, HardUse(ratio=0.5, mix=0.0), run.cache)])
    with pytest.raises(InputError, match=r"another plug-in 0 \(hard negatives .* now none\)"):
        run(tmp_path, epochs=1)
    fewer = HardNegatives(hard, HardUse(ratio=0.25, mix=0.0), run.cache)
    with pytest.raises(InputError, match=r"at 0\.5, now .* at 0\.25\)"):
        run(tmp_path, epochs=1, plugins=[fewer])


def test_damaged_checkpoint_is_never_overwritten(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(ModelError, match=r"last\.pt: not a checkpoint"):
        run(tmp_path)
    assert (tmp_path / "last.pt").read_bytes() == b"not a checkpoint"


def test_loss_that_is_no_number_stops_the_run(run: Runner, tmp_path: Path) -> None:
    with pytest.raises(NegmineError, match=r"the loss became nan in step 2; lower --lr") as caught:
        run(tmp_path, lr=1e30)
    assert caught.value.exit_code == 1
    assert not (tmp_path / "best.pt").exists()
    assert not (tmp_path / "last.pt").exists()


def test_scores_that_are_no_numbers_stop_the_run(run: Runner, tmp_path: Path) -> None:
    message = "scores are no longer finite after step 1; lower --lr"
    with pytest.raises(NegmineError, match=message) as caught:
        run(tmp_path, lr=1e30, steps_per_epoch=1)
    assert caught.value.exit_code == 1
    assert not (tmp_path / "best.pt").exists()


def test_weights_start_from_a_checkpoint(run: Runner, whole: Path, tmp_path: Path) -> None:
    start = Checkpoint.load(whole / "best.pt")
    ended = run(tmp_path, init=whole / "best.pt", lr=1e-12, weight_decay=0.0, epochs=1)
    for name, weight in start.model.items():
        if "running" not in name and "batches" not in name:
            torch.testing.assert_close(ended.model[name], weight, rtol=0, atol=1e-6)
    assert ended.inputs["init"] == start.fingerprint
    assert ended.losses[0] != start.losses[0]


def write_checkpoint(path: Path, classes: tuple[str, ...], **changes: object) -> Path:
    config = tiny_config(**changes)
    front_end = FrontEndSettings.for_mels(config.sample_rate, config.n_mels)
    detector = Detector(len(classes), front_end, config.backbone)
    Checkpoint(config, front_end, classes, detector.state_dict(), {}, 0, [], [], held_out=()).save(
        path
    )
    return path


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("0", "2"), "init.pt: class '2' is unknown there"),
        (("0", "1", "2"), "init.pt: class '2' is unknown there"),
        (("0",), "init.pt: has a class '1'"),
    ],
)
def test_initial_weights_of_other_classes_are_an_error(
    run: Runner, tmp_path: Path, classes: tuple[str, ...], message: str
) -> None:
    init = write_checkpoint(tmp_path / "init.pt", classes)
    with pytest.raises(PoolError, match=message):
        run(tmp_path / "run", init=init)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("classes", "changes"),
    [(("1", "0"), {}), (("0", "1"), {"n_mels": 32}), (("0", "1"), {"backbone": "resnet10t"})],
)
def test_initial_weights_that_do_not_fit_are_an_error(
    run: Runner, tmp_path: Path, classes: tuple[str, ...], changes: dict[str, object]
) -> None:
    init = write_checkpoint(tmp_path / "init.pt", classes, **changes)
    with pytest.raises(ModelError, match="made with another front end, backbone, pooling"):
        run(tmp_path / "run", init=init)


def test_a_class_of_one_call_trains_and_validates_nowhere(run: Runner, tmp_path: Path) -> None:
    opened, config = run.opened, tiny_config()
    (only, *_) = [b for b in opened.annotations.confirmed if b.label == "1"]
    boxes = [b for b in opened.annotations.boxes if b.label == "0" or not b.present] + [only]
    names = opened.recordings.infos
    # asked for class 0 alone, every fold will do
    unasked = Annotations(tuple(boxes), ("0",))
    (fold,) = [
        fold
        for fold in range(config.folds)
        if only.recording in held_out_recordings(unasked, names, config.folds, fold, config.seed)
    ]
    annotations = Annotations(tuple(boxes), ("0", "1"))
    checkpoint = run(tmp_path, annotations=annotations, fold=fold, epochs=1)
    assert len(checkpoint.held_out) == 1
    assert only.recording not in checkpoint.held_out


def test_recordings_of_a_group_are_held_out_together(run: Runner, tmp_path: Path) -> None:
    names = list(run.opened.recordings.infos)
    sites = {name: f"site {i // 2}" for i, name in enumerate(names)}
    checkpoint = run(tmp_path, groups=sites, epochs=1)
    assert len(checkpoint.held_out) == 2
    assert len({sites[name] for name in checkpoint.held_out}) == 1
    others = sites | {names[0]: "site 9"}
    with pytest.raises(InputError, match="holds a run with another groups"):
        run(tmp_path, groups=others, epochs=1)


@pytest.mark.parametrize(
    ("folds", "fold", "message"),
    [
        (4, 4, "fold 4 of 4: the first is 0"),
        (4, -1, "fold = -1: expected a whole number in"),
        (0, 0, "folds = 0: expected a whole number in"),
        (20, 15, "20 folds of only 8 recordings; choose fewer --folds"),
    ],
)
def test_impossible_folds_are_an_error(
    run: Runner, tmp_path: Path, folds: int, fold: int, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        run(tmp_path, folds=folds, fold=fold)


def scripted_validation(monkeypatch: pytest.MonkeyPatch, scores: list[float]) -> None:
    """Let validation give these scores, one an epoch."""
    left = iter(scores)

    class Scripted:
        scores = np.zeros(1)

        def summary(self) -> dict[str, float]:
            return {"known_ap": next(left), "neg@3": 0.0, "neg@5": 0.0}

    monkeypatch.setattr(Verdicts, "scores", lambda *_: Scripted())


@pytest.mark.parametrize(
    ("patience", "scores", "epochs", "best"),
    [
        (2, [0.5, 0.6, 0.4, 0.5, 0.9], 4, 2),
        (2, [0.5, 0.4, 0.6, 0.5, 0.7], 5, 5),
        (0, [0.9, 0.1, 0.1, 0.1, 0.1], 5, 1),
        # no better counts as worse, but of equals the latest is kept
        (2, [0.5, 0.5, 0.5, 0.9, 0.9], 3, 3),
        (2, [math.nan] * 5, 5, 5),
    ],
)
def test_run_stops_after_patience_and_keeps_the_best(
    run: Runner,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    patience: int,
    scores: list[float],
    epochs: int,
    best: int,
) -> None:
    scripted_validation(monkeypatch, scores)
    kept = run(tmp_path, patience=patience, epochs=5, steps_per_epoch=1)
    assert len(kept.history) == kept.history[-1]["epoch"] == best
    last = Checkpoint.load(tmp_path / "last.pt")
    assert len(last.history) == last.step == epochs
    # a rerun of a run that stopped early stays stopped
    assert run(tmp_path, patience=patience, epochs=5, steps_per_epoch=1).step == kept.step


def test_without_validation_the_last_epoch_is_the_best(run: Runner, tmp_path: Path) -> None:
    checkpoint = run(tmp_path, folds=1)
    assert checkpoint.held_out == ()
    assert checkpoint.step == 6
    assert [set(entry) for entry in checkpoint.history] == [{"epoch", "loss"}] * 2


def test_files_tell_the_run(whole: Path) -> None:
    assert sorted(p.name for p in whole.iterdir()) == [
        "best.pt", "config.toml", "curve.png", "last.pt", "metrics.csv", "run.json"
    ]  # fmt: skip
    last = Checkpoint.load(whole / "last.pt")
    assert len(last.losses) == last.step == 6
    table = pd.read_csv(whole / "metrics.csv")
    assert list(table.columns) == ["epoch", "loss", "known_ap", "neg@3", "neg@5"]
    assert table.epoch.tolist() == [1, 2]
    np.testing.assert_allclose(table.to_numpy(), [list(e.values()) for e in last.history])
    np.testing.assert_allclose(table.loss, [np.mean(last.losses[:3]), np.mean(last.losses[3:])])
    best = Checkpoint.load(whole / "best.pt")
    assert best.history[-1]["known_ap"] == table.known_ap.max()
    assert best.losses == last.losses[: best.step]


def test_progress_is_told_of_every_step(run: Runner, whole: Path, tmp_path: Path) -> None:
    steps = Steps()
    run(tmp_path, progress=steps)
    last = Checkpoint.load(whole / "last.pt")
    assert (steps.total, steps.counts) == (6, [1] * 6)
    losses = last.losses
    want = [np.mean(losses[: i + 1]) for i in range(3)]
    want += [np.mean(losses[3 : i + 1]) for i in range(3, 6)]
    assert [shown["loss"] for shown in steps.shown] == [f"{loss:.4f}" for loss in want]
    scores = [f"{entry['known_ap']:.3f}" for entry in last.history]
    shown_scores = [shown["known_ap"] for shown in steps.shown]
    assert shown_scores == ["nan", "nan", scores[0], scores[0], scores[0], scores[1]]


def test_bf16_trains(run: Runner, tmp_path: Path, whole: Path) -> None:
    checkpoint = run(tmp_path, precision="bf16", epochs=1)
    first = Checkpoint.load(whole / "last.pt").losses
    assert checkpoint.losses != first[:3]
    np.testing.assert_allclose(checkpoint.losses[0], first[0], rtol=0.05)


def test_timm_backbone_trains(run: Runner, tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "backbone": "mobilenetv3_small_050",
        "epochs": 1,
        "steps_per_epoch": 1,
    }
    checkpoint = run(tmp_path, **config)
    assert math.isfinite(checkpoint.losses[0])
    detector = checkpoint.detector(CPU)
    assert weights_fingerprint(detector.state_dict()) == checkpoint.fingerprint


def test_it_learns(run: Runner, tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "folds": 2,
        "tp_per_step": 8,
        "fp_per_step": 4,
        "steps_per_epoch": 12,
        "epochs": 2,
    }

    def gap(lr: float) -> tuple[Checkpoint, float]:
        """How far the least confirmed call scores above the highest rejection."""
        checkpoint = run(tmp_path / str(lr), lr=lr, **settings)
        scorer = ClipScorer(checkpoint.detector(CPU), checkpoint.config, CPU)
        held = run.opened.recordings.only(checkpoint.held_out)
        got = Verdicts(held, run.opened.annotations, 8000).scores(scorer)
        assert got.truth.sum() == 4
        assert got.known.sum() == 8
        return checkpoint, float(got.scores[got.truth].min() - got.scores[~got.truth].max())

    learned, margin = gap(3e-3)
    assert learned.history[-1]["known_ap"] > 0.9
    assert learned.history[-1]["neg@3"] == 0
    assert np.mean(learned.losses[-5:]) < 0.3 * learned.losses[0]
    assert margin > 2
    # the same steps without learning tell nothing apart
    assert gap(1e-12)[1] < 0.5


@pytest.mark.parametrize("bands", ["crops", "shared"])
def test_a_run_with_bands_keeps_their_edges_and_scores_with_them(
    shared_data: Data, shared_cache: Path, tmp_path: Path, bands: str
) -> None:
    o, config = open_data(shared_data, alternating=True), tiny_config(bands=bands, epochs=1)
    done = training_loop.train(
        config, RunInputs(o.annotations, o.recordings, shared_cache), tmp_path / "run"
    )
    # tones of 1,000 and 2,500 Hz in boxes 400 Hz wide, and a quarter of that on both sides
    assert done.edges_hz == ((700.0, 1300.0), (2200.0, 2800.0))
    assert Checkpoint.load(tmp_path / "run" / "best.pt").edges_hz == done.edges_hz
    assert done.history[-1]["known_ap"] > 0
    table = tmp_path / "bands.csv"
    table.write_text("class,f_min,f_max\n0,900,1100\n")
    with pytest.raises(InputError, match="holds a run with another bands"):
        training_loop.train(
            config, RunInputs(o.annotations, o.recordings, shared_cache, band_table=table),
            tmp_path / "run",
        )  # fmt: skip
    other = training_loop.train(
        config, RunInputs(o.annotations, o.recordings, shared_cache, band_table=table),
        tmp_path / "other",
    )  # fmt: skip
    assert other.edges_hz[0] == (900.0, 1100.0)


def test_a_table_of_bands_without_bands_is_an_error(
    shared_opened: Opened, shared_cache: Path, tmp_path: Path
) -> None:
    o = shared_opened
    with pytest.raises(InputError, match="bands are off and no pitch is shifted; choose"):
        training_loop.train(
            tiny_config(),
            RunInputs(
                o.annotations, o.recordings, shared_cache, band_table=tmp_path / "bands.csv"
            ),
            tmp_path / "run",
        )  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"ema": 0.9},
        {"loss": "lsep", "clip_norm": 0.5},
        {"accumulate": 3, "ema": 0.5, "precision": "bf16"},
        {"precision": "fp16"},
    ],
    ids=str,
)
def test_a_stopped_run_of_any_kind_ends_as_if_it_had_never_stopped(
    shared_opened: Opened, shared_cache: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    o, config = shared_opened, tiny_config(**changes)

    def run(name: str, stop_at: int = 0) -> Checkpoint:
        press = partial(signal.raise_signal, signal.SIGINT)
        return training_loop.train(
            config, RunInputs(o.annotations, o.recordings, shared_cache), tmp_path / name,
            RunContext(progress=Steps(stop_at, press)),
        )  # fmt: skip

    whole = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("stopped", stop_at=4)
    again = run("stopped")
    assert again.fingerprint == whole.fingerprint
    ends = [Checkpoint.load(tmp_path / name / "last.pt") for name in ("whole", "stopped")]
    assert ends[0].losses == ends[1].losses
    assert weights_fingerprint(ends[0].trained) == weights_fingerprint(ends[1].trained)
    assert bool(ends[0].trained) == bool(changes.get("ema"))


def test_accumulated_gradients_are_those_of_the_whole_step() -> None:
    detector = Detector(3, FrontEndSettings.for_mels(8000, 16), "small").eval()
    rng = np.random.default_rng(0)
    rows = [
        Row(rng.normal(0, 0.1, 8000).astype(np.float32), labels, kind)
        for kind, labels in [
            (RowKind.TP, PartialLabels(present=frozenset({"a"}))),
            (RowKind.FP, PartialLabels.certified(["b"], Certificate.VERIFIED)),
            (RowKind.POOL, PartialLabels.certified(["a", "c"], Certificate.EXTERNAL)),
        ]
    ]
    batch = make_batch(rows, ["a", "b", "c"])
    gradients = []
    for parts in (1, 3):
        detector.zero_grad()
        for part in batch.split(parts):
            loss = step_loss(detector, part, 2, tiny_config(), CPU)
            loss.backward()  # type: ignore[no-untyped-call]
        gradients.append([p.grad.clone() for p in detector.parameters() if p.grad is not None])
    for whole, added in zip(*gradients, strict=True):
        torch.testing.assert_close(whole, added, rtol=1e-4, atol=1e-7)


def test_a_run_tells_how_to_do_it_again(whole: Path) -> None:
    described = json.loads((whole / "run.json").read_text())
    assert described["held_out"] == sorted(Checkpoint.load(whole / "last.pt").held_out)
    assert {"negmine", "torch", "python"} <= described["versions"].keys()
    assert described["inputs"]["annotations"]
    settings = tomllib.loads((whole / "config.toml").read_text())
    assert TrainConfig.from_dict(settings) == Checkpoint.load(whole / "last.pt").config


@pytest.mark.parametrize("with_pool", [False, True])
def test_false_positives_choose_the_epoch(
    run: Runner, tmp_path: Path, shared_pool: Path, with_pool: bool
) -> None:
    lines: list[str] = []
    changes: dict[str, Any] = {"select_by": "fp-per-hour", "select_recall": 0.6, "folds": 2}
    changes |= {"epochs": 4, "steps_per_epoch": 2, "patience": 0}
    if with_pool:
        changes["select_negatives"] = shared_pool
    kept = run(tmp_path / "run", caution=lines.append, **changes)
    last = Checkpoint.load(tmp_path / "run" / "last.pt")
    rates = [entry["fp/h@0.6"] for entry in last.history]
    assert all(rate >= 0 for rate in rates)
    ranks = [(-entry["fp/h@0.6"], entry["known_ap"]) for entry in last.history]
    assert ranks[int(kept.history[-1]["epoch"]) - 1] == max(ranks)
    table = pd.read_csv(tmp_path / "run" / "metrics.csv")
    assert table["fp/h@0.6"].tolist() == pytest.approx(rates)
    (line,) = lines
    assert "the rate has few steps" in line
    # the steps are those of a run that chooses otherwise
    plain = run(tmp_path / "plain", **(changes | {"select_by": "known-ap"}))
    assert "fp/h@0.6" not in plain.history[-1]
    assert Checkpoint.load(tmp_path / "plain" / "last.pt").fingerprint == last.fingerprint
    other = {"select_negatives": None} if with_pool else {"select_negatives": shared_pool}
    with pytest.raises(InputError, match="another negatives that validate"):
        run(tmp_path / "run", **(changes | other))
