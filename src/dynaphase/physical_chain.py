"""One evaluation with the `physical` model: a furnace, lithium that penetrates, interphases, conduction.

composition → material → sintered structure → conduction → rest → sweep of the potential → descriptors → S and σ.

Grain size and porosity are outcomes of one furnace schedule for every composition.  S is computed from grain size,
voids and the thickness of decomposed electrolyte; the critical current density stands beside it, not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dynaphase.errors import SimulationError
from dynaphase.material_inputs import (
    S_PER_CM,
    SOLID,
    TEMPERATURES_K,
    conduction_parameters,
    particle_fractions,
    plane_notes,
    require_finite,
)
from dynaphase.materials.base import Material, MaterialSystem
from dynaphase.materials.wetted import wetted_boundaries
from dynaphase.physical_history import N_REST, PhysicalHistory
from dynaphase.physical_options import leakage_of, plate_and_strip, sweep_options
from dynaphase.records import Candidate, Fields, RecordStatus
from dynaphase.settings import PhysicalSettings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from dynaphase.descriptors import InterfaceWidth
    from dynaphase.early_stop import EarlyStop
    from dynaphase.electrolyte.ceramic import Ceramic
    from dynaphase.electrolyte.conduction import Homogenized
    from dynaphase.electrolyte.furnace import SinteredStructure
    from dynaphase.electrolyte.interphase import InterphaseParameters
    from dynaphase.electrolyte.operation import Sweep, SweepResult
    from dynaphase.electrolyte.penetration import FrontParameters

__all__ = ["PhysicalChain"]

FRONT_WIDTH_NM: Final = 1.0
"""λ of the lithium front."""

ZONE_WIDTH_NM: Final = 10.0 * FRONT_WIDTH_NM
"""Full width w_m of the zone in which a boundary is weak: numerical, the threshold in it is what is physical.

In a zone of 6 λ the flanks of a filament overlap, and η_50 lies up to a third above the sharp limit and rises as the
grid is refined; at 10 λ it is 4 % above, on every grid.
"""

LITHIUM_NM: Final = 5.0
"""Thickness of lithium at the start."""

_SHARE_OF_FURNACE: Final = 0.35
"""Share of the time of an evaluation that the furnace takes, for the progress bar."""


@dataclass(frozen=True, slots=True)
class PhysicalChain:
    """Each method is one arrow of the chain."""

    system: MaterialSystem
    candidate: Candidate
    settings: PhysicalSettings

    def run(
        self,
        on_progress: Callable[[float], None] | None,
        *,
        keep_history: bool = False,
        early_stop: EarlyStop | None = None,
    ) -> dict[str, Any]:
        """Values, descriptors, notes and fields of a record, and its history where that is to be kept.

        With `early_stop` it may end on the way, with what is known by then.

        Raises
        ------
        SimulationError
            Without host, or where a result is not finite.
        """
        material = self.material(self.settings.temperature_K)
        if not material.assemblage.host_fraction > 0:
            raise SimulationError(
                f"none of the host {material.assemblage.host} forms: there is no electrolyte to simulate"
            )
        history = PhysicalHistory() if keep_history else None
        structure = self.sinter(material, material["initial_grain_size_nm"], history)
        if on_progress is not None:
            on_progress(_SHARE_OF_FURNACE)
        grain_size, is_censored = self.grain_size(structure)
        fresh, across = self.conduct(material, structure, grain_size)
        if (stopped := self.stopped(early_stop, structure, grain_size, fresh)) is not None:
            return stopped
        ceramic = self.ceramic(material, structure, grain_size)
        extent = self.rest(material, ceramic, history)
        if (stopped := self.stopped(early_stop, structure, grain_size, fresh, extent)) is not None:
            return stopped
        sweep, percolation = self.sweep(material, ceramic, on_progress, history)
        conduction = fresh | self.conduct_aged(material, structure, extent, grain_size, across)
        descriptors, score, notes = self.measure(material, structure, extent, sweep, percolation, grain_size)
        if is_censored:
            notes += ("no grain boundary was crossed: the grain size is that of the box, a lower bound",)
        elif grain_size > 0.5 * self.settings.box_nm:
            notes += ("the box holds few grains: its size, not the furnace, limits them; take a larger length_nm",)
        thickness_cm = 1e-7 * self.settings.box_nm
        added = 1.0 / conduction["aged_conductivity_S_per_cm"] - 1.0 / conduction["across_conductivity_S_per_cm"]
        descriptors["interphase_resistance_ohm_cm2"] = thickness_cm * added if self.settings.chemistry else 0.0
        if self.settings.stripping:
            cycled, remarks = plate_and_strip(
                ceramic,
                _front(material, self.settings.temperature_K),
                structure.microstructure,
                conduction_parameters(material, grain_size),
                self.settings,
                _anode(material) if self.settings.chemistry else None,
            )
            descriptors, notes = descriptors | cycled, notes + remarks
        if not self.system.name.startswith("lagp"):
            notes += ("stability_score_calibrated and _direct are on the scale of LAGP, to which they were fitted",)
        values = {"stability_score": score, **self.calibrated_scores(descriptors), **conduction}
        require_finite({**values, **descriptors})
        return {
            "values": values,
            "descriptors": descriptors,
            "notes": (*material.notes, *notes, *(plane_notes(material) if self.n_axes == 2 else ())),
            "fields": _fields(structure, ceramic, sweep, extent),
            "history": None if history is None else history.stages,
        }

    def material(self, temperature_K: float) -> Material:
        """Medians of the uncertain parameters, or the draw that the settings ask for."""
        from dynaphase.materials.draws import draws

        number, names = self.settings.draw, self.system.draw_names
        draw = draws(names, number, self.settings.draw_seed)[-1] if number else None
        return self.system.material(self.candidate.composition, temperature_K, draw)

    @property
    def n_cells(self) -> int:
        """Cells along each side of the box."""
        return self.settings.n_cells

    @property
    def n_axes(self) -> int:
        """2 in the plane, 3 in space."""
        return 3 if self.settings.fidelity == "3d" else 2

    @property
    def has_sharp_front(self) -> bool:
        """Whether the front is followed in the sharp limit."""
        return self.settings.fidelity in ("eikonal", "3d")

    def sinter(
        self, material: Material, film_grain_size_nm: float, history: PhysicalHistory | None = None
    ) -> SinteredStructure:
        """Grains, voids and particles; glass that does not fit on boundaries of that grain size is particles."""
        from dynaphase.electrolyte.furnace import FurnaceSchedule, sinter

        spacing = self.settings.box_nm / self.n_cells
        schedule = FurnaceSchedule(
            reduced_time=material["reduced_time"],
            densification_rate=material["densification_rate"],
            initial_porosity=material["initial_porosity"],
            initial_grain_size_nm=material["initial_grain_size_nm"],
            width_nm=max(FurnaceSchedule().width_nm, 1.25 * spacing),
        )
        structure = sinter(
            (self.n_cells,) * self.n_axes,
            spacing,
            schedule,
            secondary=particle_fractions(material, film_grain_size_nm, self.n_axes),
            boundary_width_nm=material["boundary_width_numerical_nm"],
            seed=self.candidate.seed,
            on_state=None if history is None else history.see_furnace,
        )
        if history is not None:
            history.end_furnace(structure.history, spacing)
        return structure

    def grain_size(self, structure: SinteredStructure) -> tuple[float, bool]:
        """Mean linear intercept in the solid (nm), and whether it is that of the box."""
        from dynaphase.descriptors import mean_linear_intercept

        found = structure.microstructure
        solid = found.density > SOLID
        grains = mean_linear_intercept(
            found.grain_ids, found.spacing_nm, is_solid=solid, is_periodic=(True,) * self.n_axes
        )
        return grains.mean_nm, grains.is_censored

    def ceramic(self, material: Material, structure: SinteredStructure, grain_size_nm: float) -> Ceramic:
        import numpy as np

        from dynaphase.electrolyte.ceramic import Ceramic, boundary_strengths
        from dynaphase.electrolyte.grains import boundary_zone

        found, wetted = structure.microstructure, wetted_boundaries(material, grain_size_nm, self.n_axes)
        # in the numbers of the powder: a boundary is then as strong on every grid
        strengths = boundary_strengths(
            structure.powder_pairs, material["boundary_weibull_modulus"], self.candidate.seed
        )
        inclusions: dict[float, npt.NDArray[np.float64]] = {}
        for k, phase in enumerate(found.phase_names, start=1):
            factor = material[f"toughness_factor_{phase}"]
            is_there = (found.phase_ids == k).astype(np.float64)
            inclusions[factor] = inclusions[factor] + is_there if factor in inclusions else is_there
        return Ceramic(
            spacing_nm=found.spacing_nm,
            density=found.density,
            boundary=found.boundary,
            boundary_zone=boundary_zone(structure.boundaries.distance_nm, ZONE_WIDTH_NM),
            boundary_ratio=wetted.toughness_ratio * strengths,
            toughness_Pa_sqrt_m=material["grain_toughness_Pa_sqrt_m"],
            flaw_size_m=material["flaw_size_m"],
            geometry_factor=material["geometry_factor"],
            surface_energy_J_per_m2=material["lithium_interface_energy_J_per_m2"],
            boundary_energy_J_per_m2=wetted.energy_J_per_m2,
            zone_width_nm=ZONE_WIDTH_NM,
            weakening=material["interphase_weakening"] if self.settings.chemistry else 0.0,
            inclusions=inclusions,
        )

    def rest(
        self, material: Material, ceramic: Ceramic, history: PhysicalHistory | None = None
    ) -> npt.NDArray[np.float64]:
        """Extent of decomposition on both sides after `rest_duration_s` without current."""
        import numpy as np

        if not self.settings.chemistry:
            return np.zeros(ceramic.shape)
        end = self.settings.rest_duration_s
        extent = self._decomposed(material, ceramic, [end])[0]
        if history is not None:
            # A run of its own: stopping on the way changes the steps, and with them the last digits of the record.
            between = np.linspace(0.0, end, N_REST + 1)[1:-1].tolist()
            extents = self._decomposed(material, ceramic, between)
            fresh = np.zeros(ceramic.shape)
            history.end_rest([0.0, *between, end], [fresh, *extents, extent], ceramic.spacing_nm)
        return extent

    def _decomposed(self, material: Material, ceramic: Ceramic, times_s: list[float]) -> list[npt.NDArray[np.float64]]:
        """χ at rest at increasing times, from both electrodes."""
        import numpy as np

        from dynaphase.electrolyte.operation import Sweep, rest

        anode = rest(ceramic, _anode(material), times_s, self.protocol)
        cathode = rest(_turned(ceramic), _cathode(material), times_s, Sweep(lithium_nm=0.0))
        return [np.clip(low + high[::-1], 0.0, 1.0) for low, high in zip(anode, cathode, strict=True)]

    @property
    def protocol(self) -> Sweep:
        """The sweep that was asked for."""
        from dynaphase.electrolyte.operation import Sweep

        settings = self.settings
        rise = 1e-3 * settings.sweep_mV
        return Sweep(rise, settings.sweep_duration_s, limit_V=max(0.150, rise), lithium_nm=LITHIUM_NM)

    def sweep(
        self,
        material: Material,
        ceramic: Ceramic,
        on_progress: Callable[[float], None] | None,
        history: PhysicalHistory | None = None,
    ) -> tuple[SweepResult, float]:
        """The sweep, and the rate-free threshold η_perc (V)."""
        from dynaphase.electrolyte.operation import percolation_overpotential, sharp_sweep, sweep

        front = _front(material, self.settings.temperature_K)
        chemistry = _anode(material) if self.settings.chemistry else None
        percolation = percolation_overpotential(ceramic, self.protocol)
        on_state = None if history is None else history.sweep_observer(ceramic, self.protocol)

        def report(share: float) -> None:
            if on_progress is not None:
                on_progress(_SHARE_OF_FURNACE + (1.0 - _SHARE_OF_FURNACE) * share)

        if self.has_sharp_front:
            n_passes = 2 if self.n_axes == 3 else 4  # beyond two, η₅₀ moves by less than 0.1 %
            result = sharp_sweep(ceramic, front, chemistry, self.protocol, n_passes=n_passes, on_state=on_state)
        else:
            result = sweep(
                ceramic,
                front,
                chemistry,
                self.protocol,
                leakage=leakage_of(material) if self.settings.leakage else None,
                until_short=self.settings.until_short,
                on_progress=report,
                on_state=on_state,
            )
        if history is not None:
            history.end_sweep(result, self.protocol, ceramic.spacing_nm)
        return result, percolation

    def stopped(
        self,
        early_stop: EarlyStop | None,
        structure: SinteredStructure,
        grain_size_nm: float,
        conduction: Mapping[str, float],
        extent: npt.NDArray[np.float64] | None = None,
    ) -> dict[str, Any] | None:
        """The record of a run that is too far behind to go on; without `extent` S is bounded by that of width 0."""
        from dynaphase.descriptors import stability_score, void_fraction

        if early_stop is None:
            return None
        voids = void_fraction(structure.microstructure.density, threshold=SOLID).fraction
        descriptors = {"grain_size_nm": grain_size_nm, "void_fraction": voids}
        values = dict(conduction)
        if extent is None:
            score = stability_score(grain_size_nm, voids, 0.0)
        else:
            width = descriptors["interface_width_nm"] = self.interface(structure, extent).width_nm
            score = values["stability_score"] = stability_score(grain_size_nm, voids, width)
        reason = early_stop.reason(score, conduction)
        if reason is None:
            return None
        require_finite({**values, **descriptors})
        return {"status": RecordStatus.STOPPED, "reason": reason, "values": values, "descriptors": descriptors}

    def conduct(
        self, material: Material, structure: SinteredStructure, grain_size_nm: float
    ) -> tuple[dict[str, float], Homogenized]:
        """Conductivities of the fresh periodic polycrystal in all directions and of the ceramic; and across the box."""
        from dynaphase.electrolyte.conduction import (
            ceramic_conductivity,
            effective_activation_energy,
            homogenize,
            local_conductivity,
        )

        found = structure.microstructure
        parameters = conduction_parameters(material, grain_size_nm, self.n_axes)
        sigma = local_conductivity(found, parameters)
        along = [
            homogenize(sigma, found.spacing_nm, axis, "periodic", with_error=axis == 0) for axis in range(self.n_axes)
        ]
        in_directions = [solved.conductivity_S_per_m for solved in along]
        mean = sum(in_directions) / len(in_directions)
        at_temperature = [
            homogenize(
                local_conductivity(
                    found, conduction_parameters(self.material(temperature), grain_size_nm, self.n_axes)
                ),
                found.spacing_nm,
                0,
                "periodic",
                near=along[0].factor,
            ).conductivity_S_per_m
            for temperature in TEMPERATURES_K
        ]
        across = homogenize(sigma, found.spacing_nm)
        # Ceramics have little boundary for glass to hide on: the same furnace, more particles.
        has_glass = material["film_fraction"] > 0
        size = self.settings.ceramic_grain_size_nm
        in_ceramic = self.sinter(material, size).microstructure if has_glass else found
        in_grains = conduction_parameters(material, size, self.n_axes)
        ceramic = ceramic_conductivity(in_ceramic, in_grains, size, boundary="periodic")
        values = {
            "ionic_conductivity_S_per_cm": S_PER_CM * mean,
            "ceramic_conductivity_S_per_cm": S_PER_CM * ceramic,
            "across_conductivity_S_per_cm": S_PER_CM * across.conductivity_S_per_m,
            "conductivity_anisotropy": in_directions[0] * (self.n_axes - 1) / sum(in_directions[1:]),
            "activation_energy_eV": effective_activation_energy(TEMPERATURES_K, at_temperature),
            "discretization_error_decades": along[0].discretization_error_decades or 0.0,
        }
        return values, across

    def conduct_aged(
        self,
        material: Material,
        structure: SinteredStructure,
        extent: npt.NDArray[np.float64],
        grain_size_nm: float,
        across: Homogenized,
    ) -> dict[str, float]:
        """Conductivity across the box after the rest."""
        from dynaphase.electrolyte.conduction import homogenize, local_conductivity

        found, parameters = structure.microstructure, conduction_parameters(material, grain_size_nm, self.n_axes)
        aged = homogenize(local_conductivity(found, parameters, extent), found.spacing_nm, near=across.factor)
        return {"aged_conductivity_S_per_cm": S_PER_CM * aged.conductivity_S_per_m}

    def interface(self, structure: SinteredStructure, extent: npt.NDArray[np.float64]) -> InterfaceWidth:
        """How deep decomposition reaches, from the metal on."""
        from dynaphase.descriptors import degraded_thickness
        from dynaphase.electrolyte.operation import n_metal_rows

        found = structure.microstructure
        n_metal = n_metal_rows(len(found.density), found.spacing_nm, LITHIUM_NM)
        # the last row is the source of the cathode side, as the first rows are lithium
        return degraded_thickness(extent[:-1], found.density[:-1], found.spacing_nm, n_metal_rows=n_metal)

    def calibrated_scores(self, descriptors: Mapping[str, float]) -> dict[str, float]:
        """S fitted to simulations, and what it is fitted to: see `dynaphase.calibration`."""
        from dynaphase.calibration import shipped_calibration

        calibration = shipped_calibration()
        measured = (descriptors[name] for name in ("grain_size_nm", "void_fraction", "interface_width_nm"))
        direct = calibration.direct_score(descriptors["eta_50_mV"], self.settings.temperature_K)
        return {"stability_score_calibrated": calibration.score(*measured), "stability_score_direct": direct}

    def measure(
        self,
        material: Material,
        structure: SinteredStructure,
        extent: npt.NDArray[np.float64],
        sweep: SweepResult,
        percolation_V: float,
        grain_size_nm: float,
    ) -> tuple[dict[str, float], float, tuple[str, ...]]:
        """Descriptors, S and what has to be said of them."""
        from dynaphase.descriptors import stability_score, void_fraction
        from dynaphase.electrolyte.aging import decomposed_thickness
        from dynaphase.electrolyte.operation import critical_current_density

        found = structure.microstructure
        voids = void_fraction(found.density, threshold=SOLID).fraction
        width = self.interface(structure, extent)
        half = self.protocol.limit_V if sweep.half_V is None else sweep.half_V
        front = _front(material, self.settings.temperature_K)
        descriptors = {
            "grain_size_nm": grain_size_nm,
            "void_fraction": voids,
            "interface_width_nm": width.width_nm,
            "critical_current_density_mA_per_cm2": 0.1 * critical_current_density(half, front),
            "eta_onset_mV": 1e3 * (half if sweep.onset_V is None else sweep.onset_V),
            "eta_50_mV": 1e3 * half,
            "eta_perc_mV": 1e3 * percolation_V,
            "quasi_static_critical_current_density_mA_per_cm2": 0.1 * critical_current_density(percolation_V, front),
            "interphase_thickness_nm": decomposed_thickness(extent[:-1], found.density[:-1], found.spacing_nm),
            **sweep_options(sweep, self.protocol.limit_V, self.settings),
        }
        notes: tuple[str, ...] = ()
        if sweep.half_V is None:
            notes += ("lithium did not get half of the way: η_50 and the critical current density are lower bounds",)
        if self.settings.until_short and sweep.short_V is None:
            notes += ("lithium did not get to the cathode: η_short is a lower bound",)
        if width.is_censored:
            notes += ("decomposition reaches through the box: the interface width is a lower bound",)
        return descriptors, stability_score(grain_size_nm, voids, width.width_nm), notes


def _front(material: Material, temperature_K: float) -> FrontParameters:
    from dynaphase.electrolyte.penetration import FrontParameters

    return FrontParameters(material["exchange_current_density_A_per_m2"], FRONT_WIDTH_NM, temperature_K)


def _anode(material: Material) -> InterphaseParameters:
    from dynaphase.electrolyte.interphase import InterphaseParameters

    return InterphaseParameters(
        converted_nm2_per_s=material["interphase_diffusivity_nm2_per_s"],
        grain_nm2_per_s=material["grain_lithium_diffusivity_nm2_per_s"],
        boundary_nm2_per_s=material["boundary_lithium_diffusivity_nm2_per_s"],
        rate_per_s=material["reduction_rate_per_s"],
        uptake=material["lithium_uptake_ratio"],
    )


def _cathode(material: Material) -> InterphaseParameters:
    from dynaphase.electrolyte.interphase import InterphaseParameters

    return InterphaseParameters(
        converted_nm2_per_s=material["cathode_diffusivity_nm2_per_s"],
        grain_nm2_per_s=material["cathode_grain_diffusivity_nm2_per_s"],
        boundary_nm2_per_s=material["cathode_boundary_diffusivity_nm2_per_s"],
        rate_per_s=material["cathode_reaction_rate_per_s"],
        uptake=material["lithium_uptake_ratio"],
    )


def _turned(ceramic: Ceramic) -> Ceramic:
    """The ceramic seen from the cathode."""
    from dataclasses import replace

    return replace(ceramic, density=ceramic.density[::-1], boundary=ceramic.boundary[::-1])


def _fields(
    structure: SinteredStructure, ceramic: Ceramic, sweep: SweepResult, extent: npt.NDArray[np.float64]
) -> Fields:
    found = structure.microstructure
    names = ", ".join(f"{i} {name}" for i, name in enumerate(found.phase_names, start=1))
    arrays: dict[str, tuple[npt.NDArray[Any], str]] = {
        "lithium": (sweep.lithium, "lithium ξ at the end of the sweep: 1 metal, 0 electrolyte (1)"),
        "decomposed": (extent, "extent of decomposition χ after the rest (1)"),
        "threshold": (1e3 * ceramic.threshold_V(), "overpotential that opens a path in the fresh ceramic (mV)"),
        "grain_id": (found.grain_ids, "grain of each cell"),
        "boundary": (found.boundary, "grain-boundary indicator g (1)"),
        "density": (found.density, "relative density ρ: 1 solid, 0 void (1)"),
        "phase_id": (found.phase_ids, f"phase of each cell: 0 host{', ' if names else ''}{names}"),
    }
    return Fields(
        found.spacing_nm,
        {name: array for name, (array, _) in arrays.items()},
        {name: text for name, (_, text) in arrays.items()},
    )
