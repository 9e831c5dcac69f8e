"""Sums of rows, and what they say: cell by cell, the label algebra for hard and soft targets.

==================  ====================================================  ==========================
one / other         the sum                                               weight
==================  ====================================================  ==========================
present / any       present                                               that of the present cell
absent / absent     absent                                                product
soft a / soft b     soft: ``1 - (1 - a) * (1 - b)``                       product
unknown / absent    unknown                                               product
unknown / soft a    unknown                                               product, times ``1 - a``
unknown / unknown   unknown                                               product
==================  ====================================================  ==========================

The weight of an unknown cell says how much it is to go to zero softly. It is an assumption about
the whole sum: it is dropped where either part does not make it, and is the weaker the more a pseudo
label of the other part speaks against it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from negmine.audio.silence import LEAST_RMS, rms
from negmine.recipes.render import mix_at_snr
from training.data.rows import Cells, Example


def join_cells(one: Cells, other: Cells) -> Cells:
    """Join the cells of two mixed sounds.

    Parameters
    ----------
    one, other : Cells
        Arrays of any one shape.

    Notes
    -----
    It commutes, and on hard labels is `negmine.recipes.labels.PartialLabels.mix`.
    """
    a, b = (np.where(cells.known, cells.targets, 0.0) for cells in (one, other))
    present_a, present_b = a == 1, b == 1
    present = present_a | present_b
    known = present | (one.known & other.known)
    target = 1 - (1 - a) * (1 - b)  # as of independent chances
    weight = one.weight * other.weight
    # an unknown cell meets what the other part knows of it
    weight = weight * np.where(known, 1.0, (1 - a) * (1 - b))
    sure = np.maximum(np.where(present_a, one.weight, 0), np.where(present_b, other.weight, 0))
    return Cells(
        np.where(known, target, 0.0).astype(np.float32),
        known,
        np.where(present, sure, weight).astype(np.float32),
    )


def mix(one: Example, other: Example, snr_db: float) -> Example:
    """Add one example to another, at the level of the first.

    Parameters
    ----------
    one, other : Example
        Of the same length and classes.
    snr_db : float
        20*log10(rms(one) / rms(scaled other)).

    Returns
    -------
    Example
        Of the first one's kind, and as loud as it: loudness does not tell mixed rows. Where either
        is silent they are added as they are.
    """
    level = rms(one.waveform)
    if min(level, rms(other.waveform)) < LEAST_RMS:
        waveform = one.waveform + other.waveform
    else:
        waveform = mix_at_snr(one.waveform, other.waveform, snr_db)
        # two parts may cancel out; then there is no level to keep
        waveform = waveform * np.float32(level / max(rms(waveform), LEAST_RMS))
    return replace(one, waveform=waveform, cells=join_cells(one.cells, other.cells))
