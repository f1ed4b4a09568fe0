"""Unfinished runs of a problem: what a checkpoint must agree in, and how often one is made."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Mapping
from typing import Any

from dynaphase.errors import ConfigError

__all__ = ["Checkpoint", "ForeignCheckpointError", "Keeper", "require_same", "settings_line"]

Checkpoint = Mapping[str, Any]
"""Arrays, numbers, texts, and mappings of them."""

INTERVAL_S: float = 30.0
"""Wall time between two checkpoints."""


class ForeignCheckpointError(ConfigError):
    """A checkpoint of another run, or none at all."""


def settings_line(problem: str, settings: Mapping[str, object]) -> str:
    """What the run was asked for, in one line; two runs with the same line give the same rows."""
    from dynaphase import __version__

    asked = ", ".join(f"{name} = {value}" for name, value in settings.items() if value is not None)
    return f"problem {problem}{', ' * bool(asked)}{asked} (DynaPhase {__version__})"


def require_same(checkpoint: Checkpoint, line: str) -> None:
    """Raise `ForeignCheckpointError` unless `checkpoint` was made under the settings `line`."""
    kept = checkpoint.get("settings")
    if kept is None:
        raise ForeignCheckpointError("this is no checkpoint of a PFHub run")
    if str(kept) != line:
        raise ForeignCheckpointError(f"this checkpoint belongs to {kept}, not to {line}")


class Keeper:
    """Hands a checkpoint on from time to time, and when told."""

    def __init__(self, keep: Callable[[Checkpoint], None] | None) -> None:
        self._keep = keep
        self._last = clock.monotonic()

    @property
    def is_on(self) -> bool:
        """Whether anybody wants checkpoints."""
        return self._keep is not None

    def keep(self, checkpoint: Checkpoint) -> None:
        """Hand `checkpoint` on now."""
        if self._keep is not None:
            self._keep(checkpoint)
            self._last = clock.monotonic()

    def keep_when_due(self, make: Callable[[], Checkpoint]) -> None:
        """Hand on what `make` returns if the last time was long ago."""
        if self._keep is not None and clock.monotonic() - self._last >= INTERVAL_S:
            self.keep(make())
