"""The trainer's checkpoint as a Scorer, for mining."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from negmine.errors import ModelError
from negmine.storage.digests import text_fingerprint
from training.engine.checkpoint import Checkpoint
from training.engine.precision import autocast
from training.models.detector import Detector
from training.models.frozen import FrozenDetector
from training.models.network import NetworkScorer

# On a CPU a batch passes the network this many seconds of sound at a time: what its layers hand on
# then stays in the cache. EfficientNet-B0 takes a fifth less time a clip for 8 clips of 2 s than
# for 32, or less still.
_CPU_SECONDS = 16.0


class CheckpointScorer:
    """Scores clips with a trained detector, read out as its configuration says."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        config = checkpoint.config
        self.classes = checkpoint.classes
        self.sample_rate = config.sample_rate
        self.clip_s = config.clip_s
        self.held_out = frozenset(checkpoint.held_out)
        readout = [config.readout, config.window_s, config.lse_sharpness, config.precision]
        # raised whenever a clip is read otherwise. 2: what is silent counts in no readout. 3: short
        # gaps and all of a long one are replaced
        readout.append(3)
        network = [config.pooling, config.bands, checkpoint.edges_hz]
        content = [
            checkpoint.fingerprint,
            checkpoint.front_end.to_dict() if checkpoint.front_end else checkpoint.network_digest,
            self.classes,
            readout,
            network,
        ]
        text = json.dumps(content)
        self.fingerprint = text_fingerprint(text)
        self._config = config
        self._device = device
        self._detector = checkpoint.detector(device)
        self._window = self._detector.grid.frames(config.window_s)

    @torch.inference_mode()
    def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute embeddings and logits: see `negmine.models.scorer.Scorer`."""
        size = len(waveforms)
        if self._device.type == "cpu":
            size = int(_CPU_SECONDS * self.sample_rate / max(waveforms.shape[1], 1))
        parts = [
            self._score(part) for part in torch.split(torch.from_numpy(waveforms), max(size, 1))
        ]
        embeddings, logits = (torch.cat([part[i] for part in parts]) for i in (0, 1))
        return embeddings.cpu().numpy(), logits.cpu().numpy()

    def _score(self, waveforms: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        config, detector = self._config, self._detector
        with autocast(self._device, config.precision):
            features = detector.features(waveforms.to(self._device))
        logits = detector.read_out(features, config.readout, self._window, config.lse_sharpness)
        return detector.embed(features), logits

    def compile(self) -> None:
        """Compile the backbone, for clips of any number and length: takes minutes.

        Raises
        ------
        ModelError
            If that does not work here: on a CPU, a C++ compiler is needed.
        """
        if not isinstance(self._detector, Detector):
            raise ModelError("cannot be compiled: its network is frozen; leave out --compile")
        self._detector.backbone.compile(dynamic=True)
        silence = np.zeros((2, round(self.clip_s * self.sample_rate)), dtype=np.float32)
        try:
            self.score(silence)
        except Exception as error:  # of many kinds, and of many lines
            reason = str(error).splitlines() or [type(error).__name__]
            raise ModelError(f"cannot be compiled: {reason[0]}") from error


class HeadScorer(CheckpointScorer):
    """A head: what its network gave of clips of one window is kept apart from what it makes of it.

    See `negmine.models.scorer.Headed`.
    """

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        super().__init__(checkpoint, device)
        assert isinstance(self._detector, FrozenDetector)
        self._head = self._detector
        self.network = NetworkScorer(self._detector.base)

    @torch.inference_mode()
    def head(self, outputs: np.ndarray) -> np.ndarray:
        """Compute logits of clips of one window, by what the network gave of them."""
        given = torch.from_numpy(outputs).to(self._device)
        return self._head.logits(given.unsqueeze(1)).cpu().numpy()


def checkpoint_scorer(checkpoint: Checkpoint, device: torch.device) -> CheckpointScorer:
    """Make the Scorer of a checkpoint."""
    return (HeadScorer if checkpoint.network else CheckpointScorer)(checkpoint, device)


def load(path: Path, device: str = "auto") -> CheckpointScorer:
    """Open a checkpoint: the reader of ``.pt`` files.

    Raises
    ------
    ModelError
        If it is not a checkpoint, or the device is not available.
    """
    return checkpoint_scorer(Checkpoint.load(path), choose_device(device))


def choose_device(name: str) -> torch.device:
    """Choose the device; ``auto`` is the GPU where there is one.

    Raises
    ------
    ModelError
        If the device is unknown or not available.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(
            f"device '{name}' is not available: {str(error).splitlines()[0]}"
        ) from error
    return device
