"""Linear constraints on atomic fractions, as text: ``Al + Ge <= 0.5``, ``Li >= 2*Al``, ``Al = Ge``.

Elements stand for their fractions of the elements that vary, which sum to 1.  Parentheses, several terms on both sides
and chains (``0.1 <= Al <= 0.3``) are understood; ``<`` means ``<=``, a limit belongs to the region.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.errors import ConfigError

__all__ = ["Linear", "parse_constraint", "parse_constraints", "price_limit", "share_limits"]

FloatArray = npt.NDArray[np.float64]

EXAMPLES: Final = "'Al + Ge <= 0.5', 'Li >= 2*Al', 'Al = Ge' or '0.1 <= Al <= 0.3'"

LARGEST: Final = 1e100
"""Largest number that may be written."""

_SIGNS: Final = {"≤": "<=", "≥": ">=", "=<": "<=", "=>": ">=", "−": "-", "·": "*", "×": "*"}


@dataclass(frozen=True, slots=True)
class Linear:
    """Σ_e c_e x_e ≤ bound, or = bound, for the fractions x of the elements; the largest |c_e| is 1."""

    coefficients: tuple[tuple[str, float], ...]
    bound: float
    is_equation: bool
    text: str
    """As it was written: what messages quote."""

    def row(self, elements: Sequence[str]) -> FloatArray:
        """Coefficients in the order of `elements`, shape (n,)."""
        amounts = dict(self.coefficients)
        return np.array([amounts.get(element, 0.0) for element in elements])


def parse_constraints(texts: Iterable[str], elements: Sequence[str]) -> tuple[Linear, ...]:
    """All rows of several constraints; see `parse_constraint`."""
    return tuple(row for text in texts for row in parse_constraint(text, elements))


def parse_constraint(text: str, elements: Sequence[str]) -> tuple[Linear, ...]:
    """One constraint on the fractions of `elements` as rows; a chain has several.

    Raises
    ------
    ConfigError
        If it is no comparison of linear expressions, or names something that is none of the elements.  The message
        quotes it and says how to write it.
    """
    written = text
    for sign, plain in _SIGNS.items():
        written = written.replace(sign, plain)
    if "%" in written:
        raise _wrong(text, "write fractions, not percent: 0.5 for 50 %")
    if match := re.search(r"\d\s*(?!e[-+]?\d)([A-Z][a-z]?)", written):
        raise _wrong(text, f"write * between a number and an element: '2*{match[1]}'")
    try:
        tree = ast.parse(re.sub(r"(?<![<>=!])=(?!=)", "==", written).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _wrong(text, f"it cannot be read; write for example {EXAMPLES}") from None
    if not isinstance(tree, ast.Compare):
        raise _wrong(text, f"it compares nothing; write for example {EXAMPLES}")
    sides = [_expression(node, text, elements) for node in (tree.left, *tree.comparators)]
    return tuple(_row(*pair, sign, text) for pair, sign in zip(pairwise(sides), tree.ops, strict=True))


def share_limits(limits: Mapping[str, Sequence[float]]) -> tuple[Linear, ...]:
    """Least and largest fractions as rows."""
    rows = []
    for element, (least, largest) in limits.items():
        text = f"bounds {element} = [{least:g}, {largest:g}]"
        rows.append(Linear(((element, -1.0),), -least, False, text))
        rows.append(Linear(((element, 1.0),), largest, False, text))
    return tuple(rows)


def price_limit(prices_per_mole: Mapping[str, float], masses: Mapping[str, float], max_price: float) -> Linear:
    r"""Price per kilogram up to `max_price`: :math:`\sum_e x_e (p_e - P m_e) \le 0`.

    p_e is the price and m_e the mass (kg) of a mole of e; the price of a kilogram is Σ x p / Σ x m, a ratio of linear
    forms, so its limit P is linear in the fractions.
    """
    terms = {element: prices_per_mole[element] - max_price * masses[element] for element in masses}
    return _scaled(terms, 0.0, is_equation=False, text=f"max_price = {max_price:g}")


def _scaled(terms: Mapping[str, float], bound: float, *, is_equation: bool, text: str) -> Linear:
    scale = max(map(abs, terms.values()), default=0.0) or 1.0
    return Linear(tuple((e, c / scale) for e, c in terms.items() if c), bound / scale, is_equation, text)


def _row(left: dict[str, float], right: dict[str, float], sign: ast.cmpop, text: str) -> Linear:
    if isinstance(sign, ast.NotEq):
        raise _wrong(text, "'!=' shuts nothing out; use <=, >= or =")
    if not isinstance(sign, ast.Lt | ast.LtE | ast.Gt | ast.GtE | ast.Eq):
        raise _wrong(text, f"use <=, >= or =, for example {EXAMPLES}")
    if isinstance(sign, ast.Gt | ast.GtE):
        left, right = right, left
    terms = {name: left.get(name, 0.0) - right.get(name, 0.0) for name in left | right}
    bound = -terms.pop("", 0.0)
    if not any(terms.values()):
        raise _wrong(text, "no element is left in it, so it says nothing about a composition")
    return _scaled(terms, bound, is_equation=isinstance(sign, ast.Eq), text=text)


def _expression(node: ast.expr, text: str, elements: Sequence[str]) -> dict[str, float]:
    """Coefficients by element, the constant under the empty name."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            if abs(value) > LARGEST:
                raise _wrong(text, "its numbers must be finite")
            found = {"": float(value)}
        case ast.Name(id=name):
            if name not in elements:
                raise _unknown(name, text, elements)
            found = {name: 1.0}
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            found = {name: -value for name, value in _expression(operand, text, elements).items()}
        case ast.BinOp(left=left, op=op, right=right):
            a, b = (_expression(side, text, elements) for side in (left, right))
            found = _combined(a, b, op, text)
        case _:
            raise _wrong(text, f"only sums of elements times numbers are understood, for example {EXAMPLES}")
    return found


def _combined(a: dict[str, float], b: dict[str, float], sign: ast.operator, text: str) -> dict[str, float]:
    match sign:
        case ast.Add():
            return {name: a.get(name, 0.0) + b.get(name, 0.0) for name in a | b}
        case ast.Sub():
            return {name: a.get(name, 0.0) - b.get(name, 0.0) for name in a | b}
        case ast.Mult():
            return _product(a, b, text)
        case ast.Div():
            return _quotient(a, b, text)
    raise _wrong(text, f"only +, -, * and / are understood, for example {EXAMPLES}")


def _product(a: dict[str, float], b: dict[str, float], text: str) -> dict[str, float]:
    if set(a) - {""}:
        a, b = b, a
    if set(a) - {""}:
        raise _wrong(text, "a product of two elements is not linear")
    return {name: a.get("", 0.0) * value for name, value in b.items()}


def _quotient(a: dict[str, float], b: dict[str, float], text: str) -> dict[str, float]:
    if set(b) - {""}:
        raise _wrong(text, "a ratio of elements is not linear; multiply it out: 'Li >= 2*Al' instead of 'Li/Al >= 2'")
    if not b.get(""):
        raise _wrong(text, "it divides by zero")
    return {name: value / b[""] for name, value in a.items()}


def _unknown(name: str, text: str, elements: Sequence[str]) -> ConfigError:
    close = get_close_matches(name.capitalize(), list(elements), n=1, cutoff=0.5)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return _wrong(text, f"'{name}' is none of the elements that vary: {', '.join(elements)}.{hint}")


def _wrong(text: str, why: str) -> ConfigError:
    return ConfigError(f"constraint '{text}': {why}")
