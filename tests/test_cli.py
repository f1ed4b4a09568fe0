from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dynaphase.campaign import CONFIG_NAME, Campaign
from dynaphase.cli import main
from tests.conftest import tiny

FAST = ["--model", "paper", "--set", "n=48"]
LAGP = "Li1.5Al0.5Ge1.5(PO4)3"


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main([*arguments, "--json"]) == 0
    shown = capsys.readouterr()
    return json.loads(shown.out)


def test_simulate_json(capsys: pytest.CaptureFixture[str]) -> None:
    content = run_json(capsys, "simulate", LAGP, "--seed", "2", *FAST)
    assert content["composition"] == pytest.approx({"Li": 3 / 7, "Al": 1 / 7, "Ge": 3 / 7})
    assert (content["status"], content["seed"], content["model"]) == ("done", 2, "paper")
    assert 0 < content["stability_score"] < 100
    assert 0 < content["ionic_conductivity_S_per_cm"] < content["ceramic_conductivity_S_per_cm"] < 1e-2
    assert set(content["descriptors"]) == {"grain_size_nm", "void_fraction", "interface_width_nm"}
    assert content["cpu_seconds"] > 0
    assert content["wall_seconds"] > 0


def test_long_formulas_leave_the_numbers_whole(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    from dynaphase.composition import Composition
    from dynaphase.display import print_forecasts
    from dynaphase.recommend import Forecast

    formula = "Li1.3058Sc0.3802Zr1.0909Ti0.5289P3O11.9628"
    sigma = {"mean": 7.3e-5, "interval_90": [5e-5, 9e-5], "log10_mean": -4.1}
    found = {"stability_score": {"mean": 84.7, "interval_90": [84.1, 85.3]}, "ionic_conductivity_S_per_cm": sigma}
    found |= {"ceramic_conductivity_S_per_cm": sigma, "critical_current_density_mA_per_cm2": sigma}
    forecast = Forecast(Composition.from_amounts({"Li": 1, "Sc": 1}), formula, found)
    print_forecasts([forecast], Console(width=80), "Predictions", 5000.0)
    shown = capsys.readouterr().out
    assert "…" not in shown
    assert "84.7" in shown
    assert "σ ceramic: of 5 µm grains" in " ".join(shown.split())


def test_simulate_saves_what_it_found(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    import xarray as xr

    content = run_json(capsys, "simulate", LAGP, *FAST, "--save", str(tmp_path / "run"))
    kept = json.loads((tmp_path / "run" / "record.json").read_text(encoding="utf-8"))
    assert kept["values"]["stability_score"] == content["stability_score"]
    assert xr.open_zarr(tmp_path / "run" / "fields.zarr", consolidated=False)["C"].shape == (48, 48)
    assert main(["simulate", LAGP, *FAST, "--save", str(tmp_path / "run")]) == 2
    assert "already holds a run" in capsys.readouterr().err


def test_pasted_subscripts_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    content = run_json(capsys, "material", "Li₁.₅Al₀.₅Ge₁.₅(PO₄)₃")
    assert content["formula"] == LAGP


def test_pfhub_prints_json_csv_or_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    content = run_json(capsys, "pfhub", "1a", "--n", "64", "--t-end", "5")
    assert content["problem"] == "1a"
    assert len(content["time"]) == len(content["free_energy"]) > 2
    assert content["free_energy"][-1] < content["free_energy"][0] == pytest.approx(319.2, abs=0.5)
    assert main(["pfhub", "1a", "--n", "64", "--t-end", "5"]) == 0
    printed = capsys.readouterr().out
    file = tmp_path / "1a.csv"
    assert main(["pfhub", "1a", "--n", "64", "--t-end", "5", "-o", str(file)]) == 0
    assert file.read_text(encoding="utf-8").split() == printed.split()
    assert printed.startswith("time,free_energy")


def test_pfhub_writes_cut_planes_beside_the_curve(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "6a.csv"
    content = run_json(capsys, "pfhub", "6a", "--n", "40", "--t-end", "0.5", "-o", str(file))
    assert set(content["cuts"]) == {"x=50", "y=50"}
    assert set(content["cuts"]["x=50"]) == {"y", "concentration", "potential"}
    assert content["free_energy"][0] == pytest.approx(183.06, abs=0.05)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["6a.csv", "6a_x50.csv", "6a_y50.csv"]
    assert (tmp_path / "6a_x50.csv").read_text(encoding="utf-8").startswith("y,concentration,potential\n0.0,")
    rows = (tmp_path / "6a_y50.csv").read_text(encoding="utf-8").split()
    assert rows[0] == "x,concentration,potential"
    assert float(rows[1].split(",")[1]) == content["cuts"]["y=50"]["concentration"][0]
    assert main(["pfhub", "6a", "--n", "40", "--t-end", "0.5", "-o", str(file)]) == 0
    shown = capsys.readouterr().out
    assert f"{tmp_path / '6a_x50.csv'}: 42 rows" in shown
    assert f"{file}: {len(content['time'])} rows" in shown


def test_an_interrupted_pfhub_run_goes_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dynaphase.phasefield.spectral import SpectralIntegration

    command = ["pfhub", "1a", "--n", "64", "--t-end", "5", "-o"]
    assert main([*command, str(tmp_path / "whole.csv")]) == 0
    step, file = SpectralIntegration.step, tmp_path / "1a.csv"
    kept = tmp_path / "1a.csv.checkpoint"

    def interrupted(self: SpectralIntegration, until: float) -> None:
        if self.statistics.n_steps == 12:
            raise KeyboardInterrupt
        step(self, until)

    monkeypatch.setattr(SpectralIntegration, "step", interrupted)
    assert main([*command, str(file)]) == 130
    assert "run the same command again" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1a.csv.checkpoint", "whole.csv"]
    monkeypatch.setattr(SpectralIntegration, "step", step)

    assert main(["pfhub", "1a", "--n", "65", "--t-end", "5", "-o", str(file)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "n = 64" in said
    assert "n = 65" in said
    assert "1a.csv.checkpoint" in said
    assert "delete that file" in said
    assert kept.is_file()

    whole = kept.read_bytes()
    kept.write_bytes(whole[:1000])
    assert main([*command, str(file)]) == 2
    assert "delete that file" in " ".join(capsys.readouterr().err.split())
    kept.write_bytes(whole)

    assert main([*command, str(file)]) == 0
    shown = capsys.readouterr()
    assert f"Going on from {kept}" in shown.err
    assert file.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not kept.exists()


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("dynaphase 0.")


def test_exact_and_fast_stepping_agree(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--set", "n=48", "--set", "duration_s=60"]
    exact = run_json(capsys, "simulate", LAGP, "--model", "paper", "--stepping", "exact", *options)
    fast = run_json(capsys, "simulate", LAGP, "--model", "paper", "--stepping", "fast", *options)
    assert exact["intact_fraction"] == pytest.approx(fast["intact_fraction"], abs=2e-4)
    assert exact["settings"]["stepping"] == "exact"


def test_simulate_shows_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", LAGP, *FAST, "--set", "reaction=bistable"]) == 0
    shown = capsys.readouterr().out
    assert LAGP in shown
    assert "stability_score" in shown


def test_a_failed_simulation_is_exit_code_three(capsys: pytest.CaptureFixture[str]) -> None:
    unstable = ["--stepping", "exact", "--set", "time_step_s=900", "--set", "duration_s=9e6"]
    assert main(["simulate", LAGP, *FAST, *unstable]) == 3
    assert "failed" in capsys.readouterr().out


def test_material_json(capsys: pytest.CaptureFixture[str]) -> None:
    content = run_json(capsys, "material", "Li1.8Al0.8Ge1.2(PO4)3")
    assert sum(content["phases"].values()) == pytest.approx(1)
    assert content["phases"]["AlPO4"] == pytest.approx(0.107, abs=0.002)
    for parameter in content["parameters"].values():
        assert set(parameter) == {"value", "unit", "spread", "status", "source"}
        assert parameter["source"]


def test_material_shows_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["material", "Li1.5Al0.5Ge1.5P3O11.9"]) == 0
    shown = capsys.readouterr().out
    assert "NASICON" in shown
    assert "note:" in shown


def test_status_predict_and_suggest_json(capsys: pytest.CaptureFixture[str], finished: Path) -> None:
    status = run_json(capsys, "status", str(finished))
    assert {"n_records", "n_failed", "n_running", "round", "model", "stepping", "accuracy", "stopped_because"} <= set(
        status
    )
    predicted = run_json(capsys, "predict", str(finished), LAGP, "Li1.3Al0.3Ge1.7(PO4)3")
    assert [item["formula"] for item in predicted] == [LAGP, "Li1.3Al0.3Ge1.7(PO4)3"]
    for item in predicted:
        assert {"mean", "std", "interval_90"} <= set(item["stability_score"])
        assert {"mean", "std", "interval_90", "log10_mean", "log10_std"} <= set(item["ionic_conductivity_S_per_cm"])
    suggested = run_json(capsys, "suggest", str(finished), "-n", "2")
    assert len(suggested) == 2
    assert {"composition", "formula", "reason", "stability_score"} <= set(suggested[0])


def test_status_predict_and_suggest_in_words(capsys: pytest.CaptureFixture[str], finished: Path) -> None:
    for arguments in (["status", str(finished)], ["predict", str(finished), LAGP], ["suggest", str(finished)]):
        assert main(arguments) == 0
        assert capsys.readouterr().out.strip()


def test_new_then_run_then_report(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    directory = tmp_path / "campaign"
    assert main(["new", str(directory), "--preset", "demo", "--seed", "4"]) == 0
    assert "seed = 4" in (directory / CONFIG_NAME).read_text(encoding="utf-8")
    small = tmp_path / "small"
    Campaign.create(small, config=tiny())
    assert main(["run", str(small), "--executor", "serial"]) == 0
    shown = capsys.readouterr().out
    assert "Recommended compositions" in shown
    assert (small / "report.html").is_file()
    other = tmp_path / "elsewhere.html"
    assert main(["report", str(small), "-o", str(other)]) == 0
    assert other.is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["simulate", "foo"], "not a chemical formula"),
        (["simulate", "Xx2O3"], "'Xx'"),
        (["simulate", "Li1e400Ge2"], "inf"),
        (["simulate", "Li-1Ge2"], "minus sign"),
        (["simulate", "Li3AlTi3"], "Ti"),
        (["simulate", LAGP, "--model", "physics"], "'physics' is not available; there is: physical, paper"),
        (["simulate", LAGP, "--model", "paper", "--fidelity", "256"], "--fidelity belongs to the physical model"),
        (["simulate", LAGP, "--fidelity", "9"], "'fidelity' = '9'"),
        (["simulate", LAGP, "--stepping", "fast"], "--stepping belongs to the paper model"),
        (["simulate", LAGP, *FAST, "--set", "stepping=fast", "--stepping", "fast"], "says twice"),
        (["simulate", LAGP, "--model", "paper", "--draws", "8"], "the paper model has no draws"),
        (["simulate", LAGP, *FAST, "--stepping", "fats"], "'stepping' = 'fats'"),
        (["simulate", LAGP, "--model", "paper", "--set", "n=3"], "'n' = 3"),
        (["simulate", LAGP, "--set", "n"], "NAME=VALUE"),
        (["simulate", LAGP, "--model", "paper", "--set", "nn=64"], "Did you mean 'n'"),
        (["pfhub", "1a", "-o", "nowhere/one.csv"], "no folder nowhere"),
        (["pfhub", "1a", "-o", "."], "is a folder"),
        (["simulate", LAGP, "--system", "nasicon"], "there is: lagp"),
        (["simulate", LAGP, "--seed", "-1"], "--seed"),
        (["material", "AlGe3"], "Li"),
        (["material", LAGP, "--temperature", "nan"], "temperature"),
        (["run", "nowhere"], "there is no nowhere"),
        (["status", "nowhere"], "there is no nowhere"),
        (["new", "x", "--preset", "physicl"], "Did you mean 'physical'"),
        (["new", "x", "--system", "none.toml"], "there is no file none.toml"),
        (["table", "nowhere/mine.toml"], "no folder nowhere"),
        (["run", "nowhere", "--workers", "0"], "--workers"),
        (["new", "x", "--seed", "-1"], "'seed' = -1"),
        (["material", LAGP, "--temperature", "1"], "between 100 and 2000 K"),
        (["simulate", LAGP, "--set", "length_nm=1e9"], "'length_nm'"),
        (["simulate", LAGP, "--set", "n=64\nseed=3"], "more than one line"),
        (["simulate", "Li1,5Al0.5Ge1.5"], "decimals with a point"),
        (["pfhub", "9z"], "'9z' is not available; there is: 1a, 1b, 1c, 2a"),
        (["pfhub", "1a", "--t-end", "-1"], "t_end"),
        (["simulat", LAGP], "simulat"),
        (["simulate"], "FORMULA"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_two(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert says in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""
    assert list(tmp_path.iterdir()) == []


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from dynaphase.cli.json_output import print_json

    print_json({"a": float("nan"), "b": [float("inf"), 1.0]})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.0]}
