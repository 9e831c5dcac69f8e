"""What happens to files: bits flip, ends are lost, pages are zeros, and people edit them."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = 4096


def flip(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """One to three bits flipped at random places."""
    damaged = bytearray(content)
    places = [rng.randrange(8 * len(content)) for _ in range(rng.randint(1, 3))]
    for place in places:
        damaged[place // 8] ^= 1 << place % 8
    return bytes(damaged), f"bits {places} flipped"


def cut(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """The end lost, from a random place on."""
    length = rng.randrange(len(content))
    return content[:length], f"cut to {length} of {len(content)} bytes"


def empty(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Nothing left."""
    return b"", "emptied"


def blank(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """A page of zeros, as of a write that never reached the disk."""
    start = rng.randrange(len(content)) // PAGE * PAGE
    size = min(PAGE, len(content) - start)
    return content[:start] + bytes(size) + content[start + size :], f"zeros from {start} on"


# What a script or a hand puts into a description.
ODD: list[Any] = [
    None, True, -1, 0, 0.5, 10**30, 1e308, float("nan"), "", "x", "../..", [], {}, [[[]]],
]  # fmt: skip


def edit(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """One value of a description in JSON removed, or replaced by an odd one."""
    tree = json.loads(content)
    holder, key = rng.choice(list(_places(tree)))
    before = str(holder[key])[:40]
    if rng.random() < 0.3:
        del holder[key]
        return json.dumps(tree).encode(), f"{key}, {before}, removed"
    holder[key] = copy.deepcopy(rng.choice(ODD))
    return json.dumps(tree).encode(), f"{key}, {before}, now {holder[key]!r}"


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(inside):
        yield tree, key
        if isinstance(value, dict | list):
            yield from _places(value)


# Flips are the hardest to notice, so they are tried most.
KINDS = (flip, flip, flip, flip, cut, cut, empty, blank)


def damage(path: Path, rng: random.Random) -> str:
    """Damage a file in one random way, and say how; never leaves it as it was."""
    content = path.read_bytes()
    kinds = (*KINDS, edit, edit, edit, edit) if path.suffix == ".json" else KINDS
    while True:
        damaged, how = rng.choice(kinds)(content, rng)
        if damaged != content:
            path.write_bytes(damaged)
            return f"{path.name}: {how}"
