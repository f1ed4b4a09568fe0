"""Campaigns on a material system of one's own: the table goes with the directory, and may not change."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dynaphase import recommend
from dynaphase.campaign import CONFIG_NAME, TABLE_NAME, Campaign
from dynaphase.cli import main
from dynaphase.config import CampaignConfig, load_config
from dynaphase.errors import CampaignError, ConfigError
from dynaphase.materials.table_files import template
from tests.conftest import tiny

FOUR = Path(__file__).parent / "materials" / "data" / "four_elements.toml"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "mine.toml"
    file.write_text(template(), encoding="utf-8")
    return file


def small(**changes: object) -> CampaignConfig:
    few = {"design": {"n_initial": 5, "n_held_out": 5}, "rounds": {"n_confirm": 0, "batch": 1, "n_pool": 50}}
    return tiny(**few, stop={"r": 0.9999, "budget": 12}, **changes)


def test_the_table_goes_with_the_directory(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    campaign = Campaign.create("here", config=small(), system="mine.toml")
    table.unlink()
    assert load_config(Path("here") / CONFIG_NAME).system == TABLE_NAME
    shutil.move("here", "there")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    moved = Campaign.open(tmp_path / "there")
    moved.run(executor="serial")
    assert {record.candidate.system for record in moved.records()} == {campaign.system.name}
    assert campaign.system.name.startswith("lszp-")
    status = moved.status()
    assert status["n_records"] == status["n_planned"] == 12
    assert moved.suggest(2)[0].formula.startswith("Li")
    assert Campaign.open(Path("..") / "there").status() == status


def test_a_changed_table_is_refused_and_a_comment_is_not(table: Path, tmp_path: Path) -> None:
    campaign = Campaign.create(tmp_path / "c", config=small(), system=table)
    copy = tmp_path / "c" / TABLE_NAME
    text = template()
    copy.write_text(text.replace("S_per_cm = 1e-4", "S_per_cm = 3e-4"), encoding="utf-8")
    Campaign.open(tmp_path / "c")  # nothing has been run: it is still to be made up
    copy.write_text(text, encoding="utf-8")
    campaign.run(executor="serial")
    copy.write_text("# another comment\n" + template(), encoding="utf-8")
    Campaign.open(tmp_path / "c")
    copy.write_text(text.replace("S_per_cm = 1e-4", "S_per_cm = 2e-4"), encoding="utf-8")
    with pytest.raises(CampaignError, match=r"system\.toml was changed after the campaign began: .*lszp-"):
        Campaign.open(tmp_path / "c")
    copy.write_text(text.replace("[host]", "[hosts]", 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"system\.toml"):
        Campaign.open(tmp_path / "c")
    copy.unlink()
    with pytest.raises(CampaignError, match="is missing; put it back"):
        Campaign.open(tmp_path / "c")


def test_a_wrong_table_leaves_nothing_behind(tmp_path: Path, table: Path) -> None:
    table.write_text(template().replace("[host]", "[hosts]", 1), encoding="utf-8")
    with pytest.raises(ConfigError, match="hosts"):
        Campaign.create(tmp_path / "c", system=table)
    assert not (tmp_path / "c").exists()


def test_a_shipped_system_is_named_as_ever(tmp_path: Path) -> None:
    campaign = Campaign.create(tmp_path / "c", config=small(), system="latp")
    assert campaign.identity["system"] == "latp"
    assert not (tmp_path / "c" / TABLE_NAME).exists()


def test_a_campaign_over_all_ratios_of_four_elements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recommend, "N_PER_AXIS", 13)
    campaign = Campaign.create(tmp_path / "c", config=small(space={"sampler": "simplex"}), system=FOUR)
    campaign.run(executor="serial")
    assert campaign.space.dimension == 3
    found = campaign.suggest(4)
    assert len({item.composition for item in found}) == 4
    assert all(campaign.space.contains(item.composition) for item in found)
    # whole half percents: what a laboratory can weigh in
    shares = [200 * share for item in found if not item.simulated for share in item.composition.fractions.values()]
    assert all(share == pytest.approx(round(share), abs=1e-6) for share in shares)
    off_section = campaign.predict(["Li1.4Al0.4Ge1.2Ti0.4(PO4)3"])
    assert 0 < off_section[0].predictions["stability_score"]["mean"] < 100


def test_the_command_line_writes_a_template_and_takes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["table", "mine.toml"]) == 0
    assert main(["table", "mine.toml"]) == 2
    assert "already; choose another name" in capsys.readouterr().err
    assert main(["new", "c", "--system", "mine.toml"]) == 0
    assert (tmp_path / "c" / TABLE_NAME).read_text(encoding="utf-8") == (tmp_path / "mine.toml").read_text("utf-8")
    capsys.readouterr()
    assert main(["material", "Li1.3Sc0.3Zr1.7(PO4)3", "--system", "mine.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["system"].startswith("lszp-")
