"""Ending simulations that cannot matter: when, with what record, and that full runs stay the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import dynaphase as dp
from dynaphase import steering
from dynaphase.campaign import Campaign
from dynaphase.composition import Composition
from dynaphase.early_stop import MARGIN, EarlyStop
from dynaphase.evaluation import evaluate_candidate
from dynaphase.materials import get_system
from dynaphase.records import Candidate, Record, RecordStatus
from dynaphase.rounds import Role
from dynaphase.settings import make_settings
from dynaphase.training import value_of
from tests.conftest import tiny_physical

LAGP = get_system("lagp")
SETTINGS = make_settings("physical", {"fidelity": "eikonal"}).model_dump()
IONIC, CERAMIC = "ionic_conductivity_S_per_cm", "ceramic_conductivity_S_per_cm"


def a_record(formula: str, score: float, ionic: float, ceramic: float, seed: int = 0) -> Record:
    candidate = Candidate(Composition.parse(formula), seed, "lagp", "physical", SETTINGS)
    values = {"stability_score": score, IONIC: ionic, CERAMIC: ceramic}
    return Record(candidate, RecordStatus.DONE, formula, values)


def test_only_what_is_behind_in_everything_by_the_margin_is_stopped() -> None:
    stop = EarlyStop.beyond([a_record("Li3AlGe3", 60.0, 1e-5, 1e-4)])
    behind = {IONIC: 1e-5 / 1.6, CERAMIC: 1e-4 / 1.6}
    assert 10 ** MARGIN[1] < 1.6
    assert "Li3AlGe3 has 5.0 more" in str(stop.reason(55.0, behind))
    assert stop.reason(55.1, behind) is None
    assert stop.reason(10.0, behind | {IONIC: 1e-5}) is None
    assert stop.reason(10.0, behind | {CERAMIC: 1e-4}) is None
    assert EarlyStop.beyond([]).reason(0.0, behind) is None


def test_the_front_is_made_of_medians_over_microstructures_of_finished_runs() -> None:
    lucky = [a_record("Li3AlGe3", score, 1e-5, 1e-4, seed) for seed, score in enumerate((50.0, 52.0, 90.0))]
    dominated = a_record("LiAlGe3", 40.0, 1e-6, 1e-5)
    failed = replace(a_record("LiAlGe", 99.0, 1.0, 1.0), status=RecordStatus.FAILED)
    (best,) = EarlyStop.beyond([*lucky, dominated, failed]).front
    assert best == ("Li3AlGe3", 52.0, pytest.approx(-5.0), pytest.approx(-4.0))


@pytest.fixture(scope="module")
def full() -> Record:
    return dp.evaluate("Li1.8Al0.8Ge1.2(PO4)3", "physical", settings={"fidelity": "eikonal"})


def stopped_by(full: Record, score: float) -> Record:
    best = a_record("Li3AlGe3", score, 10 * full.values[IONIC], 10 * full.values[CERAMIC])
    return evaluate_candidate(full.candidate, LAGP, early_stop=EarlyStop.beyond([best]))


def test_a_front_that_is_not_out_of_reach_changes_nothing(full: Record) -> None:
    again = stopped_by(full, full.values["stability_score"] + MARGIN[0] - 0.1)
    assert again.is_done
    assert (again.values, again.descriptors, again.notes) == (full.values, full.descriptors, full.notes)


def test_a_run_ends_with_what_is_known_before_the_sweep(full: Record) -> None:
    """S is known after the rest, and is that of the full run; lithium's sweep is left out."""
    record = stopped_by(full, full.values["stability_score"] + MARGIN[0] + 0.1)
    assert record.status is RecordStatus.STOPPED
    assert "stopped early" in str(record.reason)
    for name in ("stability_score", IONIC, CERAMIC):
        assert record.values[name] == full.values[name]
    assert "eta_50_mV" not in record.descriptors
    assert not record.is_done
    assert not record.is_failed
    assert Record.from_json(record.to_json()) == record


def test_a_run_ends_before_the_rest_if_even_an_inert_interface_would_not_help(full: Record) -> None:
    record = stopped_by(full, 105.0 + MARGIN[0])
    assert record.status is RecordStatus.STOPPED
    assert "stability_score" not in record.values
    assert record.values[IONIC] == full.values[IONIC]
    assert record.values[CERAMIC] == full.values[CERAMIC]
    assert set(record.descriptors) == {"grain_size_nm", "void_fraction"}
    assert value_of(record, "stability_score") != value_of(record, "stability_score"), "NaN: unknown"
    assert record.cpu_seconds < full.cpu_seconds


def test_only_what_an_acquisition_chose_may_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Candidate, EarlyStop | None]] = []

    def invented(candidate: Candidate, *, system: Any, early_stop: EarlyStop | None = None) -> Record:
        asked.append((candidate, early_stop))
        x, delta = system.coordinates(candidate.composition)
        formula = system.formula(candidate.composition)
        values = {IONIC: 1e-5 * (1 + x), CERAMIC: 1e-4 * (1 + x)}
        if early_stop is not None and len([1 for _, stop in asked if stop is not None]) == 1:
            return Record(candidate, RecordStatus.STOPPED, formula, values, reason="stopped early: far behind")
        values["stability_score"] = 60 - 20 * x - delta
        return Record(candidate, RecordStatus.DONE, formula, values, {"critical_current_density_mA_per_cm2": 1 + x})

    monkeypatch.setattr(steering, "evaluate_candidate", invented)
    config = tiny_physical(
        surrogate={"features": "coordinates"},
        rounds={"batch": 2, "n_pool": 64, "n_confirm": 1, "acquisition": "hypervolume", "early_stop": True},
    )
    campaign = Campaign.create(tmp_path / "c", config=config)
    campaign.run(executor="serial")
    roles = {c.key: r for plan in campaign.plans() for c, r in plan.candidates_with_roles(config, "lagp")}
    assert {roles[c.key] for c, stop in asked if stop is not None} == {Role.ACTIVE}
    assert all(stop is not None for c, stop in asked if roles[c.key] is Role.ACTIVE)
    status = campaign.status()
    assert (status["n_stopped_early"], status["n_failed"], status["failures"]) == (1, 0, {})
    learned = campaign.learned()
    (row,) = [i for i, y in enumerate(learned.training.Y) if y[0] != y[0]]
    assert learned.training.Y[row][1] > 0, "its σ is learned from"
