"""What `benchmarks.mining_helps` compares: ways to choose negatives, and to train with them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Arm:
    """What an arm trains with besides TP and FP rows.

    Attributes
    ----------
    title : str
    control : str or None
        The arm it is held against.
    chosen : str or None
        One of `CHOICES`, or ``random``: the control of ``top``.
    rows : float
        Negatives as rows of their own, as a share of the others.
    inside : float
        Rows of all kinds that get a negative mixed in.
    pseudo : bool
        Whether unknown cells are filled by the bases' labels, and windows from anywhere train too.
    """

    title: str
    control: str | None
    chosen: str | None = None
    rows: float = 0.25
    inside: float = 0.0
    pseudo: bool = False


@dataclass(frozen=True)
class Choice:
    """How negatives are chosen.

    Attributes
    ----------
    strategy : str
    joint : bool
        Whether all bases score as one.
    auto : bool
        Whether the window chooses itself.
    budget : int
        Forwards of a search for harder ones, before.
    """

    strategy: str = "top"
    joint: bool = False
    auto: bool = False
    budget: int = 0


CHOICES = {
    "top": Choice(),
    "window": Choice("top + window:low=0.9,high=0.99"),
    "auto": Choice(auto=True),
    "careful": Choice("careful"),
    "near": Choice("near"),
    "ranking": Choice("ranking"),
    "alarm": Choice("alarm"),
    "joint": Choice(joint=True),
    "synthesis": Choice(budget=2000),
}
ARMS = {
    "none": Arm("TP + FP, as many steps more", None),
    "random": Arm("+ random negatives", "none", "random"),
    "top": Arm("+ the highest-scoring", "random", "top"),
    "random-in": Arm("+ random, inside rows too", "random", "random", inside=0.25),
    **{
        f"{name}-in": Arm(f"+ `{name}`, inside rows too", "random-in", name, inside=0.25)
        for name in CHOICES
    },
    "pseudo": Arm("+ pseudo labels", "none", pseudo=True),
    "pseudo-random": Arm(
        "+ pseudo labels, random inside", "pseudo", "random", inside=0.25, pseudo=True
    ),
    "pseudo-top": Arm(
        "+ pseudo labels, `top` inside", "pseudo-random", "top", inside=0.25, pseudo=True
    ),
    "pseudo-joint": Arm(
        "+ pseudo labels, `joint` inside", "pseudo-random", "joint", inside=0.25, pseudo=True
    ),
}
