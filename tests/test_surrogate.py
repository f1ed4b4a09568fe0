"""The surrogate against closed forms, an independent Gaussian process in numpy, and data it has not seen."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
from scipy import integrate, stats

from dynaphase.errors import FitError
from dynaphase.surrogate import (
    DEFAULT_TARGETS,
    Identity,
    Log10,
    LogitPercent,
    Rung,
    Surrogate,
    SurrogateOptions,
    Target,
    compare,
    fit_surrogate,
    gp,
    ladder,
    leave_one_out,
    predictions_to_json,
)
from dynaphase.surrogate.replicates import average_replicates

PLAIN = (Target("y", Identity(), "1"),)
AS_FITTED = SurrogateOptions(recalibrate=False)


def simplex(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(3), n)[:, :2]


def smooth(X: np.ndarray) -> np.ndarray:
    return np.sin(5 * X[:, 0]) + X[:, 1] ** 2


def landscape(X: np.ndarray, seed: int, noise: float = 0.1) -> np.ndarray:
    """Three targets in natural units with replicate noise on the modelled scale."""
    e = noise * np.random.default_rng(seed).normal(size=(3, len(X)))
    logit = 3 * np.sin(4 * X[:, 0]) + 2 * X[:, 1]
    decades = -4 - 6 * (X[:, 0] - 0.3) ** 2 - 3 * np.abs(X[:, 1] - 0.3)
    return np.stack([100 / (1 + np.exp(-logit - e[0])), 10 ** (decades + e[1]), 10 ** (decades - 0.5 + e[2])], 1)


@pytest.fixture(scope="module")
def replicated() -> Surrogate:
    X = np.repeat(simplex(60, 0), 2, axis=0)
    return fit_surrogate(X, landscape(X, 1), options=AS_FITTED)


def matern(a: np.ndarray, b: np.ndarray, lengths: list[float], variance: float) -> np.ndarray:
    r = np.sqrt(5 * (((a[:, None] - b[None]) / lengths) ** 2).sum(-1))
    return variance * (1 + r + r**2 / 3) * np.exp(-r)


def by_hand(surrogate: Surrogate, name: str, keep: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean and covariance of f in z units from the reported hyperparameters, textbook formula."""
    one = surrogate.fitted[name]
    h = one.report.hyperparameters
    train = one.replicates.X[keep]
    y = (one.replicates.mean[keep] - one.centre) / one.scale
    noise = h["nugget"] + one.replicates.variance_of_mean[keep] / one.scale**2
    constant = one.model.mean_module.constant.item()
    args = h["lengthscales"], h["signal_variance"]
    weights = np.linalg.solve(matern(train, train, *args) + np.diag(noise), matern(train, X, *args))
    mean = constant + weights.T @ (y - constant)
    covariance = matern(X, X, *args) - matern(X, train, *args) @ weights
    return one.centre + one.scale * mean, one.scale**2 * covariance


def test_importing_loads_no_learning_library() -> None:
    code = "import sys, dynaphase.surrogate, dynaphase.acquisition, dynaphase.validation;" + (
        "print([m for m in ('torch', 'botorch', 'gpytorch', 'statsmodels', 'matplotlib') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


# --- transforms ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transform", "values"),
    [(Identity(), [-3.0, 0.0, 7.0]), (Log10(), [1e-9, 1e-4, 2.0]), (LogitPercent(), [0.01, 37.0, 99.99])],
)
def test_transforms_invert(transform: Identity | Log10 | LogitPercent, values: list[float]) -> None:
    assert np.allclose(transform.inverse(transform.forward(values)), values, rtol=1e-12)


def test_values_without_an_image() -> None:
    assert np.isnan(Log10().forward([0.0, -1.0, np.nan])).all()
    assert LogitPercent().n_clipped([0.0, 50.0, 100.0, np.nan]) == 2
    assert np.allclose(LogitPercent().forward([0.0, 100.0]), [-np.log(9999), np.log(9999)])


@pytest.mark.parametrize(("mean", "std"), [(0.0, 0.3), (2.0, 1.0), (-3.0, 3.0)])
def test_logit_normal_moments(mean: float, std: float) -> None:
    def moment(power: int) -> float:
        value, _ = integrate.quad(
            lambda z: (100 / (1 + np.exp(-z))) ** power * stats.norm.pdf(z, mean, std), mean - 12 * std, mean + 12 * std
        )
        return float(value)

    centre, spread = LogitPercent().centre_and_spread(np.array([mean]), np.array([std]))
    assert centre[0] == pytest.approx(moment(1), abs=1e-3)
    assert spread[0] == pytest.approx(np.sqrt(moment(2) - moment(1) ** 2), abs=1e-3)


def test_conductivity_is_reported_by_median_and_quantiles() -> None:
    centre, spread = Log10().centre_and_spread(np.array([-4.0]), np.array([0.5]))
    sample = stats.lognorm(s=0.5 * np.log(10), scale=1e-4)
    assert centre[0] == pytest.approx(sample.median())
    assert spread[0] == pytest.approx((sample.ppf(stats.norm.cdf(1)) - sample.ppf(stats.norm.cdf(-1))) / 2)


# --- replicates ---------------------------------------------------------------------------------------------


def test_replicates_are_averaged_and_their_scatter_is_pooled() -> None:
    X = [[0.5, 0.1], [0.2, 0.2], [0.5, 0.1], [0.2, 0.2], [0.9, 0.0], [0.2, 0.2]]
    found = average_replicates(X, [1.0, 4.0, 3.0, 5.0, 9.0, 6.0])
    assert found.X.tolist() == [[0.5, 0.1], [0.2, 0.2], [0.9, 0.0]]
    assert found.mean.tolist() == [2.0, 5.0, 9.0]
    assert found.scatter.tolist() == pytest.approx([2.0, 1.0, 0.0])
    assert found.variance_of_mean == pytest.approx(found.variance_near(found.X) / [2, 3, 1])
    # with three degrees of freedom in all, every place is taken for about as noisy as the others
    assert np.ptp(np.log(found.variance_near(found.X))) < 0.5
    assert not found.are_informative


def test_noise_is_inferred_when_there_are_too_few_replicates() -> None:
    X = simplex(40, 3)
    found = fit_surrogate(X, (smooth(X) + 0.2 * np.random.default_rng(0).normal(size=40))[:, None], PLAIN)
    one = found.fitted["y"]
    assert not one.has_known_noise
    assert one.misfit == 0.0
    prediction = found.predict(X)["y"]
    assert prediction.replicate_std == pytest.approx(np.full(40, one.scale * np.sqrt(one.nugget)))
    assert 0.12 < prediction.replicate_std[0] < 0.3


def test_a_noisy_region_is_recognised() -> None:
    X = np.repeat(simplex(60, 4), 3, axis=0)
    noise = np.where(X[:, 0] > 0.4, 0.5, 0.02)
    y = smooth(X) + noise * np.random.default_rng(1).normal(size=len(X))
    found = fit_surrogate(X, y[:, None], PLAIN)
    quiet, loud = found.predict([[0.1, 0.2], [0.8, 0.1]])["y"].replicate_std
    assert loud > 2 * quiet
    weight = found.fitted["y"].replicates.variance_of_mean
    assert np.median(weight[found.fitted["y"].replicates.X[:, 0] > 0.4]) > 2 * np.median(
        weight[found.fitted["y"].replicates.X[:, 0] <= 0.4]
    )


# --- the Gaussian process -----------------------------------------------------------------------------------


def test_predictions_follow_the_textbook(replicated: Surrogate) -> None:
    X = simplex(7, 9)
    everyone = np.arange(60)
    joint = replicated.posterior(X)
    for row, (name, prediction) in enumerate(replicated.predict(X).items()):
        one = replicated.fitted[name]
        mean, covariance = by_hand(replicated, name, everyone, X)
        assert prediction.transformed_mean == pytest.approx(mean, abs=1e-6)
        variance = np.diag(covariance) + one.scale**2 * one.nugget
        assert prediction.transformed_std**2 == pytest.approx(variance, abs=1e-6)
        assert joint.covariance[row] * one.scale**2 == pytest.approx(covariance, abs=1e-6)
        assert joint.mean[row] * one.scale + one.centre == pytest.approx(mean, abs=1e-6)
        noise = one.nugget + (prediction.replicate_std / one.scale) ** 2
        assert joint.noise[row] == pytest.approx(noise)


def test_leave_one_out_equals_leaving_one_out(replicated: Surrogate) -> None:
    for name, found in leave_one_out(replicated).items():
        one = replicated.fitted[name]
        own_noise = one.scale**2 * one.nugget + one.replicates.variance_of_mean
        for i in (0, 17, 59):
            others = np.delete(np.arange(60), i)
            mean, covariance = by_hand(replicated, name, others, one.replicates.X[i : i + 1])
            assert found.mean[i] == pytest.approx(mean[0], abs=1e-6)
            assert found.std[i] ** 2 == pytest.approx(covariance[0, 0] + own_noise[i], rel=1e-6)
            assert found.observed[i] == one.replicates.mean[i]


def test_optimised_hyperparameters_beat_the_prior_medians(replicated: Surrogate) -> None:
    loo = leave_one_out(replicated)["stability_score"]
    errors = np.abs(loo.observed - loo.mean)
    assert np.corrcoef(loo.observed, loo.mean)[0, 1] > 0.98
    assert np.median(errors) < 0.15


def test_held_out_accuracy_and_calibration(replicated: Surrogate) -> None:
    X = np.repeat(simplex(120, 50), 2, axis=0)
    for name, found in compare(replicated, X, landscape(X, 51)).items():
        assert len(found.observed) == 120
        assert np.corrcoef(*found.on_quoted_scale())[0, 1] > 0.94, name
        assert 0.80 <= np.mean(np.abs(found.z_scores) < 1.645) <= 0.98, name
        assert 0.5 < np.mean(found.z_scores**2) < 1.8, name


def test_comparison_averages_replicates_and_drops_unusable_rows(replicated: Surrogate) -> None:
    X = np.array([[0.3, 0.3], [0.3, 0.3], [0.1, 0.6], [0.2, 0.2]])
    Y = np.column_stack([[50.0, 60.0, 70.0, np.nan], [1e-4, 1e-6, 0.0, 1e-5], [1e-4] * 4])
    found = compare(replicated, X, Y)
    z = LogitPercent().forward([50.0, 60.0]).mean()
    assert found["stability_score"].observed == pytest.approx([z, float(LogitPercent().forward(70.0))])
    assert found["ionic_conductivity_S_per_cm"].observed == pytest.approx([-5.0, -5.0])
    spread = replicated.predict([[0.3, 0.3]])["stability_score"]
    expected = np.sqrt(spread.transformed_std[0] ** 2 + spread.replicate_std[0] ** 2 / 2)
    assert found["stability_score"].std[0] == pytest.approx(expected)


def test_quoted_scale_is_points_for_scores_and_decades_for_conductivity(replicated: Surrogate) -> None:
    X = simplex(5, 2)
    found = compare(replicated, X, landscape(X, 2, noise=0))
    truth, guess = found["stability_score"].on_quoted_scale()
    assert truth == pytest.approx(landscape(X, 2, noise=0)[:, 0])
    assert ((guess > 0) & (guess < 100)).all()
    truth, _ = found["ionic_conductivity_S_per_cm"].on_quoted_scale()
    assert truth == pytest.approx(np.log10(landscape(X, 2, noise=0)[:, 1]))


def test_same_data_same_surrogate_and_nothing_left_behind() -> None:
    import torch

    X = np.repeat(simplex(20, 5), 2, axis=0)
    Y = landscape(X, 6)
    torch.manual_seed(123)
    expected = torch.rand(1)
    torch.manual_seed(123)
    n_threads = torch.get_num_threads()
    torch.set_num_threads(2)
    first = fit_surrogate(X, Y)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(n_threads)
    assert torch.equal(torch.rand(1), expected)
    torch.manual_seed(7)
    second = fit_surrogate(X, Y)
    assert first.fit_reports == second.fit_reports
    probe = simplex(9, 8)
    for name, prediction in first.predict(probe).items():
        assert np.array_equal(prediction.transformed_mean, second.predict(probe)[name].transformed_mean)


def test_restarts_draw_the_same_numbers_whatever_came_before() -> None:
    import torch

    drawn = []
    for outside in (1, 2):
        torch.manual_seed(outside)
        with gp.quiet_torch(3):
            drawn.append(torch.rand(4))
            assert torch.get_num_threads() == 1
    assert torch.equal(*drawn)


def test_fitting_and_predicting_warn_of_nothing() -> None:
    X = np.repeat(simplex(15, 5), 2, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_surrogate(X, landscape(X, 6)).predict(X)
        fit_surrogate(X, np.ones((30, 1)), PLAIN).predict(X)


def test_prediction_runs_in_chunks(replicated: Surrogate, monkeypatch: pytest.MonkeyPatch) -> None:
    X = simplex(1000, 1)
    sizes = []
    original = gp.posterior_moments

    def spy(model: object, x: np.ndarray, with_covariance: bool = False) -> tuple[np.ndarray, np.ndarray]:
        sizes.append(len(x))
        assert not with_covariance
        return original(model, x, with_covariance)

    monkeypatch.setattr(gp, "posterior_moments", spy)
    chunked = replicated.predict(X)
    assert sum(sizes) == 3 * 1000
    assert max(sizes) <= 256
    last = replicated.predict(X[-3:])
    for name in last:
        assert chunked[name].transformed_std[-3:] == pytest.approx(last[name].transformed_std, abs=1e-9)


# --- output -------------------------------------------------------------------------------------------------


def test_json_shape(replicated: Surrogate) -> None:
    rows = predictions_to_json(replicated.predict(simplex(2, 0)))
    assert json.loads(json.dumps(rows)) == rows
    assert [list(row) for row in rows] == [[t.name for t in DEFAULT_TARGETS]] * 2
    assert set(rows[0]["stability_score"]) == {"mean", "std", "interval_90"}
    sigma = rows[0]["ionic_conductivity_S_per_cm"]
    assert set(sigma) == {"mean", "std", "interval_90", "log10_mean", "log10_std"}
    assert sigma["mean"] == pytest.approx(10 ** sigma["log10_mean"])
    low, high = sigma["interval_90"]
    assert np.log10(high / low) == pytest.approx(2 * 1.6448536 * sigma["log10_std"])


def test_predictive_spread_holds_replicate_noise(replicated: Surrogate) -> None:
    prediction = replicated.predict([[0.3, 0.3]])["ionic_conductivity_S_per_cm"]
    assert prediction.replicate_std[0] == pytest.approx(0.1, rel=0.3)
    assert prediction.predictive_std[0] ** 2 == pytest.approx(
        prediction.transformed_std[0] ** 2 + prediction.replicate_std[0] ** 2
    )


def test_posterior_selects_targets_and_counts_replicates(replicated: Surrogate) -> None:
    X = simplex(4, 0)
    every, one = replicated.posterior(X), replicated.posterior(X, ["ceramic_conductivity_S_per_cm"], n_replicates=4)
    assert one.covariance == pytest.approx(every.covariance[2:])
    nugget = replicated.fitted["ceramic_conductivity_S_per_cm"].nugget
    assert one.noise - nugget == pytest.approx((every.noise[2:] - nugget) / 4)


# --- the ladder ---------------------------------------------------------------------------------------------


def broken(*args: object, **kwargs: object) -> object:
    raise RuntimeError("cholesky: the leading minor is not positive-definite\nand more lines")


BREAKS = {
    Rung.RESTARTED: [Rung.OPTIMISED],
    Rung.ADAM: [Rung.OPTIMISED, Rung.RESTARTED],
    Rung.PRIOR_MEDIANS: [Rung.OPTIMISED, Rung.RESTARTED, Rung.ADAM],
    Rung.LINEAR: [Rung.OPTIMISED, Rung.RESTARTED, Rung.ADAM, Rung.PRIOR_MEDIANS],
    Rung.CONSTANT: [Rung.OPTIMISED, Rung.RESTARTED, Rung.ADAM, Rung.PRIOR_MEDIANS, Rung.LINEAR],
}


@pytest.mark.parametrize(("reached", "failing"), BREAKS.items(), ids=[str(rung) for rung in BREAKS])
def test_every_rung_catches_the_one_above(reached: Rung, failing: list[Rung], monkeypatch: pytest.MonkeyPatch) -> None:
    for rung in failing:
        monkeypatch.setitem(ladder._RUNGS, rung, broken)
    X = np.repeat(simplex(25, 1), 2, axis=0)
    y = 2 * X[:, 0] - X[:, 1] + 0.1 * np.random.default_rng(0).normal(size=50)
    found = fit_surrogate(X, y[:, None], PLAIN)
    report = found.fit_reports["y"]
    assert report.rung is reached
    assert report.is_fallback
    assert report.message.count("RuntimeError: cholesky: the leading minor is not positive-definite") == len(failing)
    assert "more lines" not in report.message
    probe = simplex(200, 2)
    z = (2 * probe[:, 0] - probe[:, 1] - found.predict(probe)["y"].transformed_mean) / (
        found.predict(probe)["y"].transformed_std
    )
    assert np.mean(np.abs(z) < 1.645) > 0.7
    if reached is not Rung.CONSTANT:
        assert np.median(np.abs(found.predict(probe)["y"].mean - 2 * probe[:, 0] + probe[:, 1])) < 0.06
    assert np.isfinite(leave_one_out(found)["y"].z_scores).all()


def test_a_real_optimiser_failure_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    import botorch.fit

    monkeypatch.setattr(botorch.fit, "fit_gpytorch_mll", broken)
    X = simplex(20, 1)
    found = fit_surrogate(X, smooth(X)[:, None], PLAIN)
    assert found.fit_reports["y"].rung is Rung.ADAM
    assert np.corrcoef(found.predict(simplex(99, 3))["y"].mean, smooth(simplex(99, 3)))[0, 1] > 0.95


def test_adam_reaches_the_optimum_that_the_line_search_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    X = simplex(40, 3)
    y = smooth(X) + 0.2 * np.random.default_rng(0).normal(size=40)
    best = fit_surrogate(X, y[:, None], PLAIN).fit_reports["y"].hyperparameters
    monkeypatch.setitem(ladder._RUNGS, Rung.OPTIMISED, broken)
    monkeypatch.setitem(ladder._RUNGS, Rung.RESTARTED, broken)
    found = fit_surrogate(X, y[:, None], PLAIN).fit_reports["y"].hyperparameters
    assert best is not None
    assert found is not None
    assert found["nugget"] == pytest.approx(best["nugget"], rel=0.2)
    assert found["lengthscales"] == pytest.approx(best["lengthscales"], rel=0.5)


def test_a_model_with_nonsense_predictions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    original = ladder._RUNGS[Rung.OPTIMISED]

    def poisoned(data: gp.TrainingData) -> object:
        model = original(data)
        model.mean_module.constant.data.fill_(float("nan"))
        return model

    monkeypatch.setitem(ladder._RUNGS, Rung.OPTIMISED, poisoned)
    X = simplex(12, 1)
    report = fit_surrogate(X, smooth(X)[:, None], PLAIN).fit_reports["y"]
    assert report.rung is Rung.RESTARTED
    assert "not finite" in report.message


def test_linear_rung_agrees_with_least_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    for rung in BREAKS[Rung.LINEAR]:
        monkeypatch.setitem(ladder._RUNGS, rung, broken)
    X = simplex(200, 1)
    y = 3 * X[:, 0] - X[:, 1] + 0.3 * np.random.default_rng(0).normal(size=200)
    prediction = fit_surrogate(X, y[:, None], PLAIN, options=AS_FITTED).predict([[0.2, 0.5]])["y"]
    design = np.column_stack([np.ones(200), X])
    beta, rss, *_ = np.linalg.lstsq(design, y, rcond=None)
    point = np.array([1, 0.2, 0.5])
    s2 = rss[0] / 197
    assert prediction.transformed_mean[0] == pytest.approx(point @ beta, abs=0.01)
    variance = s2 * (1 + point @ np.linalg.inv(design.T @ design) @ point)
    assert prediction.transformed_std[0] == pytest.approx(np.sqrt(variance), rel=0.01)


def test_few_points_give_a_constant_with_an_honest_spread() -> None:
    one = fit_surrogate([[0.2, 0.2]], [[-4.0]], (Target("y", Identity(), "1", prior_std=1.5),))
    assert one.fit_reports["y"].rung is Rung.CONSTANT
    assert "at least 3" in one.fit_reports["y"].message
    prediction = one.predict([[0.9, 0.1]])["y"]
    assert prediction.mean[0] == pytest.approx(-4.0)
    assert 1.5 <= prediction.std[0] < 2.5
    two = fit_surrogate([[0.2, 0.2], [0.4, 0.2]], [[1.0], [3.0]], PLAIN).predict([[0.9, 0.1]])["y"]
    assert two.mean[0] == pytest.approx(2.0)
    assert np.sqrt(2) <= two.std[0] < 2.5
    assert fit_surrogate(simplex(3, 0), [[1.0], [2.0], [4.0]], PLAIN).fit_reports["y"].rung is Rung.OPTIMISED


def test_equal_values_and_equal_compositions_still_predict() -> None:
    flat = fit_surrogate(simplex(10, 0), np.full((10, 1), 5.0), PLAIN).predict(simplex(3, 1))["y"]
    assert flat.mean == pytest.approx(5.0, abs=1e-6)
    same = fit_surrogate(np.full((6, 2), 0.3), np.arange(6.0)[:, None], PLAIN).predict(simplex(3, 1))["y"]
    assert same.mean == pytest.approx(2.5)


def test_unusable_values_are_dropped_and_counted() -> None:
    X = simplex(12, 0)
    Y = landscape(X, 0)
    Y[0, 0] = np.nan
    Y[1, 1] = 0.0
    Y[2, 0] = 100.0
    reports = fit_surrogate(X, Y).fit_reports
    assert [reports[t.name].n_dropped for t in DEFAULT_TARGETS] == [1, 1, 0]
    assert reports["stability_score"].n_clipped == 1
    assert reports["stability_score"].n_compositions == 11
    Y[:, 1] = np.nan
    with pytest.raises(FitError, match="none of the 12 records has a usable value of ionic"):
        fit_surrogate(X, Y)


@pytest.mark.parametrize(
    ("X", "Y", "message"),
    [
        ([[0.1, 1.2]], [[1.0]], "row 0 .* outside the unit cube"),
        ([[0.1, np.nan]], [[1.0]], "outside the unit cube"),
        ([0.1, 0.2], [[1.0]], "shape"),
        ([[0.1, 0.2]], [1.0], "need Y of shape"),
        (np.empty((0, 2)), np.empty((0, 1)), "n ≥ 1"),
    ],
)
def test_bad_arrays_are_refused(X: object, Y: object, message: str) -> None:
    with pytest.raises(FitError, match=message):
        fit_surrogate(X, Y, PLAIN)  # type: ignore[arg-type]


def test_bad_questions_are_refused(replicated: Surrogate) -> None:
    with pytest.raises(FitError, match=r"shape \(n, 2\)"):
        replicated.predict([[0.1, 0.2, 0.3]])
    with pytest.raises(FitError, match="no target 'sigma'; it has stability_score"):
        replicated.posterior([[0.1, 0.2]], ["sigma"])
    with pytest.raises(FitError, match="held-out values need shape"):
        compare(replicated, [[0.1, 0.2]], [[1.0]])
