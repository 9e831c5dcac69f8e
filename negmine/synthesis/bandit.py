"""A bandit: which of many arms to try next, when each try may find something.

Numbers alone. A try of an arm finds a count of things, 0 or more, taken as Poisson with an unknown
rate. The rate's prior is a Gamma distribution, its conjugate, so that what is known of an arm after
n tries that found k is ``Gamma(shape=s*m + k, rate=s + n)``: m is what is expected of it
beforehand, s how many tries that expectation is worth. Thompson sampling draws a rate for every arm
and takes the highest (Thompson 1933; Chapelle and Li 2011, "An empirical evaluation of Thompson
sampling").

Arms are combinations of a few factors, such as a class and an operation, and may be more than there
are tries. So an untried arm is expected to do as its factors have done elsewhere: the overall
rate, times for each factor the ratio of its level's rate to the overall one.

Rates fall as what is easy to find has been found: old tries fade by a discount with every new one
(Raj and Kalyani 2017, "Taming non-stationary bandits").
"""

from __future__ import annotations

import numpy as np

# A level of a factor is taken to do as all do until it has been tried about as often as this.
_LEVEL_TRIES = 4.0


class Bandit:
    """Thompson sampling over arms that find counts, with a prior by factors.

    Parameters
    ----------
    factors : int array, shape (A, F)
        For each arm its level of each factor.
    expected : float
        Finds a try before anything is known. High, so that nothing goes untried.
    prior_tries : float
        How many tries an expectation by factors is worth.
    discount : float
        In (0, 1]: what a try counts for after one more.
    """

    def __init__(
        self,
        factors: np.ndarray,
        *,
        expected: float = 0.5,
        prior_tries: float = 6.0,
        discount: float = 0.999,
    ) -> None:
        self._factors = np.asarray(factors, dtype=np.int64)
        self._expected = expected
        self._prior_tries = prior_tries
        self._discount = discount
        self.tries = np.zeros(len(self._factors))
        self.finds = np.zeros(len(self._factors))

    def expectation(self) -> np.ndarray:
        """Return each arm's expected finds a try, by its factors alone: float64, shape (A,)."""
        overall = (self.finds.sum() + self._expected) / (self.tries.sum() + 1.0)
        out = np.full(len(self._factors), overall)
        for levels in self._factors.T:
            tries = np.bincount(levels, weights=self.tries)
            finds = np.bincount(levels, weights=self.finds)
            rate = (finds + _LEVEL_TRIES * overall) / (tries + _LEVEL_TRIES)
            out *= (rate / overall)[levels]
        return out

    def posterior(self) -> tuple[np.ndarray, np.ndarray]:
        """Shape and rate of what is known of each arm: two float64 arrays, shape (A,)."""
        prior = self._prior_tries
        return prior * self.expectation() + self.finds, prior + self.tries

    def choose(self, rng: np.random.Generator, count: int, open_arms: np.ndarray) -> np.ndarray:
        """Choose arms to try next: int64, shape (count,), with repeats.

        Parameters
        ----------
        open_arms : bool array, shape (A,)
            Which can be tried.

        Raises
        ------
        ValueError
            If none can.
        """
        usable = np.flatnonzero(open_arms)
        if not len(usable):
            raise ValueError("no arm can be tried")
        shape, rate = self.posterior()
        drawn = rng.gamma(shape[usable], 1.0 / rate[usable], (count, len(usable)))
        return np.asarray(usable[drawn.argmax(axis=1)])

    def learn(self, arms: np.ndarray, found: np.ndarray) -> None:
        """Learn from what some tries found: int array and float array, shape (n,), in order."""
        # a try that has k after it counts discount**k; those before the batch fade by all of it
        age = self._discount ** np.arange(len(arms) - 1, -1, -1)
        for known, values in ((self.tries, age), (self.finds, age * found)):
            known *= self._discount ** len(arms)
            np.add.at(known, arms, values)
