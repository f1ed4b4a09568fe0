"""From what a campaign knows to what it simulates next."""

from __future__ import annotations

from dynaphase.config import CampaignConfig
from dynaphase.journal import Journal
from dynaphase.rounds import Plan, next_plan
from dynaphase.space import CompositionSpace
from dynaphase.training import Learned, choose_batch

__all__ = ["choose"]


def choose(learned: Learned, config: CampaignConfig, space: CompositionSpace, number: int, journal: Journal) -> Plan:
    """What the configured acquisition picks for round `number`: a batch, or one composition if steered asynchronously.

    Whatever was asked for and is not in `learned` (under way, come since the fit, failed) is taken for known as soon as
    it is simulated: the posterior is conditioned on it, so the same corner is not chosen over and over.
    """
    known = [entry.composition for plan in journal.plans for entry in plan.entries]
    seen = {*learned.training.compositions, *learned.held_out.compositions}
    pending = [composition for composition in dict.fromkeys(known) if composition not in seen]
    n_before = sum(len(plan.entries) for plan in journal.plans if plan.number == number)
    chosen = choose_batch(
        learned,
        config,
        space,
        number,
        set(known),
        [composition for composition in pending if space.contains(composition)],
        n_before=n_before,
    )
    return next_plan(number, chosen)
