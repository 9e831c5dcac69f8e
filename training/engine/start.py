"""What a run begins with: what it is given, its frequency bands, its first weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from negmine.annotations import Annotations
from negmine.annotations.class_bands import class_bands
from negmine.annotations.recordings import Recordings
from negmine.errors import InputError, ModelError
from negmine.notices import warn
from negmine.pool import check_classes
from negmine.storage.digests import text_fingerprint
from training.config import TrainConfig
from training.data.steps import RowSource, Soft
from training.engine.checkpoint import Checkpoint
from training.models.detector import Detector
from training.models.frontend import FrontEndSettings


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


def start_from(
    init: Path,
    detector: Detector,
    config: TrainConfig,
    classes: Sequence[str],
    front_end: FrontEndSettings,
) -> str:
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
    network = [classes, front_end, config.backbone, config.pooling, config.bands]
    c = start.config
    if [start.classes, start.front_end, c.backbone, c.pooling, c.bands] != network:
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
