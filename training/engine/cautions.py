"""What a run's labels can neither teach nor test: an error where nothing is learnt, else a line."""

from __future__ import annotations

from collections.abc import Iterable

from negmine.annotations import Annotations
from negmine.errors import InputError, shorten
from training.config import TrainConfig


def assumes_zeros(config: TrainConfig, classes: int) -> bool:
    """Return whether the loss takes unknown cells of TP rows for absent; one class has none."""
    if config.loss == "lsoft":
        return classes > 1 and config.lsoft < 1
    return classes > 1 and config.loss in ("asymmetric", "hill", "splc", "large")


def check_learnable(config: TrainConfig, training: Annotations, added: bool) -> None:
    """Check that something says where a class is absent.

    Parameters
    ----------
    training : Annotations
        Of the training recordings.
    added : bool
        Whether hard negatives, or pseudo labels, train beside them.

    Raises
    ------
    InputError
        If nothing does: the network would learn to say yes to everything.
    """
    classes = len(training.classes)
    # with one class, a rejection says something in rows of its own alone
    rejected = training.rejected and (config.fp_per_step or classes > 1)
    if added or rejected or assumes_zeros(config, classes):
        return
    why = (
        "there is one class, so no other class's call counts as its absence"
        if classes == 1
        else f"--loss {config.loss} does not treat unknown as absent"
    )
    raise InputError(
        f"no negative to learn from: no rejected detection trains, and {why}; add rejected "
        "detections (--fp, --annotations, --negative-files; --fp-per-step above 0), negatives of a "
        "pool (--negatives) or hard negatives (--hard-negatives)"
    )


def cautions(
    config: TrainConfig, annotations: Annotations, held_out: frozenset[str], added: bool
) -> list[str]:
    """Return one line for each thing that a run's labels leave untaught or untested.

    Parameters
    ----------
    annotations : Annotations
        Of all recordings.
    held_out : frozenset of str
        Recordings that validate.
    added : bool
        As for `check_learnable`.
    """
    lines = _of_training(config, annotations, annotations.without(held_out), added)
    if held_out:
        fold = f"validation fold {config.fold} of {config.folds}"
        lines += _of_validation(fold, annotations.only(held_out))
    return lines


def _of_training(
    config: TrainConfig, annotations: Annotations, training: Annotations, added: bool
) -> list[str]:
    lines = []
    rejected = {box.label for box in training.rejected} if config.fp_per_step else set()
    assumed = assumes_zeros(config, len(training.classes))
    if not rejected and annotations.rejected and config.fp_per_step:
        lines.append(
            f"all {len(annotations.rejected)} rejected detections are in the validation fold: "
            "none trains, and --fp-per-step has nothing to draw"
        )
    if added:
        return lines
    if assumed and not rejected:
        lines.append(
            "the only negatives are those that the loss assumes in rows round calls: add rejected "
            "detections (--fp) or hard negatives"
        )
    elif not assumed and training.rejected and (never := set(training.classes) - rejected):
        lines.append(
            f"nothing says where these classes are absent, as --loss {config.loss} does not treat "
            f"unknown as absent: {_named(never)}"
        )
    return lines


def _of_validation(fold: str, validation: Annotations) -> list[str]:
    called = {(box.recording, box.label) for box in validation.confirmed}
    # in one recording, a confirmed call outweighs rejections
    free = {(box.recording, box.label) for box in validation.rejected} - called
    if not called or not free:
        missing = (
            "confirmed call"
            if not called
            else "recording in which a class was rejected and not confirmed"
        )
        return [
            f"{fold} holds no {missing}: every model scores the same there, so the last epoch is "
            "kept, and nothing stops early"
        ]
    if untested := set(validation.classes) - {label for _, label in called}:
        return [f"{fold} holds no confirmed call of these classes: {_named(untested)}"]
    return []


def unmixed(names: Iterable[str], annotations: Annotations, share: float, origin: object) -> str:
    """Warn of classes whose rows get no negative mixed in; say what is left mixed."""
    without = set(names)

    def mixed(present: bool) -> str:
        classes = {box.label for box in annotations.boxes if box.present == present}
        return f"{share * len(classes - without) / len(classes):.0%}" if classes else "none"

    return (
        f"{origin}: no negative is certified free of these classes, so their rows get none "
        f"mixed in: {_named(without)}; of TP rows {mixed(True)} are mixed, of FP rows "
        f"{mixed(False)}"
    )


def elsewhere(count: int) -> str:
    """Warn of random negatives that are all of other sound than the recordings."""
    return (
        f"none of the {count:,} random negatives is of the annotated recordings: the network may "
        "learn where a row is from, not what calls; add --scenes, or rejected detections (--fp) to "
        "the pool"
    )


def _named(names: Iterable[str]) -> str:
    return shorten(f"'{name}'" for name in sorted(names))
