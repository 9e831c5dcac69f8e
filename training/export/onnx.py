"""A checkpoint as an ONNX file: sound in, embeddings and logits out.

The program holds everything from the waveform to the readout, in float32, for batches of any size
and clips of any length from half an analysis frame on. Before its file takes its name, it is opened
again by its Scorer and held against the checkpoint.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config
from torch.utils._sympy.value_ranges import ValueRanges

from negmine.audio.silence import SILENT_LOGIT
from negmine.audio.windows import to_samples
from negmine.errors import ModelError
from negmine.models import onnx_scorer
from negmine.models.description import KEY, ModelDescription
from negmine.models.scorer import Scorer
from negmine.storage.files import check_writable, writing
from training.engine.checkpoint import Checkpoint
from training.engine.scorer import CheckpointScorer
from training.export.head import write_head
from training.export.matrix_frontend import MatrixLogMel
from training.models.detector import Detector

# The largest difference from the checkpoint that is rounding, as a share of the largest value.
TOLERANCE = 1e-3

# Lengths that are tried: what a network's strides leave over repeats after this many frames.
_LENGTHS = 32

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Exported:
    """What was exported.

    Attributes
    ----------
    difference : float
        Largest difference of an output from the checkpoint's, as a share of the largest value.
    clips : int
        On how many clips it was measured.
    precision : str
        Of the checkpoint; the program's is fp32.
    """

    description: ModelDescription
    difference: float
    clips: int
    precision: str


def export_model(checkpoint: Checkpoint, out: Path) -> Exported:
    """Write a checkpoint as ``.onnx``.

    Raises
    ------
    ModelError
        If the suffix is another, a package is missing, the network cannot be exported, or the
        program's outputs differ from the checkpoint's. Then nothing is written.
    OutputError
        If the file cannot be written.
    """
    _check_format(out, needs_exporter=checkpoint.front_end is not None)
    check_writable(out)
    reference = CheckpointScorer(
        replace(checkpoint, config=checkpoint.config.replace(precision="fp32")), CPU
    )
    description = ModelDescription(
        reference.classes,
        reference.sample_rate,
        reference.clip_s,
        held_out=reference.held_out,
        checkpoint=reference.fingerprint,
    )
    front_end = checkpoint.front_end
    with writing(out) as temporary:
        if front_end is None:
            write_head(checkpoint, description, temporary)
        else:
            _write_onnx(trace(checkpoint), description, temporary)
        difference, clips = largest_difference(
            onnx_scorer.load(temporary, "cpu"), reference, front_end.hop if front_end else None
        )
    return Exported(description, difference, clips, checkpoint.config.precision)


class Program(nn.Module):
    """What is exported: (B, T) -> embeddings (B, D), logits (B, C)."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        config = self._config = checkpoint.config
        detector = checkpoint.detector(CPU)
        assert isinstance(detector, Detector)
        self.detector = detector
        self._window = self.detector.grid.frames(config.window_s)
        self.detector.log_mel = MatrixLogMel(self.detector.log_mel)  # type: ignore[assignment]

    def forward(self, waveforms: Tensor) -> tuple[Tensor, Tensor]:
        features = self.detector.features(waveforms)
        config = self._config
        logits = self.detector.read_out(
            features, config.readout, self._window, config.lse_sharpness
        )
        return self.detector.embed(features), logits


def trace(checkpoint: Checkpoint) -> ExportedProgram:
    """Trace the program of a checkpoint, its batch and length left open.

    Raises
    ------
    ModelError
        If torch cannot trace the backbone for clips of any length.
    """
    config = checkpoint.config
    example = torch.zeros(2, to_samples(config.clip_s, config.sample_rate))
    oblivious = _config.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    try:
        # a batch of one, or a map of one frame, is then indistinguishable from others
        with torch.no_grad(), oblivious, _quiet():
            program = torch.export.export(
                Program(checkpoint).eval(),
                (example,),
                dynamic_shapes={"waveforms": {0: Dim.DYNAMIC, 1: Dim.DYNAMIC}},
            )
    except Exception as error:  # torch raises many kinds for what it cannot trace
        raise _cannot(f"backbone '{checkpoint.config.backbone}'", error) from error
    # Torch notes what held for the example as conditions on every input, such as an odd number of
    # frames. What the graph computes does not depend on them: `largest_difference` sees to that.
    program._guards_code = []
    assert checkpoint.front_end
    least = checkpoint.front_end.frame // 2 + 1
    for symbol, bounds in program.range_constraints.items():
        batch = str(symbol) == str(_input_shape(program)[0])
        program.range_constraints[symbol] = ValueRanges(1 if batch else least, bounds.upper)
    return program


def _input_shape(program: ExportedProgram) -> torch.Size:
    (name,) = program.graph_signature.user_inputs
    (node,) = (node for node in program.graph.nodes if node.name == name)
    shape: torch.Size = node.meta["val"].shape
    return shape


def largest_difference(scorer: Scorer, reference: Scorer, hop: int | None) -> tuple[float, int]:
    """Hold a scorer against another on made clips.

    Parameters
    ----------
    hop : int or None
        Of the spectrogram, in samples; None where clips have the trained length alone.

    Returns
    -------
    difference : float
        The largest of embeddings and of logits, as a share of the largest value of each.
    clips : int
        How many there were.

    Raises
    ------
    ModelError
        If it passes `TOLERANCE`.
    """
    gap, most, count = np.zeros(2), np.full(2, 1e-12), 0
    made = _clips_of_trained_length(reference) if hop is None else _clips(reference, hop)
    for batch in made:
        for i, (found, want) in enumerate(
            zip(scorer.score(batch), reference.score(batch), strict=True)
        ):
            if found.shape != want.shape:
                raise ModelError(f"the export gives {found.shape}, the checkpoint {want.shape}")
            gap[i] = max(gap[i], np.nan_to_num(np.abs(found - want), nan=np.inf).max())
            # the logits of silence are no measure of others
            most[i] = max(most[i], np.abs(want[want > SILENT_LOGIT]).max(initial=0))
        count += len(batch)
    difference = float((gap / most).max())
    if difference > TOLERANCE:
        raise ModelError(
            f"the exported program differs from its checkpoint by {difference:.1e} of the largest "
            f"value, more than {TOLERANCE:g}; it was not written"
        )
    return difference, count


def _noise(rng: np.random.Generator, count: int, samples: int) -> np.ndarray:
    return (0.1 * rng.standard_normal((count, samples))).astype(np.float32)


def _clips_of_trained_length(scorer: Scorer) -> Iterator[np.ndarray]:
    """Yield noise and tones in batches of 1 and 3; without gaps, which a head fills in advance."""
    rng = np.random.default_rng(0)
    for count in (3, 1, 1, 3):
        clips = _noise(rng, count, to_samples(scorer.clip_s, scorer.sample_rate))
        clips[0] *= np.sin(np.arange(clips.shape[1]) / 9)
        yield clips


def _clips(scorer: Scorer, hop: int) -> Iterator[np.ndarray]:
    """Yield noise, tones with a gap and silence in batches of 1 and 3.

    They are of the trained length, half and twice it, and of lengths that differ by a ``hop`` of
    the spectrogram, in samples.
    """
    rng = np.random.default_rng(0)
    length = to_samples(scorer.clip_s, scorer.sample_rate)

    def noise(count: int, samples: int) -> np.ndarray:
        return _noise(rng, count, samples)

    three = noise(3, length)
    three[1] *= np.sin(np.arange(length) / 9)
    three[1, length // 3 : 2 * length // 3] = 0
    three[2] = 0
    yield three
    yield from (clip[np.newaxis] for clip in three)
    yield noise(3, 2 * length)
    yield noise(3, length // 2)
    for i in range(_LENGTHS):
        yield noise(1, length // 2 + i * hop)


def _check_format(out: Path, *, needs_exporter: bool) -> None:
    if out.suffix != ".onnx":
        raise ModelError(f"{out}: a model is exported as .onnx, not '{out.suffix}'")
    if not needs_exporter:
        return
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ModelError(
            f"{out}: exporting ONNX takes onnxscript: python -m pip install 'negmine[train,onnx]'"
        ) from error


def _write_onnx(program: ExportedProgram, description: ModelDescription, path: Path) -> None:
    try:
        with _quiet():
            made = torch.onnx.export(
                program,
                dynamo=True,
                verbose=False,
                input_names=["waveforms"],
                output_names=[str(description.embeddings), str(description.logits)],
            )
    except Exception as error:  # torch and onnxscript raise many kinds
        raise _cannot(f"{path}: the program", error) from error
    if made is None:
        raise ModelError(f"{path}: torch gave no ONNX program")
    model = made.model
    for node in model.graph.all_nodes():
        # where in whose sources a node comes from
        node.metadata_props.clear()
    model.metadata_props[KEY] = description.to_json()
    made.save(path, external_data=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the warnings of torch's exporters, which call what torch itself has deprecated."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _cannot(what: str, error: Exception) -> ModelError:
    # torch begins with several lines of advice: the first tells what it was doing
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return ModelError(
        f"{what} cannot be exported; use the checkpoint itself, or train another backbone: {reason}"
    )
