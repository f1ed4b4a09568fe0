"""Numbers, formulae and intervals as a reader of the field expects them, as safe HTML."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

from markupsafe import Markup, escape

__all__ = [
    "MINUS",
    "conductivity",
    "conductivity_interval",
    "current",
    "current_interval",
    "decimals",
    "formula_html",
    "formula_mathtext",
    "linked_dois",
    "p_value",
    "percent",
    "plain",
    "reason_html",
    "score",
    "score_interval",
    "signed",
]

MINUS: Final = "−"

_AMOUNT: Final = re.compile(r"(?<=[A-Za-z)])(\d+(?:\.\d+)?)")
_FORMULA: Final = re.compile(r"\b(?:[A-Z][a-z]?[\d.]*\d|[A-Z][a-z]|[A-Z]|\((?:[A-Z][a-z]?\d*)+\)\d*){3,}")
_DOI: Final = re.compile(r"(?:doi:)?(10\.\d{4,9}/[^\s,;&\"']+[^\s,;.&\"')])")


def formula_html(formula: str) -> Markup:
    """Formula with subscripts: ``LiGe2(PO4)3`` → LiGe₂(PO₄)₃ in ``<sub>``; no amount has more than three decimals."""
    return Markup(_AMOUNT.sub(lambda amount: f"<sub>{_short(amount)}</sub>", str(escape(formula))))


def reason_html(text: str) -> Markup:
    """A sentence in which formulae get their subscripts and numbers their minus sign."""
    safe = re.sub(r"(?<=\s)-(?=\d)", MINUS, str(escape(text)))
    return Markup(_FORMULA.sub(lambda formula: formula_html(formula[0]), safe))


def formula_mathtext(formula: str) -> str:
    """The same for a figure."""
    return _AMOUNT.sub(lambda amount: f"$_{{{_short(amount)}}}$", formula)


def _short(amount: re.Match[str]) -> str:
    value = round(float(amount[1]), 3)
    return f"{value:g}" if value else amount[1]


def linked_dois(text: str) -> Markup:
    """Text with every DOI as a link."""
    return Markup(_DOI.sub(r'<a href="https://doi.org/\1">doi:\1</a>', str(escape(text))))


def plain(value: float | None, digits: int = 3) -> str:
    """`digits` significant digits, powers of ten where a field would write them; an en dash where undefined."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        text = f"{value:.{digits}g}"
        return (f"{value:.0f}" if "e" in text else text).replace("-", MINUS)
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa.replace('-', MINUS)}×10{_superscript(int(exponent))}"


def decimals(value: float | None, n: int = 3) -> str:
    """Fixed number of decimals, never rounded to 1; an en dash where undefined."""
    if value is None or not math.isfinite(value):
        return "–"
    if value < 1 <= round(value, n):
        return f">{1 - 10**-n:.{n}f}"
    return f"{value:.{n}f}".replace("-", MINUS)


def signed(value: float, digits: int = 2) -> str:
    """With its sign, `digits` decimals."""
    return f"{value:+.{digits}f}".replace("-", MINUS)


def percent(share: float | None) -> str:
    """Share as per cent without decimals, never rounded to certainty."""
    if share is None or not math.isfinite(share):
        return "–"
    if 0 < share < 0.01 or 0.99 < share < 1:
        return "<1 %" if share < 0.5 else ">99 %"
    return f"{100 * share:.0f} %"


def p_value(p: float) -> str:
    """Two digits, or an upper bound when it is tiny."""
    if not math.isfinite(p):
        return "–"
    return "<0.001" if p < 1e-3 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


def score(value: float) -> str:
    """Stability score with one decimal."""
    return f"{value:.1f}"


def score_interval(interval: Sequence[float]) -> str:
    """90 % interval of a score."""
    return f"{interval[0]:.1f}–{interval[1]:.1f}"


def conductivity(value: float) -> str:
    """Conductivity with two decimals of the mantissa: 2.86×10⁻⁴."""
    mantissa, exponent = _scientific(value)
    return f"{mantissa:.2f}×10{_superscript(exponent)}"


def conductivity_interval(interval: Sequence[float]) -> str:
    """Interval under one power of ten where it fits: (1.92–2.41)×10⁻⁵."""
    (low, low_exponent), (high, high_exponent) = _scientific(interval[0]), _scientific(interval[1])
    if high_exponent - low_exponent > 1:
        return f"{conductivity(interval[0])} – {conductivity(interval[1])}"
    return f"({low / 10 ** (high_exponent - low_exponent):.2f}–{high:.2f})×10{_superscript(high_exponent)}"


def current(value: float) -> str:
    """Current density with three significant digits, trailing zeros included: 0.700."""
    return f"{value:#.3g}" if 1e-3 <= value < 100 else plain(value)


def current_interval(interval: Sequence[float]) -> str:
    """90 % interval of a current density."""
    return f"{current(interval[0])}–{current(interval[1])}"


def _scientific(value: float) -> tuple[float, int]:
    mantissa, exponent = f"{value:.2e}".split("e")
    return float(mantissa), int(exponent)


def _superscript(exponent: int) -> str:
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
