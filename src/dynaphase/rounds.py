"""What a campaign does next, as pure functions: the first design, the next batch, when to stop.

A *round* is one ask–tell.  Round 0 asks for the random design the surrogate first learns from, for a held-out set that
only judges, and for the literature's best known composition; later rounds ask for the compositions that the
acquisition chooses.  Every plan is written down before any of it is simulated, so a resumed campaign goes on with
exactly the same candidates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from dynaphase.composition import Composition
from dynaphase.config import CampaignConfig
from dynaphase.records import Candidate
from dynaphase.space import CompositionSpace

__all__ = ["Plan", "Role", "StopReason", "initial_plan", "next_plan", "stop_reason"]


class Role(StrEnum):
    """Why a composition is simulated."""

    INITIAL = "initial"
    HELD_OUT = "held-out"
    REFERENCE = "reference"
    ACTIVE = "active"
    CONFIRMATION = "confirmation"
    """Recommended by the surrogate, simulated to see whether it was right."""


class StopReason(StrEnum):
    """Why a campaign ended."""

    ACCURACY = "accuracy"
    BUDGET = "budget"
    NO_GAIN = "no_gain"
    INTERRUPTED = "interrupted"


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


def stop_reason(
    config: CampaignConfig, errors: Sequence[Mapping[str, Mapping[str, float]]], n_planned: int
) -> StopReason | None:
    """Whether a campaign is finished after its latest assessment.

    Parameters
    ----------
    config : CampaignConfig
    errors : sequence of {target: {"r": …, "nrmse": …}}
        Held-out accuracy after round 0, 1, …
    n_planned : int
        Simulations asked for so far, all roles and seeds.

    Returns
    -------
    StopReason or None
        `accuracy` when every target has r and nRMSE as wanted; `no_gain` when the worst target's nRMSE has not
        fallen by `min_gain` within the last `patience` rounds; `budget` when the next batch, and the confirmation after
        it, would exceed it.
    """
    stop = config.stop
    n_rounds = len(errors) - 1
    if n_rounds >= stop.min_rounds and all(
        target["r"] >= stop.r and target["nrmse"] <= stop.nrmse for target in errors[-1].values()
    ):
        return StopReason.ACCURACY
    worst = [max(target["nrmse"] for target in assessed.values()) for assessed in errors]
    if n_rounds >= max(stop.min_rounds, stop.patience):
        best_before = min(worst[: -stop.patience])
        if min(worst[-stop.patience :]) > (1.0 - stop.min_gain) * best_before:
            return StopReason.NO_GAIN
    n_next = (config.rounds.batch + config.rounds.n_confirm) * config.design.n_replicates
    if n_planned + n_next > stop.budget:
        return StopReason.BUDGET
    return None


def _without_repeats(asked: Iterable[tuple[Composition, Role]]) -> list[tuple[Composition, Role]]:
    seen: dict[Composition, Role] = {}
    for composition, role in asked:
        seen.setdefault(composition, role)
    return list(seen.items())
