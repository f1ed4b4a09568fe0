"""Campaigns of the physical model: what they learn beside S and σ, where simulations fail, and their report."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynaphase import recommend, steering
from dynaphase.campaign import Campaign
from dynaphase.choice import choose
from dynaphase.cli import main
from dynaphase.composition import Composition
from dynaphase.journal import Journal
from dynaphase.materials import get_system
from dynaphase.records import Candidate, Record, RecordStatus
from dynaphase.report import evidence as evidence_module
from dynaphase.report.evidence import CURRENT, gather
from dynaphase.report.page import render
from dynaphase.rounds import Entry, Plan, Role
from dynaphase.stopping import StopReason
from tests.conftest import tiny, tiny_physical

LAGP = get_system("lagp")
REFERENCE = "Li1.5Al0.5Ge1.5(PO4)3"


class TestAFinishedCampaign:
    def test_status_names_the_fidelity(self, finished_physical: Path) -> None:
        status = Campaign.open(finished_physical).status()
        assert (status["model"], status["fidelity"]) == ("physical", "eikonal")
        assert "stepping" not in status
        assert set(status["accuracy"]) == {"stability_score", "ionic_conductivity_S_per_cm"}
        assert (status["n_failed"], status["failures"]) == (0, {})
        assert status["stopped_because"] == StopReason.BUDGET

    def test_every_candidate_carries_all_settings(self, finished_physical: Path) -> None:
        campaign = Campaign.open(finished_physical)
        for record in campaign.records():
            assert record.candidate.settings == campaign.config.settings.model_dump()
            assert record.candidate.settings["draw"] == 0
            assert {"lithium", "decomposed", "threshold"} <= set(campaign.fields(record.key))

    def test_the_critical_current_density_is_learned(
        self, finished_physical: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        campaign = Campaign.open(finished_physical)
        assert CURRENT in campaign.assessments()[-1]["accuracy_further"]
        frame = campaign.frame()
        simulated = frame[f"descriptors.{CURRENT}"]
        (item,) = campaign.predict(REFERENCE)
        predicted = item.predictions[CURRENT]
        low, high = predicted["interval_90"]
        assert low < predicted["mean"] < high
        assert predicted["mean"] == pytest.approx(10 ** predicted["log10_mean"])
        assert 0.8 * simulated.min() < predicted["mean"] < 1.25 * simulated.max()
        assert item.simulated is not None
        assert item.simulated[CURRENT] == pytest.approx(simulated[frame["role"] == "reference"].iloc[0])
        assert main(["suggest", str(finished_physical), "-n", "1", "--json"]) == 0
        assert set(json.loads(capsys.readouterr().out)[0][CURRENT]) >= {"mean", "std", "interval_90"}

    def test_the_tables_in_words_fit_a_terminal(
        self, finished_physical: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["suggest", str(finished_physical)]) == 0
        shown = capsys.readouterr().out
        table = shown[: shown.index("S from 0 to 100")]
        assert "CCD" in table
        assert "…" not in table
        assert max(map(len, table.splitlines())) <= 80
        assert main(["status", str(finished_physical)]) == 0
        assert "model physical, fidelity eikonal" in capsys.readouterr().out


@pytest.fixture(scope="module")
def page(finished_physical: Path) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence_module, "N_PER_AXIS", 9)
        patch.setattr(recommend, "N_PER_AXIS", 13)
        return render(gather(Campaign.open(finished_physical)), datetime(2026, 1, 2, tzinfo=UTC))


class TestTheReport:
    def test_it_names_the_limits_of_this_model_and_not_the_flaws_of_the_other(self, page: str) -> None:
        assert "Limits of the physical model" in page
        assert "printed equations" not in page
        assert "Do not rank" not in page
        assert "fidelity eikonal" in page

    def test_it_cites_what_this_model_rests_on(self, page: str) -> None:
        assert "10.1016/j.actamat.2005.10.032" in page
        assert "10.1016/S0377-0427(97)00219-7" not in page

    def test_it_holds_the_critical_current_density(self, page: str, finished_physical: Path) -> None:
        reference = Campaign.open(finished_physical).predict(REFERENCE)[0].simulated
        assert reference is not None
        assert f"{reference[CURRENT]:#.3g} mA/cm²" in page
        assert "Map of Critical current density" in page
        assert "simulated critical current density" in page or "Predicted against simulated critical current" in page

    def test_it_shows_the_fields_of_this_model(self, page: str) -> None:
        plates = re.findall(r'alt="microstructure, ([^"]*)"', page)
        assert len(plates) >= 4
        assert all("lithium" in text and "decomposed" in text and "threshold" in text for text in plates)
        assert "intact fraction" not in page


HOLE = "none of the host NASICON forms: there is no electrolyte to simulate"


def fail_without_host(candidate: Candidate, *, system: Any) -> Record:
    """What the physical model does on the simplex, with the paper model's speed elsewhere."""
    formula = system.formula(candidate.composition)
    if system.assemblage(candidate.composition).host_fraction > 0:
        return _evaluate(candidate, system)
    return Record(candidate, RecordStatus.FAILED, formula, reason=HOLE)


def _evaluate(candidate: Candidate, system: Any) -> Record:
    from dynaphase.evaluation import evaluate_candidate

    return evaluate_candidate(candidate, system)


def test_the_real_reason_is_the_same_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_physical()
    for amounts in ({"Li": 2, "Al": 96, "Ge": 2}, {"Li": 3, "Al": 95, "Ge": 2}):
        composition = Composition.from_amounts(amounts)
        assert LAGP.assemblage(composition).host_fraction == 0
        candidate = Candidate(composition, 0, "lagp", "physical", config.settings.model_dump())
        assert _evaluate(candidate, LAGP).reason == HOLE


def test_a_hole_in_the_simplex_is_survived_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(steering, "evaluate_candidate", fail_without_host)
    campaign = Campaign.create(
        tmp_path / "c",
        config=tiny(
            space={"sampler": "simplex"}, design={"n_initial": 24, "n_held_out": 8}, stop={"r": 0.9999, "budget": 42}
        ),
    )
    assert campaign.run(executor="serial") is StopReason.BUDGET
    status = campaign.status()
    assert status["failures"] == {HOLE: status["n_failed"]}
    assert 2 <= status["n_failed"] < status["n_records"] / 2
    learned = campaign.learned()
    hosts = [
        LAGP.assemblage(c).host_fraction for table in (learned.training, learned.held_out) for c in table.compositions
    ]
    assert min(hosts) > 0
    assert main(["status", str(tmp_path / "c")]) == 0
    assert f"failed {status['n_failed']} times: none of the host" in " ".join(capsys.readouterr().out.split())


def test_a_batch_does_not_go_back_to_where_simulations_failed(finished: Path) -> None:
    campaign = Campaign.open(finished)
    learned, config, space = campaign.learned(), campaign.config, campaign.space
    first = choose(learned, config, space, 1, Journal((), {}, (), ())).entries[0]
    (candidate,) = first.candidates(config, "lagp")
    failed = Record(candidate, RecordStatus.FAILED, "", reason="diverged")
    plan = Plan(1, (Entry(first.composition, Role.ACTIVE),))
    for records in ({failed.key: failed}, {}):  # failed, or under way
        journal = Journal((plan,), records, tuple(records), ({"n_simulations": len(records)},))
        again = [entry.composition for entry in choose(learned, config, space, 2, journal).entries]
        assert len(again) == config.rounds.batch
        assert first.composition not in again
        hole = space.to_unit([first.composition])[0]
        assert min(np.linalg.norm(space.to_unit(again) - hole, axis=1)) > 0.15
