"""The detector: shapes, its clock, its fingerprint, and one convolution for every readout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import torch
from slow_pooling import positive_mean, power_mean
from torch import Tensor, nn

from negmine.errors import ModelError
from training.augmentation import AugmentSettings
from training.config import Readout, TrainConfig
from training.models.backbones import SmallCNN, check_backbone
from training.models.bands import mel_rows, row_mask
from training.models.detector import Detector, frames_per_second, weights_fingerprint
from training.models.frontend import FrontEndSettings
from training.models.specaugment import mask_spectrograms

pytestmark = pytest.mark.usefixtures("one_thread")

RATE = 8000
FRONT_END = FrontEndSettings.for_mels(RATE, 32)


def detector(backbone: str = "small", classes: int = 3, seed: int = 0) -> Detector:
    torch.manual_seed(seed)
    made = Detector(classes, FRONT_END, backbone)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None
            module.running_mean.normal_(0, 0.2)
            assert module.running_var is not None
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
    assert features.maps[0].shape == (2, size, bands, frames)
    assert model.embedding_size == size
    assert model(waveforms).shape == (2, 5)
    for readout in get_args(Readout):
        assert model.read_out(features, readout, 2).shape == (2, 5)
    logits, start, end = model.window_logits(features, 2)
    assert logits.shape == (2, frames // 2, 5)
    assert start.shape == end.shape == (frames // 2,)


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        ("no_such_model", "backbone 'no_such_model' is neither 'small' nor the name of a model"),
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
    still = model.maps(silence)[0]

    def response(at_s: float) -> Tensor:
        waveform = silence.clone()
        waveform[0, round(at_s * RATE)] = 1.0
        return (model.maps(waveform)[0] - still).abs().sum(dim=(0, 1, 2))

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
    assert weights_fingerprint(model.to(memory_format=torch.channels_last).state_dict()) == want


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
    for readout in get_args(Readout):
        model.read_out(features, readout, 4)
    model.window_logits(features, 4)
    assert len(calls) == 1


@torch.no_grad()
def test_crop_scores_the_same_alone_and_by_mean_readout() -> None:
    model, crops = detector(), noise(4, 1.0)
    want = model.head(positive_mean(model.features(crops).maps[0]))
    torch.testing.assert_close(model(crops), want)
    torch.testing.assert_close(model.read_out(model.features(crops), "mean", 2), want)


@torch.no_grad()
def test_one_pass_holds_the_map_of_every_crop() -> None:
    model = detector()
    stride = 8 * FRONT_END.hop
    recording = noise(1, 8.0)
    whole = model.features(recording).maps[0]
    for first in (0, 20, 36):
        crop = recording[:, first * stride : first * stride + 3 * RATE]
        alone = model.features(crop).maps[0]
        # edges see padding where the whole recording has sound
        inner = slice(5, alone.shape[-1] - 5)
        part = whole[..., first + inner.start : first + inner.stop]
        torch.testing.assert_close(alone[..., inner], part, rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_max_readout_is_the_best_of_half_overlapping_windows() -> None:
    model = detector()
    features = model.features(noise(2, 6.0))
    frames, window = features.length, 8
    starts = range(0, frames - window + 4, 4)
    windows = [model.head(positive_mean(features.maps[0][..., a : a + window])) for a in starts]
    want = torch.stack(windows).amax(dim=0)
    torch.testing.assert_close(model.read_out(features, "max", window), want)


@torch.no_grad()
def test_power_readout_is_the_head_on_power_means() -> None:
    model = detector()
    features = model.features(noise(2, 2.0))
    want = model.head(power_mean(features.maps[0]))
    torch.testing.assert_close(model.read_out(features, "power", 8), want)


@torch.no_grad()
def test_windows_side_by_side_are_scored_like_their_parts_of_the_map() -> None:
    model = detector()
    features = model.features(noise(1, 5.0))
    logits, start, end = model.window_logits(features, 6)
    assert start[0] == 0
    assert end[-1] == features.length
    assert torch.equal(start[1:], end[:-1])
    for row, (a, b) in enumerate(zip(start.tolist(), end.tolist(), strict=True)):
        want = model.head(positive_mean(features.maps[0][..., a:b]))
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
    assert features.maps[0].dtype == torch.bfloat16
    assert logits.dtype == torch.float32


@torch.no_grad()
def test_detector_with_channels_last_scores_as_before() -> None:
    model = detector()
    want = model(noise(2, 1.0))
    got = model.to(memory_format=torch.channels_last)(noise(2, 1.0))
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


EDGES = ((300.0, 900.0), (2000.0, 3500.0), (400.0, 1000.0), (0.0, 4000.0))


def banded(bands: str, pooling: str = "positive", backbone: str = "small") -> Detector:
    torch.manual_seed(3)
    made = Detector(len(EDGES), FRONT_END, backbone, pooling=pooling, bands=bands, edges_hz=EDGES)  # type: ignore[arg-type]
    return made.eval()


def slow_pool(values: Tensor, pooling: str, attention: Tensor | None) -> Tensor:
    """One map, (D, F, T), pooled by hand: (D,)."""
    if pooling == "positive":
        rows = [row[row > 0] for row in values.flatten(1)]
        return torch.stack([row.mean() if len(row) else row.new_zeros(()) for row in rows])
    if pooling == "mean":
        return values.mean(dim=(1, 2))
    assert attention is not None
    weights = torch.softmax(5 * torch.tanh(attention.flatten() / 5), dim=0)
    return values.flatten(1) @ weights


@torch.no_grad()
@pytest.mark.parametrize("pooling", ["positive", "mean", "attention"])
@pytest.mark.parametrize("backbone", ["small", "resnet10t"])
def test_crops_are_the_network_run_on_each_crop_by_hand(pooling: str, backbone: str) -> None:
    model = banded("crops", pooling, backbone)
    waveforms = noise(2, 1.0)
    spectrograms = model.norm(model.log_mel(waveforms))
    positions = torch.linspace(-1, 1, FRONT_END.n_mels)
    for column, (first, last) in enumerate(mel_rows(EDGES, FRONT_END)):
        crop = spectrograms[:, None, first:last]
        map_ = model.backbone(crop, positions[first:last].view(1, 1, -1, 1))
        attention = model.attention(map_) if model.attention else [None, None]
        for row in range(2):
            pooled = slow_pool(map_[row], pooling, attention[row])
            want = model.head.weight[column] @ pooled + model.head.bias[column]
            torch.testing.assert_close(model(waveforms)[row, column], want, rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("pooling", ["positive", "mean", "attention"])
def test_shared_bands_are_the_map_sliced_by_hand(pooling: str) -> None:
    model = banded("shared", pooling)
    features = model.features(noise(2, 3.0))
    (whole,) = features.maps
    mask = row_mask(mel_rows(EDGES, FRONT_END), FRONT_END.n_mels, whole.shape[2])
    attention = model.attention(whole) if model.attention else [None, None]
    logits, start, end = model.window_logits(features, 6)
    for window, (a, b) in enumerate(zip(start.tolist(), end.tolist(), strict=True)):
        for row in range(2):
            for column, rows in enumerate(mask):
                part = whole[row][:, rows, a:b]
                of_row = attention[row]
                weights = None if of_row is None else of_row[:, rows, a:b]
                pooled = slow_pool(part, pooling, weights)
                want = model.head.weight[column] @ pooled + model.head.bias[column]
                torch.testing.assert_close(logits[row, window, column], want, rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("bands", ["crops", "shared"])
def test_readouts_of_bands_and_their_embedding_have_the_shapes_of_any(bands: str) -> None:
    model = banded(bands)
    features = model.features(noise(2, 2.0))
    for readout in get_args(Readout):
        assert model.read_out(features, readout, 4).shape == (2, len(EDGES))
    assert model.embed(features).shape == (2, model.embedding_size)
    torch.testing.assert_close(model.read_out(features, "mean", 4), model(noise(2, 2.0)))


@pytest.mark.parametrize("bands", ["off", "crops", "shared"])
@pytest.mark.parametrize("pooling", ["positive", "mean", "attention"])
def test_every_parameter_gets_a_gradient(bands: str, pooling: str) -> None:
    model = banded(bands, pooling).train()
    model(noise(3, 1.0)).square().sum().backward()
    missing = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert missing == []


def test_a_sound_outside_a_class_band_does_not_move_its_crop() -> None:
    model = banded("crops")
    times = torch.arange(RATE) / RATE
    quiet = noise(1, 1.0) * 0.01
    loud = quiet + 0.3 * torch.sin(2 * torch.pi * 3000 * times)
    with torch.no_grad():
        change = (model(loud) - model(quiet))[0].abs()
    assert change[1] > 5 * change[0]


def test_bands_for_other_classes_are_an_error() -> None:
    with pytest.raises(ValueError, match="4 bands for 2 classes"):
        Detector(2, FRONT_END, "small", bands="shared", edges_hz=EDGES)


@torch.no_grad()
@pytest.mark.parametrize("sharpness", [1e-3, 1.0, 200.0])
def test_log_sum_exp_lies_between_the_mean_and_the_maximum_of_windows(sharpness: float) -> None:
    model = detector()
    features = model.features(noise(2, 6.0))
    windows, _, _ = model.window_logits(features, 8, 4)
    got = model.read_out(features, "lse", 8, sharpness)
    mean, most = windows.mean(dim=1), windows.amax(dim=1)
    assert (got >= mean - 1e-5).all()
    assert (got <= most + 1e-5).all()
    if sharpness < 0.01:
        torch.testing.assert_close(got, mean, atol=1e-3, rtol=0)
    if sharpness > 100:
        torch.testing.assert_close(got, most, atol=0.03, rtol=0)


# it takes a minute, and what the compiler itself warns of is not ours
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_compiled_detector_scores_as_before_and_keeps_its_names() -> None:
    config = TrainConfig(compile=True, n_mels=32, sample_rate=RATE)
    torch.manual_seed(0)
    model = Detector.from_config(config, 3, FRONT_END, ()).eval()
    plain = detector(seed=0)
    model.load_state_dict(plain.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(model(noise(2, 1.0)), plain(noise(2, 1.0)), rtol=1e-3, atol=1e-4)
    assert model.state_dict().keys() == plain.state_dict().keys()


def test_masks_blank_bands_and_stretches_within_their_widths() -> None:
    settings = AugmentSettings(time_masks=1, time_mask_s=0.16, freq_masks=1, freq_mask_share=0.25)
    torch.manual_seed(0)
    masked = mask_spectrograms(torch.ones(200, 32, 100), settings, hop_s=0.016) == 0
    columns, rows = masked.all(dim=1), masked.all(dim=2)
    assert torch.equal(masked, columns[:, None, :] | rows[:, :, None])
    assert int(columns.sum(dim=1).max()) == 10
    assert int(rows.sum(dim=1).max()) == 8
    assert (columns.sum(dim=0) > 0).float().mean() > 0.9  # anywhere in time
    torch.manual_seed(0)
    again = mask_spectrograms(torch.ones(200, 32, 100), settings, hop_s=0.016) == 0
    assert torch.equal(masked, again)


def test_spectrograms_are_masked_in_training_alone() -> None:
    augment = AugmentSettings(time_masks=2, freq_masks=2)
    torch.manual_seed(0)
    model = Detector(3, FRONT_END, "small", augment=augment).eval()
    with torch.no_grad():
        torch.testing.assert_close(model(noise(2, 1.0)), model(noise(2, 1.0)), rtol=0, atol=0)
        model.train()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.eval()
        assert (model(noise(2, 1.0)) - model(noise(2, 1.0))).abs().max() > 1e-4


# ---- names of backbones


@pytest.mark.parametrize(
    "name",
    [
        "hf_hub:someone/model",
        "hf-hub:someone/model",
        "local-dir:/tmp/model",
        "timm/resnet18",
        "timm:resnet18",
        "https://example.org/model",
        "file:///tmp/model",
        "/tmp/model",
        "../model",
        "resnet18.a.b",
        "resnet18\n",
        "resnet",
        "",
        "a" * 10_000,
    ],
)
def test_a_backbone_that_timm_does_not_define_is_refused_before_timm_sees_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(*args: object, **kwargs: object) -> None:
        raise AssertionError("timm was asked")

    monkeypatch.setattr("timm.create_model", create)
    with pytest.raises(ModelError, match="neither 'small' nor the name of a model that") as caught:
        Detector(2, FRONT_END, name)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_misspelt_backbone_is_named() -> None:
    with pytest.raises(ModelError, match=r"did you mean resnet18\?"):
        Detector(2, FRONT_END, "resnet_18")


def test_a_model_of_timm_may_name_its_weights() -> None:
    check_backbone("resnet18.a1_in1k")
    check_backbone("efficientnet_b0")
