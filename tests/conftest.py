from __future__ import annotations

from pathlib import Path

import pytest

from dynaphase.campaign import Campaign
from dynaphase.config import CampaignConfig, make_config


def tiny(**changes: object) -> CampaignConfig:
    """A campaign of the paper model that finishes in seconds: coarse grid, few compositions, two rounds."""
    content: dict[str, object] = {
        "model": "paper",
        "settings": {"n": 32},
        "design": {"n_initial": 10, "n_held_out": 6},
        "rounds": {"batch": 3, "n_pool": 64, "n_confirm": 3},
        "stop": {"r": 0.9999, "budget": 26},
    }
    return make_config(content | changes)


@pytest.fixture
def quick_learner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hyperparameters at their prior medians, small pools: for tests of what is done, not of how well."""
    from dynaphase import assessment, recommend, savings
    from dynaphase.surrogate import ladder

    monkeypatch.setitem(ladder._RUNGS, ladder.Rung.OPTIMISED, ladder._prior_medians)
    monkeypatch.setattr(recommend, "N_PER_AXIS", 13)
    for module in (assessment, savings):
        monkeypatch.setattr(module, "N_POOL", 64)
        monkeypatch.setattr(module, "N_DRAWS", 8)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a finished campaign; only look at it."""
    directory = tmp_path_factory.mktemp("campaigns") / "finished"
    Campaign.create(directory, config=tiny()).run(executor="serial")
    return directory


def tiny_physical(**changes: object) -> CampaignConfig:
    """A campaign of the physical model that finishes in some twenty seconds."""
    content: dict[str, object] = {
        "settings": {"fidelity": "eikonal"},
        "design": {"n_initial": 7, "n_held_out": 5},
        "rounds": {"batch": 2, "n_pool": 64, "n_confirm": 1},
        "stop": {"r": 0.9999, "budget": 16},
    }
    return make_config(content | changes)


@pytest.fixture(scope="session")
def finished_physical(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a finished campaign of the physical model; only look at it."""
    directory = tmp_path_factory.mktemp("campaigns") / "finished-physical"
    Campaign.create(directory, config=tiny_physical()).run(executor="serial")
    return directory
