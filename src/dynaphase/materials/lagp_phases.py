"""Phases of Li–Al–Ge–phosphate and the assemblage that a composition forms.

Phosphate is fixed by the framework, P : (Al + Ge) = 3 : 2, so everything is counted per two framework cations:
ℓ lithium, α aluminium, 2 − α germanium, 3 phosphorus, and oxygen by charge balance.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

from dynaphase.composition import Composition
from dynaphase.errors import CompositionError
from dynaphase.materials.assemblage import Phase, balance_phases
from dynaphase.materials.base import Assemblage

__all__ = [
    "FILM_FORMERS",
    "HOST",
    "SECONDARY_PHASES",
    "SOLUBILITY_LIMIT",
    "find_assemblage",
    "host_molar_volume",
    "host_phase",
    "per_two_framework_cations",
]

HOST: Final = "NASICON"
"""Name of the solid solution Li1+xAlxGe2−x(PO4)3."""

HOST_ENDS: Final = ("NASICON x=0", "NASICON x=max")
"""Names of the two end members whose mixture is the solid solution."""

SOLUBILITY_LIMIT: Final = 0.6
"""Largest substitution x of the solid solution; AlPO4 and Li4P2O7 are reported from x ≈ 0.5–0.7 on."""

HOST_COST: Final = -1000.0
"""The host forms first."""

LAST_RESORT: Final = 2000.0
"""Cost of phases that are not observed beside phosphates: used only where nothing else balances."""

SECONDARY_PHASES: Final = (
    Phase("AlPO4", {"Al": 1, "P": 1, "O": 4}, 46.6, 1.0),
    Phase("GeO2", {"Ge": 1, "O": 2}, 24.4, 1.0),
    Phase("GeP2O7", {"Ge": 1, "P": 2, "O": 7}, 75.0, 1.0),
    Phase("Li3PO4", {"Li": 3, "P": 1, "O": 4}, 46.0, 1.0),
    Phase("Li4P2O7", {"Li": 4, "P": 2, "O": 7}, 84.0, 1.0),
    Phase("LiPO3", {"Li": 1, "P": 1, "O": 3}, 35.0, 2.0),
    Phase("LiAlO2", {"Li": 1, "Al": 1, "O": 2}, 25.0, 3.0),
    # Li2O reacts with any phosphate to Li3PO4.
    Phase("Li2O", {"Li": 2, "O": 1}, 14.9, LAST_RESORT),
    Phase("Al2O3", {"Al": 2, "O": 3}, 25.6, 4.0),
    Phase("Al(PO3)3", {"Al": 1, "P": 3, "O": 9}, 95.0, LAST_RESORT),
    Phase("Li4GeO4", {"Li": 4, "Ge": 1, "O": 4}, 58.0, 2.0),
)
"""Molar volumes from handbook densities, ±10 %."""

FILM_FORMERS: Final = ("LiPO3", "Li4P2O7")
"""Low-melting lithium phosphates that wet grain boundaries as a glassy film; the others form particles."""

HOST_VOLUMES: Final = ((0.0, 121.7), (0.5, 122.4), (0.8, 122.5))
"""(x, molar volume in cm³/mol) from the lattice parameters that OBELiX lists (doi:10.48550/arXiv.2502.14234)."""


def host_molar_volume(x: float) -> float:
    """Molar volume (cm³/mol) of the host at substitution `x`."""
    xs, volumes = zip(*HOST_VOLUMES, strict=True)
    return float(np.interp(x, xs, volumes))


def host_phase(name: str, x: float) -> Phase:
    """Host end member of substitution `x`."""
    elements = {"Li": 1 + x, "Al": x, "Ge": 2 - x, "P": 3.0, "O": 12.0}
    return Phase(name, {e: n for e, n in elements.items() if n > 0}, host_molar_volume(x), HOST_COST)


def per_two_framework_cations(composition: Composition) -> tuple[float, float, float]:
    """Lithium ℓ, aluminium α and germanium 2 − α per two framework cations.

    Raises
    ------
    CompositionError
        If the composition holds other elements, no lithium, or neither aluminium nor germanium.
    """
    parts = dict(composition.parts)
    lithium, aluminium, germanium = (parts.pop(e, 0) for e in ("Li", "Al", "Ge"))
    if parts:
        raise CompositionError(
            f"LAGP is spanned by Li, Al and Ge, but the composition holds {', '.join(sorted(parts))}; "
            "reduce a full formula with LAGP().read(...) first"
        )
    framework = aluminium + germanium
    if not framework or not lithium:
        missing = "Li" if framework else "Al or Ge"
        raise CompositionError(f"LAGP needs lithium and at least one of Al and Ge; this composition has no {missing}")
    return 2 * lithium / framework, 2 * aluminium / framework, 2 * germanium / framework


@lru_cache(maxsize=4096)
def find_assemblage(composition: Composition, solubility_limit: float = SOLUBILITY_LIMIT) -> Assemblage:
    r"""Phases of `composition`, as much host as can be made first.

    With :math:`n_0, n_m` the moles of the host's two end members, the solid solution has
    :math:`x_s = x_{max} n_m/(n_0 + n_m)`.  The result is cached: a material at several temperatures costs one
    linear programme.

    Raises
    ------
    CompositionError
        As `per_two_framework_cations`.
    """
    lithium, aluminium, germanium = per_two_framework_cations(composition)
    ends = (host_phase(HOST_ENDS[0], 0.0), host_phase(HOST_ENDS[1], solubility_limit))
    amounts = balance_phases((*ends, *SECONDARY_PHASES), {"Li": lithium, "Al": aluminium, "Ge": germanium, "P": 3.0})
    n_0, n_max = (amounts.get(name, 0.0) for name in HOST_ENDS)
    n_host = n_0 + n_max
    x = solubility_limit * n_max / n_host if n_host else 0.0
    volumes = {HOST: n_host * host_molar_volume(x)} if n_host else {}
    volumes |= {p.name: amounts[p.name] * p.molar_volume for p in SECONDARY_PHASES if p.name in amounts}
    total = sum(volumes.values())
    return Assemblage(
        amounts=amounts,
        volume_fractions={name: volume / total for name, volume in volumes.items()},
        host=HOST,
        host_coordinate=x,
        charge_imbalance=lithium - (1 + aluminium),
        film_formers=tuple(name for name in FILM_FORMERS if name in volumes),
    )
