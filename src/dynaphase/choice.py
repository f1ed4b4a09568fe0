"""From what a campaign knows to what it simulates next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dynaphase.acquisition import acquisition_from_name, make_pool
from dynaphase.composition import Composition
from dynaphase.config import CampaignConfig
from dynaphase.failures import is_ruled_out
from dynaphase.journal import Journal
from dynaphase.levels import costs_of, is_top_due, level_value
from dynaphase.records import Record
from dynaphase.rounds import Entry, Plan, Role
from dynaphase.space import CompositionSpace
from dynaphase.training import JUDGED, FloatArray, Learned

__all__ = ["choose"]

_Piece = tuple[Composition, str | None]


@dataclass(frozen=True)
class _Chooser:
    """One choice: the acquisition, and everything about the candidates that does not depend on what is offered."""

    learned: Learned
    config: CampaignConfig
    pending: Sequence[_Piece]
    failed: Sequence[_Piece]
    feasibility: Callable[[FloatArray], FloatArray] | None
    costs: dict[str | None, float]

    def select(self, offered: Sequence[_Piece], n: int, rng: np.random.Generator) -> list[_Piece]:
        """The `n` best of what is offered."""
        config, learned = self.config, self.learned
        acquisition = acquisition_from_name(config.rounds.acquisition)
        goal = config.goal.goal() if getattr(acquisition, "needs_goal", False) else None
        rows = self.rows(offered)
        pool = make_pool(
            rows,
            learned.surrogate if acquisition.needs_posterior else None,
            simulated=learned.training.X,
            pending=self.rows(self.pending) if self.pending else None,
            failed=self.rows(self.failed) if self.failed else None,
            targets=JUDGED if goal is None else goal.targets,
            n_replicates=config.design.n_replicates,
            goal=goal,
            feasibility=self.feasibility,
            cost=self.cost(offered),
            level_column=rows.shape[1] - 1 if learned.has_levels else None,
        )
        return [offered[index] for index in acquisition.select(pool, n, rng)]

    def cost(self, offered: Sequence[_Piece]) -> FloatArray | None:
        """Relative cost of each piece: CPU time of its level, times the price of its elements if that is to count."""
        if not (self.learned.has_levels or self.config.rounds.weigh_prices):
            return None
        cost = np.array([self.costs[level] for _, level in offered])
        if self.config.rounds.weigh_prices:
            price = self.learned.features.space.cost([composition for composition, _ in offered])
            cost = cost * np.maximum(price / price.mean(), 1e-6)
        return np.asarray(cost)

    def rows(self, pieces: Sequence[_Piece]) -> FloatArray:
        """What the surrogate sees of each piece."""
        levels = [level_value(self.config, level) for _, level in pieces]
        return self.learned.inputs([composition for composition, _ in pieces], levels)


def choose(learned: Learned, config: CampaignConfig, space: CompositionSpace, number: int, journal: Journal) -> Plan:
    """What the configured acquisition picks for round `number`: a batch, or one piece if steered asynchronously.

    It is offered the round's own Sobol sequence at every level of fidelity, without what was asked for already, what is
    held out, and what chemistry rules out.  The posterior is conditioned on whatever is not in `learned`: what is under
    way or has come since the fit, and what failed, or the same corner would be chosen over and over.  Where simulations
    failed, the probability that they succeed counts too.
    """
    entries = [entry for plan in journal.plans for entry in plan.entries]
    asked = {(entry.composition, entry.level) for entry in entries}
    judging = {entry.composition for entry in entries if entry.role is Role.HELD_OUT}
    known = journal.at(journal.n_learned).records
    failed, pending = _not_learned(learned, config, space, entries, known)
    feasibility = None if learned.prospects is None else learned.prospects.feasibility
    n_features = len(learned.features.names)
    chooser = _Chooser(
        learned,
        config,
        pending,
        failed,
        None if feasibility is None else lambda X: feasibility.probability(X[:, :n_features]),
        costs_of(config, journal.assessments),
    )
    # A pool of its own for every round: the same one again would offer only what was not worth taking before.  Within
    # a round that is chosen piece by piece it stays, for describing two thousand compositions takes two seconds.
    pool_stream, choice_stream = np.random.SeedSequence([config.seed, number]).spawn(2)
    n_before = sum(
        entry.role is Role.ACTIVE for plan in journal.plans if plan.number == number for entry in plan.entries
    )
    rng = np.random.default_rng(choice_stream.spawn(n_before + 1)[n_before] if n_before else choice_stream)
    compositions = [
        composition
        for composition in space.sobol(config.rounds.n_pool, pool_stream)
        if composition not in judging and not is_ruled_out(config, space.system, composition)
    ]
    levels: Sequence[str | None] = config.fidelity.levels or [None]
    offered = [(c, level) for level in levels for c in compositions if (c, level) not in asked]
    chosen = chooser.select(offered, config.rounds.n_at_once, rng)
    if config.fidelity.levels:
        chosen = _with_the_top_when_due(chooser, entries, asked, chosen)
        if not chosen:
            at_top = [(c, level) for c, level in offered if level == config.fidelity.top]
            chosen = chooser.select(at_top, config.rounds.n_at_once, rng)
    return Plan(number, tuple(Entry(composition, Role.ACTIVE, level) for composition, level in chosen))


def _with_the_top_when_due(
    chooser: _Chooser, entries: Sequence[Entry], asked: set[_Piece], chosen: Sequence[_Piece]
) -> list[_Piece]:
    """What was chosen, but at the top level wherever `is_top_due`; without what was simulated there already."""
    config, plan = chooser.config, list(entries)
    kept: list[_Piece] = []
    for composition, level in chosen:
        is_due = is_top_due(config, plan, chooser.costs, level)
        piece = (composition, config.fidelity.top if is_due else level)
        if piece not in asked and piece not in kept:
            kept.append(piece)
            plan.append(Entry(composition, Role.ACTIVE, piece[1]))
    return kept


def _not_learned(
    learned: Learned,
    config: CampaignConfig,
    space: CompositionSpace,
    entries: Sequence[Entry],
    known: Mapping[str, Record],
) -> tuple[list[_Piece], list[_Piece]]:
    """What was asked for within the region and is not in `learned`: what failed, and what is under way."""
    seen = {
        (composition, level)
        for table in (learned.training, learned.held_out)
        for composition, level in zip(table.compositions, table.levels, strict=True)
    }
    failed: list[_Piece] = []
    pending: list[_Piece] = []
    for entry in entries:
        piece = (entry.composition, entry.level)
        if (entry.composition, level_value(config, entry.level)) in seen or not space.contains(entry.composition):
            continue
        keys = [candidate.key for candidate in entry.candidates(config, space.system.name)]
        (failed if all(key in known for key in keys) else pending).append(piece)
    return failed, pending
