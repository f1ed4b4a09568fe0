"""What a running campaign does next: simulate, learn, choose, stop; in batches, or whenever a worker is free.

Batches: a round is chosen, all of it is simulated, the surrogate is fitted, the next round is chosen.  Workers wait for
the slowest simulation of each round.

Asynchronous: a worker that is free gets the next composition at once.  It is chosen with the surrogate as it was
fitted last, conditioned on everything that is under way or has come since; when `refit_every` results have come the
surrogate is fitted anew and a new round begins.

Both write every choice to the journal before any of it is simulated, and both decide from the journal alone: what was
chosen, which records came, in which order.  So a run that is killed at any point goes on as if nothing had happened.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from dynaphase.assessment import assess_further
from dynaphase.choice import choose
from dynaphase.config import CampaignConfig
from dynaphase.early_stop import EarlyStop
from dynaphase.evaluation import evaluate_candidate
from dynaphase.executors import Workers, run_all
from dynaphase.failures import report_failures
from dynaphase.journal import Journal, read_journal
from dynaphase.learner import Learner
from dynaphase.levels import costs_of, is_top, measured_costs, n_weighed
from dynaphase.observer import Observer
from dynaphase.recommend import recommend
from dynaphase.records import Candidate, Record, RecordStatus
from dynaphase.robustness import draw_candidates
from dynaphase.rounds import Entry, Plan, Role, initial_plan, next_plan
from dynaphase.savings import saved_for_accuracy, saved_for_optimum
from dynaphase.space import CompositionSpace
from dynaphase.stopping import StopReason, Verdict, verdict
from dynaphase.store import Store
from dynaphase.training import JUDGED

__all__ = ["Steering"]


class Task(NamedTuple):
    """One simulation, as a worker gets it."""

    candidate: Candidate
    early_stop: EarlyStop | None = None


@dataclass(frozen=True)
class Steering:
    """One run of a campaign, from its present state until it stops by itself."""

    config: CampaignConfig
    space: CompositionSpace
    store: Store
    workers: Workers
    observer: Observer
    check: Callable[[], None]
    """Raises KeyboardInterrupt if an interruption came that a library dropped."""
    learner: Learner
    lost: set[str] = field(default_factory=set)
    """Keys of simulations whose workers died in this run: not to be tried again before the next one."""

    def run(self) -> StopReason:
        """See `dynaphase.Campaign.run`."""
        self.store.log("started", {"pid": os.getpid(), "n_workers": self.workers.n_workers})
        if not self.store.events("planned"):
            plan = initial_plan(self.config, self.space, self.space.system.reference)
            self.store.log("planned", plan.to_json())
        if assessments := self._journal().assessments:
            self.observer.assessed(assessments[-1])
        while True:
            self.check()
            plan = self._journal().plans[-1]
            if self._is_asynchronous and plan.is_active:
                self._simulate(self._chosen_when_free(), n_in_flight=self.workers.n_workers)
            else:
                self._simulate(self._planned())
            journal = self._journal()
            number = journal.plans[-1].number
            if len(journal.assessments) <= number:
                self._assess(number)
                journal = self._journal()
            found = self._verdict(journal)
            following = self._following(journal, found)
            if found is None and following is not None and not following.entries:
                found = Verdict(StopReason.NO_GAIN, "every composition that may be chosen was simulated")
                following = self._following(journal, found)
            if following is not None:
                self.store.log("planned", following.to_json())
            elif found is not None:
                self._conclude(journal)
                self.store.log("stopped", {"reason": found.reason.value, "words": found.words})
                self.observer.stopped(found)
                return found.reason

    # --- what to simulate --------------------------------------------------------------------------------

    @property
    def _is_asynchronous(self) -> bool:
        return self.config.rounds.steering == "asynchronous"

    def _planned(self) -> Iterator[Task]:
        """What was planned and has no record, round by round: also what was lost with a worker in an earlier run."""
        journal = self._journal()
        for plan in journal.plans:
            missing = list(self._tasks(journal, plan.entries))
            if missing:
                self._announce(journal, plan.number)
            yield from missing

    def _chosen_when_free(self) -> Iterator[Task]:
        """What is planned already; then, each time the next one is asked for, what is best to simulate now.

        Ends when the campaign has a reason to stop.
        """
        yield from self._planned()
        while True:
            self.check()
            journal = self._journal()
            if self._n_results(journal) >= self.config.rounds.refit_every:
                self._assess(journal.plans[-1].number)
                journal = self._journal()
            number = len(journal.assessments)
            if self._verdict(journal) is not None:
                return
            plan = self._chosen(journal, number)
            if not plan.entries:
                return
            self.store.log("planned", plan.to_json())
            self._announce(self._journal(), number)
            yield from self._tasks(journal, plan.entries)

    def _announce(self, journal: Journal, number: int) -> None:
        """Tell the observer what round `number` asks for so far, and how much of it has no record."""
        plan = next(plan for plan in journal.plans if plan.number == number)
        keys = [candidate.key for candidate in plan.candidates(self.config, self._system)]
        self.observer.planned(plan, sum(key not in journal.records for key in keys), len(keys))

    def _n_results(self, journal: Journal) -> int:
        """Pieces of work that were finished since the surrogate was fitted last; replicates belong together."""
        learned = set(journal.arrivals[: journal.n_learned])
        n = 0
        for plan in journal.plans:
            for entry in plan.entries:
                keys = {candidate.key for candidate in entry.candidates(self.config, self._system)}
                n += journal.records.keys() >= keys and not learned >= keys
        return n

    def _simulate(self, tasks: Iterator[Task], n_in_flight: int | None = None) -> None:
        function = partial(_evaluated, evaluate=partial(evaluate_candidate, system=self.space.system))
        for outcome in run_all(self.workers, function, tasks, self._failed, _lost, n_in_flight=n_in_flight):
            if isinstance(outcome, Record):
                self.store.add(outcome)
                self.observer.finished(outcome)
            else:  # no record: the next run tries it again
                self.lost.add(outcome["key"])
                self.store.log("lost", outcome)
                self.observer.lost(outcome["formula"], outcome["reason"])
            self.check()

    def _failed(self, task: Task, reason: str) -> Record:
        formula = self.space.system.formula(task.candidate.composition)
        return Record(task.candidate, RecordStatus.FAILED, formula, reason=reason)

    def _tasks(self, journal: Journal, entries: Iterable[Entry]) -> Iterator[Task]:
        """What is still to be simulated of `entries`; what an acquisition of optima chose may end early.

        Early stopping measures against the front as it was known at the latest fit, from which the choice was made:
        a run that is resumed then stops the same simulations.
        """
        ended = journal.records.keys() | self.lost
        early_stop = None
        for entry in entries:
            may_stop = (
                self.config.rounds.early_stop and entry.role is Role.ACTIVE and entry.level == self.config.fidelity.top
            )
            if may_stop and early_stop is None:
                known = journal.at(journal.n_learned).records.values()
                early_stop = EarlyStop.beyond(r for r in known if is_top(self.config, r.candidate.settings))
            for candidate in entry.candidates(self.config, self._system):
                if candidate.key not in ended:
                    yield Task(candidate, early_stop if may_stop else None)

    # --- what to decide ----------------------------------------------------------------------------------

    def _assess(self, number: int) -> None:
        """Fit the surrogate to all records and log how it is judged after round `number`."""
        journal = self._journal()
        learned = self.learner.learn(journal)
        further = assess_further(learned, journal.plans, self.config, self.space)
        assessment = {"round": number, **learned.assessment, **further}
        assessment["failing"] = report_failures(journal.records, self.config, learned.features)
        if self.config.fidelity.levels:
            assessment["costs"] = measured_costs(self.config, journal.records.values())
        self.store.log("assessed", assessment)
        self.observer.assessed(assessment)

    def _verdict(self, journal: Journal) -> Verdict | None:
        costs = costs_of(self.config, journal.assessments)
        plans = journal.plans[:-1] if journal.plans[-1].is_confirmation else journal.plans
        n_planned = n_weighed(self.config, _entries(plans), costs)
        cpu_hours = sum(record.cpu_seconds for record in journal.records.values()) / 3600
        return verdict(self.config, looks_of(journal.plans, journal.assessments), n_planned, cpu_hours)

    def _following(self, journal: Journal, found: Verdict | None) -> Plan | None:
        """The round after the last one: the acquisition's, a confirmation of the recommendations, or none."""
        last = journal.plans[-1]
        if found is None:
            return self._chosen(journal, last.number + 1)
        if last.is_confirmation or self.config.rounds.n_confirm == 0:
            return None
        known = {entry.composition for entry in _entries(journal.plans) if entry.level == self.config.fidelity.top}
        best = recommend(self.learner.learn(journal), self.space.system, self.space, self.config.rounds.n_confirm)
        unseen = [item.composition for item in best if item.composition not in known]
        tops = [self.config.fidelity.top] * len(unseen)
        return next_plan(last.number + 1, unseen, Role.CONFIRMATION, tops) if unseen else None

    def _chosen(self, journal: Journal, number: int) -> Plan:
        """What the acquisition chooses for round `number` from what was known at the latest fit."""
        learned = self.learner.learn(journal.at(journal.n_learned))
        return choose(learned, self.config, self.space, number, journal)

    def _conclude(self, journal: Journal) -> None:
        """Simulations under draws that are still open, and what random search would have needed."""
        learned, n_draws, system = self.learner.learn(journal), self.config.conclude.n_draws, self.space.system
        if n_draws:
            best = recommend(learned, system, self.space, self.config.conclude.n_compared)
            compared = [item.composition for item in best if item.composition != system.reference]
            if tuple(compared) != journal.compared:
                self.store.log("compared", {"compositions": [list(composition.parts) for composition in compared]})
            wanted = draw_candidates(self.config, system.name, [system.reference, *compared], n_draws)
            missing = [candidate for candidate in wanted if candidate.key not in journal.drawn]
            if missing:
                self.observer.drawing(len(missing), len(wanted))
                self._simulate(iter([Task(candidate) for candidate in missing]))
        self.check()
        saved = [
            saved_for_optimum(learned, journal.plans, self.config, self.space, journal.failed_compositions),
            *saved_for_accuracy(learned, journal.plans, self.config, JUDGED),
        ]
        self.store.log("saved", {"savings": [saving.to_json() for saving in saved]})

    # --- the journal -------------------------------------------------------------------------------------

    @property
    def _system(self) -> str:
        return self.space.system.name

    def _journal(self) -> Journal:
        return read_journal(self.store, self.config)


def looks_of(plans: Sequence[Plan], assessments: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The assessments that a decision to stop rests on: what confirms such a decision is no part of what led to it.

    A confirmation is no further look at the accuracy either: a stricter bound would undo the decision it confirms.
    """
    return [found for plan, found in zip(plans, assessments, strict=False) if not plan.is_confirmation]


def _entries(plans: Sequence[Plan]) -> list[Entry]:
    return [entry for plan in plans for entry in plan.entries]


def _evaluated(task: Task, evaluate: Callable[..., Record]) -> Record:
    """In a worker."""
    if task.early_stop is None:
        return evaluate(task.candidate)
    return evaluate(task.candidate, early_stop=task.early_stop)


def _lost(task: Task, reason: str) -> dict[str, Any]:
    candidate = task.candidate
    return {"key": candidate.key, "formula": str(candidate.composition), "reason": reason}
