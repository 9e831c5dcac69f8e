"""Checkpoints: everything needed to go on, to mine, and to know what was trained on what."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from negmine.errors import ModelError
from negmine.tables import writing
from training.config import TrainConfig
from training.frontend import FrontEndSettings
from training.model import Detector, weights_fingerprint

FORMAT = "negmine-checkpoint"
VERSION = 2


@dataclass
class Checkpoint:
    """The state of a run after some steps.

    Attributes
    ----------
    config : TrainConfig
    front_end : FrontEndSettings
    classes : tuple of str
    model, optimiser : dict
        State dicts. The model is what scores: with a moving average of the weights, the average.
    step : int
        Steps done.
    losses : list of float
        One a step, from the first.
    history : list of dict
        One a finished epoch: what metrics.csv holds.
    held_out : tuple of str
        Recordings of the validation fold.
    edges_hz : tuple of (float, float)
        Each class's frequency band; empty without bands.
    trained : dict
        State dict of the weights that are trained, where they are not those that score.
    scaler : dict
        State dict of the scaler of fp16's losses.
    inputs : dict of str
        What the run was given besides the configuration: tables, initial weights, plug-ins. A run
        goes on only with the same.
    fingerprint : str
        Of the weights.
    """

    config: TrainConfig
    front_end: FrontEndSettings
    classes: tuple[str, ...]
    model: dict[str, Any]
    optimiser: dict[str, Any]
    step: int
    losses: list[float]
    history: list[dict[str, float]]
    held_out: tuple[str, ...]
    edges_hz: tuple[tuple[float, float], ...] = ()
    inputs: dict[str, str] = field(default_factory=dict)
    trained: dict[str, Any] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)
    fingerprint: str = ""

    def save(self, path: Path) -> None:
        """Write the checkpoint, whole or not at all."""
        self.fingerprint = weights_fingerprint(self.model)
        content = {
            "format": FORMAT,
            "version": VERSION,
            **vars(self),
            "config": self.config.to_dict(),
            "front_end": self.front_end.to_dict(),
            "classes": list(self.classes),
            "held_out": list(self.held_out),
            "edges_hz": [list(edges) for edges in self.edges_hz],
        }
        buffer = io.BytesIO()
        torch.save(content, buffer)  # into memory: on a full disk torch raises no OSError
        with writing(path) as temporary:
            temporary.write_bytes(buffer.getbuffer())

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read a checkpoint, as data only: nothing in the file is executed.

        Raises
        ------
        ModelError
            If the file is missing, is no checkpoint, of another version, or damaged.
        """
        if not path.is_file():
            raise ModelError(f"{path}: no such checkpoint")
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for a file that is not its own
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            if "weights_only" in reason:  # torch advises to open it without care
                reason = "it holds something else than weights and settings"
            raise ModelError(f"{path}: not a checkpoint, or damaged: {reason}") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ModelError(f"{path}: not a checkpoint of negmine's trainer")
        if content.get("version") != VERSION:
            raise ModelError(
                f"{path}: a checkpoint of version {content.get('version')}, not {VERSION}"
            )
        try:
            del content["format"], content["version"]
            content["config"] = TrainConfig.from_dict(content["config"])
            content["front_end"] = FrontEndSettings(**content["front_end"])
            content["classes"] = tuple(content["classes"])
            content["held_out"] = tuple(content["held_out"])
            content["edges_hz"] = tuple((low, high) for low, high in content["edges_hz"])
            checkpoint = cls(**content)
            fingerprint = weights_fingerprint(checkpoint.model)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{path}: damaged checkpoint: {error}") from error
        if fingerprint != checkpoint.fingerprint:
            raise ModelError(
                f"{path}: damaged checkpoint: its weights do not match its fingerprint"
            )
        return checkpoint

    def detector(self, device: torch.device) -> Detector:
        """The model, with its weights, ready to score."""
        # compiled is what trains: to score, the minutes it takes are rarely won back
        config = replace(self.config, compile=False)
        detector = Detector.from_config(config, len(self.classes), self.front_end, self.edges_hz)
        detector.load_state_dict(self.model)
        return detector.to(device).eval()
