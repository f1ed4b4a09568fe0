"""Physical constants and the few unit conversions used at the edges.

Inside the package everything is SI, with two exceptions that the field insists on: microstructural lengths
are in nanometres, and conductivities are reported in S/cm beside S/m.  Names carry the unit where it is not SI.
Constants: CODATA 2018 (doi:10.1103/RevModPhys.93.025010); lithium molar volume: PyBaMM OKane2022 parameter set.
"""

from __future__ import annotations

from typing import Final

FARADAY: Final = 96485.33212
"""Faraday constant (C/mol)."""

GAS_CONSTANT: Final = 8.314462618
"""Molar gas constant (J/mol/K)."""

BOLTZMANN_EV: Final = 8.617333262e-5
"""Boltzmann constant (eV/K)."""

ROOM_TEMPERATURE: Final = 298.15
"""Default temperature (K)."""

LITHIUM_MOLAR_VOLUME: Final = 1.30e-5
"""Partial molar volume of lithium metal (m³/mol)."""

NM: Final = 1e-9
"""One nanometre (m)."""

S_PER_CM: Final = 100.0
"""One siemens per centimetre (S/m)."""
