"""Pseudo labels: by models that did not train on the recording, on a calibrated scale."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from conftest import Opened, tiny_config
from scipy.special import expit

from negmine.annotations import Annotation, Annotations
from negmine.audio.windows import Span
from negmine.errors import InputError, ModelError
from training.data.rows import make_example
from training.engine import train as training_loop
from training.engine.checkpoint import Checkpoint
from training.engine.inputs import RunContext, RunInputs
from training.evaluation.predict import read_ahead
from training.schedules import pseudo
from training.schedules.pseudo import (
    PseudoLabels,
    WindowLabels,
    call_centres,
    label_recordings,
    share_centres,
)
from training.schedules.pseudo_rows import PseudoRows
from training.schedules.settings import Level, PseudoSettings

CPU = torch.device("cpu")


def windows(*values: list[float]) -> WindowLabels:
    start = np.arange(len(values), dtype=np.float64)
    return WindowLabels(start, start + 1, np.array(values, dtype=np.float32))


def call(recording: str, label: str, start_s: float) -> Annotation:
    return Annotation(recording, label, "", True, Span(start_s, start_s + 0.5), 0, 1, "row")


def test_a_span_has_the_highest_label_of_windows_it_shares_half_with() -> None:
    found = windows([0.1, 0.9], [0.5, 0.2], [0.8, 0.1])

    def over(start_s: float, end_s: float) -> object:
        labels = found.over(Span(start_s, end_s))
        assert labels is not None
        return labels.tolist()

    assert over(0.0, 2.0) == pytest.approx([0.5, 0.9])
    assert over(0.4, 1.5) == pytest.approx([0.5, 0.9])
    assert over(0.6, 1.6) == pytest.approx([0.5, 0.2])
    assert over(2.2, 2.4) == pytest.approx([0.8, 0.1])
    assert found.over(Span(9.0, 10.0)) is None


def test_what_scores_like_a_low_quantile_of_the_calls_is_as_likely_as_not() -> None:
    logits = {"a": windows(*[[float(i), -5.0] for i in range(10)])}
    calls = Annotations(tuple(call("a", "x", i) for i in range(10)), ("x", "y"))
    centres = call_centres(logits, calls, 0.25)
    assert centres.tolist() == [2.25, 2.25]  # y has no call, and takes that of all
    rare = Annotations((*calls.boxes, call("a", "y", 3)), ("x", "y"))
    # eleven calls together: 0 to 9, and one of -5
    assert call_centres(logits, rare, 0.25).tolist() == [2.25, np.quantile([*range(10), -5], 0.25)]


def test_without_a_call_in_a_window_there_is_nothing_to_go_by() -> None:
    calls = Annotations((call("b", "x", 0),), ("x",))
    with pytest.raises(ModelError, match="nothing to set pseudo labels by"):
        call_centres({"a": windows([1.0])}, calls, 0.25)


def test_labels_are_the_same_when_read_again(tmp_path: Path) -> None:
    recordings = {"b": windows([0.1, 0.2]), "a": windows([0.3, 0.4])}
    labels = PseudoLabels(
        ("x", "y"), recordings, ("m",), PseudoSettings(hop_s=0.25, quantile=0.1, temperature=2.0)
    )
    labels.write(tmp_path / "p.parquet")
    read = PseudoLabels.read(tmp_path / "p.parquet", ("x", "y"))
    assert read.description == labels.description
    assert read.models == ("m",)
    assert read.settings == PseudoSettings(hop_s=0.25, quantile=0.1, temperature=2.0)
    np.testing.assert_array_equal(read("a", Span(0, 1)), labels("a", Span(0, 1)))
    assert read("none", Span(0, 1)) is None
    with pytest.raises(InputError, match="other classes"):
        PseudoLabels.read(tmp_path / "p.parquet", ("x", "z"))


@pytest.fixture(scope="module")
def folds(
    one_thread: None,
    shared_opened: Opened,
    shared_cache: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[Checkpoint]:
    out, o = tmp_path_factory.mktemp("folds"), shared_opened
    return [
        training_loop.train(
            tiny_config(folds=2, fold=fold, epochs=1),
            RunInputs(o.annotations, o.recordings, shared_cache), out / str(fold),
        )
        for fold in range(2)
    ]  # fmt: skip


def test_no_model_is_asked_about_what_it_trained_on(
    shared_opened: Opened, folds: list[Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def spied(scorers: list[object], paths: list[Path]) -> object:
        weights = scorers[0].detector.head.weight  # type: ignore[attr-defined]
        model = next(c for c in folds if torch.equal(c.model["head.weight"], weights))
        asked.extend((model.fingerprint, path.stem) for path in paths)
        return read_ahead(scorers, paths)  # type: ignore[arg-type]

    monkeypatch.setattr(pseudo, "read_ahead", spied)
    o = shared_opened
    labels = label_recordings(
        folds, o.annotations, o.recordings, RunContext(), PseudoSettings(hop_s=0.25)
    )
    assert sorted(name for _, name in asked) == sorted(o.recordings.infos)
    held_out = {c.fingerprint: c.held_out for c in folds}
    assert all(name in held_out[model] for model, name in asked)
    every = np.concatenate([w.values for w in labels.recordings.values()])
    assert every.shape[1] == 2
    assert ((every > 0) & (every < 1)).all()


def test_labels_in_fold_must_be_asked_for(shared_opened: Opened, folds: list[Checkpoint]) -> None:
    o = shared_opened
    with pytest.raises(InputError, match="no model may label what it trained on"):
        label_recordings(folds[:1], o.annotations, o.recordings, RunContext())
    labels = label_recordings(folds[:1], o.annotations, o.recordings, RunContext(), in_fold=True)
    assert labels.recordings.keys() == o.recordings.infos.keys()


def test_pseudo_rows_are_soft_where_nobody_said_anything(shared_opened: Opened) -> None:
    o = shared_opened
    labels = PseudoLabels(
        o.annotations.classes, {n: windows(*[[0.25, 0.75]] * 4) for n in o.recordings.infos}, ()
    )
    plugin = PseudoRows(labels, o.annotations, o.recordings)
    held_out = frozenset(list(o.recordings.infos)[:2])
    config = tiny_config(pseudo_per_step=6)
    plugin.prepare(config, o.annotations.classes, held_out)
    rows = [row for step in range(20) for row in plugin.rows(step)]
    assert len(rows) == 120
    cells = [make_example(row, o.annotations.classes).cells for row in rows]
    said = np.array([[c in r.labels.present or c in r.labels.absent for c in "01"] for r in rows])
    targets = np.stack([c.targets for c in cells])
    assert said.any()
    assert (~said).any()
    np.testing.assert_allclose(targets[~said[:, 0], 0], 0.25)
    np.testing.assert_allclose(targets[~said[:, 1], 1], 0.75)
    assert set(np.unique(targets[said])) <= {0.0, 1.0}
    again = plugin.rows(3)
    assert all(
        np.array_equal(a.waveform, b.waveform) for a, b in zip(again, plugin.rows(3), strict=True)
    )


def test_labels_add_up_to_the_share_of_windows_with_the_class() -> None:
    rng = np.random.default_rng(0)
    holds = rng.random((20_000, 2)) < np.array([0.02, 0.1])
    logits = np.where(holds, rng.normal(2.0, 1.0, holds.shape), rng.normal(-4.0, 1.0, holds.shape))
    threshold = np.quantile(rng.normal(2.0, 1.0, 5000), 0.25) * np.ones(2)
    for temperature in (0.3, 2.0):
        centres = share_centres(logits, threshold, 0.25, temperature)
        labels = expit((logits - centres) / temperature)
        np.testing.assert_allclose(labels.mean(axis=0), holds.mean(axis=0), rtol=0.05)
    # the plain quantile says more wherever the temperature is wide
    assert (expit((logits - threshold) / 2.0).mean(axis=0) > 2 * holds.mean(axis=0))[0]


def test_a_class_that_no_window_reaches_has_hardly_a_label() -> None:
    centres = share_centres(np.full((100, 1), -3.0), np.array([5.0]), 0.25, 1.0)
    assert expit(-3.0 - centres[0]) == pytest.approx(0.005)


def test_a_class_that_fires_everywhere_is_not_labelled_everywhere(
    shared_opened: Opened, folds: list[Checkpoint]
) -> None:
    o = shared_opened
    by = {
        level: label_recordings(
            folds, o.annotations, o.recordings, RunContext(), PseudoSettings(level=level)
        )
        for level in get_args(Level)
    }
    mean = {
        level: np.concatenate([w.values for w in labels.recordings.values()]).mean(axis=0)
        for level, labels in by.items()
    }
    assert (mean["share"] <= 0.5 + 1e-6).all()
    assert not np.allclose(mean["share"], mean["calls"])
