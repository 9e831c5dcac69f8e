"""Where recipes cut from: sound files, and generators of sound."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

from negmine.storage.digests import text_fingerprint
from negmine.storage.names import clean_name

# The root of sound that is generated, not read.
SYNTHETIC = Path("synthetic")


@dataclass(frozen=True, slots=True)
class Source:
    """One sound file that recipes cut from, or a generator of sound (`synthetic_source`).

    Attributes
    ----------
    root : Path
        The folder the user named.
    name : str
        The file's path inside it, with forward slashes.
    fingerprint : str
        Of the file's bytes; rendering checks it.
    duration_s : float
    group : str
        What must not be on both sides of a split: the recording, or its site. Empty for
        generated sound.
    """

    root: Path
    name: str
    fingerprint: str
    duration_s: float
    group: str

    @property
    def path(self) -> Path:
        return self.root / self.name

    @property
    def recording(self) -> str:
        """What tables call the recording: the file's name without its suffix."""
        return clean_name(self.name.rpartition("/")[2].rpartition(".")[0])

    @property
    def names(self) -> tuple[str, ...]:
        """All that the recording may be called, see `negmine.annotations.recording_names`.

        Its path without suffix, with the folder's name before it and without, by which files go
        that share a name; then its name.
        """
        inside = clean_name(self.name.rpartition(".")[0])
        return f"{clean_name(self.root.name)}/{inside}", inside, self.recording

    def is_of(self, names: frozenset[str]) -> bool:
        """Return whether it is one of these recordings, or in one of these groups."""
        return not self.is_synthetic and (self.group in names or not names.isdisjoint(self.names))

    @property
    def is_synthetic(self) -> bool:
        # as text: comparing paths takes longer than making a layer
        return str(self.root) == str(SYNTHETIC)

    @property
    def key(self) -> bytes:
        """16 bytes that identify the source in ids: equal where the files' bytes are."""
        return hashlib.blake2b(self.fingerprint.encode(), digest_size=16).digest()


def synthetic_source(generator: str) -> Source:
    """Make a source that a generator of `negmine.audio.dsp.generators` makes, such as ``pink``."""
    # what the module was called first: ids of generated sound are of it for good
    fingerprint = text_fingerprint(f"negmine.audio.dsp.noise {generator}")
    return Source(SYNTHETIC, generator, fingerprint, math.inf, "")
