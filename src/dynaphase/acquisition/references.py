"""Acquisitions that look at nothing: what the others have to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dynaphase.acquisition.pool import IndexArray, Pool

__all__ = ["Random", "Sobol"]


@dataclass(frozen=True, slots=True)
class Random:
    """Uniformly random candidates, with levels of fidelity at the top: the reference to beat."""

    name: str = "random"
    needs_posterior: bool = False

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> IndexArray:
        """See `Acquisition.select`."""
        return rng.permutation(np.flatnonzero(pool.available() & pool.is_top))[:n].astype(np.intp)


@dataclass(frozen=True, slots=True)
class Sobol:
    """Candidates in the order of the pool, which the caller draws as a Sobol sequence: space-filling, blind."""

    name: str = "sobol"
    needs_posterior: bool = False

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> IndexArray:
        """See `Acquisition.select`; `rng` is not used."""
        return np.flatnonzero(pool.available() & pool.is_top)[:n]
