"""Selections, pools and annotations in the formats of other tools: one writer a file.

The writer of a format is a module ``to_NAME`` of this package that defines ``WRITER``, a
`negmine.exports.job.Writer`; the format is named in `NAMES`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from negmine.exports.job import Writer

# Each with what it is, for the help.
NAMES = {
    "rfcx": "tables train_tp.csv and train_fp.csv",
    "raven": "a selection table with Begin Path and File Offset",
    "audacity": "a label track for each recording",
    "birdnet": "training folders Class/ and -Class/",
    "opensoundscape": "a table of clips, a column a class, empty where unknown",
    "hoplite": "a perch-hoplite database, rejections as negative labels",
    "audiofolder": "a Hugging Face audio folder with metadata.jsonl",
    "webdataset": "tar files of clips and their labels",
}


def writer_of(name: str) -> Writer:
    """Return the writer of a format."""
    found: Writer = import_module(f"negmine.exports.to_{name}").WRITER
    return found


def own_cells(name: str, asked: str | None) -> bool:
    """Return whether a format gets the classes alone that a row is there for, if not asked."""
    return (asked or writer_of(name).cells) == "own"
