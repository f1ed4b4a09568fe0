"""The contract of a strategy, and the two that look at nothing: random and Sobol order.

A *strategy* starts a *player* on a landscape; the player is asked for candidates and told outcomes.  It sees the pool's
fractions and which way is better, never an outcome that it has not paid for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from decisions.inputs import Inputs
from decisions.landscape import FloatArray


class Player(Protocol):
    """One campaign of one strategy."""

    def ask(self, n: int) -> list[int]:
        """Up to `n` candidates of the pool, none that was asked for before."""
        ...

    def tell(self, indices: Sequence[int], values: FloatArray) -> None:
        """Outcomes (n, t) of what was asked for, in natural units; a row of NaN is a failure."""
        ...


class Learner(Player, Protocol):
    """A player that also predicts."""

    def predict(self, place: str) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation (m, t) of z at one of the landscape's judges.

        Of the mean response, or of one run where the judge knows no more.
        """
        ...


class Strategy(Protocol):
    """A way of deciding."""

    @property
    def name(self) -> str:
        """Short name."""
        ...

    def start(self, inputs: Inputs, seed: int) -> Player:
        """Begin a campaign; the same seed plays the same way."""
        ...


N_INITIAL: Final = 3
"""Random evaluations before a strategy that learns decides anything; the same ones for all of them."""


def first_random(n: int, seed: int) -> list[int]:
    """The pool in random order: what every learning strategy with this seed begins with."""
    return [int(i) for i in np.random.default_rng([seed, 1]).permutation(n)]


@dataclass
class FixedOrder:
    """Plays an order that was known beforehand."""

    order: list[int]
    n_asked: int = 0

    def ask(self, n: int) -> list[int]:
        chosen = self.order[self.n_asked : self.n_asked + n]
        self.n_asked += len(chosen)
        return chosen

    def tell(self, indices: Sequence[int], values: FloatArray) -> None:
        """Nothing is learned."""


@dataclass(frozen=True)
class RandomOrder:
    """Uniformly random candidates."""

    name: str = "random"

    def start(self, inputs: Inputs, seed: int) -> FixedOrder:
        return FixedOrder(first_random(inputs.landscape.n, seed))


@dataclass(frozen=True)
class SobolOrder:
    """A scrambled Sobol sequence on the simplex, each point taken to the nearest candidate that is left."""

    name: str = "sobol"

    def start(self, inputs: Inputs, seed: int) -> FixedOrder:
        from scipy.stats import qmc

        fractions = inputs.fractions("pool")
        n, k = fractions.shape
        sequence = qmc.Sobol(k - 1, scramble=True, rng=np.random.default_rng([seed, 2]))
        points = sequence.random_base2((n - 1).bit_length())
        ranges = np.ptp(fractions, axis=0)
        low = fractions.min(axis=0)
        kept = points ** (1 / np.arange(k - 1, 0, -1))  # broken sticks: uniform on the simplex
        left = np.cumprod(np.hstack([np.ones((len(points), 1)), kept]), axis=1)
        shares = np.hstack([left[:, :-1] * (1 - kept), left[:, -1:]])
        if (low + shares * ranges).sum(axis=1).std() > 1e-6:  # not a simplex: a box in its fractions
            shares = shares / shares.max(axis=0)
        return FixedOrder(nearest_first(fractions, low + shares * ranges)[:n])


def nearest_first(fractions: FloatArray, wanted: FloatArray) -> list[int]:
    """For each wanted point the nearest candidate that is not taken yet; what is left at the end follows in order."""
    free = np.ones(len(fractions), dtype=bool)
    order = []
    for point in wanted:
        if not free.any():
            break
        order.append(nearest_free(fractions, point, free))
        free[order[-1]] = False
    return order + [int(i) for i in np.flatnonzero(free)]


def nearest_free(fractions: FloatArray, point: FloatArray, free: np.ndarray) -> int:
    """Index of the free candidate nearest to `point`."""
    squares = ((fractions - point) ** 2).sum(axis=1)
    return int(np.argmin(np.where(free, squares, np.inf)))
