from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from dynaphase.config import PRESETS, load_config, make_config
from dynaphase.errors import ConfigError
from dynaphase.settings import PaperSettings, PhysicalSettings


@pytest.mark.parametrize("preset", PRESETS)
def test_a_written_configuration_reads_back(preset: str, tmp_path: Path) -> None:
    file = tmp_path / "campaign.toml"
    file.write_text(PRESETS[preset].to_toml(preset), encoding="utf-8")
    assert load_config(file) == PRESETS[preset]


def test_the_paper_preset_is_as_printed() -> None:
    config = PRESETS["paper"]
    settings = config.settings
    assert isinstance(settings, PaperSettings)
    assert (settings.stepping, settings.duration_s, settings.time_step_s) == ("exact", 1000.0, 0.001)
    assert (settings.length_nm, settings.conservative, config.space.sampler) == (100.0, False, "simplex")
    assert (config.design.n_initial, config.design.method) == (100, "random")


def test_the_physical_presets_run_the_default_model_on_three_microstructures() -> None:
    for name, fidelity in (("demo", "eikonal"), ("physical", "128")):
        config = PRESETS[name]
        assert isinstance(config.settings, PhysicalSettings)
        assert (config.model, config.settings.fidelity, config.settings.draw) == ("physical", fidelity, 0)
        assert (config.space.sampler, config.design.n_replicates) == ("neighbourhood", 3)


def test_a_model_has_its_own_settings() -> None:
    assert make_config({}).model == "physical"
    assert isinstance(make_config({"model": "physical"}).settings, PhysicalSettings)
    assert isinstance(make_config({"model": "paper", "settings": {"n": 64}}).settings, PaperSettings)


def test_every_option_is_explained_in_the_file() -> None:
    text = PRESETS["demo"].to_toml("demo")
    assert 'fidelity = "eikonal"  # cells along' in text
    assert "draw = 0  # 0: medians" in text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("sede = 1", "unknown key 'sede'. Did you mean 'seed'"),
        ("[stop]\nbudgte = 3", "unknown key 'stop.budgte'. Did you mean 'budget'"),
        ("[stop]\nr = 2.0", "'stop.r' = 2.0: input should be less than 1"),
        ("seed = -1", "'seed' = -1"),
        ("seed = nan", "'seed' = nan"),
        ("stop = 3", r"write \[stop\]"),
        ('model = "physics"', "'physics' is not available; there is: physical, paper"),
        ('[settings]\nfidelty = "96"', "'settings.fidelty'. Did you mean 'fidelity'.*Known here: fidelity"),
        ('model = "paper"\n[settings]\nsteping = "fast"', "Did you mean 'stepping'.*Known here: stepping"),
        ('[settings]\nstepping = "fast"', 'stepping: of the paper model; write model = "paper"'),
        ('[space]\nsampler = "lines"', "'space.sampler' = 'lines'"),
        ("seed = ", "not valid TOML"),
        ("   \n", "is empty"),
    ],
)
def test_a_wrong_configuration_says_what_and_where(content: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "campaign.toml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=says):
        load_config(file)


def test_a_file_that_is_missing_or_binary(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no file"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "binary.toml")


def test_only_the_stop_section_is_free_to_change() -> None:
    one = make_config(tomllib.loads("[stop]\nbudget = 150"))
    other = make_config(tomllib.loads("[stop]\nbudget = 500"))
    assert one.identity == other.identity
    assert one.identity != make_config({"seed": 1}).identity


def test_an_unknown_acquisition_is_refused_with_the_choices() -> None:
    with pytest.raises(ConfigError, match="hypervolume"):
        make_config({"rounds": {"acquisition": "hypervolme"}})


def test_prices_count_only_where_they_are_given() -> None:
    with pytest.raises(ConfigError, match="element_prices"):
        make_config({"rounds": {"weigh_prices": True}})
    prices = {"Li": 100.0, "Al": 3.0, "Ge": 1500.0}
    assert make_config({"rounds": {"weigh_prices": True}, "space": {"element_prices": prices}}).rounds.weigh_prices


def test_draws_are_compared_with_the_medians_alone() -> None:
    with pytest.raises(ConfigError, match="n_draws"):
        make_config({"settings": {"draw": 1}, "conclude": {"n_draws": 4}})


def test_problems_keep_the_capitals_of_names_and_leave_the_section_out() -> None:
    with pytest.raises(ConfigError, match=r"ionic_conductivity_S_per_cm => 1e-5") as caught:
        make_config({"goal": {"constraints": ["ionic_conductivity_S_per_cm => 1e-5"]}})
    assert "[goal]: the constraint" in str(caught.value)
    assert "objectives" not in str(caught.value)  # the section's other options do not hide what is wrong
    with pytest.raises(ConfigError, match="Did you mean 'hypervolume'"):
        make_config({"rounds": {"acquisition": "hypervolme"}})
