"""What a campaign does next, as pure functions: the first design, the next batch; `stopping` says when to stop.

A *round* is one ask–tell.  Round 0 asks for the random design the surrogate first learns from, for a held-out set that
only judges, and for the literature's best known composition; later rounds ask for the compositions that the
acquisition chooses.  Every plan is written down before any of it is simulated, so a resumed campaign goes on with
exactly the same candidates.

Under asynchronous steering a round is what is chosen between two fits of the surrogate: its plan grows, one composition
at a time, and `merged` puts the pieces together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from math import ceil
from typing import Any, NamedTuple

import numpy as np

from dynaphase.composition import Composition
from dynaphase.config import CampaignConfig
from dynaphase.first_design import promising_compositions
from dynaphase.records import Candidate
from dynaphase.space import CompositionSpace

__all__ = ["Entry", "Plan", "Role", "common_seeds", "initial_plan", "merged", "next_plan", "replicate_seeds"]


class Role(StrEnum):
    """Why a composition is simulated."""

    INITIAL = "initial"
    HELD_OUT = "held-out"
    REFERENCE = "reference"
    ACTIVE = "active"
    CONFIRMATION = "confirmation"
    """Recommended by the surrogate, simulated to see whether it was right."""


class Entry(NamedTuple):
    """One piece of work: a composition with all its microstructure seeds at one level of fidelity."""

    composition: Composition
    role: Role
    level: str | None = None
    """Level of fidelity; None: that of the settings, which counts."""

    def candidates(self, config: CampaignConfig, system: str) -> list[Candidate]:
        """The composition with each of its seeds; `system` is the name of the material system."""
        settings = config.settings.model_dump()
        if self.level is not None:
            settings |= {"fidelity": self.level}
        seeds = replicate_seeds(config, self.composition)
        return [Candidate(self.composition, seed, system, config.model, settings) for seed in seeds]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one round asks for."""

    number: int
    entries: tuple[Entry, ...]

    @property
    def asked(self) -> tuple[tuple[Composition, Role], ...]:
        """The compositions, each once for every role that it has."""
        return tuple(dict.fromkeys((entry.composition, entry.role) for entry in self.entries))

    @property
    def is_active(self) -> bool:
        """Whether an acquisition chose it."""
        return any(entry.role is Role.ACTIVE for entry in self.entries)

    @property
    def is_confirmation(self) -> bool:
        """Whether the round simulates recommendations."""
        return any(entry.role is Role.CONFIRMATION for entry in self.entries)

    def candidates(self, config: CampaignConfig, system: str) -> list[Candidate]:
        """Every composition with each of its microstructure seeds; see `candidates_with_roles`."""
        return [candidate for candidate, _ in self.candidates_with_roles(config, system)]

    def candidates_with_roles(self, config: CampaignConfig, system: str) -> list[tuple[Candidate, Role]]:
        """Every composition with each of its microstructure seeds, and why it is simulated.

        `system` is the name of the material system, which for a table's is not what the configuration calls it.
        """
        return [(candidate, entry.role) for entry in self.entries for candidate in entry.candidates(config, system)]

    def to_json(self) -> dict[str, Any]:
        """As JSON types; `from_json` reads it back."""
        asked = [
            [list(composition.parts), role.value, *([] if level is None else [level])]
            for composition, role, level in self.entries
        ]
        return {"round": self.number, "asked": asked}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Plan:
        """Inverse of `to_json`."""
        entries = tuple(
            Entry(Composition(tuple((str(element), int(count)) for element, count in parts)), Role(role), *level)
            for parts, role, *level in content["asked"]
        )
        return cls(int(content["round"]), entries)


def merged(plans: Iterable[Plan]) -> tuple[Plan, ...]:
    """One plan a round: what was asked for piece by piece under the same number belongs together."""
    rounds: dict[int, Plan] = {}
    for plan in plans:
        before = rounds[plan.number].entries if plan.number in rounds else ()
        rounds[plan.number] = Plan(plan.number, before + plan.entries)
    return tuple(rounds.values())


def replicate_seeds(config: CampaignConfig, composition: Composition) -> tuple[int, ...]:
    """Microstructure seeds of one composition, at every level of fidelity.

    ``common``: the same for all compositions (common random numbers).  Differences between compositions are then not
    drowned in differences between microstructures, but what those few microstructures have in common is in all of
    them.  ``independent``: seeds of its own, from the campaign's seed and the composition, so that averages over
    compositions average over microstructures too.
    """
    if config.design.seeds == "common":
        return common_seeds(config)
    texts = (f"{config.seed}/{composition.key}/{number}" for number in range(config.design.n_replicates))
    return tuple(int.from_bytes(blake2b(text.encode(), digest_size=6).digest(), "big") for text in texts)


def common_seeds(config: CampaignConfig) -> tuple[int, ...]:
    """Microstructure seeds that belong to no composition."""
    return tuple(1000 * config.seed + number for number in range(config.design.n_replicates))


def initial_plan(config: CampaignConfig, space: CompositionSpace, reference: Composition) -> Plan:
    """Round 0: random (or Sobol) design, an independent random held-out set, the reference.

    With the method ``estimates`` the first half of the design, rounded up, is what closed forms take for the best in
    the campaign's objectives, and the rest is random: see `dynaphase.first_design`.

    Where there are levels of fidelity, the design is simulated at the lowest one and a share of it at every level: what
    a level gets wrong is learned from the same ceramic at both.  What judges is simulated at the level that counts.
    """
    design_stream, held_out_stream, pool_stream = np.random.SeedSequence(config.seed).spawn(3)
    n = config.design.n_initial
    if config.design.method == "sobol":
        initial = space.sobol(n, seed=int(design_stream.generate_state(1)[0]))
    else:
        initial = space.sample(n, np.random.default_rng(design_stream))
        if config.design.method == "estimates":
            pool = space.sobol(config.rounds.n_pool, seed=int(pool_stream.generate_state(1)[0]))
            first = promising_compositions(space, pool, config.goal.goal(), ceil(n / 2))
            initial = list(dict.fromkeys([*first, *initial]))[:n]
    held_out = space.sample(config.design.n_held_out, np.random.default_rng(held_out_stream))
    top = config.fidelity.top
    entries = [Entry(reference, Role.REFERENCE, top)]
    entries += [Entry(composition, Role.HELD_OUT, top) for composition in held_out]
    for place, level in enumerate(config.fidelity.levels or [None]):
        n_here = n if place == 0 else ceil(config.fidelity.share * n)
        entries += [Entry(composition, Role.INITIAL, level) for composition in initial[:n_here]]
    return Plan(0, tuple(_without_repeats(entries)))


def next_plan(
    number: int, chosen: Iterable[Composition], role: Role = Role.ACTIVE, levels: Sequence[str | None] | None = None
) -> Plan:
    """Round `number`: what the acquisition chose, or what is recommended, each at its level."""
    asked = list(chosen)
    return Plan(
        number, tuple(Entry(c, role, level) for c, level in zip(asked, levels or [None] * len(asked), strict=True))
    )


def _without_repeats(entries: Iterable[Entry]) -> list[Entry]:
    """Each composition in its first role only, once a level."""
    roles: dict[Composition, Role] = {}
    kept = [entry for entry in entries if roles.setdefault(entry.composition, entry.role) is entry.role]
    return list(dict.fromkeys(kept))
