"""One evaluation with the `paper` model: composition → microstructure → printed equation → conduction → S and σ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from dynaphase.history import History, Snapshots
from dynaphase.material_inputs import (
    CERAMIC_GRAIN_SIZE_NM,
    S_PER_CM,
    SOLID,
    TEMPERATURES_K,
    conduction_parameters,
    particle_fractions,
    plane_notes,
    require_finite,
)
from dynaphase.materials.base import Material, MaterialSystem
from dynaphase.records import Candidate, Fields
from dynaphase.settings import PaperSettings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from dynaphase.electrolyte.microstructure import Microstructure
    from dynaphase.phasefield.simulate import Trajectory

__all__ = ["PaperChain", "degraded_extent"]

CATHODE_LAYER_NM: Final = 2.0
"""Depth at x = L that starts as cathode, not as electrolyte (nm)."""

N_SNAPSHOTS: Final = 40
"""States of C that a history holds at most."""

_DESCRIPTIONS: Final = {"time": "time (s)", "C": "intact electrolyte fraction C (1)"}


@dataclass(frozen=True, slots=True)
class PaperChain:
    """One evaluation with the `paper` model; each method is one arrow of the chain."""

    system: MaterialSystem
    candidate: Candidate
    settings: PaperSettings

    def run(self, on_progress: Callable[[float], None] | None, *, keep_history: bool = False) -> dict[str, Any]:
        from dynaphase.electrolyte.paper import printed_conductivity

        material = self.material(self.settings.temperature_K)
        microstructure = self.microstructure(material, material["grain_size_nm"])
        start = self.initial_state(microstructure)
        snapshots = Snapshots(N_SNAPSHOTS) if keep_history else None
        trajectory = self.degrade(material, start, on_progress, snapshots)
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
        require_finite({**values, **descriptors})
        return {
            "values": values,
            "descriptors": descriptors,
            "notes": (*material.notes, *notes, *plane_notes(material)),
            "fields": _fields(microstructure, start, end, degraded),
            "history": None if snapshots is None else _history(snapshots, microstructure.spacing_nm),
        }

    def material(self, temperature_K: float) -> Material:
        return self.system.material(self.candidate.composition, temperature_K)

    def microstructure(self, material: Material, film_grain_size_nm: float) -> Microstructure:
        """Grains, voids and particles; glass that does not fit on boundaries of that grain size is particles."""
        from dynaphase.electrolyte.microstructure import make_microstructure

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

        from dynaphase.electrolyte.paper import initial_state

        # A stream of its own: the noise must not depend on how many numbers the microstructure used.
        stream = np.random.SeedSequence([self.candidate.seed, 0x6E6F6973])
        rng = np.random.default_rng(stream)
        return initial_state(microstructure, cathode_layer_nm=CATHODE_LAYER_NM, rng=rng)

    def degrade(
        self,
        material: Material,
        start: npt.NDArray[np.float64],
        on_progress: Callable[[float], None] | None,
        snapshots: Snapshots | None = None,
    ) -> Trajectory:
        from dynaphase.electrolyte.paper import FAST_STEPPING, REACTIONS, PaperModel, PaperParameters
        from dynaphase.phasefield.grid import Grid
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

        def see(time_s: float, state: npt.NDArray[np.float64]) -> None:
            if snapshots is not None:
                snapshots.offer(time_s, {}, lambda: {"C": state})

        trajectory = simulate(model, start, stepper, settings.duration_s, progress=on_progress, on_state=see)
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
        from dynaphase.electrolyte.conduction import (
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


def _history(snapshots: Snapshots, spacing_nm: float) -> History:
    return {"degradation": snapshots.stage(spacing_nm, _DESCRIPTIONS)}


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
