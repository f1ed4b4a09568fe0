"""Write the generated parts of materials.md: run ``python docs/make_parameter_table.py``.

Whatever stands between ``<!-- generated: NAME -->`` and ``<!-- end -->`` is replaced by what the package computes now.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from dynaphase.materials.conductivity import (
    fit_conductivity,
    leave_one_source_out,
    load_measurements,
    root_mean_square,
)
from dynaphase.materials.lagp import LAGP
from dynaphase.materials.lagp_phases import FILM_FORMERS, HOST, SECONDARY_PHASES, SOLUBILITY_LIMIT

PAGE = Path(__file__).with_name("materials.md")

EXAMPLES = (
    ("Li1.5Al0.5Ge1.5(PO4)3", "the reference"),
    ("Li1.8Al0.8Ge1.2(PO4)3", "on the line beyond the solubility limit"),
    ("Li1.4Al0.5Ge1.5", "lithium-deficient"),
    ("Li1.9Al0.5Ge1.5", "lithium-rich"),
    ("LiAlGe", "far from the line"),
)


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


def phases() -> str:
    """The candidates of the linear programme."""
    return table(
        ("phase", "molar volume (cm³/mol)", "cost", "forms"),
        [
            (p.name, f"{p.molar_volume:g}", f"{p.cost:g}", "film" if p.name in FILM_FORMERS else "particles")
            for p in SECONDARY_PHASES
        ],
    )


def examples() -> str:
    """Assemblages of a few compositions."""
    lagp = LAGP()
    rows = []
    for source, remark in EXAMPLES:
        composition = lagp.read(source).composition
        found = lagp.assemblage(composition)
        others = ", ".join(f"{name} {100 * v:.1f} %" for name, v in found.secondary.items()) or "–"
        rows.append(
            (
                lagp.formula(composition),
                remark,
                f"{found.host_coordinate:.3f}",
                f"{100 * found.host_fraction:.1f} %",
                others,
            )
        )
    return table(("composition", "", "x of the host", HOST, "other phases (volume)"), rows)


def parameters() -> str:
    """Every parameter of the reference at 25 °C."""
    material = LAGP().material(LAGP().reference)
    return table(
        ("parameter", "value", "unit", "spread", "status", "source"),
        [
            (f"`{p.name}`", f"{p.value:.4g}", p.unit, str(p.spread), p.status.value, p.source)
            for p in material.parameters.values()
        ],
    )


SECTIONS: dict[str, Callable[[], str]] = {
    section.__name__: section for section in (fit, sources, steadiness, phases, examples, parameters)
}


def render(page: str) -> str:
    """`page` with its generated parts made anew."""

    def section(match: re.Match[str]) -> str:
        return f"{match[1]}\n{SECTIONS[match[2]]()}\n<!-- end -->"

    return re.sub(r"(<!-- generated: (\w+) -->)\n.*?<!-- end -->", section, page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text("utf-8")), "utf-8")
