"""A `torch.export` program, a ``.pt2`` file, as a Scorer.

Opening one is safe for files of strangers as far as `training.program_archive` can see: what it
does not know to be tensors and arithmetic it refuses, before torch sees the file. torch itself says
of `torch.export.load` that it must not be given files of strangers, and promises no format that
later versions read: ONNX is the format to exchange models in, a checkpoint the one to keep.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch.export import ExportedProgram
from torch.export.passes import move_to_device_pass
from torch.fx import GraphModule

from negmine.errors import ModelError
from negmine.model_file import KEY, ModelDescription, Output, describe, file_fingerprint
from training.program_archive import UnsafeArchiveError, check_archive
from training.scorer import choose_device


class ProgramScorer:
    """Scores clips with an exported program: (B, T) -> a tensor, or a tuple or list of them.

    Parameters
    ----------
    program : ExportedProgram
    description : ModelDescription
        Names ``embeddings`` and ``logits`` stand for outputs 0 and 1.
    fingerprint : str
    device : torch.device
    where : str
        The file, for messages.
    """

    def __init__(
        self,
        program: ExportedProgram,
        description: ModelDescription,
        fingerprint: str,
        device: torch.device,
        where: str,
    ) -> None:
        self.classes = description.classes
        self.sample_rate = description.sample_rate
        self.clip_s = description.clip_s
        self.held_out = description.held_out
        self.fingerprint = fingerprint
        self._device, self._where = device, where
        self._outputs = [
            _position(of, what, where)
            for what, of in (("embeddings", description.embeddings), ("logits", description.logits))
        ]
        if device.type != "cpu":
            program = move_to_device_pass(program, str(device))
        # the guards that torch notes while it traces are narrower than what the graph computes, and
        # they are text that would be run
        self._module = program.module(check_guards=False)

    @torch.inference_mode()
    def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Embeddings and logits: see `negmine.scorer.Scorer`.

        Raises
        ------
        ModelError
            If the program does not take such clips, or its outputs are not (B, D) and (B, C).
        """
        count, length = waveforms.shape
        given = torch.from_numpy(waveforms).to(self._device)
        try:
            found = self._module(given)
        except (RuntimeError, AssertionError, ValueError, TypeError) as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise ModelError(
                f"{self._where}: fails on {count} clips of {length / self.sample_rate:g} s: "
                f"{reason}"
            ) from error
        parts = list(found) if isinstance(found, tuple | list) else [found]
        if max(self._outputs) >= len(parts):
            raise ModelError(
                f"{self._where}: it has {len(parts)} outputs; its embeddings and logits were said "
                f"to be {self._outputs[0]} and {self._outputs[1]}, counted from 0"
            )
        embeddings, logits = (parts[i].float().cpu().numpy() for i in self._outputs)
        if logits.shape != (count, len(self.classes)):
            raise ModelError(
                f"{self._where}: its logits are {logits.shape} for {count} clips and "
                f"{len(self.classes)} classes"
            )
        if embeddings.ndim != 2 or len(embeddings) != count:
            raise ModelError(
                f"{self._where}: its embeddings are {embeddings.shape} for {count} clips; "
                "expected (clips, width)"
            )
        return embeddings, logits


def save(program: ExportedProgram, description: ModelDescription, path: Path) -> None:
    """Write a program with what a Scorer must know of it."""
    program.example_inputs = None
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, GraphModule) else ():
            node.meta.pop("stack_trace", None)  # where in whose sources it comes from
    buffer = io.BytesIO()
    with quiet():
        torch.export.save(program, buffer, extra_files={KEY: description.to_json()})
    path.write_bytes(buffer.getbuffer())


def load(path: Path, device: str = "auto") -> ProgramScorer:
    """Open an exported program: the reader of ``.pt2`` files.

    Raises
    ------
    ModelError
        If it is no such file or holds more than tensors and arithmetic, nothing describes it, or
        the device is not to be had.
    """
    chosen = choose_device(device)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        check_archive(content)
    except UnsafeArchiveError as error:
        raise ModelError(
            f"{path}: not opened, since torch could run code from it: it holds {error}; ask for an "
            "ONNX file, or a program of torch's own tensor operators saved by torch.export.save"
        ) from error
    extra = {KEY: ""}
    try:
        with quiet():
            program = torch.export.load(io.BytesIO(content), extra_files=extra)
    except Exception as error:  # torch raises many kinds
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(f"{path}: torch {torch.__version__} cannot read it: {reason}") from error
    description, sidecar = describe(path, extra[KEY] or None)
    fingerprint = file_fingerprint([], content, sidecar)
    return ProgramScorer(program, description, fingerprint, chosen, str(path))


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of torch's exporters and readers.

    They call what torch itself has deprecated, and say of weights in channels-last order that they
    may be incomplete, and of those in a file that they must not be written to. What was saved is
    held against its checkpoint.
    """
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _position(of: Output, what: str, where: str) -> int:
    """The number of an output: the outputs of a program have no names but ours."""
    if isinstance(of, int):
        return of
    names = ("embeddings", "logits")
    if of not in names:
        raise ModelError(
            f"{where}: the outputs of a .pt2 file have no names; give the {what} as its number "
            f"from 0, not {of!r}"
        )
    return names.index(of)
