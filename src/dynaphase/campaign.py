"""A campaign: the one stateful object.  Make one, run it (`dynaphase.steering`), look at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dynaphase.composition import Composition, CompositionLike
from dynaphase.config import PRESETS, CampaignConfig, load_config, make_config
from dynaphase.errors import CampaignError, ConfigError, Interrupted, unknown_choice
from dynaphase.executors import Workers, make_workers
from dynaphase.identity import check_identity, find_system, is_table, options_of_then
from dynaphase.interruption import heeded_interruptions
from dynaphase.journal import Journal, read_journal
from dynaphase.learner import Learner
from dynaphase.lock import is_being_run, only_runner
from dynaphase.materials import get_system
from dynaphase.materials.base import MaterialSystem
from dynaphase.materials.table_files import read_table
from dynaphase.observer import Observer
from dynaphase.outcomes import check_goal
from dynaphase.recommend import Forecast, forecast, recommend
from dynaphase.records import Candidate, Record
from dynaphase.robustness import draw_candidates, robustness_of
from dynaphase.rounds import Plan
from dynaphase.settings import ModelSettings, PhysicalSettings
from dynaphase.space import CompositionSpace
from dynaphase.steering import Steering
from dynaphase.stopping import StopReason
from dynaphase.store import Store
from dynaphase.training import Learned, traded

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CONFIG_NAME", "TABLE_NAME", "Campaign", "Observer"]

CONFIG_NAME: Final = "campaign.toml"

TABLE_NAME: Final = "system.toml"
"""Copy of the table that describes the material system of a campaign."""


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
        check_goal(config)
        self.system: MaterialSystem = find_system(config.system, directory)
        self.space: CompositionSpace = _make_space(config, self.system)
        self._learner = Learner(config, self.space)

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
            Unknown preset or system, a table that is wrong, or a goal that the campaign cannot pursue.
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
        check_goal(config)
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
            If there is no campaign, it belongs to another version of the model, or its configuration was changed in a
            part that decides which records there are.
        ConfigError
            If its configuration is malformed or has a goal that it cannot pursue.
        """
        path = Path(place)
        file = path / CONFIG_NAME if path.is_dir() else path
        if path.is_dir() and not file.is_file():
            raise CampaignError(
                f"{path} is no campaign directory: it has no {CONFIG_NAME}. Make one with 'dynaphase new DIR'."
            )
        if not path.exists():
            raise CampaignError(f"there is no {path}; make a campaign with 'dynaphase new {path}'")
        kept: Mapping[str, Any] = {}
        if (file.parent / "records.sqlite").is_file():
            store = Store(file.parent, is_read_only=True)
            try:
                kept = store.identity if store.has_begun else {}
            finally:
                store.close()
        config = load_config(file, options_of_then(kept))
        try:
            campaign = cls(file.parent.resolve(), config)
        except ConfigError as error:  # what only the material system can say of [space], of [goal], of system
            raise ConfigError(f"{file}: {error}") from None
        if kept:
            check_identity(kept, campaign.identity, file, config.system)
        return campaign

    # --- running -----------------------------------------------------------------------------------------

    def run(
        self,
        n_workers: int | None = None,
        executor: str | Workers = "processes",
        observer: Observer | None = None,
    ) -> StopReason:
        """Start or resume, until the campaign stops by itself.

        Parameters
        ----------
        n_workers : int, optional
            Simulations at a time; by default one per core.
        executor : {"processes", "serial"} or Workers
            Where simulations run; `n_workers` then belongs to it.
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
        workers = make_workers(executor, n_workers) if isinstance(executor, str) else executor
        watcher = observer or Observer()
        with only_runner(self.directory):
            store = Store.to_fill(self.directory, self.identity)
            try:
                with heeded_interruptions() as check:
                    return Steering(self.config, self.space, store, workers, watcher, check, self._learner).run()
            except KeyboardInterrupt:
                store.log("interrupted", {})
                raise Interrupted(
                    f"interrupted; {len(store.keys())} finished simulations are kept. "
                    f"Go on with 'dynaphase run {self.directory}'."
                ) from None
            finally:
                store.close()

    # --- looking -----------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Where the campaign stands, under the names of ``dynaphase status --json``."""
        with self._looking() as store:
            state = read_journal(store, self.config)
            last = store.events()[-1] if store.events() else None
        planned = {c.key: c for plan in state.plans for c in plan.candidates(self.config, self.system.name)}
        still_open = [candidate for key, candidate in planned.items() if key not in state.records]
        n_open_draws = sum(candidate.key not in state.drawn for candidate in self._drawn_candidates(state))
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
            "n_stopped_early": state.n_stopped,
            "is_running": is_running,
            "n_running": len(still_open) + n_open_draws if is_running else 0,
            "n_open": len(still_open),
            "n_open_compositions": len({candidate.composition for candidate in still_open}),
            "n_open_draws": n_open_draws,
            "n_planned": len(planned),
            "round": state.plans[-1].number if state.plans else 0,
            "model": self.config.model,
            **_level(self.config.settings),
            "accuracy": {
                name: {key: target[key] for key in ("r", "nrmse", "n_held_out")} for name, target in accuracy.items()
            },
            "coverage": dict(state.assessments[-1].get("coverage", {})) if state.assessments else {},
            "n_drawn": len(state.drawn),
            "saved": list(state.saved) if stopped else [],
            "failures": dict(state.failures),
            "failing": dict(state.assessments[-1].get("failing", {})) if state.assessments else {},
            "stopped_because": reason,
            "stopped_in_words": words,
        }

    def records(self) -> list[Record]:
        """All records that the campaign learns from or judges by, failures included, ordered by key; without fields."""
        with self._looking() as store:
            return list(read_journal(store, self.config).records.values())

    def drawn_records(self) -> list[Record]:
        """Records of recommendations and reference under draws of the uncertain parameters, ordered by key."""
        with self._looking() as store:
            return list(read_journal(store, self.config).drawn.values())

    def plans(self) -> tuple[Plan, ...]:
        """What was asked for, round by round."""
        with self._looking() as store:
            return read_journal(store, self.config).plans

    def assessments(self) -> list[dict[str, Any]]:
        """Accuracy and fit reports after each round."""
        with self._looking() as store:
            return [dict(assessment) for assessment in read_journal(store, self.config).assessments]

    def fields(self, key: str) -> Any:
        """Final fields of one record (xarray data set)."""
        with self._looking() as store:
            return store.fields(key)

    def frame(self) -> pd.DataFrame:
        """One row per record: composition, role, status, values, descriptors (``descriptors.grain_size_nm`` …)."""
        import pandas as pd

        with self._looking() as store:
            state = read_journal(store, self.config)
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
            state = read_journal(store, self.config)
        if not state.plans:
            raise CampaignError(
                f"{self.directory} has no simulations yet; run it with 'dynaphase run {self.directory}'"
            )
        return self._learner.learn(state)

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
            state = read_journal(store, self.config)
        return [replace(item, robust_to_draws=self._robustness(state, item.composition)) for item in found]

    def _robustness(self, state: Journal, composition: Composition) -> dict[str, Any] | None:
        n_draws = max((r.candidate.settings.get("draw", 0) for r in state.drawn.values()), default=0)
        records = {**state.records, **state.drawn}
        return robustness_of(composition, self.system.reference, records, self.config, self.system.name, n_draws)

    def _drawn_candidates(self, state: Journal) -> list[Candidate]:
        """What is compared under draws of the uncertain parameters; nothing before that has begun."""
        if not state.compared:
            return []
        compared = [self.system.reference, *state.compared]
        return draw_candidates(self.config, self.system.name, compared, self.config.conclude.n_draws)

    @contextmanager
    def _looking(self) -> Iterator[Store]:
        store = Store(self.directory, is_read_only=True)
        try:
            yield store
        finally:
            store.close()


def _make_space(config: CampaignConfig, system: MaterialSystem) -> CompositionSpace:
    try:
        return CompositionSpace.make(system, **config.space.model_dump())
    except ConfigError as error:
        text = str(error)
        raise ConfigError(text if text.startswith("[space]") else f"[space]: {text}") from None


def _level(settings: ModelSettings) -> dict[str, str]:
    """How finely it is simulated."""
    if isinstance(settings, PhysicalSettings):
        return {"fidelity": settings.fidelity}
    return {"stepping": settings.stepping}
