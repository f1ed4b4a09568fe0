"""Ctrl-C that cannot get lost: libraries drop an exception that reaches them in a callback or a destructor."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

__all__ = ["heeded_interruptions"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def heeded_interruptions() -> Iterator[Callable[[], None]]:
    """While it lasts, a signal that interrupts is also remembered; yields what raises KeyboardInterrupt if one came.

    Python turns the signal into an exception wherever the main thread is.  In a callback of a compiled library or in
    ``__del__`` that exception is printed and dropped.  Call what is yielded at safe places.  Outside the main thread,
    which alone receives signals, it does nothing.
    """
    came = threading.Event()

    def check() -> None:
        if came.is_set():
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield check
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def remember(number: int, frame: Any) -> None:
        came.set()
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    heard = [number for number, handler in before.items() if callable(handler)]
    for number in heard:
        signal.signal(number, remember)
    try:
        yield check
    finally:
        for number in heard:
            signal.signal(number, before[number])
