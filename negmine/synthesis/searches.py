"""Which searches a pool has been through, those that found nothing as well.

Kept in the pool's folder as ``searches.json``: a model that has searched a pool in the same way
need not search it again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from negmine.errors import InputError
from negmine.pool.files import read_info
from negmine.storage.files import write_json
from negmine.storage.text_files import read_json
from negmine.synthesis.moves import MoveRules
from negmine.synthesis.settings import SynthesisSettings

FILE = "searches.json"
FORMAT, VERSION = "negmine-searches", 1


def describe_search(
    pool: Path, model: str, settings: SynthesisSettings, rules: MoveRules
) -> dict[str, Any]:
    """Describe what makes two searches of a pool the same: model, settings, earlier finds.

    What searches added is no part of it, or each would make room for the next.
    """
    info, above = read_info(pool), settings.above
    built = [p["digest"] for p in info["parts"] if "synthesis" not in p["settings"]]
    return {
        "model": model,
        "built": built[-1] if built else "",
        "budget": settings.budget,
        "seed": settings.seed,
        "per_class": settings.per_class,
        "threshold": {} if above is None else dict.fromkeys(info["classes"], above),
        "classes": list(settings.classes),
        "min_distance": settings.min_distance,
        "max_doubt": settings.max_doubt,
        # boxes and bands come from annotations
        "annotations": bool(rules.boxes),
    }


def note_search(pool: Path, search: dict[str, Any], kept: int) -> None:
    """Add a search that came to its end, and how many recipes it kept."""
    noted = [one for one in _read(pool) if not _is_same(one, search)]
    value = {"format": FORMAT, "version": VERSION, "searches": [*noted, {**search, "kept": kept}]}
    write_json(pool / FILE, value)


def find_search(pool: Path, search: dict[str, Any]) -> dict[str, Any] | None:
    """Find the same search in the pool's record; None where there is none."""
    return next((one for one in _read(pool) if _is_same(one, search)), None)


def _is_same(one: dict[str, Any], search: dict[str, Any]) -> bool:
    return all(one.get(name) == value for name, value in search.items())


def _read(pool: Path) -> list[dict[str, Any]]:
    path = pool / FILE
    if not path.exists():
        return []
    found = read_json(path)
    if not isinstance(found, dict) or (found.get("format"), found.get("version")) != (
        FORMAT,
        VERSION,
    ):
        raise InputError(f"{path}: not written by this version of negmine; remove it")
    return [one for one in found.get("searches", []) if isinstance(one, dict)]
