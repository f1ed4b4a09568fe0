"""Which figures a campaign gets: plain data out of the evidence, into the figure functions, with captions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.report.evidence import BOX, CERAMIC, SCORE, Evidence, Map, Point
from dynaphase.report.formats import conductivity, percent, plain, score
from dynaphase.report.style import COLOURS, as_png, as_svg
from dynaphase.surrogate import Prediction
from dynaphase.validation import ScheffeTable, scheffe_regression

if TYPE_CHECKING:
    from dynaphase.report.maps import Quantity, Sites

__all__ = [
    "Illustration",
    "Plate",
    "accuracy_curves",
    "element_tables",
    "influences",
    "line_cuts",
    "maps_in_coordinates",
    "plates",
    "ternary_maps",
    "trade_offs",
]

FloatArray = npt.NDArray[np.float64]

N_PLATES: Final = 3
"""Best and worst compositions in the gallery, of each."""

ON_LINE: Final = 0.02
"""Lithium excess up to which a simulated composition is shown beside the curve for δ = 0."""

_NAMES: Final = {SCORE: "S", BOX: "σ, simulated box", CERAMIC: "σ, 1 µm ceramic"}
_COLOURS: Final = {SCORE: COLOURS["S"], BOX: COLOURS["sigma"], CERAMIC: COLOURS["ceramic"]}
_QUOTED: Final = {SCORE: "S", BOX: "log₁₀ σ (S/cm)", CERAMIC: "log₁₀ σ (S/cm)"}


@dataclass(frozen=True, slots=True)
class Illustration:
    """An embedded image with the words that replace it for those who cannot see it."""

    source: str
    description: str


@dataclass(frozen=True, slots=True)
class Plate:
    """One composition of the gallery."""

    rank: str
    point: Point
    image: Illustration
    descriptors: Mapping[str, float]
    phases: Sequence[tuple[str, str, float]]
    """Particles of second phases in the image: name, colour, share of the area."""


# --- maps ------------------------------------------------------------------------------------------------


def ternary_maps(evidence: Evidence) -> list[Illustration]:
    """S, its uncertainty, σ, its uncertainty over the region in the ternary diagram."""
    from dynaphase.report.maps import ternary_map

    if evidence.map is None or len(evidence.system.elements) != 3:
        return []
    simulated = _by_role(evidence.points, lambda point: point.shares)
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
    simulated = _by_role(evidence.points, lambda point: (point.x, point.delta))
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

    s, box = found.predictions[SCORE], found.predictions[BOX]
    return [
        Quantity(s.mean, "Stability score S", "S"),
        Quantity(s.std, "Uncertainty of S", "standard deviation (points)", is_uncertainty=True),
        Quantity(box.transformed_mean, "Ionic conductivity σ", "log₁₀ σ (S/cm), simulated box"),
        Quantity(
            box.transformed_std, "Uncertainty of σ", "standard deviation of log₁₀ σ (decades)", is_uncertainty=True
        ),
    ]


def _sites(evidence: Evidence, simulated: Mapping[str, FloatArray], recommended: Sequence[Sequence[float]]) -> Sites:
    from dynaphase.report.maps import Sites

    assert evidence.map is not None
    width = next(iter(simulated.values())).shape[1]
    line = None
    if evidence.cut is not None:
        line = evidence.cut.shares if width == 3 else evidence.cut.coordinates
    return Sites(simulated, np.array(recommended).reshape(-1, width), line)


# --- curves ----------------------------------------------------------------------------------------------


def line_cuts(evidence: Evidence) -> list[Illustration]:
    """S and the conductivity of a 1 µm ceramic along δ = 0, the latter beside measurements."""
    if evidence.cut is None:
        return []
    x = evidence.cut.coordinates[:, 0]
    near = [point for point in evidence.points if abs(point.delta) <= ON_LINE]
    return [
        _line_cut(x, evidence.cut.predictions[name], near, measured)
        for name, measured in ((CERAMIC, _measurements(evidence)), (SCORE, None))
    ]


def _line_cut(
    x: FloatArray, prediction: Prediction, near: Sequence[Point], measured: FloatArray | None
) -> Illustration:
    from dynaphase.report.line import Band, line_figure

    name, low_high = prediction.target.name, prediction.interval_90
    figure = line_figure(
        Band(x, prediction.mean, *low_high),
        _by_role(near, lambda point: (point.x, point.values[name])),
        measured,
        label="S" if name == SCORE else "σ of a 1 µm ceramic at 25 °C (S/cm)",
        title="Stability score" if name == SCORE else "Conductivity of the ceramic",
        colour=_COLOURS[name],
        is_logarithmic=name != SCORE,
    )
    best = int(np.argmax(prediction.mean))
    value = score(prediction.mean[best]) if name == SCORE else conductivity(prediction.mean[best]) + " S/cm"
    return Illustration(
        as_svg(figure),
        f"{_NAMES[name]} against substitution x on the stoichiometric line, largest at x = {x[best]:.2f} with {value}.",
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
    simulated = _by_role(evidence.points, lambda point: (point.values[SCORE], point.values[BOX]))
    words = f"Stability score against conductivity of {len(evidence.points)} simulated compositions"
    if evidence.map is None:
        return [Illustration(as_svg(pareto_figure(TradeOff(simulated), title="Simulated compositions")), f"{words}.")]
    rows = [item.predictions for item in evidence.recommended]
    trade_off = TradeOff(
        simulated,
        front=np.column_stack([evidence.front[:, 0], 10 ** evidence.front[:, 1]]),
        reachable=np.column_stack([evidence.map.predictions[name].mean for name in (SCORE, BOX)]),
        recommended=np.array([[row[SCORE]["mean"], row[BOX]["mean"]] for row in rows]),
        intervals=np.array([[row[SCORE]["interval_90"], row[BOX]["interval_90"]] for row in rows]),
    )
    drawings = (("The whole region", False), ("Close to the front", True))
    return [
        Illustration(as_svg(pareto_figure(trade_off, title=title, is_zoomed=is_zoomed)), f"{words}: {title.lower()}.")
        for title, is_zoomed in drawings
    ]


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
        return Curve(_NAMES[name], values, _COLOURS[name], **bounds)

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
        half_width = 1.6448536269514722 * comparison.std
        low, high = comparison.mean - half_width, comparison.mean + half_width
        if not comparison.target.transform.in_decades:
            low, high = comparison.target.transform.inverse(low), comparison.target.transform.inverse(high)
        figures = accuracy_of(evidence)[name]
        summary = f"r = {_digits(figures['r'])} {_range(figures['r_interval_95'])}\n"
        summary += f"nRMSE = {_digits(figures['nrmse'])}\n"
        summary += f"inside 90 % interval: {percent(figures['coverage_90'])}\n"
        summary += f"n = {figures['n_held_out']}"
        figure = parity_figure(
            simulated, predicted, low, high, label=_QUOTED[name], title=_NAMES[name], summary=summary,
            colour=_COLOURS[name],
        )  # fmt: skip
        found.append(
            Illustration(
                as_svg(figure),
                f"Predicted against simulated {_NAMES[name]} of {figures['n_held_out']} held-out compositions, "
                f"r = {_digits(figures['r'])}.",
            )
        )
    return found


def accuracy_of(evidence: Evidence) -> dict[str, Mapping[str, Any]]:
    """Figures of merit on the held-out set by target, those that only inform included."""
    assert evidence.learned is not None
    assessment = evidence.learned.assessment
    return {**assessment["accuracy"], **assessment["accuracy_further"]}


# --- elements --------------------------------------------------------------------------------------------


def element_tables(evidence: Evidence) -> dict[str, ScheffeTable]:
    """Mixture regression of S and of log₁₀ σ on the elements, every simulation a row."""
    rows = [(point.shares, record.values) for point in evidence.points for record in point.records]
    if not rows:
        return {}
    fractions = np.array([shares for shares, _ in rows])
    fractions /= fractions.sum(axis=1, keepdims=True)
    responses = {
        SCORE: np.array([values[SCORE] for _, values in rows]),
        BOX: np.log10([values[BOX] for _, values in rows]),
    }
    elements = evidence.system.elements
    return {name: scheffe_regression(fractions, response, elements) for name, response in responses.items()}


def influences(tables: Mapping[str, ScheffeTable]) -> list[Illustration]:
    """Effect of each element on S and on σ."""
    from dynaphase.report.elements import influence_figure

    texts = {
        SCORE: ("on the stability score S", "change of S per +1 at.% (points)"),
        BOX: ("on the conductivity σ", "change of log₁₀ σ per +1 at.% (decades)"),
    }
    return [
        Illustration(
            as_svg(
                influence_figure(table, title=f"Influence {texts[name][0]}", unit=texts[name][1], colour=_COLOURS[name])
            ),
            " ".join(f"{sentence}." for sentence in table.sentences("S" if name == SCORE else "log₁₀ σ")),
        )
        for name, table in tables.items()
        if table.effects
    ]


# --- gallery ---------------------------------------------------------------------------------------------


def plates(evidence: Evidence) -> tuple[list[Plate], int]:
    """Plates of the best, the reference and the worst compositions by S, and for how many fields are missing."""
    ranked = sorted(evidence.points, key=lambda point: -point.values[SCORE])
    best = ranked[:N_PLATES]
    worst = [point for point in ranked[-N_PLATES:] if point not in best]
    chosen = [(f"{_ordinal(i)} highest S", point) for i, point in enumerate(best)]
    if evidence.reference is not None and evidence.reference not in [*best, *worst]:
        chosen.append(("reference", evidence.reference))
    chosen += [(f"{_ordinal(len(worst) - 1 - i)} lowest S", point) for i, point in enumerate(worst)]
    found = [_plate(evidence, rank, point) for rank, point in chosen]
    return [plate for plate in found if plate is not None], sum(plate is None for plate in found)


def _ordinal(index: int) -> str:
    return ("", "second", "third")[index].strip() if index < 3 else f"{index + 1}th"


def _plate(evidence: Evidence, rank: str, point: Point) -> Plate | None:
    from dynaphase.report.gallery import fields_figure, microstructure_image

    record = min(point.records, key=lambda record: record.candidate.seed)
    fields = _fields(evidence, record.key)
    if fields is None:
        return None
    arrays, names = fields
    image = microstructure_image(*(arrays[name] for name in ("grain_id", "boundary", "density", "phase_id")))
    length = float(evidence.config.settings.length_nm)
    return Plate(
        rank.strip(),
        point,
        Illustration(
            as_png(fields_figure(image, arrays["C"], length)),
            f"Microstructure and intact fraction at the end for {point.formula}.",
        ),
        record.descriptors,
        _particles(arrays["phase_id"], names),
    )


def _particles(phase_ids: npt.NDArray[Any], names: Mapping[int, str]) -> list[tuple[str, str, float]]:
    from dynaphase.report.gallery import phase_colour

    shares = [(number, float(np.mean(phase_ids == number))) for number in np.unique(phase_ids[phase_ids > 0])]
    found = [(names.get(int(i), f"phase {i}"), phase_colour(int(i)), share) for i, share in shares]
    return sorted(found, key=lambda item: -item[2])


def _fields(evidence: Evidence, key: str) -> tuple[dict[str, Any], dict[int, str]] | None:
    """Arrays of one run and the names of its phases; None where they were not kept or cannot be read."""
    wanted = ("grain_id", "boundary", "density", "phase_id", "C")
    try:
        dataset = evidence.campaign.fields(key)
        names = re.findall(r"\b(\d+) (\w+)", str(dataset["phase_id"].attrs.get("description", "")))
        return {name: dataset[name].to_numpy() for name in wanted}, {int(number): name for number, name in names}
    except Exception:  # whatever a damaged file makes its readers raise, the rest of the report does not need it
        return None


# --- small things ----------------------------------------------------------------------------------------


def _by_role(points: Iterable[Point], row: Any) -> dict[str, FloatArray]:
    rows: dict[str, list[Sequence[float]]] = {}
    for point in points:
        rows.setdefault(point.role, []).append(row(point))
    return {role: np.array(values) for role, values in rows.items()}


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _digits(value: Any, decimals: int = 3) -> str:
    number = _number(value)
    return f"{number:.{decimals}f}".replace("-", "−") if np.isfinite(number) else "undefined"


def _range(interval: Sequence[Any]) -> str:
    low, high = (_digits(value) for value in interval)
    return f"[{low}, {high}]" if "undefined" not in (low, high) else ""
