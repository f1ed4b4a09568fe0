from __future__ import annotations

import pytest

from dynaphase.config import CampaignConfig, make_config
from dynaphase.materials import get_system
from dynaphase.rounds import Plan, Role, initial_plan, next_plan, replicate_seeds
from dynaphase.samplers import make_sampler
from dynaphase.space import CompositionSpace

LAGP = get_system("lagp")


def space(config: CampaignConfig) -> CompositionSpace:
    return CompositionSpace(LAGP, make_sampler(config.space.sampler))


def config(**changes: object) -> CampaignConfig:
    return make_config({"model": "paper", "design": {"n_initial": 12, "n_held_out": 6, "n_replicates": 2}} | changes)


@pytest.mark.parametrize("method", ["random", "sobol", "estimates"])
def test_the_first_plan_has_every_role_and_depends_on_the_seed_alone(method: str) -> None:
    asked = config(design={"n_initial": 12, "n_held_out": 6, "method": method})
    plan = initial_plan(asked, space(asked), LAGP.reference)
    roles = [role for _, role in plan.asked]
    assert [roles.count(role) for role in (Role.REFERENCE, Role.HELD_OUT, Role.INITIAL)] == [1, 6, 12]
    assert plan == initial_plan(asked, space(asked), LAGP.reference)
    other = asked.model_copy(update={"seed": 1})
    assert plan.asked[1:] != initial_plan(other, space(other), LAGP.reference).asked[1:]


def test_more_initial_compositions_begin_with_the_same_ones() -> None:
    few, many = config(), config(design={"n_initial": 24, "n_held_out": 6, "n_replicates": 2})
    first = [c for c, role in initial_plan(few, space(few), LAGP.reference).asked if role is Role.INITIAL]
    more = [c for c, role in initial_plan(many, space(many), LAGP.reference).asked if role is Role.INITIAL]
    assert more[: len(first)] == first


def test_a_plan_reads_back_and_gives_every_composition_the_same_seeds_if_they_are_common() -> None:
    asked = config(seed=7, design={"n_initial": 12, "n_held_out": 6, "n_replicates": 2, "seeds": "common"})
    plan = initial_plan(asked, space(asked), LAGP.reference)
    assert Plan.from_json(plan.to_json()) == plan
    candidates = plan.candidates(asked, "lagp")
    assert replicate_seeds(asked, LAGP.reference) == (7000, 7001)
    assert [c.seed for c in candidates[:4]] == [7000, 7001, 7000, 7001]
    assert len({c.key for c in candidates}) == len(candidates) == 2 * 19


def test_by_default_every_composition_has_seeds_of_its_own() -> None:
    asked = config(seed=7)
    candidates = initial_plan(asked, space(asked), LAGP.reference).candidates(asked, "lagp")
    assert len({c.seed for c in candidates}) == len(candidates) == 2 * 19
    other = config(seed=8)
    assert set(replicate_seeds(asked, LAGP.reference)).isdisjoint(replicate_seeds(other, LAGP.reference))


def test_a_chosen_batch_is_active_and_a_recommendation_is_confirmed() -> None:
    plan = next_plan(3, [LAGP.reference])
    assert (plan.number, plan.asked) == (3, ((LAGP.reference, Role.ACTIVE),))
    assert not plan.is_confirmation
    assert next_plan(4, [LAGP.reference], Role.CONFIRMATION).is_confirmation
