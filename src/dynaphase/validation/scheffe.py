"""Element influence: Scheffé's mixture regression with robust intervals and adjusted p-values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from math import inf, nan
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from dynaphase.errors import InputError
from dynaphase.validation.arrays import FloatArray, Interval, as_json, finite, same_shape

__all__ = ["Estimate", "ScheffeTable", "scheffe_regression"]

_COLLINEAR: Final = 1e6
"""Condition number of the column-scaled design beyond which its columns count as dependent."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """One regression coefficient or effect with its uncertainty; `p_holm` is adjusted within its family."""

    name: str
    value: float
    interval_95: Interval
    p: float
    p_holm: float


@dataclass(frozen=True, slots=True)
class ScheffeTable:
    """A Scheffé mixture model and the influence of each element.

    `coefficients` are β_i (the response at the pure vertex, often an extrapolation: its p-value tests that against
    zero and says nothing on influence) and β_ij.  `effects` are derivatives of the response with the fraction of one
    element, the others keeping their ratio, at `reference`.
    """

    model: str
    """``quadratic``, ``linear`` or ``none``."""
    elements: tuple[str, ...]
    reference: tuple[float, ...]
    coefficients: tuple[Estimate, ...] = ()
    effects: tuple[Estimate, ...] = ()
    r_squared: float = nan
    r_squared_adjusted: float = nan
    n: int = 0
    n_compositions: int = 0
    covariance_type: str = ""
    condition_number: float = nan
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {name: as_json(value) for name, value in asdict(self).items()}

    def sentences(self, response: str, step: float = 0.01) -> list[str]:
        """One sentence an element: what `step` more of it does to `response` at constant ratio of the others."""
        return [_sentence(effect, response, step) for effect in self.effects]


def scheffe_regression(
    fractions: npt.ArrayLike,
    y: npt.ArrayLike,
    elements: Sequence[str],
    *,
    weights: npt.ArrayLike | None = None,
) -> ScheffeTable:
    """Regress a property on composition with Scheffé's mixture polynomial.

        y = Σ_i β_i x_i + Σ_{i<j} β_ij x_i x_j,   Σ_i x_i = 1

    (doi:10.1111/j.2517-6161.1958.tb00299.x); no intercept, since Σ x_i = 1 already holds it, and for the same reason
    R² is measured against the mean of y.  The effect of element i is the derivative along Cox's direction at the
    mean composition s (doi:10.1093/biomet/58.1.155),

        dy/dx_i = ∇y · d,    d_i = 1,    d_j = −s_j/(1 − s_i)

    Standard errors are cluster-robust by composition when compositions repeat, else HC3.  The quadratic model needs
    more distinct compositions than terms and independent columns; without, the linear one is fitted, and without
    that the table says why.

    Parameters
    ----------
    fractions : array_like, shape (n, q)
        Rows sum to 1.
    y : array_like, shape (n,)
        Response, best on a scale where it is additive (log₁₀ σ).
    elements : sequence of str
        Names of the q columns.
    weights : array_like, shape (n,), optional
        Weights of weighted least squares (inverse variances).

    Raises
    ------
    InputError
        If shapes disagree, a value is not finite, a row does not sum to 1, or a weight is not positive.
    """
    x, response = _checked_fractions(fractions, elements), finite("y", y)
    if response.shape != (len(x),):
        raise InputError(f"{len(x)} rows of fractions need as many responses, not {response.shape}")
    w = np.ones(len(x)) if weights is None else finite("weights", weights)
    same_shape("weights", w, response)
    if (w <= 0).any():
        raise InputError("every weight must be positive; leave out the rows that should not count")
    distinct, group = np.unique(np.round(x, 9), axis=0, return_inverse=True)
    table = ScheffeTable(
        "none", tuple(elements), tuple(x.mean(axis=0).tolist()), n=len(x), n_compositions=len(distinct)
    )
    reasons: list[str] = []
    for model, pairs in (("quadratic", tuple(combinations(range(x.shape[1]), 2))), ("linear", ())):
        design = np.column_stack([x, *(x[:, i] * x[:, j] for i, j in pairs)])
        number = _condition_number(design)
        obstacle = _why_not_identifiable(design.shape[1], len(distinct), number)
        if not obstacle:
            note = "; ".join(reasons)
            return _fit_scheffe(table, model, pairs, design, response, w, group.reshape(-1), number, note)
        reasons.append(f"no {model} model: {obstacle}")
    return replace(table, note="; ".join(reasons))


def _fit_scheffe(
    table: ScheffeTable,
    model: str,
    pairs: tuple[tuple[int, int], ...],
    design: FloatArray,
    y: FloatArray,
    weights: FloatArray,
    group: npt.NDArray[np.intp],
    number: float,
    note: str,
) -> ScheffeTable:
    from statsmodels.regression import linear_model

    least_squares = cast(Any, linear_model).WLS(y, design, weights=weights)
    covariance_type, options = _robust_covariance(design, weights, group)
    fit = least_squares.fit(cov_type=covariance_type, cov_kwds=options, use_t=True)
    names = [*table.elements, *(f"{table.elements[i]}·{table.elements[j]}" for i, j in pairs)]
    directions = _cox_gradients(np.array(table.reference), pairs)
    effect = fit.t_test(directions)
    r_squared, adjusted = _r_squared(y, np.asarray(fit.fittedvalues), weights, design.shape[1])
    return replace(
        table,
        model=model,
        coefficients=_estimates(names, fit.params, fit.conf_int(), fit.pvalues),
        effects=_estimates(table.elements, effect.effect, effect.conf_int(), np.atleast_1d(effect.pvalue)),
        r_squared=r_squared,
        r_squared_adjusted=adjusted,
        covariance_type=covariance_type,
        condition_number=number,
        note=note,
    )


def _cox_gradients(reference: FloatArray, pairs: tuple[tuple[int, int], ...]) -> FloatArray:
    """Rows: derivative of every term of the design along each element's Cox direction, shape (q, n_terms)."""
    q = len(reference)
    directions = np.tile(-reference, (q, 1)) / (1 - reference)[:, None]
    np.fill_diagonal(directions, 1.0)
    products = [directions[:, i] * reference[j] + directions[:, j] * reference[i] for i, j in pairs]
    return np.column_stack([directions, *products])


def _robust_covariance(
    design: FloatArray, weights: FloatArray, group: npt.NDArray[np.intp]
) -> tuple[str, dict[str, Any]]:
    if len(np.unique(group)) < len(group):
        return "cluster", {"groups": group, "use_correction": True, "df_correction": True}
    orthonormal, _ = np.linalg.qr(np.sqrt(weights)[:, None] * design)
    leverage = (orthonormal**2).sum(axis=1)
    # HC3 divides by (1 − leverage)²: a composition that a term has for itself alone leaves it undefined
    return ("HC3" if leverage.max() < 1 - 1e-8 else "HC1"), {}


def _condition_number(design: FloatArray) -> float:
    lengths = np.linalg.norm(design, axis=0)
    return float(np.linalg.cond(design / lengths)) if (lengths > 0).all() else inf


def _why_not_identifiable(n_terms: int, n_compositions: int, number: float) -> str:
    if n_compositions <= n_terms:
        return f"{n_terms} terms need more than {n_compositions} distinct compositions"
    if not number < _COLLINEAR:
        return "the compositions lie on a line or plane on which its terms depend on each other"
    return ""


def _r_squared(y: FloatArray, fitted: FloatArray, weights: FloatArray, n_terms: int) -> Interval:
    mean = np.average(y, weights=weights)
    total = float(weights @ (y - mean) ** 2)
    if total == 0:
        return nan, nan
    unexplained = float(weights @ (y - fitted) ** 2) / total
    return 1 - unexplained, 1 - unexplained * (len(y) - 1) / (len(y) - n_terms)


def _estimates(names: Sequence[str], values: FloatArray, intervals: FloatArray, p: FloatArray) -> tuple[Estimate, ...]:
    rows = zip(names, values, intervals, p, _holm(p), strict=True)
    return tuple(Estimate(n, float(v), (float(i[0]), float(i[1])), float(a), float(b)) for n, v, i, a, b in rows)


def _holm(p: FloatArray) -> FloatArray:
    # same as statsmodels' multipletests, which runs the garbage collector at every call
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1.0)
    return adjusted


def _sentence(effect: Estimate, response: str, step: float) -> str:
    low, high = (step * bound for bound in effect.interval_95)
    verb = "raises" if effect.value > 0 else "lowers"
    change = f"{effect.name} + {step:g} at constant ratio of the others {verb} {response} by"
    doubt = "" if low > 0 or high < 0 else "; the sign is open"
    return f"{change} {abs(step * effect.value):.3g} (95 %: {low:+.3g} to {high:+.3g}{doubt})"


def _checked_fractions(fractions: npt.ArrayLike, elements: Sequence[str]) -> FloatArray:
    x = np.asarray(fractions, dtype=float)
    if x.ndim != 2 or x.shape[1] != len(elements) or x.size == 0 or len(elements) < 2:
        raise InputError(f"fractions of {len(elements)} ≥ 2 elements need shape (n, {len(elements)}), not {x.shape}")
    if not np.isfinite(x).all() or (np.abs(x.sum(axis=1) - 1) > 1e-6).any() or (x < -1e-9).any():
        raise InputError("fractions must be finite, not negative, and every row must sum to 1")
    return x
