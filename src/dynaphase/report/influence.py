"""What the elements do to S and σ: mixture regression of all simulations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dynaphase.report.evidence import BOX, SCORE, Evidence
from dynaphase.report.illustration import COLOUR_OF, Illustration
from dynaphase.report.style import as_svg
from dynaphase.validation import ScheffeTable, scheffe_regression

__all__ = ["element_tables", "influences"]


def element_tables(evidence: Evidence) -> dict[str, ScheffeTable]:
    """Mixture regression of S and of log₁₀ σ on the elements, every simulation a row."""
    rows = [(point.shares, record.values) for point in evidence.points for record in point.records]
    if not rows:
        return {}
    fractions = np.array([shares for shares, _ in rows])
    fractions /= fractions.sum(axis=1, keepdims=True)
    responses = {
        SCORE: np.array([values[SCORE] for _, values in rows]),
        BOX: np.log10([values[BOX] for _, values in rows]),
    }
    elements = evidence.system.elements
    return {name: scheffe_regression(fractions, response, elements) for name, response in responses.items()}


def influences(tables: Mapping[str, ScheffeTable]) -> list[Illustration]:
    """Effect of each element on S and on σ."""
    from dynaphase.report.elements import influence_figure

    texts = {
        SCORE: ("on the stability score S", "change of S per +1 at.% (points)"),
        BOX: ("on the conductivity σ", "change of log₁₀ σ per +1 at.% (decades)"),
    }
    return [
        Illustration(
            as_svg(
                influence_figure(
                    table, title=f"Influence {texts[name][0]}", unit=texts[name][1], colour=COLOUR_OF[name]
                )
            ),
            " ".join(f"{sentence}." for sentence in table.sentences("S" if name == SCORE else "log₁₀ σ")),
        )
        for name, table in tables.items()
        if table.effects
    ]
