"""Ensembles over seeds and draws: what is summarised, who beats whom, what the command line prints."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynaphase import ensemble as module
from dynaphase.cli import main
from dynaphase.ensemble import Ensemble, evaluate_ensemble, wilson_interval
from dynaphase.errors import ConfigError
from dynaphase.executors import SerialWorkers
from dynaphase.materials import get_system
from dynaphase.materials.base import MaterialSystem
from dynaphase.records import Candidate, Record, RecordStatus

LINE = ["Li1.3Al0.3Ge1.7(PO4)3", "Li1.5Al0.5Ge1.5(PO4)3", "Li1.6Al0.6Ge1.4(PO4)3"]


def cheap(candidate: Candidate, system: MaterialSystem) -> Record:
    """S = 40 + 50 x + a shift of the draw + a small one of the seed and the composition; draw 3 fails at x = 0.3."""
    x, _ = system.coordinates(candidate.composition)
    draw = int(candidate.settings["draw"])
    formula = system.formula(candidate.composition)
    if draw == 3 and x < 0.4:
        return Record(candidate, RecordStatus.FAILED, formula, reason="of no use", cpu_seconds=1.0)
    own = np.random.default_rng([candidate.seed, round(10 * x)]).normal()
    score = 40.0 + 50.0 * x + 10.0 * math.sin(draw) + 0.5 * own
    values = {"stability_score": score, "ionic_conductivity_S_per_cm": 1e-5 * 10.0 ** (0.3 * draw)}
    descriptors = {"eta_50_mV": score / 2}
    return Record(candidate, RecordStatus.DONE, formula, values, descriptors, notes=("seen",), cpu_seconds=1.0)


@pytest.fixture(autouse=True)
def _no_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "evaluate_candidate", cheap)


def ensemble(formulas: list[str] = LINE, **options: Any) -> Ensemble:
    return evaluate_ensemble(formulas, workers=SerialWorkers(), **({"n_draws": 8, "n_seeds": 3} | options))


def test_a_table_holds_composition_draw_and_seed_in_their_places() -> None:
    found = ensemble(seed=5)
    table = found.table("stability_score")
    assert table.shape == (3, 8, 3)
    assert found.seeds == (5, 6, 7)
    lagp = get_system("lagp")
    for i, d, s in ((0, 0, 2), (1, 4, 1), (2, 7, 0)):
        record = found.of(i)[d * 3 + s]
        assert record.candidate.composition == lagp.read(LINE[i]).composition
        assert (record.candidate.settings["draw"], record.candidate.seed) == (d + 1, 5 + s)
        assert table[i, d, s] == record.values["stability_score"]


def test_failures_are_counted_with_their_reason_and_left_out() -> None:
    found = ensemble()
    assert found.failures(0) == {"of no use": 3}
    assert found.failures(1) == {}
    content = found.to_json(0)
    assert (content["status"], content["n_failed"], content["failures"]) == ("done", 3, {"of no use": 3})
    assert content["ensemble"]["stability_score"]["n"] == 21
    assert found.compare("stability_score").n_pairs == 21


def test_a_summary_is_median_band_and_the_two_scatters() -> None:
    found = ensemble([LINE[1]])
    summary, table = found.summary(0, "stability_score"), found.table("stability_score")[0]
    assert summary.median == np.median(table)
    assert summary.interval_90 == (np.quantile(table, 0.05), np.quantile(table, 0.95))
    assert math.isnan(summary.standard_error)
    shifts = 10.0 * np.sin(np.arange(1, 9))
    assert summary.sd_draw == pytest.approx(np.std(shifts, ddof=1))  # the seeds shift all draws by the same
    assert summary.sd_seed == pytest.approx(np.std(table[0], ddof=1))
    sigma = found.summary(0, "ionic_conductivity_S_per_cm")
    assert sigma.scale == "log10"
    assert sigma.sd_draw == pytest.approx(0.3 * np.std(np.arange(8), ddof=1))
    assert sigma.sd_seed == pytest.approx(0.0, abs=1e-12)


def test_seeds_alone_give_a_mean_with_its_standard_error() -> None:
    found = ensemble([LINE[1]], n_draws=0, n_seeds=4)
    table = found.table("stability_score")[0]
    summary = found.summary(0, "stability_score")
    assert summary.standard_error == pytest.approx(np.std(table, ddof=1) / 2)
    content = found.to_json(0)
    assert content["stability_score"] == pytest.approx(np.mean(table))
    assert (content["n_draws"], content["n_seeds"], content["settings"]["draw"]) == (0, 4, 0)
    assert content["descriptors"]["eta_50_mV"] == pytest.approx(np.mean(table) / 2)
    assert content["cpu_seconds"] == 4.0


def test_probabilities_compare_at_the_same_draw_and_seed() -> None:
    """Draws shift all by ± 10, ten times more than what parts the compositions: only pairs see the difference."""
    found = ensemble()
    shares = found.compare("stability_score")
    table = found.table("stability_score")
    for i, j in ((2, 1), (1, 0)):
        complete = np.isfinite(table[i]) & np.isfinite(table[j])
        assert shares.probabilities[i, j] == pytest.approx(np.mean(table[i][complete] > table[j][complete]))
        assert shares.probabilities[j, i] == pytest.approx(1 - shares.probabilities[i, j])
    assert shares.probabilities[2, 0] == 1.0
    assert shares.intervals[2, 0] == pytest.approx(wilson_interval(1.0, 7))  # as many as draws, not pairs
    assert math.isnan(shares.probabilities[1, 1])
    assert np.nansum(shares.best) == pytest.approx(1.0)
    assert np.argmax(shares.best) == 2


def test_what_always_fails_does_not_spoil_the_comparison_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def fragile(candidate: Candidate, system: MaterialSystem) -> Record:
        found = cheap(candidate, system)
        is_out = system.coordinates(candidate.composition)[0] > 0.55
        return Record(candidate, RecordStatus.FAILED, found.formula, reason="no host") if is_out else found

    monkeypatch.setattr(module, "evaluate_candidate", fragile)
    found = ensemble()
    shares, pair = found.compare("stability_score"), ensemble(LINE[:2]).compare("stability_score")
    assert shares.probabilities[1, 0] == pair.probabilities[1, 0]
    assert shares.best[:2].tolist() == pair.best.tolist()
    assert shares.n_pairs == pair.n_pairs == 21
    assert np.isnan(shares.probabilities[2]).all()
    assert math.isnan(shares.best[2])
    content = found.to_json(2)
    assert (content["status"], content["reason"], content["ensemble"]) == ("failed", "no host", {})


def test_ties_are_shared() -> None:
    shares = ensemble(LINE[1:]).compare("ionic_conductivity_S_per_cm")
    assert shares.probabilities[0, 1] == shares.probabilities[1, 0] == 0.5
    assert shares.best.tolist() == [0.5, 0.5]


def test_what_the_seed_decides_counts_once_for_each_seed() -> None:
    """Three seeds of which one says no: eight draws of the same do not make 24 witnesses of it."""
    wins = np.ones((8, 3))
    wins[:, 0] = 0.0
    p, (low, high) = module._share(wins)
    assert p == pytest.approx(2 / 3)
    assert high - low > 0.6
    assert module._share(np.ones((8, 3)))[1][0] > 0.7


@pytest.mark.parametrize(("successes", "n"), [(15, 50), (32, 32), (0, 3)])
def test_wilson_agrees_with_statsmodels(successes: int, n: int) -> None:
    from statsmodels.stats.proportion import proportion_confint

    expected = proportion_confint(successes, n, alpha=0.1, method="wilson")
    assert wilson_interval(successes / n, n) == pytest.approx(expected, abs=1e-12)


def test_what_cannot_be_done_is_said() -> None:
    with pytest.raises(ConfigError, match="has no draws"):
        evaluate_ensemble(LINE, "paper", n_draws=4)
    with pytest.raises(ConfigError, match="leave the option 'draw' out"):
        ensemble(settings={"draw": 2})
    with pytest.raises(ConfigError, match="given twice"):
        ensemble([LINE[0], "Li13Al3Ge17P30O120"])
    with pytest.raises(ConfigError, match="quantity 'stability' is not available"):
        ensemble().table("stability")


def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynaphase.executors.make_workers", lambda *_, **__: SerialWorkers())


def test_simulate_with_draws(capsys: pytest.CaptureFixture[str], monkeypatch: Any, tmp_path: Path) -> None:
    in_this_process(monkeypatch)
    command = ["simulate", LINE[0], "--model", "physical", "--draws", "8", "--seeds", "2"]
    assert main([*command, "--json", "--save", str(tmp_path / "run")]) == 0
    content = json.loads(capsys.readouterr().out)
    found = ensemble([LINE[0]], n_seeds=2)
    assert content["stability_score"] == found.summary(0, "stability_score").median
    assert content["ensemble"]["stability_score"]["interval_90"] == list(
        found.summary(0, "stability_score").interval_90
    )
    assert (content["n_draws"], content["n_seeds"], content["n_failed"]) == (8, 2, 2)
    lines = (tmp_path / "run" / "records.jsonl").read_text(encoding="utf-8").splitlines()
    assert tuple(Record.from_json(json.loads(line)) for line in lines) == found.records
    assert main([*command, "--save", str(tmp_path / "run")]) == 2
    assert "already holds a run" in capsys.readouterr().err
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "2 of 16 evaluations failed: of no use" in printed
    assert "seen (14 of 16 evaluations)" in " ".join(printed.split())
    assert main(["simulate", LINE[0], "--model", "paper", "--draws", "3"]) == 2
    assert "the paper model has no draws" in capsys.readouterr().err


def test_no_name_is_cut_off(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from dynaphase.display_ensemble import print_ensemble

    name = "quasi_static_critical_current_density_mA_per_cm2"

    def long(candidate: Candidate, system: MaterialSystem) -> Record:
        values = {name: 1.234e-5 * (1 + candidate.seed), "ionic_conductivity_S_per_cm": 1.234e-5}
        return Record(candidate, RecordStatus.DONE, "formula", values)

    monkeypatch.setattr(module, "evaluate_candidate", long)
    for options in ({}, {"n_draws": 0}):
        print_ensemble(ensemble([LINE[0]], **options), Console(width=80))
        printed = capsys.readouterr().out
        assert "…" not in printed
        assert name in "".join(line[1:21].strip() if options == {} else line.split("  ")[0].strip()
                               for line in printed.splitlines())  # fmt: skip


def test_one_draw_is_not_said_to_be_the_medians(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    in_this_process(monkeypatch)
    command = ["simulate", LINE[1], "--seeds", "2", "--set", "draw=4"]
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"]["draw"] == 4
    assert main(command) == 0
    assert "draw 4, 2 seeds" in capsys.readouterr().out


FIRST_THREE = {(1, 0), (1, 1), (2, 0)}


def test_an_interruption_keeps_what_is_finished(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_this_process(monkeypatch)
    seen: list[int] = []

    def interrupted(candidate: Candidate, system: MaterialSystem) -> Record:
        seen.append(candidate.seed)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return cheap(candidate, system)

    monkeypatch.setattr(module, "evaluate_candidate", interrupted)
    assert main(["simulate", LINE[1], "--draws", "4", "--seeds", "2", "--save", str(tmp_path / "run")]) == 130
    (file,) = (tmp_path / "run").iterdir()
    kept = [Record.from_json(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
    assert f"{len(kept)} finished evaluations are kept in {file}" in " ".join(capsys.readouterr().err.split())
    # in the order in which they came; the one that was handed over last may be lost
    assert {(r.candidate.settings["draw"], r.candidate.seed) for r in kept} in (FIRST_THREE, FIRST_THREE - {(2, 0)})


def test_the_paper_model_is_compared_without_draws(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    in_this_process(monkeypatch)

    def printed(candidate: Candidate, system: MaterialSystem) -> Record:
        return Record(candidate, RecordStatus.DONE, "formula", {"stability_score": float(candidate.seed)})

    monkeypatch.setattr(module, "evaluate_candidate", printed)
    assert main(["compare", *LINE, "--model", "paper", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_draws"] == 0


def test_compare(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    in_this_process(monkeypatch)
    command = ["compare", *LINE, "--draws", "8", "--seeds", "2"]
    assert main([*command, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert [item["formula"] for item in content["compositions"]] == LINE
    assert set(content["probabilities"]) == {"stability_score", "ionic_conductivity_S_per_cm"}
    assert content["probabilities"]["stability_score"]["probabilities"][0] == [None, 0.0, 0.0]
    assert main(command) == 0
    assert "is the best" in capsys.readouterr().out
    assert main(["compare", LINE[0], "--draws", "2"]) == 2
    assert "at least two compositions" in capsys.readouterr().err


def test_worker_processes_give_what_one_process_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # real evaluations, of the model that is quickest
    from dynaphase.executors import ProcessWorkers

    asked: dict[str, Any] = {"n_seeds": 2, "settings": {"n": 32}}
    serial = evaluate_ensemble(LINE[:1], "paper", workers=SerialWorkers(), **asked)
    spawned = evaluate_ensemble(LINE[:1], "paper", workers=ProcessWorkers(2), **asked)
    assert [r.values for r in spawned.records] == [r.values for r in serial.records]
    assert all(record.fields is None for record in spawned.records)
