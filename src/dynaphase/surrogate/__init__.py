"""Surrogate: simulated records → Gaussian processes → predictions with honest standard deviations.

Takes arrays, knows nothing of records or campaigns; importing it loads neither torch nor BoTorch.

================  ======================================================================
``targets``       what is modelled, and on which scale
``gaussian``      factors of covariances, joint draws
``matern``        Matérn covariance in closed form
``scatter``       how noisy one run is, wherever it lies
``replicates``    several seeds of one composition → mean response and its noise
``gp``            the Gaussian process of one target and its priors
``ladder``        how it is fitted, and what happens when that fails
``joined``        several targets in one model with correlated outputs
``feasibility``   where simulations are done and where they fail (on ``binary_gp``)
``calibration``   recalibration of the intervals by leaving compositions out
``options``       `SurrogateOptions`: trend, recalibration, joint outputs, levels of fidelity
``prediction``    what comes out: `Prediction`, `JointPosterior`, `Comparison`
``joint``         a Gaussian process's covariance at many candidates, block by block
``surrogate``     `fit_surrogate`, `Surrogate`, `leave_one_out`, `compare`
================  ======================================================================
"""

from __future__ import annotations

from dynaphase.surrogate.feasibility import Feasibility, FeasibilityReport, fit_feasibility
from dynaphase.surrogate.ladder import FitReport, Rung
from dynaphase.surrogate.options import SurrogateOptions
from dynaphase.surrogate.prediction import Comparison, JointPosterior, Prediction, Scale, predictions_to_json
from dynaphase.surrogate.surrogate import Surrogate, compare, fit_surrogate, leave_one_out
from dynaphase.surrogate.targets import DEFAULT_TARGETS, Identity, Log10, LogitPercent, Target, Transform

__all__ = [
    "DEFAULT_TARGETS",
    "Comparison",
    "Feasibility",
    "FeasibilityReport",
    "FitReport",
    "Identity",
    "JointPosterior",
    "Log10",
    "LogitPercent",
    "Prediction",
    "Rung",
    "Scale",
    "Surrogate",
    "SurrogateOptions",
    "Target",
    "Transform",
    "compare",
    "fit_feasibility",
    "fit_surrogate",
    "leave_one_out",
    "predictions_to_json",
]
