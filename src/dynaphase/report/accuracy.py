"""How good the surrogate is: curves over the rounds, parity on the held-out set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from dynaphase.report.evidence import BOX, CERAMIC, CURRENT, SCORE, Evidence
from dynaphase.report.formats import decimals, percent
from dynaphase.report.illustration import COLOUR_OF, NAME_OF, FloatArray, Illustration, name_of
from dynaphase.report.style import as_svg
from dynaphase.surrogate import Target

__all__ = ["accuracy_curves", "accuracy_of", "parity_plots", "units_of"]

QUOTED: Final = {SCORE: "S", BOX: "log₁₀ σ (S/cm)", CERAMIC: "log₁₀ σ (S/cm)", CURRENT: "log₁₀ CCD (mA/cm²)"}
"""Scales on which accuracy is quoted."""

HALF_WIDTH_90: Final = 1.6448536269514722
"""Half a central 90 % interval of a Gaussian, in standard deviations."""


def accuracy_curves(evidence: Evidence) -> list[Illustration]:
    """Held-out r and nRMSE after every round."""
    from dynaphase.report.learning_curve import Curve, learning_curve_figure

    rounds = [a for a in evidence.assessments if a.get("accuracy")]
    if not rounds:
        return []
    n = [int(a["n_simulations"]) for a in rounds]

    def curve(name: str, merit: str, *, has_interval: bool) -> Curve:
        values = np.array([_number(a["accuracy"][name][merit]) for a in rounds])
        bounds: dict[str, FloatArray] = {}
        if has_interval:
            pairs = np.array([[_number(v) for v in a["accuracy"][name]["r_interval_95"]] for a in rounds])
            bounds = {"low": pairs[:, 0], "high": pairs[:, 1]}
        return Curve(NAME_OF[name], values, COLOUR_OF[name], **bounds)

    stop, n_held_out = evidence.config.stop, rounds[-1]["accuracy"][SCORE]["n_held_out"]
    drawings = [
        ("r", stop.r, "correlation r, band: 95 %", "Correlation with held-out simulations", False),
        ("nrmse", stop.nrmse, "nRMSE (rms error over range)", "Error on held-out simulations", True),
    ]
    return [
        Illustration(
            as_svg(
                learning_curve_figure(
                    n,
                    [curve(name, merit, has_interval=merit == "r") for name in (SCORE, BOX)],
                    wanted,
                    label=label,
                    title=title,
                    is_error=is_error,
                )
            ),
            f"{title} ({n_held_out} compositions) after {', '.join(map(str, n))} simulations.",
        )
        for merit, wanted, label, title, is_error in drawings
    ]


def parity_plots(evidence: Evidence) -> list[Illustration]:
    """Held-out predictions against simulations of every target."""
    from dynaphase.report.parity import parity_figure

    if evidence.learned is None:
        return []
    found = []
    for name, comparison in evidence.learned.comparisons.items():
        simulated, predicted = comparison.on_quoted_scale()
        half_width = HALF_WIDTH_90 * comparison.std
        low, high = comparison.mean - half_width, comparison.mean + half_width
        if not comparison.target.transform.in_decades:
            low, high = comparison.target.transform.inverse(low), comparison.target.transform.inverse(high)
        figures = accuracy_of(evidence)[name]
        summary = f"r = {decimals(figures['r'])} {_range(figures['r_interval_95'])}\n"
        summary += f"nRMSE = {decimals(figures['nrmse'])}\n"
        summary += f"inside 90 % interval: {percent(figures['coverage_90'])}\n"
        summary += f"n = {figures['n_held_out']}"
        figure = parity_figure(
            simulated, predicted, low, high, label=_quoted(comparison.target), title=name_of(name), summary=summary,
            colour=COLOUR_OF.get(name, COLOUR_OF[SCORE]),
        )  # fmt: skip
        found.append(
            Illustration(
                as_svg(figure),
                f"Predicted against simulated {name_of(name)} of {figures['n_held_out']} held-out compositions, "
                f"r = {decimals(figures['r'])}.",
            )
        )
    return found


def accuracy_of(evidence: Evidence) -> dict[str, Mapping[str, Any]]:
    """Figures of merit on the held-out set by target, those that only inform included."""
    assert evidence.learned is not None
    assessment = evidence.learned.assessment
    return {**assessment["accuracy"], **assessment["accuracy_further"]}


def units_of(evidence: Evidence) -> dict[str, str]:
    """In what the error of each target is quoted."""
    if evidence.learned is None:
        return {}
    found = {}
    for target in evidence.learned.surrogate.targets:
        natural = "" if target.unit == "1" else target.unit
        found[target.name] = "decades" if target.transform.in_decades else "points" if target.unit == "%" else natural
    return found


def _quoted(target: Target) -> str:
    """Label of an axis in the unit in which accuracy is quoted."""
    if target.name in QUOTED:
        return QUOTED[target.name]
    unit = "" if target.unit == "1" else f" ({target.unit})"
    return ("log₁₀ " if target.transform.in_decades else "") + target.name + unit


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _range(interval: Sequence[Any]) -> str:
    low, high = interval
    return f"[{decimals(low)}, {decimals(high)}]"
