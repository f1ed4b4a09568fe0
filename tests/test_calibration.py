"""The calibrated score: its equation, its fit, and that the shipped coefficients are those of the shipped runs."""

from __future__ import annotations

import math
import tomllib
from dataclasses import asdict, replace
from importlib.resources import files

import numpy as np
import pytest

from dynaphase.calibration import ScoreCalibration, log_factors, measured_stability, shipped_calibration
from dynaphase.calibration_fit import (
    CalibrationRun,
    bootstrap_intervals,
    cross_validate,
    fit_calibration,
    fit_critical_current,
    fit_pooled,
    read_runs,
    variance_shares,
)
from dynaphase.errors import FitError, InputError

TRUE = ScoreCalibration(0.2, -0.3, 0.5, 0.15, 0.0, 1.0)
"""Of made runs; the scale plays no part."""


def eta_of(stability: float) -> float:
    """Inverse of Y: η_50 = asinh(e^Y/2)/b, b at 298.15 K."""
    b = 96485.33212 / (2 * 8.314462618 * 298.15)
    return 1e3 * math.asinh(0.5 * math.exp(stability)) / b


def made(noise: float = 0.0, n_draws: int = 12, truth: ScoreCalibration = TRUE, seed: int = 3) -> list[CalibrationRun]:
    """Runs that follow `truth`, with a shift for each draw that is ten times larger than what descriptors do."""
    rng = np.random.default_rng(seed)
    shifts, runs = rng.normal(0.0, 1.0, n_draws), []
    for i in range(24):
        for j in range(4):
            draw = (i + j) % n_draws
            d, voids, w = rng.uniform(10, 40), rng.uniform(0.001, 0.15), rng.uniform(5, 60)
            y = truth.predict(d, voids, w) + shifts[draw] + noise * rng.normal()
            i0 = math.exp(rng.normal())
            runs.append(CalibrationRun(f"c{i}", len(runs), draw, d, voids, w, eta_of(y), 0.1 * i0 * math.exp(y)))
    return runs


def test_stability_is_what_the_equation_says() -> None:
    assert measured_stability(25.0) == pytest.approx(math.log(2 * math.sinh(0.025 / (2 * 0.0256926))), abs=1e-5)
    assert measured_stability(1e4) == pytest.approx(96485.33212 * 10 / (2 * 8.314462618 * 298.15))  # no overflow
    assert measured_stability(25.0, 350.0) < measured_stability(25.0)
    assert eta_of(measured_stability(17.0)) == pytest.approx(17.0)
    with pytest.raises(InputError, match="η₅₀ must be positive"):
        measured_stability(0.0)


def test_the_fit_finds_what_made_the_runs_whatever_the_draws_shift() -> None:
    found = fit_calibration(made())
    for name in ("grain_size", "void_fraction", "interface_width"):
        assert getattr(found, name) == pytest.approx(getattr(TRUE, name), abs=1e-9)
    assert found.mean == pytest.approx(np.mean([run.stability for run in made()]))
    pooled = fit_pooled(made())
    assert abs(pooled.grain_size - TRUE.grain_size) > 0.05  # what one intercept for all makes of it


def test_signs_are_bounded_for_voids_and_width_and_free_for_grains() -> None:
    wrong = replace(TRUE, void_fraction=-0.5, interface_width=-0.5)
    found = fit_calibration(made(truth=wrong))
    assert (found.void_fraction, found.interface_width) == (0.0, 0.0)
    assert fit_calibration(made()).grain_size < 0


def test_variance_is_taken_apart() -> None:
    shares = variance_shares(made(noise=0.05))
    assert shares.between_draws > 0.7
    assert shares.explained_within_draws > 0.7
    assert shares.explained < 0.3
    assert shares.sd_residual == pytest.approx(0.05, rel=0.3)
    shifts = np.random.default_rng(3).normal(0.0, 1.0, 12)
    assert shares.sd_draw == pytest.approx(np.std(shifts, ddof=1), rel=0.05)
    value, low, high = shares.mixed_coefficients["void_fraction"]
    assert low < TRUE.void_fraction < high
    assert low < value < high


def test_cross_validation_leaves_whole_groups_out() -> None:
    clean, noisy = cross_validate(made()), cross_validate(made(noise=5.0))
    assert clean["r_squared_within"] == pytest.approx(1.0)
    assert clean["spearman_within"] == pytest.approx(1.0)
    assert noisy["r_squared_within"] < 0  # in the sample it could not be: nought is among the slopes
    # A composition whose runs all lie apart from the line: only its own runs could teach that.
    odd = [replace(run, eta_50_mV=run.eta_50_mV * 9) if run.formula == "c5" else run for run in made()]
    assert cross_validate(odd)["r_squared_within"] < 0.5
    assert cross_validate(made(noise=0.05), "draw")["r_squared"] < 0.5  # nobody knows the shift of a new draw


def test_bootstrap_resamples_compositions() -> None:
    intervals = bootstrap_intervals(made(noise=0.1), n=100)
    for name, (low, high) in intervals.items():
        if name != "intercept":
            assert low < getattr(TRUE, name) < high
            assert 0 < high - low < 0.6
    assert bootstrap_intervals(made(noise=0.1), n=100) == intervals


def test_exchange_current_is_a_covariate_of_the_critical_current() -> None:
    found = fit_critical_current(made())
    assert found["ln_exchange_current_density"] == pytest.approx(1.0)
    assert found["void_fraction"] == pytest.approx(TRUE.void_fraction)
    assert found["r_squared_within"] == pytest.approx(1.0)


def test_too_few_runs_or_one_composition_a_draw_cannot_be_fitted() -> None:
    with pytest.raises(FitError, match="5 runs cannot"):
        fit_calibration(made()[:5])
    alone = [replace(run, draw=run.seed) for run in made()]
    with pytest.raises(FitError, match="several compositions in each draw"):
        fit_calibration(alone)


def shipped_runs() -> list[CalibrationRun]:
    text = files("dynaphase").joinpath("data", "score_calibration_runs.csv").read_text(encoding="utf-8")
    return read_runs(text.splitlines())


def test_shipped_coefficients_are_those_of_the_shipped_runs() -> None:
    runs, shipped = shipped_runs(), asdict(shipped_calibration())
    assert asdict(fit_calibration(runs)) == pytest.approx(shipped, rel=1e-9, abs=1e-12)
    content = tomllib.loads(files("dynaphase").joinpath("data", "score_calibration.toml").read_text(encoding="utf-8"))
    assert content["n_runs"] == len(runs) >= 60
    assert content["n_compositions"] == len({run.formula for run in runs}) >= 12
    assert content["n_draws"] == len({run.draw for run in runs})
    quality = content["quality"]
    assert cross_validate(runs)["r_squared_within"] == pytest.approx(
        quality["r_squared_within_new_composition"], abs=1e-5
    )
    for name, (low, high) in content["interval_90"].items():
        assert low <= shipped[name] <= high


def test_the_shipped_score_is_bounded_and_as_monotone_as_its_signs() -> None:
    shipped = shipped_calibration()
    assert shipped.void_fraction >= 0
    assert shipped.interface_width >= 0
    for d in (1.0, 25.0, 100.0):
        for voids in (0.0, 0.05, 1.0):
            for w in (0.0, 20.0, 100.0):
                score = shipped.score(d, voids, w)
                assert 0 <= score <= 100
                assert shipped.score(d, min(1.0, voids + 0.01), w) <= score
                assert shipped.score(d, voids, w + 1.0) <= score
                assert (shipped.score(d + 1.0, voids, w) - score) * shipped.grain_size >= 0
    assert 0 < shipped.direct_score(10.0) < shipped.direct_score(30.0) < 100
    assert shipped.direct_score(eta_of(shipped.mean)) == pytest.approx(50.0)
    assert shipped.score(0.0, 0.0, 0.0) >= 0  # no grain at all: floored, finite


def test_the_score_is_the_logistic_function_of_the_standardised_stability() -> None:
    wide = replace(TRUE, mean=0.5, standard_deviation=2.0)
    assert wide.direct_score(eta_of(1.5)) == pytest.approx(100 / (1 + math.exp(-0.5)))
    assert wide.direct_score(1e5) == pytest.approx(100.0)


def test_direct_and_fitted_score_agree_where_the_fit_is_exact() -> None:
    y = TRUE.predict(25.0, 0.03, 20.0)
    assert TRUE.direct_score(eta_of(y)) == pytest.approx(TRUE.score(25.0, 0.03, 20.0))
    g, v, w = log_factors(25.0, 0.03, 20.0)
    assert (math.exp(g), math.exp(v), math.exp(w)) == pytest.approx(
        (25 / 35, 1 / (1 + 0.3**1.5), 1 / (1 + (20 / 15) ** 2))
    )


def test_a_record_of_the_physical_model_carries_both_scores() -> None:
    import dynaphase as dp

    record = dp.evaluate("Li1.5Al0.5Ge1.5(PO4)3", "physical", settings={"fidelity": "eikonal"})
    d = record.descriptors
    shipped = shipped_calibration()
    expected = shipped.score(d["grain_size_nm"], d["void_fraction"], d["interface_width_nm"])
    assert record.values["stability_score_calibrated"] == pytest.approx(expected)
    assert record.values["stability_score_direct"] == pytest.approx(shipped.direct_score(d["eta_50_mV"]))
