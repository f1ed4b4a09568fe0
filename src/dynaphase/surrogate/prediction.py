"""What a surrogate answers: marginal predictions, joint posteriors, and comparisons with the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dynaphase.errors import FitError
from dynaphase.surrogate.targets import FloatArray, Target

__all__ = ["Comparison", "JointPosterior", "Prediction", "predictions_to_json"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One target at n compositions; Gaussian on the scale z of the target's transform.

    Attributes
    ----------
    target : Target
        What is predicted.
    transformed_mean, transformed_std : ndarray, shape (n,)
        Mean and standard deviation of z for the composition's *mean response* over microstructures.
    replicate_std : ndarray, shape (n,)
        Standard deviation of a single run about that mean response.
    """

    target: Target
    transformed_mean: FloatArray
    transformed_std: FloatArray
    replicate_std: FloatArray

    @property
    def mean(self) -> FloatArray:
        """Centre in the natural unit: the mean for a score, the median for a conductivity."""
        return self.target.transform.centre_and_spread(self.transformed_mean, self.transformed_std)[0]

    @property
    def std(self) -> FloatArray:
        """Spread in the natural unit: standard deviation (score), half the 68.3 % width (conductivity)."""
        return self.target.transform.centre_and_spread(self.transformed_mean, self.transformed_std)[1]

    @property
    def predictive_std(self) -> FloatArray:
        """Standard deviation of z for a single new run: mean response and replicate noise."""
        return np.hypot(self.transformed_std, self.replicate_std)

    def interval(self, level: float = 0.9) -> tuple[FloatArray, FloatArray]:
        """Central interval of the mean response in the natural unit: exact quantiles, mapped back."""
        from scipy.special import ndtri

        half_width = float(ndtri(0.5 + level / 2)) * self.transformed_std
        inverse = self.target.transform.inverse
        return inverse(self.transformed_mean - half_width), inverse(self.transformed_mean + half_width)

    @property
    def interval_90(self) -> tuple[FloatArray, FloatArray]:
        """Central 90 % interval of the mean response in the natural unit."""
        return self.interval(0.9)

    def to_json(self) -> list[dict[str, Any]]:
        """One dict a composition: ``mean``, ``std``, ``interval_90`` (and ``log10_mean``, ``log10_std``)."""
        return self.target.to_json(self.transformed_mean, self.transformed_std, *self.interval_90)


def predictions_to_json(predictions: Mapping[str, Prediction]) -> list[dict[str, dict[str, Any]]]:
    """One dict a composition, target name → prediction."""
    columns = {name: prediction.to_json() for name, prediction in predictions.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@dataclass(frozen=True, slots=True)
class JointPosterior:
    """Joint Gaussian of t targets at n candidates, each target in units of its own spread over the records.

    Targets are independent of each other.

    Attributes
    ----------
    mean : ndarray, shape (t, n)
    covariance : ndarray, shape (t, n, n)
        Of the smooth response, without noise.
    noise : ndarray, shape (t, n)
        Variance with which one evaluation of a candidate would observe that response.
    """

    mean: FloatArray
    covariance: FloatArray
    noise: FloatArray

    def __post_init__(self) -> None:
        t, n = self.mean.shape
        if self.covariance.shape != (t, n, n) or self.noise.shape != (t, n):
            raise FitError(
                f"a joint posterior of {t} targets at {n} candidates needs a covariance of shape "
                f"{(t, n, n)} and noise of shape {(t, n)}, not {self.covariance.shape} and {self.noise.shape}"
            )


@dataclass(frozen=True, slots=True)
class Comparison:
    """Predicted against observed mean responses of n compositions, on the scale z of the model.

    `std` is that of the *observed* mean: uncertainty of the response and noise of the observation.
    """

    target: Target
    observed: FloatArray
    mean: FloatArray
    std: FloatArray

    @property
    def z_scores(self) -> FloatArray:
        """(observed − mean)/std; standard normal when the surrogate is calibrated."""
        return (self.observed - self.mean) / self.std

    def on_quoted_scale(self) -> tuple[FloatArray, FloatArray]:
        """Observed and predicted values as accuracy is quoted: decades (conductivities), points (scores)."""
        if self.target.transform.in_decades:
            return self.observed, self.mean
        centre, _ = self.target.transform.centre_and_spread(self.mean, self.std)
        return self.target.transform.inverse(self.observed), centre
