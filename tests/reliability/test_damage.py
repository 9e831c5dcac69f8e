"""Every kind of file that is read again, damaged: the same result, or a line; never another."""

from __future__ import annotations

import random

from reliability.commands import at, but_scores, contents, differences, litter
from reliability.conftest import Trials
from reliability.damage import damage
from reliability.sizes import sized_names
from reliability.world import (
    APPEND,
    MINE,
    PREDICT,
    RENDER,
    RETRAIN,
    SEEDS,
    STOPPED_RUN,
    TABLES,
    TRAIN,
    World,
)

SEARCH = MINE.replace("hard.parquet", "new/hard.parquet")
SCORE_AGAIN = f"{SEARCH} --scores new_scores"
WITH_CACHE = f"{RETRAIN} --cache run/cache"
WITH_CONFIG = f"train train {TABLES} --config run/config.toml --device cpu -q --out retrained"

# By the files' pattern: the command that reads them, and what it makes.
KINDS = {
    "pool/pool.json": (RENDER, "listen"),
    "pool/parts/*/sources.parquet": (RENDER, "listen"),
    "pool/parts/*/labels.parquet": (SEARCH, "new"),
    "pool/parts/*/recipes/*.arrow": (SCORE_AGAIN, "new"),
    "pool/parts/*/calls/*.arrow": (SCORE_AGAIN, "new"),
    "pool/acoustic.parquet": (APPEND, "pool"),
    "pool/cache/*.i16": (SCORE_AGAIN, "new"),
    "pool/cache/*.json": (SCORE_AGAIN, "new"),
    "scores/*/*.safetensors": (SEARCH, "new"),
    "hard.parquet": (RETRAIN, "retrained"),
    "run/best.pt": (PREDICT, "predicted.csv"),
    "run/last.pt": (TRAIN, "run"),
    "stopped/last.pt": (STOPPED_RUN, "stopped"),
    "stopped/best.pt": (STOPPED_RUN, "stopped"),
    "run/cache/*.i16": (WITH_CACHE, "retrained"),
    "run/cache/*.json": (WITH_CACHE, "retrained"),
    "run/config.toml": (WITH_CONFIG, "retrained"),
    "run/*.[cj]s*": (TRAIN, "run"),
    "seeds/**/*.pt": (SEEDS, "seeds"),
    "seeds/**/oof*": (SEEDS, "seeds"),
    "train/*.flac": (RENDER, "listen"),
    "external/**/*.wav": (RENDER, "listen"),
}


# Files of one command each, or of one that takes a moment.
IN_GATE = (
    "pool/pool.json",
    "pool/parts/*/sources.parquet",
    "pool/parts/*/recipes/*.arrow",
    "pool/cache/*.i16",
    "pool/cache/*.json",
    "pool/parts/*/labels.parquet",
    "scores/*/*.safetensors",
    "hard.parquet",
    "run/best.pt",
    "stopped/last.pt",
)


@sized_names(KINDS, in_gate=IN_GATE)
def test_damage_is_never_served(world: World, name: str, times: int, trials: Trials) -> None:
    line, made = KINDS[name]
    rng = random.Random(name)
    undisturbed = world.undisturbed(line).files
    expected = at(undisturbed, made)
    assert expected, f"{line} makes nothing at {made}"
    for _ in range(times):
        world.restore()
        path = rng.choice(sorted(world.folder.glob(name)))
        how = damage(path, rng)
        before = contents(world.folder)
        ended = world.commands.run(*line.split(), folder=world.folder)
        faults = ended.faults() + [f"left behind: {one}" for one in litter(world.folder)]
        after, damaged = contents(world.folder), path.relative_to(world.folder).as_posix()
        found = at(after, made)
        if damaged in expected and after.get(damaged) == before[damaged]:
            # it was there before, and nobody wrote it
            found[damaged] = expected[damaged]
        changed = differences(found, expected)
        if ended.code:
            faults += [
                f"refused, and left {left}"
                for left, digest in but_scores(after).items()
                if digest not in (before.get(left), undisturbed.get(left))
            ]
        if ended.code == 0 and changed and not ended.err.strip():
            faults.append(f"another result in silence: {changed}")
        if faults:
            trials.fault(
                f"{path.parent.name}/{how}", f"{'; '.join(faults)[:400]}; {ended.said[:200]}"
            )
        elif ended.code:
            trials.count("refused")
        else:
            outcome = "another" if changed else "the same"
            trials.count(f"{outcome}, with a line" if ended.err.strip() else outcome)
    trials.check()
