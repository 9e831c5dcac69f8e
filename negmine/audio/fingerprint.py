"""Fingerprints of sound files: whether a file still is what a pool was built from."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

from negmine.errors import AudioError


def file_fingerprint(path: Path) -> str:
    """Compute BLAKE2b of a file's bytes, 16 bytes in hexadecimal."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {error.strerror}") from error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file system takes
        return False


class VerifiedFiles:
    """Files whose bytes were found, in this process, to be those a fingerprint was taken from."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}
        self._lock = threading.Lock()

    def check(self, path: Path, fingerprint: str) -> None:
        """Hash a file on its first use.

        Raises
        ------
        AudioError
            If the file is missing or was changed since its fingerprint was taken.
        """
        with self._lock:
            found = self._known.get(path)
        # a file that was changed and fingerprinted again is hashed again
        if found != fingerprint:
            if not _is_file(path):
                raise AudioError(
                    f"{path}: no such file; if the folder was moved, run 'negmine pool relocate'"
                )
            found = file_fingerprint(path)
            with self._lock:
                self._known[path] = found
        if found != fingerprint:
            raise AudioError(
                f"{path}: the file changed since the pool was built "
                f"(fingerprint {found[:8]}, then {fingerprint[:8]}); build the pool again"
            )
