"""The file of a checkpoint: safetensors for the numbers, JSON for the rest, one seal on both.

::

    8 bytes           length of the header
    header            JSON: where each tensor is, and "__metadata__": {"negmine": TEXT}
    the tensors       bytes

TEXT is JSON again: a seal (`negmine.storage.digests`), the format, its version, and the content
with ``{"$tensor": name}`` in the place of each tensor. Nothing in the file is pickled.

Version 2 was a pickle, which torch reads as data alone (``weights_only``). It is still read.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from negmine.errors import DamageError, ModelError
from negmine.models.description import KEY
from negmine.storage.digests import UNSEALED, check_seal, seal
from negmine.storage.files import writing

FORMAT = "negmine-checkpoint"
VERSION = 3
PICKLED = 2  # the last version that was a pickle

# A header names tensors: of the largest network some 100 kB. One of 16 MiB is none of ours.
_MOST_HEADER = 1 << 24
_ZIP = b"PK\x03\x04"


def write_content(path: Path, content: dict[str, Any]) -> None:
    """Write mappings, sequences, numbers, texts and tensors; whole or not at all.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    packed = _pack(content, "", tensors)
    text = json.dumps({"seal": UNSEALED, "format": FORMAT, "version": VERSION, "content": packed})
    # into memory: on a full disk safetensors raises no OSError
    made = safetensors.torch.save(tensors, {KEY: text})
    with writing(path, durable=True) as temporary:
        temporary.write_bytes(made)
        seal(temporary)


def read_content(path: Path) -> dict[str, Any]:
    """Read what `write_content` wrote, as data only: nothing in the file is executed.

    Raises
    ------
    ModelError
        If the file is missing, is not a checkpoint, of another version, or damaged.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such checkpoint")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    if raw.startswith(_ZIP):
        return _read_pickled(path, raw)
    length = int.from_bytes(raw[:8], "little")
    if len(raw) < 9 or raw[8:9] != b"{" or not 0 < length <= min(len(raw) - 8, _MOST_HEADER):
        raise ModelError(f"{path}: not a checkpoint, or damaged: no header of safetensors")
    try:
        sealed = check_seal(raw, path, "use another copy of it, or train again")
    except DamageError as error:
        raise ModelError(str(error)) from error
    if not sealed:
        raise ModelError(f"{path}: not a checkpoint of negmine's trainer, or damaged")
    # written by someone who knows the format, if not by negmine
    try:
        text = json.loads(json.loads(raw[8 : 8 + length])["__metadata__"][KEY])
        if text["format"] != FORMAT:
            raise ModelError(f"{path}: not a checkpoint of negmine's trainer")
        if text["version"] != VERSION:
            raise _other_version(path, text["version"])
        content = _unpack(text["content"], safetensors.torch.load(raw))
        if not isinstance(content, dict):
            raise TypeError("no mapping")
    except (KeyError, TypeError, ValueError, RecursionError, SafetensorError) as error:
        raise ModelError(f"{path}: damaged checkpoint: {error}") from error
    return content


def _other_version(path: Path, version: object) -> ModelError:
    return ModelError(
        f"{path}: a checkpoint of version {str(version)[:40]}; this negmine reads {PICKLED} and "
        f"{VERSION}"
    )


def _pack(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """Convert a value for JSON; its tensors go into the mapping, named by their place."""
    if isinstance(value, Tensor):
        value = value.detach()
        # safetensors has no strides: the layout of convolutions that are fast is noted
        last = value.ndim == 4 and not value.is_contiguous()
        tensors[name] = value.cpu().contiguous()
        return {"$tensor": name} | ({"channels_last": True} if last else {})
    if isinstance(value, dict):
        items = [(key, _pack(item, f"{name}.{key}" if name else str(key), tensors))
                 for key, item in value.items()]  # fmt: skip
        if all(isinstance(key, str) and key[:1] != "$" for key in value):
            return dict(items)
        return {"$items": [list(item) for item in items]}
    if isinstance(value, list | tuple):
        items = [_pack(item, f"{name}.{number}", tensors) for number, item in enumerate(value)]
        return {"$tuple": items} if isinstance(value, tuple) else items
    return value


def _unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Undo `_pack`."""
    if isinstance(value, list):
        return [_unpack(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if "$tensor" in value:
        tensor = tensors[value["$tensor"]]
        last = torch.channels_last if value.get("channels_last") else torch.contiguous_format
        return tensor.contiguous(memory_format=last)
    if "$items" in value:
        return {key: _unpack(item, tensors) for key, item in value["$items"]}
    if "$tuple" in value:
        return tuple(_unpack(item, tensors) for item in value["$tuple"])
    return {key: _unpack(item, tensors) for key, item in value.items()}


def _check_zip(raw: bytes) -> None:
    """Check what torch does not: the checksums of a zip, which it writes uncompressed."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        for info in archive.infolist():
            if info.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"'{info.filename[:40]}' is compressed")
        if (name := archive.testzip()) is not None:
            raise ValueError(f"the checksum of '{name[:40]}' does not match")


def _read_pickled(path: Path, raw: bytes) -> dict[str, Any]:
    try:
        _check_zip(raw)
        content = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that is not its own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "weights_only" in reason:  # torch advises to open it without care
            reason = "it holds something else than weights and settings"
        raise ModelError(f"{path}: not a checkpoint, or damaged: {reason}") from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise ModelError(f"{path}: not a checkpoint of negmine's trainer")
    if (version := content.pop("version", None)) != PICKLED:
        raise _other_version(path, version)
    return content
