"""Validation: agreement with reference values, and what the elements do.

Arrays in, frozen tables out; every figure comes with its uncertainty.

==============  ==============================================================
``agreement``   correlation, errors and calibration of predictions
``bootstrap``   intervals of held-out accuracy
``strata``      coverage on the line, at the edge, where it is noisy
``scheffe``     mixture regression: coefficients, p-values, element influence
==============  ==============================================================
"""

from __future__ import annotations

from dynaphase.validation.agreement import Agreement, accuracy, agreement
from dynaphase.validation.bootstrap import AccuracyIntervals, accuracy_intervals
from dynaphase.validation.scheffe import Estimate, ScheffeTable, scheffe_regression
from dynaphase.validation.strata import Coverage, coverage_of

__all__ = [
    "AccuracyIntervals",
    "Agreement",
    "Coverage",
    "Estimate",
    "ScheffeTable",
    "accuracy",
    "accuracy_intervals",
    "agreement",
    "coverage_of",
    "scheffe_regression",
]
