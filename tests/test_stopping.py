from __future__ import annotations

import tomllib
from typing import Any

import numpy as np
import pytest

from dynaphase import stopping
from dynaphase.composition import Composition
from dynaphase.config import PRESETS, CampaignConfig, make_config
from dynaphase.errors import ConfigError
from dynaphase.rounds import Entry, Plan, Role
from dynaphase.steering import looks_of
from dynaphase.stopping import StopReason, covers_too_little, n_final, verdict
from dynaphase.validation import accuracy_intervals, agreement, bootstrap, coverage_of
from dynaphase.validation.bootstrap import AccuracyIntervals

DESIGN = {"n_initial": 12, "n_held_out": 6, "n_replicates": 2}


def config(**stop: object) -> CampaignConfig:
    return make_config({"model": "paper", "design": DESIGN, "stop": {"budget": 100, "confidence": 0.5} | stop})


def stop_reason(
    config: CampaignConfig, assessments: list[dict[str, Any]], n: float, **used: float
) -> StopReason | None:
    found = verdict(config, assessments, n, **used)
    return None if found is None else found.reason


def errors(*worst: float, r: float = 0.9) -> list[dict[str, Any]]:
    return [{"accuracy": {"S": {"r": r, "nrmse": value}, "σ": {"r": 0.99, "nrmse": 0.01}}} for value in worst]


def judged(n: int, error: float, seed: int = 0, width: float = 1.0) -> dict[str, Any]:
    """An assessment of n held-out compositions, evenly spread, with Gaussian errors; `width` scales the intervals."""
    rng = np.random.default_rng(seed)
    truth = np.linspace(0, 1, n)
    predicted = truth + error * rng.standard_normal(n)
    found = agreement(truth, predicted, np.full(n, width * error))
    figures = {
        "r": found.r, "nrmse": found.nrmse, "coverage_90": found.coverage_90,
        "coverage_interval_95": list(found.coverage_interval_95), "n_held_out": n,
    }  # fmt: skip
    pairs = {"observed": truth.tolist(), "predicted": predicted.tolist()}
    return {"accuracy": {"stability_score": figures}, "held_out": {"stability_score": pairs}}


def sizes(*observed: float, expected: float | None, high: float = 0.97) -> list[dict[str, Any]]:
    accuracy = {"S": {"r": 0.999, "nrmse": 0.01, "coverage_90": 0.9, "coverage_interval_95": [0.7, high]}}
    return [{"accuracy": accuracy, "hypervolume": {"observed": o, "expected_gain": expected}} for o in observed]


class TestByTheFiguresThemselves:
    def test_all_reasons(self) -> None:
        asked = config(r=0.95, nrmse=0.1, patience=2, min_gain=0.05)
        assert stop_reason(asked, errors(0.2), 38) is None
        assert stop_reason(asked, errors(0.05), 38) is None, "r is not there yet"
        assert stop_reason(asked, errors(0.05, r=0.96), 38) is StopReason.ACCURACY
        assert stop_reason(asked, errors(0.2), 75) is StopReason.BUDGET, "8 + 5 compositions × 2 seeds would make 101"
        assert stop_reason(asked, errors(0.2), 74) is None
        assert stop_reason(asked, errors(0.2, 0.199, 0.198), 60) is StopReason.NO_GAIN
        assert stop_reason(asked, errors(0.2, 0.199, 0.15), 60) is None
        assert stop_reason(asked, errors(0.3, 0.2, 0.199), 60) is None, "two rounds ago it was still falling"

    def test_accuracy_waits_for_the_asked_rounds(self) -> None:
        asked = config(min_rounds=2, budget=500)
        good = errors(0.05, r=0.99)
        assert stop_reason(asked, good, 38) is None
        assert stop_reason(asked, good * 3, 60) is StopReason.ACCURACY

    def test_an_undefined_correlation_never_counts_as_accurate(self) -> None:
        assert stop_reason(config(budget=500), errors(0.05, r=float("nan")), 38) is None


class TestWithConfidence:
    def test_a_dozen_compositions_do_not_show_what_a_hundred_show(self) -> None:
        few, many = judged(12, 0.05), judged(200, 0.05)
        for found, expected in ((few, None), (many, StopReason.ACCURACY)):
            wanted = 1.15 * found["accuracy"]["stability_score"]["nrmse"]
            assert stop_reason(config(r=0.9, nrmse=wanted, confidence=0.9, budget=500), [found], 38) is expected
            assert stop_reason(config(r=0.9, nrmse=wanted, budget=500), [found], 38) is StopReason.ACCURACY

    def test_a_journal_without_pairs_shows_no_confidence(self) -> None:
        found = judged(200, 0.01)
        asked = config(confidence=0.9, budget=500)
        assert stop_reason(asked, [found], 38) is StopReason.ACCURACY
        assert stop_reason(asked, [{"accuracy": found["accuracy"]}], 38) is None

    def test_intervals_that_are_too_narrow_forbid_it_and_wide_ones_do_not(self) -> None:
        asked = config(confidence=0.9, budget=500)
        sure, humble = judged(60, 0.02, width=0.4), judged(60, 0.02, width=3.0)
        assert covers_too_little(sure["accuracy"]["stability_score"])
        assert humble["accuracy"]["stability_score"]["coverage_interval_95"][0] > 0.9
        assert stop_reason(asked, [sure], 38) is None
        assert stop_reason(asked, [humble], 38) is StopReason.ACCURACY

    def test_the_words_hold_the_figures(self) -> None:
        found = verdict(config(confidence=0.9, budget=500), [judged(60, 0.03)], 38)
        assert found is not None
        figures = judged(60, 0.03)["accuracy"]["stability_score"]
        low, high = accuracy_intervals(*judged(60, 0.03)["held_out"]["stability_score"].values(), 0.9).nrmse
        assert f"S nRMSE {figures['nrmse']:.3f} ({low:.3f}–{high:.3f})" in found.words
        assert "90 % confidence" in found.words
        assert "60 held-out compositions" in found.words


class TestRepeatedLooks:
    def test_an_accuracy_that_is_not_there_rarely_stops_a_campaign(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Eight looks with errors of their own at exactly the wanted nRMSE: wrong in all, by chance good in some."""
        monkeypatch.setattr(bootstrap, "N_RESAMPLES", 300)
        asked = config(r=0.5, nrmse=0.1, confidence=0.8, budget=10_000, patience=100)
        truth, rng, n_trials, n_wrong = np.linspace(0, 1, 40), np.random.default_rng(7), 150, 0
        for _ in range(n_trials):
            history: list[dict[str, Any]] = []
            for _ in range(8):
                predicted = truth + 0.1 * rng.standard_normal(40)
                found = agreement(truth, predicted)
                pairs = {"observed": truth.tolist(), "predicted": predicted.tolist()}
                history.append({"accuracy": {"S": {"r": found.r, "nrmse": found.nrmse}}, "held_out": {"S": pairs}})
                if stop_reason(asked, history, 38) is StopReason.ACCURACY:
                    n_wrong += 1
                    break
        assert n_wrong <= 0.2 * n_trials
        assert n_wrong > 0.02 * n_trials, "or nothing would ever stop it"

    @pytest.mark.parametrize("min_rounds", [0, 2])
    def test_the_looks_share_the_error(self, min_rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
        levels: list[float] = []

        def asked_for(observed: object, predicted: object, level: float) -> AccuracyIntervals:
            levels.append(level)
            return AccuracyIntervals((0.0, 1.0), (0.0, 1.0))

        monkeypatch.setattr(stopping, "accuracy_intervals", asked_for)
        asked = config(confidence=0.9, budget=10_000, min_rounds=min_rounds, patience=1000)
        for n in range(1, 200):
            assert stop_reason(asked, [judged(60, 0.02)] * n, 38) is None
        one_sided = (1 - np.array(levels)) / 2
        assert len(one_sided) == 199 - min_rounds
        assert one_sided[:3] == pytest.approx([0.1 / 2, 0.1 / 6, 0.1 / 12])
        assert 0.099 < one_sided.sum() < 0.1

    def test_the_words_say_so(self) -> None:
        found = verdict(config(confidence=0.9, budget=500, min_rounds=1), [judged(200, 0.02)] * 4, 38)
        assert found is not None
        assert "with 90 % confidence, however often it is looked at (99.17 % at this look, number 3)" in found.words
        plain = verdict(config(budget=500), [judged(200, 0.02)] * 4, 38)
        assert plain is not None
        assert "look" not in plain.words


class TestTheOptimum:
    asked = config(goal="optimum", patience=2, min_gain=0.05, min_expected_gain=0.01, budget=500)

    def test_it_stops_when_nothing_was_gained_and_nothing_is_expected(self) -> None:
        assert stop_reason(self.asked, sizes(1.0, 1.0, 1.0, expected=0.001), 60) is StopReason.NO_GAIN
        found = verdict(self.asked, sizes(1.0, 1.0, 1.0, expected=0.001), 60)
        assert found is not None
        assert "0.1 %" in found.words

    def test_never_on_the_models_own_word(self) -> None:
        assert stop_reason(self.asked, sizes(1.0, 1.0, 1.2, expected=0.0), 60) is None, "it is still gaining"
        assert stop_reason(self.asked, sizes(1.0, 1.0, expected=0.0), 60) is None, "patience"
        assert stop_reason(self.asked, sizes(1.0, 1.0, 1.0, expected=0.0, high=0.8), 60) is None, "it covers too little"

    def test_nor_on_patience_alone(self) -> None:
        assert stop_reason(self.asked, sizes(1.0, 1.0, 1.0, expected=0.2), 60) is None
        assert stop_reason(self.asked, sizes(1.0, 1.0, 1.0, expected=None), 60) is None

    def test_an_accurate_map_is_no_reason(self) -> None:
        assert stop_reason(self.asked, sizes(1.0, expected=0.2), 60) is None
        assert stop_reason(config(budget=500), sizes(1.0, expected=0.2), 60) is StopReason.ACCURACY


class TestTheBudget:
    def test_processor_hours_count_what_is_to_come(self) -> None:
        asked = config(budget=500, cpu_hours=2.0)
        # 26 more simulations of 1/60 h each.
        assert stop_reason(asked, errors(0.2), 60, cpu_hours=1.0) is None
        found = verdict(asked, errors(0.2), 60, cpu_hours=1.6)
        assert found is not None
        assert found.reason is StopReason.BUDGET
        assert "2.29" in found.words

    def test_draws_are_part_of_it(self) -> None:
        asked = PRESETS["physical"]
        assert n_final(asked) == 5 * 3 + 8 * 6
        assert n_final(PRESETS["demo"]) == 5 * 3

    def test_the_paper_model_has_no_draws(self) -> None:
        with pytest.raises(ConfigError, match="no uncertain parameters"):
            make_config({"model": "paper", "conclude": {"n_draws": 8}})

    @pytest.mark.parametrize("preset", PRESETS)
    def test_the_options_read_back(self, preset: str) -> None:
        asked = PRESETS[preset].model_copy(update={"stop": PRESETS[preset].stop.model_copy(update={"goal": "optimum"})})
        assert make_config(tomllib.loads(asked.to_toml())) == asked


class TestIntervals:
    def test_bounds_hold_as_often_as_they_say(self) -> None:
        rng = np.random.default_rng(0)
        n, error, n_trials = 30, 0.06, 100
        true_r = np.sqrt((1 / 12) / (1 / 12 + error**2))
        holds = np.zeros(2)
        for trial in range(n_trials):
            truth = rng.uniform(0, 1, n)
            found = accuracy_intervals(truth, truth + error * rng.standard_normal(n), 0.8, seed=trial)
            holds += [found.r[0] <= true_r, error <= found.nrmse[1] * np.ptp(truth)]
        # One-sided bounds of confidence 0.9: binomial 99.9 % of 100 trials.
        assert holds.min() >= 79

    def test_too_few_pairs_have_none(self) -> None:
        found = accuracy_intervals([0.0, 1.0, 2.0], [0.0, 1.1, 2.0])
        assert np.isnan([*found.r, *found.nrmse]).all()

    def test_coverage_by_strata(self) -> None:
        z = np.array([0.1, 1.6, 1.7, -2.0, 0.0, 0.0])
        masks = {"first": np.array([True, True, True, False, False, True]), "none": np.zeros(6, dtype=bool)}
        found = coverage_of(z, masks, least=3)
        assert list(found) == ["all", "first"]
        assert (found["all"].n, found["all"].share) == (6, pytest.approx(4 / 6))
        assert (found["first"].n, found["first"].share) == (4, pytest.approx(3 / 4))
        # Wilson's interval, by its formula (doi:10.1080/01621459.1927.10502953).
        p, n, q = 3 / 4, 4, 1.959963984540054
        middle, half = (
            (p + q**2 / 2 / n) / (1 + q**2 / n),
            q / (1 + q**2 / n) * np.sqrt(p * (1 - p) / n + (q / 2 / n) ** 2),
        )
        assert found["first"].interval_95 == pytest.approx((middle - half, middle + half))
        assert not found["first"].is_too_low


def test_a_confirmation_is_no_look_that_could_undo_the_decision_it_confirms() -> None:
    asked = config(r=0.9, nrmse=0.1, confidence=0.9)
    found = judged(30, 0.09)
    compositions = [Composition.from_amounts({"Li": 1.0, "Al": 0.1 * k, "Ge": 1.0}) for k in (1, 2)]
    first, confirmation = (
        Plan(number, (Entry(composition, role),))
        for number, composition, role in zip((0, 1), compositions, (Role.INITIAL, Role.CONFIRMATION), strict=True)
    )
    assert stop_reason(asked, [found], 38) is StopReason.ACCURACY
    assert stop_reason(asked, [found, found], 38) is None, "a second look must show more"
    looks = looks_of([first, confirmation], [found, found])
    assert stop_reason(asked, looks, 38) is StopReason.ACCURACY
