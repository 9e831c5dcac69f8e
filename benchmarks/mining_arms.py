"""What `benchmarks.mining_helps` compares: ways to choose negatives, and to train with them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Arm:
    """What an arm trains with besides TP and FP rows.

    Attributes
    ----------
    control : str or None
        The arm it is held against.
    chosen : str or None
        One of `CHOICES`, or ``random``: the control of ``top``.
    rows : float
        Negatives as rows of their own, as a share of the others.
    inside : float
        Rows of all kinds that get a negative mixed in.
    snr_db : (float, float)
        How far above it the row is.
    pseudo : bool
        Whether windows from anywhere train too, with the bases' labels.
    """

    title: str
    control: str | None
    chosen: str | None = None
    rows: float = 0.25
    inside: float = 0.0
    snr_db: tuple[float, float] = (0.0, 15.0)
    pseudo: bool = False


@dataclass(frozen=True)
class Choice:
    """How negatives are chosen.

    Attributes
    ----------
    budget : int
        Forwards of a search for harder ones, before.
    """

    strategy: str = "top"
    budget: int = 0


CHOICES = {
    "top": Choice(),
    "window": Choice("top + window:low=0.9,high=0.99"),
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
    **{
        f"deep-{name}": Arm(
            f"+ {title} deep inside rows", control, name, inside=0.5, snr_db=(-10.0, 10.0)
        )
        for name, title, control in (
            ("random", "random", "random-in"),
            ("top", "`top`", "deep-random"),
        )
    },
    "deeper-random": Arm(
        "+ random deeper inside rows", "deep-random", "random", inside=0.8, snr_db=(-15.0, 5.0)
    ),
    "pseudo": Arm("+ pseudo rows", "none", pseudo=True),
    **{
        f"pseudo-{name}": Arm(
            f"+ pseudo rows, {title} inside", control, name, inside=0.25, pseudo=True
        )
        for name, title, control in (
            ("random", "random", "pseudo"),
            ("top", "`top`", "pseudo-random"),
        )
    },
    **{
        f"pseudo-deep-{name}": Arm(
            f"+ pseudo rows, {title} deep inside", control, name, inside=0.5,
            snr_db=(-10.0, 10.0), pseudo=True,
        )
        for name, title, control in (
            ("random", "random", "pseudo-random"),
        )
    },
}  # fmt: skip
