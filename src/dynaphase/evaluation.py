"""The whole physics chain as one function: candidate in, record out.

composition → material → microstructure → phase-field run → conduction → descriptors → S and σ.  No disk, no global
state, no randomness but the seed: the same candidate gives the same record in any process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from operator import index
from typing import Any

from dynaphase.composition import CompositionLike
from dynaphase.early_stop import EarlyStop
from dynaphase.errors import ComputationError, ConfigError
from dynaphase.materials import get_system
from dynaphase.materials.base import MaterialSystem
from dynaphase.records import Candidate, Record, RecordStatus
from dynaphase.settings import MODELS, ModelSettings, PhysicalSettings, make_settings

__all__ = ["evaluate", "evaluate_candidate", "make_candidate"]


def evaluate(
    composition: CompositionLike,
    model: str = MODELS[0],
    seed: int = 0,
    *,
    system: str | MaterialSystem = "lagp",
    settings: Mapping[str, Any] | None = None,
    on_progress: Callable[[float], None] | None = None,
    keep_history: bool = False,
) -> Record:
    """Simulate one composition.

    Parameters
    ----------
    composition : str, mapping, Composition or pymatgen object
        E.g. ``"Li1.5Al0.5Ge1.5(PO4)3"``; only the ratio of the system's elements counts.
    model : {"physical", "paper"}
        Sintering, lithium penetration and interphase; or the printed equation.
    seed : int
        Seed of the microstructure and the initial noise.
    system : str or MaterialSystem
    settings : mapping, optional
        Options of the model (`PaperSettings` or `PhysicalSettings`); defaults for what is left out.
    on_progress : callable, optional
        Called with the finished fraction of the phase-field run, 0 to 1.
    keep_history : bool
        Keep fields at some thirty times of every stage, as ``record.history``; the results stay the same.

    Returns
    -------
    Record
        ``status`` is ``failed``, with the reason, when the computation failed.

    Raises
    ------
    CompositionError
        The composition cannot be read or lies outside the system.
    ConfigError
        Unknown model, system or option.
    """
    lookup = system if isinstance(system, MaterialSystem) else get_system(system)
    candidate, notes = make_candidate(composition, model, seed, lookup, settings or {})
    record = evaluate_candidate(candidate, lookup, on_progress, keep_history=keep_history)
    return record if not notes else _with_notes(record, notes)


def make_candidate(
    composition: CompositionLike, model: str, seed: int, system: MaterialSystem, settings: Mapping[str, Any]
) -> tuple[Candidate, tuple[str, ...]]:
    """The candidate that `evaluate` evaluates, and what had to be noted on reading the composition."""
    try:
        number = index(seed)
    except TypeError:
        raise ConfigError(f"the seed must be a whole number, not {seed!r}") from None
    if number < 0:
        raise ConfigError(f"the seed must not be negative, not {number}")
    options = make_settings(model, settings).model_dump()
    reading = system.read(composition)
    return Candidate(reading.composition, number, system.name, model, options), reading.notes


def evaluate_candidate(
    candidate: Candidate,
    system: MaterialSystem,
    on_progress: Callable[[float], None] | None = None,
    *,
    keep_history: bool = False,
    early_stop: EarlyStop | None = None,
) -> Record:
    """Candidate → record; a failed computation becomes a failed record with its reason.

    With `early_stop` a run of the physical model that is too far behind what was found already ends on the way.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    settings = make_settings(candidate.model, candidate.settings)
    formula = system.formula(candidate.composition)
    outcome: dict[str, Any]
    try:
        outcome = {
            "status": RecordStatus.DONE,
            **_run(system, candidate, settings, on_progress, keep_history, early_stop),
        }
    except ComputationError as error:
        outcome = {"status": RecordStatus.FAILED, "reason": str(error)}
    except (ArithmeticError, MemoryError, ValueError) as error:  # of numerical libraries, not ours
        outcome = {"status": RecordStatus.FAILED, "reason": f"{type(error).__name__}: {error}"}
    return Record(
        candidate,
        formula=formula,
        **outcome,
        cpu_seconds=time.process_time() - cpu,
        wall_seconds=time.perf_counter() - wall,
    )


def _run(
    system: MaterialSystem,
    candidate: Candidate,
    settings: ModelSettings,
    on_progress: Callable[[float], None] | None,
    keep_history: bool,
    early_stop: EarlyStop | None,
) -> dict[str, Any]:
    """The chain of the candidate's model."""
    if isinstance(settings, PhysicalSettings):
        from dynaphase.physical_chain import PhysicalChain

        chain = PhysicalChain(system, candidate, settings)
        return chain.run(on_progress, keep_history=keep_history, early_stop=early_stop)
    from dynaphase.paper_chain import PaperChain

    return PaperChain(system, candidate, settings).run(on_progress, keep_history=keep_history)


def _with_notes(record: Record, notes: tuple[str, ...]) -> Record:
    from dataclasses import replace

    return replace(record, notes=(*notes, *record.notes))
