"""What `benchmarks.benefit` compares: the rows that an arm trains with besides TP and FP rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Chosen = Literal["mined", "random"]


@dataclass(frozen=True)
class Arm:
    """Rows of an arm, as shares of the trainer's own.

    Attributes
    ----------
    title : str
    control : str or None
        The arm it is compared with, which has as many cells, of the same weights, at the same dose.
    negatives, scenes : float
        Random certified rows, and scenes; see `training.data.sampled_rows`.
    alone : bool
        Scenes of one call alone.
    own : "mined", "random" or None
        Rows that are zero for one class alone: those that fooled the seed's network of another arm,
        or as many random ones of the same kinds.
    own_by : str
        That arm.
    own_ratio : float
        Of those, as a share of TP and FP rows.
    asks : str or None
        Strategy and number of windows a class, as ``top-10``, whose verdicts join TP and FP rows.
    truth : bool
        All cells of TP and FP rows are true.
    """

    title: str
    control: str | None
    negatives: float = 0.0
    scenes: float = 0.0
    alone: bool = False
    own: Chosen | None = None
    own_by: str = "scenes"
    own_ratio: float = 0.0
    asks: str | None = None
    truth: bool = False


# Of the windows that verdicts are asked for.
ASKED = {
    10: ("random", "top", "threshold", "half", "diverse", "doubt", "disagreement"),
    40: ("random", "top", "diverse"),
}


def _verdicts(count: int, strategy: str) -> Arm:
    control = "scenes" if strategy == "random" else f"random-{count}-verdicts"
    title = f"scenes + {count} verdicts a class, {strategy}"
    return Arm(title, control, negatives=3.0, scenes=1.0, asks=f"{strategy}-{count}")


ARMS = {
    "tp-fp": Arm("TP + FP", None),
    "random": Arm("+ random certified rows", "tp-fp", negatives=1.0),
    "random-3": Arm("+ three times as many", "random", negatives=3.0),
    "plain-own-random": Arm(
        "random rows + random own cells", "random", negatives=1.0, own="random", own_by="random",
        own_ratio=0.5,
    ),
    "plain-own-mined": Arm(
        "random rows + mined own cells", "plain-own-random", negatives=1.0, own="mined",
        own_by="random", own_ratio=0.5,
    ),
    # for networks that are trained, to which rows cost time
    "half": Arm("+ half as many random rows", "tp-fp", negatives=0.5),
    "half-scenes-quarter": Arm(
        "half + a quarter as many scenes as TP rows", "half", negatives=0.5, scenes=0.25
    ),
    "half-scenes": Arm("half + as many scenes as TP rows", "half", negatives=0.5, scenes=1.0),
    # so few that a pool of thousands is not heard whole
    "few": Arm("+ a tenth of the random rows", "tp-fp", negatives=0.1),
    "few-own-random": Arm(
        "a tenth + as many random own cells", "few", negatives=0.1, own="random", own_by="few",
        own_ratio=0.1,
    ),
    "few-own-mined": Arm(
        "a tenth + as many mined own cells", "few-own-random", negatives=0.1, own="mined",
        own_by="few", own_ratio=0.1,
    ),
    "isolated": Arm("+ isolated calls", "random-3", negatives=3.0, scenes=1.0, alone=True),
    "scenes-half": Arm("+ half as many scenes as TP rows", "random-3", negatives=3.0, scenes=0.5),
    "scenes": Arm("+ as many scenes as TP rows", "random-3", negatives=3.0, scenes=1.0),
    "scenes-3": Arm("+ three times as many", "scenes", negatives=3.0, scenes=3.0),
    "own-random": Arm(
        "scenes + random own cells", "scenes", negatives=3.0, scenes=1.0, own="random",
        own_ratio=3.0,
    ),
    "own-mined": Arm(
        "scenes + mined own cells", "own-random", negatives=3.0, scenes=1.0, own="mined",
        own_ratio=3.0,
    ),
    **{
        f"{strategy}-{count}-verdicts": _verdicts(count, strategy)
        for count, strategies in ASKED.items()
        for strategy in strategies
    },
    "truth": Arm("TP + FP, all cells true", "tp-fp", truth=True),
}  # fmt: skip
