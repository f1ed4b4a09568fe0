"""Material systems: composition and temperature in, phases and parameters out."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dynaphase.errors import unknown_choice
from dynaphase.materials.base import MaterialSystem

__all__ = ["SYSTEMS", "get_system"]

SYSTEMS: Final = ("lagp", "latp", "llzo")
"""Names of the material systems that are built."""


def get_system(name: str | Path) -> MaterialSystem:
    """Material system called `name`, or described by the table in the file `name`.

    Parameters
    ----------
    name : str or Path
        One of `SYSTEMS`, or the path of a TOML file; `dynaphase.materials.table_files.template` is one to start from.

    Raises
    ------
    ConfigError
        If no such system is built (the message lists the ones there are and the nearest match), or the table is
        wrong (the message names the file, the key and what to do).
    """
    if name == "lagp":
        from dynaphase.materials.lagp import LAGP

        return LAGP()
    if name in SYSTEMS or str(name).lower().endswith(".toml"):
        from dynaphase.materials.table import TableSystem

        return TableSystem.load(name)
    raise unknown_choice("material system", name, (*SYSTEMS, "the path of a .toml table"))
