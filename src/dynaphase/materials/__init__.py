"""Material systems: composition and temperature in, phases and parameters out."""

from __future__ import annotations

from typing import Final

from dynaphase.errors import unknown_choice
from dynaphase.materials.base import MaterialSystem

__all__ = ["SYSTEMS", "get_system"]

SYSTEMS: Final = ("lagp",)
"""Names of the material systems that are built."""


def get_system(name: str) -> MaterialSystem:
    """Material system called `name`.

    Raises
    ------
    ConfigError
        If no such system is built; the message lists the ones there are and the nearest match.
    """
    if name == "lagp":
        from dynaphase.materials.lagp import LAGP

        return LAGP()
    raise unknown_choice("material system", name, SYSTEMS)
