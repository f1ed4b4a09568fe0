r"""What a composition costs: prices of the elements by weight, atomic masses from pymatgen.

A kilogram of the elements that vary, mixed with atomic fractions x, costs

.. math:: \frac{\sum_e x_e M_e P_e}{\sum_e x_e M_e}

with the molar masses M_e and the prices per kilogram P_e, which are the user's, in any currency.  What does not vary
(phosphate, oxygen) is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynaphase.composition import Composition
from dynaphase.constraints import Linear, price_limit
from dynaphase.errors import ConfigError

__all__ = ["ElementPrices"]


@dataclass(frozen=True, slots=True)
class ElementPrices:
    """Prices of elements, per kilogram of element.

    Raises
    ------
    ConfigError
        On `check`, if an element of a system has no price, or a price is of no element of it.
    """

    per_kg: tuple[tuple[str, float], ...]

    def check(self, elements: Sequence[str]) -> None:
        """Refuse prices that do not fit the elements that vary."""
        known = dict(self.per_kg)
        missing = [element for element in elements if element not in known]
        foreign = [element for element in known if element not in elements]
        if missing or foreign:
            raise ConfigError(
                f"element_prices must name the elements that vary, {', '.join(elements)}, per kilogram"
                + (f"; missing: {', '.join(missing)}" if missing else "")
                + (f"; not among them: {', '.join(foreign)}" if foreign else "")
            )

    def of(self, compositions: Sequence[Composition]) -> npt.NDArray[np.float64]:
        """Price of a kilogram of each composition's varying elements, shape (n,)."""
        prices, masses = dict(self.per_kg), self.masses
        weights = [{element: x * masses[element] for element, x in c.fractions.items()} for c in compositions]
        totals = [sum(prices[e] * w for e, w in weight.items()) / sum(weight.values()) for weight in weights]
        return np.array(totals, dtype=np.float64)

    def at_most(self, max_price: float) -> Linear:
        """The constraint that a kilogram costs `max_price` or less."""
        masses = self.masses
        return price_limit({element: price * masses[element] for element, price in self.per_kg}, masses, max_price)

    @property
    def masses(self) -> dict[str, float]:
        """Atomic masses (kg/mol)."""
        from pymatgen.core.periodic_table import Element

        return {element: 1e-3 * float(Element(element).atomic_mass) for element, _ in self.per_kg}
