"""The ladder of fits: an optimisation that fails costs accuracy, never results.

Each rung makes a model of the same data with less trust in the optimiser, then in the data; the first whose
predictions are finite is taken, and `FitReport` says which, and why the better ones failed.

Hyperparameters are learned on at most `MOST_FOR_HYPERPARAMETERS` compositions, drawn at random where there are more: a
few numbers need no more than that.  The posterior is conditioned on all of them, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from dynaphase.errors import FitError
from dynaphase.surrogate.gp import (
    SAME_LEVEL,
    SLOPE_VARIANCE,
    TrainingData,
    lower_levels,
    make_gaussian_process,
    make_single_task_gp,
    nugget_of,
    posterior_moments,
    quiet_torch,
    smooth_covariance,
)
from dynaphase.surrogate.targets import FloatArray

__all__ = ["MOST_FOR_HYPERPARAMETERS", "FitReport", "Rung", "climb", "hyperparameters_of", "n_for_hyperparameters"]

MOST_FOR_HYPERPARAMETERS: Final = 600
"""With more compositions hyperparameters are learned on a subset of so many: a fit of 2,000 stays within seconds."""

_RESTARTS: Final = 5
_FIRST_NUGGET: Final = 0.1  # from a noisy start the lengths grow; from a quiet one they first shrink to fit the noise
_ADAM_STEPS: Final = 150
_ADAM_RATE: Final = 0.05  # of logarithms: 150 steps reach a factor e⁷
_LEAST_MISFIT: Final = 1e-5


class Rung(StrEnum):
    """How a target was fitted, best first; everything below `OPTIMISED` is a fallback."""

    OPTIMISED = "optimised"
    """Marginal posterior maximised by L-BFGS-B from the prior medians, the nugget from above."""
    RESTARTED = "restarted"
    """The same, the best of several starts drawn from the priors."""
    ADAM = "adam"
    """The same, by first-order steps without a line search."""
    PRIOR_MEDIANS = "prior medians"
    """Gaussian process with hyperparameters fixed at their prior medians."""
    LINEAR = "linear"
    """Bayesian linear regression on the compositions."""
    CONSTANT = "constant"
    """Mean of the data with its scatter: all that few points allow."""


@dataclass(frozen=True, slots=True)
class FitReport:
    """How one target was fitted, for the record and the report."""

    rung: Rung
    message: str
    n_compositions: int
    n_rows: int
    n_for_hyperparameters: int = 0
    """Compositions on which the hyperparameters were learned; 0 where none were."""
    n_dropped: int = 0
    """Rows without a usable value for this target."""
    n_clipped: int = 0
    """Values moved to the edge of the transform's domain."""
    hyperparameters: Mapping[str, Any] | None = None

    @property
    def is_fallback(self) -> bool:
        """Whether the first way of fitting failed."""
        return self.rung is not Rung.OPTIMISED


def climb(data: TrainingData, seed: int) -> tuple[Any, Rung, str]:
    """First rung of the ladder whose model is sound.

    Returns
    -------
    model, rung, message
        A BoTorch ``SingleTaskGP`` in evaluation mode, how it was reached, and why better rungs failed.

    Raises
    ------
    FitError
        If not even the mean of the data gives a finite prediction.
    """
    n, d = data.X.shape
    rungs = dict(_RUNGS)
    failures: list[str] = []
    if n < 3:
        rungs = {Rung.CONSTANT: rungs[Rung.CONSTANT]}
        failures.append(f"{n} composition{'s' * (n != 1)} cannot show how the response varies: at least 3 are needed")
    elif n < d + 2:
        del rungs[Rung.LINEAR]
    for rung, make in rungs.items():
        try:
            with quiet_torch(seed):
                model = _optimised_on(make, data, seed) if rung in _LEARNING else make(data)
                _check_sound(model, data)
        except Exception as error:  # the libraries raise many types; every one is reported, none may lose results
            failures.append(f"{rung}: {_first_line(error)}")
        else:
            return model, rung, "; ".join(failures)
    raise FitError(f"no surrogate could be fitted to {n} compositions: {'; '.join(failures)}")


def n_for_hyperparameters(rung: Rung, n_compositions: int) -> int:
    """On how many of the compositions the hyperparameters of a rung were learned."""
    return min(n_compositions, MOST_FOR_HYPERPARAMETERS) if rung in _LEARNING else 0


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:160]}" if lines else type(error).__name__


def _check_sound(model: Any, data: TrainingData) -> None:
    mean, variance = posterior_moments(model, data.X)
    parameters = [parameter.detach().numpy().ravel() for parameter in model.parameters()]
    if not np.isfinite(np.concatenate([mean, variance, *parameters])).all():
        raise FitError("the fitted model predicts values that are not finite")


def _optimised(data: TrainingData) -> Any:
    from botorch.fit import fit_gpytorch_mll

    return fit_gpytorch_mll(_log_posterior(data), max_attempts=1).model


def _restarted(data: TrainingData) -> Any:
    from botorch.fit import fit_gpytorch_mll

    objective = _log_posterior(data)
    return fit_gpytorch_mll(objective, max_attempts=_RESTARTS, pick_best_of_all_attempts=True).model


def _adam(data: TrainingData) -> Any:
    from functools import partial

    from botorch.optim.fit import fit_gpytorch_mll_torch
    from torch.optim import Adam

    objective = _log_posterior(data).train()
    fit_gpytorch_mll_torch(objective, optimizer=partial(Adam, lr=_ADAM_RATE), step_limit=_ADAM_STEPS)
    return objective.eval().model


def _prior_medians(data: TrainingData) -> Any:
    return make_gaussian_process(data).eval()


def _linear(data: TrainingData) -> Any:
    from gpytorch.kernels import LinearKernel

    columns = [k for k in range(data.X.shape[1]) if k != data.level_column]
    design = np.column_stack([_offsets(data), data.X[:, columns]])
    slopes: Any = LinearKernel(active_dims=columns)
    slopes.variance = SLOPE_VARIANCE
    return _with_misfit(data, slopes + _unit_level(data), _residual_variance(design, data.y))


def _constant(data: TrainingData) -> Any:
    return _with_misfit(data, _unit_level(data), _residual_variance(_offsets(data), data.y) or 1.0)


def _offsets(data: TrainingData) -> FloatArray:
    """Columns of a regression: one, and whether a row is of each lower level."""
    lower = [np.abs(data.levels - level) < SAME_LEVEL for level in lower_levels(data.levels)]
    return np.column_stack([np.ones(len(data.y)), *lower]).astype(float)


def _residual_variance(design: FloatArray, y: FloatArray) -> float:
    coefficients, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
    residual = y - design @ coefficients
    return float(residual @ residual) / max(len(y) - int(rank), 1)


def _unit_level(data: TrainingData) -> Any:
    """Covariance of a constant, and of the mean offsets of lower levels of fidelity."""
    import torch
    from gpytorch.kernels import ConstantKernel

    level: Any = ConstantKernel()
    level.constant = torch.tensor(1.0)
    if data.level_column is None:
        return level
    from dynaphase.surrogate.level_covariance import OffsetCovariance

    return level + OffsetCovariance(data.level_column)


def _with_misfit(data: TrainingData, covariance: Any, residual_variance: float) -> Any:
    known = 0.0 if data.noise is None else float(np.mean(data.noise))
    model = make_single_task_gp(data, covariance, max(residual_variance - known, _LEAST_MISFIT))
    return model.requires_grad_(False).eval()


def _optimised_on(subset: Callable[[TrainingData], Any], data: TrainingData, seed: int) -> Any:
    """Hyperparameters from a subset, then exact conditioning on everything."""
    if len(data.y) <= MOST_FOR_HYPERPARAMETERS:
        return subset(data)
    rows = _spread_over_levels(data, np.random.default_rng(seed))
    noise = None if data.noise is None else data.noise[rows]
    learned = subset(replace(data, X=data.X[rows], y=data.y[rows], noise=noise))
    model = make_gaussian_process(data)
    values = dict(learned.named_parameters())
    model.initialize(**{name: values[name].detach() for name, _ in model.named_parameters()})
    return model.eval()


def _spread_over_levels(data: TrainingData, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """`MOST_FOR_HYPERPARAMETERS` rows at random: of every level of fidelity as many, as far as there are any."""
    order = rng.permutation(len(data.y))
    place = np.empty(len(order), dtype=np.intp)
    for level in np.unique(np.round(data.levels, 6)):
        rows = order[np.abs(data.levels[order] - level) < SAME_LEVEL]
        place[rows] = np.arange(len(rows))
    return np.sort(order[np.argsort(place[order], kind="stable")[:MOST_FOR_HYPERPARAMETERS]])


def _log_posterior(data: TrainingData) -> Any:
    from gpytorch import mlls

    model, objectives = make_gaussian_process(data, _FIRST_NUGGET), cast(Any, mlls)
    return objectives.ExactMarginalLogLikelihood(model.likelihood, model)


_RUNGS: Final[dict[Rung, Callable[[TrainingData], Any]]] = {
    Rung.OPTIMISED: _optimised,
    Rung.RESTARTED: _restarted,
    Rung.ADAM: _adam,
    Rung.PRIOR_MEDIANS: _prior_medians,
    Rung.LINEAR: _linear,
    Rung.CONSTANT: _constant,
}


_LEARNING: Final = (Rung.OPTIMISED, Rung.RESTARTED, Rung.ADAM)


def hyperparameters_of(model: Any, rung: Rung) -> dict[str, Any]:
    """What was learned, on standardised outcomes and unit-cube inputs."""
    found: dict[str, Any] = {"nugget": nugget_of(model)}
    if rung not in (Rung.LINEAR, Rung.CONSTANT):
        smooth = smooth_covariance(model)
        found["lengthscales"] = [float(v) for v in smooth.base_kernel.lengthscale.detach().ravel()]
        found["signal_variance"] = float(smooth.outputscale.item())
        if hasattr(model.covar_module, "learned"):
            found["levels"] = model.covar_module.learned()
    return found
