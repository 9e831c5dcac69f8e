"""Checkpoints: everything needed to go on, to mine, and to know what was trained on what."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from negmine.errors import InputError, ModelError
from negmine.storage.names import clean_name, is_name
from training.config import TrainConfig
from training.engine.checkpoint_file import read_content, write_content
from training.engine.history import renamed
from training.models.detector import Detector, weights_fingerprint
from training.models.frontend import FrontEndSettings
from training.models.frozen import FrozenDetector
from training.models.model import Model
from training.models.network import find_network


@dataclass
class Checkpoint:
    """The state of a run after some steps.

    Attributes
    ----------
    front_end : FrontEndSettings or None
        None where a frozen network has one.
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
        resumes only with the same.
    network : dict of str
        Name and digest of the frozen network that the weights are a head of; empty without.
    fingerprint : str
        Of the weights.
    """

    config: TrainConfig
    front_end: FrontEndSettings | None
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
    network: dict[str, str] = field(default_factory=dict)

    @property
    def network_digest(self) -> str:
        """Digest of the frozen network; empty without one."""
        return self.network.get("fingerprint", "")

    def save(self, path: Path) -> None:
        """Write the checkpoint, whole or not at all."""
        self.fingerprint = weights_fingerprint(self.model)
        content = {
            **vars(self),
            "config": self.config.to_dict(),
            "front_end": self.front_end.to_dict() if self.front_end else None,
        }
        if not self.network:
            del content["network"]  # earlier versions do not know of it
        write_content(path, content)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read a checkpoint, as data only: nothing in the file is executed.

        Raises
        ------
        ModelError
            If the file is missing, is not a checkpoint, of another version, or damaged.
        """
        content = read_content(path)
        try:
            content["config"] = TrainConfig.from_dict(content["config"])
            front_end = content["front_end"]
            content["front_end"] = FrontEndSettings(**front_end) if front_end else None
            content["classes"] = tuple(map(clean_name, content["classes"]))
            content["history"] = [renamed(entry) for entry in content["history"]]
            content["held_out"] = tuple(map(clean_name, content["held_out"]))
            content["edges_hz"] = tuple((low, high) for low, high in content["edges_hz"])
            checkpoint = cls(**content)
            checkpoint._check()
            fingerprint = weights_fingerprint(checkpoint.model)
        except (AttributeError, InputError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{path}: damaged checkpoint: {error}") from error
        if fingerprint != checkpoint.fingerprint:
            raise ModelError(
                f"{path}: damaged checkpoint: its weights do not match its fingerprint"
            )
        return checkpoint

    def _check(self) -> None:
        """Check what nothing else has looked at yet."""
        network = (*self.network, *self.network.values())
        texts = (*self.classes, *self.held_out, *self.inputs.values(), self.fingerprint, *network)
        numbers = (self.step, *self.losses, *(n for entry in self.history for n in entry.values()))
        tensors = (*self.model.values(), *self.trained.values())
        edges = (edge for both in self.edges_hz for edge in both)
        for kind, values in ((str, texts), (Tensor, tensors), ((int, float), (*numbers, *edges))):
            for value in values:
                if not isinstance(value, kind):
                    raise TypeError(f"a {type(value).__name__} where another kind is expected")
        # before a network for that many is made
        outputs = len(self.model["head.bias"])
        if outputs != len(self.classes):
            raise ValueError(f"weights for {outputs} classes, and {len(self.classes)} names")
        if len(set(self.classes)) < outputs or not all(map(is_name, self.classes)):
            raise ValueError("its classes hold what is no name, or one twice")
        if self.network.keys() != ({"name", "fingerprint"} if self.network else set()):
            raise ValueError("its network has no name or no digest")
        if bool(self.network) == bool(self.front_end):
            raise ValueError("it has neither a front end nor a frozen network, or both")
        for name in ("sample_rate", "n_mels"):
            if self.front_end and getattr(self.config, name) != getattr(self.front_end, name):
                raise ValueError(f"{name} of its settings is not that of its front end")

    def detector(self, device: torch.device) -> Model:
        """Build the model, with its weights, ready to score.

        Raises
        ------
        ModelError
            If the network is unknown, or not that of the weights, or a frozen one was not added.
        """
        try:
            detector = self._empty_detector(device)
            detector.load_state_dict(self.model)
        except (RuntimeError, ValueError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise ModelError(
                f"the checkpoint's weights are not those of the network it names: {reason}"
            ) from error
        return detector.to(device).eval()

    def _empty_detector(self, device: torch.device) -> Model:
        classes = len(self.classes)
        if self.front_end is None:
            network = find_network(self.network["name"], self.network["fingerprint"], str(device))
            return FrozenDetector(classes, network, self.config.hidden)
        # compiled is what trains: to score, the minutes it takes are rarely won back
        config = self.config.replace(compile=False)
        return Detector.from_config(config, classes, self.front_end, self.edges_hz)
