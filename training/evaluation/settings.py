"""How recordings are read by a trained model, and what counts as detected."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from negmine.settings import Settings, Share, When, setting
from training.config import Readout, TrainConfig, WindowS

# A recording up to this length is one piece: an RFCX clip, with a second to spare.
PIECE_S = 61.0

_NEGATIVE = When("--negative")
_DETECTED = (When("--detections"), When("--per-recording"))


class ReadoutSettings(Settings, frozen=True):
    """Scores."""

    readout: Readout | None = setting(
        None, "How a whole recording is read out.", shown="the checkpoint's", common=True
    )


class ActivationSettings(Settings, frozen=True):
    """Activations."""

    threshold: Share | None = setting(
        None, "Probability from which on every class activates.", common=True, needs=_NEGATIVE
    )
    hop_s: Annotated[float, Field(gt=0)] | None = setting(
        None, "Step of the windows.", shown="side by side", needs=_NEGATIVE
    )
    smooth_s: Annotated[float, Field(ge=0, le=3600)] = setting(
        0.0,
        "Seconds of windows, the last ones, whose mean is the score; 0: each by itself.",
        needs=_NEGATIVE,
    )
    refractory_s: Annotated[float, Field(ge=0, le=86400)] = setting(
        2.0, "Seconds after an activation in which its class has no other.", needs=_NEGATIVE
    )

    @property
    def reading(self) -> ReadingSettings:
        """How recordings are read for them."""
        return ReadingSettings(hop_s=self.hop_s)


class EvaluateSettings(ReadoutSettings, frozen=True):
    """Scores."""

    resamples: Annotated[int, Field(ge=0)] = setting(
        1000,
        "Times that the recordings are drawn again for intervals (bootstrap); 0 makes none.",
        common=True,
        needs=When("--truth"),
    )


class ReadingSettings(ReadoutSettings, frozen=True):
    """Scores."""

    window_s: WindowS | None = setting(
        None,
        "Window of detections, and of the readouts max and lse.",
        shown="the checkpoint's",
        needs=(*_DETECTED, When("readout", "max", "lse")),
    )
    hop_s: Annotated[float, Field(gt=0)] | None = setting(
        None, "Step of the detections' windows.", shown="side by side", needs=_DETECTED
    )
    piece_s: Annotated[float, Field(ge=1)] = setting(
        PIECE_S, "Longer recordings go through in pieces: less takes less memory."
    )

    def of(self, config: TrainConfig) -> TrainConfig:
        """Return the settings of a checkpoint, read so."""
        named = {"readout": self.readout, "window_s": self.window_s}
        return config.replace(**{name: value for name, value in named.items() if value})


READING = ReadingSettings()


class PredictSettings(ReadingSettings, frozen=True):
    """Detections."""

    min_conf: Share = setting(
        0.5, "Lowest probability of a detection.", common=True, needs=_DETECTED
    )
    merge: bool = setting(
        False,
        "Make one detection of a class's windows that follow one another.",
        needs=_DETECTED,
    )
    top: Annotated[int, Field(ge=1)] | None = setting(
        None,
        "Keep only this many detections of each class, the most probable.",
        needs=_DETECTED,
    )


How = Literal["mean", "rank", "row-scaled", "pairwise"]
RowScale = Literal["range", "max"]


class EnsembleSettings(Settings, frozen=True):
    """Joining."""

    how: How = setting(
        "mean",
        "Mean of the scores, of each class's ranks over the clips, of rows scaled to [0, 1], or of "
        "the differences between a clip's classes.",
        common=True,
        needs=When("--out"),
    )
    row_scale: RowScale = setting(
        "range",
        "For row-scaled: a row's lowest score to 0 and its highest to 1, or only the latter.",
        # what is compared with a truth is every way of joining
        needs=(When("how", "row-scaled"), When("--truth")),
    )
    resamples: Annotated[int, Field(ge=0)] = setting(
        0,
        "Times that the recordings are drawn again (bootstrap) to compare every table with the "
        "first member, in pairs; 0: it is not.",
        needs=When("--truth"),
    )
