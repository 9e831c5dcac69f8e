"""Rendering: exact ratios, the same samples anywhere, and errors that name the span."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from negmine.audio.fingerprint import file_fingerprint
from negmine.errors import AudioError
from negmine.recipes import render as render_module
from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import Layer
from negmine.recipes.reader import DIRECT, DirectReader
from negmine.recipes.recipe import Recipe
from negmine.recipes.render import (
    FADE_S,
    PEAK,
    mix_at_snr,
    render,
    render_batches,
    render_with_gain,
)
from negmine.recipes.source import Source

RATE = 8000


def noise(seconds: float, level: float = 0.05, seed: int = 0, rate: int = RATE) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (level * rng.standard_normal(round(seconds * rate))).astype(np.float32)


def clip(
    folder: Path, name: str, samples: np.ndarray, start_s: float = 0.0, rate: int = RATE
) -> Recipe:
    sf.write(folder / name, samples, rate, subtype="FLOAT")
    length_s = len(samples) / rate
    source = Source(folder, name, file_fingerprint(folder / name), length_s, name)
    return Recipe("external", (Layer(source, start_s),), 1.0, RATE, PartialLabels())


@pytest.fixture
def clips(tmp_path: Path) -> list[Recipe]:
    """Of several rates and levels, one of them running past the end of its file."""
    return [
        clip(tmp_path, "a.wav", noise(3.0, 0.02, seed=1), 1.0),
        clip(tmp_path, "b.wav", noise(2.0, 0.2, seed=2, rate=11_025), 0.5, rate=11_025),
        clip(tmp_path, "c.wav", noise(2.0, 0.001, seed=3, rate=22_050), 0.25, rate=22_050),
        clip(tmp_path, "d.wav", noise(0.6, 0.05, seed=4)),
    ]


def slow_rms(samples: np.ndarray) -> float:
    return float(np.sqrt(sum(float(x) ** 2 for x in samples) / len(samples)))


def snr_db(signal: np.ndarray, other: np.ndarray) -> float:
    return float(20 * np.log10(slow_rms(signal) / slow_rms(other)))


# ---- ratios


@pytest.mark.parametrize("ratio", [-20.0, -3.0, 0.0, 6.0, 20.0])
def test_a_mix_has_the_ratio_that_its_recipe_says(clips: list[Recipe], ratio: float) -> None:
    for first, second in [(0, 1), (1, 2), (3, 0)]:
        mix = clips[first].mix(clips[second], ratio)
        samples, signal = mix.render(), clips[first].render()
        if np.abs(samples).max() < PEAK - 1e-6:
            assert snr_db(signal, samples - signal) == pytest.approx(ratio, abs=0.01)
        else:
            # scaled as a whole: the parts are found by least squares
            parts = np.stack([signal, clips[second].render()], axis=1).astype(float)
            gains = np.linalg.lstsq(parts, samples.astype(float))[0]
            found = snr_db(gains[0] * parts[:, 0], gains[1] * parts[:, 1])
            assert found == pytest.approx(ratio, abs=0.01)


def test_every_layer_of_a_mix_of_mixes_has_its_ratio_to_the_first(clips: list[Recipe]) -> None:
    mix = clips[0].mix(clips[1], 12.0).mix(clips[2].mix(clips[3], -6.0), 9.0)
    heard = [replace(mix, layers=mix.layers[:n]).render() for n in range(1, 5)]
    parts = [heard[0], *(after - before for before, after in pairwise(heard))]
    assert np.abs(heard[-1]).max() < PEAK
    found = [snr_db(parts[0], part) for part in parts[1:]]
    assert found == pytest.approx([12.0, 9.0, 3.0], abs=0.01)


def test_mix_at_snr_adds_the_noise_alone() -> None:
    signal, other = noise(1.0, 0.3, seed=1), noise(1.0, 0.001, seed=2)
    mix = mix_at_snr(signal, other, 7.0)
    assert mix.dtype == np.float32
    assert snr_db(signal, mix - signal) == pytest.approx(7.0, abs=0.01)
    correlation = np.corrcoef(mix - signal, other)[0, 1]
    assert correlation == pytest.approx(1.0, abs=1e-6)


def test_mix_at_snr_refuses_silence_and_other_shapes() -> None:
    loud, silent = noise(0.1), np.zeros(800, dtype=np.float32)
    for signal, other in ((loud, silent), (silent, loud)):
        with pytest.raises(AudioError, match="one part is silent, so snr_db=3 is undefined"):
            mix_at_snr(signal, other, 3.0)
    with pytest.raises(AudioError, match=r"cannot mix \(800,\) with \(1,\) samples"):
        mix_at_snr(loud, loud[:1], 3.0)


# ---- spans put into a clip


def test_an_inserted_span_is_heard_inside_its_own_bounds_alone(clips: list[Recipe]) -> None:
    bed, other = clips[0], clips[3]
    piece = replace(other.layers[0], op="insert", start_s=0.1, offset_s=0.25, length_s=0.4)
    samples = replace(bed, layers=(*bed.layers, piece)).render()
    first, last = round(0.25 * RATE), round(0.65 * RATE)
    plain = bed.render()
    np.testing.assert_array_equal(samples[:first], plain[:first])
    np.testing.assert_array_equal(samples[last:], plain[last:])
    fade = round(FADE_S * RATE)
    expected = noise(0.6, 0.05, seed=4)[round(0.1 * RATE) :][: last - first]
    np.testing.assert_array_equal(samples[first + fade : last - fade], expected[fade:-fade])
    # at the joints neither sound stands alone, and the level stays between the two
    joint = samples[first : first + fade]
    assert np.all(joint != plain[first : first + fade])
    assert slow_rms(plain) * 0.5 < slow_rms(joint) < slow_rms(expected) * 1.5


def test_two_sounds_that_cross_keep_their_level(tmp_path: Path) -> None:
    bed = clip(tmp_path, "a.wav", noise(1.0, 0.1, seed=1))
    other = clip(tmp_path, "b.wav", noise(1.0, 0.1, seed=2)).layers[0]
    levels = []
    for at in np.arange(0.1, 0.8, 0.02):
        piece = replace(other, op="insert", offset_s=float(at), length_s=0.1)
        samples = replace(bed, layers=(*bed.layers, piece)).render()
        first = round(float(at) * RATE)
        levels.append(slow_rms(samples[first : first + round(FADE_S * RATE)]))
    assert np.sqrt(np.mean(np.square(levels))) == pytest.approx(0.1, rel=0.05)


def test_a_placed_component_has_its_ratio_over_its_own_span(clips: list[Recipe]) -> None:
    bed = clips[0]
    placed = replace(clips[3].layers[0], snr_db=4.0, offset_s=0.3, length_s=0.5)
    samples = replace(bed, layers=(*bed.layers, placed)).render()
    added = samples - bed.render()
    first, last = round(0.3 * RATE), round(0.8 * RATE)
    assert not added[:first].any()
    assert not added[last:].any()
    assert snr_db(bed.render(), added[first:last]) == pytest.approx(4.0, abs=0.01)


def test_a_component_may_start_late_and_run_to_the_end(clips: list[Recipe]) -> None:
    late = replace(clips[0], layers=(replace(clips[0].layers[0], offset_s=0.75),)).render()
    assert not late[: round(0.75 * RATE)].any()
    fade = round(FADE_S * RATE)
    after = round(0.75 * RATE) + fade
    np.testing.assert_array_equal(late[after:], clips[0].render()[fade : fade + len(late) - after])


def test_a_late_part_of_a_mix_brings_no_step_of_its_offset(clips: list[Recipe]) -> None:
    class Offset:
        def read(
            self, source: Source, start_s: float, duration_s: float, sample_rate: int
        ) -> np.ndarray:
            return DIRECT.read(source, start_s, duration_s, sample_rate) + np.float32(0.3)

    mix = clips[0].mix(clips[1], 3.0)
    first, second = mix.layers
    late = replace(mix, layers=(first, replace(second, offset_s=0.5)))
    np.testing.assert_allclose(
        late.render(RATE, Offset()) - np.float32(0.3), late.render(), atol=1e-4
    )


def test_sound_is_read_through_the_reader_that_is_given(clips: list[Recipe]) -> None:
    asked = []

    class Counting:
        def read(
            self, source: Source, start_s: float, duration_s: float, sample_rate: int
        ) -> np.ndarray:
            asked.append((source.name, start_s, duration_s, sample_rate))
            return DIRECT.read(source, start_s, duration_s, sample_rate)

    mix = clips[0].mix(clips[1], 3.0)
    samples = mix.render(16_000, Counting())
    assert asked == [("a.wav", 1.0, 1.0, 16_000), ("b.wav", 0.5, 1.0, 16_000)]
    assert samples.tobytes() == mix.render(16_000).tobytes()
    (batch,) = render_batches([mix], 16_000, 1, reader=Counting())
    assert (batch[0].tobytes(), len(asked)) == (samples.tobytes(), 4)


# ---- peaks


def test_how_far_a_mix_was_scaled_down_is_said(tmp_path: Path) -> None:
    one = clip(tmp_path, "a.wav", noise(1.0, 0.2, seed=1))
    other = clip(tmp_path, "b.wav", noise(1.0, 0.2, seed=2))
    loud = render_with_gain(one.mix(other, 0.0))
    peak = np.abs(mix_at_snr(one.render(), other.render(), 0.0)).max()
    assert loud.gain_db == pytest.approx(20 * np.log10(PEAK / peak), abs=1e-4)
    assert loud.gain_db < 0
    assert render_with_gain(one).gain_db == 0.0


def test_a_peak_within_bounds_is_left_alone(tmp_path: Path) -> None:
    samples = noise(1.0)
    samples[100] = 0.98
    np.testing.assert_array_equal(clip(tmp_path, "a.wav", samples).render(), samples)


def test_a_peak_beyond_bounds_scales_the_whole(tmp_path: Path) -> None:
    one = clip(tmp_path, "a.wav", noise(1.0, 0.3, seed=1))
    other = clip(tmp_path, "b.wav", noise(1.0, 0.3, seed=2))
    samples = one.mix(other, 0.0).render()
    plain = mix_at_snr(one.render(), other.render(), 0.0)
    assert np.abs(plain).max() > PEAK
    assert np.abs(samples).max() == pytest.approx(PEAK, abs=1e-6)
    np.testing.assert_allclose(samples, plain * (PEAK / np.abs(plain).max()), atol=1e-6)


# ---- the same samples


def recipes(clips: list[Recipe]) -> list[Recipe]:
    mixes = [a.mix(b, 2.5) for a in clips for b in clips if a is not b]
    return [*clips, *mixes, mixes[0].mix(mixes[5], -1.0)]


def test_another_process_renders_the_same_samples(clips: list[Recipe]) -> None:
    listed = recipes(clips)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as processes:
        there = list(processes.map(render, listed))
    for recipe, samples in zip(listed, there, strict=True):
        assert samples.tobytes() == render(recipe).tobytes()


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_no_order_and_no_number_of_threads_changes_a_sample(
    clips: list[Recipe], threads: int, batch_size: int
) -> None:
    listed = recipes(clips)
    alone = {recipe.id: render(recipe).tobytes() for recipe in listed}
    for order in (listed, listed[::-1]):
        batches = list(render_batches(order, RATE, batch_size, threads))
        assert all(len(batch) == batch_size for batch in batches[:-1])
        for recipe, samples in zip(order, np.concatenate(batches), strict=True):
            assert samples.tobytes() == alone[recipe.id]


def test_no_recipes_make_no_batches() -> None:
    assert list(render_batches([], RATE, 4)) == []


def test_a_recipe_renders_at_another_rate_when_asked(clips: list[Recipe]) -> None:
    for recipe in clips:
        samples = recipe.render(16_000)
        assert (samples.shape, samples.dtype) == ((16_000,), np.dtype(np.float32))
    spectrum = np.abs(np.fft.rfft(clips[0].render(16_000)))
    plain = np.abs(np.fft.rfft(clips[0].render()))
    # the band below the old Nyquist frequency holds what it held, twice as many samples of it
    np.testing.assert_allclose(spectrum[100:3500] / 2, plain[100:3500], atol=0.02 * plain.max())


# ---- errors


@pytest.mark.parametrize("silent_first", [False, True])
def test_a_silent_part_is_an_error_that_names_the_span(tmp_path: Path, silent_first: bool) -> None:
    samples = noise(4.0)
    samples[2 * RATE :] = 0
    quiet = clip(tmp_path, "quiet.wav", samples, 2.5)
    loud = clip(tmp_path, "loud.wav", noise(2.0), 0.5)
    mix = quiet.mix(loud, 6.0) if silent_first else loud.mix(quiet, 6.0)
    message = rf"recipe {mix.id}: .* silent, so snr_db=6 is undefined .*'quiet\.wav' at 2\.5 s"
    with pytest.raises(AudioError, match=message):
        mix.render()
    # alone it is as good as any: no ratio is asked of it
    assert not quiet.render().any()


def test_a_file_changed_since_is_noticed_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = clip(tmp_path, "a.wav", noise(1.0))
    recipe.render()
    sf.write(tmp_path / "a.wav", noise(1.0, seed=9), RATE, subtype="FLOAT")
    monkeypatch.setattr(render_module, "DIRECT", DirectReader())  # as another process has
    with pytest.raises(AudioError, match=r"a\.wav: the file changed since the pool was built"):
        recipe.render()


def test_an_error_in_a_thread_reaches_the_caller(tmp_path: Path) -> None:
    recipe = clip(tmp_path, "a.wav", noise(1.0))
    (tmp_path / "a.wav").unlink()
    with pytest.raises(AudioError, match=r"a\.wav: no such file"):
        list(render_batches([recipe] * 5, RATE, 2))
