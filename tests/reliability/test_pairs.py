"""Two commands at once: both right, or one refused that names the other; never one's work lost."""

from __future__ import annotations

import random
import time

from reliability.commands import Ended, but_scores, contents, differences, litter
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

OTHER_APPEND = APPEND.replace("--external more", "--noise 5")
PAIRS = {
    "build-pool twice": (BUILD.replace("--out pool", "--out new"),) * 2,
    "append twice": (APPEND,) * 2,
    "append and append": (APPEND, OTHER_APPEND),
    "append and synthesise": (APPEND, SYNTHESISE),
    "cache twice": (f"{CACHE} --out again",) * 2,
    "cache and append": (CACHE, APPEND),
    "mine twice": (MINE.replace("hard.parquet", "new/hard.parquet"),) * 2,
    "mine and cache": (MINE.replace("hard.parquet", "new/hard.parquet"), f"{CACHE} --workers 1"),
    "mine and append": (MINE.replace("hard.parquet", "new/hard.parquet"), APPEND),
    "train twice": (RETRAIN,) * 2,
    "train and train": (RETRAIN, f"{RETRAIN} --lr 0.001"),
    "seeds twice": (SEEDS.replace("--out seeds", "--out more_seeds"),) * 2,
    "loop twice": (LOOP,) * 2,
    "loop and loop": (LOOP, f"{LOOP} --per-class 3"),
    "synthesise twice": (SYNTHESISE,) * 2,
    "render twice": (RENDER,) * 2,
    "predict twice": (PREDICT,) * 2,
}

# The others take seconds each.
IN_GATE = (
    "append and append",
    "cache twice",
    "mine and cache",
    "train and train",
    "synthesise twice",
)

State = tuple[dict[str, str], tuple[int, ...]]


@sized_names(PAIRS, in_gate=IN_GATE)
def test_two_at_once_end_as_one_after_the_other(
    world: World, name: str, times: int, trials: Trials
) -> None:
    lines = PAIRS[name]
    rng = random.Random(name)
    orders = {(0, 1)} if lines[0] == lines[1] else {(0, 1), (1, 0)}
    serial: list[State] = []
    seconds = 0.0
    for order in sorted(orders):
        world.restore()
        ended = {i: world.commands.run(*lines[i].split(), folder=world.folder) for i in order}
        serial.append((but_scores(contents(world.folder)), (ended[0].code, ended[1].code)))
        assert not any(one.faults() for one in ended.values()), ended
        seconds = ended[order[0]].seconds
    for _ in range(times):
        world.restore()
        late = rng.uniform(0, 0.5 * seconds)
        first = world.commands.start(*lines[0].split(), folder=world.folder)
        time.sleep(late)
        second = world.commands.start(*lines[1].split(), folder=world.folder)
        pids = first.pid, second.pid
        at_once = first.end(), second.end()
        faults = [fault for one in at_once for fault in one.faults()]
        codes = tuple(one.code for one in at_once)
        if all(codes):
            faults.append("both refused")
        refused = [i for i in (0, 1) if _names_holder(at_once[i], pids[1 - i])]
        for i in refused:
            again = world.commands.run(*lines[i].split(), folder=world.folder)
            faults += again.faults()
            codes = (*codes[:i], again.code, *codes[i + 1 :])
        found = but_scores(contents(world.folder))
        if (found, codes) not in serial:
            faults.append(
                f"codes {codes}, not {[codes for _, codes in serial]}; "
                f"{differences(found, serial[0][0])} {[one.said for one in at_once if one.code]}"
            )
        faults += [f"left behind: {path}" for path in litter(world.folder)]
        if faults:
            trials.fault(f"{name}, the second {late:.3f} s later", "; ".join(faults)[:800])
        else:
            trials.count("one waited its turn" if refused else "both done")
    trials.check()


def _names_holder(ended: Ended, pid: int) -> bool:
    """Whether a command was refused for another's sake, and says whose."""
    return ended.code != 0 and f"process {pid} " in ended.said
