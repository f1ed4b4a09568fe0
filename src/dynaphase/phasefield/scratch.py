"""Arrays that a model keeps between two evaluations, one set a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

__all__ = ["Scratch"]

_Made = TypeVar("_Made")


class Scratch(threading.local):
    """What was made once is made once: work space by key, apart for every thread, never part of the model's value.

    A copy or a pickle of it is empty.
    """

    def __init__(self) -> None:
        self._made: dict[Hashable, Any] = {}

    def get(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """What `make` returned when this thread first asked for `key`."""
        if key not in self._made:
            self._made[key] = make()
        made: _Made = self._made[key]
        return made

    def __reduce__(self) -> tuple[type[Scratch], tuple[()]]:
        return Scratch, ()
