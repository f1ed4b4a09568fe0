from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from dynaphase.cli import main
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
        ("[stop]\nr = 2.0", "'stop.r' = 2.0: must be below 1"),
        ("seed = -1", "'seed' = -1"),
        ("seed = nan", "'seed' = nan"),
        ("stop = 3", r"write \[stop\]"),
        ('model = "physics"', "'physics' is not available; there is: physical, paper"),
        ('[settings]\nfidelty = "96"', "'settings.fidelty'. Did you mean 'fidelity'.*Known here: fidelity"),
        ('model = "paper"\n[settings]\nsteping = "fast"', "Did you mean 'stepping'.*Known here: stepping"),
        ('[settings]\nstepping = "fast"', 'of the paper model: stepping; take out, or write model = "paper"'),
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


def test_the_paper_model_has_no_critical_current_to_trade() -> None:
    with pytest.raises(ConfigError, match=r"no critical current density: set conclude\.pareto_with_current to false"):
        make_config({"model": "paper", "conclude": {"pareto_with_current": True}})
    assert make_config({"conclude": {"pareto_with_current": True}}).conclude.pareto_with_current


BAD = [
    ("[rounds]\nn_pool = 'many'", "'rounds.n_pool' = 'many': write a whole number without quotes"),
    ("[rounds]\nacquisition = 'max-varianc'", "Did you mean 'max-variance'?"),
    (
        "[fidelity]\nlevels = ['64', 'eikonal']",
        "'fidelity.levels', entry 1 = '64': there is: eikonal, 96, 128, 256, 3d.",
    ),
    ("[fidelity]\nlevels = '128'", """'fidelity.levels' = '128': write a list, in square brackets: ["128"]"""),
    ("[fidelity]\nshare = 2.0", "'fidelity.share' = 2.0: must be at most 1"),
    ("[surrogate]\nfeatures = 'phase'", "there is: phases, coordinates. Did you mean 'phases'?"),
    ("[surrogate]\njoint = 'yes'", "'surrogate.joint' = 'yes': write true or false without quotes"),
    ("[design]\nn_held_out = 12.5", "'design.n_held_out' = 12.5: write a whole number"),
    ("[conclude]\nn_compared = 0", "'conclude.n_compared' = 0: must be at least 1"),
    ("[space]\nelement_prices = { Li = -3.0 }", "'space.element_prices.Li' = -3.0: must be at least 0"),
    ("[space]\nbounds = 5", "'space.bounds' = 5: write a table, in curly brackets: { NAME = … }"),
    ("[space]\nbounds = { Al = ['a', 0.2] }", "'space.bounds.Al', entry 1 = 'a': write a number without quotes"),
    ("[space]\nbounds = { Al = [0.6, 0.2] }", "[space]: bounds of Al are [0.6, 0.2]; write the least"),
    (
        "[space]\nbounds = { Fe = [0.1, 0.2] }",
        "[space]: element of bounds 'Fe' is not available; there is: Li, Al, Ge.",
    ),
    ("[space]\nconstraints = ['Al >= 0.5', 'Al <= 0.1']", "[space] leaves no composition"),
    (
        "[space]\nconstraints = ['Al + <= 0.5']",
        "[space]: constraint 'Al + <= 0.5': it cannot be read; write for example",
    ),
    ("[space]\nmax_price = 10.0", "[space]: max_price = 10 needs element_prices of Li, Al, Ge"),
    ("[space]\nmax_elements = 2", "write sampler = 'simplex', or max_elements = 0"),
    ("[goal]\nobjectives = ['max stability_scor']", "[goal]: in the physical model the outcome 'stability_scor'"),
    ("[goal]\nobjectives = []", "'goal.objectives' = []: too few entries, write at least 1"),
    ("[goal]\nobjectives = ['max eta_short_mV']", "[goal]: it names eta_short_mV, which is measured only with"),
    (
        "[goal]\nconstraints = ['void_fraction <= high']",
        "[goal]: the constraint 'void_fraction <= high' is not understood",
    ),
    ("system = 'lgap'", "material system 'lgap' is not available"),
    ("model = 'phys'", "model 'phys' is not available; there is: physical, paper."),
]


@pytest.mark.parametrize(("text", "said"), BAD, ids=[text.replace("\n", " ") for text, _ in BAD])
def test_mistakes_are_told_with_the_file_and_what_to_write(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "campaign.toml"
    file.write_text(text, encoding="utf-8")
    assert main(["run", str(file)]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"Error: {file}: ")
    assert said in shown
    assert "Traceback" not in shown


def test_options_of_another_model_are_told_once() -> None:
    options = {"fidelity": "128", "chemistry": True, "until_short": False}
    with pytest.raises(ConfigError) as caught:
        make_config({"model": "paper", "settings": options | {"bogus": 1}})
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert "unknown key 'settings.bogus'" in lines[0]
    assert "options of the physical model: chemistry, fidelity, until_short; take out, or write model = " in lines[1]
