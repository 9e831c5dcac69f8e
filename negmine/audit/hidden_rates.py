"""From verdicts to rates of hidden positives, and to the confidences that they support.

A hidden positive is a claim that the class is absent which a listener contradicts. Each claim that
was heard stands for as many as its stratum holds over as many as were heard of it. ``unsure`` is
left out of a rate, which is bounded by counting it as absent, and as present.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from negmine.audit.audit_folder import ClipVerdict, Key
from negmine.audit.frames import FIELDS, HARDNESS, Claim
from negmine.intervals import Rate, corrected_rate, plain_rate, survey_rate
from negmine.mining.strata import Heard


@dataclass(frozen=True)
class HiddenRate:
    """The hidden positives of some claims.

    Attributes
    ----------
    rate : Rate
        Of those decided on.
    least, most : Rate
        If all that is unsure were absent, and present.
    claimed : float
        The mean of 1 - confidence: the rate that the certificates admit to.
    estimated : float
        The mean doubt: the rate that mining expected; NaN for a pool.
    corrected : (float, float, float)
        The rate, had the listener missed nothing, and its interval: see
        `negmine.intervals.corrected_rate`.
    """

    rate: Rate
    unsure: int
    least: Rate
    most: Rate
    claimed: float
    estimated: float
    corrected: tuple[float, float, float]

    def to_dict(self) -> dict[str, Any]:
        low, high = self.rate.interval()
        return {
            "heard": self.rate.trials + self.unsure,
            "present": self.rate.hits,
            "unsure": self.unsure,
            "rate": self.rate.estimate,
            "low": low,
            "high": high,
            "effective": self.rate.effective,
            "if_unsure_absent": self.least.estimate,
            "if_unsure_present": self.most.estimate,
            "claimed": self.claimed,
            "estimated": self.estimated,
            "corrected": dict(zip(("rate", "low", "high"), self.corrected, strict=True)),
        }


@dataclass(frozen=True)
class Sensitivity:
    """How many of the blind controls the listener heard.

    Attributes
    ----------
    rate : Rate
        Of those decided on.
    """

    rate: Rate
    unsure: int

    def to_dict(self) -> dict[str, Any]:
        low, high = self.rate.interval()
        return {
            "controls": self.rate.trials + self.unsure,
            "heard": self.rate.hits,
            "unsure": self.unsure,
            "rate": self.rate.estimate,
            "low": low,
            "high": high,
        }


class Audit:
    """Verdicts beside what they were given on.

    Parameters
    ----------
    verdicts : sequence of ClipVerdict
        In the key's order; empty words were not heard.
    """

    def __init__(self, key: Key, verdicts: Sequence[ClipVerdict]) -> None:
        self.key = key
        self._heard = [
            (clip, claim, verdict)
            for clip, claim, verdict in zip(key.clips, key.claims, verdicts, strict=True)
            if verdict.word
        ]
        self.unheard = len(verdicts) - len(self._heard)
        controls = [v.word for _, claim, v in self._heard if claim.control]
        unsure = controls.count("unsure")
        self.sensitivity = Sensitivity(
            plain_rate(controls.count("present"), len(controls) - unsure), unsure
        )
        pairs = [(claim, v.word) for _, claim, v in self._heard if not claim.control]
        self._claims = [claim for claim, _ in pairs]
        self._word = np.array([word for _, word in pairs], dtype="U7")
        strata = sorted({claim.stratum for claim in self._claims})
        self._stratum = np.array([strata.index(c.stratum) for c in self._claims], dtype=np.int64)
        self._size = np.array([claim.stratum_size for claim in self._claims], dtype=np.float64)

    @property
    def unheard_strata(self) -> list[str]:
        """Strata of which nothing was decided: no rate speaks for them."""
        decided = {
            c.stratum for c, word in zip(self._claims, self._word, strict=True) if word != "unsure"
        }
        return sorted({c.stratum for c in self.key.claims if not c.control} - decided)

    def hidden(self, domain: np.ndarray | None = None) -> HiddenRate:
        """Estimate the hidden positives of some audited claims: bool array (n,); all if None."""
        every = np.ones(len(self._claims), dtype=bool)
        inside = every if domain is None else domain
        unsure = self._word == "unsure"
        rate = self._rate(self._word == "present", ~unsure, inside)
        least = self._rate(self._word == "present", every, inside)
        most = self._rate(self._word != "absent", every, inside)
        weight = self._weights(every)[inside]
        shown = np.array([(1 - claim.confidence, claim.doubt) for claim in self._claims])
        claimed, estimated = (
            np.average(shown[inside], axis=0, weights=weight) if len(weight) else (np.nan, np.nan)
        )
        return HiddenRate(
            rate,
            int((unsure & inside).sum()),
            least,
            most,
            float(claimed),
            float(estimated),
            corrected_rate(rate, self.sensitivity.rate),
        )

    def _weights(self, counted: np.ndarray) -> np.ndarray:
        """Return how many claims of its stratum each counted one represents; 0 if not counted."""
        of = np.bincount(self._stratum[counted], minlength=int(self._stratum.max(initial=-1)) + 1)
        return np.where(counted, self._size / np.maximum(of[self._stratum], 1), 0.0)

    def _rate(self, hit: np.ndarray, counted: np.ndarray, inside: np.ndarray) -> Rate:
        weight = self._weights(counted)[counted]
        return survey_rate(hit[counted], weight, self._stratum[counted], inside[counted])

    def rates(self) -> dict[str, dict[str, HiddenRate]]:
        """Estimate rates of all, by stratum and by field: ``{"all": {"": ...}, "kind": {...}}``."""
        out = {"all": {"": self.hidden()}}
        by = self.key.about["by"]
        fields = {name: [_value(c, name) for c in self._claims] for name in FIELDS}
        if len(by) > 1:
            fields["stratum"] = [claim.stratum for claim in self._claims]
        for name, values in fields.items():
            found = sorted(set(values) - {""}, key=_order)
            if found:
                column = np.array(values)
                out[name] = {value: self.hidden(column == value) for value in found}
        return out

    def of(self, certificate: str, kind: str) -> tuple[HiddenRate, np.ndarray, np.ndarray]:
        """Return one certificate of one kind of row.

        Returns
        -------
        hidden : HiddenRate
        confidence, weight : float64 arrays, shape (n,)
            Of its claims that were heard: what each claims, and how many it represents.
        """
        pairs = [(claim.certificate, claim.kind) for claim in self._claims]
        inside = np.array([pair == (certificate, kind) for pair in pairs], dtype=bool)
        confidence = np.array([claim.confidence for claim in self._claims])[inside]
        return self.hidden(inside), confidence, self._weights(np.ones_like(inside))[inside]

    def rows(self) -> list[Heard]:
        """List the claims that were decided on, for mining."""
        return [
            Heard(claim.recipe, claim.label, verdict.word == "present")
            for _, claim, verdict in self._heard
            if not claim.control and verdict.word != "unsure"
        ]

    def contradicted(self) -> list[dict[str, Any]]:
        """List the claims that the listener contradicts, in the order of listening."""
        return [
            {
                "recipe": claim.recipe,
                "class": claim.label,
                "kind": claim.kind,
                "certificate": claim.certificate,
                "confidence": claim.confidence,
                "hardness": claim.hardness,
                "score": claim.score,
                "doubt": claim.doubt,
                "clip": clip,
            }
            for clip, claim, verdict in self._heard
            if not claim.control and verdict.word == "present"
        ]

    def to_dict(self) -> dict[str, Any]:
        about = {
            k: self.key.about[k] for k in ("source", "path", "pool", "pool_digest", "by", "seed")
        }
        return about | {
            "clips": len(self.key.clips),
            "unheard": self.unheard,
            "unheard_strata": self.unheard_strata,
            "sensitivity": self.sensitivity.to_dict(),
            "rates": {
                name: {value: one.to_dict() for value, one in rates.items()}
                for name, rates in self.rates().items()
            },
            "contradicted": self.contradicted(),
        }


def _value(claim: Claim, name: str) -> str:
    return str(getattr(claim, "label" if name == "class" else name))


def _order(value: str) -> tuple[int, str]:
    """Sort hardness from the hardest on, numbers as numbers, names as names."""
    if value in HARDNESS:
        return list(HARDNESS).index(value), value
    return int(value) if value.isdecimal() else 0, value
