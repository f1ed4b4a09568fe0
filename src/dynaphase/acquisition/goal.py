"""What a campaign wants: objectives, bounds on outcomes, and the point from which a hypervolume is measured.

Everything here is in natural units, as a user writes it::

    objectives  = ["max stability_score", "max ceramic_conductivity_S_per_cm"]
    constraints = ["ionic_conductivity_S_per_cm >= 1e-5", "void_fraction <= 0.05"]
    reference   = [60.0, 1e-6]
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final, Literal, Self, cast

from dynaphase.errors import InputError

__all__ = ["Constraint", "Goal", "Objective"]

_NAME: Final = r"[A-Za-z_][\w.]*"
_NUMBER: Final = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"


@dataclass(frozen=True, slots=True)
class Objective:
    """One target to be as large or as small as possible.

    Parameters
    ----------
    target : str
        Name of the target.
    direction : {"max", "min"}
    reference : float, optional
        Value in the natural unit that an improvement has to exceed; derived from the records if left out.
    """

    target: str
    direction: Literal["max", "min"] = "max"
    reference: float | None = None

    @classmethod
    def parse(cls, text: str, reference: float | None = None) -> Self:
        """Read ``"max NAME"`` or ``"min NAME"``.

        Raises
        ------
        InputError
            If it reads otherwise, or the reference is not a finite number.
        """
        found = re.fullmatch(rf"\s*(max|min)\s+({_NAME})\s*", text)
        if found is None:
            raise InputError(
                f"the objective '{text}' is not understood; write 'max' or 'min' and the name of a target, "
                "such as 'max stability_score'"
            )
        if reference is not None and not isfinite(reference):
            raise InputError(f"the reference of '{text}' must be a finite number, not {reference}")
        return cls(found[2], cast(Literal["max", "min"], found[1]), reference)

    @property
    def sign(self) -> float:
        """1 where large is good, −1 where small is."""
        return 1.0 if self.direction == "max" else -1.0

    def __str__(self) -> str:
        return f"{self.direction} {self.target}"


@dataclass(frozen=True, slots=True)
class Constraint:
    """A bound on an outcome, in its natural unit."""

    target: str
    is_upper: bool
    bound: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``"NAME >= NUMBER"`` or ``"NAME <= NUMBER"``.

        Raises
        ------
        InputError
            If it reads otherwise; the message says what to write instead.
        """
        found = re.fullmatch(rf"\s*({_NAME})\s*(>=|<=|≥|≤)\s*({_NUMBER})\s*", text)
        if found is None:
            raise InputError(f"the constraint '{text}' is not understood; {_advice(text)}")
        if not isfinite(float(found[3])):
            raise InputError(f"the bound in '{text}' is beyond what a number can hold")
        return cls(found[1], found[2] in ("<=", "≤"), float(found[3]))

    @property
    def sign(self) -> float:
        """1 for a lower bound, −1 for an upper one."""
        return -1.0 if self.is_upper else 1.0

    def __str__(self) -> str:
        return f"{self.target} {'<=' if self.is_upper else '>='} {self.bound:g}"


def _advice(text: str) -> str:
    example = "write a target, >= or <=, and a number: 'void_fraction <= 0.05'"
    if re.fullmatch(rf"\s*{_NUMBER}\s*(>=|<=|<|>)\s*{_NAME}\s*", text):
        return f"the target comes first; {example}"
    if len(re.findall(r"[<>≤≥]", text)) > 1:
        return f"one bound each: two bounds of a target are two constraints; {example}"
    if re.search(r"(?<![<>=])=(?!=)|==|[<>](?!=)", text):
        return f"only >= and <= bound an outcome; {example}"
    if re.search(r"[≤≥]|[<>]=", text):
        return f"the bound is a plain number without a unit, which is part of the target's name; {example}"
    return example


@dataclass(frozen=True, slots=True)
class Goal:
    """Objectives and bounds on outcomes.

    A reference that is not given is derived from the records (`dynaphase.acquisition.aims.derived_reference`).  It
    decides what counts: with a low one the ends of the Pareto front gain most, with a high one only its middle does.
    """

    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()

    def __post_init__(self) -> None:
        names = [objective.target for objective in self.objectives]
        if not names:
            raise InputError("a goal needs an objective, such as 'max stability_score'")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"'{twice[0]}' is an objective twice; name every target once")
        for name in {constraint.target for constraint in self.constraints}:
            lower = max((c.bound for c in self.constraints if c.target == name and not c.is_upper), default=None)
            upper = min((c.bound for c in self.constraints if c.target == name and c.is_upper), default=None)
            if lower is not None and upper is not None and lower > upper:
                raise InputError(f"nothing can be '{name} >= {lower:g}' and '{name} <= {upper:g}' at once")

    @classmethod
    def parse(cls, objectives: Sequence[str], constraints: Sequence[str] = (), reference: Sequence[float] = ()) -> Self:
        """Read a goal as a configuration has it; `reference` is empty or has one value an objective.

        Raises
        ------
        InputError
            If a text is not understood, or the numbers of objectives and reference values differ.
        """
        if reference and len(reference) != len(objectives):
            raise InputError(
                f"{len(objectives)} objectives need {len(objectives)} values of the reference point (or none, and "
                f"it is derived from the records), not {len(reference)}"
            )
        points: Sequence[float | None] = reference or [None] * len(objectives)
        return cls(
            tuple(Objective.parse(text, value) for text, value in zip(objectives, points, strict=True)),
            tuple(Constraint.parse(text) for text in constraints),
        )

    @property
    def targets(self) -> tuple[str, ...]:
        """Every target that a posterior must have, objectives first."""
        names = [objective.target for objective in self.objectives] + [c.target for c in self.constraints]
        return tuple(dict.fromkeys(names))
