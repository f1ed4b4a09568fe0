r"""Which phases a composition forms: the lever rule as a linear programme.

Unknown are the moles :math:`n_p \ge 0` of every candidate phase p.  Each element except oxygen balances,

.. math:: \sum_p \nu_{ep}\,n_p = b_e ,

and among all mixtures that balance the one of least cost :math:`\sum_p c_p n_p` is taken.  Every phase is neutral,
so oxygen balances by itself.  Costs rank what forms first; they stand where convex-hull energies would stand and
can be replaced by them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.errors import CompositionError

__all__ = ["OXIDATION_STATES", "Phase", "balance_phases", "charge"]

FloatArray = npt.NDArray[np.float64]

OXIDATION_STATES: Final[Mapping[str, int]] = {
    **dict.fromkeys(("H", "Li", "Na", "K"), 1),
    **dict.fromkeys(("Mg", "Ca", "Sr", "Ba", "Zn"), 2),
    **dict.fromkeys(("B", "Al", "Ga", "In", "Sc", "Y", "La"), 3),
    **dict.fromkeys(("C", "Si", "Ge", "Sn", "Ti", "Zr", "Hf"), 4),
    **dict.fromkeys(("P", "Nb", "Ta"), 5),
    **dict.fromkeys(("O", "S", "Se"), -2),
    **dict.fromkeys(("F", "Cl", "Br", "I"), -1),
    "N": -3,
}
"""Formal charges by which a phase is neutral: those that the elements have in oxides, phosphates and garnets."""

FEASIBILITY: Final = 1e-10
"""Tolerance of the linear programme, the tightest that HiGHS takes; the balance is refined afterwards."""

NEGLIGIBLE: Final = 1e-9
"""Amounts below this (moles per normalisation) are left out where the balance closes without them."""

BALANCE: Final = 1e-10
"""Largest relative error of an element that is accepted after the refinement."""

CLEARLY: Final = 1e-6
"""Amounts and reduced costs above this are beyond doubt: no tolerance of a solver could turn them to zero."""

MOST_BASES: Final = 512
"""How many optimal bases are remembered for one set of phases."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A candidate phase: one formula unit and what the programme has to know about it."""

    name: str
    elements: Mapping[str, float]
    """Atoms per formula unit, oxygen included."""
    molar_volume: float
    """Volume of one mole of formula units (cm³/mol)."""
    cost: float
    """Cost of one mole in the linear programme, dimensionless; the lowest forms first."""


def charge(elements: Mapping[str, float]) -> float:
    """Net formal charge of the given atoms, in units of e."""
    return sum(OXIDATION_STATES[element] * amount for element, amount in elements.items())


def balance_phases(phases: Sequence[Phase], amounts: Mapping[str, float]) -> dict[str, float]:
    r"""Moles of each phase in the cheapest mixture that holds exactly the given elements.

    The programme is solved by HiGHS.  Its vertex says *which* phases take part; how much of them follows from the
    element balance on that support by least squares with rows scaled by :math:`1/b_e`, refined until every element
    closes to 10⁻¹⁰ of its own amount: this holds for an element that is a millionth of the whole as well.

    Parameters
    ----------
    phases : sequence of Phase
        Candidates.
    amounts : mapping of element to moles
        What to distribute, without oxygen; zero is allowed and excludes the phases that hold the element.

    Returns
    -------
    dict of phase name to moles
        Phases with a positive amount, in the order of `phases`.

    Raises
    ------
    CompositionError
        If no mixture of the candidates holds these elements.
    """
    present = [element for element, amount in amounts.items() if amount > 0]
    absent = set(amounts) - set(present)
    possible = [p for p in phases if not any(p.elements.get(element) for element in absent)]
    matrix = np.array([[p.elements.get(element, 0.0) for p in possible] for element in present])
    target = np.array([amounts[element] for element in present])
    costs = np.array([p.cost for p in possible])
    with np.errstate(divide="ignore"):
        largest = (target[:, None] / matrix).min(axis=0)  # of each phase that the elements allow
    bases = _BASES.setdefault(_programme(possible, present), [])
    for support, inverse in bases:
        if (inverse @ target > CLEARLY).all():
            moles, error = _refine(matrix[:, support], target)
            if error <= BALANCE and moles.min() >= 0:
                return {possible[p].name: float(n) for p, n in zip(support, moles, strict=True)}
    closest = np.inf
    for units in (np.full_like(largest, max(1.0, target.max() / 10)), largest):
        vertex = _cheapest_vertex(matrix, target, costs, units)
        for threshold in (NEGLIGIBLE, 0.0):
            support = np.flatnonzero(vertex > threshold)
            moles, error = _refine(matrix[:, support], target)
            if error <= BALANCE and moles.min() >= 0:
                if len(bases) < MOST_BASES and moles.min() > CLEARLY:
                    _remember(bases, matrix, costs, support)
                return {possible[p].name: float(n) for p, n in zip(support, moles, strict=True) if n > 0}
            closest = min(closest, error)
    held = ", ".join(f"{element} {amount:.4g}" for element, amount in amounts.items())
    raise CompositionError(
        f"no mixture of {', '.join(p.name for p in phases)} holds {held} (best relative error {closest:.1e}); "
        "the phase table lacks a phase for it, or an element is too rare for the linear programme"
    )


_BASES: Final[dict[tuple[object, ...], list[tuple[npt.NDArray[np.intp], FloatArray]]]] = {}
"""Optimal bases met so far, each as its phases and the inverse of their part of the balance, by linear programme.

Reduced costs do not depend on the amounts, so a basis that is optimal for one composition is optimal for all that it
can hold without negative moles.  Remembered are only bases whose optimum is unique, so the answer does not depend on
what was asked before.
"""


def _programme(phases: Sequence[Phase], elements: Sequence[str]) -> tuple[object, ...]:
    return (*elements, *((p.name, p.cost, *p.elements.items()) for p in phases))


def _remember(
    bases: list[tuple[npt.NDArray[np.intp], FloatArray]],
    matrix: FloatArray,
    costs: FloatArray,
    support: npt.NDArray[np.intp],
) -> None:
    """Keep the phases of `support` if they are a basis and the only optimal one."""
    if len(support) != len(matrix) or np.linalg.cond(matrix[:, support]) > 1 / CLEARLY:
        return
    inverse = np.linalg.inv(matrix[:, support])
    reduced = np.delete(costs - costs[support] @ inverse @ matrix, support)
    if (reduced > CLEARLY).all():
        bases.append((support, np.asarray(inverse, dtype=np.float64)))


def _cheapest_vertex(matrix: FloatArray, target: FloatArray, costs: FloatArray, units: FloatArray) -> FloatArray:
    """Moles of each phase, solved with phase p counted in `units[p]` moles; empty of phases where there is no solution.

    The tolerances of HiGHS are absolute: small units resolve traces, equal ones rank the costs best.
    """
    from scipy.optimize import linprog

    solution = linprog(
        costs * units,
        A_eq=matrix * units / target[:, None],
        b_eq=np.ones_like(target),
        method="highs",
        options={"primal_feasibility_tolerance": FEASIBILITY, "dual_feasibility_tolerance": FEASIBILITY},
    )
    return np.zeros_like(costs) if solution.x is None else np.asarray(solution.x) * units


def _refine(matrix: FloatArray, target: FloatArray) -> tuple[FloatArray, float]:
    """Least-squares amounts with rows scaled to one, and the largest relative error of an element."""
    if not matrix.shape[1]:
        return np.zeros(1), 1.0
    scaled = matrix / target[:, None]
    moles = np.zeros(matrix.shape[1])
    for _ in range(3):
        residual = 1.0 - scaled @ moles
        moles += np.linalg.lstsq(scaled, residual, rcond=None)[0]
    return moles, float(np.abs(1.0 - scaled @ moles).max())
