"""What a threshold is to reach."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from negmine.settings import Settings, setting


class CalibrateSettings(Settings, frozen=True):
    """Thresholds."""

    precision: Annotated[float, Field(gt=0, lt=1)] | None = setting(
        None,
        "Share of the detections that are to be calls of the class.",
        shown="0.9 without --fp-per-hour",
        common=True,
    )
    fp_per_hour: Annotated[float, Field(gt=0)] | None = setting(
        None, "False positives an hour and class at the --site, at most.", common=True
    )
    sure: bool = setting(
        False,
        "Take thresholds whose interval's lower end, not the estimate, reaches the precision (of "
        "--fp-per-hour: the upper end).",
        common=True,
    )

    @property
    def wanted(self) -> float:
        """The precision."""
        return 0.9 if self.precision is None else self.precision

    @model_validator(mode="after")
    def _one_aim(self) -> Self:
        if self.precision is not None and self.fp_per_hour is not None:
            raise ValueError("--precision and --fp-per-hour both say what to reach; choose one")
        return self
