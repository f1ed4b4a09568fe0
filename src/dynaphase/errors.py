"""What can go wrong, as one tree.

::

    DynaPhaseError                 exit code
    ├── InputError                 2   what was asked for cannot be done as asked
    │   ├── CompositionError           a formula, an element, an amount
    │   ├── ConfigError                a configuration file or an option
    │   └── CampaignError              a campaign directory, its store, its lock
    ├── ComputationError           3   the question was fine, the computation failed
    │   ├── SimulationError            a phase-field run or a conduction solve
    │   └── FitError                   a surrogate that cannot be fitted or used
    └── Interrupted                130 stopped by the user, everything kept

Every message says what was wrong, where, and what to do about it.  The command line prints the message
and leaves with the exit code; it never shows a traceback for one of these.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "CampaignError",
    "CompositionError",
    "ComputationError",
    "ConfigError",
    "DynaPhaseError",
    "FitError",
    "InputError",
    "Interrupted",
    "SimulationError",
    "unknown_choice",
]


class DynaPhaseError(Exception):
    """Base of every error that DynaPhase raises on purpose."""

    exit_code: int = 1


class InputError(DynaPhaseError):
    """The request itself is wrong: the message names the part and what is allowed."""

    exit_code = 2


class CompositionError(InputError):
    """A composition that cannot be read or lies outside the material system."""


class ConfigError(InputError):
    """A configuration value that is unknown, malformed or not available."""


class CampaignError(InputError):
    """A campaign directory that cannot be created, opened, locked or written."""


class ComputationError(DynaPhaseError):
    """A computation that failed although its input was valid."""

    exit_code = 3


class SimulationError(ComputationError):
    """A simulation that diverged, left its bounds or could not be measured."""


class FitError(ComputationError):
    """A surrogate that could not be fitted or has too little to learn from."""


class Interrupted(DynaPhaseError):  # noqa: N818 - an interruption is no error
    """The user stopped a running campaign; everything finished so far is kept."""

    exit_code = 130


def unknown_choice(kind: str, name: object, choices: Iterable[str]) -> ConfigError:
    """The error for a choice that does not exist or is not built: what there is, and the nearest match."""
    known = list(choices)
    close = get_close_matches(str(name), known, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return ConfigError(f"{kind} '{name}' is not available; there is: {', '.join(known)}.{hint}")
