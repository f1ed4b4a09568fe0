from __future__ import annotations

import base64
import re
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

from dynaphase.report import style
from dynaphase.report.elements import influence_figure
from dynaphase.report.gallery import Panel, fields_figure, microstructure_image, phase_colour
from dynaphase.report.learning_curve import Curve, learning_curve_figure
from dynaphase.report.line import Band, line_figure
from dynaphase.report.maps import Quantity, Sites, coordinate_map, ternary_map
from dynaphase.report.marks import are_crowded
from dynaphase.report.pareto import TradeOff, pareto_figure
from dynaphase.report.parity import parity_figure
from dynaphase.validation import scheffe_regression

RNG = np.random.default_rng(0)


def triangle(n: int = 12, least: float = 0.0) -> np.ndarray:
    lattice = np.array([(i, j, n - i - j) for i in range(n + 1) for j in range(n + 1 - i)]) / n
    return least + (1 - 3 * least) * lattice


def texts(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.findobj(mpl.text.Text)]


def test_a_small_region_is_zoomed_and_fits_the_frame() -> None:
    x = np.linspace(0, 0.9, 30)
    shares = np.column_stack([1 + x, x, 2 - x]) / (3 + x)[:, None]
    figure = ternary_map(shares, Quantity(x, "S", "S"), ("Li", "Al", "Ge"), Sites())
    axes: Any = figure.axes[0]
    low, high = axes.get_tlim()
    assert 15 < low < 100 * shares[:, 0].min()
    assert 100 * shares[:, 0].max() < high < 70
    pixels = axes.transData.transform(axes.transProjection.transform(100 * shares))
    assert figure.bbox.contains(*pixels.min(axis=0))
    assert figure.bbox.contains(*pixels.max(axis=0))


def test_a_region_that_covers_the_triangle_shows_all_of_it() -> None:
    shares = triangle(least=0.02)
    figure = ternary_map(shares, Quantity(shares[:, 0], "S", "S"), ("Li", "Al", "Ge"), Sites())
    assert figure.axes[0].get_tlim() == pytest.approx((0, 100))  # type: ignore[attr-defined]


def test_the_axes_are_named_in_the_order_of_the_elements() -> None:
    shares = triangle()
    axes: Any = ternary_map(shares, Quantity(shares[:, 0], "S", "S"), ("Li", "Al", "Ge"), Sites()).axes[0]
    assert [axis.get_label_text()[:2] for axis in (axes.taxis, axes.laxis, axes.raxis)] == ["Li", "Al", "Ge"]


def test_a_deep_hole_does_not_bleach_the_rest_of_a_map() -> None:
    x, delta = np.linspace(0, 1, 20), np.linspace(-1, 1, 21)
    values = 90 + np.add.outer(x, delta).ravel()
    values[:10] = 0.0
    figure = coordinate_map(x, delta, Quantity(values, "S", "S"), Sites())
    assert figure.axes[0].collections[0].get_clim()[0] > 88
    constant = coordinate_map(x, delta, Quantity(np.full(420, 5.0), "S", "S"), Sites())
    assert style.as_svg(constant)


def test_recommendations_are_numbered_where_there_is_room() -> None:
    x, delta = np.linspace(0, 1, 6), np.linspace(-1, 1, 6)
    quantity = Quantity(np.arange(36.0), "S", "S")
    roomy = Sites(recommended=np.array([[0.1, -0.9], [0.9, 0.9]]))
    crowded = Sites(recommended=np.array([[0.5, 0.5], [0.501, 0.5]]))
    assert {"1", "2"} <= {text for text in texts(coordinate_map(x, delta, quantity, roomy)) if text}
    labels = [t.get_text() for t in coordinate_map(x, delta, quantity, crowded).axes[0].texts]
    assert labels == []
    assert not are_crowded(np.array([[0.0, 0.0]]), (1, 1))


def test_the_zoomed_trade_off_holds_the_front_and_the_reference_only() -> None:
    trade_off = TradeOff(
        simulated={"initial": np.array([[20.0, 1e-9]]), "reference": np.array([[88.0, 2e-5]])},
        front=np.array([[89.0, 3e-5], [91.0, 2.5e-5]]),
        reachable=RNG.random((30, 2)) * (90, 1e-5),
        recommended=np.array([[90.0, 2.8e-5]]),
        intervals=np.array([[[89.5, 90.5], [2.6e-5, 3.0e-5]]]),
    )
    whole, zoomed = (pareto_figure(trade_off, title="", is_zoomed=z).axes[0] for z in (False, True))
    assert whole.get_xlim()[0] < 20
    assert 85 < zoomed.get_xlim()[0] < 88
    assert 1e-5 < zoomed.get_ylim()[0] < 2e-5
    assert 3e-5 < zoomed.get_ylim()[1] < 6e-5


def test_a_trade_off_without_a_surrogate() -> None:
    assert style.as_svg(pareto_figure(TradeOff({"initial": np.array([[50.0, 1e-6]])}), title="Simulated"))


def test_parity_is_square_and_states_its_figures() -> None:
    truth = np.linspace(0, 10, 8)
    figure = parity_figure(
        truth, truth + 0.5, truth - 1, truth + 2, label="S", title="S", summary="r = 0.98\nn = 8", colour="black"
    )
    axes = figure.axes[0]
    assert axes.get_xlim() == axes.get_ylim()
    assert "r = 0.98\nn = 8" in texts(figure)
    alone = parity_figure(*([np.array([3.0])] * 4), label="S", title="S", summary="n = 1", colour="black")
    assert style.as_svg(alone)


def test_learning_curves_show_what_was_wanted() -> None:
    curve = Curve(
        "S", np.array([0.7, np.nan, 0.96]), "black", np.array([0.4, np.nan, 0.9]), np.array([0.8, np.nan, 0.98])
    )
    figure = learning_curve_figure([10, 14, 18], [curve], 0.95, label="r", title="", is_error=False)
    assert any("wanted: 0.95" in text for text in texts(figure))
    assert figure.axes[0].get_ylim()[1] > 1.0
    single = learning_curve_figure([10], [Curve("S", np.array([0.2]), "black")], 0.1, label="", title="", is_error=True)
    assert single.axes[0].get_ylim()[0] == 0


def test_elements_whose_sign_is_open_are_hollow() -> None:
    fractions = RNG.dirichlet([3, 3, 3], 60)
    table = scheffe_regression(fractions, 50 * fractions[:, 0] + RNG.normal(0, 0.5, 60), ("Li", "Al", "Ge"))
    noise = scheffe_regression(fractions, RNG.normal(0, 1, 60), ("Li", "Al", "Ge"))
    faces = [
        [line.get_markerfacecolor() for line in influence_figure(t, title="", unit="", colour="#0072B2").axes[0].lines]
        for t in (table, noise)
    ]
    assert faces[0].count("white") == 0
    assert faces[1].count("white") == 3


def test_the_line_carries_measured_values_of_its_own() -> None:
    x = np.linspace(0, 0.9, 5)
    band = Band(x, 10 ** (-4 - x), 10 ** (-4.2 - x), 10 ** (-3.8 - x))
    points = {"initial": np.array([[0.3, 1e-4]])}
    with_data = line_figure(
        band, points, np.array([[0.5, 3e-4]]), label="σ", title="", colour="black", is_logarithmic=True
    )
    without = line_figure(band, points, None, label="σ", title="", colour="black", is_logarithmic=True)
    assert with_data.axes[0].get_yscale() == "log"
    assert ["measured (literature)" in texts(f) for f in (with_data, without)] == [True, False]


def test_a_microstructure_shows_voids_dark_and_phases_in_their_colour() -> None:
    grains, zeros, ones = np.zeros((4, 4), int), np.zeros((4, 4)), np.ones((4, 4))
    phases, density, boundary = grains.copy(), ones.copy(), zeros.copy()
    phases[0, 0], density[1, 1], boundary[2, 2] = 2, 0.0, 1.0
    image = microstructure_image(grains, boundary, density, phases)
    assert image[0, 0] == pytest.approx(mpl.colors.to_rgb(phase_colour(2)))
    assert image[1, 1].max() < 0.15
    assert image[2, 2].max() < image[3, 3].min()
    for panels in ([Panel(ones, "C")], [Panel(ones, "ξ"), Panel(ones, "χ"), Panel(30 * ones, "η (mV)", largest=None)]):
        figure = fields_figure(image, panels, 100.0)
        assert any("nm" in text for text in texts(figure))
        assert {panel.title for panel in panels} <= set(texts(figure))
    assert figure.axes[3].images[0].get_clim() == (0, 30)


def test_figures_are_embedded_the_same_each_time_and_hold_no_address() -> None:
    shares = triangle()

    def draw() -> str:
        sites = Sites({"initial": shares[:3]}, shares[4:6], shares[:2])
        return style.as_svg(ternary_map(shares, Quantity(shares[:, 1], "S", "S"), ("Li", "Al", "Ge"), sites))

    first = draw()
    assert first == draw()
    svg = base64.b64decode(first.partition("base64,")[2]).decode()
    assert not re.search(r"(?:href|src)=\"(?:https?:)?//", svg)


def test_the_look_of_figures_stays_inside() -> None:
    before = dict(mpl.rcParams)
    with style.styled():
        assert mpl.rcParams["svg.hashsalt"] == "dynaphase"
    assert dict(mpl.rcParams) == before
