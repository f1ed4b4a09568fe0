"""One runner per campaign: a lock that the operating system releases when its process dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dynaphase.errors import CampaignError

__all__ = ["is_being_run", "only_runner"]

LOCK_NAME: Final = "campaign.lock"


@contextmanager
def only_runner(directory: Path) -> Iterator[None]:
    """Hold the campaign in `directory`.

    Raises
    ------
    CampaignError
        If another process holds it, or the directory cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(directory / LOCK_NAME, timeout=1.0)  # somebody may just be looking (`is_being_run`)
    try:
        lock.acquire()
    except Timeout:
        raise CampaignError(
            f"another process is running the campaign in {directory}; wait for it or stop it first. "
            f"Looking is possible at any time: 'dynaphase status {directory}'."
        ) from None
    except OSError as error:
        raise CampaignError(
            f"{directory} cannot be written ({error.strerror or error}): make it writable, or copy the campaign to a "
            "place that is"
        ) from None
    try:
        yield
    finally:
        lock.release()


def is_being_run(directory: Path) -> bool:
    """Whether some process holds the campaign in `directory` now."""
    from filelock import FileLock, Timeout

    if not (directory / LOCK_NAME).exists():
        return False
    try:
        with FileLock(directory / LOCK_NAME, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a directory that cannot be written is not being run
        return False
