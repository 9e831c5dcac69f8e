"""From rates of hidden positives to settings of a pool whose rows would have claimed them.

Three forms of setting (`negmine.building.general.Audited`): one that rows claim as it is
(``external``); a share kept for each second, of which rows claim a power (``fp``); and one whose
doubt, times something, is a row's (``erase``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import brentq

from negmine.audit.hidden_rates import Audit, HiddenRate
from negmine.building.settings import PoolSettings
from negmine.intervals import Rate

# No setting is made lower: a claim that is hardly ever true is better left out of the pool.
LOWEST = 0.01


@dataclass(frozen=True)
class NewConfidence:
    """What an audit makes of a setting.

    Attributes
    ----------
    section, name : str
        Of `negmine.building.settings.PoolSettings`.
    before, after : float or None
        None where not known; ``reason`` says why.
    """

    section: str
    name: str
    before: float | None
    after: float | None
    heard: int
    reason: str = ""


def supported_doubt(found: HiddenRate, sensitivity: Rate, prior: float) -> float:
    """Estimate the rate of hidden positives to expect after an audit.

    What is unsure counts as present. The rate is corrected for what the listener misses, then
    joined with what was claimed before (`negmine.intervals.Rate.with_prior`).

    Parameters
    ----------
    sensitivity : Rate
        On the controls; without any, the listener is taken to miss nothing.
    prior : float
        How many clips the claim counts as.
    """
    share = sensitivity.estimate if sensitivity.hits else 1.0
    corrected = replace(found.most, estimate=min(1.0, found.most.estimate / share))
    return corrected.with_prior(found.claimed, prior)


def new_confidences(audit: Audit, settings: Mapping[str, Any], prior: float) -> list[NewConfidence]:
    """Find settings with which the audited rows would claim, on average, what they should.

    Parameters
    ----------
    audit : Audit
        Of a pool.
    settings : mapping
        What the pool was built with.
    prior : float
        See `supported_doubt`.
    """
    out = []
    for kind, source in PoolSettings().sources().items():
        if source.audited is None:
            continue
        name, form = source.audited.setting, source.audited.form
        found, confidence, weight = audit.of(source.audited.certificate, kind)
        if not len(confidence):
            continue
        before, after, reason = settings.get(kind, {}).get(name), None, ""
        heard = audit.sensitivity.rate
        doubt = supported_doubt(found, heard, prior)
        if heard.trials and not heard.hits:
            reason = f"the listener heard none of {heard.trials} controls"
        elif form == "itself":
            after = 1 - doubt
        elif before is None:
            reason = "the pool does not say what it was built with"
        elif before >= 1 or not (confidence < 1).any():
            reason = "its rows claim no doubt, so there is nothing to set it by"
        elif form == "doubt":
            after = 1 - (1 - before) * doubt / found.claimed
        else:
            after = before ** _exponent(confidence, weight, doubt, before)
        if after is not None:
            after = round(min(1.0, max(LOWEST, after)), 4)
        out.append(NewConfidence(kind, name, before, after, len(confidence), reason))
    return out


def _exponent(confidence: np.ndarray, weight: np.ndarray, doubt: float, before: float) -> float:
    """Find the power at which confidences leave this mean doubt; the greatest, if none does."""
    greatest = float(np.log(LOWEST) / np.log(before))

    def excess(power: float) -> float:
        return float(np.average(confidence**power, weights=weight)) - (1 - doubt)

    if excess(greatest) > 0:
        return greatest
    return float(brentq(excess, 0.0, greatest))
