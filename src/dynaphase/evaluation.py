"""The whole physics chain as one function: candidate in, record out.

composition → material → microstructure → phase-field run → conduction → descriptors → S and σ.  No disk, no global
state, no randomness but the seed: the same candidate gives the same record in any process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, isfinite
from operator import index
from typing import TYPE_CHECKING, Any, Final

from dynaphase.composition import CompositionLike
from dynaphase.errors import ComputationError, ConfigError, SimulationError
from dynaphase.materials import get_system
from dynaphase.materials.base import Material, MaterialSystem
from dynaphase.materials.conductivity import film_capacity, wetting
from dynaphase.records import Candidate, Fields, Record, RecordStatus
from dynaphase.settings import MODELS, PaperSettings, make_settings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from dynaphase.phasefield.microstructure import Microstructure
    from dynaphase.phasefield.models.conduction import ConductionParameters
    from dynaphase.phasefield.simulate import Trajectory

__all__ = ["evaluate", "evaluate_candidate", "make_candidate"]

CATHODE_LAYER_NM: Final = 2.0
"""Depth at x = L that starts as cathode, not as electrolyte (nm)."""

TEMPERATURES_K: Final = (273.15, 298.15, 333.15, 373.15)
"""Where σ(T) is computed for the effective activation energy."""

CERAMIC_GRAIN_SIZE_NM: Final = 1000.0
"""Grain size of the ceramic that `ceramic_conductivity_S_per_cm` speaks of."""

S_PER_CM: Final = 0.01
"""One S/m in S/cm."""

SOLID: Final = 0.5
"""Relative density above which a cell is solid."""

PLANE_LIMIT: Final = 0.6
"""Host fraction below which a plane microstructure percolates clearly worse than a real one."""


def evaluate(
    composition: CompositionLike,
    model: str = MODELS[0],
    seed: int = 0,
    *,
    system: str | MaterialSystem = "lagp",
    settings: Mapping[str, Any] | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Record:
    """Simulate one composition.

    Parameters
    ----------
    composition : str, mapping, Composition or pymatgen object
        E.g. ``"Li1.5Al0.5Ge1.5(PO4)3"``; only the ratio of the system's elements counts.
    model : {"paper"}
        Phase-field model.
    seed : int
        Seed of the microstructure and the initial noise.
    system : str or MaterialSystem
    settings : mapping, optional
        Options of the model (`dynaphase.settings.PaperSettings`); defaults for what is left out.
    on_progress : callable, optional
        Called with the finished fraction of the phase-field run, 0 to 1.

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
    record = evaluate_candidate(candidate, lookup, on_progress)
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
    candidate: Candidate, system: MaterialSystem, on_progress: Callable[[float], None] | None = None
) -> Record:
    """Candidate → record; a failed computation becomes a failed record with its reason."""
    wall, cpu = time.perf_counter(), time.process_time()
    settings = make_settings(candidate.model, candidate.settings)
    formula = system.formula(candidate.composition)
    outcome: dict[str, Any]
    try:
        chain = _PaperChain(system, candidate, settings)
        outcome = {"status": RecordStatus.DONE, **chain.run(on_progress)}
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


@dataclass(frozen=True, slots=True)
class _PaperChain:
    """One evaluation with the `paper` model; each method is one arrow of the chain."""

    system: MaterialSystem
    candidate: Candidate
    settings: PaperSettings

    def run(self, on_progress: Callable[[float], None] | None) -> dict[str, Any]:
        from dynaphase.phasefield.models.paper import printed_conductivity

        material = self.material(self.settings.temperature_K)
        microstructure = self.microstructure(material, material["grain_size_nm"])
        start = self.initial_state(microstructure)
        trajectory = self.degrade(material, start, on_progress)
        end = trajectory.state
        degraded = degraded_extent(start, end)
        descriptors, score, notes = self.measure(microstructure, start, end)
        conduction = self.conduct(material, microstructure, degraded)
        values = {
            "stability_score": score,
            **conduction,
            "conductivity_as_printed": printed_conductivity(
                end,
                material["paper_transport_number"],
                material["bulk_activation_energy_eV"],
                self.settings.temperature_K,
            ),
            "interfacial_energy_J_per_m": float(trajectory.observations["energy"][-1]),
            "intact_fraction": float(end.mean()),
        }
        _require_finite({**values, **descriptors})
        return {
            "values": values,
            "descriptors": descriptors,
            "notes": (*material.notes, *notes, *_plane_notes(material)),
            "fields": _fields(microstructure, start, end, degraded),
        }

    def material(self, temperature_K: float) -> Material:
        return self.system.material(self.candidate.composition, temperature_K)

    def microstructure(self, material: Material, film_grain_size_nm: float) -> Microstructure:
        """Grains, voids and particles; glass that does not fit on boundaries of that grain size is particles."""
        from dynaphase.phasefield.microstructure import make_microstructure

        n = self.settings.n
        return make_microstructure(
            (n, n),
            self.settings.length_nm / n,
            grain_size_nm=material["grain_size_nm"],
            porosity=material["porosity"],
            secondary=particle_fractions(material, film_grain_size_nm),
            boundary_width_nm=material["boundary_width_numerical_nm"],
            seed=self.candidate.seed,
        )

    def initial_state(self, microstructure: Microstructure) -> npt.NDArray[np.float64]:
        import numpy as np

        from dynaphase.phasefield.models.paper import initial_state

        # A stream of its own: the noise must not depend on how many numbers the microstructure used.
        stream = np.random.SeedSequence([self.candidate.seed, 0x6E6F6973])
        rng = np.random.default_rng(stream)
        return initial_state(microstructure, cathode_layer_nm=CATHODE_LAYER_NM, rng=rng)

    def degrade(
        self, material: Material, start: npt.NDArray[np.float64], on_progress: Callable[[float], None] | None
    ) -> Trajectory:
        from dynaphase.phasefield.grid import Grid
        from dynaphase.phasefield.models.paper import FAST_STEPPING, REACTIONS, PaperModel, PaperParameters
        from dynaphase.phasefield.simulate import RunStatus, simulate
        from dynaphase.phasefield.steppers import ExplicitEuler

        settings = self.settings
        model = PaperModel(
            Grid.box(settings.n, settings.length_nm),
            PaperParameters(
                D0_nm2_per_s=material["paper_diffusivity_nm2_per_s"],
                k_per_s=material["paper_rate_per_s"],
                gamma_J_per_m=material["paper_interface_energy_J_per_m"],
                reaction=REACTIONS[settings.reaction],
                conservative=settings.conservative,
            ),
        )
        stepper = ExplicitEuler(settings.time_step_s) if settings.stepping == "exact" else FAST_STEPPING
        trajectory = simulate(model, start, stepper, settings.duration_s, progress=on_progress)
        if trajectory.status is RunStatus.INTERRUPTED:
            raise KeyboardInterrupt
        return trajectory.require_done()

    def measure(
        self, microstructure: Microstructure, start: npt.NDArray[np.float64], end: npt.NDArray[np.float64]
    ) -> tuple[dict[str, float], float, tuple[str, ...]]:
        """Grain size and voids of the microstructure, width of the interface at the end of the run, and S.

        C alone cannot tell a void from degraded material, nor a boundary that blurred from one that healed: what the
        printed equation moves is the interface, so that is what is measured on its result.
        """
        from dynaphase.descriptors import interface_width, mean_linear_intercept, stability_score, void_fraction

        spacing = microstructure.spacing_nm
        n_rows = ceil(CATHODE_LAYER_NM / spacing)
        solid = microstructure.density > SOLID
        grains = mean_linear_intercept(microstructure.grain_ids[:-n_rows], spacing, is_solid=solid[:-n_rows])
        voids = void_fraction(microstructure.density, threshold=SOLID, n_cathode_rows=n_rows)
        width = interface_width(end, spacing, fresh=start)
        descriptors = {
            "grain_size_nm": grains.mean_nm,
            "void_fraction": voids.fraction,
            "interface_width_nm": width.width_nm,
        }
        notes = tuple(
            text
            for is_censored, text in (
                (grains.is_censored, "no grain boundary was crossed: the grain size is that of the box, a lower bound"),
                (width.is_censored, "degradation reaches through the box: the interface width is a lower bound"),
            )
            if is_censored
        )
        return descriptors, stability_score(grains.mean_nm, voids.fraction, width.width_nm), notes

    def conduct(
        self, material: Material, microstructure: Microstructure, degraded: npt.NDArray[np.float64]
    ) -> dict[str, float]:
        """Conductivities before and after degradation, through the electrolyte without the cathode layer."""
        from dynaphase.phasefield.models.conduction import (
            ceramic_conductivity,
            effective_activation_energy,
            homogenize,
            local_conductivity,
        )

        spacing = microstructure.spacing_nm
        n_rows = ceil(CATHODE_LAYER_NM / spacing)
        box_grains = material["grain_size_nm"]
        parameters = conduction_parameters(material, box_grains)
        pristine = homogenize(
            local_conductivity(microstructure, parameters), spacing, n_cathode_rows=n_rows, with_error=True
        )
        at_temperature = [
            homogenize(
                local_conductivity(microstructure, conduction_parameters(self.material(temperature), box_grains)),
                spacing,
                n_cathode_rows=n_rows,
                near=pristine.factor,
            ).conductivity_S_per_m
            for temperature in TEMPERATURES_K
        ]
        aged = homogenize(
            local_conductivity(microstructure, parameters, degraded),
            spacing,
            n_cathode_rows=n_rows,
            near=pristine.factor,
        )
        # Ceramics have little boundary for glass to hide on: the same grains and voids, more particles.
        has_glass = material["film_fraction"] > 0
        in_ceramic = self.microstructure(material, CERAMIC_GRAIN_SIZE_NM) if has_glass else microstructure
        ceramic = ceramic_conductivity(
            in_ceramic,
            conduction_parameters(material, CERAMIC_GRAIN_SIZE_NM),
            CERAMIC_GRAIN_SIZE_NM,
            n_cathode_rows=n_rows,
        )
        return {
            "ionic_conductivity_S_per_cm": S_PER_CM * pristine.conductivity_S_per_m,
            "ceramic_conductivity_S_per_cm": S_PER_CM * ceramic,
            "aged_conductivity_S_per_cm": S_PER_CM * aged.conductivity_S_per_m,
            "activation_energy_eV": effective_activation_energy(TEMPERATURES_K, at_temperature),
            "discretization_error_decades": pristine.discretization_error_decades or 0.0,
        }


def conduction_parameters(material: Material, grain_size_nm: float) -> ConductionParameters:
    """What conducts how well in `material`, its boundaries wetted as they are at `grain_size_nm`.

    A glass-forming phase covers boundaries (θ = 1: completely) and raises their area resistance from R'' to
    R''/(1 − f θ), f being the conductance that a complete film costs.
    """
    from dynaphase.phasefield.models.conduction import ConductionParameters

    theta = wetting(material["film_fraction"], grain_size_nm, material["film_thickness_nm"])
    wetted = 1.0 / (1.0 - material["film_conductance_loss"] * theta)
    return ConductionParameters(
        bulk_S_per_m=material["bulk_conductivity_S_per_m"],
        boundary_resistance_ohm_m2=material["boundary_resistance_ohm_m2"] * wetted,
        secondary={phase: material[f"conductivity_{phase}_S_per_m"] for phase in material.assemblage.secondary},
        void_S_per_m=material["void_conductivity_S_per_m"],
        degraded_S_per_m=material["degraded_conductivity_S_per_m"],
    )


def particle_fractions(material: Material, grain_size_nm: float) -> dict[str, float]:
    """Volume fractions of the secondary phases that sit in the solid as particles.

    Glass-forming phases spread on the grain boundaries first; only what the boundaries cannot hold
    (v_film > δ_f L_A at `grain_size_nm`) becomes particles, so that no volume element acts twice, or not at all.
    """
    assemblage, film = material.assemblage, material["film_fraction"]
    capacity = film_capacity(grain_size_nm, material["film_thickness_nm"])
    excess = max(0.0, 1.0 - capacity / film) if film > 0.0 else 0.0
    shares = {
        phase: fraction * (excess if phase in assemblage.film_formers else 1.0)
        for phase, fraction in assemblage.secondary.items()
    }
    return {phase: fraction for phase, fraction in shares.items() if fraction > 0.0}


def _plane_notes(material: Material) -> tuple[str, ...]:
    if material.assemblage.host_fraction >= PLANE_LIMIT:
        return ()
    return (
        f"the conducting phase fills {material.assemblage.host_fraction:.0%} of the solid: in a plane it is cut off "
        "sooner than in space, so σ is a lower estimate",
    )


def degraded_extent(
    start: npt.NDArray[np.float64], end: npt.NDArray[np.float64], floor: float = 0.1
) -> npt.NDArray[np.float64]:
    """χ = 1 − C_end/C_start where there was electrolyte (C_start > `floor`), else 0; within [0, 1].

    Relative to the start, so that what a grain boundary or a pore lacks from the beginning is not counted as
    degradation too.
    """
    import numpy as np

    solid = start > floor
    return np.where(solid, np.clip(1.0 - end / np.where(solid, start, 1.0), 0.0, 1.0), 0.0)


def _fields(
    microstructure: Microstructure,
    start: npt.NDArray[np.float64],
    end: npt.NDArray[np.float64],
    degraded: npt.NDArray[np.float64],
) -> Fields:
    names = ", ".join(f"{i} {name}" for i, name in enumerate(microstructure.phase_names, start=1))
    arrays: dict[str, tuple[npt.NDArray[Any], str]] = {
        "C": (end, "intact electrolyte fraction C at the end (1)"),
        "C_start": (start, "intact electrolyte fraction C at the start (1)"),
        "degraded": (degraded, "extent of degradation χ (1)"),
        "grain_id": (microstructure.grain_ids, "grain of each cell"),
        "boundary": (microstructure.boundary, "grain-boundary indicator g (1)"),
        "density": (microstructure.density, "relative density ρ: 1 solid, 0 void (1)"),
        "phase_id": (microstructure.phase_ids, f"phase of each cell: 0 host{', ' if names else ''}{names}"),
    }
    return Fields(
        microstructure.spacing_nm,
        {name: array for name, (array, _) in arrays.items()},
        {name: text for name, (_, text) in arrays.items()},
    )


def _require_finite(values: Mapping[str, float]) -> None:
    bad = [name for name, value in values.items() if not isfinite(value)]
    if bad:
        raise SimulationError(
            f"the evaluation gave no finite value for {', '.join(bad)}; please report the composition and the seed"
        )


def _with_notes(record: Record, notes: tuple[str, ...]) -> Record:
    from dataclasses import replace

    return replace(record, notes=(*notes, *record.notes))
