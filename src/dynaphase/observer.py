"""Whoever watches a campaign run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynaphase.records import Record
from dynaphase.rounds import Plan
from dynaphase.stopping import Verdict

__all__ = ["Observer"]


class Observer:
    """What a run tells while it goes on; override what you want to see."""

    def planned(self, plan: Plan, n_open: int, n_total: int) -> None:
        """A round begins: `n_open` of its `n_total` simulations have no record yet.

        Under asynchronous steering a round's plan grows: this is called again, with all that was asked for so far,
        each time a composition was chosen.  Records of the rounds before it may still come.
        """

    def finished(self, record: Record) -> None:
        """A simulation ended."""

    def lost(self, formula: str, reason: str) -> None:
        """A simulation gave no result because its worker died; running the campaign again tries it again."""

    def assessed(self, assessment: Mapping[str, Any]) -> None:
        """The surrogate was fitted and judged."""

    def drawing(self, n_open: int, n_total: int) -> None:
        """Recommendations and reference are simulated under draws: `n_open` of `n_total` are still to be made."""

    def stopped(self, verdict: Verdict) -> None:
        """The campaign ended, and why."""
