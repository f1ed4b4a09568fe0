"""A campaign: the one stateful object.  Ask, simulate, tell, stop, recommend; interrupt and resume at any point."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dynaphase.assessment import assess_further
from dynaphase.composition import Composition, CompositionLike
from dynaphase.config import PRESETS, CampaignConfig, load_config, make_config
from dynaphase.errors import CampaignError, ConfigError, Interrupted, unknown_choice
from dynaphase.evaluation import evaluate_candidate
from dynaphase.executors import Workers, make_workers, run_all
from dynaphase.identity import check_identity, find_system, is_table
from dynaphase.interruption import heeded_interruptions
from dynaphase.lock import is_being_run, only_runner
from dynaphase.materials import get_system
from dynaphase.materials.base import MaterialSystem
from dynaphase.materials.table_files import read_table
from dynaphase.recommend import Forecast, forecast, recommend
from dynaphase.records import Candidate, Record, RecordStatus
from dynaphase.robustness import draw_candidates, is_drawn, robustness_of
from dynaphase.rounds import Plan, Role, initial_plan, next_plan
from dynaphase.savings import saved_for_accuracy, saved_for_optimum
from dynaphase.settings import ModelSettings, PhysicalSettings
from dynaphase.space import CompositionSpace
from dynaphase.stopping import StopReason, Verdict, verdict
from dynaphase.store import Store
from dynaphase.training import JUDGED, Learned, choose_batch, learn, traded

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CONFIG_NAME", "TABLE_NAME", "Campaign", "Observer"]

CONFIG_NAME: Final = "campaign.toml"

TABLE_NAME: Final = "system.toml"
"""Copy of the table that describes the material system of a campaign."""


class Observer:
    """What a run tells while it goes on; override what you want to see."""

    def planned(self, plan: Plan, n_open: int, n_total: int) -> None:
        """A round begins: `n_open` of its `n_total` simulations are still to be made."""

    def finished(self, record: Record) -> None:
        """A simulation ended."""

    def lost(self, formula: str, reason: str) -> None:
        """A simulation gave no result because its worker died; running the campaign again tries it again."""

    def assessed(self, assessment: Mapping[str, Any]) -> None:
        """The surrogate was fitted and judged."""

    def drawing(self, n_open: int, n_total: int) -> None:
        """Recommendations and reference are simulated under draws: `n_open` of `n_total` are still to be made."""

    def stopped(self, verdict: Verdict) -> None:
        """The campaign ended, and why."""


@dataclass(frozen=True, slots=True)
class _State:
    """Everything known, read from the store."""

    plans: tuple[Plan, ...]
    records: Mapping[str, Record]
    """Those that are learned from or judged by."""
    drawn: Mapping[str, Record]
    """Those of other draws of the uncertain parameters."""
    compared: tuple[Composition, ...]
    """Compositions that are simulated under draws, beside the reference."""
    saved: Sequence[Mapping[str, Any]]
    assessments: tuple[Mapping[str, Any], ...]

    @property
    def n_failed(self) -> int:
        return sum(not record.is_done for record in self.records.values())

    @property
    def failures(self) -> list[tuple[str, int]]:
        """Reasons of failed simulations and how often each occurred, the most frequent first."""
        return Counter(r.reason or "no reason was kept" for r in self.records.values() if not r.is_done).most_common()

    @property
    def failed(self) -> list[Composition]:
        """Compositions without a successful simulation, though some was tried, in a fixed order."""
        tried, done = (
            {r.candidate.composition for r in self.records.values() if r.is_done is is_done}
            for is_done in (False, True)
        )
        return sorted(tried - done, key=lambda composition: composition.key)


class Campaign:
    """A directory with a configuration, its records and what was learned from them.

    Use `create` or `open`.  Looking (`status`, `frame`, `predict`, `suggest`) never writes; `run` holds a lock, so
    a second process on the same campaign is refused.

    Examples
    --------
    >>> campaign = Campaign.create("my-campaign", preset="demo", seed=0)   # doctest: +SKIP
    >>> campaign.run()                                                     # doctest: +SKIP
    >>> campaign.suggest(5)                                                # doctest: +SKIP
    """

    def __init__(self, directory: Path, config: CampaignConfig) -> None:
        self.directory = directory
        self.config = config
        self.system: MaterialSystem = find_system(config.system, directory)
        self.space: CompositionSpace = _make_space(config, self.system)
        self._learned: tuple[int, Learned] | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """What must not change once there are records; a table's name carries a digest of its content."""
        return self.config.identity | {"system": self.system.name}

    # --- making and opening ------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        directory: str | Path,
        preset: str = "demo",
        *,
        config: CampaignConfig | Mapping[str, Any] | None = None,
        system: str | Path | None = None,
        seed: int | None = None,
    ) -> Campaign:
        """A new campaign in an empty or missing directory.

        Parameters
        ----------
        directory : path
        preset : str
            Name in `dynaphase.config.PRESETS`; ignored when `config` is given.
        config : CampaignConfig or mapping, optional
        system, seed : optional
            Override those of the preset.  The system is a name or a table's file, which is copied into the directory.

        Raises
        ------
        ConfigError
            Unknown preset or system, or a table that is wrong.
        CampaignError
            The directory holds something already or cannot be written.
        """
        if config is None:
            if preset not in PRESETS:
                raise unknown_choice("preset", preset, PRESETS)
            config = PRESETS[preset]
        else:
            preset = ""
            config = config if isinstance(config, CampaignConfig) else make_config(config)
        changes = {"system": None if system is None else str(system), "seed": seed}
        config = make_config(
            config.model_dump() | {name: value for name, value in changes.items() if value is not None}, "options"
        )
        path, table = Path(directory), None
        lookup = get_system(config.system)
        _make_space(config, lookup)
        identity = config.identity | {"system": lookup.name}
        if is_table(config.system):
            table = read_table(config.system)
            config = config.model_copy(update={"system": TABLE_NAME})
        try:
            if path.exists() and (not path.is_dir() or any(path.iterdir())):
                raise CampaignError(
                    f"{path} exists and is not an empty directory; choose another name, or resume the campaign in it "
                    f"with 'dynaphase run {path}'"
                )
            path.mkdir(parents=True, exist_ok=True)
            Store.create(path, identity).close()
            if table is not None:
                (path / TABLE_NAME).write_text(table, encoding="utf-8")
            (path / CONFIG_NAME).write_text(config.to_toml(preset or None), encoding="utf-8")
        except OSError as error:
            raise CampaignError(f"{path} cannot be written: {error.strerror or error}") from None
        return cls(path.resolve(), config)

    @classmethod
    def open(cls, place: str | Path) -> Campaign:
        """The campaign of a directory, or of a configuration file (its folder is then the campaign directory).

        Raises
        ------
        CampaignError
            If there is no campaign, or it belongs to another version of the model.
        ConfigError
            If its configuration is malformed, or changed in a part that decides which records there are.
        """
        path = Path(place)
        file = path / CONFIG_NAME if path.is_dir() else path
        if path.is_dir() and not file.is_file():
            raise CampaignError(
                f"{path} is no campaign directory: it has no {CONFIG_NAME}. Make one with 'dynaphase new DIR'."
            )
        if not path.exists():
            raise CampaignError(f"there is no {path}; make a campaign with 'dynaphase new {path}'")
        config = load_config(file)
        campaign = cls(file.parent.resolve(), config)
        if (file.parent / "records.sqlite").is_file():
            store = Store(file.parent, is_read_only=True)
            try:
                if store.has_begun:
                    check_identity(store.identity, campaign.identity, file, config.system)
            finally:
                store.close()
        return campaign

    # --- running -----------------------------------------------------------------------------------------

    def run(
        self,
        n_workers: int | None = None,
        executor: str = "processes",
        observer: Observer | None = None,
    ) -> StopReason:
        """Start or resume, until the campaign stops by itself.

        Parameters
        ----------
        n_workers : int, optional
            Simulations at a time; by default one per core.
        executor : {"processes", "serial"}
        observer : Observer, optional

        Returns
        -------
        StopReason

        Raises
        ------
        Interrupted
            On Ctrl-C: everything finished is kept, and running again goes on.
        CampaignError
            Another process runs this campaign, or the disk refuses.
        FitError
            Too few simulations succeeded to learn from.
        """
        workers = make_workers(executor, n_workers)
        watcher = observer or Observer()
        with only_runner(self.directory):
            store = Store.to_fill(self.directory, self.identity)
            try:
                with heeded_interruptions() as check:
                    return self._run(store, workers, watcher, check)
            except KeyboardInterrupt:
                store.log("interrupted", {})
                raise Interrupted(
                    f"interrupted; {len(store.keys())} finished simulations are kept. "
                    f"Go on with 'dynaphase run {self.directory}'."
                ) from None
            finally:
                store.close()

    def _run(self, store: Store, workers: Workers, observer: Observer, check: Callable[[], None]) -> StopReason:
        store.log("started", {"pid": os.getpid(), "n_workers": workers.n_workers})
        if not store.events("planned"):
            store.log("planned", initial_plan(self.config, self.space, self.system.reference).to_json())
        for earlier in self._state(store).plans[:-1]:  # what was lost with a worker in an earlier run
            self._simulate(store, workers, earlier, observer, check)
        while True:
            check()
            plan = self._state(store).plans[-1]
            self._simulate(store, workers, plan, observer, check)
            state = self._state(store)
            if len(state.assessments) <= plan.number:
                learned = self._learn(state)
                further = assess_further(learned, state.plans, self.config, self.space)
                store.log("assessed", {"round": plan.number, **learned.assessment, **further})
                state = self._state(store)
            observer.assessed(state.assessments[-1])
            n_planned = sum(len(p.candidates(self.config, self.system.name)) for p in state.plans)
            cpu_hours = sum(record.cpu_seconds for record in state.records.values()) / 3600
            found = verdict(self.config, state.assessments, n_planned, cpu_hours)
            following = self._following(state, None if found is None else found.reason)
            if following is not None:
                store.log("planned", following.to_json())
            elif found is not None:
                self._conclude(store, workers, state, observer, check)
                store.log("stopped", {"reason": found.reason.value, "words": found.words})
                observer.stopped(found)
                return found.reason

    def _following(self, state: _State, reason: StopReason | None) -> Plan | None:
        """The round after the last one: a batch, a confirmation of the recommendations, or none."""
        last = state.plans[-1]
        known = {composition for plan in state.plans for composition, _ in plan.asked}
        if reason is None:
            failed = [composition for composition in state.failed if self.space.contains(composition)]
            chosen = choose_batch(self._learn(state), self.config, self.space, last.number + 1, known, failed)
            return next_plan(last.number + 1, chosen)
        if last.is_confirmation or self.config.rounds.n_confirm == 0:
            return None
        best = recommend(self._learn(state), self.system, self.space, self.config.rounds.n_confirm)
        unseen = [item.composition for item in best if item.composition not in known]
        return next_plan(last.number + 1, unseen, Role.CONFIRMATION) if unseen else None

    def _conclude(
        self, store: Store, workers: Workers, state: _State, observer: Observer, check: Callable[[], None]
    ) -> None:
        """Simulations under draws that are still open, and what random search would have needed."""
        learned, n_draws = self._learn(state), self.config.conclude.n_draws
        if n_draws:
            best = recommend(learned, self.system, self.space, self.config.conclude.n_compared)
            compared = [item.composition for item in best if item.composition != self.system.reference]
            if tuple(compared) != state.compared:
                store.log("compared", {"compositions": [list(composition.parts) for composition in compared]})
            wanted = draw_candidates(self.config, self.system.name, [self.system.reference, *compared], n_draws)
            kept = store.keys()
            missing = [candidate for candidate in wanted if candidate.key not in kept]
            if missing:
                observer.drawing(len(missing), len(wanted))
                self._evaluate(store, workers, missing, observer, check)
        check()
        tried = [composition for plan in state.plans for composition, role in plan.asked if role is not Role.ACTIVE]
        n_failed = len(set(tried) & set(state.failed))
        saved = [
            saved_for_optimum(learned, state.plans, self.config, self.space, n_failed),
            *saved_for_accuracy(learned, state.plans, self.config, JUDGED),
        ]
        store.log("saved", {"savings": [saving.to_json() for saving in saved]})

    def _simulate(
        self, store: Store, workers: Workers, plan: Plan, observer: Observer, check: Callable[[], None]
    ) -> None:
        candidates = plan.candidates(self.config, self.system.name)
        kept = store.keys()
        missing = [candidate for candidate in candidates if candidate.key not in kept]
        if not missing:
            return
        observer.planned(plan, len(missing), len(candidates))
        self._evaluate(store, workers, missing, observer, check)

    def _evaluate(
        self,
        store: Store,
        workers: Workers,
        missing: Sequence[Candidate],
        observer: Observer,
        check: Callable[[], None],
    ) -> None:
        function = partial(evaluate_candidate, system=self.system)
        for outcome in run_all(workers, function, missing, self._failed, _lost):
            if isinstance(outcome, Record):
                store.add(outcome)
                observer.finished(outcome)
            else:  # no record: the next run tries it again
                store.log("lost", outcome)
                observer.lost(outcome["formula"], outcome["reason"])
            check()

    def _failed(self, candidate: Candidate, reason: str) -> Record:
        return Record(candidate, RecordStatus.FAILED, self.system.formula(candidate.composition), reason=reason)

    def _learn(self, state: _State) -> Learned:
        """The surrogate of these records; fitting the same ones again would give the same."""
        n_records = len(state.records)
        if self._learned is None or self._learned[0] != n_records:
            self._learned = (n_records, learn(state.plans, state.records, self.config, self.space))
        return self._learned[1]

    # --- looking -----------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Where the campaign stands, under the names of ``dynaphase status --json``."""
        with self._looking() as store:
            state = self._state(store)
            last = store.events()[-1] if store.events() else None
        planned = {c.key for plan in state.plans for c in plan.candidates(self.config, self.system.name)}
        is_running = is_being_run(self.directory)
        stopped = last is not None and last.kind in ("stopped", "interrupted") and not is_running
        reason, words = None, None
        if stopped and last is not None:
            reason = last.content.get("reason", StopReason.INTERRUPTED.value)
            words = last.content.get("words")
        accuracy = state.assessments[-1]["accuracy"] if state.assessments else {}
        return {
            "n_records": len(state.records),
            "n_failed": state.n_failed,
            "n_running": len(planned - set(state.records)) if is_running else 0,
            "n_planned": len(planned),
            "round": state.plans[-1].number if state.plans else 0,
            "model": self.config.model,
            **_level(self.config.settings),
            "accuracy": {
                name: {key: target[key] for key in ("r", "nrmse", "n_held_out")} for name, target in accuracy.items()
            },
            "coverage": dict(state.assessments[-1].get("coverage", {})) if state.assessments else {},
            "failures": dict(state.failures),
            "n_drawn": len(state.drawn),
            "saved": list(state.saved) if stopped else [],
            "stopped_because": reason,
            "stopped_in_words": words,
        }

    def records(self) -> list[Record]:
        """All records that the campaign learns from or judges by, failures included, ordered by key; without fields."""
        with self._looking() as store:
            return list(self._state(store).records.values())

    def drawn_records(self) -> list[Record]:
        """Records of recommendations and reference under draws of the uncertain parameters, ordered by key."""
        with self._looking() as store:
            return list(self._state(store).drawn.values())

    def plans(self) -> tuple[Plan, ...]:
        """What was asked for, round by round."""
        with self._looking() as store:
            return self._state(store).plans

    def assessments(self) -> list[dict[str, Any]]:
        """Accuracy and fit reports after each round."""
        with self._looking() as store:
            return [dict(assessment) for assessment in self._state(store).assessments]

    def fields(self, key: str) -> Any:
        """Final fields of one record (xarray data set)."""
        with self._looking() as store:
            return store.fields(key)

    def frame(self) -> pd.DataFrame:
        """One row per record: composition, role, status, values, descriptors (``descriptors.grain_size_nm`` …)."""
        import pandas as pd

        with self._looking() as store:
            state = self._state(store)
        roles = {
            candidate.key: (plan.number, role.value)
            for plan in state.plans
            for candidate, role in plan.candidates_with_roles(self.config, self.system.name)
        }
        rows = []
        for key, record in state.records.items():
            number, role = roles.get(key, (None, None))
            rows.append(
                {
                    "key": key,
                    "formula": record.formula,
                    "status": record.status.value,
                    "role": role,
                    "round": number,
                }
                | {"seed": record.candidate.seed, "model": record.candidate.model}
                | {f"composition.{e}": record.candidate.composition[e] for e in self.system.elements}
                | dict(record.values)
                | {f"descriptors.{name}": value for name, value in record.descriptors.items()}
                | {
                    "cpu_seconds": record.cpu_seconds,
                    "wall_seconds": record.wall_seconds,
                    "reason": record.reason,
                }
            )
        return pd.DataFrame(rows)

    def learned(self) -> Learned:
        """The surrogate of the present training set, with its accuracy.

        Raises
        ------
        FitError
            If there are too few simulations to learn from yet.
        """
        with self._looking() as store:
            state = self._state(store)
        if not state.plans:
            raise CampaignError(
                f"{self.directory} has no simulations yet; run it with 'dynaphase run {self.directory}'"
            )
        return self._learn(state)

    def predict(self, sources: str | Sequence[CompositionLike]) -> list[Forecast]:
        """Predicted S and σ with intervals for any compositions of the system (one formula, or several)."""
        sources = [sources] if isinstance(sources, str) else sources
        compositions = [self.system.read(source).composition for source in sources]
        return forecast(self.learned(), self.system, self.space, compositions)

    def suggest(self, n: int = 5) -> list[Forecast]:
        """Compositions to make next: `n` different ones, nearest to the best S and the best σ at once."""
        if n < 1:
            raise ConfigError(f"the number of suggestions must be at least 1, not {n}")
        found = recommend(self.learned(), self.system, self.space, n, traded(self.config))
        with self._looking() as store:
            state = self._state(store)
        return [replace(item, robust_to_draws=self._robustness(state, item.composition)) for item in found]

    def _robustness(self, state: _State, composition: Composition) -> dict[str, Any] | None:
        n_draws = max((r.candidate.settings.get("draw", 0) for r in state.drawn.values()), default=0)
        reference = self.system.reference
        records = {**state.records, **state.drawn}
        return robustness_of(composition, reference, records, self.config, self.system.name, n_draws)

    def _state(self, store: Store) -> _State:
        records = store.records()
        drawn = {key for key, record in records.items() if is_drawn(record, self.config)}
        compared, saved = store.events("compared")[-1:], store.events("saved")[-1:]
        return _State(
            plans=tuple(Plan.from_json(event.content) for event in store.events("planned")),
            records={key: record for key, record in records.items() if key not in drawn},
            drawn={key: record for key, record in records.items() if key in drawn},
            compared=tuple(
                Composition(tuple((str(element), int(count)) for element, count in parts))
                for event in compared
                for parts in event.content["compositions"]
            ),
            saved=tuple(saving for event in saved for saving in event.content["savings"]),
            assessments=tuple(event.content for event in store.events("assessed")),
        )

    @contextmanager
    def _looking(self) -> Iterator[Store]:
        store = Store(self.directory, is_read_only=True)
        try:
            yield store
        finally:
            store.close()


def _lost(candidate: Candidate, reason: str) -> dict[str, str]:
    return {"key": candidate.key, "formula": str(candidate.composition), "reason": reason}


def _make_space(config: CampaignConfig, system: MaterialSystem) -> CompositionSpace:
    return CompositionSpace.make(system, **config.space.model_dump())


def _level(settings: ModelSettings) -> dict[str, str]:
    """How finely it is simulated."""
    if isinstance(settings, PhysicalSettings):
        return {"fidelity": settings.fidelity}
    return {"stepping": settings.stepping}
