"""Acquisitions: which candidates to simulate next.

An acquisition is a small object with one method, ``select(pool, n, rng)``, that reads a `Pool` (candidates in the
unit cube and, if it needs one, their joint posterior) and answers with indices.  It knows no Gaussian process: the
posterior is three arrays, so closed forms test it.

All joint choices rest on one step: once candidate b has been observed with noise variance r, a Gaussian knows
every other candidate better by

    cov(i, j) ← cov(i, j) − cov(i, b) cov(b, j)/(cov(b, b) + r)

whatever the observation will be.  Choosing greedily and applying it after every choice spreads a batch by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from dynaphase.errors import ConfigError, InputError, unknown_choice
from dynaphase.surrogate.prediction import JointPosterior
from dynaphase.surrogate.replicates import group_rows
from dynaphase.surrogate.targets import FloatArray

__all__ = [
    "ACQUISITIONS",
    "Acquisition",
    "IntegratedVariance",
    "MaxVariance",
    "Pool",
    "Random",
    "Sobol",
    "acquisition_from_name",
    "condition",
]

IndexArray: TypeAlias = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Pool:
    """Candidates to choose from.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Candidates in the unit cube.
    posterior : JointPosterior, optional
        Joint posterior at `X`; acquisitions with ``needs_posterior`` read it.
    simulated : sequence of int
        Candidates with a record: never chosen, and the posterior knows them already.
    pending : sequence of int
        Candidates whose simulation is under way: never chosen, and the posterior is first conditioned on them.
    """

    X: FloatArray
    posterior: JointPosterior | None = None
    simulated: Sequence[int] = ()
    pending: Sequence[int] = ()

    def __post_init__(self) -> None:
        n = len(self.X)
        if self.posterior is not None and self.posterior.mean.shape[1] != n:
            raise InputError(f"the pool has {n} candidates but its posterior {self.posterior.mean.shape[1]}")
        for index in (*self.simulated, *self.pending):
            if not 0 <= index < n:
                raise InputError(f"candidate {index} is not in a pool of {n}")

    def available(self) -> npt.NDArray[np.bool_]:
        """Mask (n,) of the candidates that may be chosen: none with a taken copy, the first of several copies."""
        distinct, group = group_rows(self.X)
        is_taken = np.zeros(len(distinct), dtype=bool)
        is_taken[group[np.array([*self.simulated, *self.pending], dtype=np.intp)]] = True
        is_first = np.zeros(len(self.X), dtype=bool)
        is_first[np.unique(group, return_index=True)[1]] = True
        return is_first & ~is_taken[group]


@runtime_checkable
class Acquisition(Protocol):
    """Chooses candidates; implementations are frozen and hold no data."""

    @property
    def name(self) -> str:
        """Short name, as in a configuration."""
        ...

    @property
    def needs_posterior(self) -> bool:
        """Whether `Pool.posterior` must be there."""
        ...

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> IndexArray:
        """Indices of `n` different available candidates, best first; fewer if the pool holds fewer."""
        ...


@dataclass(frozen=True, slots=True)
class MaxVariance:
    """The candidate of highest predictive variance, summed over targets in standardised units.

        score(x) = Σ_t w_t var_t(x)

    A batch is greedy, each choice conditioned on those before it.  The variance is that of the smooth response:
    with the noise added, the choice would chase noise that no simulation removes.

    Parameters
    ----------
    weights : tuple of float, optional
        w_t, one a target; equal by default.
    """

    weights: tuple[float, ...] | None = None
    name: str = "max-variance"
    needs_posterior: bool = True

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> IndexArray:
        """See `Acquisition.select`; ties go to the first, `rng` is not used."""
        weights = self.weights

        def score(covariance: FloatArray, noise: FloatArray) -> FloatArray:
            return _weighted(np.einsum("tii->ti", covariance), weights)

        return _greedy(self.name, score, pool, n)


@dataclass(frozen=True, slots=True)
class IntegratedVariance:
    """The candidate whose evaluation would remove most variance from the whole pool, summed over targets.

        score(x) = Σ_t w_t Σ_j cov_t(x, x_j)²/(cov_t(x, x) + r_t(x))

    It asks what an evaluation teaches about all others, so that noise and lonely corners attract it less
    (the expected reduction of variance of doi:10.1613/jair.295, for a Gaussian process and summed over the pool).

    Parameters
    ----------
    weights : tuple of float, optional
        w_t, one a target; equal by default.
    """

    weights: tuple[float, ...] | None = None
    name: str = "integrated-variance"
    needs_posterior: bool = True

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> IndexArray:
        """See `Acquisition.select`; ties go to the first, `rng` is not used."""
        weights = self.weights

        def score(covariance: FloatArray, noise: FloatArray) -> FloatArray:
            removed = np.einsum("tij,tij->ti", covariance, covariance)
            return _weighted(removed / (np.einsum("tii->ti", covariance) + noise), weights)

        return _greedy(self.name, score, pool, n)


@dataclass(frozen=True, slots=True)
class Random:
    """Uniformly random candidates: the reference that every other acquisition has to beat."""

    name: str = "random"
    needs_posterior: bool = False

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> IndexArray:
        """See `Acquisition.select`."""
        return rng.permutation(np.flatnonzero(pool.available()))[:n].astype(np.intp)


@dataclass(frozen=True, slots=True)
class Sobol:
    """Candidates in the order of the pool, which the caller draws as a Sobol sequence: space-filling, blind."""

    name: str = "sobol"
    needs_posterior: bool = False

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> IndexArray:
        """See `Acquisition.select`; `rng` is not used."""
        return np.flatnonzero(pool.available())[:n]


ACQUISITIONS: Final[dict[str, Callable[[], Acquisition]]] = {
    "max-variance": MaxVariance,
    "integrated-variance": IntegratedVariance,
    "random": Random,
    "sobol": Sobol,
}
"""Name → acquisition with its default options."""


def acquisition_from_name(name: str) -> Acquisition:
    """Acquisition called `name`: ours, or one that an installed package offers.

    A package offers its own by an entry point in the group ``dynaphase.acquisitions`` that names a callable
    without arguments.

    Raises
    ------
    ConfigError
        If there is none of that name; the message lists what there is and the nearest match.
    """
    from importlib.metadata import entry_points

    if name in ACQUISITIONS:
        return ACQUISITIONS[name]()
    offered = {entry.name: entry for entry in entry_points(group="dynaphase.acquisitions")}
    if name in offered:
        acquisition = offered[name].load()()
        if not isinstance(acquisition, Acquisition):
            raise ConfigError(f"'{offered[name].value}' does not make an acquisition: it needs name and select")
        return acquisition
    raise unknown_choice("acquisition", name, [*ACQUISITIONS, *offered])


def condition(covariance: FloatArray, noise: FloatArray, index: int) -> None:
    """Update `covariance` (t, n, n) in place for an observation of candidate `index` with `noise` (t, n)."""
    for target, r in enumerate(noise[:, index]):
        column = covariance[target, :, index]
        total = column[index] + r
        if total > 0:  # a candidate known exactly teaches nothing
            covariance[target] -= np.outer(column, column / total)


def _greedy(name: str, score: Callable[[FloatArray, FloatArray], FloatArray], pool: Pool, n: int) -> IndexArray:
    if pool.posterior is None:
        raise InputError(f"the acquisition {name} needs the posterior of the pool, which is missing")
    covariance, noise = pool.posterior.covariance.copy(), pool.posterior.noise
    for index in pool.pending:
        condition(covariance, noise, index)
    available = pool.available()
    chosen: list[int] = []
    while available.any() and len(chosen) < n:
        best = int(np.argmax(np.where(available, score(covariance, noise), -np.inf)))
        chosen.append(best)
        available[best] = False
        condition(covariance, noise, best)
    return np.array(chosen, dtype=np.intp)


def _weighted(scores: FloatArray, weights: tuple[float, ...] | None) -> FloatArray:
    if weights is None:
        return np.asarray(scores.sum(axis=0))
    if len(weights) != len(scores):
        raise InputError(f"{len(scores)} targets need {len(scores)} weights, not {len(weights)}")
    return np.asarray(np.array(weights) @ scores)
