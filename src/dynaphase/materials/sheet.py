"""The parameter sheet: where a draw of the uncertain parameters meets their medians.

A parameter is either *independent*, and then a draw moves it by its spread, or it follows from others by an
equation, and then it moves with them.  Nothing is drawn twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from dynaphase.errors import InputError, unknown_choice
from dynaphase.materials.base import Parameter, Spread, SpreadKind, Status
from dynaphase.materials.priors import Prior, bounds

__all__ = ["ParameterSheet", "combine_lognormal"]


class ParameterSheet:
    """Collects the parameters of one material while they are computed in order.

    Parameters
    ----------
    draw : mapping of parameter name to standard normal, optional
        Independent parameters that are moved, and how far, in units of their spread.

    Examples
    --------
    >>> sheet = ParameterSheet({"length": 1.0})
    >>> length = sheet.independent("length", 2.0, "nm", Spread.normal(0.5), Status.CLOSURE, "an assumption")
    >>> area = sheet.derived("area", length**2, "nm²", Spread.normal(2.0), "the square of the length")
    >>> sheet.parameters()["area"].value
    6.25
    """

    def __init__(self, draw: Mapping[str, float] | None = None) -> None:
        self._draw = dict(draw or {})
        self._parameters: dict[str, Parameter] = {}
        self._independent: list[str] = []
        for name, z in self._draw.items():
            if not math.isfinite(z):
                raise InputError(f"the draw of '{name}' is {z}; it must be a finite standard normal")

    @property
    def independent_names(self) -> tuple[str, ...]:
        """Names that a draw may hold, in the order they were added."""
        return tuple(self._independent)

    def independent(
        self,
        name: str,
        median: float,
        unit: str,
        spread: Spread,
        status: Status,
        source: str,
        *,
        lower: float = -math.inf,
        upper: float = math.inf,
    ) -> float:
        """Add an uncertain parameter and return its value: the median moved by the draw, kept within bounds."""
        self._independent.append(name)
        value = min(max(_moved(median, spread, self._draw.get(name, 0.0)), lower), upper)
        return self._add(Parameter(name, value, unit, spread, status, source))

    def prior(
        self, name: str, prior: Prior, unit: str, *, median: float | None = None, source: str | None = None
    ) -> float:
        """Add a parameter as a table states it, kept in its physical range.

        Parameters
        ----------
        name : str
        prior : Prior
            Spread, status and, unless given here, median and source.
        unit : str
        median : float, optional
            What the composition and the temperature make of the prior's value.
        source : str, optional
            What the prior's source is replaced by.
        """
        value = prior.value if median is None else median
        text = prior.source if source is None else source
        if prior.spread.kind is SpreadKind.EXACT:
            return self.exact(name, value, unit, prior.state, text)
        low, high = bounds(name, prior.spread, value)
        spread = prior.spread if value else Spread.exact()  # nothing of it is there: nothing to move
        return self.independent(name, value, unit, spread, prior.state, text, lower=low, upper=high)

    def derived(
        self, name: str, value: float, unit: str, spread: Spread, source: str, status: Status = Status.DERIVED
    ) -> float:
        """Add a parameter that follows from others; `spread` is what theirs amount to."""
        return self._add(Parameter(name, value, unit, spread, status, source))

    def exact(self, name: str, value: float, unit: str, status: Status, source: str) -> float:
        """Add a parameter that does not move."""
        return self._add(Parameter(name, value, unit, Spread.exact(), status, source))

    def value(self, name: str) -> float:
        """Value of a parameter that was added before."""
        return self._parameters[name].value

    def parameter(self, name: str) -> Parameter:
        """A parameter that was added before."""
        return self._parameters[name]

    def parameters(self) -> dict[str, Parameter]:
        """Everything added so far.

        Raises
        ------
        InputError
            If the draw names a parameter that does not move by itself.
        """
        for name in self._draw:
            if name in self._independent:
                continue
            if name in self._parameters:
                raise InputError(
                    f"'{name}' follows from other parameters ({self._parameters[name].source}); "
                    f"a draw may hold: {', '.join(self._independent)}"
                )
            raise unknown_choice("uncertain parameter", name, self._independent)
        return dict(self._parameters)

    def _add(self, parameter: Parameter) -> float:
        if parameter.name in self._parameters:
            raise ValueError(f"parameter '{parameter.name}' is defined twice")
        if not math.isfinite(parameter.value):
            raise InputError(
                f"parameter '{parameter.name}' came out as {parameter.value}; "
                "the temperature or a draw lies outside any physical range"
            )
        self._parameters[parameter.name] = parameter
        return parameter.value


def combine_lognormal(*sds: float) -> Spread:
    """Log-normal spread of a product of independent factors with these standard deviations of ln."""
    return Spread.lognormal(math.hypot(*sds))


def _moved(median: float, spread: Spread, z: float) -> float:
    match spread.kind:
        case SpreadKind.NORMAL:
            return median + spread.sd * z
        case SpreadKind.LOGNORMAL:
            return median * math.exp(spread.sd * z)
        case SpreadKind.EXACT:
            return median
