"""Fingerprints of files: what is the same, and what changed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from negmine.audio.fingerprint import VerifiedFiles, file_fingerprint
from negmine.errors import AudioError


def test_a_fingerprint_is_of_the_bytes_and_not_of_the_name(tmp_path: Path) -> None:
    one = tmp_path / "a.wav"
    one.write_bytes(b"sound of one kind")
    twin, other = tmp_path / "b.wav", tmp_path / "c.wav"
    twin.write_bytes(one.read_bytes())
    other.write_bytes(one.read_bytes()[:-1] + b"x")
    assert file_fingerprint(one) == file_fingerprint(twin) != file_fingerprint(other)
    assert re.fullmatch("[0-9a-f]{32}", file_fingerprint(one))


def test_a_changed_file_is_noticed_and_a_moved_one_named(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"sound")
    then = file_fingerprint(path)
    VerifiedFiles().check(path, then)
    path.write_bytes(b"noise")
    with pytest.raises(AudioError, match=r"a\.wav: the file changed since the pool was built"):
        VerifiedFiles().check(path, then)
    path.unlink()
    with pytest.raises(AudioError, match=r"a\.wav: no such file; if the folder was moved"):
        VerifiedFiles().check(path, then)


def test_a_file_changed_and_fingerprinted_again_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"sound")
    files = VerifiedFiles()
    files.check(path, file_fingerprint(path))
    path.write_bytes(b"noise")
    files.check(path, file_fingerprint(path))
