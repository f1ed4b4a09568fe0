"""The fits to the committed measurements and the laws beside them."""

import math
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaphase.errors import InputError
from dynaphase.materials.conductivity import (
    Measurement,
    arrhenius,
    fit_conductivity,
    leave_one_source_out,
    load_measurements,
    root_mean_square,
    wetting,
)

ROWS = load_measurements()
INNER = [r for r in ROWS if 0.2 <= r.x <= 0.8]


def test_every_row_has_a_doi_a_database_and_a_sane_value():
    assert len(ROWS) == 18
    for row in ROWS:
        assert row.doi.startswith("10.")
        assert "/" in row.doi
        assert row.database
        assert 1e-10 < row.conductivity_S_per_cm < 1e-3
        assert 0 <= row.x <= 0.8


def test_the_licence_of_the_data_travels_with_it():
    text = resources.files("dynaphase.materials").joinpath("data/LICENSE-DATA.md").read_text("utf-8")
    assert "CC BY 4.0" in text
    assert "arXiv.2502.14234" in text


def test_m3_the_fit_meets_the_table_within_the_scatter_of_laboratories():
    errors = [fit_conductivity().log10_conductivity(r.x) - r.log10 for r in INNER]
    assert math.sqrt(np.mean(np.square(errors))) < 0.12
    assert abs(np.mean(errors)) < 0.03


def test_weighted_least_squares_solves_its_normal_equations():
    """The weighted residual is orthogonal to 1, x and x²: weights 1/√n per source."""
    fit = fit_conductivity()
    n_rows = {doi: sum(r.doi == doi for r in INNER) for doi in fit.sources}
    residuals = np.array([(fit.log10_conductivity(r.x) - r.log10) / math.sqrt(n_rows[r.doi]) for r in INNER])
    for power in range(3):
        assert residuals @ np.array([r.x**power for r in INNER]) == pytest.approx(0, abs=1e-10)


def test_the_optimum_is_inside_the_measured_range():
    c = fit_conductivity().coefficients
    assert c[2] < 0
    assert 0.45 < -c[1] / (2 * c[2]) < 0.7


def test_at_zero_it_is_the_geometric_mean_and_then_a_straight_line():
    fit = fit_conductivity()
    assert fit.log10_conductivity(0) == pytest.approx(np.mean([r.log10 for r in ROWS if r.x == 0]))
    middle = (fit.log10_conductivity(0) + fit.log10_conductivity(0.2)) / 2
    assert fit.log10_conductivity(0.1) == pytest.approx(middle)
    assert fit.log10_conductivity(0.2 - 1e-9) == pytest.approx(fit.log10_conductivity(0.2), abs=1e-6)
    assert (fit.log10_sd(0), fit.log10_sd(0.1), fit.log10_sd(0.5)) == pytest.approx((1.0, 0.6, 0.2))


def test_activation_energy_is_a_line_that_rises_to_the_table_and_falls_from_zero():
    fit = fit_conductivity()
    assert fit.activation_energy(0) == pytest.approx((0.38 + 0.60 + 0.654) / 3)
    assert fit.activation_energy(0.1) == pytest.approx((fit.activation_energy(0) + fit.activation_energy(0.2)) / 2)
    errors = [fit.activation_energy(r.x) - r.activation_energy_eV for r in INNER if r.activation_energy_eV is not None]
    assert len(errors) == 9
    assert max(map(abs, errors)) < 0.05
    assert (fit.activation_energy_sd(0), fit.activation_energy_sd(0.5)) == (0.12, 0.03)


def test_leaving_a_source_out_leaves_it_out():
    """A source that lies is not believed when it is predicted, and its own rows are the ones judged."""
    errors = leave_one_source_out()
    assert {doi: len(rows) for doi, rows in errors.items()} == {
        doi: sum(r.doi == doi for r in INNER) for doi in {r.doi for r in INNER}
    }
    lone = "10.1016/j.ssi.2013.09.022"
    by_hand = fit_conductivity(tuple(r for r in ROWS if r.doi != lone))
    row = next(r for r in ROWS if r.doi == lone)
    assert errors[lone][0][1] == pytest.approx(by_hand.log10_conductivity(row.x) - row.log10)
    assert root_mean_square(errors) < 0.2


def test_rows_beyond_the_solubility_limit_make_the_fit_steadier():
    """The reason they are kept: judged on x ≤ 0.6, where the fit is used."""
    with_them = root_mean_square(leave_one_source_out(upper=0.8, judged_up_to=0.6))
    without = root_mean_square(leave_one_source_out(upper=0.6, judged_up_to=0.6))
    assert with_them < without


def test_a_parabola_needs_three_abscissae():
    row = Measurement(0.5, 1e-4, None, "10.1/a", "none")
    with pytest.raises(InputError, match="three or more"):
        fit_conductivity((row, row, row))


def test_nernst_einstein_factor():
    assert arrhenius(0.4, 298.15, power=1) == 1
    k = 8.617333262e-5
    expected = 298.15 / 350 * math.exp(-0.4 / k * (1 / 350 - 1 / 298.15))
    assert arrhenius(0.4, 350, power=1) == pytest.approx(expected)
    # the slope of ln(σT) against 1/kT is −Ea
    hot, cold = arrhenius(0.4, 330, power=1) * 330, arrhenius(0.4, 290, power=1) * 290
    assert math.log(hot / cold) / (1 / (k * 290) - 1 / (k * 330)) == pytest.approx(0.4)


@pytest.mark.parametrize("temperature", [0, -1, math.nan, math.inf])
def test_a_temperature_is_positive_and_finite(temperature):
    with pytest.raises(InputError, match="kelvin"):
        arrhenius(0.4, temperature)


@given(fraction=st.floats(0, 1), size=st.floats(1, 1e4), thickness=st.floats(0.2, 5))
def test_wetting_covers_at_most_everything(fraction, size, thickness):
    share = wetting(fraction, size, thickness)
    assert 0 <= share <= 1
    if share < 1:  # all of the film lies on the boundary
        assert share * thickness * (math.pi / 2) / size == pytest.approx(fraction)


def test_wetting_needs_lengths():
    with pytest.raises(InputError, match="positive"):
        wetting(0.1, 0, 1)
