from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import dynaphase as dp
from dynaphase import steering
from dynaphase.campaign import CONFIG_NAME, Campaign
from dynaphase.composition import Composition
from dynaphase.config import make_config
from dynaphase.errors import CampaignError, CompositionError, ConfigError, FitError, Interrupted
from dynaphase.outcomes import check_goal
from dynaphase.records import Candidate, Record, RecordStatus
from dynaphase.report import write_report
from dynaphase.rounds import common_seeds, replicate_seeds
from dynaphase.stopping import StopReason
from tests.conftest import tiny


def outcome(directory: Path) -> tuple[list[object], dict[str, object]]:
    """All that must not depend on workers, interruptions or the clock."""
    campaign = Campaign.open(directory)
    values = {r.key: (r.status, dict(r.values), dict(r.descriptors)) for r in campaign.records()}
    return [plan.to_json() for plan in campaign.plans()], dict(values)


class TestAFinishedCampaign:
    def test_status(self, finished: Path) -> None:
        status = Campaign.open(finished).status()
        assert status["n_records"] == status["n_planned"] <= 26
        assert (status["n_failed"], status["n_running"], status["round"]) == (0, 0, 3)
        assert (status["model"], status["stepping"], status["stopped_because"]) == ("paper", "fast", "budget")
        assert set(status["accuracy"]) == {"stability_score", "ionic_conductivity_S_per_cm"}
        for target in status["accuracy"].values():
            assert set(target) == {"r", "nrmse", "n_held_out"}
            assert target["n_held_out"] == 6

    def test_frame(self, finished: Path) -> None:
        frame = Campaign.open(finished).frame()
        counts = frame["role"].value_counts().to_dict()
        assert counts.pop("confirmation") <= 3
        assert counts == {"initial": 10, "held-out": 6, "active": 6, "reference": 1}
        for column in ("stability_score", "ionic_conductivity_S_per_cm", "descriptors.grain_size_nm", "composition.Li"):
            assert frame[column].notna().all()

    def test_a_batch_is_new_and_inside_the_region(self, finished: Path) -> None:
        campaign = Campaign.open(finished)
        asked = [composition for plan in campaign.plans() for composition, _ in plan.asked]
        assert len(asked) == len(set(asked))
        assert all(campaign.space.contains(composition) for composition in asked)

    def test_predictions_bracket_what_was_simulated(self, finished: Path) -> None:
        campaign = Campaign.open(finished)
        frame = campaign.frame()
        trained = frame[frame["role"] == "initial"]
        forecasts = campaign.predict(list(trained["formula"]))
        sigma = [f.predictions["ionic_conductivity_S_per_cm"] for f in forecasts]
        for predicted, true in zip(sigma, trained["ionic_conductivity_S_per_cm"], strict=True):
            low, high = predicted["interval_90"]
            assert low < predicted["mean"] < high
            assert low / 3 < true < high * 3
            assert predicted["mean"] == pytest.approx(10 ** predicted["log10_mean"])

    def test_suggestions_are_distinct_and_say_why(self, finished: Path) -> None:
        suggestions = Campaign.open(finished).suggest(4)
        assert 1 <= len(suggestions) <= 4
        assert len({s.composition for s in suggestions}) == len(suggestions)
        assert all(s.reason for s in suggestions)
        assert "highest σ" in suggestions[0].reason or "best in S" in suggestions[0].reason

    def test_outside_the_region_nothing_is_predicted(self, finished: Path) -> None:
        with pytest.raises(CompositionError, match="outside the region"):
            Campaign.open(finished).predict(["LiAl2P3"])

    def test_every_record_has_its_fields_on_disk(self, finished: Path) -> None:
        campaign = Campaign.open(finished)
        for record in campaign.records():
            assert float(campaign.fields(record.key)["C"].mean()) == pytest.approx(
                record.values["intact_fraction"], rel=1e-5
            )

    def test_running_again_changes_nothing(self, finished: Path) -> None:
        before = outcome(finished)
        assert Campaign.open(finished).run(executor="serial") is StopReason.BUDGET
        assert outcome(finished) == before

    def test_the_literature_reference_was_simulated(self, finished: Path) -> None:
        campaign = Campaign.open(finished)
        frame = campaign.frame()
        (formula,) = frame[frame["role"] == "reference"]["formula"]
        assert formula == campaign.system.formula(campaign.system.reference)


def test_the_number_of_workers_changes_no_record(finished: Path, tmp_path: Path) -> None:
    Campaign.create(tmp_path / "two", config=tiny()).run(n_workers=2)
    assert outcome(tmp_path / "two") == outcome(finished)


def test_more_budget_goes_on_where_it_stopped(tmp_path: Path) -> None:
    short = tiny(stop={"r": 0.9999, "budget": 23})
    Campaign.create(tmp_path / "c", config=short).run(executor="serial")
    first = outcome(tmp_path / "c")[1]
    longer = tiny(stop={"r": 0.9999, "budget": 29})
    (tmp_path / "c" / CONFIG_NAME).write_text(longer.to_toml(), encoding="utf-8")
    Campaign.open(tmp_path / "c").run(executor="serial")
    second = outcome(tmp_path / "c")[1]
    assert first.items() <= second.items()
    assert len(first) <= 23 < len(second) <= 29


RUN = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
from dynaphase.cli import main
sys.exit(main(["run", sys.argv[1], "--workers", "2"]))
"""


def start(directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(directory)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for_records(directory: Path, n: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        if len(Campaign.open(directory).records()) >= n:
            return
        time.sleep(0.05)
    raise AssertionError(f"never saw {n} records: {process.communicate()}")


def test_kill_minus_nine_loses_nothing_and_the_end_is_the_same(finished: Path, tmp_path: Path) -> None:
    directory = tmp_path / "killed"
    Campaign.create(directory, config=tiny())
    for n in (3, 19):
        process = start(directory)
        wait_for_records(directory, n, process)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert len(Campaign.open(directory).records()) >= n
        assert Campaign.open(directory).status()["stopped_because"] is None
    assert Campaign.open(directory).run(n_workers=2) is StopReason.BUDGET
    assert outcome(directory) == outcome(finished)


def test_ctrl_c_keeps_everything_and_says_how_to_go_on(tmp_path: Path) -> None:
    directory = tmp_path / "interrupted"
    Campaign.create(directory, config=tiny(design={"n_initial": 200, "n_held_out": 6}, stop={"budget": 900}))
    process = start(directory)
    wait_for_records(directory, 2, process)
    second = subprocess.run([sys.executable, "-c", RUN, str(directory)], capture_output=True, text=True, check=False)
    assert second.returncode == 2
    assert "another process is running" in second.stderr
    running = Campaign.open(directory).status()
    assert running["n_running"] > 0
    assert running["stopped_because"] is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "are kept" in errors
    assert "Traceback" not in errors
    status = Campaign.open(directory).status()
    assert status["stopped_because"] == "interrupted"
    assert status["n_records"] >= 2


def test_an_interruption_in_this_process_is_no_traceback_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(steering, "run_all", interrupt)
    campaign = Campaign.create(tmp_path / "c", config=tiny())
    with pytest.raises(Interrupted, match="0 finished simulations are kept"):
        campaign.run(executor="serial")
    assert campaign.status()["stopped_because"] == "interrupted"


def test_an_interruption_that_a_library_drops_is_heeded_all_the_same(tmp_path: Path) -> None:
    class Watcher(dp.Observer):
        def finished(self, record: Record) -> None:
            with suppress(KeyboardInterrupt):  # as a callback of a compiled library, or __del__, would
                signal.raise_signal(signal.SIGINT)

    campaign = Campaign.create(tmp_path / "c", config=tiny())
    with pytest.raises(Interrupted, match="1 finished simulations are kept"):
        campaign.run(executor="serial", observer=Watcher())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def fail_where_aluminium_is_rich(candidate: Candidate, *, system: Any) -> Record:
    formula = system.formula(candidate.composition)
    if candidate.composition["Al"] > 0.15:
        return Record(candidate, RecordStatus.FAILED, formula, reason="diverged at t = 3 s")
    from dynaphase.evaluation import evaluate_candidate

    return evaluate_candidate(candidate, system)


def test_failures_are_records_and_the_rest_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "evaluate_candidate", fail_where_aluminium_is_rich)
    campaign = Campaign.create(tmp_path / "c", config=tiny())
    campaign.run(executor="serial")
    status = campaign.status()
    assert 0 < status["n_failed"] < status["n_records"] == status["n_planned"]
    frame = campaign.frame()
    assert (frame[frame["status"] == "failed"]["reason"] == "diverged at t = 3 s").all()


def fail_always(candidate: Candidate, *, system: Any) -> Record:
    return Record(candidate, RecordStatus.FAILED, system.formula(candidate.composition), reason="the sky fell")


def test_when_nothing_works_the_reason_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "evaluate_candidate", fail_always)
    campaign = Campaign.create(tmp_path / "c", config=tiny())
    with pytest.raises(FitError, match="the sky fell"):
        campaign.run(executor="serial")
    assert campaign.status()["n_failed"] == 17


def die(candidate: Candidate, *, system: Any) -> Record:
    if candidate.composition == system.reference:
        os.kill(os.getpid(), signal.SIGKILL)
    return fail_where_aluminium_is_rich(candidate, system=system)


def test_a_simulation_whose_worker_dies_is_no_failed_record_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steering, "evaluate_candidate", die)
    campaign = Campaign.create(tmp_path / "c", config=tiny(stop={"r": 0.9999, "budget": 20}))
    lost: list[str] = []

    class Watcher(dp.Observer):
        def lost(self, formula: str, reason: str) -> None:
            lost.append(reason)

    campaign.run(n_workers=2, observer=Watcher())
    assert len(lost) == 1
    assert "died" in lost[0]
    status = campaign.status()
    assert status["n_records"] == status["n_planned"] - 1
    monkeypatch.undo()
    campaign.run(executor="serial")
    assert campaign.status()["n_records"] >= status["n_planned"]


def test_recommendations_stand_beside_simulations(finished: Path) -> None:
    suggestions = Campaign.open(finished).suggest(3)
    assert any(suggestion.simulated for suggestion in suggestions)


def test_the_budget_covers_at_least_the_first_design() -> None:
    with pytest.raises(ConfigError, match="needs 20 simulations"):
        tiny(stop={"budget": 19})


def test_a_configuration_older_than_an_option_still_opens(tmp_path: Path) -> None:
    directory = tmp_path / "c"
    directory.mkdir()
    old = tiny().identity
    del (
        old["rounds"]["acquisition"],
        old["rounds"]["steering"],
        old["rounds"]["refit_every"],
        old["rounds"]["early_stop"],
    )
    del old["design"]["seeds"], old["fidelity"]
    store = dp.Store.create(directory, old)
    store.log("planned", {"round": 0, "asked": []})
    store.close()
    newest = tiny().to_toml().splitlines(keepends=True)
    (directory / CONFIG_NAME).write_text("".join(line for line in newest if not line.startswith("seeds")))
    campaign = Campaign.open(directory)
    assert campaign.status()["n_records"] == 0
    assert (campaign.config.design.seeds, tiny().design.seeds) == ("common", "independent")
    assert common_seeds(campaign.config) == replicate_seeds(campaign.config, campaign.system.reference)
    (directory / CONFIG_NAME).write_text("".join(newest), encoding="utf-8")
    with pytest.raises(CampaignError, match=r'design\.seeds: "common" → "independent"'):
        Campaign.open(directory)


@pytest.mark.parametrize(
    ("rounds", "goal", "says"),
    [
        ({}, {"objectives": ["max stability"]}, "Did you mean 'stability_score'"),
        ({}, {"constraints": ["pores <= 0.05"]}, "'pores' is not available; there is: .*void_fraction"),
        ({}, {"constraints": ["eta_50_mV >= 20"]}, "in the paper model"),
        ({}, {"constraints": ["ionic_conductivity_S_per_cm >= 0"]}, "must be above 0"),
        ({"acquisition": "expected-improvement"}, {}, "takes 1 objective, and .goal. has 2"),
        ({"acquisition": "hypervolume"}, {"objectives": ["max stability_score"]}, "takes 2 or 3"),
    ],
)
def test_a_goal_that_cannot_be_pursued_is_refused(
    rounds: dict[str, Any], goal: dict[str, Any], says: str, tmp_path: Path
) -> None:
    config = tiny(rounds={"n_confirm": 1} | rounds, goal=goal)
    with pytest.raises(ConfigError, match=says):
        Campaign.create(tmp_path / "c", config=config)
    assert not (tmp_path / "c").exists()
    file = tmp_path / CONFIG_NAME
    file.write_text(config.to_toml(), encoding="utf-8")
    with pytest.raises(ConfigError, match=says):
        Campaign.open(file)


def test_an_outcome_of_an_option_that_is_off_says_which() -> None:
    bounded = {"goal": {"constraints": ["leakage_current_mA_per_cm2 <= 1e-3"]}}
    with pytest.raises(ConfigError, match=r"only with settings\.leakage = true"):
        check_goal(make_config(bounded))
    check_goal(make_config(bounded | {"settings": {"leakage": True}}))


def test_what_a_goal_names_is_learned(tmp_path: Path) -> None:
    """The records of the paper model itself; among them one descriptor and one value that are no standard target."""
    config = tiny(
        rounds={"batch": 2, "n_pool": 64, "n_confirm": 0, "acquisition": "hypervolume"},
        goal={"constraints": ["void_fraction <= 0.2", "intact_fraction >= 0.1"]},
        stop={"r": 0.9999, "budget": 19},
    )
    campaign = Campaign.create(tmp_path / "c", config=config)
    campaign.run(executor="serial")
    (item,) = campaign.predict(campaign.system.formula(campaign.system.reference))
    frame = campaign.frame()
    reference = frame[frame["role"] == "reference"].iloc[0]
    assert item.simulated is not None
    assert item.simulated["void_fraction"] == pytest.approx(reference["descriptors.void_fraction"])
    assert item.simulated["intact_fraction"] == pytest.approx(reference["intact_fraction"])
    for name in ("void_fraction", "intact_fraction"):
        low, high = item.predictions[name]["interval_90"]
        assert low <= item.predictions[name]["mean"] <= high
        assert name in campaign.assessments()[-1]["accuracy_further"]
    text = write_report(campaign).read_text(encoding="utf-8")
    assert "void_fraction" in text


class TestBadDirectories:
    def test_create(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="Did you mean 'demo'"):
            Campaign.create(tmp_path / "c", preset="demoo")
        with pytest.raises(ConfigError, match="lagp"):
            Campaign.create(tmp_path / "c", system="lagpp")
        assert not (tmp_path / "c").exists()
        (tmp_path / "file").write_text("x")
        with pytest.raises(CampaignError, match="not an empty directory"):
            Campaign.create(tmp_path / "file")
        with pytest.raises(CampaignError, match="cannot be written"):
            Campaign.create(tmp_path / "file" / "below")

    def test_open(self, tmp_path: Path) -> None:
        with pytest.raises(CampaignError, match="dynaphase new"):
            Campaign.open(tmp_path)
        with pytest.raises(CampaignError, match="there is no"):
            Campaign.open(tmp_path / "nowhere")

    def test_a_new_campaign_can_be_looked_at(self, tmp_path: Path) -> None:
        campaign = Campaign.create(tmp_path / "c", config=tiny())
        assert campaign.status()["n_records"] == 0
        assert campaign.status()["stopped_because"] is None
        assert len(campaign.frame()) == 0
        with pytest.raises(CampaignError, match="dynaphase run"):
            campaign.suggest()

    def test_a_configuration_alone_is_a_campaign_to_be(self, tmp_path: Path) -> None:
        file = tmp_path / "mine.toml"
        file.write_text(tiny().to_toml(), encoding="utf-8")
        campaign = Campaign.open(file)
        assert campaign.directory == tmp_path
        assert campaign.run(executor="serial") is StopReason.BUDGET

    def test_a_configuration_changed_afterwards(self, finished: Path, tmp_path: Path) -> None:
        directory = tmp_path / "c"
        shutil.copytree(finished, directory)
        (directory / CONFIG_NAME).write_text(tiny(seed=5).to_toml(), encoding="utf-8")
        with pytest.raises(CampaignError, match="seed: 0 → 5"):
            Campaign.open(directory)

    def test_a_configuration_may_be_edited_until_the_first_run(self, tmp_path: Path) -> None:
        directory = tmp_path / "c"
        Campaign.create(directory, config=tiny())
        (directory / CONFIG_NAME).write_text(tiny(seed=5, space={"sampler": "line"}).to_toml(), encoding="utf-8")
        campaign = Campaign.open(directory)
        assert campaign.status()["n_records"] == 0
        campaign.run(executor="serial")
        for record in campaign.records():
            assert record.candidate.seed in replicate_seeds(tiny(seed=5), record.candidate.composition)
        assert Campaign.open(directory).status()["n_records"] > 0
        (directory / CONFIG_NAME).write_text(tiny().to_toml(), encoding="utf-8")
        with pytest.raises(CampaignError, match="seed: 5 → 0"):
            Campaign.open(directory)

    def test_a_full_disk_keeps_what_is_finished(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        campaign = Campaign.create(tmp_path / "c", config=tiny())
        written = dp.Store._write_fields
        calls: list[str] = []

        def full(store: dp.Store, key: str, *rest: Any) -> None:
            calls.append(key)
            if len(calls) > 4:
                raise OSError(28, "No space left on device")
            written(store, key, *rest)

        monkeypatch.setattr(dp.Store, "_write_fields", full)
        with pytest.raises(CampaignError, match=r"No space left on device.*kept"):
            campaign.run(executor="serial")
        assert len(campaign.records()) == 4
        monkeypatch.undo()
        assert campaign.run(executor="serial") is StopReason.BUDGET


def test_composition_and_configuration_survive_the_journal(finished: Path) -> None:
    for record in Campaign.open(finished).records():
        assert isinstance(record.candidate.composition, Composition)
        assert isinstance(record.candidate.settings, Mapping)
        json.dumps(record.to_json())
