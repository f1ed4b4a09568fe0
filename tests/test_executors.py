from __future__ import annotations

import os
import signal
import time
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from dynaphase.errors import ConfigError
from dynaphase.executors import MAX_DEATHS, ProcessWorkers, SerialWorkers, make_workers, run_all


def square_or_fail(number: int) -> int:
    if number == 3:
        raise ValueError("three is not welcome")
    return number * number


def die_on_two(task: tuple[int, str]) -> int:
    number, directory = task
    with (Path(directory) / f"{number}").open("a") as log:
        log.write("x")
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return number


def failed(task: object, reason: str) -> str:
    return f"{task}: {reason}"


@pytest.mark.parametrize("workers", [SerialWorkers(), ProcessWorkers(2)])
def test_every_task_gives_one_result_and_an_exception_is_one_too(workers: SerialWorkers | ProcessWorkers) -> None:
    results = list(run_all(workers, square_or_fail, range(6), failed, failed))  # type: ignore[arg-type,misc]
    assert sorted(map(str, results)) == sorted(["0", "1", "4", "16", "25", "3: ValueError: three is not welcome"])


def test_a_worker_that_dies_takes_only_its_own_task_with_it(tmp_path: Path) -> None:
    tasks = [(number, str(tmp_path)) for number in range(5)]
    results = list(run_all(ProcessWorkers(2), die_on_two, tasks, failed, failed))  # type: ignore[arg-type,misc]
    assert sorted(r for r in results if isinstance(r, int)) == [0, 1, 3, 4]
    (message,) = [r for r in results if isinstance(r, str)]
    assert f"died {MAX_DEATHS} times" in message
    assert len((tmp_path / "2").read_text()) == MAX_DEATHS + 1


class PoolThatBreaks(Executor):
    """Every pool takes two calls, the first of which only proves that it lives, and is broken afterwards."""

    def __init__(self) -> None:
        self.n_taken = 0

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.n_taken += 1
        if self.n_taken > 2:
            raise BrokenProcessPool("a child process terminated abruptly")
        future: Future[object] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class WorkersThatBreak(SerialWorkers):
    n_workers = 2

    def start(self) -> Executor:
        return PoolThatBreaks()


def test_a_pool_that_breaks_between_two_tasks_is_replaced_and_nothing_is_lost() -> None:
    results = list(run_all(WorkersThatBreak(), square_or_fail, [0, 1, 2, 4], failed, failed))  # type: ignore[arg-type,misc]
    assert results == [0, 1, 4, 16]


def test_unknown_executor_and_silly_numbers_are_refused() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'serial'"):
        make_workers("seriall")
    with pytest.raises(ConfigError, match="at least 1"):
        make_workers("processes", 0)
    with pytest.raises(ConfigError, match="'dask' is not available"):
        make_workers("dask")
