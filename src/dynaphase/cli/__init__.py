"""The command line: arguments in, one call of the Python interface, print.  No logic lives here.

Here is what leaves it: the exit code of everything that can happen.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

import typer

# Importing these registers their commands; help lists them in this order.
from dynaphase.cli import campaigns, compositions, pfhub  # noqa: F401
from dynaphase.cli.application import app
from dynaphase.display import complain
from dynaphase.errors import DynaPhaseError

__all__ = ["app", "main"]

_USAGE_ERROR: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
"""Base of typer's own errors; it has no public name, and depends on the click that typer brings."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 2 bad input, 3 failed computation, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that knows no σ shall not end a run
            stream.reconfigure(errors="replace")
    if threading.current_thread() is threading.main_thread():  # what a job scheduler sends is an interruption too
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = app(args=list(arguments) if arguments is not None else None, standalone_mode=False)
        sys.stdout.flush()
        if code == 130:  # typer's own handling of Ctrl-C
            complain("interrupted")
        return code if isinstance(code, int) else 0
    except DynaPhaseError as error:
        complain(str(error))
        return error.exit_code
    except _USAGE_ERROR as error:
        error.show()
        return 2
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        complain(f"the output cannot be written: {error}")
        return 2


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
