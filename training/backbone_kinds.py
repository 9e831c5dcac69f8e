"""Kinds of backbone, and which settings apply to which.

A setting that is for some kinds alone says so in its annotation::

    pretrained: Annotated[bool, Only("timm")] = setting(False, "...")

With a backbone of another kind it is refused, by name, unless it has its default.
"""

from __future__ import annotations

from typing import Literal

from negmine.models.added import is_network
from negmine.settings import Setting, Settings, first_flag, settings_of

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


# Of a network that is trained from its spectrogram on.
TRAINED = Only("small", "timm")


def kind_of(backbone: str) -> Kind:
    """Return the kind of a backbone, by its name."""
    if is_network(backbone):
        return "frozen"
    return "small" if backbone == "small" else "timm"


def lacks(one: Setting, backbone: str) -> str:
    """Return what a setting lacks to apply to a backbone, in a line; nothing if it applies."""
    for mark in one.marks:
        if isinstance(mark, Only) and kind_of(backbone) not in mark.kinds:
            needed = " or ".join(_NAMES[kind] for kind in mark.kinds)
            return f"{first_flag(one)} needs {needed}: --backbone is '{backbone}'"
    return ""


def check_applies(config: Settings, backbone: str) -> None:
    """Check that each setting that was changed applies to the backbone.

    Raises
    ------
    ValueError
        Naming the first that does not.
    """
    for one in settings_of(type(config)):
        if one.of(config) != one.default and (said := lacks(one, backbone)):
            raise ValueError(said)
