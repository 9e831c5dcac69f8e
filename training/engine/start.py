"""What a run begins with: what it is given, its frequency bands, its first weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from negmine.annotations import Annotations
from negmine.annotations.class_bands import class_bands
from negmine.annotations.recordings import Recordings
from negmine.audio.windows import to_samples
from negmine.errors import InputError, ModelError
from negmine.models.added import is_network
from negmine.notices import warn
from negmine.pool import check_classes
from negmine.storage.digests import text_fingerprint
from training.config import TrainConfig
from training.data.box_rows import Soft
from training.data.steps import RowSource
from training.engine.checkpoint import Checkpoint
from training.models.detector import Detector
from training.models.frontend import FrontEndSettings
from training.models.frozen import FrozenDetector
from training.models.model import Model
from training.models.network import open_network


def described(
    annotations: Annotations,
    recordings: Recordings,
    soft: Soft | None,
    plugins: Sequence[RowSource],
    groups: Mapping[str, str] | None,
) -> dict[str, str]:
    """Describe a run's inputs besides its settings: it resumes only with the same."""
    files = repr(sorted((name, info.fingerprint) for name, info in recordings.infos.items()))
    inputs = {
        "annotations": annotations.digest,
        "recordings": text_fingerprint(files),
    }
    if soft:
        inputs["pseudo labels"] = soft.description
    if groups:
        text = repr(sorted(groups.items()))
        inputs["groups"] = text_fingerprint(text)
    return inputs | {f"plug-in {i}": plugin.description for i, plugin in enumerate(plugins)}


def as_described_then(
    inputs: Mapping[str, str], annotations: Annotations, resumed: Checkpoint, out: Path
) -> Mapping[str, str]:
    """Describe a run's inputs in the terms of the checkpoint that it resumes from.

    Earlier versions kept neither the recordings' fingerprints nor the edges of the boxes' bands.
    """
    if "recordings" in resumed.inputs:
        return inputs
    warn(
        f"{out}: an earlier version began this run, and kept neither the recordings' fingerprints "
        "nor the f_min and f_max of the boxes: they are assumed unchanged"
    )
    kept = {name: value for name, value in inputs.items() if name != "recordings"}
    return kept | {"annotations": annotations.digest_without_bands}


def make_model(
    config: TrainConfig,
    classes: Sequence[str],
    edges: Sequence[tuple[float, float]],
    cache: Path,
    device: torch.device,
) -> Model:
    """Make the model of a run: one that is trained as a whole, or a head of a frozen network.

    Parameters
    ----------
    config : TrainConfig
    classes : sequence of str
    edges : sequence of (float, float)
        Each class's frequency band; empty without.
    cache : Path
        Folder in which a frozen network's embeddings are kept.
    device : torch.device

    Raises
    ------
    ModelError
        If there is no such network, or it takes clips of another rate or length than the settings.
    """
    if not is_network(config.backbone):
        front_end = FrontEndSettings.for_mels(config.sample_rate, config.n_mels)
        return Detector.from_config(
            config, len(classes), front_end, edges, pretrained=config.pretrained
        )
    network = open_network(config.backbone, str(device), cache / "embeddings")
    length = to_samples(config.clip_s, config.sample_rate)
    if (network.sample_rate, network.length) != (config.sample_rate, length):
        raise ModelError(
            f"network '{network.name}' takes clips of {network.length / network.sample_rate:g} s "
            f"at {network.sample_rate} Hz, but the run is set to {config.clip_s:g} s at "
            f"{config.sample_rate} Hz"
        )
    return FrozenDetector(len(classes), network, config.hidden)


def start_from(init: Path, detector: Model, config: TrainConfig, classes: Sequence[str]) -> str:
    """Load a checkpoint's weights into a detector; returns their fingerprint.

    Raises
    ------
    ModelError
        If it is not a checkpoint, or of another network.
    PoolError
        If it has other classes.
    """
    start = Checkpoint.load(init)
    check_classes(start.classes, classes, str(init))
    c = start.config
    network: list[object] = [
        classes,
        detector.front_end,
        detector.network.get("fingerprint", ""),
        config.hidden,
    ]
    found: list[object] = [start.classes, start.front_end, start.network_digest, c.hidden]
    if not detector.frozen:
        network += [config.backbone, config.pooling, config.bands]
        found += [c.backbone, c.pooling, c.bands]
    if found != network:
        raise ModelError(
            f"{init}: made with another front end, backbone, pooling, kind of bands or order "
            "of classes"
        )
    try:
        detector.load_state_dict(start.model)
    except RuntimeError as error:
        raise ModelError(f"{init}: damaged: its weights are not of the network it names") from error
    return start.fingerprint


def band_edges(
    config: TrainConfig, training: Annotations, table: Path | None
) -> tuple[tuple[float, float], ...]:
    """Return each class's frequency band, if the run has bands: of its boxes, or a table's.

    Raises
    ------
    InputError
        If there is a table, and neither bands nor shifts of pitch, which keep to them.
    AnnotationError
        If the table is malformed.
    """
    if config.bands == "off":
        if table and not config.uses_bands:
            raise InputError(
                f"{table}: a table of bands, but bands are off and no pitch is shifted; choose "
                "--bands or --pitch"
            )
        return ()
    return tuple(class_bands(training, config.band_margin, table, config.sample_rate / 2).values())
