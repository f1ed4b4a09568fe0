"""Where a campaign stands, in words: what is open, how to go on, lines that fit the terminal."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import dynaphase as dp
from dynaphase.campaign import Campaign
from dynaphase.cli import main
from dynaphase.display import describe_savings, describe_status, print_lines
from dynaphase.errors import Interrupted
from dynaphase.records import Record
from tests.conftest import tiny
from tests.test_campaign import start, wait_for_records
from tests.test_steering import asynchronous, invention

__all__ = ["invention"]

STATE: dict[str, Any] = {
    "n_records": 20, "n_failed": 0, "n_planned": 23, "round": 1, "model": "physical", "fidelity": "128", "failures": {},
    "accuracy": {}, "stopped_because": None, "is_running": False, "n_open": 3, "n_open_compositions": 1,
    "n_open_draws": 0,
}  # fmt: skip


class StopsAfter(dp.Observer):
    """Presses Ctrl-C at the n-th record."""

    def __init__(self, n: int) -> None:
        self.n = n

    def finished(self, record: Record) -> None:
        self.n -= 1
        if self.n == 0:
            raise KeyboardInterrupt


def test_a_new_campaign_says_how_to_begin(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    Campaign.create(tmp_path / "c d", config=tiny())
    assert main(["status", str(tmp_path / "c d")]) == 0
    assert f"not begun; start it with 'dynaphase run '{tmp_path}/c d''" in capsys.readouterr().out


@pytest.mark.usefixtures("invention")
def test_an_interrupted_campaign_says_what_is_open_and_how_to_go_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = asynchronous(design={"n_initial": 10, "n_held_out": 6, "n_replicates": 2}, stop={"budget": 54})
    campaign = Campaign.create(tmp_path / "c", config=config)
    with pytest.raises(Interrupted):
        campaign.run(executor="serial", observer=StopsAfter(27))
    status = campaign.status()
    assert (status["n_records"], status["n_open"], status["n_open_compositions"]) == (27, 7, 4)
    assert not status["is_running"]
    assert main(["status", str(tmp_path / "c")]) == 0
    shown = capsys.readouterr().out
    assert "stopped because: interrupted" in shown
    assert f"7 simulations of 4 compositions open; go on with 'dynaphase run {tmp_path}/c'" in shown
    campaign.run(executor="serial")
    assert campaign.status()["n_open"] == 0
    assert "open" not in " ".join(describe_status(campaign.status()))


def test_a_killed_campaign_says_what_is_open_and_how_to_go_on(tmp_path: Path) -> None:
    directory = tmp_path / "killed"
    Campaign.create(directory, config=tiny(design={"n_initial": 200, "n_held_out": 6}, stop={"budget": 900}))
    process = start(directory)
    wait_for_records(directory, 2, process)
    running = Campaign.open(directory).status()
    assert running["is_running"]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    status = Campaign.open(directory).status()
    assert status["n_open"] == status["n_planned"] - status["n_records"] > 100
    lines = describe_status(status, directory)
    assert "not running and not finished: it was ended from outside" in lines
    assert any(f"compositions open; go on with 'dynaphase run {directory}'" in line for line in lines)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"is_running": True}, "running: 3 simulations of 1 composition open"),
        ({"is_running": True, "n_open": 0}, "running: all that was asked for is recorded; learning"),
        ({"n_open": 0}, "all that was asked for is recorded; go on with 'dynaphase run DIR'"),
        (
            {"n_open": 0, "n_open_draws": 1},
            "1 simulation under draws of the uncertain parameters open; go on with 'dynaphase run DIR'",
        ),
        (
            {"stopped_because": "budget"},
            "3 simulations of 1 composition open: no result yet; 'dynaphase run DIR' tries again",
        ),
    ],
)
def test_what_is_open_in_words(changes: dict[str, Any], said: str) -> None:
    assert said in describe_status(STATE | changes)


def printed(lines: list[str], *, is_terminal: bool) -> list[str]:
    console = Console(file=io.StringIO(), width=80, force_terminal=is_terminal, color_system=None)
    print_lines(lines, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_long_lines_go_on_indented_on_a_terminal_and_stay_whole_in_a_file() -> None:
    saving = {"target": "stability_score", "ratio": None, "note": "the first design has 8 [of] 12 " * 3}
    lines = describe_savings([saving])
    assert printed(lines, is_terminal=False) == lines
    on_terminal = printed(lines, is_terminal=True)
    assert on_terminal[0] == "random search would have needed, in compositions"
    assert on_terminal[1].startswith("  for the accuracy of S: cannot be said: ")
    assert len(on_terminal) > 2
    assert all(line.startswith("    ") and len(line) <= 80 for line in on_terminal[2:])
    assert " ".join(" ".join(on_terminal).split()) == " ".join(" ".join(lines).split())
