r"""What is measured of the conductivity of Li₁₊ₓAlₓGe₂₋ₓ(PO₄)₃, and the laws that carry it elsewhere.

The committed table ``data/lagp_conductivity.csv`` holds single published values with their DOI.  Three fits are
made from it at run time; only the spreads between laboratories are chosen:

* :math:`\log_{10}\sigma_{25}(x)` of the total conductivity: a parabola over the rows with 0.2 ≤ x ≤ 0.8;
* its value at x = 0: the geometric mean of the rows there, which differ by more than two decades;
* the activation energy: a straight line over the rows with 0.2 ≤ x ≤ 0.8 that state one, and the mean of those at
  x = 0.

Between 0 and 0.2 there is no row: both quantities are interpolated linearly there.  A row of a source that
contributes n rows weighs :math:`1/\sqrt{n}`: less than one row of an independent laboratory, since rows of one
laboratory share its systematic error, but a series still tells more than a single value.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.errors import InputError
from dynaphase.units import BOLTZMANN_EV, ROOM_TEMPERATURE

__all__ = [
    "ConductivityFit",
    "Measurement",
    "arrhenius",
    "check_temperature",
    "film_capacity",
    "fit_conductivity",
    "leave_one_source_out",
    "load_measurements",
    "root_mean_square",
    "thermal_sd",
    "wetting",
]

FloatArray = npt.NDArray[np.float64]

TEMPERATURES_K: Final = (100.0, 2000.0)
"""Range in which Arrhenius laws are evaluated (K); far beyond where they were measured already."""

FIT_RANGE: Final = (0.2, 0.8)
"""Range of x whose rows make the parabola and the straight line."""

BETWEEN_LABORATORIES: Final = 0.2
"""Standard deviation of log₁₀ σ between laboratories for 0.2 ≤ x ≤ 0.8: the prior, not the smaller fit residual."""

BETWEEN_LABORATORIES_AT_ZERO: Final = 1.0
"""The same at x = 0, where the rows span 2.4 decades."""

BOUNDARY_PER_INTERCEPT: Final = {2: math.pi / 2, 3: 2.0}
"""Boundary per area or volume times the mean linear intercept, by the number of axes."""

ACTIVATION_ENERGY_SD: Final = 0.03
"""Standard deviation of the activation energy for x ≥ 0.2 (eV)."""

ACTIVATION_ENERGY_SD_AT_ZERO: Final = 0.12
"""The same at x = 0 (eV), where the three rows range from 0.38 to 0.65."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One published conductivity."""

    x: float
    """Substitution x of Li1+xAlxGe2−x(PO4)3."""
    conductivity_S_per_cm: float
    """Total conductivity at 25 °C (S/cm)."""
    activation_energy_eV: float | None
    doi: str
    """Publication: rows with equal DOI share a laboratory."""
    database: str

    @property
    def log10(self) -> float:
        """log₁₀ of the conductivity in S/cm."""
        return math.log10(self.conductivity_S_per_cm)


@dataclass(frozen=True, slots=True)
class ConductivityFit:
    """Conductivity and activation energy of the host as functions of its substitution x."""

    coefficients: tuple[float, ...]
    """c₀, c₁, c₂ of log₁₀ σ (S/cm) = c₀ + c₁x + c₂x²."""
    log10_at_zero: float
    """log₁₀ σ (S/cm) at x = 0."""
    activation_coefficients: tuple[float, ...]
    """e₀, e₁ of Ea (eV) = e₀ + e₁x."""
    activation_energy_at_zero: float
    """Ea (eV) at x = 0."""
    sources: tuple[str, ...]
    """DOIs of the rows behind the parabola."""
    sources_at_zero: tuple[str, ...]
    """DOIs of the rows behind the conductivity at x = 0."""
    activation_sources: tuple[str, ...]
    """DOIs of the rows behind the straight line."""
    activation_sources_at_zero: tuple[str, ...]
    """DOIs of the rows behind the activation energy at x = 0."""

    def log10_conductivity(self, x: float) -> float:
        """log₁₀ of the total conductivity at 25 °C (S/cm) at substitution `x`."""
        return _from_zero(x, self.log10_at_zero, lambda v: _polynomial(self.coefficients, v))

    def log10_sd(self, x: float) -> float:
        """Standard deviation of log₁₀ σ between laboratories."""
        return _from_zero(x, BETWEEN_LABORATORIES_AT_ZERO, lambda _: BETWEEN_LABORATORIES)

    def activation_energy(self, x: float) -> float:
        """Activation energy (eV) of σT at substitution `x`."""
        return _from_zero(x, self.activation_energy_at_zero, lambda v: _polynomial(self.activation_coefficients, v))

    def activation_energy_sd(self, x: float) -> float:
        """Standard deviation of the activation energy (eV)."""
        return _from_zero(x, ACTIVATION_ENERGY_SD_AT_ZERO, lambda _: ACTIVATION_ENERGY_SD)


@lru_cache(maxsize=1)
def load_measurements() -> tuple[Measurement, ...]:
    """Rows of the committed table."""
    text = resources.files("dynaphase.materials").joinpath("data/lagp_conductivity.csv").read_text("utf-8")
    return tuple(
        Measurement(
            x=float(row["x"]),
            conductivity_S_per_cm=float(row["sigma_S_per_cm"]),
            activation_energy_eV=float(row["activation_energy_eV"]) if row["activation_energy_eV"] else None,
            doi=row["doi"],
            database=row["database"],
        )
        for row in csv.DictReader(text.splitlines())
    )


@lru_cache(maxsize=8)
def fit_conductivity(rows: tuple[Measurement, ...] | None = None, upper: float = FIT_RANGE[1]) -> ConductivityFit:
    """Fit the committed rows, or the given ones.

    Parameters
    ----------
    rows : tuple of Measurement, optional
        Rows to fit; by default the committed table.
    upper : float
        Largest x that enters the parabola.

    Raises
    ------
    InputError
        If fewer than three distinct x remain for the parabola.
    """
    rows = load_measurements() if rows is None else rows
    inner = [r for r in rows if FIT_RANGE[0] <= r.x <= upper]
    if len({r.x for r in inner}) < 3:
        raise InputError(
            f"a parabola needs rows at three or more x between {FIT_RANGE[0]} and {upper}, "
            f"not {sorted({r.x for r in inner})}"
        )
    with_energy = [r for r in inner if r.activation_energy_eV is not None]
    at_zero = [r for r in rows if r.x == 0] or [r for r in load_measurements() if r.x == 0]
    energies = [r for r in at_zero if r.activation_energy_eV is not None]
    energies = energies or [r for r in load_measurements() if r.x == 0 and r.activation_energy_eV is not None]
    return ConductivityFit(
        coefficients=_weighted_polynomial(inner, [r.log10 for r in inner], degree=2),
        log10_at_zero=float(np.mean([r.log10 for r in at_zero])),
        activation_coefficients=_weighted_polynomial(
            with_energy, [r.activation_energy_eV or 0.0 for r in with_energy], degree=1
        ),
        activation_energy_at_zero=float(np.mean([r.activation_energy_eV or 0.0 for r in energies])),
        sources=_dois(inner),
        sources_at_zero=_dois(at_zero),
        activation_sources=_dois(with_energy),
        activation_sources_at_zero=_dois(energies),
    )


def leave_one_source_out(
    upper: float = FIT_RANGE[1], judged_up_to: float = FIT_RANGE[1]
) -> dict[str, list[tuple[float, float]]]:
    """Errors of log₁₀ σ where each source is predicted by a fit to all the others.

    Parameters
    ----------
    upper : float
        Largest x that enters the fit.
    judged_up_to : float
        Largest x whose held-out rows are judged.

    Returns
    -------
    dict of DOI to list of (x, error)
        Predicted minus measured log₁₀ σ, decades.
    """
    rows = load_measurements()
    errors: dict[str, list[tuple[float, float]]] = {}
    for doi in sorted({r.doi for r in rows}):
        held_out = [r for r in rows if r.doi == doi and FIT_RANGE[0] <= r.x <= judged_up_to]
        if held_out:
            fit = fit_conductivity(tuple(r for r in rows if r.doi != doi), upper)
            errors[doi] = [(r.x, _polynomial(fit.coefficients, r.x) - r.log10) for r in held_out]
    return errors


def root_mean_square(errors: dict[str, list[tuple[float, float]]]) -> float:
    """Root mean square over all held-out rows (decades)."""
    return math.sqrt(float(np.mean([e**2 for rows in errors.values() for _, e in rows])))


def check_temperature(temperature_K: float) -> None:
    """Refuse a temperature at which no parameter means anything.

    Raises
    ------
    InputError
        If it is not between 100 and 2000 K.
    """
    if not TEMPERATURES_K[0] <= temperature_K <= TEMPERATURES_K[1]:
        raise InputError(
            f"the temperature is {temperature_K} K; give one between {TEMPERATURES_K[0]:g} and "
            f"{TEMPERATURES_K[1]:g} K, for example {ROOM_TEMPERATURE} for 25 °C"
        )


def arrhenius(activation_energy_eV: float, temperature_K: float, *, power: int = 0) -> float:
    r"""Factor between 298.15 K and T: :math:`(T_0/T)^m \exp[-(E_a/k)(1/T - 1/T_0)]`, m = `power`.

    Ionic conductivity has m = 1, since it is σT that is activated (Nernst–Einstein); rates and diffusivities m = 0.

    Raises
    ------
    InputError
        If the temperature is not positive and finite.
    """
    if not (math.isfinite(temperature_K) and temperature_K > 0):
        raise InputError(
            f"the temperature is {temperature_K} K; give a positive, finite temperature in kelvin, "
            f"for example {ROOM_TEMPERATURE} for 25 °C"
        )
    exponent = activation_energy_eV / BOLTZMANN_EV * (1 / temperature_K - 1 / ROOM_TEMPERATURE)
    return float((ROOM_TEMPERATURE / temperature_K) ** power * math.exp(-exponent))


def thermal_sd(activation_energy_sd_eV: float, temperature_K: float) -> float:
    """Standard deviation of ln `arrhenius` that an uncertain activation energy makes away from 298.15 K."""
    return activation_energy_sd_eV / BOLTZMANN_EV * abs(1 / temperature_K - 1 / ROOM_TEMPERATURE)


def wetting(film_fraction: float, grain_size_nm: float, film_thickness_nm: float, n_axes: int = 2) -> float:
    r"""Share of the grain boundary that a glassy film covers, :math:`θ = \min(1, v_f / (δ_f L_A))`, 0 to 1.

    :math:`L_A = (π/2)/d` is the boundary length per area of a section with mean linear intercept d, an identity of
    stereology (Underwood, Quantitative Stereology, 1970); in space it is the area per volume, :math:`S_V = 2/d`.

    Parameters
    ----------
    film_fraction : float
        Volume fraction of film-forming phases.
    grain_size_nm : float
        Mean linear intercept d (nm).
    film_thickness_nm : float
        Thickness δ_f of the film (nm).
    n_axes : int
        2 in the plane, 3 in space.
    """
    return min(1.0, film_fraction / film_capacity(grain_size_nm, film_thickness_nm, n_axes))


def film_capacity(grain_size_nm: float, film_thickness_nm: float, n_axes: int = 2) -> float:
    """Volume fraction of glass that the boundaries can hold as a film, δ_f L_A, in space δ_f S_V; see `wetting`."""
    if not (grain_size_nm > 0 and film_thickness_nm > 0):
        raise InputError(
            f"grain size ({grain_size_nm} nm) and film thickness ({film_thickness_nm} nm) must be positive"
        )
    return film_thickness_nm * BOUNDARY_PER_INTERCEPT[n_axes] / grain_size_nm


def _dois(rows: Sequence[Measurement]) -> tuple[str, ...]:
    return tuple(sorted({row.doi for row in rows}))


def _weighted_polynomial(rows: Sequence[Measurement], values: Sequence[float], degree: int) -> tuple[float, ...]:
    n_rows = Counter(r.doi for r in rows)
    # polyfit multiplies residuals, so it takes the square root of the weight 1/√n.
    roots = [n_rows[r.doi] ** -0.25 for r in rows]
    coefficients = np.polynomial.polynomial.polyfit([r.x for r in rows], values, degree, w=roots)
    return tuple(float(c) for c in coefficients)


def _polynomial(coefficients: Sequence[float], x: float) -> float:
    return float(sum(c * x**power for power, c in enumerate(coefficients)))


def _from_zero(x: float, at_zero: float, beyond: Callable[[float], float]) -> float:
    """Value of `beyond`, continued linearly from its value at the first fitted x to `at_zero` at x = 0."""
    start = FIT_RANGE[0]
    if x >= start:
        return beyond(x)
    return at_zero + (beyond(start) - at_zero) * x / start
