"""Sensitivities on functions whose answer is known."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri

from dynaphase import ensemble, sensitivity
from dynaphase.cli import main
from dynaphase.errors import ComputationError, ConfigError, InputError
from dynaphase.executors import SerialWorkers
from dynaphase.materials import get_system
from dynaphase.materials.base import MaterialSystem
from dynaphase.materials.drawn import Drawn, Watched
from dynaphase.records import Candidate, Record, RecordStatus

LAGP = get_system("lagp")
FORMULA = "Li1.5Al0.5Ge1.5(PO4)3"
BAND = ndtri(0.95) - ndtri(0.05)
"""The 90 % band of a standard normal."""

calls: list[tuple[int, Mapping[str, float]]] = []


def analytic(candidate: Candidate, system: MaterialSystem) -> Record:
    """ln CCD = ln i₀; η_50 = 10 ln K + ln a · ln k_r; S depends on the seed alone; nothing else is read."""
    material = system.material(candidate.composition, 298.15)
    calls.append((candidate.seed, getattr(system, "draw", {})))
    middle = math.log(LAGP.material(LAGP.reference)["flaw_size_m"])
    flaw = math.log(material["flaw_size_m"]) - middle
    toughness, rate = math.log(material["grain_toughness_Pa_sqrt_m"]), math.log(material["reduction_rate_per_s"])
    descriptors = {
        "critical_current_density_mA_per_cm2": material["exchange_current_density_A_per_m2"],
        "eta_50_mV": 10 * toughness + flaw * rate,
    }
    return Record(candidate, RecordStatus.DONE, FORMULA, {"stability_score": 50.0 + candidate.seed}, descriptors)


@pytest.fixture(autouse=True)
def _no_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    calls.clear()
    monkeypatch.setattr(sensitivity, "evaluate_candidate", analytic)


def effects(**options: Any) -> sensitivity.Sensitivity:
    return sensitivity.sensitivity(FORMULA, workers=SerialWorkers(), **({"n_trajectories": 12} | options))


def test_effects_of_a_known_function() -> None:
    found = effects()
    assert set(found.effects) == {"ln critical current density", "eta_50_mV", "logit stability score"}
    current = {e.parameter: e for e in found.effects["ln critical current density"]}
    linear = current["exchange_current_density_A_per_m2"]
    spread = LAGP.material(LAGP.reference).parameters["exchange_current_density_A_per_m2"].spread.sd
    # A straight line in the normal is not one in its quantile: the steps of the four levels differ a little.
    step = (ndtri([0.65, 0.95]) - ndtri([0.05, 0.35])) / (2 / 3)
    assert min(step) * spread <= linear.mu_star * (1 + 1e-9)
    assert linear.mu_star == pytest.approx(linear.mu) == pytest.approx(spread * BAND, rel=0.15)
    assert linear.sigma < 1e-6 * linear.mu  # both steps are as long, by symmetry
    assert current["flaw_size_m"].mu_star == 0.0
    eta = found.effects["eta_50_mV"]
    assert {e.parameter for e in eta[:3]} == {"grain_toughness_Pa_sqrt_m", "flaw_size_m", "reduction_rate_per_s"}
    bent = next(e for e in eta if e.parameter == "reduction_rate_per_s")
    assert bent.sigma > abs(bent.mu)  # its effect has the sign of ln a − ln a₀
    assert all(e.mu_star == 0 for e in found.effects["logit stability score"])  # seeds stay along a trajectory


def test_only_what_is_read_is_computed_again() -> None:
    found = effects()
    read = {
        "exchange_current_density_A_per_m2", "grain_toughness_Pa_sqrt_m", "flaw_size_m", "reduction_rate_per_s",
        "solubility_limit",  # the host's share scales i₀
    }  # fmt: skip
    moving = set(LAGP.draw_names) - set(found.inert)
    assert read - {"solubility_limit"} <= moving <= read
    assert len(calls) == found.n_evaluations <= 12 * (1 + len(read))
    assert found.n_evaluations >= 12 * len(read)
    assert {seed for seed, _ in calls} == set(range(12))


def test_inert_steps_give_the_same_numbers_as_computing_them(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = effects(n_trajectories=3)
    monkeypatch.setattr(Watched, "would_be_equal", lambda *_: False)
    full = effects(n_trajectories=3)
    assert full.n_evaluations == 3 * (1 + len(LAGP.draw_names)) > 5 * quick.n_evaluations
    for output, found in quick.effects.items():
        all_of_them = {e.parameter: e for e in full.effects[output]}
        for e in found:
            assert (e.mu_star, e.mu, e.sigma) == pytest.approx(
                [getattr(all_of_them[e.parameter], name) for name in ("mu_star", "mu", "sigma")], abs=1e-12
            )


def test_failed_trajectories_are_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fragile(candidate: Candidate, system: MaterialSystem) -> Record:
        if candidate.seed < 2:
            return Record(candidate, RecordStatus.FAILED, FORMULA, reason="of no use")
        return analytic(candidate, system)

    monkeypatch.setattr(sensitivity, "evaluate_candidate", fragile)
    found = effects(n_trajectories=5)
    assert (found.n_trajectories, found.n_failed) == (3, 2)
    assert found.notes == ("a trajectory failed: of no use",)
    with pytest.raises(ComputationError, match="1 of 3 trajectories came through: of no use"):
        effects(n_trajectories=3)
    with pytest.raises(ConfigError, match="at least 2"):
        effects(n_trajectories=1)


def test_first_order_indices_of_a_known_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """η = z_K + 0.5 z_a + noise of the seed: shares 0.8 and 0.2 of what draws explain."""

    def additive(candidate: Candidate, system: MaterialSystem) -> Record:
        draw = candidate.settings["draw"]
        from dynaphase.materials.draws import draws

        z = draws(system.draw_names, draw, 0)[-1]
        eta = 100 + z["grain_toughness_Pa_sqrt_m"] + 0.5 * z["flaw_size_m"]
        return Record(candidate, RecordStatus.DONE, FORMULA, {}, {"eta_50_mV": eta})

    monkeypatch.setattr(ensemble, "evaluate_candidate", additive)
    _, found = sensitivity.first_order_sensitivity(FORMULA, n_draws=256, workers=SerialWorkers())
    first, second, third, *_ = found["eta_50_mV"].indices
    assert (first.parameter, second.parameter) == ("grain_toughness_Pa_sqrt_m", "flaw_size_m")
    assert first.first_order == pytest.approx(0.8, abs=0.1)
    assert second.first_order == pytest.approx(0.2, abs=0.1)
    assert first.is_significant
    assert second.is_significant
    assert not third.is_significant
    with pytest.raises(ConfigError, match="at least 32"):
        sensitivity.first_order_sensitivity(FORMULA, n_draws=8, workers=SerialWorkers())


def test_draws_that_all_fail_are_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def useless(candidate: Candidate, system: MaterialSystem) -> Record:
        return Record(candidate, RecordStatus.FAILED, FORMULA, reason="of no use")

    monkeypatch.setattr(ensemble, "evaluate_candidate", useless)
    with pytest.raises(ComputationError, match="no draw came through: of no use"):
        sensitivity.first_order_sensitivity(FORMULA, n_draws=32, workers=SerialWorkers())


def test_a_drawn_system_is_the_system_with_its_draw() -> None:
    draw = {"flaw_size_m": 1.5, "porosity": -0.3}
    drawn = Drawn(LAGP, draw)
    composition = LAGP.reference
    assert isinstance(drawn, MaterialSystem)
    assert drawn.material(composition, 350.0).parameters == LAGP.material(composition, 350.0, draw).parameters
    assert (drawn.name, drawn.formula(composition)) == (LAGP.name, LAGP.formula(composition))
    with pytest.raises(InputError, match="built in"):
        drawn.material(composition, 298.15, {})


def test_what_was_read_decides_whether_another_draw_is_equal() -> None:
    composition = LAGP.reference
    watched = Watched(LAGP, {})
    assert not watched.would_be_equal(composition, {})
    assert watched.material(composition, 350.0)["flaw_size_m"] == pytest.approx(5e-6)
    assert watched.reads == {(350.0, "flaw_size_m"): pytest.approx(5e-6)}
    assert watched.would_be_equal(composition, {"grain_toughness_Pa_sqrt_m": 1.0})
    assert not watched.would_be_equal(composition, {"flaw_size_m": 1e-9})
    assert not watched.would_be_equal(composition, {"solubility_limit": -4.0})  # other phases


def test_the_command_prints_and_gives_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynaphase.executors.make_workers", lambda *_, **__: SerialWorkers())
    command = ["sensitivity", FORMULA, "--trajectories", "3"]
    assert main([*command, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["settings"]["fidelity"] == "eikonal"
    assert content["effects"]["ln critical current density"][0]["parameter"] == "exchange_current_density_A_per_m2"
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "grain_toughness_Pa_sqrt_m" in printed
    assert "no effect at all: " in printed


def test_trajectories_move_one_parameter_at_a_time_inside_the_band() -> None:
    points = sensitivity._trajectories(["a", "b", "c"], 4, seed=1)
    assert points.shape == (4, 4, 3)
    assert np.count_nonzero(np.diff(points, axis=1), axis=2).tolist() == [[1, 1, 1]] * 4
    assert set(np.round(points, 6).ravel()) <= {0.05, 0.35, 0.65, 0.95}
