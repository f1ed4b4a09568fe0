"""What there is to choose from, and what an acquisition is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from dynaphase.acquisition.goal import Goal
from dynaphase.errors import InputError
from dynaphase.surrogate.prediction import JointPosterior
from dynaphase.surrogate.replicates import group_rows
from dynaphase.surrogate.surrogate import Surrogate
from dynaphase.surrogate.targets import FloatArray

__all__ = ["Acquisition", "IndexArray", "Pool", "make_pool", "posterior_of", "top_rows"]

IndexArray: TypeAlias = npt.NDArray[np.intp]

_SAME: float = 1e-9


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
        Candidates with a record: never chosen, and the posterior knows them already.  They are the incumbents.
    pending : sequence of int
        Candidates whose simulation is under way: never chosen, and the posterior is first conditioned on them.
    failed : sequence of int
        Candidates whose simulation failed: never chosen, no incumbents; for acquisitions of variance they count as
        known, or the same hole would draw every batch.
    feasibility : ndarray, shape (n,), optional
        Probability that an evaluation succeeds at all; 1 everywhere if left out.
    cost : ndarray, shape (n,), optional
        Relative cost of an evaluation, > 0; equal if left out.
    weight : ndarray, shape (n,), optional
        Weight ≥ 0 of each candidate in an integral over the pool.  If left out: 1, with levels only for top rows.
    goal : Goal, optional
        What is wanted: acquisitions that improve something need it.
    top : ndarray of int, shape (n,), optional
        With levels of fidelity, the row that holds the same composition at the top level: its own index for a
        top-level row, −1 where the pool has none.  Left out: every row is at the top.
    """

    X: FloatArray
    posterior: JointPosterior | None = None
    simulated: Sequence[int] = ()
    pending: Sequence[int] = ()
    failed: Sequence[int] = ()
    feasibility: FloatArray | None = None
    cost: FloatArray | None = None
    weight: FloatArray | None = None
    goal: Goal | None = None
    top: IndexArray | None = None

    def __post_init__(self) -> None:
        n = len(self.X)
        if self.posterior is not None:
            if self.posterior.n_candidates != n:
                raise InputError(f"the pool has {n} candidates but its posterior {self.posterior.n_candidates}")
            if not (np.isfinite(self.posterior.mean).all() and np.isfinite(self.posterior.noise).all()):
                raise InputError("the posterior of the pool has values that are not finite; look at the fit")
        for index in (*self.simulated, *self.pending, *self.failed):
            if not 0 <= index < n:
                raise InputError(f"candidate {index} is not in a pool of {n}")
        for name, least, most in (("feasibility", 0.0, 1.0), ("cost", 0.0, np.inf), ("weight", 0.0, np.inf)):
            self._check(name, least, most)
        if self.cost is not None and not (self.cost > 0).all():
            raise InputError(f"every cost must be above 0; that of candidate {int(np.argmin(self.cost))} is not")
        if self.weight is not None and n and not self.weight.any():
            raise InputError("every weight of the pool is 0: nothing would count")
        if self.top is not None:
            self._check_top(self.top)

    def _check(self, name: str, least: float, most: float) -> None:
        values = getattr(self, name)
        if values is None:
            return
        if values.shape != (len(self.X),):
            raise InputError(f"a pool of {len(self.X)} candidates needs as many values of {name}, not {values.shape}")
        wrong = ~(np.isfinite(values) & (values >= least) & (values <= most))
        if wrong.any():
            index = int(np.flatnonzero(wrong)[0])
            allowed = "a finite number ≥ 0" if most == np.inf else "a probability between 0 and 1"
            raise InputError(f"the {name} of candidate {index} must be {allowed}, not {values[index]}")

    def _check_top(self, top: IndexArray) -> None:
        if top.shape != (len(self.X),) or ((top < -1) | (top >= len(self.X))).any():
            raise InputError(f"'top' needs one row of the pool (or -1) for each of its {len(self.X)} candidates")
        named = top[top >= 0]
        if (top[named] != named).any():
            raise InputError("'top' names a row that is not at the top level itself")

    @property
    def is_top(self) -> npt.NDArray[np.bool_]:
        """Mask (n,) of the rows at the top level."""
        return np.ones(len(self.X), dtype=bool) if self.top is None else self.top == np.arange(len(self.X))

    @property
    def probability(self) -> FloatArray:
        """Probability (n,) that an evaluation succeeds; 1 if it is 0 for all that may be chosen: it tells nothing."""
        if self.feasibility is None or not self.feasibility[self.available()].any():
            return np.ones(len(self.X))
        return self.feasibility

    @property
    def costs(self) -> FloatArray:
        """Relative costs (n,)."""
        return np.ones(len(self.X)) if self.cost is None else self.cost

    @property
    def weights(self) -> FloatArray:
        """Weights (n,) of an integral over the pool."""
        return self.is_top.astype(float) if self.weight is None else self.weight

    def available(self) -> npt.NDArray[np.bool_]:
        """Mask (n,) of the candidates that may be chosen: none with a taken copy, the first of several copies."""
        distinct, group = group_rows(self.X)
        is_taken = np.zeros(len(distinct), dtype=bool)
        is_taken[group[np.array([*self.simulated, *self.pending, *self.failed], dtype=np.intp)]] = True
        is_first = np.zeros(len(self.X), dtype=bool)
        is_first[np.unique(group, return_index=True)[1]] = True
        return is_first & ~is_taken[group]


@runtime_checkable
class Acquisition(Protocol):
    """Chooses candidates; implementations are frozen and hold no data.

    One that reads `Pool.goal` says so by an attribute ``needs_goal = True``.
    """

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


def posterior_of(pool: Pool, name: str) -> JointPosterior:
    """The posterior of the pool, which the acquisition `name` cannot do without.

    Raises
    ------
    InputError
        If there is none.
    """
    if pool.posterior is None:
        raise InputError(f"the acquisition {name} needs the posterior of the pool, which is missing")
    return pool.posterior


def make_pool(
    offered: FloatArray,
    surrogate: Surrogate | None = None,
    *,
    simulated: FloatArray | None = None,
    pending: FloatArray | None = None,
    failed: FloatArray | None = None,
    targets: Sequence[str] | None = None,
    n_replicates: int = 1,
    goal: Goal | None = None,
    feasibility: Callable[[FloatArray], FloatArray] | None = None,
    cost: FloatArray | None = None,
    level_column: int | None = None,
) -> Pool:
    """The pool of `offered` candidates (n, d), followed by what is simulated, pending and failed.

    An index that an acquisition answers is a row of `offered`.

    Parameters
    ----------
    offered : ndarray, shape (n, d)
        What may be chosen, in the unit cube; with levels of fidelity one row for each composition and level.
    surrogate : Surrogate, optional
        Gives the posterior; acquisitions that are blind do without.
    simulated, pending, failed : ndarray, shape (k, d), optional
        See `Pool`; rows equal to an offered one take it, copies (replicates) count once.
    targets : sequence of str, optional
        What is to be learned; by default those of the goal, else all of the surrogate.
    n_replicates : int
        Runs that one evaluation will average.
    feasibility : callable, optional
        (n, d) → probability (n,) that an evaluation succeeds.
    cost : ndarray, shape (n,), optional
        Relative cost of each offered row.
    level_column : int, optional
        Column of the rows that holds the level, 1 at the top.
    """
    others = [
        np.empty((0, offered.shape[1])) if rows is None else group_rows(rows)[0]
        for rows in (simulated, pending, failed)
    ]
    X = np.concatenate([offered, *others])
    edges = np.cumsum([len(offered), *map(len, others)]).tolist()
    if targets is None and goal is not None:
        targets = goal.targets
    return Pool(
        X,
        None if surrogate is None else surrogate.posterior(X, targets, n_replicates=n_replicates),
        simulated=range(edges[0], edges[1]),
        pending=range(edges[1], edges[2]),
        failed=range(edges[2], edges[3]),
        feasibility=None if feasibility is None else np.clip(feasibility(X), 0.0, 1.0),
        cost=None if cost is None else np.concatenate([cost, np.ones(len(X) - len(offered))]),
        weight=_weight_of_offered(X, len(offered), level_column),
        goal=goal,
        top=None if level_column is None else top_rows(X, level_column),
    )


def top_rows(X: FloatArray, level_column: int) -> IndexArray:
    """For each row of `X` (n, d) the first one with the same composition at the top level; −1 where there is none."""
    _, group = group_rows(np.delete(X, level_column, axis=1))
    found = np.full(group.max(initial=-1) + 1, -1, dtype=np.intp)
    at_top = np.flatnonzero(np.abs(X[:, level_column] - 1) < _SAME)
    found[group[at_top[::-1]]] = at_top[::-1]
    return np.asarray(found[group])


def _weight_of_offered(X: FloatArray, n_offered: int, level_column: int | None) -> FloatArray:
    """1 for what is offered at the top level: where records lie does not say what matters."""
    counts = np.arange(len(X)) < n_offered
    if level_column is not None:
        counts &= np.abs(X[:, level_column] - 1) < _SAME
    return counts.astype(float) if counts.any() else np.ones(len(X))
