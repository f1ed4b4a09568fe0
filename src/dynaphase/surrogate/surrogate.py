"""Fit every target, predict, and hold the predictions against what they have not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.errors import FitError
from dynaphase.surrogate import gp
from dynaphase.surrogate.calibration import NONE, Recalibration, recalibration
from dynaphase.surrogate.gp import TrainingData
from dynaphase.surrogate.joined import MOST_VALUES, OneOfJoint, fit_joint
from dynaphase.surrogate.joint import CovarianceBetweenTargets, joint_moments
from dynaphase.surrogate.ladder import FitReport, Rung, climb, hyperparameters_of, n_for_hyperparameters
from dynaphase.surrogate.options import SurrogateOptions
from dynaphase.surrogate.prediction import Comparison, JointPosterior, Prediction, Scale
from dynaphase.surrogate.replicates import Replicates, average_replicates
from dynaphase.surrogate.targets import DEFAULT_TARGETS, FloatArray, Target

__all__ = ["FittedTarget", "Surrogate", "compare", "fit_surrogate", "leave_one_out"]

_DEFAULT_OPTIONS: Final = SurrogateOptions()

TOP: Final = 1 - gp.SAME_LEVEL
"""Levels of fidelity above it are the top."""

_CHUNK: Final = 256
"""Compositions predicted at once: bounds the memory at a few arrays of chunk × n_compositions."""


@dataclass(frozen=True, slots=True)
class FittedTarget:
    """One target's Gaussian process on (z − centre)/scale, with the data it rests on."""

    target: Target
    replicates: Replicates
    """Mean responses on the transformed scale z."""
    centre: float
    scale: float
    model: Any
    """BoTorch ``SingleTaskGP``; its outcomes are standardised."""
    has_known_noise: bool
    """Whether the noise comes from replicates; else it is inferred."""
    report: FitReport
    trend: tuple[int, ...] = ()
    recalibration: Recalibration = NONE
    """What leaving compositions out says the standard deviation of the mean response must be multiplied by."""

    @property
    def nugget(self) -> float:
        """Learned noise variance, standardised."""
        return gp.nugget_of(self.model)

    @property
    def misfit(self) -> float:
        """The part of the nugget that belongs to the mean response, standardised.

        What f cannot follow, when replicates or a fallback without lengths tell it from noise; 0 otherwise.
        """
        is_misfit = self.has_known_noise or self.report.rung in (Rung.LINEAR, Rung.CONSTANT)
        return self.nugget if is_misfit else 0.0

    @property
    def data(self) -> TrainingData:
        """What the model was conditioned on."""
        return _standardise(self.replicates, self.centre, self.scale, self.has_known_noise, self.trend)

    @property
    def judged(self) -> npt.NDArray[np.bool_]:
        """Which compositions accuracy is judged by (n,): those of the top level, all where there is none."""
        column = self.replicates.level_column
        is_top = np.ones(len(self.replicates.X), bool) if column is None else self.replicates.X[:, column] > TOP
        return is_top if is_top.any() else ~is_top

    def replicate_variance(self, X: FloatArray) -> FloatArray:
        """Standardised variance (n,) of one run about its mean response; the scatter nearby counts most."""
        if not self.has_known_noise:
            return np.full(len(X), self.nugget - self.misfit)
        return self.replicates.variance_near(X) / self.scale**2

    def noise_of_evaluation(self, X: FloatArray, n_replicates: int | npt.NDArray[np.intp]) -> FloatArray:
        """Standardised variance (n,) with which the mean of `n_replicates` runs observes f.

        Inferred noise may be misfit, which averaging does not reduce: only known noise is divided.
        """
        if not self.has_known_noise:
            return np.full(len(X), self.nugget)
        return self.nugget + self.replicate_variance(X) / n_replicates

    def predict(self, X: FloatArray) -> Prediction:
        """Marginal prediction at `X` (n, d), in chunks."""
        chunks = [X[start : start + _CHUNK] for start in range(0, len(X), _CHUNK)] or [X]
        moments = [(*gp.posterior_moments(self.model, x), self.replicate_variance(x)) for x in chunks]
        mean, variance, noise = (np.concatenate(parts) for parts in zip(*moments, strict=True))
        return Prediction(
            self.target,
            self.centre + self.scale * mean,
            self.scale * self.recalibration.at(X) * np.sqrt(variance.clip(0) + self.misfit),
            self.scale * np.sqrt(noise),
        )

    def compare(self, X: FloatArray, z: FloatArray) -> Comparison:
        """Predictions against replicate means of `z` at the distinct rows of `X`."""
        seen = average_replicates(X, z, self.replicates.level_column)
        mean, variance = gp.posterior_moments(self.model, seen.X)
        noise = self.noise_of_evaluation(seen.X, seen.n_rows) - self.misfit
        spread = self.recalibration.at(seen.X) ** 2 * (variance.clip(0) + self.misfit) + noise
        return Comparison(self.target, seen.mean, self.centre + self.scale * mean, self.scale * np.sqrt(spread))

    def left_out(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Standardised leave-one-out residuals, variances of the mean response, and noise of the observations, (n,).

        Every composition is predicted from all others; with levels of fidelity, those are all other rows.
        """
        data = self.data
        noise = np.full(len(data.y), self.nugget) + (0.0 if data.noise is None else data.noise)
        if isinstance(self.model, OneOfJoint):
            residuals, variances = (values[self.model.place] for values in self.model.joint.left_out())
            return residuals, (variances - noise + self.misfit).clip(1e-12), noise - self.misfit
        precision = np.linalg.inv(gp.gp_covariance(self.model, data.X, data.X) + np.diag(noise))
        residual = precision @ (data.y - gp.prior_mean_of(self.model)) / np.diag(precision)
        observed = noise - self.misfit
        return residual, (1 / np.diag(precision) - observed).clip(1e-12), observed

    @property
    def left_out_density(self) -> float:
        """Σ ln density of every observed mean, predicted from all other compositions."""
        residual, variance, noise = self.left_out()
        total = variance + noise
        return float(-0.5 * (residual**2 / total + np.log(2 * np.pi * total)).sum())

    def leave_one_out(self) -> Comparison:
        """See `leave_one_out`."""
        judged = self.judged
        residual, variance, noise = (values[judged] for values in self.left_out())
        observed = self.replicates.mean[judged]
        return Comparison(
            self.target,
            observed,
            observed - self.scale * residual,
            self.scale * np.sqrt(self.recalibration.at(self.replicates.X[judged]) ** 2 * variance + noise),
        )


@dataclass(frozen=True, slots=True)
class Surrogate:
    """Gaussian processes over compositions in the unit cube, one a target: independent or joint."""

    fitted: Mapping[str, FittedTarget]
    n_dimensions: int

    @property
    def targets(self) -> tuple[Target, ...]:
        """What it predicts, in order."""
        return tuple(one.target for one in self.fitted.values())

    @property
    def fit_reports(self) -> dict[str, FitReport]:
        """How each target was fitted; `FitReport.is_fallback` tells what a report has to say."""
        return {name: one.report for name, one in self.fitted.items()}

    def predict(self, X: npt.ArrayLike) -> dict[str, Prediction]:
        """Predictions at `X` (n, d), target name → `Prediction`.

        Raises
        ------
        FitError
            If `X` has another number of dimensions or leaves the unit cube.
        """
        inputs = _checked_inputs(X, self.n_dimensions)
        with gp.quiet_torch():
            return {name: one.predict(inputs) for name, one in self.fitted.items()}

    def posterior(
        self, X: npt.ArrayLike, targets: Sequence[str] | None = None, n_replicates: int = 1
    ) -> JointPosterior:
        """Joint posterior of f at `X` (n, d) in standardised units: what acquisitions read.

        Targets that are modelled together are correlated in it.  Memory is 8 n·n_compositions bytes a target, 8 MB at
        5,000 candidates and 200 compositions (for targets that are modelled together as much for each of them again);
        blocks of the covariance are computed when asked for.  `targets` restricts and orders them; `n_replicates` is
        the number of runs that one evaluation will average.

        Raises
        ------
        FitError
            If `X` does not fit the surrogate or a target is unknown.
        """
        inputs = _checked_inputs(X, self.n_dimensions)
        chosen = [self._one(name) for name in (self.fitted if targets is None else targets)]
        with gp.quiet_torch():
            moments = [joint_moments(one.model, inputs, one.recalibration.at(inputs)) for one in chosen]
            noise = np.stack([one.noise_of_evaluation(inputs, n_replicates) for one in chosen])
        scales = [Scale(one.target, one.centre, one.scale, one.recalibration.factor**2 * one.misfit) for one in chosen]
        parts = [covariance for _, covariance in moments]
        is_joint = len(chosen) > 1 and all(isinstance(one.model, OneOfJoint) for one in chosen)
        across = CovarianceBetweenTargets(parts) if is_joint else None
        return JointPosterior(np.stack([mean for mean, _ in moments]), parts, noise, scales, across)

    def correlation(self, X: npt.ArrayLike) -> FloatArray:
        """Posterior correlation between the targets' mean responses at each row of `X` (n, d), shape (n, t, t).

        The identity for targets that are independent; with it and `predict`, targets are drawn jointly.

        Raises
        ------
        FitError
            If `X` does not fit the surrogate.
        """
        inputs, ones = _checked_inputs(X, self.n_dimensions), list(self.fitted.values())
        model = ones[0].model
        if not isinstance(model, OneOfJoint):
            return np.tile(np.eye(len(ones)), (len(inputs), 1, 1))
        with gp.quiet_torch():
            covariance = model.joint.covariance_between(inputs)
        covariance = covariance + np.diag([one.misfit for one in ones])
        spread = np.sqrt(np.einsum("ntt->nt", covariance))
        return np.asarray(covariance / (spread[:, :, None] * spread[:, None, :]))

    def _one(self, name: str) -> FittedTarget:
        if name not in self.fitted:
            raise FitError(f"the surrogate has no target '{name}'; it has {', '.join(self.fitted)}")
        return self.fitted[name]


def fit_surrogate(
    X: npt.ArrayLike,
    Y: npt.ArrayLike,
    targets: Sequence[Target] = DEFAULT_TARGETS,
    seed: int = 0,
    options: SurrogateOptions = _DEFAULT_OPTIONS,
) -> Surrogate:
    """Fit one Gaussian process a target.

    Parameters
    ----------
    X : array_like, shape (n_rows, d)
        Compositions in the unit cube, one row a record; equal rows are replicates of one composition.
    Y : array_like, shape (n_rows, t)
        Targets in their natural units.  A value that is not finite, or has no image on the target's scale,
        leaves that row out of that target's fit, and the report counts it.
    targets : sequence of Target
        The columns of `Y`.
    seed : int
        Seed of the restarts; the same data and seed give the same surrogate.
    options : SurrogateOptions
        Trend and recalibration.

    Raises
    ------
    FitError
        If shapes disagree, `X` leaves the unit cube, or a target has no usable value at all.  An optimisation
        that fails raises nothing: the fit falls back and `Surrogate.fit_reports` says so.
    """
    inputs, values = _checked_inputs(X), np.asarray(Y, dtype=float)
    if values.shape != (len(inputs), len(targets)):
        wanted = (len(inputs), len(targets))
        raise FitError(f"{wanted[0]} records and {wanted[1]} targets need Y of shape {wanted}, not {values.shape}")
    if any(not 0 <= column < inputs.shape[1] for column in options.trend):
        raise FitError(f"the trend names columns {options.trend} of compositions that have {inputs.shape[1]}")
    _check_level_column(options, inputs)
    fitted = [_fit_target(inputs, y, t, seed, options) for t, y in zip(targets, values.T, strict=True)]
    if options.joint:
        fitted = _joined(fitted, seed, options)
    return Surrogate({one.target.name: one for one in fitted}, inputs.shape[1])


def _joined(fitted: list[FittedTarget], seed: int, options: SurrogateOptions) -> list[FittedTarget]:
    """The targets joined, or as they were with the reason in their reports."""
    reason = _why_not_joint(fitted, options)
    if not reason:
        try:
            views = fit_joint([one.data for one in fitted], [one.model for one in fitted], seed)
            with gp.quiet_torch():
                together = [replace(one, model=view) for one, view in zip(fitted, views, strict=True)]
                gain = sum(one.left_out_density for one in together) - sum(one.left_out_density for one in fitted)
        except Exception as error:  # as in the ladder: whatever fails is reported, and no result is lost
            reason = f"the joint fit failed ({type(error).__name__}: {str(error)[:120]})"
        else:
            reason = (
                "" if gain > 0 else f"joint ones predict left-out compositions no better ({gain:.1f} in ln density)"
            )
    if reason:
        return [replace(one, report=replace(one.report, outputs=f"independent: {reason}")) for one in fitted]
    return [_as_joint(one, options) for one in together]


def _as_joint(one: FittedTarget, options: SurrogateOptions) -> FittedTarget:
    smooth = gp.smooth_covariance(one.model.joint.model)
    B = one.model.joint.model.covar_module.matrix().detach().numpy()
    hyperparameters = {
        "nugget": one.nugget,
        "lengthscales": [float(v) for v in smooth.base_kernel.lengthscale.detach().ravel()],
        "signal_variance": float(B[one.model.place, one.model.place] * smooth.outputscale.detach()),
        "correlation": [float(v) for v in one.model.joint.correlation()[one.model.place]],
    }
    found = replace(
        one, recalibration=NONE, report=replace(one.report, outputs="joint", hyperparameters=hyperparameters)
    )
    if not options.recalibrate:
        return found
    with gp.quiet_torch():
        return _recalibrated(found)


def _why_not_joint(fitted: list[FittedTarget], options: SurrogateOptions) -> str:
    """Why the targets cannot be joined, empty if they can."""
    if len(fitted) < 2:
        return "there is one target only"
    if options.level_column is not None:
        return "records have levels of fidelity"
    if any(one.report.n_dropped for one in fitted):
        return "some rows miss a value"
    n_values = len(fitted) * len(fitted[0].replicates.mean)
    if n_values > MOST_VALUES:
        return f"{n_values} values are more than the {MOST_VALUES} that are solved together"
    if any(one.report.rung in (Rung.LINEAR, Rung.CONSTANT) for one in fitted):
        return "a target has too few records for lengths"
    return ""


def _check_level_column(options: SurrogateOptions, X: FloatArray) -> None:
    column = options.level_column
    if column is None:
        return
    if not 0 <= column < X.shape[1] or X.shape[1] < 2:
        raise FitError(f"the level of fidelity cannot be column {column} of {X.shape[1]}, beside at least one other")
    if column in options.trend:
        raise FitError(f"column {column} holds the level of fidelity: it has an offset for every level and no trend")


def leave_one_out(surrogate: Surrogate) -> dict[str, Comparison]:
    """Predict each composition from all others, hyperparameters kept: exact and without a refit.

    With K the covariance of the observed means (noise included) and c the prior mean,

        μ_i = y_i − [K⁻¹(y − c)]_i / [K⁻¹]_ii,    v_i = 1/[K⁻¹]_ii

    (doi:10.7551/mitpress/3206.001.0001, section 5.4.2).  Because the hyperparameters have seen every
    composition, it flatters slightly: a held-out set is the judge, this is the cheap monitor.

    Returns
    -------
    dict
        Target name → `Comparison` over compositions; with levels of fidelity over those of the top level, each of
        them predicted from all other rows.
    """
    with gp.quiet_torch():
        return {name: one.leave_one_out() for name, one in surrogate.fitted.items()}


def compare(surrogate: Surrogate, X: npt.ArrayLike, Y: npt.ArrayLike) -> dict[str, Comparison]:
    """Predictions against held-out records `X` (n_rows, d), `Y` (n_rows, t); replicates are averaged first.

    Rows without a usable value for a target are left out of its comparison.

    Raises
    ------
    FitError
        If shapes disagree with the surrogate.
    """
    inputs, values = _checked_inputs(X, surrogate.n_dimensions), np.asarray(Y, dtype=float)
    if values.shape != (len(inputs), len(surrogate.fitted)):
        raise FitError(f"held-out values need shape {(len(inputs), len(surrogate.fitted))}, not {values.shape}")
    found = {}
    with gp.quiet_torch():
        for (name, one), y in zip(surrogate.fitted.items(), values.T, strict=True):
            z = one.target.transform.forward(y)
            usable = np.isfinite(z)
            found[name] = one.compare(inputs[usable], z[usable])
    return found


def _fit_target(X: FloatArray, y: FloatArray, target: Target, seed: int, options: SurrogateOptions) -> FittedTarget:
    z = target.transform.forward(y)
    usable = np.isfinite(z)
    if not usable.any():
        raise FitError(
            f"none of the {len(y)} records has a usable value of {target.name}; "
            "look at the reasons of the failed records before fitting"
        )
    replicates = average_replicates(X[usable], z[usable], options.level_column)
    centre, scale = _centre_and_scale(replicates, target.prior_std)
    data = _standardise(replicates, centre, scale, replicates.are_informative, options.trend)
    model, rung, message = climb(data, seed)
    report = FitReport(
        rung=rung,
        message=message,
        n_compositions=len(replicates.mean),
        n_rows=int(usable.sum()),
        n_for_hyperparameters=n_for_hyperparameters(rung, len(replicates.mean)),
        n_dropped=int((~usable).sum()),
        n_clipped=target.transform.n_clipped(y[usable]),
        hyperparameters=hyperparameters_of(model, rung),
    )
    found = FittedTarget(target, replicates, centre, scale, model, replicates.are_informative, report, options.trend)
    if not options.recalibrate:
        return found
    with gp.quiet_torch():
        return _recalibrated(found)


def _recalibrated(one: FittedTarget) -> FittedTarget:
    judged = one.judged
    left_out = (values[judged] for values in one.left_out())
    return replace(one, recalibration=recalibration(one.replicates.X[judged], *left_out))


def _centre_and_scale(replicates: Replicates, otherwise: float) -> tuple[float, float]:
    """Mean of the top level (of all, where it has no row), and standard deviation within levels."""
    values, column = replicates.mean, replicates.level_column
    levels = np.ones(len(values)) if column is None else np.round(replicates.X[:, column], 6)
    is_top = levels > TOP
    centre = float(values[is_top].mean() if is_top.any() else values.mean())
    distinct, index = np.unique(levels, return_inverse=True)
    means = np.bincount(index, values) / np.bincount(index)
    degrees = len(values) - len(distinct)
    spread = float(np.sqrt(((values - means[index]) ** 2).sum() / degrees)) if degrees else 0.0
    return centre, spread if spread > 1e-9 * (1 + float(np.abs(values).max())) else otherwise


def _standardise(
    replicates: Replicates, centre: float, scale: float, has_known_noise: bool, trend: tuple[int, ...] = ()
) -> TrainingData:
    noise = gp.at_least_floor(replicates.variance_of_mean / scale**2) if has_known_noise else None
    return TrainingData(replicates.X, (replicates.mean - centre) / scale, noise, trend, replicates.level_column)


def _checked_inputs(X: npt.ArrayLike, n_dimensions: int | None = None) -> FloatArray:
    inputs = np.asarray(X, dtype=float)
    if inputs.ndim != 2 or inputs.size == 0 or inputs.shape[1] != (n_dimensions or inputs.shape[1]):
        wanted = "d" if n_dimensions is None else str(n_dimensions)
        raise FitError(f"compositions need an array of shape (n, {wanted}) with n ≥ 1, not {inputs.shape}")
    outside = ~((inputs >= -1e-9) & (inputs <= 1 + 1e-9)).all(axis=1)
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise FitError(f"row {row} of the compositions, {inputs[row]}, lies outside the unit cube; scale it first")
    return inputs
