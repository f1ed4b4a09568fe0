"""Validation: agreement with reference values, and what the elements do.

Arrays in, frozen tables out; every figure comes with its uncertainty.

==============  ==============================================================
``agreement``   correlation, errors and calibration of predictions
``scheffe``     mixture regression: coefficients, p-values, element influence
==============  ==============================================================
"""

from __future__ import annotations

from dynaphase.validation.agreement import Agreement, accuracy, agreement
from dynaphase.validation.scheffe import Estimate, ScheffeTable, scheffe_regression

__all__ = ["Agreement", "Estimate", "ScheffeTable", "accuracy", "agreement", "scheffe_regression"]
