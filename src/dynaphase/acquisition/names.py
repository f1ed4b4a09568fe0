"""From a name to an acquisition: the one place where a string decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dynaphase.acquisition.hypervolume import Hypervolume
from dynaphase.acquisition.improvement import ExpectedImprovement
from dynaphase.acquisition.pool import Acquisition
from dynaphase.acquisition.references import Random, Sobol
from dynaphase.acquisition.thompson import Thompson
from dynaphase.acquisition.variance import IntegratedVariance, MaxVariance
from dynaphase.errors import ConfigError, unknown_choice

__all__ = ["ACQUISITIONS", "acquisition_from_name"]

ACQUISITIONS: Final[dict[str, Callable[[], Acquisition]]] = {
    "max-variance": MaxVariance,
    "integrated-variance": IntegratedVariance,
    "hypervolume": Hypervolume,
    "expected-improvement": ExpectedImprovement,
    "thompson": Thompson,
    "random": Random,
    "sobol": Sobol,
}
"""Name → acquisition with its default options."""


def acquisition_from_name(name: str) -> Acquisition:
    """Acquisition called `name`: ours, or one that an installed package offers.

    A package offers its own by an entry point in the group ``dynaphase.acquisitions`` that names a callable
    without arguments.

    Raises
    ------
    ConfigError
        If there is none of that name; the message lists what there is and the nearest match.
    """
    from importlib.metadata import entry_points

    if name in ACQUISITIONS:
        return ACQUISITIONS[name]()
    offered = {entry.name: entry for entry in entry_points(group="dynaphase.acquisitions")}
    if name in offered:
        acquisition = offered[name].load()()
        if not isinstance(acquisition, Acquisition):
            raise ConfigError(f"'{offered[name].value}' does not make an acquisition: it needs name and select")
        return acquisition
    raise unknown_choice("acquisition", name, [*ACQUISITIONS, *offered])
