"""Where evaluations run: one contract, any number of workers.

An executor here is a `concurrent.futures.Executor` and a name.  Worker processes are *spawned*, one thread each: a
forked process would inherit the locks of numerical libraries, and two processes with two threads each fight for two
cores.  `run_all` adds what a campaign needs on top: order-free results, an exception that becomes a failed record,
and a worker that dies takes nothing with it but its own attempt.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from dynaphase.errors import ComputationError, ConfigError, unknown_choice

__all__ = ["EXECUTORS", "ProcessWorkers", "SerialWorkers", "Workers", "make_workers", "run_all"]

T = TypeVar("T")
R = TypeVar("R")
D = TypeVar("D")

MAX_DEATHS: Final = 3
"""How often the same task may kill its worker before it is given up."""


class Workers(Protocol):
    """Makes executors; a broken one is replaced by a fresh one."""

    @property
    def n_workers(self) -> int:
        """Tasks at a time."""
        ...

    def start(self) -> Executor:
        """A fresh executor."""
        ...

    def stop(self, executor: Executor) -> None:
        """End it now, without waiting for what it is doing."""
        ...


@dataclass(frozen=True, slots=True)
class SerialWorkers:
    """Everything in this process, one after the other: for debugging and tests."""

    n_workers: int = 1

    def start(self) -> Executor:
        """An executor that runs each call at once."""
        return _ImmediateExecutor()

    def stop(self, executor: Executor) -> None:
        """Nothing to end."""
        executor.shutdown(wait=False)


@dataclass(frozen=True, slots=True)
class ProcessWorkers:
    """Spawned processes, one thread each."""

    n_workers: int

    def start(self) -> Executor:
        """A pool of worker processes."""
        from multiprocessing import get_context

        return ProcessPoolExecutor(
            self.n_workers,
            mp_context=get_context("spawn"),
            initializer=_prepare_worker,
            initargs=(os.getpid(),),
        )

    def stop(self, executor: Executor) -> None:
        """Terminate the workers: what they were computing is not recorded and will be computed again."""
        processes = list((getattr(executor, "_processes", None) or {}).values())
        executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()


EXECUTORS: Final = ("processes", "serial")


def make_workers(name: str = "processes", n_workers: int | None = None) -> Workers:
    """Workers by name; `n_workers` defaults to the cores that this process may use.

    Raises
    ------
    ConfigError
        If the name is not one of `EXECUTORS` or the number is not positive.
    """
    if name not in EXECUTORS:
        raise unknown_choice("executor", name, EXECUTORS)
    if n_workers is not None and n_workers < 1:
        raise ConfigError(f"the number of workers must be at least 1, not {n_workers}")
    if name == "serial":
        return SerialWorkers()
    return ProcessWorkers(n_workers or n_cores())


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_all(
    workers: Workers,
    function: Callable[[T], R],
    tasks: Iterable[T],
    on_failure: Callable[[T, str], R],
    on_death: Callable[[T, str], D],
    *,
    n_in_flight: int | None = None,
) -> Iterator[R | D]:
    """Results of ``function(task)`` for every task, in the order in which they finish.

    Parameters
    ----------
    workers : Workers
    function : callable
        Picklable, as are tasks and results.
    tasks : iterable
        Asked for its next task only when a slot is free and every result so far has been taken by the caller, so
        that an iterator can decide what comes next by what came out.  When it ends, what runs is waited for.
    on_failure : callable
        ``(task, reason) → result`` for a call that raised.
    on_death : callable
        ``(task, reason) → result`` for a task whose worker died `MAX_DEATHS` times while it ran there alone: that says
        something of the machine (memory, a job scheduler), not of the task.
    n_in_flight : int, optional
        Tasks handed over at a time.  By default twice the workers: enough to keep them busy, little enough that a
        broken pool makes few suspects.  As many as the workers, when tasks should be decided as late as possible.

    Raises
    ------
    ComputationError
        If workers die as soon as they start.
    """
    numbered = enumerate(tasks)
    refused: list[tuple[int, T]] = []
    running: dict[Future[R], tuple[int, T]] = {}
    limit = n_in_flight or 2 * workers.n_workers
    executor = _start(workers)
    try:
        while True:
            _fill(executor, function, numbered, refused, running, limit)
            if not running:
                if not refused:
                    return
                workers.stop(executor)
                executor = _start(workers)
                continue
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            suspects = []
            for future in sorted(finished, key=lambda future: running[future][0]):
                number, task = running.pop(future)
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    suspects.append((number, task))
                elif error is not None:
                    yield on_failure(task, f"{type(error).__name__}: {error}")
                else:
                    yield future.result()
            if suspects:
                workers.stop(executor)
                for _, task in sorted([*suspects, *running.values()], key=lambda numbered: numbered[0]):
                    yield _run_alone(workers, function, task, on_failure, on_death)
                running.clear()
                executor = _start(workers)
    finally:
        workers.stop(executor)


def _fill(
    executor: Executor,
    function: Callable[[T], R],
    numbered: Iterator[tuple[int, T]],
    refused: list[tuple[int, T]],
    running: dict[Future[R], tuple[int, T]],
    limit: int,
) -> None:
    """Hand over tasks, refused ones first, until `limit` of them run or there are no more."""
    while len(running) < limit:
        following = refused.pop() if refused else next(numbered, None)
        if following is None:
            return
        try:
            running[executor.submit(function, following[1])] = following
        except BrokenProcessPool:  # a worker died since the last look: what runs is suspect, this one is not
            refused.append(following)
            return


def _start(workers: Workers) -> Executor:
    """A fresh executor that has answered once: workers that cannot start must not look like failing tasks.

    The answer also makes the pool launch all its workers now, while Ctrl-C is ignored: they inherit that, and an
    interruption is the parent's business alone from their first moment.
    """
    executor = workers.start()
    try:
        with _interruptions_ignored():
            answer = executor.submit(n_cores)
        answer.result()
    except BrokenProcessPool:
        workers.stop(executor)
        raise ComputationError(
            "the worker processes die as soon as they start. In a script of your own, put what runs the campaign under "
            "'if __name__ == \"__main__\":', because every worker imports the script anew. Otherwise something ends "
            "them, perhaps for want of memory: use fewer workers. Everything finished is kept; run again."
        ) from None
    return executor


@contextmanager
def _interruptions_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only there can signals be handled
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _run_alone(
    workers: Workers,
    function: Callable[[T], R],
    task: T,
    on_failure: Callable[[T, str], R],
    on_death: Callable[[T, str], D],
) -> R | D:
    """After a worker died nobody knows which task killed it: each suspect gets a worker of its own."""
    for _ in range(MAX_DEATHS):
        executor = _start(workers)
        try:
            return executor.submit(function, task).result()
        except BrokenProcessPool:
            continue
        except Exception as error:
            return on_failure(task, f"{type(error).__name__}: {error}")
        finally:
            workers.stop(executor)
    return on_death(task, f"the worker process died {MAX_DEATHS} times on this evaluation; perhaps memory is short")


class _ImmediateExecutor(Executor):
    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        future: Future[object] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def _prepare_worker(parent: int) -> None:
    """In a fresh worker: leave Ctrl-C to the parent, use one thread, and do not outlive the parent."""
    import time

    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(1)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)  # the campaign was killed: nobody would take the result

    threading.Thread(target=watch, daemon=True).start()
