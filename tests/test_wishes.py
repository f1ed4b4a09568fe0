"""Bounds of the goal hold for recommendations too, and prices count where they are to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dynaphase.campaign import Campaign
from dynaphase.choice import _Chooser
from dynaphase.config import CampaignConfig, make_config
from dynaphase.failures import Prospects
from dynaphase.learner import Learner
from tests.conftest import tiny

PRICES = {"Li": 100.0, "Al": 1.0, "Ge": 5000.0}


@pytest.fixture
def campaign(finished: Path) -> Campaign:
    return Campaign.open(finished)


def with_goal(campaign: Campaign, bound: float) -> CampaignConfig:
    content = campaign.config.model_dump()
    return make_config(content | {"goal": {"constraints": [f"stability_score >= {bound}"]}})


def test_what_breaks_a_bound_is_not_promising(campaign: Campaign) -> None:
    learned = campaign.learned()
    pool = campaign.space.grid(9)
    scores = learned.predict(pool)["stability_score"].mean
    bound = float(np.median(scores))
    prospects = Prospects({}, with_goal(campaign, bound), learned.features)
    object.__setattr__(learned, "prospects", prospects)
    kept = learned.promising(pool)
    expected = [c for c, score in zip(pool, scores, strict=True) if score > bound]
    assert abs(len(kept) - len(expected)) <= 2  # the mean and the median of a logit-normal differ a little
    assert set(kept) <= {c for c, score in zip(pool, scores, strict=True) if score > bound - 0.5}


def test_where_nothing_keeps_the_bound_everything_is_offered(campaign: Campaign) -> None:
    learned = campaign.learned()
    object.__setattr__(learned, "prospects", Prospects({}, with_goal(campaign, 99.9), learned.features))
    pool = campaign.space.grid(5)
    assert learned.promising(pool) == pool


def test_prices_move_the_choice_to_cheap_compositions(tmp_path: Path) -> None:
    chosen = {}
    for weighs in (False, True):
        config = tiny(space={"element_prices": PRICES}, rounds={"batch": 6, "n_pool": 64, "weigh_prices": weighs})
        campaign = Campaign.create(tmp_path / str(weighs), config=config)
        space = campaign.space

        class Known:
            """A response that is equally uncertain everywhere: nothing but the price decides."""

            has_levels = False
            features = Learner(config, space)._features

        chooser = _Chooser(Known(), config, [], [], None, {None: 1.0})  # type: ignore[arg-type]
        pool = space.sobol(64, 1)
        cost = chooser.cost([(composition, None) for composition in pool])
        chosen[weighs] = cost
    assert chosen[False] is None
    assert chosen[True] == pytest.approx(space.cost(pool) / space.cost(pool).mean())
    assert np.ptp(chosen[True]) > 0.1
