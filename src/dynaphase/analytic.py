"""What a simulation will roughly give, in closed form: conductivity by effective medium, stability by closures.

Nothing is simulated here: a material's parameters go through textbook formulas.  The surrogate starts from these
estimates and learns what the simulation adds.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, log, sqrt
from typing import Final

from dynaphase.descriptors import stability_score
from dynaphase.material_inputs import S_PER_CM, conduction_parameters, particle_fractions
from dynaphase.materials.base import Material
from dynaphase.units import NM

__all__ = ["bruggeman", "effective_conductivity", "estimated_stability"]

REST_S: Final = 1000.0
"""Time over which decomposed electrolyte grows before its width is taken (s), as in the physical model."""


def bruggeman(conductivities: Mapping[str, float], fractions: Mapping[str, float], n_axes: int = 2) -> float:
    r"""Effective conductivity of a symmetric mixture, Bruggeman's self-consistent medium.

    .. math:: \sum_i f_i \frac{σ_i - σ_e}{σ_i + (d - 1) σ_e} = 0

    It percolates at a volume fraction of 1/d (doi:10.1002/andp.19354160705).

    Parameters
    ----------
    conductivities : mapping
        Phase → σ_i > 0.
    fractions : mapping
        Phase → f_i; they are normalised to 1.
    n_axes : int
        d, 2 or 3.

    Returns
    -------
    float
        σ_e, in the unit of the conductivities.
    """
    from scipy.optimize import brentq

    present = [(conductivities[name], share) for name, share in fractions.items() if share > 0]
    logs = [log(sigma) for sigma, _ in present]
    if max(logs) - min(logs) < 1e-12:
        return exp(logs[0])

    def imbalance(log_effective: float) -> float:
        effective = exp(log_effective)
        return sum(share * (sigma - effective) / (sigma + (n_axes - 1) * effective) for sigma, share in present)

    return exp(float(brentq(imbalance, min(logs), max(logs), xtol=1e-10)))


def effective_conductivity(material: Material, grain_size_nm: float, n_axes: int = 2) -> float:
    r"""Ionic conductivity (S/cm) of a polycrystal with voids and particles, without simulating one.

    Grains and boundaries in series, :math:`1/σ_{pc} = 1/σ_b + R''(θ)/d`, then `bruggeman` over host, particles and
    voids.  Voids take the share ``porosity`` of the material, the closure that stands where no furnace is simulated.

    Parameters
    ----------
    material : Material
    grain_size_nm : float
        Mean linear intercept d (nm).
    n_axes : int
        2 in the plane, 3 in space.
    """
    found = conduction_parameters(material, grain_size_nm, n_axes)
    polycrystal = 1 / (1 / found.bulk_S_per_m + found.boundary_resistance_ohm_m2 / (grain_size_nm * NM))
    particles = particle_fractions(material, grain_size_nm, n_axes)
    voids = material["porosity"]
    solid = 1 - voids
    host = material.assemblage.host
    shares = {name: solid * share for name, share in particles.items()}
    shares |= {host: solid * max(0.0, 1 - sum(particles.values())), "void": voids}
    if not material.assemblage.host_fraction:
        del shares[host]
    conductivities = {host: polycrystal, "void": found.void_S_per_m} | dict(found.secondary)
    return S_PER_CM * bruggeman(conductivities, shares, n_axes)


def estimated_stability(material: Material) -> float:
    """S (0–100) from closures: grain size and porosity without a furnace, and parabolic growth √(2 k_p t) at rest."""
    width = sqrt(2 * material["parabolic_constant_nm2_per_s"] * REST_S)
    return stability_score(material["grain_size_nm"], material["porosity"], width)
