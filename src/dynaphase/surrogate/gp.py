"""The Gaussian process of one target: model, priors, and what is read from it.

On standardised z, with compositions x in the unit cube of d dimensions,

    z̄_i = c + Σ_j β_j x_ij + f(x_i) + η_i + ε̄_i,
    f ~ GP(0, a·M₅/₂(|x − x'|_ℓ)),   β_j ~ N(0, `SLOPE_VARIANCE`),   η_i ~ N(0, τ²),   ε̄_i ~ N(0, s²(x_i)/m_i)

β is a linear trend in the columns that are closed-form estimates of the response (none by default), marginalised
and not fitted; f is what they miss, smooth, with one length ℓ_k per dimension; η is what a smooth function cannot
follow (kinks at phase boundaries), ε̄ the replicate noise, known when there are enough replicates.  Without them η and
ε are one term, inferred.  Hyperparameters maximise the posterior under the log-normal priors of `PRIORS` (ours: wide,
weakly informative, and proper, so that the optimum exists for any data).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import log, sqrt
from typing import Any, Final, cast

import numpy as np

from dynaphase.surrogate.targets import FloatArray

__all__ = [
    "PRIORS",
    "SAME_LEVEL",
    "SLOPE_VARIANCE",
    "LogNormal",
    "TrainingData",
    "at_least_floor",
    "discrepancy",
    "gp_covariance",
    "gp_variance",
    "lower_levels",
    "make_fixed_noise_gp",
    "make_gaussian_process",
    "make_single_task_gp",
    "nugget_of",
    "posterior_moments",
    "prior_mean_of",
    "prior_means",
    "quiet_torch",
    "shared_covariance",
    "smooth_covariance",
    "smooth_part",
    "whitened_data",
]


@dataclass(frozen=True, slots=True)
class LogNormal:
    """Log-normal prior: `median`, and standard deviation `scale` of the natural logarithm."""

    median: float
    scale: float


PRIORS: Final[Mapping[str, LogNormal]] = {
    "lengthscale": LogNormal(1.0, 0.8),  # median × √(d/2): distances in the cube grow like √d
    "residual_lengthscale": LogNormal(0.5, 1.0),  # of what a trend or another level of fidelity leaves: shorter
    "signal_variance": LogNormal(1.0, 1.0),
    "nugget": LogNormal(0.005, 2.0),  # misfit beside known noise
    "noise": LogNormal(0.03, 1.4),  # misfit and noise in one: a few dozen values must not be followed to the last digit
    "discrepancy_variance": LogNormal(0.1, 1.5),  # what a lower level adds to the response
}
"""On standardised outcomes.

Central 68 %: 0.45 to 2.2, 0.18 to 1.4, 0.37 to 2.7, 0.0007 to 0.037, 0.0074 to 0.12, 0.02 to 0.45.
"""

SAME_LEVEL: Final = 1e-6
"""Levels of fidelity that differ by less are one level; 1 is the top."""

SLOPE_VARIANCE: Final = 4.0
"""Prior variance of a linear slope: across the cube the response may move by ± 2 of its spreads."""

_FLOOR: Final = {
    "lengthscale": 1e-2,
    "signal_variance": 1e-3,
    "nugget": 1e-6,
    "noise": 1e-6,
    "discrepancy_variance": 1e-5,
}
_LEAST_NOISE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Standardised mean responses: X (n, d), y (n,), noise variances of y (n,) or None if to be inferred.

    `trend` are the columns of X with a linear trend, `level_column` the one that holds the level of fidelity, if any.
    """

    X: FloatArray
    y: FloatArray
    noise: FloatArray | None
    trend: tuple[int, ...] = ()
    level_column: int | None = None

    @property
    def levels(self) -> FloatArray:
        """Level of fidelity of every row, shape (n,); 1 without a column for it."""
        return np.ones(len(self.X)) if self.level_column is None else self.X[:, self.level_column]


@contextmanager
def quiet_torch(seed: int = 0) -> Iterator[None]:
    """One thread, own random numbers, exact linear algebra, and only the warnings that say something new."""
    import threadpoolctl
    import torch
    from botorch.exceptions.warnings import InputDataWarning, OptimizationWarning
    from linear_operator.utils.warnings import NumericalWarning

    gpytorch = _gpytorch()
    n_threads = torch.get_num_threads()
    with (
        cast(Any, threadpoolctl).threadpool_limits(1),
        torch.random.fork_rng(devices=[]),
        warnings.catch_warnings(),
        gpytorch.settings.max_cholesky_size(10**6),
    ):
        warnings.simplefilter("ignore", OptimizationWarning)  # a failed start: the ladder reports it
        warnings.simplefilter("ignore", NumericalWarning)  # jitter on a nearly singular covariance
        warnings.filterwarnings("ignore", "Data .* is not standardized", InputDataWarning)  # constant outcomes
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            torch.set_num_threads(n_threads)


def _gpytorch() -> Any:
    """GPyTorch, imported late; its annotations are partial, so its objects count as untyped."""
    import gpytorch

    return gpytorch


def _tensor(values: FloatArray) -> Any:
    import torch

    return torch.as_tensor(np.ascontiguousarray(values), dtype=torch.float64)


def make_gaussian_process(data: TrainingData, nugget: float | None = None) -> Any:
    """BoTorch ``SingleTaskGP`` with hyperparameters at their prior medians, in training mode.

    `nugget` starts the learned noise variance elsewhere.
    """
    d = data.X.shape[1] - (data.level_column is not None)
    whole = shared_covariance(d, _places(data.trend, data.level_column))
    if data.level_column is not None:
        from dynaphase.surrogate.level_covariance import LevelCovariance

        whole = LevelCovariance(whole, data.level_column, lower_levels(data.levels), d)
    return make_single_task_gp(data, whole, nugget or PRIORS[_noise_term(data)].median)


def shared_covariance(n_dimensions: int, trend: tuple[int, ...] = ()) -> Any:
    """Covariance of f with its trend, at the prior medians."""
    lengths = "residual_lengthscale" if trend else "lengthscale"
    smooth = _smooth("signal_variance", n_dimensions, n_dimensions, lengths=lengths)
    return smooth + _trend(trend) if trend else smooth


def lower_levels(levels: FloatArray) -> list[float]:
    """Distinct levels below the top, ascending."""
    return [float(level) for level in np.unique(np.round(levels, 6)) if level < 1 - SAME_LEVEL]


def discrepancy(n_dimensions: int, is_learned: bool = True) -> Any:
    """Covariance of what a lower level of fidelity adds: one length for all `n_dimensions` columns."""
    return _smooth("discrepancy_variance", n_dimensions, 1, is_learned)


def _smooth(
    variance: str, n_dimensions: int, n_lengths: int, is_learned: bool = True, lengths: str = "residual_lengthscale"
) -> Any:
    """Matérn-5/2 covariance at the prior medians; one that is not learned has no priors."""
    gpytorch = _gpytorch()
    stretch = sqrt(n_dimensions / 2)
    matern = gpytorch.kernels.MaternKernel(
        nu=2.5,
        ard_num_dims=n_lengths if n_lengths > 1 else None,
        lengthscale_prior=_prior(lengths, stretch) if is_learned else None,
        lengthscale_constraint=_logarithmic("lengthscale"),
    )
    covariance = gpytorch.kernels.ScaleKernel(
        matern,
        outputscale_prior=_prior(variance) if is_learned else None,
        outputscale_constraint=_logarithmic(variance),
    )
    matern.lengthscale = PRIORS[lengths].median * stretch
    covariance.outputscale = PRIORS[variance].median
    return covariance.requires_grad_(is_learned)


def _places(columns: tuple[int, ...], removed: int | None) -> tuple[int, ...]:
    """Where `columns` are once the column `removed` is gone."""
    return tuple(k - (removed is not None and k > removed) for k in columns)


def _trend(columns: tuple[int, ...]) -> Any:
    """Covariance of a linear function of some columns whose slopes are N(0, `SLOPE_VARIANCE`)."""
    linear: Any = _gpytorch().kernels.LinearKernel(active_dims=columns).double()
    linear.variance = SLOPE_VARIANCE
    return linear.requires_grad_(False)


def smooth_covariance(model: Any) -> Any:
    """The part of the prior covariance that has lengths, without the trend."""
    return smooth_part(getattr(model.covar_module, "shared", model.covar_module))


def smooth_part(covariance: Any) -> Any:
    """The part with lengths of what `shared_covariance` made."""
    return covariance.kernels[0] if hasattr(covariance, "kernels") else covariance


def make_single_task_gp(data: TrainingData, covariance: Any, nugget: float) -> Any:
    """BoTorch ``SingleTaskGP`` with the given prior covariance and starting nugget, in training mode."""
    from botorch.models import SingleTaskGP

    likelihoods = _gpytorch().likelihoods
    term = _noise_term(data)
    options = {"noise_prior": _prior(term), "noise_constraint": _logarithmic(term)}
    if data.noise is None:
        likelihood = likelihoods.GaussianLikelihood(**options)
        likelihood.noise = nugget
    else:
        known = _tensor(data.noise)
        likelihood = likelihoods.FixedNoiseGaussianLikelihood(known, learn_additional_noise=True, **options)
        likelihood.second_noise = nugget
    return SingleTaskGP(
        _tensor(data.X),
        _tensor(data.y)[:, None],
        likelihood=likelihood.double(),
        covar_module=covariance.double(),
        outcome_transform=None,
    )


def make_fixed_noise_gp(data: TrainingData, covariance: Any) -> Any:
    """BoTorch ``SingleTaskGP`` with the given prior covariance and no noise but the known one, in training mode."""
    from botorch.models import SingleTaskGP

    likelihood = _gpytorch().likelihoods.FixedNoiseGaussianLikelihood(_tensor(cast(FloatArray, data.noise)))
    inputs, outcomes = _tensor(data.X), _tensor(data.y)[:, None]
    return SingleTaskGP(
        inputs, outcomes, likelihood=likelihood, covar_module=covariance.double(), outcome_transform=None
    )


def at_least_floor(noise: FloatArray) -> FloatArray:
    """Known noise variances, none below what double precision needs to invert the covariance."""
    return np.maximum(noise, _LEAST_NOISE)


def _noise_term(data: TrainingData) -> str:
    return "noise" if data.noise is None else "nugget"


def _prior(name: str, stretch: float = 1.0) -> Any:
    return _gpytorch().priors.LogNormalPrior(log(PRIORS[name].median * stretch), PRIORS[name].scale)


def _logarithmic(name: str) -> Any:
    """Positive, and optimised on its logarithm: there the priors are quadratic and the scales alike."""
    import torch

    return _gpytorch().constraints.GreaterThan(_FLOOR[name], transform=torch.exp, inv_transform=torch.log)


def gp_covariance(model: Any, left: FloatArray, right: FloatArray) -> FloatArray:
    """Prior covariance of f between compositions `left` (n, d) and `right` (m, d), shape (n, m)."""
    import torch

    with torch.no_grad():
        return np.asarray(model.covar_module(_tensor(left), _tensor(right)).to_dense().numpy())


def gp_variance(model: Any, X: FloatArray, other: FloatArray | None = None) -> FloatArray:
    """Prior variance (n,) of f at `X` (n, d), or its covariance with f at the same row of `other`."""
    import torch

    with torch.no_grad():
        right = None if other is None else _tensor(other)
        return np.asarray(model.covar_module(_tensor(X), right, diag=True).numpy())


def prior_means(model: Any, X: FloatArray) -> FloatArray:
    """Prior mean (n,) of f at `X` (n, d)."""
    import torch

    with torch.no_grad():
        return np.asarray(model.mean_module(_tensor(X)).numpy())


def whitened_data(model: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    """What the model was conditioned on: X (o, d), L⁻¹(y − m), and the Cholesky factor L of its covariance."""
    import torch
    from linear_operator.utils.cholesky import psd_safe_cholesky
    from scipy.linalg import solve_triangular

    model = getattr(model, "whole", model)  # a target of several that are joined rests on the data of all
    with torch.no_grad():
        inputs, outcomes = model.train_inputs[0], model.train_targets
        prior = model.forward(inputs)
        factor = cast(Any, psd_safe_cholesky)(model.likelihood(prior, [inputs]).covariance_matrix).numpy()
        residual = solve_triangular(factor, (outcomes - prior.mean).numpy(), lower=True)
        return inputs.numpy(), np.asarray(residual), factor


def posterior_moments(model: Any, X: FloatArray, with_covariance: bool = False) -> tuple[FloatArray, FloatArray]:
    """Mean (n,) of f, and its variance (n,) or covariance (n, n)."""
    import torch

    with torch.no_grad():
        posterior = model.posterior(_tensor(X))
        second = posterior.distribution.covariance_matrix if with_covariance else posterior.variance.squeeze(-1)
        return posterior.mean.squeeze(-1).numpy(), second.numpy()


def prior_mean_of(model: Any) -> float:
    """The constant c."""
    return float(model.mean_module.constant.item())


def nugget_of(model: Any) -> float:
    """Learned variance τ² (with replicates), or the whole inferred noise (without)."""
    likelihood = model.likelihood
    noise = likelihood.second_noise if hasattr(likelihood, "second_noise") else likelihood.noise
    return float(noise.item())
