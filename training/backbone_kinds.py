"""Kinds of backbone, and which settings apply to which.

A setting that is for some kinds alone says so in its annotation::

    pretrained: Annotated[bool, Only("timm")] = setting(False, "...")

With a backbone of another kind it is refused, by name, unless it has its default.
"""

from __future__ import annotations

from typing import Literal

from negmine.models.added import is_network
from negmine.settings import Settings, first_flag, settings_of

Kind = Literal["small", "timm", "frozen"]

_NAMES: dict[Kind, str] = {
    "small": "the backbone 'small'",
    "timm": "a timm model",
    "frozen": "a pretrained network that stays as it is",
}


class Only:
    """Marks a setting that is for some kinds of backbone alone."""

    def __init__(self, *kinds: Kind) -> None:
        self.kinds = kinds


def kind_of(backbone: str) -> Kind:
    """Return the kind of a backbone, by its name."""
    if is_network(backbone):
        return "frozen"
    return "small" if backbone == "small" else "timm"


def check_applies(config: Settings, backbone: str) -> None:
    """Check that each setting that was changed applies to the backbone.

    Raises
    ------
    ValueError
        Naming the first that does not.
    """
    kind, model = kind_of(backbone), type(config)
    for name, field in model.model_fields.items():
        for mark in field.metadata:
            if not isinstance(mark, Only) or kind in mark.kinds:
                continue
            own = (one for one in settings_of(model) if one.path[0] == name)
            for one in (one for one in own if one.of(config) != one.default):
                needed = " or ".join(_NAMES[k] for k in mark.kinds)
                raise ValueError(f"{first_flag(one)} needs {needed}: --backbone is '{backbone}'")
