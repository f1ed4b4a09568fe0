"""Where simulations succeed: the probability that one is done, learned from done and failed records.

A failed simulation says nothing of conductivity, but something of the place: the solver or the chemistry fails
there.  A Gaussian process for yes and no (`binary_gp`) over the unit cube learns where.  Replicates of a composition
count together, so some may be done and others failed.

*  Nothing failed yet: the probability is (n + ½)/(n + 1) everywhere (Jeffreys' Beta(½, ½)).  Records that are all
   alike show no direction in which failures could lie, and a constant turns no search away from unseen regions.
*  Everything failed: prior medians.  The probability is low near the failures and rises away from them, which
   sends the search elsewhere.
*  Otherwise: hyperparameters of highest posterior, on at most 300 compositions; then all compositions.

The probability is a mean over what is not known of the latent function, so it is strictly inside (0, 1), near ½ at a
boundary, and tends to the share of done compositions far from data: a failure beside a boundary lowers the
probability there, and successes raise it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.errors import FitError
from dynaphase.surrogate import binary_gp
from dynaphase.surrogate.ladder import Rung
from dynaphase.surrogate.replicates import group_rows
from dynaphase.surrogate.targets import FloatArray

__all__ = ["Feasibility", "FeasibilityReport", "fit_feasibility"]

_MOST_FOR_HYPERPARAMETERS: Final = 300
_CHUNK: Final = 512


@dataclass(frozen=True, slots=True)
class FeasibilityReport:
    """How the feasibility was fitted, for the record and the report.

    `rung` is `Rung.OPTIMISED`, `Rung.PRIOR_MEDIANS` (all failed, or the optimisation did) or `Rung.CONSTANT` (all
    done, or nothing else worked); `message` says why it is not the first.
    """

    rung: Rung
    message: str
    n_done: int
    """Rows that are done."""
    n_failed: int
    """Rows that failed."""
    n_compositions: int
    n_for_hyperparameters: int = 0
    hyperparameters: Mapping[str, Any] | None = None

    @property
    def is_fallback(self) -> bool:
        """Whether both outcomes were there and yet the first way of fitting failed."""
        return self.rung is not Rung.OPTIMISED and min(self.n_done, self.n_failed) > 0


@dataclass(frozen=True, slots=True)
class Feasibility:
    """Probability that a simulation is done, over the unit cube."""

    report: FeasibilityReport
    n_dimensions: int
    latent: Callable[[FloatArray], tuple[FloatArray, FloatArray]] | None
    """Mean and variance (n,) of f at X (n, d); None where the probability is `share` everywhere."""
    share: float
    """(n_done + ½)/(n + 1) over rows."""

    def probability(self, X: npt.ArrayLike) -> FloatArray:
        """P(done) at `X` (n, d), shape (n,), strictly inside (0, 1).

        Raises
        ------
        FitError
            If `X` has another number of dimensions or is not finite.
        """
        inputs = _checked(X, self.n_dimensions)
        if self.latent is None:
            return np.full(len(inputs), self.share)
        parts = [self.latent(inputs[start : start + _CHUNK]) for start in range(0, len(inputs), _CHUNK)]
        return np.concatenate([binary_gp.mean_probability(mean, variance) for mean, variance in parts])


def fit_feasibility(X: npt.ArrayLike, is_done: npt.ArrayLike, seed: int = 0) -> Feasibility:
    """Learn where simulations are done.

    Parameters
    ----------
    X : array_like, shape (n_rows, d)
        Compositions in the unit cube, one row a record; equal rows are replicates.
    is_done : array_like of bool, shape (n_rows,)
        Whether the simulation of that row was done (False: it failed).
    seed : int
        Seed of the subset that chooses hyperparameters when there are more than 300 compositions.

    Raises
    ------
    FitError
        If shapes disagree, there is no row, or `X` is not finite.  A fit that fails raises nothing: the report says so.
    """
    from threadpoolctl import threadpool_limits

    inputs, done = _checked(X), np.asarray(is_done)
    if done.shape != (len(inputs),) or not np.isin(done, (0, 1)).all():
        raise FitError(f"{len(inputs)} records need {len(inputs)} outcomes, each True (done) or False (failed)")
    done = done.astype(bool)
    distinct, index = group_rows(inputs)
    n_trials = np.bincount(index, minlength=len(distinct)).astype(float)
    n_yes = np.bincount(index, done, minlength=len(distinct)).astype(float)
    with threadpool_limits(1):
        rung, message, chosen, theta, latent = _climb(distinct, n_yes, n_trials, seed)
    report = FeasibilityReport(
        rung=rung,
        message=message,
        n_done=int(done.sum()),
        n_failed=int((~done).sum()),
        n_compositions=len(distinct),
        n_for_hyperparameters=chosen,
        hyperparameters=None if theta is None else _named(theta),
    )
    return Feasibility(report, inputs.shape[1], latent, float((done.sum() + 0.5) / (len(done) + 1)))


_Latent = Callable[[FloatArray], tuple[FloatArray, FloatArray]]


def _climb(
    X: FloatArray, n_yes: FloatArray, n_trials: FloatArray, seed: int
) -> tuple[Rung, str, int, FloatArray | None, _Latent | None]:
    """First rung that works: rung, why not a better one, compositions for the hyperparameters, these, f."""
    n_failed = float((n_trials - n_yes).sum())
    if n_failed == 0:
        return Rung.CONSTANT, "no simulation has failed yet: the same probability everywhere", 0, None, None
    failures = []
    if n_yes.sum() > 0:
        chosen = _subset(n_yes, n_trials, seed)
        try:
            theta = binary_gp.optimise(X[chosen], n_yes[chosen], n_trials[chosen])
            latent = _conditioned(theta, X[chosen], n_yes[chosen], n_trials[chosen])
            if len(chosen) < len(X):
                near = binary_gp.sites_near(*latent(X), n_yes, n_trials)
                latent = _conditioned(theta, X, n_yes, n_trials, near)
        except (FitError, ArithmeticError, ValueError, np.linalg.LinAlgError) as error:
            failures.append(f"{Rung.OPTIMISED}: {error}")
        else:
            return Rung.OPTIMISED, "", len(chosen), theta, latent
    else:
        failures.append("every simulation has failed: nothing shows how far the failures reach")
    theta = binary_gp.prior_medians(X.shape[1])
    try:
        latent = _conditioned(theta, X, n_yes, n_trials)
    except (FitError, ArithmeticError, ValueError, np.linalg.LinAlgError) as error:
        failures.append(f"{Rung.PRIOR_MEDIANS}: {error}")
        return Rung.CONSTANT, "; ".join(failures), 0, None, None
    return Rung.PRIOR_MEDIANS, "; ".join(failures), 0, theta, latent


def _conditioned(
    theta: FloatArray, X: FloatArray, n_yes: FloatArray, n_trials: FloatArray, start: FloatArray | None = None
) -> _Latent:
    found = binary_gp.approximate(binary_gp.covariance(theta, X, X), n_yes, n_trials, start)

    def latent(at: FloatArray) -> tuple[FloatArray, FloatArray]:
        return binary_gp.latent_moments(theta, X, found, at)

    if not np.isfinite(np.concatenate(latent(X[:_CHUNK]))).all():
        raise FitError("the feasibility predicts values that are not finite")
    return latent


def _subset(n_yes: FloatArray, n_trials: FloatArray, seed: int) -> npt.NDArray[np.intp]:
    """At most 300 compositions, of those with and without a failure in equal shares as far as there are any."""
    if len(n_yes) <= _MOST_FOR_HYPERPARAMETERS:
        return np.arange(len(n_yes))
    rng = np.random.default_rng(seed)
    failed, done = (rng.permutation(np.flatnonzero(mask)) for mask in (n_yes < n_trials, n_yes == n_trials))
    half = _MOST_FOR_HYPERPARAMETERS // 2
    n_failed = max(min(len(failed), half), _MOST_FOR_HYPERPARAMETERS - len(done))
    return np.sort(np.concatenate([failed[:n_failed], done[: _MOST_FOR_HYPERPARAMETERS - n_failed]]))


def _named(theta: FloatArray) -> dict[str, Any]:
    values = [float(v) for v in np.exp(theta)]
    return {"lengthscales": values[:-1], "signal_variance": values[-1]}


def _checked(X: npt.ArrayLike, n_dimensions: int | None = None) -> FloatArray:
    inputs = np.asarray(X, dtype=float)
    if inputs.ndim != 2 or inputs.size == 0 or inputs.shape[1] != (n_dimensions or inputs.shape[1]):
        wanted = "d" if n_dimensions is None else str(n_dimensions)
        raise FitError(f"compositions need an array of shape (n, {wanted}) with n ≥ 1, not {inputs.shape}")
    if not np.isfinite(inputs).all():
        raise FitError("compositions must be finite numbers")
    return inputs
