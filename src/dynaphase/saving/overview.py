"""One run in one figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.history import History, Stage
from dynaphase.records import Record
from dynaphase.report.formats import conductivity, decimals, formula_mathtext, plain
from dynaphase.report.style import COLOURS, UNCERTAINTY_MAP, VALUE_MAP, new_figure, styled
from dynaphase.saving.maps import INTERPHASE, LITHIUM, Plane, phase_legend, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_sweep_curve", "overview"]

FloatArray = npt.NDArray[np.float64]

_RESULTS: Final = (
    ("stability_score", "stability score S", ""),
    ("ionic_conductivity_S_per_cm", "σ, simulated box", "S/cm"),
    ("ceramic_conductivity_S_per_cm", "σ, ceramic", "S/cm"),
    ("grain_size_nm", "grain size", "nm"),
    ("void_fraction", "void fraction", ""),
    ("interface_width_nm", "interface width", "nm"),
    ("critical_current_density_mA_per_cm2", "critical current", "mA/cm²"),
    ("eta_onset_mV", "η onset", "mV"),
    ("eta_50_mV", "η₅₀", "mV"),
    ("eta_perc_mV", "η percolation", "mV"),
)
_MARKS: Final = (
    ("eta_onset_mV", "η$_{onset}$", ":"),
    ("eta_50_mV", "η$_{50}$", "-"),
    ("eta_perc_mV", "η$_{perc}$", "--"),
)


@styled()
def overview(record: Record, history: History) -> Figure:
    """Microstructure, what became of it, and the results.

    Raises
    ------
    ValueError
        For a record without fields.
    """
    if record.fields is None:
        raise ValueError("a record without fields cannot be drawn")
    draw = _paper if "degradation" in history else _physical
    figure = draw(record, history, Plane.deepest(record.fields))
    candidate = record.candidate
    level = candidate.settings.get("fidelity") or candidate.settings.get("stepping")
    number = candidate.settings.get("draw")
    which = f"seed {candidate.seed}" + (f", draw {number}" if number else "")
    figure.suptitle(f"{formula_mathtext(record.formula)}\n{candidate.model} model ({level}), {which}", fontsize=9.5)
    return figure


def _physical(record: Record, history: History, plane: Plane) -> Figure:
    figure, axes = _panels(3)
    sweep, curve = history["sweep"], history["sweep_curve"]
    _draw_microstructure(axes[0], plane)
    _draw_operation(axes[1], record, plane, sweep)
    _draw_threshold(axes[2], plane)
    draw_sweep_curve(axes[3], record, curve)
    if "rest" in history:
        _draw_profiles(axes[4], history["rest"], plane, "decomposed", "mean decomposition χ", "interphases at rest")
    else:
        _say(axes[4], "no chemistry in this run")
    _draw_results(axes[5], record)
    return figure


def _paper(record: Record, history: History, plane: Plane) -> Figure:
    figure, axes = _panels(2)
    _draw_microstructure(axes[0], plane)
    shown = show(axes[1], plane, plane["C"], cmap=VALUE_MAP, vmin=0, vmax=1)
    axes[1].set_title("intact fraction C, end", fontweight="normal")
    _colour_bar(axes[1], shown, "C")
    _draw_profiles(axes[2], history["degradation"], plane, "C", "mean intact fraction C", "degradation")
    _draw_results(axes[3], record)
    return figure


def _panels(n_rows: int) -> tuple[Figure, list[Any]]:
    figure = new_figure(5.9, 0.5 + 2.35 * n_rows)
    axes = list(figure.subplots(n_rows, 2).ravel())
    for letter, panel in zip("abcdef", axes, strict=False):
        panel.set_box_aspect(1)
        panel.annotate(
            letter, (0, 1), xytext=(-24, 5), xycoords="axes fraction", textcoords="offset points", weight="bold"
        )
    return figure, axes


def _draw_microstructure(axes: Any, plane: Plane) -> None:
    show(axes, plane, plane.microstructure())
    axes.set_title(f"microstructure{plane.where}", fontweight="normal")
    _legend_right(axes, phase_legend(plane.phase_names))


def _draw_operation(axes: Any, record: Record, plane: Plane, sweep: Stage) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap

    potential = sweep.numbers["potential"]
    nearest = int(np.argmin(np.abs(potential - record.descriptors["eta_50_mV"])))
    ground = plane.microstructure(has_particles=False)
    show(axes, plane, plane.operation(ground, sweep.arrays["lithium"][nearest], sweep.arrays["decomposed"][nearest]))
    is_there = abs(potential[nearest] / record.descriptors["eta_50_mV"] - 1.0) < 0.05 and not _is_bound(record)
    near = " (η$_{50}$)" if is_there else ""
    axes.set_title(f"lithium at {potential[nearest]:.1f} mV{near}", fontweight="normal", color=LITHIUM)
    colours = LinearSegmentedColormap.from_list("interphase", ["white", INTERPHASE])
    _colour_bar(axes, ScalarMappable(cmap=colours), "decomposition χ")


def _draw_threshold(axes: Any, plane: Plane) -> None:
    shown = show(axes, plane, plane["threshold"], cmap=VALUE_MAP, vmin=0)
    axes.set_title("threshold of the fresh ceramic", fontweight="normal")
    _colour_bar(axes, shown, "η$_c$ (mV)")


def draw_sweep_curve(axes: Any, record: Record, curve: Stage) -> None:
    """Depth of connected lithium against φ, with η_onset, η_50 and η_perc where the sweep found them."""
    potential, depth = curve.numbers["potential"], np.maximum.accumulate(curve.numbers["depth"])
    last = record.descriptors["eta_50_mV"]
    within = potential <= 1.12 * last
    axes.plot(potential[within], depth[within], color=LITHIUM, linewidth=1.8)
    top = 1.05 * float(depth[within].max(initial=1.0))
    for name, label, style in _MARKS:
        value = record.descriptors[name]
        sign = " > " if name == "eta_50_mV" and _is_bound(record) else " "
        axes.axvline(value, color=COLOURS["ink"], linewidth=1, linestyle=style, label=f"{label}{sign}{value:.1f} mV")
    axes.set(xlabel="potential φ (mV)", ylabel="depth of lithium (nm)", xlim=(0, 1.12 * last), ylim=(0, top))
    axes.set_title("sweep", fontweight="normal")
    axes.legend(loc="upper left", fontsize=7.5, framealpha=1.0)


def _draw_profiles(axes: Any, stage: Stage, plane: Plane, name: str, label: str, title: str) -> None:
    """⟨ρf⟩/⟨ρ⟩ over planes of constant depth, at five times."""
    from matplotlib import colormaps

    weight = plane.fields.arrays["density"]
    solid = np.maximum(_over_planes(weight), 1e-12)
    x = (np.arange(len(solid)) + 0.5) * stage.spacing_nm
    chosen = np.unique(np.linspace(0, len(stage.times) - 1, 6).round().astype(int))[1:]
    for step, k in enumerate(chosen):
        colour = colormaps[UNCERTAINTY_MAP](0.25 + 0.65 * step / max(len(chosen) - 1, 1))
        profile = _over_planes(weight * stage.arrays[name][k]) / solid
        axes.plot(x, profile, color=colour, linewidth=1.5, label=f"{stage.times[k]:.0f} s")
    metal = np.flatnonzero(profile > 0)
    if name == "decomposed" and metal.size and metal[0] > 0:
        axes.axvspan(0, metal[0] * stage.spacing_nm, color=LITHIUM, linewidth=0)
    axes.set(xlabel="depth x (nm)", ylabel=label, xlim=(0, x[-1] + 0.5 * stage.spacing_nm), ylim=(-0.02, 1.02))
    axes.set_title(title, fontweight="normal")
    axes.legend(loc="center", fontsize=7.5)


def _draw_results(axes: Any, record: Record) -> None:
    found = {**record.values, **record.descriptors}
    bounds = {"eta_50_mV", "critical_current_density_mA_per_cm2"} if _is_bound(record) else set()
    lines = [
        (label, "> " * (name in bounds) + _with_unit(name, found[name], unit))
        for name, label, unit in _RESULTS
        if name in found
    ]
    axes.axis("off")
    for k, (label, value) in enumerate(lines):
        height = 1.0 - (k + 0.5) / 10
        axes.text(-0.12, height, label, transform=axes.transAxes, va="center", fontsize=8.5)
        axes.text(1.3, height, value, transform=axes.transAxes, va="center", ha="right", fontsize=8.5)


def _is_bound(record: Record) -> bool:
    """Whether lithium did not get half of the way, so that η_50 is the limit of the sweep."""
    return any("η_50" in note for note in record.notes)


def _with_unit(name: str, value: float, unit: str) -> str:
    if "conductivity" in name:
        return f"{conductivity(value)} {unit}"
    is_plain = unit in {"nm", "mV"} or name == "stability_score"
    return f"{decimals(value, 1) if is_plain else plain(value)} {unit}".rstrip()


def _say(axes: Any, text: str) -> None:
    axes.axis("off")
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center")


def _legend_right(axes: Any, handles: list[Any]) -> None:
    axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.02), fontsize=7.5, frameon=False, handlelength=0.9,
        handletextpad=0.5, borderaxespad=0.3,
    )  # fmt: skip


def _colour_bar(axes: Any, shown: Any, label: str) -> None:
    bar = axes.figure.colorbar(shown, cax=axes.inset_axes((1.04, 0.0, 0.05, 1.0)), label=label)
    bar.outline.set_visible(False)


def _over_planes(field: npt.NDArray[Any]) -> FloatArray:
    return np.asarray(field.reshape(len(field), -1).mean(axis=1), dtype=np.float64)
