"""A small world of files: sound, tables, and what the commands make of them."""

from __future__ import annotations

import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from conftest import make_data
from reliability.commands import STOPPED, Commands, contents

CLIPS = "--clip-s 1 --sample-rate 8000"
TABLES = "--tp train_tp.csv --fp train_fp.csv"
NETWORK = (
    f"{CLIPS} --n-mels 16 --window-s 0.5 --tp-per-step 4 --fp-per-step 2 --steps-per-epoch 2 "
    "--epochs 2 --folds 4 --device cpu -q"
)

# Each command by what it makes, run in the world's folder, in this order.
BUILD = f"build-pool train {TABLES} {CLIPS} --external external --mix 12 --out pool -q"
CACHE = "cache pool -q"
TRAIN = f"train train {TABLES} {NETWORK} --out run"
MINE = "mine --model run/best.pt --pool pool --out hard.parquet --per-class 5 --device cpu -q"
SEEDS = f"train train {TABLES} {NETWORK} --folds 2 --epochs 1 --seeds 1 --out seeds"
STOPPED_RUN = TRAIN.replace("--epochs 2", "--epochs 6").replace("--out run", "--out stopped")

# What else is run on what these made.
APPEND = (
    f"build-pool train {TABLES} {CLIPS} --external external --external more --mix 12 --out pool "
    "--append -q"
)
RETRAIN = f"train train {TABLES} {NETWORK} --hard-negatives hard.parquet --out retrained"
LOOP = (
    f"loop train {TABLES} {NETWORK} --epochs 1 --pool pool --rounds 1 --per-class 5 --control "
    "--out rounds"
)
SYNTHESISE = "synthesise pool --model run/best.pt --budget 64 --scores scores --device cpu -q"
PREDICT = (
    "predict train --model run/best.pt --out predicted.csv --detections found.txt --min-conf 0.4 "
    "--device cpu -q"
)
RENDER = "render pool --out listen -q"


@dataclass(frozen=True)
class Undisturbed:
    """What a command makes of the world when nothing goes wrong, and how long it takes."""

    files: dict[str, str]
    seconds: float


@dataclass(frozen=True)
class World:
    """Files in one folder, and the commands to run there.

    Copies are always made at the same place, as files name others by their whole path.
    """

    folder: Path
    kept: Path
    commands: Commands
    _undisturbed: dict[tuple[str, ...], Undisturbed] = field(default_factory=dict)

    def restore(self) -> None:
        """Bring every file back to what it was."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.kept, self.folder)

    def undisturbed(self, *lines: str) -> Undisturbed:
        """What commands, one after the other, make of the files as they were made."""
        if lines not in self._undisturbed:
            self.restore()
            for line in lines:
                ended = self.commands.done(*line.split(), folder=self.folder)
            self._undisturbed[lines] = Undisturbed(contents(self.folder), ended.seconds)
        return self._undisturbed[lines]


def make_world(folder: Path, commands: Commands) -> World:
    """Make the files by the commands themselves."""
    here = folder / "world"
    make_data(here)
    make_data(folder / "further", seed=1)
    shutil.copytree(folder / "further" / "external", here / "more")
    for line in (BUILD, CACHE, TRAIN, MINE, SEEDS):
        commands.done(*line.split(), folder=here)
    _stop(here, commands)
    kept = folder / "kept"
    shutil.copytree(here, kept)
    return World(here, kept, commands)


def _stop(here: Path, commands: Commands) -> None:
    """A run that was stopped after an epoch or two: it goes on from its last checkpoint."""
    running = commands.start(*STOPPED_RUN.split(), folder=here)
    while running.alive and not (here / "stopped" / "last.pt").exists():
        time.sleep(0.01)
    running.send(signal.SIGINT)
    ended = running.end()
    assert ended.code in STOPPED, ended
