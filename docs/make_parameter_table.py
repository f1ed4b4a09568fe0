"""Write the generated parts of materials.md and physics.md: run ``python docs/make_parameter_table.py``.

Whatever stands between ``<!-- generated: NAME -->`` and ``<!-- end -->`` is replaced by what the package computes now.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from dynaphase.materials import SYSTEMS, get_system
from dynaphase.materials.base import MaterialSystem, Parameter
from dynaphase.materials.conductivity import (
    fit_conductivity,
    leave_one_source_out,
    load_measurements,
    root_mean_square,
)
from dynaphase.materials.lagp_phases import FILM_FORMERS, SECONDARY_PHASES, SOLUBILITY_LIMIT
from dynaphase.materials.table import TableSystem

PAGES = tuple(Path(__file__).with_name(name) for name in ("materials.md", "physics.md"))

EXAMPLES = {
    "lagp": (
        ("Li1.5Al0.5Ge1.5(PO4)3", "the reference"),
        ("Li1.8Al0.8Ge1.2(PO4)3", "on the line beyond the solubility limit"),
        ("Li1.4Al0.5Ge1.5", "lithium-deficient"),
        ("Li1.9Al0.5Ge1.5", "lithium-rich"),
        ("LiAlGe", "far from the line"),
    ),
    "latp": (
        ("Li1.3Al0.3Ti1.7(PO4)3", "the reference"),
        ("Li1.6Al0.6Ti1.4(PO4)3", "on the line beyond the solubility limit"),
        ("Li1.1Al0.3Ti1.7", "lithium-deficient"),
        ("Li1.6Al0.3Ti1.7", "lithium-rich"),
    ),
    "llzo": (
        ("Li6.4La3Zr1.4Ta0.6O12", "the reference"),
        ("Li7La3Zr2O12", "undoped: tetragonal"),
        ("Li6Zr1.4Ta0.6", "lithium lost in the furnace"),
        ("Li6.8Zr1.4Ta0.6", "lithium-rich"),
    ),
}

SYMBOLS = {
    "furnace": {
        "d of the powder": "initial_grain_size_nm",
        "p of the powder": "initial_porosity",
        "t*": "reduced_time",
        "t*, dry": "reduced_time_dry",
        "R − 1": "liquid_rate_gain",
        "Θ": "densification_rate",
        "Θ, dry": "densification_rate_dry",
        "γ_gb": "boundary_energy_J_per_m2",
        "γ_s": "surface_energy_J_per_m2",
        "δ_f": "film_thickness_nm",
    },
    "operation": {
        "K_b": "grain_toughness_Pa_sqrt_m",
        "w_gb": "boundary_toughness_ratio",
        "w_gb lost under glass": "boundary_toughness_wetting_loss",
        "m of ω_ij": "boundary_weibull_modulus",
        "a": "flaw_size_m",
        "Y": "geometry_factor",
        "f_k": "toughness_factor_scale",
        "β_χ": "interphase_weakening",
        "Γ": "lithium_interface_energy_J_per_m2",
        "i₀": "exchange_current_density_A_per_m2",
    },
    "chemistry": {
        "D_χ": "interphase_diffusivity_nm2_per_s",
        "k_r": "reduction_rate_per_s",
        "ν": "lithium_uptake_ratio",
        "D_χ/ν": "parabolic_constant_nm2_per_s",
        "D_b": "grain_lithium_diffusivity_nm2_per_s",
        "D_gb": "boundary_lithium_diffusivity_nm2_per_s",
        "D_χ, cathode": "cathode_diffusivity_nm2_per_s",
        "k, cathode": "cathode_reaction_rate_per_s",
    },
    "conduction": {
        "σ of a 1 µm ceramic": "measured_conductivity_S_per_m",
        "f_b − 1": "boundary_to_bulk_ratio",
        "σ_b": "bulk_conductivity_S_per_m",
        "R''_gb": "boundary_resistance_ohm_m2",
        "R''_gb lost under glass": "film_conductance_loss",
        "E_a": "bulk_activation_energy_eV",
        "E_a, boundary": "boundary_activation_energy_eV",
        "σ_χ": "degraded_conductivity_S_per_m",
    },
}
"""Symbols of the equations in physics.md, by stage, and the parameters that they stand for."""

PHASE_TABLE = ("phase", "molar volume (cm³/mol)", "cost", "forms")
PER_PHASE = ("conductivity_", "toughness_factor_")


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Markdown table."""
    head = list(header)
    lines = [head, ["---"] * len(head), *[[cell.replace("|", "\\|") for cell in row] for row in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def fit() -> str:
    """Coefficients of the fits and where they come from."""
    found, rows = fit_conductivity(), load_measurements()
    c, e = found.coefficients, found.activation_coefficients
    n_inner = sum(0.2 <= r.x <= 0.8 for r in rows)
    at_zero = [r.log10 for r in rows if r.x == 0]
    n_energy = sum(r.activation_energy_eV is not None and 0.2 <= r.x <= 0.8 for r in rows)
    return "\n".join(
        [
            f"* log₁₀ σ₂₅ (S/cm) = {c[0]:.3f} + {c[1]:.3f} x − {-c[2]:.3f} x², {n_inner} rows with 0.2 ≤ x ≤ 0.8, "
            f"maximum at x = {-c[1] / (2 * c[2]):.2f};",
            f"* at x = 0: {found.log10_at_zero:.2f}, the mean of {len(at_zero)} rows that span "
            f"{max(at_zero) - min(at_zero):.1f} decades;",
            f"* Ea = {e[0]:.3f} + {e[1]:.3f} x eV, {n_energy} rows with 0.2 ≤ x ≤ 0.8.",
        ]
    )


def sources() -> str:
    """Error of each source when the others predict it."""
    errors = leave_one_source_out()
    rows = [(f"doi:{doi}", str(len(found)), f"{root_mean_square({doi: found}):.3f}") for doi, found in errors.items()]
    total = sum(len(found) for found in errors.values())
    return table(
        ("source left out", "rows", "rms error (decades)"),
        [*rows, ("**all**", str(total), f"**{root_mean_square(errors):.3f}**")],
    )


def steadiness() -> str:
    """Whether rows beyond the solubility limit help."""
    rows = [
        (f"x ≤ {upper}", f"{root_mean_square(leave_one_source_out(upper, SOLUBILITY_LIMIT)):.3f}")
        for upper in (0.8, SOLUBILITY_LIMIT)
    ]
    return table(("rows in the fit", f"rms error of left-out rows with x ≤ {SOLUBILITY_LIMIT} (decades)"), rows)


def lagp_phases() -> str:
    """The candidates of the linear programme."""
    return table(
        PHASE_TABLE,
        [
            (p.name, f"{p.molar_volume:g}", f"{p.cost:g}", "film" if p.name in FILM_FORMERS else "particles")
            for p in SECONDARY_PHASES
        ],
    )


def phases(name: str) -> str:
    """The same of a system that ships as a table, with what the volumes rest on."""
    return table(
        (*PHASE_TABLE, "status", "molar volume from"),
        [
            (phase, f"{p.molar_volume:g}", f"{p.cost:g}", p.forms, p.status, p.source)
            for phase, p in TableSystem.load(name).table.phases.items()
        ],
    )


def examples(name: str) -> str:
    """Assemblages of a few compositions."""
    system = get_system(name)
    rows = []
    for source, remark in EXAMPLES[name]:
        composition = system.read(source).composition
        found = system.assemblage(composition)
        others = ", ".join(f"{phase} {100 * v:.1f} %" for phase, v in found.secondary.items()) or "–"
        coordinate, host = f"{found.host_coordinate:.3f}", f"{100 * found.host_fraction:.1f} %"
        rows.append((system.formula(composition), remark, coordinate, host, others))
    return table(("composition", "", "x of the host", found.host, "other phases (volume)"), rows)


def points(name: str) -> str:
    """Rows of a table beside its curve."""
    system, rows = get_system(name), TableSystem.load(name).table.conductivity.points
    return table(
        ("x", "σ at 25 °C (S/cm)", "± decades", "the curve there (S/cm)", "source"),
        [(f"{p.x:g}", f"{10**p.value:.3g}", f"{p.sd:g}", f"{_total(system, p.x):.3g}", p.citation) for p in rows],
    )


def _total(system: MaterialSystem, x: float) -> float:
    return system.material(system.from_coordinates(x))["measured_conductivity_S_per_m"] / 100


def parameters() -> str:
    """Every parameter of LAGP's reference at 25 °C."""
    return parameter_table(_at_reference("lagp").values())


def own(name: str) -> str:
    """Parameters of the reference that rest on something else than LAGP's, without those of single phases."""
    lagp = _at_reference("lagp")
    return parameter_table(
        p
        for p in _at_reference(name).values()
        if not p.name.startswith(PER_PHASE) and not (p.name in lagp and _rests_on(p) == _rests_on(lagp[p.name]))
    )


def comparison() -> str:
    """Value and spread of every parameter that all systems have, at their references."""
    found = [_at_reference(name) for name in SYSTEMS]
    shared = [name for name in found[0] if all(name in one for one in found) and not name.startswith(PER_PHASE)]
    return table(
        ("parameter", "unit", *[name.upper() for name in SYSTEMS]),
        [(f"`{name}`", found[0][name].unit, *[_value(one[name]) for one in found]) for name in shared],
    )


def symbols(stage: str) -> str:
    """Parameters of one stage at LAGP's reference, with the symbols of the equations."""
    found = _at_reference("lagp")
    return table(
        ("symbol", "parameter", "value", "unit", "spread", "status", "source"),
        [
            (symbol, f"`{p.name}`", f"{p.value:.4g}", p.unit, str(p.spread), p.status.value, p.source)
            for symbol, p in ((symbol, found[name]) for symbol, name in SYMBOLS[stage].items())
        ],
    )


def _value(p: Parameter) -> str:
    return f"{p.value:.3g}" if str(p.spread) == "exact" else f"{p.value:.3g} ({p.spread})"


def _rests_on(p: Parameter) -> tuple[float, str, str]:
    """What makes two parameters the same; of derived ones the equation alone."""
    return (0.0 if p.status == "derived" else p.value, p.status, p.source)


def _at_reference(name: str) -> dict[str, Parameter]:
    system = get_system(name)
    return dict(system.material(system.reference).parameters)


def parameter_table(rows: Iterable[Parameter]) -> str:
    """Value, unit, spread, status and source of each."""
    return table(
        ("parameter", "value", "unit", "spread", "status", "source"),
        [(f"`{p.name}`", f"{p.value:.4g}", p.unit, str(p.spread), p.status.value, p.source) for p in rows],
    )


def _of(section: Callable[[str], str], names: Sequence[str]) -> dict[str, Callable[[], str]]:
    """One generated part for each system."""
    return {f"{name}_{section.__name__}": lambda name=name: section(name) for name in names}  # type: ignore[misc]


SECTIONS: dict[str, Callable[[], str]] = {
    section.__name__: section for section in (fit, sources, steadiness, lagp_phases, parameters, comparison)
}
SECTIONS |= _of(examples, SYSTEMS) | _of(phases, ("latp", "llzo")) | _of(points, ("latp", "llzo"))
SECTIONS |= _of(own, ("latp", "llzo")) | _of(symbols, tuple(SYMBOLS))


def render(page: str) -> str:
    """`page` with its generated parts made anew."""

    def section(match: re.Match[str]) -> str:
        return f"{match[1]}\n{SECTIONS[match[2]]()}\n<!-- end -->"

    return re.sub(r"(<!-- generated: (\w+) -->)\n.*?<!-- end -->", section, page, flags=re.DOTALL)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(render(page.read_text("utf-8")), "utf-8")
