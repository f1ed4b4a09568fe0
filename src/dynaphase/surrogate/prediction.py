"""What a surrogate answers: marginal predictions, joint posteriors, and comparisons with the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dynaphase.errors import FitError
from dynaphase.surrogate.gaussian import joint_draws
from dynaphase.surrogate.targets import FloatArray, Target

__all__ = [
    "Comparison",
    "CrossCovariance",
    "JointPosterior",
    "Prediction",
    "Scale",
    "TargetCovariance",
    "predictions_to_json",
]


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
class Scale:
    """How the standardised values of one target, ζ, belong to its natural unit: z = centre + scale·ζ.

    Attributes
    ----------
    target : Target
        Its transform leads from the natural unit to z.
    centre, scale : float
        Of z, over the records.
    misfit : float
        Variance, standardised, of what the smooth response cannot follow but the mean response has.
    """

    target: Target
    centre: float = 0.0
    scale: float = 1.0
    misfit: float = 0.0

    def standardised(self, natural: npt.ArrayLike) -> FloatArray:
        """ζ of values in the natural unit; NaN where they have no image."""
        return np.asarray((self.target.transform.forward(natural) - self.centre) / self.scale)

    def quoted(self, standardised: FloatArray) -> FloatArray:
        """Values as accuracy is quoted, from ζ: decades (conductivities), points (scores)."""
        z = self.centre + self.scale * standardised
        return z if self.target.transform.in_decades else self.target.transform.inverse(z)

    def quoted_from_natural(self, natural: float) -> float:
        """The same from a value in the natural unit."""
        return float(self.target.transform.forward(natural)) if self.target.transform.in_decades else float(natural)


class TargetCovariance(Protocol):
    """Posterior covariance of one target at n candidates, computed where it is asked for."""

    @property
    def variance(self) -> FloatArray:
        """Its diagonal (n,)."""
        ...

    def between(self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> FloatArray:
        """The block (r, c) between candidates `rows` and `columns`."""
        ...


class CrossCovariance(Protocol):
    """Posterior covariance between different targets at n candidates, computed where it is asked for."""

    def variance(self, one: int, other: int) -> FloatArray:
        """Covariance (n,) of targets `one` and `other` at the same candidate."""
        ...

    def between(self, one: int, other: int, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> FloatArray:
        """The block (r, c) between target `one` at `rows` and target `other` at `columns`."""
        ...


@dataclass(frozen=True, slots=True)
class _DenseCovariance:
    matrix: FloatArray

    @property
    def variance(self) -> FloatArray:
        return np.diag(self.matrix).copy()

    def between(self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> FloatArray:
        return self.matrix[np.ix_(rows, columns)]


@dataclass(frozen=True, slots=True)
class _DenseCross:
    matrix: FloatArray
    """Shape (t, t, n, n)."""

    def variance(self, one: int, other: int) -> FloatArray:
        return np.diag(self.matrix[one, other]).copy()

    def between(self, one: int, other: int, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> FloatArray:
        return np.asarray(self.matrix[one, other][np.ix_(rows, columns)])


@dataclass(frozen=True, slots=True)
class JointPosterior:
    """Joint Gaussian of t targets at n candidates, each target in units of its own spread over the records.

    Targets are independent of each other unless `across` says how they go together.  Covariances are computed block
    by block, so that memory grows with n and not with n².

    Attributes
    ----------
    mean : ndarray, shape (t, n)
    parts : ndarray of shape (t, n, n), or sequence of t `TargetCovariance`
        Covariance of the smooth response, without noise: dense, or what computes its blocks.
    noise : ndarray, shape (t, n)
        Variance with which one evaluation of a candidate would observe that response.
    scales : sequence of t Scale, optional
        Names of the targets and the way back to natural units: goals need them, variances do not.
    across : ndarray of shape (t, t, n, n), or `CrossCovariance`, optional
        Covariance between different targets, without noise; blocks of one target with itself are not read from it.
        Left out: targets are independent.
    """

    mean: FloatArray
    parts: FloatArray | Sequence[TargetCovariance]
    noise: FloatArray
    scales: Sequence[Scale] | None = None
    across: FloatArray | CrossCovariance | None = None

    def __post_init__(self) -> None:
        t, n = self.mean.shape
        given = self.parts.shape if isinstance(self.parts, np.ndarray) else (len(self.parts), n, n)
        if given != (t, n, n) or self.noise.shape != (t, n):
            raise FitError(
                f"a joint posterior of {t} targets at {n} candidates needs a covariance of shape "
                f"{(t, n, n)} and noise of shape {(t, n)}, not {given} and {self.noise.shape}"
            )
        if self.scales is not None and len(self.scales) != t:
            raise FitError(f"a joint posterior of {t} targets needs {t} scales, not {len(self.scales)}")
        if isinstance(self.across, np.ndarray) and self.across.shape != (t, t, n, n):
            raise FitError(
                f"a joint posterior of {t} targets at {n} candidates needs covariances between them of shape "
                f"{(t, t, n, n)}, not {self.across.shape}"
            )

    @property
    def is_correlated(self) -> bool:
        """Whether targets are correlated with each other."""
        return self.across is not None

    @property
    def n_candidates(self) -> int:
        """Number n of candidates."""
        return int(self.mean.shape[1])

    @property
    def variance(self) -> FloatArray:
        """Variances (t, n) of the smooth response."""
        return np.stack([part.variance for part in self._parts()])

    @property
    def covariance(self) -> FloatArray:
        """The whole covariance (t, n, n), 8 n² bytes a target: for a few candidates."""
        every = np.arange(self.n_candidates)
        return self.between(every, every)

    def between(self, rows: npt.ArrayLike, columns: npt.ArrayLike) -> FloatArray:
        """Covariance (t, r, c) between candidates `rows` (r,) and `columns` (c,)."""
        left, right = np.asarray(rows, dtype=np.intp), np.asarray(columns, dtype=np.intp)
        return np.stack([part.between(left, right) for part in self._parts()])

    def whole_between(self, rows: npt.ArrayLike, columns: npt.ArrayLike) -> FloatArray:
        """Covariance (t, r, t, c) of every target at `rows` (r,) with every target at `columns` (c,)."""
        left, right = np.asarray(rows, dtype=np.intp), np.asarray(columns, dtype=np.intp)
        parts, across = self._parts(), self._across()
        found = np.zeros((len(parts), len(left), len(parts), len(right)))
        for s, part in enumerate(parts):
            found[s, :, s] = part.between(left, right)
            for t in range(len(parts)):
                if across is not None and t != s:
                    found[s, :, t] = across.between(s, t, left, right)
        return found

    def whole_at(self) -> FloatArray:
        """Covariance (n, t, t) between the targets at each candidate."""
        across, variance = self._across(), self.variance
        found = np.zeros((self.n_candidates, len(variance), len(variance)))
        for s, of_one in enumerate(variance):
            found[:, s, s] = of_one
            for t in range(s):
                if across is not None:
                    found[:, s, t] = found[:, t, s] = across.variance(s, t)
        return found

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """`n` joint draws (n, t, n_candidates) of the smooth responses: for a few candidates, see `covariance`."""
        every = np.arange(self.n_candidates)
        covariance = self.whole_between(every, every) if self.is_correlated else self.covariance
        return joint_draws(self.mean, covariance, n, rng)

    def _across(self) -> CrossCovariance | None:
        return _DenseCross(self.across) if isinstance(self.across, np.ndarray) else self.across

    def _parts(self) -> Sequence[TargetCovariance]:
        return [_DenseCovariance(part) for part in self.parts] if isinstance(self.parts, np.ndarray) else self.parts


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
