"""A material system with a draw of its parameters built in, for analyses that choose the draws themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from dynaphase.composition import Composition, CompositionLike
from dynaphase.errors import InputError
from dynaphase.materials.base import Assemblage, Material, MaterialSystem, Parameter, Reading
from dynaphase.units import ROOM_TEMPERATURE

__all__ = ["Drawn", "Watched"]


@dataclass(frozen=True)
class Drawn:
    """`system` with its uncertain parameters moved by `draw`: what it calls medians are the drawn values.

    Its name is that of `system`, so a record made with it carries the key of the medians: keep the numbers, not the
    record.

    Parameters
    ----------
    system : MaterialSystem
    draw : mapping of parameter name to standard normal

    Examples
    --------
    >>> from dynaphase.materials import get_system
    >>> lagp = get_system("lagp")
    >>> tougher = Drawn(lagp, {"grain_toughness_Pa_sqrt_m": 1.0})
    >>> tougher.material(lagp.reference)["grain_toughness_Pa_sqrt_m"]
    1300000.0
    """

    system: MaterialSystem
    draw: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """That of the system."""
        return self.system.name

    @property
    def elements(self) -> tuple[str, ...]:
        return self.system.elements

    @property
    def reference(self) -> Composition:
        return self.system.reference

    @property
    def draw_names(self) -> tuple[str, ...]:
        return self.system.draw_names

    def read(self, source: CompositionLike) -> Reading:
        return self.system.read(source)

    def formula(self, composition: Composition) -> str:
        return self.system.formula(composition)

    def coordinates(self, composition: Composition) -> tuple[float, float]:
        return self.system.coordinates(composition)

    def from_coordinates(self, x: float, delta: float = 0.0) -> Composition:
        return self.system.from_coordinates(x, delta)

    def assemblage(self, composition: Composition) -> Assemblage:
        return self.system.assemblage(composition)

    def material(
        self,
        composition: Composition,
        temperature_K: float = ROOM_TEMPERATURE,
        draw: Mapping[str, float] | None = None,
    ) -> Material:
        """The material of the built-in draw.

        Raises
        ------
        InputError
            If another draw is asked for.
        """
        if draw is not None:
            raise InputError("this material system has its draw built in: leave draw and the setting 'draw' alone")
        return self.system.material(composition, temperature_K, self.draw)


@dataclass(frozen=True)
class Watched(Drawn):
    """`Drawn`, and it writes down which parameters are read at which temperature.

    An evaluation is a function of its settings and of what it reads here.  If another draw leaves all of that as it
    is, its result is the same: `would_be_equal` tells without computing it.
    """

    reads: dict[tuple[float, str], float] = field(default_factory=dict, compare=False, repr=False)

    def material(
        self,
        composition: Composition,
        temperature_K: float = ROOM_TEMPERATURE,
        draw: Mapping[str, float] | None = None,
    ) -> Material:
        material = super().material(composition, temperature_K, draw)
        parameters = _Reading(material.parameters, self.reads, temperature_K)
        return replace(material, parameters=parameters)

    def would_be_equal(self, composition: Composition, draw: Mapping[str, float]) -> bool:
        """Whether everything that was read has the same value under `draw`; never before something was read."""
        temperatures = {temperature for temperature, _ in self.reads}
        for temperature in temperatures:
            mine = self.system.material(composition, temperature, self.draw)
            other = self.system.material(composition, temperature, draw)
            if mine.assemblage != other.assemblage:
                return False
            for (at, name), value in self.reads.items():
                if at == temperature and (name not in other.parameters or other[name] != value):
                    return False
        return bool(temperatures)


class _Reading(Mapping[str, Parameter]):
    """Parameters that write down who is read."""

    def __init__(self, parameters: Mapping[str, Parameter], reads: dict[tuple[float, str], float], at: float) -> None:
        self._parameters, self._reads, self._at = parameters, reads, at

    def __getitem__(self, name: str) -> Parameter:
        found = self._parameters[name]
        self._reads[self._at, name] = found.value
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)
