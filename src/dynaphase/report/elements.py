"""What each element does to a property, with its uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynaphase.report.formats import MINUS, p_value
from dynaphase.report.style import new_figure, styled
from dynaphase.validation import ScheffeTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["influence_figure"]

STEP = 0.01
"""Change of the atomic fraction that effects are quoted for."""


@styled()
def influence_figure(table: ScheffeTable, *, title: str, unit: str, colour: str) -> Figure:
    """Effect of one more atomic percent of each element, the others keeping their ratio, with 95 % intervals.

    Hollow points mark effects whose sign is open at p = 0.05 (Holm).
    """
    figure = new_figure(5.2, 0.62 * len(table.effects) + 1.1)
    axes: Any = figure.add_subplot()
    for row, effect in enumerate(reversed(table.effects)):
        low, value, high = (STEP * v for v in (effect.interval_95[0], effect.value, effect.interval_95[1]))
        is_clear = effect.p_holm < 0.05
        axes.plot([low, high], [row, row], color=colour, linewidth=2, solid_capstyle="butt")
        axes.plot(value, row, "o", color=colour, markerfacecolor=colour if is_clear else "white", markersize=8)
        shown = f"{value:+#.3g}".replace("-", MINUS)
        p = p_value(effect.p_holm)
        axes.annotate(
            f"{shown}   p {p if p.startswith('<') else '= ' + p}", (value, row), xytext=(0, 9),
            textcoords="offset points", ha="center", fontsize=8,
        )  # fmt: skip
    axes.axvline(0, color="#555b63", linewidth=1)
    axes.set_yticks(range(len(table.effects)), [effect.name for effect in reversed(table.effects)], fontweight="bold")
    axes.set(ylim=(-0.5, len(table.effects) - 0.35), xlabel=unit, title=title)
    axes.margins(x=0.12)
    axes.grid(visible=False, axis="y")
    return figure
