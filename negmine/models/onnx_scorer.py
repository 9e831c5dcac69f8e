"""An ONNX file as a Scorer: negmine's own exports, and any other with a sidecar.

The file is read as data: a graph of standard operators. It runs no code of its own, since libraries
of custom operators are not loaded. Weights that it keeps in other files must be beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from negmine.errors import ModelError, shorten
from negmine.models.description import KEY, ModelDescription, Output, describe, file_fingerprint
from negmine.storage.file_names import is_inside

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class OnnxScorer:
    """Scores clips with onnxruntime.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        One input, float32: waveforms of shape (B, T) or (B, 1, T). Where B is a fixed number, clips
        go in that many at a time; where T is, other lengths are an error.
    where : str
        The file, for messages.

    Raises
    ------
    ModelError
        If its input is another, or it lacks an output that the description names.

    Attributes
    ----------
    outputs : list of str
        Names of the program's outputs that are embeddings and logits.
    """

    def __init__(
        self, session: InferenceSession, description: ModelDescription, fingerprint: str, where: str
    ) -> None:
        self.classes = description.classes
        self.sample_rate = description.sample_rate
        self.clip_s = description.clip_s
        self.held_out = description.held_out
        self.fingerprint = fingerprint
        self._session, self._where = session, where
        inputs = session.get_inputs()
        rank = len(inputs[0].shape or ()) if inputs else 0
        if len(inputs) != 1 or inputs[0].type != "tensor(float)" or rank not in (2, 3):
            found = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs) or "none"
            raise ModelError(
                f"{where}: its inputs are {found}; expected one, float32 waveforms (B, T) or "
                "(B, 1, T): export it with its front end"
            )
        self._input, shape = inputs[0].name, inputs[0].shape
        if rank == 3 and shape[1] not in (1, None) and not isinstance(shape[1], str):
            raise ModelError(f"{where}: it takes {shape[1]} channels; negmine's clips are mono")
        self._channel = rank == 3
        self._batch = shape[0] if isinstance(shape[0], int) else None
        self._length = shape[-1] if isinstance(shape[-1], int) else None
        names = [output.name for output in session.get_outputs()]
        self.outputs = [
            _output(of, names, what, where)
            for what, of in (("embeddings", description.embeddings), ("logits", description.logits))
        ]

    def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute embeddings and logits: see `negmine.models.scorer.Scorer`.

        Raises
        ------
        ModelError
            If the program does not take clips of this length, or its outputs are not (B, D) and
            (B, C).
        """
        length = waveforms.shape[1]
        if self._length not in (None, length):
            raise ModelError(
                f"{self._where}: it takes clips of {self._length} samples "
                f"({self._length / self.sample_rate:g} s), not of {length} "
                f"({length / self.sample_rate:g} s); build the pool with clips of its length"
            )
        parts = [self._run(batch) for batch in self._batches(waveforms)]
        embeddings, logits = (np.concatenate(outputs) for outputs in zip(*parts, strict=True))
        return embeddings[: len(waveforms)], logits[: len(waveforms)]

    def _batches(self, waveforms: np.ndarray) -> Iterator[np.ndarray]:
        size = self._batch or len(waveforms)
        for first in range(0, len(waveforms), size):
            batch = waveforms[first : first + size]
            # a fixed batch is filled up with silence, whose scores are dropped
            yield np.pad(batch, ((0, size - len(batch)), (0, 0))) if len(batch) < size else batch

    def _run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        given = batch[:, np.newaxis] if self._channel else batch
        try:
            found = self._session.run(self.outputs, {self._input: given})
        except Exception as error:  # onnxruntime raises a kind of its own a failure
            raise ModelError(
                f"{self._where}: fails on {batch.shape[0]} clips of "
                f"{batch.shape[1] / self.sample_rate:g} s: {_one_line(error)}"
            ) from error
        embeddings, logits = (np.asarray(part, dtype=np.float32) for part in found)
        if logits.shape != (len(batch), len(self.classes)):
            raise ModelError(
                f"{self._where}: its logits '{self.outputs[1]}' are {logits.shape} for "
                f"{len(batch)} clips and {len(self.classes)} classes"
            )
        if embeddings.ndim != 2 or len(embeddings) != len(batch):
            raise ModelError(
                f"{self._where}: its embeddings '{self.outputs[0]}' are {embeddings.shape} for "
                f"{len(batch)} clips; expected (clips, width)"
            )
        return embeddings, logits


def load(path: Path, device: str = "auto") -> OnnxScorer:
    """Open an ONNX file: the reader of ``.onnx`` files.

    Raises
    ------
    ModelError
        If the file is no ONNX or keeps weights outside its folder, nothing describes it, or
        the device is not available.
    """
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is raised, and said once
    # clips are rendered while the network runs: threads that spin would take their time
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = _providers(device, onnxruntime.get_available_providers())
    try:
        files = [path, *_weight_files(path, onnx.load(path, load_external_data=False))]
        session = onnxruntime.InferenceSession(path, options, providers=providers)
    except ModelError:
        raise
    except Exception as error:  # protobuf's and onnxruntime's own kinds
        raise ModelError(f"{path}: not ONNX, or damaged: {_one_line(error)}") from error
    metadata = session.get_modelmeta().custom_metadata_map.get(KEY)
    description, sidecar = describe(path, metadata)
    return OnnxScorer(session, description, file_fingerprint(files, sidecar), str(path))


def _output(of: Output, names: list[str], what: str, where: str) -> str:
    """Return the name of an output that is given by name or number."""
    if isinstance(of, int) and of < len(names):
        return names[of]
    if of in names:
        return str(of)
    raise ModelError(f"{where}: no output {of!r} for the {what}; it has {shorten(names, 20)}")


def _providers(device: str, available: list[str]) -> list[Any]:
    """Return what onnxruntime may run on, in the order of its choice."""
    cpu, cuda = "CPUExecutionProvider", "CUDAExecutionProvider"
    if device == "auto":
        return [cuda, cpu] if cuda in available else [cpu]
    if device == "cpu":
        return [cpu]
    if match := re.fullmatch(r"cuda(?::(\d+))?", device):
        if cuda not in available:
            raise ModelError(
                f"device '{device}' is not available: this onnxruntime runs on the CPU; install "
                "onnxruntime-gpu"
            )
        return [(cuda, {"device_id": int(match[1] or 0)}), cpu]
    raise ModelError(f"device '{device}' is not available: ONNX runs on cpu, cuda or cuda:N")


def _weight_files(path: Path, model: Any) -> list[Path]:
    """List the other files with a model's weights: they are part of its fingerprint."""
    names = sorted(set(_external(model)))
    for name in names:
        if not is_inside(name):
            raise ModelError(f"{path}: keeps weights in '{name}', outside its folder")
        if not (path.parent / name).is_file():
            raise ModelError(f"{path}: its weights '{name}' are missing beside it")
    return [path.parent / name for name in names]


def _external(model: Any) -> Iterator[str]:
    """List where a model's tensors are kept outside its file, wherever they are in the model.

    Initialisers, constants, sparse tensors, bodies of loops and of functions: all that the format
    has, now or later, is walked, since one that is overlooked could be of any file.
    """
    waiting = [model]
    while waiting:
        message = waiting.pop()
        for field, value in message.ListFields():
            if field.message_type is None:
                continue
            if field.name == "external_data":
                yield from (entry.value for entry in value if entry.key == "location")
            # what is repeated is a sequence, and what is not has no length
            waiting += value if hasattr(value, "__len__") else [value]


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
