"""What a model's file says of itself, or a table beside it says for it.

A program in an exchange format knows the shapes of its inputs, not which classes its outputs stand
for. negmine's own exports carry that in the file. For any other a *sidecar* does, a TOML table
beside ``model.onnx`` called ``model.onnx.toml`` or ``model.toml``:

    classes = ["tree frog", "tinamou"]  # in the order of the logits
    sample_rate = 32000                 # Hz
    clip_s = 5.0                        # seconds it was trained on
    embeddings = "features"             # the output (B, D): its name, or its number from 0
    logits = "scores"                   # the output (B, C)
    held_out = ["rec07", "rec12"]       # optional: recordings that nothing may be mined from
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from negmine.errors import InputError, ModelError, did_you_mean
from negmine.limits import MOST_CLIP_S, MOST_HZ
from negmine.storage.names import clean_name, is_name
from negmine.storage.text_files import MOST_TOML, parse_json, parse_toml, read_text

FORMAT = "negmine-model"
VERSION = 1

# Under this name the description is kept in a file.
KEY = "negmine"

Output = str | int


@dataclass(frozen=True)
class ModelDescription:
    """What a Scorer must know of a program.

    Attributes
    ----------
    classes : tuple of str
        In the order of the logits.
    sample_rate : int
        Hz.
    clip_s : float
        Length of the clips it was trained on.
    embeddings, logits : str or int
        Which of the program's outputs: by name, or by number from 0.
    held_out : frozenset of str
        Recordings that were kept for validation.
    checkpoint : str
        Fingerprint of the weights, front end and readout that it was exported from, if known.
    """

    classes: tuple[str, ...]
    sample_rate: int
    clip_s: float
    embeddings: Output = "embeddings"
    logits: Output = "logits"
    held_out: frozenset[str] = frozenset()
    checkpoint: str = ""

    def to_json(self) -> str:
        """Return JSON text, the same for the same description."""
        content = vars(self) | {"held_out": sorted(self.held_out)}
        return json.dumps({"format": FORMAT, "version": VERSION, **content}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, where: str) -> ModelDescription:
        """Read the text that a file carries.

        Raises
        ------
        ModelError
            If it is not such a text, or of another version.
        """
        try:
            content = parse_json(text, where)
            if content.pop("format") != FORMAT:
                raise ValueError
            version = content.pop("version")
        except (InputError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise ModelError(
                f"{where}: its metadata '{KEY}' is damaged; export it again"
            ) from error
        if version != VERSION:
            raise ModelError(
                f"{where}: a model file of version {version}, not {VERSION}; export it again"
            )
        return _checked(content, where)


def describe(path: Path, metadata: str | None) -> tuple[ModelDescription, bytes]:
    """Read the description of a model's file, and its sidecar's bytes if it comes from there.

    Parameters
    ----------
    path : Path
        The model.
    metadata : str, optional
        The description it carries, which then holds.

    Raises
    ------
    ModelError
        If nothing describes it, or what does is malformed.
    """
    if metadata is not None:
        return ModelDescription.from_json(metadata, str(path)), b""
    beside = [path.with_name(path.name + ".toml"), path.with_suffix(".toml")]
    for sidecar in beside:
        if sidecar.is_file():
            return _read(sidecar)
    raise ModelError(
        f"{path}: not exported by negmine, and no {beside[0].name} beside it; write one that gives "
        'classes = ["...", ...], sample_rate (Hz), clip_s (seconds), and which of its outputs are '
        "embeddings and logits (name or number)"
    )


def file_fingerprint(paths: Iterable[Path], *more: bytes) -> str:
    """Compute BLAKE2b of the bytes of files, and of a model's other content, in hexadecimal.

    Raises
    ------
    ModelError
        If a file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    for path in paths:
        try:
            with path.open("rb") as file:
                part = hashlib.file_digest(file, hashlib.blake2b).digest()
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
        digest.update(part)
    for content in more:
        digest.update(hashlib.blake2b(content).digest())
    return digest.hexdigest()


def _read(sidecar: Path) -> tuple[ModelDescription, bytes]:
    try:
        text = read_text(sidecar, MOST_TOML)
        found = parse_toml(text, str(sidecar))
    except InputError as error:
        raise ModelError(str(error)) from error
    for name in ("embeddings", "logits"):
        if name not in found:
            raise ModelError(f"{sidecar}: '{name}' is missing: the output's name, or its number")
    return _checked(found, str(sidecar)), text.encode()


def _checked(found: Mapping[str, Any], where: str) -> ModelDescription:
    known = ModelDescription.__dataclass_fields__
    for name in found:
        if name not in known:
            raise ModelError(f"{where}: unknown key '{name}'{did_you_mean(name, known)}")
    for name in ("classes", "sample_rate", "clip_s"):
        if name not in found:
            raise ModelError(f"{where}: '{name}' is missing")

    def wrong(name: str, want: str) -> ModelError:
        return ModelError(f"{where}: {name} {found[name]!r}: expected {want}")

    classes = found["classes"]
    distinct = set(map(clean_name, classes)) if _names(classes) else set()
    if not classes or len(distinct) != len(classes) or not all(map(is_name, distinct)):
        raise wrong("classes", "a list of different names")
    if not _whole(found["sample_rate"]) or not 1 <= found["sample_rate"] <= MOST_HZ:
        raise wrong("sample_rate", f"a whole number of Hz, at most {MOST_HZ}")
    clip_s = found["clip_s"]
    if not (_whole(clip_s) or isinstance(clip_s, float)) or not 0 < clip_s <= MOST_CLIP_S:
        raise wrong("clip_s", f"seconds above 0, at most {MOST_CLIP_S:g}")
    for name in ("embeddings", "logits"):
        value = found.get(name, name)
        if not (_names([value]) or (_whole(value) and value >= 0)):
            raise wrong(name, "an output's name, or its number from 0")
    if not _names(found.get("held_out", [])):
        raise wrong("held_out", "a list of recordings' names")
    if not isinstance(found.get("checkpoint", ""), str):
        raise wrong("checkpoint", "a text")
    values = dict(found) | {
        "classes": tuple(map(clean_name, classes)),
        "clip_s": float(clip_s),
        "held_out": frozenset(map(clean_name, found.get("held_out", []))),
    }
    return ModelDescription(**values)


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) and name for name in value)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
