"""Asynchronous steering: delayed, reordered, duplicated results, dead workers, killed drivers, resumption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dynaphase as dp
from dynaphase import steering
from dynaphase.campaign import Campaign
from dynaphase.composition import Composition
from dynaphase.config import CampaignConfig
from dynaphase.errors import Interrupted
from dynaphase.executors import SerialWorkers, run_all
from dynaphase.materials import get_system
from dynaphase.records import Candidate, Record, RecordStatus
from dynaphase.rounds import Role
from dynaphase.stopping import StopReason
from dynaphase.store import Store
from tests.conftest import tiny

LAGP = get_system("lagp")


def asynchronous(**changes: Any) -> CampaignConfig:
    content: dict[str, Any] = {
        "surrogate": {"features": "coordinates"},
        "rounds": {"steering": "asynchronous", "refit_every": 3, "n_pool": 64, "n_confirm": 2},
        "stop": {"r": 0.9999, "budget": 27, "patience": 100},
    }
    return tiny(**(content | changes))


def invented(candidate: Candidate, *, system: Any) -> Record:
    """A landscape without simulation: smooth in the composition, with a little scatter by seed."""
    x, delta = system.coordinates(candidate.composition)
    scatter = 0.02 * np.random.default_rng(candidate.seed).standard_normal()
    values = {
        "stability_score": 50 + 20 * np.sin(3 * x) - 30 * delta**2 + scatter,
        "ionic_conductivity_S_per_cm": 1e-4 * np.exp(-8 * (x - 0.5) ** 2 - 3 * abs(delta) + scatter),
    }
    values["ceramic_conductivity_S_per_cm"] = 3 * values["ionic_conductivity_S_per_cm"]
    formula = system.formula(candidate.composition)
    return Record(candidate, RecordStatus.DONE, formula, {name: float(v) for name, v in values.items()})


@pytest.fixture
def invention(monkeypatch: pytest.MonkeyPatch, quick_learner: None) -> None:
    monkeypatch.setattr(steering, "evaluate_candidate", invented)


@dataclass
class ReorderingWorkers:
    """Finishes what it was given in a random order, one task whenever it is looked at; counts what it was given."""

    n_workers: int = 3
    seed: int = 0
    given: list[Any] = field(default_factory=list)
    most_at_once: int = 0

    def start(self) -> Executor:
        return _Reordering(self)

    def stop(self, executor: Executor) -> None:
        pass


class _Reordering(Executor):
    def __init__(self, workers: ReorderingWorkers) -> None:
        self.workers = workers
        self.rng = np.random.default_rng([workers.seed, len(workers.given)])
        self.open: dict[Future[Any], Callable[[], Any]] = {}

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        future: Future[Any] = Future()
        if not args:  # the first call only proves that the executor lives
            future.set_result(fn())
            return future
        self.workers.given.append(args[0])
        self.open[future] = lambda: fn(*args, **kwargs)
        self.workers.most_at_once = max(self.workers.most_at_once, len(self.open))
        if len(self.open) == self.workers.n_workers or self.rng.random() < 0.2:
            self.finish_one()
        else:
            threading.Timer(0.02, self.finish_one).start()
        return future

    def finish_one(self) -> None:
        waiting = [future for future in self.open if not future.done()]
        if waiting:
            future = waiting[int(self.rng.integers(len(waiting)))]
            future.set_result(self.open.pop(future)())


def choices(directory: Path) -> list[Any]:
    return [plan.to_json() for plan in Campaign.open(directory).plans()]


def records(directory: Path) -> dict[str, Any]:
    return {record.key: dict(record.values) for record in Campaign.open(directory).records()}


def planned_keys(campaign: Campaign) -> list[str]:
    return [c.key for plan in campaign.plans() for c in plan.candidates(campaign.config, "lagp")]


class TestTasksAreAskedForLate:
    def test_a_task_may_depend_on_every_result_so_far(self) -> None:
        results: list[int] = []

        def tasks() -> Any:
            for _ in range(5):
                yield sum(results) + 1

        for result in run_all(SerialWorkers(), abs, tasks(), _raise, _raise, n_in_flight=1):
            results.append(result)
        assert results == [1, 2, 4, 8, 16]

    def test_no_more_are_taken_than_slots_are_free(self) -> None:
        taken: list[int] = []

        def tasks() -> Any:
            for number in range(6):
                taken.append(number)
                yield number

        seen = []
        for _ in run_all(SerialWorkers(), abs, tasks(), _raise, _raise, n_in_flight=2):
            seen.append(len(taken))
        assert seen == [2, 2, 4, 4, 6, 6]


def _raise(task: object, reason: str) -> Any:
    raise AssertionError((task, reason))


@pytest.mark.usefixtures("invention")
class TestSerial:
    def test_each_choice_is_one_composition_and_a_round_is_what_lies_between_two_fits(self, tmp_path: Path) -> None:
        campaign = Campaign.create(tmp_path / "c", config=asynchronous())
        assert campaign.run(executor="serial") is StopReason.BUDGET
        with_roles = [[role for _, role in plan.asked] for plan in campaign.plans()]
        assert [roles.count(Role.ACTIVE) for roles in with_roles] == [0, 3, 3, 2, 0]
        assert with_roles[-1][0] is Role.CONFIRMATION
        assert len(campaign.assessments()) == 5
        store = Store(tmp_path / "c", is_read_only=True)
        sizes = [len(event.content["asked"]) for event in store.events("planned")]
        store.close()
        assert sizes[1:-1] == [1] * 8, "every choice was written down by itself"
        status = campaign.status()
        assert status["n_records"] == status["n_planned"] <= 27

    def test_replicates_are_one_piece_of_work(self, tmp_path: Path) -> None:
        config = asynchronous(
            design={"n_initial": 10, "n_held_out": 6, "n_replicates": 2}, stop={"r": 0.9999, "budget": 52}
        )
        campaign = Campaign.create(tmp_path / "c", config=config)
        campaign.run(executor="serial")
        fits = [a["n_simulations"] for a in campaign.assessments()]
        assert fits[:3] == [34, 40, 46], "3 results of 2 simulations between two fits"

    @pytest.mark.parametrize("n_before", [3, 19, 22])
    def test_resuming_makes_the_same_choices_and_records(self, tmp_path: Path, n_before: int) -> None:
        Campaign.create(tmp_path / "whole", config=asynchronous()).run(executor="serial")

        class Killed(dp.Observer):
            n = 0

            def finished(self, record: Record) -> None:
                self.n += 1
                if self.n == n_before:
                    raise KeyboardInterrupt

        campaign = Campaign.create(tmp_path / "broken", config=asynchronous())
        with pytest.raises(Interrupted):
            campaign.run(executor="serial", observer=Killed())
        Campaign.open(tmp_path / "broken").run(executor="serial")
        assert choices(tmp_path / "broken") == choices(tmp_path / "whole")
        assert records(tmp_path / "broken") == records(tmp_path / "whole")

    def test_more_budget_goes_on(self, tmp_path: Path) -> None:
        campaign = Campaign.create(tmp_path / "c", config=asynchronous(stop={"r": 0.9999, "budget": 22}))
        campaign.run(executor="serial")
        before = choices(tmp_path / "c")
        (tmp_path / "c" / "campaign.toml").write_text(asynchronous().to_toml(), encoding="utf-8")
        assert Campaign.open(tmp_path / "c").run(executor="serial") is StopReason.BUDGET
        after = choices(tmp_path / "c")
        assert after[: len(before)] == before
        assert len(after) > len(before)


@pytest.mark.usefixtures("invention")
class TestAnyOrder:
    @pytest.mark.parametrize("seed", [0, 1])
    def test_late_and_reordered_results_are_each_kept_once(self, tmp_path: Path, seed: int) -> None:
        workers = ReorderingWorkers(seed=seed)
        campaign = Campaign.create(tmp_path / "c", config=asynchronous())
        assert campaign.run(executor=workers) is StopReason.BUDGET
        keys = planned_keys(campaign)
        assert len(keys) == len(set(keys))
        assert {record.key for record in campaign.records()} == set(keys)
        given = [task.candidate.key for task in workers.given]
        assert sorted(given) == sorted(keys), "each was handed over exactly once"
        for record in campaign.records():
            assert dict(record.values) == dict(invented(record.candidate, system=LAGP).values)

    def test_batches_do_not_depend_on_the_order(self, tmp_path: Path) -> None:
        config = tiny(surrogate={"features": "coordinates"})
        for name, workers in (("a", ReorderingWorkers(seed=1)), ("b", ReorderingWorkers(2, seed=2)), ("c", "serial")):
            Campaign.create(tmp_path / name, config=config).run(executor=workers)  # type: ignore[arg-type]
        assert choices(tmp_path / "a") == choices(tmp_path / "b") == choices(tmp_path / "c")
        assert records(tmp_path / "a") == records(tmp_path / "b") == records(tmp_path / "c")

    def test_everything_chosen_is_in_the_journal_before_it_is_handed_over(self, tmp_path: Path) -> None:
        directory = tmp_path / "c"
        campaign = Campaign.create(directory, config=asynchronous())

        class Suspicious(ReorderingWorkers):
            def start(self) -> Executor:
                executor = super().start()
                submit = executor.submit

                def checked(fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
                    if args:
                        assert args[0].candidate.key in planned_keys(campaign)
                    return submit(fn, *args, **kwargs)

                executor.submit = checked  # type: ignore[method-assign]
                return executor

        assert campaign.run(executor=Suspicious()) is StopReason.BUDGET

    def test_a_choice_is_conditioned_on_what_is_under_way(self, tmp_path: Path) -> None:
        """Six under way at once, chosen with the same fit: were each chosen alone, they would sit in one corner."""
        config = asynchronous(
            rounds={"steering": "asynchronous", "refit_every": 50, "n_pool": 512, "n_confirm": 0},
            stop={"r": 0.9999, "budget": 23, "patience": 100},
        )
        campaign = Campaign.create(tmp_path / "c", config=config)
        campaign.run(executor=ReorderingWorkers(6, seed=3))
        active = [c for plan in campaign.plans() for c, role in plan.asked if role is Role.ACTIVE]
        X = campaign.space.to_unit(active)
        distances = np.linalg.norm(X[:, None] - X[None], axis=2)[np.triu_indices(len(X), 1)]
        assert len(active) == 6
        assert distances.min() > 0.08

    def test_a_duplicate_that_comes_later_changes_nothing(self, tmp_path: Path) -> None:
        campaign = Campaign.create(tmp_path / "c", config=asynchronous())
        campaign.run(executor="serial")
        before = records(tmp_path / "c")
        store = Store(tmp_path / "c")
        arrivals = store.arrivals()
        for record in campaign.records()[:5]:
            store.add(Record(record.candidate, RecordStatus.FAILED, record.formula, reason="a late copy"))
        assert store.arrivals() == arrivals
        store.close()
        assert records(tmp_path / "c") == before


def die_once(candidate: Candidate, *, system: Any) -> Record:
    """Kills its worker the first time a composition rich in germanium is asked for."""
    mark = Path(os.environ["DYNAPHASE_TEST_MARK"])
    if candidate.composition["Ge"] > 0.4 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01)
    return invented(candidate, system=system)


@pytest.mark.usefixtures("quick_learner")
def test_a_worker_that_dies_takes_no_choice_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNAPHASE_TEST_MARK", str(tmp_path / "mark"))
    monkeypatch.setattr(steering, "evaluate_candidate", die_once)
    campaign = Campaign.create(tmp_path / "c", config=asynchronous())
    assert campaign.run(n_workers=2) is StopReason.BUDGET
    assert (tmp_path / "mark").exists()
    counts = Counter(planned_keys(campaign))
    assert set(counts.values()) == {1}
    assert {record.key for record in campaign.records()} == set(counts)


def invented_slowly(candidate: Candidate, *, system: Any) -> Record:
    time.sleep(0.1)
    return invented(candidate, system=system)


RUN = """
import sys
from dynaphase import steering
from dynaphase.cli import main
from dynaphase.surrogate import ladder
from tests.test_steering import invented_slowly

if __name__ == "__main__":
    ladder._RUNGS[ladder.Rung.OPTIMISED] = ladder._prior_medians
    steering.evaluate_candidate = invented_slowly
    sys.exit(main(["run", sys.argv[1], "--workers", "2"]))
"""


@pytest.mark.usefixtures("invention")
def test_killed_three_times_each_candidate_is_there_once(tmp_path: Path) -> None:
    """The command itself with worker processes: SIGKILL in the first design and twice while choices are under way."""
    directory = tmp_path / "killed"
    Campaign.create(directory, config=asynchronous())
    deadline = time.monotonic() + 240
    for n in (4, 19, 22):
        with (tmp_path / "output").open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", RUN, str(directory)],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=Path(__file__).parents[1],
            )
        try:
            while (found := _count(directory)) < n:
                assert process.poll() is None, (tmp_path / "output").read_text()
                assert time.monotonic() < deadline, found
                time.sleep(0.05)
        finally:
            process.kill()
            process.wait()
    campaign = Campaign.open(directory)
    pending = set(planned_keys(campaign)) - {record.key for record in campaign.records()}
    assert campaign.run(executor="serial") is StopReason.BUDGET
    keys = planned_keys(campaign)
    assert len(keys) == len(set(keys))
    assert {record.key for record in campaign.records()} == set(keys) >= pending
    assert all(record.is_done for record in campaign.records())


def _count(directory: Path) -> int:
    store = Store(directory, is_read_only=True)
    try:
        return len(store.keys())
    finally:
        store.close()


@pytest.mark.usefixtures("invention")
def test_what_was_under_way_is_taken_up_first(tmp_path: Path) -> None:
    campaign = Campaign.create(tmp_path / "c", config=asynchronous())

    class Killed(dp.Observer):
        n = 0

        def finished(self, record: Record) -> None:
            self.n += 1
            if self.n == 20:
                raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        campaign.run(executor=ReorderingWorkers(3, seed=5), observer=Killed())
    kept = {record.key for record in campaign.records()}
    pending = [key for key in planned_keys(campaign) if key not in kept]
    assert pending
    workers = ReorderingWorkers(3, seed=6)
    Campaign.open(tmp_path / "c").run(executor=workers)
    assert [task.candidate.key for task in workers.given[: len(pending)]] == pending


def test_seeds_of_their_own_are_the_same_whenever_a_composition_is_asked_for(tmp_path: Path) -> None:
    from dynaphase.rounds import Entry

    config = tiny(
        design={"n_initial": 10, "n_held_out": 6, "n_replicates": 3, "seeds": "independent"}, stop={"budget": 90}
    )
    one, other = LAGP.reference, Composition.parse("Li1.3Al0.3Ge1.7(PO4)3")
    seeds = {c: [x.seed for x in Entry(c, Role.ACTIVE).candidates(config, "lagp")] for c in (one, other)}
    assert len({*seeds[one], *seeds[other]}) == 6
    again = [x.seed for x in Entry(one, Role.CONFIRMATION).candidates(config, "lagp")]
    assert again == seeds[one]
    elsewhere = config.model_copy(update={"seed": 1})
    assert {x.seed for x in Entry(one, Role.ACTIVE).candidates(elsewhere, "lagp")}.isdisjoint(again)
