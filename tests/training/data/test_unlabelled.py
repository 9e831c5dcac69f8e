"""Recordings that nobody annotated: whose they are, who labels them, who trains on them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner
from conftest import SAMPLE_RATE, Data, Opened, tiny_config

from negmine.cli.main import main
from negmine.errors import InputError
from negmine.recipes.cache_items import build_cache
from training.data.unlabelled import Unlabelled, open_beside
from training.engine.checkpoint import Checkpoint
from training.engine.inputs import RunInputs
from training.engine.run import run_training
from training.evaluation.predict import read_ahead
from training.schedules import pseudo, stages
from training.schedules.pseudo import PseudoLabels, WindowLabels
from training.schedules.pseudo_rows import PseudoRows, source_of

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five recordings, each a constant of its own."""
    root = tmp_path / "field"
    root.mkdir()
    for i in range(5):
        samples = np.full(3 * SAMPLE_RATE, 2.0 ** -(i + 2), dtype=np.float32)
        sf.write(root / f"field{i}.wav", samples, SAMPLE_RATE, subtype="PCM_16")
    return root


def test_folds_share_them_out(folder: Path, shared_opened: Opened) -> None:
    found, _ = open_beside(folder, shared_opened.recordings)
    parts = [found.of_fold(fold, 3, seed=4) for fold in range(3)]
    assert sorted(name for part in parts for name in part) == sorted(found.infos)
    assert {len(part) for part in parts} == {1, 2}
    assert parts == [found.of_fold(fold, 3, seed=4) for fold in range(3)]


def test_a_site_stays_together(folder: Path, shared_opened: Opened) -> None:
    infos = open_beside(folder, shared_opened.recordings)[0].infos
    sites = {name: "wood" if i < 3 else "lake" for i, name in enumerate(sorted(infos))}
    found = Unlabelled(infos, sites)
    parts = [found.of_fold(fold, 2, seed=0) for fold in range(2)]
    assert sorted(len({sites[name] for name in part}) for part in parts) == [1, 1]


def test_annotated_recordings_are_left_out_under_any_name(
    folder: Path, shared_data: Data, shared_opened: Opened
) -> None:
    shutil.copy(shared_data.recordings / "rec00.flac", folder / "again.flac")
    found, _ = open_beside(folder, shared_opened.recordings)
    assert sorted(found.infos) == [f"field{i}" for i in range(5)]
    with pytest.raises(InputError, match="recordings are annotated"):
        open_beside(shared_data.recordings, shared_opened.recordings)
    shutil.copy(folder / "field0.wav", folder / "rec00.wav")
    with pytest.raises(InputError, match="another recording 'rec00' is annotated"):
        open_beside(folder, shared_opened.recordings)


def test_rows_from_the_cache_are_those_of_the_files(
    folder: Path, shared_opened: Opened, tmp_path: Path
) -> None:
    o, config = shared_opened, tiny_config(pseudo_per_step=20)
    others = open_beside(folder, o.recordings)[0].infos
    infos = {**o.recordings.infos, **others}
    grid = WindowLabels(np.arange(4.0), np.arange(4.0) + 1, np.full((4, 2), 0.5, np.float32))
    soft = PseudoLabels(o.annotations.classes, dict.fromkeys(infos, grid), ())
    build_cache(tmp_path, [source_of(info) for info in infos.values()], config.sample_rate)
    plain = PseudoRows(soft, o.annotations, o.recordings, others)
    cached = PseudoRows(soft, o.annotations, o.recordings, others, cache=tmp_path)
    for plugin in (plain, cached):
        plugin.prepare(config, o.annotations.classes, frozenset())
    for one, other in zip(plain.rows(3), cached.rows(3), strict=True):
        np.testing.assert_allclose(one.waveform, other.waveform, atol=2.0**-15)
        assert one.labels == other.labels
    levels = {float(row.waveform.max()) for row in cached.rows(3)}
    assert levels & {2.0 ** -(i + 2) for i in range(5)}


def test_a_held_out_site_keeps_its_unlabelled_recordings_out(
    folder: Path, shared_opened: Opened
) -> None:
    o, config = shared_opened, tiny_config(pseudo_per_step=40)
    others = open_beside(folder, o.recordings)[0].infos
    names = list(o.recordings.infos)
    groups = dict.fromkeys([names[0], *others], "wood") | dict.fromkeys(names[1:], "lake")
    soft = PseudoLabels(o.annotations.classes, {}, ())
    plugin = PseudoRows(soft, o.annotations, o.recordings, others, groups)
    plugin.prepare(config, o.annotations.classes, frozenset(names[:1]))
    # what is left has noise or calls in it, never a constant
    assert all(np.ptp(row.waveform) > 0 for row in plugin.rows(0))


def test_no_stage_labels_what_its_models_trained_on(
    folder: Path, shared_data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled: dict[str, set[str]] = {}
    trained: dict[Path, set[str]] = {}

    def listening(scorers: Any, paths: Any) -> Any:
        labelled.setdefault(str(scorers[0].detector.head.weight.sum().item()), set()).update(
            path.stem for path in paths
        )
        return read_ahead(scorers, paths)

    def spying(run: Any, inputs: RunInputs, out: Path, *more: Any, **options: Any) -> Any:
        found = run_training(run, inputs, out, *more, **options)
        for plugin in inputs.plugins:
            assert isinstance(plugin, PseudoRows)
            trained[out] = {n for n in plugin._names if n.startswith("field")}
        return found

    monkeypatch.setattr(pseudo, "read_ahead", listening)
    monkeypatch.setattr(stages, "run_training", spying)
    file = tmp_path / "three.toml"
    file.write_text("[[stage]]\nname='a'\n[[stage]]\nname='b'\npseudo=true\nrepeat=2\nloss='bce'\n")
    arguments = [
        "train", *shared_data.options, "--out", tmp_path / "run", "--recipe", file, "--quiet",
        "--sample-rate", SAMPLE_RATE, "--clip-s", 1, "--n-mels", 16, "--window-s", 0.5,
        "--folds", 2, "--tp-per-step", 3, "--fp-per-step", 2, "--steps-per-epoch", 2,
        "--epochs", 1, "--pseudo-per-step", 2, "--unlabelled", folder,
    ]  # fmt: skip
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    second = [tmp_path / "run" / "2-b" / f"fold{fold}" for fold in range(2)]
    for out in second:
        weights = Checkpoint.load(out / "best.pt").model["head.weight"].sum().item()
        assert trained[out]
        assert trained[out].isdisjoint(labelled[str(weights)])
    assert set.union(*(trained[out] for out in second)) == {f"field{i}" for i in range(5)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "without --recipe"),
        (["--recipe", "rfcx", "--pseudo-per-step", "0"], "without --pseudo-per-step"),
    ],
)
def test_recordings_that_no_stage_draws_from_are_warned_of(
    folder: Path, shared_data: Data, tmp_path: Path, options: list[str], message: str
) -> None:
    arguments = ["train", *shared_data.options, "--out", str(tmp_path / "run"), *options]
    arguments += ["--unlabelled", str(folder), "--backbone", "no_such_model"]
    result = CliRunner().invoke(main, arguments)
    assert f"--unlabelled has no effect {message}" in result.stderr
    assert "without annotations" not in result.stderr
