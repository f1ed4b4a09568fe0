"""Parameters of the microstructure: boundaries and what wets them, interface energies, the furnace."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from dynaphase.materials.base import Assemblage, Spread, Status
from dynaphase.materials.conductivity import wetting
from dynaphase.materials.priors import SURFACE_OVER_BOUNDARY, BoundaryPriors, FurnacePriors
from dynaphase.materials.sheet import ParameterSheet, combine_lognormal

__all__ = ["add_boundaries", "add_furnace", "add_interface_energies", "add_microstructure"]

POWDER_GRAIN_SIZE_NM: Final = 13.1
"""Mean linear intercept of the powder's grains: 36 of them in 100 nm × 100 nm."""

LEAST_DENSIFICATION: Final = 0.1
"""Share of the densification rate that is left however many particles there are."""

BLOCKING_FRACTION: Final = 0.3
"""Volume fraction of particles at which densification would stop without that least share."""


def add_boundaries(sheet: ParameterSheet, priors: BoundaryPriors) -> None:
    """Widths of boundaries and films, and what a film costs the conductance of its boundary."""
    sheet.prior("boundary_width_nm", priors.boundary_width_nm, "nm")
    sheet.exact(
        "boundary_width_numerical_nm", 4.0, "nm", Status.NUMERICAL,
        "width on the grid; the area resistance of a boundary is kept",
    )  # fmt: skip
    sheet.prior("film_thickness_nm", priors.film_thickness_nm, "nm")
    prior = priors.film_conductance_loss
    loss = sheet.prior("film_conductance_loss", prior, "1")
    sheet.derived(
        "film_resistance_factor_full", 1 / (1 - loss), "1", Spread.lognormal(prior.absolute_sd / (1 - prior.value)),
        "1/(1 − film_conductance_loss): resistance of a fully wetted boundary over that of a dry one",
    )  # fmt: skip


def add_microstructure(sheet: ParameterSheet, priors: FurnacePriors, assemblage: Assemblage) -> None:
    """Grain size and porosity as closures, for models that do not simulate the furnace."""
    secondary = assemblage.secondary_fraction
    rich = float(np.clip(assemblage.charge_imbalance / 0.2, 0, 1))
    poor = max(-assemblage.charge_imbalance, 0.0)
    size, pores = priors.grain_size_nm, priors.porosity
    sheet.prior(
        "grain_size_nm", size, "nm", median=size.value * (1 + secondary / 0.05) ** -0.5 * (1 + 0.3 * rich),
        source=f"{size.value:g} nm (1 + v_s/0.05)^(−1/2) (1 + 0.3 clip(δ/0.2, 0, 1)), {size.source}: particles pin; "
        "that excess lithium helps is assumed, and with the same term of the porosity it is why S peaks at δ > 0",
    )  # fmt: skip
    sheet.prior(
        "porosity", pores, "1",
        median=float(np.clip(pores.value + 0.15 * secondary + 0.05 * poor / 0.4 - 0.01 * rich, 0.005, 0.25)),
        source=f"{pores.value:g} + 0.15 v_s + 0.05 max(−δ, 0)/0.4 − 0.01 clip(δ/0.2, 0, 1), {pores.source}",
    )  # fmt: skip


def add_interface_energies(sheet: ParameterSheet, priors: BoundaryPriors) -> None:
    r"""γ_gb and γ_s such that every draw can be sintered.

    The free energy of sintering exists for :math:`γ_s > \tfrac{7}{12}γ_{gb}` only, so what is drawn beside
    :math:`γ_{gb}` is the margin :math:`m = γ_s - \tfrac{7}{12}γ_{gb} > 0`, log-normal, with the spread that gives
    :math:`γ_s` its stated one.  Wetting lowers γ_gb and so widens the margin.
    """
    boundary_prior, surface_prior = priors.boundary_energy_J_per_m2, priors.surface_energy_J_per_m2
    boundary = sheet.prior("boundary_energy_J_per_m2", boundary_prior, "J/m²")
    sheet.prior("boundary_energy_wetting_loss", priors.boundary_energy_wetting_loss, "1")
    from_boundary = SURFACE_OVER_BOUNDARY * boundary_prior.absolute_sd
    median = surface_prior.value - SURFACE_OVER_BOUNDARY * boundary_prior.value
    own = math.sqrt(max(surface_prior.absolute_sd**2 - from_boundary**2, (0.1 * median) ** 2))
    margin = sheet.independent(
        "surface_energy_margin_J_per_m2", median, "J/m²", Spread.lognormal(own / median), surface_prior.state,
        f"γ_s − (7/12) γ_gb, positive so that every draw can be sintered; γ_s {surface_prior.source}",
    )  # fmt: skip
    sheet.derived(
        "surface_energy_J_per_m2", margin + SURFACE_OVER_BOUNDARY * boundary, "J/m²",
        Spread.normal(math.hypot(own, from_boundary)),
        "surface_energy_margin_J_per_m2 + (7/12) boundary_energy_J_per_m2",
    )  # fmt: skip


def add_furnace(sheet: ParameterSheet, priors: FurnacePriors) -> None:
    r"""Reduced time and rate of densification: where melts and particles enter.

    .. math::

       t^* = t^*_0\,[1 + (R - 1)θ], \qquad Θ = Θ_0\,[1 + (R - 1)θ]\,\max(0.1,\ 1 - v_{refr}/0.3)

    with θ the share of the powder's boundaries that the melt wets; see `wetting`.
    """
    time = sheet.prior("reduced_time_dry", priors.reduced_time_dry, "nm²")
    gain = sheet.prior("liquid_rate_gain", priors.liquid_rate_gain, "1")
    rate = sheet.prior("densification_rate_dry", priors.densification_rate_dry, "1/nm²")
    sheet.prior("initial_porosity", priors.initial_porosity, "1")
    size = sheet.exact(
        "initial_grain_size_nm", POWDER_GRAIN_SIZE_NM, "nm", Status.NUMERICAL,
        "of the powder, as fine as the box needs it: 36 grains in 100 nm × 100 nm",
    )  # fmt: skip
    thickness, film = sheet.value("film_thickness_nm"), sheet.value("film_fraction")
    wetted = wetting(film, size, thickness)
    # A thicker film covers less, unless there is enough for all.
    film_sd = sheet.parameter("film_thickness_nm").spread.sd if 0 < wetted < 1 else 0.0
    sheet.derived(
        "initial_wetting", wetted, "1", Spread.lognormal(film_sd) if film_sd else Spread.exact(),
        "θ of the powder: min(1, film_fraction/(film_thickness_nm (π/2)/initial_grain_size_nm))",
    )  # fmt: skip
    speed = 1 + gain * wetted
    by_liquid = gain * wetted / speed
    liquid_sd = (by_liquid * priors.liquid_rate_gain.log_sd, by_liquid * film_sd)
    sheet.derived(
        "reduced_time", time * speed, "nm²", combine_lognormal(priors.reduced_time_dry.log_sd, *liquid_sd),
        "reduced_time_dry (1 + liquid_rate_gain initial_wetting)",
    )  # fmt: skip
    free = max(LEAST_DENSIFICATION, 1 - sheet.value("refractory_fraction") / BLOCKING_FRACTION)
    sheet.derived(
        "densification_rate", rate * speed * free, "1/nm²",
        combine_lognormal(priors.densification_rate_dry.log_sd, *liquid_sd),
        "densification_rate_dry (1 + liquid_rate_gain initial_wetting) max(0.1, 1 − refractory_fraction/0.3)",
    )  # fmt: skip
