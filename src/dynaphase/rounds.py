"""What a campaign does next, as pure functions: the first design, the next batch; `stopping` says when to stop.

A *round* is one ask–tell.  Round 0 asks for the random design the surrogate first learns from, for a held-out set that
only judges, and for the literature's best known composition; later rounds ask for the compositions that the
acquisition chooses.  Every plan is written down before any of it is simulated, so a resumed campaign goes on with
exactly the same candidates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from dynaphase.composition import Composition
from dynaphase.config import CampaignConfig
from dynaphase.records import Candidate
from dynaphase.space import CompositionSpace

__all__ = ["Plan", "Role", "initial_plan", "next_plan"]


class Role(StrEnum):
    """Why a composition is simulated."""

    INITIAL = "initial"
    HELD_OUT = "held-out"
    REFERENCE = "reference"
    ACTIVE = "active"
    CONFIRMATION = "confirmation"
    """Recommended by the surrogate, simulated to see whether it was right."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The compositions of one round, each with its role."""

    number: int
    asked: tuple[tuple[Composition, Role], ...]

    @property
    def is_confirmation(self) -> bool:
        """Whether the round simulates recommendations."""
        return any(role is Role.CONFIRMATION for _, role in self.asked)

    def candidates(self, config: CampaignConfig, system: str) -> list[Candidate]:
        """Every composition with each of its microstructure seeds; see `candidates_with_roles`."""
        return [candidate for candidate, _ in self.candidates_with_roles(config, system)]

    def candidates_with_roles(self, config: CampaignConfig, system: str) -> list[tuple[Candidate, Role]]:
        """Every composition with each of its microstructure seeds, and why it is simulated.

        `system` is the name of the material system, which for a table's is not what the configuration calls it.
        The seeds are the same for all compositions (common random numbers): differences between compositions are
        then not drowned in differences between microstructures, and replicates measure what is left.
        """
        settings = config.settings.model_dump()
        return [
            (Candidate(composition, seed, system, config.model, settings), role)
            for composition, role in self.asked
            for seed in replicate_seeds(config)
        ]

    def to_json(self) -> dict[str, Any]:
        """As JSON types; `from_json` reads it back."""
        return {"round": self.number, "asked": [[list(c.parts), role.value] for c, role in self.asked]}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Plan:
        """Inverse of `to_json`."""
        asked = tuple(
            (Composition(tuple((str(element), int(count)) for element, count in parts)), Role(role))
            for parts, role in content["asked"]
        )
        return cls(int(content["round"]), asked)


def replicate_seeds(config: CampaignConfig) -> tuple[int, ...]:
    """Microstructure seeds of every composition of a campaign."""
    return tuple(1000 * config.seed + replicate for replicate in range(config.design.n_replicates))


def initial_plan(config: CampaignConfig, space: CompositionSpace, reference: Composition) -> Plan:
    """Round 0: random (or Sobol) design, an independent random held-out set, the reference."""
    design_stream, held_out_stream = np.random.SeedSequence(config.seed).spawn(2)
    n = config.design.n_initial
    if config.design.method == "sobol":
        initial = space.sobol(n, seed=int(design_stream.generate_state(1)[0]))
    else:
        initial = space.sample(n, np.random.default_rng(design_stream))
    held_out = space.sample(config.design.n_held_out, np.random.default_rng(held_out_stream))
    asked = [(reference, Role.REFERENCE)]
    asked += [(composition, Role.HELD_OUT) for composition in held_out]
    asked += [(composition, Role.INITIAL) for composition in initial]
    return Plan(0, tuple(_without_repeats(asked)))


def next_plan(number: int, chosen: Iterable[Composition], role: Role = Role.ACTIVE) -> Plan:
    """Round `number`: what the acquisition chose, or what is recommended."""
    return Plan(number, tuple((composition, role) for composition in chosen))


def _without_repeats(asked: Iterable[tuple[Composition, Role]]) -> list[tuple[Composition, Role]]:
    seen: dict[Composition, Role] = {}
    for composition, role in asked:
        seen.setdefault(composition, role)
    return list(seen.items())
