"""Commands that are ended at random moments: the same command again ends as if nothing had been."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from reliability.commands import STOPPED, but_scores, contents, differences, litter
from reliability.conftest import Trials
from reliability.sizes import sized_names
from reliability.world import (
    APPEND,
    BUILD,
    CACHE,
    LOOP,
    MINE,
    PREDICT,
    RENDER,
    RETRAIN,
    SEEDS,
    SYNTHESISE,
    World,
)

# What is killed, by name.
JOBS = {
    "build-pool": BUILD.replace("--out pool", "--out new"),
    "append": APPEND,
    "cache": f"{CACHE} --out again",
    "train": RETRAIN,
    "seeds": SEEDS.replace("--out seeds", "--out more_seeds"),
    "mine": MINE.replace("hard.parquet", "new/hard.parquet"),
    "loop": LOOP,
    "synthesise": SYNTHESISE,
    "predict": PREDICT,
    "render": RENDER,
}


# What does more when it is run again.
ADDS = ("synthesise",)


@sized_names(JOBS, in_gate=("build-pool", "append", "train", "mine", "synthesise", "render"))
def test_a_killed_command_goes_on_to_the_same_end(
    world: World, name: str, times: int, trials: Trials
) -> None:
    line = JOBS[name]
    rng = random.Random(name)
    undisturbed = world.undisturbed(line)
    for number in range(times):
        world.restore()
        kind = rng.choice([signal.SIGKILL, signal.SIGTERM])
        moment = rng.uniform(0, 1.05 * undisturbed.seconds)
        trial = f"{name} {number}: {kind.name} after {moment:.3f} s of {undisturbed.seconds:.3f}"
        running = world.commands.start(*line.split(), folder=world.folder)
        time.sleep(moment)
        running.send(kind)
        first = running.end()
        faults = []
        if first.code == 0:
            outcome = "over before"
        elif kind is signal.SIGKILL:
            outcome = "killed"
            if first.code != -kind:
                faults.append(f"{first.code}: {first.err[-300:]}")
        else:
            outcome = "terminated"
            # before a command begins, nothing needs to be said
            if first.code != -kind or differences(contents(world.folder), contents(world.kept)):
                faults += first.faults(STOPPED)
            faults += [f"left by SIGTERM: {path}" for path in litter(world.folder)]
        _grow_older(world.folder)
        again = world.commands.run(*line.split(), folder=world.folder)
        faults += [f"left behind: {path}" for path in litter(world.folder)]
        if again.code:
            faults.append(f"again: {again.code}: {again.err[-300:]}")
        else:
            faults += again.faults()
            found = but_scores(contents(world.folder))
            changed = differences(found, but_scores(undisturbed.files))
            if changed and name in ADDS:
                # its work was done before it was killed: the second search adds to that
                twice = world.undisturbed(line, line)
                changed = differences(found, but_scores(twice.files))
            faults += changed
        if faults:
            trials.fault(trial, "; ".join(faults)[:600])
        else:
            trials.count(outcome)
    trials.check()


def _grow_older(folder: Path) -> None:
    """Let unfinished files be some seconds old: nobody starts a command again at once."""
    then = time.time() - 5
    for name in litter(folder):
        for path in (Path(name), *Path(name).rglob("*")):
            os.utime(path, (then, then))
