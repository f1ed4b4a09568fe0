"""What a campaign shows while it runs: one bar a round, one line for what is over, learned or lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from dynaphase.display import print_lines, why_stopped
from dynaphase.observer import Observer

if TYPE_CHECKING:
    from rich.console import Console

    from dynaphase.campaign import Campaign
    from dynaphase.records import Record
    from dynaphase.rounds import Plan
    from dynaphase.stopping import Verdict

__all__ = ["CampaignDisplay", "campaign_progress"]

_PURPOSES: Final[dict[str, str]] = {
    "max-variance": "most uncertain",
    "integrated-variance": "most informative",
    "hypervolume": "towards the goal",
    "expected-improvement": "towards the goal",
    "thompson": "towards the goal",
    "random": "random",
    "sobol": "evenly spread",
}
"""What an acquisition chooses compositions for."""


class CampaignDisplay(Observer):
    """Bars and lines of one run.

    A bar counts the simulations of its round: those that have ended, out of those that were asked for.  A record
    advances the bar of the round that asked for it, which under asynchronous steering need not be the last one; there
    a round's total grows with every composition that is chosen.
    """

    def __init__(self, campaign: Campaign, progress: Progress) -> None:
        self._config = campaign.config
        self._system = campaign.system.name
        self._progress = progress
        self._bars: dict[int, TaskID] = {}
        self._awaited: dict[str, TaskID] = {}
        self._draws: TaskID | None = None
        self._reasons: set[str] = set()

    def planned(self, plan: Plan, n_open: int, n_total: int) -> None:
        """A bar for a round that begins, a longer one for a round that has grown."""
        if plan.number in self._bars:
            bar = self._bars[plan.number]
            self._progress.update(bar, total=n_total, completed=n_total - n_open, open=_open(n_open))
        else:
            self._settle()
            self._bars[plan.number] = self._bar(self._name(plan), n_open, n_total)
        for candidate in plan.candidates(self._config, self._system):
            self._awaited[candidate.key] = self._bars[plan.number]

    def finished(self, record: Record) -> None:
        """The record's bar advances; a new reason of failing is shown."""
        bar = self._awaited.pop(record.key, self._draws)
        if bar is not None:
            self._advance(bar)
        if record.is_failed and (record.reason or "") not in self._reasons:  # each once; status counts them
            self._reasons.add(record.reason or "")
            self._say(f"failed: {record.formula}: {record.reason or ''}")

    def lost(self, formula: str, reason: str) -> None:
        """A line: its bar stays incomplete."""
        self._say(f"lost, run again to retry: {formula}: {reason}")

    def assessed(self, assessment: Mapping[str, Any]) -> None:
        """How well the held-out compositions are predicted."""
        self._settle()
        text = ";  ".join(
            f"{symbol}: r {a['r']:.3f} nRMSE {a['nrmse']:.3f}"
            for symbol, a in zip("Sσ", assessment["accuracy"].values(), strict=True)
        )
        self._say(f"{assessment['n_training']} compositions learned.  {text}")

    def drawing(self, n_open: int, n_total: int) -> None:
        """A bar for the simulations under draws."""
        self._settle()
        self._draws = self._bar("draws of the parameters", n_open, n_total)

    def stopped(self, verdict: Verdict) -> None:
        """Why the campaign stopped."""
        self._settle()
        self._say(why_stopped(verdict.reason.value, verdict.words))

    def _name(self, plan: Plan) -> str:
        if plan.number == 0:
            return "first design"
        what = "confirmation" if plan.is_confirmation else _PURPOSES.get(self._acquisition, "chosen")
        return f"round {plan.number}: {what}"

    @property
    def _acquisition(self) -> str:
        return self._config.rounds.acquisition

    def _bar(self, name: str, n_open: int, n_total: int) -> TaskID:
        return self._progress.add_task(name, total=n_total, completed=n_total - n_open, open=_open(n_open))

    def _advance(self, bar: TaskID) -> None:
        task = next(task for task in self._progress.tasks if task.id == bar)
        n_open = round((task.total or 0) - task.completed) - 1
        self._progress.update(bar, advance=1, open=_open(n_open))

    def _settle(self) -> None:
        """Bars that are full become lines: where there are more bars than the terminal has rows the last are unseen."""
        for task in list(self._progress.tasks):
            if task.total is not None and task.completed >= task.total:
                self._progress.remove_task(task.id)
                self._bars = {number: bar for number, bar in self._bars.items() if bar != task.id}
                count = f"{task.completed:.0f} of {task.total:.0f}"
                self._progress.console.print(f"{task.description}: {count} in {_duration(task.finished_time or 0.0)}")

    def _say(self, text: str) -> None:
        print_lines([f"  {text}"], self._progress.console)


def _open(n: int) -> str:
    return f", {n} open" if n else ""


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


@contextmanager
def campaign_progress(campaign: Campaign, console: Console) -> Iterator[CampaignDisplay]:
    """The display of one run of a campaign."""
    columns: tuple[ProgressColumn, ...] = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.completed:.0f}/{task.total:.0f}{task.fields[open]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield CampaignDisplay(campaign, progress)
