"""What a campaign shows while it runs: bars that say what was asked for and what has come."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from dynaphase.campaign import Campaign
from dynaphase.composition import Composition
from dynaphase.display_progress import CampaignDisplay, campaign_progress
from dynaphase.materials import get_system
from dynaphase.records import Record
from dynaphase.rounds import Entry, Plan, Role
from tests.conftest import tiny
from tests.test_steering import ReorderingWorkers, asynchronous, invention

__all__ = ["invention"]

LAGP = get_system("lagp")


class CheckedDisplay(CampaignDisplay):
    """Compares every bar with the journal whenever something happens."""

    def __init__(self, campaign: Campaign, progress: Progress) -> None:
        super().__init__(campaign, progress)
        self.campaign = campaign
        self.seen: set[tuple[int, int]] = set()

    def planned(self, plan: Plan, n_open: int, n_total: int) -> None:
        super().planned(plan, n_open, n_total)
        self.check()

    def finished(self, record: Record) -> None:
        super().finished(record)
        self.check()

    def check(self) -> None:
        known = {record.key for record in self.campaign.records()}
        bars = {task.id: task for task in self._progress.tasks}
        for plan in self.campaign.plans():
            if plan.number not in self._bars:
                continue
            bar = bars[self._bars[plan.number]]
            keys = [candidate.key for candidate in plan.candidates(self.campaign.config, "lagp")]
            n_done = sum(key in known for key in keys)
            assert (bar.completed, bar.total) == (n_done, len(keys))
            assert bar.fields["open"] == (f", {len(keys) - n_done} open" if n_done < len(keys) else "")
            self.seen.add((plan.number, len(keys)))


@pytest.mark.usefixtures("invention")
@pytest.mark.parametrize("steering", ["asynchronous", "batches"])
def test_bars_count_what_was_asked_for_and_what_has_come(tmp_path: Path, steering: str) -> None:
    config = asynchronous(
        design={"n_initial": 10, "n_held_out": 6, "n_replicates": 2},
        rounds={"steering": steering, "refit_every": 2, "batch": 3, "n_pool": 64, "n_confirm": 2},
        stop={"r": 0.9999, "budget": 54, "patience": 100},
    )
    campaign = Campaign.create(tmp_path / "c", config=config)
    with Progress(console=Console(file=io.StringIO())) as progress:
        display = CheckedDisplay(campaign, progress)
        campaign.run(executor=ReorderingWorkers(3), observer=display)
    assert (1, 2 if steering == "asynchronous" else 6) in display.seen
    assert max(number for number, _ in display.seen) > 2


def shown(draw: Any, width: int = 80) -> list[str]:
    campaign = Campaign.__new__(Campaign)
    campaign.config, campaign.system = tiny(), LAGP
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    with campaign_progress(campaign, console) as display:
        draw(display)
        display._progress.refresh()
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def plan(number: int, n: int, role: Role = Role.ACTIVE) -> Plan:
    return Plan(
        number, tuple(Entry(Composition.from_amounts({"Li": 20 + i, "Al": 5, "Ge": 9}), role) for i in range(n))
    )


def test_the_longest_bar_fits_80_columns() -> None:
    def draw(display: CampaignDisplay) -> None:
        display.planned(plan(12, 8, Role.CONFIRMATION), 1234, 1300)
        display.drawing(1234, 1300)

    last = [line for line in shown(draw) if "1300" in line]
    assert any("draws of the parameters" in line and "66/1300, 1234 open" in line for line in last)
    assert all("…" not in line for line in last)


def test_full_bars_become_lines_so_that_the_present_one_stays_in_sight() -> None:
    def draw(display: CampaignDisplay) -> None:
        for number in range(1, 60):
            display.planned(plan(number, 2), 0, 2)
        assert len(display._progress.tasks) == 1

    assert any("round 3: most uncertain: 2 of 2 in 0:00:00" in line for line in shown(draw))


def test_what_is_said_of_a_fit_is_a_line() -> None:
    def draw(display: CampaignDisplay) -> None:
        accuracy: Mapping[str, Any] = {name: {"r": 0.9, "nrmse": 0.1} for name in ("S", "sigma")}
        display.assessed({"accuracy": accuracy, "n_training": 10})

    said = "10 compositions learned.  S: r 0.900 nRMSE 0.100;  σ: r 0.900 nRMSE 0.100"
    assert any(said in line for line in shown(draw))
