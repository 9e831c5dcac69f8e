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
from negmine.recipes.cache import CachedReader
from negmine.recipes.cache_build import CacheReport, build_cache, sounds_of_folder
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
    for name in ("samples.i16", "cache.json"):
        one, four = (sound.parent / f"c{workers}" / name for workers in (1, 4))
        assert one.read_bytes() == four.read_bytes()


def test_a_run_that_was_stopped_goes_on(sound: Path) -> None:
    whole, out = sound.parent / "whole", sound.parent / "c"
    build(sound, whole)
    seen = 0

    def stop() -> None:
        nonlocal seen
        seen += 1
        if seen == 2:
            raise KeyboardInterrupt

    sounds = sounds_of_folder(open_folder(sound).paths)
    with pytest.raises(KeyboardInterrupt):
        build_cache(out, sounds, RATE, workers=1, progress=lambda total: stop)
    with pytest.raises(PoolError, match="no finished cache; run 'negmine cache'"):
        CachedReader(out)
    # the kill fell into a line of the journal
    with (out / "journal.jsonl").open("a") as journal:
        journal.write('{"fingerprint": "12')
    assert build(sound, out).decoded == 4
    assert not (out / "journal.jsonl").exists()
    assert (out / "samples.i16").read_bytes() == (whole / "samples.i16").read_bytes()
    assert (out / "cache.json").read_bytes() == (whole / "cache.json").read_bytes()
    assert build(sound, out).decoded == 0


def test_damage_is_found_and_mended(sound: Path) -> None:
    out = sound.parent / "c"
    build(sound, out)
    good = (out / "samples.i16").read_bytes()
    spoilt = bytearray(good)
    spoilt[100] ^= 1
    (out / "samples.i16").write_bytes(spoilt)
    assert build(sound, out).decoded == 1
    assert (out / "samples.i16").read_bytes() == good
    (out / "samples.i16").write_bytes(good[:-1000])
    assert build(sound, out).decoded >= 1
    assert (out / "samples.i16").read_bytes() == good


@pytest.mark.parametrize("accident", ["cut", "emptied", "gone", "flipped"])
def test_a_reader_decodes_again_what_a_cache_has_lost(
    sound: Path, accident: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = sound.parent / "c"
    build(sound, out)
    data = out / "samples.i16"
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
    assert "samples.i16: damaged; sound is decoded again" in said[0]


def test_a_cache_without_its_index_is_made_anew(
    sound: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = sound.parent / "c"
    build(sound, out)
    (out / "cache.json").write_text("{")
    assert build(sound, out).decoded == 6
    assert "cache.json: not readable as JSON" in capsys.readouterr().err


def test_sound_that_is_added_leaves_the_rest(sound: Path) -> None:
    out = sound.parent / "c"
    build(sound, out)
    before = (out / "samples.i16").read_bytes()
    sf.write(sound / "zz.wav", low_noise(RATE, 1, 9), RATE)
    assert build(sound, out).decoded == 1
    assert (out / "samples.i16").read_bytes()[: len(before)] == before
    # a mapped file is never written over by another order
    reader = CachedReader(out)
    one = source(sound / "own0.flac")
    expected = reader.read(one, 0, 1, RATE)
    sf.write(sound / "aa.wav", low_noise(RATE, 1, 10), RATE)
    assert build(sound, out).decoded == 8
    np.testing.assert_array_equal(reader.read(one, 0, 1, RATE), expected)
    np.testing.assert_array_equal(CachedReader(out).read(one, 0, 1, RATE), expected)


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
    packed = pickle.dumps(CachedReader(out))
    assert len(packed) < 1000
    program = """
import pickle, sys
reader = pickle.loads(bytes.fromhex(sys.argv[1]))
print(sum(l.split()[-1].endswith("samples.i16") for l in open("/proc/self/maps") if " r--s " in l))
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
