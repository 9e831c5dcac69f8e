"""The detector: shapes, its clock, its fingerprint, and one convolution for every readout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from negmine.errors import ModelError
from training.frontend import FrontEndSettings
from training.model import Detector, SmallCNN, frames_per_second, place, weights_fingerprint
from training.readout import positive_mean, power_mean

pytestmark = pytest.mark.usefixtures("one_thread")

RATE = 8000
FRONT_END = FrontEndSettings.for_mels(RATE, 32)


def detector(backbone: str = "small", classes: int = 3, seed: int = 0) -> Detector:
    torch.manual_seed(seed)
    made = Detector(classes, FRONT_END, backbone)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
    return made.eval()


def noise(rows: int, seconds: float, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(rows, round(seconds * RATE), generator=draw)


@torch.no_grad()
@pytest.mark.parametrize(
    ("backbone", "size", "bands", "frames"),
    [("small", 192, 2, 8), ("resnet10t", 512, 1, 2), ("efficientnet_b0", 1280, 1, 2)],
)
def test_shapes(backbone: str, size: int, bands: int, frames: int) -> None:
    model = detector(backbone, classes=5)
    waveforms = noise(2, 1.0)
    features = model.features(waveforms)
    assert features.shape == (2, size, bands, frames)
    assert model.embedding_size == size
    assert model(waveforms).shape == (2, 5)
    for readout in ("max", "mean", "power"):
        assert model.read_out(features, readout, 2).shape == (2, 5)
    logits, start, end = model.window_logits(features, 2)
    assert logits.shape == (2, frames // 2, 5)
    assert start.shape == end.shape == (frames // 2,)


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        ("no_such_model", "backbone 'no_such_model' cannot be used: Unknown model"),
        ("vit_tiny_patch16_224", "backbone 'vit_tiny_patch16_224' cannot be used"),
        ("xcit_nano_12_p16_224", "gives no map of frequency and time"),
    ],
)
def test_backbone_without_a_map_is_an_error(backbone: str, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        Detector(2, FRONT_END, backbone)
    assert caught.value.exit_code == 2


def test_timm_backbone_starts_in_training_mode() -> None:
    assert all(module.training for module in Detector(2, FRONT_END, "resnet10t").modules())


@torch.no_grad()
@pytest.mark.parametrize("seconds", [0.05, 0.3, 1.0, 7.77])
def test_clips_of_any_length_are_scored(seconds: float) -> None:
    scores = detector()(noise(1, seconds))
    assert scores.shape == (1, 3)
    assert torch.isfinite(scores).all()


@torch.no_grad()
@pytest.mark.parametrize("backbone", ["small", "resnet10t"])
def test_frames_per_second_are_those_by_which_an_impulse_moves(backbone: str) -> None:
    model = detector(backbone)
    silence = torch.zeros(1, 20 * RATE)
    still = model.features(silence)

    def response(at_s: float) -> Tensor:
        waveform = silence.clone()
        waveform[0, round(at_s * RATE)] = 1.0
        return (model.features(waveform) - still).abs().sum(dim=(0, 1, 2))

    # 512 steps of the spectrogram: a whole number of frames for any stride that is a power of 2
    moved_s = 512 * FRONT_END.hop_s
    early, late = response(5.0), response(5.0 + moved_s)
    shift = int(late.argmax() - early.argmax())
    torch.testing.assert_close(late[shift:], early[:-shift], rtol=1e-3, atol=1e-3)
    assert shift > 0
    assert frames_per_second(model) == pytest.approx(shift / moved_s, rel=1e-9)


def test_frames_per_second_leaves_mode_and_weights_alone() -> None:
    model = detector().train()
    before = weights_fingerprint(model.state_dict())
    frames_per_second(model)
    assert model.training
    assert model.backbone.training
    assert weights_fingerprint(model.state_dict()) == before


def test_fingerprint_changes_with_any_weight() -> None:
    state = detector().state_dict()
    seen = {weights_fingerprint(state)}
    for name, tensor in state.items():
        changed = tensor.clone()
        last = changed.reshape(-1)[-1:]
        last += 1 if not tensor.is_floating_point() else 0.25
        seen.add(weights_fingerprint(state | {name: changed}))
    assert len(seen) == 1 + len(state)


def test_fingerprint_changes_with_names_shapes_and_types() -> None:
    weight = torch.arange(6.0)
    states: list[dict[str, Tensor]] = [
        {"a": weight},
        {"b": weight},
        {"a": weight.view(2, 3)},
        {"a": weight.to(torch.float64)},
        {"a": weight.view(torch.int32)},
        {"a": weight[:3], "b": weight[3:]},
        {},
    ]
    assert len({weights_fingerprint(state) for state in states}) == len(states)


def test_fingerprint_does_not_change_with_file_name_order_or_layout(tmp_path: Path) -> None:
    model = detector()
    state = model.state_dict()
    want = weights_fingerprint(state)
    for name in ("one.pt", "another name.bin"):
        torch.save(state, tmp_path / name)
        assert weights_fingerprint(torch.load(tmp_path / name, weights_only=True)) == want
    assert weights_fingerprint(dict(reversed(state.items()))) == want
    assert weights_fingerprint(place(model, torch.device("cpu")).state_dict()) == want


@torch.no_grad()
def test_readouts_need_no_second_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    model = detector()
    calls: list[tuple[int, ...]] = []
    forward: Callable[[Tensor], Tensor] = model.backbone.forward

    def counted(spectrograms: Tensor) -> Tensor:
        calls.append(tuple(spectrograms.shape))
        return forward(spectrograms)

    monkeypatch.setattr(model.backbone, "forward", counted)
    features = model.features(noise(2, 4.0))
    for readout in ("max", "mean", "power"):
        model.read_out(features, readout, 4)
    model.window_logits(features, 4)
    assert len(calls) == 1


@torch.no_grad()
def test_crop_scores_the_same_alone_and_by_mean_readout() -> None:
    model, crops = detector(), noise(4, 1.0)
    want = model.head(positive_mean(model.features(crops)))
    torch.testing.assert_close(model(crops), want)
    torch.testing.assert_close(model.read_out(model.features(crops), "mean", 2), want)


@torch.no_grad()
def test_one_pass_holds_the_map_of_every_crop() -> None:
    model = detector()
    stride = 8 * FRONT_END.hop
    recording = noise(1, 8.0)
    whole = model.features(recording)
    for first in (0, 20, 36):
        crop = recording[:, first * stride : first * stride + 3 * RATE]
        alone = model.features(crop)
        # edges see padding where the whole recording has sound
        inner = slice(5, alone.shape[-1] - 5)
        part = whole[..., first + inner.start : first + inner.stop]
        torch.testing.assert_close(alone[..., inner], part, rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_max_readout_is_the_best_of_half_overlapping_windows() -> None:
    model = detector()
    features = model.features(noise(2, 6.0))
    frames, window = features.shape[-1], 8
    starts = range(0, frames - window + 4, 4)
    windows = [model.head(positive_mean(features[..., a : a + window])) for a in starts]
    want = torch.stack(windows).amax(dim=0)
    torch.testing.assert_close(model.read_out(features, "max", window), want)


@torch.no_grad()
def test_power_readout_is_the_head_on_power_means() -> None:
    model = detector()
    features = model.features(noise(2, 2.0))
    want = model.head(power_mean(features))
    torch.testing.assert_close(model.read_out(features, "power", 8), want)


@torch.no_grad()
def test_windows_side_by_side_are_scored_like_their_parts_of_the_map() -> None:
    model = detector()
    features = model.features(noise(1, 5.0))
    logits, start, end = model.window_logits(features, 6)
    assert start[0] == 0
    assert end[-1] == features.shape[-1]
    assert torch.equal(start[1:], end[:-1])
    for row, (a, b) in enumerate(zip(start.tolist(), end.tolist(), strict=True)):
        want = model.head(positive_mean(features[..., a:b]))
        torch.testing.assert_close(logits[:, row], want)


@torch.no_grad()
def test_same_sound_in_another_band_is_told_apart_by_its_position() -> None:
    torch.manual_seed(0)
    backbone = SmallCNN(256).eval()
    low = torch.full((1, 1, 256, 64), -1.0)
    low[:, :, 108:112, 20:40] = 1.0
    high = torch.roll(low, 32, dims=2)

    def gap() -> float:
        return float((positive_mean(backbone(low)) - positive_mean(backbone(high))).abs().max())

    assert gap() > 1e-4
    # convolutions alone take the two for the same: far from both edges the map only moves
    backbone.get_buffer("position").zero_()
    assert gap() < 1e-6


@torch.no_grad()
def test_head_works_in_float32_under_bf16() -> None:
    model = detector()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = model.features(noise(1, 1.0))
        logits = model(noise(1, 1.0))
    assert features.dtype == torch.bfloat16
    assert logits.dtype == torch.float32


@torch.no_grad()
def test_placed_detector_scores_as_before() -> None:
    model = detector()
    want = model(noise(2, 1.0))
    got = place(model, torch.device("cpu"))(noise(2, 1.0))
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)
