"""Agreement and mixture regression against formulas worked out separately, and against simulation."""

from __future__ import annotations

import json
import warnings
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from dynaphase.errors import InputError
from dynaphase.surrogate import Comparison, Log10, LogitPercent, Target
from dynaphase.validation import accuracy, agreement, scheffe_regression

RNG = np.random.default_rng
ELEMENTS = ("Li", "Al", "Ge")


# --- agreement ------------------------------------------------------------------------------------------------


def test_figures_by_hand() -> None:
    found = agreement([1.0, 2.0, 3.0, 6.0], [1.5, 2.0, 2.0, 6.5], std=[0.5, 1.0, 0.5, 1.0])
    assert found.n == 4
    assert found.rmse == pytest.approx(np.sqrt(1.5 / 4))
    assert found.nrmse == pytest.approx(np.sqrt(1.5 / 4) / 5)
    assert found.bias == pytest.approx(0.0)
    assert found.coverage_90 == 0.75  # z = −1, 0, 2, −0.5
    assert found.mean_squared_z == pytest.approx((1 + 0 + 4 + 0.25) / 4)
    assert found.spearman == pytest.approx(0.9486833)
    n, p, z = 4, 0.75, 1.959964
    centre, half = (p + z**2 / 2 / n), z * np.sqrt(p * (1 - p) / n + z**2 / 4 / n**2)
    wilson = ((centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n))
    assert found.coverage_interval_95 == pytest.approx(wilson, abs=1e-6)


def test_fisher_interval() -> None:
    x = RNG(0).normal(size=28)
    y = x + RNG(1).normal(size=28)
    found = agreement(x, y)
    middle, half = np.arctanh(found.r), 1.959964 / np.sqrt(25)
    assert found.r == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert found.r_interval_95 == pytest.approx((np.tanh(middle - half), np.tanh(middle + half)), abs=1e-6)


def test_bootstrap_agrees_with_fisher_on_gaussian_pairs_and_is_seeded() -> None:
    x = RNG(2).normal(size=400)
    y = x + 0.5 * RNG(3).normal(size=400)
    fisher, bootstrap = agreement(x, y), agreement(x, y, n_bootstrap=2000, seed=1)
    assert bootstrap.r_interval_95 == pytest.approx(fisher.r_interval_95, abs=0.01)
    assert bootstrap.r_interval_95 != fisher.r_interval_95
    assert bootstrap == agreement(x, y, n_bootstrap=2000, seed=1)
    assert bootstrap != agreement(x, y, n_bootstrap=2000, seed=2)


def test_interval_of_r_covers() -> None:
    rho, hits = 0.8, 0
    for seed in range(300):
        x, e = RNG(seed).normal(size=(2, 40))
        low, high = agreement(x, rho * x + np.sqrt(1 - rho**2) * e).r_interval_95
        hits += low < rho < high
    assert 0.92 < hits / 300 < 0.98


def test_the_two_demands_agree_for_evenly_spread_truth() -> None:
    """R = 0.95 without bias means nrmse = √(1 − 0.95²)/√12 = 0.090."""
    predicted_share, n = 0.95, 200_000
    truth = RNG(0).random(n)
    # the calibrated predictor: predictions whose errors are uncorrelated with themselves
    noise = RNG(1).normal(size=n) * np.sqrt((1 - predicted_share**2) * predicted_share**2 / 12)
    predicted = 0.5 + predicted_share**2 * (truth - 0.5) + noise
    found = agreement(truth, predicted)
    assert found.r == pytest.approx(0.95, abs=0.001)
    assert found.nrmse == pytest.approx(np.sqrt(1 - 0.95**2) / np.sqrt(12), abs=0.001)
    assert found.nrmse == pytest.approx(0.090, abs=0.001)
    assert found.meets(r=0.94)
    assert not found.meets(r=0.96)
    assert not found.meets(r=0.94, nrmse=0.08)


def test_calibration_tells_overconfidence() -> None:
    truth = RNG(0).normal(size=2000)
    predicted = truth + 0.3 * RNG(1).normal(size=2000)
    honest, bold = agreement(truth, predicted, std=np.full(2000, 0.3)), agreement(truth, predicted, np.full(2000, 0.15))
    assert honest.coverage_interval_95[0] < 0.9 < honest.coverage_interval_95[1]
    assert honest.mean_squared_z == pytest.approx(1, abs=0.1)
    assert bold.coverage_interval_95[1] < 0.9
    assert bold.mean_squared_z == pytest.approx(4 * honest.mean_squared_z)


@pytest.mark.parametrize(
    ("truth", "predicted", "why"),
    [
        ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0], "all true values are equal"),
        ([1.0, 2.0, 3.0], [0.1 + 0.2, 0.3, 0.3], "all predicted values are equal"),
        ([1.0, 2.0], [1.0, 2.0], "2 pairs, at least 3"),
    ],
)
def test_undefined_correlation_is_nan_with_a_reason(truth: list[float], predicted: list[float], why: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = agreement(truth, predicted)
    assert np.isnan(found.r)
    assert np.isnan(found.spearman)
    assert why in found.note
    assert np.isfinite(found.rmse)
    assert not found.meets()
    shown = found.to_json()
    assert json.loads(json.dumps(shown, allow_nan=False)) == shown
    assert shown["r"] is None
    assert shown["r_interval_95"] == [None, None]


def test_agreement_refuses_bad_input() -> None:
    with pytest.raises(InputError, match="y_predicted has 2 values for 3"):
        agreement([1.0, 2.0, 3.0], [1.0, 2.0])
    with pytest.raises(InputError, match="y_true needs at least one value"):
        agreement([1.0, np.nan], [1.0, 2.0])
    with pytest.raises(InputError, match="y_true needs"):
        agreement([], [])
    with pytest.raises(InputError, match="every std must be positive"):
        agreement([1.0, 2.0], [1.0, 2.0], std=[0.1, 0.0])
    with pytest.raises(InputError, match="std or z_scores, not both"):
        agreement([1.0, 2.0], [1.0, 2.0], std=[0.1, 0.1], z_scores=[0.0, 0.0])


def test_accuracy_quotes_points_and_decades() -> None:
    z, shift = np.array([-2.0, 0.0, 1.0, 3.0]), 0.2
    std = np.full(4, 1e-6)
    score = Comparison(Target("S", LogitPercent(), "%"), z, z + shift, std)
    sigma = Comparison(Target("σ", Log10(), "S/cm"), z, z + shift, np.full(4, 0.1))
    found = accuracy({"S": score, "σ": sigma})
    points = 100 / (1 + np.exp(-z)), 100 / (1 + np.exp(-z - shift))
    assert found["S"].rmse == pytest.approx(np.sqrt(np.mean((points[0] - points[1]) ** 2)))
    assert found["σ"].rmse == pytest.approx(0.2)
    assert found["σ"].nrmse == pytest.approx(0.2 / 5)
    assert found["σ"].mean_squared_z == pytest.approx(4.0)
    assert found["σ"].coverage_90 == 0.0


# --- mixture regression ---------------------------------------------------------------------------------------

BETA = np.array([1.0, -2.0, 3.0])
PAIRS = {(0, 1): 4.0, (0, 2): -5.0, (1, 2): 2.0}


def blend(x: np.ndarray) -> np.ndarray:
    return x @ BETA + sum(value * x[:, i] * x[:, j] for (i, j), value in PAIRS.items())


def mixtures(n: int, seed: int) -> np.ndarray:
    return RNG(seed).dirichlet(np.ones(3), n)


def true_effects(s: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """Finite differences of the blend with one fraction, the others rescaled in proportion."""
    moved = []
    for i in range(3):
        ends = []
        for sign in (1, -1):
            x = s * (1 - s[i] - sign * step) / (1 - s[i])
            x[i] = s[i] + sign * step
            ends.append(blend(x[None])[0])
        moved.append((ends[0] - ends[1]) / (2 * step))
    return np.array(moved)


def test_known_coefficients_and_effects_are_recovered() -> None:
    x = mixtures(80, 0)
    table = scheffe_regression(x, blend(x) + 1e-6 * RNG(1).normal(size=80), ELEMENTS)
    assert table.model == "quadratic"
    assert [c.name for c in table.coefficients] == ["Li", "Al", "Ge", "Li·Al", "Li·Ge", "Al·Ge"]
    assert [c.value for c in table.coefficients] == pytest.approx([*BETA, *PAIRS.values()], abs=1e-4)
    assert table.reference == pytest.approx(x.mean(axis=0))
    assert [e.value for e in table.effects] == pytest.approx(true_effects(x.mean(axis=0)), abs=1e-4)
    assert table.covariance_type == "HC3"
    assert table.note == ""


def test_r_squared_is_measured_against_the_mean() -> None:
    """A large mean must not pass for an explanation: the slack-variable model with intercept says the same."""
    x = mixtures(60, 2)
    y = 100 + x[:, 0] + RNG(3).normal(size=60)
    table = scheffe_regression(x, y, ELEMENTS)
    design = np.column_stack([np.ones(60), x[:, :2], *(x[:, i] * x[:, j] for i, j in combinations(range(3), 2))])
    beta, *_ = np.linalg.lstsq(design, y, rcond=None)
    expected = 1 - np.sum((y - design @ beta) ** 2) / np.sum((y - y.mean()) ** 2)
    assert table.r_squared == pytest.approx(expected)
    assert table.r_squared_adjusted == pytest.approx(1 - (1 - expected) * 59 / 54)
    assert table.r_squared < 0.5


@pytest.mark.parametrize("replicates", [1, 3])
def test_intervals_cover_the_truth(replicates: int) -> None:
    """With replicates the noise has a part common to a composition, which plain standard errors would miss."""
    x = np.repeat(mixtures(40, 5), replicates, axis=0)
    reference = x.mean(axis=0)
    truth, covered = true_effects(reference), np.zeros(3)
    for seed in range(120):
        common = np.repeat(RNG(seed).normal(size=40), replicates)
        noise = common if replicates > 1 else np.zeros(40)
        y = blend(x) + noise + 0.3 * RNG(1000 + seed).normal(size=len(x))
        table = scheffe_regression(x, y, ELEMENTS)
        covered += [e.interval_95[0] < t < e.interval_95[1] for e, t in zip(table.effects, truth, strict=True)]
    assert (covered / 120 > 0.88).all()
    assert (covered / 120 < 1.0).all()


def test_copying_rows_does_not_add_knowledge() -> None:
    x = mixtures(40, 6)
    y = blend(x) + RNG(7).normal(size=40)
    once = scheffe_regression(x, y, ELEMENTS)
    thrice = scheffe_regression(np.repeat(x, 3, axis=0), np.repeat(y, 3), ELEMENTS)
    assert thrice.covariance_type == "cluster"
    assert (thrice.n, thrice.n_compositions) == (120, 40)
    width = [[e.interval_95[1] - e.interval_95[0] for e in table.effects] for table in (once, thrice)]
    assert width[1] == pytest.approx(width[0], rel=0.25)


def test_order_of_elements_does_not_matter() -> None:
    x = mixtures(50, 8)
    y = blend(x) + 0.1 * RNG(9).normal(size=50)
    forward = {e.name: e for e in scheffe_regression(x, y, ELEMENTS).effects}
    backward = {e.name: e for e in scheffe_regression(x[:, ::-1], y, ELEMENTS[::-1]).effects}
    for name, effect in forward.items():
        assert effect.value == pytest.approx(backward[name].value)
        assert effect.interval_95 == pytest.approx(backward[name].interval_95)


def test_weights_count() -> None:
    x = mixtures(60, 10)
    y = blend(x)
    y[::2] += 5 * RNG(1).normal(size=30)
    weights = np.where(np.arange(60) % 2, 1.0, 1e-6)
    weighted = scheffe_regression(x, y, ELEMENTS, weights=weights)
    assert [c.value for c in weighted.coefficients] == pytest.approx([*BETA, *PAIRS.values()], abs=0.01)
    plain = scheffe_regression(x, y, ELEMENTS)
    assert not np.allclose([c.value for c in plain.coefficients], [*BETA, *PAIRS.values()], atol=0.1)


def test_holm_adjustment() -> None:
    from statsmodels.stats.multitest import multipletests

    x = mixtures(40, 11)
    table = scheffe_regression(x, blend(x) + 2 * RNG(12).normal(size=40), ELEMENTS)
    for family in (table.coefficients, table.effects):
        expected = multipletests([one.p for one in family], method="holm")[1]
        assert [one.p_holm for one in family] == pytest.approx(expected)
    assert any(one.p_holm > one.p for one in table.effects)


def test_p_values_are_uniform_where_nothing_acts() -> None:
    p = []
    for seed in range(150):
        x = mixtures(40, seed)
        p.append(scheffe_regression(x, RNG(seed + 500).normal(size=40), ELEMENTS).effects[0].p)
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_compositions_on_a_line_fall_back_or_say_why() -> None:
    t = np.linspace(0.0, 0.5, 20)
    through_a_line = np.column_stack([0.3 + 0 * t, t, 0.7 - t])
    found = scheffe_regression(through_a_line, t, ELEMENTS)
    assert found.model == "none"
    assert found.effects == ()
    assert found.note.count("depend on each other") == 2
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["r_squared"] is None
    few = mixtures(6, 0)
    linear = scheffe_regression(few, few @ BETA, ELEMENTS)
    assert linear.model == "linear"
    assert "no quadratic model: 6 terms need more than 6 distinct compositions" in linear.note
    assert [c.value for c in linear.coefficients] == pytest.approx(BETA)
    absent = np.column_stack([mixtures(20, 1)[:, :1], np.zeros(20), 1 - mixtures(20, 1)[:, 0]])
    assert scheffe_regression(absent, absent[:, 0], ELEMENTS).model == "none"


def test_a_lonely_composition_does_not_break_the_intervals() -> None:
    x = np.vstack([np.column_stack([mixtures(15, 1)[:, :1], np.zeros(15), 1 - mixtures(15, 1)[:, 0]]), [0.2, 0.3, 0.5]])
    found = scheffe_regression(x, RNG(0).normal(size=16), ELEMENTS)
    assert found.model == "linear"
    assert found.covariance_type == "HC1"
    assert np.isfinite([e.interval_95 for e in found.effects]).all()


def test_sentences_say_direction_size_and_doubt() -> None:
    x = mixtures(60, 13)
    sure = scheffe_regression(x, 5 * x[:, 1] + 1e-3 * RNG(0).normal(size=60), ELEMENTS).sentences("log10 σ")
    assert len(sure) == 3
    assert sure[1].startswith("Al + 0.01 at constant ratio of the others raises log10 σ by 0.05 (95 %: +0.0")
    assert "lowers" in sure[0]
    unsure = scheffe_regression(x, RNG(1).normal(size=60), ELEMENTS).sentences("log10 σ")
    assert any("the sign is open" in text for text in unsure)
    assert not any("the sign is open" in text for text in sure)


@pytest.mark.parametrize(
    ("fractions", "y", "message"),
    [
        ([[0.5, 0.5]], [1.0], "need shape"),
        ([[0.5, 0.3, 0.1]], [1.0], "sum to 1"),
        ([[0.5, 0.6, -0.1]], [1.0], "not negative"),
        ([[0.5, 0.3, 0.2]], [1.0, 2.0], "as many responses"),
        ([[0.5, 0.3, 0.2]], [np.inf], "y needs"),
    ],
)
def test_regression_refuses_bad_input(fractions: object, y: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        scheffe_regression(fractions, y, ELEMENTS)  # type: ignore[arg-type]


def test_regression_refuses_bad_weights() -> None:
    with pytest.raises(InputError, match="every weight must be positive"):
        scheffe_regression(mixtures(3, 0), [1.0, 2.0, 3.0], ELEMENTS, weights=[1.0, 0.0, 1.0])
