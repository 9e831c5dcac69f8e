"""What a run's folder says of it: everything needed to do it again."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tomli_w

from negmine.errors import InputError
from negmine.storage.files import write_json, writing
from negmine.storage.locks import only_here
from training.config import TrainConfig
from training.engine.checkpoint import Checkpoint
from training.engine.distributed import is_first_process

CONFIG, RUN = "config.toml", "run.json"

# These change how fast a run is, not what comes out.
_NO_MATTER = frozenset({"workers"})


def only_run(out: Path) -> AbstractContextManager[None]:
    """Keep other runs out of a run's folder. Of processes that train together, the first does."""
    return only_here(out) if is_first_process() else nullcontext()


def describe_run(
    out: Path, config: TrainConfig, inputs: Mapping[str, str], held_out: frozenset[str]
) -> None:
    """Write ``config.toml``, which ``--config`` reads, and ``run.json``.

    Parameters
    ----------
    inputs : mapping of str to str
        Hashes of the tables, plug-ins and weights the run was given.
    held_out : frozenset of str
        Recordings of the validation fold.
    """
    text = tomli_w.dumps(config.to_dict())
    with writing(out / CONFIG) as temporary:
        temporary.write_text(text, encoding="utf-8")
    write_json(
        out / RUN,
        {
            "command": shlex.join(sys.argv),
            "inputs": dict(inputs),
            "held_out": sorted(held_out),
            "versions": {
                "python": platform.python_version(),
                **{name: version(name) for name in ("negmine", "torch", "torchaudio", "timm")},
            },
        },
    )


def is_described(out: Path) -> bool:
    """Return whether `describe_run` was here."""
    return all((out / name).exists() for name in (CONFIG, RUN))


def check_same_run(
    resumed: Checkpoint,
    config: TrainConfig,
    classes: Sequence[str],
    inputs: Mapping[str, str],
    out: Path,
) -> None:
    """Check that a run that was stopped is gone on with as it began.

    Raises
    ------
    InputError
        Naming the first setting or input that differs.
    """
    then: dict[str, Any] = resumed.config.to_dict() | resumed.inputs
    now: dict[str, Any] = config.to_dict() | dict(inputs)
    then["classes"], now["classes"] = list(resumed.classes), list(classes)
    for key in now | then:
        if key not in _NO_MATTER and then.get(key) != now.get(key):
            name, was, is_now = _changed(key, then.get(key, "none"), now.get(key, "none"))
            raise InputError(
                f"{out}: holds a run with another {name} ({was}, now {is_now}); choose another "
                "--out, or remove that folder"
            )


def _changed(name: str, then: Any, now: Any) -> tuple[str, Any, Any]:
    """Return what differs between two values; of two tables, their first setting that does."""
    if isinstance(then, dict) and isinstance(now, dict):
        key = next(key for key in now | then if then.get(key) != now.get(key))
        return _changed(f"{name}.{key}", then.get(key, "none"), now.get(key, "none"))
    return name, then, now
