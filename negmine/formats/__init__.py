"""Annotations in the formats of other tools: one reader a file, recognised by content.

A format is a module of this package that defines ``FORMAT``, a `negmine.formats.format.Format`, and
is named in `NAMES`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from negmine.formats.format import Format

# Of all that recognise a table, one may: `plain` and `birdnet_folders` are for what no other does.
NAMES: tuple[str, ...] = (
    "negmine",
    "rfcx",
    "raven",
    "audacity",
    "birdnet",
    "birdnet_package",
    "hawkears",
    "britekit",
    "kaleidoscope",
    "arbimon",
    "wildtrax",
    "aoef",
    "label_studio",
    "hoplite",
    "birdnet_folders",
    "birdnet_review",
    "plain",
)


def format_of(name: str) -> Format:
    """Return a format by its name."""
    found: Format = import_module(f"negmine.formats.{name}").FORMAT
    return found
