"""What closed forms take for the best comes first."""

from __future__ import annotations

import numpy as np

from dynaphase.acquisition import Goal
from dynaphase.analytic import effective_conductivity, estimated_stability
from dynaphase.config import make_config
from dynaphase.first_design import estimates_of, promising
from dynaphase.materials import get_system
from dynaphase.rounds import Role, initial_plan
from dynaphase.samplers import make_sampler
from dynaphase.space import CompositionSpace


def test_the_best_compromise_comes_first_and_then_the_best_in_each() -> None:
    estimates = np.array([[9.0, 0.0], [5.0, 6.0], [0.0, 9.0], [4.0, 5.0], [1.0, 1.0]])
    assert promising(estimates, 4) == [1, 0, 2, 3]
    assert promising(estimates[:, :1], 2) == [0, 1]
    assert promising(estimates[:, :0], 2) == []
    assert sorted(promising(estimates, 9)) == [0, 1, 2, 3, 4]


def test_estimates_are_turned_so_that_large_is_good_and_unknown_targets_have_none() -> None:
    names = ("coordinate 1", "estimated log σ of the box", "estimated logit S")
    X = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    goal = Goal.parse(["min stability_score", "max ionic_conductivity_S_per_cm", "max grain_size_nm"])
    assert np.array_equal(estimates_of(names, X, goal), [[-0.3, 0.2], [-0.6, 0.5]])
    assert estimates_of(("coordinate 1",), X[:, :1], goal).shape == (2, 0)


def test_a_design_by_estimates_begins_above_what_is_typical_and_ends_at_random() -> None:
    system = get_system("lagp")
    space = CompositionSpace(system, make_sampler("simplex", system))

    def designed(method: str) -> list[tuple[float, float]]:
        design = {"n_initial": 8, "n_held_out": 5, "method": method}
        config = make_config({"space": {"sampler": "simplex"}, "design": design, "rounds": {"n_pool": 200}})
        asked = [c for c, role in initial_plan(config, space, system.reference).asked if role is Role.INITIAL]
        materials = [space.system.material(c) for c in asked]
        return [(effective_conductivity(m, m["grain_size_nm"]), estimated_stability(m)) for m in materials]

    typical, chosen = designed("random"), designed("estimates")
    assert len(chosen) == 8
    assert chosen[4:] == typical[:4]
    assert max(sigma for sigma, _ in chosen[:4]) > max(sigma for sigma, _ in typical)
    assert max(S for _, S in chosen[:4]) > max(S for _, S in typical)
