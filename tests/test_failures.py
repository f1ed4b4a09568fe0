"""Failed simulations as data: what is told of them, and what chemistry rules out before any simulation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynaphase import steering
from dynaphase.campaign import Campaign
from dynaphase.composition import Composition
from dynaphase.config import make_config
from dynaphase.display import describe_status
from dynaphase.failures import describe_failures, feasibility_of, is_ruled_out, report_failures, tried
from dynaphase.features import FeatureMap
from dynaphase.materials import get_system
from dynaphase.records import Candidate, Record, RecordStatus
from dynaphase.report.conclusion import failing_sentences
from dynaphase.rounds import Role
from dynaphase.samplers import make_sampler
from dynaphase.space import CompositionSpace

LAGP = get_system("lagp")
NEIGHBOURHOOD = FeatureMap(CompositionSpace(LAGP, make_sampler("neighbourhood")), "coordinates")
PAPER, PHYSICAL = make_config({"model": "paper"}), make_config({})
NO_HOST = Composition.from_amounts({"Li": 2, "Al": 96, "Ge": 2})


def outcome(composition: Composition, seed: int, is_done: bool) -> Record:
    candidate = Candidate(composition, seed, "lagp", "paper", {})
    return Record(candidate, RecordStatus.DONE if is_done else RecordStatus.FAILED, "")


def half_failing(n: int) -> dict[str, Record]:
    """Everything with more than average lithium fails."""
    compositions = NEIGHBOURHOOD.space.sample(n, np.random.default_rng(1))
    records = [outcome(c, 0, LAGP.coordinates(c)[1] < 0.0) for c in compositions]
    return {record.key: record for record in records}


def test_a_region_that_fails_is_recognised_and_located() -> None:
    found = report_failures(half_failing(60), PAPER, NEIGHBOURHOOD)
    assert (found["n_compositions"], found["ruled_out"]) == (60, 0.0)
    assert 20 < found["n_failed"] < 40
    assert 0 <= found["where"]["delta"][0] < 0.1
    assert 0.3 < found["where"]["delta"][1] <= 0.4
    assert found["recognised"]["accuracy"] >= 0.9


def test_status_and_report_say_how_well_failing_is_recognised() -> None:
    found = report_failures(half_failing(60), PAPER, NEIGHBOURHOOD)
    shares = found["recognised"]
    words = " ".join(describe_failures(found))
    assert f"for {100 * shares['of_failed']:.0f} % of those that failed" in words
    assert f"for {100 * shares['of_others']:.0f} % of the others" in words
    page = failing_sentences({"failing": found, "n_stopped_early": 3})
    assert page.startswith(f"{found['n_failed']} of 60 compositions failed: x ")
    assert "3 simulations were ended early" in page
    assert failing_sentences({"failing": {}, "n_stopped_early": 0}) == ""


def test_failures_at_random_are_not_claimed_to_be_recognised() -> None:
    rng = np.random.default_rng(2)
    compositions = NEIGHBOURHOOD.space.sample(60, rng)
    records = {r.key: r for r in (outcome(c, 0, bool(rng.random() < 0.5)) for c in compositions)}
    assert report_failures(records, PAPER, NEIGHBOURHOOD)["recognised"]["accuracy"] < 0.7


def test_the_probability_of_success_falls_where_simulations_failed() -> None:
    feasibility = feasibility_of(half_failing(60), NEIGHBOURHOOD, 0)
    assert feasibility is not None
    good, bad = LAGP.from_coordinates(0.4, -0.25), LAGP.from_coordinates(0.4, 0.25)
    high, low = feasibility.probability(NEIGHBOURHOOD([good, bad]))
    assert low < 0.2
    assert high > 0.8
    done = {key: record for key, record in half_failing(60).items() if record.is_done}
    assert feasibility_of(done, NEIGHBOURHOOD, 0) is None
    assert "recognised" not in report_failures(done, PAPER, NEIGHBOURHOOD)


def test_a_composition_counts_as_failed_if_most_of_its_simulations_did() -> None:
    records = [outcome(LAGP.reference, seed, seed == 0) for seed in range(3)]
    assert tried({r.key: r for r in records}, NEIGHBOURHOOD) == {LAGP.reference: False}
    assert tried({r.key: r for r in records[:2]}, NEIGHBOURHOOD) == {LAGP.reference: True}


def test_chemistry_rules_out_what_has_no_host_and_only_in_the_physical_model() -> None:
    assert is_ruled_out(PHYSICAL, LAGP, NO_HOST)
    assert not is_ruled_out(PHYSICAL, LAGP, LAGP.reference)
    assert not is_ruled_out(PAPER, LAGP, NO_HOST)


@pytest.mark.usefixtures("quick_learner")
def test_what_is_ruled_out_is_told_and_not_simulated_in_later_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def invented(candidate: Candidate, *, system: Any) -> Record:
        formula, composition = system.formula(candidate.composition), candidate.composition
        if is_ruled_out(PHYSICAL, system, composition):
            return Record(candidate, RecordStatus.FAILED, formula, reason="none of the host forms")
        values = {
            "stability_score": 50 + 20 * composition["Ge"],
            "ionic_conductivity_S_per_cm": 1e-5 * (0.1 + composition["Li"]),
            "ceramic_conductivity_S_per_cm": 1e-4 * (0.1 + composition["Li"]),
        }
        return Record(candidate, RecordStatus.DONE, formula, values, {"critical_current_density_mA_per_cm2": 1.0})

    monkeypatch.setattr(steering, "evaluate_candidate", invented)
    config = make_config(
        {
            "space": {"sampler": "simplex"},
            "surrogate": {"features": "coordinates"},
            "design": {"n_initial": 24, "n_held_out": 8},
            "rounds": {"batch": 12, "n_pool": 64, "n_confirm": 0, "acquisition": "random"},
            "stop": {"r": 0.99999, "budget": 57, "patience": 100},
        }
    )
    campaign = Campaign.create(tmp_path / "c", config=config)
    campaign.run(executor="serial")
    active = [c for plan in campaign.plans() for c, role in plan.asked if role is Role.ACTIVE]
    assert len(active) == 24, "a random choice would have met four"
    assert not any(is_ruled_out(config, LAGP, composition) for composition in active)
    status = campaign.status()
    assert status["n_failed"] > 0, "the first design is not hidden"
    assert 0.1 < status["failing"]["ruled_out"] < 0.25
    assert "forms no host phase" in " ".join(describe_status(status))
