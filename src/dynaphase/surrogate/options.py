"""How a surrogate is built, apart from the data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SurrogateOptions"]


@dataclass(frozen=True, slots=True)
class SurrogateOptions:
    """Options of `fit_surrogate`.

    Attributes
    ----------
    trend : tuple of int
        Columns of X in which the response has a linear trend with uncertain slopes: closed-form estimates of it.
    recalibrate : bool
        Whether standard deviations are scaled so that leave-one-out errors fall into the 90 % intervals as they should.
    level_column : int, optional
        Column of X that holds the level of fidelity: 1 for the top, less for cheaper ones (`level_covariance`).  A
        prediction at X with 1 there is one of the top level.
    """

    trend: tuple[int, ...] = ()
    recalibrate: bool = True
    level_column: int | None = None
