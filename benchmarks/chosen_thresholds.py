"""What thresholds alone give: chosen on one half of the test recordings, tried on the other.

``fp/h@0.7`` gives each class the best threshold that the test knows of. Here none is chosen on the
recordings it is tried on. One threshold for all classes is what a detector has before anything is
calibrated; a threshold a class is what calibration adds. Both find a share of the calls, the mean
over classes, on the half that chooses.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.metrics import RecordingWindows

# Beside an arm's test.json.
CHOSEN_FILE = "thresholds.json"

Calls = tuple[np.ndarray, np.ndarray]


def at_chosen_thresholds(windows: Sequence[RecordingWindows], recall: float) -> dict[str, float]:
    """Return false positives an hour, summed over classes, and recall, of either choice.

    Parameters
    ----------
    windows : sequence of RecordingWindows
        Of two recordings or more, which take turns in the halves.
    recall : float
        Share of the calls that the thresholds find where they are chosen.

    Returns
    -------
    dict of str to float
        ``one:fp/h``, ``one:recall``, ``own:fp/h``, ``own:recall``. A class that calls in one half
        alone has no threshold of its own in the other, nor any part in the figures.
    """
    halves = windows[::2], windows[1::2]
    calls = [_calls(half) for half in halves]
    classes = np.intersect1d(calls[0][0], calls[1][0])
    false = dict.fromkeys(("one", "own"), 0)
    found = {name: np.zeros(len(classes)) for name in false}
    total = np.zeros(len(classes))
    for chosen_on, (columns, scores), half in zip(calls[::-1], calls, halves, strict=True):
        free = [np.where(one.absent, one.scores, -np.inf)[:, classes] for one in half]
        free_scores = np.concatenate(free)
        total += [np.count_nonzero(columns == label) for label in classes]
        for name, thresholds in _thresholds(chosen_on, classes, recall).items():
            false[name] += int(np.count_nonzero(free_scores >= thresholds))
            found[name] += [
                np.count_nonzero(scores[columns == label] >= threshold)
                for label, threshold in zip(classes, thresholds, strict=True)
            ]
    hours = float(sum(one.hours for one in windows))
    rates = {f"{name}:fp/h": count / hours for name, count in false.items()}
    return rates | {f"{name}:recall": float((found[name] / total).mean()) for name in found}


def _calls(windows: Sequence[RecordingWindows]) -> Calls:
    """Return class and score of each call."""
    calls = [call for one in windows for call in one.calls]
    return np.array([c for c, _ in calls], dtype=int), np.array([s for _, s in calls], dtype=float)


def _thresholds(calls: Calls, classes: np.ndarray, recall: float) -> dict[str, np.ndarray]:
    """Return thresholds of the classes, (C,): one for all, and each class's own."""
    columns, scores = calls
    each = [np.sort(scores[columns == label])[::-1] for label in classes]
    own = [one[max(1, int(np.ceil(recall * len(one) - 1e-9))) - 1] for one in each]
    # going down through all calls, the mean recall grows by a call's share of its class
    together = np.concatenate(each)
    share = np.concatenate([np.full(len(one), 1 / (len(one) * len(each))) for one in each])
    order = np.argsort(-together, kind="stable")
    at = np.searchsorted(np.cumsum(share[order]), recall - 1e-9)
    return {"one": np.full(len(classes), together[order][at]), "own": np.array(own)}
