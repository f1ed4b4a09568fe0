"""Matérn covariance of smoothness 5/2 in closed form, in numpy."""

from __future__ import annotations

from math import sqrt

import numpy as np

from dynaphase.surrogate.targets import FloatArray

__all__ = ["matern_52", "matern_52_slope"]


def matern_52(distance: FloatArray) -> FloatArray:
    r"""Correlation at a distance in lengths, of any shape.

    .. math:: M_{5/2}(r) = (1 + s + s^2/3)\,e^{-s}, \qquad s = \sqrt{5}\,r

    (doi:10.7551/mitpress/3206.001.0001, equation 4.17).
    """
    s = sqrt(5) * distance
    return np.asarray((1 + s + s**2 / 3) * np.exp(-s))


def matern_52_slope(distance: FloatArray) -> FloatArray:
    r"""Minus its derivative by :math:`r^2/2`, which is finite everywhere: :math:`\tfrac{5}{3}(1 + s)\,e^{-s}`.

    A length :math:`\ell_k` enters through :math:`r^2 = \sum_k (x_k - x'_k)^2/\ell_k^2`, so that
    :math:`\partial M/\partial \ln \ell_k` is this times :math:`(x_k - x'_k)^2/\ell_k^2`.
    """
    s = sqrt(5) * distance
    return np.asarray((5 / 3) * (1 + s) * np.exp(-s))
