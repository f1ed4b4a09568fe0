"""What a cell is driven with: a constant current, a ramp, a plate–strip cycle, a held potential."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from dynaphase.errors import ConfigError

__all__ = ["Cycle", "Drive", "Galvanostatic", "Potentiostatic", "Ramp"]


class Drive(Protocol):
    """What the cell is driven with."""

    def current(self, time_s: float) -> float | None:
        """Current (A/m²), or None where a potential is held."""

    def potential(self, time_s: float) -> float | None:
        """Potential of the cathode (V), or None where a current is given."""

    def next_jump(self, time_s: float) -> float:
        """The first moment after `time_s` at which the drive jumps (s), infinite if it never does."""


@dataclass(frozen=True, slots=True)
class Galvanostatic:
    """A constant current, positive where lithium is plated at the anode."""

    current_A_per_m2: float

    def current(self, time_s: float) -> float | None:
        """The constant."""
        return self.current_A_per_m2

    def potential(self, time_s: float) -> float | None:
        """None."""
        return None

    def next_jump(self, time_s: float) -> float:
        """Never."""
        return math.inf


@dataclass(frozen=True, slots=True)
class Ramp:
    """A current that rises in proportion to time, to `current_A_per_m2` at `duration_s`."""

    current_A_per_m2: float
    duration_s: float

    def current(self, time_s: float) -> float | None:
        """i(t)."""
        return self.current_A_per_m2 * time_s / self.duration_s

    def potential(self, time_s: float) -> float | None:
        """None."""
        return None

    def next_jump(self, time_s: float) -> float:
        """Never."""
        return math.inf


@dataclass(frozen=True, slots=True)
class Cycle:
    """Plating at `current_A_per_m2` for `plate_s`, then stripping at the same current for `strip_s`, over and over."""

    current_A_per_m2: float
    plate_s: float
    strip_s: float

    def __post_init__(self) -> None:
        for name in ("current_A_per_m2", "plate_s", "strip_s"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ConfigError(f"{name} of a cycle must be positive and finite, not {getattr(self, name)}")

    @property
    def duration_s(self) -> float:
        """Of one cycle."""
        return self.plate_s + self.strip_s

    def current(self, time_s: float) -> float | None:
        """±i."""
        return self.current_A_per_m2 if math.fmod(time_s, self.duration_s) < self.plate_s else -self.current_A_per_m2

    def potential(self, time_s: float) -> float | None:
        """None."""
        return None

    def next_jump(self, time_s: float) -> float:
        """The end of the half of the cycle that goes on."""
        start = math.floor(time_s / self.duration_s) * self.duration_s
        return start + (self.plate_s if time_s - start < self.plate_s else self.duration_s)


@dataclass(frozen=True, slots=True)
class Potentiostatic:
    """A constant potential of the cathode against lithium."""

    potential_V: float

    def current(self, time_s: float) -> float | None:
        """None."""
        return None

    def potential(self, time_s: float) -> float | None:
        """The constant."""
        return self.potential_V

    def next_jump(self, time_s: float) -> float:
        """Never."""
        return math.inf
