"""A campaign over six elements of which at most four are present, within constraints and a price."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynaphase.campaign import CONFIG_NAME, Campaign
from dynaphase.errors import CampaignError, ConfigError
from tests.conftest import tiny

SIX = Path(__file__).parent / "materials" / "data" / "six_elements.toml"
SPACE = {
    "sampler": "simplex",
    "max_elements": 4,
    "constraints": ["0.2 <= Li <= 0.55", "Ge + Sc <= 0.3"],
    "element_prices": {"Li": 100.0, "Al": 3.0, "Ge": 1500.0, "Ti": 10.0, "Zr": 30.0, "Sc": 3000.0},
    "max_price": 600.0,
}


def test_from_the_first_design_to_a_recommendation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynaphase.recommend.N_PER_AXIS", 13)
    few = {"design": {"n_initial": 6, "n_held_out": 5}, "rounds": {"n_confirm": 1, "batch": 2, "n_pool": 64}}
    config = tiny(**few, stop={"r": 0.9999, "budget": 15}, space=SPACE)
    campaign = Campaign.create(tmp_path / "c", config=config, system=SIX)
    campaign.run(executor="serial")
    asked = [c for plan in campaign.plans() for c, role in plan.asked if role.value != "reference"]
    assert len(asked) == len(set(asked)) == 14
    assert campaign.status()["n_failed"] == 0
    found = [item.composition for item in campaign.suggest(3)]
    assert len(found) == 3
    for composition in [*asked, *found]:
        assert campaign.space.contains(composition)
        assert len(composition.elements) <= 4
        assert composition["Ge"] + composition["Sc"] <= 0.3 + 1e-9
    assert campaign.space.cost([*asked, *found]).max() <= 600 * (1 + 1e-9)
    file = tmp_path / "c" / CONFIG_NAME
    file.write_text(file.read_text("utf-8").replace("max_price = 600.0", "max_price = 700.0"), encoding="utf-8")
    with pytest.raises(CampaignError, match=r"space\.max_price: 600\.0 → 700\.0"):
        Campaign.open(tmp_path / "c")


def test_a_contradiction_is_told_before_anything_is_made(tmp_path: Path) -> None:
    space = SPACE | {"constraints": ["Li >= 0.5", "Al + Zr >= 0.6"]}
    with pytest.raises(ConfigError, match=r"'Li >= 0\.5' and 'Al \+ Zr >= 0\.6' cannot hold"):
        Campaign.create(tmp_path / "c", config=tiny(space=space), system=SIX)
    assert not (tmp_path / "c").exists()
