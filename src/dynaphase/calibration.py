r"""S as simulations would have it: a score fitted to the measured stability, and that stability itself.

The measured stability of one run is the logarithm of its critical current density without the exchange current,

.. math::

   Y = \ln[2 \sinh(b\,\eta_{50})], \qquad b = \frac{F}{2RT},

for i₀ is a closure that no descriptor knows.  The calibrated score reads the three descriptors as S does,

.. math::

   \hat Y = c_0 + c_G \ln s_G + c_V \ln s_V + c_W \ln s_W, \qquad
   S_\mathrm{calibrated} = \frac{100}{1 + \exp[-(\hat Y - \bar Y)/\sigma_Y]},

with s_G, s_V, s_W of `dynaphase.descriptors` and the mean and standard deviation of Y over the runs of the fit; the
direct score puts Y itself in the place of Ŷ.  Coefficients: ``data/score_calibration.toml``, fitted by
`dynaphase.calibration_fit` to the runs in ``data/score_calibration_runs.csv``, both written by
``validation/calibrate_score.py``.  Status: derived, under the priors of the parameters and the default settings.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from dynaphase.descriptors import score_factors
from dynaphase.errors import InputError
from dynaphase.units import FARADAY, GAS_CONSTANT, ROOM_TEMPERATURE

__all__ = ["ScoreCalibration", "log_factors", "measured_stability", "shipped_calibration"]

LEAST_FACTOR: Final = 1e-6
"""A factor of S below this counts as this: its logarithm stays finite."""


def measured_stability(eta_50_mV: float, temperature_K: float = ROOM_TEMPERATURE) -> float:
    """Y = ln[2 sinh(b η₅₀)].

    Raises
    ------
    InputError
        If η₅₀ is not positive.
    """
    if not (math.isfinite(eta_50_mV) and eta_50_mV > 0):
        raise InputError(f"η₅₀ must be positive and finite, not {eta_50_mV} mV")
    x = FARADAY * 1e-3 * eta_50_mV / (2.0 * GAS_CONSTANT * temperature_K)
    return x + math.log1p(-math.exp(-2.0 * x))


def log_factors(grain_size_nm: float, void_fraction: float, interface_width_nm: float) -> tuple[float, float, float]:
    """Logarithms of s_G, s_V and s_W, which are floored at `LEAST_FACTOR`."""
    g, v, w = score_factors(grain_size_nm, void_fraction, interface_width_nm)
    return math.log(max(g, LEAST_FACTOR)), math.log(max(v, LEAST_FACTOR)), math.log(max(w, LEAST_FACTOR))


@dataclass(frozen=True, slots=True)
class ScoreCalibration:
    """Coefficients of the module's equation."""

    intercept: float
    """c_0"""
    grain_size: float
    """c_G, of either sign: what grain size does is for the simulations to say."""
    void_fraction: float
    """c_V ≥ 0"""
    interface_width: float
    """c_W ≥ 0"""
    mean: float
    """Ȳ"""
    standard_deviation: float
    """σ_Y"""

    def predict(self, grain_size_nm: float, void_fraction: float, interface_width_nm: float) -> float:
        """Ŷ."""
        g, v, w = log_factors(grain_size_nm, void_fraction, interface_width_nm)
        return self.intercept + self.grain_size * g + self.void_fraction * v + self.interface_width * w

    def score(self, grain_size_nm: float, void_fraction: float, interface_width_nm: float) -> float:
        """S_calibrated, 0 to 100.

        Raises
        ------
        InputError
            If a descriptor is negative or not a number, or the void fraction exceeds 1.
        """
        return self._on_scale(self.predict(grain_size_nm, void_fraction, interface_width_nm))

    def direct_score(self, eta_50_mV: float, temperature_K: float = ROOM_TEMPERATURE) -> float:
        """S_direct, 0 to 100: no descriptor between the simulation and the score.

        Raises
        ------
        InputError
            If η₅₀ is not positive.
        """
        return self._on_scale(measured_stability(eta_50_mV, temperature_K))

    def _on_scale(self, stability: float) -> float:
        z = (stability - self.mean) / self.standard_deviation
        return 50.0 * (1.0 + math.tanh(0.5 * z))  # the logistic function, without overflow


@cache
def shipped_calibration() -> ScoreCalibration:
    """The calibration of LAGP that comes with the package."""
    text = files("dynaphase").joinpath("data", "score_calibration.toml").read_text(encoding="utf-8")
    content = tomllib.loads(text)
    return ScoreCalibration(**content["coefficients"], **content["scale"])
