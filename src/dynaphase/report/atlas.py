"""Maps, cuts and trade-offs of a campaign: plain data out of the evidence, into the figure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from dynaphase.report.evidence import BOX, CERAMIC, CURRENT, SCORE, Evidence, Map, Point
from dynaphase.report.formats import conductivity, plain, score
from dynaphase.report.illustration import COLOUR_OF, NAME_OF, FloatArray, Illustration, by_role
from dynaphase.report.style import as_svg
from dynaphase.surrogate import Prediction

if TYPE_CHECKING:
    from dynaphase.report.maps import Quantity, Sites

__all__ = ["line_cuts", "maps_in_coordinates", "ternary_maps", "trade_offs"]

_TITLES: Final = {
    SCORE: ("Stability score", "S"),
    CERAMIC: ("Conductivity of the ceramic", "σ of the ceramic (S/cm)"),
    CURRENT: ("Critical current density", "critical current density (mA/cm²)"),
}
"""Title and axis of a cut."""

ON_LINE: Final = 0.02
"""Lithium excess up to which a simulated composition is shown beside the curve for δ = 0."""


def ternary_maps(evidence: Evidence) -> list[Illustration]:
    """S, σ and the critical current density where there is one, each with its uncertainty, in the ternary diagram."""
    from dynaphase.report.maps import ternary_map

    if evidence.map is None or len(evidence.system.elements) != 3:
        return []
    simulated = by_role(evidence.points, lambda point: point.shares)
    sites = _sites(evidence, simulated, [evidence.shares(f.composition) for f in evidence.recommended])
    quantities = _quantities(evidence.map)
    if evidence.space.dimension == 1:
        quantities = quantities[::2]  # the uncertainty is the band of the curves
    return [
        Illustration(
            as_svg(ternary_map(evidence.map.shares, quantity, evidence.system.elements, sites)),
            f"Ternary map of {quantity.title}, from {plain(float(quantity.values.min()))} to "
            f"{plain(float(quantity.values.max()))}, with the simulated and recommended compositions.",
        )
        for quantity in quantities
    ]


def maps_in_coordinates(evidence: Evidence) -> list[Illustration]:
    """The same over x and δ, where the region is a rectangle in them."""
    from dynaphase.report.maps import coordinate_map

    if evidence.map is None or evidence.space.sampler.name != "neighbourhood":
        return []
    x, delta = (np.unique(np.round(column, 9)) for column in evidence.map.coordinates.T)
    simulated = by_role(evidence.points, lambda point: (point.x, point.delta))
    sites = _sites(evidence, simulated, [evidence.system.coordinates(f.composition) for f in evidence.recommended])
    return [
        Illustration(
            as_svg(coordinate_map(x, delta, quantity, sites)),
            f"Map of {quantity.title} over substitution x and lithium excess δ.",
        )
        for quantity in _quantities(evidence.map)
    ]


def _quantities(found: Map) -> list[Quantity]:
    from dynaphase.report.maps import Quantity

    s, box, current = found.predictions[SCORE], found.predictions[BOX], found.predictions.get(CURRENT)
    shown = [
        Quantity(s.mean, "Stability score S", "S"),
        Quantity(s.std, "Uncertainty of S", "standard deviation (points)", is_uncertainty=True),
        Quantity(box.transformed_mean, "Ionic conductivity σ", "log₁₀ σ (S/cm), simulated box"),
        Quantity(
            box.transformed_std, "Uncertainty of σ", "standard deviation of log₁₀ σ (decades)", is_uncertainty=True
        ),
    ]
    if current is not None:
        words = "Uncertainty of the critical current density", "standard deviation of log₁₀ CCD (decades)"
        shown += [
            Quantity(current.mean, "Critical current density", "mA/cm²"),
            Quantity(current.transformed_std, *words, is_uncertainty=True),
        ]
    return shown


def _sites(evidence: Evidence, simulated: Mapping[str, FloatArray], recommended: Sequence[Sequence[float]]) -> Sites:
    from dynaphase.report.maps import Sites

    assert evidence.map is not None
    width = next(iter(simulated.values())).shape[1]
    line = None
    if evidence.cut is not None:
        line = evidence.cut.shares if width == 3 else evidence.cut.coordinates
    return Sites(simulated, np.array(recommended).reshape(-1, width), line)


def line_cuts(evidence: Evidence) -> list[Illustration]:
    """What is learned, but for the box, along δ = 0; the conductivity of a ceramic beside measurements."""
    if evidence.cut is None:
        return []
    x = evidence.cut.coordinates[:, 0]
    near = [point for point in evidence.points if abs(point.delta) <= ON_LINE]
    return [
        _line_cut(x, evidence.cut.predictions[name], near, _measurements(evidence) if name == CERAMIC else None)
        for name in (CERAMIC, SCORE, CURRENT)
        if name in evidence.targets
    ]


def _line_cut(
    x: FloatArray, prediction: Prediction, near: Sequence[Point], measured: FloatArray | None
) -> Illustration:
    from dynaphase.report.line import Band, line_figure

    name, low_high = prediction.target.name, prediction.interval_90
    title, label = _TITLES[name]
    figure = line_figure(
        Band(x, prediction.mean, *low_high),
        by_role(near, lambda point: (point.x, point.values[name])),
        measured,
        label=label,
        title=title,
        colour=COLOUR_OF[name],
        is_logarithmic=name == CERAMIC,
    )
    best = int(np.argmax(prediction.mean))
    value = prediction.mean[best]
    words = {SCORE: score(value), CERAMIC: f"{conductivity(value)} S/cm", CURRENT: f"{plain(value)} mA/cm²"}[name]
    return Illustration(
        as_svg(figure),
        f"{NAME_OF[name]} against substitution x on the line δ = 0, largest at x = {x[best]:.2f} with {words}.",
    )


def _measurements(evidence: Evidence) -> FloatArray | None:
    """Published x and σ; None where the package holds none for the system or they belong to another temperature."""
    from dynaphase.materials.conductivity import load_measurements

    is_at_25 = abs(evidence.config.settings.temperature_K - 298.15) < 1.0
    if evidence.system.name != "lagp" or not is_at_25:
        return None
    return np.array([(row.x, row.conductivity_S_per_cm) for row in load_measurements()])


def trade_offs(evidence: Evidence) -> list[Illustration]:
    """S against σ: everything, and close to the front."""
    from dynaphase.report.pareto import TradeOff, pareto_figure

    if not evidence.points:
        return []
    simulated = by_role(evidence.points, lambda point: (point.values[SCORE], point.values[CERAMIC]))
    words = f"Stability score against conductivity of {len(evidence.points)} simulated compositions"
    if evidence.map is None:
        return [Illustration(as_svg(pareto_figure(TradeOff(simulated), title="Simulated compositions")), f"{words}.")]
    rows = [item.predictions for item in evidence.recommended]
    trade_off = TradeOff(
        simulated,
        front=np.column_stack([evidence.front[:, 0], 10 ** evidence.front[:, 1]]),
        reachable=np.column_stack([evidence.map.predictions[name].mean for name in (SCORE, CERAMIC)]),
        recommended=np.array([[row[SCORE]["mean"], row[CERAMIC]["mean"]] for row in rows]),
        intervals=np.array([[row[SCORE]["interval_90"], row[CERAMIC]["interval_90"]] for row in rows]),
    )
    drawings = (("The whole region", False), ("Close to the front", True))
    return [
        Illustration(as_svg(pareto_figure(trade_off, title=title, is_zoomed=is_zoomed)), f"{words}: {title.lower()}.")
        for title, is_zoomed in drawings
    ]
