"""Levels of fidelity in a campaign: what is simulated at which, what it costs, and that the top is never forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynaphase import choice, steering
from dynaphase.campaign import Campaign
from dynaphase.config import CampaignConfig, load_config, make_config
from dynaphase.errors import ConfigError
from dynaphase.levels import costs_of, is_top_due, level_value, measured_costs, n_weighed
from dynaphase.materials import get_system
from dynaphase.records import Candidate, Record, RecordStatus
from dynaphase.rounds import Entry, Plan, Role, initial_plan
from dynaphase.samplers import make_sampler
from dynaphase.space import CompositionSpace

LAGP = get_system("lagp")


def config(**changes: Any) -> CampaignConfig:
    content: dict[str, Any] = {
        "surrogate": {"features": "coordinates"},
        "design": {"n_initial": 12, "n_held_out": 6},
        "rounds": {"batch": 4, "n_pool": 64, "n_confirm": 1, "acquisition": "integrated-variance"},
        "fidelity": {"levels": ["eikonal", "128"], "costs": [1.0, 5.0]},
        "stop": {"r": 0.99999, "budget": 18, "patience": 100},
    }
    return make_config(content | changes)


def invented(candidate: Candidate, *, system: Any) -> Record:
    """Where the cheap level is biased, and the top fails in a corner."""
    x, delta = system.coordinates(candidate.composition)
    is_cheap = candidate.settings["fidelity"] == "eikonal"
    formula = system.formula(candidate.composition)
    if delta < -0.3:
        return Record(candidate, RecordStatus.FAILED, formula, reason="diverged")
    sigma = 1e-4 * np.exp(-8 * (x - 0.5) ** 2 - 3 * abs(delta) + 0.3 * is_cheap)
    values = {
        "stability_score": float(50 + 20 * np.sin(3 * x) - 30 * delta**2 + 4 * is_cheap),
        "ionic_conductivity_S_per_cm": float(sigma),
        "ceramic_conductivity_S_per_cm": float(3 * sigma),
    }
    descriptors = {"critical_current_density_mA_per_cm2": float(1 + x)}
    return Record(candidate, RecordStatus.DONE, formula, values, descriptors, cpu_seconds=1.0 if is_cheap else 4.0)


def test_the_first_design_is_cheap_and_what_judges_is_at_the_top() -> None:
    asked = config()
    plan = initial_plan(asked, CompositionSpace(LAGP, make_sampler("neighbourhood")), LAGP.reference)
    levels = {role: [e.level for e in plan.entries if e.role is role] for role in Role}
    assert levels[Role.INITIAL] == ["eikonal"] * 12 + ["128"] * 3
    assert levels[Role.HELD_OUT] == ["128"] * 6
    assert levels[Role.REFERENCE] == ["128"]
    both = [{e.composition for e in plan.entries if (e.role, e.level) == (Role.INITIAL, x)} for x in ("eikonal", "128")]
    assert both[1] < both[0], "the same ceramics at both levels"
    assert Plan.from_json(plan.to_json()) == plan
    candidates = {c.settings["fidelity"]: c for c in plan.candidates(asked, "lagp")}
    assert set(candidates) == {"eikonal", "128"}
    assert candidates["eikonal"].settings == candidates["128"].settings | {"fidelity": "eikonal"}


def test_costs_are_stated_or_measured_once() -> None:
    stated, measured = config(), config(fidelity={"levels": ["eikonal", "128"]})
    assert costs_of(stated, ()) == {None: 1.0, "eikonal": 0.2, "128": 1.0}
    assert costs_of(measured, ()) == {None: 1.0, "eikonal": 1.0, "128": 1.0}
    one = [Entry(LAGP.reference, Role.INITIAL, level) for level in ("eikonal", "128")]
    found = [invented(c, system=LAGP) for e in one for c in e.candidates(measured, "lagp")]
    assert measured_costs(measured, found) == {"eikonal": 0.25, "128": 1.0}
    later = ({"costs": {"eikonal": 0.25, "128": 1.0}}, {"costs": {"eikonal": 0.5, "128": 1.0}})
    assert costs_of(measured, later)["eikonal"] == 0.25, "a resumed campaign counts with the same"
    assert n_weighed(stated, one, costs_of(stated, ())) == pytest.approx(1.2)
    assert [level_value(stated, level) for level in ("eikonal", "128", None)] == [0.5, 1.0, 1.0]


def test_lower_levels_may_cost_as_much_as_one_simulation_at_the_top_and_no_more() -> None:
    asked, costs = config(), {None: 1.0, "eikonal": 0.2, "128": 1.0}
    cheap, top = Entry(LAGP.reference, Role.ACTIVE, "eikonal"), Entry(LAGP.reference, Role.ACTIVE, "128")
    initial = [Entry(LAGP.reference, Role.INITIAL, "eikonal")] * 20
    assert not is_top_due(asked, [*initial, *[cheap] * 4], costs, "eikonal")
    assert is_top_due(asked, [*initial, *[cheap] * 5], costs, "eikonal")
    assert not is_top_due(asked, [*[cheap] * 5, top], costs, "eikonal")
    assert not is_top_due(asked, [cheap] * 9, costs, "128")


@pytest.mark.usefixtures("quick_learner")
@pytest.mark.parametrize(("how", "budget"), [("batches", 33), ("asynchronous", 15)])
def test_no_campaign_is_stuck_at_the_lowest_level(
    how: str, budget: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An acquisition that takes what is offered first: the lowest level, always."""
    monkeypatch.setattr(choice._Chooser, "select", lambda chooser, offered, n, rng: list(offered[:n]))
    monkeypatch.setattr(steering, "evaluate_candidate", invented)
    asked = config(
        fidelity={"levels": ["eikonal", "128"], "costs": [1.0, 8.0]},
        rounds={
            "batch": 20, "n_pool": 64, "n_confirm": 1, "refit_every": 40, "steering": how, "acquisition": "sobol"
        },
        stop={"r": 0.99999, "budget": budget, "patience": 100},
    )  # fmt: skip
    campaign = Campaign.create(tmp_path / "c", config=asked)
    campaign.run(executor="serial")
    active = [entry for plan in campaign.plans() for entry in plan.entries if entry.role is Role.ACTIVE]
    assert len({(e.composition, e.level) for e in active}) == len(active)
    assert [e.level for e in active][:9] == ["eikonal"] * 8 + ["128"]
    costs = costs_of(asked, ())
    below = sum(costs[e.level] for e in active if e.level != "128")
    above = sum(costs[e.level] for e in active if e.level == "128")
    assert below <= above + 1.0


def test_a_campaign_with_levels_learns_judges_and_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "evaluate_candidate", invented)
    campaign = Campaign.create(tmp_path / "c", config=config())
    campaign.run(executor="serial")
    learned = campaign.learned()
    assert set(learned.training.levels) == {0.5, 1.0}
    assert set(learned.held_out.levels) == {1.0}
    np.testing.assert_array_equal(learned.training.X[:, -1], learned.training.levels)
    (item,) = campaign.predict("Li1.45Al0.45Ge1.55(PO4)3")
    x, delta = LAGP.coordinates(item.composition)
    at_top = 50 + 20 * np.sin(3 * x) - 30 * delta**2
    assert item.predictions["stability_score"]["mean"] == pytest.approx(at_top, abs=1.0), "not the biased level's"
    held_out = {e.composition for p in campaign.plans() for e in p.entries if e.role is Role.HELD_OUT}
    others = [e.composition for p in campaign.plans() for e in p.entries if e.role in (Role.ACTIVE, Role.INITIAL)]
    assert held_out.isdisjoint(others), "what judges is learned from at no level"
    status = campaign.status()
    failing = status["failing"]
    assert status["n_failed"] > 0
    assert failing["n_failed"] <= status["n_failed"]
    assert failing["where"]["delta"][1] < -0.3
    assert set(failing["recognised"]) == {"accuracy", "of_failed", "of_others"}


def test_levels_are_checked_and_written(tmp_path: Path) -> None:
    for content, says in (
        ({"fidelity": {"levels": ["128"]}}, "at least two"),
        ({"fidelity": {"levels": ["eikonal", "96"]}}, "set settings.fidelity to '96'"),
        ({"fidelity": {"levels": ["eikonal", "128"], "costs": [1.0]}}, "one number for each"),
        (
            {"fidelity": {"levels": ["eikonal", "128"]}, "settings": {"leakage": True}},
            "leakage needs the diffuse front",
        ),
        ({"model": "paper", "fidelity": {"levels": ["eikonal", "128"]}}, "of the physical model"),
        ({"rounds": {"early_stop": True}}, "needs one of hypervolume"),
        ({"model": "paper", "rounds": {"early_stop": True, "acquisition": "hypervolume"}}, "of the physical model"),
        (
            {
                "rounds": {"early_stop": True, "acquisition": "hypervolume"},
                "goal": {"constraints": ["ionic_conductivity_S_per_cm >= 1e-6"]},
            },
            "knows nothing of goal.constraints",
        ),
    ):
        with pytest.raises(ConfigError, match=says):
            make_config(content)
    file = tmp_path / "campaign.toml"
    file.write_text(config().to_toml(), encoding="utf-8")
    assert load_config(file) == config()
