"""The cache of decoded sound: against reading the files, and after every kind of accident."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from negmine.audio.fingerprint import file_fingerprint
from negmine.audio.folder import open_folder
from negmine.cli.main import main
from negmine.errors import AudioError, PoolError
from negmine.pool import open_pool
from negmine.recipes import cache_fill
from negmine.recipes.cache import CachedReader, ExactReader
from negmine.recipes.cache_items import CacheReport, build_cache, sounds_of_folder
from negmine.recipes.reader import DIRECT
from negmine.recipes.render import render
from negmine.recipes.source import Source

RATE = 8000


def source(path: Path, seconds: float = 2.0) -> Source:
    return Source(path.parent, path.name, file_fingerprint(path), seconds, path.stem)


def low_noise(rate: int, seconds: float, seed: int) -> np.ndarray:
    """Noise below 3 kHz, so that resampling to 8 kHz takes nothing from it but rounding."""
    count = round(rate * seconds)
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=count))
    spectrum[np.fft.rfftfreq(count, 1 / rate) > 3000] = 0
    samples = np.fft.irfft(spectrum, count)
    return np.asarray(0.5 * samples / np.abs(samples).max())


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """Six files: two rates, mono and stereo, one louder than full scale, one of one sample."""
    folder = tmp_path / "sound"
    folder.mkdir()
    for i in range(3):
        sf.write(folder / f"own{i}.flac", low_noise(RATE, 2, i), RATE, subtype="PCM_16")
    stereo = np.stack([low_noise(11025, 2, 5), low_noise(11025, 2, 6)], axis=1)
    sf.write(folder / "stereo.wav", stereo, 11025, subtype="FLOAT")
    sf.write(folder / "loud.wav", 4 * low_noise(RATE, 2, 7), RATE, subtype="FLOAT")
    sf.write(folder / "short.wav", np.array([0.25]), RATE, subtype="PCM_16")
    return folder


def build(sound: Path, out: Path, workers: int = 2) -> CacheReport:
    return build_cache(out, sounds_of_folder(open_folder(sound).paths), RATE, workers=workers)


def packs(folder: Path) -> dict[str, bytes]:
    """The files of a cache."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def samples_of(folder: Path) -> Path:
    (path,) = folder.glob("*.i16")
    return path


def test_sixteen_bit_sound_at_its_own_rate_comes_back_to_the_bit(sound: Path) -> None:
    build(sound, sound.parent / "c")
    reader = CachedReader(sound.parent / "c")
    for name in ("own0.flac", "own2.flac", "short.wav"):
        one = source(sound / name)
        for start_s, length_s in ((0.0, 2.0), (0.37, 0.5), (1.8, 1.0), (-0.2, 0.5), (5.0, 0.1)):
            mine = reader.read(one, start_s, length_s, RATE)
            theirs = DIRECT.read(one, start_s, length_s, RATE)
            assert mine.dtype == np.float32
            np.testing.assert_array_equal(mine, theirs)


def test_other_sound_is_off_by_rounding_alone(sound: Path) -> None:
    build(sound, sound.parent / "c")
    reader = CachedReader(sound.parent / "c")
    loud = source(sound / "loud.wav")
    direct = DIRECT.read(loud, 0, 2, RATE)
    assert np.abs(direct).max() > 1.9
    # half a step, of a scale that its peak sets
    step = np.abs(direct).max() / 32767
    assert np.abs(reader.read(loud, 0, 2, RATE) - direct).max() <= 0.5 * step * 1.001
    stereo = source(sound / "stereo.wav")
    # a second is a whole number of samples at both rates, so that spans start at the same time
    difference = reader.read(stereo, 1.0, 0.5, RATE) - DIRECT.read(stereo, 1.0, 0.5, RATE)
    assert np.abs(difference).max() < 2e-4


def test_bytes_do_not_depend_on_the_workers(sound: Path) -> None:
    for workers in (1, 4):
        build(sound, sound.parent / f"c{workers}", workers=workers)
    assert packs(sound.parent / "c1") == packs(sound.parent / "c4")


def test_a_run_that_was_stopped_goes_on(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_fill, "PACK", 1)  # a sound each
    whole, out = sound.parent / "whole", sound.parent / "c"
    build(sound, whole)
    seen = 0

    def stop(*_: object, **shown: object) -> None:
        nonlocal seen
        seen += 1
        if seen == 3:
            raise KeyboardInterrupt

    sounds = sounds_of_folder(open_folder(sound).paths)
    with pytest.raises(KeyboardInterrupt):
        build_cache(out, sounds, RATE, workers=1, progress=lambda *_: stop)
    left = {path.name for path in out.iterdir()}
    assert len(left) == 4
    # what a kill between samples and index leaves
    (out / "pack-0.i16").write_bytes(b"00")
    assert build(sound, out).decoded == 4
    assert packs(out) == packs(whole)
    assert build(sound, out).decoded == 0


def test_damage_is_found_and_mended(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = sound.parent / "c"
    build(sound, out)
    data, want = samples_of(out), packs(out)
    good = data.read_bytes()
    spoilt = bytearray(good)
    spoilt[100] ^= 1
    data.write_bytes(spoilt)
    assert build(sound, out).decoded == 1
    assert "1 sounds are damaged" in capsys.readouterr().err
    assert packs(out) == want
    data.write_bytes(good[:-1000])
    assert build(sound, out).decoded >= 1
    assert "cut short" in capsys.readouterr().err
    assert packs(out) == want


@pytest.mark.parametrize("accident", ["cut", "emptied", "gone", "flipped"])
def test_a_reader_decodes_again_what_a_cache_has_lost(
    sound: Path, accident: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = sound.parent / "c"
    build(sound, out)
    data = samples_of(out)
    good = data.read_bytes()
    sources = [source(path) for path in sorted(sound.iterdir())]
    want = [CachedReader(out).read(one, 0, 2, RATE) for one in sources]
    if accident == "gone":
        data.unlink()
    elif accident == "flipped":
        data.write_bytes(bytes([good[0] ^ 1, *good[1:]]))
    else:
        data.write_bytes(good[: 5000 if accident == "cut" else 0])
    capsys.readouterr()
    reader = CachedReader(out)
    for one, samples in zip(sources, want, strict=True):
        np.testing.assert_array_equal(reader.read(one, 0, 2, RATE), samples)
    assert data.read_bytes() == good
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert f"{data.name}: damaged; sound is decoded again" in said[0]


def test_a_cache_without_its_index_is_made_anew(
    sound: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = sound.parent / "c"
    build(sound, out)
    want, index = packs(out), samples_of(out).with_suffix(".json")
    index.write_text("{")
    assert build(sound, out).decoded == 6
    assert f"{index.name}: not readable as JSON" in capsys.readouterr().err
    assert packs(out) == want


def test_sound_that_is_added_leaves_the_rest(sound: Path) -> None:
    out = sound.parent / "c"
    build(sound, out)
    before = packs(out)
    reader, one = CachedReader(out), source(sound / "own0.flac")
    expected = reader.read(one, 0, 1, RATE)
    for number, name in enumerate(["zz.wav", "aa.wav"]):
        sf.write(sound / name, low_noise(RATE, 1, 9 + number), RATE)
        assert build(sound, out).decoded == 1
    assert packs(out).items() > before.items()
    for again in (reader, CachedReader(out)):
        np.testing.assert_array_equal(again.read(one, 0, 1, RATE), expected)


def test_a_cache_of_version_1_is_read_and_filled_further(
    sound: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, old = sound.parent / "c", sound.parent / "old"
    build(sound, out)
    data = samples_of(out)
    index = json.loads(data.with_suffix(".json").read_text())
    for entry in index["sounds"]:
        entry["fingerprint"] = entry.pop("key").split()[1]
        del entry["exact"]
    del index["seal"]
    old.mkdir()
    (old / "samples.i16").write_bytes(data.read_bytes())
    (old / "cache.json").write_text(json.dumps(index | {"version": 1, "sample_rate": RATE}))
    for path in sorted(sound.iterdir()):
        one = source(path)
        want = CachedReader(out).read(one, 0.1, 2, RATE)
        np.testing.assert_array_equal(CachedReader(old).read(one, 0.1, 2, RATE), want)
    (said,) = capsys.readouterr().err.splitlines()  # once, however often it is opened
    assert "cache.json: of an earlier version: it is read" in said
    sf.write(sound / "zz.wav", low_noise(RATE, 1, 9), RATE)
    assert build(sound, old).decoded == 1
    CachedReader(old).check([source(path) for path in sound.iterdir()], RATE)


def test_only_sound_that_comes_back_to_the_bit_is_read_exactly(sound: Path) -> None:
    out = sound.parent / "c"
    # two channels of which next to nothing is left: silence, where the whole file is decoded
    left = np.round(low_noise(RATE, 2, 8) * 30000) / 32768
    inverted = np.stack([left, 2 / 32768 - left], axis=1)
    sf.write(sound / "inverted.wav", inverted, RATE, subtype="PCM_16")
    build(sound, out)
    cached, exact = CachedReader(out), ExactReader(out)
    sources = {path.name: source(path) for path in sound.iterdir()}
    found = {name for name, one in sources.items() if cached.is_exact(one, RATE)}
    assert found == {"own0.flac", "own1.flac", "own2.flac", "short.wav"}
    for one in sources.values():
        for start_s, length_s in ((0.0, 2.0), (0.37, 0.5), (1.8, 1.0), (-0.2, 0.5)):
            want = DIRECT.read(one, start_s, length_s, RATE)
            np.testing.assert_array_equal(exact.read(one, start_s, length_s, RATE), want)
    (sound / "own0.flac").unlink()
    assert exact.read(sources["own0.flac"], 0, 1, RATE).any()


def test_exact_reading_passes_over_damage(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = sound.parent / "c"
    build(sound, out)
    one, data = source(sound / "own0.flac"), samples_of(out)
    for spoilt in (bytes(len(data.read_bytes())), b""):
        data.write_bytes(spoilt)
        got = ExactReader(out).read(one, 0, 2, RATE)
        np.testing.assert_array_equal(got, DIRECT.read(one, 0, 2, RATE))
        assert "damaged" in capsys.readouterr().err
        # whoever fills the cache may be reading it: it is not written
        assert data.read_bytes() == spoilt


def test_a_changed_file_is_named(sound: Path) -> None:
    sounds = sounds_of_folder(open_folder(sound).paths)
    build_cache(sound.parent / "c", sounds, RATE)
    sf.write(sound / "own1.flac", low_noise(RATE, 2, 20), RATE)
    with pytest.raises(AudioError, match=r"own1\.flac: the file changed since"):
        build_cache(sound.parent / "c", sounds, RATE)
    # a recipe of the new file is not served the old sound
    with pytest.raises(PoolError, match=r"lacks 'own1\.flac', or holds it as it was before"):
        CachedReader(sound.parent / "c").read(source(sound / "own1.flac"), 0, 1, RATE)


def test_another_rate_is_refused(sound: Path) -> None:
    build(sound, sound.parent / "c")
    reader = CachedReader(sound.parent / "c")
    with pytest.raises(PoolError, match="at 8000 Hz, not 16000 Hz"):
        reader.read(source(sound / "own1.flac"), 0, 1, 16000)


def test_another_process_maps_the_same_file(sound: Path) -> None:
    out = sound.parent / "c"
    build(sound, out)
    assert len(pickle.dumps(CachedReader(out))) < 1000
    packed = pickle.dumps((CachedReader(out), source(sound / "own0.flac")))
    program = """
import pickle, sys
reader, source = pickle.loads(bytes.fromhex(sys.argv[1]))
reader.read(source, 0, 1, 8000)
print(sum(l.split()[-1].endswith(".i16") for l in open("/proc/self/maps") if " r--s " in l))
"""
    if not Path("/proc/self/maps").exists():
        pytest.skip("only Linux lists a process's maps")
    ran = subprocess.run(
        [sys.executable, "-c", program, packed.hex()], capture_output=True, text=True, check=True
    )
    assert int(ran.stdout) == 1


def test_a_pool_is_cached_and_mined_from_its_cache(
    shared_pool: Path,
    shared_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = tmp_path / "pool"
    shutil.copytree(shared_pool, pool)
    ran = CliRunner().invoke(main, ["cache", str(pool), "--json", "--quiet"])
    assert ran.exit_code == 0, ran.output
    opened = open_pool(pool)
    assert json.loads(ran.stdout)["decoded"] == len({s.fingerprint for s in opened.sources})
    reader = CachedReader(pool / "cache")
    for recipe in opened:
        off = np.abs(render(recipe, reader=reader) - render(recipe))
        assert off.max() < (5e-4 if recipe.kind == "fp" else 0.2)

    def unread(*_: object) -> None:
        raise AssertionError("a file was read beside the cache")

    monkeypatch.setattr(type(DIRECT), "read", unread)
    arguments = ["mine", "--model", str(shared_checkpoint), "--pool", str(pool), "--quiet"]
    ran = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / "a.parquet")])
    assert ran.exit_code == 0, ran.output
    assert "warning" not in ran.stderr
    empty = tmp_path / "empty"
    empty.mkdir()
    ran = CliRunner().invoke(
        main, [*arguments, "--cache", str(empty), "--out", str(tmp_path / "b.parquet")]
    )
    assert ran.exit_code == 2
    assert "no finished cache" in ran.stderr


def test_a_folder_needs_a_rate_and_a_place(sound: Path) -> None:
    ran = CliRunner().invoke(main, ["cache", str(sound)])
    assert ran.exit_code == 2
    assert "name --out and --sample-rate" in ran.stderr
    arguments = ["cache", str(sound), "--out", str(sound.parent / "c"), "--sample-rate", "8000"]
    ran = CliRunner().invoke(main, arguments)
    assert ran.exit_code == 0, ran.output
    assert "6 sounds" in ran.stdout
